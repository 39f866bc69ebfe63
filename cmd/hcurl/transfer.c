/* The tries of a transfer, from the first to the last. */
#include "base/hmem.h"
#include "base/htime.h"
#include "net/htls.h"
#include "status.h"
#include "transfer_int.h"
#include "version.h"

#include <string.h>
#include <unistd.h>

#define VERIFY_UNSPECIFIED 1 /* X509_V_ERR_UNSPECIFIED: the certificate was refused */
#define DATE_NOW() ((int64_t)(htime_real_ns() / HTIME_NS_PER_S))

/* ---- the end --------------------------------------------------------------------------------- */

static void set_error(transfer_t *t, const char *text)
{
    hbytes_clear(&t->error);
    hbytes_append_str(&t->error, text);
}

/* Says what t->error holds, or else what the status means. */
static void tell(transfer_t *t, int status)
{
    if (status == 0)
        return;
    if (t->error.len == 0)
        set_error(t, status_words(status));
    report_break(t->run->report);
    if (!t->run->interrupted)
        report_error(&transfer__globals(t)->report, status, t->error.data);
}

static void write_out(transfer_t *t, int status, const http_transfer_info_t *info)
{
    const writeout_options_t *options = &t->operation->writeout;
    writeout_facts_t facts = {
        .info = info,
        .headers = t->output == NULL ? NULL : output_headers(t->output),
        .url = t->target.text,
        .url_number = t->number,
        .filename = t->output == NULL ? NULL : output_filename(t->output),
        .written = t->output == NULL ? 0 : output_written(t->output),
        .status = status,
        .error = status == 0 ? NULL : t->error.data,
        .retries = t->retry.done,
        .certs = t->certs.data,
        .cert_count = t->cert_count,
        .verify_result = status == STATUS_CERTIFICATE ? VERIFY_UNSPECIFIED : t->verify_result,
        .version = version_line,
    };

    if (options->format != NULL && !t->run->interrupted)
        writeout(options->format, &facts, t->run->out);
}

static void save_store(transfer_t *t)
{
    hbytes_t warnings = {0};

    store_save(t->run->store, &t->operation->store, t->run->out, &warnings);
    transfer__warn_lines(t, &warnings);
    hbytes_deinit(&warnings);
}

/* The last try is over, or none was begun. The status in the end. */
static int finish(transfer_t *t, int status, const http_transfer_info_t *info)
{
    hbytes_t why = {0};
    int end = status;

    if (t->output != NULL && info != NULL)
        end = output_finish(t->output, status, info, &why);
    if (end != status) {
        set_error(t, why.len > 0 ? why.data : status_words(end));
        tell(t, end);
    }
    hbytes_deinit(&why);
    write_out(t, end, info);
    save_store(t);
    return end;
}

/* ---- another try ----------------------------------------------------------------------------- */

static int64_t wish_of_server(const transfer_t *t)
{
    header_t header;
    size_t index = 0;

    if (!headers_find(output_headers(t->output), "Retry-After", false, &index, &header))
        return -1;
    return retry_after_parse(http_span(header.value), DATE_NOW());
}

/* What came is kept or thrown away, the body goes back to its start. 0, or an exit status. */
static int prepare_again(transfer_t *t, const http_transfer_info_t *info)
{
    int64_t before = output_resume_from(t->output);
    hbytes_t why = {0};
    int status = output_again(t->output, info, &why);

    if (status == 0 && t->body.source != NULL && http_source_rewind(t->body.source))
        status = STATUS_REWIND;
    if (status)
        set_error(t, why.len > 0 ? why.data : status_words(status));
    hbytes_deinit(&why);
    t->went_on = output_resume_from(t->output) > before;
    return status;
}

static void on_timer(htimer_t *timer);

/* The server does not go on where an earlier try broke off: then from the start, at once, and that
 * is no try of those that are counted. */
static bool went_wrong(const transfer_t *t, int status)
{
    return t->went_on && status == STATUS_RANGE;
}

/* Whether another try follows; the error of one that does is the reason that is told for it. An
 * error line is the last one's. May change the status. */
static bool try_again(transfer_t *t, int *status, const http_transfer_info_t *info)
{
    const retry_end_t end = {.status = *status,
                             .error = t->error.data,
                             .http_status = info->status,
                             .refused = info->error == -ECONNREFUSED,
                             .retry_after_s = wish_of_server(t),
                             .final = t->run->interrupted || *status == STATUS_CANCELLED ||
                                      (*status == STATUS_WRITE && t->operation->retry.robust)};
    hbytes_t text = {0};
    uint32_t delay_ms = 0;
    bool again = went_wrong(t, *status) ||
                 retry_again(&t->retry, &end, htime_monotonic_us(), &delay_ms, &text);

    if (!again)
        tell(t, *status);
    if (text.len > 0) {
        report_break(t->run->report);
        report_warning(&transfer__globals(t)->report, "%s", text.data);
    }
    hbytes_deinit(&text);
    if (!again)
        return false;
    *status = prepare_again(t, info);
    if (*status == 0) {
        t->timer = htimer_add(t->run->loop, on_timer, delay_ms > 0 ? delay_ms : 1, 1);
        if (t->timer != NULL) {
            hevent_set_userdata(t->timer, t);
            return true;
        }
        *status = STATUS_MEMORY;
    }
    tell(t, *status);
    return false;
}

