/* Two redis_conn: `in` subscribes, `out` publishes. It is connected when both are ready and every
 * channel has been confirmed. What is published goes through one queue, so that the order stays,
 * and from there out as far as the connection takes it. */
#include "redis_pubsub.h"

#include "../base/hlist.h"
#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../base/htime.h"
#include "redis_conn_int.h"

#include <stdio.h>
#include <string.h>

typedef struct channel_s {
    hlist_t link;
    bool is_pattern;
    bool confirmed;
    char name[REDIS_PUBSUB_CHANNEL_MAX + 1];
} channel_t;

/* A command that waits. */
typedef struct waiting_s {
    hlist_t link;
    uint64_t since_ns;
    hbytes_t command;
} waiting_t;

struct redis_pubsub_s {
    hloop_t *loop;
    redis_pubsub_options_t options;
    redis_url_t url;
    htls_ctx_t *tls;
    redis_conn_t *in, *out;
    hlist_t channels;
    size_t channel_count, unconfirmed;
    hlist_t queue;
    size_t queue_count, queue_bytes;
    uint64_t under_way; /* published, and not answered */
    uint64_t lost;
    bool connected;
    char why[REDIS_PUBSUB_WHY_SIZE]; /* as last told */
};

static channel_t *channel_of(hlist_t *node)
{
    return HLIST_ENTRY(node, channel_t, link);
}

static waiting_t *waiting_of(hlist_t *node)
{
    return HLIST_ENTRY(node, waiting_t, link);
}

/* ---- the queue ------------------------------------------------------------------------------- */

static void drop_first(redis_pubsub_t *ps)
{
    waiting_t *first = waiting_of(hlist_pop_front(&ps->queue));

    ps->queue_count--;
    ps->queue_bytes -= first->command.len;
    hbytes_deinit(&first->command);
    hmem_free(first);
}

/* What has waited for too long, and what there is no room for. */
static void drop_old(redis_pubsub_t *ps)
{
    uint64_t now_ns = htime_monotonic_ns();
    uint64_t keep_ns = (uint64_t)ps->options.keep_ms * HTIME_NS_PER_MS;

    while (!hlist_empty(&ps->queue) && (ps->queue_count > ps->options.queue_max ||
                                        ps->queue_bytes > ps->options.queue_bytes_max ||
                                        now_ns - waiting_of(ps->queue.next)->since_ns > keep_ns)) {
        drop_first(ps);
        ps->lost++;
    }
}

/* A command that cannot be written now waits for the next connection. */
static void flush(redis_pubsub_t *ps)
{
    drop_old(ps);
    while (ps->connected && !hlist_empty(&ps->queue) && redis__conn_is_ready(ps->out) &&
           !redis__conn_is_full(ps->out)) {
        if (redis__conn_send(ps->out, &waiting_of(ps->queue.next)->command) < 0)
            break;
        ps->under_way++;
        drop_first(ps);
    }
}

/* ---- the state ------------------------------------------------------------------------------- */

static void tell(redis_pubsub_t *ps)
{
    redis_pubsub_state_e state = ps->connected ? REDIS_PUBSUB_CONNECTED : REDIS_PUBSUB_LOST;

    if (ps->options.state_cb)
        ps->options.state_cb(ps, state, ps->why, ps->options.arg);
}

static void check_connected(redis_pubsub_t *ps)
{
    if (ps->connected || ps->unconfirmed > 0 || !redis__conn_is_ready(ps->in) ||
        !redis__conn_is_ready(ps->out))
        return;
    ps->connected = true;
    ps->why[0] = '\0';
    flush(ps);
    tell(ps);
}

static void on_lost(redis_conn_t *conn, const char *why, void *arg)
{
    redis_pubsub_t *ps = arg;
    char server[REDIS_URL_FORMAT_SIZE], text[REDIS_PUBSUB_WHY_SIZE];
    bool was_connected = ps->connected;

    if (conn == ps->out) {
        ps->lost += ps->under_way;
        ps->under_way = 0;
    }
    ps->connected = false;
    snprintf(text, sizeof(text), "%s: %s", redis_url_format(&ps->url, server, sizeof(server)), why);
    if (!was_connected && strcmp(text, ps->why) == 0)
        return;
    hstr_copy(ps->why, sizeof(ps->why), text);
    tell(ps);
}

/* ---- publishing ------------------------------------------------------------------------------ */

static void on_out_ready(redis_conn_t *conn, void *arg)
{
    (void)conn;
    check_connected(arg);
}

