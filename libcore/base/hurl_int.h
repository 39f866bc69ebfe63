/* What the files of hurl share. */
#ifndef HNET_BASE_HURL_INT_H
#define HNET_BASE_HURL_INT_H

#include "hurl.h"

#include <string.h>

#define HURL_IDN_SIZE 1024 /* a name before libidn2 has seen it, with a NUL */

/* The front of *rest, n bytes of it. */
static inline hurl_part_t hurl__cut(hurl_part_t *rest, size_t n)
{
    hurl_part_t front = {rest->data, n};

    rest->data += n;
    rest->len -= n;
    return front;
}

/* How many bytes there are before one of these, or the end. */
static inline size_t hurl__until(hurl_part_t text, const char *ends)
{
    size_t n = 0;

    while (n < text.len && (text.data[n] == '\0' || !strchr(ends, text.data[n])))
        n++;
    return n;
}

/* Which characters are written as %XX, besides controls and what is not ASCII. */
#define HURL_SET_NONE ""
#define HURL_SET_FRAGMENT " \"<>`"
#define HURL_SET_QUERY " \"#<>"
#define HURL_SET_QUERY_SPECIAL " \"#<>'"
#define HURL_SET_PATH " \"#<>?^`{}"
#define HURL_SET_USER " \"#<>?^`{}/:;=@[\\]|"

/* A URL that is being written: its parts are offsets as long as the text may move. */
typedef struct hurl_mark_s {
    size_t at, len;
    bool there;
} hurl_mark_t;

typedef struct hurl_writer_s {
    hbytes_t out;
    hurl_mark_t scheme, user, password, host, zone, path, query, fragment;
} hurl_writer_t;

/* What was written since start. */
hurl_mark_t hurl__mark(const hurl_writer_t *w, size_t start);

/* Appends before and, as a part, text with the characters of set encoded. */
int hurl__put_part(hurl_writer_t *w, hurl_mark_t *mark, const char *before, hurl_part_t text,
                   const char *set);

/* Moves the text into url, and its parts. */
void hurl__finish(hurl_writer_t *w, hurl_t *url);

/* hurl_parse with HURL_AS_GIVEN. */
int hurl__parse_given(hurl_t *url, hurl_part_t text, const hurl_t *base, unsigned flags);

/* Appends the segments of a path that begins with one of slashes, or will, without those that are
 * dots; each as put writes it. */
int hurl__put_segments(hbytes_t *out, hurl_part_t path, const char *slashes,
                       int (*put)(hbytes_t *out, hurl_part_t segment));

/* The length of a scheme at the front, without its colon; 0 if there is none. */
size_t hurl__scheme_len(hurl_part_t text);

/* Appends a scheme in lower case. */
int hurl__put_scheme(hbytes_t *out, hurl_part_t scheme);

/* Appends text with these characters encoded; a "%" stays. */
int hurl__put(hbytes_t *out, hurl_part_t text, const char *set);

/* Appends a host, normalised (an IPv6 address in its brackets). special: names are DNS names. */
int hurl__put_host(hbytes_t *out, hurl_part_t text, bool special, hurl_host_e *kind);

/* The ASCII form of a UTF-8 name. 0, HERR_SYNTAX, HERR_RANGE, HERR_UNSUPPORTED, -ENOMEM. */
int hurl__idn(const char *name, char *ascii, size_t size);

/* The value of a hexadecimal digit, or -1. */
int hurl__hex(char c);

#endif
