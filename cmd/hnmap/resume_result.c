/* All that is known of a host. What comes from the targets, the tables of names and vendors or the
 * ports' numbers is not kept. */
#include "resume_bytes.h"

#include "base/herr.h"
#include "base/hmem.h"

#include <netinet/in.h>
#include <string.h>

/* Of an item as it is kept, at least. */
#define PORT_LEN_MIN 6
#define GROUP_LEN_MIN 5
#define HOP_LEN_MIN 8
#define PORTS_MAX (2 * 65536)
#define GROUPS_MAX 4096
#define CPES (sizeof(((service_t *)0)->cpe) / sizeof(((service_t *)0)->cpe[0]))
#define STRINGS 9

/* The texts of a service, in the order in which they are kept. */
static void find_strings(service_t *service, char **strings[STRINGS])
{
    char **const all[STRINGS] = {&service->name,   &service->product,  &service->version,
                                 &service->extra,  &service->hostname, &service->os,
                                 &service->device, &service->banner,   &service->tls};

    memcpy(strings, all, sizeof(all));
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_service(resume_writer_t *w, const service_t *service)
{
    service_t copy = *service;
    char **strings[STRINGS];

    find_strings(&copy, strings);
    for (size_t i = 0; i < STRINGS; i++)
        resume__put_string(w, *strings[i]);
    for (size_t i = 0; i < CPES; i++)
        resume__put_string(w, service->cpe[i]);
    resume__put_byte(w, service->is_tls);
    resume__put_byte(w, service->confidence);
}

static void put_port(resume_writer_t *w, const port_result_t *port)
{
    resume__put_number(w, port->number);
    resume__put_byte(w, port->protocol);
    resume__put_byte(w, port->state);
    resume__put_byte(w, port->reason);
    resume__put_byte(w, port->ttl);
    resume__put_byte(w, port->service != NULL);
    if (port->service)
        put_service(w, port->service);
}

static void put_group(resume_writer_t *w, const port_group_t *group)
{
    resume__put_byte(w, group->state);
    resume__put_byte(w, group->protocol);
    resume__put_byte(w, group->reason);
    resume__put_number(w, group->count);
    resume__put_string(w, group->ports);
}

static void put_hop(resume_writer_t *w, const hop_t *hop)
{
    const sockaddr_u *addr = &hop->addr.u;
    bool is_v6 = addr->sa.sa_family == AF_INET6;

    resume__put_byte(w, hop->ttl);
    resume__put_number(w, hop->rtt_us);
    resume__put_byte(w, is_v6);
    if (is_v6) {
        resume__put_bytes(w, &addr->sin6.sin6_addr, sizeof(addr->sin6.sin6_addr));
        resume__put_number(w, addr->sin6.sin6_scope_id);
    } else {
        resume__put_bytes(w, &addr->sin.sin_addr, sizeof(addr->sin.sin_addr));
    }
    resume__put_string(w, hop->name);
}

static void put_os(resume_writer_t *w, const os_result_t *os)
{
    resume__put_number(w, os->guess_count);
    for (size_t i = 0; i < os->guess_count; i++) {
        resume__put_number(w, os->guesses[i].line);
        resume__put_byte(w, os->guesses[i].accuracy);
    }
    resume__put_number(w, os->open_port);
    resume__put_number(w, os->closed_port);
    resume__put_byte(w, os->has_distance);
    resume__put_byte(w, os->distance);
}

void resume__put_result(resume_writer_t *w, const host_result_t *result)
{
    const resume_rtt_t rtt = {result->srtt_us, result->rttvar_us, result->timeout_us};

    resume__put_byte(w, result->state);
    resume__put_byte(w, result->reason);
    resume__put_byte(w, result->ttl);
    resume__put_byte(w, result->is_unasked);
    resume__put_byte(w, result->timed_out);
    resume__put_byte(w, result->has_mac);
    resume__put_bytes(w, result->mac, sizeof(result->mac));
    resume__put_number(w, (uint64_t)result->start);
    resume__put_number(w, (uint64_t)result->end);
    resume__put_rtt(w, &rtt);
    resume__put_string(w, result->name);
    resume__put_byte(w, result->has_ports);
    resume__put_number(w, result->port_count);
    for (size_t i = 0; i < result->port_count; i++)
        put_port(w, &result->ports[i]);
    resume__put_number(w, result->group_count);
    for (size_t i = 0; i < result->group_count; i++)
        put_group(w, &result->groups[i]);
    resume__put_byte(w, result->os != NULL);
    if (result->os)
        put_os(w, result->os);
    resume__put_number(w, result->hop_count);
    for (size_t i = 0; i < result->hop_count; i++)
        put_hop(w, &result->hops[i]);
    resume__put_byte(w, result->hops_asked);
    resume__put_byte(w, result->trace_protocol);
    resume__put_number(w, result->trace_port);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Room for what follows; NULL for none, or after an error. */
static void *get_array(resume_reader_t *r, size_t count, size_t size)
{
    void *items = count > 0 ? hmem_array(count, size) : NULL;

    if (count > 0 && items == NULL)
        resume__get_wrong(r, -ENOMEM);
    return items;
}

static uint8_t get_protocol(resume_reader_t *r)
{
    uint8_t protocol = resume__get_byte(r, UINT8_MAX);

    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
        resume__get_wrong(r, HERR_SYNTAX);
    return protocol;
}

static service_t *get_service(resume_reader_t *r)
{
    service_t *service = get_array(r, 1, sizeof(*service));
    char **strings[STRINGS];

    if (service == NULL)
        return NULL;
    find_strings(service, strings);
    for (size_t i = 0; i < STRINGS; i++)
        *strings[i] = resume__get_copy(r);
    for (size_t i = 0; i < CPES; i++)
        service->cpe[i] = resume__get_copy(r);
    service->is_tls = resume__get_bool(r);
    service->confidence = resume__get_byte(r, UINT8_MAX);
    return service;
}

static void get_ports(resume_reader_t *r, host_result_t *result)
{
    size_t count = resume__get_count(r, PORTS_MAX, PORT_LEN_MIN);

    result->ports = get_array(r, count, sizeof(*result->ports));
    for (size_t i = 0; i < count && r->error == 0; i++) {
        port_result_t *port = &result->ports[result->port_count++];

        port->number = (uint16_t)resume__get_number(r, UINT16_MAX);
        port->protocol = get_protocol(r);
        port->state = resume__get_byte(r, PORT_STATES - 1);
        port->reason = resume__get_byte(r, REASONS - 1);
        port->ttl = resume__get_byte(r, UINT8_MAX);
        port->service = resume__get_bool(r) ? get_service(r) : NULL;
    }
}

static void get_groups(resume_reader_t *r, host_result_t *result)
{
    size_t count = resume__get_count(r, GROUPS_MAX, GROUP_LEN_MIN);

    result->groups = get_array(r, count, sizeof(*result->groups));
    for (size_t i = 0; i < count && r->error == 0; i++) {
        port_group_t *group = &result->groups[result->group_count++];

        group->state = resume__get_byte(r, PORT_STATES - 1);
        group->protocol = get_protocol(r);
        group->reason = resume__get_byte(r, REASONS - 1);
        group->count = (uint32_t)resume__get_number(r, PORTS_MAX);
        group->ports = resume__get_copy(r);
        if (group->ports == NULL || strspn(group->ports, "0123456789-,") != strlen(group->ports))
            resume__get_wrong(r, HERR_SYNTAX);
    }
}

static void get_address(resume_reader_t *r, haddr_t *addr)
{
    if (resume__get_bool(r)) {
        haddr_any(addr, AF_INET6, 0);
        resume__get_bytes(r, &addr->u.sin6.sin6_addr, sizeof(addr->u.sin6.sin6_addr));
        addr->u.sin6.sin6_scope_id = (uint32_t)resume__get_number(r, UINT32_MAX);
    } else {
        haddr_any(addr, AF_INET, 0);
        resume__get_bytes(r, &addr->u.sin.sin_addr, sizeof(addr->u.sin.sin_addr));
    }
}

/* The table is that of this version, and so is the file. */
static os_result_t *get_os(resume_reader_t *r)
{
    os_result_t *os = get_array(r, 1, sizeof(*os));

    if (os == NULL)
        return NULL;
    os->guess_count = resume__get_count(r, OS_GUESSES_MAX, 2);
    for (size_t i = 0; i < os->guess_count && r->error == 0; i++) {
        os_guess_t *guess = &os->guesses[i];

        guess->line = (unsigned)resume__get_number(r, os_row_count);
        guess->accuracy = resume__get_byte(r, 100);
        if (guess->line == 0)
            resume__get_wrong(r, HERR_SYNTAX);
        else
            guess->system = &os_rows[guess->line - 1].system;
    }
    if (r->error < 0)
        os->guess_count = 0;
    os->open_port = (uint16_t)resume__get_number(r, UINT16_MAX);
    os->closed_port = (uint16_t)resume__get_number(r, UINT16_MAX);
    os->has_distance = resume__get_bool(r);
    os->distance = resume__get_byte(r, UINT8_MAX);
    return os;
}

static void get_hops(resume_reader_t *r, host_result_t *result)
{
    size_t count = resume__get_count(r, RESUME_HOPS_MAX, HOP_LEN_MIN);

    result->hops = get_array(r, count, sizeof(*result->hops));
    for (size_t i = 0; i < count && r->error == 0; i++) {
        hop_t *hop = &result->hops[result->hop_count++];

        hop->ttl = resume__get_byte(r, RESUME_HOPS_MAX);
        hop->rtt_us = resume__get_number(r, UINT64_MAX);
        get_address(r, &hop->addr);
        hop->name = resume__get_copy(r);
    }
    result->hops_asked = resume__get_byte(r, UINT8_MAX);
    result->trace_protocol = resume__get_byte(r, UINT8_MAX);
    result->trace_port = (uint16_t)resume__get_number(r, UINT16_MAX);
}

void resume__get_result(resume_reader_t *r, host_result_t *result)
{
    resume_rtt_t rtt;

    result->state = resume__get_byte(r, HOST_SKIPPED);
    result->reason = resume__get_byte(r, REASONS - 1);
    result->ttl = resume__get_byte(r, UINT8_MAX);
    result->is_unasked = resume__get_bool(r);
    result->timed_out = resume__get_bool(r);
    result->has_mac = resume__get_bool(r);
    resume__get_bytes(r, result->mac, sizeof(result->mac));
    result->start = (time_t)resume__get_number(r, INT64_MAX);
    result->end = (time_t)resume__get_number(r, INT64_MAX);
    resume__get_rtt(r, &rtt);
    result->srtt_us = rtt.srtt_us;
    result->rttvar_us = rtt.rttvar_us;
    result->timeout_us = rtt.timeout_us;
    result->name = resume__get_copy(r);
    result->has_ports = resume__get_bool(r);
    get_ports(r, result);
    get_groups(r, result);
    result->os = resume__get_bool(r) ? get_os(r) : NULL;
    get_hops(r, result);
}
