#include "settings.h"

#include "base/hlog.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAIN_MS 300000

settings_t *settings_new(void)
{
    settings_t *settings = hmem_zalloc(sizeof(*settings));

    if (!settings)
        return NULL;
    settings->keep = hkeep_new();
    if (!settings->keep) {
        hmem_free(settings);
        return NULL;
    }
    settings->site.keep = settings->keep;
    settings->site.home_page[0] = SETTINGS_HOME_PAGE;
    settings->worker_processes = 1;
    settings->worker_threads = 1;
    settings->base.logs.messages.prefix = hhttpd_doc.name;
    settings->base.logs.messages.level = HLOG_INFO;
    settings->access_format = HTTP_LOG_COMBINED;
    settings->drain_ms = DRAIN_MS;
    return settings;
}

void settings_free(settings_t *settings)
{
    if (!settings)
        return;
    hconf_free(settings->base.conf);
    hkeep_free(settings->keep);
    hmem_free(settings);
}

/* ---- what only the whole can tell ------------------------------------------------------------ */

void settings_where(const settings_t *s, const char *value, hbytes_t *errors)
{
    hconf_where(s->base.conf, s->base.conf_path, value, errors);
}

/* value: the one that is wrong, or NULL: none in particular. */
__attribute__((format(printf, 4, 5))) static int complain(const settings_t *s, const char *value,
                                                          hbytes_t *errors, const char *fmt, ...)
{
    va_list ap;

    settings_where(s, hconf_line(s->base.conf, value) > 0 ? value : NULL, errors);
    va_start(ap, fmt);
    hbytes_vprintf(errors, fmt, ap);
    va_end(ap);
    hbytes_append_char(errors, '\n');
    return HERR_SYNTAX;
}

