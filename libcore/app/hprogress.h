/* hprogress: one line that tells how far a transfer is, redrawn in place. It draws on a terminal
 * only, at most ten times a second, and leaves nothing behind. */
#ifndef HNET_APP_HPROGRESS_H
#define HNET_APP_HPROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HPROGRESS_INTERVAL_NS 100000000ULL

/* All members are private; embedded by value. */
typedef struct hprogress_s {
    int fd;
    bool enabled;
    const char *label;
    uint64_t total;
    uint64_t drawn_done; /* bytes at the last drawing */
    uint64_t drawn_ns;   /* its time; 0: never */
    uint64_t rate;       /* bytes per second, smoothed */
    size_t drawn_width;
} hprogress_t;

/* Starts at now_ns (htime_monotonic_ns). label is borrowed, any bytes; total 0: not known. Disabled
 * when fd is no terminal. */
void hprogress_init(hprogress_t *p, int fd, const char *label, uint64_t total, uint64_t now_ns);

/* done bytes so far; cheap when it is not yet time to draw. total may have become known. */
void hprogress_update(hprogress_t *p, uint64_t done, uint64_t total, uint64_t now_ns);

/* Removes the line: before any other output to the terminal, and at the end. */
void hprogress_clear(hprogress_t *p);

/* "label  45%  12.0 MiB of 27.0 MiB  3.4 MiB/s  0:12 left", at most width columns; what is not
 * known is left out. Returns the length in buf, which is always terminated. */
size_t hprogress_format(char *buf, size_t size, const hprogress_t *p, size_t width);

#ifdef __cplusplus
}
#endif

#endif
