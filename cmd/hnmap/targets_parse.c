#include "targets_int.h"

#include "base/hstr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 64 /* bytes of a word in a message */
#define LABEL_MAX 63 /* bytes between dots (RFC 1035 section 2.3.4) */

typedef struct reader_s {
    targets_t *targets;
    const char *word; /* as a whole */
    size_t len;
    const char *body; /* without the bits */
    size_t body_len;
    int bits; /* -1: none */
} reader_t;

int targets__fail(targets_t *targets, int err, const char *word, size_t len, const char *format,
                  ...)
{
    char shown[SHOWN_MAX * 4 + 1];
    size_t at = 0;
    va_list args;

    hstr_escape(shown, sizeof(shown), word, len > SHOWN_MAX ? SHOWN_MAX : len);
    if (targets->file != NULL)
        at = (size_t)snprintf(targets->error, sizeof(targets->error), "%.100s:%lu: ", targets->file,
                              targets->line);
    at += (size_t)snprintf(targets->error + at, sizeof(targets->error) - at, "\"%s%s\": ", shown,
                           len > SHOWN_MAX ? "..." : "");
    va_start(args, format);
    vsnprintf(targets->error + at, sizeof(targets->error) - at, format, args);
    va_end(args);
    return err;
}

#define FAIL(reader, err, ...)                                                                     \
    targets__fail((reader)->targets, err, (reader)->word, (reader)->len, __VA_ARGS__)

static bool consists_of(const char *text, size_t len, const char *chars)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0' || strchr(chars, text[i]) == NULL)
            return false;
    return true;
}

static bool has(const reader_t *reader, char c)
{
    return memchr(reader->body, c, reader->body_len) != NULL;
}

void targets__network(ip_t ip, unsigned bits, unsigned family_bits, ip_t *first, ip_t *last)
{
    unsigned hosts = family_bits - bits; /* bits that are free */
    uint64_t low = hosts >= 64 ? UINT64_MAX : (UINT64_C(1) << hosts) - 1;
    uint64_t high = hosts <= 64 ? 0 : UINT64_MAX >> (128 - hosts);

    *first = (ip_t){ip.high & ~high, ip.low & ~low};
    *last = (ip_t){ip.high | high, ip.low | low};
}

/* ---- octets ---- */

unsigned octets_count(const octets_t *octets, unsigned octet)
{
    unsigned count = 0;

    for (unsigned i = 0; i < 4; i++)
        count += (unsigned)__builtin_popcountll(octets->bits[octet][i]);
    return count;
}

unsigned octets_at(const octets_t *octets, unsigned octet, unsigned index)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t bits = octets->bits[octet][i];
        unsigned count = (unsigned)__builtin_popcountll(bits);

        if (index >= count) {
            index -= count;
            continue;
        }
        while (index-- > 0)
            bits &= bits - 1;
        return i * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return 0;
}

static bool octet_has(const octets_t *octets, unsigned octet, unsigned value)
{
    return (octets->bits[octet][value / 64] >> (value % 64) & 1) != 0;
}

static void octet_add(octets_t *octets, unsigned octet, unsigned value)
{
    octets->bits[octet][value / 64] |= UINT64_C(1) << (value % 64);
}

bool octets_have(const octets_t *octets, ip_t ip)
{
    for (unsigned octet = 0; octet < 4; octet++)
        if (!octet_has(octets, octet, ip.low >> (24 - 8 * octet) & 255))
            return false;
    return true;
}

/* A number of at most 255 at *text; -1 if there is none, 256 for a larger one. */
static int take_value(const char **text, const char *end)
{
    int value = -1;

    while (*text < end && isdigit((unsigned char)**text)) {
        value = (value < 0 ? 0 : value) * 10 + (*(*text)++ - '0');
        value = value > 255 ? 256 : value;
    }
    return value;
}

