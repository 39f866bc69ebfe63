#include "session.h"

#include "access_log.h"

#include <inttypes.h>

#include "base/hmem.h"
#include "base/htime.h"

static const struct {
    const char *name;
    hlog_level_e level; /* of the message about it, where there is something to say */
} ends[SESSION_ENDS] = {
    [SESSION_DONE] = {"done", HLOG_DEBUG},
    [SESSION_DENIED] = {"denied", HLOG_INFO},
    [SESSION_LIMITED] = {"limited", HLOG_INFO},
    [SESSION_BAD_REQUEST] = {"bad_request", HLOG_INFO},
    [SESSION_UNAUTHORIZED] = {"unauthorized", HLOG_INFO},
    [SESSION_SLOW] = {"slow", HLOG_INFO},
    [SESSION_NO_TARGET] = {"no_target", HLOG_WARN},
    [SESSION_CONNECT_FAILED] = {"connect_failed", HLOG_WARN},
    [SESSION_CLIENT_ERROR] = {"client_error", HLOG_INFO},
    [SESSION_TARGET_ERROR] = {"target_error", HLOG_INFO},
    [SESSION_IDLE] = {"idle", HLOG_DEBUG},
    [SESSION_EXPIRED] = {"expired", HLOG_DEBUG},
    [SESSION_STOPPED] = {"stopped", HLOG_INFO},
    [SESSION_NO_RESOURCES] = {"no_resources", HLOG_WARN},
};

const char *session_end_name(session_end_e end)
{
    return ends[end].name;
}

session_end_e session_end_of_request(int err)
{
    switch (err) {
    case -ETIMEDOUT:
        return SESSION_SLOW;
    case -ECANCELED:
        return SESSION_STOPPED;
    case -ENOMEM:
        return SESSION_NO_RESOURCES;
    case -EBUSY:
        return SESSION_LIMITED; /* too many passwords are looked at */
    default:
        return err <= HERR_CLOSED ? SESSION_BAD_REQUEST : SESSION_CLIENT_ERROR;
    }
}

/* ---- counting -------------------------------------------------------------------------------- */

static uint64_t untold_sent(const session_t *session)
{
    return session->sent_bytes > session->told_sent_bytes
               ? session->sent_bytes - session->told_sent_bytes
               : 0;
}

static uint64_t untold_received(const session_t *session)
{
    return session->received_bytes > session->told_received_bytes
               ? session->received_bytes - session->told_received_bytes
               : 0;
}

static void publish(session_t *session)
{
    uint64_t sent, received;

    if (!session->measure)
        return;
    session->measure(session);
    sent = untold_sent(session);
    received = untold_received(session);
    if (sent == 0 && received == 0)
        return;
    session->told_sent_bytes += sent;
    session->told_received_bytes += received;
    stats_count(session->service->stats, sent, received);
    if (session->target)
        htarget_count(session->target, sent, received);
}

void session_publish(service_t *service)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &service->sessions)
        publish(HLIST_ENTRY(node, session_t, link));
}

/* ---- the end --------------------------------------------------------------------------------- */

static void tell(const session_t *session, session_end_e end, const char *why)
{
    const service_t *service = session->service;
    const hlogfile_t *log = service->lane->env->log;
    const char *cause = why[0] ? why : session_end_name(end);
    char client[HADDR_FORMAT_SIZE];

    if ((int)ends[end].level < log->options.level)
        return;
    haddr_format(&session->client.u.sa, session->client.len, client, sizeof(client));
    hlogfile_say(log, ends[end].level, "%s: client %s%s%s: %s", service->settings->name, client,
                 session->destination ? " to " : "",
                 session->destination ? session->destination : "", cause);
}

static void write_line(const session_t *session, session_end_e end, const char *why)
{
    lane_t *lane = session->service->lane;
    hbytes_t line = {0};

    if (lane->access.fd < 0)
        return;
    if (access_log_format(session, end, why, htime_real_ms(), lane->env->settings->access_json,
                          &line) == 0)
        hloglines_write(&lane->access, line.data, line.len);
    hbytes_deinit(&line);
}

