#include "access_log.h"

#include <inttypes.h>
#include <string.h>

#include "base/hjson.h"
#include "base/hstr.h"
#include "base/htime.h"

#define FIELD_SIZE 1024 /* of a text that is escaped; what is longer is cut */

/* What a line tells, in the order of its columns; NULL or "": there is none. */
typedef struct entry_s {
    char time[HTIME_ISO_SIZE];
    const char *listener, *protocol, *user, *target, *address, *destination, *end, *why;
    char client[HADDR_FORMAT_SIZE], peer[HADDR_FORMAT_SIZE];
    bool connected; /* after connect_us */
    uint64_t connect_us, duration_us;
    uint64_t sent_bytes, received_bytes;
} entry_t;

static void format_addr(const haddr_t *addr, char *buf, size_t size)
{
    buf[0] = '\0';
    if (addr->len > 0)
        haddr_format(&addr->u.sa, addr->len, buf, size);
}

static void make_entry(entry_t *entry, const session_t *session, uint64_t now_ms)
{
    const service_t *service = session->service;
    uint64_t now_us = hloop_now_us(service->lane->loop);

    memset(entry, 0, sizeof(*entry));
    htime_iso_utc(now_ms, entry->time, sizeof(entry->time));
    entry->listener = service->settings->name;
    entry->protocol = session->protocol;
    entry->user = session->user;
    entry->destination = session->destination;
    if (session->target) {
        entry->target = htarget_name(session->target);
        entry->address = htarget_address(session->target);
    }
    format_addr(&session->client, entry->client, sizeof(entry->client));
    format_addr(&session->peer, entry->peer, sizeof(entry->peer));
    entry->connected = session->connected_us != 0;
    if (session->connected_us > session->start_us)
        entry->connect_us = session->connected_us - session->start_us;
    if (now_us > session->start_us)
        entry->duration_us = now_us - session->start_us;
    entry->sent_bytes = session->sent_bytes;
    entry->received_bytes = session->received_bytes;
}

/* ---- text ------------------------------------------------------------------------------------ */

static int append_escaped(hbytes_t *out, const char *text, bool quoted)
{
    char safe[FIELD_SIZE];
    int err = 0;

    hstr_escape(safe, sizeof(safe), text, strlen(text));
    for (const char *c = safe; *c && !err; c++) {
        if (*c == '"' || (*c == ' ' && !quoted) || (unsigned char)*c >= 0x80)
            err = hbytes_printf(out, "\\x%02x", (unsigned char)*c);
        else
            err = hbytes_append_char(out, *c);
    }
    return err;
}

/* A column: without spaces, "-" for nothing. */
static int append_column(hbytes_t *out, const char *text)
{
    int err = text && *text ? append_escaped(out, text, false) : hbytes_append_char(out, '-');

    return err ? err : hbytes_append_char(out, ' ');
}

static int append_ms(hbytes_t *out, uint64_t us)
{
    return hbytes_printf(out, "%" PRIu64 ".%03" PRIu64 " ", us / 1000, us % 1000);
}

static int append_text(const entry_t *entry, hbytes_t *out)
{
    const char *const columns[] = {entry->time,   entry->listener, entry->protocol,
                                   entry->client, entry->peer,     entry->user};
    const char *const where[] = {entry->target, entry->address, entry->destination};
    int err = 0;

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]) && !err; i++)
        err = append_column(out, columns[i]);
    for (size_t i = 0; i < sizeof(where) / sizeof(where[0]) && !err; i++)
        err = append_column(out, where[i]);
    if (!err)
        err = entry->connected ? append_ms(out, entry->connect_us) : append_column(out, NULL);
    if (!err)
        err = append_ms(out, entry->duration_us);
    if (!err)
        err = hbytes_printf(out, "%" PRIu64 " %" PRIu64 " %s \"", entry->sent_bytes,
                            entry->received_bytes, entry->end);
    if (!err)
        err = append_escaped(out, entry->why, true);
    return err ? err : hbytes_append_str(out, "\"\n");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_string(hjson_t *j, const char *key, const char *text)
{
    char safe[FIELD_SIZE];

    if (!text || !*text)
        return;
    hstr_escape(safe, sizeof(safe), text, strlen(text));
    hjson_add_string(j, key, safe);
}

static void add_ms(hjson_t *j, const char *key, uint64_t us)
{
    hjson_key(j, key);
    hjson_fixed(j, (int64_t)us, 3);
}

static int append_json(const entry_t *entry, hbytes_t *out)
{
    hjson_t j;
    int err;

    hjson_init(&j, out);
    hjson_open_object(&j);
    add_string(&j, "time", entry->time);
    add_string(&j, "listener", entry->listener);
    add_string(&j, "protocol", entry->protocol);
    add_string(&j, "client", entry->client);
    add_string(&j, "peer", entry->peer);
    add_string(&j, "user", entry->user);
    add_string(&j, "target", entry->target);
    add_string(&j, "address", entry->address);
    add_string(&j, "destination", entry->destination);
    if (entry->connected)
        add_ms(&j, "connect_ms", entry->connect_us);
    add_ms(&j, "duration_ms", entry->duration_us);
    hjson_add_uint(&j, "sent_bytes", entry->sent_bytes);
    hjson_add_uint(&j, "received_bytes", entry->received_bytes);
    add_string(&j, "end", entry->end);
    add_string(&j, "why", entry->why);
    hjson_close(&j);
    err = hjson_finish(&j);
    return err ? err : hbytes_append_char(out, '\n');
}

int access_log_format(const session_t *session, session_end_e end, const char *why, uint64_t now_ms,
                      bool json, hbytes_t *out)
{
    size_t before = out->len;
    entry_t entry;
    int err;

    make_entry(&entry, session, now_ms);
    entry.end = session_end_name(end);
    entry.why = why ? why : "";
    err = json ? append_json(&entry, out) : append_text(&entry, out);
    if (err && out->len > before) {
        out->len = before;
        out->data[before] = '\0';
    }
    return err;
}
