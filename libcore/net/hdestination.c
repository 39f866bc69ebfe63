#include "hdestination.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "hhost.h"

#include <stdio.h>
#include <string.h>

#define PATTERN_SIZE 512
#define IP_MAX 16 /* bytes */
#define RULES_FIRST 8

typedef enum { ANY, NAME, BELOW, NAME_AND_BELOW, BLOCK } kind_e;

typedef struct ports_s {
    uint16_t first, last;
} ports_t;

/* The bytes of an IP address; len 0: of another family. */
typedef struct ip_s {
    uint8_t bytes[IP_MAX];
    size_t len;
} ip_t;

typedef struct rule_s {
    bool allow;
    kind_e kind;
    ip_t block;
    unsigned bits;
    char *name;
    ports_t ports[HDESTINATION_PORTS_MAX]; /* none: all */
    size_t port_count;
} rule_t;

struct hdestination_s {
    rule_t *rules;
    size_t count, cap;
    bool allows; /* a rule does */
};

/* ---- addresses ------------------------------------------------------------------------------- */

static ip_t ip_of(const struct sockaddr *sa)
{
    haddr_t addr;
    ip_t ip = {.len = 0};

    if (haddr_set(&addr, sa, haddr_len(sa)) != 0)
        return ip;
    haddr_unmap(&addr);
    if (addr.u.sa.sa_family == AF_INET) {
        ip.len = 4;
        memcpy(ip.bytes, &addr.u.sin.sin_addr, 4);
    } else if (addr.u.sa.sa_family == AF_INET6) {
        ip.len = IP_MAX;
        memcpy(ip.bytes, &addr.u.sin6.sin6_addr, IP_MAX);
    }
    return ip;
}

static bool in_block(const ip_t *ip, const ip_t *block, unsigned bits)
{
    unsigned rest = bits % 8;

    if (ip->len != block->len || memcmp(ip->bytes, block->bytes, bits / 8) != 0)
        return false;
    return rest == 0 || (ip->bytes[bits / 8] ^ block->bytes[bits / 8]) >> (8 - rest) == 0;
}

/* The IPv4 address that a gateway makes of an IPv6 one; its len is 0 if there is none in it. */
static ip_t inner_of(const ip_t *ip)
{
    static const struct {
        ip_t block;
        unsigned bits, at;
    } ways[] = {
        {{{0x00, 0x64, 0xff, 0x9b}, IP_MAX}, 96, 12}, /* RFC 6052: NAT64 */
        {{{0x20, 0x02}, IP_MAX}, 16, 2},              /* RFC 3056: 6to4 */
        {{{0}, IP_MAX}, 96, 12},                      /* RFC 4291 section 2.5.5.1 */
    };
    static const ip_t none = {{0}, IP_MAX};
    ip_t inner = {.len = 0};

    if (in_block(ip, &none, 127)) /* :: and ::1 are themselves */
        return inner;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && inner.len == 0; i++) {
        if (!in_block(ip, &ways[i].block, ways[i].bits))
            continue;
        inner.len = 4;
        memcpy(inner.bytes, ip->bytes + ways[i].at, 4);
    }
    return inner;
}

static bool is_loopback(const ip_t *ip)
{
    static const ip_t v4 = {{127}, 4}, v6 = {{[15] = 1}, IP_MAX};
    static const ip_t none4 = {{0}, 4}, none6 = {{0}, IP_MAX}; /* lead there */

    return in_block(ip, &v4, 8) || in_block(ip, &v6, 128) || in_block(ip, &none4, 8) ||
           in_block(ip, &none6, 128);
}

static bool is_link_local(const ip_t *ip)
{
    static const ip_t v4 = {{169, 254}, 4}, v6 = {{0xfe, 0x80}, IP_MAX};

    return in_block(ip, &v4, 16) || in_block(ip, &v6, 10);
}

static bool is_guarded(const ip_t *ip, const struct sockaddr *client)
{
    ip_t from, inner = inner_of(ip);

    if (is_link_local(ip) || is_link_local(&inner))
        return true;
    if (!client || !(is_loopback(ip) || is_loopback(&inner)))
        return false;
    from = ip_of(client);
    return from.len > 0 && !is_loopback(&from);
}

/* ---- patterns -------------------------------------------------------------------------------- */

/* Where errors are told. */
typedef struct report_s {
    char *text;
    size_t size;
    const char *pattern;
} report_t;

static int fail(const report_t *report, int err, const char *why)
{
    char quoted[HDESTINATION_ERROR_SIZE / 2];

    hstr_escape(quoted, sizeof(quoted), report->pattern, strlen(report->pattern));
    if (report->text)
        snprintf(report->text, report->size, "%s: \"%s\"", why, quoted);
    return err;
}

static int parse_ports(rule_t *rule, char *text, const report_t *report)
{
    for (char *next; text; text = next) {
        ports_t *range = &rule->ports[rule->port_count];
        int err;

        next = strchr(text, ',');
        if (next)
            *next++ = '\0';
        if (rule->port_count == HDESTINATION_PORTS_MAX)
            return fail(report, HERR_RANGE, "too many ports");
        err = haddr_port_parse(text, "tcp", &range->first, &range->last, NULL, 0);
        if (err < 0)
            return fail(report, err, "no such port");
        rule->port_count++;
    }
    return 0;
}

