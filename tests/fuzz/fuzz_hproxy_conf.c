/* fuzz_hproxy_conf: any text as a configuration of hproxy: it is refused with words, or what it
 * says holds together. Names are not looked up and files not read: those values are left out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../cmd/hproxy/settings.h"

/* The command's own is where main is. */
const hopt_doc_t hproxy_doc = {.name = "hproxy", .options = hproxy_options};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void leave_out(service_settings_t *service)
{
    hopt_list_t *lists[] = {&service->allow, &service->deny, &service->allow_files,
                            &service->deny_files};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        hopt_list_deinit(lists[i]);
    service->trusted = NULL;
    service->forward.users_file = NULL;
}

static void check_service(const settings_t *s, const service_settings_t *service)
{
    bool forward = service->forward.socks || service->forward.http;
    size_t n = 0;

    check(service->name[0] != '\0' && strlen(service->name) < SETTINGS_NAME_SIZE);
    check(hconf_line(s->base.conf, service->name) > 0);
    for (const listen_settings_t *l = service->listens; l; l = l->next, n++)
        check(hconf_line(s->base.conf, l->text) > 0);
    check(n >= 1 && n <= SETTINGS_LISTENS_MAX);
    n = 0;
    for (const target_settings_t *t = service->targets; t; t = t->next, n++)
        check(t->weight >= 1);
    check(forward ? n == 0 : n >= 1 && n <= SETTINGS_TARGETS_MAX);
    check(service->send_proxy >= 0 && service->send_proxy <= 2);
    check(service->check.send_len <= HCHECK_SEND_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hconf_text_t text = {"fuzz", (const char *)data, size};
    settings_t *s = settings_new();
    hbytes_t errors = {0};
    int err;

    if (!s)
        return 0;
    s->base.conf_path = "fuzz";
    err = hconf_parse(&text, &settings_schema, s, &s->base.conf, &errors);
    check((err == 0) == (errors.len == 0));
    if (!err) {
        for (service_settings_t *service = s->services; service; service = service->next)
            leave_out(service);
        err = settings_check(s, &errors);
        check((err == 0) == (errors.len == 0));
        check(s->workers >= 1 && s->workers <= SETTINGS_WORKERS_MAX);
        for (const service_settings_t *service = s->services; !err && service;
             service = service->next)
            check_service(s, service);
    }
    hbytes_deinit(&errors);
    settings_free(s);
    return 0;
}
