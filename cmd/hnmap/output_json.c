/* Lines of JSON: an object for the scan, one for each host as it is done, one for the end. What is
 * not known is left out. */
#include "output.h"
#include "output_os.h"
#include "output_text.h"

#include "base/hjson.h"

#include <stdio.h>

#define OS_ITEM_SIZE 128

static void put_string(hjson_t *j, const char *key, const char *text)
{
    if (text == NULL)
        return;
    hjson_add_string(j, key, text);
}

static void put_time(hjson_t *j, const char *key, time_t value)
{
    hjson_key(j, key);
    hjson_int(j, value);
}

static void put_ms(hjson_t *j, const char *key, uint64_t us)
{
    hjson_key(j, key);
    hjson_fixed(j, (int64_t)us, 3);
}

static void open_line(hjson_t *j, hbytes_t *out, const char *type)
{
    hjson_init(j, out);
    hjson_open_object(j);
    put_string(j, "type", type);
}

static int close_line(hjson_t *j)
{
    int status;

    hjson_close(j);
    status = hjson_finish(j);
    return status < 0 ? status : hbytes_append_char(j->out, '\n');
}

static int begin(hbytes_t *out, const run_t *run)
{
    hjson_t j;

    open_line(&j, out, "scan");
    put_string(&j, "scanner", "hnmap");
    put_string(&j, "version", run->version);
    put_string(&j, "args", run->args);
    put_time(&j, "start", run->start);
    hjson_key(&j, "scans");
    hjson_open_array(&j);
    for (size_t i = 0; i < run->info_count; i++) {
        hjson_open_object(&j);
        put_string(&j, "type", run->infos[i].type);
        put_string(&j, "protocol", protocol_name(run->infos[i].protocol));
        hjson_add_uint(&j, "count", run->infos[i].count);
        put_string(&j, "ports", run->infos[i].ports);
        hjson_close(&j);
    }
    hjson_close(&j);
    return close_line(&j);
}

/* ---- a host ---------------------------------------------------------------------------------- */

static void put_cpes(hjson_t *j, const service_t *service)
{
    if (service->cpe[0] == NULL)
        return;
    hjson_key(j, "cpe");
    hjson_open_array(j);
    for (size_t i = 0; i < sizeof(service->cpe) / sizeof(service->cpe[0]); i++)
        if (service->cpe[i])
            hjson_string(j, service->cpe[i]);
    hjson_close(j);
}

static void put_service(hjson_t *j, const port_result_t *port)
{
    static const service_t nothing = {0};
    const service_t *s = port->service ? port->service : &nothing;

    put_string(j, "service", port_service_name(port));
    if (port->service == NULL)
        return;
    hjson_add_bool(j, "tls", s->is_tls);
    put_string(j, "product", s->product);
    put_string(j, "version", s->version);
    put_string(j, "extra", s->extra);
    put_string(j, "hostname", s->hostname);
    put_string(j, "os", s->os);
    put_string(j, "device", s->device);
    put_cpes(j, s);
    hjson_add_uint(j, "confidence", s->confidence);
    put_string(j, "tls_details", s->tls);
    put_string(j, "banner", s->banner);
}

static void put_ports(hjson_t *j, const host_result_t *host)
{
    hjson_key(j, "ports");
    hjson_open_array(j);
    for (size_t i = 0; i < host->port_count; i++) {
        const port_result_t *port = &host->ports[i];

        hjson_open_object(j);
        hjson_add_uint(j, "port", port->number);
        put_string(j, "protocol", protocol_name(port->protocol));
        put_string(j, "state", port_state_name(port->state));
        put_string(j, "reason", reason_name(port->reason));
        if (port->ttl > 0)
            hjson_add_uint(j, "ttl", port->ttl);
        put_service(j, port);
        hjson_close(j);
    }
    hjson_close(j);
}

static void put_groups(hjson_t *j, const host_result_t *host)
{
    hjson_key(j, "not_shown");
    hjson_open_array(j);
    for (size_t i = 0; i < host->group_count; i++) {
        const port_group_t *group = &host->groups[i];

        hjson_open_object(j);
        put_string(j, "state", port_state_name(group->state));
        put_string(j, "protocol", protocol_name(group->protocol));
        put_string(j, "reason", reason_name(group->reason));
        hjson_add_uint(j, "count", group->count);
        put_string(j, "ports", group->ports);
        hjson_close(j);
    }
    hjson_close(j);
}

