/* hopt: walks argv once. Each word is an operand, a long option or a bundle of short ones; the row
 * is found by a linear search, which for a few hundred rows is nothing beside starting a
 * process. */
#include "hopt.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "hopt_int.h"
#include "hsuggest.h"

#define LABEL_SIZE 96 /* an option as the user wrote it, for messages */

typedef struct parser_s {
    const hopt_spec_t *spec;
    hopt_word_t *word;
    void *opts;
    hbytes_t *message;
    bool alone; /* a single word: messages begin with the option and do not say where the help is */
} parser_t;

/* ---- tables ---- */

void hopt__iter_init(hopt_iter_t *iter, const hopt_spec_t *spec, void *opts)
{
    memset(iter, 0, sizeof(*iter));
    iter->row[0] = spec->options;
    iter->base[0] = opts;
    iter->standard = spec->standard;
    iter->opts = opts;
}

/* Steps into the table of an include row. */
static void iter_enter(hopt_iter_t *iter, const hopt_t *row)
{
    char *base = iter->base[iter->depth];

    if (iter->depth + 1 == HOPT_INCLUDE_DEPTH_MAX)
        return;
    iter->depth++;
    iter->row[iter->depth] = row->table;
    iter->base[iter->depth] = base == NULL ? NULL : base + row->offset;
}

const hopt_t *hopt__iter_next(hopt_iter_t *iter, void **base)
{
    for (;;) {
        const hopt_t *row = iter->row[iter->depth];

        if (row->type == HOPT_TYPE_END) {
            if (iter->depth > 0) {
                iter->depth--;
            } else if (iter->standard != NULL) {
                iter->row[0] = iter->standard;
                iter->standard = NULL;
            } else {
                return NULL;
            }
            continue;
        }
        iter->row[iter->depth]++;
        if (row->type == HOPT_TYPE_INCLUDE) {
            iter_enter(iter, row);
            continue;
        }
        if (base != NULL)
            *base = iter->base[iter->depth];
        return row;
    }
}

static bool same(const char *name, const char *text, size_t len)
{
    return strncmp(name, text, len) == 0 && name[len] == '\0';
}

static bool has_long(const hopt_t *row, const char *text, size_t len)
{
    if (row->type == HOPT_TYPE_GROUP)
        return false;
    if (row->long_name != NULL && same(row->long_name, text, len))
        return true;
    for (const char *alias = row->alias; alias != NULL && *alias != '\0';) {
        size_t n = strcspn(alias, "|");

        if (n == len && strncmp(alias, text, len) == 0)
            return true;
        alias += n + (alias[n] == '|');
    }
    return false;
}

bool hopt__find_short(const hopt_spec_t *spec, void *opts, char name, hopt_found_t *found)
{
    hopt_iter_t iter;

    found->negated = false;
    hopt__iter_init(&iter, spec, opts);
    while ((found->row = hopt__iter_next(&iter, &found->base)) != NULL) {
        if (found->row->short_name == name && name != '\0')
            return true;
    }
    return false;
}

bool hopt__find_pair(const hopt_spec_t *spec, void *opts, const char *name, hopt_found_t *found)
{
    hopt_iter_t iter;

    found->negated = false;
    hopt__iter_init(&iter, spec, opts);
    while ((found->row = hopt__iter_next(&iter, &found->base)) != NULL) {
        if (found->row->pair != NULL && strncmp(found->row->pair, name, 2) == 0)
            return true;
    }
    return false;
}

/* Whether the name says the opposite of a row: "no-x" of x, "x" of no-x. */
static bool has_opposite(const hopt_t *row, const char *name, size_t len)
{
    if (!row->negatable)
        return false;
    if (len > 3 && strncmp(name, "no-", 3) == 0 && has_long(row, name + 3, len - 3))
        return true;
    return row->long_name != NULL && strncmp(row->long_name, "no-", 3) == 0 &&
           same(row->long_name + 3, name, len);
}

/* A name of its own goes before the negation of another: --no-proxy may be an option. */
bool hopt__find_long(const hopt_spec_t *spec, void *opts, const char *name, size_t len,
                     hopt_found_t *found)
{
    hopt_iter_t iter;

    found->negated = false;
    hopt__iter_init(&iter, spec, opts);
    while ((found->row = hopt__iter_next(&iter, &found->base)) != NULL) {
        if (has_long(found->row, name, len))
            return true;
    }
    found->negated = true;
    hopt__iter_init(&iter, spec, opts);
    while ((found->row = hopt__iter_next(&iter, &found->base)) != NULL) {
        if (has_opposite(found->row, name, len))
            return true;
    }
    return false;
}

