/* One thread. */
/* What two ends choose: certificate, protocol, session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <openssl/x509_vfy.h>

#include "base/hfile.h"
#include "htls_fixture.h"

/* ---- what is chosen -------------------------------------------------------------------------- */

static htls_cert_t seen_cert;

static void look_at_cert(hio_t *io)
{
    end_on_connect(io);
    assert_int_equal(htls_peer_cert(io, 0, &seen_cert), 0);
}

static void the_name_that_is_asked_for_chooses_the_certificate(void **state)
{
    static const struct {
        const char *name, *subject;
    } cases[] = {{"b.test", "CN=other"},      {"B.Test", "CN=other"},     {"b.test.", "CN=other"},
                 {"a.test", "CN=good"},       {"x.wild.test", "CN=good"}, {"127.0.0.1", "CN=good"},
                 {"client.test", "CN=client"}};
    htls_ctx_t *server = server_ctx("good");
    char error[HTLS_ERROR_SIZE];

    (void)state;
    assert_int_equal(
        htls_ctx_add_cert(server, fixture_path("none.pem"), NULL, error, sizeof(error)), -ENOENT);
    assert_int_equal(htls_ctx_add_cert(server, fixture_path("other.pem"), fixture_path("other.key"),
                                       error, sizeof(error)),
                     0);
    assert_int_equal(htls_ctx_add_cert(server, fixture_path("client.pem"),
                                       fixture_path("client.key"), error, sizeof(error)),
                     0);
    tls_open(server, client_ctx());
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        hio_t *io;

        tls.name = cases[i].name;
        io = tls_connect();
        hio_setcb_connect(io, look_at_cert);
        TLS_UNTIL(tls.client.seen.connects);
        assert_string_equal(seen_cert.subject, cases[i].subject);
        assert_int_equal(htls_peer_cert(io, 1, &seen_cert), -ENOENT);
        hio_close(io);
        TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    }
    tls_end();
}

