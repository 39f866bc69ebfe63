#include "endpoint.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SCHEME_MARK "://"
#define DATAGRAM_SCHEME "udp" SCHEME_MARK

static bool has_scheme(const char *text)
{
    return strstr(text, SCHEME_MARK) || strncasecmp(text, "unix:", 5) == 0 ||
           strncasecmp(text, "unixgram:", 9) == 0;
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* With more than one operand the first is a host, and those have colons too: ::1. What is a whole
 * end point nevertheless was meant as one. */
static bool is_endpoint(const options_t *o, const hopt_list_t *operands)
{
    const char *text = operands->count > 0 ? operands->items[0] : "";
    hendpoint_t ignored;

    if (o->unix_path || o->vsock) /* these have operands of their own */
        return false;
    if (has_scheme(text))
        return true;
    if (operands->count == 1)
        return strchr(text, ':') || (!o->listen && is_number(text));
    return strchr(text, ':') && hendpoint_parse(&ignored, text, NULL, 0) == 0;
}

/* With -u a port is one of UDP, also where it has a name. */
static int parse(options_t *o, const char *text)
{
    bool datagrams = o->udp && !has_scheme(text);
    char whole[sizeof(DATAGRAM_SCHEME) + HENDPOINT_FORMAT_SIZE];
    char why[256];

    if (strlen(text) >= HENDPOINT_FORMAT_SIZE) {
        hnc_say("end point is too long: \"%s\"", text);
        return HNC_USAGE;
    }
    snprintf(whole, sizeof(whole), "%s%s", datagrams ? DATAGRAM_SCHEME : "", text);
    if (hendpoint_parse(&o->endpoint, whole, why, sizeof(why)) == 0)
        return 0;
    hnc_say("%s", why);
    return HNC_USAGE;
}

/* The text of its port, which may be a name: messages show it. */
static const char *port_of(const char *text)
{
    const char *mark = strstr(text, SCHEME_MARK);
    const char *rest = mark ? mark + strlen(SCHEME_MARK) : text;
    const char *colon = strrchr(rest, ':');

    return colon ? colon + 1 : rest;
}

/* The scheme as options: what they exclude is checked like theirs. */
static int apply_scheme(options_t *o)
{
    hendpoint_scheme_e scheme = o->endpoint.scheme;

    if (o->udp && scheme == HENDPOINT_TCP)
        return hnc_usage("cannot use -u with tcp://");
    if (o->udp && scheme == HENDPOINT_UNIX)
        return hnc_usage("cannot use -u with unix:, datagrams are unixgram:");
    o->ssl |= scheme == HENDPOINT_TLS;
    o->udp |= hendpoint_socktype(&o->endpoint) == SOCK_DGRAM;
    o->unix_path = hendpoint_is_unix(&o->endpoint);
    return 0;
}

static int apply_place(options_t *o, const char *text)
{
    o->endpoint_text = text;
    if (o->unix_path) {
        o->host = o->endpoint.path;
        return 0;
    }
    if (o->listen && (o->source_addr || o->source_port))
        return hnc_usage("cannot use -s or -p with -l and \"%s\"", text);
    if (!o->listen && o->endpoint.host[0] == '\0')
        return hnc_usage("missing host: \"%s\"", text);
    o->host = o->endpoint.host[0] ? o->endpoint.host : NULL;
    o->endpoint_port = port_of(text);
    o->ports = &o->endpoint_port;
    o->port_count = 1;
    return 0;
}

int endpoint_take(options_t *o, const hopt_list_t *operands)
{
    const char *text;
    int status;

    if (!is_endpoint(o, operands))
        return 0;
    text = operands->items[0];
    if (operands->count > 1)
        return hnc_usage("too many operands: \"%s\" is an end point of its own", text);
    status = parse(o, text);
    if (status == 0)
        status = apply_scheme(o);
    return status == 0 ? apply_place(o, text) : status;
}

const char *endpoint_means(const options_t *o)
{
    static const char *const options[] = {
        [HENDPOINT_TCP] = NULL,  [HENDPOINT_UDP] = "-u",       [HENDPOINT_TLS] = "--ssl",
        [HENDPOINT_UNIX] = "-U", [HENDPOINT_UNIXGRAM] = "-uU",
    };

    return o->endpoint_text && has_scheme(o->endpoint_text) ? options[o->endpoint.scheme] : NULL;
}
