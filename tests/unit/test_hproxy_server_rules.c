/* Where clients of a proxy may go, and whose passwords count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hproxy_fixture.h"

#include <unistd.h>

/* A resolver that knows these, and nothing else. */
#define HOSTS "127.0.0.1 here.example\n192.0.2.1 both.example\n127.0.0.1 both.example\n"

typedef struct rules_s {
    lab_t lab;
    hdns_t *dns;
    hdestination_t *list;
    char hosts[32];
} rules_t;

static void rules_open(rules_t *r, const char *rule, const char *more)
{
    int fd;

    snprintf(r->hosts, sizeof(r->hosts), "/tmp/hnet-hosts-XXXXXX");
    fd = mkstemp(r->hosts);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, HOSTS, sizeof(HOSTS) - 1), sizeof(HOSTS) - 1);
    close(fd);
    assert_int_equal(hdestination_new(&r->list), 0);
    if (rule)
        assert_int_equal(hdestination_add(r->list, rule, NULL, 0), 0);
    if (more)
        assert_int_equal(hdestination_add(r->list, more, NULL, 0), 0);
    lab_open(&r->lab); /* its loop is wanted; the server is made again */
    assert_int_equal(hdns_new(r->lab.loop, &(hdns_options_t){.hosts_file = r->hosts}, &r->dns), 0);
    close(r->lab.client);
    hproxy_server_free(r->lab.server);
    assert_int_equal(hproxy_server_new(r->lab.loop,
                                       &(hproxy_server_options_t){.destinations = r->list,
                                                                  .dial.family = AF_INET,
                                                                  .dial.dns = r->dns,
                                                                  .session = on_session,
                                                                  .policy = on_policy,
                                                                  .arg = &r->lab},
                                       &r->lab.server),
                     0);
    connect_client(&r->lab);
}

static void rules_close(rules_t *r)
{
    lab_t *lab = &r->lab;

    if (lab->upstream >= 0)
        close(lab->upstream);
    if (lab->client >= 0)
        close(lab->client);
    close(lab->listener);
    hproxy_server_free(lab->server);
    hdns_free(r->dns);
    hdestination_free(r->list);
    hloop_free(&lab->loop);
    unlink(r->hosts);
}

/* What a CONNECT there is answered with, and how far it came. */
static int connect_to(const char *rule, const char *more, const char *host, hproxy_stage_e *stage)
{
    char said[256];
    rules_t r;
    int status;

    rules_open(&r, rule, more);
    snprintf(said, sizeof(said), "CONNECT %s:@ HTTP/1.0\r\n\r\n", host);
    say_http(&r.lab, said);
    hear(&r.lab, 13);
    assert_memory_equal(r.lab.heard, "HTTP/1.1 ", 9);
    status = (int)strtol(r.lab.heard + 9, NULL, 10);
    close(r.lab.client);
    r.lab.client = -1;
    RUN_UNTIL(r.lab.loop, r.lab.ends > 0);
    *stage = r.lab.stage;
    assert_int_equal(r.lab.err == 0, status == 200);
    rules_close(&r);
    return status;
}

