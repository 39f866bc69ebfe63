#include "link.h"

#include "app/hsecret.h"
#include "base/herr.h"
#include "base/hlist.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "event/htimer.h"
#include "flood.h"
#include "proto/redis_pubsub.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define CHANNEL "hchat"
#define TICKS 15         /* in the time that a server may be silent */
#define TELL_MS 50       /* many may ask at once; they are all answered by one telling */
#define NAME_MAX_HERE 20 /* bytes of a host's name */

/* Another server. */
typedef struct peer_s {
    hlist_t link;
    uint64_t heard_ms;
    char name[EVENT_SERVER_SIZE];
} peer_t;

struct link_s {
    hloop_t *loop;
    link_callbacks_t callbacks;
    redis_pubsub_t *pubsub;
    htimer_t *tick, *tell;
    hlist_t servers;
    size_t server_count;
    hbytes_t json, text;
    uint32_t silent_ms;
    uint64_t said_ms, hello_ms; /* when; 0: never */
    uint64_t heard_ms;          /* when anything came through the channel, our own words too */
    flood_t flood;
    uint64_t dropped, lost; /* events too many from others; of ours, as last told */
    bool unreachable;       /* our people were told so */
    char channel[REDIS_PUBSUB_CHANNEL_MAX + 1];
    char server[EVENT_SERVER_SIZE];
};

const hopt_t link_rows[] = {
    HOPT_GROUP("Several servers"),
    HOPT_STRING(0, "broker", link_options_t, broker,
                "share the rooms with all servers that use the Redis server at URL: "
                "redis://[[user:]password@]host[:port], rediss://..., or unix:/path",
                .arg_name = "URL", .filled = true, .secret = true),
    HOPT_STRING(0, "broker-password", link_options_t, broker_password,
                "the password is in SOURCE, file:PATH or env:NAME, and not in the URL, which "
                "everybody here can see for a moment",
                .arg_name = "SOURCE", .filled = true),
    HOPT_STRING(0, "broker-prefix", link_options_t, broker_prefix,
                "... and the same NAME (hchat), which is the channel's", .arg_name = "NAME",
                .filled = true),
    HOPT_STRING(0, "broker-ca", link_options_t, broker_ca,
                "trust the certificates in FILE (PEM) for rediss://", .arg_name = "FILE",
                .filled = true),
    HOPT_FLAG(0, "broker-insecure", link_options_t, broker_insecure,
              "take any certificate for rediss://"),
    HOPT_SPAN(0, "broker-timeout", link_options_t, broker_timeout_ms,
              "a server that is not heard of for TIME (15s) is gone, and its people with it"),
    HOPT_STRING(0, "server-name", link_options_t, server,
                "what this server's name begins with, as the others know it (the host's name)",
                .arg_name = "NAME", .filled = true),
    HOPT_END,
};

static peer_t *peer_of(hlist_t *node)
{
    return HLIST_ENTRY(node, peer_t, link);
}

static uint64_t now_ms(void)
{
    return htime_monotonic_ns() / HTIME_NS_PER_MS;
}

