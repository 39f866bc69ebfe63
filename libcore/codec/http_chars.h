/* http_chars: finds the byte that ends a run of text, 16 or 32 bytes at a time where the processor
 * can (chosen at run time), one at a time elsewhere.
 *
 * A set of bytes is two tables of 16: a byte belongs to it when low[its low half] and high[its high
 * half] have a bit in common. That is two table look-ups in every implementation. */
#ifndef HNET_CODEC_HTTP_CHARS_H
#define HNET_CODEC_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct http_chars_s {
    uint8_t low[16], high[16];
} http_chars_t;

/* What does not belong into ... */
extern const http_chars_t http_not_line;       /* a line: control characters but for the tab */
extern const http_chars_t http_not_token;      /* RFC 9110 section 5.6.2 */
extern const http_chars_t http_not_target;     /* a request target; see http1.h */
extern const http_chars_t http_not_any_target; /* the same, lenient */
extern const http_chars_t http_not_name;       /* a host's name, RFC 3986 section 3.2.2 */

static inline bool http_chars_has(const http_chars_t *set, char c)
{
    return set->low[(unsigned char)c & 15] & set->high[(unsigned char)c >> 4];
}

/* The first byte of the set in [text, end), or end: for runs of a few bytes, such as a name. */
static inline const char *http_find_near(const char *text, const char *end, const http_chars_t *set)
{
    while (text < end && !http_chars_has(set, *text))
        text++;
    return text;
}

/* The same for longer ones. */
typedef const char *(*http_find_cb)(const char *text, const char *end, const http_chars_t *set);

typedef enum http_find_e { HTTP_FIND_PLAIN, HTTP_FIND_SSE42, HTTP_FIND_AVX2 } http_find_e;
#define HTTP_FIND_COUNT 3

/* One implementation; NULL if this processor or compiler lacks it. */
http_find_cb http_find_of(http_find_e which);

/* The fastest one that there is. */
http_find_cb http_find_best(void);

#ifdef __cplusplus
}
#endif

#endif
