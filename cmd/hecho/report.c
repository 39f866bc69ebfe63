#include "report.h"

#include "base/hbuf.h"
#include "base/herr.h"
#include "base/hjson.h"
#include "base/hstr.h"
#include "base/htime.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE_MAX (PATH_MAX + 512)
#define NOTE_SIZE 512

/* One member of a JSON line; text is NULL for a number. */
typedef struct field_s {
    const char *key;
    const char *text;
    uint64_t number;
    unsigned decimals;
} field_t;

#define FIELD_COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

/* ---- one line -------------------------------------------------------------------------------- */

/* A line that cannot be written is lost: serving goes on. */
static void emit(const report_t *report, const char *line, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(report->fd, line + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

static void emit_json(const report_t *report, const char *event, const field_t *fields, size_t n)
{
    char now[HTIME_ISO_SIZE];
    hbytes_t line;
    hjson_t j;

    hbytes_init(&line, LINE_SIZE_MAX);
    hjson_init(&j, &line);
    hjson_open_object(&j);
    hjson_key(&j, "time");
    hjson_string(&j, htime_iso_utc(htime_real_ms(), now, sizeof(now)));
    hjson_key(&j, "event");
    hjson_string(&j, event);
    for (size_t i = 0; i < n; i++) {
        hjson_key(&j, fields[i].key);
        if (fields[i].text)
            hjson_string(&j, fields[i].text);
        else if (fields[i].decimals)
            hjson_fixed(&j, (int64_t)fields[i].number, fields[i].decimals);
        else
            hjson_uint(&j, fields[i].number);
    }
    hjson_close(&j);
    if (hjson_finish(&j) == 0 && hbytes_append_char(&line, '\n') == 0)
        emit(report, line.data, line.len);
    hbytes_deinit(&line);
}

/* People at a terminal know who speaks to them and what time it is; a file has to say when. What
 * users and clients have named may hold anything, and neither gets control characters. */
static void emit_text_v(const report_t *report, const char *fmt, va_list ap)
{
    char text[LINE_SIZE_MAX], line[LINE_SIZE_MAX], now[HTIME_ISO_SIZE];
    size_t len;

    if (report->path)
        snprintf(line, sizeof(line), "%s ", htime_iso_local(htime_real_ms(), now, sizeof(now)));
    else
        snprintf(line, sizeof(line), "hecho: ");
    vsnprintf(text, sizeof(text), fmt, ap);
    len = strlen(line);
    len += hstr_escape(line + len, sizeof(line) - len - 1, text, strlen(text));
    line[len++] = '\n';
    emit(report, line, len);
}

__attribute__((format(printf, 2, 3))) static void emit_text(const report_t *report, const char *fmt,
                                                            ...)
{
    va_list ap;

    va_start(ap, fmt);
    emit_text_v(report, fmt, ap);
    va_end(ap);
}

void report_say(const char *fmt, ...)
{
    const report_t report = {.fd = STDERR_FILENO};
    va_list ap;

    va_start(ap, fmt);
    emit_text_v(&report, fmt, ap);
    va_end(ap);
}

/* ---- the events ------------------------------------------------------------------------------ */

void report_listening(const report_t *report, const char *address)
{
    const field_t fields[] = {{.key = "address", .text = address}};

    if (report->format == REPORT_JSON)
        emit_json(report, "listening", fields, FIELD_COUNT(fields));
    else
        emit_text(report, "listening on %s", address);
}

void report_connect(const report_t *report, const char *peer, const char *local)
{
    const field_t fields[] = {{.key = "peer", .text = peer}, {.key = "local", .text = local}};

    if (report->format == REPORT_JSON)
        emit_json(report, "connect", fields, FIELD_COUNT(fields));
    else
        emit_text(report, "%s connected to %s", peer, local);
}

void report_refused(const report_t *report, const char *peer, uint64_t open)
{
    const field_t fields[] = {{.key = "peer", .text = peer}, {.key = "open", .number = open}};

    if (report->format == REPORT_JSON)
        emit_json(report, "refused", fields, FIELD_COUNT(fields));
    else
        emit_text(report, "%s refused: %" PRIu64 " connections are open", peer, open);
}

void report_closed(const report_t *report, const report_closed_t *closed)
{
    const field_t fields[] = {
        {.key = "peer", .text = closed->peer},
        {.key = "bytes_in", .number = closed->bytes_in},
        {.key = "bytes_out", .number = closed->bytes_out},
        {.key = "duration_s", .number = closed->duration_us, .decimals = 6},
        {.key = "cause", .text = closed->cause},
    };

    if (report->format == REPORT_JSON)
        emit_json(report, "close", fields, FIELD_COUNT(fields));
    else
        emit_text(report, "%s closed: %s, %" PRIu64 " bytes in, %" PRIu64 " bytes out, %.3f s",
                  closed->peer, closed->cause, closed->bytes_in, closed->bytes_out,
                  (double)closed->duration_us / 1e6);
}

void report_datagram(const report_t *report, const char *peer, uint64_t in, uint64_t out)
{
    const field_t fields[] = {
        {.key = "peer", .text = peer},
        {.key = "bytes_in", .number = in},
        {.key = "bytes_out", .number = out},
    };

    if (report->format == REPORT_JSON)
        emit_json(report, "datagram", fields, FIELD_COUNT(fields));
    else
        emit_text(report, "%s datagram: %" PRIu64 " bytes in, %" PRIu64 " bytes out", peer, in,
                  out);
}

void report_summary(const report_t *report, const report_totals_t *totals)
{
    const field_t fields[] = {
        {.key = "connections", .number = totals->connections},
        {.key = "open", .number = totals->open},
        {.key = "refused", .number = totals->refused},
        {.key = "shed", .number = totals->shed},
        {.key = "datagrams", .number = totals->datagrams},
        {.key = "dropped", .number = totals->dropped},
        {.key = "bytes_in", .number = totals->bytes_in},
        {.key = "bytes_out", .number = totals->bytes_out},
    };

    if (report->format == REPORT_JSON)
        emit_json(report, "summary", fields, FIELD_COUNT(fields));
    else
        emit_text(report,
                  "%" PRIu64 " connections (%" PRIu64 " open, %" PRIu64 " refused, %" PRIu64
                  " shed), %" PRIu64 " datagrams (%" PRIu64 " dropped), %" PRIu64
                  " bytes in, %" PRIu64 " bytes out",
                  totals->connections, totals->open, totals->refused, totals->shed,
                  totals->datagrams, totals->dropped, totals->bytes_in, totals->bytes_out);
}

void report_note(const report_t *report, const char *event, const char *fmt, ...)
{
    field_t fields[] = {{.key = "message"}};
    hbytes_t text;
    va_list ap;

    hbytes_init(&text, NOTE_SIZE);
    va_start(ap, fmt);
    if (hbytes_vprintf(&text, fmt, ap) == 0) {
        fields[0].text = text.data;
        if (report->format == REPORT_JSON)
            emit_json(report, event, fields, FIELD_COUNT(fields));
        else
            emit_text(report, "%s", text.data);
    }
    va_end(ap);
    hbytes_deinit(&text);
}

/* ---- the file -------------------------------------------------------------------------------- */

int report_open(report_t *report, const char *path, report_format_e format)
{
    report->path = path;
    report->format = format;
    report->fd = STDERR_FILENO;
    if (path)
        report->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return report->fd < 0 ? -errno : 0;
}

int report_reopen(report_t *report)
{
    report_t fresh;
    int err;

    if (!report->path)
        return 0;
    err = report_open(&fresh, report->path, report->format);
    if (err)
        return err;
    report_close(report);
    *report = fresh;
    return 0;
}

void report_close(report_t *report)
{
    if (report->path && report->fd >= 0)
        close(report->fd);
    report->fd = -1;
}
