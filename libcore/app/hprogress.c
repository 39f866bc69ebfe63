#include "hprogress.h"

#include <string.h>
#include <unistd.h>

#include "../base/hstr.h"
#include "../base/htime.h"
#include "hterm.h"

#include <stdio.h>

#define LABEL_WIDTH_MAX 40
#define LINE_SIZE (HTERM_WIDTH_MAX + 8)

/* A terminal that does not take it now gets the next one: progress is never worth waiting for. */
static void write_line(const hprogress_t *p, const char *line, size_t len)
{
    ssize_t written = write(p->fd, line, len);

    (void)written;
}

static size_t put_left(char *buf, size_t size, uint64_t seconds)
{
    unsigned long long hours = seconds / 3600;
    unsigned minutes = (unsigned)(seconds / 60 % 60);
    unsigned rest = (unsigned)(seconds % 60);
    int n;

    if (hours > 0)
        n = snprintf(buf, size, "  %llu:%02u:%02u left", hours, minutes, rest);
    else
        n = snprintf(buf, size, "  %u:%02u left", minutes, rest);
    return n < 0 ? 0 : (size_t)n;
}

size_t hprogress_format(char *buf, size_t size, const hprogress_t *p, size_t width)
{
    char label[LABEL_WIDTH_MAX + 1], done[HSTR_SIZE_MAX], total[HSTR_SIZE_MAX];
    char rate[HSTR_SIZE_MAX], line[512];
    size_t len = 0;

    hstr_escape(label, sizeof(label), p->label, strlen(p->label));
    hstr_format_size(p->drawn_done, done, sizeof(done));
    hstr_format_size(p->total, total, sizeof(total));
    hstr_format_size(p->rate, rate, sizeof(rate));
    len += (size_t)snprintf(line, sizeof(line), "%s", label);
    if (p->total > 0) {
        double percent = (double)p->drawn_done * 100.0 / (double)p->total;

        len += (size_t)snprintf(line + len, sizeof(line) - len, "  %d%%  %s of %s",
                                percent > 100.0 ? 100 : (int)percent, done, total);
    } else {
        len += (size_t)snprintf(line + len, sizeof(line) - len, "  %s", done);
    }
    if (p->rate > 0)
        len += (size_t)snprintf(line + len, sizeof(line) - len, "  %s/s", rate);
    if (p->rate > 0 && p->total > p->drawn_done)
        len += put_left(line + len, sizeof(line) - len, (p->total - p->drawn_done) / p->rate);
    len = len > width ? width : len;
    while (len > 0 && (line[len] & 0xc0) == 0x80) /* no half a character of the label */
        len--;
    line[len] = '\0';
    len = hstr_copy(buf, size, line);
    return len < size ? len : size - 1;
}

static void draw(hprogress_t *p)
{
    size_t width = hterm_width(p->fd) - 1; /* the last column would wrap on some terminals */
    char line[LINE_SIZE];
    size_t len;

    line[0] = '\r';
    len = 1 + hprogress_format(line + 1, sizeof(line) - 1, p, width);
    /* Blanks wipe what is left of a longer line, on any terminal. */
    while (len - 1 < p->drawn_width && len < sizeof(line))
        line[len++] = ' ';
    p->drawn_width = len - 1;
    write_line(p, line, len);
}

void hprogress_init(hprogress_t *p, int fd, const char *label, uint64_t total, uint64_t now_ns)
{
    memset(p, 0, sizeof(*p));
    p->fd = fd;
    p->enabled = hterm_is_tty(fd);
    p->label = label;
    p->total = total;
    p->drawn_ns = now_ns;
}

void hprogress_update(hprogress_t *p, uint64_t done, uint64_t total, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - p->drawn_ns;
    uint64_t rate;

    if (!p->enabled || elapsed_ns < HPROGRESS_INTERVAL_NS)
        return;
    if (done < p->drawn_done) { /* it began anew */
        p->drawn_done = 0;
        p->rate = 0;
    }
    rate = (uint64_t)((double)(done - p->drawn_done) * 1e9 / (double)elapsed_ns);
    /* A moving mean of about a second: the last tenth alone would make the figure jump. */
    p->rate = p->rate == 0 ? rate : (p->rate * 7 + rate * 3) / 10;
    p->total = total;
    p->drawn_done = done;
    p->drawn_ns = now_ns;
    draw(p);
}

void hprogress_clear(hprogress_t *p)
{
    char line[LINE_SIZE];

    if (!p->enabled || p->drawn_width == 0)
        return;
    memset(line, ' ', sizeof(line));
    line[0] = '\r';
    line[p->drawn_width + 1] = '\r';
    write_line(p, line, p->drawn_width + 2);
    p->drawn_width = 0;
}
