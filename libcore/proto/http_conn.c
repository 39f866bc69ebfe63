/* What connections of all versions of HTTP share: their time limits.
 *
 * All connections that wait for the same thing have the same limit: each list is in the order in
 * which they will be over it, and one timer looks at their fronts. */
#include "http_server_int.h"

#include "../base/hmem.h"
#include "../base/htime.h"

#define US_PER_MS 1000

/* ---- time limits ----------------------------------------------------------------------------- */

static uint64_t limit_us(const http_server_t *server, int wait)
{
    uint64_t limit_ms = server->limits_ms[wait];

    if (server->draining && wait == HTTP_WAIT_KEEPALIVE && limit_ms > HTTP_DRAIN_IDLE_MS)
        limit_ms = HTTP_DRAIN_IDLE_MS;
    return limit_ms * US_PER_MS;
}

uint64_t http_conn__sent(const http_conn_t *conn)
{
    return conn->written - hio_write_bufsize(conn->io);
}

static uint64_t moved(const http_conn_t *conn, int wait)
{
    return wait == HTTP_WAIT_SEND ? http_conn__sent(conn) : conn->received;
}

/* Whether enough has moved for a further period. */
static bool goes_on(const http_conn_t *conn, int wait)
{
    const http_server_t *server = conn->server;
    uint64_t least = (uint64_t)server->options.rate_min * server->limits_ms[wait] / 1000;

    if (wait != HTTP_WAIT_BODY && wait != HTTP_WAIT_SEND)
        return false;
    return moved(conn, wait) - conn->moved >= (least > 0 ? least : 1);
}

static void begin_period(http_conn_t *conn)
{
    http_server_t *server = conn->server;

    conn->since_us = hloop_now_hrtime(server->loop);
    if (conn->wait == HTTP_WAIT_BODY || conn->wait == HTTP_WAIT_SEND)
        conn->moved = moved(conn, conn->wait);
    hlist_remove(&conn->link);
    hlist_push_back(&server->waits[conn->wait], &conn->link);
}

static void check_list(http_server_t *server, int wait, uint64_t now_us)
{
    hlist_t *list = &server->waits[wait];

    while (!hlist_empty(list)) {
        http_conn_t *conn = HLIST_ENTRY(list->next, http_conn_t, link);

        if (now_us < conn->since_us + limit_us(server, wait))
            return;
        if (goes_on(conn, wait)) {
            begin_period(conn);
            continue;
        }
        hlist_remove(&conn->link);
        conn->wait = HTTP_WAIT_NONE;
        server->stats.timeouts += wait != HTTP_WAIT_KEEPALIVE;
        conn->ops->timeout(conn, (http_wait_e)wait);
    }
}

static void on_timer(htimer_t *timer);

/* Without memory for a timer the next connection that waits brings one. */
static void arm(http_server_t *server, uint64_t at_us)
{
    uint64_t now_us = hloop_now_hrtime(server->loop);
    uint64_t wait_ms = at_us > now_us ? (at_us - now_us + US_PER_MS - 1) / US_PER_MS : 1;

    if (server->timer && server->timer_us <= at_us)
        return;
    if (server->timer) {
        htimer_reset(server->timer, (uint32_t)wait_ms);
    } else {
        server->timer = htimer_add(server->loop, on_timer, (uint32_t)wait_ms, 1);
        if (!server->timer)
            return;
        hevent_set_userdata(server->timer, server);
    }
    server->timer_us = at_us;
}

void http_conn__check(http_server_t *server)
{
    uint64_t now_us = hloop_now_hrtime(server->loop);

    for (int wait = HTTP_WAIT_NONE + 1; wait < HTTP_WAIT_COUNT; wait++) {
        hlist_t *list = &server->waits[wait];

        check_list(server, wait, now_us);
        if (!hlist_empty(list)) {
            http_conn_t *first = HLIST_ENTRY(list->next, http_conn_t, link);

            arm(server, first->since_us + limit_us(server, wait));
        }
    }
}

static void on_timer(htimer_t *timer)
{
    http_server_t *server = hevent_userdata(timer);

    server->timer = NULL;
    http_conn__check(server);
}

void http_conn__wait(http_conn_t *conn, http_wait_e wait, bool refresh)
{
    http_server_t *server = conn->server;

    if (conn->wait == wait && !refresh)
        return;
    conn->wait = (uint8_t)wait;
    if (wait == HTTP_WAIT_NONE) {
        hlist_remove(&conn->link);
        return;
    }
    begin_period(conn);
    arm(server, conn->since_us + limit_us(server, wait));
}

void http_conn__remove(http_conn_t *conn)
{
    http_server_t *server = conn->server;

    hlist_remove(&conn->link);
    hlist_remove(&conn->all);
    hmem_free(conn->peer);
    server->stats.bytes_in += conn->received;
    server->stats.bytes_out += conn->written;
    server->stats.open--;
    http_server__conn_gone(server);
}
