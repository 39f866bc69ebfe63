#include "hreport.h"

#include "../base/hbuf.h"
#include "../base/herr.h"
#include "../base/hjson.h"
#include "../base/hstr.h"
#include "../base/htime.h"
#include "hlogfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SENTENCE_SIZE ((size_t)PATH_MAX + 512)
#define JSON_MAX ((size_t)1 << 20)

/* ---- one line; one that cannot be written is lost: serving goes on --------------------------- */

static void emit_json(const hreport_t *report, const char *event, const hreport_field_t *fields)
{
    char now[HTIME_ISO_SIZE];
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
        hlogfile_write(report->fd, line.data, line.len);
    hbytes_deinit(&line);
}

/* People at a terminal know who speaks to them and what time it is; a file has to say when. */
static void emit_text(const hreport_t *report, const char *text)
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
    hlogfile_write(report->fd, line, len);
}

void hreport_event(const hreport_t *report, const char *event, const hreport_field_t *fields,
                   const char *fmt, ...)
{
    char text[SENTENCE_SIZE];
    va_list ap;

    if (report->json) {
        emit_json(report, event, fields);
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    emit_text(report, text);
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

int hreport_open(hreport_t *report, const char *name, const char *path, bool json)
{
    *report = (hreport_t){.name = name, .path = path, .json = json, .fd = STDERR_FILENO};
    if (path)
        report->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return report->fd < 0 ? -errno : 0;
}

int hreport_reopen(hreport_t *report)
{
    hreport_t fresh;
    int err;

    if (!report->path)
        return 0;
    err = hreport_open(&fresh, report->name, report->path, report->json);
    if (err)
        return err;
    hreport_close(report);
    *report = fresh;
    return 0;
}

void hreport_close(hreport_t *report)
{
    if (report->path && report->fd >= 0)
        close(report->fd);
    report->fd = -1;
}
