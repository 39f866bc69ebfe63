/* The threads of the load run. */
#include "load_int.h"

#include "base/hmem.h"

#include <string.h>

#define SWEEP_MS 50 /* how exact the time limit of a request is, and a rest after a failed dial */

void load__worker_ended(load_worker_t *worker)
{
    load_t *load = worker->load;

    worker->result.duration_us = (htime_monotonic_ns() - worker->begun_ns) / LOAD_NS_PER_US;
    htimer_del(worker->sweep);
    htimer_del(worker->deadline);
    worker->sweep = worker->deadline = NULL;
    hloop_stop(worker->loop);
    if (__atomic_sub_fetch(&load->running, 1, __ATOMIC_ACQ_REL) > 0 || !load->loop)
        return;
    if (hloop_post_event(load->loop, &load->done) < 0)
        hloop_stop(load->loop);
}

static void stop(load_worker_t *worker)
{
    worker->stopping = true;
    for (uint32_t i = 0; i < worker->conn_count; i++)
        load_conn__end(&worker->conns[i]);
}

/* Who rests goes on, who waits too long has failed. */
static void on_sweep(htimer_t *timer)
{
    load_worker_t *worker = hevent_userdata(timer);
    uint64_t now_ns = htime_monotonic_ns();
    uint64_t limit_ns = (uint64_t)worker->load->options.timeout_ms * HTIME_NS_PER_MS;

    __atomic_store_n(&worker->told, worker->result.responses, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < worker->conn_count && worker->active > 0; i++) {
        load_conn_t *conn = &worker->conns[i];

        if (conn->state == LOAD_RESTS)
            load_conn__next(conn, now_ns);
        else if (conn->state == LOAD_WAITS && now_ns - conn->begun_ns > limit_ns)
            load_conn__limit(conn);
    }
}

static void on_deadline(htimer_t *timer)
{
    load_worker_t *worker = hevent_userdata(timer);

    worker->deadline = NULL;
    stop(worker);
}

static int start_worker(hloop_t *loop, unsigned index, void *userdata)
{
    load_t *load = userdata;
    load_worker_t *worker = &load->workers[index];

    worker->loop = loop;
    worker->begun_ns = htime_monotonic_ns();
    worker->sweep = htimer_add(loop, on_sweep, SWEEP_MS, INFINITE);
    if (!worker->sweep)
        return -ENOMEM;
    hevent_set_userdata(worker->sweep, worker);
    if (load->options.duration_ms > 0) {
        worker->deadline = htimer_add(loop, on_deadline, load->options.duration_ms, 1);
        if (!worker->deadline)
            return -ENOMEM;
        hevent_set_userdata(worker->deadline, worker);
    }
    for (uint32_t i = 0; i < worker->conn_count; i++)
        load_conn__next(&worker->conns[i], worker->begun_ns);
    return 0;
}

/* ---- public ---------------------------------------------------------------------------------- */

/* Part `index` of `total` things for `parts` owners. */
static uint64_t share(uint64_t total, unsigned parts, unsigned index)
{
    return total / parts + (index < total % parts);
}

static int make_worker(load_t *load, unsigned index)
{
    const load_options_t *options = &load->options;
    load_worker_t *worker = &load->workers[index];

    worker->load = load;
    worker->conn_count = (uint32_t)share(options->concurrency, load->threads, index);
    worker->active = worker->conn_count;
    worker->left = options->count > 0 ? share(options->count, load->threads, index) : UINT64_MAX;
    worker->conns = hmem_array(worker->conn_count, sizeof(*worker->conns));
    worker->fields = hmem_array(LOAD_FIELDS_MAX, sizeof(*worker->fields));
    if (!worker->conns || !worker->fields)
        return -ENOMEM;
    for (uint32_t i = 0; i < worker->conn_count; i++) {
        worker->conns[i].worker = worker;
        worker->conns[i].state = LOAD_RESTS;
    }
    http1_message_init(&worker->message, worker->fields, LOAD_FIELDS_MAX);
    return 0;
}

