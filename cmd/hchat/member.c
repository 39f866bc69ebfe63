#include "member.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <inttypes.h>
#include <string.h>

/* What is read is looked at in slices: telnet's answers to one are on the stack. */
#define SLICE 4096

static member_t *member_of(const hio_t *io)
{
    return hevent_userdata(io);
}

static member_t *member_of_person(person_t *person)
{
    return HLIST_ENTRY(person, member_t, person);
}

/* ---- what he is told ------------------------------------------------------------------------- */

static void drop_counted(member_t *m, const char *word, const char *cause)
{
    if (m->state == MEMBER_GONE)
        return;
    m->server->counts.dropped++;
    member_drop(m, word, cause);
}

static void sent(member_t *m, int rc)
{
    if (rc == HERR_QUEUE_FULL)
        drop_counted(m, NULL, "reads too slowly");
    else if (rc == -ENOMEM)
        drop_counted(m, NULL, "out of memory");
    else if (rc >= 0 && hio_write_above_high(m->io) && !hlist_linked(&m->slow.link))
        deadline_set(&m->server->slow, &m->slow);
}

static bool is_full(const member_t *m, size_t len)
{
    return hio_write_bufsize(m->io) + len > m->server->options->queue_max;
}

/* Who goes on not to read still finds the word, later, behind what the kernel has for him. */
static void drop_slow(member_t *m)
{
    hio_set_last_word(m->io, "\n* you read too slowly: good bye\n");
    drop_counted(m, "* you read too slowly: good bye\n", "reads too slowly");
}

void member_tell(person_t *person, const char *data, size_t len)
{
    member_t *m = member_of_person(person);

    if (m->state == MEMBER_GONE)
        return;
    if (is_full(m, len))
        drop_slow(m);
    else
        sent(m, hio_write(m->io, data, len));
}

void member_give(person_t *person, chunk_t *chunk, size_t from)
{
    member_t *m = member_of_person(person);
    size_t len = chunk->len - from;
    int rc;

    if (m->state == MEMBER_GONE)
        return;
    if (is_full(m, len)) {
        drop_slow(m);
        return;
    }
    rc = hio_write_nocopy(m->io, chunk->data + from, len, chunk_release, chunk_ref(chunk));
    if (rc < 0)
        chunk_unref(chunk);
    sent(m, rc);
}

static void say(member_t *m, const char *text)
{
    member_tell(&m->person, text, strlen(text));
}

static void on_drained(hio_t *io)
{
    deadline_clear(&member_of(io)->slow);
}

/* ---- going ----------------------------------------------------------------------------------- */

void member_drop(member_t *m, const char *word, const char *cause)
{
    if (m->state == MEMBER_GONE)
        return;
    m->state = MEMBER_GONE;
    m->cause = cause;
    deadline_clear(&m->idle);
    deadline_clear(&m->slow);
    if (word)
        hio_write(m->io, word, strlen(word)); /* behind what he has not read yet */
    hio_set_close_timeout(m->io, MEMBER_FAREWELL_MS);
    hio_close(m->io);
    hlist_push_back(&m->server->gone, &m->gone_link);
    server_wake(m->server);
}

static void leave_hall(member_t *m, const char *why)
{
    why = why ? why : "";
    hlist_remove(&m->gone_link);
    hall_leave(&m->server->hall, &m->person, why, strlen(why));
}

void member_bury_all(server_t *server)
{
    while (!hlist_empty(&server->gone)) {
        member_t *m = HLIST_ENTRY(server->gone.next, member_t, gone_link);

        leave_hall(m, m->cause);
    }
}

static const char *cause_of(const member_t *m, char *buf, size_t size)
{
    int err = hio_error(m->io);

    if (m->cause)
        return m->cause;
    if (htls_error(m->io, buf, size)[0])
        return buf;
    return err ? herr_str(err) : "end of data";
}

