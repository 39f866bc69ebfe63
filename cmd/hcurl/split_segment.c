/* A connection of a split download. The response decides: 206 with the range that was asked for, of
 * the file that the others get; anything else is a failure of this segment, or another file. */
#include "split_int.h"

#include "base/hmem.h"
#include "base/htime.h"
#include "codec/http_date.h"
#include "codec/http_range.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void start(split_segment_t *segment);

static bool is_complete(const split_range_t *range)
{
    return range->next == range->end;
}

static void set_why(split_segment_t *segment, const char *text)
{
    hbytes_clear(&segment->why);
    hbytes_append_str(&segment->why, text);
}

static void end_report(split_segment_t *segment)
{
    if (segment->report)
        report_end(segment->report);
    segment->report = NULL;
}

/* ---- the end of a segment -------------------------------------------------------------------- */

static void leave(split_segment_t *segment)
{
    split_t *split = segment->split;

    if (segment->range)
        segment->range->taken = false;
    segment->range = NULL;
    if (--split->active == 0)
        split__ended(split);
}

void split__stop(split_t *split)
{
    split->active++; /* until all have been told */
    for (size_t i = 0; i < SPLIT_PARTS_MAX; i++) {
        split_segment_t *segment = &split->segments[i];

        if (segment->transfer) {
            http_transfer_abort(segment->transfer, HTTP_FAULT_CANCELLED, NULL);
        } else if (segment->timer) {
            htimer_del(segment->timer);
            segment->timer = NULL;
            leave(segment);
        }
    }
    if (--split->active == 0)
        split__ended(split);
}

/* ---- another try ----------------------------------------------------------------------------- */

static void on_timer(htimer_t *timer)
{
    split_segment_t *segment = hevent_userdata(timer);

    segment->timer = NULL;
    start(segment);
}

/* Without ranges it all comes again. */
static void forget(split_segment_t *segment)
{
    split_t *split = segment->split;

    if (split->ranged)
        return;
    split->known = false;
    split->result->downloaded = 0;
    if (segment->range)
        segment->range->next = segment->range->first;
}

static bool try_again(split_segment_t *segment, int status)
{
    split_t *split = segment->split;
    retry_end_t end = {
        .status = status,
        .error = segment->why.data,
        .http_status = segment->http_status,
        .refused = segment->refused,
        .retry_after_s = segment->retry_after_s,
        .final = status == STATUS_WRITE,
    };
    uint32_t delay_ms = 0;
    hbytes_t text = {0};
    bool again = retry_again(&segment->retry, &end, htime_monotonic_us(), &delay_ms, &text);

    if (text.len > 0)
        split__warn(split, text.data);
    hbytes_deinit(&text);
    if (!again)
        return false;
    segment->timer = htimer_add(split->job->loop, on_timer, delay_ms > 0 ? delay_ms : 1, 1);
    if (!segment->timer)
        return false;
    hevent_set_userdata(segment->timer, segment);
    forget(segment);
    return true;
}

/* ---- heads ----------------------------------------------------------------------------------- */

static bool find(const http_exchange_response_t *response, const char *name, http_span_t *value)
{
    *value = http_field_named(response->fields, response->field_count, name);
    return value->data != NULL;
}

/* NULL: there is none, or an empty one. */
static char *copy_of(const http_exchange_response_t *response, const char *name)
{
    http_span_t value;

    return find(response, name, &value) && value.len > 0 ? hmem_strndup(value.data, value.len)
                                                         : NULL;
}

static void find_range(const http_exchange_response_t *response, http_content_range_t *range)
{
    http_span_t value;

    *range = (http_content_range_t){-1, -1, -1};
    if (find(response, "Content-Range", &value) && http_content_range_parse(value, range) < 0)
        *range = (http_content_range_t){-1, -1, -1};
}

static void refuse(split_segment_t *segment, const char *text)
{
    set_why(segment, text);
    http_transfer_abort(segment->transfer, HTTP_FAULT_STATUS, text);
}

static void changed(split_segment_t *segment)
{
    segment->split->changed = true;
    http_transfer_abort(segment->transfer, HTTP_FAULT_RANGE, NULL);
}

static void refuse_status(split_segment_t *segment, int status)
{
    char text[64];

    snprintf(text, sizeof(text), "The requested URL returned error: %d", status);
    refuse(segment, text);
}

/* All of it, from a server that could have sent a part: one that was asked for all. */
static bool has_ranges(const http_exchange_response_t *response)
{
    http_span_t value;

    return response->content_length > 0 && find(response, "Accept-Ranges", &value) &&
           http_list_has(value, "bytes");
}