/* ---- a try ----------------------------------------------------------------------------------- */

/* While the connection is there. */
static void keep_tls(transfer_t *t, http_hop_e kind)
{
    const char *format = t->operation->writeout.format;
    const hio_t *io = http_transfer_io(t->hop);

    if (kind != HTTP_HOP_FINAL || format == NULL || !writeout_wants_tls(format))
        return;
    hbytes_clear(&t->certs);
    t->cert_count = writeout_certs(io, &t->certs);
    t->verify_result = io ? htls_verify_result(io) : 0;
}

static void on_head(http_transfer_t *hop, http_hop_e kind, const http_exchange_response_t *response,
                    void *userdata)
{
    transfer_t *t = userdata;

    keep_tls(t, kind);

    if (output_head(t->output, hop, kind, response))
        http_transfer_abort(hop, HTTP_FAULT_WRITE, output_error(t->output));
}

static int on_body(http_transfer_t *hop, http_span_t data, void *userdata)
{
    transfer_t *t = userdata;

    return output_body(t->output, hop, data);
}

static void on_trailers(http_transfer_t *hop, const http_field_t *fields, size_t count,
                        void *userdata)
{
    transfer_t *t = userdata;

    if (output_trailers(t->output, fields, count))
        http_transfer_abort(hop, HTTP_FAULT_WRITE, output_error(t->output));
}

static void on_trace(http_transfer_t *hop, http_trace_e kind, http_span_t data, void *userdata)
{
    transfer_t *t = userdata;

    report_trace(t->report, hop, kind, data);
}

static void on_close(http_transfer_t *hop, http_fault_e fault, void *userdata)
{
    transfer_t *t = userdata;
    http_transfer_info_t info;
    int status = status_of_fault(fault), judged;
    hbytes_t why = {0};

    http_transfer_info(hop, &info);
    report_end(t->report);
    t->report = NULL;
    t->hop = NULL;
    set_error(t, http_transfer_error(hop));
    if (fault == HTTP_FAULT_WRITE && output_error(t->output)[0] != '\0')
        set_error(t, output_error(t->output));
    judged = output_judge(t->output, status, info.status, &why);
    if (judged != status)
        set_error(t, why.len > 0 ? why.data : status_words(judged));
    hbytes_deinit(&why);
    if (try_again(t, &judged, &info))
        return;
    judged = finish(t, judged, &info);
    t->run->on_over(t, judged, t->run->arg);
}

/* 0; or an exit status and t->error. */
static int start(transfer_t *t)
{
    static const http_transfer_callbacks_t plain = {on_head, on_body, on_trailers, NULL, on_close};
    static const http_transfer_callbacks_t traced = {on_head, on_body, on_trailers, on_trace,
                                                     on_close};
    const report_options_t *report = &transfer__globals(t)->report;
    report_begin_t how = {.resumed = output_resume_from(t->output),
                          .to_terminal = output_is_terminal(t->output),
                          .again = t->retry.done > 0};
    int status = transfer__fill(t, &t->error), err;

    if (status)
        return status;
    t->report = report_begin(t->run->report, &how);
    err = http_transfer_start(t->client, &t->options, report_traces(report) ? &traced : &plain, t,
                              &t->hop);
    if (err) {
        report_end(t->report);
        t->report = NULL;
        if (err != -ENOMEM)
            set_error(t, herr_str(err));
        return err == -ENOMEM ? STATUS_MEMORY : STATUS_ARGUMENT;
    }
    report_follow(t->report, t->hop);
    return 0;
}

