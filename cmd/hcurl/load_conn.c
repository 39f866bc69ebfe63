/* A connection of the load run: dials, sends, parses, counts; from its callbacks alone. */
#include "load_int.h"

#define COPIED_MAX ((size_t)16 * 1024) /* longer requests are sent from where they lie */
#define QUEUE_LOW ((size_t)256 * 1024)
#define QUEUE_HIGH ((size_t)1024 * 1024)
#define INTERIM_MAX 100 /* 1xx before a response */

/* ---- ends ------------------------------------------------------------------------------------ */

static void close_io(load_conn_t *conn, bool at_once)
{
    hio_t *io = conn->io;

    if (!io)
        return;
    conn->io = NULL;
    hio_setcb_read(io, NULL);
    hio_setcb_close(io, NULL);
    hio_setcb_eof(io, NULL);
    http1_deinit(&conn->parser);
    if (at_once)
        hio_abort(io, -ECANCELED);
    else
        hio_close(io);
}

void load_conn__end(load_conn_t *conn)
{
    if (conn->state == LOAD_ENDED)
        return;
    conn->state = LOAD_ENDED;
    hdial_cancel(conn->dial);
    conn->dial = NULL;
    close_io(conn, conn->begun || conn->worker->stopping);
    if (--conn->worker->active == 0)
        load__worker_ended(conn->worker);
}

/* ---- what came of a request ------------------------------------------------------------------ */

static void count_response(load_conn_t *conn, uint64_t now_ns)
{
    load_result_t *result = &conn->worker->result;

    if (result->responses == 0 || conn->body_len < result->body_min)
        result->body_min = conn->body_len;
    if (conn->body_len > result->body_max)
        result->body_max = conn->body_len;
    result->responses++;
    hhistogram_add(&result->latency, (now_ns - conn->begun_ns) / LOAD_NS_PER_US);
    conn->worker->failures = 0;
}

static void fail(load_conn_t *conn, load_fault_e fault)
{
    load_worker_t *worker = conn->worker;

    worker->result.faults[fault]++;
    close_io(conn, true);
    if (++worker->failures >= LOAD_FAILURES_MAX)
        worker->left = 0;
    if (fault == LOAD_FAULT_CONNECT || fault == LOAD_FAULT_TLS || fault == LOAD_FAULT_OTHER)
        conn->state = LOAD_RESTS;
    else
        load_conn__next(conn, htime_monotonic_ns());
}

static load_fault_e fault_of(const load_conn_t *conn, int err)
{
    if (err == -ETIMEDOUT)
        return LOAD_FAULT_TIMEOUT;
    if (err == -ECONNRESET || err == -EPIPE)
        return LOAD_FAULT_RESET;
    if (err == HERR_TLS || err == HERR_CERTIFICATE)
        return LOAD_FAULT_TLS;
    if (err != 0 && err != HERR_TRUNCATED && err != HERR_CLOSED)
        return LOAD_FAULT_OTHER;
    return conn->begun ? LOAD_FAULT_PARTIAL : LOAD_FAULT_EMPTY;
}

/* ---- the connection -------------------------------------------------------------------------- */

static void send_request(load_conn_t *conn, uint64_t now_ns)
{
    load_worker_t *worker = conn->worker;
    http_span_t request = worker->load->options.request;
    int n;

    conn->state = LOAD_WAITS;
    conn->begun = conn->has_head = conn->limited = false;
    conn->interims = 0;
    conn->body_len = 0;
    conn->begun_ns = now_ns;
    http1_answer_to(&conn->parser, worker->load->options.method);
    if (request.len <= COPIED_MAX)
        n = hio_write(conn->io, request.data, request.len);
    else
        n = hio_write_nocopy(conn->io, request.data, request.len, NULL, NULL);
    if (n < 0)
        hio_abort(conn->io, n);
    else
        worker->result.bytes_out += request.len;
}

static void dial(load_conn_t *conn, uint64_t now_ns);

/* The next request, or the end. */
void load_conn__next(load_conn_t *conn, uint64_t now_ns)
{
    load_worker_t *worker = conn->worker;

    if (worker->stopping || worker->left == 0) {
        load_conn__end(conn);
        return;
    }
    worker->left--;
    if (conn->io)
        send_request(conn, now_ns);
    else
        dial(conn, now_ns);
}

/* A connection that the server closed before it saw the request (RFC 9112 section 9.3.1): no fault
 * of anybody. */
static bool was_stale(const load_conn_t *conn, int err)
{
    return conn->used && !conn->begun && !conn->limited &&
           (err == 0 || err == HERR_TRUNCATED || err == -ECONNRESET || err == -EPIPE);
}

static void lost(load_conn_t *conn, int err)
{
    bool stale = was_stale(conn, err);

    close_io(conn, true);
    if (stale)
        dial(conn, htime_monotonic_ns());
    else
        fail(conn, conn->limited ? LOAD_FAULT_TIMEOUT : fault_of(conn, err));
}

static void on_close(hio_t *io)
{
    load_conn_t *conn = hevent_userdata(io);

    lost(conn, hio_error(io));
}

