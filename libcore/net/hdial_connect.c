/* Resolve and connect by Happy Eyeballs (RFC 8305). AAAA and A are asked at once. Connecting begins
 * with the first IPv6 address, or 50 ms after an IPv4 address came alone. Families take turns; the
 * next address is tried when the one before has failed, or has not answered for the attempt delay.
 * The first that connects wins, the others are given up. */
#include "hdial_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "hlisten.h"

#include <string.h>

#define UNTOLD_SIZE 32 /* room for " and N more" */

typedef struct attempt_s {
    hlist_t link;
    hdial_t *dial;
    hio_t *io;
    haddr_t addr;
} attempt_t;

enum { IPV6, IPV4, FAMILIES };

int hdial__family(const hdial_t *dial)
{
    const haddr_t *source = dial->options.socket.source;
    int family = source ? source->u.sa.sa_family : 0;

    return family == AF_INET || family == AF_INET6 ? family : dial->options.family;
}

/* ---- attempts -------------------------------------------------------------------------------- */

static void free_attempt(attempt_t *attempt)
{
    hlist_remove(&attempt->link);
    hmem_free(attempt);
}

static void give_up(hio_t *io)
{
    hio_setcb_connect(io, NULL);
    hio_setcb_close(io, NULL);
    hio_abort(io, -ECANCELED);
}

/* "connect to HOST port N: ", once, then a reason for each address. */
static void say_reason(hdial_t *dial, const haddr_t *addr, int err)
{
    char text[HDIAL_NAME_SIZE];
    size_t before = dial->error_len;
    bool first = before == 0, fits;

    if (dial->err != -ENOMEM) /* it says most */
        dial->err = err;
    if (first)
        hdial__say(dial, "connect to %s%s: ", dial->options.proxy_count ? "proxy " : "",
                   hdial__name(&dial->hop, text, sizeof(text)));
    if (addr->u.sa.sa_family == AF_UNIX)
        fits = hdial__say(dial, "%s", herr_str(err));
    else
        fits = hdial__say(dial, "%s%s (%s)", first ? "" : ", ", herr_str(err),
                          haddr_ip(&addr->u.sa, text, sizeof(text)));
    if (fits && sizeof(dial->error) - dial->error_len >= UNTOLD_SIZE)
        return;
    dial->error_len = before;
    dial->error[before] = '\0';
    dial->untold++;
}

/* Addresses are told in the order in which they failed. */
static void failed(hdial_t *dial, const haddr_t *addr, int err)
{
    say_reason(dial, addr, err);
    if (dial->options.attempt_cb)
        dial->options.attempt_cb(dial, addr, err, dial->arg);
}

static void advance(hdial_t *dial);

static void on_close(hio_t *io)
{
    attempt_t *attempt = hevent_userdata(io);
    hdial_t *dial = attempt->dial;
    haddr_t addr = attempt->addr;

    free_attempt(attempt);
    failed(dial, &addr, hio_error(io) ? hio_error(io) : -ECONNABORTED);
    advance(dial);
}

/* A port of this machine that nobody listens on can be the very port that the kernel chose for us:
 * TCP then connects the socket to itself. */
static bool is_own_address(hio_t *io, const haddr_t *addr)
{
    haddr_t local;

    return hio_type(io) == HIO_TYPE_TCP && hsocket_local(hio_fd(io), &local) == 0 &&
           haddr_equal(&local.u.sa, &addr->u.sa);
}

/* Without the reset the port would be taken for a minute. */
static void refuse_itself(attempt_t *attempt)
{
    hdial_t *dial = attempt->dial;
    haddr_t addr = attempt->addr;

    hio_setcb_close(attempt->io, NULL);
    hio_reset(attempt->io);
    free_attempt(attempt);
    failed(dial, &addr, -ECONNREFUSED);
    advance(dial);
}

static void on_connect(hio_t *io)
{
    attempt_t *attempt = hevent_userdata(io);
    hdial_t *dial = attempt->dial;

    if (is_own_address(io, &attempt->addr)) {
        refuse_itself(attempt);
        return;
    }
    dial->io = io;
    dial->addr = attempt->addr;
    free_attempt(attempt);
    hdial__connect_deinit(dial);
    hdial__set_timer(dial, HDIAL_TIMER_REST, 0);
    dial->times.connected_us = hdial__elapsed_us(dial);
    hevent_set_userdata(io, dial);
    hio_setcb_connect(io, NULL);
    hio_setcb_close(io, NULL);
    dial->error_len = 0; /* addresses that failed before count no more */
    dial->error[0] = '\0';
    dial->err = 0;
    hdial__proceed(dial);
}

