/* hbuf: a borrowed span of bytes, and hbytes: a growable buffer with a maximum. */
#ifndef HNET_BASE_HBUF_H
#define HNET_BASE_HBUF_H

#include <stdarg.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A span: it owns nothing. The layout is also libhv's. */
typedef struct hbuf_s {
    char *base;
    size_t len;
} hbuf_t;

/* A growable byte buffer. data[len] is always a NUL once anything was appended, so that text can be
 * printed; the NUL does not count. Zero-initialised is empty and unbounded (HBYTES_MAX). */
typedef struct hbytes_s {
    char *data;
    size_t len;
    size_t cap;
    size_t size_max; /* 0: HBYTES_MAX */
} hbytes_t;

#define HBYTES_MAX ((size_t)1 << 40)

void hbytes_init(hbytes_t *b, size_t size_max);

/* Frees the memory; b is then empty and can be used again. */
void hbytes_deinit(hbytes_t *b);

/* Makes room for n more bytes. 0, -ENOMEM, or -ENOBUFS past size_max; the content
 * stays as it was. */
int hbytes_reserve(hbytes_t *b, size_t n);

/* Append; 0 or the errors of hbytes_reserve, and then nothing was appended. What is appended must
 * not lie in b itself. The printf forms also give -EINVAL for a format that cannot be printed. */
int hbytes_append(hbytes_t *b, const void *data, size_t len);
int hbytes_append_str(hbytes_t *b, const char *s);
int hbytes_append_char(hbytes_t *b, char c);
int hbytes_printf(hbytes_t *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int hbytes_vprintf(hbytes_t *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Drops the first n bytes (all of them if n > len); keeps the memory. */
void hbytes_consume(hbytes_t *b, size_t n);
void hbytes_clear(hbytes_t *b);

/* Moves the content, NUL-terminated, out: the caller frees it with hmem_free. NULL if empty. len
 * may be NULL. */
char *hbytes_take(hbytes_t *b, size_t *len);

#ifdef __cplusplus
}
#endif

#endif
