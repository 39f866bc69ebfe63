/* htargets_fixture: a group on the test's loop, a name server whose answers the test changes, and
 * what the group tells. Include it after cmocka.h. */
#ifndef HNET_TESTS_HTARGETS_FIXTURE_H
#define HNET_TESTS_HTARGETS_FIXTURE_H

#include "dns_fixture.h"
#include "loop_test.h"
#include "net/htargets.h"

#include <stdio.h>
#include <string.h>

#define SPECS_MAX 4
#define EVENTS_SIZE 4096
#define LAST_MAX 8 /* addresses 127.0.0.N of a name, or records of a service */

/* "www.test" has these addresses; 0 ends them. "_web._tcp.test" has these records, whose hosts
 * h1.test, h2.test ... have 127.0.0.1, 127.0.0.2 ... */
typedef struct zone_s {
    unsigned last[LAST_MAX];
    unsigned ttl;
    unsigned rcode; /* of both; 0: none */
    bool silent;
    struct {
        unsigned host, priority, weight, port;
    } srv[LAST_MAX];
} zone_t;

typedef struct world_s {
    hloop_t *loop;
    dns_server_t server;
    zone_t zone;
    hdns_t *dns;
    htargets_options_t options;
    htarget_spec_t specs[SPECS_MAX];
    hcheck_options_t check;
    htargets_t *group;
    char events[EVENTS_SIZE]; /* "down 127.0.0.1:80 (why), " ... */
    int waits, wait_err;
    htargets_wait_t wait;
} world_t;

/* ---- the name server ------------------------------------------------------------------------- */

static inline void put_service(dns_message_t *m, const zone_t *zone)
{
    for (int i = 0; i < LAST_MAX && zone->srv[i].host; i++) {
        size_t start = dns_begin(m, 12, 33, zone->ttl);
        char host[16];

        dns_put16(m, zone->srv[i].priority);
        dns_put16(m, zone->srv[i].weight);
        dns_put16(m, zone->srv[i].port);
        snprintf(host, sizeof(host), "h%u.test", zone->srv[i].host);
        dns_put_name(m, zone->srv[i].host == 99 ? "" : host);
        dns_end(m, start);
    }
}

static inline bool zone_records(dns_server_t *server, dns_message_t *m, const char *name,
                                unsigned type)
{
    const zone_t *zone = server->arg;
    bool www = strcmp(name, "www.test") == 0, srv = strcmp(name, "_web._tcp.test") == 0;

    if ((www || srv) && zone->rcode)
        m->data[3] |= (unsigned char)zone->rcode;
    else if (www && type == 1)
        for (int i = 0; i < LAST_MAX && zone->last[i]; i++)
            dns_address(m, 12, 1, zone->ttl, zone->last[i]);
    else if (srv && type == 33)
        put_service(m, zone);
    else if (name[0] == 'h' && type == 1 && strlen(name) == 7)
        dns_address(m, 12, 1, zone->ttl, (unsigned)(name[1] - '0'));
    return www || srv || name[0] == 'h';
}

/* ---- what the group tells -------------------------------------------------------------------- */

static inline void on_change(const htargets_change_t *change, void *arg)
{
    static const char *const words[] = {"up",    "down",    "ejected",     "returned",
                                        "added", "removed", "name failed", "name back"};
    world_t *w = arg;
    size_t len = strlen(w->events);

    assert_true((change->target == NULL) == (change->address[0] == '\0'));
    snprintf(w->events + len, sizeof(w->events) - len, "%s %s%s%s%s left %zu, ",
             words[change->event], change->target ? change->address : change->name,
             change->why[0] ? " (" : "", change->why, change->why[0] ? ")" : "", change->left);
}

static inline bool has_event(const world_t *w, const char *text)
{
    return strstr(w->events, text) != NULL;
}

/* ---- the world ------------------------------------------------------------------------------- */