/* The first response of all tells what the file is. */
static void learn(split_segment_t *segment, const http_exchange_response_t *response)
{
    split_t *split = segment->split;
    split_state_t *state = &split->state;
    http_content_range_t range = {-1, -1, -1};
    http_span_t date;

    if (response->status == 200 && !split->whole && has_ranges(response))
        range = (http_content_range_t){0, response->content_length - 1, response->content_length};
    else if (response->status == 206)
        find_range(response, &range);
    split->ranged = range.first == 0 && range.size > 0;
    if (response->status == 416 && !split->whole) { /* an empty file has no range */
        split->whole = split->changed = true;
        http_transfer_abort(segment->transfer, HTTP_FAULT_RANGE, NULL);
        return;
    }
    if (!split->ranged && response->status != 200) {
        refuse_status(segment, response->status);
        return;
    }
    hmem_free(state->etag);
    hmem_free(state->modified);
    state->etag = copy_of(response, "ETag");
    state->modified = copy_of(response, "Last-Modified");
    if (!find(response, "Last-Modified", &date) ||
        http_date_parse(date, (int64_t)(htime_real_ns() / HTIME_NS_PER_S), &split->modified_s) < 0)
        split->modified_s = -1;
    if (split->ranged) {
        split_state_divide(state, range.size, split->job->parts);
    } else {
        state->size = response->has_body ? response->content_length : 0;
        state->count = 1;
        state->ranges[0] = (split_range_t){.end = state->size < 0 ? INT64_MAX : state->size};
    }
    segment->range = &state->ranges[0];
    segment->range->taken = segment->accepted = split->known = true;
    if (split__learned(split) < 0)
        http_transfer_abort(segment->transfer, HTTP_FAULT_WRITE, NULL);
}

static bool is_same_tag(const split_state_t *state, const http_exchange_response_t *response)
{
    http_span_t tag;

    if (!state->etag || !find(response, "ETag", &tag))
        return true;
    return tag.len == strlen(state->etag) && memcmp(tag.data, state->etag, tag.len) == 0;
}

/* The server sends the same file as a whole: it has no ranges, whatever it says. */
static bool is_all_of_it(const split_state_t *state, const http_exchange_response_t *response)
{
    return response->status == 200 && response->content_length == state->size && state->etag &&
           is_same_tag(state, response);
}

/* Any other one has to be of the same file. */
static void compare(split_segment_t *segment, const http_exchange_response_t *response)
{
    const split_state_t *state = &segment->split->state;
    http_content_range_t range;

    if (is_all_of_it(state, response))
        segment->split->whole = true;

    find_range(response, &range);
    if (response->status == 206 && range.first == segment->range->next &&
        range.size == state->size && is_same_tag(state, response))
        segment->accepted = true;
    else if (response->status == 200 || response->status == 206 || response->status == 416)
        changed(segment);
    else
        refuse_status(segment, response->status);
}

static void on_head(http_transfer_t *transfer, http_hop_e hop,
                    const http_exchange_response_t *response, void *userdata)
{
    split_segment_t *segment = userdata;
    split_t *split = segment->split;
    http_span_t value;

    segment->transfer = transfer;
    if (hop != HTTP_HOP_FINAL)
        return;
    segment->http_status = response->status;
    if (find(response, "Retry-After", &value))
        segment->retry_after_s =
            retry_after_parse(value, (int64_t)(htime_real_ns() / HTIME_NS_PER_S));
    if (split->known)
        compare(segment, response);
    else
        learn(segment, response);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static int write_at(int fd, http_span_t data, int64_t at)
{
    while (data.len > 0) {
        ssize_t n = pwrite(fd, data.data, data.len, at);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data.data += n;
            data.len -= (size_t)n;
            at += n;
        }
    }
    return 0;
}

/* What goes beyond the range is not wanted: the first response has the whole file, and others may
 * have more than was asked for. */
static int on_body(http_transfer_t *transfer, http_span_t data, void *userdata)
{
    split_segment_t *segment = userdata;
    split_t *split = segment->split;
    split_range_t *range = segment->range;
    bool beyond = segment->open && range->end < split->state.size;
    int err;

    (void)transfer;
    if (!segment->accepted)
        return 0;
    if (data.len > (uint64_t)(range->end - range->next)) {
        data.len = (size_t)(range->end - range->next);
        beyond = true;
    }
    err = write_at(split->fd, data, range->next);
    if (err < 0) {
        split__fail(split, STATUS_WRITE, herr_str(err));
        return err;
    }
    range->next += (int64_t)data.len;
    split->result->downloaded += data.len;
    if (split->job->progress)
        hprogress_update(&split->progress, split->result->found + split->result->downloaded,
                         split->result->size, htime_monotonic_ns());
    return beyond && is_complete(range) ? -ECANCELED : 0;
}

