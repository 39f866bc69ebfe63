/* The summary: three figures, the ports by their state, and what is open on most hosts. */
#include "output_html_int.h"

#include <inttypes.h>

#define BARS_MAX 12
#define PER_CENT_SEEN 0.3 /* what is less would not be seen */

const char *page_tint(uint8_t state)
{
    switch (state) {
    case PORT_OPEN:
        return "open";
    case PORT_FILTERED:
        return "filtered";
    case PORT_CLOSED:
        return "closed";
    default:
        return "maybe";
    }
}

static void put_tile(page_t *page, const char *label, uint64_t count)
{
    page_printf(page, "<div class=\"card tile\"><b>%" PRIu64 "</b><span>%s</span></div>\n", count,
                label);
}

static void put_time(page_t *page, const run_t *run)
{
    uint64_t s = (uint64_t)run->elapsed_s;

    page_put(page, "<div class=\"card tile\"><b>");
    if (s >= 3600)
        page_printf(page, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        page_printf(page, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    else
        page_printf(page, "%.2f s", run->elapsed_s);
    page_printf(page, "</b><span>for %" PRIu64 " address%s</span></div>\n", run->total,
                run->total == 1 ? "" : "es");
}

/* ---- charts ---------------------------------------------------------------------------------- */

/* Lengths are per cent, so that nothing is scaled with the window but the bars. */
static void put_states(page_t *page, const totals_t *totals, uint64_t sum)
{
    double x = 0;

    page_put(page, "<h2>Ports by state</h2><svg class=\"all\" aria-hidden=\"true\">");
    for (size_t i = 0; i < PORT_STATES; i++) {
        double width = (double)totals->states[i] * 100 / (double)sum;

        if (totals->states[i] == 0)
            continue;
        if (width < PER_CENT_SEEN)
            width = PER_CENT_SEEN;
        page_printf(page, "<rect class=\"%s\" x=\"%.2f%%\" width=\"%.2f%%\" height=\"100%%\"/>",
                    page_tint((uint8_t)i), x, width);
        x += width;
    }
    page_put(page, "</svg>\n<ul class=\"legend\">");
    for (size_t i = 0; i < PORT_STATES; i++)
        if (totals->states[i] > 0)
            page_printf(page, "<li class=\"%s\">%s <b>%" PRIu64 "</b></li>", page_tint((uint8_t)i),
                        port_state_name((port_state_e)i), totals->states[i]);
    page_put(page, "</ul>\n");
}

static void put_bar(page_t *page, const totals_port_t *port, uint64_t most)
{
    page_printf(page, "<li>%u/%s <span>", port->number, protocol_name(port->protocol));
    page_text(page, port->usual);
    page_printf(page,
                "</span><b>%" PRIu64 "</b><svg aria-hidden=\"true\"><rect class=\"open\" "
                "width=\"%.2f%%\" height=\"100%%\"/></svg></li>\n",
                port->hosts, (double)port->hosts * 100 / (double)most);
}

static void put_open(page_t *page, const totals_t *totals)
{
    const totals_port_t *bars[BARS_MAX];
    size_t count = 0;

    while (count < BARS_MAX && (bars[count] = totals_most(totals, bars, count)) != NULL)
        count++;
    if (count == 0)
        return;
    page_printf(page, "<h2>%s by number of hosts</h2>\n<ul class=\"bars\">\n",
                totals->port_count > BARS_MAX ? "Most frequent open ports" : "Open ports");
    for (size_t i = 0; i < count; i++)
        put_bar(page, bars[i], bars[0]->hosts);
    page_put(page, "</ul>\n");
}

void page_summary(page_t *page, const run_t *run, const totals_t *totals)
{
    uint64_t sum = 0;

    page_put(page, "<section class=\"summary\" aria-label=\"Summary\">\n");
    put_tile(page, run->up == 1 ? "host up" : "hosts up", run->up);
    put_tile(page, totals->states[PORT_OPEN] == 1 ? "open port" : "open ports",
             totals->states[PORT_OPEN]);
    put_time(page, run);
    for (size_t i = 0; i < PORT_STATES; i++)
        sum += totals->states[i];
    if (sum > 0) {
        page_put(page, "<div class=\"card chart\">");
        put_states(page, totals, sum);
        put_open(page, totals);
        page_put(page, "</div>\n");
    }
    page_put(page, "</section>\n");
}
