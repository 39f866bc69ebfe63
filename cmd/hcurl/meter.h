/* meter: how far a transfer is, in curl's three looks: the table, the bar of -#, and one line for
 * all the transfers of -Z. Pure: times and figures go in, text comes out. */
#ifndef HCURL_METER_H
#define HCURL_METER_H

#include "base/hbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define METER_WIDTH_MAX 400
#define METER_WIDTH_MIN 20
#define METER_RECORDS 10 /* of which the current speed is made */

/* Bytes; totals -1: not known. */
typedef struct meter_figures_s {
    int64_t down, down_total, up, up_total;
} meter_figures_t;

/* All members are private. */
typedef struct meter_speed_s {
    int64_t bytes[METER_RECORDS];
    uint64_t at_us[METER_RECORDS];
    unsigned count;
} meter_speed_t;

typedef struct meter_s {
    meter_speed_t speed;
    int64_t resumed;
    uint64_t started_us;
    bool begun; /* the heading is out; the bar was drawn */
    int64_t bar_done;
    unsigned tick; /* of the bar's animation */
} meter_t;

/* Starts at now_us (monotonic); resumed: bytes of the file that were there before. */
void meter_init(meter_t *meter, int64_t resumed, uint64_t now_us);

/* Appends the table's line, behind its two of heading at the first call. 0, or hbytes_append's
 * errors; so below. */
int meter_table(meter_t *meter, const meter_figures_t *figures, uint64_t now_us, hbytes_t *out);

/* Appends the bar, if it has another state than the last time. */
int meter_bar(meter_t *meter, const meter_figures_t *figures, size_t width, hbytes_t *out);

/* Appends the line for all: the sums, how many were begun and how many of these run. */
int meter_all(meter_t *meter, const meter_figures_t *sums, unsigned begun, unsigned running,
              uint64_t now_us, hbytes_t *out);

/* The figures' texts, for the above and their tests: sizes in 6 or 5 columns ("12.05M", "12.0M"),
 * spans in 7 or 8 ("1:02:03", "01:02:03"). METER_TEXT_SIZE bytes; they return buf. */
#define METER_TEXT_SIZE 24
const char *meter_size(int64_t bytes, unsigned columns, char *buf);
const char *meter_span(int64_t seconds, unsigned columns, char *buf);

#endif
