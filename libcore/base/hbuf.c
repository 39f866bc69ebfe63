#include "hbuf.h"

#include "hmem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HBYTES_CAP_MIN 64

static size_t limit(const hbytes_t *b)
{
    return b->size_max && b->size_max < HBYTES_MAX ? b->size_max : HBYTES_MAX;
}

void hbytes_init(hbytes_t *b, size_t size_max)
{
    memset(b, 0, sizeof(*b));
    b->size_max = size_max;
}

void hbytes_deinit(hbytes_t *b)
{
    hmem_free(b->data);
    hbytes_init(b, b->size_max);
}

int hbytes_reserve(hbytes_t *b, size_t n)
{
    size_t max = limit(b);
    size_t need, cap;
    char *data;

    if (b->len > max || n > max - b->len)
        return -ENOBUFS;
    need = b->len + n + 1;
    if (need <= b->cap)
        return 0;
    cap = b->cap ? b->cap * 2 : HBYTES_CAP_MIN;
    if (cap < need)
        cap = need;
    if (cap > max + 1)
        cap = max + 1;
    data = hmem_realloc(b->data, cap);
    if (!data)
        return -ENOMEM;
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return 0;
}

int hbytes_append(hbytes_t *b, const void *data, size_t len)
{
    int err;

    if (!len)
        return 0;
    err = hbytes_reserve(b, len);
    if (err)
        return err;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int hbytes_append_str(hbytes_t *b, const char *s)
{
    return hbytes_append(b, s, strlen(s));
}

int hbytes_append_char(hbytes_t *b, char c)
{
    return hbytes_append(b, &c, 1);
}

int hbytes_printf(hbytes_t *b, const char *fmt, ...)
{
    va_list ap;
    int err;

    va_start(ap, fmt);
    err = hbytes_vprintf(b, fmt, ap);
    va_end(ap);
    return err;
}

/* Formats into what room there is, and a second time if that was too small. */
int hbytes_vprintf(hbytes_t *b, const char *fmt, va_list ap)
{
    size_t room = b->cap - b->len;
    va_list again;
    int n, err;

    va_copy(again, ap);
    n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    err = n < 0 ? -EINVAL : hbytes_reserve(b, (size_t)n);
    if (!err && (size_t)n >= room)
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
    va_end(again);
    if (!err)
        b->len += (size_t)n;
    else if (room)
        b->data[b->len] = '\0';
    return err;
}

void hbytes_consume(hbytes_t *b, size_t n)
{
    if (n >= b->len) {
        hbytes_clear(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

void hbytes_clear(hbytes_t *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *hbytes_take(hbytes_t *b, size_t *len)
{
    char *data = NULL;

    if (len)
        *len = b->len;
    if (b->len) {
        data = b->data;
        hbytes_init(b, b->size_max);
    }
    return data;
}
