/* The transfers are made one by one, as the URLs of the operations are walked through, whenever
 * there is room for one more: all that is in memory are those that run. */
#include "operate.h"

#include "app/hstart.h"
#include "base/hmem.h"
#include "base/htime.h"
#include "event/hsignal.h"
#include "event/htimer.h"
#include "status.h"
#include "transfer.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SIGNALS 3
#define READ_SIZE ((size_t)128 * 1024) /* a tenth less CPU for large bodies than with 64 KiB */

typedef struct active_s {
    hlist_t node;
    transfer_t *transfer;
} active_t;

typedef struct operate_s {
    const options_t *options;
    run_t run;
    /* Where the walk is. */
    size_t operation;
    bool open; /* iter belongs to that operation */
    url_iter_t iter;
    bool first;       /* no transfer of it was begun yet */
    uint64_t round;   /* --count */
    uint64_t numbers; /* of URLs in the operations before */
    bool ended;       /* nothing else is begun */
    bool has_next;    /* next is to be begun */
    url_target_t next;
    /* What runs. */
    hlist_t active;
    uint32_t running;
    uint64_t started_us; /* the last one */
    htimer_t *pause;     /* --rate */
    int status;
    int signo; /* that interrupted; 0: none */
    hsignal_t *signals[SIGNALS];
} operate_t;

static const operate_options_t *options_of(const operate_t *o)
{
    return &o->options->globals.operate;
}

static const report_options_t *report_of(const operate_t *o)
{
    return &o->options->globals.report;
}

/* ---- the exit status ------------------------------------------------------------------------- */

/* Those after which nothing else can go well. */
static bool is_fatal(int status)
{
    return status == STATUS_USAGE || status == STATUS_MEMORY || status == STATUS_OPTION ||
           status == STATUS_ARGUMENT;
}

static void abort_all(operate_t *o, const char *why)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &o->active)
        transfer_abort(HLIST_ENTRY(pos, active_t, node)->transfer, why);
}

/* A transfer ended: one after another the last one counts, at once the first one that failed. */
static void take_status(operate_t *o, int status)
{
    if (o->ended && o->status != 0)
        return;
    if (!options_of(o)->parallel || o->status == 0)
        o->status = status;
    if (is_fatal(status) || (status != 0 && options_of(o)->fail_early)) {
        o->ended = true;
        abort_all(o, "given up because another transfer failed");
    }
}

static int fail(operate_t *o, int status, const hbytes_t *why)
{
    report_error_lines(report_of(o), status, why->len > 0 ? why->data : status_words(status));
    o->status = status;
    o->ended = true;
    abort_all(o, "given up because another transfer cannot be made");
    return status;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static operation_t *operation_of(const operate_t *o)
{
    return &o->options->operations[o->operation];
}

static uint64_t rounds_of(const operate_t *o)
{
    const bench_options_t *bench = &o->options->globals.bench;
    uint64_t count = bench_wanted(bench) ? 1 : bench->count;

    return count > 0 ? count : 1;
}

/* An operation's turn comes. 0, or an exit status: it is over then. */
static int open_operation(operate_t *o)
{
    operation_t *operation = operation_of(o);
    int index = o->options->count > 1 ? (int)o->operation : -1, status;
    hbytes_t why = {0};

    status = o->round > 0 ? 0 : login_prepare(&operation->login, index, &why);
    if (o->round == 0) {
        retry_preset(&operation->retry);
        if (operation->url.urls < operation->url.count)
            report_warning(report_of(o), "Got more output options than URLs");
        if (operation->request.follow && operation->request.location)
            report_warning(report_of(o), "--follow overrides --location");
    }
    if (status)
        fail(o, status, &why);
    hbytes_deinit(&why);
    url_iter_init(&o->iter, &operation->url, body_query(&operation->body, &operation->url));
    o->open = o->first = true;
    return status;
}

static void close_operation(operate_t *o)
{
    url_iter_deinit(&o->iter);
    o->open = false;
}

static void next_operation(operate_t *o)
{
    close_operation(o);
    if (++o->round < rounds_of(o))
        return;
    o->round = 0;
    o->numbers += operation_of(o)->url.count;
    o->operation++;
}

/* The next URL of all: 1 and *target, 0: there are no more; below 0: it cannot be told. */
static int walk(operate_t *o, url_target_t *target)
{
    hbytes_t why = {0};
    int found = 0;

    while (found == 0 && o->operation < o->options->count) {
        if (!o->open && open_operation(o))
            return -1;
        found = url_next(&o->iter, target, &why);
        if (found == 0)
            next_operation(o);
    }
    if (found < 0)
        fail(o, -found, &why);
    hbytes_deinit(&why);
    return found;
}

/* ---- transfers ------------------------------------------------------------------------------- */

static void launch(operate_t *o);

static active_t *active_of(operate_t *o, const transfer_t *transfer)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &o->active)
        if (HLIST_ENTRY(pos, active_t, node)->transfer == transfer)
            return HLIST_ENTRY(pos, active_t, node);
    return NULL;
}

