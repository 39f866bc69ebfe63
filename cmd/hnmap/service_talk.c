/* One conversation: connect, TLS if it is asked for, say the words of a probe, read. */
#include "service_int.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRACED_MAX 160 /* bytes of what is said and heard */

/* ---- --version-trace ------------------------------------------------------------------------- */

static const char *name_of(const talk_t *talk)
{
    const service_file_t *file = talk->job->host->run->options.file;

    return talk->ask.probe < PROBES ? service_probe_name((probe_e)talk->ask.probe)
                                    : service_file_probe(file, talk->ask.probe - PROBES)->name;
}

void service__trace(const talk_t *talk, const char *format, ...)
{
    const job_t *job = talk->job;
    char address[HADDR_FORMAT_SIZE];
    va_list args;

    if (!job->host->run->options.traces)
        return;
    haddr_ip(&job->host->result->addr.u.sa, address, sizeof(address));
    fprintf(stderr, "hnmap: %s %u/%s %s%s: ", address, job->port->number,
            protocol_name(job->port->protocol), talk->ask.in_tls ? "TLS, " : "", name_of(talk));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void service__trace_bytes(const talk_t *talk, const char *what, const void *data, size_t len)
{
    char text[4 * TRACED_MAX + 1];

    if (!talk->job->host->run->options.traces)
        return;
    hstr_escape(text, sizeof(text), data, len < TRACED_MAX ? len : TRACED_MAX);
    service__trace(talk, "%s %zu bytes: %s%s", what, len, text, len > TRACED_MAX ? "..." : "");
}

/* ---- the end --------------------------------------------------------------------------------- */

void service__talk_free(talk_t *talk)
{
    htimer_del(talk->timer);
    if (talk->io) {
        hevent_set_userdata(talk->io, NULL);
        hio_abort(talk->io, 0);
    }
    hlist_remove(&talk->node);
    hbytes_deinit(&talk->reply);
    talk->job->talk_count--;
    talk->job->host->run->talk_count--;
    hmem_free(talk);
}

static void end(talk_t *talk, bool by_peer)
{
    service_run_t *run = talk->job->host->run;

    service__talk_ended(talk->job, talk, by_peer);
    service__advance(run);
}

static int say(talk_t *talk);
static bool wait_for(talk_t *talk, uint64_t ms);

static uint64_t udp_wait(const talk_t *talk)
{
    return talk->tries < SERVICE_UDP_TRIES ? SERVICE_UDP_AGAIN_MS + service__rtt_ms(talk->job, 2)
                                           : SERVICE_UDP_LAST_MS + service__rtt_ms(talk->job, 4);
}

static void on_timer(htimer_t *timer)
{
    talk_t *talk = hevent_userdata(timer);
    bool is_again = talk->job->is_udp && talk->tries < SERVICE_UDP_TRIES;

    talk->timer = NULL;
    if (is_again && say(talk) >= 0 && wait_for(talk, udp_wait(talk)))
        return;
    end(talk, false);
}

static bool wait_for(talk_t *talk, uint64_t ms)
{
    htimer_del(talk->timer);
    talk->timer = htimer_add(talk->job->host->run->loop, on_timer, (uint32_t)(ms ? ms : 1), 1);
    if (talk->timer)
        hevent_set_userdata(talk->timer, talk);
    return talk->timer != NULL;
}

void service__talk_hurry(talk_t *talk, uint64_t ms)
{
    talk->tries = SERVICE_UDP_TRIES;
    if (!wait_for(talk, ms))
        service__short(talk->job->host->run);
}

/* ---- the way of it --------------------------------------------------------------------------- */

static void on_close(hio_t *io)
{
    talk_t *talk = hevent_userdata(io);

    if (talk == NULL)
        return;
    service__trace(talk, "closed: %s",
                   hio_error(io) ? herr_str(hio_error(io)) : "by the other side");
    if (talk->ask.probe == PROBE_TLS && !talk->is_connected && service__tls_was_refused(io))
        service__job_has_tls(talk->job, "");
    if (hio_error(io) == -ECONNRESET || hio_error(io) == -EPIPE)
        talk->is_connected = true; /* or it would have been refused */
    talk->io = NULL;
    end(talk, true);
}

/* Each datagram is an answer of its own. */
static void take_datagram(talk_t *talk)
{
    service_run_t *run = talk->job->host->run;
    bool is_known = false;

    service__take(talk->job, talk, true);
    is_known = talk->job->best.level != MATCH_NONE;
    talk->reply.len = 0;
    if (is_known)
        end(talk, false);
    else
        service__advance(run);
}

static void on_read(hio_t *io, void *buf, int len)
{
    talk_t *talk = hevent_userdata(io);
    service_run_t *run;
    size_t room;

    if (talk == NULL)
        return;
    run = talk->job->host->run;
    service__trace_bytes(talk, "hears", buf, (size_t)len);
    room = SERVICE_REPLY_MAX - talk->reply.len;
    if (hbytes_append(&talk->reply, buf, (size_t)len < room ? (size_t)len : room) < 0) {
        service__short(run);
        end(talk, false);
        return;
    }
    if (talk->ask.probe == PROBE_STARTTLS) {
        if (!service__starttls_go_on(talk))
            end(talk, false);
        return;
    }
    if (talk->job->is_udp) {
        take_datagram(talk);
        return;
    }
    if ((size_t)len >= room || service__take(talk->job, talk, false)) {
        end(talk, false);
        return;
    }
    if (!talk->has_begun)
        service__talk_hurry(talk, SERVICE_REST_MS + service__rtt_ms(talk->job, 2));
    talk->has_begun = true;
    if (talk->job->is_final)
        service__advance(run);
}

static int write_words(const talk_t *talk, hbytes_t *words)
{
    const service_run_t *run = talk->job->host->run;
    const file_probe_t *probe;

    if (talk->ask.probe < PROBES)
        return service_probe_write(words, (probe_e)talk->ask.probe, talk->job->host->name);
    probe = service_file_probe(run->options.file, talk->ask.probe - PROBES);
    return hbytes_append(words, probe->data, probe->len);
}

static int say(talk_t *talk)
{
    hbytes_t words = {0};
    int status = write_words(talk, &words);

    if (status == 0 && words.len > 0) {
        service__trace_bytes(talk, "says", words.data, words.len);
        status = hio_write(talk->io, words.data, words.len);
    }
    talk->tries++;
    hbytes_deinit(&words);
    return status;
}

static void on_connect(hio_t *io)
{
    talk_t *talk = hevent_userdata(io);
    bool is_starttls;

    if (talk == NULL)
        return;
    is_starttls = talk->ask.probe == PROBE_STARTTLS;
    if ((talk->ask.probe == PROBE_TLS || (is_starttls && talk->is_connected)) &&
        !service__tls_connected(talk)) {
        talk->is_connected = true;
        end(talk, false);
        return;
    }
    talk->is_connected = true;
    if (is_starttls) {
        if (!service__starttls_go_on(talk))
            end(talk, false);
        else
            hio_read(io);
        return;
    }
    if (say(talk) == -ENOMEM)
        service__short(talk->job->host->run);
    hio_read(io);
}

static uint64_t wait_of(const talk_t *talk)
{
    const job_t *job = talk->job;
    bool is_speaker = service_speaks_first(job->port->number);
    uint64_t ms = SERVICE_ANSWER_MS;

    if (job->is_udp)
        return udp_wait(talk);
    if (service__is_banner(talk) && !talk->ask.in_tls)
        return is_speaker ? SERVICE_SPEAKER_MS : SERVICE_LISTEN_MS + service__rtt_ms(job, 3);
    if (talk->ask.probe >= PROBES) {
        const service_file_t *file = job->host->run->options.file;
        uint32_t told = service_file_probe(file, talk->ask.probe - PROBES)->wait_ms;

        ms = told > 0 ? told : ms;
    }
    return (talk->ask.probe == PROBE_STARTTLS ? SERVICE_SPEAKER_MS : ms) + service__rtt_ms(job, 4);
}

static talk_status_e start(talk_t *talk, const haddr_t *addr)
{
    job_t *job = talk->job;
    service_run_t *run = job->host->run;
    int type = job->is_udp ? SOCK_DGRAM : SOCK_STREAM;
    int fd = hsocket_client(addr, type, &run->options.socket);
    bool is_tls = talk->ask.probe == PROBE_TLS || talk->ask.in_tls;

    if (fd < 0)
        return fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS ? TALK_LATER : TALK_FAILED;
    talk->io = hio_get(run->loop, fd);
    if (talk->io == NULL) {
        close(fd);
        return TALK_FAILED;
    }
    hevent_set_userdata(talk->io, talk);
    hio_setcb_connect(talk->io, on_connect);
    hio_setcb_read(talk->io, on_read);
    hio_setcb_close(talk->io, on_close);
    hio_set_connect_timeout(talk->io, 0);
    talk->begin_us = htime_monotonic_us();
    if (is_tls && service__tls_begin(talk, talk->ask.in_tls) < 0)
        return TALK_FAILED;
    if (hio_set_peeraddr(talk->io, &addr->u.sa, (int)addr->len) < 0 || hio_connect(talk->io) < 0 ||
        !wait_for(talk, wait_of(talk)))
        return TALK_FAILED;
    return TALK_BEGUN;
}

talk_status_e service__talk_begin(job_t *job, ask_t ask)
{
    haddr_t addr = job->host->result->addr;
    talk_t *talk = hmem_zalloc(sizeof(*talk));
    talk_status_e status;

    if (talk == NULL)
        return TALK_FAILED;
    talk->job = job;
    talk->ask = ask;
    hlist_push_back(&job->talks, &talk->node);
    job->talk_count++;
    job->host->run->talk_count++;
    haddr_set_port(&addr.u.sa, job->port->number);
    status = start(talk, &addr);
    if (status != TALK_BEGUN)
        service__talk_free(talk);
    return status;
}
