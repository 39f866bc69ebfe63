#include "broker.h"

#include "base/hlist.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "dump.h"
#include "event/htimer.h"
#include "input.h"

#include <string.h>

#define QUEUE_LOW ((size_t)64 * 1024)
#define QUEUE_HIGH ((size_t)256 * 1024)
#define QUEUE_MAX ((size_t)4 * 1024 * 1024)
#define PATIENCE_MS 1000
#define LINE_SIZE 4096 /* a longer line of --chat is cut into several */
#define NAMES_MAX 100  /* clients that are listed for one that comes */
#define OPERATOR 0     /* <user0> sits at the server */

typedef struct member_s {
    hlist_t link;
    broker_t *broker;
    hio_t *io; /* NULL: the server's stdin */
    unsigned long long number;
    htimer_t *patience; /* runs while its queue is full */
    bool present;       /* --chat: announced */
    char host[HADDR_FORMAT_SIZE];
    size_t line_len; /* --chat: the beginning of a line */
    char line[LINE_SIZE];
} member_t;

struct broker_s {
    input_t input;
    hnc_t *hnc;
    hlist_t members;
    size_t count;
    size_t full; /* members whose patience runs */
    unsigned long long last_number;
    member_t operator;
    hbytes_t text; /* --chat: what one read has become */
};

static member_t *member_of(hlist_t *node)
{
    return HLIST_ENTRY(node, member_t, link);
}

/* ---- pace ------------------------------------------------------------------------------------ */

static void update_reading(broker_t *b)
{
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &b->members) {
        if (b->full > 0)
            hio_read_stop(member_of(node)->io);
        else
            hio_read(member_of(node)->io);
    }
    input_hold(&b->input, b->full > 0 || b->count == 0);
}

static void end_patience(member_t *m)
{
    if (!m->patience)
        return;
    htimer_del(m->patience);
    m->patience = NULL;
    if (--m->broker->full == 0)
        update_reading(m->broker);
}

static void drop(member_t *m, int err)
{
    if (hio_is_opened(m->io))
        hnc_say("client %s is dropped: %s", m->host, err ? herr_str(err) : "it does not read");
    hio_abort(m->io, err);
}

static void on_patience_over(htimer_t *timer)
{
    member_t *m = hevent_userdata(timer);

    m->patience = NULL;
    drop(m, 0);
    if (--m->broker->full == 0)
        update_reading(m->broker);
}

static void begin_patience(member_t *m)
{
    broker_t *b = m->broker;

    m->patience = htimer_add(b->hnc->loop, on_patience_over, PATIENCE_MS, 1);
    if (!m->patience) {
        drop(m, -ENOMEM);
        return;
    }
    hevent_set_userdata(m->patience, m);
    if (b->full++ == 0)
        update_reading(b);
}

static void on_drained(hio_t *io)
{
    end_patience(hevent_userdata(io));
}

/* ---- to everybody ---------------------------------------------------------------------------- */

static void give_one(member_t *m, const void *data, size_t len)
{
    int rc = hio_write(m->io, data, len);

    if (rc == HERR_QUEUE_FULL)
        drop(m, 0);
    else if (rc == -ENOMEM)
        drop(m, rc);
    else if (rc >= 0 && !m->patience && hio_write_above_high(m->io))
        begin_patience(m);
}

static void give(broker_t *b, const member_t *from, const void *data, size_t len)
{
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &b->members) {
        if (member_of(node) != from)
            give_one(member_of(node), data, len);
    }
}

static void give_text(broker_t *b, const member_t *from)
{
    give(b, from, b->text.data, b->text.len);
    hbytes_clear(&b->text);
}

/* ---- --chat ---------------------------------------------------------------------------------- */

/* Without memory for the text nothing of it is sent, and somebody is told. */
static void check(int err)
{
    if (err)
        hnc_say("chat: %s", herr_str(err));
}

/* One line with who said it; tabs stay as they are. */
static void put_line(broker_t *b, const member_t *m, const char *line, size_t len)
{
    char safe[4 * LINE_SIZE + 1];
    int err = hbytes_printf(&b->text, "<user%llu> ", m->number);

    if (len > 0 && line[len - 1] == '\r')
        len--;
    while (err == 0 && len > 0) {
        const char *tab = memchr(line, '\t', len);
        size_t part = tab ? (size_t)(tab - line) : len;
        size_t safe_len = hstr_escape(safe, sizeof(safe), line, part);

        err = hbytes_append(&b->text, safe, safe_len);
        if (err == 0 && tab)
            err = hbytes_append_char(&b->text, '\t');
        part += tab ? 1 : 0;
        line += part;
        len -= part;
    }
    if (err == 0)
        err = hbytes_append_char(&b->text, '\n');
    check(err);
}

static void flush_line(broker_t *b, member_t *m)
{
    put_line(b, m, m->line, m->line_len);
    m->line_len = 0;
}

static void talk(broker_t *b, member_t *m, const char *data, size_t len)
{
    while (len > 0) {
        const char *lf = memchr(data, '\n', len);
        size_t room = sizeof(m->line) - m->line_len;
        size_t part = lf ? (size_t)(lf - data) : len;
        bool whole = lf && part <= room;

        if (part > room)
            part = room;
        memcpy(m->line + m->line_len, data, part);
        m->line_len += part;
        part += whole ? 1 : 0;
        data += part;
        len -= part;
        if (whole || m->line_len == sizeof(m->line))
            flush_line(b, m);
    }
    give_text(b, m);
}

