#include "diff.h"

#include "output_text.h"

#include "base/herr.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define NUMBERS ((size_t)UINT16_MAX + 1)
#define LINE_TEXT_SIZE 1024 /* of what a service said, made harmless */

struct diff_s {
    earlier_t earlier;
    const char *path;
    hbytes_t text;
    size_t count;
    uint8_t then[NUMBERS], now[NUMBERS]; /* port_state_e, of one host and protocol */
    uint16_t numbers[NUMBERS];
};

int diff_open(diff_t **diff, const char *path)
{
    diff_t *d = hmem_zalloc(sizeof(*d));
    hbytes_t why = {0};
    int status = d ? earlier_read(&d->earlier, path, &why) : -ENOMEM;

    if (status < 0) {
        fprintf(stderr, "hnmap: cannot compare with '%s': %s\n", path,
                why.data ? why.data : herr_str(status));
        hbytes_deinit(&why);
        diff_free(d);
        return 1;
    }
    d->path = path;
    hbytes_init(&d->text, DIFF_TEXT_MAX);
    *diff = d;
    return 0;
}

void diff_free(diff_t *diff)
{
    if (diff == NULL)
        return;
    earlier_free(&diff->earlier);
    hbytes_deinit(&diff->text);
    hmem_free(diff);
}

/* Takes a line over; one for which there is no room is counted alone. */
static int add_line(diff_t *diff, const host_result_t *host, int status, hbytes_t *line)
{
    char ip[HADDR_FORMAT_SIZE];

    if (status == 0) {
        diff->count++;
        status = hbytes_printf(&diff->text, "%s: %s\n", output_ip(host, ip), line->data);
        if (status == -ENOBUFS)
            status = 0;
    }
    hbytes_deinit(line);
    return status;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static int fill_then(diff_t *diff, const earlier_host_t *host, uint8_t protocol)
{
    int status = 0;

    memset(diff->then, PORT_UNKNOWN, sizeof(diff->then));
    for (size_t i = 0; i < host->group_count && status == 0; i++)
        if (host->groups[i].protocol == protocol)
            status = earlier_ranges(diff->then, host->groups[i].ports, host->groups[i].state);
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].protocol == protocol)
            diff->then[host->ports[i].number] = host->ports[i].state;
    return status == HERR_SYNTAX ? 0 : status; /* which they were is not known */
}

static void fill_now(diff_t *diff, const host_result_t *host, uint8_t protocol)
{
    memset(diff->now, PORT_UNKNOWN, sizeof(diff->now));
    for (size_t i = 0; i < host->group_count; i++)
        if (host->groups[i].protocol == protocol)
            (void)earlier_ranges(diff->now, host->groups[i].ports, host->groups[i].state);
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].protocol == protocol)
            diff->now[host->ports[i].number] = host->ports[i].state;
}

/* Ports that went from one state to another, in one line. */
static int tell_states(diff_t *diff, const host_result_t *host, uint8_t protocol, uint8_t then,
                       uint8_t now)
{
    hbytes_t line = {0};
    size_t count = 0;
    int status;

    if (then == now || now == PORT_UNKNOWN || (then == PORT_UNKNOWN && now != PORT_OPEN))
        return 0;
    for (size_t i = 0; i < NUMBERS; i++)
        if (diff->then[i] == then && diff->now[i] == now)
            diff->numbers[count++] = (uint16_t)i;
    if (count == 0)
        return 0;
    status = port_ranges_write(&line, diff->numbers, count);
    if (status == 0)
        status =
            hbytes_printf(&line, "/%s %s, was %s", protocol_name(protocol), port_state_name(now),
                          then == PORT_UNKNOWN ? "not told of" : port_state_name(then));
    return add_line(diff, host, status, &line);
}

static int compare_states(diff_t *diff, const host_result_t *host, const earlier_host_t *then,
                          uint8_t protocol)
{
    int status = fill_then(diff, then, protocol);

    fill_now(diff, host, protocol);
    if (status == 0 && memcmp(diff->then, diff->now, sizeof(diff->then)) == 0)
        return 0;
    for (uint8_t now = 0; now < PORT_STATES && status == 0; now++)
        for (uint8_t was = 0; was < PORT_STATES && status == 0; was++)
            status = tell_states(diff, host, protocol, was, now);
    return status;
}

static const earlier_port_t *find_port(const earlier_host_t *host, const port_result_t *port)
{
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].number == port->number && host->ports[i].protocol == port->protocol)
            return &host->ports[i];
    return NULL;
}

/* Only where both have asked what answers. */
static int compare_service(diff_t *diff, const host_result_t *host, const port_result_t *port,
                           const earlier_port_t *then)
{
    char now_safe[LINE_TEXT_SIZE], then_safe[LINE_TEXT_SIZE];
    hbytes_t now = {0}, line = {0};
    int status;

    if (then == NULL || then->service == NULL || port->service == NULL ||
        port->service->confidence <= 3)
        return 0;
    status = earlier_service(&now, port->service);
    if (status < 0 || strcmp(now.data, then->service) == 0) {
        hbytes_deinit(&now);
        return status;
    }
    hstr_escape(now_safe, sizeof(now_safe), now.data, now.len);
    hstr_escape(then_safe, sizeof(then_safe), then->service, strlen(then->service));
    hbytes_deinit(&now);
    status = hbytes_printf(&line, "%u/%s is %s, was %s", port->number,
                           protocol_name(port->protocol), now_safe, then_safe);
    return add_line(diff, host, status, &line);
}

static int compare_ports(diff_t *diff, const host_result_t *host, const earlier_host_t *then)
{
    int status = compare_states(diff, host, then, IPPROTO_TCP);

    if (status == 0)
        status = compare_states(diff, host, then, IPPROTO_UDP);
    for (size_t i = 0; i < host->port_count && status == 0; i++)
        if (host->ports[i].state == PORT_OPEN && host->ports[i].service)
            status = compare_service(diff, host, &host->ports[i], find_port(then, &host->ports[i]));
    return status;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

int diff_host(diff_t *diff, const host_result_t *host)
{
    static const earlier_host_t nothing = {.state = HOST_DOWN};
    const earlier_host_t *then = earlier_find(&diff->earlier, &host->addr);
    bool was_up = then && then->state == HOST_UP, is_up = host->state == HOST_UP;
    int status = 0;

    if (host->state != HOST_UP && host->state != HOST_DOWN)
        return 0;
    if (was_up != is_up) {
        hbytes_t line = {0};

        status = hbytes_printf(&line, "host is %s, was %s", is_up ? "up" : "down",
                               then ? host_state_name((host_state_e)then->state) : "not told of");
        status = add_line(diff, host, status, &line);
    }
    if (status < 0 || !is_up || !host->has_ports || host->timed_out)
        return status;
    return compare_ports(diff, host, then ? then : &nothing);
}

size_t diff_count(const diff_t *diff)
{
    return diff->count;
}

int diff_write(const diff_t *diff, hbytes_t *out)
{
    char path[LINE_TEXT_SIZE];
    int status = 0;

    if (diff->text.len > 0)
        status = hbytes_append(out, diff->text.data, diff->text.len);
    hstr_escape(path, sizeof(path), diff->path, strlen(diff->path));
    return status < 0         ? status
           : diff->count == 0 ? hbytes_printf(out, "Nothing has changed since %s\n", path)
                              : hbytes_printf(out, "%zu change%s since %s\n", diff->count,
                                              diff->count == 1 ? "" : "s", path);
}
