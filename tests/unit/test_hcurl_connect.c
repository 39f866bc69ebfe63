/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../cmd/hcurl/connect.h"
#include "../../cmd/hcurl/status.h"
#include "hcurl_line.h"
#include "oom.h"

#include <unistd.h>

typedef struct world_s {
    line_t line;
    connect_options_t options;
    login_pair_t user;
    connect_t connect;
    http_client_options_t client;
    hbytes_t error;
    int status;
} world_t;

static void begin(world_t *w, const char *text)
{
    const connect_options_t defaults = CONNECT_OPTIONS_DEFAULT;

    memset(w, 0, sizeof(*w));
    w->options = defaults;
    line_parse(&w->line, connect_rows, &w->options, text);
}

static void apply(world_t *w, const char *text)
{
    begin(w, text);
    assert_int_equal(w->line.result, 0);
    w->status = connect_apply(&w->options, &w->user, NULL, &w->connect, &w->client, &w->error);
    assert_int_equal(w->status != 0, w->error.len > 0);
}

static void end(world_t *w)
{
    connect_free(&w->connect);
    connect_options_deinit(&w->options);
    line_drop(&w->line, connect_rows, &w->options);
    hbytes_deinit(&w->error);
}

static void fails(const char *text, int status)
{
    world_t w;

    apply(&w, text);
    assert_int_equal(w.status, status);
    end(&w);
}

static void defaults_are_those_of_curl(void **state)
{
    world_t w;

    (void)state;
    apply(&w, "");
    assert_int_equal(w.status, 0);
    assert_true(w.client.proxy_env && !w.client.proxy && !w.client.pre_proxy);
    assert_int_equal(w.client.dial.timeout_ms, CONNECT_TIMEOUT_MS);
    assert_int_equal(w.client.dial.attempt_delay_ms, HDIAL_ATTEMPT_DELAY_MS);
    assert_int_equal(w.client.dial.socket.keepalive_s, CONNECT_KEEPALIVE_S);
    assert_false(w.client.dial.socket.delay);
    assert_null(w.client.overrides);
    assert_null(w.client.dial.socket.source);
    end(&w);
}

static void is_proxy(const char *text, hproxy_type_e type, const char *host, uint16_t port)
{
    world_t w;

    apply(&w, text);
    assert_int_equal(w.status, 0);
    assert_false(w.client.proxy_env);
    assert_non_null(w.client.proxy);
    assert_int_equal(w.client.proxy->type, type);
    assert_string_equal(w.client.proxy->host, host);
    assert_int_equal(w.client.proxy->port, port);
    end(&w);
}

static void proxies_are_read_as_curl_reads_them(void **state)
{
    (void)state;
    is_proxy("-x|host", HPROXY_HTTP, "host", 1080);
    is_proxy("-x|host:81/path?x", HPROXY_HTTP, "host", 81);
    is_proxy("-x|https://host/", HPROXY_HTTPS, "host", 443);
    is_proxy("-x|socks5h://[::1]", HPROXY_SOCKS5H, "::1", 1080);
    is_proxy("--socks4a|host:82", HPROXY_SOCKS4A, "host", 82);
    is_proxy("--socks5|http://host:83", HPROXY_HTTP, "host", 83);
    is_proxy("--proxy1.0|host:84", HPROXY_HTTP, "host", 84);
    is_proxy("-x|socks5://localhost/run/s", HPROXY_SOCKS5, "unix:/run/s", 0);
    is_proxy("--socks5-hostname|localhost/run/s", HPROXY_SOCKS5H, "unix:/run/s", 0);
    is_proxy("-x|localhost/run/s", HPROXY_HTTP, "localhost", 1080);
    is_proxy("--socks5|a|-x|b:85", HPROXY_HTTP, "b", 85);
    fails("-x|http://", STATUS_RESOLVE_PROXY);
    fails("-x|what://host", STATUS_CONNECT);
    fails("-x|host:x", STATUS_RESOLVE_PROXY);
    fails("--preproxy|http://a", STATUS_RESOLVE_PROXY);
    fails("--preproxy|a|--socks5|b", STATUS_RESOLVE_PROXY);
}