/* "5", "3-7", "-7", "3-" or "-": one element of a list. */
static int take_element(reader_t *reader, octets_t *octets, unsigned octet, const char **at,
                        const char *end)
{
    const char *element = *at, *comma = memchr(*at, ',', (size_t)(end - *at));
    int len = (int)((comma != NULL ? comma : end) - element), shown = len > 20 ? 20 : len;
    int first = take_value(at, end), last = first;

    if (*at < end && **at == '-') {
        ++*at;
        last = take_value(at, end);
        first = first < 0 ? 0 : first;
        last = last < 0 ? 255 : last;
    }
    if (len == 0)
        return FAIL(reader, HERR_SYNTAX, "octet %u lacks a number%s", octet + 1,
                    element > reader->body && element[-1] == ',' ? " behind its comma" : "");
    if (*at != element + len)
        return FAIL(reader, HERR_SYNTAX,
                    "\"%.*s\" in octet %u is no number, range (3-7, -7, 3-, -) or * alone", shown,
                    element, octet + 1);
    if (first > 255 || last > 255)
        return FAIL(reader, HERR_RANGE, "\"%.*s\" in octet %u is more than 255", shown, element,
                    octet + 1);
    if (first > last)
        return FAIL(reader, HERR_RANGE, "\"%.*s\" in octet %u is upside down: %d-%d is meant?",
                    shown, element, octet + 1, last, first);
    for (int value = first; value <= last; value++)
        octet_add(octets, octet, (unsigned)value);
    return 0;
}

static int take_octet(reader_t *reader, octets_t *octets, unsigned octet, const char *at,
                      const char *end)
{
    static const char all[] = "-";
    int err;

    if (end - at == 1 && *at == '*') {
        at = all;
        return take_element(reader, octets, octet, &at, all + 1);
    }
    while ((err = take_element(reader, octets, octet, &at, end)) == 0 && at < end)
        at++; /* a comma, and something must follow it */
    if (err == 0 && end[-1] == ',')
        return FAIL(reader, HERR_SYNTAX, "octet %u lacks a number behind its comma", octet + 1);
    return err;
}

static bool block_has_any(const octets_t *octets, unsigned octet, unsigned first, unsigned size)
{
    for (unsigned value = first; value < first + size; value++)
        if (octet_has(octets, octet, value))
            return true;
    return false;
}

/* The bits of each octet that do not count may be anything. */
static void widen(octets_t *octets, unsigned bits)
{
    for (unsigned octet = 0; octet < 4; octet++) {
        unsigned counting = bits <= 8 * octet ? 0 : bits - 8 * octet > 8 ? 8 : bits - 8 * octet;
        unsigned size = 256u >> counting;

        for (unsigned first = 0; first < 256; first += size)
            if (block_has_any(octets, octet, first, size))
                for (unsigned value = first; value < first + size; value++)
                    octet_add(octets, octet, value);
    }
}

/* Whether an octet may be anything from its lowest to its highest value. */
static bool is_run(const octets_t *octets, unsigned octet, unsigned *first, unsigned *last)
{
    unsigned count = octets_count(octets, octet);

    *first = octets_at(octets, octet, 0);
    *last = octets_at(octets, octet, count - 1);
    return *last - *first + 1 == count;
}

/* Whether the addresses follow one another: octets of one value, then a run, then whole octets. */
static bool is_range(const octets_t *octets, ip_t *first, ip_t *last)
{
    bool is_open = false; /* an octet in front had several values */

    *first = *last = (ip_t){0, 0};
    for (unsigned octet = 0; octet < 4; octet++) {
        unsigned low, high;

        if (!is_run(octets, octet, &low, &high) || (is_open && high - low != 255))
            return false;
        is_open = is_open || low != high;
        first->low = first->low << 8 | low;
        last->low = last->low << 8 | high;
    }
    return true;
}

static int read_octets(reader_t *reader, parsed_t *parsed)
{
    const char *at = reader->body, *end = reader->body + reader->body_len;
    unsigned octet = 0, dots = 0;

    for (const char *c = at; c < end; c++)
        dots += *c == '.';
    if (dots != 3)
        return FAIL(reader, HERR_SYNTAX, "%u octet%s, but an IPv4 address has 4", dots + 1,
                    dots == 0 ? "" : "s");
    for (; octet < 4; octet++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        int err = take_octet(reader, &parsed->octets, octet, at, dot != NULL ? dot : end);

        if (err != 0)
            return err;
        at = dot != NULL ? dot + 1 : end;
    }
    if (reader->bits >= 0)
        widen(&parsed->octets, (unsigned)reader->bits);
    parsed->family = AF_INET;
    parsed->kind =
        is_range(&parsed->octets, &parsed->first.ip, &parsed->last) ? WORD_RANGE : WORD_SETS;
    return 0;
}

