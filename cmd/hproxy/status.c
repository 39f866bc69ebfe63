/* /status: the same numbers as JSON and as a page. */
#include "admin_int.h"
#include "service.h"

#include <inttypes.h>
#include <string.h>

#include "base/hjson.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "base/hversion.h"
#include "proto/http_page.h"
#include "session.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_time(hjson_t *j, const char *key, uint64_t ms)
{
    char text[HTIME_ISO_SIZE];

    hjson_add_string(j, key, htime_iso_utc(ms, text, sizeof(text)));
}

static void add_target(const htarget_info_t *info, void *arg)
{
    hjson_t *j = arg;

    hjson_open_object(j);
    hjson_add_string(j, "name", info->name);
    hjson_add_string(j, "address", info->address);
    hjson_add_string(j, "state", htarget_state_name(info->state));
    add_time(j, "since", info->since_ms);
    hjson_add_uint(j, "weight", info->weight);
    hjson_add_bool(j, "backup", info->backup);
    hjson_add_uint(j, "connections_open", info->active);
    hjson_add_uint(j, "connections_total", info->connections);
    hjson_add_uint(j, "failures_total", info->failures);
    hjson_add_uint(j, "ejections_total", info->ejections);
    hjson_add_uint(j, "sent_bytes", info->to_bytes);
    hjson_add_uint(j, "received_bytes", info->from_bytes);
    hjson_add_uint(j, "checks_total", info->checks);
    hjson_add_uint(j, "check_failures_total", info->check_failures);
    if (info->why[0])
        hjson_add_string(j, "last_failure", info->why);
    hjson_close(j);
}

static void add_name(const htargets_name_info_t *info, void *arg)
{
    hjson_t *j = arg;

    hjson_open_object(j);
    hjson_add_string(j, "name", info->name);
    hjson_add_bool(j, "srv", info->srv);
    hjson_add_uint(j, "addresses", info->addresses);
    hjson_add_uint(j, "next_ms", info->next_ms);
    if (info->why[0])
        hjson_add_string(j, "last_failure", info->why);
    hjson_close(j);
}

static void add_ends(hjson_t *j, const stats_sum_t *sum)
{
    hjson_key(j, "ended");
    hjson_open_object(j);
    for (int end = 0; end < SESSION_ENDS; end++) {
        if (sum->ends[end] > 0)
            hjson_add_uint(j, session_end_name((session_end_e)end), sum->ends[end]);
    }
    hjson_close(j);
}

static void add_targets(hjson_t *j, const htargets_t *targets)
{
    hjson_add_uint(j, "targets_usable", htargets_usable(targets));
    hjson_key(j, "targets");
    hjson_open_array(j);
    htargets_each(targets, add_target, j);
    hjson_close(j);
    hjson_key(j, "names");
    hjson_open_array(j);
    htargets_each_name(targets, add_name, j);
    hjson_close(j);
}

static void add_service(hjson_t *j, const service_t *service)
{
    stats_sum_t sum;

    stats_sum(service->stats, &sum);
    hjson_open_object(j);
    hjson_add_string(j, "name", service->settings->name);
    hjson_key(j, "listen");
    hjson_open_array(j);
    for (const listen_settings_t *l = service->settings->listens; l; l = l->next)
        hjson_string(j, l->text);
    hjson_close(j);
    hjson_add_uint(j, "connections_open", sum.open);
    hjson_add_uint(j, "connections_total", sum.begun);
    hjson_add_uint(j, "sent_bytes", sum.sent_bytes);
    hjson_add_uint(j, "received_bytes", sum.received_bytes);
    add_ends(j, &sum);
    if (service->targets)
        add_targets(j, service->targets);
    hjson_close(j);
}

int status_write_json(lane_t *lane, hbytes_t *out)
{
    const env_t *env = lane->env;
    hjson_t j;
    int err;

    lane_publish(lane);
    hjson_init(&j, out);
    hjson_open_object(&j);
    hjson_add_string(&j, "version", HNET_VERSION);
    add_time(&j, "started", stats_started_ms(env->stats));
    hjson_add_uint(&j, "generation", env->generation);
    hjson_add_uint(&j, "workers", env->worker_count);
    hjson_key(&j, "listeners");
    hjson_open_array(&j);
    for (const service_t *s = lane->services; s; s = s->next)
        add_service(&j, s);
    hjson_close(&j);
    hjson_close(&j);
    err = hjson_finish(&j);
    return err ? err : hbytes_append_char(out, '\n');
}

