#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loop_test.h"

#include "net/hlogin.h"

#include <unistd.h>

/* Of "secret". */
#define FILE_TEXT                                                                                  \
    "hash:$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0" \
    "O8FHE00\nplain:{PLAIN}secret\n"

typedef struct lab_s {
    hloop_t *loop;
    husers_t *users;
    hlogin_t *login;
    int calls;
    hlogin_verdict_e verdict;
} lab_t;

static void lab_open(lab_t *lab)
{
    char path[] = "/tmp/hnet-login-XXXXXX";
    int fd = mkstemp(path);

    memset(lab, 0, sizeof(*lab));
    assert_true(fd >= 0);
    assert_int_equal(write(fd, FILE_TEXT, sizeof(FILE_TEXT) - 1), sizeof(FILE_TEXT) - 1);
    close(fd);
    lab->loop = new_loop();
    assert_int_equal(husers_new(&lab->users), 0);
    assert_int_equal(husers_add_file(lab->users, path, NULL), 0);
    assert_int_equal(hlogin_new(lab->loop, lab->users, &lab->login), 0);
    unlink(path);
}

static void lab_close(lab_t *lab)
{
    hlogin_free(lab->login);
    husers_free(lab->users);
    hloop_free(&lab->loop);
}

static void on_verdict(hlogin_verdict_e verdict, void *arg)
{
    lab_t *lab = arg;

    lab->calls++;
    lab->verdict = verdict;
}

/* Whether it had to be hashed. */
static bool check(lab_t *lab, const char *name, const char *password)
{
    hlogin_job_t *job;
    int before = lab->calls;

    lab->verdict = hlogin_check(lab->login, name, password, on_verdict, lab, &job);
    if (lab->verdict != HLOGIN_LATER) {
        assert_null(job);
        return false;
    }
    assert_int_equal(lab->calls, before);
    RUN_UNTIL(lab->loop, lab->calls > before);
    return true;
}

/* The hio that wakes the loop, when it is read; it cannot be while cannot_read. */
static hio_t *woken_by;
static bool cannot_read;

int __real_hio_read(hio_t *io);
int __wrap_hio_read(hio_t *io);

int __wrap_hio_read(hio_t *io)
{
    if (cannot_read)
        return HERR_CLOSED;
    woken_by = io;
    return __real_hio_read(io);
}

static void plain_passwords_are_answered_at_once(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    assert_false(check(&lab, "plain", "secret"));
    assert_int_equal(lab.verdict, HLOGIN_GRANTED);
    assert_false(check(&lab, "plain", "Secret"));
    assert_int_equal(lab.verdict, HLOGIN_REFUSED);
    lab_close(&lab);
}

static void a_hash_is_paid_for_once(void **state)
{
    lab_t lab;

    (void)state;
    lab_open(&lab);
    assert_true(check(&lab, "hash", "wrong"));
    assert_int_equal(lab.verdict, HLOGIN_REFUSED);
    assert_true(check(&lab, "hash", "secret"));
    assert_int_equal(lab.verdict, HLOGIN_GRANTED);
    assert_false(check(&lab, "hash", "secret"));
    assert_int_equal(lab.verdict, HLOGIN_GRANTED);
    assert_true(check(&lab, "hash", "wrong"));
    assert_int_equal(lab.verdict, HLOGIN_REFUSED);
    /* Who is not there takes as long, and is not let in with what was right for another. */
    assert_true(check(&lab, "nobody", "wrong"));
    assert_int_equal(lab.verdict, HLOGIN_REFUSED);
    check(&lab, "nobody", "secret");
    assert_int_equal(lab.verdict, HLOGIN_REFUSED);
    lab_close(&lab);
}

