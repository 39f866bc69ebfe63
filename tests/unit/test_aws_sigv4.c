/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/aws_sigv4.h"
#include "net/hdigest.h"
#include "oom.h"

/* 2015-08-30 12:36:00, of the vectors that are published with the protocol. */
#define NOW 1440938160
#define SCOPE "/20150830/us-east-1/service/aws4_request, SignedHeaders="

static aws_sigv4_t vanilla(void)
{
    return (aws_sigv4_t){.scheme = "aws:amz:us-east-1:service",
                         .user = "AKIDEXAMPLE",
                         .password = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                         .method = HTTP_SPAN("GET"),
                         .host = HTTP_SPAN("example.amazonaws.com"),
                         .path = HTTP_SPAN("/"),
                         .host_field = HTTP_SPAN("example.amazonaws.com"),
                         .now_s = NOW};
}

static void signs_as(const aws_sigv4_t *request, const char *text)
{
    http_auth_hasher_t hasher = hdigest_hasher();
    hbytes_t out = {0};
    const char *why;

    assert_int_equal(hbytes_append_str(&out, "X: y\r\n"), 0);
    assert_int_equal(aws_sigv4_sign(request, &hasher, &out, &why), 0);
    assert_null(why);
    assert_string_equal(out.data + 6, text);
    hbytes_deinit(&out);
}

static void refuses(const aws_sigv4_t *request, int result)
{
    http_auth_hasher_t hasher = hdigest_hasher();
    hbytes_t out = {0};
    const char *why;

    assert_int_equal(aws_sigv4_sign(request, &hasher, &out, &why), result);
    assert_non_null(why);
    assert_int_equal(out.len, 0);
    hbytes_deinit(&out);
}

static void signs_vanilla_as(const aws_sigv4_t *request, const char *names, const char *signature)
{
    char text[512];

    snprintf(text, sizeof(text),
             "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE" SCOPE
             "%s, Signature=%s\r\nX-Amz-Date: 20150830T123600Z\r\n",
             names, signature);
    signs_as(request, text);
}