/* A proxy, a TLS server and whoever reads PROXY headers wait for our bytes. */
static bool speaks_first(const hdial_options_t *o)
{
    return o->socket.speaks_first || o->proxy_count > 0 || o->proxy_protocol || o->tls;
}

static int connect_from(hdial_t *dial, attempt_t *attempt, const hsocket_options_t *socket)
{
    int timeout_ms = dial->options.address_timeout_ms;
    int type = hendpoint_socktype(&dial->hop);
    int err = hlisten_client(dial->loop, &attempt->addr, type, socket, &attempt->io);

    if (err)
        return err;
    hevent_set_userdata(attempt->io, attempt);
    err =
        hio_setcb_eof(attempt->io, NULL); /* what the callbacks are kept in is there from now on */
    if (!err) {
        hio_set_connect_timeout(attempt->io, timeout_ms ? timeout_ms : HDIAL_ADDRESS_TIMEOUT_MS);
        hio_setcb_connect(attempt->io, on_connect);
        err = hio_connect(attempt->io);
    }
    if (err)
        hio_abort(attempt->io, err);
    else
        hio_setcb_close(attempt->io, on_close);
    return err;
}

/* A port that is free for one address may be taken for another. */
static int start_attempt(hdial_t *dial, attempt_t *attempt)
{
    hsocket_options_t socket = dial->options.socket;
    unsigned port, last = dial->options.port_last;
    haddr_t source;
    int err;

    socket.speaks_first = speaks_first(&dial->options);
    if (socket.source && socket.source->u.sa.sa_family != attempt->addr.u.sa.sa_family)
        return -EAFNOSUPPORT;
    if (!socket.source || last == 0)
        return connect_from(dial, attempt, &socket);
    source = *socket.source;
    socket.source = &source;
    port = haddr_port(&source.u.sa);
    do {
        haddr_set_port(&source.u.sa, (uint16_t)port);
        err = connect_from(dial, attempt, &socket);
    } while ((err == -EADDRINUSE || err == -EADDRNOTAVAIL) && port++ < last);
    return err;
}

static bool may_try(hdial_t *dial, const haddr_t *addr)
{
    const hdial_options_t *o = &dial->options;

    return !o->addr_cb || o->proxy_count > 0 || o->addr_cb(dial, addr, dial->arg);
}

static int attempt(hdial_t *dial, const haddr_t *addr)
{
    attempt_t *attempt;
    int err;

    if (!may_try(dial, addr))
        return -EACCES;
    attempt = hmem_zalloc(sizeof(*attempt));
    if (!attempt)
        return -ENOMEM;
    attempt->dial = dial;
    attempt->addr = *addr;
    if (dial->options.trying_cb)
        dial->options.trying_cb(dial, addr, 0, dial->arg);
    err = start_attempt(dial, attempt);
    if (err)
        hmem_free(attempt);
    else
        hlist_push_back(&dial->attempts, &attempt->link);
    return err;
}

/* ---- the order ------------------------------------------------------------------------------- */

/* The family whose turn it is, if it has an address left; else the other; NULL: neither. */
static const haddr_t *next_addr(hdial_t *dial)
{
    for (int i = 0; i < FAMILIES; i++) {
        int turn = (dial->last_family + 1 + i) % FAMILIES;
        hdial_family_t *family = &dial->families[turn];

        if (family->next < family->count) {
            dial->last_family = turn;
            return &family->addrs[family->next++];
        }
    }
    return NULL;
}

static bool is_asking(const hdial_t *dial)
{
    return dial->families[IPV6].open || dial->families[IPV4].open;
}

/* Nothing was there to connect to. Of two families that failed, a name that does not exist says
 * more than one without such an address. */
static void fail_resolve(hdial_t *dial)
{
    const hdial_family_t *worst = &dial->families[IPV4];

    if (!worst->err || (worst->err == HERR_RESOLVE && dial->families[IPV6].err != 0 &&
                        dial->families[IPV6].err != HERR_RESOLVE))
        worst = &dial->families[IPV6];
    dial->step = HDIAL_STEP_RESOLVE;
    dial->error_len = 0;
    hdial__say(dial, "cannot resolve %s: %s", dial->hop.host,
               worst->why[0] ? worst->why : herr_str(worst->err));
    hdial__fail(dial, worst->err ? worst->err : HERR_RESOLVE);
}

