/* hbase64: base64 of RFC 4648, with the standard alphabet (section 4) and the one for URLs and file
 * names (section 5). Nothing is allocated. */
#ifndef HNET_BASE_HBASE64_H
#define HNET_BASE_HBASE64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    HBASE64_STANDARD, /* + and /, always padded with = */
    HBASE64_URL       /* - and _, no padding */
} hbase64_alphabet_e;

/* Room for the text of n bytes with its NUL, and for the bytes of n characters. */
#define HBASE64_ENCODED_SIZE(n) (((n) + 2) / 3 * 4 + 1)
#define HBASE64_DECODED_SIZE(n) ((n) / 4 * 3 + 2)

/* Writes the text and a NUL. Returns its length, or -ENOBUFS (nothing is written) when size is less
 * than that and one. */
ssize_t hbase64_encode(hbase64_alphabet_e alphabet, const void *data, size_t len, char *text,
                       size_t size);

/* Strict: one alphabet, no space, no line end, the right padding (none in HBASE64_URL), and unused
 * bits of the last character 0, so that no two texts mean the same (section 3.5). Returns the
 * number of bytes, HERR_SYNTAX, or -ENOBUFS when size is less than that; then data may be partly
 * written. */
ssize_t hbase64_decode(hbase64_alphabet_e alphabet, const char *text, size_t len, void *data,
                       size_t size);

#ifdef __cplusplus
}
#endif

#endif
