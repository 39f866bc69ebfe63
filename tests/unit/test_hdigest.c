/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "net/hdigest.h"

#include <stdio.h>

static void hashes_to(http_auth_hash_e hash, const char *hex)
{
    const http_span_t parts[] = {HTTP_SPAN("a"), HTTP_SPAN(""), HTTP_SPAN("bc")};
    uint8_t digest[HTTP_AUTH_DIGEST_MAX];
    char text[2 * HTTP_AUTH_DIGEST_MAX + 1] = "";

    assert_int_equal(hdigest_hash(hash, parts, 3, digest, NULL), 0);
    for (size_t i = 0; i < strlen(hex) / 2; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, hex);
}

static void abc_has_the_hashes_of_the_standards(void **state)
{
    (void)state;
    hashes_to(HTTP_AUTH_MD5, "900150983cd24fb0d6963f7d28e17f72");
    hashes_to(HTTP_AUTH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hashes_to(HTTP_AUTH_SHA512_256,
              "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

static void an_unknown_hash_is_refused(void **state)
{
    uint8_t digest[HTTP_AUTH_DIGEST_MAX];

    (void)state;
    assert_int_equal(hdigest_hash((http_auth_hash_e)9, NULL, 0, digest, NULL), HERR_UNSUPPORTED);
}

static void client_nonces_are_all_different(void **state)
{
    char one[HDIGEST_NONCE_SIZE], two[HDIGEST_NONCE_SIZE];

    (void)state;
    assert_int_equal(hdigest_cnonce(one), 0);
    assert_int_equal(hdigest_cnonce(two), 0);
    assert_int_equal(strlen(one), 32);
    assert_int_equal(strspn(one, "0123456789abcdef"), 32);
    assert_string_not_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(abc_has_the_hashes_of_the_standards),
        cmocka_unit_test(an_unknown_hash_is_refused),
        cmocka_unit_test(client_nonces_are_all_different),
    };

    return cmocka_run_group_tests_name("hdigest", tests, NULL, NULL);
}
