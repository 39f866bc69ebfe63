#include "master.h"

#include "base/hmem.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATUS_NAME "status" /* of a socket that systemd has opened */

/* ---- a generation ---------------------------------------------------------------------------- */

static void free_generation(generation_t *g)
{
    if (!g)
        return;
    hlogs_close(&g->logs);
    settings_free(g->settings);
    hmem_free(g->wanted);
    hmem_free(g->ways);
    hmem_free(g);
}

static const char *where_of(const settings_t *s, hkeep_t *keep, const char *text)
{
    hbytes_t where = {0};
    char *kept = NULL;

    settings_where(s, hconf_line(s->base.conf, text) > 0 ? text : "", &where);
    if (where.len > 0)
        kept = hkeep_text(keep, where.data, where.len);
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
    int err = hmaster_check_user(&g->settings->base, errors);

    if (!err)
        err = hmaster_open_logs(&g->settings->base, &g->logs, errors);
    if (!err)
        err = tls_make(g->settings, self_signed, errors);
    if (!err)
        err = collect_ways(g);
    return err ? err : worker_try(g, errors);
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

/* One of the settings that the start is with, or of new ones. */
static int make_generation(master_t *master, generation_t *g, hbytes_t *errors)
{
    int err = 0;

    *g = (generation_t){.settings = master->first, .logs = HLOGS_NONE};
    master->first = NULL;
    if (!g->settings)
        err = settings_load(master->argc, master->argv, &g->settings, errors);
    return err ? err : try_out(g, &master->self_signed, errors);
}

static int load(void *userdata, hmaster_plan_t *plan, hbytes_t *errors)
{
    generation_t *g = hmem_zalloc(sizeof(*g));
    const settings_t *s;
    int err = g ? make_generation(userdata, g, errors) : -ENOMEM;

    if (err) {
        free_generation(g);
        return err;
    }
    s = g->settings;
    *plan = (hmaster_plan_t){.settings = g,
                             .log = &g->logs.messages,
                             .access = &g->logs.access,
                             .wanted = g->wanted,
                             .wanted_count = g->way_count,
                             .workers = (int)s->workers,
                             .drain_ms = s->drain_ms,
                             .stop_ms = s->stop_ms,
                             .tells = s->verbose > 0,
                             .base = &s->base};
    return 0;
}

static void discard(void *userdata, hmaster_plan_t *plan, uint64_t number)
{
    (void)userdata;
    (void)number;
    free_generation(plan->settings);
}

int master_test(settings_t *settings, hbytes_t *errors)
{
    master_t master = {.first = settings};
    hmaster_plan_t plan;
    int err = load(&master, &plan, errors);

    if (!err)
        free_generation(plan.settings);
    else if (errors->len == 0)
        hbytes_printf(errors, "%s\n", herr_str(err));
    settings_free(master.first);
    htls_ctx_free(master.self_signed);
    return err;
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
                                       .base = &settings->base,
                                       .title = title,
                                       .slots_max = SLOTS_MAX,
                                       .load = load,
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
    int err = hmaster_check_user(&settings->base, &errors), status = 1;

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