/* ---- IPv6 ---- */

static bool looks_like_port(const reader_t *reader)
{
    const char *colon = memchr(reader->body, ':', reader->body_len);
    size_t rest = reader->body_len - (size_t)(colon - reader->body) - 1;

    return colon > reader->body && memchr(colon + 1, ':', rest) == NULL &&
           consists_of(colon + 1, rest, "0123456789");
}

static int read_zone(reader_t *reader, const char *percent, uint32_t *zone)
{
    size_t len = (size_t)(reader->body + reader->body_len - percent) - 1;
    char name[IF_NAMESIZE];
    uint64_t number;

    if (len == 0)
        return FAIL(reader, HERR_SYNTAX, "an interface is missing behind the %%");
    if (len < sizeof(name)) {
        memcpy(name, percent + 1, len);
        name[len] = '\0';
        *zone = if_nametoindex(name);
        if (*zone == 0 && hstr_parse_u64(name, 1, INT32_MAX, &number) == 0)
            *zone = (uint32_t)number;
    }
    return *zone != 0 ? 0 : FAIL(reader, -ENODEV, "there is no interface as behind the %%");
}

static int wrong_ipv6(reader_t *reader)
{
    if (has(reader, '['))
        return FAIL(reader, HERR_SYNTAX, "an IPv6 address stands without brackets here");
    if (looks_like_port(reader))
        return FAIL(reader, HERR_SYNTAX, "a port is no part of a target; -p names ports");
    if (has(reader, '-') || has(reader, ',') || has(reader, '*'))
        return FAIL(reader, HERR_SYNTAX,
                    "IPv6 addresses have no lists, ranges or *; a network is written ADDRESS/BITS");
    return FAIL(reader, HERR_SYNTAX, "\"%.*s\" is no IPv6 address",
                (int)(reader->body_len > 40 ? 40 : reader->body_len), reader->body);
}

static ip_t ip_of(const struct in6_addr *address)
{
    ip_t ip = {0, 0};

    for (unsigned i = 0; i < 16; i++) {
        ip.high = ip.high << 8 | ip.low >> 56;
        ip.low = ip.low << 8 | address->s6_addr[i];
    }
    return ip;
}

static int read_ipv6(reader_t *reader, parsed_t *parsed)
{
    const char *percent = memchr(reader->body, '%', reader->body_len);
    size_t len = percent != NULL ? (size_t)(percent - reader->body) : reader->body_len;
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    int err = 0;

    if (len >= sizeof(text))
        return wrong_ipv6(reader);
    memcpy(text, reader->body, len);
    text[len] = '\0';
    if (inet_pton(AF_INET6, text, &address) != 1)
        return wrong_ipv6(reader);
    if (percent != NULL)
        err = read_zone(reader, percent, &parsed->first.zone);
    if (err != 0)
        return err;
    parsed->kind = WORD_RANGE;
    parsed->family = AF_INET6;
    targets__network(ip_of(&address), reader->bits < 0 ? 128 : (unsigned)reader->bits, 128,
                     &parsed->first.ip, &parsed->last);
    return 0;
}

bool targets__place(int family, const struct sockaddr *address, place_t *place)
{
    const sockaddr_u *u = (const sockaddr_u *)address;

    if (address->sa_family != family)
        return false;
    if (family == AF_INET)
        *place = (place_t){.ip = {0, ntohl(u->sin.sin_addr.s_addr)}};
    else
        *place = (place_t){ip_of(&u->sin6.sin6_addr), u->sin6.sin6_scope_id};
    return true;
}

/* ---- names ---- */

