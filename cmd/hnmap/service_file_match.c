/* Patterns, and what they tell of a service. */
#include "service_file_int.h"

#include "base/herr.h"
#include "base/hstr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 40 /* of what SUBST replaces, and by what */

/* ---- reading a line -------------------------------------------------------------------------- */

/* p/.../ v/.../ i/.../ h/.../ o/.../ d/.../ cpe:/.../a; any character may stand for the slash. */
static int read_field(file_reader_t *r, file_match_t *match, char **at)
{
    static const char letters[] = "pvihod";
    const char *letter = strchr(letters, **at);
    size_t field = letter ? (size_t)(letter - letters) : FIELD_CPE;
    char *text;

    if (letter == NULL && !hstr_starts(*at, "cpe:"))
        return service_file__fail(r, HERR_SYNTAX, "'%.20s' is none of p/ v/ i/ h/ o/ d/ cpe:/",
                                  *at);
    if (letter == NULL)
        while (field < FILE_FIELDS && match->fields[field])
            field++;
    else if (match->fields[field])
        return service_file__fail(r, HERR_SYNTAX, "%c/.../ is there a second time", *letter);
    *at += letter ? 1 : strlen("cpe:");
    text = service_file__quoted(at);
    if (text == NULL)
        return service_file__fail(r, HERR_SYNTAX, "a field without its end: '%.20s'", *at);
    if (field < FILE_FIELDS) /* more names than a report takes are left out */
        match->fields[field] = text;
    if (letter == NULL)
        *at += **at == 'a';
    if (**at != '\0' && **at != ' ' && **at != '\t')
        return service_file__fail(r, HERR_SYNTAX, "'%.20s' directly behind a field", *at);
    *at += strspn(*at, " \t");
    return 0;
}

static int read_pattern(file_reader_t *r, file_match_t *match, char **at)
{
    unsigned flags = 0;
    char *text, why[200];
    int err;

    if (*(*at)++ != 'm' || (text = service_file__quoted(at)) == NULL)
        return service_file__fail(r, HERR_SYNTAX, "the pattern is missing: m|...|");
    for (; **at == 'i' || **at == 's'; ++*at)
        flags |= **at == 'i' ? PATTERN_NO_CASE : PATTERN_DOT_ALL;
    if (**at != '\0' && **at != ' ' && **at != '\t')
        return service_file__fail(r, HERR_SYNTAX, "'%.20s' behind the pattern is neither i nor s",
                                  *at);
    *at += strspn(*at, " \t");
    err = pattern_new(r->file->patterns, text, flags, &match->pattern, why, sizeof(why));
    if (err < 0)
        return service_file__fail(r, err, "%s", err == -ENOMEM ? herr_str(err) : why);
    return 0;
}

int service_file__read_match(file_reader_t *r, char *at, bool is_soft)
{
    service_file_t *f = r->file;
    file_match_t match = {.is_soft = is_soft}, *all;
    int err;

    if (f->entry_count == 0)
        return service_file__fail(r, HERR_SYNTAX, "a match in front of the first Probe");
    match.name = service_file__word(&at);
    match.is_tls = hstr_starts(match.name, "ssl/");
    match.name += match.is_tls ? strlen("ssl/") : 0;
    if (match.name[0] == '\0')
        return service_file__fail(r, HERR_SYNTAX, "no name of a service");
    for (const char *c = match.name; *c; c++)
        if (*c < 0x21 || *c > 0x7e)
            return service_file__fail(r, HERR_SYNTAX, "a name of a service that is not printable");
    err = read_pattern(r, &match, &at);
    while (err == 0 && *at)
        err = read_field(r, &match, &at);
    if (err == 0) {
        all = service_file__add(f->matches, &f->match_count, SERVICE_FILE_MATCHES_MAX, sizeof(*all),
                                &err);
        if (all) {
            f->matches = all;
            all[f->match_count - 1] = match;
            f->entries[f->entry_count - 1].matches.count++;
            return 0;
        }
        service_file__fail(r, err, "%s", err == -ENOMEM ? herr_str(err) : "too many patterns");
    }
    pattern_free(match.pattern);
    return err;
}

