/* One thread. What worker processes know together of their targets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "htargets_fixture.h"

#include <sys/wait.h>

#define A "192.0.2.1:80"
#define B "192.0.2.2:80"
#define WORKERS 3

/* Several groups on one loop stand for as many workers; the group is that of worker 0. */
typedef struct workers_s {
    world_t w;
    htarget_share_t *share;
    htargets_t *groups[WORKERS];
} workers_t;

static void begin_workers(workers_t *s)
{
    begin_with(&s->w, A, B, NULL);
    assert_int_equal(htarget_share_new(WORKERS, &s->share), 0);
    s->w.options.share = s->share;
    s->w.options.eject_failures = 1;
    s->w.options.eject_ms = 200;
}

static void use_workers(workers_t *s)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        s->w.options.worker = i;
        s->w.options.runs_checks = i == 0;
        assert_int_equal(htargets_new(s->w.loop, &s->w.options, &s->groups[i]), 0);
    }
}

static void end_workers(workers_t *s)
{
    for (unsigned i = 0; i < WORKERS; i++)
        htargets_free(s->groups[i]);
    end(&s->w);
    htarget_share_free(s->share);
}

static htarget_t *pick_at(workers_t *s, int worker, const char *address)
{
    htarget_t *target;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(htargets_pick(s->groups[worker], NULL, NULL, &target), 0);
        if (strcmp(htarget_address(target), address) == 0)
            return target;
        htarget_release(target, 0, 0);
    }
    fail_msg("worker %d never picks %s", worker, address);
    return NULL;
}

static bool picks(workers_t *s, int worker, const char *address)
{
    bool found = false;

    for (int i = 0; i < 10 && !found; i++) {
        htarget_t *target;

        assert_int_equal(htargets_pick(s->groups[worker], NULL, NULL, &target), 0);
        found = strcmp(htarget_address(target), address) == 0;
        htarget_release(target, 0, 0);
    }
    return found;
}

static void bounds_are_told(void **state)
{
    htarget_share_t *share;
    htargets_t *group;
    workers_t s;

    (void)state;
    assert_int_equal(htarget_share_new(0, &share), -EINVAL);
    assert_int_equal(htarget_share_new(HTARGET_SHARE_WORKERS_MAX + 1, &share), -EINVAL);
    htarget_share_free(NULL);
    memset(&s, 0, sizeof(s));
    begin_workers(&s);
    s.w.options.worker = WORKERS;
    assert_int_equal(htargets_new(s.w.loop, &s.w.options, &group), -EINVAL);
    htarget_share_forget(s.share, WORKERS); /* nobody */
    end_workers(&s);
}

static void numbers_are_those_of_all(void **state)
{
    htarget_t *held[WORKERS];
    workers_t s = {0};

    (void)state;
    begin_workers(&s);
    use_workers(&s);
    for (int i = 0; i < WORKERS; i++) {
        held[i] = pick_at(&s, i, A);
        htarget_count(held[i], 10, 1);
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(info_of(s.groups[i], A).active, WORKERS);
        assert_int_equal(info_of(s.groups[i], A).to_bytes, 30);
        assert_int_equal(info_of(s.groups[i], A).from_bytes, 3);
    }
    for (int i = 0; i < WORKERS; i++)
        htarget_release(held[i], 0, 0);
    assert_int_equal(info_of(s.groups[0], A).active, 0);
    assert_true(info_of(s.groups[0], A).connections >= WORKERS);
    end_workers(&s);
}

static void the_load_of_all_is_balanced(void **state)
{
    htarget_t *held[4], *target;
    workers_t s = {0};

    (void)state;
    begin_workers(&s);
    s.w.options.method = HBALANCE_LEAST_CONNECTIONS;
    use_workers(&s);
    for (int i = 0; i < 4; i++) /* of different workers: in turn all the same */
        assert_int_equal(htargets_pick(s.groups[i % WORKERS], NULL, NULL, &held[i]), 0);
    assert_int_equal(info_of(s.groups[0], A).active, 2);
    assert_int_equal(info_of(s.groups[0], B).active, 2);
    for (int i = 0; i < 4; i++) {
        if (strcmp(htarget_address(held[i]), A) == 0)
            continue;
        htarget_release(held[i], 0, 0);
        held[i] = NULL;
    }
    assert_int_equal(htargets_pick(s.groups[2], NULL, NULL, &target), 0);
    assert_string_equal(htarget_address(target), B);
    htarget_release(target, 0, 0);
    assert_int_equal(info_of(s.groups[0], B).active, 0);
    htarget_share_forget(s.share, 0); /* the connections of A, which all had one */
    htarget_share_forget(s.share, 1);
    htarget_share_forget(s.share, 2);
    assert_int_equal(info_of(s.groups[0], A).active, 0);
    assert_int_equal(info_of(s.groups[0], A).connections, 2); /* what was counted stays */
    for (int i = 0; i < 4; i++) {
        if (held[i])
            htarget_release(held[i], 0, 0);
    }
    end_workers(&s);
}

