/* What hopt's own files share: walking a table, looking a name up, storing a value. */
#ifndef HNET_APP_HOPT_INT_H
#define HNET_APP_HOPT_INT_H

#include "hopt.h"

/* Walks the rows of both tables of a spec, through includes; groups are rows too. */
typedef struct hopt_iter_s {
    const hopt_t *row[HOPT_INCLUDE_DEPTH_MAX];
    void *base[HOPT_INCLUDE_DEPTH_MAX];
    const hopt_t *standard; /* the table that follows, or NULL */
    void *opts;
    int depth;
} hopt_iter_t;

/* opts may be NULL where only names matter. */
void hopt__iter_init(hopt_iter_t *iter, const hopt_spec_t *spec, void *opts);

/* The next row and, unless base is NULL, the struct that it is bound to; NULL at the end. */
const hopt_t *hopt__iter_next(hopt_iter_t *iter, void **base);

/* The row that a name belongs to, or NULL. Earlier rows hide later ones. */
typedef struct hopt_found_s {
    const hopt_t *row;
    void *base;
    bool negated;
} hopt_found_t;

bool hopt__find_short(const hopt_spec_t *spec, void *opts, char name, hopt_found_t *found);
bool hopt__find_pair(const hopt_spec_t *spec, void *opts, const char *name, hopt_found_t *found);
bool hopt__find_long(const hopt_spec_t *spec, void *opts, const char *name, size_t len,
                     hopt_found_t *found);

/* A mistake in the table is the programmer's: HOPT_NO could be the value of a callback that takes
 * one, and what is not copied cannot be overwritten. */
void hopt__check_tables(const hopt_spec_t *spec);

bool hopt__takes_value(const hopt_t *row);

/* Puts a copy into the member, in the place of the one that is there; of NULL, none. 0 or
 * -ENOMEM. */
int hopt__store_secret(const hopt_t *row, void *base, const char *text);

/* Converts text (NULL: the option alone) and stores it in the member of base. Also for a config
 * file, where a FLAG has a value: yes or no. 0, the positive result of a callback, or a negative
 * error and in `why` the words for it, without the option's name. */
int hopt__store(const hopt_t *row, void *base, const char *text, hbytes_t *why);

/* Appends untrusted text between single quotes, escaped for a terminal and cut at a sane length. */
void hopt__quote(hbytes_t *to, const char *text, size_t len);

#endif
