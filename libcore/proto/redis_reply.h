/* redis_reply: what a Redis server says (RESP2), out of the bytes as they come, and commands for
 * it. hiredis reads and formats (loaded by the first call); what a server can make it keep is
 * bounded here: REDIS_REPLY_SIZE_MAX bytes and REDIS_REPLY_ITEMS_MAX elements a reply, nested 7
 * deep. */
#ifndef HNET_PROTO_REDIS_REPLY_H
#define HNET_PROTO_REDIS_REPLY_H

#include "../base/hbuf.h"
#include "../base/herr.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REDIS_REPLY_SIZE_MAX ((size_t)1 << 20)
#define REDIS_REPLY_ITEMS_MAX 256 /* in all its arrays together */
#define REDIS_COMMAND_WORDS_MAX 16
#define REDIS_ERROR_SIZE 160

typedef enum redis_reply_e {
    REDIS_STRING,
    REDIS_STATUS, /* "+OK" */
    REDIS_ERROR,  /* "-ERR ..." */
    REDIS_INTEGER,
    REDIS_NIL,
    REDIS_ARRAY
} redis_reply_e;

typedef struct redis_reply_s {
    redis_reply_e type;
    const char *text; /* of the first three; a NUL behind it does not count */
    size_t len;
    int64_t integer;
    struct redis_reply_s **items; /* of an array; none is NULL */
    size_t count;
} redis_reply_t;

/* Whether the reply is a text of this kind and equal to this one. */
bool redis_reply_is(const redis_reply_t *reply, redis_reply_e type, const char *text);

typedef struct redis_reader_s redis_reader_t;

/* 0; HERR_UNSUPPORTED (built without hiredis, or it is not there: redis_why_not tells), -ENOMEM. */
int redis_reader_new(redis_reader_t **reader);
void redis_reader_free(redis_reader_t *reader); /* NULL is legal; not in a redis_reply_cb */

/* A whole reply, valid during the call. Other than 0 ends the feed with that result. */
typedef int (*redis_reply_cb)(const redis_reply_t *reply, void *arg);

/* Reads these bytes. 0; HERR_PROTOCOL (they are no RESP2), HERR_FRAME_SIZE (more than a bound
 * allows), -ENOMEM: nothing more can be read then, and redis_reader_error tells why; or what the
 * callback returned. */
int redis_reader_feed(redis_reader_t *reader, const void *data, size_t len, redis_reply_cb cb,
                      void *arg);

/* One line, control characters escaped; "" without an error. */
const char *redis_reader_error(const redis_reader_t *reader);

/* Appends a command of 1 to REDIS_COMMAND_WORDS_MAX words of any bytes. 0, -EINVAL, -ENOMEM,
 * -ENOBUFS, HERR_UNSUPPORTED. */
int redis_command(hbytes_t *out, const hbuf_t *words, size_t count);

/* NULL: hiredis can be used; else why not, in a few words. Loads it. */
const char *redis_why_not(void);

#ifdef __cplusplus
}
#endif

#endif
