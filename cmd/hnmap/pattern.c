#include "pattern.h"

#include "base/herr.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if HNET_WITH_PCRE2
#include "base/hbuf.h"
#include "base/hlib.h"
#include "base/hmem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

typedef struct pcre_lib_s {
    HLIB_FUNCTION(pcre2_general_context_create_8);
    HLIB_FUNCTION(pcre2_general_context_free_8);
    HLIB_FUNCTION(pcre2_compile_context_create_8);
    HLIB_FUNCTION(pcre2_compile_context_free_8);
    HLIB_FUNCTION(pcre2_set_compile_extra_options_8);
    HLIB_FUNCTION(pcre2_match_context_create_8);
    HLIB_FUNCTION(pcre2_match_context_free_8);
    HLIB_FUNCTION(pcre2_set_match_limit_8);
    HLIB_FUNCTION(pcre2_set_depth_limit_8);
    HLIB_FUNCTION(pcre2_set_heap_limit_8);
    HLIB_FUNCTION(pcre2_match_data_create_8);
    HLIB_FUNCTION(pcre2_match_data_free_8);
    HLIB_FUNCTION(pcre2_get_ovector_pointer_8);
    HLIB_FUNCTION(pcre2_get_error_message_8);
    HLIB_FUNCTION(pcre2_compile_8);
    HLIB_FUNCTION(pcre2_code_free_8);
    HLIB_FUNCTION(pcre2_match_8);
} pcre_lib_t;

#define ROW(name) HLIB_SYMBOL(pcre_lib_t, name)

static pcre_lib_t pcre;
static const hlib_symbol_t symbols[] = {ROW(pcre2_general_context_create_8),
                                        ROW(pcre2_general_context_free_8),
                                        ROW(pcre2_compile_context_create_8),
                                        ROW(pcre2_compile_context_free_8),
                                        ROW(pcre2_set_compile_extra_options_8),
                                        ROW(pcre2_match_context_create_8),
                                        ROW(pcre2_match_context_free_8),
                                        ROW(pcre2_set_match_limit_8),
                                        ROW(pcre2_set_depth_limit_8),
                                        ROW(pcre2_set_heap_limit_8),
                                        ROW(pcre2_match_data_create_8),
                                        ROW(pcre2_match_data_free_8),
                                        ROW(pcre2_get_ovector_pointer_8),
                                        ROW(pcre2_get_error_message_8),
                                        ROW(pcre2_compile_8),
                                        ROW(pcre2_code_free_8),
                                        ROW(pcre2_match_8)};
static const char *const files[] = {"libpcre2-8.so.0", NULL};
static hlib_t lib = {
    files, symbols, sizeof(symbols) / sizeof(symbols[0]), &pcre, PTHREAD_MUTEX_INITIALIZER, 0, ""};

struct patterns_s {
    pcre2_general_context_8 *memory;
    pcre2_compile_context_8 *compile;
    pcre2_match_context_8 *limits;
    pcre2_match_data_8 *found;
};

static void *take_memory(size_t size, void *arg)
{
    (void)arg;
    return hmem_alloc(size);
}

static void give_memory(void *ptr, void *arg)
{
    (void)arg;
    hmem_free(ptr);
}

