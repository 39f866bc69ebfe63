#include "server.h"

#include "app/hstart.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "member.h"
#include "net/hlisten.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOTE_INTERVAL_NS HTIME_NS_PER_S
#define KEEPALIVE_S 60
#define KEEPALIVE_EVERY_S 15
#define KEEPALIVE_COUNT 4
#define TOLD 1 /* a message has been given */

/* ---- tending --------------------------------------------------------------------------------- */

static void tend(server_t *server);

static void on_flush_timer(htimer_t *timer)
{
    server_t *server = hevent_userdata(timer);

    server->flush_timer = NULL;
    tend(server);
}

static void tend(server_t *server)
{
    uint64_t wait_us;

    member_bury_all(server);
    wait_us = hall_flush(&server->hall, hloop_now_hrtime(server->loop));
    if (wait_us == 0 || server->flush_timer)
        return;
    server->flush_timer =
        htimer_add(server->loop, on_flush_timer, (uint32_t)(wait_us / 1000) + 1, 1);
    if (server->flush_timer)
        hevent_set_userdata(server->flush_timer, server);
}

static void on_woken(hevent_t *event)
{
    server_t *server = hevent_userdata(event);

    server->woken = false;
    tend(server);
}

void server_wake(server_t *server)
{
    hevent_t event = {.cb = on_woken, .userdata = server};

    if (!server->woken)
        server->woken = hloop_post_event(server->loop, &event) == 0;
}

static void on_hall_wake(void *userdata)
{
    server_wake(userdata);
}

static uint64_t on_now_ms(void *userdata)
{
    const server_t *server = userdata;

    return hloop_now_ms(server->loop);
}

static void report_happening(const server_t *server, const event_t *event, bool here)
{
    char text[512];
    const hreport_field_t fields[] = {
        {.key = "server", .text = here ? link_server(server->link) : event->server},
        {.key = "room", .text = event->room},
        {.key = "name", .text = event->name},
        {.key = "other", .text = event->other},
        {.key = "text", .text = text},
        {0},
    };

    snprintf(text, sizeof(text), "%.*s", (int)event->text_len, event->text);
    hreport_event(&server->report, event_kind_name(event->kind), fields, "%s: %s %s%s%s%s%s",
                  event_kind_name(event->kind), event->name, event->room,
                  event->other[0] ? " -> " : "", event->other, text[0] ? ": " : "", text);
}

/* What one person says to another is nobody else's. */
static void on_happened(const event_t *event, bool here, void *userdata)
{
    server_t *server = userdata;

    if (server->options->verbose > 1 && event->kind < EVENT_HELLO && event->kind != EVENT_PRIVATE)
        report_happening(server, event, here);
    if (here)
        link_publish(server->link, event);
}

/* ---- other servers --------------------------------------------------------------------------- */

static void on_link_event(const event_t *event, void *userdata)
{
    server_t *server = userdata;

    hall_remote(&server->hall, event);
}

static void on_link_asked(void *userdata)
{
    server_t *server = userdata;

    hall_tell_who_is_here(&server->hall);
}

static void on_server_gone(const char *name, void *userdata)
{
    server_t *server = userdata;

    hall_server_gone(&server->hall, name);
}

static void on_server_again(const char *name, void *userdata)
{
    server_t *server = userdata;

    hall_server_again(&server->hall, name);
}

static void on_server_told(const char *name, void *userdata)
{
    server_t *server = userdata;

    hall_server_told(&server->hall, name);
}

static void on_reach(bool reachable, void *userdata)
{
    server_t *server = userdata;

    hall_announce(&server->hall, reachable ? "* other servers can be reached again\n"
                                           : "* other servers cannot be reached\n");
}

static void on_link_note(const char *text, void *userdata)
{
    const server_t *server = userdata;

    hreport_note(&server->report, "broker", "%s", text);
}

static int open_link(server_t *server)
{
    const link_callbacks_t callbacks = {.on_event = on_link_event,
                                        .on_asked = on_link_asked,
                                        .on_server_gone = on_server_gone,
                                        .on_server_again = on_server_again,
                                        .on_server_told = on_server_told,
                                        .on_reach = on_reach,
                                        .on_note = on_link_note,
                                        .userdata = server};
    int err;

    server->step = "use the broker";
    err = link_open(server->loop, &server->options->link, &callbacks, &server->link, server->why,
                    sizeof(server->why));
    server->hall.options.server = link_server(server->link);
    return err;
}

static void close_link(server_t *server)
{
    link_close(server->link);
    server->link = NULL;
    server->hall.options.server = ""; /* the link had it */
}

/* ---- the summary, and stopping --------------------------------------------------------------- */

