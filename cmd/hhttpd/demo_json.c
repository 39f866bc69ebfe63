#include "demo.h"

#include <stdio.h>
#include <string.h>

#if HNET_WITH_JANSSON
#include "base/hlib.h"

#include <jansson.h>

typedef struct jansson_lib_s {
    HLIB_FUNCTION(json_loadb);
    HLIB_FUNCTION(json_delete);
    HLIB_FUNCTION(json_object_iter);
    HLIB_FUNCTION(json_object_iter_next);
    HLIB_FUNCTION(json_object_iter_key);
    HLIB_FUNCTION(json_object_iter_value);
    HLIB_FUNCTION(json_string_value);
    HLIB_FUNCTION(json_string_length);
    HLIB_FUNCTION(json_integer_value);
    HLIB_FUNCTION(json_real_value);
} jansson_lib_t;

static jansson_lib_t jansson;
static const hlib_symbol_t symbols[] = {
    HLIB_SYMBOL(jansson_lib_t, json_loadb),
    HLIB_SYMBOL(jansson_lib_t, json_delete),
    HLIB_SYMBOL(jansson_lib_t, json_object_iter),
    HLIB_SYMBOL(jansson_lib_t, json_object_iter_next),
    HLIB_SYMBOL(jansson_lib_t, json_object_iter_key),
    HLIB_SYMBOL(jansson_lib_t, json_object_iter_value),
    HLIB_SYMBOL(jansson_lib_t, json_string_value),
    HLIB_SYMBOL(jansson_lib_t, json_string_length),
    HLIB_SYMBOL(jansson_lib_t, json_integer_value),
    HLIB_SYMBOL(jansson_lib_t, json_real_value),
};
static const char *const files[] = {"libjansson.so.4", NULL};
static hlib_t lib = {
    files, symbols, sizeof(symbols) / sizeof(symbols[0]), &jansson, PTHREAD_MUTEX_INITIALIZER,
    0,     ""};

void demo_json_load(void)
{
    hlib_load(&lib);
}

/* json_decref is an inline function that calls the library. Constants are counted as -1. */
static void release(json_t *root)
{
    if (root->refcount == 1)
        jansson.json_delete(root);
}

static int load(http_span_t text, json_t **root, char *why, size_t size)
{
    const size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_error_t error;
    int err = hlib_load(&lib);

    if (err)
        return err;
    *root = jansson.json_loadb(text.data, text.len, flags, &error);
    if (*root)
        return 0;
    if (json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    snprintf(why, size, "Not JSON: line %d, column %d: %s.", error.line, error.column, error.text);
    return HERR_SYNTAX;
}

int demo_json_check(http_span_t text, char *why, size_t size)
{
    json_t *root;
    int err = load(text, &root, why, size);

    if (!err)
        release(root);
    return err;
}

static int add_value(demo_pairs_t *pairs, const char *name, const json_t *value)
{
    char number[40];

    switch (json_typeof(value)) {
    case JSON_STRING:
        return demo_pairs_add(
            pairs, http_span(name),
            (http_span_t){jansson.json_string_value(value), jansson.json_string_length(value)},
            NULL);
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%lld", (long long)jansson.json_integer_value(value));
        return demo_pairs_add(pairs, http_span(name), http_span(number), NULL);
    case JSON_REAL:
        snprintf(number, sizeof(number), "%.15g", jansson.json_real_value(value));
        return demo_pairs_add(pairs, http_span(name), http_span(number), NULL);
    case JSON_TRUE:
        return demo_pairs_add(pairs, http_span(name), HTTP_SPAN("true"), NULL);
    case JSON_FALSE:
        return demo_pairs_add(pairs, http_span(name), HTTP_SPAN("false"), NULL);
    default:
        return 0;
    }
}

int demo_pairs_add_json(demo_pairs_t *pairs, http_span_t text, char *why, size_t size)
{
    json_t *root;
    int err = load(text, &root, why, size);

    if (err)
        return err;
    if (!json_is_object(root)) {
        snprintf(why, size, "The JSON has to be an object.");
        err = HERR_SYNTAX;
    }
    for (void *i = err ? NULL : jansson.json_object_iter(root); i && !err;
         i = jansson.json_object_iter_next(root, i))
        err = add_value(pairs, jansson.json_object_iter_key(i), jansson.json_object_iter_value(i));
    release(root);
    return err;
}

#else

void demo_json_load(void)
{
}

int demo_json_check(http_span_t text, char *why, size_t size)
{
    (void)text;
    snprintf(why, size, "Built without libjansson.");
    return HERR_UNSUPPORTED;
}

int demo_pairs_add_json(demo_pairs_t *pairs, http_span_t text, char *why, size_t size)
{
    (void)pairs;
    return demo_json_check(text, why, size);
}

#endif