static void what_waits_is_bounded_and_can_be_given_up(void **state)
{
    hlogin_job_t *jobs[HLOGIN_WAITING_MAX], *more;
    lab_t lab;

    (void)state;
    lab_open(&lab);
    for (int i = 0; i < HLOGIN_WAITING_MAX; i++)
        assert_int_equal(hlogin_check(lab.login, "hash", "x", on_verdict, &lab, &jobs[i]),
                         HLOGIN_LATER);
    assert_int_equal(hlogin_check(lab.login, "hash", "x", on_verdict, &lab, &more), HLOGIN_BUSY);
    assert_null(more);
    for (int i = 0; i < HLOGIN_WAITING_MAX - 1; i++)
        hlogin_cancel(jobs[i]);
    RUN_UNTIL(lab.loop, lab.calls > 0);
    assert_int_equal(lab.calls, 1);
    hlogin_cancel(NULL);
    lab_close(&lab);
}

static void it_may_be_freed_while_it_hashes(void **state)
{
    hlogin_job_t *job;
    lab_t lab;

    (void)state;
    for (int i = 0; i < 3; i++) {
        lab_open(&lab);
        for (int j = 0; j <= i; j++)
            assert_int_equal(hlogin_check(lab.login, "hash", "x", on_verdict, &lab, &job),
                             HLOGIN_LATER);
        lab_close(&lab);
        assert_int_equal(lab.calls, 0);
    }
}

static void the_loop_sleeps_when_all_is_answered(void **state)
{
    uint64_t idle;
    lab_t lab;

    (void)state;
    lab_open(&lab);
    idle = events_of_settling(lab.loop);
    assert_true(check(&lab, "hash", "wrong"));
    settle(lab.loop);
    assert_int_equal(events_of_settling(lab.loop), idle);
    lab_close(&lab);
}

static void what_wakes_the_loop_may_not_come_about(void **state)
{
    hlogin_job_t *job;
    lab_t lab;

    (void)state;
    lab_open(&lab);
    cannot_read = true;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hlogin_check(lab.login, "hash", "x", on_verdict, &lab, &job), HLOGIN_BUSY);
        assert_null(job);
        settle(lab.loop);
    }
    cannot_read = false;
    assert_true(check(&lab, "hash", "secret"));
    assert_int_equal(lab.verdict, HLOGIN_GRANTED);
    lab_close(&lab);

    lab_open(&lab);
    cannot_read = true;
    assert_int_equal(hlogin_check(lab.login, "hash", "x", on_verdict, &lab, &job), HLOGIN_BUSY);
    cannot_read = false;
    lab_close(&lab);
}

static void what_wakes_the_loop_may_break(void **state)
{
    hlogin_job_t *job;
    lab_t lab;

    (void)state;
    lab_open(&lab);
    assert_int_equal(hlogin_check(lab.login, "hash", "x", on_verdict, &lab, &job), HLOGIN_LATER);
    hio_abort(woken_by, -EIO);
    settle(lab.loop);
    assert_int_equal(hlogin_check(lab.login, "hash", "y", on_verdict, &lab, &job), HLOGIN_LATER);
    RUN_UNTIL(lab.loop, lab.calls == 2);
    hio_abort(woken_by, -EIO);
    settle(lab.loop);
    lab_close(&lab);
}

static void nobody_is_in_an_empty_list(void **state)
{
    hloop_t *loop = new_loop();
    hlogin_job_t *job;
    husers_t *users;
    hlogin_t *login;

    (void)state;
    assert_int_equal(husers_new(&users), 0);
    assert_int_equal(hlogin_new(loop, users, &login), 0);
    assert_int_equal(hlogin_check(login, "a", "b", NULL, NULL, &job), HLOGIN_REFUSED);
    hlogin_free(login);
    hlogin_free(NULL);
    husers_free(users);
    hloop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_passwords_are_answered_at_once),
        cmocka_unit_test(a_hash_is_paid_for_once),
        cmocka_unit_test(what_waits_is_bounded_and_can_be_given_up),
        cmocka_unit_test(it_may_be_freed_while_it_hashes),
        cmocka_unit_test(the_loop_sleeps_when_all_is_answered),
        cmocka_unit_test(what_wakes_the_loop_may_not_come_about),
        cmocka_unit_test(what_wakes_the_loop_may_break),
        cmocka_unit_test(nobody_is_in_an_empty_list),
    };

    return run_on_each_poller("hlogin", tests, ARRAY_LENGTH(tests));
}
