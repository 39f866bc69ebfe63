/* nmap's XML, version 1.05 of its form: the same elements, attributes and order, so that what reads
 * the original reads this. The form fixes the name of the scanner. */
#include "output.h"
#include "output_os.h"
#include "output_text.h"

#include "base/hstr.h"

#include <inttypes.h>
#include <string.h>

/* Text within quotes, or within a comment, where two dashes must not follow each other. What is no
 * character of XML 1.0 (section 2.2) or not UTF-8 becomes a '?'. */
static int write_text(hbytes_t *out, const char *text)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}};
    const char *end = text + strlen(text);
    int status = 0;

    while (text < end && status == 0) {
        size_t len = hstr_utf8_len(text, (size_t)(end - text)), i = 0;
        unsigned char c = (unsigned char)*text;

        while (i < sizeof(entities) / sizeof(entities[0]) && entities[i].c != *text)
            i++;
        if (i < sizeof(entities) / sizeof(entities[0]))
            status = hbytes_append_str(out, entities[i].entity);
        else if (c == '-' && text[1] == '-')
            status = hbytes_append_str(out, "-&#45;"), len = 2;
        else if (len == 0 || (c < 32 && c != '\t' && c != '\n' && c != '\r') || c == 127)
            status = hbytes_append_char(out, '?');
        else if (c < 32)
            status = hbytes_printf(out, "&#x%x;", c);
        else
            status = hbytes_append(out, text, len);
        text += len ? len : 1;
    }
    return status;
}

/* ' name="text"', nothing for NULL. */
static int write_attribute(hbytes_t *out, const char *name, const char *text)
{
    int status = text ? hbytes_printf(out, " %s=\"", name) : 0;

    if (text && status == 0)
        status = write_text(out, text);
    return text && status == 0 ? hbytes_append_char(out, '"') : status;
}

static int write_info(hbytes_t *out, const scan_info_t *info)
{
    return hbytes_printf(out,
                         "<scaninfo type=\"%s\" protocol=\"%s\" numservices=\"%" PRIu32
                         "\" services=\"%s\"/>\n",
                         info->type, protocol_name(info->protocol), info->count, info->ports);
}

/* https://www.w3.org/TR/xml-stylesheet/ */
static int write_stylesheet(hbytes_t *out, const char *url)
{
    int status = hbytes_append_str(out, "<?xml-stylesheet");

    if (status == 0)
        status = write_attribute(out, "href", url);
    return status == 0 ? hbytes_append_str(out, " type=\"text/xsl\"?>\n") : status;
}

static int begin(hbytes_t *out, const run_t *run)
{
    char date[OUTPUT_DATE_SIZE];
    int status =
        hbytes_append_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE nmaprun>\n");

    if (status == 0 && run->stylesheet)
        status = write_stylesheet(out, run->stylesheet);
    if (status == 0)
        status = hbytes_printf(out, "<!-- hnmap %s scan initiated %s as: ", run->version,
                               output_date(run->start, date));
    if (status == 0)
        status = write_text(out, run->args);
    if (status == 0)
        status = hbytes_append_str(out, " -->\n<nmaprun scanner=\"nmap\"");
    if (status == 0)
        status = write_attribute(out, "args", run->args);
    if (status == 0)
        status = hbytes_printf(out,
                               " start=\"%lld\" startstr=\"%s\" version=\"%s\" "
                               "xmloutputversion=\"1.05\">\n",
                               (long long)run->start, date, run->version);
    for (size_t i = 0; i < run->info_count && status == 0; i++)
        status = write_info(out, &run->infos[i]);
    return status < 0 ? status
                      : hbytes_printf(out, "<verbose level=\"%d\"/>\n<debugging level=\"%d\"/>\n",
                                      run->verbose, run->debug);
}

/* ---- a host ---------------------------------------------------------------------------------- */

static int write_addresses(hbytes_t *out, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE], mac[18];
    int status = hbytes_printf(out, "<address addr=\"%s\" addrtype=\"%s\"/>\n", output_ip(host, ip),
                               host->addr.u.sa.sa_family == AF_INET6 ? "ipv6" : "ipv4");

    if (status < 0 || !host->has_mac)
        return status;
    status =
        hbytes_printf(out, "<address addr=\"%s\" addrtype=\"mac\"", output_mac(host->mac, mac));
    if (status == 0)
        status = write_attribute(out, "vendor", host->vendor);
    return status < 0 ? status : hbytes_append_str(out, "/>\n");
}

