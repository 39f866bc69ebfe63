#include "master.h"

#include "app/hprivilege.h"
#include "base/hmem.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATUS_NAME "status" /* of a socket that systemd has opened */

/* ---- a generation ---------------------------------------------------------------------------- */

static void free_generation(generation_t *g)
{
    hlogs_close(&g->logs);
    settings_free(g->settings);
    hmem_free(g->wanted);
    hmem_free(g->ways);
    hmem_free(g);
}

static int check_user(const settings_t *s, hbytes_t *errors)
{
    const char *wrong = NULL;
    hbytes_t why = {0};
    int err = hprivilege_check(s->main.user, s->main.group, &wrong, &why);

    if (err) {
        settings_where(s, wrong, errors);
        hbytes_printf(errors, "%s\n", why.len > 0 ? why.data : herr_str(err));
    }
    hbytes_deinit(&why);
    return err;
}

static int open_logs(generation_t *g, hbytes_t *errors)
{
    const settings_t *s = g->settings;
    const hlogfile_options_t options = {.prefix = HPROXY_NAME,
                                        .path = s->logfile,
                                        .level = s->loglevel,
                                        .size_max = s->log_filesize,
                                        .keep_days = s->log_remain_days};
    const char *wrong;
    int err = hlogs_open(&g->logs, &options, s->access_log, &wrong);

    if (err) {
        settings_where(s, wrong, errors);
        hbytes_printf(errors, "cannot open %s: %s\n", wrong, herr_str(err));
    }
    return err;
}

static const char *where_of(const settings_t *s, keep_t *keep, const char *text)
{
    hbytes_t where = {0};
    char *kept = NULL;

    settings_where(s, hconf_line(s->conf, text) > 0 ? text : "", &where);
    if (where.len > 0)
        kept = settings_keep(keep, where.len + 1);
    if (kept)
        memcpy(kept, where.data, where.len);
    hbytes_deinit(&where);
    return kept;
}

static void add_way(generation_t *g, const way_t *way, const hendpoint_t *endpoint,
                    const char *text)
{
    const settings_t *s = g->settings;

    g->ways[g->way_count] = *way;
    g->wanted[g->way_count] = (hlisteners_want_t){.endpoint = *endpoint,
                                                  .where = where_of(s, s->command.keep, text),
                                                  .tag = (int)g->way_count};
    if (way->service)
        g->wanted[g->way_count].socket.unix_mode = way->service->unix_mode;
    g->way_count++;
}

static int collect_ways(generation_t *g)
{
    const settings_t *s = g->settings;
    size_t n = s->status ? 1 : 0;

    for (const service_settings_t *service = s->services; service; service = service->next) {
        for (const listen_settings_t *l = service->listens; l; l = l->next)
            n++;
    }
    g->wanted = hmem_array(n, sizeof(*g->wanted));
    g->ways = hmem_array(n, sizeof(*g->ways));
    if (!g->wanted || !g->ways)
        return -ENOMEM;
    for (const service_settings_t *service = s->services; service; service = service->next) {
        for (const listen_settings_t *l = service->listens; l; l = l->next)
            add_way(g, &(way_t){service, l}, &l->endpoint, l->text);
    }
    if (s->status)
        add_way(g, &(way_t){NULL, NULL}, &s->status_endpoint, s->status);
    return 0;
}

/* Everything that can fail without listening. */
static int try_out(generation_t *g, htls_ctx_t **self_signed, hbytes_t *errors)
{
    int err = check_user(g->settings, errors);

    if (!err)
        err = open_logs(g, errors);
    if (!err)
        err = tls_make(g->settings, self_signed, errors);
    if (!err)
        err = collect_ways(g);
    return err ? err : worker_try(g, errors);
}

/* Takes the settings in any case. 0 and *out, or a negative error and lines. */
static int make_generation(settings_t *settings, htls_ctx_t **self_signed, generation_t **out,
                           hbytes_t *errors)
{
    generation_t *g = hmem_zalloc(sizeof(*g));
    int err;

    *out = NULL;
    if (!g) {
        settings_free(settings);
        return -ENOMEM;
    }
    *g = (generation_t){.settings = settings, .logs = HLOGS_NONE};
    err = try_out(g, self_signed, errors);
    if (err)
        free_generation(g);
    else
        *out = g;
    return err;
}

int master_test(settings_t *settings, hbytes_t *errors)
{
    htls_ctx_t *self_signed = NULL;
    generation_t *g;
    int err = make_generation(settings, &self_signed, &g, errors);

    if (err && errors->len == 0)
        hbytes_printf(errors, "%s\n", herr_str(err));
    if (g)
        free_generation(g);
    htls_ctx_free(self_signed);
    return err;
}