int patterns_new(patterns_t **patterns)
{
    int err = hlib_load(&lib);
    patterns_t *p;

    if (err < 0)
        return err;
    p = hmem_zalloc(sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    p->memory = pcre.pcre2_general_context_create_8(take_memory, give_memory, NULL);
    if (p->memory) {
        p->compile = pcre.pcre2_compile_context_create_8(p->memory);
        p->limits = pcre.pcre2_match_context_create_8(p->memory);
        p->found = pcre.pcre2_match_data_create_8(PATTERN_GROUPS, p->memory);
    }
    if (p->compile == NULL || p->limits == NULL || p->found == NULL) {
        patterns_free(p);
        return -ENOMEM;
    }
    /* As in Perl, and in the PCRE that such files were written for. */
    pcre.pcre2_set_compile_extra_options_8(p->compile, PCRE2_EXTRA_BAD_ESCAPE_IS_LITERAL);
    pcre.pcre2_set_match_limit_8(p->limits, PATTERN_STEPS_MAX);
    pcre.pcre2_set_depth_limit_8(p->limits, PATTERN_DEPTH_MAX);
    pcre.pcre2_set_heap_limit_8(p->limits, PATTERN_HEAP_KIB_MAX);
    *patterns = p;
    return 0;
}

void patterns_free(patterns_t *patterns)
{
    if (patterns == NULL)
        return;
    pcre.pcre2_match_data_free_8(patterns->found);
    pcre.pcre2_match_context_free_8(patterns->limits);
    pcre.pcre2_compile_context_free_8(patterns->compile);
    pcre.pcre2_general_context_free_8(patterns->memory);
    hmem_free(patterns);
}

static bool is_kind(const char *c)
{
    return c[0] == '\\' && c[1] != '\0' && strchr("dDwWsShHvV", c[1]);
}

/* In a class a hyphen beside a kind of characters, as in [\w-.], stands for itself to Perl; PCRE2
 * wants a backslash before it. 0 or -ENOMEM. */
static int quote_hyphens(hbytes_t *out, const char *text)
{
    bool in_class = false, is_after_kind = false;
    int err = 0;

    for (const char *c = text; *c && err == 0; c++) {
        bool is_class_begin = !in_class && *c == '[';
        size_t len = c[0] == '\\' && c[1] ? 2 : 1;
        bool is_range = in_class && *c == '-' && c[1] && c[1] != ']' && c > text && c[-1] != '[' &&
                        (is_after_kind || is_kind(c + 1));

        if (is_class_begin) /* a bracket at its very beginning is one of its characters */
            len += (c[1] == '^') + (c[1 + (c[1] == '^')] == ']');
        else if (in_class && c[0] == '[' && c[1] == ':' && strstr(c, ":]"))
            len = (size_t)(strstr(c, ":]") - c) + 2;
        is_after_kind = is_kind(c) || (in_class && len > 2);
        in_class = is_class_begin || (in_class && *c != ']');
        if (is_range)
            err = hbytes_append_char(out, '\\');
        if (err == 0)
            err = hbytes_append(out, c, len);
        c += len - 1;
    }
    return err;
}

static pcre2_code_8 *compile(patterns_t *patterns, const char *text, uint32_t options, int *number,
                             PCRE2_SIZE *at)
{
    hbytes_t quoted = {0};
    pcre2_code_8 *code = NULL;

    *number = PCRE2_ERROR_HEAP_FAILED;
    *at = 0;
    if (quote_hyphens(&quoted, text) == 0)
        code = pcre.pcre2_compile_8((PCRE2_SPTR8)(quoted.data ? quoted.data : ""), quoted.len,
                                    options, number, at, patterns->compile);
    hbytes_deinit(&quoted);
    return code;
}

int pattern_new(patterns_t *patterns, const char *text, unsigned flags, pattern_t **pattern,
                char *error, size_t error_size)
{
    uint32_t options = (flags & PATTERN_NO_CASE ? PCRE2_CASELESS : 0) |
                       (flags & PATTERN_DOT_ALL ? PCRE2_DOTALL : 0);
    PCRE2_UCHAR8 why[128] = "";
    pcre2_code_8 *code;
    PCRE2_SIZE at;
    int number;

    code = compile(patterns, text, options, &number, &at);
    if (code == NULL && number == PCRE2_ERROR_HEAP_FAILED)
        return -ENOMEM;
    if (code == NULL) {
        pcre.pcre2_get_error_message_8(number, why, sizeof(why));
        snprintf(error, error_size, "%s, at character %zu of the pattern", (const char *)why,
                 (size_t)at + 1);
        return HERR_SYNTAX;
    }
    *pattern = (pattern_t *)code;
    return 0;
}

void pattern_free(pattern_t *pattern)
{
    if (pattern)
        pcre.pcre2_code_free_8((pcre2_code_8 *)pattern);
}

int pattern_match(patterns_t *patterns, const pattern_t *pattern, const uint8_t *data, size_t len,
                  pattern_group_t groups[PATTERN_GROUPS])
{
    const PCRE2_SIZE *at;
    int count = pcre.pcre2_match_8((const pcre2_code_8 *)pattern, data, len, 0, 0, patterns->found,
                                   patterns->limits);

    if (count < 0)
        return count == PCRE2_ERROR_NOMATCH ? 0 : HERR_RANGE;
    if (count == 0) /* more groups than are looked at */
        count = PATTERN_GROUPS;
    at = pcre.pcre2_get_ovector_pointer_8(patterns->found);
    for (int i = 0; i < PATTERN_GROUPS; i++) {
        bool is_set = i < count && at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1];

        groups[i] = (pattern_group_t){0};
        if (is_set)
            groups[i] = (pattern_group_t){data + at[2 * i], at[2 * i + 1] - at[2 * i]};
    }
    return 1;
}
#else
int patterns_new(patterns_t **patterns)
{
    (void)patterns;
    return HERR_UNSUPPORTED;
}

void patterns_free(patterns_t *patterns)
{
    (void)patterns;
}

int pattern_new(patterns_t *patterns, const char *text, unsigned flags, pattern_t **pattern,
                char *error, size_t error_size)
{
    (void)patterns, (void)text, (void)flags, (void)pattern;
    snprintf(error, error_size, "%s", herr_str(HERR_UNSUPPORTED));
    return HERR_UNSUPPORTED;
}

void pattern_free(pattern_t *pattern)
{
    (void)pattern;
}

int pattern_match(patterns_t *patterns, const pattern_t *pattern, const uint8_t *data, size_t len,
                  pattern_group_t groups[PATTERN_GROUPS])
{
    (void)patterns, (void)pattern, (void)data, (void)len, (void)groups;
    return HERR_UNSUPPORTED;
}
#endif