static int read_name(reader_t *reader, parsed_t *parsed)
{
    size_t len = reader->body_len, label = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)reader->body[i];
        char shown[8];

        hstr_escape(shown, sizeof(shown), &reader->body[i], 1);
        if (c < 0x80 && !isalnum(c) && c != '-' && c != '_' && c != '.')
            return FAIL(reader, HERR_SYNTAX, "\"%s\" stands in no host name and no address", shown);
        if (c == '.' && label == 0)
            return FAIL(reader, HERR_SYNTAX, "nothing stands in front of a dot of the host name");
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return FAIL(reader, HERR_SYNTAX, "a part of a host name has at most %d bytes",
                        LABEL_MAX);
    }
    if (reader->body[0] == '-')
        return FAIL(reader, HERR_SYNTAX, "a host name does not begin with \"-\"");
    if (len > TARGETS_NAME_MAX + (reader->body[len - 1] == '.'))
        return FAIL(reader, HERR_SYNTAX, "a host name has at most %d bytes", TARGETS_NAME_MAX);
    parsed->kind = WORD_NAME;
    parsed->family = reader->targets->family;
    parsed->name_len = len;
    parsed->bits = reader->bits < 0 ? reader->targets->family_bits : (unsigned)reader->bits;
    return 0;
}

/* inet_aton's other notations, "127.1", "0x7f.1", "10": the resolver takes them, so they are names
 * to the user. */
static bool read_number(const reader_t *reader, parsed_t *parsed)
{
    char text[64];
    struct in_addr address;

    if (reader->body_len >= sizeof(text) || !isdigit((unsigned char)reader->body[0]) ||
        !consists_of(reader->body, reader->body_len, "0123456789abcdefABCDEFxX."))
        return false;
    memcpy(text, reader->body, reader->body_len);
    text[reader->body_len] = '\0';
    if (inet_aton(text, &address) == 0)
        return false;
    parsed->kind = WORD_NAME;
    parsed->family = AF_INET;
    parsed->first.ip.low = ntohl(address.s_addr);
    parsed->name_is_known = true;
    parsed->name_len = reader->body_len;
    parsed->bits = reader->bits < 0 ? 32 : (unsigned)reader->bits;
    return true;
}

/* ---- a word ---- */

static int read_bits(reader_t *reader, const char *slash)
{
    const char *text = slash + 1;
    size_t len = (size_t)(reader->word + reader->len - text);
    bool is_ipv6 = reader->targets->family == AF_INET6 || has(reader, ':');
    int bits = 0, bits_max = is_ipv6 ? 128 : 32;
    char shown[33];

    hstr_escape(shown, sizeof(shown), text, len > 8 ? 8 : len);
    if (reader->body_len > 3 && memchr(reader->body, '/', reader->body_len) != NULL) {
        if (memmem(reader->body, reader->body_len, ":/", 2) != NULL)
            return FAIL(reader, HERR_SYNTAX, "a URL is no target; the host name alone is");
        return FAIL(reader, HERR_SYNTAX, "more than one /");
    }
    if (len == 0 || !consists_of(text, len, "0123456789"))
        return FAIL(reader, HERR_SYNTAX, "\"/%s\" is no number of bits, /0 to /%d", shown,
                    bits_max);
    for (size_t i = 0; i < len && bits <= bits_max; i++)
        bits = bits * 10 + (text[i] - '0');
    if (bits > bits_max)
        return FAIL(reader, HERR_RANGE, "\"/%s\" is more than /%d", shown, bits_max);
    reader->bits = bits;
    return 0;
}

int targets__parse(targets_t *targets, const char *word, size_t len, parsed_t *parsed)
{
    reader_t reader = {targets, word, len, word, len, -1};
    const char *slash = memrchr(word, '/', len);
    int err = 0;

    *parsed = (parsed_t){.kind = WORD_RANGE};
    if (len > TARGETS_WORD_MAX)
        return FAIL(&reader, HERR_SYNTAX, "more than %d bytes", TARGETS_WORD_MAX);
    if (slash != NULL) {
        reader.body_len = (size_t)(slash - word);
        err = read_bits(&reader, slash);
    }
    if (err != 0)
        return err;
    if (reader.body_len == 0)
        return FAIL(&reader, HERR_SYNTAX, "neither an address nor a host name");
    if (has(&reader, ':'))
        return read_ipv6(&reader, parsed);
    if (consists_of(word, reader.body_len, "0123456789.,-*")) {
        err = read_octets(&reader, parsed);
        return err != 0 && read_number(&reader, parsed) ? 0 : err;
    }
    if (has(&reader, '%'))
        return FAIL(&reader, HERR_SYNTAX, "a %% with an interface follows an IPv6 address only");
    return read_number(&reader, parsed) ? 0 : read_name(&reader, parsed);
}
