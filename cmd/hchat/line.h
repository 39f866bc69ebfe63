/* line: what a client sends, as lines. They end with LF, CR LF, or telnet's CR NUL, which are taken
 * off; telnet's commands are taken out before (codec/telnet.h). Pure; works the same however the
 * stream is cut. */
#ifndef HNET_HCHAT_LINE_H
#define HNET_HCHAT_LINE_H

#include "base/hbuf.h"

#include <stdbool.h>

/* So many bytes without the end of a line come from nobody who wants to talk. */
#define LINE_ENDLESS_MAX ((size_t)1000 * 1000)

typedef enum line_result_e {
    LINE_NONE = 0, /* what came is used up */
    LINE_WHOLE,
    LINE_LONG,   /* told once for a line past the maximum; the rest of it is skipped */
    LINE_ENDLESS /* LINE_ENDLESS_MAX without one: there is no use in going on */
} line_result_e;

/* Zeroed before the first byte. */
typedef struct line_s {
    hbytes_t held;  /* the beginning of a line */
    size_t unended; /* bytes since the last line's end */
    bool skipping;
    bool after_cr; /* the last byte was a CR, kept or skipped */
    bool given;    /* what is held was given to the caller */
} line_t;

/* The next line within input, which moves on; line is valid until the next call, and while the
 * input's bytes are. Lines have line_max bytes at most. A line_result_e, or -ENOMEM. */
int line_next(line_t *in, size_t line_max, hbuf_t *input, hbuf_t *line);

/* Bytes that never get to line_next: they count for LINE_ENDLESS. */
void line_count(line_t *in, size_t bytes);

/* Frees what is held. When all is used up and no line has begun, nothing is. */
void line_deinit(line_t *in);

#endif
