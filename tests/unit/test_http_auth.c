/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "codec/http_auth.h"
#include "net/hdigest.h"

#include <stdio.h>

#define NONCE "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
#define RFC_CHALLENGE                                                                              \
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=%s, "               \
    "nonce=\"" NONCE "\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static const http_auth_t mufasa = {
    .user = "Mufasa",
    .password = "Circle of Life",
    .method = {"GET", 3},
    .uri = {"/dir/index.html", 15},
    .cnonce = CNONCE,
    .count = 1,
};

/* On a copy that is no byte longer. */
static int next_challenge(const char *text, size_t *consumed, http_challenge_t *c)
{
    size_t len = strlen(text + *consumed);
    char *copy = malloc(len ? len : 1);
    http_span_t value = {copy, len};
    int got;

    assert_non_null(copy);
    memcpy(copy, text + *consumed, len);
    got = http_challenge_next(&value, c);
    *consumed += len - value.len;
    free(copy);
    return got;
}

static http_challenge_t challenge_of(const char *text)
{
    size_t consumed = 0;
    http_challenge_t c;

    assert_int_equal(next_challenge(text, &consumed, &c), 1);
    return c;
}

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void answers_with(const char *algorithm, const char *response)
{
    http_auth_hasher_t hasher = hdigest_hasher();
    char text[512], buf[HTTP_AUTH_VALUE_SIZE];
    http_challenge_t c;
    ssize_t len;

    snprintf(text, sizeof(text), RFC_CHALLENGE, algorithm);
    c = challenge_of(text);
    len = http_auth_answer(&c, &mufasa, &hasher, buf, sizeof(buf));
    assert_int_equal(len, strlen(buf));
    snprintf(text, sizeof(text),
             "cnonce=\"" CNONCE "\", nc=00000001, qop=auth, response=\"%s\", "
             "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", algorithm=",
             response);
    assert_true(contains(buf, text));
    for (size_t size = 0; size <= (size_t)len; size++)
        assert_int_equal(http_auth_answer(&c, &mufasa, &hasher, buf, size), -ENOBUFS);
}

