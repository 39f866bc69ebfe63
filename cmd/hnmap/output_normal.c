/* The format for people, as nmap's -oN and standard output have it. */
#include "output.h"
#include "output_os.h"
#include "output_text.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { COLUMN_PORT, COLUMN_STATE, COLUMN_SERVICE, COLUMN_REASON, COLUMN_VERSION, COLUMNS };

#define CELL_SIZE 1024

static int begin_file(hbytes_t *out, const run_t *run)
{
    char date[OUTPUT_DATE_SIZE];

    return hbytes_printf(out, "# hnmap %s scan initiated %s as: %s\n", run->version,
                         output_date(run->start, date), run->args);
}

static int begin_terminal(hbytes_t *out, const run_t *run)
{
    struct tm parts;
    char date[OUTPUT_DATE_SIZE] = "";

    if (localtime_r(&run->start, &parts))
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M %Z", &parts);
    return hbytes_printf(out, "Starting hnmap %s at %s\n", run->version, date);
}

/* ---- the table of ports ---------------------------------------------------------------------- */

/* What a service said of itself goes to a terminal: harmless, whatever its bytes. */
static int write_safe(hbytes_t *out, const char *text)
{
    char safe[CELL_SIZE];

    hstr_escape(safe, sizeof(safe), text, strlen(text));
    return hbytes_append_str(out, safe);
}

static void fill_version(char *cell, const service_t *service)
{
    hbytes_t text = {0};

    cell[0] = '\0';
    if (service && output_version(&text, service) == 0 && text.len > 0)
        hstr_escape(cell, CELL_SIZE, text.data, text.len);
    hbytes_deinit(&text);
}

static void fill_cell(char *cell, const port_result_t *port, int column)
{
    const service_t *service = port->service;
    const char *name = port_service_name(port);

    switch (column) {
    case COLUMN_PORT:
        snprintf(cell, CELL_SIZE, "%u/%s", port->number, protocol_name(port->protocol));
        break;
    case COLUMN_STATE:
        hstr_copy(cell, CELL_SIZE, port_state_name(port->state));
        break;
    case COLUMN_SERVICE:
        snprintf(cell, CELL_SIZE, "%s%s%s", service && service->is_tls ? "ssl/" : "",
                 name ? name : "unknown",
                 service && service->name && service->confidence < 8 ? "?" : "");
        break;
    case COLUMN_REASON:
        if (port->ttl > 0)
            snprintf(cell, CELL_SIZE, "%s ttl %u", reason_name(port->reason), port->ttl);
        else
            hstr_copy(cell, CELL_SIZE, reason_name(port->reason));
        break;
    default:
        fill_version(cell, service);
        break;
    }
}

typedef struct table_s {
    bool shown[COLUMNS];
    size_t widths[COLUMNS];
} table_t;

static const char *const headings[COLUMNS] = {"PORT", "STATE", "SERVICE", "REASON", "VERSION"};

static void measure(table_t *table, const run_t *run, const host_result_t *host)
{
    char cell[CELL_SIZE];

    for (int column = 0; column < COLUMNS; column++) {
        table->shown[column] = (column != COLUMN_REASON || run->show_reason) &&
                               (column != COLUMN_VERSION || run->has_versions);
        table->widths[column] = strlen(headings[column]);
        for (size_t i = 0; i < host->port_count && table->shown[column]; i++) {
            fill_cell(cell, &host->ports[i], column);
            if (strlen(cell) > table->widths[column])
                table->widths[column] = strlen(cell);
        }
    }
}

