#include "settings.h"

#include "base/hlog.h"
#include "base/hmem.h"

#include <string.h>

void settings_init_service(service_settings_t *service, hkeep_t *keep)
{
    memset(service, 0, sizeof(*service)); /* so that two can be compared */
    service->keep = keep;
    service->retries = UINT32_MAX;
}

static void deinit_service(void *object)
{
    service_settings_t *service = object;
    hopt_list_t *lists[] = {&service->forward.users, &service->forward.destinations,
                            &service->forward.via,   &service->allow,
                            &service->deny,          &service->allow_files,
                            &service->deny_files};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        hopt_list_deinit(lists[i]);
    htls_ctx_free(service->tls_ctx);
    htls_ctx_free(service->target_tls_ctx);
}

service_settings_t *settings_new_service(hkeep_t *keep)
{
    service_settings_t *service = hkeep_alloc(keep, sizeof(*service));

    if (!service)
        return NULL;
    settings_init_service(service, keep);
    return hkeep_object(keep, service, deinit_service) == 0 ? service : NULL;
}

settings_t *settings_new(void)
{
    settings_t *settings = hmem_zalloc(sizeof(*settings));
    hkeep_t *keep = settings ? hkeep_new() : NULL;

    if (!keep) {
        hmem_free(settings);
        return NULL;
    }
    settings_init_service(&settings->command, keep);
    settings->workers = 1;
    settings->base.logs.messages.prefix = hproxy_doc.name;
    settings->base.logs.messages.level = HLOG_INFO;
    return settings;
}

void settings_free(settings_t *settings)
{
    hkeep_t *keep;

    if (!settings)
        return;
    keep = settings->command.keep;
    deinit_service(&settings->command);
    hconf_free(settings->base.conf);
    hkeep_free(keep);
    hmem_free(settings);
}

void settings_where(const settings_t *s, const char *value, hbytes_t *errors)
{
    hconf_where(s->base.conf, s->base.conf_path, value, errors);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* LISTEN TARGET... */
static int take_operands(settings_t *s, const hopt_list_t *operands, hbytes_t *errors)
{
    hbytes_t why = {0};
    int err = 0;

    for (size_t i = 0; !err && i < operands->count; i++) {
        const char *text = operands->items[i];

        err = i == 0 ? settings_add_listen(&s->command, text, &why)
                     : settings_add_target(&s->command, text, &why);
        if (err)
            hbytes_printf(errors, "%s '%s': %s", i == 0 ? "LISTEN" : "TARGET", text,
                          why.len > 0 ? why.data : herr_str(err));
    }
    hbytes_deinit(&why);
    return err;
}

static int read_arguments(int argc, char *const argv[], settings_t *s, hbytes_t *errors)
{
    hopt_spec_t spec = hopt_doc_spec(&hproxy_doc);
    hopt_list_t operands = {0};
    int err = hopt_parse(&spec, argc, argv, s, &operands, errors);

    if (!err)
        err = take_operands(s, &operands, errors);
    if (err)
        hbytes_append_char(errors, '\n');
    hopt_list_deinit(&operands);
    return err;
}

static int read_file(settings_t *s, const char *path, hbytes_t *errors)
{
    if (!path)
        return 0;
    s->base.conf_path = path;
    return hconf_load(path, &settings_schema, s, &s->base.conf, errors);
}

/* Byte for byte, and those between members too: settings_init_service clears them. */
static bool is_untouched(const settings_t *s)
{
    service_settings_t nothing;

    settings_init_service(&nothing, s->command.keep);
    return memcmp((const unsigned char *)&nothing, (const unsigned char *)&s->command,
                  sizeof(nothing)) == 0;
}

/* What the command line says is one more service, in front of those of the file. */
static int add_command(settings_t *s, hbytes_t *errors)
{
    if (!s->command.listens && !is_untouched(s)) {
        hbytes_append_str(errors, "options of a service, but nothing that it listens on: they are "
                                  "for LISTEN on the command line, not for the file\n");
        return HERR_SYNTAX;
    }
    if (!s->command.listens)
        return 0;
    s->command.name = s->command.listens->text;
    s->command.next = s->services;
    s->services = &s->command;
    return 0;
}

static int read_all(int argc, char *const argv[], settings_t *s, const char *conf_path,
                    hbytes_t *errors)
{
    int err = read_file(s, conf_path, errors);

    if (!err)
        err = read_arguments(argc, argv, s, errors);
    if (!err)
        err = add_command(s, errors);
    if (!err)
        err = settings_check(s, errors);
    if (s->verbose > 0 && !s->base.logs.access)
        s->base.logs.access = "";
    return err;
}

/* What runs is found by the pid file of its file, whatever else is wrong there by now. */
static void find_pid_file(settings_t *s)
{
    hbytes_t known = {0};

    if (!s->base.main.pid_file && s->base.conf_path)
        hconf_load(s->base.conf_path, &settings_pid_schema, s, &s->base.conf, &known);
    hbytes_deinit(&known);
}

int settings_load(int argc, char *const argv[], settings_t **settings, hbytes_t *errors)
{
    settings_t *first = settings_new(), *s = settings_new();
    int err = first && s ? read_arguments(argc, argv, first, errors) : -ENOMEM;

    *settings = NULL;
    if (err) {
        settings_free(first);
        settings_free(s);
        return err;
    }
    err = read_all(argc, argv, s, first->base.conf_path, errors);
    if (err)
        find_pid_file(first);
    *settings = err ? first : s;
    settings_free(err ? s : first);
    return err;
}