static void fail_connect(hdial_t *dial)
{
    if (dial->untold)
        hdial__say(dial, " and %zu more", dial->untold);
    for (int i = 0; i < FAMILIES; i++) {
        if (dial->families[i].err == -ENOMEM)
            dial->err = -ENOMEM;
    }
    hdial__fail(dial, dial->err);
}

/* Tries the next address, or ends when there is none and nothing is open. May free the dial. */
static void advance(hdial_t *dial)
{
    int delay_ms = dial->options.attempt_delay_ms;
    const haddr_t *addr;

    while ((addr = next_addr(dial)) != NULL) {
        int err = attempt(dial, addr);

        if (!err) {
            if (delay_ms >= 0)
                hdial__set_timer(dial, HDIAL_TIMER_ATTEMPT,
                                 delay_ms ? delay_ms : HDIAL_ATTEMPT_DELAY_MS);
            return;
        }
        failed(dial, addr, err);
    }
    if (is_asking(dial) || !hlist_empty(&dial->attempts))
        return;
    if (dial->error_len)
        fail_connect(dial);
    else
        fail_resolve(dial);
}

/* There is something to connect to. */
static void begin(hdial_t *dial)
{
    dial->step = HDIAL_STEP_CONNECT;
    dial->times.resolved_us = hdial__elapsed_us(dial);
    hdial__set_timer(dial, HDIAL_TIMER_REST, 0);
}

/* Addresses have come, or the last answer has: they are tried now unless others are being tried
 * already. Without any, it is advance that says what is next. */
static void names_changed(hdial_t *dial)
{
    const hdial_family_t *v6 = &dial->families[IPV6];
    const hdial_family_t *v4 = &dial->families[IPV4];
    bool begun = dial->step == HDIAL_STEP_CONNECT;

    if (begun && !hlist_empty(&dial->attempts) && dial->timer_for == HDIAL_TIMER_ATTEMPT)
        return; /* the timer takes them up */
    if (!begun && v6->open && v4->count > 0) {
        hdial__set_timer(dial, HDIAL_TIMER_NAMES, HDIAL_RESOLUTION_DELAY_MS);
        return;
    }
    if (!begun && is_asking(dial) && v6->count + v4->count == 0)
        return;
    if (begun && !hlist_empty(&dial->attempts) && dial->options.attempt_delay_ms < 0)
        return;
    if (!begun && v6->count + v4->count > 0)
        begin(dial);
    advance(dial);
}

void hdial__connect_timer(hdial_t *dial)
{
    if (dial->timer_for == HDIAL_TIMER_NAMES)
        begin(dial);
    hdial__set_timer(dial, HDIAL_TIMER_REST, 0);
    advance(dial);
}

/* ---- names ----------------------------------------------------------------------------------- */

static int keep(hdial_family_t *family, const haddr_t *addrs, size_t count)
{
    family->addrs = hmem_array(count, sizeof(haddr_t));
    if (!family->addrs)
        return -ENOMEM;
    memcpy(family->addrs, addrs, count * sizeof(haddr_t));
    family->count = count;
    return 0;
}

static void on_addrs(hdns_query_t *query, int err, const haddr_t *addrs, size_t count, void *arg)
{
    hdial_t *dial = arg;
    hdial_family_t *family = &dial->families[dial->families[IPV6].query == query ? IPV6 : IPV4];

    family->query = NULL;
    family->open = false;
    family->err = err ? err : keep(family, addrs, count);
    for (size_t i = 0; i < family->count; i++)
        haddr_set_port(&family->addrs[i].u.sa, dial->hop.port);
    if (err)
        hstr_copy(family->why, sizeof(family->why), hdns_error(query));
    names_changed(dial);
}

static int ask(hdial_t *dial, int which)
{
    hdial_family_t *family = &dial->families[which];
    int err = hdns_resolve(dial->dns, dial->hop.host, which == IPV6 ? AF_INET6 : AF_INET, on_addrs,
                           dial, &family->query);

    family->err = err;
    family->open = err == 0;
    return err;
}

