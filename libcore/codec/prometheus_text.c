#include "prometheus_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../base/hstr.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void prometheus_text_init(prometheus_text_t *p, hbytes_t *out)
{
    *p = (prometheus_text_t){.out = out};
}

int prometheus_text_finish(prometheus_text_t *p)
{
    return p->error;
}

static void keep(prometheus_text_t *p, int err)
{
    if (p->error == 0)
        p->error = err;
}

void prometheus_text_family(prometheus_text_t *p, const char *name, const char *type,
                            const char *help)
{
    p->family = name;
    if (p->error == 0)
        keep(p, hbytes_printf(p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type));
}

void prometheus_text_label(prometheus_text_t *p, const char *name, const char *value)
{
    if (p->label_count == PROMETHEUS_TEXT_LABELS_MAX) {
        keep(p, -EINVAL);
        return;
    }
    p->labels[p->label_count].name = name;
    p->labels[p->label_count++].value = value;
}

/* A label's value: three characters are escaped. */
static int append_value(hbytes_t *out, const char *value)
{
    size_t len = strlen(value);
    int err = 0;

    for (size_t i = 0, n; i < len && err == 0; i += n) {
        n = hstr_utf8_len(value + i, len - i);
        if (n == 0) {
            n = 1;
            err = hbytes_append_str(out, REPLACEMENT);
        } else if (value[i] == '\\' || value[i] == '"') {
            err = hbytes_printf(out, "\\%c", value[i]);
        } else if (value[i] == '\n') {
            err = hbytes_append_str(out, "\\n");
        } else {
            err = hbytes_append(out, value + i, n);
        }
    }
    return err;
}

/* Name and labels of a sample; le (may be NULL) is one more. */
static void begin_sample(prometheus_text_t *p, const char *suffix, const char *le)
{
    size_t n = p->label_count;

    if (!p->family)
        keep(p, -EINVAL);
    if (p->error)
        return;
    keep(p, hbytes_printf(p->out, "%s%s%s", p->family, suffix, n > 0 || le ? "{" : ""));
    for (size_t i = 0; i < n && p->error == 0; i++) {
        keep(p, hbytes_printf(p->out, "%s%s=\"", i > 0 ? "," : "", p->labels[i].name));
        keep(p, append_value(p->out, p->labels[i].value));
        keep(p, hbytes_append_char(p->out, '"'));
    }
    if (le)
        keep(p, hbytes_printf(p->out, "%sle=\"%s\"", n > 0 ? "," : "", le));
    if (n > 0 || le)
        keep(p, hbytes_append_char(p->out, '}'));
}

static void end_uint(prometheus_text_t *p, uint64_t value)
{
    if (p->error == 0)
        keep(p, hbytes_printf(p->out, " %" PRIu64 "\n", value));
}

static void end_fixed(prometheus_text_t *p, uint64_t value, unsigned decimals)
{
    uint64_t one = 1;

    for (unsigned i = 0; i < decimals; i++)
        one *= 10;
    if (p->error == 0)
        keep(p, hbytes_printf(p->out, " %" PRIu64 ".%0*" PRIu64 "\n", value / one, (int)decimals,
                              value % one));
}

void prometheus_text_uint(prometheus_text_t *p, uint64_t value)
{
    begin_sample(p, "", NULL);
    end_uint(p, value);
    p->label_count = 0;
}

void prometheus_text_fixed(prometheus_text_t *p, uint64_t value, unsigned decimals)
{
    begin_sample(p, "", NULL);
    end_fixed(p, value, decimals);
    p->label_count = 0;
}

size_t prometheus_text_bucket(const prometheus_text_bound_t *bounds, uint64_t value)
{
    size_t i = 0;

    while (value > bounds[i].most)
        i++;
    return i;
}

void prometheus_text_histogram(prometheus_text_t *p, const prometheus_text_bound_t *bounds,
                               const uint64_t *counts, uint64_t sum, unsigned decimals)
{
    uint64_t n = 0;
    size_t i = 0;

    do {
        n += counts[i];
        begin_sample(p, "_bucket", bounds[i].le);
        end_uint(p, n);
    } while (bounds[i++].most != UINT64_MAX);
    begin_sample(p, "_sum", NULL);
    end_fixed(p, sum, decimals);
    begin_sample(p, "_count", NULL);
    end_uint(p, n);
    p->label_count = 0;
}
