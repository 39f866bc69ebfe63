/* A strict reader of the XML that scanners write: elements that are closed in their order,
 * attributes in quotes, the five entities and numbers of characters. There are no declarations in
 * such files, so none are read: nothing grows, and nothing is fetched. Elements that say nothing of
 * hosts and ports are passed over. */
#include "earlier.h"

#include "base/herr.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <errno.h>
#include <string.h>

#define DEPTH_MAX 16
#define ATTRIBUTES_MAX 32

typedef struct word_s {
    const char *data;
    size_t len;
} word_t;

typedef struct attribute_s {
    word_t name;
    size_t value; /* where it begins in values */
} attribute_t;

typedef struct reader_s {
    const char *text, *at, *end;
    hbytes_t *why;
    word_t open[DEPTH_MAX];
    size_t depth;
    attribute_t attributes[ATTRIBUTES_MAX]; /* of the element that was read last */
    size_t attribute_count;
    hbytes_t values; /* of them, each with a NUL */
    bool is_closed;  /* the element that was read last has no content */
    bool has_root;
    earlier_t *earlier;
    earlier_host_t *host; /* that we are in, or NULL */
    earlier_port_t *port;
    uint8_t group_state;
} reader_t;

static int fail(reader_t *r, const char *what)
{
    size_t line = 1;

    for (const char *at = r->text; at < r->at && (at = memchr(at, '\n', (size_t)(r->at - at)));
         at++)
        line++;
    hbytes_printf(r->why, "line %zu: %s", line, what);
    return HERR_SYNTAX;
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_spaces(reader_t *r)
{
    while (r->at < r->end && is_space(*r->at))
        r->at++;
}

static bool takes(reader_t *r, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
        return false;
    r->at += len;
    return true;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

static word_t read_name(reader_t *r)
{
    word_t name = {r->at, 0};

    while (r->at < r->end && is_name(*r->at))
        r->at++;
    name.len = (size_t)(r->at - name.data);
    return name;
}

static bool word_is(word_t word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

/* "amp", "#38", "#x26", without & and ;. What we compare is ASCII: another character is a '?'. */
static int append_entity(reader_t *r, word_t name)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    unsigned base = 10, code = 0;
    size_t i = 1;

    for (size_t k = 0; k < sizeof(entities) / sizeof(entities[0]); k++)
        if (word_is(name, entities[k].name))
            return hbytes_append_char(&r->values, entities[k].c);
    if (name.len > 2 && name.data[1] == 'x') {
        base = 16;
        i = 2;
    }
    if (name.len <= i || name.len > 8 || name.data[0] != '#')
        return fail(r, "an entity that is not known");
    for (; i < name.len; i++) {
        int digit = hstr_hex_digit(name.data[i]);

        if (digit < 0 || (unsigned)digit >= base)
            return fail(r, "an entity that is not known");
        code = code * base + (unsigned)digit;
    }
    return hbytes_append_char(&r->values, code > 0 && code < 128 ? (char)code : '?');
}

/* Up to the quote that ends it. */
static int read_value(reader_t *r, char quote)
{
    int status = 0;

    while (status == 0 && r->at < r->end && *r->at != quote) {
        const char *from = r->at;

        while (r->at < r->end && *r->at != quote && *r->at != '&' && *r->at != '<' && *r->at)
            r->at++;
        status = hbytes_append(&r->values, from, (size_t)(r->at - from));
        if (status == 0 && r->at < r->end && *r->at == '&') {
            const char *semicolon = memchr(r->at, ';', (size_t)(r->end - r->at));

            if (semicolon == NULL)
                return fail(r, "an entity without its end");
            status = append_entity(r, (word_t){r->at + 1, (size_t)(semicolon - r->at) - 1});
            r->at = semicolon + 1;
        } else if (status == 0 && r->at < r->end && *r->at != quote)
            return fail(r, "a character that an attribute cannot have");
    }
    if (status < 0)
        return status;
    if (r->at == r->end)
        return fail(r, "it ends within an attribute");
    r->at++;
    return hbytes_append(&r->values, "", 1);
}

static int read_attribute(reader_t *r)
{
    attribute_t *attribute = &r->attributes[r->attribute_count];
    char quote;

    if (r->attribute_count == ATTRIBUTES_MAX)
        return fail(r, "too many attributes");
    attribute->name = read_name(r);
    attribute->value = r->values.len;
    skip_spaces(r);
    if (attribute->name.len == 0 || !takes(r, "="))
        return fail(r, "no attribute where one has to be");
    skip_spaces(r);
    quote = r->at < r->end ? *r->at : '\0';
    if (quote != '"' && quote != '\'')
        return fail(r, "an attribute without quotes");
    r->at++;
    r->attribute_count++;
    return read_value(r, quote);
}

/* The value of an attribute; NULL without one. */
static const char *get(const reader_t *r, const char *name)
{
    for (size_t i = 0; i < r->attribute_count; i++)
        if (word_is(r->attributes[i].name, name))
            return r->values.data + r->attributes[i].value;
    return NULL;
}

/* "" without one. */
static const char *get_text(const reader_t *r, const char *name)
{
    const char *value = get(r, name);

    return value ? value : "";
}

/* ---- what elements mean ---------------------------------------------------------------------- */

static int take_address(reader_t *r)
{
    const char *type = get_text(r, "addrtype");

    if (strcmp(type, "ipv4") != 0 && strcmp(type, "ipv6") != 0)
        return 0;
    if (haddr_parse(&r->host->addr, get_text(r, "addr"), 0) < 0)
        return fail(r, "no address where one has to be");
    r->host->has_addr = true;
    return 0;
}

static int take_group(reader_t *r)
{
    const char *ports = get(r, "ports");
    uint8_t protocol = earlier__protocol(get_text(r, "proto"));
    earlier_group_t *group;

    if (ports == NULL || protocol == 0) /* of an older version: which they were is not known */
        return 0;
    group = earlier__add_group(r->host);
    if (group == NULL)
        return -ENOMEM;
    group->protocol = protocol;
    group->state = r->group_state;
    group->ports = hmem_strdup(ports);
    return group->ports ? 0 : -ENOMEM;
}

static int take_port(reader_t *r)
{
    uint64_t number;

    r->port = earlier__add_port(r->host);
    if (r->port == NULL)
        return -ENOMEM;
    if (hstr_parse_u64(get_text(r, "portid"), 0, UINT16_MAX, &number) < 0)
        return fail(r, "a port without its number");
    r->port->number = (uint16_t)number;
    r->port->protocol = earlier__protocol(get_text(r, "protocol"));
    return 0;
}

static int take_service(reader_t *r)
{
    service_t service = {
        .name = (char *)get(r, "name"),
        .product = (char *)get(r, "product"),
        .version = (char *)get(r, "version"),
        .extra = (char *)get(r, "extrainfo"),
        .is_tls = get(r, "tunnel") != NULL,
    };
    hbytes_t text = {0};
    int status;

    if (strcmp(get_text(r, "method"), "probed") != 0 || r->port->service)
        return 0;
    status = earlier_service(&text, &service);
    r->port->service = hbytes_take(&text, NULL);
    return status;
}

/* Only what is within a host; nmap's hints of hosts come again as hosts. */
static int take_element(reader_t *r, word_t name)
{
    if (r->depth == 1)
        return word_is(name, "nmaprun") ? 0 : fail(r, "it is no report of a scan");
    if (r->depth == 2) {
        bool is_host = word_is(name, "host");

        r->host = is_host ? earlier__add_host(r->earlier) : NULL;
        return is_host && r->host == NULL ? -ENOMEM : 0;
    }
    if (r->host == NULL)
        return 0;
    if (word_is(name, "status") && r->depth == 3)
        r->host->state = (uint8_t)earlier__host_state(get_text(r, "state"));
    else if (word_is(name, "address") && r->depth == 3)
        return take_address(r);
    else if (word_is(name, "extraports"))
        r->group_state = (uint8_t)earlier__port_state(get_text(r, "state"));
    else if (word_is(name, "extrareasons"))
        return take_group(r);
    else if (word_is(name, "port"))
        return take_port(r);
    else if (word_is(name, "state") && r->port)
        r->port->state = (uint8_t)earlier__port_state(get_text(r, "state"));
    else if (word_is(name, "service") && r->port)
        return take_service(r);
    return 0;
}

/* ---- elements -------------------------------------------------------------------------------- */

static void close_element(reader_t *r)
{
    word_t name = r->open[--r->depth];

    if (word_is(name, "port"))
        r->port = NULL;
    if (r->depth == 1)
        r->host = NULL;
}

static int read_end(reader_t *r)
{
    word_t name = read_name(r);

    skip_spaces(r);
    if (r->depth == 0 || name.len != r->open[r->depth - 1].len ||
        memcmp(name.data, r->open[r->depth - 1].data, name.len) != 0 || !takes(r, ">"))
        return fail(r, "the end of an element that is not open");
    close_element(r);
    return 0;
}

static int read_element(reader_t *r)
{
    word_t name = read_name(r);
    int status = 0;

    if (name.len == 0 || r->depth == DEPTH_MAX || (r->depth == 0 && r->has_root))
        return fail(r, "no element where one has to be");
    r->attribute_count = 0;
    hbytes_clear(&r->values);
    skip_spaces(r);
    while (status == 0 && r->at < r->end && *r->at != '>' && *r->at != '/') {
        status = read_attribute(r);
        skip_spaces(r);
    }
    if (status < 0)
        return status;
    r->is_closed = takes(r, "/");
    if (!takes(r, ">"))
        return fail(r, "an element without its end");
    r->has_root = true;
    r->open[r->depth++] = name;
    status = take_element(r, name);
    if (r->is_closed)
        close_element(r);
    return status;
}

/* What stands between two marks says nothing to us. */
static int skip_to(reader_t *r, const char *mark)
{
    const char *found = memmem(r->at, (size_t)(r->end - r->at), mark, strlen(mark));

    if (found == NULL)
        return fail(r, "it ends early");
    r->at = found + strlen(mark);
    return 0;
}

static int skip_doctype(reader_t *r)
{
    const char *from = r->at;
    int status = skip_to(r, ">");

    if (status == 0 && memchr(from, '[', (size_t)(r->at - from)))
        return fail(r, "declarations, which are not read");
    return status;
}

static int read_next(reader_t *r)
{
    if (takes(r, "<?"))
        return skip_to(r, "?>");
    if (takes(r, "<!--"))
        return skip_to(r, "-->");
    if (takes(r, "<!DOCTYPE"))
        return skip_doctype(r);
    if (takes(r, "</"))
        return read_end(r);
    if (takes(r, "<"))
        return read_element(r);
    return fail(r, "no element where one has to be");
}

int earlier__parse_xml(earlier_t *earlier, const char *text, size_t len, hbytes_t *why)
{
    reader_t r = {.text = text, .at = text, .end = text + len, .why = why, .earlier = earlier};
    int status = 0;

    while (status == 0 && r.at < r.end) {
        const char *next = memchr(r.at, '<', (size_t)(r.end - r.at));

        r.at = next ? next : r.end;
        if (next)
            status = read_next(&r);
    }
    if (status == 0 && (r.depth > 0 || !r.has_root))
        status = fail(&r, "it ends early");
    hbytes_deinit(&r.values);
    return status;
}