static void report_end(const member_t *m)
{
    char buf[HTLS_ERROR_SIZE];
    const char *cause = cause_of(m, buf, sizeof(buf));
    uint64_t duration_us = hloop_now_hrtime(m->server->loop) - m->since_us;
    const hreport_field_t fields[] = {
        {.key = "peer", .text = m->peer},
        {.key = "name", .text = m->person.name},
        {.key = "cause", .text = cause},
        {.key = "lines", .number = m->lines},
        {.key = "bytes_in", .number = m->bytes_in},
        {.key = "duration_s", .number = duration_us, .decimals = 6},
        {0},
    };

    hreport_event(&m->server->report, "close", fields,
                  "%s (%s) closed: %s, %" PRIu64 " lines, %" PRIu64 " bytes in, %.3f s", m->peer,
                  m->person.name[0] ? m->person.name : "-", cause, m->lines, m->bytes_in,
                  (double)duration_us / 1e6);
}

static void on_close(hio_t *io)
{
    member_t *m = member_of(io);
    server_t *server = m->server;
    bool lost = m->state != MEMBER_GONE && hio_error(io) && hio_error(io) != HERR_TRUNCATED;

    m->state = MEMBER_GONE;
    deadline_clear(&m->idle);
    deadline_clear(&m->slow);
    leave_hall(m, lost ? "connection lost" : m->cause);
    if (server->options->verbose > 0)
        report_end(m);
    hlist_remove(&m->link);
    line_deinit(&m->line);
    hmem_free(m);
    server_release(server);
}

void member_on_idle(deadline_t *deadline)
{
    drop_counted(HLIST_ENTRY(deadline, member_t, idle),
                 "* you have been silent for too long: good bye\n", "silent for too long");
}

void member_on_login(deadline_t *deadline)
{
    drop_counted(HLIST_ENTRY(deadline, member_t, idle), "* that took too long: good bye\n",
                 "no password in time");
}

void member_on_slow(deadline_t *deadline)
{
    drop_slow(HLIST_ENTRY(deadline, member_t, slow));
}

void member_close_all(server_t *server, bool force)
{
    static const char word[] = "* server is shutting down\n";
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &server->members) {
        member_t *m = HLIST_ENTRY(node, member_t, link);

        if (force) {
            hio_abort(m->io, -ECANCELED);
            continue;
        }
        if (m->state != MEMBER_GONE)
            hio_set_last_word(m->io, "\n* server is shutting down\n");
        member_drop(m, m->person.room || m->state == MEMBER_HANDSHAKE ? NULL : word,
                    "server is shutting down");
    }
}

/* ---- what he says ---------------------------------------------------------------------------- */

static void enter(member_t *m)
{
    server_t *server = m->server;

    m->state = MEMBER_PRESENT;
    deadline_set(&server->idle, &m->idle);
    say(m, "* welcome to hchat: /help tells what there is\n");
    if (server->motd.len > 0)
        member_tell(&m->person, server->motd.data, server->motd.len);
    hall_welcome(&server->hall, &m->person);
    if (!link_is_reachable(server->link))
        say(m, "* other servers cannot be reached\n");
}

static void take_password(member_t *m, hbuf_t line)
{
    char given[SERVER_PASSWORD_SIZE] = "";

    if (line.len < sizeof(given))
        memcpy(given, line.base, line.len);
    if (hstr_same_secret(given, m->server->password)) {
        deadline_clear(&m->idle);
        enter(m);
        return;
    }
    if (m->server->options->verbose > 0) {
        const hreport_field_t fields[] = {{.key = "peer", .text = m->peer}, {0}};

        hreport_event(&m->server->report, "password", fields, "%s gave a wrong password", m->peer);
    }
    if (++m->tries >= MEMBER_PASSWORD_TRIES)
        drop_counted(m, "* wrong password: good bye\n", "wrong password");
    else
        say(m, "* wrong password\npassword: ");
}

/* Whether the line may be looked at. */
static bool is_in_time(member_t *m)
{
    const hchat_options_t *o = m->server->options;

    switch (flood_take(&m->flood, hloop_now_hrtime(m->server->loop), o->rate, o->burst)) {
    case FLOOD_PASS:
        return true;
    case FLOOD_WARN:
        say(m, "* you write too fast: that was not passed on\n");
        return false;
    case FLOOD_DROP:
        return false;
    case FLOOD_OUT:
        drop_counted(m, "* you write too fast: good bye\n", "writes too fast");
        return false;
    }
    return false;
}

