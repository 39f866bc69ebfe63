/* What a request is made of. */
#include "base/hmem.h"
#include "status.h"
#include "transfer_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MORE_FIELDS (BODY_FIELDS_MAX + 2)

/* -C - of an upload: which part of the file it is; all of it, as nobody knows what is there. */
static void describe_upload(transfer_t *t)
{
    int64_t length = t->body.source == NULL ? 0 : http_source_length(t->body.source);

    if (!t->body.put || !t->operation->request.resume_from_file || length <= 0)
        return;
    snprintf(t->upload_range, TRANSFER_RANGE_SIZE, "0-%" PRId64, length - 1);
    t->options.range = t->upload_range;
}

/* The fields of -H, of --json, and those that the output and another try ask for. */
static int gather_fields(transfer_t *t)
{
    const http_extra_t *given = t->options.fields;
    size_t count = t->options.field_count;
    const char *etag = output_if_none_match(t->output);
    const char *if_range = output_if_range(t->output);
    http_extra_t *all = hmem_array(count + MORE_FIELDS, sizeof(*all));

    if (all == NULL)
        return STATUS_MEMORY;
    if (count > 0)
        memcpy(all, given, count * sizeof(*all));
    count += body_fields(&t->operation->body, given, count, all + count);
    if (etag != NULL)
        all[count++] = (http_extra_t){"If-None-Match", etag};
    if (if_range != NULL)
        all[count++] = (http_extra_t){"If-Range", if_range};
    hmem_free(t->fields);
    t->fields = all;
    t->options.fields = all;
    t->options.field_count = count;
    return 0;
}

static void apply_robust(transfer_t *t)
{
    const request_options_t *request = &t->operation->request;

    if (!t->operation->retry.robust || request->speed > 0 || request->speed_s > 0)
        return;
    t->options.low_speed = RETRY_ROBUST_SPEED;
    t->options.low_speed_s = RETRY_ROBUST_SPEED_S;
}

void transfer__warn_lines(const transfer_t *transfer, const hbytes_t *lines)
{
    http_span_t rest = {lines->data, lines->len}, line;

    while (rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);

        line = (http_span_t){rest.data, end == NULL ? rest.len : (size_t)(end - rest.data)};
        report_warning(&transfer__globals(transfer)->report, "%.*s", (int)line.len, line.data);
        rest.data += line.len + (end != NULL);
        rest.len -= line.len + (end != NULL);
    }
}

static int apply_store(transfer_t *t, hbytes_t *why)
{
    hbytes_t warnings = {0};
    int status = store_apply(t->run->store, &t->operation->store, &t->options, &warnings, why);

    transfer__warn_lines(t, &warnings);
    hbytes_deinit(&warnings);
    return status;
}

int transfer__fill(transfer_t *transfer, hbytes_t *why)
{
    transfer_t *t = transfer;
    const operation_t *operation = t->operation;
    http_transfer_options_t *options = &t->options;
    int64_t from = output_resume_from(t->output);
    int status;

    memset(options, 0, sizeof(*options));
    options->url = &t->target.url;
    body_apply(&t->body, options);
    status = request_apply(&operation->request, options, why);
    if (status == 0)
        status = login_apply(&operation->login, options, why);
    if (status == 0)
        status = apply_store(t, why);
    if (status)
        return status;
    connect_apply_transfer(&operation->connect, options);
    options->path_as_is = operation->url.path_as_is;
    if (options->path_as_is && options->sigv4) {
        hbytes_append_str(why, "a request of --path-as-is cannot be signed (--aws-sigv4)");
        return STATUS_ARGUMENT;
    }
    options->fail_on_status = output_fails_on_status(t->output);
    if (from > 0)
        options->resume_from = from;
    apply_robust(t);
    describe_upload(t);
    return gather_fields(t);
}

void transfer__check_method(const transfer_t *transfer)
{
    const report_options_t *report = &transfer__globals(transfer)->report;
    const char *method = transfer->operation->request.method, *usual = "GET";

    if (method == NULL)
        return;
    if (transfer->operation->request.head)
        usual = "HEAD";
    else if (transfer->body.put)
        usual = "PUT";
    else if (transfer->body.source != NULL)
        usual = "POST";
    if (strcasecmp(method, usual) == 0)
        report_note(report, "-X %s says nothing new: it is %s without", method, usual);
    else if (strcasecmp(method, "HEAD") == 0)
        report_warning(report, "-X HEAD waits for a body that does not come: use -I");
}