static void drop(active_t *active)
{
    hlist_remove(&active->node);
    transfer_free(active->transfer);
    hmem_free(active);
}

static void on_over(transfer_t *transfer, int status, void *arg)
{
    operate_t *o = arg;

    drop(active_of(o, transfer));
    o->running--;
    take_status(o, status);
    launch(o);
}

static active_t *make(operate_t *o, url_target_t *target)
{
    active_t *active = hmem_zalloc(sizeof(*active));

    if (active == NULL)
        return NULL;
    if (transfer_new(&o->run, operation_of(o), target, o->numbers + target->number, o->first,
                     &active->transfer)) {
        hmem_free(active);
        return NULL;
    }
    o->first = false;
    hlist_push_back(&o->active, &active->node);
    return active;
}

/* Whether there is another transfer: then it is in next. */
static bool find_next(operate_t *o)
{
    if (!o->has_next) {
        o->has_next = walk(o, &o->next) == 1;
        o->ended = !o->has_next;
    }
    return o->has_next;
}

static void begin_next(operate_t *o)
{
    active_t *active = make(o, &o->next);
    int status;

    url_target_deinit(&o->next);
    o->has_next = false;
    if (active == NULL) {
        fail(o, STATUS_MEMORY, &(hbytes_t){0});
        return;
    }
    o->started_us = htime_monotonic_us();
    switch (transfer_begin(active->transfer, &status)) {
    case TRANSFER_BEGUN:
        o->running++;
        return;
    case TRANSFER_BAD:
        o->ended = true;
        o->status = status;
        break;
    case TRANSFER_OVER:
        take_status(o, status);
        break;
    }
    drop(active);
}

static void on_pause_over(htimer_t *timer)
{
    operate_t *o = hevent_userdata(timer);

    o->pause = NULL;
    launch(o);
}

/* --rate: whether the next one has to wait, and then it does. */
static bool has_to_wait(operate_t *o)
{
    uint64_t passed_ms = (htime_monotonic_us() - o->started_us) / 1000,
             rate_ms = options_of(o)->rate_ms;

    if (o->pause != NULL)
        return true;
    if (o->started_us == 0 || options_of(o)->parallel || passed_ms >= rate_ms)
        return false;
    o->pause = htimer_add(o->run.loop, on_pause_over, (uint32_t)(rate_ms - passed_ms), 1);
    if (o->pause == NULL)
        return false;
    hevent_set_userdata(o->pause, o);
    return true;
}

/* Begins as many as there is room for; nothing left to do ends the loop. */
static void launch(operate_t *o)
{
    uint32_t room = options_of(o)->parallel ? options_of(o)->parallel_max : 1;

    while (!o->ended && o->running < room) {
        if (!find_next(o))
            break;
        if (has_to_wait(o))
            return;
        begin_next(o);
    }
    if (o->ended && o->running == 0)
        hloop_stop(o->run.loop);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* The first one lets files be closed and cookies be written; the next one ends the process. */
static void on_signal(hsignal_t *sig)
{
    operate_t *o = hevent_userdata(sig);

    o->signo = hsignal_signo(sig);
    o->ended = o->run.interrupted = true;
    for (size_t i = 0; i < SIGNALS; i++) {
        hsignal_del(o->signals[i]);
        o->signals[i] = NULL;
    }
    htimer_del(o->pause);
    o->pause = NULL;
    abort_all(o, NULL);
    launch(o);
}

static void watch_signals(operate_t *o)
{
    static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction before;

        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
            continue; /* nohup */
        o->signals[i] = hsignal_add(o->run.loop, on_signal, signals[i]);
        if (o->signals[i] != NULL)
            hevent_set_userdata(o->signals[i], o);
    }
}

static void unwatch_signals(operate_t *o)
{
    for (size_t i = 0; i < SIGNALS; i++)
        hsignal_del(o->signals[i]);
}

/* ---- the beginning and the end --------------------------------------------------------------- */

static int set_up(operate_t *o)
{
    const hloop_options_t loop = {.read_size = READ_SIZE};
    char why[HSTART_WHY_SIZE];

    o->run.loop = hstart_loop(&loop, why, sizeof(why));
    if (o->run.loop == NULL) {
        report_error(report_of(o), STATUS_USAGE, why);
        return STATUS_USAGE;
    }
    if (clients_new(o->run.loop, options_of(o)->parallel_max_host, &o->run.clients) ||
        store_new(&o->run.store) || outlet_new(o->run.loop, STDOUT_FILENO, &o->run.out) ||
        report_new(report_of(o), o->run.loop, o->run.out, options_of(o)->parallel,
                   &o->run.report)) {
        report_error(report_of(o), STATUS_MEMORY, status_words(STATUS_MEMORY));
        return STATUS_MEMORY;
    }
    return 0;
}

