/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/herr.h"
#include "net/husers.h"
#include "oom.h"

/* Of "secret", made by openssl passwd. */
#define SHA512                                                                                     \
    "$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/XWR5E33"                                 \
    "QPd0YmHXoDHOIDR6kL5D3JcQcz0O8FHE00"
#define APR1 "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0"

static char path[64];

/* One at a time. */
static const char *file_with(const char *text)
{
    int fd;

    if (path[0])
        unlink(path);
    snprintf(path, sizeof(path), "/tmp/hnet-users-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static husers_t *new_users(void)
{
    husers_t *users;

    assert_int_equal(husers_new(&users), 0);
    return users;
}

static bool is_right(const husers_t *users, const char *name, const char *password)
{
    const husers_user_t *user = husers_find(users, name);

    return user && husers_verify(user, password);
}

static void passwords_are_told_from_others(void **state)
{
    husers_t *users = new_users();
    hbytes_t why = {0};

    (void)state;
    if (husers_add_file(users,
                        file_with("# a comment\n\nann:" APR1 "\r\nbob:{PLAIN}pass:word\n"
                                  "cid:" SHA512 ":a note\n"),
                        &why) != 0)
        fail_msg("%s", why.data);
    assert_int_equal(husers_add(users, "dan", "", NULL), 0);
    assert_true(husers_has_hashes(users));
    assert_true(is_right(users, "ann", "secret"));
    assert_false(is_right(users, "ann", "Secret"));
    assert_true(is_right(users, "bob", "pass:word"));
    assert_false(is_right(users, "bob", "pass"));
    assert_true(is_right(users, "cid", "secret"));
    assert_false(is_right(users, "cid", ""));
    assert_true(is_right(users, "dan", ""));
    assert_false(is_right(users, "eve", ""));
    assert_string_equal(husers_first(users)->name, "ann");
    hbytes_deinit(&why);
    husers_free(users);
    husers_free(NULL);
}

static void a_text_is_a_pair_or_a_file(void **state)
{
    husers_t *users = new_users();

    (void)state;
    assert_int_equal(husers_add_text(users, "ann:secret:too", NULL), 0);
    assert_int_equal(husers_add_text(users, file_with("bob:{PLAIN}b\n"), NULL), 0);
    assert_true(is_right(users, "ann", "secret:too"));
    assert_true(is_right(users, "bob", "b"));
    assert_false(husers_has_hashes(users));
    husers_free(users);
}

static void mistakes_are_told(void **state)
{
    static const char *const cases[][2] = {
        {"ann\n", ":1: it takes NAME:HASH"},
        {"\nann:secret\n", ":2: no hash: htpasswd -B makes one"},
        {"ann:{SHA}x\n", ":1: {SHA} has no salt"},
        {"ann:{MD5}x\n", ":1: a hash of a kind that is not known here"},
        {"ann:$9z$x\n", ":1: a hash of a kind that crypt(3) does not know here"},
        {":{PLAIN}x\n", ":1: a user without a name"},
        {"# nobody\n", "nobody is in it"},
    };
    husers_t *users = new_users();
    hbytes_t why = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hbytes_clear(&why);
        assert_int_equal(husers_add_file(users, file_with(cases[i][0]), &why), HERR_SYNTAX);
        if (!strstr(why.data, cases[i][1]))
            fail_msg("%s", why.data);
    }
    assert_int_equal(husers_add_file(users, "/does/not/exist", &why), HERR_SYNTAX);
    assert_int_equal(husers_add(users, "a:b", "x", NULL), HERR_SYNTAX);
    for (int i = 0; i < HUSERS_MAX; i++)
        assert_int_equal(husers_add(users, "a", "x", NULL), 0);
    assert_int_equal(husers_add(users, "a", "x", NULL), HERR_SYNTAX);
    hbytes_deinit(&why);
    husers_free(users);
}

static int scenario(void *arg)
{
    husers_t *users;
    hbytes_t why = {0};
    int err = husers_new(&users);

    (void)arg;
    if (err < 0)
        return err;
    err = husers_add_text(users, "ann:secret", &why);
    if (!err)
        err = husers_add_text(users, path, &why);
    hbytes_deinit(&why);
    husers_free(users);
    return err;
}

static void memory_may_end_at_any_time(void **state)
{
    (void)state;
    file_with("a:{PLAIN}a\nb:{PLAIN}b\n");
    oom_run(scenario, NULL);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_told_from_others),
        cmocka_unit_test(a_text_is_a_pair_or_a_file),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(memory_may_end_at_any_time),
    };

    return cmocka_run_group_tests_name("husers", tests, NULL, NULL);
}
