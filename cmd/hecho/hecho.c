#include "hecho.h"

#include "app/hopt_doc.h"
#include "net/hworkers.h"

#include <limits.h>
#include <string.h>

static const char *const formats[] = {"text", "json", NULL};

static const hopt_t options[] = {
    HOPT_GROUP("Answer"),
    HOPT_FLAG(0, "discard", hecho_options_t, discard, "read and answer nothing"),
    HOPT_FLAG(0, "chargen", hecho_options_t, chargen,
              "ignore what comes and send the pattern of RFC 864"),
    HOPT_FLAG(0, "rot13", hecho_options_t, rot13, "move each letter by 13 places"),
    HOPT_STRING(0, "prefix", hecho_options_t, prefix, "answer each line with TEXT in front of it",
                .arg_name = "TEXT"),
    HOPT_GROUP("Limits"),
    HOPT_UINT(0, "max-conns", hecho_options_t, max_conns, 1, 10000000,
              "serve at most NUMBER connections at a time; further ones are closed"),
    HOPT_SPAN(0, "idle-timeout", hecho_options_t, idle_ms,
              "close a connection on which nothing moves for TIME"),
    HOPT_UINT(0, "workers", hecho_options_t, workers, 1, HWORKERS_MAX,
              "serve in NUMBER processes, each replaced when it crashes"),
    HOPT_GROUP("Output"),
    HOPT_COUNT('v', "verbose", hecho_options_t, verbose,
               "a line for each connection; twice: for each datagram too"),
    HOPT_ENUM(0, "log-format", hecho_options_t, log_format, formats,
              "write lines as text or as json", .arg_name = "FORMAT"),
    HOPT_SET(0, "json", hecho_options_t, log_format, REPORT_JSON, "the same as --log-format json"),
    HOPT_STRING(0, "log-file", hecho_options_t, log_file,
                "append lines to FILE instead of stderr; opened anew by reload",
                .arg_name = "FILE"),
    HOPT_INCLUDE(hmain_rows, hecho_options_t, main, hmain_options_t),
    HOPT_END,
};

static const char *const usage[] = {"[options] ENDPOINT...", "-s stop|status|reload", NULL};

static const char *const description[] = {
    "hecho answers what it gets with the same bytes, or as the options say. It serves any number "
    "of end points at the same time: TCP, UDP, and UNIX stream and datagram sockets.",
    "A client that sends without taking its answers is not read any more until it takes them, so "
    "that it costs at most about 300 KiB of memory. A client that ends its sending side gets all "
    "answers before the connection closes.",
    "With --prefix a connection is answered line by line, whatever bytes the lines have; a last "
    "line without a newline is answered at the end of the data. A line of more than 64 KiB is "
    "told to the client, which is then closed. A datagram is one line.",
    "UDP answers go to the sender. Datagrams from the ports of services that answer everything "
    "(7, 13, 17, 19, 37) get no answer, or two such services could be made to talk for ever; "
    "with --chargen an answer is never longer than the datagram that asked.",
    "Each socket that hecho listens on is told in a line, such as \"hecho: listening on "
    "127.0.0.1:7007\", with the real port where the port was 0. It is written once all of them "
    "are open: if one cannot be opened, nothing is served.",
    "With --user the sockets of UNIX end points and the pid file are made before the change of "
    "user, and may stay behind at the end: that user may not be allowed to remove anything from "
    "their folders. The next start replaces them.",
    NULL,
};

static const hopt_term_t operands[] = {
    {"PORT", "The port on 127.0.0.1."},
    {":PORT", "The port on every address."},
    {"HOST:PORT", "The port on one address or name; [v6]:PORT for IPv6."},
    {"unix:PATH", "A UNIX stream socket; unix:@NAME for an abstract one."},
    {"unixgram:PATH", "A UNIX datagram socket."},
    {"udp://...", "UDP instead of TCP, in front of one of the first three."},
    {NULL, NULL},
};

