/* hconf: our reader hands inih one line at a time and checks its form first, because inih itself
 * reports only the first bad line and cuts long ones silently. inih splits the lines; the handler
 * finds the row and stores into a copy of the target, which is copied back only when all is
 * well. */
#include "hconf.h"

#include <stdarg.h>
#include <string.h>

#ifdef HNET_WITH_INIH
#include <ini.h>
#endif

#include "../base/hfile.h"
#include "../base/hmem.h"
#include "../base/hstr.h"
#include "hopt_int.h"
#include "hsuggest.h"

#define WORD_SIZE 128 /* a key or a heading in a message */

typedef struct string_s {
    struct string_s *next;
    unsigned line;
    size_t len;
    char text[];
} string_t;

struct hconf_s {
    string_t *strings;
};

void hconf_free(hconf_t *conf)
{
    if (conf == NULL)
        return;
    while (conf->strings != NULL) {
        string_t *next = conf->strings->next;

        hmem_free(conf->strings);
        conf->strings = next;
    }
    hmem_free(conf);
}

unsigned hconf_line(const hconf_t *conf, const char *string)
{
    uintptr_t at = (uintptr_t)string;

    for (const string_t *s = conf != NULL ? conf->strings : NULL; s != NULL; s = s->next) {
        if (at >= (uintptr_t)s->text && at <= (uintptr_t)s->text + s->len)
            return s->line;
    }
    return 0;
}

void hconf_where(const hconf_t *conf, const char *path, const char *string, hbytes_t *errors)
{
    unsigned line = hconf_line(conf, string);

    if (line > 0)
        hbytes_printf(errors, "%s:%u: ", path, line);
    else if (string == NULL && path != NULL)
        hbytes_printf(errors, "%s: ", path);
}

void hconf_deinit(const hconf_schema_t *schema, void *target)
{
    for (const hconf_section_t *s = schema->sections; s->name != NULL; s++) {
        const hopt_spec_t spec = {"", s->rows, NULL, false};

        if (s->rows != NULL && s->open == NULL)
            hopt_deinit(&spec, target, NULL);
    }
}

#ifdef HNET_WITH_INIH

typedef struct seen_s {
    const hopt_t *row;
    void *base; /* one table may be included twice */
    unsigned line;
} seen_t;

typedef struct loader_s {
    const hconf_schema_t *schema;
    const hconf_text_t *text;
    size_t at;     /* of the next line in the text */
    unsigned line; /* of the one that was read last */
    void *copy;    /* of the target */
    hconf_t *conf;
    const hconf_section_t *section; /* NULL: an unknown one, whose keys are passed over */
    void *base;                     /* of its rows and pairs */
    seen_t *seen;
    size_t seen_count;
    size_t seen_cap;
    hbytes_t *errors;
    size_t mistakes;
    int error; /* that ends the work: out of memory */
} loader_t;

__attribute__((format(printf, 2, 3))) static void complain(loader_t *l, const char *fmt, ...)
{
    va_list ap;

    if (++l->mistakes > HCONF_ERRORS_MAX)
        return;
    hbytes_printf(l->errors, "%s:%u: ", l->text->name, l->line);
    va_start(ap, fmt);
    hbytes_vprintf(l->errors, fmt, ap);
    va_end(ap);
    hbytes_append_char(l->errors, '\n');
}

/* ---- lines ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The first of the characters in set, or of a comment (";" after a blank), or len. */
static size_t find_any(const char *s, size_t len, const char *set)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr(set, s[i]) != NULL || (s[i] == ';' && i > 0 && is_blank(s[i - 1])))
            return i;
    }
    return len;
}

/* The length of the section's name in a heading, behind which there may be an argument. */
static size_t name_len(const hconf_section_t *s, const char *heading, size_t len)
{
    size_t n = 0;

    if (s->open == NULL)
        return len;
    while (n < len && !is_blank(heading[n]))
        n++;
    return n;
}

static const hconf_section_t *find_section(const loader_t *l, const char *name, size_t len,
                                           hsuggest_t *near)
{
    hsuggest_init(near, name, len);
    for (const hconf_section_t *s = l->schema->sections; s->name != NULL; s++) {
        size_t n = name_len(s, name, len);

        if (strlen(s->name) == n && strncmp(s->name, name, n) == 0)
            return s;
        hsuggest_offer(near, s->name);
    }
    return NULL;
}