static void an_empty_proxy_is_none(void **state)
{
    world_t w;

    (void)state;
    apply(&w, "-x|''");
    assert_int_equal(w.status, 0);
    assert_false(w.client.proxy_env);
    assert_null(w.client.proxy);
    end(&w);
    apply(&w, "--preproxy|socks5://a|-x|b");
    assert_int_equal(w.client.pre_proxy->type, HPROXY_SOCKS5);
    assert_non_null(w.client.proxy);
    end(&w);
}

static void a_login_is_for_socks_here(void **state)
{
    char many[HPROXY_SECRET_SIZE + 1];
    char user[] = "u", password[] = "p";
    world_t w;

    (void)state;
    memset(many, 'x', sizeof(many));
    many[sizeof(many) - 1] = '\0';
    begin(&w, "--socks5|a");
    w.user = (login_pair_t){.user = user, .password = password};
    assert_int_equal(connect_apply(&w.options, &w.user, NULL, &w.connect, &w.client, &w.error), 0);
    assert_string_equal(w.client.proxy->user, "u");
    assert_string_equal(w.client.proxy->password, "p");
    end(&w);
    begin(&w, "--socks5|a");
    w.user = (login_pair_t){.user = user, .password = many};
    assert_int_equal(connect_apply(&w.options, &w.user, NULL, &w.connect, &w.client, &w.error),
                     STATUS_PROXY);
    end(&w);
    begin(&w, "-x|socks5://v@a");
    w.user = (login_pair_t){.user = user, .password = password};
    assert_int_equal(connect_apply(&w.options, &w.user, NULL, &w.connect, &w.client, &w.error), 0);
    assert_string_equal(w.client.proxy->user, "v");
    assert_string_equal(w.client.proxy->password, "");
    end(&w);
}

static void addresses_are_given_and_checked(void **state)
{
    const haddr_t *addrs;
    world_t w;

    (void)state;
    apply(&w, "--resolve|a:80:127.0.0.1|--connect-to|b::c:81");
    assert_int_equal(http_override_addrs(w.client.overrides, "a", 80, &addrs), 1);
    end(&w);
    fails("--resolve|a:80:nowhere", STATUS_OPTION_SYNTAX);
    fails("--connect-to|a", STATUS_OPTION_SYNTAX);
}

static void sockets_are_what_was_said(void **state)
{
    world_t w;

    (void)state;
    apply(&w, "--unix-socket|/run/x|-4|--no-keepalive|--no-tcp-nodelay|--ip-tos|EF|"
              "--connect-timeout|1.5|--happy-eyeballs-timeout-ms|0|--tcp-fastopen");
    assert_string_equal(w.client.unix_path, "/run/x");
    assert_int_equal(w.client.dial.family, AF_INET);
    assert_int_equal(w.client.dial.socket.keepalive_s, 0);
    assert_true(w.client.dial.socket.delay && w.client.dial.socket.fast_open);
    assert_int_equal(w.client.dial.socket.tos, 0xb8);
    assert_int_equal(w.client.dial.timeout_ms, 1500);
    assert_int_equal(w.client.dial.attempt_delay_ms, 1);
    end(&w);
    apply(&w, "--abstract-unix-socket|x|--keepalive-time|7|--keepalive-cnt|3");
    assert_string_equal(w.client.unix_path, "@x");
    assert_int_equal(w.client.dial.socket.keepalive_s, 7);
    assert_int_equal(w.client.dial.socket.keepalive_count, 3);
    end(&w);
}

