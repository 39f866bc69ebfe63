/* output_html_int: what the files of the page share. output_html.c: the hosts;
 * output_html_chart.c: the summary; output_html_page.c: style and script. */
#ifndef HNMAP_OUTPUT_HTML_INT_H
#define HNMAP_OUTPUT_HTML_INT_H

#include "output.h"

/* Appends until the first error, which it keeps. */
typedef struct page_s {
    hbytes_t *out;
    int error;
} page_t;

void page_put(page_t *page, const char *html);
void page_text(page_t *page, const char *text); /* any bytes, escaped; NULL: nothing */
void page_printf(page_t *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name of a class of the style sheet: a colour. */
const char *page_tint(uint8_t state);

void page_summary(page_t *page, const run_t *run, const totals_t *totals);

extern const char output_html_head[];

#endif