/* A copy of the text that lives as long as the conf; NULL when out of memory. */
static const char *keep_span(loader_t *l, const char *text, size_t len)
{
    string_t *copy = hmem_alloc(sizeof(*copy) + len + 1);

    if (copy == NULL) {
        l->error = -ENOMEM;
        return NULL;
    }
    *copy = (string_t){.next = l->conf->strings, .line = l->line, .len = len};
    memcpy(copy->text, text, len);
    copy->text[len] = '\0';
    l->conf->strings = copy;
    return copy->text;
}

static const char *keep_string(loader_t *l, const char *text)
{
    return keep_span(l, text, strlen(text));
}

/* Finds the struct of the section; heading is what stands between the brackets. */
static void open_section(loader_t *l, const char *heading, size_t len)
{
    size_t n = name_len(l->section, heading, len);
    hbytes_t why = {0};
    const char *argument;

    l->base = l->copy;
    if (l->section->open == NULL)
        return;
    while (n < len && is_blank(heading[n]))
        n++;
    while (len > n && is_blank(heading[len - 1]))
        len--;
    argument = keep_span(l, heading + n, len - n);
    l->base = argument != NULL ? l->section->open(argument, l->copy, &why) : NULL;
    if (l->base == NULL) {
        if (why.len > 0)
            complain(l, "[%s]: %s", l->section->name, why.data);
        else
            l->error = -ENOMEM;
        l->section = NULL;
    }
    hbytes_deinit(&why);
}

static bool take_heading(loader_t *l, const char *s, size_t len)
{
    size_t end = find_any(s, len, "]");
    char name[WORD_SIZE];
    hsuggest_t near;
    size_t rest;

    l->section = NULL;
    if (end == len || s[end] != ']') {
        complain(l, "a heading without its ]");
        return false;
    }
    for (rest = end + 1; rest < len && is_blank(s[rest]); rest++)
        continue;
    if (rest < len && s[rest] != ';' && s[rest] != '#') {
        complain(l, "text after a heading");
        return false;
    }
    l->section = find_section(l, s + 1, end - 1, &near);
    if (l->section != NULL) {
        open_section(l, s + 1, end - 1);
        return l->section != NULL;
    }
    hstr_escape(name, sizeof(name), s + 1, end - 1);
    if (near.best != NULL && near.best[0] != '\0')
        complain(l, "unknown section [%s] (did you mean [%s]?)", name, near.best);
    else
        complain(l, "unknown section [%s]", name);
    return false;
}

/* Whether inih may see the line; says so if it is no good. */
static bool check_line(loader_t *l, const char *s, size_t len, size_t len_max)
{
    size_t at;

    if (len == 0 || s[0] == ';' || s[0] == '#')
        return false;
    if (len > len_max) {
        complain(l, "the line is longer than %zu bytes", len_max);
        return false;
    }
    if (memchr(s, '\0', len) != NULL) {
        complain(l, "a NUL byte in the line");
        return false;
    }
    if (s[0] == '[')
        return take_heading(l, s, len);
    at = find_any(s, len, "=:");
    if (at < len && s[at] != ';')
        return true;
    complain(l, "neither a [section] nor KEY = VALUE");
    return false;
}

/* inih's reader. What it should not see it gets as an empty line. Leading blanks are dropped: to
 * inih they would make the line a continuation of the value before, which hides mistakes. */
static char *read_line(char *line, int size, void *stream)
{
    loader_t *l = stream;
    const hconf_text_t *text = l->text;
    const char *s = text->data + l->at;
    size_t left = text->len - l->at, len;
    const char *newline;

    if (l->error != 0 || left == 0)
        return NULL;
    newline = memchr(s, '\n', left);
    len = newline != NULL ? (size_t)(newline - s) : left;
    l->at += len + (newline != NULL);
    if (l->line++ == 0 && len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
        s += 3;
        len -= 3;
    }
    for (; len > 0 && is_blank(s[0]); len--)
        s++;
    while (len > 0 && is_blank(s[len - 1]))
        len--;
    if (!check_line(l, s, len, (size_t)size - 2))
        len = 0;
    memcpy(line, s, len);
    line[len] = '\n';
    line[len + 1] = '\0';
    return line;
}

/* ---- pairs ---- */

