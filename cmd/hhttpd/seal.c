/* seal: what a worker gives up before it reads the first byte of a client. */
#include "hhttpd.h"

#include "app/hprivilege.h"
#include "app/hsandbox.h"
#include "base/hmem.h"
#include "demo.h"
#include "proto/http_coding.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PATHS_MAX (SETTINGS_HOSTS_MAX + 3)

/* ---- who it is ------------------------------------------------------------------------------- */

/* What is loaded on first use has to be loaded while it can be found. */
static void load_libraries(const settings_t *s)
{
    bool wants_json = s->site.demo;

    for (const site_settings_t *site = s->hosts; site; site = site->next)
        wants_json |= site->demo;
    tzset();
    http_coding_available(HTTP_CODING_ALL);
    if (wants_json)
        demo_json_load();
}

static int change_identity(const generation_t *g, pid_t parent, hbytes_t *why)
{
    const settings_t *s = g->settings;
    const hmain_options_t *o = &s->base.main;
    const char *root = s->chroot_path;
    int err;

    if (!o->user && !o->group && !root)
        return 0;
    if (root && root[0] == '\0')
        root = NULL; /* the one that is there */
    if (root)
        load_libraries(s);
    err = hprivilege_enter(root, o->user, o->group, why);
    if (err)
        return err;
    /* The kernel has forgotten this at the change. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent ? 0 : -ECANCELED;
}

/* ---- what it can reach ----------------------------------------------------------------------- */

typedef struct paths_s {
    const char *read[PATHS_MAX + 1];
    const char *write[SETTINGS_HOSTS_MAX + 2];
    size_t read_count, write_count;
} paths_t;

static int add_site(paths_t *paths, const site_settings_t *site)
{
    char path[PATH_MAX];
    const char *kept = site->root_path;

    /* Links may lead anywhere if they are followed. */
    paths->read[paths->read_count++] = site->links == HTTP_LINKS_ALL ? "/" : site->root_path;
    if (!site->upload)
        return 0;
    if (site->upload[1] != '\0') {
        size_t len = (size_t)snprintf(path, sizeof(path), "%s%s", site->root_path, site->upload);
        char *copy = len < sizeof(path) ? hkeep_alloc(site->keep, len + 1) : NULL;

        if (!copy)
            return -ENOMEM;
        snprintf(copy, len + 1, "%s", path);
        kept = copy;
    }
    paths->write[paths->write_count++] = kept;
    return 0;
}

static int collect(const settings_t *s, paths_t *paths)
{
    int err = add_site(paths, &s->site);

    for (const site_settings_t *site = s->hosts; !err && site; site = site->next)
        err = add_site(paths, site);
    paths->read[paths->read_count++] = "/etc/mime.types";
    return err;
}

static int enter_sandbox(const generation_t *g, hbytes_t *why)
{
    paths_t *paths = hmem_zalloc(sizeof(*paths));
    int err = paths ? collect(g->settings, paths) : -ENOMEM;

    if (!err) {
        const hsandbox_options_t options = {paths->read, paths->write, true};

        err = hsandbox_enter(&options, why);
    }
    hmem_free(paths);
    if (err < 0)
        return err;
    if (why->len > 0 && g->settings->verbose > 0)
        hlogfile_say(&g->logs.messages, HLOG_INFO, "sandbox: %s", why->data);
    hbytes_clear(why);
    return 0;
}

int seal_process(const generation_t *g, pid_t parent, hbytes_t *why)
{
    int err = change_identity(g, parent, why);

    if (!err && !g->settings->no_sandbox)
        err = enter_sandbox(g, why);
    return err;
}
