#include "store.h"

#include "base/hlist.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "proto/http_altsvc.h"
#include "proto/http_cookie_jar.h"
#include "proto/http_hsts.h"
#include "status.h"

#include <string.h>

#define COOKIES_MAX 8200     /* with a NUL: all -b NAME=VALUE of an operation */
#define SAVED_NOT UINT64_MAX /* no file has been written */
#define WRITE_PAUSE_MS 1000  /* files are not written more often, but at the end */

static int take_jar(const hopt_t *row, const char *arg, void *opts, hbytes_t *why)
{
    store_options_t *options = opts;

    (void)row;
    if (!*arg) {
        hbytes_append_str(why, "needs the name of a file");
        return HERR_SYNTAX;
    }
    options->jar = arg;
    return 0;
}

const hopt_t store_rows[] = {
    HOPT_GROUP("Cookies and other things to remember"),
    HOPT_LIST('b', "cookie", store_options_t, cookies,
              "send the cookies NAME=VALUE; NAME2=VALUE2, or those that a FILE has (- is stdin), "
              "and keep those that come; \"\" only keeps them",
              .arg_name = "DATA|FILE"),
    HOPT_CALL('c', "cookie-jar", take_jar, "keep cookies, and write them all to FILE (- is stdout)",
              .arg_name = "FILE"),
    HOPT_FLAG('j', "junk-session-cookies", store_options_t, no_session,
              "leave out the cookies of -b that end with their session", .negatable = true),
    HOPT_LIST(0, "hsts", store_options_t, hsts,
              "keep in FILE which hosts said to be asked over https only (\"\": in none)",
              .arg_name = "FILE"),
    HOPT_LIST(0, "alt-svc", store_options_t, altsvc,
              "keep in FILE where else servers say they can be reached (\"\": in none)",
              .arg_name = "FILE"),
    HOPT_END,
};

/* An operation whose files have been loaded. */
typedef struct loaded_s {
    hlist_t node;
    const store_options_t *options;
    hbytes_t cookies;                      /* of -b NAME=VALUE */
    bool keeps_cookies;                    /* a file, "" or -c was named */
    bool jar_lost, hsts_lost, altsvc_lost; /* see judge */
    uint64_t jar, hsts, altsvc;            /* changes that its files know of */
    uint64_t written_ms;                   /* when they were written last; 0: never */
} loaded_t;

struct store_s {
    hlist_t loaded;
    http_cookie_jar_t *jar; /* NULL, and so are the others: not needed yet */
    http_hsts_t *hsts;
    http_altsvc_t *altsvc;
};

/* What a file is, for a warning. */
static const char cookies_name[] = "the cookies", hsts_name[] = "the hosts of --hsts",
                  altsvc_name[] = "the servers of --alt-svc";

static int64_t now_s(void)
{
    return (int64_t)(htime_real_ms() / 1000);
}

int store_new(store_t **store)
{
    *store = hmem_zalloc(sizeof(**store));
    if (!*store)
        return -ENOMEM;
    hlist_init(&(*store)->loaded);
    return 0;
}

static loaded_t *find(store_t *store, const store_options_t *options)
{
    hlist_t *pos, *tmp;

    HLIST_FOREACH (pos, tmp, &store->loaded) {
        loaded_t *loaded = HLIST_ENTRY(pos, loaded_t, node);

        if (loaded->options == options)
            return loaded;
    }
    return NULL;
}

/* ---- loading --------------------------------------------------------------------------------- */

static void warn(hbytes_t *warnings, const char *what, const char *path, const char *fault, int err)
{
    char safe[256];

    hstr_escape(safe, sizeof(safe), path, strlen(path));
    hbytes_printf(warnings, "%s in '%s' cannot be %s: %s\n", what, safe, fault, herr_str(err));
}

/* What a load has returned. A file that is not there yet is what is expected at first; one that is
 * a folder is nobody's mistake, either: -b takes anything. What is there and could not be read is
 * *lost if it is written over later. 0 or -ENOMEM. */
static int judge(ssize_t result, const char *what, const char *path, bool *lost, hbytes_t *warnings)
{
    if (result == -ENOMEM)
        return -ENOMEM;
    *lost = result < 0 && result != -ENOENT && result != -EISDIR;
    if (*lost)
        warn(warnings, what, path, "read", (int)result);
    return 0;
}

