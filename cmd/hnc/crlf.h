/* crlf: lines that end with CR LF (-C). */
#ifndef HNC_CRLF_H
#define HNC_CRLF_H

#include <stdbool.h>
#include <stddef.h>

/* Copies len bytes with every LF that has no CR in front made CR LF; `to` has room for 2 * len and
 * does not overlap. after_cr remembers from piece to piece whether the last byte was a CR; false at
 * first. Returns the number of bytes. */
static inline size_t crlf_copy(char *to, const char *data, size_t len, bool *after_cr)
{
    char *start = to;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' && !*after_cr)
            *to++ = '\r';
        *to++ = data[i];
        *after_cr = data[i] == '\r';
    }
    return (size_t)(to - start);
}

#endif