static void where_from(void **state)
{
    world_t w;

    (void)state;
    apply(&w, "--interface|127.0.0.1");
    assert_int_equal(w.connect.source.u.sa.sa_family, AF_INET);
    end(&w);
    apply(&w, "--interface|if!lo");
    assert_string_equal(w.client.dial.socket.interface, "lo");
    end(&w);
    apply(&w, "--interface|lo");
    assert_string_equal(w.client.dial.socket.interface, "lo");
    end(&w);
    apply(&w, "--interface|ifhost!lo!::1");
    assert_string_equal(w.client.dial.socket.interface, "lo");
    assert_int_equal(w.connect.source.u.sa.sa_family, AF_INET6);
    end(&w);
    fails("--interface|if!nosuchif", STATUS_INTERFACE);
    fails("--interface|if!", STATUS_INTERFACE);
    fails("--interface|ifhost!lo", STATUS_INTERFACE);
    fails("--interface|host!", STATUS_INTERFACE);
}

static void a_port_of_the_range_is_found(void **state)
{
    haddr_t taken;
    world_t w;
    char text[64];
    int fd;
    unsigned port;

    (void)state;
    haddr_any(&taken, AF_INET, 0);
    fd = hsocket_listen(&taken, SOCK_STREAM, NULL);
    assert_true(fd >= 0);
    assert_int_equal(hsocket_local(fd, &taken), 0);
    port = (unsigned)haddr_port(&taken.u.sa);
    snprintf(text, sizeof(text), "--local-port|%u", port);
    fails(text, STATUS_INTERFACE);
    snprintf(text, sizeof(text), "--local-port|%u - %u", port, port < 65000 ? port + 500 : 65535);
    apply(&w, text);
    assert_int_equal(w.status, 0);
    assert_true(haddr_port(&w.connect.source.u.sa) > (int)port);
    end(&w);
    close(fd);
}

static void a_header_for_haproxy(void **state)
{
    world_t w;

    (void)state;
    apply(&w, "--haproxy-protocol");
    assert_int_equal(w.client.dial.proxy_protocol, 1);
    assert_null(w.client.dial.proxy_source);
    end(&w);
    apply(&w, "--haproxy-clientip|192.0.2.1");
    assert_int_equal(w.client.dial.proxy_protocol, 1);
    assert_non_null(w.client.dial.proxy_source);
    end(&w);
    fails("--haproxy-clientip|x", STATUS_ARGUMENT);
}

static void mistakes_name_the_option(void **state)
{
    static const char *const rows[][2] = {
        {"--local-port|0", "--local-port"},
        {"--local-port|5-4", "--local-port"},
        {"--local-port|1-70000", "70000"},
        {"--local-port|1x", "1x"},
        {"--ip-tos|fast", "fast"},
        {"--ip-tos|256", "--ip-tos"},
        {"--unix-socket|''", "--unix-socket"},
        {"--socks5|''", "--socks5"},
        {"--keepalive-time|x", "x"},
        {"--connect-timeout|x", "--connect-timeout"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_t w;

        begin(&w, rows[i][0]);
        assert_true(w.line.result < 0);
        assert_non_null(strstr(w.line.message.data, rows[i][1]));
        end(&w);
    }
}

static int scenario(void *arg)
{
    world_t w;
    int err;

    (void)arg;
    begin(&w,
          "-x|socks5://localhost/s|--resolve|a:80:127.0.0.1|--connect-to|::b|--proxy-header|A: b|"
          "--unix-socket|/x|--interface|if!lo");
    err = w.line.result;
    if (!err && connect_apply(&w.options, &w.user, NULL, &w.connect, &w.client, &w.error) != 0)
        err = -ENOMEM;
    end(&w);
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
        cmocka_unit_test(defaults_are_those_of_curl),
        cmocka_unit_test(proxies_are_read_as_curl_reads_them),
        cmocka_unit_test(an_empty_proxy_is_none),
        cmocka_unit_test(a_login_is_for_socks_here),
        cmocka_unit_test(addresses_are_given_and_checked),
        cmocka_unit_test(sockets_are_what_was_said),
        cmocka_unit_test(where_from),
        cmocka_unit_test(a_port_of_the_range_is_found),
        cmocka_unit_test(a_header_for_haproxy),
        cmocka_unit_test(mistakes_name_the_option),
        cmocka_unit_test(memory_that_fails_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
