#include "base/hlog.h"
#include "base/hstr.h"
#include "event/hloop_pool.h"
#include "net/hworkers.h"
#include "settings.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- words ----------------------------------------------------------------------------------- */

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* Splits at blanks and commas into at most SETTINGS_NAMES_MAX words and a NULL. */
static int split_words(hkeep_t *keep, const char *text, const char **words, hbytes_t *why)
{
    size_t n = 0;

    for (;;) {
        size_t len = 0;

        while (is_separator(*text))
            text++;
        if (*text == '\0')
            break;
        while (text[len] != '\0' && !is_separator(text[len]))
            len++;
        if (n == SETTINGS_NAMES_MAX)
            return hopt_wrong(why, "more than %d names", SETTINGS_NAMES_MAX);
        words[n] = hkeep_text(keep, text, len);
        if (!words[n++])
            return -ENOMEM;
        text += len;
    }
    words[n] = NULL;
    return 0;
}

/* ---- text of fields -------------------------------------------------------------------------- */

/* What goes into a field of an answer must not end it. */
static int check_text(const char *text, hbytes_t *why)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return hopt_wrong(why, "a control character in '%s'", text);
    }
    return 0;
}

int site_take_cache_control(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;
    int err = check_text(arg, why);

    (void)option;
    if (!err)
        s->cache_control = arg;
    return err;
}

/* ---- paths of URLs --------------------------------------------------------------------------- */

int settings_check_path(const char *path, hbytes_t *why)
{
    if (path[0] != '/')
        return hopt_wrong(why, "'%s': a path begins with a slash", path);
    if (strchr(path, '?') || strchr(path, '#'))
        return hopt_wrong(why, "'%s': a path without a query", path);
    if (strstr(path, "/../") || strstr(path, "//"))
        return hopt_wrong(why, "'%s': not a path that a request may have", path);
    return check_text(path, why);
}

static int take_url_path(const char **member, const char *arg, hbytes_t *why)
{
    int err = settings_check_path(arg, why);

    if (!err)
        *member = arg;
    return err;
}

int site_take_base_url(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;
    size_t len = strlen(arg);
    int err = settings_check_path(arg, why);

    (void)option;
    if (err)
        return err;
    while (len > 0 && arg[len - 1] == '/')
        len--;
    s->base_url = len > 0 ? hkeep_text(s->keep, arg, len) : NULL;
    return len > 0 && !s->base_url ? -ENOMEM : 0;
}

/* yes, no or a path: libhv's key has the path. */
static int take_path_or_bool(const char **member, const char *arg, hbytes_t *why)
{
    bool on;

    if (hstr_parse_bool(arg, &on) == 0) {
        *member = on ? "/" : NULL;
        return 0;
    }
    return take_url_path(member, arg, why);
}

int site_take_index_of(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;

    (void)option;
    return take_path_or_bool(&s->index_of, arg, why);
}

int site_take_upload(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;
    int err = take_path_or_bool(&s->upload, arg, why);

    (void)option;
    s->no_upload = !s->upload;
    return err;
}

int site_take_metrics(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;
    bool on;

    (void)option;
    if (hstr_parse_bool(arg, &on) == 0) {
        s->metrics = on ? "/metrics" : NULL;
        return 0;
    }
    return take_url_path(&s->metrics, arg, why);
}

/* ---- files and folders ----------------------------------------------------------------------- */

static int take_file(const char **member, const char *arg, hbytes_t *why)
{
    struct stat st;

    if (stat(arg, &st) < 0 || access(arg, R_OK) < 0)
        return hopt_wrong(why, "'%s': %s", arg, herr_str(-errno));
    if (S_ISDIR(st.st_mode))
        return hopt_wrong(why, "'%s': %s", arg, herr_str(-EISDIR));
    *member = arg;
    return 0;
}

static int take_folder(const char **member, const char *arg, hbytes_t *why)
{
    struct stat st;

    if (stat(arg, &st) < 0)
        return hopt_wrong(why, "'%s': %s", arg, herr_str(-errno));
    if (!S_ISDIR(st.st_mode))
        return hopt_wrong(why, "'%s': %s", arg, herr_str(-ENOTDIR));
    if (access(arg, R_OK | X_OK) < 0)
        return hopt_wrong(why, "'%s': %s", arg, herr_str(-errno));
    *member = arg;
    return 0;
}

int site_take_root(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;

    (void)option;
    return take_folder(&s->root, arg, why);
}

int settings_take_chroot(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;

    (void)option;
    if (geteuid() != 0)
        return hopt_wrong(why, "only root can change the root");
    return take_folder(&s->chroot, arg, why);
}

int settings_take_ca(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;

    (void)option;
    return take_file(&s->ssl_ca_certificate, arg, why);
}

int site_take_certificate(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;

    (void)option;
    return take_file(&s->ssl_certificate, arg, why);
}

int site_take_privatekey(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;

    (void)option;
    return take_file(&s->ssl_privatekey, arg, why);
}

int settings_take_page(const char **member, const char *arg, hbytes_t *why)
{
    if (arg[0] == '\0' || strcmp(arg, "/") == 0)
        return hopt_wrong(why, "the name of a file is missing");
    if (strstr(arg, ".."))
        return hopt_wrong(why, "'%s': a file below the document root", arg);
    *member = arg + (arg[0] == '/');
    return 0;
}

