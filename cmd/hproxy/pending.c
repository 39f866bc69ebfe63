/* pending: stands in for the files of hproxy that are not there yet, so that the command links
 * while they are written: whatever is defined elsewhere takes its place. It goes with the last of
 * them. */
#include "access_log.h"
#include "admin.h"
#include "base/hmem.h"
#include "kinds.h"
#include "lane.h"
#include "net/hlisten.h"
#include "net/htargets.h"

#include <unistd.h>

#define PENDING __attribute__((weak))

PENDING int lane_new(hloop_t *loop, const env_t *env, lane_t **lane, hbytes_t *why)
{
    (void)why;
    *lane = hmem_zalloc(sizeof(**lane));
    if (!*lane)
        return -ENOMEM;
    (*lane)->loop = loop;
    (*lane)->env = env;
    return 0;
}

static void on_accept(hio_t *io)
{
    hio_close(io);
}

PENDING int lane_listen(lane_t *lane, const service_settings_t *service,
                        const listen_settings_t *listen, int fd)
{
    hio_t *io;

    (void)service;
    (void)listen;
    return hlisten_attach(lane->loop, fd, on_accept, &io);
}

PENDING int lane_listen_status(lane_t *lane, int fd)
{
    (void)lane;
    close(fd);
    return 0;
}

PENDING void lane_drain(lane_t *lane, uint32_t timeout_ms, void (*done)(void *arg), void *arg)
{
    (void)lane;
    (void)timeout_ms;
    done(arg);
}

PENDING void lane_free(lane_t *lane)
{
    hmem_free(lane);
}

PENDING size_t stats_shared_size(void)
{
    return 1;
}

PENDING void stats_forget(stats_shared_t *shared, unsigned slot)
{
    (void)shared;
    (void)slot;
}

PENDING int htarget_spec_parse(htarget_spec_t *spec, const char *text, char *error,
                               size_t error_size)
{
    *spec = (htarget_spec_t){0};
    return hendpoint_parse(&spec->endpoint, text, error, error_size);
}

PENDING int datagrams_listen(service_t *service, hio_t *io)
{
    (void)service;
    hio_close(io);
    return HERR_UNSUPPORTED;
}

PENDING void datagrams_stop(struct datagrams_s *datagrams)
{
    (void)datagrams;
}

PENDING void datagrams_free(struct datagrams_s *datagrams)
{
    (void)datagrams;
}

PENDING stats_t *stats_open(stats_shared_t *shared, const char *name, unsigned slot)
{
    (void)name;
    (void)slot;
    return (stats_t *)shared;
}

PENDING void stats_close(stats_t *stats)
{
    (void)stats;
}

PENDING void stats_begin(stats_t *stats)
{
    (void)stats;
}

PENDING void stats_end(stats_t *stats, const stats_session_t *session)
{
    (void)stats;
    (void)session;
}

PENDING int access_log_format(const session_t *session, session_end_e end, const char *why,
                              uint64_t now_ms, bool json, hbytes_t *out)
{
    (void)now_ms;
    (void)json;
    return hbytes_printf(out, "%s %s sent=%llu received=%llu why=%s\n", session->protocol,
                         session_end_name(end), (unsigned long long)session->sent_bytes,
                         (unsigned long long)session->received_bytes, why);
}

PENDING int admin_new(lane_t *lane, admin_t **admin, hbytes_t *why)
{
    (void)lane;
    (void)why;
    *admin = NULL;
    return 0;
}

PENDING int admin_listen(admin_t *admin, int fd)
{
    (void)admin;
    close(fd);
    return 0;
}

PENDING void admin_stop(admin_t *admin)
{
    (void)admin;
}

PENDING void admin_free(admin_t *admin)
{
    (void)admin;
}
