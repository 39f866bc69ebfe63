#include "hchat.h"

#include "app/hopt_doc.h"
#include "manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const usage[] = {"[options] ENDPOINT...", "[options] HOST PORT",
                                    "[options] --connect ENDPOINT", "-s stop|status|reload", NULL};

static const char *const description[] = {
    "hchat is a chat server: people connect, have a name, and talk in rooms. nc(1), telnet(1), "
    "openssl s_client(1) and whatever else sends lines are its clients, and with a host and a port "
    "hchat is one itself, in which lines are edited.",
    "Whoever comes is called guest1 or so, is in the first room, sees what was said there last, "
    "and the others are told. A line is said to the room unless it begins with a slash: see "
    "COMMANDS. What people write is made harmless: control characters, what is no UTF-8, and what "
    "turns the direction of text are shown as \\xNN, and a tab as a space. What the server says "
    "begins with a star, which no name has, and every line of a person with his name in angle "
    "brackets: nobody can speak as another one.",
    "Nobody waits for anybody. For one who does not read, lines are kept up to --queue-max for at "
    "most --slow-timeout; then he is dropped with a last word, and the room is told. So is who "
    "writes faster than --rate for long, who sends a megabyte without the end of a line, and who "
    "says nothing for --idle-timeout. Lines that many are to get are sent together, in a room of "
    "1,000 about fifty times a second.",
    "Each socket that hchat listens on is told in a line, such as \"hchat: listening on "
    "127.0.0.1:6667\", with the real port where the port was 0, once all of them are open.",
    NULL,
};

static const hopt_term_t operands[] = {
    {"PORT", "Serve at this port of 127.0.0.1."},
    {":PORT", "Serve at the port of every address."},
    {"HOST:PORT", "Serve at one address or name; [v6]:PORT for IPv6."},
    {"tls://...", "The same with TLS, in front of one of the first three."},
    {"unix:PATH", "Serve at a UNIX socket; unix:@NAME for an abstract one."},
    {"HOST PORT", "Two words: be a client of the server there."},
    {NULL, NULL},
};

static const hopt_term_t examples[] = {
    {"hchat 6667", "Serve the people of this machine."},
    {"nc localhost 6667", "Talk to them; so do telnet localhost 6667 and hchat localhost 6667."},
    {"hchat -v --motd rules.txt --max-per-address 5 :6667 tls://:6697 --tls-cert chat.pem",
     "Serve everybody, plain and with TLS, and tell who comes and goes."},
    {"hchat --password file:secret --allow 192.0.2.0/24 :6667", "Serve those who know a word."},
    {"hchat -d --pid-file /run/hchat.pid --log-file /run/hchat.log --json -vv :6667",
     "Run in the background, with a log of all that happens, as JSON."},
    {NULL, NULL},
};

static const hopt_term_t signals[] = {
    {"SIGTERM, SIGINT, SIGQUIT", "Stop: everybody is told and closed, for at most 3 seconds."},
    {"SIGHUP", "Reload: read the certificate and --motd again, open the log file anew. Without any "
               "of these, a pid file and -d: stop."},
    {"SIGUSR1", "Write a summary of connections, rooms and lines."},
    {NULL, NULL},
};

static const hopt_term_t exit_status[] = {
    {"0", "The server was stopped, or -s did what it was to do; the client's user left."},
    {"1", "It could not start: an address in use, a file that is missing; the client could not "
          "connect, lost its connection, or not all was heard that it was to say."},
    {"2", "Bad usage: an unknown option or a bad end point."},
    {"3", "-s status: it does not run."},
    {NULL, NULL},
};

static const char *const see_also[] = {"hnc(1)", "nc(1)", "redis-server(1)", "telnet(1)", NULL};

static const hopt_feature_t features[] = {
    {"OpenSSL", HOPT_VERSION_TEXT(HNET_VERSION_openssl)},
    {"c-ares", HOPT_VERSION_TEXT(HNET_VERSION_libcares)},
#if HNET_WITH_READLINE
    {"readline", HOPT_VERSION_TEXT(HNET_VERSION_readline)},
#endif
#if HNET_WITH_HIREDIS && HNET_WITH_JANSSON /* --broker */
    {"hiredis", HOPT_VERSION_TEXT(HNET_VERSION_hiredis)},
    {"jansson", HOPT_VERSION_TEXT(HNET_VERSION_jansson)},
#endif
    {NULL, NULL},
};

static const hopt_doc_t doc = {
    .name = "hchat",
    .summary = "chat server and its client",
    .options = options_table,
    .features = features,
    .sections = manual_sections,
    .usage = usage,
    .description = description,
    .operands = operands,
    .examples = examples,
    .signals = signals,
    .exit_status = exit_status,
    .see_also = see_also,
    .operand = HOPT_OPERAND_HOST,
};

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* A bare name or address: no port, no scheme, no path. */
static bool is_host(const char *text)
{
    const char *colon = strchr(text, ':');

    if (is_number(text) || *text == '\0')
        return false;
    return !colon || (strchr(colon + 1, ':') && text[0] != '[' && !strstr(text, "://"));
}

/* Whether it is to be a client, and of whom: 1, 0, or negative after a message. */
static int find_server(const hchat_options_t *options, const hopt_list_t *words, hendpoint_t *ep)
{
    const char *host = words->count == 2 ? words->items[0] : NULL;
    char text[HENDPOINT_FORMAT_SIZE], why[HENDPOINT_FORMAT_SIZE + 64];
    int err;

    if (options->client.connect && words->count > 0) {
        fprintf(stderr, "hchat: --connect makes a client, which listens nowhere: %s is too much\n",
                words->items[0]);
        return HERR_SYNTAX;
    }
    if (!options->client.connect && !(host && is_host(host) && is_number(words->items[1])))
        return 0;
    if (options->client.connect)
        snprintf(text, sizeof(text), "%s", options->client.connect);
    else
        snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
                 words->items[1]);
    err = hendpoint_parse(ep, text, why, sizeof(why));
    if (err)
        fprintf(stderr, "hchat: %s\n", why);
    return err ? err : 1;
}

static int run(const hchat_options_t *options, const hopt_list_t *words)
{
    client_options_t client = options->client;
    hendpoint_t endpoint;
    int rc = find_server(options, words, &endpoint);

    if (rc < 0)
        return 2;
    client.timestamps = options->timestamps;
    client.password = options->password;
    client.rate = options->rate;
    client.burst = options->burst;
    if (rc > 0) {
        rc = options_check_client(options);
        return rc ? rc : client_main(&client, &endpoint);
    }
    rc = options_check(options, words);
    return rc ? rc : server_main(options, words);
}

int main(int argc, char **argv)
{
    hchat_options_t options = options_default;
    hopt_list_t words = {0};
    int status = hopt_main_parse(&doc, argc, argv, &options, &words);

    if (status == HOPT_RUN)
        status = run(&options, &words);
    hopt_main_free(&doc, &options, &words);
    return status;
}
