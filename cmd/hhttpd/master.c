/* master: what a generation of workers is made of, for app/hmaster. */
#include "hhttpd.h"

#include "base/hmem.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- a generation ---------------------------------------------------------------------------- */

static void free_generation(generation_t *g)
{
    if (!g)
        return;
    htls_ctx_free(g->tls);
    hlogs_close(&g->logs);
    settings_free(g->settings);
    hmem_free(g->wanted);
    hmem_free(g);
}

/* Clients of HTTP and of TLS speak first: one wake-up for the connection and its first request. */
static int collect_listens(generation_t *g)
{
    size_t n = 0;

    for (const listen_t *l = g->settings->listens; l; l = l->next)
        n++;
    g->wanted = hmem_array(n > 0 ? n : 1, sizeof(*g->wanted));
    if (!g->wanted)
        return -ENOMEM;
    for (const listen_t *l = g->settings->listens; l; l = l->next)
        g->wanted[g->wanted_count++] = (hlisteners_want_t){
            .endpoint = l->endpoint, .tag = l->kind, .socket.defer_accept_s = 1};
    return 0;
}

/* Everything that can fail without listening. */
static int try_out(generation_t *g, htls_ctx_t **self_signed, hbytes_t *errors)
{
    int err = hmaster_check_user(&g->settings->base, errors);

    if (!err)
        err = hmaster_open_logs(&g->settings->base, &g->logs, errors);
    if (!err)
        err = tls_make(g->settings, self_signed, &g->tls, errors);
    if (!err)
        err = trial_run(g, errors);
    return err ? err : collect_listens(g);
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
                             .wanted_count = g->wanted_count,
                             .workers = (int)s->worker_processes,
                             .lanes = (uint64_t)s->worker_processes * s->worker_threads,
                             .drain_ms = s->drain_ms,
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

    metrics_forget(master->metrics, slot);
}

static int make_metrics(master_t *master)
{
    void *memory = mmap(NULL, sizeof(metrics_shared_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    master->metrics = memory;
    return 0;
}

int master_serve(int argc, char *const argv[], settings_t *settings, htitle_t *title)
{
    master_t master = {.argc = argc, .argv = argv, .first = settings};
    const hmaster_options_t options = {.name = HHTTPD_NAME,
                                       .base = &settings->base,
                                       .title = title,
                                       .port_option = "-p",
                                       .load = load,
                                       .announce = announce,
                                       .discard = discard,
                                       .work = worker_main,
                                       .ended = on_ended,
                                       .userdata = &master};
    hbytes_t errors = {0};
    int err = hmaster_check_user(&settings->base, &errors), status = 1;

    if (!err)
        err = make_metrics(&master);
    if (err && errors.len == 0)
        hbytes_printf(&errors, "%s\n", herr_str(err));
    hlogfile_complain(HHTTPD_NAME, &errors);
    hbytes_deinit(&errors);
    if (!err)
        status = hmaster_run(&options);
    settings_free(master.first);
    htls_ctx_free(master.self_signed);
    if (master.metrics)
        munmap(master.metrics, sizeof(*master.metrics));
    return status;
}
