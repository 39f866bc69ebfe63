#include "ports.h"

#include "ranking.h"

#include "base/herr.h"
#include "base/hmem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 63 /* bytes of a service's name, with its wildcards */
#define LAST_PORT (PORT_COUNT - 1)

static const char example[] = "as in 22,80-90,http*,U:53,60000-";

typedef struct reader_s {
    ports_t *ports;
    const char *at;
    unsigned scanned;   /* protocols */
    unsigned protocols; /* those that the next item is for */
    bool bracket;
    names_t *names;
    port_set_t *known[2]; /* of TCP and UDP; made when the first bracket is met */
    char *error;
    size_t error_size;
} reader_t;

__attribute__((format(printf, 3, 4))) static int fail(reader_t *reader, int err, const char *format,
                                                      ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reader->error, reader->error_size, format, args);
    va_end(args);
    return err;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-_.+*?", c) != NULL);
}

static void skip_blanks(reader_t *reader)
{
    while (is_blank(*reader->at))
        reader->at++;
}

/* What stands here up to the next comma, for a message. */
static int word_len(const char *at)
{
    size_t len = strcspn(at, ",] \t\r\n");

    return len > NAME_MAX_LEN ? NAME_MAX_LEN : (int)len;
}

static port_set_t *set_of(ports_t *ports, unsigned protocol)
{
    return protocol == PORTS_UDP ? &ports->udp : &ports->tcp;
}

static const char *protocol_words(unsigned protocols)
{
    return protocols == PORTS_TCP ? "TCP" : protocols == PORTS_UDP ? "UDP" : "TCP or UDP";
}

/* ---- what is known ---- */

static port_set_t *make_known(names_t *names, unsigned protocol)
{
    port_set_t *set = hmem_zalloc(sizeof(*set));
    const uint16_t *ranked;
    size_t count;

    if (set == NULL)
        return NULL;
    ranked = ranking_ports(protocol, &count);
    for (size_t i = 0; i < count; i++)
        port_set_add(set, ranked[i], ranked[i]);
    names_match(names, protocol, "*", set);
    return set;
}

static int need_known(reader_t *reader)
{
    for (unsigned protocol = PORTS_TCP; protocol <= PORTS_UDP; protocol++) {
        port_set_t **known = &reader->known[protocol - PORTS_TCP];

        if (*known == NULL)
            *known = make_known(reader->names, protocol);
        if (*known == NULL)
            return -ENOMEM;
    }
    return 0;
}

/* ---- items ---- */

static void add_range(reader_t *reader, unsigned protocol, uint16_t first, uint16_t last)
{
    port_set_t *set = set_of(reader->ports, protocol);
    const port_set_t *known = reader->known[protocol - PORTS_TCP];

    if (!reader->bracket) {
        reader->ports->repeated |= !port_set_add(set, first, last);
        return;
    }
    for (int port = port_set_next(known, first); port >= 0 && port <= last;
         port = port_set_next(known, port + 1))
        reader->ports->repeated |= !port_set_add(set, (uint16_t)port, (uint16_t)port);
}

/* Digits; -1 if there are none, and PORT_COUNT for any number beyond. */
static int take_number(reader_t *reader)
{
    int number = -1;

    while (isdigit((unsigned char)*reader->at)) {
        number = (number < 0 ? 0 : number) * 10 + (*reader->at++ - '0');
        if (number > LAST_PORT)
            number = PORT_COUNT;
    }
    return number;
}

static int take_range(reader_t *reader)
{
    const char *item = reader->at;
    int len = word_len(item), first = take_number(reader), last = first;

    if (*reader->at == '-') {
        reader->at++;
        last = take_number(reader);
        first = first < 0 ? 1 : first;
        last = last < 0 ? LAST_PORT : last;
    }
    if (first > LAST_PORT || last > LAST_PORT)
        return fail(reader, HERR_RANGE, "\"%.*s\": the highest port is %d", len, item, LAST_PORT);
    if (first > last)
        return fail(reader, HERR_RANGE, "\"%.*s\" is upside down: %d-%d is meant?", len, item, last,
                    first);
    for (unsigned protocol = PORTS_TCP; protocol <= PORTS_UDP; protocol++)
        if ((reader->protocols & reader->scanned & protocol) != 0)
            add_range(reader, protocol, (uint16_t)first, (uint16_t)last);
    return 0;
}

static int take_name(reader_t *reader)
{
    char name[NAME_MAX_LEN + 1];
    unsigned found = 0, protocols = reader->protocols & reader->scanned;
    size_t len = 0;

    while (is_name_char(reader->at[len]))
        len++;
    if (len > NAME_MAX_LEN)
        return fail(reader, HERR_SYNTAX, "\"%.*s...\" is too long for a service's name",
                    NAME_MAX_LEN, reader->at);
    memcpy(name, reader->at, len);
    name[len] = '\0';
    reader->at += len;
    for (unsigned protocol = PORTS_TCP; protocol <= PORTS_UDP; protocol++)
        if ((protocols & protocol) != 0)
            found += names_match(reader->names, protocol, name, set_of(reader->ports, protocol));
    if (found == 0 && protocols != 0)
        return fail(reader, HERR_SYNTAX, "\"%s\" is the name of no %s service that is known here",
                    name, protocol_words(protocols));
    return 0;
}

/* A number and what follows it, up to a comma, may also be the name of a service ("3com-tsmux"). */
static bool is_range(const char *at)
{
    int len = word_len(at);

    return strspn(at, "0123456789-") >= (size_t)len && len > 0;
}

