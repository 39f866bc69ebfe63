/* Our lines of JSON, read with libjansson. A last line that is cut off (the scan was killed) is an
 * error: what it would have said is not known. */
#include "earlier.h"

#include "base/herr.h"

#include <errno.h>
#include <string.h>

#if HNET_WITH_JANSSON
#include "base/hlib.h"
#include "base/hmem.h"

#include <jansson.h>

typedef struct jansson_lib_s {
    HLIB_FUNCTION(json_loadb);
    HLIB_FUNCTION(json_delete);
    HLIB_FUNCTION(json_object_get);
    HLIB_FUNCTION(json_array_size);
    HLIB_FUNCTION(json_array_get);
    HLIB_FUNCTION(json_string_value);
    HLIB_FUNCTION(json_integer_value);
} jansson_lib_t;

static jansson_lib_t jansson;
static const hlib_symbol_t symbols[] = {
    HLIB_SYMBOL(jansson_lib_t, json_loadb),         HLIB_SYMBOL(jansson_lib_t, json_delete),
    HLIB_SYMBOL(jansson_lib_t, json_object_get),    HLIB_SYMBOL(jansson_lib_t, json_array_size),
    HLIB_SYMBOL(jansson_lib_t, json_array_get),     HLIB_SYMBOL(jansson_lib_t, json_string_value),
    HLIB_SYMBOL(jansson_lib_t, json_integer_value),
};
static const char *const files[] = {"libjansson.so.4", NULL};
static hlib_t lib = {
    files, symbols, sizeof(symbols) / sizeof(symbols[0]), &jansson, PTHREAD_MUTEX_INITIALIZER,
    0,     ""};

/* NULL: there is none, or it is no text. */
static const char *get(const json_t *object, const char *key)
{
    return jansson.json_string_value(jansson.json_object_get(object, key));
}

static const char *get_text(const json_t *object, const char *key)
{
    const char *text = get(object, key);

    return text ? text : "";
}

static int take_port(earlier_host_t *host, const json_t *object)
{
    long long number = jansson.json_integer_value(jansson.json_object_get(object, "port"));
    const json_t *confidence = jansson.json_object_get(object, "confidence");
    service_t service = {
        .name = (char *)get(object, "service"),
        .product = (char *)get(object, "product"),
        .version = (char *)get(object, "version"),
        .extra = (char *)get(object, "extra"),
        .is_tls = json_is_true(jansson.json_object_get(object, "tls")),
    };
    earlier_port_t *port = earlier__add_port(host);
    hbytes_t text = {0};
    int status = 0;

    if (port == NULL)
        return -ENOMEM;
    if (number < 0 || number > UINT16_MAX)
        return HERR_SYNTAX;
    port->number = (uint16_t)number;
    port->protocol = earlier__protocol(get_text(object, "protocol"));
    port->state = (uint8_t)earlier__port_state(get_text(object, "state"));
    if (jansson.json_integer_value(confidence) > 3) {
        status = earlier_service(&text, &service);
        port->service = hbytes_take(&text, NULL);
    }
    return status;
}

static int take_group(earlier_host_t *host, const json_t *object)
{
    earlier_group_t *group = earlier__add_group(host);

    if (group == NULL)
        return -ENOMEM;
    group->protocol = earlier__protocol(get_text(object, "protocol"));
    group->state = (uint8_t)earlier__port_state(get_text(object, "state"));
    group->ports = hmem_strdup(get_text(object, "ports"));
    return group->ports ? 0 : -ENOMEM;
}

static int take_host(earlier_t *earlier, const json_t *object)
{
    const json_t *ports = jansson.json_object_get(object, "ports");
    const json_t *groups = jansson.json_object_get(object, "not_shown");
    earlier_host_t *host = earlier__add_host(earlier);
    int status = 0;

    if (host == NULL)
        return -ENOMEM;
    if (haddr_parse(&host->addr, get_text(object, "ip"), 0) < 0)
        return HERR_SYNTAX;
    host->has_addr = true;
    host->state = (uint8_t)earlier__host_state(get_text(object, "state"));
    for (size_t i = 0; i < jansson.json_array_size(ports) && status == 0; i++)
        status = take_port(host, jansson.json_array_get(ports, i));
    for (size_t i = 0; i < jansson.json_array_size(groups) && status == 0; i++)
        status = take_group(host, jansson.json_array_get(groups, i));
    return status;
}

static int take_line(earlier_t *earlier, const char *line, size_t len, bool is_first)
{
    json_error_t error;
    json_t *object = jansson.json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    const char *type;
    int status = 0;

    if (object == NULL)
        return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : HERR_SYNTAX;
    type = get_text(object, "type");
    if (is_first && strcmp(type, "scan") != 0)
        status = HERR_SYNTAX;
    else if (strcmp(type, "host") == 0)
        status = take_host(earlier, object);
    if (object->refcount == 1) /* json_decref is an inline function that calls the library */
        jansson.json_delete(object);
    return status;
}

int earlier__parse_json(earlier_t *earlier, const char *text, size_t len, hbytes_t *why)
{
    const char *end = text + len;
    size_t line = 0;
    int status = hlib_load(&lib);

    if (status < 0) {
        hbytes_append_str(why, hlib_error(&lib));
        return status;
    }
    for (const char *at = text, *next; at < end && status == 0; at = next) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        next = newline ? newline + 1 : end;
        status = take_line(earlier, at, (size_t)((newline ? newline : end) - at), line++ == 0);
    }
    if (status == HERR_SYNTAX)
        hbytes_printf(why, "line %zu is no JSON of a scan", line);
    return status;
}
#else
int earlier__parse_json(earlier_t *earlier, const char *text, size_t len, hbytes_t *why)
{
    (void)earlier;
    (void)text;
    (void)len;
    hbytes_append_str(why, "hnmap was built without the library that reads JSON");
    return HERR_UNSUPPORTED;
}
#endif
