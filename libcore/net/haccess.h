/* haccess: who may connect: lists of addresses that are allowed and denied, in ncat's grammar:
 *
 *     192.0.2.1   2001:db8::1         one address
 *     192.0.2.0/24   2001:db8::/32    a block; "example.com/24" too, around the name's addresses
 *     10.0.0-255.1,3,7-9   *          octets by range, list or "*" ("-" is 0-255)
 *     host.example                    all addresses of a name, resolved when it is added (blocks)
 *
 * A denied address is refused, whatever else is said; where anything is allowed, everything else is
 * refused; with no list at all everyone may come. An IPv4 address that comes mapped in an IPv6 one
 * counts as IPv4. */
#ifndef HNET_NET_HACCESS_H
#define HNET_NET_HACCESS_H

#include "haddr.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HACCESS_RULES_MAX 65536 /* of both lists together */
#define HACCESS_FILE_MAX ((size_t)4 << 20)
#define HACCESS_TEXT_MAX 1024 /* of one specification */
#define HACCESS_ERROR_SIZE 256

typedef enum { HACCESS_ALLOW, HACCESS_DENY } haccess_verdict_e;

typedef struct haccess_s haccess_t;

/* An empty list. 0 or -ENOMEM. */
int haccess_new(haccess_t **access);
void haccess_free(haccess_t *access); /* NULL is legal */

/* Adds what an option says: specifications with commas or space between (so a list of octets, which
 * has commas, goes into a file only). 0; or HERR_SYNTAX, HERR_RANGE, HERR_RESOLVE, -ENOBUFS
 * (HACCESS_RULES_MAX), -ENOMEM, and then error (may be NULL) is one line that quotes it, and what
 * came before it has been added. Names block. */
int haccess_add(haccess_t *access, haccess_verdict_e verdict, const char *text, char *error,
                size_t error_size);

/* Adds a file of them: space and line ends between, "#" begins a comment. Also the -errno of the
 * file, -EFBIG past HACCESS_FILE_MAX; error names file and line. An empty file that is added to
 * HACCESS_ALLOW allows nobody. */
int haccess_add_file(haccess_t *access, haccess_verdict_e verdict, const char *path, char *error,
                     size_t error_size);

/* Whether this peer may come. access may be NULL: everyone. UNIX sockets may always come. */
bool haccess_check(const haccess_t *access, const struct sockaddr *peer);

/* How many rules there are. */
size_t haccess_count(const haccess_t *access);

#ifdef __cplusplus
}
#endif

#endif