static void on_timer(htimer_t *timer)
{
    transfer_t *t = hevent_userdata(timer);
    int status;

    t->timer = NULL;
    hbytes_clear(&t->error);
    status = start(t);
    if (status == 0)
        return;
    tell(t, status);
    t->run->on_over(t, finish(t, status, NULL), t->run->arg);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static int open_output(transfer_t *t)
{
    const operation_t *operation = t->operation;
    const request_options_t *request = &operation->request;
    const output_setup_t setup = {
        .url = t->target.text,
        .name = t->target.output,
        .to_stdout = t->target.to_stdout,
        .remote_name = t->target.remote_name,
        .discard = t->target.out_null,
        .show_heads = request->head,
        .no_connect_heads = operation->connect.no_connect_heads,
        .robust = operation->retry.robust,
        .use_resume = request->resume,
        .resume_from = request->resume_from_file ? OUTPUT_RESUME_FILE : request->resume_from,
        .upload = t->target.upload != NULL,
        .first = t->first,
        .out = t->run->out,
        .report = &transfer__globals(t)->report,
    };

    return output_new(&operation->output, &setup, &t->output, &t->error);
}

/* All that stands in front of the first try. 0, or an exit status and t->error. */
static int set_up(transfer_t *t)
{
    const operation_t *operation = t->operation;
    const body_plan_t plan = {&operation->body, &operation->url, &operation->request, &t->target};
    int status = open_output(t);

    if (status == 0)
        status = clients_get(t->run->clients, operation, &t->client, &t->connect, &t->error);
    if (status == 0)
        status = body_open(&plan, t->run->loop, &t->body, &t->error);
    return status;
}

/* --skip-existing. */
static bool is_there(const transfer_t *t)
{
    const char *file = output_filename(t->output);

    if (!t->operation->retry.skip_existing || file == NULL || access(file, F_OK) != 0)
        return false;
    report_note(&transfer__globals(t)->report, "skips transfer, \"%s\" exists locally", file);
    return true;
}

int transfer_new(run_t *run, const operation_t *operation, url_target_t *target, uint64_t number,
                 bool first, transfer_t **transfer)
{
    transfer_t *t = hmem_zalloc(sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->run = run;
    t->operation = operation;
    t->target = *target;
    t->number = number;
    t->first = first;
    retry_init(&t->retry, &operation->retry, htime_monotonic_us());
    memset(target, 0, sizeof(*target));
    *transfer = t;
    return 0;
}

/* Whether what could not be set up is no matter of the other transfers. */
static bool ends_alone(int status)
{
    return status == STATUS_INTERFACE || status == STATUS_OPTION_SYNTAX ||
           status == STATUS_RESOLVE_PROXY;
}

transfer_begin_e transfer_begin(transfer_t *transfer, int *status)
{
    *status = transfer->target.status;
    if (*status) {
        hbytes_append(&transfer->error, transfer->target.why.data, transfer->target.why.len);
        tell(transfer, *status);
        *status = finish(transfer, *status, NULL);
        return TRANSFER_OVER;
    }
    *status = set_up(transfer);
    if (*status == 0 && is_there(transfer)) {
        write_out(transfer, 0, NULL);
        return TRANSFER_OVER;
    }
    if (*status == 0) {
        transfer__check_method(transfer);
        *status = start(transfer);
    }
    if (*status == 0)
        return TRANSFER_BEGUN;
    tell(transfer, *status);
    /* --etag-save that cannot be: only this one is not made. */
    if (transfer->output == NULL && *status == STATUS_READ)
        return TRANSFER_OVER;
    if (*status != STATUS_USAGE)
        write_out(transfer, *status, NULL);
    return ends_alone(*status) ? TRANSFER_OVER : TRANSFER_BAD;
}

int transfer_plan(transfer_t *transfer, transfer_plan_t *plan)
{
    int status = transfer->target.status;

    if (status)
        hbytes_append(&transfer->error, transfer->target.why.data, transfer->target.why.len);
    else
        status = set_up(transfer);
    if (status == 0)
        status = transfer__fill(transfer, &transfer->error);
    tell(transfer, status);
    *plan = (transfer_plan_t){
        .options = &transfer->options, .connect = transfer->connect, .client = transfer->client};
    if (status == 0)
        plan->file = output_filename(transfer->output);
    return status;
}

void transfer_conclude(transfer_t *transfer, int status, const char *error,
                       const http_transfer_info_t *info)
{
    set_error(transfer, error != NULL ? error : "");
    tell(transfer, status);
    if (status != 0 || info != NULL)
        write_out(transfer, status, info);
    save_store(transfer);
}

static void on_abort(htimer_t *timer)
{
    transfer_t *t = hevent_userdata(timer);

    t->timer = NULL;
    tell(t, STATUS_CANCELLED);
    t->run->on_over(t, finish(t, STATUS_CANCELLED, NULL), t->run->arg);
}

void transfer_abort(transfer_t *transfer, const char *why)
{
    transfer_t *t = transfer;

    if (t->hop != NULL) {
        http_transfer_abort(t->hop, HTTP_FAULT_CANCELLED, why);
        return;
    }
    if (t->timer == NULL) /* over */
        return;
    htimer_del(t->timer);
    set_error(t, why != NULL ? why : status_words(STATUS_CANCELLED));
    t->timer = htimer_add(t->run->loop, on_abort, 1, 1);
    if (t->timer != NULL)
        hevent_set_userdata(t->timer, t);
}

void transfer_free(transfer_t *transfer)
{
    if (transfer == NULL)
        return;
    htimer_del(transfer->timer);
    output_free(transfer->output);
    body_close(&transfer->body);
    url_target_deinit(&transfer->target);
    hmem_free(transfer->fields);
    hbytes_deinit(&transfer->error);
    hbytes_deinit(&transfer->certs);
    hmem_free(transfer);
}