static void count(const session_t *session, session_end_e end)
{
    uint64_t now_us = hloop_now_us(session->service->lane->loop);
    stats_session_t stats = {
        .end = (int)end,
        .sent_bytes = untold_sent(session),
        .received_bytes = untold_received(session),
        .connected = session->connected_us != 0,
        .connect_us = session->connected_us ? session->connected_us - session->start_us : 0,
        .duration_us = now_us - session->start_us,
    };

    stats_end(session->service->stats, &stats);
}

static void leave(session_t *session)
{
    service_t *service = session->service;
    const struct sockaddr *client = session->identified ? &session->client.u.sa : NULL;

    if (session->entered)
        hlimit_leave(service->limit, client, hloop_now_us(service->lane->loop));
    session->entered = session->identified = false;
}

void session_tell_unanswered(service_t *service)
{
    uint64_t untold = service->unanswered.untold;

    service->unanswered.untold = 0;
    if (untold > 0)
        hlogfile_say(service->lane->env->log, HLOG_WARN,
                     "%s: %" PRIu64 " more clients of datagrams came to nothing",
                     service->settings->name, untold);
}

/* Whether there are no more of them than anybody reads. */
static bool may_be_told(const session_t *session, session_end_e end)
{
    service_t *service = session->service;
    unanswered_t *u = &service->unanswered;
    uint64_t now_us = hloop_now_us(service->lane->loop);

    if (!session->datagrams || session->received_bytes > 0 || end == SESSION_DONE ||
        end == SESSION_IDLE || end == SESSION_STOPPED)
        return true;
    if (now_us - u->since_us >= (uint64_t)SESSION_UNANSWERED_MS * 1000) {
        session_tell_unanswered(service);
        u->since_us = now_us;
        u->told = 0;
    }
    if (u->told >= SESSION_UNANSWERED_MAX) {
        u->untold++;
        return false;
    }
    u->told++;
    return true;
}

void session_end(session_t *session, session_end_e end, const char *why)
{
    lane_t *lane = session->service->lane;

    if (may_be_told(session, end)) {
        tell(session, end, why);
        write_line(session, end, why);
    }
    count(session, end);
    if (session->target)
        htarget_release(session->target, untold_sent(session), untold_received(session));
    session->target = NULL;
    leave(session);
    hlist_remove(&session->link);
    hmem_free(session->user);
    hmem_free(session->destination);
    session->user = session->destination = NULL;
    lane_count(lane, -1);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int refuse(session_t *session, int refused)
{
    if (refused < 0)
        session_end(session, SESSION_NO_RESOURCES, herr_str(refused));
    else
        session_end(session, SESSION_LIMITED, hlimit_text(refused));
    return refused < 0 ? refused : -EBUSY;
}

/* Those of the limits that count it from here on: in all, of its client, or both. */
static int enter(session_t *session, const struct sockaddr *client)
{
    service_t *service = session->service;
    uint64_t now_us = hloop_now_us(service->lane->loop);
    int refused;

    if (!service->limit)
        return 0;
    if (session->entered)
        refused = hlimit_identify(service->limit, client, now_us);
    else
        refused = hlimit_enter(service->limit, client, now_us);
    if (refused != HLIMIT_NONE)
        return refuse(session, refused);
    session->entered = true;
    session->identified = client != NULL;
    return 0;
}

int session_admit(session_t *session)
{
    if (!haccess_check(session->service->access, &session->client.u.sa)) {
        session_end(session, SESSION_DENIED, "");
        return -EACCES;
    }
    return enter(session, &session->client.u.sa);
}

int session_begin(session_t *session, service_t *service)
{
    session->service = service;
    session->start_us = hloop_now_us(service->lane->loop);
    hlist_push_back(&service->sessions, &session->link);
    lane_count(service->lane, 1);
    stats_begin(service->stats);
    return session->expects_header ? enter(session, NULL) : session_admit(session);
}