/* Every address means this machine for one who connects; IPv4 first, as servers listen there. */
static int resolve(hdial_t *dial)
{
    int wanted = hdial__family(dial);
    haddr_t addr;
    int err = 0;

    if (dial->hop.host[0] == '\0') {
        haddr_loopback(&addr, wanted ? wanted : AF_INET, dial->hop.port);
        return keep(&dial->families[IPV6], &addr, 1);
    }
    if (haddr_parse(&addr, dial->hop.host, dial->hop.port) == 0 &&
        (wanted == 0 || wanted == addr.u.sa.sa_family))
        return keep(&dial->families[IPV6], &addr, 1);
    if (dial->options.numeric) {
        hstr_copy(dial->families[IPV4].why, sizeof(dial->families[IPV4].why),
                  "not an address in numbers");
        return HERR_RESOLVE;
    }
    err = hdial__need_dns(dial);
    if (!err && wanted != AF_INET)
        err = ask(dial, IPV6);
    if (!err && wanted != AF_INET6)
        err = ask(dial, IPV4);
    return err;
}

void hdial__connect(hdial_t *dial)
{
    hdial_family_t *first = &dial->families[IPV6];
    haddr_t addr;
    int err;

    dial->last_family = IPV4;
    if (hendpoint_is_unix(&dial->hop)) {
        err = haddr_unix(&addr, dial->hop.path);
        if (!err)
            err = keep(first, &addr, 1);
    } else if (dial->options.addr_count > 0 && dial->options.proxy_count == 0) {
        err = keep(first, dial->options.addrs, dial->options.addr_count);
    } else {
        err = resolve(dial);
    }
    if (err) {
        dial->families[IPV4].err = err;
        fail_resolve(dial);
        return;
    }
    if (first->count > 0)
        dial->step = HDIAL_STEP_CONNECT; /* without a name to resolve */
    if (first->count > 0)
        advance(dial);
}

/* The one address that it is about. False: there are more of them, or nobody knows yet. */
static bool only_address(const hdial_t *dial, haddr_t *addr)
{
    const hdial_options_t *o = &dial->options;
    int wanted = hdial__family(dial);

    if (hendpoint_is_unix(&dial->to))
        return haddr_unix(addr, dial->to.path) == 0;
    if (o->addr_count > 0) {
        *addr = o->addrs[0];
        return o->addr_count == 1;
    }
    return haddr_parse(addr, dial->to.host, dial->to.port) == 0 &&
           (wanted == 0 || wanted == addr->u.sa.sa_family);
}

bool hdial__connect_at_once(hdial_t *dial)
{
    const hdial_options_t *o = &dial->options;
    haddr_t addr;

    if (o->proxy_count > 0 || o->tls || o->trying_cb || o->addr_cb || !only_address(dial, &addr))
        return false;
    if (attempt(dial, &addr) != 0)
        return false;
    dial->step = HDIAL_STEP_CONNECT;
    return true;
}

void hdial__connect_again(hdial_t *dial)
{
    int err = keep(&dial->families[IPV6], &dial->addr, 1);

    if (err) {
        hdial__say(dial, "%s", herr_str(err));
        hdial__fail(dial, err);
        return;
    }
    dial->step = HDIAL_STEP_CONNECT;
    advance(dial);
}

/* ---- the end --------------------------------------------------------------------------------- */

void hdial__connect_timed_out(hdial_t *dial)
{
    hlist_t *node, *next;

    if (dial->step == HDIAL_STEP_RESOLVE) {
        for (int i = 0; i < FAMILIES; i++) {
            dial->families[i].err = -ETIMEDOUT;
            hstr_copy(dial->families[i].why, sizeof(dial->families[i].why), "no answer in time");
        }
        fail_resolve(dial);
        return;
    }
    HLIST_FOREACH (node, next, &dial->attempts)
        say_reason(dial, &HLIST_ENTRY(node, attempt_t, link)->addr, -ETIMEDOUT);
    dial->err = -ETIMEDOUT;
    fail_connect(dial);
}

void hdial__connect_deinit(hdial_t *dial)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &dial->attempts) {
        attempt_t *attempt = HLIST_ENTRY(node, attempt_t, link);

        give_up(attempt->io);
        free_attempt(attempt);
    }
    for (int i = 0; i < FAMILIES; i++) {
        hdns_cancel(dial->families[i].query);
        dial->families[i].query = NULL;
        dial->families[i].open = false;
        hmem_free(dial->families[i].addrs);
        dial->families[i].addrs = NULL;
        dial->families[i].count = dial->families[i].next = 0;
    }
}
