/* json_pretty: lays JSON (RFC 8259) out for people while it comes in, in pieces of any size: one
 * member a line, indented by two, every kind of token in its style. Only white space is changed:
 * what is not JSON, or nested too deep, passes as it is from there on.
 *
 *     json_pretty_init(&p, &styles);
 *     json_pretty_feed(&p, data, len, &out);      as often as data comes
 *     json_pretty_end(&p, &out);
 *
 * Several values in a row are laid out one by one. It keeps no data: only what it is in. */
#ifndef HNET_CODEC_JSON_PRETTY_H
#define HNET_CODEC_JSON_PRETTY_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_PRETTY_DEPTH_MAX 256
#define JSON_PRETTY_INDENT 2

/* What is written in front of a token, and behind it. Strings of the caller's. */
typedef struct json_pretty_styles_s {
    const char *key, *string, *number;
    const char *word; /* true, false, null */
    const char *off;
} json_pretty_styles_t;

/* All members are private; embedded by value. */
typedef struct json_pretty_s {
    const json_pretty_styles_t *styles;
    int state;
    int token;
    unsigned matched; /* letters of a word */
    unsigned depth;
    bool spaced;  /* white space was left out right here */
    bool escaped; /* in a string, behind a backslash */
    char last;    /* byte of the text that came out; NUL: none yet */
    uint64_t objects[JSON_PRETTY_DEPTH_MAX / 64]; /* bit n: level n is an object */
} json_pretty_t;

/* styles is borrowed; NULL: none. */
void json_pretty_init(json_pretty_t *p, const json_pretty_styles_t *styles);

/* Appends what the next bytes become: at most 2 * JSON_PRETTY_DEPTH_MAX bytes and two styles for
 * each. 0, or the errors of hbytes_append, after which p is of no more use. */
int json_pretty_feed(json_pretty_t *p, const void *data, size_t len, hbytes_t *out);

/* The data is over: switches a style off, and ends the last line of what was JSON. 0, or the errors
 * of hbytes_append. */
int json_pretty_end(json_pretty_t *p, hbytes_t *out);

#ifdef __cplusplus
}
#endif

#endif
