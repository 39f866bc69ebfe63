#include "options.h"

#include "event.h"
#include "hchat.h"
#include "history.h"
#include "server.h"
#include "text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define HISTORY_MAX 10000
#define QUEUE_MAX_MAX ((size_t)1 << 30)
/* The longest greeting and the longest line, each byte shown as four, fit into every queue: who has
 * had no time to read yet is not slow. */
#define QUEUE_MAX_MIN (HISTORY_BYTES_MAX + TEXT_GROWTH * SERVER_MOTD_MAX + 2 * EVENT_TEXT_MAX)

const hchat_options_t options_default = {
    .room = "lobby",
    .history_lines = 20,
    .max_clients = 10000,
    .line_max = 4096,
    .rate = 5,
    .burst = 20,
    .idle_ms = 24 * 3600 * 1000,
    .slow_ms = 10 * 1000,
    .queue_max = (size_t)1 << 20,
};

const hopt_t options_table[] = {
    HOPT_GROUP("Rooms"),
    HOPT_STRING(0, "room", hchat_options_t, room, "everybody comes into the room NAME (lobby)",
                .arg_name = "NAME", .filled = true),
    HOPT_UINT(0, "history", hchat_options_t, history_lines, 0, HISTORY_MAX,
              "show the last NUMBER lines (20), 64k at most, of a room to who comes in"),
    HOPT_FLAG(0, "timestamps", hchat_options_t, timestamps, "put [HH:MM] in front of every line"),
    HOPT_STRING(0, "motd", hchat_options_t, motd, "greet everybody with what is in FILE",
                .arg_name = "FILE", .filled = true),
    HOPT_GROUP("Who may come"),
    HOPT_STRING(
        0, "password", hchat_options_t, password,
        "ask for a password, which is in SOURCE: file:PATH or env:NAME; a client: answer with it",
        .arg_name = "SOURCE", .filled = true),
    HOPT_LIST(0, "allow", hchat_options_t, allow,
              "only these addresses, blocks or names may connect", .arg_name = "HOSTS"),
    HOPT_LIST(0, "allow-file", hchat_options_t, allow_files, "only those in FILE",
              .arg_name = "FILE"),
    HOPT_LIST(0, "deny", hchat_options_t, deny, "these may not, whatever else is said",
              .arg_name = "HOSTS"),
    HOPT_LIST(0, "deny-file", hchat_options_t, deny_files, "nor those in FILE", .arg_name = "FILE"),
    HOPT_UINT(0, "max-clients", hchat_options_t, max_clients, 1, OPTIONS_MEMBERS_MAX,
              "NUMBER clients (10000) at a time; further ones are told and closed"),
    HOPT_UINT(0, "max-per-address", hchat_options_t, max_per_address, 1, OPTIONS_MEMBERS_MAX,
              "NUMBER clients at a time from one address (no limit: many may share one)"),
    HOPT_FLAG(0, "accept-proxy", hchat_options_t, accept_proxy,
              "take clients' addresses from a PROXY header, which has to come first",
              .alias = "proxy-protocol"),
    HOPT_LIST(0, "accept-proxy-from", hchat_options_t, accept_proxy_from,
              "only from these addresses, the balancer's; others come without", .arg_name = "HOSTS",
              .filled = true),
    HOPT_GROUP("Limits"),
    HOPT_SIZE(0, "line-max", hchat_options_t, line_max, EVENT_TEXT_MAX / 4,
              "lines of at most SIZE bytes (4096); longer ones are not passed on", .min = 64),
    HOPT_UINT(
        0, "rate", hchat_options_t, rate, 0, 1000000,
        "NUMBER lines a second (5) from one member, or, a client, out of a pipe; 0: no limit"),
    HOPT_UINT(0, "burst", hchat_options_t, burst, 1, 1000000,
              "NUMBER lines (20) at once, after a pause"),
    HOPT_SPAN(0, "idle-timeout", hchat_options_t, idle_ms,
              "close a connection that says nothing for TIME (24h); 0: never"),
    HOPT_SPAN(0, "slow-timeout", hchat_options_t, slow_ms,
              "drop a member who has not read what waits for him for TIME (10s)"),
    HOPT_SIZE(0, "queue-max", hchat_options_t, queue_max, QUEUE_MAX_MAX,
              "and at once when more than SIZE (1M) waits", .min = QUEUE_MAX_MIN),
    HOPT_GROUP("TLS"),
    HOPT_STRING(0, "tls-cert", hchat_options_t, tls_cert,
                "the certificate (PEM) of tls:// end points, with its chain", .arg_name = "FILE",
                .filled = true),
    HOPT_STRING(0, "tls-key", hchat_options_t, tls_key,
                "its key (PEM), if it is not in the same file", .arg_name = "FILE", .filled = true),
    HOPT_FLAG(0, "tls-self-signed", hchat_options_t, tls_self_signed,
              "make a certificate now, and keep it in memory"),
    HOPT_INCLUDE(client_rows, hchat_options_t, client, client_options_t),
    HOPT_INCLUDE(link_rows, hchat_options_t, link, link_options_t),
    HOPT_GROUP("Output"),
    HOPT_COUNT('v', "verbose", hchat_options_t, verbose,
               "tell who comes and goes; twice: what happens in rooms, too"),
    HOPT_FLAG(0, "json", hchat_options_t, json, "write these lines as JSON"),
    HOPT_STRING(0, "log-file", hchat_options_t, log_file,
                "append them to FILE instead of stderr; opened anew by reload", .arg_name = "FILE",
                .filled = true),
    HOPT_INCLUDE(hmain_rows, hchat_options_t, main, hmain_options_t),
    HOPT_END,
};

