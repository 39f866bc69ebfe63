#include "render.h"

#include <time.h>

const char *render_stamp(uint64_t time_ms, char buf[RENDER_STAMP_SIZE])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;

    if (!localtime_r(&seconds, &tm) || strftime(buf, RENDER_STAMP_SIZE, "[%H:%M] ", &tm) == 0)
        buf[0] = '\0';
    return buf;
}

static int put_leave(const event_t *event, hbytes_t *out)
{
    int err = hbytes_printf(out, "* %s has left %s", event->name, event->room);

    if (err || event->text_len == 0)
        return err;
    err = hbytes_append_str(out, " (");
    if (!err)
        err = hbytes_append(out, event->text, event->text_len);
    return err ? err : hbytes_append_char(out, ')');
}

static int put_text(const event_t *event, const char *after, hbytes_t *out)
{
    int err = hbytes_append(out, event->text, event->text_len);

    return err ? err : hbytes_append_str(out, after);
}

static int put_begin(const event_t *event, hbytes_t *out)
{
    switch (event->kind) {
    case EVENT_SAY:
        return hbytes_printf(out, "<%s> ", event->name);
    case EVENT_ME:
        return hbytes_printf(out, "<%s> *", event->name);
    case EVENT_PRIVATE:
        return hbytes_printf(out, "<%s -> %s> ", event->name, event->other);
    case EVENT_JOIN:
        return hbytes_printf(out, "* %s has joined %s", event->name, event->room);
    case EVENT_LEAVE:
        return put_leave(event, out);
    case EVENT_NICK:
        return hbytes_printf(out, "* %s is now %s", event->name, event->other);
    case EVENT_TOPIC:
        return hbytes_printf(out,
                             event->text_len ? "* %s sets the topic: " : "* %s takes the topic off",
                             event->name);
    default:
        return 0;
    }
}

int render_event(const event_t *event, hbytes_t *out)
{
    size_t begin = out->len;
    int err = put_begin(event, out);

    if (event->kind >= EVENT_HELLO)
        return 0;
    if (!err && (event->kind == EVENT_SAY || event->kind == EVENT_PRIVATE ||
                 (event->kind == EVENT_TOPIC && event->text_len)))
        err = put_text(event, "", out);
    if (!err && event->kind == EVENT_ME)
        err = put_text(event, "*", out);
    if (!err)
        err = hbytes_append_char(out, '\n');
    if (err)
        out->len = begin;
    return err;
}