static void the_server_chooses_the_protocol_by_its_own_order(void **state)
{
    static const struct {
        const char *client, *chosen;
    } cases[] = {{"http/1.1,h2", "h2"}, {"http/1.1", "http/1.1"}, {"mqtt", ""}, {NULL, ""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        tls_open(
            make_ctx(&(htls_options_t){.server = true, .self_signed = true, .alpn = "h2,http/1.1"}),
            make_ctx(&(htls_options_t){.insecure = true, .alpn = cases[i].client}));
        tls_connect();
        TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
        assert_string_equal(tls.client.alpn, cases[i].chosen);
        assert_string_equal(tls.server.alpn, cases[i].chosen);
        assert_false(tls.client.info.verified);
        tls_end();
    }
}

static void settings_of_the_protocol_are_kept(void **state)
{
    (void)state;
    tls_open(make_ctx(&(htls_options_t){.server = true, .self_signed = true}),
             make_ctx(&(htls_options_t){
                 .insecure = true, .version_max = HTLS_VERSION_1_2, .groups = "P-256"}));
    tls_connect();
    TLS_UNTIL(tls.client.seen.connects);
    assert_string_equal(tls.client.version, "TLSv1.2");
    assert_string_equal(tls.client.group, "secp256r1");
    tls_end();
}

static hbytes_t seen_pem;

static void read_pem(hio_t *io)
{
    end_on_connect(io);
    hbytes_clear(&seen_pem);
    assert_int_equal(htls_peer_cert_pem(io, 0, &seen_pem), 0);
    assert_int_equal(htls_peer_cert_pem(io, 1, &seen_pem), -ENOENT);
}

/* What is in the file may have text in front, but no other lines. */
static void the_certificate_is_given_in_pem(void **state)
{
    hbytes_t file = {0};
    const char *begin;

    (void)state;
    assert_int_equal(hfile_read(fixture_path("good.pem"), 1 << 20, &file), 0);
    tls_open(server_ctx("good"), client_ctx());
    tls.name = "a.test";
    hio_setcb_connect(tls_connect(), read_pem);
    TLS_UNTIL(tls.client.seen.connects);
    begin = strstr(file.data, "-----BEGIN CERTIFICATE-----\n");
    assert_non_null(begin);
    assert_int_equal(strncmp(begin, seen_pem.data, seen_pem.len), 0);
    assert_string_equal(seen_pem.data + seen_pem.len - 26, "-----END CERTIFICATE-----\n");
    tls_end();
    hbytes_deinit(&file);
    hbytes_deinit(&seen_pem);
}

static void read_text(hio_t *io)
{
    hbytes_t small = {0};

    end_on_connect(io);
    hbytes_clear(&seen_pem);
    assert_int_equal(htls_peer_cert_text(io, 0, &seen_pem), 0);
    assert_int_equal(htls_peer_cert_text(io, 1, &seen_pem), -ENOENT);
    hbytes_init(&small, 10);
    assert_int_equal(htls_peer_cert_text(io, 0, &small), -ENOBUFS);
    assert_int_equal(small.len, 0);
    hbytes_deinit(&small);
}

/* What all kinds of certificates come to is seen beside curl, in tests/cmd. */
static void the_certificate_is_given_as_text(void **state)
{
    (void)state;
    tls_open(server_ctx("good"), client_ctx());
    tls.name = "a.test";
    hio_setcb_connect(tls_connect(), read_text);
    TLS_UNTIL(tls.client.seen.connects);
    assert_int_equal(strncmp(seen_pem.data, "Subject:", 8), 0);
    assert_non_null(strstr(seen_pem.data, "\nX509v3 Subject Alternative Name:DNS:a.test"));
    assert_non_null(strstr(seen_pem.data, "\nSignature:"));
    assert_int_equal(seen_pem.data[seen_pem.len - 1], '\n');
    tls_end();
    hbytes_deinit(&seen_pem);
}

static long seen_result;

static void ask_for_the_result(hio_t *io)
{
    end_on_connect(io);
    seen_result = htls_verify_result(io);
}

static void what_does_not_count_is_verified_if_asked_for(void **state)
{
    static const struct {
        htls_options_t options;
        const char *name;
        long result;
    } cases[] = {
        {{.insecure = true}, "a.test", X509_V_OK},
        {{.insecure = true, .verify_anyway = true},
         "a.test",
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
        {{.insecure = true, .verify_anyway = true, .ca_file = "ca.pem"}, "a.test", X509_V_OK},
        {{.insecure = true, .verify_anyway = true, .ca_file = "ca.pem"},
         "c.test",
         X509_V_ERR_HOSTNAME_MISMATCH},
        {{.insecure = true, .verify_anyway = true, .ca_file = "missing.pem"},
         "a.test",
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        htls_options_t options = cases[i].options;

        if (options.ca_file)
            options.ca_file = fixture_path(options.ca_file);
        tls_open(server_ctx("good"), make_ctx(&options));
        tls.name = cases[i].name;
        hio_setcb_connect(tls_connect(), ask_for_the_result);
        TLS_UNTIL(tls.client.seen.connects);
        assert_int_equal(seen_result, cases[i].result);
        tls_end();
    }
}

static void a_certificate_made_now_is_shown_and_can_be_pinned(void **state)
{
    char fingerprint[104];
    htls_ctx_t *server = make_ctx(
        &(htls_options_t){.server = true, .self_signed = true, .self_signed_name = "made.test"});

    (void)state;
    tls_open(server, make_ctx(&(htls_options_t){.insecure = true}));
    hio_setcb_connect(tls_connect(), look_at_cert);
    TLS_UNTIL(tls.client.seen.connects);
    assert_string_equal(seen_cert.subject, "CN=made.test");
    assert_int_equal(strncmp(seen_cert.names, "localhost, 127.0.0.1, ::1, ", 27), 0);
    assert_non_null(strstr(seen_cert.names, ", made.test"));
    assert_string_equal(htls_ctx_fingerprint(server, fingerprint, sizeof(fingerprint)),
                        seen_cert.fingerprint);
    assert_string_equal(htls_ctx_pin(server, fingerprint, sizeof(fingerprint)), seen_cert.pin);
    htls_ctx_free(tls.client_ctx);
    tls.client_ctx = make_ctx(&(htls_options_t){.insecure = true, .pinned_key = seen_cert.pin});
    tls_connect();
    TLS_UNTIL(tls.client.seen.connects);
    tls_end();
}

/* ---- sessions, reload, key log --------------------------------------------------------------- */

/* One connection that says a word and ends; whether it was a resumption. */
static bool talk_once(void)
{
    hio_t *io = tls_connect();

    assert_int_equal(hio_write(io, "hello", 5), 5);
    TLS_UNTIL(tls.client.seen.got == 5);
    hio_close(io);
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    assert_int_equal(tls.client.seen.error, 0);
    assert_int_equal(tls.client.info.resumed, tls.server.info.resumed);
    return tls.client.info.resumed;
}

static void a_session_of_the_same_name_is_resumed(void **state)
{
    static const htls_version_e versions[] = {HTLS_VERSION_1_2, HTLS_VERSION_1_3};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        tls_open(server_ctx("good"), make_ctx(&(htls_options_t){.ca_file = fixture_path("ca.pem"),
                                                                .version_max = versions[i]}));
        assert_false(talk_once());
        assert_true(talk_once());
        assert_true(talk_once());
        tls.name = "x.wild.test";
        assert_false(talk_once());
        tls.name = "a.test";
        assert_true(talk_once());
        assert_int_equal(htls_ctx_reload(tls.server_ctx, NULL, 0), 0);
        assert_true(talk_once()); /* the tickets stay good */
        assert_int_equal(htls_ctx_reload(tls.client_ctx, NULL, 0), 0);
        assert_false(talk_once()); /* the trust may have changed */
        tls_end();
    }
}

static void without_tickets_nothing_is_resumed(void **state)
{
    (void)state;
    tls_open(make_ctx(&(htls_options_t){.server = true, .self_signed = true, .no_tickets = true}),
             make_ctx(&(htls_options_t){.insecure = true}));
    assert_false(talk_once());
    assert_false(talk_once());
    tls_end();
}

static void copy_file(const char *from, const char *to)
{
    assert_int_equal(run_command((const char *[]){"cp", from, to, NULL}), 0);
}

static void a_reload_changes_new_connections_only(void **state)
{
    char cert[128], key[128], error[HTLS_ERROR_SIZE];
    hio_t *old;

    (void)state;
    snprintf(cert, sizeof(cert), "%s", fixture_path("live.pem"));
    snprintf(key, sizeof(key), "%s", fixture_path("live.key"));
    copy_file(fixture_path("good.pem"), cert);
    copy_file(fixture_path("good.key"), key);
    tls_open(server_ctx("live"),
             make_ctx(&(htls_options_t){.ca_file = fixture_path("ca.pem"), .no_tickets = true}));
    old = tls_connect();
    TLS_UNTIL(tls.client.seen.connects && tls.server.seen.connects);
    copy_file(fixture_path("other.pem"), cert);
    assert_int_equal(htls_ctx_reload(tls.server_ctx, error, sizeof(error)), HERR_CERTIFICATE);
    assert_non_null(strstr(error, "live.key: not the key of the certificate"));
    assert_int_equal(htls_ctx_fingerprint(tls.server_ctx, error, sizeof(error))[0], 'S');
    copy_file(fixture_path("other.key"), key);
    assert_int_equal(htls_ctx_reload(tls.server_ctx, error, sizeof(error)), 0);
    assert_int_equal(hio_write(old, "hello", 5), 5);
    TLS_UNTIL(tls.client.seen.got == 5);
    hio_close(old);
    TLS_UNTIL(tls.client.seen.closes && tls.server.seen.closes);
    tls.name = "b.test";
    hio_setcb_connect(tls_connect(), look_at_cert);
    TLS_UNTIL(tls.client.seen.connects);
    assert_string_equal(seen_cert.subject, "CN=other");
    tls_end();
}

static void the_key_log_is_what_others_read(void **state)
{
    char line[512] = "", path[128];
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s", fixture_path("keys.log"));
    tls_open(server_ctx("good"),
             make_ctx(&(htls_options_t){.insecure = true, .keylog_file = path}));
    talk_once();
    tls_end();
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_non_null(strstr(line, "_TRAFFIC_SECRET"));
    assert_int_equal(line[strlen(line) - 1], '\n');
    fclose(file);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_that_is_asked_for_chooses_the_certificate),
        cmocka_unit_test(the_server_chooses_the_protocol_by_its_own_order),
        cmocka_unit_test(settings_of_the_protocol_are_kept),
        cmocka_unit_test(the_certificate_is_given_in_pem),
        cmocka_unit_test(the_certificate_is_given_as_text),
        cmocka_unit_test(what_does_not_count_is_verified_if_asked_for),
        cmocka_unit_test(a_certificate_made_now_is_shown_and_can_be_pinned),
        cmocka_unit_test(a_session_of_the_same_name_is_resumed),
        cmocka_unit_test(without_tickets_nothing_is_resumed),
        cmocka_unit_test(a_reload_changes_new_connections_only),
        cmocka_unit_test(the_key_log_is_what_others_read),
    };

    return run_with_certificates("htls, choices", tests, ARRAY_LENGTH(tests));
}