/* One line; port NULL: the headings. Nothing trails. */
static int write_row(hbytes_t *out, const table_t *table, const port_result_t *port)
{
    char cell[CELL_SIZE];
    size_t pad = 0;
    int status = 0;

    for (int column = 0; column < COLUMNS && status == 0; column++) {
        if (!table->shown[column])
            continue;
        if (port)
            fill_cell(cell, port, column);
        else
            hstr_copy(cell, sizeof(cell), headings[column]);
        if (cell[0] != '\0') {
            status = hbytes_printf(out, "%*s%s", (int)pad, "", cell);
            pad = 0;
        }
        pad += table->widths[column] - strlen(cell) + 1;
    }
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

/* What there is more to say, each on a line of its own, as the original has it of scripts. */
static int write_more(hbytes_t *out, const port_result_t *port)
{
    const service_t *s = port->service;
    const struct {
        const char *name, *text;
    } lines[] = {{"tls", s ? s->tls : NULL}, {"banner", s ? s->banner : NULL}};
    const char *last = NULL;
    int status = 0;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (lines[i].text)
            last = lines[i].text;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && status == 0; i++) {
        if (lines[i].text == NULL)
            continue;
        status = hbytes_printf(out, "|%c%s: ", lines[i].text == last ? '_' : ' ', lines[i].name);
        if (status == 0)
            status = write_safe(out, lines[i].text);
        if (status == 0)
            status = hbytes_append_char(out, '\n');
    }
    return status;
}

static int write_groups(hbytes_t *out, const host_result_t *host)
{
    int status = hbytes_append_str(out, "Not shown: ");

    for (size_t i = 0; i < host->group_count && status == 0; i++) {
        const port_group_t *g = &host->groups[i];

        status = hbytes_printf(out, "%s%" PRIu32 " %s %s port%s (%s)", i ? ", " : "", g->count,
                               port_state_name(g->state), protocol_name(g->protocol),
                               g->count == 1 ? "" : "s", reason_name(g->reason));
    }
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

static uint32_t count_hidden(const host_result_t *host)
{
    uint32_t count = 0;

    for (size_t i = 0; i < host->group_count; i++)
        count += host->groups[i].count;
    return count;
}

static int write_ports(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE];
    table_t table;
    int status = 0;

    if (host->port_count == 0) {
        status = hbytes_printf(out, "All %" PRIu32 " scanned ports on %s are in ignored states.\n",
                               count_hidden(host), output_ip(host, ip));
        return status < 0 ? status : write_groups(out, host);
    }
    status = host->group_count > 0 ? write_groups(out, host) : hbytes_append_char(out, '\n');
    measure(&table, run, host);
    if (status == 0)
        status = write_row(out, &table, NULL);
    for (size_t i = 0; i < host->port_count && status == 0; i++) {
        status = write_row(out, &table, &host->ports[i]);
        if (status == 0)
            status = write_more(out, &host->ports[i]);
    }
    return status;
}

/* ---- a host ---------------------------------------------------------------------------------- */

/* "NAME (IP)", the name as the user gave it. */
static int write_who(hbytes_t *out, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE];
    const char *name = output_name(host);
    int status = hbytes_append_str(out, "hnmap scan report for ");

    output_ip(host, ip);
    if (status == 0 && name)
        status = write_safe(out, name);
    if (status == 0)
        status = hbytes_printf(out, name ? " (%s)" : "%s", ip);
    return status;
}

/* Two digits that say something, and never an exponent: 0.000054, 0.0021, 12. */
static int write_latency(hbytes_t *out, uint64_t us)
{
    int decimals = 6;

    for (uint64_t left = us; left >= 100 && decimals > 0; left /= 10)
        decimals--;
    return hbytes_printf(out, " (%.*fs latency)", decimals, (double)us / 1e6);
}

static int write_up(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    int status = hbytes_append_str(out, "Host is up");

    if (status == 0 && run->show_reason)
        status = hbytes_printf(out, ", received %s", reason_name(host->reason));
    if (status == 0 && run->show_reason && host->ttl > 0)
        status = hbytes_printf(out, " ttl %u", host->ttl);
    if (status == 0 && host->srtt_us > 0)
        status = write_latency(out, host->srtt_us);
    if (status == 0)
        status = hbytes_append_str(out, ".\n");
    if (status == 0 && host->asked && host->name && !hstr_ieq(host->asked, host->name)) {
        char ip[HADDR_FORMAT_SIZE];

        status = hbytes_printf(out, "rDNS record for %s: ", output_ip(host, ip));
        if (status == 0)
            status = write_safe(out, host->name);
        if (status == 0)
            status = hbytes_append_char(out, '\n');
    }
    return status;
}

