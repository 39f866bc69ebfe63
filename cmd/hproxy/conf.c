/* conf: the configuration file: what all services share, and a section [listen NAME] for each of
 * them. Its keys are the names of the options. */
#include "settings.h"

#include <string.h>

static const hopt_t top_rows[] = {
    {.type = HOPT_TYPE_INCLUDE, .table = settings_common_rows},
    HOPT_FLAG(0, "daemon", settings_t, base.main.daemon, "run in the background"),
    HOPT_STRING(0, "pid-file", settings_t, base.main.pid_file, "the process number"),
    HOPT_STRING(0, "user", settings_t, base.main.user, "of the workers"),
    HOPT_STRING(0, "group", settings_t, base.main.group, "of the workers"),
    HOPT_END,
};

static bool is_name(const char *text)
{
    static const char others[] = "0123456789._:-";

    for (; *text; text++) {
        char c = (char)(*text | 0x20);

        if ((c < 'a' || c > 'z') && !strchr(others, *text))
            return false;
    }
    return true;
}

static int check_name(const settings_t *s, const char *name, hbytes_t *why)
{
    if (name[0] == '\0')
        return hopt_wrong(why, "it needs a name: [listen web]");
    if (strlen(name) >= SETTINGS_NAME_SIZE)
        return hopt_wrong(why, "a name has at most %d characters", SETTINGS_NAME_SIZE - 1);
    if (!is_name(name))
        return hopt_wrong(why, "'%s': a name has letters, digits and . _ : -", name);
    for (const service_settings_t *other = s->services; other; other = other->next) {
        if (strcmp(other->name, name) == 0)
            return hopt_wrong(why, "'%s' is there twice", name);
    }
    return 0;
}

static void *open_service(const char *argument, void *target, hbytes_t *why)
{
    settings_t *s = target;
    service_settings_t *service, **end = &s->services;
    size_t n = 0;

    if (check_name(s, argument, why) < 0)
        return NULL;
    for (; *end; end = &(*end)->next)
        n++;
    if (n == SETTINGS_SERVICES_MAX) {
        hopt_wrong(why, "more than %d services", SETTINGS_SERVICES_MAX);
        return NULL;
    }
    service = settings_new_service(s->command.keep);
    if (!service)
        return NULL;
    service->name = argument;
    *end = service;
    return service;
}

static const hconf_section_t sections[] = {
    {"", .rows = top_rows},
    {"listen", .rows = settings_service_rows, .open = open_service},
    {0},
};

const hconf_schema_t settings_schema = {sections, sizeof(settings_t)};

/* ---- one key alone --------------------------------------------------------------------------- */

static const hopt_t pid_rows[] = {
    HOPT_STRING(0, "pid-file", settings_t, base.main.pid_file, "the process number"),
    HOPT_END,
};

static int pass_over(const char *key, const char *value, void *target, hbytes_t *why)
{
    (void)key;
    (void)value;
    (void)target;
    (void)why;
    return 0;
}

static void *enter(const char *argument, void *target, hbytes_t *why)
{
    (void)argument;
    (void)why;
    return target;
}

static const hconf_section_t pid_sections[] = {
    {"", .rows = pid_rows, .pair = pass_over},
    {"listen", .pair = pass_over, .open = enter},
    {0},
};

const hconf_schema_t settings_pid_schema = {pid_sections, sizeof(settings_t)};