void hopt__check_tables(const hopt_spec_t *spec)
{
    hopt_iter_t iter;
    const hopt_t *row;

    hopt__iter_init(&iter, spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        assert(!row->negatable || row->type != HOPT_TYPE_CALL || row->arg_name == NULL);
        assert(!row->secret || row->type == HOPT_TYPE_STRING || row->type == HOPT_TYPE_CALL);
        assert(!row->secret || row->bare == NULL);
    }
}

/* ---- messages ---- */

__attribute__((format(printf, 3, 4))) static int fail(parser_t *p, int error, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    hbytes_vprintf(p->message, fmt, ap);
    va_end(ap);
    return error;
}

/* The same for a mistake that the help is good for. */
__attribute__((format(printf, 2, 3))) static int fail_usage(parser_t *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    hbytes_vprintf(p->message, fmt, ap);
    va_end(ap);
    if (!p->alone)
        hbytes_printf(p->message, "; see %s --help", p->spec->command);
    return HERR_SYNTAX;
}

/* dashes and name: the option; more: what is known of it. */
static int fail_unknown(parser_t *p, const char *dashes, const char *name, const char *more)
{
    if (p->alone)
        return fail_usage(p, "option %s%s: is unknown%s", dashes, name, more);
    return fail_usage(p, "unknown option %s%s%s", dashes, name, more);
}

static int fail_unknown_long(parser_t *p, const char *name, size_t len)
{
    char safe[LABEL_SIZE], more[LABEL_SIZE] = "";
    hsuggest_t near;
    hopt_iter_t iter;
    const hopt_t *row;

    hsuggest_init(&near, name, len);
    hopt__iter_init(&iter, p->spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        bool offered = row->type != HOPT_TYPE_GROUP && row->type != HOPT_TYPE_REFUSED;

        if (offered && row->long_name != NULL && !row->hidden)
            hsuggest_offer(&near, row->long_name);
    }
    hstr_escape(safe, sizeof(safe), name, len);
    if (near.best != NULL)
        snprintf(more, sizeof(more), " (did you mean --%s?)", near.best);
    return fail_unknown(p, "--", safe, more);
}

static int fail_unknown_short(parser_t *p, const char *word, size_t at)
{
    char safe[LABEL_SIZE], bundle[LABEL_SIZE], more[LABEL_SIZE + 8] = "";

    hstr_escape(safe, sizeof(safe), word + at, 1);
    if (word[at + 1] != '\0' || at != 1) {
        hstr_escape(bundle, sizeof(bundle), word, strlen(word));
        snprintf(more, sizeof(more), " in '%s'", bundle);
    }
    return fail_unknown(p, "-", safe, more);
}

/* ---- one option ---- */

/* Stores a value, or says why not. */
static int apply(parser_t *p, const hopt_found_t *found, const char *label, const char *arg)
{
    hbytes_t why = {0};
    int status = hopt__store(found->row, found->base, arg, &why);

    if (status == -ENOMEM)
        fail(p, status, "%s", herr_str(status));
    else if (status < 0 || (status == 0 && why.len > 0))
        fail(p, status, "option %s: %s", label, why.len > 0 ? why.data : herr_str(status));
    hbytes_deinit(&why);
    return status;
}

static int apply_negated(parser_t *p, const hopt_found_t *found, const char *label)
{
    char *member = (char *)found->base + found->row->offset;

    if (found->row->type == HOPT_TYPE_CALL)
        return apply(p, found, label, HOPT_NO);
    if (found->row->type == HOPT_TYPE_LIST)
        hopt_list_deinit((hopt_list_t *)(void *)member);
    else
        memset(member, 0, found->row->width);
    return 0;
}

static int apply_value(parser_t *p, const hopt_found_t *found, const char *label, const char *arg)
{
    int status;

    if (found->row->filled && *arg == '\0')
        return fail(p, HERR_SYNTAX, "option %s: the value is empty", label);
    status = apply(p, found, label, arg);
    if (found->row->secret)
        memset((char *)(uintptr_t)arg, ' ', strlen(arg));
    return status;
}

/* Applies an option; attached is the value in the same word or NULL. */
static int take_option(parser_t *p, const hopt_found_t *found, const char *label,
                       const char *attached)
{
    const hopt_t *row = found->row;

    if (row->type == HOPT_TYPE_REFUSED)
        return fail(p, HERR_UNSUPPORTED, "option %s is not supported: %s", label, row->help);
    if (!hopt__takes_value(row) || found->negated) {
        if (attached != NULL)
            return fail_usage(p, "option %s takes no value", label);
        return found->negated ? apply_negated(p, found, label) : apply(p, found, label, NULL);
    }
    if (attached == NULL && row->bare != NULL)
        attached = row->bare;
    if (attached == NULL) {
        if (p->word->next == NULL)
            return fail_usage(p, "option %s needs a value", label);
        attached = p->word->next;
        p->word->used = true;
        p->word->option = row;
    }
    return apply_value(p, found, label, attached);
}

