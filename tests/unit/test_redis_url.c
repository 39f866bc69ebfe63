/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "proto/redis_url.h"

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static void a_url_tells_where_and_who(void **state)
{
    static const struct {
        const char *text, *formatted, *user, *password;
        unsigned database;
    } good[] = {
        {"redis://db", "redis://db:6379", "", "", 0},
        {"redis://db/", "redis://db:6379", "", "", 0},
        {"redis://127.0.0.1:7000/15", "redis://127.0.0.1:7000", "", "", 15},
        {"redis://[::1]:7000", "redis://[::1]:7000", "", "", 0},
        {"rediss://db.example", "rediss://db.example:6379", "", "", 0},
        {"redis://secret@db", "redis://db:6379", "", "secret", 0},
        {"redis://:secret@db", "redis://db:6379", "", "secret", 0},
        {"redis://chat:s%40c%3aret@db:1", "redis://db:1", "chat", "s@c:ret", 0},
        {"redis+unix:///run/redis.sock", "unix:/run/redis.sock", "", "", 0},
        {"redis+unix://chat:x@localhost/run/redis.sock", "unix:/run/redis.sock", "chat", "x", 0},
        {"unix:/run/redis.sock", "unix:/run/redis.sock", "", "", 0},
    };
    char error[256], text[REDIS_URL_FORMAT_SIZE];
    redis_url_t url;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        if (redis_url_parse(&url, good[i].text, error, sizeof(error)) != 0)
            fail_msg("%s: %s", good[i].text, error);
        assert_string_equal(redis_url_format(&url, text, sizeof(text)), good[i].formatted);
        assert_string_equal(url.user, good[i].user);
        assert_string_equal(url.password, good[i].password);
        assert_int_equal(url.database, good[i].database);
    }
    assert_int_equal(redis_url_parse(&url, "rediss://db", error, sizeof(error)), 0);
    assert_int_equal(url.endpoint.scheme, HENDPOINT_TLS);
}

static void what_is_none_is_refused_without_the_password(void **state)
{
    static const char *const bad[] = {
        "",
        "db:6379",
        "http://topsecret@db/",
        "redis://",
        "redis://:topsecret@",
        "redis://topsecret@db:70000",
        "redis://topsecret@db/x",
        "redis://topsecret@db/1/2",
        "redis://topsecret@db/99999",
        "redis://topsecret@db?db=1",
        "redis://topsecret@db#1",
        "redis://topsecret%@db",
        "redis://topsecret%00@db",
        "redis://topsecret @db",
        "redis+unix://:topsecret@db/run/x",
        "redis+unix://:topsecret@",
        "redis+unix://:topsecret@/run/0123456789012345678901234567890123456789012345678901234567890"
        "123456789012345678901234567890123456789012345678901234567890",
        "unix:",
        "redis:db",
    };
    char error[256];
    redis_url_t url;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        error[0] = '\0';
        if (redis_url_parse(&url, bad[i], error, sizeof(error)) >= 0)
            fail_msg("taken: %s", bad[i]);
        assert_true(error[0] != '\0');
        if (strstr(error, "topsecret"))
            fail_msg("%s: %s", bad[i], error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_tells_where_and_who),
        cmocka_unit_test(what_is_none_is_refused_without_the_password),
    };

    return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}
