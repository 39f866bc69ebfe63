/* TLS in a conversation: from its first byte on, or behind a protocol that is asked for it. */
#include "service_int.h"

#include "base/hstr.h"
#include "service_starttls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* What TLS tells of itself, and whose certificate it has. */
static void describe(hbytes_t *text, const hio_t *io, const htls_info_t *info)
{
    htls_cert_t cert;
    struct tm day;
    char date[16] = "";

    add(text, "", info->version);
    add(text, ", ", info->cipher);
    add(text, ", ALPN ", info->alpn);
    if (htls_peer_cert(io, 0, &cert) == 0) {
        if (gmtime_r(&cert.not_after, &day))
            strftime(date, sizeof(date), "%Y-%m-%d", &day);
        add(text, "; certificate of ", cert.subject);
        add(text, ", valid until ", date);
        add(text, ", names ", cert.names);
    }
}

bool service__tls_was_refused(const hio_t *io)
{
    char error[HTLS_ERROR_SIZE];

    if (hio_error(io) == HERR_CERTIFICATE)
        return true;
    if (hio_error(io) != HERR_TLS)
        return false;
    htls_error(io, error, sizeof(error));
    return hstr_starts(error, "the peer's alert") || strstr(error, "in common") != NULL;
}

int service__tls_begin(talk_t *talk, bool http_only)
{
    const char *host = talk->job->host->name;
    htls_ctx_t *ctx = service__tls(talk->job->host->run, http_only);
    haddr_t number;
    bool is_name = haddr_parse(&number, host, 0) < 0;

    return ctx ? htls_client(talk->io, ctx, is_name ? host : NULL) : HERR_UNSUPPORTED;
}

/* What is to be said within TLS, now that it stands. */
static bool begin_inside(talk_t *talk, const htls_info_t *info, const char *text)
{
    job_t *job = talk->job;
    unsigned probe = service_speaks_first(job->port->number) ? PROBE_BANNER : PROBE_HTTP;
    bool is_http2 = strcmp(info->alpn, "h2") == 0;

    talk->ask.in_tls = true;
    talk->ask.probe = (uint16_t)probe;
    if (!is_http2)
        job->asked[1][probe / 64] |= UINT64_C(1) << probe % 64;
    service__job_has_tls(job, text);
    return !is_http2;
}

bool service__tls_connected(talk_t *talk)
{
    job_t *job = talk->job;
    hbytes_t text = {.size_max = sizeof(job->tls) - 1};
    bool goes_on = false, is_starttls = talk->ask.probe == PROBE_STARTTLS;
    htls_info_t info;

    if (htls_info(talk->io, &info) < 0)
        return false;
    if (is_starttls)
        add(&text, "", "STARTTLS, ");
    describe(&text, talk->io, &info);
    service__trace(talk, "TLS: %s", text.data ? text.data : "");
    if (is_starttls)
        hstr_copy(job->tls, sizeof(job->tls), text.data ? text.data : "");
    else
        goes_on = begin_inside(talk, &info, text.data ? text.data : "");
    hbytes_deinit(&text);
    return goes_on;
}

/* ---- the way to it --------------------------------------------------------------------------- */

bool service__starttls_go_on(talk_t *talk)
{
    const char *words;
    size_t len;

    for (;;) {
        starttls_do_e what =
            service_starttls(talk->job->starttls, talk->step, (const uint8_t *)talk->reply.data,
                             talk->reply.len, &words, &len);

        if (what == STARTTLS_WAIT)
            return talk->reply.len < SERVICE_REPLY_MAX;
        talk->reply.len = 0;
        if (what == STARTTLS_BEGIN)
            return hio_read_stop(talk->io) == 0 && service__tls_begin(talk, true) == 0;
        if (what != STARTTLS_SAY || hio_write(talk->io, words, len) < 0)
            return false;
        service__trace_bytes(talk, "says", words, len);
        talk->step++;
        service__talk_hurry(talk, SERVICE_STARTTLS_MS + service__rtt_ms(talk->job, 4));
    }
}
