/* conf: the configuration file. The keys of libhv's httpd mean here what they mean there. */
#include "settings.h"

#include "base/hstr.h"

#include <limits.h>
#include <string.h>

#define MS_MAX 2147483647

static const char *const verify_names[] = {"as_ca", "none", "optional", "required", NULL};
static const char *const link_names[] = {"inside", "all", "none", NULL};

/* What the first host and each [host] have. */
static const hopt_t site_rows[] = {
    HOPT_CALL(0, "document_root", site_take_root, "the folder", .arg_name = "DIR"),
    HOPT_CALL(0, "base_url", site_take_base_url, "what is served is below it", .arg_name = "PATH"),
    HOPT_CALL(0, "home_page", site_take_home_page, "the index files", .arg_name = "FILES"),
    HOPT_CALL(0, "error_page", site_take_error_page, "answers errors", .arg_name = "FILE"),
    HOPT_CALL(0, "index_of", site_take_index_of, "folders below are listed", .arg_name = "PATH"),
    HOPT_CALL(0, "spa", site_take_spa, "single-page application", .arg_name = "FILE"),
    HOPT_CALL(0, "cache_control", site_take_cache_control, "the field of files", .arg_name = "T"),
    HOPT_ENUM(0, "follow_links", site_settings_t, links, link_names, "symbolic links"),
    HOPT_FLAG(0, "hidden", site_settings_t, hidden, "serve names with a dot in front"),
    HOPT_FLAG(0, "no_compress", site_settings_t, no_compress, "no coding on the fly"),
    HOPT_FLAG(0, "no_precompressed", site_settings_t, no_precompressed, "no .gz siblings"),
    HOPT_FLAG(0, "archive", site_settings_t, archive, "folders as tar"),
    HOPT_FLAG(0, "cors", site_settings_t, cors, "any origin"),
    HOPT_CALL(0, "upload", site_take_upload, "files may be stored below", .arg_name = "PATH"),
    HOPT_SIZE(0, "upload_max", site_settings_t, upload_max, INT64_MAX, "bytes of a request"),
    HOPT_FLAG(0, "upload_replace", site_settings_t, upload_replace, "files are replaced"),
    HOPT_FLAG(0, "upload_delete", site_settings_t, upload_delete, "files are deleted"),
    HOPT_FLAG(0, "demo", site_settings_t, demo, "the example's API"),
    HOPT_CALL(0, "metrics", site_take_metrics, "Prometheus", .arg_name = "PATH"),
    HOPT_FLAG(0, "live_reload", site_settings_t, live_reload, "pages reload themselves"),
    HOPT_CALL(0, "ssl_certificate", site_take_certificate, "PEM", .arg_name = "FILE"),
    HOPT_CALL(0, "ssl_privatekey", site_take_privatekey, "PEM", .arg_name = "FILE"),
    HOPT_END,
};

static const hopt_t top_rows[] = {
    HOPT_STRING(0, "logfile", settings_t, base.logs.messages.path, "messages go there"),
    HOPT_CALL(0, "loglevel", settings_take_loglevel, "the least that is told", .arg_name = "L"),
    HOPT_INT(0, "log_remain_days", settings_t, base.logs.messages.keep_days, -1, 36500,
             "how long to keep"),
    HOPT_SIZE(0, "log_filesize", settings_t, base.logs.messages.size_max, INT64_MAX,
              "bytes of a log"),
    HOPT_FLAG(0, "log_fsync", settings_t, base.logs.messages.sync,
              "messages are on the disk at once"),
    HOPT_CALL(0, "access_log", settings_take_access_log, "requests", .arg_name = "FILE"),
    HOPT_CALL(0, "access_log_format", settings_take_format, "its form", .arg_name = "FORMAT"),

    HOPT_CALL(0, "worker_processes", settings_take_processes, "processes", .arg_name = "N"),
    HOPT_CALL(0, "worker_threads", settings_take_threads, "threads of each", .arg_name = "N"),
    HOPT_UINT(0, "worker_connections", settings_t, worker_connections, 0, 10000000, "of each"),

    HOPT_STRING(0, "host", settings_t, host, "the address of ports without one"),
    HOPT_CALL(0, "port", settings_take_port, "HTTP", .alias = "http_port", .arg_name = "PORT"),
    HOPT_CALL(0, "https_port", settings_take_https_port, "HTTPS", .arg_name = "PORT"),
    HOPT_CALL(0, "listen", settings_take_listen, "end points", .arg_name = "ENDPOINTS"),
    HOPT_FLAG(0, "proxy_protocol", settings_t, proxy_protocol, "connections begin with a header"),

    HOPT_UINT(0, "keepalive_timeout", settings_t, keepalive_ms, 1, MS_MAX, "ms"),
    HOPT_UINT(0, "keepalive_requests", settings_t, keepalive_requests, 1, MS_MAX, "number"),
    HOPT_UINT(0, "head_timeout", settings_t, head_ms, 1, MS_MAX, "ms"),
    HOPT_UINT(0, "body_timeout", settings_t, body_ms, 1, MS_MAX, "ms"),
    HOPT_UINT(0, "send_timeout", settings_t, send_ms, 1, MS_MAX, "ms"),
    HOPT_UINT(0, "drain_timeout", settings_t, drain_ms, 1, MS_MAX, "ms"),
    HOPT_SIZE(0, "body_max", settings_t, body_max, INT64_MAX, "bytes"),
    HOPT_INT(0, "limit_rate", settings_t, limit_rate_kib, -1, 4194303, "KiB/s"),

    HOPT_FLAG(0, "tls_self_signed", settings_t, tls_self_signed, "make a certificate"),
    HOPT_CALL(0, "ssl_ca_certificate", settings_take_ca, "clients need one of it", .arg_name = "F"),
    HOPT_ENUM(0, "ssl_verify_client", settings_t, ssl_verify_client, verify_names, "when"),

    HOPT_FLAG(0, "daemon", settings_t, base.main.daemon, "run in the background"),
    HOPT_STRING(0, "pid_file", settings_t, base.main.pid_file, "the process number",
                .alias = "pidfile"),
    HOPT_STRING(0, "user", settings_t, base.main.user, "of the workers"),
    HOPT_STRING(0, "group", settings_t, base.main.group, "of the workers"),
    HOPT_CALL(0, "chroot", settings_take_chroot, "the workers see only this", .arg_name = "DIR"),
    HOPT_FLAG(0, "no_sandbox", settings_t, no_sandbox, "no Landlock, no seccomp"),

    HOPT_INCLUDE(site_rows, settings_t, site, site_settings_t),
    HOPT_END,
};