static void take_line(member_t *m, int what, hbuf_t line)
{
    m->lines++;
    if (!is_in_time(m))
        return;
    if (what == LINE_LONG)
        hall_tell(&m->server->hall, &m->person,
                  "* that line has more than %zu bytes: it was not passed on\n",
                  m->server->options->line_max);
    else if (m->state == MEMBER_PASSWORD)
        take_password(m, line);
    else
        talk_take(m, line);
}

static void take_lines(member_t *m, char *data, size_t len)
{
    hbuf_t input = {data, len}, line;

    while (m->state != MEMBER_GONE) {
        int what = line_next(&m->line, m->server->options->line_max, &input, &line);

        if (what == LINE_NONE)
            return;
        if (what < 0)
            drop_counted(m, NULL, "out of memory");
        else if (what == LINE_ENDLESS)
            drop_counted(m, "* a line without an end: good bye\n", "a line without an end");
        else
            take_line(m, what, line);
    }
}

static void take_slice(member_t *m, char *data, size_t len)
{
    char answers[TELNET_ANSWERS_SIZE(SLICE)];
    size_t answers_len = 0, kept = len;

    if (m->telnet.state != TELNET_DATA || memchr(data, 0xFF, len))
        kept = telnet_receive(&m->telnet, data, len, answers, &answers_len);
    if (answers_len > 0)
        member_tell(&m->person, answers, answers_len);
    line_count(&m->line, len - kept);
    take_lines(m, data, kept);
}

static void on_read(hio_t *io, void *buf, int len)
{
    member_t *m = member_of(io);
    char *data = buf;

    m->bytes_in += (uint64_t)len;
    if (m->state == MEMBER_PRESENT)
        deadline_set(&m->server->idle, &m->idle);
    hio_cork(io);
    for (size_t left = (size_t)len; left > 0 && m->state != MEMBER_GONE;) {
        size_t n = left < SLICE ? left : SLICE;

        take_slice(m, data, n);
        data += n;
        left -= n;
    }
    hio_uncork(io);
}

/* A last line need not have an end; and who has no more to say may still want his answers. */
static void on_eof(hio_t *io)
{
    member_t *m = member_of(io);
    char end[] = "\n";

    if (m->line.held.len > 0 && m->state != MEMBER_GONE)
        take_lines(m, end, 1);
    room_sync(&m->person);
    member_drop(m, NULL, NULL);
}

/* ---- coming ---------------------------------------------------------------------------------- */

static void begin(member_t *m)
{
    if (m->server->password[0]) {
        m->state = MEMBER_PASSWORD;
        deadline_set(&m->server->login, &m->idle);
        say(m, "password: ");
    } else {
        enter(m);
    }
    hio_read(m->io);
}

static void on_secure(hio_t *io)
{
    begin(member_of(io));
}

static int prepare(member_t *m, bool with_tls)
{
    const hchat_options_t *o = m->server->options;
    size_t high = o->queue_max / 4 < MEMBER_QUEUE_HIGH ? o->queue_max / 4 : MEMBER_QUEUE_HIGH;
    int err;

    /* The hard bound is ours (is_full): a last word has to fit behind it. */
    err = hio_set_watermarks(m->io, high / 4, high, o->queue_max + SLICE);
    if (!err)
        err = hio_setcb_drained(m->io, on_drained);
    if (!err)
        err = hio_setcb_eof(m->io, on_eof);
    if (!err && with_tls)
        err = htls_server(m->io, m->server->tls);
    if (err)
        return err;
    hevent_set_userdata(m->io, m);
    hio_setcb_read(m->io, on_read);
    hio_setcb_connect(m->io, on_secure);
    hio_setcb_close(m->io, on_close);
    return 0;
}

member_t *member_new(const listener_t *listener, hio_t *io)
{
    server_t *server = listener->server;
    member_t *m = hmem_zalloc(sizeof(*m));

    if (!m)
        return NULL;
    m->server = server;
    m->io = io;
    if (prepare(m, listener->endpoint.scheme == HENDPOINT_TLS) < 0) {
        hmem_free(m);
        return NULL;
    }
    m->since_us = hloop_now_hrtime(server->loop);
    hlist_push_back(&server->members, &m->link);
    server->members_n++;
    server->counts.connections++;
    return m;
}

void member_begin(member_t *m)
{
    if (!htls_is_tls(m->io))
        begin(m);
}