static void the_examples_of_the_rfc_hold(void **state)
{
    (void)state;
    answers_with("MD5", "8ca523f5e9506fed4657c9700eebdbec");
    answers_with("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    answers_with("md5-Sess", "e783283f46242139c486a698fec7211d");
    answers_with("SHA-512-256", "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0");
}

static void an_old_server_without_qop_is_answered(void **state)
{
    http_challenge_t c = challenge_of("Digest realm=\"testrealm@host.com\", "
                                      "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"");
    http_auth_hasher_t hasher = hdigest_hasher();
    char buf[HTTP_AUTH_VALUE_SIZE];
    http_auth_t auth = mufasa;

    (void)state;
    auth.password = "Circle Of Life";
    assert_true(http_auth_answer(&c, &auth, &hasher, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
                             "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                             "uri=\"/dir/index.html\", "
                             "response=\"670fd8c2df070c60b045671b8b24ff02\"");
}

static void a_user_may_be_sent_as_a_hash_or_encoded(void **state)
{
    http_challenge_t c = challenge_of("Digest realm=\"testrealm\", nonce=\"1053604145\", "
                                      "algorithm=SHA-256, userhash=true");
    http_auth_t auth = {.user = "testuser",
                        .password = "testpass",
                        .method = HTTP_SPAN("GET"),
                        .uri = HTTP_SPAN("/2063"),
                        .cnonce = "c",
                        .count = 1};
    http_auth_hasher_t hasher = hdigest_hasher();
    char buf[HTTP_AUTH_VALUE_SIZE];

    (void)state;
    assert_true(http_auth_answer(&c, &auth, &hasher, buf, sizeof(buf)) > 0);
    assert_string_equal(
        buf,
        "Digest username=\"75af8a3500f771e58a52093a25e7905d6e428a511285c12ea1420c73078dfd61\", "
        "realm=\"testrealm\", nonce=\"1053604145\", uri=\"/2063\", "
        "response=\"6c470aec384ab1d4e12d3ce1f5b08303d8cad177e52ebe50ec1a3e141adb0cdc\", "
        "algorithm=SHA-256, userhash=true");
    c = challenge_of("Digest realm=\"testrealm%0a%0d\", nonce=\"1053604145\"");
    auth.user = "hello\n\r";
    auth.password = "there";
    auth.uri = HTTP_SPAN("/");
    assert_true(http_auth_answer(&c, &auth, &hasher, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, "Digest username=\"hello%0A%0D\", realm=\"testrealm%0a%0d\", "
                             "nonce=\"1053604145\", uri=\"/\", "
                             "response=\"64e5ae1b90f05309847ac483c1094284\"");
}

static void several_challenges_in_one_field_are_told_apart(void **state)
{
    static const char text[] =
        ",Negotiate, NTLM TlRMTVNTUAAB==, Basic realm=\"a, b=\\\"c\\\"\" , charset=\"UTF-8\", "
        "Digest realm=\"x\",nonce = \"n\" ,stale=TRUE,algorithm=SHA-256,qop=auth,Bearer";
    static const http_auth_scheme_e schemes[] = {
        HTTP_AUTH_UNKNOWN, HTTP_AUTH_UNKNOWN, HTTP_AUTH_BASIC, HTTP_AUTH_DIGEST, HTTP_AUTH_UNKNOWN};
    http_challenge_t c[5];
    size_t at = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(next_challenge(text, &at, &c[i]), 1);
        assert_int_equal(c[i].scheme, schemes[i]);
    }
    assert_int_equal(next_challenge(text, &at, &c[0]), 0);
    assert_string_equal(c[2].realm, "a, b=\"c\"");
    assert_string_equal(c[3].nonce, "n");
    assert_true(c[3].stale && c[3].qop && !c[3].unusable);
    assert_int_equal(c[3].hash, HTTP_AUTH_SHA256);
}

static void broken_challenges_are_errors_and_no_overruns(void **state)
{
    static const char *const texts[] = {
        "=",          "Basic realm=\"x", "Basic realm=", "Digest nonce=\"a\\", "Basic realm=\"a\"b",
        "\"quoted\"", "Basic=x"};
    static const char good[] = "Negotiate a==, Digest realm=\"r\", nonce=\"n\\\"\", qop=\"auth\"";
    http_challenge_t c;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t at = 0;

        assert_int_equal(next_challenge(texts[i], &at, &c), HERR_SYNTAX);
    }
    for (size_t len = 0; len < sizeof(good); len++) {
        char text[sizeof(good)] = "";
        size_t at = 0;

        memcpy(text, good, len);
        while (next_challenge(text, &at, &c) > 0)
            ;
    }
}

static void choose(const char *fields, int err, http_auth_scheme_e scheme, http_auth_hash_e hash)
{
    http_challenge_t c;

    assert_int_equal(http_auth_choose(http_span(fields), "Proxy-Authenticate", HTTP_AUTH_ANY, &c),
                     err);
    if (err == 0) {
        assert_int_equal(c.scheme, scheme);
        assert_int_equal(c.hash, hash);
    }
}

static void the_strongest_usable_challenge_is_chosen(void **state)
{
    (void)state;
    choose("Proxy-Authenticate: Basic realm=\"x\"\r\n"
           "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n\r\n",
           0, HTTP_AUTH_DIGEST, HTTP_AUTH_MD5);
    choose("proxy-authenticate: Digest nonce=n, algorithm=SHA-256, qop=auth, Digest nonce=m\r\n", 0,
           HTTP_AUTH_DIGEST, HTTP_AUTH_SHA256);
    choose("Proxy-Authenticate: Digest nonce=n, algorithm=SHA-9, Basic realm=x\r\n", 0,
           HTTP_AUTH_BASIC, 0);
    choose("Proxy-Authenticate: Digest nonce=n, qop=auth-int\r\n", -ENOENT, 0, 0);
    choose("Proxy-Authenticate: Digest realm=x\r\n", -ENOENT, 0, 0);
    choose("Proxy-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=x\r\n", -ENOENT, 0, 0);
}

static void basic_is_answered(void **state)
{
    char buf[HTTP_AUTH_VALUE_SIZE], colon[] = "a:b", control[] = "a\nb", many[600];
    http_auth_t auth = {.user = "Aladdin", .password = "open sesame"};

    (void)state;
    assert_true(http_auth_answer(NULL, &auth, NULL, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    auth.user = colon;
    assert_true(http_auth_answer(NULL, &auth, NULL, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, "Basic YTpiOm9wZW4gc2VzYW1l");
    auth.user = control;
    assert_true(http_auth_answer(NULL, &auth, NULL, buf, sizeof(buf)) > 0);
    assert_string_equal(buf, "Basic YQpiOm9wZW4gc2VzYW1l");
    memset(many, 'a', sizeof(many));
    many[599] = '\0';
    auth.user = many;
    assert_int_equal(http_auth_answer(NULL, &auth, NULL, buf, sizeof(buf)), 6 + 816);
    assert_int_equal(http_auth_answer(NULL, &auth, NULL, buf, 6 + 816), -ENOBUFS);
}

/* ---- server ---------------------------------------------------------------------------------- */

#define NOW 1000000

static http_auth_server_t server_of(bool basic)
{
    return (http_auth_server_t){hdigest_hasher(), HTTP_SPAN("secret"), "re\"alm", basic};
}

static const http_auth_t right = {
    .user = "me\"",
    .password = "pass\\word",
    .method = {"CONNECT", 7},
    .uri = {"host:80", 7},
    .cnonce = "abc",
    .count = 1,
};

static int verdict(const http_auth_server_t *server, const char *value, uint64_t now_s)
{
    http_credentials_t credentials;

    assert_int_equal(http_credentials_parse(&credentials, http_span(value)), 0);
    return http_auth_verify(server, &credentials, &right, now_s);
}

/* What a client answers to the challenge that a server made at NOW. */
static void round_trip(http_auth_hash_e hash, bool session, bool qop, const http_auth_t *auth,
                       char *value, size_t size)
{
    http_auth_server_t server = server_of(true);
    http_challenge_t ours = {
        .scheme = HTTP_AUTH_DIGEST, .hash = hash, .session = session, .qop = qop};
    http_challenge_t theirs;
    char text[HTTP_AUTH_VALUE_SIZE];

    memcpy(ours.realm, server.realm, strlen(server.realm));
    assert_true(
        http_auth_nonce(server.secret, NOW, &server.hasher, ours.nonce, sizeof(ours.nonce)) > 0);
    assert_true(http_challenge_compose(&ours, text, sizeof(text)) > 0);
    theirs = challenge_of(text);
    assert_string_equal(theirs.realm, server.realm);
    assert_true(http_auth_answer(&theirs, auth, &server.hasher, value, size) > 0);
}

static void what_our_client_answers_our_server_accepts(void **state)
{
    http_auth_server_t server = server_of(false);
    char value[HTTP_AUTH_VALUE_SIZE];

    (void)state;
    for (int i = 0; i < 12; i++) {
        round_trip(i % 3, i / 3 % 2, i / 6, &right, value, sizeof(value));
        assert_int_equal(verdict(&server, value, NOW), HTTP_AUTH_ACCEPTED);
        assert_int_equal(verdict(&server, value, NOW + HTTP_AUTH_NONCE_AGE_S), HTTP_AUTH_ACCEPTED);
    }
}

static void an_old_or_foreign_nonce_is_stale(void **state)
{
    http_auth_server_t server = server_of(false), other = server;
    char value[HTTP_AUTH_VALUE_SIZE];

    (void)state;
    round_trip(HTTP_AUTH_SHA256, false, true, &right, value, sizeof(value));
    assert_int_equal(verdict(&server, value, NOW + HTTP_AUTH_NONCE_AGE_S + 1), HTTP_AUTH_STALE);
    assert_int_equal(verdict(&server, value, NOW - 1), HTTP_AUTH_STALE);
    other.secret = HTTP_SPAN("other");
    assert_int_equal(verdict(&other, value, NOW), HTTP_AUTH_STALE);
}

static void wrong_answers_are_refused(void **state)
{
    http_auth_server_t server = server_of(false);
    char value[HTTP_AUTH_VALUE_SIZE];
    http_auth_t wrong[4] = {right, right, right, right};

    (void)state;
    wrong[0].password = "pass\\wore";
    wrong[1].user = "you";
    wrong[2].method = HTTP_SPAN("GET");
    wrong[3].uri = HTTP_SPAN("host:81");
    for (int i = 0; i < 4; i++) {
        round_trip(HTTP_AUTH_MD5, false, true, &wrong[i], value, sizeof(value));
        assert_int_equal(verdict(&server, value, NOW), HTTP_AUTH_REFUSED);
    }
    round_trip(HTTP_AUTH_MD5, false, true, &right, value, sizeof(value));
    strstr(value, "username=\"me")[10] = 'M'; /* another name with the right response */
    assert_int_equal(verdict(&server, value, NOW), HTTP_AUTH_REFUSED);
    round_trip(HTTP_AUTH_MD5, false, true, &right, value, sizeof(value));
    server.realm = "elsewhere";
    assert_int_equal(verdict(&server, value, NOW), HTTP_AUTH_REFUSED);
}

static void basic_is_checked_where_it_is_allowed(void **state)
{
    http_auth_server_t server = server_of(true);

    (void)state;
    assert_int_equal(verdict(&server, "basic bWUiOnBhc3Ncd29yZA==", NOW), HTTP_AUTH_ACCEPTED);
    assert_int_equal(verdict(&server, "Basic bWUiOnBhc3Nc", NOW), HTTP_AUTH_REFUSED);
    assert_int_equal(verdict(&server, "Basic Og==", NOW), HTTP_AUTH_REFUSED);
    server.basic = false;
    assert_int_equal(verdict(&server, "Basic bWUiOnBhc3Ncd29yZA==", NOW), HTTP_AUTH_REFUSED);
}

static void a_client_may_tell_the_path_for_the_target(void **state)
{
    http_auth_server_t server = server_of(false);
    http_auth_t told = right, asked = right;
    char value[HTTP_AUTH_VALUE_SIZE];
    http_credentials_t credentials;

    (void)state;
    told.uri = HTTP_SPAN("/a?b");
    asked.uri = HTTP_SPAN("http://h/a?b");
    round_trip(HTTP_AUTH_MD5, false, true, &told, value, sizeof(value));
    assert_int_equal(http_credentials_parse(&credentials, http_span(value)), 0);
    assert_int_equal(http_auth_verify(&server, &credentials, &asked, NOW), HTTP_AUTH_ACCEPTED);
    asked.uri = HTTP_SPAN("http://h/a?bc");
    assert_int_equal(http_auth_verify(&server, &credentials, &asked, NOW), HTTP_AUTH_REFUSED);
}

static void broken_credentials_are_errors(void **state)
{
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        {"", HERR_SYNTAX},
        {"Basic", HERR_SYNTAX},
        {"Basic bad!", HERR_SYNTAX},
        {"Basic bWU=", HERR_SYNTAX},
        {"Basic bWU6AA==", HERR_SYNTAX},
        {"Negotiate abc", HERR_UNSUPPORTED},
        {"Digest", HERR_SYNTAX},
        {"Digest username=\"a\"", HERR_SYNTAX},
        {"Digest nonce=n, uri=u", HERR_SYNTAX},
        {"Digest nonce=n, uri=u, response=\"00\" junk", HERR_SYNTAX},
        {"Digest nonce=n, uri=u, response=00, qop=auth", HERR_SYNTAX},
        {"Digest nonce=n, uri=u, response=00, qop=auth-int, nc=00000001, cnonce=c", HERR_SYNTAX},
        {"Digest nonce=n, uri=u, response=00, qop=auth, nc=1, cnonce=c", HERR_SYNTAX},
        {"Digest nonce=n, uri=u, response=00, algorithm=SHA-1", HERR_UNSUPPORTED},
        {"Digest nonce=n, uri=u, response=0123456789012345678901234567890123456789"
         "01234567890123456789012345",
         HERR_SYNTAX},
    };
    http_credentials_t credentials;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(http_credentials_parse(&credentials, http_span(cases[i].text)),
                         cases[i].err);
}

static int no_hash(http_auth_hash_e hash, const http_span_t *parts, size_t count, uint8_t *digest,
                   void *arg)
{
    (void)hash;
    (void)parts;
    (void)count;
    (void)digest;
    (void)arg;
    return HERR_UNSUPPORTED;
}

static void a_hasher_that_fails_is_told(void **state)
{
    http_auth_hasher_t hasher = {no_hash, NULL};
    http_auth_server_t server = server_of(true);
    http_challenge_t c = challenge_of("Digest nonce=n");
    char buf[HTTP_AUTH_VALUE_SIZE];

    (void)state;
    assert_int_equal(http_auth_answer(&c, &mufasa, &hasher, buf, sizeof(buf)), HERR_UNSUPPORTED);
    assert_int_equal(http_auth_nonce(server.secret, NOW, &hasher, buf, sizeof(buf)),
                     HERR_UNSUPPORTED);
    server.hasher = hasher;
    assert_int_equal(verdict(&server, "Digest nonce=n, uri=u, response=00", NOW), HERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_hold),
        cmocka_unit_test(an_old_server_without_qop_is_answered),
        cmocka_unit_test(a_user_may_be_sent_as_a_hash_or_encoded),
        cmocka_unit_test(several_challenges_in_one_field_are_told_apart),
        cmocka_unit_test(broken_challenges_are_errors_and_no_overruns),
        cmocka_unit_test(the_strongest_usable_challenge_is_chosen),
        cmocka_unit_test(basic_is_answered),
        cmocka_unit_test(what_our_client_answers_our_server_accepts),
        cmocka_unit_test(an_old_or_foreign_nonce_is_stale),
        cmocka_unit_test(wrong_answers_are_refused),
        cmocka_unit_test(basic_is_checked_where_it_is_allowed),
        cmocka_unit_test(a_client_may_tell_the_path_for_the_target),
        cmocka_unit_test(broken_credentials_are_errors),
        cmocka_unit_test(a_hasher_that_fails_is_told),
    };

    return cmocka_run_group_tests_name("http_auth", tests, NULL, NULL);
}