/* The line on which a row was set before, or 0 and it is remembered. */
static unsigned set_before(loader_t *l, const hopt_found_t *found)
{
    if (found->row->type == HOPT_TYPE_LIST || found->row->repeats)
        return 0;
    for (size_t i = 0; i < l->seen_count; i++) {
        if (l->seen[i].row == found->row && l->seen[i].base == found->base)
            return l->seen[i].line;
    }
    if (l->seen_count == l->seen_cap) {
        size_t cap = l->seen_cap == 0 ? 16 : l->seen_cap * 2;
        seen_t *seen = hmem_realloc(l->seen, cap * sizeof(*seen));

        if (seen == NULL) {
            l->error = -ENOMEM;
            return 0;
        }
        l->seen = seen;
        l->seen_cap = cap;
    }
    l->seen[l->seen_count++] = (seen_t){found->row, found->base, l->line};
    return 0;
}

/* Reports what storing a value came to. */
static void settle(loader_t *l, const char *key, int status, hbytes_t *why)
{
    char safe[WORD_SIZE];

    if (status == -ENOMEM)
        l->error = status;
    hstr_escape(safe, sizeof(safe), key, strlen(key));
    if (status < 0 && l->error == 0)
        complain(l, "%s: %s", safe, why->len > 0 ? why->data : herr_str(status));
    hbytes_deinit(why);
}

/* " in [proxy]"; in front of the first section there is nothing to say. */
static const char *in_section(const loader_t *l, char *buf, size_t size)
{
    if (l->section->name[0] != '\0')
        snprintf(buf, size, " in [%s]", l->section->name);
    else
        buf[0] = '\0';
    return buf;
}

static void store_row(loader_t *l, const hopt_found_t *found, const char *key, const char *value)
{
    unsigned before = set_before(l, found);
    hopt_type_e type = found->row->type;
    char where[WORD_SIZE];
    hbytes_t why = {0};

    if (before != 0) {
        complain(l, "duplicate key '%s'%s: it is on line %u too", key,
                 in_section(l, where, sizeof(where)), before);
        return;
    }
    if (type == HOPT_TYPE_STRING || type == HOPT_TYPE_LIST || type == HOPT_TYPE_CALL)
        value = keep_string(l, value);
    if (l->error == 0)
        settle(l, key, hopt__store(found->row, found->base, value, &why), &why);
}

static void store_pair(loader_t *l, const char *key, const char *value)
{
    hbytes_t why = {0};

    key = keep_string(l, key);
    value = l->error == 0 ? keep_string(l, value) : NULL;
    if (l->error == 0)
        settle(l, key, l->section->pair(key, value, l->base, &why), &why);
}

/* The next one that may be a key; NULL at the end. */
static const hopt_t *next_key(hopt_iter_t *iter)
{
    const hopt_t *row = hopt__iter_next(iter, NULL);

    while (row != NULL && (row->type <= HOPT_TYPE_REFUSED || row->long_name == NULL || row->hidden))
        row = hopt__iter_next(iter, NULL);
    return row;
}

/* Whether a section has this key; what it has is offered. */
static bool look_in(const hconf_section_t *section, const char *key, hsuggest_t *near)
{
    const hopt_spec_t spec = {.options = section->rows};
    hopt_iter_t iter;
    const hopt_t *row;

    if (section->rows == NULL)
        return false;
    hopt__iter_init(&iter, &spec, NULL);
    while ((row = next_key(&iter)) != NULL) {
        if (strcmp(row->long_name, key) == 0)
            return true;
        hsuggest_offer(near, row->long_name);
    }
    return false;
}

static const hconf_section_t *owner_of(const loader_t *l, const char *key)
{
    hsuggest_t near;

    hsuggest_init(&near, key, strlen(key));
    for (const hconf_section_t *s = l->schema->sections; s->name != NULL; s++) {
        if (s != l->section && look_in(s, key, &near))
            return s;
    }
    return NULL;
}