/* ---- the page -------------------------------------------------------------------------------- */

#define PAGE_HEAD                                                                                  \
    "<meta http-equiv=\"refresh\" content=\"5\">\n"                                                \
    "<style>h2{font-size:1.1rem;margin:1.5rem 0 .25rem}section p{margin:.25rem 0 .5rem;"           \
    "color:var(--dim)}section table{background:var(--card);border:1px solid var(--line)}"          \
    "th,td{padding:.35rem .75rem;text-align:left}.n{text-align:right}"                             \
    ".up{color:var(--code)}.down,.ejected{color:var(--danger)}.draining{color:var(--dim)}"         \
    "</style>\n"

/* The first error stays. */
typedef struct page_s {
    hbytes_t *out;
    int err;
} page_t;

static void put(page_t *page, const char *html)
{
    if (!page->err)
        page->err = hbytes_append_str(page->out, html);
}

static void put_text(page_t *page, const char *text)
{
    if (!page->err)
        page->err = http_page_text(page->out, text, strlen(text));
}

static void put_cell(page_t *page, const char *text)
{
    put(page, "<td>");
    put_text(page, text);
}

static void put_number(page_t *page, uint64_t value)
{
    if (!page->err)
        page->err = hbytes_printf(page->out, "<td class=\"n\">%" PRIu64, value);
}

static void put_size(page_t *page, uint64_t bytes)
{
    char text[HSTR_SIZE_MAX];

    put(page, "<td class=\"n\">");
    put_text(page, hstr_format_size(bytes, text, sizeof(text)));
}

static void put_target(const htarget_info_t *info, void *arg)
{
    const char *state = htarget_state_name(info->state);
    page_t *page = arg;

    put(page, "<tr>");
    put_cell(page, info->name);
    put_cell(page, info->address);
    put(page, "<td class=\"");
    put(page, state);
    put(page, "\">");
    put(page, state);
    put(page, info->backup ? " (backup)" : "");
    put_number(page, info->active);
    put_number(page, info->connections);
    put_number(page, info->failures);
    put_size(page, info->to_bytes);
    put_size(page, info->from_bytes);
    put_cell(page, info->why);
    put(page, "</tr>\n");
}

static void put_service(page_t *page, const service_t *service)
{
    char in[HSTR_SIZE_MAX], out[HSTR_SIZE_MAX];
    stats_sum_t sum;

    stats_sum(service->stats, &sum);
    put(page, "<section><h2>");
    put_text(page, service->settings->name);
    put(page, "</h2>\n");
    if (!page->err)
        page->err = hbytes_printf(
            page->out,
            "<p>%" PRIu64 " open, %" PRIu64 " in all; to targets %s, to clients %s</p>\n", sum.open,
            sum.begun, hstr_format_size(sum.sent_bytes, in, sizeof(in)),
            hstr_format_size(sum.received_bytes, out, sizeof(out)));
    if (service->targets) {
        put(page, "<table><tr><th>target<th>address<th>state<th class=\"n\">open"
                  "<th class=\"n\">in all<th class=\"n\">failed<th class=\"n\">sent"
                  "<th class=\"n\">received<th>last failure</tr>\n");
        htargets_each(service->targets, put_target, page);
        put(page, "</table>\n");
    }
    put(page, "</section>\n");
}

int status_write_html(lane_t *lane, hbytes_t *out)
{
    page_t page = {out, http_page_begin_with(out, "hproxy", PAGE_HEAD)};
    char started[HTIME_ISO_SIZE];

    lane_publish(lane);
    put(&page, "<main><div class=\"bar\"><h1>hproxy</h1></div>\n");
    for (const service_t *s = lane->services; s; s = s->next)
        put_service(&page, s);
    put(&page, "<p>since ");
    put_text(&page, htime_iso_utc(stats_started_ms(lane->env->stats), started, sizeof(started)));
    put(&page, "; <a href=\"/metrics\">metrics</a></p></main>\n");
    return page.err ? page.err : http_page_end(out, "hproxy " HNET_VERSION);
}