static int add_cookies(loaded_t *loaded, const char *text)
{
    bool first = loaded->cookies.len == 0;
    int err = first ? 0 : hbytes_append_char(&loaded->cookies, ';');

    if (err == 0 && !first && text[0] != ' ' && text[0] != '\t')
        err = hbytes_append_char(&loaded->cookies, ' ');
    return err == 0 ? hbytes_append_str(&loaded->cookies, text) : err;
}

static int load_cookies(store_t *store, loaded_t *loaded, hbytes_t *warnings)
{
    const store_options_t *options = loaded->options;
    unsigned flags = options->no_session ? HTTP_COOKIE_JAR_NO_SESSION : 0;
    int err = 0;

    loaded->keeps_cookies = options->jar != NULL;
    for (size_t i = 0; err == 0 && i < options->cookies.count; i++) {
        const char *item = options->cookies.items[i];
        bool lost = false;

        if (strchr(item, '=')) {
            err = add_cookies(loaded, item);
            continue;
        }
        loaded->keeps_cookies = true;
        if (!store->jar)
            err = http_cookie_jar_new(&store->jar);
        if (err == 0 && *item)
            err = judge(http_cookie_jar_load(store->jar, item, flags, now_s()), cookies_name, item,
                        &lost, warnings);
        if (lost && options->jar && strcmp(item, options->jar) == 0)
            loaded->jar_lost = true;
    }
    if (err == 0 && loaded->keeps_cookies && !store->jar)
        err = http_cookie_jar_new(&store->jar);
    return err;
}

/* The last file is the one that is written. */
static int load_hsts(store_t *store, loaded_t *loaded, hbytes_t *warnings)
{
    const hopt_list_t *files = &loaded->options->hsts;
    int err = store->hsts ? 0 : http_hsts_new(&store->hsts); /* without --hsts, too, as in curl */

    for (size_t i = 0; err == 0 && i < files->count; i++) {
        if (*files->items[i])
            err = judge(http_hsts_load(store->hsts, files->items[i], now_s()), hsts_name,
                        files->items[i], &loaded->hsts_lost, warnings);
    }
    return err;
}

static int load_altsvc(store_t *store, loaded_t *loaded, hbytes_t *warnings)
{
    const hopt_list_t *files = &loaded->options->altsvc;
    int err = files->count > 0 && !store->altsvc ? http_altsvc_new(&store->altsvc) : 0;

    for (size_t i = 0; err == 0 && i < files->count; i++) {
        if (*files->items[i])
            err = judge(http_altsvc_load(store->altsvc, files->items[i], now_s()), altsvc_name,
                        files->items[i], &loaded->altsvc_lost, warnings);
    }
    return err;
}

static void free_loaded(loaded_t *loaded)
{
    hlist_remove(&loaded->node);
    hbytes_deinit(&loaded->cookies);
    hmem_free(loaded);
}

static int load(store_t *store, const store_options_t *options, hbytes_t *warnings,
                loaded_t **result)
{
    loaded_t *loaded = hmem_zalloc(sizeof(*loaded));
    int err;

    if (!loaded)
        return -ENOMEM;
    loaded->options = options;
    loaded->jar = loaded->hsts = loaded->altsvc = SAVED_NOT;
    hbytes_init(&loaded->cookies, COOKIES_MAX);
    err = load_cookies(store, loaded, warnings);
    if (err == 0)
        err = load_hsts(store, loaded, warnings);
    if (err == 0)
        err = load_altsvc(store, loaded, warnings);
    if (err < 0) {
        free_loaded(loaded);
        return err;
    }
    hlist_push_back(&store->loaded, &loaded->node);
    *result = loaded;
    return 0;
}