static void unknown_key(loader_t *l, const char *key)
{
    const hconf_section_t *owner = owner_of(l, key);
    char safe[WORD_SIZE], where[WORD_SIZE];
    hsuggest_t near;

    in_section(l, where, sizeof(where));
    hstr_escape(safe, sizeof(safe), key, strlen(key));
    hsuggest_init(&near, key, strlen(key));
    look_in(l->section, key, &near);
    if (owner != NULL && owner->name[0] == '\0')
        complain(l, "unknown key '%s'%s (it belongs in front of the first section)", safe, where);
    else if (owner != NULL)
        complain(l, "unknown key '%s'%s (it belongs into a section [%s%s])", safe, where,
                 owner->name, owner->open ? " NAME" : "");
    else if (near.best != NULL)
        complain(l, "unknown key '%s'%s (did you mean %s?)", safe, where, near.best);
    else
        complain(l, "unknown key '%s'%s", safe, where);
}

/* inih's handler. The reader has looked the section up already. */
static int take_pair(void *userdata, const char *section, const char *key, const char *value)
{
    loader_t *l = userdata;
    hopt_spec_t spec = {"", NULL, NULL, false};
    hopt_found_t found;
    bool known;

    (void)section;
    if (l->section == NULL || l->error != 0)
        return 1;
    spec.options = l->section->rows;
    known = spec.options != NULL && hopt__find_long(&spec, l->base, key, strlen(key), &found) &&
            !found.negated && found.row->type != HOPT_TYPE_SET;
    if (known && found.row->type == HOPT_TYPE_REFUSED)
        complain(l, "key '%s' is not supported: %s", key, found.row->help);
    else if (known)
        store_row(l, &found, key, value);
    else if (l->section->pair != NULL)
        store_pair(l, key, value);
    else
        unknown_key(l, key);
    return 1;
}

/* ---- the whole ---- */

static int run(loader_t *l)
{
    hsuggest_t near;

    l->section = find_section(l, "", 0, &near);
    if (l->section == NULL) {
        /* Keys before the first heading are mistakes then; this has no rows and no callback. */
        static const hconf_section_t nothing = {.name = ""};

        l->section = &nothing;
    }
    open_section(l, "", 0);
    if (ini_parse_stream(read_line, l, take_pair, l) < 0 && l->error == 0)
        l->error = -ENOMEM;
    if (l->error != 0)
        return l->error;
    if (l->mistakes > HCONF_ERRORS_MAX)
        hbytes_printf(l->errors, "%s: %zu more mistakes\n", l->text->name,
                      l->mistakes - HCONF_ERRORS_MAX);
    return l->mistakes > 0 ? HERR_SYNTAX : 0;
}

int hconf_parse(const hconf_text_t *text, const hconf_schema_t *schema, void *target,
                hconf_t **conf, hbytes_t *errors)
{
    loader_t l = {.schema = schema, .text = text, .errors = errors};
    int status = -ENOMEM;

    *conf = NULL;
    l.conf = hmem_zalloc(sizeof(*l.conf));
    l.copy = hmem_alloc(schema->target_size);
    if (l.conf == NULL || l.copy == NULL)
        goto cleanup;
    memcpy(l.copy, target, schema->target_size);
    status = run(&l);
    if (status < 0) {
        hconf_deinit(schema, l.copy);
        goto cleanup;
    }
    memcpy(target, l.copy, schema->target_size);
    *conf = l.conf;
    l.conf = NULL;
cleanup:
    if (status == -ENOMEM)
        hbytes_printf(errors, "%s: %s\n", text->name, herr_str(status));
    hmem_free(l.seen);
    hmem_free(l.copy);
    hconf_free(l.conf);
    return status;
}

#else

int hconf_parse(const hconf_text_t *text, const hconf_schema_t *schema, void *target,
                hconf_t **conf, hbytes_t *errors)
{
    (void)schema;
    (void)target;
    *conf = NULL;
    hbytes_printf(errors, "%s: this program was built without config files (inih)\n", text->name);
    return HERR_UNSUPPORTED;
}

#endif

int hconf_load(const char *path, const hconf_schema_t *schema, void *target, hconf_t **conf,
               hbytes_t *errors)
{
    hconf_text_t text = {path, NULL, 0};
    hbytes_t content = {0};
    int status = hfile_read(path, HCONF_FILE_MAX, &content);

    *conf = NULL;
    if (status < 0) {
        hbytes_printf(errors, "%s: %s\n", path,
                      status == -EINVAL ? "not a plain file" : herr_str(status));
    } else {
        text.data = content.data;
        text.len = content.len;
        status = hconf_parse(&text, schema, target, conf, errors);
    }
    hbytes_deinit(&content);
    return status;
}