static void note(link_t *link, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(link_t *link, const char *fmt, ...)
{
    char text[REDIS_PUBSUB_WHY_SIZE + 64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (link->callbacks.on_note)
        link->callbacks.on_note(text, link->callbacks.userdata);
}

/* ---- what we say ----------------------------------------------------------------------------- */

void link_publish(link_t *link, const event_t *event)
{
    event_t ours;
    int err;

    if (!link)
        return;
    ours = *event;
    hstr_copy(ours.server, sizeof(ours.server), link->server);
    hbytes_clear(&link->json);
    err = event_write(&ours, &link->json);
    if (err == 0)
        err = redis_pubsub_publish(link->pubsub, link->channel, link->json.data, link->json.len);
    if (err < 0)
        note(link, "broker: an event is lost: %s", herr_str(err));
}

static void say(link_t *link, event_kind_e kind)
{
    const event_t event = {.kind = kind, .time_ms = hloop_now_ms(link->loop), .text = ""};

    link->said_ms = now_ms();
    link_publish(link, &event);
}

/* Who is here, for whoever wants to know. */
static void tell_all(link_t *link)
{
    if (link->callbacks.on_asked)
        link->callbacks.on_asked(link->callbacks.userdata);
    say(link, EVENT_TOLD);
}

static void on_tell(htimer_t *timer)
{
    link_t *link = hevent_userdata(timer);

    link->tell = NULL;
    tell_all(link);
}

static void tell_soon(link_t *link)
{
    if (link->tell)
        return;
    link->tell = htimer_add(link->loop, on_tell, TELL_MS, 1);
    if (link->tell)
        hevent_set_userdata(link->tell, link);
    else
        tell_all(link);
}

/* What they tell is for everybody. */
static void ask_all(link_t *link)
{
    link->hello_ms = now_ms();
    say(link, EVENT_HELLO);
}

/* ---- the other servers ----------------------------------------------------------------------- */

static peer_t *find_server(const link_t *link, const char *name)
{
    for (hlist_t *node = link->servers.next; node != &link->servers; node = node->next) {
        if (strcmp(peer_of(node)->name, name) == 0)
            return peer_of(node);
    }
    return NULL;
}

static void forget_server(link_t *link, peer_t *server, const char *why)
{
    char name[EVENT_SERVER_SIZE];

    hstr_copy(name, sizeof(name), server->name);
    hlist_remove(&server->link);
    hmem_free(server);
    link->server_count--;
    note(link, "server %s %s", name, why);
    if (link->callbacks.on_server_gone)
        link->callbacks.on_server_gone(name, link->callbacks.userdata);
}

/* NULL: there are too many, or no memory. */
static peer_t *add_server(link_t *link, const char *name)
{
    peer_t *server = NULL;

    if (link->server_count < LINK_SERVERS_MAX)
        server = hmem_zalloc(sizeof(*server));
    if (!server) {
        link->dropped++;
        return NULL;
    }
    hstr_copy(server->name, sizeof(server->name), name);
    hlist_push_back(&link->servers, &server->link);
    link->server_count++;
    note(link, "server %s has come", name);
    return server;
}

/* A server of which we have not heard the hello is asked; so is one that was taken for gone. */
static peer_t *heard(link_t *link, const event_t *event)
{
    peer_t *server = find_server(link, event->server);

    if (!server && event->kind == EVENT_BYE)
        return NULL;
    if (!server) {
        server = add_server(link, event->server);
        if (server && event->kind != EVENT_HELLO && event->kind != EVENT_HERE &&
            event->kind != EVENT_TOLD && now_ms() - link->hello_ms >= link->silent_ms / 3)
            ask_all(link);
    } else if (event->kind == EVENT_HELLO && link->callbacks.on_server_again) {
        link->callbacks.on_server_again(server->name, link->callbacks.userdata);
    }
    if (server)
        server->heard_ms = now_ms();
    return server;
}

static void take(link_t *link, const event_t *event)
{
    peer_t *server = heard(link, event);

    if (!server)
        return;
    switch (event->kind) {
    case EVENT_HELLO:
        tell_soon(link);
        break;
    case EVENT_TOLD:
        if (link->callbacks.on_server_told)
            link->callbacks.on_server_told(server->name, link->callbacks.userdata);
        break;
    case EVENT_ALIVE:
        break;
    case EVENT_BYE:
        forget_server(link, server, "has gone");
        break;
    default:
        link->callbacks.on_event(event, link->callbacks.userdata);
        break;
    }
}

/* For a while nobody could be heard, and nobody is to blame. */
static void forgive_all(link_t *link)
{
    for (hlist_t *node = link->servers.next; node != &link->servers; node = node->next)
        peer_of(node)->heard_ms = now_ms();
}

/* Our own words come back as well, LINK_SILENT_MS / 3 apart: without them the broker is stuck, or
 * we were. */
static bool is_deaf(const link_t *link)
{
    return now_ms() - link->heard_ms >= 2 * link->silent_ms / 3;
}

static void on_message(redis_pubsub_t *ps, hbuf_t channel, hbuf_t message, void *arg)
{
    link_t *link = arg;
    event_t event;

    (void)ps;
    (void)channel;
    if (is_deaf(link))
        forgive_all(link);
    link->heard_ms = now_ms();
    if (flood_take(&link->flood, now_ms() * 1000, LINK_EVENTS_PER_S, LINK_EVENTS_BURST) !=
            FLOOD_PASS ||
        event_read(&event, message.base, message.len, &link->text) < 0)
        link->dropped++;
    else if (strcmp(event.server, link->server) != 0)
        take(link, &event);
}

/* ---- the broker ------------------------------------------------------------------------------ */

static void reach(link_t *link, bool reachable)
{
    if (link->unreachable == !reachable)
        return;
    link->unreachable = !reachable;
    if (link->callbacks.on_reach)
        link->callbacks.on_reach(reachable, link->callbacks.userdata);
}

/* Both sides may have missed something: everybody tells anew who is there. */
static void begin_again(link_t *link)
{
    uint64_t lost = redis_pubsub_lost(link->pubsub);
    hlist_t *node, *tmp;

    if (lost > link->lost)
        note(link, "broker: %llu events were lost", (unsigned long long)(lost - link->lost));
    link->lost = lost;
    forgive_all(link);
    HLIST_FOREACH (node, tmp, &link->servers) {
        if (link->callbacks.on_server_again)
            link->callbacks.on_server_again(peer_of(node)->name, link->callbacks.userdata);
    }
    ask_all(link);
    tell_all(link);
}

static void on_state(redis_pubsub_t *ps, redis_pubsub_state_e state, const char *why, void *arg)
{
    link_t *link = arg;

    (void)ps;
    if (state == REDIS_PUBSUB_LOST) {
        note(link, "broker: %s", why);
        if (!link->unreachable)
            forgive_all(link);
        reach(link, false);
        return;
    }
    note(link, "broker: connected, this is server %s", link->server);
    begin_again(link);
    reach(link, true);
}

static void on_tick(htimer_t *timer)
{
    link_t *link = hevent_userdata(timer);
    bool connected = redis_pubsub_is_connected(link->pubsub);
    uint64_t now = now_ms();
    hlist_t *node, *tmp;

    HLIST_FOREACH (node, tmp, &link->servers) {
        if (now - peer_of(node)->heard_ms >= link->silent_ms && !(connected && is_deaf(link)))
            forget_server(link, peer_of(node), "is silent: it is gone");
    }
    if (link->dropped > 0)
        note(link, "broker: %llu messages that are no events, or too many",
             (unsigned long long)link->dropped);
    link->dropped = 0;
    if (connected && now - link->said_ms >= link->silent_ms / 3)
        say(link, EVENT_ALIVE);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int check(const link_options_t *o, redis_url_t *url, char *why, size_t why_size)
{
    char text[128];
    int err;

    if (!o->broker) {
        hstr_copy(
            why, why_size,
            "--broker-prefix, --broker-ca, --broker-insecure and --server-name need --broker");
        return o->broker_prefix || o->broker_password || o->broker_ca || o->broker_insecure ||
                       o->server
                   ? HERR_SYNTAX
                   : 0;
    }
    err = redis_url_parse(url, o->broker, text, sizeof(text));
    snprintf(why, why_size, "--broker: %s", text);
    if (err == 0 && url->endpoint.scheme != HENDPOINT_TLS && (o->broker_ca || o->broker_insecure)) {
        hstr_copy(why, why_size, "--broker-ca and --broker-insecure are for rediss://");
        err = HERR_SYNTAX;
    }
    if (err == 0 && o->broker_prefix && strlen(o->broker_prefix) > REDIS_PUBSUB_CHANNEL_MAX) {
        snprintf(why, why_size, "--broker-prefix: more than %d bytes", REDIS_PUBSUB_CHANNEL_MAX);
        err = HERR_SYNTAX;
    }
    if (err == 0 && o->broker_timeout_ms > 0 &&
        (o->broker_timeout_ms < LINK_SILENT_MIN_MS || o->broker_timeout_ms > LINK_SILENT_MAX_MS)) {
        hstr_copy(why, why_size, "--broker-timeout: 300 ms to an hour");
        err = HERR_RANGE;
    }
    if (err == 0 && o->server &&
        (strlen(o->server) > NAME_MAX_HERE || !event_server_is_valid(o->server))) {
        snprintf(why, why_size,
                 "--server-name: letters, digits, \"-\", \"_\" and \".\" only, at most %d",
                 NAME_MAX_HERE);
        err = HERR_SYNTAX;
    }
    return err;
}

int link_check(const link_options_t *options, char *why, size_t why_size)
{
    redis_url_t url;
    int err = check(options, &url, why, why_size);

    explicit_bzero(&url, sizeof(url));
    return err;
}

/* "web1-5f3a09c2": no two are the same, not even of one host. */
static void make_name(link_t *link, const char *given)
{
    char name[NAME_MAX_HERE + 1] = "";
    uint32_t random;

    if (given)
        hstr_copy(name, sizeof(name), given);
    else if (gethostname(name, sizeof(name) - 1) < 0 && errno != ENAMETOOLONG)
        name[0] = '\0';
    if (!event_server_is_valid(name))
        hstr_copy(name, sizeof(name), "server");
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = (uint32_t)htime_monotonic_ns();
    snprintf(link->server, sizeof(link->server), "%s-%08x", name, random);
}

static int take_password(const char *source, redis_url_t *url, char *why, size_t why_size)
{
    char text[256];
    int rc;

    if (!url->user[0]) /* a lone word was taken for the password */
        hstr_copy(url->user, sizeof(url->user), url->password);
    rc = hsecret_from(source, url->password, sizeof(url->password), text, sizeof(text));
    if (rc < 0)
        snprintf(why, why_size, "--broker-password: %s", text);
    return rc < 0 ? rc : 0;
}

static int make_pubsub(link_t *link, const link_options_t *options, char *why, size_t why_size)
{
    redis_url_t url;
    redis_pubsub_options_t wanted = {.url = &url,
                                     .keep_ms = (int)(link->silent_ms + link->silent_ms / 3),
                                     .ping_ms = (int)(link->silent_ms / 3),
                                     .queue_max = LINK_QUEUE_MAX,
                                     .queue_bytes_max = LINK_QUEUE_BYTES_MAX,
                                     .message_cb = on_message,
                                     .state_cb = on_state,
                                     .arg = link};
    const htls_options_t trust = {.ca_file = options->broker_ca,
                                  .insecure = options->broker_insecure};
    int err = check(options, &url, why, why_size);

    if (err == 0 && options->broker_password)
        err = take_password(options->broker_password, &url, why, why_size);
    if (err == 0 && url.endpoint.scheme == HENDPOINT_TLS)
        err = htls_ctx_new(&trust, &wanted.tls, why, why_size);
    if (err == 0)
        err = redis_pubsub_new(link->loop, &wanted, &link->pubsub, why, why_size);
    htls_ctx_free(wanted.tls);
    explicit_bzero(&url, sizeof(url));
    if (err == 0)
        err = redis_pubsub_subscribe(link->pubsub, link->channel);
    return err;
}

static int start(link_t *link, const link_options_t *options, char *why, size_t why_size)
{
    int err;

    link->silent_ms = options->broker_timeout_ms ? options->broker_timeout_ms : LINK_SILENT_MS;
    make_name(link, options->server);
    hstr_copy(link->channel, sizeof(link->channel),
              options->broker_prefix ? options->broker_prefix : CHANNEL);
    err = make_pubsub(link, options, why, why_size);
    if (err < 0)
        return err;
    link->tick = htimer_add(link->loop, on_tick, link->silent_ms / TICKS, INFINITE);
    if (!link->tick)
        return -ENOMEM;
    hevent_set_userdata(link->tick, link);
    return 0;
}

int link_open(hloop_t *loop, const link_options_t *options, const link_callbacks_t *callbacks,
              link_t **out, char *why, size_t why_size)
{
    link_t *link;
    int err;

    *out = NULL;
    if (!options->broker)
        return 0;
    hstr_copy(why, why_size, herr_str(-ENOMEM));
    link = hmem_zalloc(sizeof(*link));
    if (!link)
        return -ENOMEM;
    link->loop = loop;
    link->callbacks = *callbacks;
    hlist_init(&link->servers);
    err = start(link, options, why, why_size);
    if (err < 0) {
        link_close(link);
        return err;
    }
    *out = link;
    return 0;
}

const char *link_server(const link_t *link)
{
    return link ? link->server : "";
}

bool link_is_reachable(const link_t *link)
{
    return !link || !link->unreachable;
}

void link_close(link_t *link)
{
    if (!link)
        return;
    if (link->pubsub && redis_pubsub_is_connected(link->pubsub))
        say(link, EVENT_BYE);
    htimer_del(link->tick);
    htimer_del(link->tell);
    redis_pubsub_free(link->pubsub);
    while (!hlist_empty(&link->servers))
        hmem_free(peer_of(hlist_pop_front(&link->servers)));
    hbytes_deinit(&link->json);
    hbytes_deinit(&link->text);
    hmem_free(link);
}