static void announce_arrival(broker_t *b, member_t *m)
{
    hlist_t *node, *tmp;
    size_t names = 0;
    int err = hbytes_printf(&b->text,
                            "<announce> %s is connected as <user%llu>.\n"
                            "<announce> already connected: ",
                            m->host, m->number);

    HLIST_FOREACH (node, tmp, &b->members) {
        const member_t *other = member_of(node);

        if (other == m || !other->present || err || ++names > NAMES_MAX)
            continue;
        err = hbytes_printf(&b->text, "%s%s as <user%llu>", names > 1 ? ", " : "", other->host,
                            other->number);
    }
    if (err == 0 && names > NAMES_MAX)
        err = hbytes_printf(&b->text, " and %zu more", names - NAMES_MAX);
    if (err == 0)
        err = hbytes_append_str(&b->text, names ? ".\n" : "nobody.\n");
    check(err);
    m->present = true;
    give_text(b, NULL);
}

static void announce_departure(broker_t *b, const member_t *m)
{
    check(hbytes_printf(&b->text, "<announce> <user%llu> is disconnected.\n", m->number));
    give_text(b, m);
}

/* ---- from the members and stdin -------------------------------------------------------------- */

static void pass_on(broker_t *b, member_t *from, const char *data, size_t len)
{
    if (b->hnc->options.chat)
        talk(b, from, data, len);
    else
        give(b, from, data, len);
}

static void on_data(hio_t *io, void *buf, int len)
{
    member_t *m = hevent_userdata(io);
    const options_t *o = &m->broker->hnc->options;

    dump_data(m->broker->hnc->dump, DUMP_RECEIVED, buf, (size_t)len);
    if (!o->send_only && !o->recv_only)
        pass_on(m->broker, m, buf, (size_t)len);
}

static void on_closed(hio_t *io)
{
    member_t *m = hevent_userdata(io);
    broker_t *b = m->broker;
    bool over = hio_error(io) == -ECANCELED;

    hlist_remove(&m->link);
    b->count--;
    if (!over) {
        if (m->line_len > 0) {
            flush_line(b, m);
            give_text(b, m);
        }
        if (m->present)
            announce_departure(b, m);
        end_patience(m);
        input_hold(&b->input, b->full > 0 || b->count == 0);
    }
    hmem_free(m);
}

static void on_input_data(input_t *input, pump_buffer_t *buffer, const char *data, size_t len)
{
    broker_t *b = HLIST_ENTRY(input, broker_t, input);

    (void)buffer;
    dump_data(b->hnc->dump, DUMP_SENT, data, len);
    pass_on(b, &b->operator, data, len);
}

static void on_input_event(input_t *input)
{
    broker_t *b = HLIST_ENTRY(input, broker_t, input);

    if (b->operator.line_len> 0) {
        flush_line(b, &b->operator);
        give_text(b, NULL);
    }
}

/* ---- for listen ------------------------------------------------------------------------------ */

broker_t *broker_new(hnc_t *hnc)
{
    broker_t *b = hmem_zalloc(sizeof(*b));

    if (!b) {
        hnc_say("%s", herr_str(-ENOMEM));
        return NULL;
    }
    b->hnc = hnc;
    hlist_init(&b->members);
    b->operator.broker = b;
    b->operator.number = OPERATOR;
    input_init(&b->input, hnc);
    b->input.data_cb = on_input_data;
    b->input.ended_cb = on_input_event;
    b->input.settled_cb = on_input_event;
    return b;
}

static int prepare(member_t *m)
{
    const options_t *o = &m->broker->hnc->options;
    int err = hio_set_watermarks(m->io, QUEUE_LOW, QUEUE_HIGH, QUEUE_MAX);

    if (err == 0)
        err = hio_setcb_drained(m->io, on_drained);
    if (err < 0)
        return err;
    hevent_set_userdata(m->io, m);
    hio_setcb_connect(m->io, NULL);
    hio_setcb_read(m->io, on_data);
    hio_setcb_close(m->io, on_closed);
    if (o->idle_ms != HNC_NO_TIME)
        hio_set_keepalive_timeout(m->io, o->idle_ms > INT32_MAX ? INT32_MAX : (int)o->idle_ms);
    return 0;
}

void broker_add(broker_t *b, hio_t *io)
{
    member_t *m = hmem_zalloc(sizeof(*m));
    const struct sockaddr *peer = hio_peeraddr(io);
    int err = -ENOMEM;

    if (m) {
        m->broker = b;
        m->io = io;
        err = prepare(m);
    }
    if (err < 0) {
        hnc_say("%s", herr_str(err));
        hmem_free(m);
        hio_abort(io, err);
        return;
    }
    m->number = ++b->last_number;
    if (peer && peer->sa_family != AF_UNIX && peer->sa_family != AF_UNSPEC)
        haddr_ip(peer, m->host, sizeof(m->host));
    else
        hstr_copy(m->host, sizeof(m->host), "localhost");
    hlist_push_back(&b->members, &m->link);
    b->count++;
    if (b->hnc->options.chat)
        announce_arrival(b, m);
    update_reading(b);
    input_open(&b->input);
}

size_t broker_count(const broker_t *b)
{
    return b->count;
}

void broker_free(broker_t *b)
{
    if (!b)
        return;
    input_deinit(&b->input);
    hbytes_deinit(&b->text);
    hmem_free(b);
}
