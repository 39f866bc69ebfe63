/* Which system a host runs: an open port is asked for a connection a few times, a closed one once,
 * and the host for an echo, with the probes of a scan. What comes back is what os.c guesses from,
 * with what services have told. */
#include "scan_int.h"

#include "base/hmem.h"
#include "base/htime.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_PROBES 5 /* as many as there can be: OS_IDS_MAX SYNs, one for a reset, an echo */

/* So that they are not taken for tries of the scan, each of these has numbers of its own. */
#define TRY_FIRST 32
#define LOOK_TRIES ((RAW_TRIES - TRY_FIRST) / LOOK_PROBES)

struct look_s {
    raw_probe_t probes[LOOK_PROBES];
    uint32_t count;
    os_signs_t signs;
    uint16_t open_port, closed_port; /* that have answered so */
};

/* ---- what is asked --------------------------------------------------------------------------- */

/* A TCP port of this state; 0: none. */
static uint16_t find_port(const host_result_t *host, port_state_e state)
{
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].protocol == IPPROTO_TCP && host->ports[i].state == state)
            return host->ports[i].number;
    for (size_t i = 0; i < host->group_count; i++)
        if (host->groups[i].protocol == IPPROTO_TCP && host->groups[i].state == state)
            return (uint16_t)strtoul(host->groups[i].ports, NULL, 10);
    return 0;
}

/* One that is surely, or may be, open: where the scan cannot tell, the answer will. */
static uint16_t find_open(const host_result_t *host)
{
    static const port_state_e states[] = {PORT_OPEN, PORT_OPEN_FILTERED, PORT_UNFILTERED};
    uint16_t port = 0;

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]) && port == 0; i++)
        port = find_port(host, states[i]);
    return port;
}

static void choose_probes(look_t *look, const host_result_t *host)
{
    const raw_probe_t echo = {.kind = RAW_ECHO, .is_bare = true};
    raw_probe_t syn = {
        .kind = RAW_TCP, .flags = PACKET_SYN, .port = find_open(host), .is_bare = true};

    for (size_t i = 0; i < OS_IDS_MAX && syn.port > 0; i++)
        look->probes[look->count++] = syn;
    syn.port = find_port(host, PORT_CLOSED);
    if (syn.port > 0)
        look->probes[look->count++] = syn;
    look->probes[look->count++] = echo;
}

static engine_sent_e send_probe(void *context, engine_host_t *engine_host, uint32_t number,
                                unsigned try)
{
    scan_t *s = context;
    const host_t *host = engine_host_user(engine_host);
    unsigned marked = TRY_FIRST + number + LOOK_PROBES * (try % LOOK_TRIES);
    int err =
        raw_send(s->raw, &host->path, &host->look->probes[number], marked, htime_monotonic_us());

    if (err == -EAGAIN)
        return ENGINE_BUSY;
    return err == 0 ? ENGINE_SENT : ENGINE_ANSWERED;
}

/* ---- what is answered ------------------------------------------------------------------------ */

/* The probe that an answer is to, and its try; negative: none. With -g answers do not tell. */
static int64_t number_of(const host_t *host, const raw_answer_t *answer, int *try)
{
    const look_t *look = host->look;
    int64_t number = -1;

    *try = -1;
    if (answer->try >= TRY_FIRST) {
        number = (answer->try - TRY_FIRST) % LOOK_PROBES;
        *try = (answer->try - TRY_FIRST) / LOOK_PROBES;
    }
    for (uint32_t i = 0; i < look->count && answer->try < 0 && number < 0; i++)
        if (look->probes[i].kind == answer->probe.kind &&
            look->probes[i].port == answer->probe.port && !engine_is_answered(host->engine, i))
            number = i;
    if (number < 0 || number >= look->count || look->probes[number].kind != answer->probe.kind ||
        look->probes[number].port != answer->probe.port)
        return -1;
    return number;
}