static int make_workers(load_t *load)
{
    hloop_pool_options_t pool = {
        .threads = load->threads,
        .name = "load",
        .on_start = start_worker,
        .userdata = load,
    };
    int err = 0;

    load->workers = hmem_array(load->threads, sizeof(*load->workers));
    if (!load->workers)
        return -ENOMEM;
    for (unsigned i = 0; i < load->threads && err == 0; i++)
        err = make_worker(load, i);
    if (err < 0)
        return err;
    load->pool = hloop_pool_new(&pool);
    return load->pool ? 0 : -errno;
}

int load_new(const load_options_t *options, load_t **load)
{
    unsigned threads =
        options->threads < options->concurrency ? options->threads : options->concurrency;
    load_t *l;
    int err;

    if (threads == 0 || options->request.len == 0 || options->timeout_ms == 0)
        return -EINVAL;
    l = hmem_zalloc(sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->options = *options;
    l->threads = l->running = threads;
    err = make_workers(l);
    if (err < 0) {
        load_free(l);
        return err;
    }
    *load = l;
    return 0;
}

int load_start(load_t *load, hloop_t *loop, hevent_cb done, void *userdata)
{
    load->loop = loop;
    load->done = (hevent_t){.event_type = HEVENT_TYPE_CUSTOM, .cb = done, .userdata = userdata};
    return hloop_pool_start(load->pool);
}

static void on_stop(hevent_t *ev)
{
    stop(hevent_userdata(ev));
}

void load_stop(load_t *load)
{
    for (unsigned i = 0; i < load->threads; i++) {
        hevent_t ev = {.event_type = HEVENT_TYPE_CUSTOM, .cb = on_stop};

        ev.userdata = &load->workers[i];
        hloop_post_event(hloop_pool_loop(load->pool, i), &ev);
    }
}

uint64_t load_responses(const load_t *load)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < load->threads; i++)
        sum += __atomic_load_n(&load->workers[i].told, __ATOMIC_RELAXED);
    return sum;
}

static void add_up(load_result_t *to, const load_result_t *from)
{
    if (from->responses > 0) {
        if (to->responses == 0 || from->body_min < to->body_min)
            to->body_min = from->body_min;
        if (from->body_max > to->body_max)
            to->body_max = from->body_max;
    }
    if (from->duration_us > to->duration_us)
        to->duration_us = from->duration_us;
    to->responses += from->responses;
    to->connects += from->connects;
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    for (size_t i = 0; i < sizeof(to->statuses) / sizeof(*to->statuses); i++)
        to->statuses[i] += from->statuses[i];
    for (int i = 0; i < LOAD_FAULT_COUNT; i++)
        to->faults[i] += from->faults[i];
    hhistogram_merge(&to->latency, &from->latency);
    hhistogram_merge(&to->connect, &from->connect);
}

const load_result_t *load_result(load_t *load)
{
    hloop_pool_stop(load->pool);
    hloop_pool_join(load->pool);
    for (unsigned i = 1; i < load->threads; i++) {
        add_up(&load->workers[0].result, &load->workers[i].result);
        memset(&load->workers[i].result, 0, sizeof(load->workers[i].result));
    }
    return &load->workers[0].result;
}

void load_free(load_t *load)
{
    unsigned threads = load && load->pool ? load->threads : 0;

    if (!load)
        return;
    if (threads > 0) {
        hloop_pool_stop(load->pool);
        hloop_pool_join(load->pool);
    }
    load->loop = NULL;
    for (unsigned i = 0; i < threads; i++) /* while their loops are there */
        stop(&load->workers[i]);
    hloop_pool_free(&load->pool);
    for (unsigned i = 0; load->workers && i < load->threads; i++) {
        hmem_free(load->workers[i].conns);
        hmem_free(load->workers[i].fields);
    }
    hmem_free(load->workers);
    hmem_free(load);
}
