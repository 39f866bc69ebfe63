#include "base/hlog.h"
#include "base/hstr.h"
#include "settings.h"

#include "net/htargets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- end points ------------------------------------------------------------------------------ */

int settings_add_listen(service_settings_t *service, const char *text, hbytes_t *why)
{
    listen_settings_t **end = &service->listens, *listen;
    hendpoint_t endpoint;
    char error[512];
    size_t n = 0;

    if (hendpoint_parse(&endpoint, text, error, sizeof(error)) < 0)
        return hopt_wrong(why, "%s", error);
    for (; *end; end = &(*end)->next)
        n++;
    if (n == SETTINGS_LISTENS_MAX)
        return hopt_wrong(why, "more than %d end points to listen on", SETTINGS_LISTENS_MAX);
    listen = hkeep_alloc(service->keep, sizeof(*listen));
    if (!listen)
        return -ENOMEM;
    *listen = (listen_settings_t){.text = text, .endpoint = endpoint};
    *end = listen;
    return 0;
}

int settings_add_target(service_settings_t *service, const char *text, hbytes_t *why)
{
    target_settings_t **end = &service->targets, *target;
    htarget_spec_t spec;
    char error[512];
    size_t n = 0;

    if (htarget_spec_parse(&spec, text, error, sizeof(error)) < 0)
        return hopt_wrong(why, "%s", error);
    for (; *end; end = &(*end)->next)
        n++;
    if (n == SETTINGS_TARGETS_MAX)
        return hopt_wrong(why, "more than %d targets", SETTINGS_TARGETS_MAX);
    target = hkeep_alloc(service->keep, sizeof(*target));
    if (!target)
        return -ENOMEM;
    *target = (target_settings_t){.text = text,
                                  .endpoint = spec.endpoint,
                                  .srv = spec.srv,
                                  .weight = spec.weight > 0 ? spec.weight : 1,
                                  .backup = spec.backup};
    *end = target;
    return 0;
}

int service_take_listen(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    (void)option;
    return settings_add_listen(service, arg, why);
}

int service_take_target(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    (void)option;
    return settings_add_target(service, arg, why);
}

int settings_take_status(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;
    char error[512];

    (void)option;
    if (hendpoint_parse(&s->status_endpoint, arg, error, sizeof(error)) < 0)
        return hopt_wrong(why, "%s", error);
    if (s->status_endpoint.scheme != HENDPOINT_TCP && s->status_endpoint.scheme != HENDPOINT_UNIX)
        return hopt_wrong(why, "'%s': it is served by plain HTTP alone", arg);
    s->status = arg;
    return 0;
}

/* ---- of a service ---------------------------------------------------------------------------- */

int service_take_unix_mode(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    service_settings_t *s = service;
    size_t digits = strspn(arg, "01234567");

    (void)option;
    if (digits < 3 || digits > 4 || arg[digits] != '\0')
        return hopt_wrong(why, "'%s': it takes rights such as 660", arg);
    s->unix_mode = (unsigned)strtoul(arg, NULL, 8);
    if (s->unix_mode == 0 || s->unix_mode > 0777)
        return hopt_wrong(why, "'%s': it takes rights from 001 to 777", arg);
    s->unix_rights = arg;
    return 0;
}

int service_take_send_proxy(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    service_settings_t *s = service;

    (void)option;
    if (arg[0] == 'v')
        arg++;
    if (strcmp(arg, "1") != 0 && strcmp(arg, "2") != 0)
        return hopt_wrong(why, "'%s': it takes 1 or 2", arg);
    s->send_proxy = arg[0] - '0';
    return 0;
}

int service_take_eject(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    service_settings_t *s = service;
    uint64_t n;

    (void)option;
    if (hstr_parse_u64(arg, 0, HEJECT_FAILURES_MAX, &n) < 0)
        return hopt_wrong(why, "'%s': it takes a number up to %d", arg, HEJECT_FAILURES_MAX);
    s->eject_failures = n > 0 ? (uint32_t)n : UINT32_MAX;
    return 0;
}

int service_take_status_codes(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    service_settings_t *s = service;

    (void)option;
    if (hcheck_parse_status(arg, &s->check.http_first, &s->check.http_last) < 0)
        return hopt_wrong(why, "'%s': it takes 200, 2xx or 200-399", arg);
    return 0;
}

/* Bytes that were written with backslashes. */
static int take_bytes(hkeep_t *keep, const char *arg, const void **data, size_t *len, hbytes_t *why)
{
    size_t size = strlen(arg) + 1;
    char *copy = hkeep_alloc(keep, size);
    int n = copy ? hstr_unescape(copy, size, arg) : -ENOMEM;

    if (n == -ENOMEM)
        return n;
    if (n < 0)
        return hopt_wrong(why, "'%s': behind a backslash stands r, n, t, 0, \\ or xNN", arg);
    if (n == 0 || n > HCHECK_SEND_MAX)
        return hopt_wrong(why, "it takes 1 to %d bytes", HCHECK_SEND_MAX);
    *data = copy;
    *len = (size_t)n;
    return 0;
}

int service_take_check_send(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    service_settings_t *s = service;

    (void)option;
    return take_bytes(s->keep, arg, &s->check.send, &s->check.send_len, why);
}

int service_take_check_expect(const hopt_t *option, const char *arg, void *service, hbytes_t *why)
{
    service_settings_t *s = service;

    (void)option;
    return take_bytes(s->keep, arg, &s->check.expect, &s->check.expect_len, why);
}

/* ---- of the process -------------------------------------------------------------------------- */

int settings_take_workers(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;
    uint64_t n;

    (void)option;
    if (strcmp(arg, "auto") == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);

        n = processors < 1 ? 1 : (uint64_t)processors;
        n = n < SETTINGS_WORKERS_MAX ? n : SETTINGS_WORKERS_MAX;
    } else if (hstr_parse_u64(arg, 1, SETTINGS_WORKERS_MAX, &n) < 0) {
        return hopt_wrong(why, "'%s': it takes a number from 1 to %d, or auto", arg,
                          SETTINGS_WORKERS_MAX);
    }
    s->workers = (uint32_t)n;
    return 0;
}

int settings_take_loglevel(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;
    hlog_level_e level;

    (void)option;
    if (hlog_level_parse(arg, &level) < 0)
        return hopt_wrong(why, "'%s': it takes debug, info, warn, error or silent", arg);
    s->base.logs.messages.level = (int)level;
    return 0;
}

int settings_take_access_log(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;

    (void)option;
    (void)why;
    s->base.logs.access = hlogs_access(arg);
    return 0;
}

int settings_take_format(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;

    (void)option;
    if (strcmp(arg, "text") != 0 && strcmp(arg, "json") != 0)
        return hopt_wrong(why, "'%s': it takes text or json", arg);
    s->access_json = strcmp(arg, "json") == 0;
    return 0;
}