/* End points of the command line stand in the place of the file's. */
static void choose_listens(settings_t *s)
{
    bool from_line = false;
    listen_t **at = &s->listens;

    for (const listen_t *l = s->listens; l; l = l->next)
        from_line = from_line || !l->from_file;
    while (*at) {
        if (from_line && (*at)->from_file)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

static int default_listen(settings_t *s)
{
    listen_t *listen;

    if (s->listens)
        return 0;
    listen = hkeep_alloc(s->keep, sizeof(*listen));
    if (!listen)
        return -ENOMEM;
    listen->bare = true;
    s->listens = listen;
    return hendpoint_set(&listen->endpoint, HENDPOINT_TCP, "127.0.0.1", SETTINGS_PORT);
}

static int place_listens(settings_t *s, hbytes_t *errors)
{
    const char *host = s->host && strcmp(s->host, "*") == 0 ? "" : s->host;

    for (listen_t *l = s->listens; l && host; l = l->next) {
        int err =
            l->bare ? hendpoint_set(&l->endpoint, l->endpoint.scheme, host, l->endpoint.port) : 0;

        if (err)
            return complain(s, s->host, errors, "host '%s': %s", s->host, herr_str(err));
    }
    return 0;
}

static bool has_certificate(const settings_t *s)
{
    return s->tls_self_signed || s->site.ssl_certificate;
}

/* TLS is spoken where it was asked for; where nobody said, everywhere, if there is a
 * certificate. */
static int choose_tls(settings_t *s, hbytes_t *errors)
{
    const listen_t *named = s->listens;

    while (named && named->kind != LISTEN_TLS)
        named = named->next;
    if (named && !has_certificate(s))
        return complain(s, named->text, errors,
                        "TLS needs a certificate: ssl_certificate, --tls-cert or "
                        "--tls-self-signed");
    for (listen_t *l = s->listens; l; l = l->next) {
        if (l->kind == LISTEN_ANY)
            l->kind = has_certificate(s) && !named ? LISTEN_TLS : LISTEN_PLAIN;
        s->tls = s->tls || l->kind == LISTEN_TLS;
    }
    return 0;
}

static int check_certificates(const settings_t *s, const site_settings_t *site, hbytes_t *errors)
{
    if (site->ssl_privatekey && !site->ssl_certificate)
        return complain(s, site->ssl_privatekey, errors, "a private key without a certificate");
    if (site != &s->site && site->ssl_certificate && !has_certificate(s))
        return complain(s, site->ssl_certificate, errors,
                        "[host %s]: a certificate, but TLS is not spoken anywhere", site->names[0]);
    if (site == &s->site && s->ssl_ca_certificate && !has_certificate(s))
        return complain(s, s->ssl_ca_certificate, errors,
                        "clients' certificates need TLS, and that a certificate: "
                        "--tls-cert or --tls-self-signed");
    if (site == &s->site && s->tls_self_signed && site->ssl_certificate)
        return complain(s, site->ssl_certificate, errors,
                        "a certificate of a file and a self-signed one: choose one");
    return 0;
}

/* A path as the workers see it: in the new root, if there will be one. */
static int place_root(const settings_t *s, site_settings_t *site, hbytes_t *errors)
{
    const char *name = site->root ? site->root : ".";
    char *real = realpath(name, NULL);
    size_t len = s->chroot_path ? strlen(s->chroot_path) : 0;
    const char *kept;

    if (!real)
        return complain(s, site->root, errors, "%s: %s", name, herr_str(-errno));
    kept = hkeep_text(s->keep, real, strlen(real));
    free(real);
    if (!kept)
        return -ENOMEM;
    site->root_shown = kept;
    if (len > 0 && (strncmp(kept, s->chroot_path, len) != 0 || (kept[len] && kept[len] != '/')))
        return complain(s, s->chroot, errors, "%s is not below the new root %s", kept,
                        s->chroot_path);
    site->root_path = kept[len] ? kept + len : "/";
    return 0;
}

/* A page that is not there would be missed only when it is needed. */
static int check_page(const settings_t *s, const site_settings_t *site, const char *key,
                      const char *name, hbytes_t *errors)
{
    const char *host = site->names[0], *root = site->root_shown;
    char path[PATH_MAX];
    struct stat st;
    int err = 0;

    if (!name)
        return 0;
    if (snprintf(path, sizeof(path), "%s/%s", root[1] ? root : "", name) >= (int)sizeof(path))
        err = -ENAMETOOLONG;
    else if (stat(path, &st) < 0 || access(path, R_OK) < 0)
        err = -errno;
    else if (S_ISDIR(st.st_mode))
        err = -EISDIR;
    if (!err)
        return 0;
    return complain(s, name, errors, "%s%s%s%s: %s: %s", host ? "[host " : "", host ? host : "",
                    host ? "]: " : "", key, path, herr_str(err));
}

static int check_pages(const settings_t *s, const site_settings_t *site, hbytes_t *errors)
{
    int err = check_page(s, site, "spa", site->spa, errors);

    if (!err)
        err = check_page(s, site, "error_page", site->error_page, errors);
    for (const rule_t *rule = site->error_pages; !err && rule; rule = rule->next)
        err = check_page(s, site, "error_page", rule->to, errors);
    return err;
}

static int check_upload(const settings_t *s, const site_settings_t *site, hbytes_t *errors)
{
    const char *name = site->upload_max > 0   ? "upload_max, --upload-max"
                       : site->upload_replace ? "upload_replace, --upload-replace"
                       : site->upload_delete  ? "upload_delete, --upload-delete"
                                              : NULL;

    if (!name || site->upload || site->no_upload)
        return 0;
    return complain(s, NULL, errors, "%s: nothing is stored without upload, --upload", name);
}

static int place_chroot(settings_t *s, hbytes_t *errors)
{
    char *real;

    if (!s->chroot)
        return 0;
    real = realpath(s->chroot, NULL);
    if (!real)
        return complain(s, s->chroot, errors, "%s: %s", s->chroot, herr_str(-errno));
    s->chroot_path = hkeep_text(s->keep, real, strcmp(real, "/") == 0 ? 0 : strlen(real));
    free(real);
    return s->chroot_path ? 0 : -ENOMEM;
}

static int finish_site(const settings_t *s, site_settings_t *site, hbytes_t *errors)
{
    int err = place_root(s, site, errors);

    if (!err)
        err = check_pages(s, site, errors);
    if (!err)
        err = check_upload(s, site, errors);
    return err ? err : check_certificates(s, site, errors);
}

static int finish(settings_t *s, hbytes_t *errors)
{
    int err;

    choose_listens(s);
    err = default_listen(s);
    if (!err)
        err = place_listens(s, errors);
    if (!err)
        err = choose_tls(s, errors);
    if (!err)
        err = place_chroot(s, errors);
    if (!err)
        err = finish_site(s, &s->site, errors);
    for (site_settings_t *site = s->hosts; !err && site; site = site->next)
        err = finish_site(s, site, errors);
    if (s->verbose > 0 && !s->base.logs.access)
        s->base.logs.access = "";
    return err;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The arguments into the struct, and the operands. */
static int read_arguments(int argc, char *const argv[], settings_t *s, hbytes_t *errors)
{
    hopt_spec_t spec = hopt_doc_spec(&hhttpd_doc);
    hopt_list_t operands = {0};
    bool has_root = false;
    hbytes_t why = {0};
    int err = hopt_parse(&spec, argc, argv, s, &operands, errors);

    for (size_t i = 0; !err && i < operands.count; i++) {
        const char *before = s->site.root;

        err = settings_take_operand(s, operands.items[i], &why);
        if (!err && s->site.root != before) {
            if (has_root)
                err = hbytes_printf(&why, "'%s': one folder is enough", operands.items[i]) < 0
                          ? -ENOMEM
                          : HERR_SYNTAX;
            has_root = true;
        }
    }
    if (why.len > 0)
        hbytes_append_str(errors, why.data);
    if (err)
        hbytes_append_char(errors, '\n');
    hbytes_deinit(&why);
    hopt_deinit(&spec, s, &operands);
    return err;
}

static int read_file(settings_t *s, const char *path, hbytes_t *errors)
{
    int err;

    if (!path) {
        s->site.index_of = "/"; /* a folder that is served at once is shown at once */
        return 0;
    }
    s->reading_file = true;
    s->base.conf_path = path;
    err = hconf_load(path, &settings_schema, s, &s->base.conf, errors);
    s->reading_file = false;
    return err;
}

int settings_load(int argc, char *const argv[], settings_t **settings, hbytes_t *errors)
{
    settings_t *first = settings_new(), *s = settings_new();
    int err = first && s ? read_arguments(argc, argv, first, errors) : -ENOMEM;
    bool has_arguments = err == 0;

    *settings = NULL;
    if (!err)
        err = read_file(s, first->base.conf_path, errors);
    if (!err)
        err = read_arguments(argc, argv, s, errors);
    if (!err)
        err = finish(s, errors);
    if (err == 0 || !has_arguments) {
        settings_free(first);
    } else {
        settings_free(s);
        s = first;
    }
    if (has_arguments) {
        *settings = s;
        return err;
    }
    settings_free(s);
    return err;
}