/* ---- what a field becomes -------------------------------------------------------------------- */

typedef struct text_s {
    char *data;
    size_t len, size;
    bool is_cpe;
} text_t;

/* One byte of an answer. In a CPE capitals are written small, a blank is "_", and what is none of
 * its characters has a percent sign and its number (NISTIR 7695, 6.1.2). */
static void put(text_t *t, uint8_t c)
{
    if (c < 0x20 || c > 0x7e || t->len + 4 > t->size)
        return;
    if (t->is_cpe) {
        c = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c == ' ' ? '_' : c;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._~", c))) {
            t->len += (size_t)snprintf(t->data + t->len, t->size - t->len, "%%%02x", c);
            return;
        }
    }
    t->data[t->len++] = (char)c;
}

/* What stands in the parentheses behind $P, $SUBST and $I: a group, and up to two texts. */
typedef struct call_s {
    size_t group;
    char words[2][WORD_MAX];
    size_t count;
} call_t;

static bool read_call(const char **at, call_t *call)
{
    const char *c = *at;

    *call = (call_t){0};
    if (*c++ != '(' || *c < '1' || *c > '9')
        return false;
    call->group = (size_t)(*c++ - '0');
    while (*c == ',' && call->count < 2) {
        const char *end = c[1] == '"' ? strchr(c + 2, '"') : NULL;
        size_t len = end ? (size_t)(end - c - 2) : WORD_MAX;

        if (len >= WORD_MAX)
            return false;
        memcpy(call->words[call->count++], c + 2, len);
        c = end + 1;
    }
    if (*c != ')')
        return false;
    *at = c + 1;
    return true;
}

static void put_group(text_t *t, pattern_group_t group)
{
    for (size_t i = 0; i < group.len; i++)
        put(t, group.data[i]);
}

static void put_replaced(text_t *t, pattern_group_t group, const call_t *call)
{
    size_t len = strlen(call->words[0]);

    for (size_t i = 0; i < group.len;) {
        if (len == 0 || group.len - i < len || memcmp(group.data + i, call->words[0], len) != 0) {
            put(t, group.data[i++]);
            continue;
        }
        for (const char *c = call->words[1]; *c; c++)
            put(t, (uint8_t)*c);
        i += len;
    }
}

/* Up to 8 bytes as a number, with ">" its first byte is the highest. */
static void put_number(text_t *t, pattern_group_t group, bool is_big)
{
    char digits[24];
    uint64_t value = 0;

    if (group.len > 8)
        return;
    for (size_t i = 0; i < group.len; i++)
        value = value << 8 | group.data[is_big ? i : group.len - 1 - i];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    for (const char *c = digits; *c; c++)
        put(t, (uint8_t)*c);
}

/* What a dollar sign means; *at is behind it. False: nothing, it stands for itself. */
static bool put_reference(text_t *t, const char **at, const pattern_group_t *groups)
{
    static const struct {
        const char *name;
        size_t words;
    } calls[] = {{"P", 0}, {"SUBST", 2}, {"I", 1}};

    if (**at >= '1' && **at <= '9') {
        put_group(t, groups[*(*at)++ - '0']);
        return true;
    }
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const char *behind = *at + strlen(calls[i].name);
        call_t call;

        if (!hstr_starts(*at, calls[i].name) || !read_call(&behind, &call) ||
            call.count != calls[i].words)
            continue;
        if (i == 0)
            put_group(t, groups[call.group]); /* what is not printable is left out anyway */
        else if (i == 1)
            put_replaced(t, groups[call.group], &call);
        else
            put_number(t, groups[call.group], call.words[0][0] == '>');
        *at = behind;
        return true;
    }
    return false;
}

