/* terminal: stdin and stdout are terminals: what is typed is edited, and neither what arrives nor a
 * message breaks it. The line is hnc->line while it is there. */
#ifndef HNC_TERMINAL_H
#define HNC_TERMINAL_H

#include "app/hline.h"
#include "hnc.h"

/* Whether lines are to be edited: both are terminals, and no option speaks against it. */
bool terminal_is_wanted(const options_t *o);

/* Begins to read lines, and watches the signals that end hnc. 0, or 1 once a message is printed.
 * terminal_close comes before the loop is freed. */
int terminal_open(hnc_t *hnc, hline_cb line_cb, hline_eof_cb eof_cb, void *arg);

/* The terminal is as it was, the history saved. Without terminal_open nothing happens. */
void terminal_close(hnc_t *hnc);

/* Shows a line that ends in a line feed, for the user alone. False: not done, stderr it is: no line
 * is typed, or stderr is not the terminal where. */
bool terminal_show(const char *text, size_t len);

#endif