static const hopt_t proxy_rows[] = {
    HOPT_UINT(0, "proxy_connect_timeout", site_settings_t, proxy_connect_ms, 1, MS_MAX, "ms"),
    HOPT_UINT(0, "proxy_read_timeout", site_settings_t, proxy_read_ms, 1, MS_MAX, "ms"),
    HOPT_UINT(0, "proxy_write_timeout", site_settings_t, proxy_write_ms, 1, MS_MAX, "ms"),
    HOPT_FLAG(0, "forward_proxy", site_settings_t, forward_proxy, "for any host"),
    HOPT_STRING(0, "trust_proxies", site_settings_t, trust_proxies, "only for these hosts"),
    HOPT_STRING(0, "no_proxies", site_settings_t, no_proxies, "but not for these"),
    HOPT_END,
};

/* ---- sections ------------------------------------------------------------------------------- */

static bool has_name(const site_settings_t *site, const char *name)
{
    for (size_t i = 0; site->names[i]; i++) {
        if (hstr_ieq(site->names[i], name))
            return true;
    }
    return false;
}

static site_settings_t *find_site(settings_t *settings, const char *name)
{
    site_settings_t *site = settings->hosts;

    while (site && !has_name(site, name))
        site = site->next;
    return site;
}

/* [proxy] is the first host's, [proxy NAME] another's. */
static void *open_part(const char *argument, void *target, hbytes_t *why)
{
    settings_t *settings = target;
    site_settings_t *site;

    if (argument[0] == '\0')
        return &settings->site;
    site = find_site(settings, argument);
    if (!site)
        hbytes_printf(why, "there is no [host %s] before it", argument);
    return site;
}

static int add_name(settings_t *settings, site_settings_t *site, size_t n, const char *name,
                    hbytes_t *why)
{
    if (n == SETTINGS_NAMES_MAX)
        return hbytes_printf(why, "more than %d names", SETTINGS_NAMES_MAX);
    if (strchr(name, '/') || (strchr(name, '*') && strncmp(name, "*.", 2) != 0))
        return hbytes_printf(why, "'%s' is no name: www.example.com or *.example.com", name);
    if (has_name(site, name) || find_site(settings, name))
        return hbytes_printf(why, "'%s' is there twice", name);
    site->names[n] = name;
    return 0;
}

static int add_names(settings_t *settings, site_settings_t *site, const char *argument,
                     hbytes_t *why)
{
    size_t n = 0;

    while (*argument) {
        size_t len = strcspn(argument, " \t,");
        char *name = len > 0 ? hkeep_text(settings->keep, argument, len) : NULL;

        if (name)
            add_name(settings, site, n++, name, why);
        else if (len > 0)
            return -ENOMEM;
        if (why->len > 0)
            return HERR_SYNTAX;
        argument += len + (argument[len] != '\0');
    }
    if (n == 0)
        hbytes_append_str(why, "which one? [host www.example.com]");
    return n == 0 ? HERR_SYNTAX : 0;
}

static void *open_host(const char *argument, void *target, hbytes_t *why)
{
    settings_t *settings = target;
    site_settings_t *site = hkeep_alloc(settings->keep, sizeof(*site)), **end = &settings->hosts;
    size_t n = 0;

    if (!site)
        return NULL;
    site->keep = settings->keep;
    site->home_page[0] = SETTINGS_HOME_PAGE;
    if (add_names(settings, site, argument, why) < 0)
        return NULL;
    for (; *end; end = &(*end)->next)
        n++;
    if (n == SETTINGS_HOSTS_MAX) {
        hbytes_printf(why, "more than %d hosts", SETTINGS_HOSTS_MAX);
        return NULL;
    }
    *end = site;
    return site;
}

static const hconf_section_t sections[] = {
    {"", .rows = top_rows},
    {"host", .rows = site_rows, .open = open_host},
    {"proxy", .rows = proxy_rows, .pair = site_add_proxy, .open = open_part},
    {"redirect", .pair = site_add_redirect, .open = open_part},
    {"rewrite", .pair = site_add_rewrite, .open = open_part},
    {"auth", .pair = site_add_auth, .open = open_part},
    {"error_page", .pair = site_add_error_page, .open = open_part},
    {0},
};

const hconf_schema_t settings_schema = {sections, sizeof(settings_t)};