/* ---- responses ------------------------------------------------------------------------------- */

static bool take_head(load_conn_t *conn, const http1_message_t *m)
{
    if (m->status / 100 == 1 && m->status != 101)
        return ++conn->interims < INTERIM_MAX;
    conn->has_head = true;
    conn->last = !m->keep_alive || m->status == 101;
    conn->worker->result.statuses[m->status]++;
    return true;
}

/* The response is whole. What is behind it nobody has asked for: such a connection is not used. */
static void take_end(load_conn_t *conn, http_span_t rest)
{
    uint64_t now_ns = htime_monotonic_ns();

    count_response(conn, now_ns);
    conn->used = true;
    conn->begun = false;
    if (conn->last || rest.len > 0)
        close_io(conn, false);
    load_conn__next(conn, now_ns);
}

/* One event of the parser; false: there is no more to be done. */
static bool handle(load_conn_t *conn, int event, http_span_t rest)
{
    switch (event) {
    case HTTP1_HEAD:
        if (take_head(conn, &conn->worker->message))
            return true;
        fail(conn, LOAD_FAULT_REPLY);
        return false;
    case HTTP1_BODY:
        conn->body_len += conn->worker->message.body.len;
        return true;
    case HTTP1_END:
        if (!conn->has_head) /* of a 1xx */
            return true;
        take_end(conn, rest);
        return false;
    case HTTP1_TRAILERS:
        return true;
    case HTTP1_MORE:
        return false;
    case HTTP1_DONE: /* behind a 101 */
        take_end(conn, rest);
        return false;
    default:
        fail(conn, event == -ENOMEM ? LOAD_FAULT_OTHER : LOAD_FAULT_REPLY);
        return false;
    }
}

static void parse(load_conn_t *conn, http_span_t rest)
{
    http1_message_t *message = &conn->worker->message;

    int event;

    do
        event = http1_parse(&conn->parser, &rest, message);
    while (handle(conn, event, rest));
}

static void on_read(hio_t *io, void *buf, int len)
{
    load_conn_t *conn = hevent_userdata(io);

    conn->worker->result.bytes_in += (uint64_t)len;
    conn->begun = true;
    parse(conn, (http_span_t){buf, (size_t)len});
}

static void on_eof(hio_t *io)
{
    load_conn_t *conn = hevent_userdata(io);
    int err = hio_error(io);

    if (err == 0 && conn->begun && http1_eof(&conn->parser) == 0) {
        conn->last = true;
        parse(conn, (http_span_t){"", 0});
    }
    if (conn->io == io) /* that was not the end */
        lost(conn, err);
}

/* ---- making connections ---------------------------------------------------------------------- */

static int take_io(load_conn_t *conn, hio_t *io)
{
    size_t len = conn->worker->load->options.request.len;
    int err = hio_setcb_eof(io, on_eof);

    if (err == 0 && len > COPIED_MAX)
        err = hio_set_watermarks(io, QUEUE_LOW, QUEUE_HIGH, len + QUEUE_HIGH);
    conn->io = io;
    http1_init(&conn->parser, HTTP1_RESPONSES, NULL);
    if (err < 0)
        return err;
    conn->used = conn->last = false;
    hevent_set_userdata(io, conn);
    hio_setcb_read(io, on_read);
    hio_setcb_close(io, on_close);
    return hio_read(io);
}

static load_fault_e fault_of_dial(const hdial_t *dial, int err)
{
    if (err == -ENOMEM || err == -EMFILE || err == -ENFILE)
        return LOAD_FAULT_OTHER;
    if (err == -ETIMEDOUT)
        return LOAD_FAULT_TIMEOUT;
    return hdial_step(dial) == HDIAL_STEP_TLS ? LOAD_FAULT_TLS : LOAD_FAULT_CONNECT;
}

static void on_dialled(hdial_t *dial, hio_t *io, int err, void *arg)
{
    load_conn_t *conn = arg;
    load_worker_t *worker = conn->worker;
    uint64_t now_ns = htime_monotonic_ns();

    conn->dial = NULL;
    if (!io) {
        fail(conn, fault_of_dial(dial, err));
        return;
    }
    worker->result.connects++;
    hhistogram_add(&worker->result.connect, (now_ns - conn->begun_ns) / LOAD_NS_PER_US);
    err = take_io(conn, io);
    if (err == 0)
        send_request(conn, now_ns);
    else
        fail(conn, LOAD_FAULT_OTHER);
}

static void dial(load_conn_t *conn, uint64_t now_ns)
{
    load_worker_t *worker = conn->worker;
    const load_options_t *options = &worker->load->options;

    conn->state = LOAD_DIALS;
    conn->begun = conn->limited = false;
    conn->begun_ns = now_ns;
    if (hdial_start(worker->loop, &options->to, &options->dial, on_dialled, conn, &conn->dial) < 0)
        fail(conn, LOAD_FAULT_OTHER);
}

void load_conn__limit(load_conn_t *conn)
{
    if (conn->limited)
        return;
    conn->limited = true;
    hio_abort(conn->io, -ETIMEDOUT);
}