int store_apply(store_t *store, const store_options_t *options, http_transfer_options_t *transfer,
                hbytes_t *warnings, hbytes_t *error)
{
    loaded_t *loaded = find(store, options);
    int err = loaded ? 0 : load(store, options, warnings, &loaded);

    if (err == -ENOBUFS) {
        hbytes_printf(error, "the cookies of -b are longer than %d bytes", COOKIES_MAX - 1);
        return STATUS_TOO_LARGE;
    }
    if (err < 0) {
        hbytes_append_str(error, herr_str(err));
        return STATUS_MEMORY;
    }
    transfer->cookies = loaded->cookies.data;
    transfer->jar = loaded->keeps_cookies ? store->jar : NULL;
    transfer->hsts = store->hsts;
    transfer->altsvc = options->altsvc.count > 0 ? store->altsvc : NULL;
    return 0;
}

/* ---- saving ---------------------------------------------------------------------------------- */

static int print_jar(store_t *store, outlet_t *out)
{
    hbytes_t text = {0};
    int err = http_cookie_jar_write(store->jar, now_s(), &text);

    if (err == 0)
        err = outlet_write(out, text.data, text.len);
    hbytes_deinit(&text);
    return err;
}

static void save_jar(store_t *store, loaded_t *loaded, hbytes_t *warnings)
{
    const char *path = loaded->options->jar;
    int err;

    if (!path || loaded->jar_lost || strcmp(path, "-") == 0 ||
        loaded->jar == http_cookie_jar_changes(store->jar))
        return;
    err = http_cookie_jar_save(store->jar, path, now_s());
    if (err < 0)
        warn(warnings, cookies_name, path, "written", err);
    loaded->jar = http_cookie_jar_changes(store->jar);
}

/* The last file of a list, which is the one to write; NULL if there is none. */
static const char *last_of(const hopt_list_t *files)
{
    const char *last = files->count > 0 ? files->items[files->count - 1] : "";

    return *last ? last : NULL;
}

static void save_hsts(store_t *store, loaded_t *loaded, hbytes_t *warnings)
{
    const char *path = last_of(&loaded->options->hsts);
    int err;

    if (!path || loaded->hsts_lost || loaded->hsts == http_hsts_changes(store->hsts))
        return;
    err = http_hsts_save(store->hsts, path, now_s());
    if (err < 0)
        warn(warnings, hsts_name, path, "written", err);
    loaded->hsts = http_hsts_changes(store->hsts);
}

static void save_altsvc(store_t *store, loaded_t *loaded, hbytes_t *warnings)
{
    const char *path = last_of(&loaded->options->altsvc);
    int err;

    if (!path || loaded->altsvc_lost || loaded->altsvc == http_altsvc_changes(store->altsvc))
        return;
    err = http_altsvc_save(store->altsvc, path, now_s());
    if (err < 0)
        warn(warnings, altsvc_name, path, "written", err);
    loaded->altsvc = http_altsvc_changes(store->altsvc);
}

static void save_files(store_t *store, loaded_t *loaded, hbytes_t *warnings)
{
    save_jar(store, loaded, warnings);
    save_hsts(store, loaded, warnings);
    save_altsvc(store, loaded, warnings);
    loaded->written_ms = htime_monotonic_ns() / HTIME_NS_PER_MS;
}

void store_save(store_t *store, const store_options_t *options, outlet_t *out, hbytes_t *warnings)
{
    loaded_t *loaded = find(store, options);
    int err;

    if (!loaded)
        return;
    if (options->jar && strcmp(options->jar, "-") == 0) {
        err = print_jar(store, out);
        if (err < 0)
            warn(warnings, cookies_name, options->jar, "written", err);
    }
    /* A large jar takes its time, and transfers may be many. */
    if (loaded->written_ms == 0 ||
        htime_monotonic_ns() / HTIME_NS_PER_MS - loaded->written_ms >= WRITE_PAUSE_MS)
        save_files(store, loaded, warnings);
}

void store_free(store_t *store)
{
    hbytes_t untold = {0};

    if (!store)
        return;
    while (!hlist_empty(&store->loaded)) {
        loaded_t *loaded = HLIST_ENTRY(store->loaded.next, loaded_t, node);

        if (loaded->written_ms != 0)
            save_files(store, loaded, &untold);
        free_loaded(loaded);
    }
    hbytes_deinit(&untold);
    http_cookie_jar_free(store->jar);
    http_hsts_free(store->hsts);
    http_altsvc_free(store->altsvc);
    hmem_free(store);
}