/* False: out of memory. */
static inline bool begin_dns(world_t *w)
{
    const hloop_options_t loop_options = {.flags = HLOOP_FLAG_RUN_ONCE, .poller = test_poller};
    hdns_options_t options = {.hosts_file = "", .timeout_ms = 5000, .no_search = true};

    memset(w, 0, sizeof(*w));
    w->loop = hloop_new_with(&loop_options);
    if (!w->loop || !dns_start(&w->server, w->loop))
        return false;
    w->server.records = zone_records;
    w->server.arg = &w->zone;
    options.servers = w->server.servers;
    w->options = (htargets_options_t){.name = "web",
                                      .specs = w->specs,
                                      .runs_checks = true,
                                      .family = AF_INET,
                                      .dns_min_ms = 10,
                                      .dns_max_ms = 60000,
                                      .on_change = on_change,
                                      .arg = w};
    if (hdns_new(w->loop, &options, &w->dns) != 0)
        return false;
    w->options.dns = w->dns;
    return true;
}

static inline void begin(world_t *w)
{
    assert_true(begin_dns(w));
}

static inline void end(world_t *w)
{
    htargets_free(w->group);
    hdns_free(w->dns);
    hloop_free(&w->loop);
}

static inline void add_spec(world_t *w, const char *text)
{
    char error[200] = "";

    assert_true(w->options.spec_count < SPECS_MAX);
    if (htarget_spec_parse(&w->specs[w->options.spec_count++], text, error, sizeof(error)) != 0)
        fail_msg("%s: %s", text, error);
}

static inline void use(world_t *w)
{
    assert_int_equal(htargets_new(w->loop, &w->options, &w->group), 0);
}

/* A group of these specs. */
static inline void begin_with(world_t *w, const char *first, const char *second, const char *third)
{
    begin(w);
    add_spec(w, first);
    if (second)
        add_spec(w, second);
    if (third)
        add_spec(w, third);
}

static inline void on_wait(htargets_wait_t *wait, int err, void *arg)
{
    world_t *w = arg;

    assert_ptr_equal(wait, &w->wait);
    w->waits++;
    w->wait_err = err;
}

/* Until a pick tells something else than -EAGAIN. */
static inline int pick_waiting(world_t *w, htarget_tried_t *tried, htarget_t **target)
{
    int err;

    while ((err = htargets_pick(w->group, NULL, tried, target)) == -EAGAIN) {
        int waits = w->waits;

        htargets_wait(w->group, &w->wait, on_wait, w);
        RUN_UNTIL(w->loop, w->waits > waits);
        assert_int_equal(w->wait_err, 0);
    }
    return err;
}

/* The address that a connection gets, which ends at once; or the name of the error. */
static inline const char *pick(world_t *w)
{
    static char text[HADDR_FORMAT_SIZE];
    htarget_t *target;
    int err = pick_waiting(w, NULL, &target);

    if (err)
        return herr_name(err);
    snprintf(text, sizeof(text), "%s", htarget_address(target));
    htarget_connected(target);
    htarget_release(target, 0, 0);
    return text;
}

static inline void wait_ms(world_t *w, uint64_t ms)
{
    uint64_t until = now_ms() + ms;

    while (now_ms() <= until)
        settle(w->loop);
}

typedef struct find_s {
    const char *address;
    htarget_info_t info;
    int found;
} find_t;

static inline void find_info(const htarget_info_t *info, void *arg)
{
    find_t *find = arg;

    if (strcmp(info->address, find->address) == 0) {
        find->info = *info;
        find->found++;
    }
}

/* What is told of the one target with this address. */
static inline htarget_info_t info_of(const htargets_t *group, const char *address)
{
    find_t find = {.address = address};

    htargets_each(group, find_info, &find);
    assert_int_equal(find.found, 1);
    return find.info;
}

static inline void count_info(const htarget_info_t *info, void *arg)
{
    (void)info;
    ++*(int *)arg;
}

static inline int count_targets(const htargets_t *group)
{
    int count = 0;

    htargets_each(group, count_info, &count);
    return count;
}

#endif
