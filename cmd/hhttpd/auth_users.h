/* auth_users: who may come in, and with which password. Read with the settings, by the process that
 * was started, which may read what the workers may not; a reload reads again. */
#ifndef HNET_HHTTPD_AUTH_USERS_H
#define HNET_HHTTPD_AUTH_USERS_H

#include "base/hbuf.h"

#include <stdbool.h>

#define AUTH_FILE_MAX ((size_t)1024 * 1024)
#define AUTH_USERS_MAX 10000 /* of a path */

typedef struct keep_s keep_t;

typedef enum {
    AUTH_PLAIN,
    AUTH_CRYPT, /* what crypt(3) knows: bcrypt, SHA-512, yescrypt ... */
    AUTH_APR1   /* what htpasswd makes unless it is told otherwise */
} auth_kind_e;

typedef struct auth_user_s {
    struct auth_user_s *next;
    const char *name;
    const char *secret; /* the password or its hash */
    auth_kind_e kind;
} auth_user_t;

/* Adds those of "name:password" or of a file, which is named without a colon or with a slash or dot
 * in front. A line of it is "name:hash", or "name:{PLAIN}password"; empty ones and those that begin
 * with "#" are left out. 0, -ENOMEM, or HERR_SYNTAX and words in why. */
int auth_users_add(keep_t *keep, auth_user_t **users, const char *text, hbytes_t *why);

/* The first user of this name; NULL: there is none. */
const auth_user_t *auth_users_find(const auth_user_t *users, const char *name);

/* Whether this is the password. Takes as long wherever they differ; a hash takes milliseconds and
 * more. */
bool auth_user_verify(const auth_user_t *user, const char *password);

#define APR1_SIZE 38 /* "$apr1$", 8 of salt, "$", 22 of the hash, NUL */

/* apr1.c: the password's hash with the salt of setting ("$apr1$salt$..."). 0, HERR_SYNTAX (no such
 * setting), -EMSGSIZE (a password that no HTTP client could send), or the errors of hdigest_hash.
 */
int apr1_hash(const char *password, const char *setting, char out[APR1_SIZE]);

#endif