static const hopt_term_t examples[] = {
    {"hecho 7007", "Answer on port 7007 of the loopback."},
    {"hecho -v --prefix 'You said ' 7007 udp://7007", "Answer lines and datagrams, and tell who "
                                                      "comes and goes."},
    {"hecho --workers 2 --max-conns 10000 :7007 unix:/tmp/echo.sock",
     "Two processes, on every address and a UNIX socket."},
    {"hecho --chargen 7019", "Send characters as fast as the client takes them."},
    {"hecho -d --pid-file /tmp/hecho.pid --log-file /tmp/hecho.log --json 7007",
     "Run in the background."},
    {"hecho -s stop --pid-file /tmp/hecho.pid", "End it."},
    {NULL, NULL},
};

static const hopt_term_t signals[] = {
    {"SIGTERM, SIGINT, SIGQUIT",
     "Stop: nobody new is accepted, the answers that are queued are sent for at "
     "most 5 seconds, the summary is written. A second one stops at once."},
    {"SIGUSR1", "Write the summary of connections, datagrams and bytes."},
    {"SIGHUP", "Reload: open the log file anew. Without a log file, a pid file and -d: stop."},
    {NULL, NULL},
};

static const hopt_term_t exit_status[] = {
    {"0", "It was stopped, or did what -s asked for."},
    {"1", "It could not start: an address in use, no permission, a name that does not resolve."},
    {"2", "Bad usage: an unknown option or a bad end point."},
    {"3", "-s status: it does not run."},
    {NULL, NULL},
};

static const char *const see_also[] = {"hnc(1)", NULL};

static const hopt_doc_t doc = {
    .name = "hecho",
    .summary = "TCP, UDP and UNIX echo server",
    .options = options,
    .usage = usage,
    .description = description,
    .operands = operands,
    .examples = examples,
    .signals = signals,
    .exit_status = exit_status,
    .see_also = see_also,
    .operand = HOPT_OPERAND_HOST,
};

static int misused(const char *text)
{
    hreport_say("hecho", "%s", text);
    return 2;
}

/* 0 or the exit status. */
static int choose_answer(hecho_options_t *opts)
{
    const struct {
        bool given;
        answer_e answer;
        const char *name;
    } ways[] = {
        {opts->discard, ANSWER_DISCARD, "--discard"},
        {opts->chargen, ANSWER_CHARGEN, "--chargen"},
        {opts->rot13, ANSWER_ROT13, "--rot13"},
        {opts->prefix != NULL, ANSWER_LINES, "--prefix"},
    };
    const char *chosen = NULL;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (!ways[i].given)
            continue;
        if (chosen) {
            hreport_say("hecho", "%s and %s are two ways to answer: choose one", chosen,
                        ways[i].name);
            return 2;
        }
        chosen = ways[i].name;
        opts->answer = ways[i].answer;
    }
    return 0;
}

/* What the table cannot know. 0 or the exit status. */
static int check(hecho_options_t *opts, const hopt_list_t *endpoints)
{
    bool serves = opts->main.action == HMAIN_NONE || opts->main.action == HMAIN_START ||
                  opts->main.action == HMAIN_RESTART;

    if (serves && endpoints->count == 0)
        return misused("no end point: try hecho 7007, or hecho --help");
    if (opts->prefix && opts->prefix[0] == '\0')
        return misused("option --prefix: the text is empty");
    if (opts->prefix && strlen(opts->prefix) > PREFIX_SIZE_MAX)
        return misused("the text of --prefix is too long");
    if (endpoints->count > ENDPOINTS_MAX)
        return misused("too many end points");
    if (opts->idle_ms > INT_MAX)
        return misused("option --idle-timeout: more than 24 days");
    return choose_answer(opts);
}

int main(int argc, char **argv)
{
    htitle_t *title = htitle_init(argc, &argv);
    hecho_options_t opts = {.answer = ANSWER_ECHO};
    hopt_list_t endpoints = {0};
    int status = hopt_main_parse(&doc, argc, argv, &opts, &endpoints);

    if (status == HOPT_RUN) {
        status = check(&opts, &endpoints);
        if (status == 0)
            status = hecho_serve(&opts, &endpoints, title);
    }
    hopt_main_free(&doc, &opts, &endpoints);
    htitle_free(title, &argv);
    return status;
}