static void put_host(hjson_t *j, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE], mac[18];

    put_string(j, "ip", output_ip(host, ip));
    put_string(j, "asked", host->asked);
    put_string(j, "name", host->name);
    put_string(j, "mac", host->has_mac ? output_mac(host->mac, mac) : NULL);
    put_string(j, "vendor", host->has_mac ? host->vendor : NULL);
    put_string(j, "state", host_state_name(host->state));
    put_string(j, "reason", reason_name(host->reason));
    if (host->ttl > 0)
        hjson_add_uint(j, "ttl", host->ttl);
    put_time(j, "start", host->start);
    put_time(j, "end", host->end);
    if (host->srtt_us > 0) {
        put_ms(j, "rtt_ms", host->srtt_us);
        put_ms(j, "rtt_variance_ms", host->rttvar_us);
    }
    if (host->timed_out)
        hjson_add_bool(j, "timed_out", true);
}

static void put_items(hjson_t *j, const char *key, const char *list)
{
    char text[OS_ITEM_SIZE];
    const char *item;
    size_t len;

    if (list == NULL)
        return;
    hjson_key(j, key);
    hjson_open_array(j);
    while ((item = output_os_item(&list, &len)) != NULL) {
        snprintf(text, sizeof(text), "%.*s", (int)len, item);
        hjson_string(j, text);
    }
    hjson_close(j);
}

static void put_os(hjson_t *j, const os_result_t *os)
{
    hjson_key(j, "os_guesses");
    hjson_open_array(j);
    for (size_t i = 0; i < os->guess_count; i++) {
        const os_system_t *system = os->guesses[i].system;

        hjson_open_object(j);
        put_string(j, "name", system->name);
        hjson_add_uint(j, "accuracy", os->guesses[i].accuracy);
        put_string(j, "type", system->type);
        put_string(j, "vendor", system->vendor);
        put_string(j, "family", system->family);
        put_items(j, "generations", system->generations);
        put_items(j, "cpe", system->cpes);
        hjson_close(j);
    }
    hjson_close(j);
    if (os->has_distance)
        hjson_add_uint(j, "distance", os->distance);
}

static void put_trace(hjson_t *j, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE];

    hjson_key(j, "trace");
    hjson_open_array(j);
    for (size_t i = 0; i < host->hop_count; i++) {
        const hop_t *hop = &host->hops[i];

        hjson_open_object(j);
        hjson_add_uint(j, "hop", hop->ttl);
        put_string(j, "ip", haddr_ip(&hop->addr.u.sa, ip, sizeof(ip)));
        put_string(j, "name", hop->name);
        put_ms(j, "rtt_ms", hop->rtt_us);
        hjson_close(j);
    }
    hjson_close(j);
}

static int write_host(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    hjson_t j;

    (void)run;
    open_line(&j, out, "host");
    put_host(&j, host);
    if (host->has_ports && !host->timed_out) {
        put_ports(&j, host);
        put_groups(&j, host);
    }
    if (host->os)
        put_os(&j, host->os);
    if (host->hops)
        put_trace(&j, host);
    return close_line(&j);
}

static int end(hbytes_t *out, const run_t *run, const totals_t *totals)
{
    hjson_t j;

    (void)totals;
    open_line(&j, out, "done");
    put_time(&j, "end", run->end);
    hjson_key(&j, "elapsed_s");
    hjson_fixed(&j, (int64_t)(run->elapsed_s * 1000), 3);
    hjson_add_uint(&j, "up", run->up);
    hjson_add_uint(&j, "down", run->down);
    hjson_add_uint(&j, "total", run->total);
    put_string(&j, "exit", run->error ? "error" : "success");
    put_string(&j, "error", run->error);
    return close_line(&j);
}

static int write_change(hbytes_t *out, const change_t *change)
{
    static const char *const names[] = {
        [CHANGE_HOST] = "host", [CHANGE_PORTS] = "ports", [CHANGE_SERVICE] = "service"};
    char ip[HADDR_FORMAT_SIZE];
    hjson_t j;

    open_line(&j, out, "change");
    put_time(&j, "time", change->time);
    put_string(&j, "ip", output_ip(change->host, ip));
    put_string(&j, "name", output_name(change->host));
    put_string(&j, "what", names[change->what]);
    if (change->what != CHANGE_HOST) {
        put_string(&j, "protocol", protocol_name(change->protocol));
        put_string(&j, "ports", change->ports);
    }
    put_string(&j, change->what == CHANGE_SERVICE ? "service" : "state", change->now);
    put_string(&j, "was", change->was);
    return close_line(&j);
}

const output_format_t output_json = {
    .name = "JSON", .begin = begin, .host = write_host, .end = end, .change = write_change};
