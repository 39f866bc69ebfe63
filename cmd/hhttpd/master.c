/* master: what a generation of workers is made of, for app/hmaster. */
#include "hhttpd.h"

#include "app/hprivilege.h"
#include "base/hmem.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- a generation ---------------------------------------------------------------------------- */

static void free_generation(generation_t *g)
{
    htls_ctx_free(g->tls);
    hlogs_close(&g->logs);
    settings_free(g->settings);
    hmem_free(g->wanted);
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
    const hlogfile_options_t options = {.prefix = HHTTPD_NAME,
                                        .path = s->logfile,
                                        .level = s->loglevel,
                                        .sync = s->log_fsync,
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
    int err = check_user(g->settings, errors);

    if (!err)
        err = open_logs(g, errors);
    if (!err)
        err = tls_make(g->settings, self_signed, &g->tls, errors);
    if (!err)
        err = trial_run(g, errors);
    return err ? err : collect_listens(g);
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
                             .wanted_count = g->wanted_count,
                             .workers = (int)s->worker_processes,
                             .lanes = (uint64_t)s->worker_processes * s->worker_threads,
                             .drain_ms = s->drain_ms,
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
                                       .main = &settings->main,
                                       .title = title,
                                       .port_option = "-p",
                                       .reloads = settings->conf_path ||
                                                  hlogfile_is_path(settings->logfile) ||
                                                  hlogfile_is_path(settings->access_log),
                                       .load = load,
                                       .where = where,
                                       .announce = announce,
                                       .discard = discard,
                                       .work = worker_main,
                                       .ended = on_ended,
                                       .userdata = &master};
    hbytes_t errors = {0};
    int err = check_user(settings, &errors), status = 1;

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