/* How many have got it is nobody's business: who is not connected gets nothing. */
static void on_out_reply(redis_conn_t *conn, const redis_reply_t *reply, void *arg)
{
    redis_pubsub_t *ps = arg;

    if (reply->type == REDIS_ERROR)
        redis__conn_refused(conn, reply);
    else if (ps->under_way > 0)
        ps->under_way--;
}

static void on_drained(redis_conn_t *conn, void *arg)
{
    redis_pubsub_t *ps = arg;

    if (conn == ps->out)
        flush(ps);
}

static bool is_channel(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= REDIS_PUBSUB_CHANNEL_MAX;
}

int redis_pubsub_publish(redis_pubsub_t *ps, const char *channel, const void *data, size_t len)
{
    const hbuf_t words[] = {
        {(char *)"PUBLISH", 7}, {(char *)channel, strlen(channel)}, {(char *)data, len}};
    waiting_t *waiting;
    int err;

    if (!is_channel(channel))
        return -EINVAL;
    if (len > REDIS_PUBSUB_MESSAGE_MAX)
        return -EMSGSIZE;
    waiting = hmem_zalloc(sizeof(*waiting));
    if (!waiting)
        return -ENOMEM;
    err = redis_command(&waiting->command, words, 3);
    if (err < 0) {
        hbytes_deinit(&waiting->command);
        hmem_free(waiting);
        return err;
    }
    waiting->since_ns = htime_monotonic_ns();
    hlist_push_back(&ps->queue, &waiting->link);
    ps->queue_count++;
    ps->queue_bytes += waiting->command.len;
    flush(ps);
    return 0;
}

/* ---- subscribing ----------------------------------------------------------------------------- */

/* What is not sent now is asked for when the connection is ready. */
static void ask(redis_pubsub_t *ps, channel_t *channel)
{
    const char *verb = channel->is_pattern ? "PSUBSCRIBE" : "SUBSCRIBE";
    const hbuf_t words[] = {{(char *)verb, strlen(verb)}, {channel->name, strlen(channel->name)}};
    hbytes_t command = {0};
    int err;

    if (channel->confirmed)
        ps->unconfirmed++;
    channel->confirmed = false;
    if (!redis__conn_is_ready(ps->in))
        return;
    err = redis_command(&command, words, 2);
    if (err == 0)
        err = redis__conn_send(ps->in, &command);
    if (err < 0)
        redis__conn_end(ps->in, err);
    hbytes_deinit(&command);
}

static void on_in_ready(redis_conn_t *conn, void *arg)
{
    redis_pubsub_t *ps = arg;
    hlist_t *node, *tmp;

    (void)conn;
    HLIST_FOREACH (node, tmp, &ps->channels)
        ask(ps, channel_of(node));
    check_connected(ps);
}

static void confirm(redis_pubsub_t *ps, const redis_reply_t *name, bool is_pattern)
{
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &ps->channels) {
        channel_t *channel = channel_of(node);

        if (!channel->confirmed && channel->is_pattern == is_pattern &&
            redis_reply_is(name, REDIS_STRING, channel->name)) {
            channel->confirmed = true;
            ps->unconfirmed--;
        }
    }
    check_connected(ps);
}

static void give_message(redis_pubsub_t *ps, const redis_reply_t *channel,
                         const redis_reply_t *message)
{
    if (channel->type == REDIS_STRING && message->type == REDIS_STRING)
        ps->options.message_cb(ps, (hbuf_t){(char *)channel->text, channel->len},
                               (hbuf_t){(char *)message->text, message->len}, ps->options.arg);
}

/* What is neither of these has no meaning to us. */
static void on_in_reply(redis_conn_t *conn, const redis_reply_t *reply, void *arg)
{
    redis_pubsub_t *ps = arg;
    redis_reply_t *const *items = reply->items;

    if (reply->type == REDIS_ERROR)
        redis__conn_refused(conn, reply);
    else if (reply->type != REDIS_ARRAY || reply->count < 3)
        return;
    else if (reply->count == 3 && redis_reply_is(items[0], REDIS_STRING, "message"))
        give_message(ps, items[1], items[2]);
    else if (reply->count == 4 && redis_reply_is(items[0], REDIS_STRING, "pmessage"))
        give_message(ps, items[2], items[3]);
    else if (redis_reply_is(items[0], REDIS_STRING, "subscribe"))
        confirm(ps, items[1], false);
    else if (redis_reply_is(items[0], REDIS_STRING, "psubscribe"))
        confirm(ps, items[1], true);
}

