/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hcurl/checksum.h"
#include "base/herr.h"
#include "oom.h"

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_MD5 "900150983cd24fb0d6963f7d28e17f72"
#define ABC_SHA1 "a9993e364706816aba3e25717850c26c9cd0d89d"

static void a_value_is_read_and_written(void **state)
{
    static const char *const good[] = {"sha256=" ABC_SHA256, "SHA-256:" ABC_SHA256, "md5=" ABC_MD5,
                                       "sha1=" ABC_SHA1};
    char text[CHECKSUM_TEXT_SIZE];
    checksum_value_t value;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_int_equal(checksum_parse(good[i], &value), 0);
        assert_string_equal(checksum_format(value.hash, value.bytes, text),
                            good[i] + strcspn(good[i], "=:") + 1);
    }
    assert_string_equal(checksum_name(CHECKSUM_SHA512), "sha512");
    assert_int_equal(checksum_size(CHECKSUM_SHA384), 48);
}

static void what_is_no_value_is_refused(void **state)
{
    static const struct {
        const char *text;
        int err;
    } bad[] = {
        {"", HERR_SYNTAX},
        {"sha256", HERR_SYNTAX},
        {"=", HERR_UNSUPPORTED},
        {"crc=00", HERR_UNSUPPORTED},
        {"sha256=", HERR_RANGE},
        {"md5=" ABC_SHA1, HERR_RANGE},
        {"md5=" ABC_MD5 "0", HERR_RANGE},
        {"md5=90015098 cd24fb0d6963f7d28e17f72", HERR_SYNTAX},
        {"md5=x00150983cd24fb0d6963f7d28e17f72", HERR_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        checksum_value_t value = {CHECKSUM_NONE, {0}};

        assert_int_equal(checksum_parse(bad[i].text, &value), bad[i].err);
        assert_int_equal(value.hash, CHECKSUM_NONE);
    }
}

static void a_sum_does_not_depend_on_the_pieces(void **state)
{
    static const struct {
        checksum_hash_e hash;
        const char *abc;
    } cases[] = {{CHECKSUM_MD5, ABC_MD5}, {CHECKSUM_SHA1, ABC_SHA1}, {CHECKSUM_SHA256, ABC_SHA256}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t cut = 0; cut <= 3; cut++) {
            char text[CHECKSUM_TEXT_SIZE];
            uint8_t bytes[CHECKSUM_MAX];
            checksum_t *sum;

            assert_int_equal(checksum_new(cases[i].hash, &sum), 0);
            assert_int_equal(checksum_add(sum, "abc", cut), 0);
            assert_int_equal(checksum_add(sum, "abc" + cut, 3 - cut), 0);
            assert_int_equal(checksum_end(sum, bytes), 0);
            checksum_free(sum);
            assert_string_equal(checksum_format(cases[i].hash, bytes, text), cases[i].abc);
        }
    }
    checksum_free(NULL);
}

static int scenario(void *arg)
{
    checksum_t *sum;
    int err = checksum_new(CHECKSUM_SHA512, &sum);

    (void)arg;
    if (err == 0)
        checksum_free(sum);
    return err;
}

static void memory_may_end(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_read_and_written),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(a_sum_does_not_depend_on_the_pieces),
        cmocka_unit_test(memory_may_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
