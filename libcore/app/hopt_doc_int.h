/* What the pages of hopt_doc share. */
#ifndef HNET_APP_HOPT_DOC_INT_H
#define HNET_APP_HOPT_DOC_INT_H

#include "hopt_doc.h"
#include "hopt_int.h"

/* Appends; after the first failure it does nothing, so that a page checks once, at its end. */
typedef struct hopt_writer_s {
    hbytes_t *out;
    int error;
} hopt_writer_t;

void hopt__put(hopt_writer_t *w, const char *text);
void hopt__put_char(hopt_writer_t *w, char c);
void hopt__put_len(hopt_writer_t *w, const char *text, size_t len);
void hopt__printf(hopt_writer_t *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The names of a row that no earlier row hides. */
typedef struct hopt_names_s {
    char short_name;             /* 0: none */
    const char *pair;            /* NULL: none */
    const char *long_name;       /* NULL: none */
    const char *opposite;        /* of the long name, behind its prefix; NULL: none */
    const char *opposite_prefix; /* "no-", or "" where the long name has that */
} hopt_names_t;

/* Whether help, manual and completions show the row (a heading never), and its names. */
bool hopt__visible(const hopt_spec_t *spec, const hopt_t *row, hopt_names_t *names);

/* The word for the row's value in buf or static; NULL if it takes none. */
#define HOPT_ARG_SIZE 256
const char *hopt__arg_name(const hopt_t *row, char *buf, size_t size);

/* What completes a value. */
typedef enum hopt_value_e {
    HOPT_VALUE_NONE = 0, /* the option takes none */
    HOPT_VALUE_TEXT,
    HOPT_VALUE_WORDS, /* row->names */
    HOPT_VALUE_FILE,
    HOPT_VALUE_DIR,
    HOPT_VALUE_HOST
} hopt_value_e;

hopt_value_e hopt__value_kind(const hopt_t *row);

void hopt__write_man(const hopt_doc_t *doc, hopt_writer_t *w);
void hopt__write_bash(const hopt_doc_t *doc, hopt_writer_t *w);
void hopt__write_zsh(const hopt_doc_t *doc, hopt_writer_t *w);
void hopt__write_fish(const hopt_doc_t *doc, hopt_writer_t *w);

#endif