static void rules_are_for_names_and_for_what_they_lead_to(void **state)
{
    static const struct {
        const char *rule, *more, *host;
        int status;
        hproxy_stage_e stage;
    } cases[] = {
        {NULL, NULL, "127.0.0.1", 200, HPROXY_STAGE_RELAY},
        {NULL, NULL, "here.example", 200, HPROXY_STAGE_RELAY},
        {"allow *.example", NULL, "Here.Example.", 200, HPROXY_STAGE_RELAY},
        {"allow *.example", NULL, "127.0.0.1", 403, HPROXY_STAGE_RULES},
        {"deny here.example", NULL, "here.example", 403, HPROXY_STAGE_RULES},
        {"allow *.example", "deny 127.0.0.0/8", "here.example", 403, HPROXY_STAGE_RULES},
        {"allow *.example", "deny 192.0.2.0/24", "both.example", 200, HPROXY_STAGE_RELAY},
        {"allow 127.0.0.1", NULL, "here.example", 200, HPROXY_STAGE_RELAY},
        {"allow 192.0.2.2", NULL, "here.example", 403, HPROXY_STAGE_RULES},
        {"deny 127.0.0.0/8", NULL, "127.1", 403, HPROXY_STAGE_RULES},
        {"deny 127.0.0.0/8", NULL, "0x7f000001", 403, HPROXY_STAGE_RULES},
        {"deny 127.0.0.0/8", NULL, "[::ffff:127.0.0.1]", 403, HPROXY_STAGE_RULES},
        {"deny 127.0.0.0/8", NULL, "0.0.0.0", 403, HPROXY_STAGE_RULES},
        {NULL, NULL, "169.254.169.254", 403, HPROXY_STAGE_RULES},
        {NULL, NULL, "a%41", 400, HPROXY_STAGE_REQUEST},
        {NULL, NULL, "1.2.3.4.5", 400, HPROXY_STAGE_REQUEST},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        hproxy_stage_e stage;
        int status = connect_to(cases[i].rule, cases[i].more, cases[i].host, &stage);

        if (status != cases[i].status || stage != cases[i].stage)
            fail_msg("%s, %s: %s: %d at %d", cases[i].rule, cases[i].more, cases[i].host, status,
                     (int)stage);
    }
}

static void socks_clients_are_told_too(void **state)
{
    rules_t r;

    (void)state;
    rules_open(&r, "deny 127.0.0.0/8", NULL);
    say_socks(&r.lab, BYTES("\5\1\0\5\1\0\3\xchere.exampleP"));
    hears_the_end(&r.lab);
    assert_memory_equal(r.lab.heard, "\5\0\5\2", 4);
    rules_close(&r);
    rules_open(&r, "deny 127.0.0.0/8", NULL);
    say_socks(&r.lab, BYTES("\4\1P\0\0\0\1\0here.example\0"));
    hears_the_end(&r.lab);
    assert_memory_equal(r.lab.heard, "\0\x5b", 2);
    rules_close(&r);
}

/* Whoever comes from elsewhere does not get at what is on this machine alone. */
static void the_loopback_is_not_for_strangers(void **state)
{
    haddr_t stranger;
    rules_t r;
    int fds[2];

    (void)state;
    assert_int_equal(haddr_parse(&stranger, "192.0.2.7", 4711), 0);
    rules_open(&r, NULL, NULL);
    close(r.lab.client);
    RUN_UNTIL(r.lab.loop, r.lab.ends == 1);
    tcp_pair(fds);
    r.lab.client = fds[1];
    assert_int_equal(
        hproxy_server_accept_from(r.lab.server, hio_get(r.lab.loop, fds[0]), &stranger), 0);
    say_http(&r.lab, "CONNECT here.example:@ HTTP/1.0\r\n\r\n");
    hears_the_end(&r.lab);
    assert_memory_equal(r.lab.heard, "HTTP/1.1 403 ", 13);
    close(r.lab.client);
    r.lab.client = -1;
    RUN_UNTIL(r.lab.loop, r.lab.ends == 2);
    assert_non_null(strstr(r.lab.text, "http CONNECT from 192.0.2.7:4711 to here.example:"));
    rules_close(&r);
}

static void nothing_comes_back_to_the_proxy_itself(void **state)
{
    struct sockaddr_in own;
    socklen_t len = sizeof(own);
    lab_t lab;

    (void)state;
    lab_open(&lab);
    assert_int_equal(getpeername(lab.client, (struct sockaddr *)&own, &len), 0);
    lab.addr.sin_port = own.sin_port;
    say_http(&lab, "CONNECT 127.1:@ HTTP/1.0\r\n\r\n");
    hears_the_end(&lab);
    assert_memory_equal(lab.heard, "HTTP/1.1 403 ", 13);
    lab_close(&lab);
}

/* ---- users ----------------------------------------------------------------------------------- */

/* "secret" for both. */
#define USERS                                                                                      \
    "ann:$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0O" \
    "8FHE00\nbob:{PLAIN}secret\n"

static husers_t *users_of(const char *text)
{
    char path[] = "/tmp/hnet-users-XXXXXX";
    int fd = mkstemp(path);
    husers_t *users;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_int_equal(husers_new(&users), 0);
    assert_int_equal(husers_add_file(users, path, NULL), 0);
    unlink(path);
    return users;
}

