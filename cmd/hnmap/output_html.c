/* One page that loads nothing: it is read without scripts, which sort, filter and expand. Hosts
 * stand in it as they were done, the summary behind them; a page that was cut off is read as well,
 * and says that it has no end. */
#include "output_html_int.h"
#include "output_os.h"
#include "output_text.h"

#include "proto/http_page.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#define RANGES_SHOWN_MAX 200 /* bytes of a list of ports that is seen without asking */
#define OS_NAMES_MAX 3
#define CHIPS_MAX 10 /* open ports that are seen without expanding */

void page_put(page_t *page, const char *html)
{
    if (page->error == 0)
        page->error = hbytes_append_str(page->out, html);
}

void page_text(page_t *page, const char *text)
{
    if (page->error == 0 && text)
        page->error = http_page_text(page->out, text, strlen(text));
}

void page_printf(page_t *page, const char *format, ...)
{
    va_list args;

    if (page->error < 0)
        return;
    va_start(args, format);
    page->error = hbytes_vprintf(page->out, format, args);
    va_end(args);
}

static int begin(hbytes_t *out, const run_t *run)
{
    char date[OUTPUT_DATE_SIZE];
    page_t page = {out, http_page_begin_with(out, "hnmap: scan report", output_html_head)};

    page_put(&page, "<main>\n<header class=\"intro\"><h1>Scan report</h1>\n<p><code>");
    page_text(&page, run->args);
    page_printf(&page,
                "</code></p>\n<p>hnmap %s, started %s <span class=\"going\">This report has no "
                "end: the scan goes on, or was cut off.</span></p></header>\n",
                run->version, output_date(run->start, date));
    page_put(&page,
             "<div><div class=\"find\"><input type=\"search\" placeholder=\"Filter hosts\" "
             "aria-label=\"Filter hosts\"><button type=\"button\" data-expand=\"\">Expand all"
             "</button></div>\n<section class=\"card\" aria-label=\"Hosts\">\n<div class=\"row\">"
             "<button type=\"button\" data-sort=\"ip\">Address</button>"
             "<button type=\"button\" data-sort=\"name\">Name</button>"
             "<button type=\"button\" data-sort=\"open\" data-most>Open ports</button>"
             "<button type=\"button\" data-sort=\"rtt\">Latency</button>"
             "<button type=\"button\" data-sort=\"vendor\">Vendor</button></div>\n");
    return page.error;
}

/* ---- the line of a host ---------------------------------------------------------------------- */

static size_t count_open(const host_result_t *host)
{
    size_t count = 0;

    for (size_t i = 0; i < host->port_count; i++)
        count += host->ports[i].state == PORT_OPEN;
    return count;
}

/* What the script sorts by: texts of equal length, in the order of what they stand for. */
static void put_keys(page_t *page, const host_result_t *host)
{
    const struct sockaddr *sa = &host->addr.u.sa;
    bool is_v6 = sa->sa_family == AF_INET6;
    const uint8_t *bytes = is_v6 ? host->addr.u.sin6.sin6_addr.s6_addr
                                 : (const uint8_t *)&host->addr.u.sin.sin_addr.s_addr;

    page_printf(page, "<details class=\"host%s\" data-ip=\"%c",
                host->state == HOST_UP ? "" : " down", is_v6 ? '6' : '4');
    for (size_t i = 0; i < (is_v6 ? 16 : 4); i++)
        page_printf(page, "%02x", bytes[i]);
    page_put(page, "\" data-name=\"");
    page_text(page, output_name(host));
    page_put(page, "\" data-vendor=\"");
    page_text(page, host->vendor);
    page_printf(page, "\" data-open=\"%05zu\"", count_open(host));
    if (host->srtt_us > 0)
        page_printf(page, " data-rtt=\"%012" PRIu64 "\"", host->srtt_us);
    page_put(page, ">");
}

static void put_chips(page_t *page, const host_result_t *host)
{
    size_t open = count_open(host), shown = 0;

    page_put(page, "<span class=\"chips\">");
    for (size_t i = 0; i < host->port_count && shown < CHIPS_MAX; i++) {
        const port_result_t *port = &host->ports[i];

        if (port->state != PORT_OPEN)
            continue;
        page_printf(page, "<span class=\"chip\"><b>%u</b>%s ", port->number,
                    port->protocol == IPPROTO_UDP ? "/udp" : "");
        page_text(page, port_service_name(port));
        page_put(page, "</span>");
        shown++;
    }
    if (open > shown)
        page_printf(page, "<i>and %zu more</i>", open - shown);
    else if (host->state != HOST_UP)
        page_printf(page, "<i>%s</i>", host_state_name((host_state_e)host->state));
    else if (host->timed_out)
        page_put(page, "<i>timed out</i>");
    else if (host->has_ports && open == 0)
        page_put(page, "<i>none</i>");
    page_put(page, "</span>");
}

static void put_rtt(page_t *page, const host_result_t *host)
{
    double ms = (double)host->srtt_us / 1000;

    page_put(page, "<span class=\"rtt\">");
    if (host->srtt_us > 0)
        page_printf(page, "%.*f ms", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
    page_put(page, "</span>");
}

static void put_line(page_t *page, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE];

    page_put(page, "<summary><span class=\"ip\">");
    page_text(page, output_ip(host, ip));
    page_put(page, "</span><span class=\"name\">");
    page_text(page, output_name(host));
    page_put(page, "</span>");
    put_chips(page, host);
    put_rtt(page, host);
    page_put(page, "<span class=\"vendor\">");
    page_text(page, host->vendor);
    page_put(page, "</span></summary>\n");
}