static void an_ejection_is_everybodys(void **state)
{
    htarget_t *target, *trial;
    uint64_t begun;
    workers_t s = {0};

    (void)state;
    begin_workers(&s);
    use_workers(&s);
    target = pick_at(&s, 0, A);
    begun = now_ms();
    htarget_failed(target, -ECONNREFUSED);
    htarget_release(target, 0, 0);
    assert_string_equal(s.w.events, "ejected " A " (Connection refused) left 1, ");
    for (int i = 0; i < WORKERS && now_ms() - begun < 100; i++) { /* for 200 ms it is */
        assert_false(picks(&s, i, A));
        assert_int_equal(info_of(s.groups[i], A).state, HTARGET_EJECTED);
        assert_string_equal(info_of(s.groups[i], A).why, "Connection refused");
    }
    wait_ms(&s.w, 210);
    trial = pick_at(&s, 1, A);
    assert_false(picks(&s, 0, A)); /* one of them makes the trial */
    assert_false(picks(&s, 1, A));
    assert_false(picks(&s, 2, A));
    htarget_connected(trial);
    htarget_release(trial, 0, 0);
    for (int i = 0; i < WORKERS; i++)
        assert_true(picks(&s, i, A));
    assert_true(has_event(&s.w, "returned " A));
    end_workers(&s);
}

static void one_checks_for_all(void **state)
{
    workers_t s = {0};

    (void)state;
    begin_workers(&s);
    s.w.options.spec_count = 0;
    add_spec(&s.w, "127.0.0.1:1");
    s.w.check = (hcheck_options_t){.kind = HCHECK_CONNECT, .interval_ms = 10};
    s.w.options.check = &s.w.check;
    use_workers(&s);
    RUN_UNTIL(s.w.loop, htargets_usable(s.groups[2]) == 0);
    assert_int_equal(info_of(s.groups[1], "127.0.0.1:1").state, HTARGET_DOWN);
    htargets_free(s.groups[0]); /* its successor goes on where it was */
    s.w.options.worker = 0;
    s.w.options.runs_checks = true;
    assert_int_equal(htargets_new(s.w.loop, &s.w.options, &s.groups[0]), 0);
    assert_int_equal(htargets_usable(s.groups[0]), 0);
    end_workers(&s);
}

static void a_new_configuration_goes_on_counting(void **state)
{
    htarget_t *held;
    workers_t s = {0};

    (void)state;
    begin_workers(&s);
    use_workers(&s);
    held = pick_at(&s, 1, A);
    for (unsigned i = 0; i < WORKERS; i++) {
        htargets_free(s.groups[i]);
        s.groups[i] = NULL;
    }
    use_workers(&s);
    assert_int_equal(info_of(s.groups[0], A).active, 1); /* of before */
    htarget_release(held, 100, 200);
    assert_int_equal(info_of(s.groups[0], A).active, 0);
    assert_int_equal(info_of(s.groups[0], A).to_bytes, 100);
    for (unsigned i = 0; i < WORKERS; i++) {
        htargets_free(s.groups[i]);
        s.groups[i] = NULL;
    }
    s.w.options.name = "another"; /* whose targets are its own */
    use_workers(&s);
    assert_int_equal(info_of(s.groups[0], A).connections, 0);
    end_workers(&s);
}

/* So many targets of one worker that there is no room for more: those are its own. */
static void a_full_share_gives_what_nobody_has(void **state)
{
    htarget_spec_t *specs = calloc(HTARGETS_SPECS_MAX, sizeof(*specs));
    htargets_t *groups[HTARGET_SHARE_TARGETS_MAX / HTARGETS_SPECS_MAX];
    char names[ARRAY_LENGTH(groups)][16];
    htarget_t *target;
    workers_t s = {0};

    (void)state;
    assert_non_null(specs);
    begin_workers(&s);
    for (int i = 0; i < HTARGETS_SPECS_MAX; i++) {
        char text[32];

        snprintf(text, sizeof(text), "10.0.%d.%d:80", i / 256, i % 256);
        assert_int_equal(htarget_spec_parse(&specs[i], text, NULL, 0), 0);
    }
    s.w.options.specs = specs;
    s.w.options.spec_count = HTARGETS_SPECS_MAX;
    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        snprintf(names[i], sizeof(names[i]), "group%zu", i);
        s.w.options.name = names[i];
        assert_int_equal(htargets_new(s.w.loop, &s.w.options, &groups[i]), 0);
    }
    s.w.options.specs = s.w.specs;
    s.w.options.spec_count = 2;
    s.w.options.name = "late";
    use_workers(&s);
    target = pick_at(&s, 0, A);
    assert_int_equal(info_of(s.groups[0], A).active, 1);
    assert_int_equal(info_of(s.groups[1], A).active, 0); /* not shared */
    htarget_release(target, 0, 0);
    htargets_free(groups[0]);
    for (unsigned i = 0; i < WORKERS; i++)
        htargets_free(s.groups[i]);
    use_workers(&s);
    target = pick_at(&s, 0, A);
    assert_int_equal(info_of(s.groups[1], A).active, 1);
    assert_int_equal(info_of(s.groups[1], A).connections, info_of(s.groups[0], A).connections);
    htarget_release(target, 0, 0);
    for (size_t i = 1; i < ARRAY_LENGTH(groups); i++)
        htargets_free(groups[i]);
    end_workers(&s);
    free(specs);
}