static int write_hostname(hbytes_t *out, const char *name, const char *type)
{
    int status = name ? hbytes_append_str(out, "<hostname") : 0;

    if (name && status == 0)
        status = write_attribute(out, "name", name);
    return name && status == 0 ? hbytes_printf(out, " type=\"%s\"/>\n", type) : status;
}

static int write_hostnames(hbytes_t *out, const host_result_t *host)
{
    int status;

    if (host->state != HOST_UP && output_name(host) == NULL)
        return 0;
    status = hbytes_append_str(out, "<hostnames>\n");
    if (status == 0)
        status = write_hostname(out, host->asked, "user");
    if (status == 0)
        status = write_hostname(out, host->name, "PTR");
    return status < 0 ? status : hbytes_append_str(out, "</hostnames>\n");
}

/* The groups of one state make one element, at the place of the first of them. */
static int write_group(hbytes_t *out, const host_result_t *host, size_t first)
{
    uint8_t state = host->groups[first].state;
    uint32_t count = 0;
    int status;

    for (size_t i = 0; i < host->group_count; i++) {
        if (host->groups[i].state != state)
            continue;
        if (i < first)
            return 0;
        count += host->groups[i].count;
    }
    status = hbytes_printf(out, "<extraports state=\"%s\" count=\"%" PRIu32 "\">\n",
                           port_state_name(state), count);
    for (size_t i = first; i < host->group_count && status == 0; i++) {
        const port_group_t *group = &host->groups[i];

        if (group->state == state)
            status = hbytes_printf(out,
                                   "<extrareasons reason=\"%s\" count=\"%" PRIu32
                                   "\" proto=\"%s\" ports=\"%s\"/>\n",
                                   reason_name(group->reason), group->count,
                                   protocol_name(group->protocol), group->ports);
    }
    return status < 0 ? status : hbytes_append_str(out, "</extraports>\n");
}

static int write_cpes(hbytes_t *out, const service_t *service)
{
    int status = 0;

    for (size_t i = 0; i < sizeof(service->cpe) / sizeof(service->cpe[0]) && status == 0; i++) {
        if (service->cpe[i] == NULL)
            continue;
        status = hbytes_append_str(out, "<cpe>");
        if (status == 0)
            status = write_text(out, service->cpe[i]);
        if (status == 0)
            status = hbytes_append_str(out, "</cpe>");
    }
    return status;
}

static int write_service(hbytes_t *out, const port_result_t *port)
{
    static const service_t nothing = {0};
    const service_t *s = port->service ? port->service : &nothing;
    const struct {
        const char *name, *text;
    } attributes[] = {
        {"name", port_service_name(port)}, {"product", s->product},
        {"version", s->version},           {"extrainfo", s->extra},
        {"hostname", s->hostname},         {"ostype", s->os},
        {"devicetype", s->device},         {"tunnel", s->is_tls ? "ssl" : NULL},
    };
    int status = 0;

    if (attributes[0].text == NULL)
        return 0;
    status = hbytes_append_str(out, "<service");
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]) && status == 0; i++)
        status = write_attribute(out, attributes[i].name, attributes[i].text);
    if (status == 0)
        status =
            hbytes_printf(out, " method=\"%s\" conf=\"%u\"", s->confidence > 3 ? "probed" : "table",
                          s->confidence ? s->confidence : 3);
    if (status < 0 || s->cpe[0] == NULL)
        return status < 0 ? status : hbytes_append_str(out, "/>");
    status = hbytes_append_char(out, '>');
    if (status == 0)
        status = write_cpes(out, s);
    return status < 0 ? status : hbytes_append_str(out, "</service>");
}

static int write_script(hbytes_t *out, const char *id, const char *output)
{
    int status;

    if (output == NULL)
        return 0;
    status = hbytes_printf(out, "<script id=\"%s\"", id);
    if (status == 0)
        status = write_attribute(out, "output", output);
    return status < 0 ? status : hbytes_append_str(out, "/>");
}

static int write_port(hbytes_t *out, const port_result_t *port)
{
    int status = hbytes_printf(out,
                               "<port protocol=\"%s\" portid=\"%u\"><state state=\"%s\" "
                               "reason=\"%s\" reason_ttl=\"%u\"/>",
                               protocol_name(port->protocol), port->number,
                               port_state_name(port->state), reason_name(port->reason), port->ttl);

    if (status == 0)
        status = write_service(out, port);
    if (status == 0 && port->service)
        status = write_script(out, "tls", port->service->tls);
    if (status == 0 && port->service)
        status = write_script(out, "banner", port->service->banner);
    return status < 0 ? status : hbytes_append_str(out, "</port>\n");
}

