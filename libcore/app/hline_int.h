/* What the files of hline share: the unfinished line in front of the typed text (hline_tail.c) and
 * which of the bytes that were typed readline may have (hline_keys.c), which do not know readline,
 * and readline itself (hline_edit.c). */
#ifndef HNET_APP_HLINE_INT_H
#define HNET_APP_HLINE_INT_H

#include "../base/hbuf.h"
#include "../event/htimer.h"
#include "hhistory.h"
#include "hline.h"

#include <stdbool.h>
#include <stdio.h>

#define HLINE_PASTE_BEGIN "\033[200~"
#define HLINE_PASTE_END "\033[201~"

typedef struct hline_tail_s {
    hbytes_t raw;    /* the unfinished line as it came, without what moves the cursor */
    hbytes_t prompt; /* the same for readline: tabs expanded, colours marked as without width */
    hbytes_t held;   /* the beginning of an escape sequence or a character */
    size_t columns;
    bool overwritten; /* a carriage return came: what follows replaces it */
} hline_tail_t;

void hline__tail_init(hline_tail_t *tail);
void hline__tail_deinit(hline_tail_t *tail);

/* Takes data in; what the terminal gets now is appended to out. 0 or -ENOMEM. */
int hline__tail_feed(hline_tail_t *tail, const char *data, size_t len, hbytes_t *out);

/* It stands on the screen for good. */
void hline__tail_clear(hline_tail_t *tail);

typedef struct hline_keys_s {
    hbytes_t bytes;
    size_t next;    /* the first that readline has not got */
    size_t limit;   /* as far as it may read */
    bool after_esc; /* the last one it got was an escape */
    bool divided;   /* a paste was longer than HLINE_LINE_MAX: the next bytes are the rest of it */
} hline_keys_t;

void hline__keys_init(hline_keys_t *keys);
void hline__keys_deinit(hline_keys_t *keys);

/* 0 or -ENOMEM. */
int hline__keys_add(hline_keys_t *keys, const char *data, size_t len);

/* The next byte (0..255), or -1. */
int hline__keys_take(hline_keys_t *keys);

static inline bool hline__keys_ready(const hline_keys_t *keys)
{
    return keys->next < keys->limit;
}

/* States: active (the terminal is in our mode) -> suspended (stopped, or in the background) ->
 * active ... -> ended. Without readline it is never active. */
struct hline_s {
    hline_options_t options;
    hloop_t *loop;
    hio_t *input; /* NULL: closed */
    char *history_path;
    hhistory_t history;
    int history_error;
    hline_tail_t tail;
    hline_keys_t keys;
    size_t completions; /* of the word that is completed, so far */
    bool edited;        /* by readline */
    bool active;
    bool ended; /* no more lines */
    bool shown; /* the prompt and the typed text are on the screen */
    bool stale; /* readline's prompt is not the tail */
    bool paused;
    bool secret;
    bool busy;      /* in on_input: freed at its end */
    bool closed;    /* by the program */
    FILE *keyboard; /* what readline takes the size of the terminal from */
    FILE *screen;   /* what readline draws on: goes to the output */
    hevent_t *signals[3];
    htimer_t *background; /* runs while the process may not use the terminal; NULL: it may */
};

/* Reads keys, or not. */
void hline__update_reading(hline_t *line);

/* Gives text to the program, unless it has closed the line. */
void hline__deliver(hline_t *line, const char *text, size_t len);

/* No more lines: tells the program once. */
void hline__end(hline_t *line);

/* HERR_UNSUPPORTED: there is no readline. */
int hline__edit_begin(hline_t *line);

/* Takes the keys that are ready. */
void hline__edit_keys(hline_t *line);

/* The typed line leaves the screen, and comes back below what was written meanwhile. */
void hline__edit_hide(hline_t *line);
void hline__edit_show(hline_t *line);

/* Drops what is typed so far; from here on it is shown if line->secret says so. */
void hline__edit_drop(hline_t *line);

/* Leaves what was typed on the screen and restores the terminal. Twice is legal. */
void hline__edit_end(hline_t *line);

/* Frees what belongs to readline. */
void hline__edit_free(hline_t *line);

#endif