static void fill(char *dst, size_t size, const char *template, const pattern_group_t *groups)
{
    text_t t = {.data = dst, .size = size};

    for (const char *at = template; at && *at;) {
        char c = *at++;

        t.is_cpe = false;
        if (c == '$') {
            t.is_cpe = dst[0] == 'c' && t.len >= 5 && memcmp(dst, "cpe:/", 5) == 0;
            if (put_reference(&t, &at, groups))
                continue;
            t.is_cpe = false;
        }
        put(&t, (uint8_t)c);
    }
    while (t.len > 0 && dst[t.len - 1] == ' ')
        t.len--;
    dst[t.len] = '\0';
}

static void tell(const file_match_t *line, const pattern_group_t *groups, match_t *m)
{
    const struct {
        char *text;
        size_t size;
    } to[] = {
        {m->product, sizeof(m->product)}, {m->version, sizeof(m->version)},
        {m->extra, sizeof(m->extra)},     {m->hostname, sizeof(m->hostname)},
        {m->os, sizeof(m->os)},           {m->device, sizeof(m->device)},
    };
    char template[256];

    match_named(m, line->name);
    for (size_t i = 0; i < FIELD_CPE; i++)
        fill(to[i].text, to[i].size, line->fields[i], groups);
    for (size_t i = 0; i < MATCH_CPES && line->fields[FIELD_CPE + i]; i++) {
        snprintf(template, sizeof(template), "cpe:/%s", line->fields[FIELD_CPE + i]);
        fill(m->cpe[i], sizeof(m->cpe[i]), template, groups);
    }
    if (!line->is_soft)
        m->level = MATCH_VERSION;
    else if (m->product[0])
        m->level = MATCH_PRODUCT;
}

/* ---- matching -------------------------------------------------------------------------------- */

typedef struct search_s {
    const service_file_t *file;
    const uint8_t *data;
    size_t len;
    match_t *match;
    bool *is_tls;
    unsigned given_up;
} search_t;

/* The patterns of one probe. True: a `match` has told all. */
static bool search_in(search_t *s, size_t number)
{
    file_span_t span = s->file->entries[number].matches;

    for (size_t i = 0; i < span.count && s->given_up < SERVICE_FILE_GIVEN_UP_MAX; i++) {
        const file_match_t *line = &s->file->matches[span.at + i];
        pattern_group_t groups[PATTERN_GROUPS];
        int status;

        if (line->is_soft && s->match->level != MATCH_NONE)
            continue;
        status = pattern_match(s->file->patterns, line->pattern, s->data, s->len, groups);
        s->given_up += status < 0;
        if (status <= 0)
            continue;
        *s->match = (match_t){0};
        tell(line, groups, s->match);
        *s->is_tls = line->is_tls;
        if (!line->is_soft)
            return true;
    }
    return false;
}

bool service_file_match(const service_file_t *file, size_t number, const uint8_t *data, size_t len,
                        match_t *match, bool *is_tls)
{
    search_t s = {file, data, len, match, is_tls, 0};
    bool is_tcp = true;

    *match = (match_t){0};
    *is_tls = false;
    if (number != SERVICE_FILE_LISTENER) {
        const file_entry_t *entry = &file->entries[number];

        if (search_in(&s, number))
            return true;
        for (size_t i = 0; i < entry->fallback_count; i++)
            if (search_in(&s, entry->fallbacks[i]))
                return true;
        is_tcp = entry->probe.protocol == IPPROTO_TCP;
    }
    return is_tcp && file->listener != SERVICE_FILE_LISTENER && search_in(&s, file->listener);
}

bool service_file_tells(const service_file_t *file, size_t number, const char *name)
{
    file_span_t span = file->entries[number].matches;

    for (size_t i = 0; i < span.count; i++)
        if (!file->matches[span.at + i].is_soft &&
            strcmp(file->matches[span.at + i].name, name) == 0)
            return true;
    return false;
}