static int subscribe(redis_pubsub_t *ps, const char *name, bool is_pattern)
{
    channel_t *channel;
    hlist_t *node, *tmp;

    if (!is_channel(name))
        return -EINVAL;
    HLIST_FOREACH (node, tmp, &ps->channels) {
        if (channel_of(node)->is_pattern == is_pattern && strcmp(channel_of(node)->name, name) == 0)
            return 0;
    }
    if (ps->channel_count == REDIS_PUBSUB_CHANNELS_MAX)
        return -ENOBUFS;
    channel = hmem_zalloc(sizeof(*channel));
    if (!channel)
        return -ENOMEM;
    channel->is_pattern = is_pattern;
    hstr_copy(channel->name, sizeof(channel->name), name);
    hlist_push_back(&ps->channels, &channel->link);
    ps->channel_count++;
    ps->unconfirmed++;
    ask(ps, channel);
    return 0;
}

int redis_pubsub_subscribe(redis_pubsub_t *ps, const char *channel)
{
    return subscribe(ps, channel, false);
}

int redis_pubsub_psubscribe(redis_pubsub_t *ps, const char *pattern)
{
    return subscribe(ps, pattern, true);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void fill_in(redis_pubsub_options_t *options)
{
    struct {
        int *value, standard;
    } times[] = {{&options->timeout_ms, REDIS_PUBSUB_TIMEOUT_MS},
                 {&options->ping_ms, REDIS_PUBSUB_PING_MS},
                 {&options->delay_min_ms, REDIS_PUBSUB_DELAY_MIN_MS},
                 {&options->delay_max_ms, REDIS_PUBSUB_DELAY_MAX_MS},
                 {&options->keep_ms, REDIS_PUBSUB_KEEP_MS}};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (*times[i].value <= 0)
            *times[i].value = times[i].standard;
    }
    if (options->queue_max == 0)
        options->queue_max = REDIS_PUBSUB_QUEUE_MAX;
    if (options->queue_bytes_max == 0)
        options->queue_bytes_max = REDIS_PUBSUB_QUEUE_BYTES_MAX;
}

static int make_tls(redis_pubsub_t *ps, char *error, size_t size)
{
    const htls_options_t standard = {0};

    if (ps->url.endpoint.scheme != HENDPOINT_TLS)
        return 0;
    if (!ps->options.tls)
        return htls_ctx_new(&standard, &ps->tls, error, size);
    ps->tls = htls_ctx_ref(ps->options.tls);
    return 0;
}

static int make_connections(redis_pubsub_t *ps)
{
    redis_conn_callbacks_t callbacks = {.ready = on_in_ready,
                                        .reply = on_in_reply,
                                        .drained = on_drained,
                                        .lost = on_lost,
                                        .arg = ps};
    int err = redis__conn_new(ps->loop, &ps->options, ps->tls, &callbacks, &ps->in);

    if (err < 0)
        return err;
    callbacks.ready = on_out_ready;
    callbacks.reply = on_out_reply;
    return redis__conn_new(ps->loop, &ps->options, ps->tls, &callbacks, &ps->out);
}

int redis_pubsub_new(hloop_t *loop, const redis_pubsub_options_t *options, redis_pubsub_t **out,
                     char *error, size_t error_size)
{
    const char *why_not = redis_why_not();
    redis_pubsub_t *ps;
    int err;

    if (why_not) {
        snprintf(error, error_size, "hiredis: %s", why_not);
        return HERR_UNSUPPORTED;
    }
    hstr_copy(error, error_size, herr_str(-EINVAL));
    if (!options->url || !options->message_cb)
        return -EINVAL;
    hstr_copy(error, error_size, herr_str(-ENOMEM));
    ps = hmem_zalloc(sizeof(*ps));
    if (!ps)
        return -ENOMEM;
    ps->loop = loop;
    ps->url = *options->url;
    ps->options = *options;
    ps->options.url = &ps->url;
    fill_in(&ps->options);
    hlist_init(&ps->channels);
    hlist_init(&ps->queue);
    err = make_tls(ps, error, error_size);
    if (err == 0)
        err = make_connections(ps);
    if (err < 0) {
        redis_pubsub_free(ps);
        return err;
    }
    error[0] = '\0';
    *out = ps;
    return 0;
}

void redis_pubsub_free(redis_pubsub_t *ps)
{
    if (!ps)
        return;
    redis__conn_free(ps->in);
    redis__conn_free(ps->out);
    while (!hlist_empty(&ps->queue))
        drop_first(ps);
    while (!hlist_empty(&ps->channels))
        hmem_free(channel_of(hlist_pop_front(&ps->channels)));
    htls_ctx_free(ps->tls);
    explicit_bzero(&ps->url, sizeof(ps->url));
    hmem_free(ps);
}

bool redis_pubsub_is_connected(const redis_pubsub_t *ps)
{
    return ps->connected;
}

uint64_t redis_pubsub_lost(const redis_pubsub_t *ps)
{
    return ps->lost;
}