static int misused(const char *text)
{
    fprintf(stderr, "hchat: %s\n", text);
    return 2;
}

/* ---- what is only for one of the two --------------------------------------------------------- */

/* The first option whose member differs from the defaults; NULL: none does. */
static const hopt_t *find_changed(const hopt_t *table, const void *opts, const void *defaults)
{
    const hopt_t *found = NULL;

    for (const hopt_t *row = table; row->type != HOPT_TYPE_END && !found; row++) {
        const char *value = (const char *)opts + row->offset;
        const char *usual = (const char *)defaults + row->offset;

        if (row->type == HOPT_TYPE_INCLUDE)
            found = find_changed(row->table, value, usual);
        else if (row->width > 0 && memcmp(value, usual, row->width) != 0)
            found = row;
    }
    return found;
}

static int is_only_for(const hopt_t *option, const char *whom)
{
    fprintf(stderr, "hchat: option --%s is for a %s\n", option->long_name, whom);
    return 2;
}

int options_check_client(const hchat_options_t *options)
{
    hchat_options_t servers = *options;
    const hopt_t *option;

    servers.client = options_default.client;
    servers.timestamps = options_default.timestamps;
    servers.password = options_default.password;
    servers.rate = options_default.rate;
    servers.burst = options_default.burst;
    option = find_changed(options_table, &servers, &options_default);
    if (option)
        return is_only_for(option, "server, and HOST PORT or --connect makes a client");
    return options->main.action == HMAIN_NONE ? 0 : misused("option -s is for a server");
}

/* ---- a server -------------------------------------------------------------------------------- */

int options_check(const hchat_options_t *options, const hopt_list_t *endpoints)
{
    char name[NAME_SIZE], why[256];
    int action = options->main.action;
    bool serves = action == HMAIN_NONE || action == HMAIN_START || action == HMAIN_RESTART;

    const hopt_t *clients = find_changed(client_rows, &options->client, &options_default.client);

    if (clients)
        return is_only_for(clients, "client (HOST PORT, or --connect), and this is a server");
    if (serves && endpoints->count == 0)
        return misused("no end point: try hchat 6667, or hchat --help");
    if (endpoints->count > HCHAT_ENDPOINTS_MAX)
        return misused("more than 64 end points");
    if (name_take(name, options->room, strlen(options->room)))
        return misused(
            "option --room: a room's name has letters, digits, - and _ only, 24 at most");
    if (options->tls_self_signed && options->tls_cert)
        return misused("--tls-cert and --tls-self-signed: choose one");
    if (options->accept_proxy_from.count > 0 && !options->accept_proxy)
        return misused("--accept-proxy-from goes with --accept-proxy");
    if (options->tls_key && !options->tls_cert)
        return misused("--tls-key needs --tls-cert");
    if (options->slow_ms == 0 || options->slow_ms > INT_MAX || options->idle_ms > INT_MAX)
        return misused("a time limit is 1 ms to 24 days");
    return link_check(&options->link, why, sizeof(why)) < 0 ? misused(why) : 0;
}