int site_take_error_page(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;

    (void)option;
    return settings_take_page(&s->error_page, arg, why);
}

int site_take_spa(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;
    bool on;

    (void)option;
    if (hstr_parse_bool(arg, &on) < 0)
        return settings_take_page(&s->spa, arg, why);
    s->spa = on ? "index.html" : NULL;
    return 0;
}

int site_take_home_page(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;
    int err = split_words(s->keep, arg, s->home_page, why);

    (void)option;
    for (size_t i = 0; !err && s->home_page[i]; i++) {
        if (strchr(s->home_page[i], '/'))
            err = hopt_wrong(why, "'%s': a name without a slash", s->home_page[i]);
    }
    return err;
}

/* ---- numbers and words of the server --------------------------------------------------------- */

/* In the file 0 is 1, as in libhv's; whoever types it means something else. */
static int take_count(const settings_t *s, uint32_t *member, const char *arg, uint64_t max,
                      hbytes_t *why)
{
    unsigned min = s->reading_file ? 0 : 1;
    uint64_t n;

    if (strcmp(arg, "auto") == 0) {
        *member = hloop_pool_cpu_count();
        return 0;
    }
    if (hstr_parse_u64(arg, min, max, &n) < 0)
        return hopt_wrong(why, "'%s': it takes auto or a number from %u to %llu", arg, min,
                          (unsigned long long)max);
    *member = n > 0 ? (uint32_t)n : 1;
    return 0;
}

int settings_take_processes(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;

    (void)option;
    return take_count(s, &s->worker_processes, arg, HWORKERS_MAX, why);
}

int settings_take_threads(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;

    (void)option;
    return take_count(s, &s->worker_threads, arg, HLOOP_POOL_THREADS_MAX, why);
}

int settings_take_loglevel(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;
    hlog_level_e level;

    (void)option;
    if (hlog_level_parse(arg, &level) < 0)
        return hopt_wrong(why, "'%s': it takes VERBOSE, DEBUG, INFO, WARN, ERROR, FATAL or SILENT",
                          arg);
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
    int format = http_log_find(arg);

    (void)option;
    if (format < 0)
        return hopt_wrong(why, "'%s': it takes common, combined or json", arg);
    s->access_format = format;
    return 0;
}

/* ---- end points ------------------------------------------------------------------------------ */

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* arg: the end point, one of the text's. */
static int add_listen(settings_t *s, const char *arg, const char *text, listen_kind_e kind,
                      hbytes_t *why)
{
    listen_t *listen = hkeep_alloc(s->keep, sizeof(*listen)), **end = &s->listens;
    char error[HENDPOINT_FORMAT_SIZE + 64];
    size_t n = 0;

    if (!listen)
        return -ENOMEM;
    if (hendpoint_parse(&listen->endpoint, arg, error, sizeof(error)) < 0)
        return hopt_wrong(why, "%s", error);
    if (hendpoint_socktype(&listen->endpoint) != SOCK_STREAM)
        return hopt_wrong(why, "'%s': HTTP is spoken over TCP, TLS or a UNIX stream socket", arg);
    for (; *end; end = &(*end)->next)
        n++;
    if (n == SETTINGS_LISTENS_MAX)
        return hopt_wrong(why, "more than %d end points", SETTINGS_LISTENS_MAX);
    listen->kind = listen->endpoint.scheme == HENDPOINT_TLS ? LISTEN_TLS : kind;
    if (listen->kind == LISTEN_ANY && hstr_starts(arg, "tcp://"))
        listen->kind = LISTEN_PLAIN;
    listen->text = text;
    listen->bare = is_number(arg);
    listen->from_file = s->reading_file;
    *end = listen;
    return 0;
}

int settings_take_listen(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    const char *words[SETTINGS_NAMES_MAX + 1];
    settings_t *s = settings;
    int err = split_words(s->keep, arg, words, why);

    (void)option;
    for (size_t i = 0; !err && words[i]; i++)
        err = add_listen(s, words[i], arg, LISTEN_ANY, why);
    return err;
}

int settings_take_port(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    settings_t *s = settings;

    (void)option;
    return add_listen(s, arg, arg, s->reading_file ? LISTEN_PLAIN : LISTEN_ANY, why);
}

int settings_take_https_port(const hopt_t *option, const char *arg, void *settings, hbytes_t *why)
{
    (void)option;
    return add_listen(settings, arg, arg, LISTEN_TLS, why);
}

/* "8080", ":80", "host:80", "unix:/path", "tls://:443"; a folder that looks so is "./8080". */
static bool looks_like_endpoint(const char *text)
{
    const char *colon = strrchr(text, ':');

    if (is_number(text) || strstr(text, "://") || hstr_starts(text, "unix:"))
        return true;
    return colon && !strchr(text, '/') && is_number(colon + 1);
}

int settings_take_operand(settings_t *settings, const char *text, hbytes_t *why)
{
    if (looks_like_endpoint(text))
        return add_listen(settings, text, text, LISTEN_ANY, why);
    return take_folder(&settings->site.root, text, why);
}