static int write_ports(hbytes_t *out, const host_result_t *host)
{
    int status = hbytes_append_str(out, "<ports>");

    for (size_t i = 0; i < host->group_count && status == 0; i++)
        status = write_group(out, host, i);
    for (size_t i = 0; i < host->port_count && status == 0; i++)
        status = write_port(out, &host->ports[i]);
    return status < 0 ? status : hbytes_append_str(out, "</ports>\n");
}

static int write_hop(hbytes_t *out, const hop_t *hop)
{
    char ip[HADDR_FORMAT_SIZE];
    int status =
        hbytes_printf(out, "<hop ttl=\"%u\" ipaddr=\"%s\" rtt=\"%.2f\"", hop->ttl,
                      haddr_ip(&hop->addr.u.sa, ip, sizeof(ip)), (double)hop->rtt_us / 1e3);

    if (status == 0)
        status = write_attribute(out, "host", hop->name);
    return status < 0 ? status : hbytes_append_str(out, "/>\n");
}

static int write_trace(hbytes_t *out, const host_result_t *host)
{
    int status = hbytes_append_str(out, "<trace");

    if (status == 0 && host->trace_port > 0)
        status = hbytes_printf(out, " port=\"%u\" proto=\"tcp\"", host->trace_port);
    else if (status == 0 && host->trace_protocol != 0)
        status = hbytes_append_str(out, " proto=\"icmp\"");
    if (status == 0)
        status = hbytes_append_str(out, ">\n");
    for (size_t i = 0; i < host->hop_count && status == 0; i++)
        status = write_hop(out, &host->hops[i]);
    return status < 0 ? status : hbytes_append_str(out, "</trace>\n");
}

static int open_host(hbytes_t *out, const host_result_t *host)
{
    int status = hbytes_append_str(out, "<host");

    if (status == 0 && (host->has_ports || host->timed_out))
        status = hbytes_printf(out, " starttime=\"%lld\" endtime=\"%lld\"", (long long)host->start,
                               (long long)host->end);
    if (status == 0 && host->timed_out)
        status = hbytes_append_str(out, " timedout=\"true\"");
    return status < 0
               ? status
               : hbytes_printf(out, "><status state=\"%s\" reason=\"%s\" reason_ttl=\"%u\"/>\n",
                               host_state_name(host->state), reason_name(host->reason), host->ttl);
}

static int write_host(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    int status = open_host(out, host);

    (void)run;
    if (status == 0)
        status = write_addresses(out, host);
    if (status == 0)
        status = write_hostnames(out, host);
    if (status == 0 && host->has_ports)
        status = write_ports(out, host);
    if (status == 0)
        status = output_os_xml(out, host->os);
    if (status == 0 && host->hops)
        status = write_trace(out, host);
    if (status == 0 && host->srtt_us > 0)
        status = hbytes_printf(
            out, "<times srtt=\"%" PRIu64 "\" rttvar=\"%" PRIu64 "\" to=\"%" PRIu64 "\"/>\n",
            host->srtt_us, host->rttvar_us, host->timeout_us);
    return status < 0 ? status : hbytes_append_str(out, "</host>\n");
}

static int end(hbytes_t *out, const run_t *run, const totals_t *totals)
{
    char date[OUTPUT_DATE_SIZE];
    int status = hbytes_printf(out,
                               "<runstats><finished time=\"%lld\" timestr=\"%s\" "
                               "summary=\"hnmap done at %s; ",
                               (long long)run->end, output_date(run->end, date), date);

    (void)totals;
    if (status == 0)
        status = output_summary(out, run);
    if (status == 0)
        status = hbytes_printf(out, "\" elapsed=\"%.2f\" exit=\"%s\"", run->elapsed_s,
                               run->error ? "error" : "success");
    if (status == 0)
        status = write_attribute(out, "errormsg", run->error);
    return status < 0 ? status
                      : hbytes_printf(out,
                                      "/><hosts up=\"%" PRIu64 "\" down=\"%" PRIu64
                                      "\" total=\"%" PRIu64 "\"/>\n</runstats>\n</nmaprun>\n",
                                      run->up, run->down, run->total);
}

const output_format_t output_xml = {
    .name = "XML", .extension = ".xml", .begin = begin, .host = write_host, .end = end};