static void report_summary(const server_t *server)
{
    const counts_t *c = &server->counts;
    hloop_stats_t stats = {0};

    if (server->loop)
        hloop_stats(server->loop, &stats);
    const hreport_field_t fields[] = {
        {.key = "connections", .number = c->connections},
        {.key = "open", .number = server->members_n},
        {.key = "refused", .number = c->refused},
        {.key = "dropped", .number = c->dropped},
        {.key = "shed", .number = stats.accept_shed},
        {.key = "rooms", .number = server->hall.rooms_n},
        {.key = "lines", .number = server->hall.lines},
        {.key = "remote", .number = server->hall.remotes_n},
        {0},
    };

    hreport_event(&server->report, "summary", fields,
                  "%" PRIu64 " connections (%zu open, %" PRIu64 " refused, %" PRIu64
                  " dropped, %" PRIu64 " shed), %zu rooms, %" PRIu64 " lines",
                  c->connections, server->members_n, c->refused, c->dropped, stats.accept_shed,
                  server->hall.rooms_n, server->hall.lines);
}

static void stop_if_empty(const server_t *server)
{
    if (server->stopping && server->members_n == 0)
        hloop_stop(server->loop);
}

void server_release(server_t *server)
{
    server->members_n--;
    stop_if_empty(server);
}

static void on_stop_timer(htimer_t *timer)
{
    server_t *server = hevent_userdata(timer);

    member_close_all(server, true);
    hloop_stop(server->loop);
}

