/* view: data as people and programs read it: in hex, as JSON, or as it is with the time in front of
 * each line. For stdout and for the files of --hex-dump. */
#ifndef HNC_VIEW_H
#define HNC_VIEW_H

#include "base/hbuf.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum { DUMP_SENT, DUMP_RECEIVED } dump_direction_e;

typedef enum {
    VIEW_RAW,
    VIEW_HEX, /* "> 00000010  68 65 6c 6c 6f 0a  ...  |hello.|": direction, offset, bytes, ASCII */
    VIEW_JSON /* one object a chunk and line: time, direction, length, data, and where these are
               * not UTF-8 "encoding": "base64" */
} view_style_e;

typedef struct view_s {
    view_style_e style;
    bool timestamps;    /* in front of each line of VIEW_RAW and VIEW_HEX; JSON always has a time */
    bool color;         /* VIEW_HEX: the direction */
    bool datagrams;     /* VIEW_RAW with timestamps: each chunk begins a line */
    bool in_line;       /* VIEW_RAW: the last line has no end yet */
    uint64_t offset[2]; /* by direction */
} view_t;

/* Appends a chunk that was sent or received at real time now_ms. 0 or -ENOMEM; out is as it was
 * then. */
int view_format(view_t *view, dump_direction_e direction, const hbuf_t *chunk, uint64_t now_ms,
                hbytes_t *out);

#endif
