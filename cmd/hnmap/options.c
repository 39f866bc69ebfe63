/* One table of rows; what belongs together is checked after the parse. */
#include "options.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LATER "it is not part of hnmap yet"
#define NEVER "hnmap does not have it"

static const struct {
    char letter;
    scan_type_e type;
} scan_letters[] = {
    {'L', SCAN_LIST},    {'n', SCAN_NO_PORT}, {'P', SCAN_NO_PORT},
    {'T', SCAN_CONNECT}, {'V', SCAN_VERSION},
};

/* "TV": each letter is a way to scan. */
static int take_scan(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    for (; *arg; arg++) {
        size_t i = 0;

        while (i < sizeof(scan_letters) / sizeof(scan_letters[0]) && scan_letters[i].letter != *arg)
            i++;
        if (i == sizeof(scan_letters) / sizeof(scan_letters[0])) {
            hbytes_printf(why, "-s%c: %s", *arg,
                          strchr("SAFNXUWMOYZIC", *arg) ? LATER : "there is no such scan");
            return strchr("SAFNXUWMOYZIC", *arg) ? HERR_UNSUPPORTED : HERR_SYNTAX;
        }
        o->scans |= scan_letters[i].type;
    }
    return 0;
}

/* "n", "S22,80": a way to find out whether a host is there. */
static int take_ping(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    switch (arg[0]) {
    case 'n':
    case '0':
    case 'N':
        o->pings |= PING_NONE;
        return 0;
    case 'S':
        o->pings |= PING_SYN;
        if (arg[1])
            o->ping_ports = arg + 1;
        return 0;
    default:
        hbytes_printf(why, "-P%s: %s", arg, LATER);
        return HERR_UNSUPPORTED;
    }
}

const hopt_t option_rows[] = {
    HOPT_GROUP("Targets"),
    HOPT_LIST(0, "input-list", options_t, target.input_files,
              "read targets from FILE, - for standard input", .pair = "iL", .arg_name = "FILE"),
    HOPT_STRING(0, "exclude", options_t, target.exclude, "leave out these targets",
                .arg_name = "LIST"),
    HOPT_STRING(0, "excludefile", options_t, target.exclude_file, "leave out the targets in FILE",
                .arg_name = "FILE"),
    HOPT_FLAG(0, "resolve-all", options_t, target.resolve_all,
              "scan every address of a name, not the first alone"),
    HOPT_FLAG(0, "randomize-hosts", options_t, target.randomize,
              "scan the hosts of all targets in random order", .alias = "randomize_hosts"),
    HOPT_STRING(0, "shard", options_t, target.shard,
                "scan part I of N of the targets; all parts together miss and repeat nothing",
                .arg_name = "I/N"),
    HOPT_SET('6', NULL, options_t, target.family, AF_INET6, "scan IPv6"),
    HOPT_GROUP("Ways to scan"),
    HOPT_CALL('s', NULL, take_scan,
              "T: connect; V: service versions; n: no ports; L: list the targets alone",
              .arg_name = "LETTERS"),
    HOPT_CALL('P', NULL, take_ping,
              "n: take every host for up; S[PORTS]: a host is up when one of these ports answers",
              .arg_name = "TYPE"),
    HOPT_END,
};

int options_parse(options_t *options, int argc, char **argv)
{
    *options = (options_t){.target = {.family = AF_INET},
                           .timing = {.template = 3, .retries = -1},
                           .privileged = -1,
                           .argc = argc,
                           .argv = argv};
    return hopt_main_parse(&hnmap_doc, argc, argv, options, &options->operands);
}

void options_free(options_t *options)
{
    hopt_main_free(&hnmap_doc, options, &options->operands);
}