/* Cuts ":PORTS" and brackets off: *ports is NULL without any. False: that is no pattern. */
static bool split(char **host, char **ports)
{
    char *close = (*host)[0] == '[' ? strchr(*host, ']') : NULL;
    char *colon = strchr(close ? close : *host, ':');

    *ports = NULL;
    if ((*host)[0] == '[' && !close)
        return false;
    if (close && close[1] != '\0' && close[1] != ':' && close[1] != '/')
        return false;
    if (colon && (close || !strchr(colon + 1, ':'))) {
        *colon = '\0';
        *ports = colon + 1;
    }
    if (close) {
        memmove(close, close + 1, strlen(close + 1) + 1);
        (*host)++;
    }
    return true;
}

/* The bits of a mapped address count from the start of the IPv6 one; shorter ones are of IPv6. */
static int parse_block(rule_t *rule, char *text, const report_t *report)
{
    char *slash = strchr(text, '/');
    unsigned all, before = 0;
    uint64_t bits;
    haddr_t addr;

    if (slash)
        *slash = '\0';
    if (haddr_parse(&addr, text, 0) != 0)
        return fail(report, HERR_SYNTAX, "no address");
    rule->kind = BLOCK;
    rule->block = ip_of(&addr.u.sa);
    all = addr.u.sa.sa_family == AF_INET ? 32 : 128;
    before = all - (unsigned)rule->block.len * 8;
    bits = all;
    if (slash && hstr_parse_u64(slash + 1, 0, all, &bits) != 0)
        return fail(report, HERR_RANGE, "bits of the block out of range");
    if (bits < before) {
        rule->block.len = IP_MAX;
        memcpy(rule->block.bytes, &addr.u.sin6.sin6_addr, IP_MAX);
        before = 0;
    }
    rule->bits = (unsigned)bits - before;
    return 0;
}

static void cut_last_point(char *name)
{
    size_t len = strlen(name);

    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
}

static int parse_name(rule_t *rule, const char *text, const report_t *report)
{
    char name[HHOST_SIZE];
    haddr_t addr;
    int err;

    rule->kind = NAME;
    if (text[0] == '.')
        rule->kind = NAME_AND_BELOW;
    else if (hstr_starts(text, "*."))
        rule->kind = BELOW;
    text += rule->kind == BELOW ? 2 : rule->kind == NAME_AND_BELOW;
    if (strchr(text, '*'))
        return fail(report, HERR_SYNTAX, "a star stands alone, or in front as \"*.\"");
    err = hhost_plain(text, name);
    if (err < 0)
        return fail(report, err, "no host");
    cut_last_point(name);
    if (haddr_parse(&addr, name, 0) == 0) /* 127.1 */
        return rule->kind == NAME ? parse_block(rule, name, report)
                                  : fail(report, HERR_SYNTAX, "nothing is below an address");
    rule->name = hmem_strdup(name);
    return rule->name ? 0 : fail(report, -ENOMEM, herr_str(-ENOMEM));
}

static int parse_pattern(rule_t *rule, const char *text, const report_t *report)
{
    char copy[PATTERN_SIZE], *host = copy, *ports;
    int err;

    if (hstr_copy(copy, sizeof(copy), text) >= sizeof(copy))
        return fail(report, HERR_SYNTAX, "too long");
    if (!split(&host, &ports) || host[0] == '\0')
        return fail(report, HERR_SYNTAX, "no destination");
    err = ports ? parse_ports(rule, ports, report) : 0;
    if (err < 0)
        return err;
    if (strcmp(host, "*") == 0)
        rule->kind = ANY;
    else if (strchr(host, ':') || strchr(host, '/'))
        err = parse_block(rule, host, report);
    else
        err = parse_name(rule, host, report);
    return err;
}

/* ---- the list -------------------------------------------------------------------------------- */

int hdestination_new(hdestination_t **list)
{
    *list = hmem_zalloc(sizeof(**list));
    return *list ? 0 : -ENOMEM;
}

void hdestination_free(hdestination_t *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        hmem_free(list->rules[i].name);
    hmem_free(list->rules);
    hmem_free(list);
}

size_t hdestination_count(const hdestination_t *list)
{
    return list ? list->count : 0;
}

static int grow(hdestination_t *list)
{
    size_t cap = list->cap ? 2 * list->cap : RULES_FIRST;
    rule_t *rules;

    if (list->count < list->cap)
        return 0;
    rules = hmem_realloc(list->rules, cap * sizeof(*rules));
    if (!rules)
        return -ENOMEM;
    list->rules = rules;
    list->cap = cap;
    return 0;
}

static int add_pattern(hdestination_t *list, bool allow, const char *pattern, report_t *report)
{
    rule_t rule = {.allow = allow};
    int err;

    report->pattern = pattern;
    if (list->count >= HDESTINATION_RULES_MAX)
        return fail(report, -ENOBUFS, "too many rules");
    err = grow(list);
    if (err < 0)
        return fail(report, err, herr_str(err));
    err = parse_pattern(&rule, pattern, report);
    if (err < 0)
        return err;
    list->rules[list->count++] = rule;
    list->allows |= allow;
    return 0;
}