/* ---- what a socket is for -------------------------------------------------------------------- */

static const way_t *handed_over(const generation_t *g, const hlisteners_item_t *item)
{
    bool alone = !g->settings->services->next && !g->settings->status;

    for (size_t i = 0; i < g->way_count; i++) {
        const way_t *way = &g->ways[i];
        const char *name = way->service ? way->service->name : STATUS_NAME;
        const hendpoint_t *endpoint = &g->wanted[i].endpoint;

        if ((alone || strcmp(item->name, name) == 0) &&
            (hendpoint_socktype(endpoint) == SOCK_DGRAM) == item->datagram)
            return way;
    }
    return NULL;
}

const way_t *master_way(const generation_t *g, const hlisteners_item_t *item)
{
    return item->handed_over ? handed_over(g, item) : &g->ways[item->tag];
}

static int check_ways(void *userdata, const hmaster_generation_t *generation, hbytes_t *errors)
{
    const generation_t *g = generation->plan->settings;

    (void)userdata;
    for (size_t i = 0; i < generation->listeners->count; i++) {
        const hlisteners_item_t *item = &generation->listeners->items[i];

        if (master_way(g, item))
            continue;
        hbytes_printf(errors,
                      "LISTEN_FDS: a socket with the name '%s' (FileDescriptorName), but no "
                      "[listen %s] for it\n",
                      item->name, item->name);
        return HERR_SYNTAX;
    }
    return 0;
}

/* ---- for hmaster ----------------------------------------------------------------------------- */

static int load(void *userdata, hmaster_plan_t *plan, hbytes_t *errors)
{
    master_t *master = userdata;
    settings_t *s = master->first;
    generation_t *g = NULL;
    int err = s ? 0 : settings_load(master->argc, master->argv, &s, errors);

    master->first = NULL;
    if (err)
        settings_free(s);
    else
        err = make_generation(s, &master->self_signed, &g, errors);
    if (err)
        return err;
    *plan = (hmaster_plan_t){.settings = g,
                             .log = &g->logs.messages,
                             .access = &g->logs.access,
                             .wanted = g->wanted,
                             .wanted_count = g->way_count,
                             .workers = (int)s->workers,
                             .drain_ms = s->drain_ms,
                             .stop_ms = s->stop_ms,
                             .tells = s->verbose > 0,
                             .main = &s->main};
    return 0;
}

static void where(void *userdata, const hmaster_plan_t *plan, const char *value, hbytes_t *place)
{
    const generation_t *g = plan->settings;

    (void)userdata;
    settings_where(g->settings, value, place);
}

static void discard(void *userdata, hmaster_plan_t *plan, uint64_t number)
{
    (void)userdata;
    (void)number;
    free_generation(plan->settings);
}

static void on_ended(void *userdata, int slot)
{
    const master_t *master = userdata;

    stats_forget(master->stats, (unsigned)slot);
    htarget_share_forget(master->targets, (unsigned)slot);
}

/* What all workers share, from the first one to the last. */
static int make_shared(master_t *master)
{
    void *memory =
        mmap(NULL, stats_shared_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    master->stats = memory;
    return htarget_share_new(SLOTS_MAX, &master->targets);
}

static int run(master_t *master, const settings_t *settings, htitle_t *title)
{
    const hmaster_options_t options = {.name = HPROXY_NAME,
                                       .main = &settings->main,
                                       .title = title,
                                       .slots_max = SLOTS_MAX,
                                       .reloads = settings->conf_path ||
                                                  hlogfile_is_path(settings->logfile) ||
                                                  hlogfile_is_path(settings->access_log),
                                       .load = load,
                                       .where = where,
                                       .check = check_ways,
                                       .announce = announce,
                                       .discard = discard,
                                       .work = worker_main,
                                       .ended = on_ended,
                                       .userdata = master};

    return hmaster_run(&options);
}

int master_serve(int argc, char *const argv[], settings_t *settings, htitle_t *title)
{
    master_t master = {.argc = argc, .argv = argv, .first = settings};
    hbytes_t errors = {0};
    int err = check_user(settings, &errors), status = 1;

    if (!err)
        err = make_shared(&master);
    if (err && errors.len == 0)
        hbytes_printf(&errors, "%s\n", herr_str(err));
    hlogfile_complain(HPROXY_NAME, &errors);
    hbytes_deinit(&errors);
    if (!err)
        status = run(&master, settings, title);
    settings_free(master.first);
    htls_ctx_free(master.self_signed);
    htarget_share_free(master.targets);
    if (master.stats)
        munmap(master.stats, stats_shared_size());
    return status;
}