/* "Service Info: Host: a; OS: Linux; CPE: cpe:/o:linux:linux_kernel": what the services told of the
 * machine, each thing once. */
#define INFO_MAX 16 /* of each kind */

static const char *info_of(const service_t *s, size_t kind, size_t cpe)
{
    if (kind == 3) /* of what runs there, not of the services */
        return s->cpe[cpe] && !hstr_starts(s->cpe[cpe], "cpe:/a:") ? s->cpe[cpe] : NULL;
    if (cpe > 0)
        return NULL;
    return kind == 0 ? s->hostname : kind == 1 ? s->os : s->device;
}

static void add_info(const char **texts, size_t *count, const char *text)
{
    for (size_t i = 0; i < *count; i++)
        if (text == NULL || hstr_ieq(texts[i], text))
            return;
    if (text && *count < INFO_MAX)
        texts[(*count)++] = text;
}

static int write_info(hbytes_t *out, const host_result_t *host)
{
    static const char *const labels[] = {"Host", "OS", "Device", "CPE"};
    static const char *const many[] = {"Hosts", "OSs", "Devices", "CPE"};
    const char *separator = "Service Info: ";
    int status = 0;

    for (size_t kind = 0; kind < sizeof(labels) / sizeof(labels[0]) && status == 0; kind++) {
        const char *texts[INFO_MAX];
        size_t count = 0;

        for (size_t i = 0; i < host->port_count; i++)
            for (size_t k = 0; k < 4 && host->ports[i].service; k++)
                add_info(texts, &count, info_of(host->ports[i].service, kind, k));
        for (size_t i = 0; i < count && status == 0; i++) {
            status = hbytes_printf(out, "%s%s%s", i > 0 ? ", " : separator,
                                   i > 0       ? ""
                                   : count > 1 ? many[kind]
                                               : labels[kind],
                                   i > 0 ? "" : ": ");
            if (status == 0)
                status = write_safe(out, texts[i]);
            separator = "; ";
        }
    }
    return status < 0 || separator[0] == 'S' ? status : hbytes_append_char(out, '\n');
}

static int write_mac(hbytes_t *out, const host_result_t *host)
{
    char mac[18];

    if (!host->has_mac)
        return 0;
    return hbytes_printf(out, "MAC Address: %s (%s)\n", output_mac(host->mac, mac),
                         host->vendor ? host->vendor : "Unknown");
}