/* ---- two processes --------------------------------------------------------------------------- */

static void run_child(workers_t *s, int tell, int listen)
{
    htarget_t *target, *held;
    char byte = 0;

    s->w.options.worker = 1;
    s->w.options.runs_checks = false;
    s->w.options.on_change = NULL;
    if (htargets_new(s->w.loop, &s->w.options, &s->groups[1]) != 0)
        _exit(10);
    held = pick_at(s, 1, B);
    htarget_count(held, 1000, 2000);
    target = pick_at(s, 1, A);
    htarget_failed(target, -ECONNRESET); /* which ejects it */
    if (write(tell, "x", 1) != 1)
        _exit(11);
    if (read(listen, &byte, 1) != 1) /* until it is killed */
        _exit(12);
}

static void a_killed_worker_is_forgotten(void **state)
{
    int to_child[2], to_parent[2], status;
    workers_t s = {0};
    char byte;
    pid_t pid;

    (void)state;
    begin_workers(&s);
    assert_int_equal(pipe(to_child), 0);
    assert_int_equal(pipe(to_parent), 0);
    s.w.options.worker = 0;
    assert_int_equal(htargets_new(s.w.loop, &s.w.options, &s.groups[0]), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run_child(&s, to_parent[1], to_child[0]);
        _exit(13);
    }
    assert_int_equal(read(to_parent[0], &byte, 1), 1);
    assert_int_equal(info_of(s.groups[0], A).active, 1);
    assert_int_equal(info_of(s.groups[0], A).failures, 1);
    assert_int_equal(info_of(s.groups[0], A).state, HTARGET_EJECTED);
    assert_int_equal(info_of(s.groups[0], A).error, -ECONNRESET);
    assert_int_equal(info_of(s.groups[0], B).active, 1);
    assert_int_equal(info_of(s.groups[0], B).from_bytes, 2000);
    assert_false(picks(&s, 0, A));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    htarget_share_forget(s.share, 1);
    assert_int_equal(info_of(s.groups[0], A).active, 0);
    assert_int_equal(info_of(s.groups[0], B).active, 0);
    assert_int_equal(info_of(s.groups[0], B).from_bytes, 2000);
    assert_int_equal(info_of(s.groups[0], A).state, HTARGET_EJECTED);
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(to_parent[i]);
    }
    end_workers(&s);
}

/* Many processes that find and leave places at the same time, some of them killed in between. */
static void a_killed_worker_leaves_no_lock(void **state)
{
    workers_t s = {0};

    (void)state;
    begin_workers(&s);
    s.w.options.worker = 0;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            s.w.options.worker = 1;
            for (;;) {
                if (htargets_new(s.w.loop, &s.w.options, &s.groups[1]) != 0)
                    _exit(1);
                htargets_free(s.groups[1]);
            }
        }
        for (int n = 0; n < 50; n++) {
            assert_int_equal(htargets_new(s.w.loop, &s.w.options, &s.groups[0]), 0);
            htargets_free(s.groups[0]);
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        htarget_share_forget(s.share, 1);
    }
    s.groups[0] = NULL;
    use_workers(&s);
    assert_int_equal(count_targets(s.groups[0]), 2);
    end_workers(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_told),
        cmocka_unit_test(numbers_are_those_of_all),
        cmocka_unit_test(the_load_of_all_is_balanced),
        cmocka_unit_test(an_ejection_is_everybodys),
        cmocka_unit_test(one_checks_for_all),
        cmocka_unit_test(a_new_configuration_goes_on_counting),
        cmocka_unit_test(a_full_share_gives_what_nobody_has),
        cmocka_unit_test(a_killed_worker_is_forgotten),
        cmocka_unit_test(a_killed_worker_leaves_no_lock),
    };

    return run_on_each_poller("htarget_share", tests, ARRAY_LENGTH(tests));
}
