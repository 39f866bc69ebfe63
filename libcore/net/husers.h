/* husers: who may log in, and with which password: "name:password", and files as htpasswd makes
 * them. Hashes are those of crypt(3) (bcrypt, SHA-512, yescrypt ...; libcrypt is loaded when there
 * is one) and Apache's apr1. */
#ifndef HNET_NET_HUSERS_H
#define HNET_NET_HUSERS_H

#include "../base/hbuf.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HUSERS_FILE_MAX ((size_t)1024 * 1024)
#define HUSERS_MAX 10000

typedef struct husers_s husers_t;

typedef enum {
    HUSERS_PLAIN,
    HUSERS_CRYPT, /* what crypt(3) knows */
    HUSERS_APR1   /* what htpasswd makes unless it is told otherwise */
} husers_kind_e;

typedef struct husers_user_s {
    struct husers_user_s *next;
    const char *name;
    const char *secret; /* the password or its hash */
    husers_kind_e kind;
} husers_user_t;

/* An empty list. 0 or -ENOMEM. */
int husers_new(husers_t **users);
void husers_free(husers_t *users); /* NULL is legal */

/* Adds one whose password is known. The name has no colon. 0, -ENOMEM, or HERR_SYNTAX and words in
 * why (may be NULL). */
int husers_add(husers_t *users, const char *name, const char *password, hbytes_t *why);

/* Adds those of a file. A line of it is "name:hash", or "name:{PLAIN}password"; empty ones and
 * those that begin with "#" are left out. 0, -ENOMEM, or HERR_SYNTAX and words in why: file, line,
 * what is wrong. */
int husers_add_file(husers_t *users, const char *path, hbytes_t *why);

/* Either: "name:password", or a file, which is named without a colon or with a slash or dot in
 * front. */
int husers_add_text(husers_t *users, const char *text, hbytes_t *why);

/* The first user of this name; NULL: there is none. */
const husers_user_t *husers_find(const husers_t *users, const char *name);
const husers_user_t *husers_first(const husers_t *users); /* NULL: nobody */

/* Whether a password of any of them is a hash: Digest log-ins need them all as they are. */
bool husers_has_hashes(const husers_t *users);

/* Whether this is the password. Takes as long wherever they differ; a hash takes milliseconds and
 * more. Any thread. */
bool husers_verify(const husers_user_t *user, const char *password);

/* ---- inside ---------------------------------------------------------------------------------- */

#define HUSERS_APR1_SIZE 38 /* "$apr1$", 8 of salt, "$", 22 of the hash, NUL */

/* husers_apr1.c: the password's hash with the salt of setting ("$apr1$salt$..."). 0, HERR_SYNTAX
 * (no such setting), -EMSGSIZE (a password that no HTTP client could send), or the errors of
 * hdigest_hash. */
int husers__apr1(const char *password, const char *setting, char out[HUSERS_APR1_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
