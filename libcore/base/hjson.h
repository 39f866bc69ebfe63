/* hjson: writes JSON (RFC 8259), compact and on one line, straight into a buffer.
 *
 *     hjson_t j;
 *     hjson_init(&j, &out);
 *     hjson_open_object(&j);
 *     hjson_key(&j, "port");
 *     hjson_uint(&j, 80);
 *     hjson_close(&j);
 *     status = hjson_finish(&j);
 *
 * The calls return nothing: the first failure is kept, what follows it does nothing, and
 * hjson_finish tells. Any bytes may be given as a string: what is not UTF-8 becomes U+FFFD. */
#ifndef HNET_BASE_HJSON_H
#define HNET_BASE_HJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HJSON_DEPTH_MAX 64

typedef struct hjson_s {
    hbytes_t *out;
    int error;
    unsigned depth;
    uint64_t objects; /* bit n: level n is an object, else an array */
    bool needs_comma; /* before the next value or key of this level */
    bool has_key;     /* a key waits for its value */
} hjson_t;

/* Appends to out, which is borrowed until hjson_finish. */
void hjson_init(hjson_t *j, hbytes_t *out);

/* 0; -ENOMEM or -ENOBUFS (out is full); -EINVAL when the calls make no JSON: a key outside an
 * object or twice, a value in an object without one, nested too deep, something left open. The
 * content of out is of no use then. */
int hjson_finish(hjson_t *j);

void hjson_open_object(hjson_t *j);
void hjson_open_array(hjson_t *j);
void hjson_close(hjson_t *j); /* the object or array opened last */

void hjson_key(hjson_t *j, const char *key);

void hjson_string(hjson_t *j, const char *text); /* NULL gives null */
void hjson_bytes(hjson_t *j, const void *data, size_t len);
void hjson_int(hjson_t *j, int64_t value);
void hjson_uint(hjson_t *j, uint64_t value);
void hjson_bool(hjson_t *j, bool value);
void hjson_null(hjson_t *j);

/* value / 10^decimals, exactly: (1234567, 6) gives 1.234567. At most 18 decimals. */
void hjson_fixed(hjson_t *j, int64_t value, unsigned decimals);

/* A member of an object: key and value. */
void hjson_add_string(hjson_t *j, const char *key, const char *text);
void hjson_add_uint(hjson_t *j, const char *key, uint64_t value);
void hjson_add_bool(hjson_t *j, const char *key, bool value);

#ifdef __cplusplus
}
#endif

#endif