static void each_user_has_a_password(void **state)
{
    static const struct {
        const char *said, *user;
        size_t len;
        bool right;
    } cases[] = {
        {"\5\2\0\2\1\3ann\6secret", "ann", 16, true},
        {"\5\2\0\2\1\3bob\6secret", "bob", 16, true},
        {"\5\2\0\2\1\3ann\6Secret", "", 16, false},
        {"\5\2\0\2\1\3eve\6secret", "", 16, false},
    };
    husers_t *users = users_of(USERS);
    lab_t lab;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        lab_open_with(&lab, (hproxy_server_options_t){.users = users});
        say(&lab, cases[i].said, cases[i].len);
        say_socks(&lab, BYTES("\5\1\0\1APearly")); /* does not wait for the answer */
        if (cases[i].right) {
            hear(&lab, 14);
            assert_memory_equal(lab.heard, "\5\2\1\0\5\0\0\1", 8);
            lab.heard_len = 0;
            tunnel_stands(&lab);
        } else {
            hears_the_end(&lab);
            assert_memory_equal(lab.heard, "\5\2\1\1", 4);
            close(lab.client);
            lab.client = -1;
            RUN_UNTIL(lab.loop, lab.ends > 0);
            assert_int_equal(lab.stage, HPROXY_STAGE_LOGIN);
            assert_int_equal(lab.err, -EACCES);
        }
        assert_string_equal(lab.user, cases[i].user);
        lab_close(&lab);
    }
    husers_free(users);
}

static void hashes_leave_basic_alone(void **state)
{
    husers_t *users = users_of(USERS);
    hproxy_server_t *server;
    lab_t lab;

    (void)state;
    lab_open_with(&lab, (hproxy_server_options_t){.users = users});
    /* ann:wrong, then ann:secret, on one connection and at once. */
    say_http(&lab, "CONNECT 127.0.0.1:@ HTTP/1.1\r\nHost: x\r\n"
                   "Proxy-Authorization: Basic YW5uOndyb25n\r\n\r\n"
                   "CONNECT 127.0.0.1:@ HTTP/1.1\r\nHost: x\r\n"
                   "Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n\r\nearly");
    while (!strstr(lab.heard, ESTABLISHED))
        hear(&lab, lab.heard_len + 1);
    assert_memory_equal(lab.heard, "HTTP/1.1 407 ", 13);
    assert_non_null(strstr(lab.heard, "Proxy-Authenticate: Basic realm=\"hnet\""));
    assert_null(strstr(lab.heard, "Digest"));
    lab.heard_len = 0;
    tunnel_stands(&lab);
    assert_string_equal(lab.user, "ann");
    assert_int_equal(hproxy_server_new(lab.loop,
                                       &(hproxy_server_options_t){.users = users, .no_basic = true},
                                       &server),
                     -EINVAL);
    lab_close(&lab);
    husers_free(users);
}

static void a_client_may_go_while_its_password_is_looked_at(void **state)
{
    husers_t *users = users_of(USERS);
    lab_t lab;

    (void)state;
    lab_open_with(&lab, (hproxy_server_options_t){.users = users});
    say(&lab, "\5\2\0\2\1\3ann\6secret", 16);
    close(lab.client);
    lab.client = -1;
    RUN_UNTIL(lab.loop, lab.ends > 0);
    lab_close(&lab);
    /* And the server may. */
    lab_open_with(&lab, (hproxy_server_options_t){.users = users});
    say(&lab, "\5\2\0\2\1\3ann\6secret", 16);
    hear(&lab, 2);
    lab_close(&lab);
    husers_free(users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_for_names_and_for_what_they_lead_to),
        cmocka_unit_test(socks_clients_are_told_too),
        cmocka_unit_test(the_loopback_is_not_for_strangers),
        cmocka_unit_test(nothing_comes_back_to_the_proxy_itself),
        cmocka_unit_test(each_user_has_a_password),
        cmocka_unit_test(hashes_leave_basic_alone),
        cmocka_unit_test(a_client_may_go_while_its_password_is_looked_at),
    };

    return run_on_each_poller("hproxy_server_rules", tests, ARRAY_LENGTH(tests));
}
