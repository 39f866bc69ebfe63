/* input: stdin on its way to the network: read in large buffers, or typed line by line at a
 * terminal; with LF made CR LF (-C), and line by line in intervals (-i). */
#ifndef HNC_INPUT_H
#define HNC_INPUT_H

#include "event/htimer.h"
#include "hnc.h"
#include "pump.h"

typedef struct input_s input_t;

/* A piece to send: a part of the buffer, for pump_write. */
typedef void (*input_data_cb)(input_t *input, pump_buffer_t *buffer, const char *data, size_t len);
typedef void (*input_event_cb)(input_t *input);

struct input_s {
    hnc_t *hnc;
    hio_t *io; /* NULL: not open yet, at its end, or lines are typed (hnc->line) */
    pump_t pump;
    bool opened;
    bool ended; /* ... and everything was given to data_cb */
    bool held;
    bool typing;          /* lines come from hnc->line */
    bool typing_ended;    /* ... no more of them */
    bool giving;          /* in give_typed */
    hbytes_t typed;       /* ... and these are still to be given */
    bool after_cr;        /* -C: the byte before was a CR */
    pump_buffer_t *lines; /* -i: lines of this buffer are still to be given */
    const char *line;     /* ... from here on */
    size_t lines_len;     /* ... so many bytes */
    htimer_t *pace;       /* -i: runs while no line may be given */
    input_data_cb data_cb;
    input_event_cb ended_cb;   /* stdin is at its end: once */
    input_event_cb settled_cb; /* ... and all of it was sent: once */
    bool settled;
};

void input_init(input_t *input, hnc_t *hnc);
void input_deinit(input_t *input);

/* Begins to read, or with -d and --recv-only ends at once. A second call has no effect. */
void input_open(input_t *input);

/* Stops reading, and goes on. */
void input_hold(input_t *input, bool hold);

void input_close(input_t *input);

/* Whether nothing that was read is on its way, and nothing can be read right now. */
bool input_is_quiet(const input_t *input);

typedef enum { INPUT_FILE, INPUT_TERMINAL, INPUT_PIPE } input_kind_e;
input_kind_e input_kind(const input_t *input);

#endif