int hdestination_add(hdestination_t *list, const char *text, char *error, size_t error_size)
{
    static const char blanks[] = " \t";
    report_t report = {error, error_size, text};
    size_t len = strcspn(text, blanks);
    bool allow = len == 5 && memcmp(text, "allow", len) == 0;
    char pattern[PATTERN_SIZE];
    int err = 0;

    if (!allow && (len != 4 || memcmp(text, "deny", len) != 0))
        return fail(&report, HERR_SYNTAX, "neither allow nor deny");
    text += len + strspn(text + len, blanks);
    if (*text == '\0')
        return fail(&report, HERR_SYNTAX, "a destination is missing");
    while (err == 0 && *text) {
        len = strcspn(text, blanks);
        if (len >= sizeof(pattern))
            return fail(&report, HERR_SYNTAX, "too long");
        memcpy(pattern, text, len);
        pattern[len] = '\0';
        err = add_pattern(list, allow, pattern, &report);
        text += len + strspn(text + len, blanks);
    }
    return err;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool has_port(const rule_t *rule, uint16_t port)
{
    for (size_t i = 0; i < rule->port_count; i++) {
        if (port >= rule->ports[i].first && port <= rule->ports[i].last)
            return true;
    }
    return rule->port_count == 0;
}

static bool has_name(const rule_t *rule, const char *host)
{
    size_t len, own = strlen(rule->name);

    if (!host)
        return false;
    len = strlen(host);
    if (len > 1 && host[len - 1] == '.')
        len--;
    if (len < own || memcmp(host + len - own, rule->name, own) != 0)
        return false;
    if (len == own)
        return rule->kind != BELOW;
    return rule->kind != NAME && host[len - own - 1] == '.';
}

/* What is denied is not to be reached through a gateway either. */
static bool has_address(const rule_t *rule, const ip_t *ip)
{
    ip_t inner;

    if (in_block(ip, &rule->block, rule->bits))
        return true;
    if (rule->allow)
        return false;
    inner = inner_of(ip);
    return in_block(&inner, &rule->block, rule->bits);
}

static bool matches(const rule_t *rule, const char *host, const ip_t *ip, uint16_t port)
{
    if (!has_port(rule, port))
        return false;
    switch (rule->kind) {
    case ANY:
        return true;
    case BLOCK:
        return ip && has_address(rule, ip);
    case NAME:
    case BELOW:
    case NAME_AND_BELOW:
        return has_name(rule, host);
    }
    return false;
}

/* The first rule that matches, and the first of those for addresses. */
typedef struct found_s {
    const rule_t *first, *block;
} found_t;

static found_t find(const hdestination_t *list, const char *host, const ip_t *ip, uint16_t port)
{
    found_t found = {NULL, NULL};

    for (size_t i = 0; list && i < list->count && !found.block; i++) {
        const rule_t *rule = &list->rules[i];

        if (found.first && rule->kind != BLOCK)
            continue;
        if (!matches(rule, host, ip, port))
            continue;
        if (!found.first)
            found.first = rule;
        if (rule->kind == BLOCK)
            found.block = rule;
    }
    return found;
}

static bool allows(const hdestination_t *list, const found_t *found)
{
    if (found->first ? !found->first->allow : list && list->allows)
        return false;
    return !found->block || found->block->allow;
}

/* A name: rules for addresses count only as far as they may allow it. */
static hdestination_e check_name(const hdestination_t *list, const char *host, uint16_t port)
{
    bool depends = false, allowed = !list->allows;

    for (size_t i = 0; i < list->count; i++) {
        const rule_t *rule = &list->rules[i];

        if (rule->kind == BLOCK) {
            depends |= rule->allow && has_port(rule, port);
        } else if (matches(rule, host, NULL, port)) {
            allowed = rule->allow;
            break;
        }
    }
    if (allowed)
        return HDESTINATION_ALLOWED;
    return depends ? HDESTINATION_DEPENDS : HDESTINATION_DENIED;
}

hdestination_e hdestination_check_host(const hdestination_t *list, const char *host, uint16_t port)
{
    haddr_t addr;
    found_t found;
    ip_t ip;

    if (!list)
        return HDESTINATION_ALLOWED;
    if (haddr_parse(&addr, host, port) != 0)
        return check_name(list, host, port);
    ip = ip_of(&addr.u.sa);
    found = find(list, NULL, &ip, port);
    return allows(list, &found) ? HDESTINATION_ALLOWED : HDESTINATION_DENIED;
}

bool hdestination_check_addr(const hdestination_t *list, const char *host,
                             const struct sockaddr *addr, const struct sockaddr *client)
{
    ip_t ip = ip_of(addr);
    found_t found = find(list, host, &ip, (uint16_t)haddr_port(addr));

    if (ip.len == 0)
        return false; /* no network leads there */
    if (!found.block && is_guarded(&ip, client))
        return false;
    return allows(list, &found);
}
