#include "waterfall.h"

#include <stdio.h>
#include <string.h>

#include "app/hterm.h"

#define LABEL_WIDTH 8
#define TIME_WIDTH 12 /* "  12345.1 ms" */
#define BAR_MIN 8
#define PHASES 6

typedef struct phase_s {
    const char *name;
    hterm_style_e style;
    uint64_t from_us, to_us;
} phase_t;

typedef struct scale_s {
    uint64_t total_us;
    size_t columns;
    bool color;
} scale_t;

/* The phases that there were: each ends where the next one begins. */
static size_t phases_of(const http_hop_times_t *hop, phase_t *phases)
{
    const phase_t ends[PHASES] = {
        {"DNS", HTERM_CYAN, 0, hop->resolved_us},   {"connect", HTERM_GREEN, 0, hop->connected_us},
        {"TLS", HTERM_YELLOW, 0, hop->tls_us},      {"request", HTERM_BLUE, 0, hop->sent_us},
        {"wait", HTERM_DIM, 0, hop->first_byte_us}, {"receive", HTERM_BOLD, 0, hop->ended_us},
    };
    uint64_t at = hop->started_us;
    size_t count = 0;

    for (size_t i = 0; i < PHASES; i++) {
        if (ends[i].to_us < at || ends[i].to_us == 0)
            continue;
        if (i == PHASES - 1 && hop->first_byte_us == 0)
            phases[count] = (phase_t){"no reply", HTERM_RED, at, ends[i].to_us};
        else
            phases[count] = (phase_t){ends[i].name, ends[i].style, at, ends[i].to_us};
        at = ends[i].to_us;
        count++;
    }
    return count;
}

static int put_phase(const phase_t *phase, const scale_t *scale, hbytes_t *out)
{
    char bar[HTERM_WIDTH_MAX];
    uint64_t total = scale->total_us > 0 ? scale->total_us : 1;
    size_t from = (size_t)(phase->from_us * scale->columns / total);
    size_t to = (size_t)(phase->to_us * scale->columns / total);

    if (from >= scale->columns)
        from = scale->columns - 1;
    if (to <= from)
        to = from + 1; /* every phase is seen */
    memset(bar, '#', to - from);
    return hbytes_printf(out, "  %-*s%9.1f ms %*s%s%.*s%s\n", LABEL_WIDTH, phase->name,
                         (double)(phase->to_us - phase->from_us) / 1000.0, (int)from, "",
                         hterm_style(scale->color, phase->style), (int)(to - from), bar,
                         hterm_style(scale->color, HTERM_PLAIN));
}

static int put_hop(const http_hop_times_t *hop, size_t number, const scale_t *scale, hbytes_t *out)
{
    phase_t phases[PHASES];
    size_t count = phases_of(hop, phases);
    char status_text[16] = "no answer";
    int status;

    if (hop->status > 0)
        snprintf(status_text, sizeof(status_text), "%d", hop->status);
    status = hbytes_printf(out, "%zu. %s, %.1f ms%s\n", number, status_text,
                           (double)(hop->ended_us - hop->started_us) / 1000.0,
                           hop->reused ? ", on a connection that was there" : "");
    for (size_t i = 0; i < count && status == 0; i++)
        status = put_phase(&phases[i], scale, out);
    return status;
}

int waterfall_format(const http_hop_times_t *hops, size_t count, size_t width, bool color,
                     hbytes_t *out)
{
    size_t left = 2 + LABEL_WIDTH + TIME_WIDTH + 1;
    scale_t scale = {.columns = width > left + BAR_MIN ? width - left : BAR_MIN, .color = color};
    int status = 0;

    if (scale.columns > HTERM_WIDTH_MAX)
        scale.columns = HTERM_WIDTH_MAX;
    for (size_t i = 0; i < count; i++) {
        if (hops[i].ended_us > scale.total_us)
            scale.total_us = hops[i].ended_us;
    }
    for (size_t i = 0; i < count && status == 0; i++)
        status = put_hop(&hops[i], i + 1, &scale, out);
    if (count > 1 && status == 0)
        status = hbytes_printf(out, "total %.1f ms\n", (double)scale.total_us / 1000.0);
    return status;
}