/* "TRACEROUTE (using port 80/tcp)": what was sent; nothing was to a neighbour. */
static int write_trace_head(hbytes_t *out, const host_result_t *host)
{
    int status = hbytes_append_str(out, "\nTRACEROUTE");

    if (status == 0 && host->trace_port > 0)
        status = hbytes_printf(out, " (using port %u/tcp)", host->trace_port);
    else if (status == 0 && host->trace_protocol == IPPROTO_ICMPV6)
        status = hbytes_append_str(out, " (using proto 58/ipv6-icmp)");
    else if (status == 0 && host->trace_protocol == IPPROTO_ICMP)
        status = hbytes_append_str(out, " (using proto 1/icmp)");
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

#define RTT_SIZE 32

static const char *format_rtt(const hop_t *hop, char *buf)
{
    snprintf(buf, RTT_SIZE, "%.2f ms", (double)hop->rtt_us / 1e3);
    return buf;
}

static int write_hop(hbytes_t *out, const hop_t *hop, size_t width)
{
    char ip[HADDR_FORMAT_SIZE], rtt[RTT_SIZE];
    int status = hbytes_printf(out, "%-3u %-*s ", hop->ttl, (int)width, format_rtt(hop, rtt));

    haddr_ip(&hop->addr.u.sa, ip, sizeof(ip));
    if (status == 0 && hop->name)
        status = write_safe(out, hop->name);
    return status < 0 ? status : hbytes_printf(out, hop->name ? " (%s)\n" : "%s\n", ip);
}

/* "2   ..." or "2   ... 4": hops that said nothing, up to before next. */
static int write_gap(hbytes_t *out, unsigned first, unsigned next)
{
    if (first >= next)
        return 0;
    return next - first == 1 ? hbytes_printf(out, "%-3u ...\n", first)
                             : hbytes_printf(out, "%-3u ... %u\n", first, next - 1);
}

static int write_trace(hbytes_t *out, const host_result_t *host)
{
    char rtt[RTT_SIZE];
    size_t width = strlen("RTT");
    unsigned next = 1;
    int status;

    if (host->hops == NULL)
        return 0;
    for (size_t i = 0; i < host->hop_count; i++) {
        size_t len = strlen(format_rtt(&host->hops[i], rtt));

        width = len > width ? len : width;
    }
    status = write_trace_head(out, host);
    if (status == 0)
        status = hbytes_printf(out, "HOP %-*s ADDRESS\n", (int)width, "RTT");
    for (size_t i = 0; i < host->hop_count && status == 0; i++) {
        status = write_gap(out, next, host->hops[i].ttl);
        if (status == 0)
            status = write_hop(out, &host->hops[i], width);
        next = host->hops[i].ttl + 1u;
    }
    return status < 0 ? status : write_gap(out, next, host->hops_asked + 1u);
}

static int write_up_host(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE];
    int status = hbytes_append_char(out, '\n');

    if (status == 0)
        status = write_up(out, run, host);
    if (status == 0 && host->timed_out)
        status = hbytes_printf(out, "Skipping host %s due to host timeout\n", output_ip(host, ip));
    else if (status == 0 && host->has_ports)
        status = write_ports(out, run, host);
    if (status == 0)
        status = write_mac(out, host);
    if (status == 0)
        status = output_os_normal(out, host->os);
    if (status == 0 && host->has_ports)
        status = write_info(out, host);
    if (status == 0)
        status = write_trace(out, host);
    /* Between hosts with tables there is an empty line. */
    return status == 0 && (host->has_ports || host->timed_out || host->hops)
               ? hbytes_append_char(out, '\n')
               : status;
}

static int write_host(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    int status = write_who(out, host);

    if (status < 0)
        return status;
    if (host->state == HOST_DOWN)
        return hbytes_append_str(out, " [host down]\n");
    if (host->state != HOST_UP)
        return hbytes_append_char(out, '\n');
    return write_up_host(out, run, host);
}

static int end_terminal(hbytes_t *out, const run_t *run, const totals_t *totals)
{
    int status = 0;

    (void)totals;
    if (run->up == 0 && run->total == 1 && !run->lists_only && run->verbose == 0 && !run->error)
        status = hbytes_append_str(out, "Note: Host seems down. If it is really up, but blocking "
                                        "our ping probes, try -Pn\n");
    if (status == 0)
        status = hbytes_append_str(out, "hnmap done: ");
    if (status == 0)
        status = output_summary(out, run);
    if (status == 0 && run->error)
        status = hbytes_printf(out, " (%s)", run->error);
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

static int write_change(hbytes_t *out, const change_t *change)
{
    struct tm parts;
    char date[OUTPUT_DATE_SIZE] = "";
    int status;

    if (localtime_r(&change->time, &parts))
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S ", &parts);
    status = hbytes_append_str(out, date);
    if (status == 0)
        status = change_write(out, change);
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

const output_format_t output_normal = {.name = "normal",
                                       .extension = ".nmap",
                                       .begin = begin_file,
                                       .host = write_host,
                                       .end = output_done,
                                       .line = hbytes_append_str,
                                       .change = write_change};

const output_format_t output_terminal = {.name = "normal",
                                         .begin = begin_terminal,
                                         .host = write_host,
                                         .end = end_terminal,
                                         .line = hbytes_append_str,
                                         .change = write_change};
