#include "event.h"

#include "base/herr.h"
#include "base/hjson.h"
#include "text.h"

#include <string.h>

#define HAS_ROOM 1u
#define HAS_NAME 2u
#define HAS_OTHER 4u
#define HAS_TEXT 8u

typedef struct kind_s {
    const char *name;
    unsigned has;
} kind_t;

static const kind_t kinds[EVENT_KINDS] = {
    [EVENT_SAY] = {"say", HAS_ROOM | HAS_NAME | HAS_TEXT},
    [EVENT_ME] = {"me", HAS_ROOM | HAS_NAME | HAS_TEXT},
    [EVENT_PRIVATE] = {"private", HAS_NAME | HAS_OTHER | HAS_TEXT},
    [EVENT_JOIN] = {"join", HAS_ROOM | HAS_NAME},
    [EVENT_LEAVE] = {"leave", HAS_ROOM | HAS_NAME | HAS_TEXT},
    [EVENT_NICK] = {"nick", HAS_ROOM | HAS_NAME | HAS_OTHER},
    [EVENT_TOPIC] = {"topic", HAS_ROOM | HAS_NAME | HAS_TEXT},
    [EVENT_HELLO] = {"hello", 0},
    [EVENT_HERE] = {"here", HAS_ROOM | HAS_NAME},
    [EVENT_ABOUT] = {"about", HAS_ROOM | HAS_TEXT},
    [EVENT_TOLD] = {"told", 0},
    [EVENT_ALIVE] = {"alive", 0},
    [EVENT_BYE] = {"bye", 0},
};

/* ---- writing --------------------------------------------------------------------------------- */

const char *event_kind_name(event_kind_e kind)
{
    return kinds[kind].name;
}

static void put(hjson_t *j, const char *key, const char *value)
{
    hjson_add_string(j, key, value);
}

int event_write(const event_t *event, hbytes_t *json)
{
    unsigned has = kinds[event->kind].has;
    hjson_t j;

    hjson_init(&j, json);
    hjson_open_object(&j);
    put(&j, "kind", kinds[event->kind].name);
    put(&j, "server", event->server);
    hjson_add_uint(&j, "time", event->time_ms);
    if (has & HAS_ROOM)
        put(&j, "room", event->room);
    if (has & HAS_NAME)
        put(&j, "name", event->name);
    if (has & HAS_OTHER)
        put(&j, "other", event->other);
    if (has & HAS_TEXT) {
        hjson_key(&j, "text");
        hjson_bytes(&j, event->text, event->text_len);
    }
    hjson_close(&j);
    return hjson_finish(&j);
}

bool event_server_is_valid(const char *server)
{
    size_t len =
        strspn(server, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    return len > 0 && server[len] == '\0' && len < EVENT_SERVER_SIZE;
}

/* ---- reading --------------------------------------------------------------------------------- */

#if HNET_WITH_JANSSON
#include "base/hlib.h"

#include <jansson.h>

typedef struct jansson_lib_s {
    HLIB_FUNCTION(json_loadb);
    HLIB_FUNCTION(json_delete);
    HLIB_FUNCTION(json_object_get);
    HLIB_FUNCTION(json_object_size);
    HLIB_FUNCTION(json_string_value);
    HLIB_FUNCTION(json_integer_value);
} jansson_lib_t;

static jansson_lib_t jansson;
static const hlib_symbol_t symbols[] = {
    HLIB_SYMBOL(jansson_lib_t, json_loadb),        HLIB_SYMBOL(jansson_lib_t, json_delete),
    HLIB_SYMBOL(jansson_lib_t, json_object_get),   HLIB_SYMBOL(jansson_lib_t, json_object_size),
    HLIB_SYMBOL(jansson_lib_t, json_string_value), HLIB_SYMBOL(jansson_lib_t, json_integer_value),
};
static const char *const files[] = {"libjansson.so.4", NULL};
static hlib_t lib = {
    files, symbols, sizeof(symbols) / sizeof(symbols[0]), &jansson, PTHREAD_MUTEX_INITIALIZER,
    0,     ""};

static int find_kind(const char *name)
{
    for (int i = 0; i < EVENT_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return i;
    }
    return HERR_SYNTAX;
}

/* NULL: there is none, or it is no text. */
static const char *get(const json_t *object, const char *key)
{
    return jansson.json_string_value(jansson.json_object_get(object, key));
}

static int get_name(const json_t *object, const char *key, char out[NAME_SIZE])
{
    const char *name = get(object, key);

    return name && !name_take(out, name, strlen(name)) ? 0 : HERR_SYNTAX;
}

static int get_head(const json_t *object, event_t *event)
{
    const json_t *time = jansson.json_object_get(object, "time");
    const char *kind = get(object, "kind"), *server = get(object, "server");
    int found = kind ? find_kind(kind) : HERR_SYNTAX;

    if (found < 0 || !server || !event_server_is_valid(server) || !json_is_integer(time) ||
        jansson.json_integer_value(time) < 0)
        return HERR_SYNTAX;
    event->kind = (event_kind_e)found;
    memcpy(event->server, server, strlen(server) + 1);
    event->time_ms = (uint64_t)jansson.json_integer_value(time);
    return 0;
}

static int get_text(const json_t *object, event_t *event, hbytes_t *text)
{
    const char *given = get(object, "text");
    int err;

    if (!given || strlen(given) > EVENT_TEXT_MAX)
        return HERR_SYNTAX;
    err = text_append(text, given, strlen(given));
    if (err)
        return err;
    if (text->len > EVENT_TEXT_MAX) /* what was harmless has not grown */
        return HERR_SYNTAX;
    event->text = text->len ? text->data : "";
    event->text_len = text->len;
    return 0;
}

static int get_all(const json_t *object, event_t *event, hbytes_t *text)
{
    int err = get_head(object, event);
    unsigned has = err ? 0 : kinds[event->kind].has;
    size_t members = 3 + (size_t)__builtin_popcount(has);

    if (!err && jansson.json_object_size(object) != members)
        err = HERR_SYNTAX;
    if (!err && has & HAS_ROOM)
        err = get_name(object, "room", event->room);
    if (!err && has & HAS_NAME)
        err = get_name(object, "name", event->name);
    if (!err && has & HAS_OTHER)
        err = get_name(object, "other", event->other);
    if (!err && has & HAS_TEXT)
        err = get_text(object, event, text);
    return err;
}

int event_read(event_t *event, const char *json, size_t len, hbytes_t *text)
{
    json_error_t error;
    json_t *object;
    int err = hlib_load(&lib);

    *event = (event_t){.text = ""};
    hbytes_clear(text);
    if (err < 0)
        return err;
    if (len > EVENT_JSON_MAX)
        return -EMSGSIZE;
    object = jansson.json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : HERR_SYNTAX;
    err = get_all(object, event, text);
    if (object->refcount == 1) /* json_decref is an inline function that calls the library */
        jansson.json_delete(object);
    return err;
}

#else

int event_read(event_t *event, const char *json, size_t len, hbytes_t *text)
{
    (void)json;
    (void)len;
    *event = (event_t){.text = ""};
    hbytes_clear(text);
    return HERR_UNSUPPORTED;
}

#endif