/* ---- what is seen when it is expanded -------------------------------------------------------- */

static void put_os(page_t *page, const os_result_t *os)
{
    hbytes_t text = {0};

    if (os == NULL)
        return;
    if (page->error == 0)
        page->error = output_os_names(&text, os, OS_NAMES_MAX);
    if (text.len > 0)
        page_put(page, " \xc2\xb7 OS, a guess: ");
    page_text(page, text.data);
    if (os->has_distance)
        page_printf(page, " \xc2\xb7 %u hop%s away", os->distance, os->distance == 1 ? "" : "s");
    hbytes_deinit(&text);
}

static void put_facts(page_t *page, const host_result_t *host)
{
    char mac[18];

    page_printf(page, "<p class=\"facts\">Host is %s (%s)",
                host_state_name((host_state_e)host->state), reason_name((reason_e)host->reason));
    if (host->has_mac) {
        page_printf(page, " \xc2\xb7 MAC <code>%s</code> ", output_mac(host->mac, mac));
        page_text(page, host->vendor);
    }
    if (host->asked && host->name && strcmp(host->asked, host->name) != 0) {
        page_put(page, " \xc2\xb7 its address has the name ");
        page_text(page, host->name);
    }
    put_os(page, host->os);
    if (host->timed_out)
        page_put(page, " \xc2\xb7 given up after its time: its ports are not known");
    page_put(page, "</p>\n");
}

static void put_said(page_t *page, const char *text)
{
    if (text == NULL)
        return;
    page_put(page, "<code>");
    page_text(page, text);
    page_put(page, "</code>");
}

static void put_version(page_t *page, const service_t *service)
{
    hbytes_t text = {0};

    if (service == NULL)
        return;
    if (page->error == 0)
        page->error = output_version(&text, service);
    page_text(page, text.data);
    hbytes_deinit(&text);
    put_said(page, service->tls);
    put_said(page, service->banner);
}

static void put_port(page_t *page, const port_result_t *port)
{
    const char *name = port_service_name(port);

    page_printf(page, "<tr><td>%u/%s</td><td class=\"state %s\">%s</td><td>", port->number,
                protocol_name(port->protocol), page_tint(port->state),
                port_state_name((port_state_e)port->state));
    if (port->service && port->service->is_tls)
        page_put(page, "<span class=\"tag\">TLS</span>");
    page_text(page, name);
    page_put(page, "</td><td>");
    put_version(page, port->service);
    page_printf(page, "</td><td class=\"dim\">%s</td></tr>\n", reason_name((reason_e)port->reason));
}

/* "2-3,5": with places where a line may be broken. */
static void put_ranges(page_t *page, const char *ranges)
{
    while (page->error == 0 && *ranges) {
        size_t len = strcspn(ranges, ",");

        len += ranges[len] == ',';
        page->error = hbytes_append(page->out, ranges, len);
        page_put(page, "<wbr>");
        ranges += len;
    }
}

/* Ports that are scattered would fill the page: they are shown when they are asked for. */
static void put_group(page_t *page, const port_group_t *group, bool is_rest)
{
    bool is_long = strlen(group->ports) > RANGES_SHOWN_MAX;

    page_put(page, is_long ? "<details class=\"rest\"><summary>" : "<p class=\"rest\">");
    page_printf(page, "%s%" PRIu32 " %s %s port%s (%s): ", is_rest ? "Not shown: " : "",
                group->count, port_state_name((port_state_e)group->state),
                protocol_name(group->protocol), group->count == 1 ? "" : "s",
                reason_name((reason_e)group->reason));
    if (is_long)
        page_put(page, "</summary>");
    put_ranges(page, group->ports);
    page_put(page, is_long ? "</details>\n" : "</p>\n");
}

static void put_ports(page_t *page, const host_result_t *host)
{
    if (host->port_count > 0) {
        page_put(page, "<table class=\"ports\"><thead><tr><th scope=\"col\">Port</th>"
                       "<th scope=\"col\">State</th><th scope=\"col\">Service</th>"
                       "<th scope=\"col\">Version</th><th scope=\"col\">Reason</th></tr></thead>\n"
                       "<tbody>\n");
        for (size_t i = 0; i < host->port_count; i++)
            put_port(page, &host->ports[i]);
        page_put(page, "</tbody></table>\n");
    }
    for (size_t i = 0; i < host->group_count; i++)
        put_group(page, &host->groups[i], host->port_count > 0);
}

static int write_host(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    page_t page = {out, 0};

    (void)run;
    put_keys(&page, host);
    put_line(&page, host);
    page_put(&page, "<div class=\"more\">");
    put_facts(&page, host);
    if (host->has_ports && !host->timed_out)
        put_ports(&page, host);
    page_put(&page, "</div></details>\n");
    return page.error;
}

static int end(hbytes_t *out, const run_t *run, const totals_t *totals)
{
    page_t page = {out, 0};
    char date[OUTPUT_DATE_SIZE];

    page_put(&page, "<p class=\"none\">No host is up.</p>\n</section></div>\n");
    page_summary(&page, run, totals);
    page_put(&page, "</main>\n<footer>");
    page_printf(&page, "hnmap %s \xc2\xb7 done %s", run->version, output_date(run->end, date));
    if (run->error) {
        page_put(&page, " \xc2\xb7 not complete: ");
        page_text(&page, run->error);
    }
    page_put(&page, "</footer>\n");
    return page.error < 0 ? page.error : http_page_end(out, NULL);
}

const output_format_t output_html = {
    .name = "HTML", .begin = begin, .host = write_host, .end = end, .append = OUTPUT_APPEND_NEVER};
