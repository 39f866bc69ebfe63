/* client_view: what the server says, as the user sees it: nothing in it commands the terminal,
 * names have colours, and what is typed meanwhile stays whole. */
#ifndef HNET_HCHAT_CLIENT_VIEW_H
#define HNET_HCHAT_CLIENT_VIEW_H

#include "app/hline.h"

typedef struct view_s {
    hio_t *out;    /* stdout; NULL: it is gone */
    hline_t *line; /* where the user types; NULL: nowhere */
    bool color, timestamps;
    size_t shown;  /* bytes of a line that has not ended */
    hbytes_t text; /* what is written */
} view_t;

void view_deinit(view_t *view);

/* A whole line of the server's. */
void view_line(view_t *view, const char *data, size_t len);

/* The beginning of a line, that may be all for a while ("password: "); the rest of what
 * view_line gets then is behind it. */
void view_begin(view_t *view, const char *data, size_t len);

/* What came so far of a line will have no end. */
void view_end(view_t *view);

/* A line of the program's own, such as "hchat: ...". */
void view_say(view_t *view, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
