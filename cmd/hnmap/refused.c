#include "refused.h"

#include <string.h>

#define SCRIPTS "there are no scripts in hnmap"
#define EVASION "hnmap does not hide what it does"
#define NMAP_DATA "hnmap uses none of nmap's data files"
#define NOT_HERE "hnmap does not have it"

#define FLAG(s, l, why) HOPT_REFUSED(s, l, NULL, why)
#define VALUE(s, l, why) HOPT_REFUSED(s, l, "VALUE", why)
#define PAIR(p, value, why) HOPT_REFUSED(0, NULL, value, why, .pair = p)

const hopt_t refused_rows[] = {
    PAIR("iR", "NUMBER", "hnmap scans only what is named to it"),
    VALUE(0, "script", SCRIPTS),
    VALUE(0, "script-args", SCRIPTS),
    VALUE(0, "script-args-file", SCRIPTS),
    VALUE(0, "script-help", SCRIPTS),
    VALUE(0, "script-timeout", SCRIPTS),
    FLAG(0, "script-trace", SCRIPTS),
    FLAG(0, "script-updatedb", SCRIPTS),

    VALUE(0, "max-os-tries", "-O asks a host once; --max-retries says how often it is asked again"),
    VALUE(0, "port-ratio", "there are no measured ratios: use --top-ports"),
    VALUE('b', NULL, NOT_HERE),
    VALUE('I', NULL, NOT_HERE),
    FLAG('f', NULL, EVASION),
    VALUE(0, "mtu", EVASION),
    VALUE('D', NULL, EVASION),
    VALUE(0, "proxies", NOT_HERE),
    VALUE(0, "proxy", NOT_HERE),
    VALUE(0, "ip-options", EVASION),
    VALUE(0, "spoof-mac", EVASION),
    FLAG(0, "badsum", EVASION),
    FLAG(0, "adler32", EVASION),
    VALUE(0, "nsock-engine", "the loop's poller is chosen with HNET_POLLER"),
    PAIR("oS", "FILE", NOT_HERE),
    PAIR("oM", "FILE", "it is called -oG"),
    PAIR("oH", "FILE", NOT_HERE),
    FLAG(0, "log-errors", NOT_HERE),
    FLAG(0, "webxml", NMAP_DATA),
    VALUE(0, "datadir", NMAP_DATA),
    VALUE(0, "servicedb", NMAP_DATA),
    VALUE(0, "versiondb", "use --probes FILE"),
    FLAG(0, "release-memory", NOT_HERE),
    HOPT_END,
};

int refuse_scan(char letter, hbytes_t *why)
{
    if (letter == 'C')
        hbytes_printf(why, "-sC: %s", SCRIPTS);
    else if (strchr("WOYZI", letter) != NULL)
        hbytes_printf(why, "-s%c: %s", letter, NOT_HERE);
    else
        hbytes_printf(why, "-s%c: there is no such scan", letter);
    return strchr("CWOYZI", letter) != NULL ? HERR_UNSUPPORTED : HERR_SYNTAX;
}

int refuse_ping(const char *type, hbytes_t *why)
{
    bool is_known = type[0] == 'Y';

    hbytes_printf(why, "-P%s: %s", type, is_known ? NOT_HERE : "there is no such ping");
    return is_known ? HERR_UNSUPPORTED : HERR_SYNTAX;
}
