/* One thread. */
/* Peers and files that are no good: each is told apart in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "htls_fixture.h"

/* ---- certificates ---------------------------------------------------------------------------- */

/* Connects with these options to a server that has this certificate; both have failed then. */
static void refuse(const char *cert, const htls_options_t *options, const char *name)
{
    tls_open(server_ctx(cert), make_ctx(options));
    tls.name = name;
    tls_connect();
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    assert_int_equal(tls.client.seen.connects, 0);
}

static void assert_says(const tls_end_t *end, int err, const char *text)
{
    if (!strstr(end->error, text))
        fail_msg("\"%s\" does not say \"%s\"", end->error, text);
    assert_int_equal(end->seen.error, err);
}

static void certificates_that_are_no_good_are_told_apart(void **state)
{
    static const struct {
        const char *cert, *name, *says, *alert;
    } cases[] = {
        {"expired", "a.test", "has expired on 2021-02-03 (CN=expired)", "certificate expired"},
        {"future", "a.test", "is not valid before 2040-05-06 (CN=future)", "bad certificate"},
        {"self", "a.test", "is self-signed (CN=a.test)", "unknown CA"},
        {"stranger", "a.test", "issuer is not trusted: CN=Strange CA (of CN=stranger)",
         "unknown CA"},
        {"other", "a.test", "is not for a.test but for b.test", "bad certificate"},
        {"good", "127.0.0.2", "is not for 127.0.0.2 but for a.test, *.wild.test, 127.0.0.1",
         "bad certificate"},
        {"good", "a.b.wild.test", "is not for a.b.wild.test but for", "bad certificate"},
        {"weak", "a.test", "key is too weak: RSA 1024 (CN=weak)", "bad certificate"},
        {"sha1", "a.test", "signature is too weak: ecdsa-with-SHA1 (CN=sha1)", "bad certificate"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        refuse(cases[i].cert, &(htls_options_t){.ca_file = fixture_path("ca.pem")}, cases[i].name);
        assert_says(&tls.client, HERR_CERTIFICATE, cases[i].says);
        assert_says(&tls.server, HERR_TLS, "the peer's alert: ");
        assert_says(&tls.server, HERR_TLS, cases[i].alert);
        tls_end();
    }
}

/* Without a word about whom to trust: the system's authorities, to which the tests' is none. */
static void certificates_and_host_names_are_verified_by_default(void **state)
{
    static const char *const certs[] = {"good", "self", "expired"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(certs); i++) {
        refuse(certs[i], &(htls_options_t){0}, "a.test");
        assert_int_equal(tls.client.seen.error, HERR_CERTIFICATE);
        tls_end();
    }
    refuse("good", &(htls_options_t){.ca_file = fixture_path("ca.pem")}, "b.test");
    assert_says(&tls.client, HERR_CERTIFICATE, "is not for b.test");
    tls_end();
    tls_open(server_ctx("good"), client_ctx());
    tls_connect();
    TLS_UNTIL(tls.client.seen.connects);
    assert_true(tls.client.info.verified);
    tls_end();
}

static void a_revoked_certificate_is_refused_by_the_list(void **state)
{
    const htls_options_t options = {.ca_file = fixture_path("ca.pem"),
                                    .crl_file = fixture_path("crl.pem")};

    (void)state;
    refuse("revoked", &options, "a.test");
    assert_says(&tls.client, HERR_CERTIFICATE, "certificate is revoked (CN=revoked)");
    tls_end();
    tls_open(server_ctx("good"), make_ctx(&options));
    tls_connect();
    TLS_UNTIL(tls.client.seen.connects);
    tls_end();
}

static void a_key_that_is_not_pinned_is_refused_even_if_anything_goes(void **state)
{
    static const char pin[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    (void)state;
    refuse("good", &(htls_options_t){.insecure = true, .pinned_key = pin}, "a.test");
    assert_says(&tls.client, HERR_PIN, "key is not the pinned one (CN=good)");
    tls_end();
    tls_open(server_ctx("good"),
             make_ctx(&(htls_options_t){.insecure = true, .pinned_key = fixture_path("good.pub")}));
    tls_connect();
    TLS_UNTIL(tls.client.seen.connects);
    tls_end();
}

static htls_cert_t refused_cert;

static void keep_refused_cert(hio_t *io)
{
    assert_int_equal(htls_peer_cert(io, 0, &refused_cert), 0);
    assert_int_equal(htls_peer_cert(io, 1, &(htls_cert_t){0}), -ENOENT);
    end_on_close(io);
}

static void the_certificate_that_was_refused_can_be_shown(void **state)
{
    (void)state;
    tls_open(server_ctx("expired"), client_ctx());
    hio_setcb_close(tls_connect(), keep_refused_cert);
    TLS_UNTIL(tls.client.seen.closes);
    assert_string_equal(refused_cert.subject, "CN=expired");
    assert_string_equal(refused_cert.issuer, "CN=Test CA");
    assert_string_equal(refused_cert.names, "a.test");
    assert_string_equal(refused_cert.key, "EC P-256");
    assert_string_equal(refused_cert.signature, "ecdsa-with-SHA256");
    assert_int_equal(refused_cert.not_after, 1612310400);
    assert_int_equal(strlen(refused_cert.fingerprint), strlen("SHA256:") + 32 * 3 - 1);
    assert_int_equal(strncmp(refused_cert.pin, "sha256//", 8), 0);
    tls_end();
}

/* ---- client certificates --------------------------------------------------------------------- */

static htls_ctx_t *asking_ctx(htls_client_cert_e mode)
{
    return make_ctx(&(htls_options_t){.server = true,
                                      .cert_file = fixture_path("good.pem"),
                                      .key_file = fixture_path("good.key"),
                                      .ca_file = fixture_path("ca.pem"),
                                      .crl_file = fixture_path("crl.pem"),
                                      .client_cert = mode});
}

static htls_ctx_t *client_ctx_with(const char *cert, const char *key)
{
    return make_ctx(&(htls_options_t){.ca_file = fixture_path("ca.pem"),
                                      .ciphers = "ECDHE+AESGCM:@SECLEVEL=0",
                                      .cert_file = cert ? fixture_path(cert) : NULL,
                                      .key_file = key ? fixture_path(key) : NULL});
}

static void a_client_certificate_that_is_asked_for_counts(void **state)
{
    static const struct {
        htls_client_cert_e mode;
        const char *cert, *key, *server_says, *client_says;
    } cases[] = {
        {HTLS_CLIENT_CERT_REQUIRED, "client.pem", "client.key", NULL, NULL},
        {HTLS_CLIENT_CERT_OPTIONAL, "client.pem", "client.key", NULL, NULL},
        {HTLS_CLIENT_CERT_OPTIONAL, NULL, NULL, NULL, NULL},
        {HTLS_CLIENT_CERT_REQUIRED, NULL, NULL, "has sent no certificate", "certificate required"},
        {HTLS_CLIENT_CERT_REQUIRED, "expired.pem", "expired.key", "has expired on 2021-02-03",
         "certificate expired"},
        {HTLS_CLIENT_CERT_OPTIONAL, "stranger.pem", "stranger.key", "issuer is not trusted",
         "unknown CA"},
        {HTLS_CLIENT_CERT_OPTIONAL, "revoked.pem", "revoked.key", "is revoked",
         "certificate revoked"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        tls_open(asking_ctx(cases[i].mode), client_ctx_with(cases[i].cert, cases[i].key));
        tls_connect();
        if (cases[i].server_says) {
            TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
            assert_says(&tls.server, HERR_CERTIFICATE, cases[i].server_says);
            assert_says(&tls.client, HERR_TLS, cases[i].client_says);
        } else {
            TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
            assert_int_equal(tls.server.info.verified, cases[i].cert != NULL);
        }
        tls_end();
    }
}

static void send_much(hio_t *io)
{
    static char much[1 << 20];

    end_on_connect(io);
    assert_int_equal(hio_write(io, much, sizeof(much)), sizeof(much));
}

/* To a client of TLS 1.3 the handshake is done before the server has seen its certificate. */
static void the_alert_arrives_though_the_client_sends_on(void **state)
{
    (void)state;
    tls_open(asking_ctx(HTLS_CLIENT_CERT_REQUIRED), client_ctx());
    hio_setcb_connect(tls_connect(), send_much);
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    assert_says(&tls.server, HERR_CERTIFICATE, "has sent no certificate");
    assert_says(&tls.client, HERR_TLS, "the peer's alert: certificate required");
    tls_end();
}

/* ---- settings that do not meet --------------------------------------------------------------- */

static void what_two_ends_have_not_in_common_is_named(void **state)
{
    static const struct {
        htls_options_t server, client;
        const char *server_says, *client_says;
    } cases[] = {
        {{.version_min = HTLS_VERSION_1_3},
         {.version_max = HTLS_VERSION_1_2},
         "no protocol version in common",
         "protocol version (none in common)"},
        {{.version_max = HTLS_VERSION_1_2, .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"},
         {.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"},
         "no cipher in common",
         "handshake failure"},
        {{.ciphers = "TLS_AES_128_GCM_SHA256", .version_min = HTLS_VERSION_1_3},
         {.ciphers = "TLS_AES_256_GCM_SHA384", .version_min = HTLS_VERSION_1_3},
         "no cipher in common",
         "handshake failure"},
        {{.groups = "P-256"}, {.groups = "X25519"}, "no key exchange group in common", "alert"},
        {{.alpn = "h2", .alpn_required = true},
         {.alpn = "http/1.1"},
         "no application protocol (ALPN) in common",
         "no application protocol in common"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        htls_options_t server = cases[i].server, client = cases[i].client;

        server.server = server.self_signed = client.insecure = true;
        tls_open(make_ctx(&server), make_ctx(&client));
        tls_connect();
        TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
        assert_says(&tls.server, HERR_TLS, cases[i].server_says);
        assert_says(&tls.client, HERR_TLS, cases[i].client_says);
        tls_end();
    }
}

static void a_client_without_alpn_is_refused_where_it_is_required(void **state)
{
    (void)state;
    tls_open(make_ctx(&(htls_options_t){
                 .server = true, .self_signed = true, .alpn = "h2", .alpn_required = true}),
             make_ctx(&(htls_options_t){.insecure = true}));
    tls_connect();
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    assert_says(&tls.server, HERR_TLS, "asks for no application protocol");
    tls_end();
}

/* ---- peers that do not speak TLS, or not well ------------------------------------------------ */

#define BYTES(text) text, sizeof(text) - 1

/* What a server of TLS 1.0 only answers: its version, and a cipher of its time. */
#define SERVER_HELLO_1_0                                                                           \
    "\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"                                                 \
    "0123456789abcdef0123456789abcdef"                                                             \
    "\x00\xc0\x13\x00"
#define CLIENT_HELLO_1_0                                                                           \
    "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01"                                                 \
    "0123456789abcdef0123456789abcdef"                                                             \
    "\x00\x00\x02\xc0\x13\x01\x00"
#define ALERT(level, number) "\x15\x03\x03\x00\x02" level number

static const struct bytes_s {
    const char *bytes;
    size_t len;
    int err;
    const char *says;
} from_servers[] = {
    {BYTES("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"), HERR_TLS,
     "does not speak TLS: it sent \"HTTP/1.1 400 Bad Request\""},
    {BYTES("220 mail.example ESMTP ready and waiting\r\n"), HERR_TLS,
     "it sent \"220 mail.example ESMTP ready and\"..."},
    {BYTES("\x01\x02\x03\x1b[2J garbage"), HERR_TLS, "it sent \"\\x01\\x02\\x03\\x1b[2J garbage\""},
    {BYTES(SERVER_HELLO_1_0), HERR_TLS, "no protocol version in common"},
    {BYTES(ALERT("\x02", "\x46")), HERR_TLS, "the peer's alert: protocol version (none in common)"},
    {BYTES(ALERT("\x02", "\x28")), HERR_TLS, "the peer's alert: handshake failure"},
    {BYTES(ALERT("\x02", "\x70")), HERR_TLS, "the peer's alert: unrecognized name (112)"},
    {BYTES(""), HERR_TRUNCATED, "the peer closed the connection during the TLS handshake"},
    {BYTES("\x16\x03\x03\x00\x7a\x02"), HERR_TRUNCATED, "closed the connection during"},
};

/* What the client says to a server that says this, and sends no more. */
static void a_server_that_speaks_no_tls_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(from_servers); i++) {
        const struct bytes_s *bytes = &from_servers[i];
        int peer;

        memset(&tls, 0, sizeof(tls));
        tls.loop = new_loop();
        tls.client_ctx = client_ctx();
        observe_end(observed_tcp(tls.loop, &tls.client.seen, &peer), &tls.client);
        assert_int_equal(send(peer, bytes->bytes, bytes->len, 0), bytes->len);
        shutdown(peer, SHUT_WR);
        tls.client.seen.io = hio_get(tls.loop, hio_fd(tls.client.seen.io));
        assert_int_equal(htls_client(tls.client.seen.io, tls.client_ctx, "a.test"), 0);
        TLS_UNTIL(tls.client.seen.closes);
        assert_says(&tls.client, bytes->err, bytes->says);
        close(peer);
        tls_end();
    }
}

static const struct bytes_s from_clients[] = {
    {BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HERR_TLS,
     "does not speak TLS: it sent \"GET / HTTP/1.1\""},
    {BYTES("CONNECT a.test:443 HTTP/1.1\r\n\r\n"), HERR_TLS, "it sent \"CONNECT a.test:443"},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), HERR_TLS, "it sent \"SSH-2.0-OpenSSH_9.2\""},
    {BYTES(CLIENT_HELLO_1_0), HERR_TLS, "no protocol version in common"},
    {BYTES(""), HERR_TRUNCATED, "the peer closed the connection during the TLS handshake"},
    {BYTES("\x16\x03\x01\x02\x00\x01"), HERR_TRUNCATED, "closed the connection during"},
};

static void a_client_that_speaks_no_tls_is_told(void **state)
{
    (void)state;
    tls_open(server_ctx("good"), NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(from_clients); i++) {
        const struct bytes_s *bytes = &from_clients[i];
        int peer = plain_connect(&tls.addr);

        memset(&tls.server, 0, sizeof(tls.server));
        assert_int_equal(send(peer, bytes->bytes, bytes->len, 0), bytes->len);
        shutdown(peer, SHUT_WR);
        TLS_UNTIL(tls.server.seen.closes);
        assert_says(&tls.server, bytes->err, bytes->says);
        close(peer);
    }
    tls_end();
}

static void a_peer_that_says_nothing_meets_the_time_limit(void **state)
{
    int peer;

    (void)state;
    memset(&tls, 0, sizeof(tls));
    tls.loop = new_loop();
    tls.client_ctx = client_ctx();
    observe_end(observed_tcp(tls.loop, &tls.client.seen, &peer), &tls.client);
    hio_set_connect_timeout(tls.client.seen.io, 20);
    assert_int_equal(htls_client(tls.client.seen.io, tls.client_ctx, "a.test"), 0);
    TLS_UNTIL(tls.client.seen.closes);
    assert_says(&tls.client, -ETIMEDOUT, "the TLS handshake was not finished in time");
    close(peer);
    tls_end();
}

/* ---- files and settings ---------------------------------------------------------------------- */

static int no_password(const char *file, char *buf, size_t size, void *arg)
{
    (void)file;
    if (arg)
        ++*(int *)arg;
    snprintf(buf, size, "nobody is there");
    return -1;
}

static int wrong_password(const char *file, char *buf, size_t size, void *arg)
{
    (void)file;
    (void)arg;
    return snprintf(buf, size, "wrong");
}

static int right_password(const char *file, char *buf, size_t size, void *arg)
{
    snprintf(arg, 128, "%s", file);
    return snprintf(buf, size, "secret");
}

static void files_and_settings_that_are_no_good_are_named(void **state)
{
    const char *good = fixture_path("good.pem"), *key = fixture_path("good.key");
    const char *other = fixture_path("other.key"), *locked = fixture_path("locked.key");
    const char *rsa = fixture_path("weak.key"); /* the certificates have keys of another kind */
    const char *ca = fixture_path("ca.pem"), *none = fixture_path("none.pem");
    int asked = 0;
    const struct {
        htls_options_t options;
        int err;
        const char *says;
    } cases[] = {
        {{.server = true}, HERR_CERTIFICATE, "needs a certificate"},
        {{.server = true, .cert_file = none}, -ENOENT, "none.pem: No such file or directory"},
        {{.server = true, .cert_file = good, .key_file = none}, -ENOENT, "none.pem: No such file"},
        {{.server = true, .cert_file = good, .key_file = other},
         HERR_CERTIFICATE,
         "other.key: not the key of the certificate"},
        {{.server = true, .cert_file = good, .key_file = rsa},
         HERR_CERTIFICATE,
         "weak.key: not the key of the certificate"},
        {{.server = true, .cert_file = good}, HERR_CERTIFICATE, "good.pem: no key in it"},
        {{.server = true, .cert_file = key}, HERR_CERTIFICATE, "good.key: no certificate in it"},
        {{.server = true, .cert_file = good, .key_file = locked},
         HERR_CERTIFICATE,
         "locked.key: the key has a password"},
        {{.server = true, .cert_file = good, .key_file = locked, .password_cb = wrong_password},
         HERR_CERTIFICATE,
         "locked.key: wrong password"},
        {{.server = true,
          .cert_file = good,
          .key_file = locked,
          .password_cb = no_password,
          .password_arg = &asked},
         HERR_CERTIFICATE,
         "locked.key: the key has a password: nobody is there"},
        {{.key_file = key}, HERR_CERTIFICATE, "a key without its certificate"},
        {{.ca_file = none}, -ENOENT, "none.pem: No such file"},
        {{.ca_file = key}, HERR_CERTIFICATE, "good.key: no certificates in PEM"},
        {{.ca_file = ca, .crl_file = ca}, HERR_CERTIFICATE, "not a revocation list"},
        {{.insecure = true, .pinned_key = "sha256//short"}, HERR_SYNTAX, "pinned key"},
        {{.insecure = true, .pinned_key = ca}, HERR_CERTIFICATE, "ca.pem: not a public key"},
        {{.insecure = true, .ciphers = "NONSENSE"}, HERR_SYNTAX, "ciphers: \"NONSENSE\""},
        {{.insecure = true, .groups = "P-1"}, HERR_SYNTAX, "groups: \"P-1\""},
        {{.insecure = true, .alpn = "h2,,x"}, HERR_SYNTAX, "ALPN \"h2,,x\""},
        {{.insecure = true, .version_min = HTLS_VERSION_1_3, .version_max = HTLS_VERSION_1_2},
         HERR_SYNTAX,
         "versions"},
        {{.server = true, .self_signed = true, .self_signed_name = "a,DNS:b"},
         HERR_SYNTAX,
         "bad name \"a,DNS:b\""},
        {{.insecure = true, .keylog_file = "/dev/null/keys"}, -ENOTDIR, "/dev/null/keys: "},
    };
    char file[128] = "", error[HTLS_ERROR_SIZE];
    htls_ctx_t *ctx = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int rc = htls_ctx_new(&cases[i].options, &ctx, error, sizeof(error));

        if (rc != cases[i].err || !strstr(error, cases[i].says))
            fail_msg("%d \"%s\" instead of %d \"%s\"", rc, error, cases[i].err, cases[i].says);
    }
    assert_null(ctx);
    assert_int_equal(asked, 1);
    ctx = make_ctx(&(htls_options_t){.server = true,
                                     .cert_file = good,
                                     .key_file = locked,
                                     .password_cb = right_password,
                                     .password_arg = file});
    assert_string_equal(file, locked);
    htls_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_that_are_no_good_are_told_apart),
        cmocka_unit_test(certificates_and_host_names_are_verified_by_default),
        cmocka_unit_test(a_revoked_certificate_is_refused_by_the_list),
        cmocka_unit_test(a_key_that_is_not_pinned_is_refused_even_if_anything_goes),
        cmocka_unit_test(the_certificate_that_was_refused_can_be_shown),
        cmocka_unit_test(a_client_certificate_that_is_asked_for_counts),
        cmocka_unit_test(the_alert_arrives_though_the_client_sends_on),
        cmocka_unit_test(what_two_ends_have_not_in_common_is_named),
        cmocka_unit_test(a_client_without_alpn_is_refused_where_it_is_required),
        cmocka_unit_test(a_server_that_speaks_no_tls_is_told),
        cmocka_unit_test(a_client_that_speaks_no_tls_is_told),
        cmocka_unit_test(a_peer_that_says_nothing_meets_the_time_limit),
        cmocka_unit_test(files_and_settings_that_are_no_good_are_named),
    };

    return run_with_certificates("htls, bad peers", tests, ARRAY_LENGTH(tests));
}