/* "T:" and the like, if there is one. */
static int take_protocols(reader_t *reader)
{
    while (isalpha((unsigned char)reader->at[0]) && reader->at[1] == ':') {
        char letter = reader->at[0];

        switch (letter) {
        case 'T':
            reader->protocols = PORTS_TCP;
            break;
        case 'U':
            reader->protocols = PORTS_UDP;
            break;
        case 'S':
            return fail(reader, HERR_UNSUPPORTED, "\"S:\": SCTP is not scanned; T: and U: are");
        case 'P':
            return fail(reader, HERR_UNSUPPORTED,
                        "\"P:\": IP protocols are not scanned; T: and U: are");
        default:
            return fail(reader, HERR_SYNTAX, "\"%c:\" is no protocol; T: (TCP) and U: (UDP) are",
                        letter);
        }
        reader->ports->not_scanned |= reader->protocols & ~reader->scanned;
        reader->at += 2;
        skip_blanks(reader);
    }
    return 0;
}

/* What may stand where a protocol alone does not end the item: a bracket, a range, a name. */
static int take_item(reader_t *reader)
{
    int err = 0;

    if (*reader->at == '[' && !reader->bracket) {
        reader->bracket = true;
        reader->at++;
        skip_blanks(reader);
        err = need_known(reader);
        if (err == 0)
            err = take_protocols(reader);
        if (err != 0 || *reader->at == ']')
            return err;
    }
    if (is_range(reader->at))
        return take_range(reader);
    if (is_name_char(*reader->at))
        return take_name(reader);
    if (*reader->at == ',')
        return fail(reader, HERR_SYNTAX, "nothing stands in front of \"%.20s\"; ports are given %s",
                    reader->at, example);
    return fail(reader, HERR_SYNTAX, "\"%.20s\" is no port, range or name; ports are given %s",
                reader->at, example);
}

/* Behind an item: the end of brackets, and a comma or the end. */
static int take_separator(reader_t *reader)
{
    const char *at;

    skip_blanks(reader);
    if (*reader->at == ']') {
        if (!reader->bracket)
            return fail(reader, HERR_SYNTAX, "\"]\" without a \"[\" in front of it");
        reader->bracket = false;
        reader->at++;
        skip_blanks(reader);
    }
    at = reader->at;
    if (*at != '\0' && *at != ',')
        return fail(reader, HERR_SYNTAX, "\"%.20s\" follows without a comma; ports are given %s",
                    at, example);
    reader->at += *at == ',';
    skip_blanks(reader);
    return 0;
}

static int read_items(reader_t *reader)
{
    int err = 0;

    skip_blanks(reader);
    if (*reader->at == '\0')
        return fail(reader, HERR_SYNTAX, "no port is given; ports are given %s", example);
    while (*reader->at != '\0' && err == 0) {
        err = take_protocols(reader);
        if (err == 0 && *reader->at != '\0')
            err = take_item(reader);
        if (err == 0)
            err = take_separator(reader);
    }
    if (err == 0 && reader->bracket)
        return fail(reader, HERR_SYNTAX, "\"[\" without a \"]\" behind it");
    if (err == 0 && reader->ports->tcp.count + reader->ports->udp.count == 0 &&
        reader->ports->not_scanned == 0)
        return fail(reader, HERR_SYNTAX, "no port is given; ports are given %s", example);
    return err;
}

int ports_parse(ports_t *ports, const char *text, unsigned protocols, names_t *names, char *error,
                size_t error_size)
{
    reader_t reader = {.ports = ports,
                       .at = text,
                       .scanned = protocols,
                       .protocols = PORTS_TCP | PORTS_UDP,
                       .names = names,
                       .error = error,
                       .error_size = error_size};
    int err;

    *ports = (ports_t){0};
    if (error_size > 0)
        error[0] = '\0';
    err = read_items(&reader);
    hmem_free(reader.known[0]);
    hmem_free(reader.known[1]);
    return err;
}

/* ---- the most popular ones ---- */

/* Behind the ranked ports come the others by number, and 0 at last. */
static void add_top(port_set_t *set, unsigned n, unsigned protocol, const port_set_t *within,
                    const port_set_t *excluded)
{
    size_t count;
    const uint16_t *ranked = ranking_ports(protocol, &count);

    for (size_t i = 0; i < count + PORT_COUNT && set->count < n; i++) {
        uint16_t port = i < count ? ranked[i] : (uint16_t)(i - count + 1);

        if ((within == NULL || port_set_has(within, port)) &&
            (excluded == NULL || !port_set_has(excluded, port)))
            port_set_add(set, port, port);
    }
}

void ports_top(ports_t *ports, unsigned n, unsigned protocols, const ports_t *within,
               const ports_t *excluded)
{
    *ports = (ports_t){0};
    if ((protocols & PORTS_TCP) != 0)
        add_top(&ports->tcp, n, PORTS_TCP, within == NULL ? NULL : &within->tcp,
                excluded == NULL ? NULL : &excluded->tcp);
    if ((protocols & PORTS_UDP) != 0)
        add_top(&ports->udp, n, PORTS_UDP, within == NULL ? NULL : &within->udp,
                excluded == NULL ? NULL : &excluded->udp);
}

void ports_remove(ports_t *ports, const ports_t *excluded)
{
    port_set_remove(&ports->tcp, &excluded->tcp);
    port_set_remove(&ports->udp, &excluded->udp);
}