void scan__take_sign(scan_t *s, host_t *host, const raw_answer_t *answer)
{
    look_t *look = host->look;
    bool is_reset = (answer->tcp_flags & PACKET_RST) != 0;
    int64_t number;
    int try;

    if (host->engine == NULL || answer->probe.hops > 0)
        return;
    number = number_of(host, answer, &try);
    if (number < 0 ||
        !engine_answer(s->engines[PACE_OS], host->engine, (uint32_t)number, try,
                       answer->is_error || is_reset, answer->time_us) ||
        answer->is_error)
        return;
    os_take(&look->signs, &answer->packet);
    if (answer->probe.kind == RAW_TCP)
        *(is_reset ? &look->closed_port : &look->open_port) = answer->probe.port;
}

/* ---- a host ---------------------------------------------------------------------------------- */

static uint8_t ttl_of(const os_signs_t *signs)
{
    if (signs->syn_ack.is_there)
        return signs->syn_ack.ttl;
    return signs->reset.is_there ? signs->reset.ttl : signs->echo.ttl;
}

static int write_guesses(host_t *host, const look_t *look, unsigned accuracy_min)
{
    os_result_t *os = hmem_zalloc(sizeof(*os));

    if (os == NULL)
        return -ENOMEM;
    os->open_port = look->open_port;
    os->closed_port = look->closed_port;
    os->guess_count = os_guess(&look->signs, accuracy_min, os->guesses, OS_GUESSES_MAX);
    os->has_distance = look->signs.is_near || ttl_of(&look->signs) > 0;
    os->distance = look->signs.is_near ? !host->path.is_local : os_hops(ttl_of(&look->signs));
    host->result.os = os;
    return 0;
}

void scan__end_os(scan_t *s, host_t *host)
{
    look_t *look = host->look;
    unsigned accuracy_min = s->plan.options->os.guess ? OS_UNLIKELY : OS_LIKELY;

    host->look = NULL;
    host->engine = NULL;
    for (size_t i = 0; i < host->result.port_count; i++)
        if (host->result.ports[i].service)
            os_hint(&look->signs, host->result.ports[i].service->os);
    if (write_guesses(host, look, accuracy_min) < 0)
        scan__out_of_memory(s);
    hmem_free(look);
    s->guessing--;
    scan__finish_host(s, host);
}

static void on_looked(void *context, engine_host_t *engine_host)
{
    scan__end_os(context, engine_host_user(engine_host));
}

const engine_method_t scan__os_method = {send_probe, on_looked};

static bool is_wanted(const scan_t *s, const host_t *host)
{
    const os_options_t *how = &s->plan.options->os;
    const host_result_t *result = &host->result;

    if (!how->wanted || s->raw == NULL || host->is_looked_at || result->state != HOST_UP ||
        !result->has_ports || result->timed_out || s->interrupted || s->status != 0)
        return false;
    return !how->limit || (find_port(result, PORT_OPEN) > 0 && find_port(result, PORT_CLOSED) > 0);
}

bool scan__begin_os(scan_t *s, host_t *host)
{
    if (!is_wanted(s, host))
        return false;
    host->is_looked_at = true;
    host->look = hmem_zalloc(sizeof(*host->look));
    if (host->look == NULL) {
        scan__out_of_memory(s);
        return false;
    }
    host->look->signs.is_near = host->path.is_neighbour || host->path.is_local;
    choose_probes(host->look, &host->result);
    host_map_remove(s->map, host); /* it may have left it, or not */
    if (host_map_add(s->map, host) < 0 ||
        engine_host_add(s->engines[PACE_OS], host->look->count, host->result.srtt_us, host,
                        htime_monotonic_us(), &host->engine) < 0) {
        host->engine = NULL;
        hmem_free(host->look);
        host->look = NULL;
        scan__out_of_memory(s);
        return false;
    }
    scan__limit_host(s, host);
    host->stage = STAGE_OS;
    s->guessing++;
    return true;
}