static void on_trace(http_transfer_t *transfer, http_trace_e kind, http_span_t data, void *userdata)
{
    split_segment_t *segment = userdata;

    report_trace(segment->report, transfer, kind, data);
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* Whether the file without a length is there. */
static void close_end(split_segment_t *segment)
{
    split_t *split = segment->split;

    if (split->state.size >= 0)
        return;
    split->state.size = segment->range->next;
    segment->range->end = segment->range->next;
}

static int status_at_end(split_segment_t *segment, http_fault_e fault)
{
    if (segment->accepted && fault == HTTP_FAULT_NONE)
        close_end(segment);
    if (segment->accepted && is_complete(segment->range))
        return 0;
    if (fault == HTTP_FAULT_NONE) {
        set_why(segment, "the server sent less than was asked for");
        return STATUS_PARTIAL;
    }
    return status_of_fault(fault);
}

static void keep_info(split_t *split, const http_transfer_info_t *info)
{
    split->result->info = *info;
    split->result->info.url = split->result->info.method = split->result->info.scheme = "";
    split->result->info.redirect_url = split->result->info.content_type = "";
    split->result->info.referer = "";
}

static void on_close(http_transfer_t *transfer, http_fault_e fault, void *userdata)
{
    split_segment_t *segment = userdata;
    split_t *split = segment->split;
    int status = status_at_end(segment, fault);
    http_transfer_info_t info;

    http_transfer_info(transfer, &info);
    segment->refused = info.error == -ECONNREFUSED;
    if (split->result->info.total_us == 0)
        keep_info(split, &info);
    end_report(segment);
    segment->transfer = NULL;
    if (status != 0 && segment->why.len == 0)
        set_why(segment, http_transfer_error(transfer));
    if (status != 0 && segment->why.len == 0)
        set_why(segment, status_words(status));
    if (split->changed || split->leave || split->status != 0) {
        split__stop(split);
        leave(segment);
    } else if (status == 0) {
        split__segment_begin(segment);
        if (--split->active == 0)
            split__ended(split);
    } else if (!try_again(segment, status)) {
        split__fail(split, status, segment->why.data ? segment->why.data : status_words(status));
        split__stop(split);
        leave(segment);
    }
}

/* ---- begins ---------------------------------------------------------------------------------- */

static void ask_for(split_segment_t *segment)
{
    const split_t *split = segment->split;
    const split_job_t *job = split->job;
    const char *validator = split_state_validator(&split->state);
    http_transfer_options_t *options = &segment->options;
    size_t count = job->transfer->field_count;

    *options = *job->transfer;
    options->accept_encoding = NULL;
    options->transfer_encoding = false;
    if (options->receive_rate > 0)
        options->receive_rate = options->receive_rate / job->parts + 1;
    options->fields = split->fields;
    options->field_count = count;
    if (split->whole)
        return;
    snprintf(segment->range_text, sizeof(segment->range_text), "0-");
    options->range = segment->range_text;
    if (!split->known)
        return;
    snprintf(segment->range_text, sizeof(segment->range_text), "%lld-%lld",
             (long long)segment->range->next, (long long)segment->range->end - 1);
    if (validator)
        split->fields[options->field_count++] = (http_extra_t){"If-Range", validator};
}

static void start(split_segment_t *segment)
{
    static const http_transfer_callbacks_t plain = {
        .on_head = on_head, .on_body = on_body, .on_close = on_close};
    static const http_transfer_callbacks_t traced = {
        .on_head = on_head, .on_body = on_body, .on_trace = on_trace, .on_close = on_close};
    split_t *split = segment->split;
    const split_job_t *job = split->job;
    const report_begin_t how = {.to_terminal = true}; /* there is a line of progress for all */
    int err;

    hbytes_clear(&segment->why);
    segment->accepted = false;
    segment->open = !split->known;
    segment->http_status = 0;
    segment->retry_after_s = -1;
    ask_for(segment);
    if (job->report)
        segment->report = report_begin(job->report, &how);
    err = http_transfer_start(job->client, &segment->options, job->report ? &traced : &plain,
                              segment, &segment->transfer);
    if (err == 0) {
        if (segment->report)
            report_follow(segment->report, segment->transfer);
        return;
    }
    end_report(segment);
    split__fail(split, err == -ENOMEM ? STATUS_MEMORY : STATUS_ARGUMENT, herr_str(err));
    split__stop(split);
    leave(segment);
}

/* The first request of all has no range yet. */
static bool take_range(split_segment_t *segment)
{
    split_t *split = segment->split;

    segment->range = NULL;
    for (size_t i = 0; i < split->state.count && !segment->range; i++) {
        split_range_t *range = &split->state.ranges[i];

        if (!range->taken && !is_complete(range))
            segment->range = range;
    }
    if (segment->range)
        segment->range->taken = true;
    return segment->range || !split->known;
}

void split__segment_begin(split_segment_t *segment)
{
    if (!take_range(segment))
        return;
    segment->split->active++;
    retry_init(&segment->retry, segment->split->job->retry, htime_monotonic_us());
    start(segment);
}