static void the_published_vectors_hold(void **state)
{
    static const http_field_t type[] = {
        {HTTP_SPAN("Content-Type"), HTTP_SPAN("application/x-www-form-urlencoded"), 0}};
    static const http_field_t twice[] = {{HTTP_SPAN("My-Header1"), HTTP_SPAN("value2"), 0},
                                         {HTTP_SPAN("My-Header1"), HTTP_SPAN("value2"), 0},
                                         {HTTP_SPAN("My-Header1"), HTTP_SPAN("value1"), 0}};
    static const http_field_t spaces[] = {{HTTP_SPAN("My-Header1"), HTTP_SPAN("value1"), 0},
                                          {HTTP_SPAN("My-Header2"), HTTP_SPAN("\"a   b   c\""), 0}};
    aws_sigv4_t r = vanilla();

    (void)state;
    signs_vanilla_as(&r, "host;x-amz-date",
                     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    r.query = HTTP_SPAN("Param2=value2&Param1=value1");
    signs_vanilla_as(&r, "host;x-amz-date",
                     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    r = vanilla();
    r.method = HTTP_SPAN("POST");
    signs_vanilla_as(&r, "host;x-amz-date",
                     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    r.fields = type;
    r.field_count = 1;
    r.payload = HTTP_SPAN("Param1=value1");
    signs_vanilla_as(&r, "content-type;host;x-amz-date",
                     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
    r = vanilla();
    r.fields = twice;
    r.field_count = 3;
    signs_vanilla_as(&r, "host;my-header1;x-amz-date",
                     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
    r.fields = spaces;
    r.field_count = 2;
    signs_vanilla_as(&r, "host;my-header1;my-header2;x-amz-date",
                     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

/* What the original sends at the beginning of the epoch. */
static aws_sigv4_t original(const char *scheme)
{
    return (aws_sigv4_t){.scheme = scheme,
                         .user = "xxx",
                         .password = "",
                         .method = HTTP_SPAN("GET"),
                         .host = HTTP_SPAN("exam.ple.com"),
                         .path = HTTP_SPAN("/aws_sigv4/testapi/test"),
                         .host_field = HTTP_SPAN("exam.ple.com:9000")};
}

static void queries_and_paths_are_normalised(void **state)
{
    aws_sigv4_t r = original("aws:amz:us-east-2:es");

    (void)state;
    r.user = "user";
    r.password = "secret";
    r.host = HTTP_SPAN("fake.fake.fake");
    r.host_field = HTTP_SPAN("fake.fake.fake:8000");
    r.path = HTTP_SPAN("/439/");
    r.query = HTTP_SPAN("name=me&noval&aim=b%aad&&&weirdo=*.//-");
    signs_as(&r,
             "Authorization: AWS4-HMAC-SHA256 Credential=user/19700101/us-east-2/es/aws4_request, "
             "SignedHeaders=host;x-amz-date, "
             "Signature=9dd8592929306832a6673d10063491391e486e5f50de4647ea7c2c797277e0a6\r\n"
             "X-Amz-Date: 19700101T000000Z\r\n");
    r.path = HTTP_SPAN("/472/a=%E3%81%82");
    r.query = (http_span_t){NULL, 0};
    signs_as(&r,
             "Authorization: AWS4-HMAC-SHA256 Credential=user/19700101/us-east-2/es/aws4_request, "
             "SignedHeaders=host;x-amz-date, "
             "Signature=b8783c8387a5249b084642126fe1f8e07e12a2847820fd5b6cd64b2047149da4\r\n"
             "X-Amz-Date: 19700101T000000Z\r\n");
}

static void others_have_their_own_names(void **state)
{
    static const http_field_t fields[] = {
        {HTTP_SPAN("test3"), HTTP_SPAN("1234"), 0},
        {HTTP_SPAN("Content-Type"), HTTP_SPAN("application/json"), 0},
        {HTTP_SPAN("test2"), {NULL, 0}, 0},
        {HTTP_SPAN("test_space"), HTTP_SPAN("t\ts  m\t   end"), 0},
        {HTTP_SPAN("tesMixCase"), HTTP_SPAN("MixCase"), 0}};
    aws_sigv4_t r = original("xxx");

    (void)state;
    r.fields = fields;
    r.field_count = 5;
    signs_as(&r, "Authorization: XXX4-HMAC-SHA256 Credential=xxx/19700101/ple/exam/xxx4_request, "
                 "SignedHeaders=content-type;host;tesmixcase;test2;test3;test_space;x-xxx-date, "
                 "Signature=dd39202e9fb7b836ebf2abb83b114cae11ff3b6a169f0c64b290a774a873db9d\r\n"
                 "X-Xxx-Date: 19700101T000000Z\r\n");
}

static void s3_has_a_field_for_the_payload(void **state)
{
    static const http_field_t type[] = {
        {HTTP_SPAN("Content-Type"), HTTP_SPAN("application/json"), 0}};
    aws_sigv4_t r = original("aws:amz:us-east-1:s3");

    (void)state;
    signs_as(&r,
             "Authorization: AWS4-HMAC-SHA256 Credential=xxx/19700101/us-east-1/s3/aws4_request, "
             "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
             "Signature=e6270423932feafe9b00ca5d60c9ed566be649f9ca9676144288273945153021\r\n"
             "X-Amz-Date: 19700101T000000Z\r\nx-amz-content-sha256: "
             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n");
    r.method = HTTP_SPAN("PUT");
    r.fields = type;
    r.field_count = 1;
    r.payload_unknown = true;
    signs_as(&r,
             "Authorization: AWS4-HMAC-SHA256 Credential=xxx/19700101/us-east-1/s3/aws4_request, "
             "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, "
             "Signature=4a6e9b4af0542ffb83744c6852f8e1bfec14f2a67e6f6f037b39f172f79d62af\r\n"
             "X-Amz-Date: 19700101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n");
}

static void the_program_may_say_date_and_hash_itself(void **state)
{
    static const http_field_t fields[] = {
        {HTTP_SPAN("Content-Type"), HTTP_SPAN("application/json"), 0},
        {HTTP_SPAN("X-Xxx-Content-Sha256"),
         HTTP_SPAN("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), 0},
        {HTTP_SPAN("x-xxx-date"), HTTP_SPAN("19700101T000000Z"), 0}};
    aws_sigv4_t r = original("xxx");

    (void)state;
    r.now_s = NOW;
    r.fields = fields;
    r.field_count = 3;
    signs_as(&r, "Authorization: XXX4-HMAC-SHA256 Credential=xxx/19700101/ple/exam/xxx4_request, "
                 "SignedHeaders=content-type;host;x-xxx-content-sha256;x-xxx-date, "
                 "Signature=dfe78c8846a9b7d65d1eb4c1d6ea7bc886650d03f3568088cb8d5b4c3778287f\r\n");
}

static void what_cannot_be_signed_is_refused(void **state)
{
    char query[2 * AWS_SIGV4_QUERY_MAX + 16];
    aws_sigv4_t r = original(":a");

    (void)state;
    refuses(&r, HERR_SYNTAX);
    r.scheme = "1234567890123456789012345678901234567890123456789012345678901234567890";
    refuses(&r, HERR_SYNTAX);
    r.scheme = "aws:amz:r:s\r\nX-Other: 1";
    refuses(&r, HERR_SYNTAX);
    r.scheme = "";
    r.host = HTTP_SPAN("localhost");
    refuses(&r, HERR_RANGE);
    r.host = HTTP_SPAN("es.localhost");
    refuses(&r, HERR_RANGE);
    r.scheme = "aws:amz:region";
    r.host = HTTP_SPAN("localhost");
    refuses(&r, HERR_RANGE);
    r.scheme = "a:b:c:d";
    for (size_t i = 0; i < sizeof(query); i++)
        query[i] = i % 2 ? '&' : 'a';
    r.query = (http_span_t){query, sizeof(query)};
    refuses(&r, -ENOBUFS);
    r.query.len = 2 * AWS_SIGV4_QUERY_MAX;
    r.field_count = AWS_SIGV4_FIELDS_MAX + 1;
    refuses(&r, -ENOBUFS);
}

static int no_hash(http_auth_hash_e hash, const http_span_t *parts, size_t count, uint8_t *digest,
                   void *arg)
{
    (void)hash, (void)parts, (void)count, (void)digest, (void)arg;
    return HERR_UNSUPPORTED;
}

static void without_a_hash_nothing_is_signed(void **state)
{
    const http_auth_hasher_t hasher = {no_hash, NULL};
    aws_sigv4_t r = vanilla();
    hbytes_t out = {0};
    const char *why;

    (void)state;
    assert_int_equal(aws_sigv4_sign(&r, &hasher, &out, &why), HERR_UNSUPPORTED);
    assert_int_equal(out.len, 0);
    hbytes_deinit(&out);
}

static int scenario(void *arg)
{
    static const http_field_t fields[] = {{HTTP_SPAN("A"), HTTP_SPAN("b  c"), 0}};
    http_auth_hasher_t hasher = hdigest_hasher();
    aws_sigv4_t r = original("aws:amz:us-east-1:s3");
    hbytes_t out = {0};
    const char *why;
    int err;

    (void)arg;
    r.query = HTTP_SPAN("b=1&a=2");
    r.fields = fields;
    r.field_count = 1;
    err = aws_sigv4_sign(&r, &hasher, &out, &why);
    hbytes_deinit(&out);
    return err;
}

static void memory_that_fails_is_told(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_hold),
        cmocka_unit_test(queries_and_paths_are_normalised),
        cmocka_unit_test(others_have_their_own_names),
        cmocka_unit_test(s3_has_a_field_for_the_payload),
        cmocka_unit_test(the_program_may_say_date_and_hash_itself),
        cmocka_unit_test(what_cannot_be_signed_is_refused),
        cmocka_unit_test(without_a_hash_nothing_is_signed),
        cmocka_unit_test(memory_that_fails_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
