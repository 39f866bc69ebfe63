/* redis_url: where a Redis server is, and who asks:
 *
 *     redis://[[user:]password@]host[:port][/database]
 *     rediss://...                                         the same over TLS
 *     redis+unix:///path                                   a UNIX socket
 *     redis+unix://[user:]password@localhost/path
 *     unix:/path
 *
 * A lone word before the "@" is a password, as in redis-cli. Users, passwords and paths are
 * percent-decoded. */
#ifndef HNET_PROTO_REDIS_URL_H
#define HNET_PROTO_REDIS_URL_H

#include "../net/hendpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REDIS_PORT 6379
#define REDIS_SECRET_SIZE 256 /* of a user or a password, with its NUL */
#define REDIS_DATABASE_MAX 65535
#define REDIS_URL_FORMAT_SIZE (HENDPOINT_FORMAT_SIZE + 16)

typedef struct redis_url_s {
    hendpoint_t endpoint;             /* TCP, TLS or UNIX */
    char user[REDIS_SECRET_SIZE];     /* "": the default user */
    char password[REDIS_SECRET_SIZE]; /* "": none is sent */
    unsigned database;
} redis_url_t;

/* Parses text. 0, HERR_SYNTAX, HERR_RANGE (port, database), -ENAMETOOLONG, -ENOMEM; then error is
 * one line that says what is wrong and never quotes a user or a password. */
int redis_url_parse(redis_url_t *url, const char *text, char *error, size_t error_size);

/* "redis://host:6379", without user, password and database: for messages. Returns buf. */
const char *redis_url_format(const redis_url_t *url, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