static void on_stop(hmain_t *app, void *userdata)
{
    server_t *server = userdata;
    htimer_t *timer = htimer_add(server->loop, on_stop_timer, SERVER_STOP_MS, 1);

    (void)app;
    if (timer)
        hevent_set_userdata(timer, server);
    server->stopping = true;
    for (size_t i = 0; i < server->listeners_n; i++) {
        if (server->listeners[i].io)
            hio_close(server->listeners[i].io);
    }
    close_link(server);
    hall_announce(&server->hall, "* server is shutting down\n");
    for (hlist_t *node = server->hall.rooms.next; node != &server->hall.rooms; node = node->next)
        room_flush(HLIST_ENTRY(node, room_t, link), hloop_now_hrtime(server->loop));
    member_close_all(server, timer == NULL);
    stop_if_empty(server);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Whether it was: if not, the old one stays. */
static bool is_renewed(const server_t *server, int err, const char *what, const char *path)
{
    if (err)
        hreport_note(&server->report, "error", "cannot %s %s: %s; the old one stays", what, path,
                     herr_str(err));
    return !err;
}

static void on_reload(hmain_t *app, void *userdata)
{
    server_t *server = userdata;
    const hchat_options_t *o = server->options;
    char why[HTLS_ERROR_SIZE];
    bool all = is_renewed(server, hreport_reopen(&server->report), "open", o->log_file);

    (void)app;
    all &= is_renewed(server, server_read_motd(server), "read", o->motd);
    if (server->tls && htls_ctx_reload(server->tls, why, sizeof(why)) < 0) {
        hreport_note(&server->report, "error", "%s; the old certificate stays", why);
        all = false;
    }
    if (all)
        hreport_note(&server->report, "reload", "reloaded");
}

static void on_user(hmain_t *app, void *userdata)
{
    (void)app;
    report_summary(userdata);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* The loop tells of connections that it sheds; in a storm of them one line a second is enough. */
static void on_loop_log(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    server_t *server = userdata;
    uint64_t now_ns = htime_monotonic_ns();

    (void)level;
    (void)len;
    if (server->noted_ns && now_ns - server->noted_ns < NOTE_INTERVAL_NS)
        return;
    server->noted_ns = now_ns;
    hreport_note(&server->report, "warning", "%s", text);
}

static void on_listener_close(hio_t *io)
{
    listener_t *listener = hevent_userdata(io);
    char text[HENDPOINT_FORMAT_SIZE];

    listener->io = NULL;
    if (!listener->server->stopping)
        hreport_note(&listener->server->report, "error", "listening on %s failed: %s",
                     hendpoint_format(&listener->endpoint, text, sizeof(text)),
                     herr_str(hio_error(io)));
}

static int listen_all(server_t *server)
{
    for (size_t i = 0; i < server->listeners_n; i++) {
        listener_t *listener = &server->listeners[i];
        hlisten_options_t options = {
            .endpoint = listener->endpoint,
            .socket = {.send_buffer = SERVER_SEND_BUFFER,
                       .keepalive_s = KEEPALIVE_S,
                       .keepalive_every_s = KEEPALIVE_EVERY_S,
                       .keepalive_count = KEEPALIVE_COUNT},
        };
        char text[HENDPOINT_FORMAT_SIZE];
        int err = hlisten_open(server->loop, &options, member_accept, &listener->io);

        if (err) {
            hreport_say("hchat", "cannot listen on %s: %s",
                        hendpoint_format(&listener->endpoint, text, sizeof(text)), herr_str(err));
            return TOLD;
        }
        hevent_set_userdata(listener->io, listener);
        hio_setcb_close(listener->io, on_listener_close);
    }
    return 0;
}

static void announce(server_t *server)
{
    for (size_t i = 0; i < server->listeners_n; i++) {
        const listener_t *listener = &server->listeners[i];
        char address[HADDR_FORMAT_SIZE], text[HADDR_FORMAT_SIZE + 8];
        const hreport_field_t fields[] = {{.key = "address", .text = text}, {0}};
        haddr_t addr = {0};

        hsocket_local(hio_fd(listener->io), &addr);
        snprintf(text, sizeof(text), "%s%s",
                 listener->endpoint.scheme == HENDPOINT_TLS ? "tls://" : "",
                 haddr_format(&addr.u.sa, addr.len, address, sizeof(address)));
        hreport_event(&server->report, "listening", fields, "listening on %s", text);
    }
    server->announced = true;
}

/* When the terminal hangs up, a server that nobody could find any more ends. */
static bool is_reloadable(const hchat_options_t *options)
{
    return options->log_file || options->main.pid_file || options->main.daemon || options->motd ||
           options->tls_cert || options->main.action != HMAIN_NONE;
}

static int run_loop(server_t *server)
{
    hmain_callbacks_t callbacks = {.on_stop = on_stop, .on_user = on_user, .userdata = server};
    int err = listen_all(server);

    if (is_reloadable(server->options))
        callbacks.on_reload = on_reload;
    if (!err)
        err = open_link(server);
    if (!err) {
        server->step = "watch signals";
        err = hmain_watch(server->app, server->loop, &callbacks);
    }
    if (!err)
        err = hmain_drop(server->app) == 0 ? 0 : TOLD;
    if (!err) {
        announce(server);
        err = hmain_ready(server->app) == 0 ? 0 : TOLD;
    }
    if (!err) {
        server->step = "go on";
        err = hloop_run(server->loop);
    }
    hmain_unwatch(server->app);
    return err;
}

static void init_hall(server_t *server)
{
    const hchat_options_t *o = server->options;
    const hall_options_t options = {.first_room = o->room,
                                    .server = "",
                                    .history_lines = o->history_lines,
                                    .timestamps = o->timestamps};
    const hall_ops_t ops = {.room = {.tell = member_tell, .give = member_give},
                            .wake = on_hall_wake,
                            .happened = on_happened,
                            .now_ms = on_now_ms,
                            .userdata = server};

    hall_init(&server->hall, &options, &ops);
    deadlines_init(&server->idle, server->loop, o->idle_ms, member_on_idle);
    deadlines_init(&server->slow, server->loop, o->slow_ms, member_on_slow);
    deadlines_init(&server->login, server->loop, SERVER_LOGIN_MS, member_on_login);
}

/* Whoever is still connected is closed with the loop, and leaves the hall. */
static void end_loop(server_t *server)
{
    server->stopping = true;
    close_link(server);
    deadlines_deinit(&server->idle);
    deadlines_deinit(&server->slow);
    deadlines_deinit(&server->login);
    if (server->announced)
        report_summary(server);
    hloop_free(&server->loop);
    hall_deinit(&server->hall);
}

static int serve(server_t *server)
{
    hlog_t *log = hlog_new(HLOG_WARN, on_loop_log, server);
    hloop_options_t options = {.log = log};
    int err = log ? 0 : -ENOMEM;

    server->step = "open the event loop";
    if (!err) {
        server->loop = hstart_loop(&options, server->why, sizeof(server->why));
        err = server->loop ? 0 : -errno;
    }
    if (!err) {
        init_hall(server);
        err = run_loop(server);
        end_loop(server);
    }
    if (err < 0)
        hreport_note(&server->report, "error", "cannot %s: %s", server->step,
                     server->why[0] ? server->why : herr_str(err));
    hlog_free(log);
    return err ? 1 : 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void clean_up(server_t *server)
{
    hreport_close(&server->report);
    htls_ctx_free(server->tls);
    haccess_free(server->access);
    haccess_free(server->trusted);
    hbytes_deinit(&server->motd);
    hbytes_deinit(&server->text);
    explicit_bzero(server->password, sizeof(server->password));
    hmem_free(server->listeners);
}

int server_main(const hchat_options_t *options, const hopt_list_t *endpoints)
{
    server_t *server = hmem_zalloc(sizeof(*server)); /* the hall's table of names is large */
    int status;

    if (!server) {
        hreport_say("hchat", "%s", herr_str(-ENOMEM));
        return 1;
    }
    server->options = options;
    server->report.fd = -1;
    hlist_init(&server->members);
    hlist_init(&server->gone);
    status = server_parse(server, endpoints);
    if (status == 0)
        status = hmain_begin("hchat", &options->main, &server->app);
    if (status == HMAIN_RUN) {
        status = server_prepare(server);
        if (status == 0)
            status = serve(server);
        status = hmain_end(server->app, status);
    }
    clean_up(server);
    hmem_free(server);
    return status;
}
