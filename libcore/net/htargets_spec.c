/* Specs as text. */
#include "htargets.h"

#include "../base/hstr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "_service._proto.name" (RFC 2782): two labels that begin with an underscore. */
static bool is_service(const char *host)
{
    const char *dot = strchr(host, '.');

    return host[0] == '_' && dot && dot[1] == '_' && strchr(dot + 1, '.');
}

static int parse_service(htarget_spec_t *spec, const char *text, char *error, size_t error_size)
{
    static const struct {
        const char *prefix;
        hendpoint_scheme_e scheme;
    } schemes[] = {{"tcp://", HENDPOINT_TCP}, {"udp://", HENDPOINT_UDP}, {"tls://", HENDPOINT_TLS}};
    hendpoint_scheme_e scheme = HENDPOINT_TCP;
    const char *host = text;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (hstr_starts(text, schemes[i].prefix)) {
            scheme = schemes[i].scheme;
            host = text + strlen(schemes[i].prefix);
        }
    }
    if (is_service(host) && !strchr(host, ':')) {
        spec->srv = true;
        return hendpoint_set(&spec->endpoint, scheme, host, 0);
    }
    return hendpoint_parse(&spec->endpoint, text, error, error_size);
}

static int fail(char *error, size_t size, int err, const char *what, const char *text)
{
    if (error)
        snprintf(error, size, "%s: \"%s\"", what, text);
    return err;
}

static int parse_parameter(htarget_spec_t *spec, const char *text, char *error, size_t error_size)
{
    static const char weight[] = "weight=";
    uint64_t value;
    int err;

    if (strcmp(text, "backup") == 0) {
        spec->backup = true;
        return 0;
    }
    if (!hstr_starts(text, weight))
        return fail(error, error_size, HERR_SYNTAX, "neither \"backup\" nor \"weight=N\"", text);
    err = hstr_parse_u64(text + strlen(weight), 1, HBALANCE_WEIGHT_MAX, &value);
    if (err)
        return fail(error, error_size, err, "a weight is a number from 1 to 65535", text);
    spec->weight = (uint16_t)value;
    return 0;
}

int htarget_spec_parse(htarget_spec_t *spec, const char *text, char *error, size_t error_size)
{
    char copy[HTARGET_NAME_SIZE + 32], *rest = copy, *word;
    int err;

    memset(spec, 0, sizeof(*spec));
    if (hstr_copy(copy, sizeof(copy), text) >= sizeof(copy))
        return fail(error, error_size, -ENAMETOOLONG, "too long", "...");
    word = strsep(&rest, ",");
    err = parse_service(spec, word, error, error_size);
    while (!err && (word = strsep(&rest, ",")) != NULL)
        err = parse_parameter(spec, word, error, error_size);
    if (!err && spec->srv && spec->weight)
        err = fail(error, error_size, HERR_SYNTAX,
                   "the weights of a service are those of its records", text);
    return err;
}

const char *htarget_spec_format(const htarget_spec_t *spec, char *buf, size_t size)
{
    static const char *const prefixes[] = {[HENDPOINT_UDP] = "udp://", [HENDPOINT_TLS] = "tls://"};
    char name[HTARGET_NAME_SIZE], weight[24] = "";

    if (!spec->srv) {
        hendpoint_format(&spec->endpoint, name, sizeof(name));
    } else {
        const char *prefix =
            spec->endpoint.scheme <= HENDPOINT_TLS ? prefixes[spec->endpoint.scheme] : NULL;
        snprintf(name, sizeof(name), "%s%s", prefix ? prefix : "", spec->endpoint.host);
    }
    if (spec->weight > 1)
        snprintf(weight, sizeof(weight), ",weight=%u", (unsigned)spec->weight);
    snprintf(buf, size, "%s%s%s", name, weight, spec->backup ? ",backup" : "");
    return buf;
}