static int take_long(parser_t *p, const char *word)
{
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    char label[LABEL_SIZE];
    hopt_found_t found;

    if (!hopt__find_long(p->spec, p->opts, name, len, &found))
        return fail_unknown_long(p, name, len);
    hstr_escape(label, sizeof(label), word, len + 2);
    return take_option(p, &found, label, name[len] == '=' ? name + len + 1 : NULL);
}

/* A bundle: every letter is an option until one takes the rest, or the next word, as its value. */
static int take_short(parser_t *p, const char *word)
{
    size_t at = 1;

    while (word[at] != '\0') {
        char label[4] = {'-', word[at], '\0', '\0'};
        hopt_found_t found;
        int status;

        if (at == 1 && word[2] != '\0' && hopt__find_pair(p->spec, p->opts, word + 1, &found))
            label[2] = word[2];
        else if (!hopt__find_short(p->spec, p->opts, word[at], &found))
            return fail_unknown_short(p, word, at);
        at += strlen(label) - 1;
        if (hopt__takes_value(found.row))
            return take_option(p, &found, label, word[at] != '\0' ? word + at : NULL);
        status = take_option(p, &found, label, NULL);
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- public ---- */

int hopt_list_add(hopt_list_t *list, const char *item)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 8 : list->cap * 2;
        const char **items;

        if (cap > HOPT_LIST_MAX)
            return -ENOBUFS;
        items = hmem_realloc(list->items, cap * sizeof(*items));
        if (items == NULL)
            return -ENOMEM;
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = item;
    return 0;
}

void hopt_list_deinit(hopt_list_t *list)
{
    hmem_free(list->items);
    list->items = NULL;
    list->count = 0;
    list->cap = 0;
}

static int parse_word(parser_t *p)
{
    const char *word = p->word->word;

    p->word->used = false;
    return word[1] == '-' ? take_long(p, word) : take_short(p, word);
}

int hopt_parse_word(const hopt_spec_t *spec, hopt_word_t *word, void *opts, hbytes_t *message)
{
    parser_t p = {spec, word, opts, message, true};

    return parse_word(&p);
}

static int add_operand(hopt_list_t *operands, const char *word, hbytes_t *text)
{
    int status = hopt_list_add(operands, word);

    if (status == -ENOBUFS)
        hbytes_printf(text, "more than %zu operands", HOPT_LIST_MAX);
    else if (status < 0)
        hbytes_append_str(text, herr_str(status));
    return status;
}

int hopt_parse(const hopt_spec_t *spec, int argc, char *const argv[], void *opts,
               hopt_list_t *operands, hbytes_t *message)
{
    bool options_end = false;
    hbytes_t text = {0};
    int status = 0;

    hopt__check_tables(spec);
    for (int i = 1; i < argc && status == 0; i++) {
        hopt_word_t word = {argv[i], i + 1 < argc ? argv[i + 1] : NULL, false, NULL};

        if (options_end || word.word[0] != '-' || word.word[1] == '\0') {
            status = add_operand(operands, word.word, &text);
            options_end = options_end || spec->posix_order;
        } else if (strcmp(word.word, "--") == 0) {
            options_end = true;
        } else {
            parser_t p = {spec, &word, opts, &text, false};

            hbytes_clear(&text); /* of a warning */
            status = parse_word(&p);
            i += word.used;
        }
    }
    if (status < 0)
        hbytes_printf(message, "%s: %s", spec->command,
                      text.len > 0 ? text.data : herr_str(status));
    hbytes_deinit(&text);
    return status;
}

void hopt_deinit(const hopt_spec_t *spec, void *opts, hopt_list_t *operands)
{
    hopt_iter_t iter;
    const hopt_t *row;
    void *base;

    hopt__iter_init(&iter, spec, opts);
    while ((row = hopt__iter_next(&iter, &base)) != NULL) {
        if (row->type == HOPT_TYPE_LIST && base != NULL)
            hopt_list_deinit((hopt_list_t *)(void *)((char *)base + row->offset));
        else if (row->type == HOPT_TYPE_STRING && row->secret && base != NULL)
            hopt__store_secret(row, base, NULL);
    }
    if (operands != NULL)
        hopt_list_deinit(operands);
}
