/* The format for grep and awk: a line for what each host is, a line for its ports. */
#include "output.h"
#include "output_os.h"
#include "output_text.h"

#include <inttypes.h>
#include <netinet/in.h>

static int write_scanned(hbytes_t *out, const run_t *run, uint8_t protocol, const char *name)
{
    for (size_t i = 0; i < run->info_count; i++)
        if (run->infos[i].protocol == protocol)
            return hbytes_printf(out, " %s(%" PRIu32 ";%s)", name, run->infos[i].count,
                                 run->infos[i].ports);
    return hbytes_printf(out, " %s(0;)", name);
}

static int begin(hbytes_t *out, const run_t *run)
{
    char date[OUTPUT_DATE_SIZE];
    int status = hbytes_printf(out, "# hnmap %s scan initiated %s as: %s\n", run->version,
                               output_date(run->start, date), run->args);

    if (status < 0 || run->verbose == 0)
        return status;
    status = hbytes_append_str(out, "# Ports scanned:");
    if (status == 0)
        status = write_scanned(out, run, IPPROTO_TCP, "TCP");
    if (status == 0)
        status = write_scanned(out, run, IPPROTO_UDP, "UDP");
    return status < 0 ? status : hbytes_append_str(out, " SCTP(0;) PROTOCOLS(0;)\n");
}

/* A field may hold neither the separators nor anything that ends a line. */
static int write_field(hbytes_t *out, const char *text, bool ends)
{
    int status = 0;

    for (; text && *text && status == 0; text++) {
        unsigned char c = (unsigned char)*text;

        status = hbytes_append_char(out, c == '/' || c == ',' ? '|' : c < 32 ? ' ' : (char)c);
    }
    return status < 0 || !ends ? status : hbytes_append_char(out, '/');
}

/* 22/open/tcp//ssh//OpenSSH 9.2/: port, state, protocol, owner, service, RPC, version. */
static int write_port(hbytes_t *out, const port_result_t *port)
{
    const service_t *service = port->service;
    hbytes_t version = {0};
    int status =
        hbytes_printf(out, "%u/%s/%s//%s", port->number, port_state_name(port->state),
                      protocol_name(port->protocol), service && service->is_tls ? "ssl|" : "");

    if (status == 0)
        status = write_field(out, port_service_name(port), true);
    if (status == 0)
        status = hbytes_append_char(out, '/');
    if (status == 0 && service)
        status = output_version(&version, service);
    if (status == 0)
        status = write_field(out, version.data, true);
    hbytes_deinit(&version);
    return status;
}

static int write_ports(hbytes_t *out, const host_result_t *host)
{
    int status = hbytes_append_str(out, "\tPorts: ");
    uint32_t ignored = 0;

    for (size_t i = 0; i < host->port_count && status == 0; i++) {
        if (i > 0)
            status = hbytes_append_str(out, ", ");
        if (status == 0)
            status = write_port(out, &host->ports[i]);
    }
    if (status < 0 || host->group_count == 0)
        return status;
    for (size_t i = 0; i < host->group_count; i++) {
        if (host->groups[i].state != host->groups[0].state)
            return 0; /* there is room for one state alone: as nmap, none of two */
        ignored += host->groups[i].count;
    }
    return hbytes_printf(out, "\tIgnored State: %s (%" PRIu32 ")",
                         port_state_name(host->groups[0].state), ignored);
}

static int write_host(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    static const char *const words[] = {"Unknown", "Up", "Down", "Skipped"};
    char ip[HADDR_FORMAT_SIZE];
    const char *name = output_name(host);
    int status;

    (void)run;
    output_ip(host, ip);
    status = hbytes_printf(out, "Host: %s (%s)\tStatus: %s\n", ip, name ? name : "",
                           words[host->state <= HOST_SKIPPED ? host->state : 0]);
    if (status < 0 || (!host->has_ports && !host->timed_out))
        return status;
    status = hbytes_printf(out, "Host: %s (%s)", ip, name ? name : "");
    if (status == 0)
        status =
            host->timed_out ? hbytes_append_str(out, "\tStatus: Timeout") : write_ports(out, host);
    if (status == 0)
        status = output_os_grepable(out, host->os);
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

const output_format_t output_grepable = {.name = "grepable",
                                         .extension = ".gnmap",
                                         .begin = begin,
                                         .host = write_host,
                                         .end = output_done};
