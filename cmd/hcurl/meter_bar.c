/* The bar of -#: how much of the whole there is, or, where nobody knows that, that it moves. */
#include <stdio.h>
#include <string.h>

#include "meter.h"

#define BAR_MARGIN 7 /* " 100.0%" */
#define SHIP "-=O=-"
#define SHIP_LEN 5
#define SPARKS 4        /* that fly above the ship */
#define SPARK_STEP 5    /* ticks between them */
#define SPARK_ROUND 200 /* ticks there and back */

/* There and back, slower where it turns: 0 to 1000. */
static int swing(unsigned tick)
{
    int t = (int)(tick % SPARK_ROUND);
    int half = SPARK_ROUND / 2;
    int x = t < half ? t : SPARK_ROUND - t; /* 0 to half */

    if (x < half / 2)
        return 500 * (2 * x * x) / (half * half / 2);
    x = half - x;
    return 1000 - 500 * (2 * x * x) / (half * half / 2);
}

static int fly(meter_t *meter, size_t width, hbytes_t *out)
{
    char line[METER_WIDTH_MAX + 1];
    int span = (int)width - SHIP_LEN;
    int at = (int)(meter->tick / 2 % (unsigned)(2 * span));

    line[0] = '\r';
    memset(line + 1, ' ', width);
    memcpy(line + 1 + (at < span ? at : 2 * span - at), SHIP, SHIP_LEN);
    for (unsigned i = 0; i < SPARKS; i++)
        line[1 + swing(meter->tick + i * SPARK_STEP) * ((int)width - 2) / 1000] = '#';
    meter->tick += 2;
    return hbytes_append(out, line, width + 1);
}

static int fill(int64_t done, int64_t total, size_t width, hbytes_t *out)
{
    char line[METER_WIDTH_MAX + 1];
    double part = done >= total ? 1.0 : (double)done / (double)total;
    size_t room = width - BAR_MARGIN;
    size_t len = (size_t)((double)room * part);

    memset(line, '#', len);
    line[len] = '\0';
    return hbytes_printf(out, "\r%-*s %5.1f%%", (int)room, line, part * 100.0);
}

int meter_bar(meter_t *meter, const meter_figures_t *f, size_t width, hbytes_t *out)
{
    int64_t total = (f->down_total > 0 ? f->down_total : 0) + (f->up_total > 0 ? f->up_total : 0);
    int64_t done = meter->resumed + f->down + f->up;
    bool moved = done != meter->bar_done || !meter->begun;

    if (width > METER_WIDTH_MAX)
        width = METER_WIDTH_MAX;
    if (width < METER_WIDTH_MIN)
        width = METER_WIDTH_MIN;
    if (!moved || (total == 0 && done == meter->resumed))
        return 0;
    meter->begun = true;
    meter->bar_done = done;
    if (total == 0)
        return fly(meter, width, out);
    return fill(done, meter->resumed + total, width, out);
}
