#include "meter.h"

#include <stdio.h>
#include <string.h>

#define US_PER_S 1000000
#define DAY_S 86400
#define MONTH_DAYS 30
#define YEAR_DAYS 365

/* ---- figures as texts ---- */

const char *meter_size(int64_t bytes, unsigned columns, char *buf)
{
    static const char units[] = "kMGTPE";
    bool wide = columns == 6;
    int64_t whole = bytes, rest = 0;
    size_t unit = 0;

    if (bytes < 100000) {
        snprintf(buf, METER_TEXT_SIZE, "%*lld", (int)columns, (long long)bytes);
        return buf;
    }
    for (;; unit++) {
        rest = whole % 1024;
        whole /= 1024;
        if (whole < (wide ? 1000 : 10000) || unit + 2 == sizeof(units))
            break;
    }
    if (wide && whole < 100)
        snprintf(buf, METER_TEXT_SIZE, "%2d.%02d%c", (int)whole, (int)(rest * 100 / 1024),
                 units[unit]);
    else if (wide || whole < 100)
        snprintf(buf, METER_TEXT_SIZE, "%*d.%d%c", wide ? 3 : 2, (int)whole,
                 (int)(rest * 10 / 1024), units[unit]);
    else
        snprintf(buf, METER_TEXT_SIZE, "%4d%c", (int)whole, units[unit]);
    return buf;
}

/* Longer than 99 hours. */
static void put_days(int64_t seconds, bool wide, char *buf)
{
    long long days = seconds / DAY_S, months = days / MONTH_DAYS, years = days / YEAR_DAYS;
    int hours = (int)(seconds % DAY_S / 3600);

    if (days <= (wide ? 999 : 99))
        snprintf(buf, METER_TEXT_SIZE, "%*lldd %02dh", wide ? 3 : 2, days, hours);
    else if (days <= 999)
        snprintf(buf, METER_TEXT_SIZE, "%6lldd", days);
    else if (months <= 999 && wide)
        snprintf(buf, METER_TEXT_SIZE, "%3lldm %02dd", months, (int)(days % MONTH_DAYS));
    else if (months <= 999)
        snprintf(buf, METER_TEXT_SIZE, "%6lldm", months);
    else if (years <= 99999)
        snprintf(buf, METER_TEXT_SIZE, "%*lldy", wide ? 7 : 6, years);
    else
        snprintf(buf, METER_TEXT_SIZE, "%*s", wide ? 8 : 7, ">99999y");
}

const char *meter_span(int64_t seconds, unsigned columns, char *buf)
{
    bool wide = columns == 8;
    int64_t hours = seconds / 3600;
    int minutes = (int)(seconds / 60 % 60), rest = (int)(seconds % 60);

    if (seconds <= 0)
        snprintf(buf, METER_TEXT_SIZE, "%*s", (int)columns, "");
    else if (hours > 99)
        put_days(seconds, wide, buf);
    else if (wide)
        snprintf(buf, METER_TEXT_SIZE, "%02d:%02d:%02d", (int)hours, minutes, rest);
    else if (hours > 9)
        snprintf(buf, METER_TEXT_SIZE, "%dh %02dm", (int)hours, minutes);
    else if (hours > 0)
        snprintf(buf, METER_TEXT_SIZE, "%d:%02d:%02d", (int)hours, minutes, rest);
    else
        snprintf(buf, METER_TEXT_SIZE, "  %02d:%02d", minutes, rest);
    return buf;
}

/* ---- figures ---- */

