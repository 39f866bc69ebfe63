/* checksum: the hash of a file that is being received. The library that counts it (libcrypto) is
 * loaded at the first use. */
#ifndef HCURL_CHECKSUM_H
#define HCURL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_MAX 64 /* bytes */
#define CHECKSUM_TEXT_SIZE (2 * CHECKSUM_MAX + 1)

typedef enum checksum_hash_e {
    CHECKSUM_NONE,
    CHECKSUM_MD5,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_SHA384,
    CHECKSUM_SHA512
} checksum_hash_e;

/* What is expected. */
typedef struct checksum_value_s {
    checksum_hash_e hash;
    uint8_t bytes[CHECKSUM_MAX];
} checksum_value_t;

const char *checksum_name(checksum_hash_e hash); /* "sha256" */
size_t checksum_size(checksum_hash_e hash);      /* 32 */

/* "sha256=9f86..." ("sha-256", ":" as well, in any case). 0; HERR_SYNTAX, HERR_RANGE (so many
 * digits no such hash has), HERR_UNSUPPORTED (no such hash). */
int checksum_parse(const char *text, checksum_value_t *value);

const char *checksum_format(checksum_hash_e hash, const uint8_t *bytes,
                            char text[CHECKSUM_TEXT_SIZE]);

typedef struct checksum_s checksum_t;

/* 0; HERR_UNSUPPORTED: there is no libcrypto, or it refuses this hash; -ENOMEM. */
int checksum_new(checksum_hash_e hash, checksum_t **checksum);
void checksum_free(checksum_t *checksum);

/* 0, HERR_UNSUPPORTED. */
int checksum_add(checksum_t *checksum, const void *data, size_t len);
int checksum_end(checksum_t *checksum, uint8_t bytes[CHECKSUM_MAX]);

#endif
