/* fuzz_conf: any bytes as a config file: no crash, no leak, and a target that is untouched on
 * error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/hconf.h"

typedef struct target_s {
    uint16_t port;
    bool daemon;
    const char *root;
    hopt_list_t index;
    uint32_t wait_ms;
    uint64_t chunk;
    int level;
    int mode;
    size_t pairs;
} target_t;

static const char *const modes[] = {"slow", "fast", NULL};

static const hopt_t rows[] = {
    HOPT_UINT(0, "port", target_t, port, 1, 65535, ""),
    HOPT_FLAG(0, "daemon", target_t, daemon, ""),
    HOPT_STRING(0, "root", target_t, root, ""),
    HOPT_LIST(0, "index", target_t, index, ""),
    HOPT_SPAN(0, "wait", target_t, wait_ms, ""),
    HOPT_SIZE(0, "chunk", target_t, chunk, UINT64_MAX, ""),
    HOPT_INT(0, "level", target_t, level, -5, 5, ""),
    HOPT_ENUM(0, "mode", target_t, mode, modes, ""),
    HOPT_END,
};

static int on_pair(const char *key, const char *value, void *target, hbytes_t *why)
{
    target_t *t = target;

    (void)why;
    t->pairs += strlen(key) + strlen(value) + 1;
    return 0;
}

static void *open_host(const char *argument, void *target, hbytes_t *why)
{
    target_t *t = target;

    t->pairs += strlen(argument);
    if (argument[0] != '\0')
        return target;
    hbytes_append_str(why, "no name");
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hconf_section_t sections[] = {{"server", .rows = rows},
                                               {"proxy", .pair = on_pair},
                                               {"host", .pair = on_pair, .open = open_host},
                                               {0}};
    static const hconf_schema_t schema = {sections, sizeof(target_t)};
    const hconf_text_t text = {"fuzz", (const char *)data, size};
    target_t target = {.port = 80}, before = target;
    hbytes_t errors = {0};
    hconf_t *conf;
    int status = hconf_parse(&text, &schema, &target, &conf, &errors);

    if (status == 0 && (errors.len > 0 || target.port == 0 || abs(target.level) > 5))
        abort();
    if (status < 0 && (errors.len == 0 || memcmp(&target, &before, sizeof(target)) != 0))
        abort();
    hconf_deinit(&schema, &target);
    hconf_free(conf);
    hbytes_deinit(&errors);
    return 0;
}
