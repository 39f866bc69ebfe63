/* hline: lines typed at a terminal, edited by GNU readline on the loop, while other output goes to
 * the same terminal without breaking the line that is being typed.
 *
 *   keyboard -> hio -> bytes that are ready -> readline -> line callback
 *   program  -> hline_write -> above the line being typed
 *
 * Readline gets whole characters and whole pastes from memory, so it never waits, and what it draws
 * goes through the same hio as the program's output, so both stay in order. What was written and
 * does not end in a line feed yet ("login: ") stands in front of the line being typed, as its
 * prompt, until the rest arrives.
 *
 * Readline is loaded at the first hline_open. Without it (WITH_READLINE=no, no library) lines come
 * as the terminal itself edits them, and all else works the same.
 *
 * Readline has one state for the whole process, so there is one hline at a time. Widths are those
 * of the locale's LC_CTYPE, which the program sets. */
#ifndef HNET_APP_HLINE_H
#define HNET_APP_HLINE_H

#include "../event/hio.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HLINE_LINE_MAX ((size_t)1024 * 1024) /* of a line, and of what is pasted at once */

typedef struct hline_s hline_t;

/* A line, without its line feed; a paste of several lines holds line feeds. text is valid during
 * the call only. */
typedef void (*hline_cb)(hline_t *line, const char *text, size_t len, void *arg);

/* Ctrl-D on an empty line, or the terminal is gone: there are no more lines, the terminal is as it
 * was. hline_write goes on to work. */
typedef void (*hline_eof_cb)(hline_t *line, void *arg);

/* The n-th word (from 0) that may stand for the one that begins with text, or NULL past the last;
 * valid until the next call. */
typedef const char *(*hline_complete_cb)(hline_t *line, const char *text, size_t n, void *arg);

typedef struct hline_options_s {
    const char *name; /* of the program, for conditions in ~/.inputrc; borrowed */
    int input;        /* the terminal to read; its hio becomes the hline's, which closes it */
    hio_t *output;    /* the terminal to write; borrowed, and has to outlive the hline */
    const char *history_path; /* copied; NULL: lines are not kept in a file */
    size_t history_max;       /* lines; 0: HHISTORY_LINES_MAX */
    bool plain;               /* without readline */
    hline_cb line_cb;
    hline_eof_cb eof_cb;
    hline_complete_cb
        complete_cb; /* each Tab is the next of these words; NULL: Tab is a character */
    void *arg;
} hline_options_t;

/* Whether lines can be edited here: both are terminals, and $TERM is not that of an editor, which
 * does so itself ("dumb"). */
bool hline_is_useful(int input, int output);

/* Sets LC_CTYPE as the environment says; where that says nothing at all, what is typed is more
 * likely UTF-8 than ASCII. */
void hline_set_locale(void);

/* Begins to read lines. 0; -ENOTTY (input or output is no terminal), -EBUSY (there is one already),
 * -ENOMEM. Callbacks run from the loop only. */
int hline_open(hline_t **line, const hline_options_t *options);

/* Whether readline edits; else the terminal does. */
bool hline_is_edited(const hline_t *line);

/* Why the history file could not be read: 0, or an error of hhistory_load. Such a file is not
 * written either. */
int hline_history_error(const hline_t *line);

/* Data for the terminal, as it is (control sequences too), above the line being typed. An
 * unfinished last line is kept in front of the typed text; past HLINE_TAIL_MAX bytes it is
 * ended. */
#define HLINE_TAIL_MAX ((size_t)1024)
void hline_write(hline_t *line, const void *data, size_t len);

/* Whole lines of the program's own, which must not become part of an unfinished line. */
void hline_message(hline_t *line, const void *text, size_t len);

/* The next line is a secret: it is not shown while it is typed, and not kept in the history. That
 * ends with the line, or with false. What is typed so far is dropped either way. Without readline
 * the terminal shows it nevertheless if it is not the process's own (htty_hide). */
void hline_secret(hline_t *line, bool secret);

/* Stops reading keys and goes on: they wait in the terminal. */
void hline_pause(hline_t *line, bool pause);

/* Ends it: the terminal is as it was, the history saved. NULL is legal; legal in its callbacks,
 * which come no more. Before the loop is freed. 0, or why the history could not be saved. */
int hline_close(hline_t *line);

#ifdef __cplusplus
}
#endif

#endif