static int64_t sum(int64_t a, int64_t b)
{
    int64_t result;

    return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

/* Servers send more than they said, and files grow: no more than 100. */
static int percent(int64_t done, int64_t total)
{
    if (total <= 0)
        return 0;
    return done >= total ? 100 : (int)((double)done * 100.0 / (double)total);
}

static int64_t per_second(int64_t bytes, uint64_t us)
{
    double speed = (double)bytes * US_PER_S / (double)(us > 0 ? us : 1);

    return speed >= 9e18 ? INT64_MAX : (int64_t)speed;
}

/* Of the last seconds, a record for each; of the whole time before there are two. */
static int64_t current_speed(meter_speed_t *speed, int64_t done, uint64_t elapsed_us)
{
    unsigned last = (speed->count + METER_RECORDS - 1) % METER_RECORDS;
    unsigned next = speed->count % METER_RECORDS;
    unsigned oldest;

    if (speed->count == 0 || elapsed_us - speed->at_us[last] >= US_PER_S) {
        speed->bytes[next] = done;
        speed->at_us[next] = elapsed_us;
        speed->count++;
        last = next;
    }
    if (speed->count < 2)
        return per_second(done, elapsed_us);
    oldest = speed->count <= METER_RECORDS ? 0 : (last + 1) % METER_RECORDS;
    if (speed->bytes[last] < speed->bytes[oldest])
        return 0;
    return per_second(speed->bytes[last] - speed->bytes[oldest],
                      speed->at_us[last] - speed->at_us[oldest]);
}

void meter_init(meter_t *meter, int64_t resumed, uint64_t now_us)
{
    memset(meter, 0, sizeof(*meter));
    meter->resumed = resumed;
    meter->started_us = now_us;
}

/* ---- the table ---- */

static int put_table_head(const meter_t *meter, hbytes_t *out)
{
    int status = 0;

    if (meter->resumed > 0)
        status = hbytes_printf(out, "** Resuming transfer from byte position %lld\n",
                               (long long)meter->resumed);
    if (status == 0)
        status = hbytes_append_str(out, "  % Total    % Received % Xferd  Average Speed  "
                                        "Time    Time    Time   Current\n"
                                        "                                 Dload  Upload  "
                                        "Total   Spent   Left   Speed\n");
    return status;
}

/* Seconds that one direction takes in all; 0: not known. */
static int64_t estimate(int64_t total, int64_t speed)
{
    return total > 0 && speed > 0 ? total / speed : 0;
}

int meter_table(meter_t *meter, const meter_figures_t *f, uint64_t now_us, hbytes_t *out)
{
    char total[METER_TEXT_SIZE], down[METER_TEXT_SIZE], up[METER_TEXT_SIZE];
    char down_speed[METER_TEXT_SIZE], up_speed[METER_TEXT_SIZE], speed[METER_TEXT_SIZE];
    char time_total[METER_TEXT_SIZE], time_spent[METER_TEXT_SIZE], time_left[METER_TEXT_SIZE];
    uint64_t elapsed_us = now_us - meter->started_us;
    int64_t spent_s = (int64_t)(elapsed_us / US_PER_S);
    int64_t down_rate = per_second(f->down, elapsed_us), up_rate = per_second(f->up, elapsed_us);
    int64_t down_s = estimate(f->down_total, down_rate), up_s = estimate(f->up_total, up_rate);
    int64_t total_s = down_s > up_s ? down_s : up_s;
    int64_t all =
        sum(f->down_total < 0 ? f->down : f->down_total, f->up_total < 0 ? f->up : f->up_total);
    int64_t done = sum(f->down, f->up);
    int status = meter->begun ? 0 : put_table_head(meter, out);

    if (status != 0)
        return status;
    meter->begun = true;
    return hbytes_printf(out, "\r%3d %s %3d %s %3d %s %s %s %s %s %s %s", percent(done, all),
                         meter_size(all, 6, total), percent(f->down, f->down_total),
                         meter_size(f->down, 6, down), percent(f->up, f->up_total),
                         meter_size(f->up, 6, up), meter_size(down_rate, 6, down_speed),
                         meter_size(up_rate, 6, up_speed), meter_span(total_s, 7, time_total),
                         meter_span(spent_s, 7, time_spent),
                         meter_span(total_s > spent_s ? total_s - spent_s : 0, 7, time_left),
                         meter_size(current_speed(&meter->speed, done, elapsed_us), 6, speed));
}

/* ---- one line for all ---- */

static void put_percent(int64_t done, int64_t total, char *buf, size_t size)
{
    if (total > 0)
        snprintf(buf, size, "%3d", percent(done, total));
    else
        snprintf(buf, size, "-- ");
}

int meter_all(meter_t *meter, const meter_figures_t *sums, unsigned begun, unsigned running,
              uint64_t now_us, hbytes_t *out)
{
    char down[METER_TEXT_SIZE], up[METER_TEXT_SIZE], speed[METER_TEXT_SIZE];
    char time_total[METER_TEXT_SIZE], time_spent[METER_TEXT_SIZE], time_left[METER_TEXT_SIZE];
    char down_percent[METER_TEXT_SIZE], up_percent[METER_TEXT_SIZE];
    uint64_t elapsed_us = now_us - meter->started_us;
    int64_t rate = current_speed(&meter->speed, sum(sums->down, sums->up), elapsed_us);
    int64_t total_s = estimate(sums->down_total, rate);
    int64_t left_s = estimate(sums->down_total - sums->down, rate);
    int status = 0;

    if (!meter->begun)
        status = hbytes_append_str(out, "DL% UL%  Dled  Uled  Xfers  Live Total     Current  "
                                        "Left    Speed\n");
    if (status != 0)
        return status;
    meter->begun = true;
    put_percent(sums->down, sums->down_total, down_percent, sizeof(down_percent));
    put_percent(sums->up, sums->up_total, up_percent, sizeof(up_percent));
    return hbytes_printf(out, "\r%s %s %s %s %5u %5u  %s %s %s %s      ", down_percent, up_percent,
                         meter_size(sums->down, 5, down), meter_size(sums->up, 5, up), begun,
                         running, meter_span(total_s, 8, time_total),
                         meter_span((int64_t)(elapsed_us / US_PER_S), 8, time_spent),
                         meter_span(left_s, 8, time_left), meter_size(rate, 5, speed));
}