static void tear_down(operate_t *o)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &o->active)
        drop(HLIST_ENTRY(pos, active_t, node));
    url_target_deinit(&o->next);
    if (o->open)
        close_operation(o);
    unwatch_signals(o);
    htimer_del(o->pause);
    clients_free(o->run.clients);
    store_free(o->run.store);
    report_free(o->run.report);
    outlet_free(o->run.out);
    if (o->run.loop != NULL)
        hloop_free(&o->run.loop);
}

/* ---- requests of another kind ---------------------------------------------------------------- */

static void on_split_warning(const char *text, void *arg)
{
    const operate_t *o = arg;

    report_warning(report_of(o), "%s", text);
}

static int split_one(operate_t *o, const operation_t *operation, const transfer_plan_t *plan,
                     split_result_t *result, hbytes_t *error)
{
    const split_job_t job = {
        .loop = o->run.loop,
        .client = plan->client,
        .transfer = plan->options,
        .path = plan->file,
        .parts = o->options->globals.split.parts,
        .retry = &operation->retry,
        .report = report_traces(report_of(o)) ? o->run.report : NULL,
        .checksum = operation->output.checksum,
        .file_mode = operation->output.file_mode,
        .remote_time = operation->output.remote_time,
        .progress = !report_of(o)->silent && report_of(o)->progress_meter,
        .on_warning = on_split_warning,
        .arg = o,
    };

    if (plan->file == NULL) {
        hbytes_append_str(error, "--split needs a file to write to: -o or -O");
        return STATUS_USAGE;
    }
    if (operation->output.include || operation->output.dump_header != NULL) {
        hbytes_append_str(error, "--split has many heads: -i and -D do not go with it");
        return STATUS_USAGE;
    }
    return split_run(&job, result, error);
}

static int bench_one(operate_t *o, const transfer_plan_t *plan, hbytes_t *error)
{
    const bench_job_t job = {
        .loop = o->run.loop,
        .client = plan->client,
        .connect = plan->connect,
        .transfer = plan->options,
        .out = STDOUT_FILENO,
        .progress = !report_of(o)->silent && report_of(o)->progress_meter,
    };

    return bench_run(&o->options->globals.bench, &job, error);
}

/* What --bench and --split make of a URL: they run the loop themselves. */
static int run_one(operate_t *o, const operation_t *operation, transfer_t *transfer)
{
    transfer_plan_t plan;
    split_result_t result = {0};
    hbytes_t error = {0};
    bool bench = bench_wanted(&o->options->globals.bench);
    int status = transfer_plan(transfer, &plan);

    if (status)
        return status;
    if (bench)
        status = bench_one(o, &plan, &error);
    else
        status = split_one(o, operation, &plan, &result, &error);
    o->signo = result.signo;
    o->ended = o->ended || result.signo != 0;
    transfer_conclude(transfer, status, error.len > 0 ? error.data : NULL,
                      bench || status != 0 ? NULL : &result.info);
    hbytes_deinit(&error);
    return status;
}

static void run_alone(operate_t *o)
{
    url_target_t target = {0};
    bool bench = bench_wanted(&o->options->globals.bench);

    if (bench && o->options->globals.split.parts > 0)
        report_warning(report_of(o), "--bench takes no notice of --split");
    while (!o->ended && walk(o, &target) == 1) {
        active_t *active = make(o, &target);

        url_target_deinit(&target);
        if (active == NULL) {
            fail(o, STATUS_MEMORY, &(hbytes_t){0});
            return;
        }
        take_status(o, run_one(o, operation_of(o), active->transfer));
        drop(active);
        if (bench)
            break;
    }
    if (bench && !o->ended && walk(o, &target) == 1)
        report_warning(report_of(o), "Only the first URL was measured");
    url_target_deinit(&target);
}

/* ---- all together ---------------------------------------------------------------------------- */

static void run(operate_t *o)
{
    int err;

    if (bench_wanted(&o->options->globals.bench) || o->options->globals.split.parts > 0) {
        run_alone(o);
    } else {
        watch_signals(o);
        launch(o);
        hloop_run(o->run.loop);
    }
    err = o->run.interrupted ? 0 : outlet_flush(o->run.out);
    if (err && o->status == 0) {
        o->status = STATUS_WRITE;
        report_error(report_of(o), STATUS_WRITE, herr_str(err));
    }
}

int operate(const options_t *options)
{
    operate_t o = {.options = options, .run = {.globals = &options->globals, .on_over = on_over}};

    o.run.arg = &o;
    hlist_init(&o.active);
    o.status = set_up(&o);
    if (o.status == 0)
        run(&o);
    tear_down(&o);
    if (o.signo != 0) {
        signal(o.signo, SIG_DFL);
        raise(o.signo);
    }
    return o.status;
}
