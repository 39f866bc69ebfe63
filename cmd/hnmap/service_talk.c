/* One conversation: connect, TLS if it is asked for, say the words of a probe, read. */
#include "service_int.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

    service__job_talk_ended(talk->job, talk, by_peer);
    service__advance(run);
}

static void on_timer(htimer_t *timer)
{
    talk_t *talk = hevent_userdata(timer);

    talk->timer = NULL;
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
    if (!wait_for(talk, ms))
        service__short(talk->job->host->run);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

/* Far from what anybody relies on: a server is looked at, whoever it is. */
htls_ctx_t *service__tls(service_run_t *run, bool http_only)
{
    const htls_options_t options = {.insecure = true,
                                    .no_ktls = true,
                                    .no_tickets = true,
                                    .alpn = http_only ? "http/1.1" : "h2,http/1.1",
                                    .ciphers = "ALL:@SECLEVEL=0"};
    htls_ctx_t **ctx = http_only ? &run->tls_http : &run->tls;
    char error[HTLS_ERROR_SIZE];

    if (*ctx == NULL && !run->has_no_tls && htls_ctx_new(&options, ctx, error, sizeof(error)) < 0) {
        *ctx = NULL;
        run->has_no_tls = true;
        fprintf(stderr, "hnmap: TLS is not looked at: %s\n", error);
    }
    return *ctx;
}

static void add(hbytes_t *text, const char *before, const char *value)
{
    /* Without memory or past its end the text is shorter. */
    if (value[0] != '\0')
        hbytes_printf(text, "%s%s", before, value);
}

static void take_tls(job_t *job, const hio_t *io, const htls_info_t *info)
{
    hbytes_t text = {.size_max = sizeof(job->tls) - 1};
    htls_cert_t cert;
    struct tm day;
    char date[16] = "";

    add(&text, "", info->version);
    add(&text, ", ", info->cipher);
    add(&text, ", ALPN ", info->alpn);
    if (htls_peer_cert(io, 0, &cert) == 0) {
        if (gmtime_r(&cert.not_after, &day))
            strftime(date, sizeof(date), "%Y-%m-%d", &day);
        add(&text, "; certificate of ", cert.subject);
        add(&text, ", valid until ", date);
        add(&text, ", names ", cert.names);
    }
    service__job_has_tls(job, text.data ? text.data : "");
    hbytes_deinit(&text);
}

/* Whether what failed was TLS, and not somebody who does not speak it. */
static bool has_refused_tls(const hio_t *io)
{
    char error[HTLS_ERROR_SIZE];

    if (hio_error(io) == HERR_CERTIFICATE)
        return true;
    if (hio_error(io) != HERR_TLS)
        return false;
    htls_error(io, error, sizeof(error));
    return hstr_starts(error, "the peer's alert") || strstr(error, "in common") != NULL;
}

/* ---- the way of it --------------------------------------------------------------------------- */

static void on_close(hio_t *io)
{
    talk_t *talk = hevent_userdata(io);

    if (talk == NULL)
        return;
    if (talk->ask.probe == PROBE_TLS && !talk->is_connected && has_refused_tls(io))
        service__job_has_tls(talk->job, "");
    if (hio_error(io) == -ECONNRESET || hio_error(io) == -EPIPE)
        talk->is_connected = true; /* or it would have been refused */
    talk->io = NULL;
    end(talk, true);
}

static void on_read(hio_t *io, void *buf, int len)
{
    talk_t *talk = hevent_userdata(io);
    service_run_t *run;
    size_t room;

    if (talk == NULL)
        return;
    run = talk->job->host->run;
    room = SERVICE_REPLY_MAX - talk->reply.len;
    if (hbytes_append(&talk->reply, buf, (size_t)len < room ? (size_t)len : room) < 0) {
        service__short(run);
        end(talk, false);
        return;
    }
    if ((size_t)len >= room || service__job_take(talk->job, talk, false)) {
        end(talk, false);
        return;
    }
    if (!talk->has_begun)
        service__talk_hurry(talk, SERVICE_REST_MS + service__rtt_ms(talk->job, 2));
    talk->has_begun = true;
    if (talk->job->is_final)
        service__advance(run);
}

/* What is to be said within TLS, now that it stands. */
static bool begin_in_tls(talk_t *talk)
{
    job_t *job = talk->job;
    htls_info_t info;
    bool is_http2;

    if (htls_info(talk->io, &info) < 0)
        return false;
    is_http2 = strcmp(info.alpn, "h2") == 0;
    talk->ask.in_tls = true;
    talk->ask.probe = service_speaks_first(job->port->number) ? PROBE_BANNER : PROBE_HTTP;
    if (!is_http2)
        job->asked_in_tls |= UINT64_C(1) << talk->ask.probe;
    take_tls(job, talk->io, &info);
    return !is_http2;
}

static int say(talk_t *talk)
{
    hbytes_t words = {0};
    int status = service_probe_write(&words, talk->ask.probe, talk->job->host->name);

    if (status == 0 && words.len > 0)
        status = hio_write(talk->io, words.data, words.len);
    hbytes_deinit(&words);
    return status;
}

static void on_connect(hio_t *io)
{
    talk_t *talk = hevent_userdata(io);

    if (talk == NULL)
        return;
    talk->is_connected = true;
    if (talk->ask.probe == PROBE_TLS && !begin_in_tls(talk)) {
        end(talk, false);
        return;
    }
    if (say(talk) == -ENOMEM)
        service__short(talk->job->host->run);
    hio_read(io);
}

static uint64_t wait_of(const job_t *job, ask_t ask)
{
    bool is_speaker = service_speaks_first(job->port->number);

    if (ask.probe == PROBE_BANNER && !ask.in_tls)
        return is_speaker ? SERVICE_SPEAKER_MS : SERVICE_LISTEN_MS + service__rtt_ms(job, 3);
    return SERVICE_ANSWER_MS + service__rtt_ms(job, 4);
}

static talk_status_e start(talk_t *talk, const haddr_t *addr)
{
    job_t *job = talk->job;
    service_run_t *run = job->host->run;
    int fd = hsocket_client(addr, SOCK_STREAM, &run->options.socket);
    htls_ctx_t *ctx = NULL;
    haddr_t number;
    bool is_name = haddr_parse(&number, job->host->name, 0) < 0;

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
    if (talk->ask.probe == PROBE_TLS || talk->ask.in_tls) {
        ctx = service__tls(run, talk->ask.in_tls);
        if (ctx == NULL || htls_client(talk->io, ctx, is_name ? job->host->name : NULL) < 0)
            return TALK_FAILED;
    }
    if (hio_set_peeraddr(talk->io, &addr->u.sa, (int)addr->len) < 0 || hio_connect(talk->io) < 0 ||
        !wait_for(talk, wait_of(job, talk->ask)))
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
