#include "hreport.h"

#include "../base/hbuf.h"
#include "../base/herr.h"
#include "../base/hjson.h"
#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../base/htime.h"
#include "hlogfile.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SENTENCE_SIZE ((size_t)PATH_MAX + 512)
#define JSON_MAX ((size_t)1 << 20)

/* ---- one line; how many were lost ------------------------------------------------------------ */

static size_t emit_json(const hreport_t *report, const char *event, const hreport_field_t *fields)
{
    char now[HTIME_ISO_SIZE];
    size_t lost = 1;
    hbytes_t line;
    hjson_t j;

    hbytes_init(&line, JSON_MAX);
    hjson_init(&j, &line);
    hjson_open_object(&j);
    hjson_add_string(&j, "time", htime_iso_utc(htime_real_ms(), now, sizeof(now)));
    hjson_add_string(&j, "event", event);
    for (; fields && fields->key; fields++) {
        hjson_key(&j, fields->key);
        if (fields->text)
            hjson_string(&j, fields->text);
        else if (fields->decimals > 0)
            hjson_fixed(&j, (int64_t)fields->number, fields->decimals);
        else
            hjson_uint(&j, fields->number);
    }
    hjson_close(&j);
    if (hjson_finish(&j) == 0 && hbytes_append_char(&line, '\n') == 0)
        lost = hlogfile_write(report->fd, line.data, line.len);
    hbytes_deinit(&line);
    return lost;
}

/* People at a terminal know who speaks to them and what time it is; a file has to say when. */
static size_t emit_text(const hreport_t *report, const char *text)
{
    char line[SENTENCE_SIZE + HTIME_ISO_SIZE], now[HTIME_ISO_SIZE];
    size_t len;

    if (report->path)
        snprintf(line, sizeof(line), "%s ", htime_iso_local(htime_real_ms(), now, sizeof(now)));
    else
        snprintf(line, sizeof(line), "%s: ", report->name);
    len = strlen(line);
    len += hstr_escape(line + len, sizeof(line) - len - 1, text, strlen(text));
    line[len++] = '\n';
    return hlogfile_write(report->fd, line, len);
}

static size_t emit(const hreport_t *report, const char *event, const hreport_field_t *fields,
                   const char *text)
{
    return report->json ? emit_json(report, event, fields) : emit_text(report, text);
}

static void add_lost(const hreport_t *report, size_t n)
{
    if (n > 0 && report->lost)
        __atomic_fetch_add(report->lost, n, __ATOMIC_RELAXED);
}

/* Once there is room again. */
static void tell_lost(const hreport_t *report)
{
    size_t n = report->lost ? __atomic_exchange_n(report->lost, 0, __ATOMIC_RELAXED) : 0;
    const hreport_field_t fields[] = {{.key = "lines", .number = n}, {0}};
    char text[64];

    if (n == 0)
        return;
    snprintf(text, sizeof(text), "%zu lines before this one were lost", n);
    if (emit(report, "lost", fields, text) > 0)
        add_lost(report, n);
}

void hreport_event(const hreport_t *report, const char *event, const hreport_field_t *fields,
                   const char *fmt, ...)
{
    char text[SENTENCE_SIZE] = "";
    va_list ap;

    va_start(ap, fmt);
    if (!report->json)
        vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    tell_lost(report);
    add_lost(report, emit(report, event, fields, text));
}

void hreport_note(const hreport_t *report, const char *event, const char *fmt, ...)
{
    char text[SENTENCE_SIZE];
    const hreport_field_t fields[] = {{.key = "message", .text = text}, {0}};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    hreport_event(report, event, fields, "%s", text);
}

void hreport_say(const char *name, const char *fmt, ...)
{
    const hreport_t report = {.name = name, .fd = STDERR_FILENO};
    char text[SENTENCE_SIZE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    emit_text(&report, text);
}

/* ---- the file -------------------------------------------------------------------------------- */

static int open_file(hreport_t *report)
{
    report->fd = report->path ? hlogfile_open_path(report->path) : STDERR_FILENO;
    return report->fd < 0 ? report->fd : 0;
}

int hreport_open(hreport_t *report, const char *name, const char *path, bool json)
{
    int err;

    *report = (hreport_t){.name = name, .path = path, .json = json, .fd = -1};
    err = open_file(report);
    if (!err) {
        report->lost = hmem_zalloc(sizeof(*report->lost));
        err = report->lost ? 0 : -ENOMEM;
    }
    if (err)
        hreport_close(report);
    return err;
}

int hreport_reopen(hreport_t *report)
{
    hreport_t fresh = *report;
    int err = report->path ? open_file(&fresh) : 0;

    if (err || !report->path)
        return err;
    close(report->fd);
    *report = fresh;
    return 0;
}

void hreport_close(hreport_t *report)
{
    if (report->path && report->fd >= 0)
        close(report->fd);
    hmem_free(report->lost);
    report->lost = NULL;
    report->fd = -1;
}
