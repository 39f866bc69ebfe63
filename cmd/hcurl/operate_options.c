#include "base/hstr.h"
#include "operate.h"

#include <stdlib.h>
#include <string.h>

/* "3/s", "10/m", "5/15s", "100" (an hour): how many begin in which time. */
static int parse_rate(const char *text, uint64_t *rate_ms)
{
    static const struct {
        char letter;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    uint64_t transfers, time = 1, unit = 3600000;
    uint32_t fraction;

    if (hstr_read_decimal(&text, &transfers, &fraction) || fraction > 0)
        return HERR_SYNTAX;
    if (*text == '/') {
        text++;
        if (*text >= '0' && *text <= '9' &&
            (hstr_read_decimal(&text, &time, &fraction) || fraction > 0))
            return HERR_SYNTAX;
        unit = 0;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (units[i].letter == *text)
                unit = units[i].ms;
        if (unit == 0)
            return HERR_SYNTAX;
        text++;
    }
    if (*text != '\0')
        return HERR_SYNTAX;
    if (transfers == 0 || time == 0 || time > UINT32_MAX / unit)
        return HERR_RANGE;
    *rate_ms = unit * time / transfers;
    return 0;
}

static int take_rate(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    operate_options_t *o = opts;
    uint64_t rate_ms;
    int err = parse_rate(arg, &rate_ms);

    (void)option;
    if (err) {
        hbytes_printf(why, "\"%s\" is not a rate (try 2/s, 10/m, 5/15s)", arg);
        return err;
    }
    o->rate_ms = (uint32_t)rate_ms;
    return 0;
}

/* What is too many, or none, counts as the default, as in the original. */
static int take_parallel_max(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    operate_options_t *o = opts;
    uint64_t value;
    int err = hstr_parse_u64(arg, 0, UINT64_MAX, &value);

    (void)option;
    if (err) {
        hbytes_printf(why, "\"%s\" is not a number", arg);
        return err;
    }
    o->parallel_max = value == 0 ? OPERATE_PARALLEL : (uint32_t)value;
    if (value > OPERATE_PARALLEL_MAX)
        o->parallel_max = OPERATE_PARALLEL_MAX;
    return 0;
}

const hopt_t operate_rows[] = {
    HOPT_GROUP("Several transfers"),
    HOPT_FLAG('Z', "parallel", operate_options_t, parallel, "make transfers at the same time",
              .negatable = true),
    HOPT_CALL(0, "parallel-max", take_parallel_max, "so many at the same time (50)",
              .arg_name = "N"),
    HOPT_UINT(0, "parallel-max-host", operate_options_t, parallel_max_host, 0, OPERATE_PARALLEL_MAX,
              "at most so many connections to one server", .arg_name = "N"),
    HOPT_FLAG(0, "parallel-immediate", operate_options_t, parallel_immediate,
              "with -Z, open connections rather than wait for one that is free", .negatable = true),
    HOPT_CALL(0, "rate", take_rate,
              "begin at most so many transfers in a time, one after another: 2/s, 10/m, 5/15s",
              .arg_name = "N/UNIT"),
    HOPT_FLAG(0, "fail-early", operate_options_t, fail_early,
              "end with the first transfer that fails", .negatable = true),
    HOPT_END,
};
