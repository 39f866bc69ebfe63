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
#define PATH_SIZE 1024 /* of the file's name, made harmless */

struct diff_s {
    earlier_t earlier, added; /* added: of this round, that the one before has nothing of */
    const char *path;         /* NULL: the round before is compared with */
    bool compares;            /* there is something to compare with */
    change_cb cb;             /* NULL: lines are kept */
    void *context;
    hbytes_t text;
    size_t count;
    uint8_t then[NUMBERS], now[NUMBERS]; /* port_state_e, of one host and protocol */
    uint16_t numbers[NUMBERS];
};

int diff_open(diff_t **diff, const char *path)
{
    diff_t *d = hmem_zalloc(sizeof(*d));
    hbytes_t why = {0};
    int status = d == NULL ? -ENOMEM : path ? earlier_read(&d->earlier, path, &why) : 0;

    if (status < 0) {
        fprintf(stderr, "hnmap: cannot compare with '%s': %s\n", path ? path : "earlier rounds",
                why.data ? why.data : herr_str(status));
        hbytes_deinit(&why);
        diff_free(d);
        return 1;
    }
    d->path = path;
    d->compares = path != NULL;
    hbytes_init(&d->text, DIFF_TEXT_MAX);
    *diff = d;
    return 0;
}

void diff_free(diff_t *diff)
{
    if (diff == NULL)
        return;
    earlier_free(&diff->earlier);
    earlier_free(&diff->added);
    hbytes_deinit(&diff->text);
    hmem_free(diff);
}

/* A line for which there is no room is counted alone. */
static int add_line(diff_t *diff, const change_t *change)
{
    hbytes_t line = {0};
    int status = change_write(&line, change);

    if (status == 0)
        status = hbytes_append_char(&line, '\n');
    if (status == 0 && hbytes_reserve(&diff->text, line.len) != -ENOBUFS)
        status = hbytes_append(&diff->text, line.data, line.len);
    hbytes_deinit(&line);
    return status;
}

static int tell(diff_t *diff, const change_t *change)
{
    diff->count++;
    if (diff->cb == NULL)
        return add_line(diff, change);
    diff->cb(diff->context, change);
    return 0;
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
    change_t change = {
        .what = CHANGE_PORTS,
        .host = host,
        .protocol = protocol,
        .now = port_state_name((port_state_e)now),
        .was = then == PORT_UNKNOWN ? "not told of" : port_state_name((port_state_e)then),
    };
    hbytes_t ports = {0};
    size_t count = 0;
    int status;

    if (then == now || now == PORT_UNKNOWN || (then == PORT_UNKNOWN && now != PORT_OPEN))
        return 0;
    for (size_t i = 0; i < NUMBERS; i++)
        if (diff->then[i] == then && diff->now[i] == now)
            diff->numbers[count++] = (uint16_t)i;
    if (count == 0)
        return 0;
    status = port_ranges_write(&ports, diff->numbers, count);
    change.ports = ports.data;
    if (status == 0)
        status = tell(diff, &change);
    hbytes_deinit(&ports);
    return status;
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

/* Only where both have asked what answers. */
static int compare_service(diff_t *diff, const host_result_t *host, const port_result_t *port,
                           const earlier_port_t *then)
{
    change_t change = {.what = CHANGE_SERVICE, .host = host, .protocol = port->protocol};
    char number[8];
    hbytes_t now = {0};
    int status;

    if (then == NULL || then->service == NULL || port->service == NULL ||
        port->service->confidence <= EARLIER_CONFIDENCE_GUESS)
        return 0;
    status = earlier_service(&now, port->service);
    snprintf(number, sizeof(number), "%u", port->number);
    change.ports = number;
    change.now = now.data;
    change.was = then->service;
    if (status == 0 && strcmp(now.data, then->service) != 0)
        status = tell(diff, &change);
    hbytes_deinit(&now);
    return status;
}

static int compare_ports(diff_t *diff, const host_result_t *host, const earlier_host_t *then)
{
    int status = compare_states(diff, host, then, IPPROTO_TCP);

    if (status == 0)
        status = compare_states(diff, host, then, IPPROTO_UDP);
    for (size_t i = 0; i < host->port_count && status == 0; i++)
        if (host->ports[i].state == PORT_OPEN && host->ports[i].service)
            status =
                compare_service(diff, host, &host->ports[i], earlier_port(then, &host->ports[i]));
    return status;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

int diff_host(diff_t *diff, const host_result_t *host)
{
    static const earlier_host_t nothing = {.state = HOST_DOWN};
    const earlier_host_t *then = earlier_find(&diff->earlier, &host->addr);
    bool was_up = then && then->state == HOST_UP, is_up = host->state == HOST_UP;
    int status = 0;

    if (!diff->compares || host->is_unasked || (host->state != HOST_UP && host->state != HOST_DOWN))
        return 0;
    if (was_up != is_up) {
        const change_t change = {
            .what = CHANGE_HOST,
            .host = host,
            .now = host_state_name((host_state_e)host->state),
            .was = then         ? host_state_name((host_state_e)then->state)
                   : diff->path ? "not told of"
                                : "down",
        };

        status = tell(diff, &change);
    }
    if (status < 0 || !is_up || !host->has_ports || host->timed_out)
        return status;
    return compare_ports(diff, host, then ? then : &nothing);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

int diff_keep(diff_t *diff, const host_result_t *host)
{
    return earlier_keep(&diff->earlier, &diff->added, host);
}

int diff_next(diff_t *diff, bool is_whole, change_cb cb, void *context)
{
    hbytes_clear(&diff->text);
    diff->count = 0;
    diff->path = NULL;
    diff->compares = true;
    diff->cb = cb;
    diff->context = context;
    return earlier_merge(&diff->earlier, &diff->added, is_whole);
}

/* ---- the report ------------------------------------------------------------------------------ */

size_t diff_count(const diff_t *diff)
{
    return diff->count;
}

int diff_write(const diff_t *diff, hbytes_t *out)
{
    char path[PATH_SIZE];
    int status = 0;

    if (diff->text.len > 0)
        status = hbytes_append(out, diff->text.data, diff->text.len);
    hstr_escape(path, sizeof(path), diff->path, strlen(diff->path));
    return status < 0         ? status
           : diff->count == 0 ? hbytes_printf(out, "Nothing has changed since %s\n", path)
                              : hbytes_printf(out, "%zu change%s since %s\n", diff->count,
                                              diff->count == 1 ? "" : "s", path);
}
