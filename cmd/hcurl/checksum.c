#include "checksum.h"

#include "base/herr.h"
#include "base/hlib.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT(x) #x
#define SONAME(name, version) name ".so." TEXT(version)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct crypto_s {
    HLIB_FUNCTION(EVP_MD_CTX_new);
    HLIB_FUNCTION(EVP_MD_CTX_free);
    HLIB_FUNCTION(EVP_DigestInit_ex);
    HLIB_FUNCTION(EVP_DigestUpdate);
    HLIB_FUNCTION(EVP_DigestFinal_ex);
    HLIB_FUNCTION(EVP_get_digestbyname);
} crypto_t;

struct checksum_s {
    const crypto_t *crypto;
    EVP_MD_CTX *ctx;
};

static const struct {
    const char *name, *other_name;
    size_t size;
} hashes[] = {
    [CHECKSUM_NONE] = {"", "", 0},
    [CHECKSUM_MD5] = {"md5", "md-5", 16},
    [CHECKSUM_SHA1] = {"sha1", "sha-1", 20},
    [CHECKSUM_SHA256] = {"sha256", "sha-256", 32},
    [CHECKSUM_SHA384] = {"sha384", "sha-384", 48},
    [CHECKSUM_SHA512] = {"sha512", "sha-512", 64},
};

const char *checksum_name(checksum_hash_e hash)
{
    return hashes[hash].name;
}

size_t checksum_size(checksum_hash_e hash)
{
    return hashes[hash].size;
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool is_name(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && strncasecmp(name, text, len) == 0;
}

static checksum_hash_e find(const char *text, size_t len)
{
    for (size_t i = CHECKSUM_MD5; i < COUNT(hashes); i++) {
        if (is_name(hashes[i].name, text, len) || is_name(hashes[i].other_name, text, len))
            return (checksum_hash_e)i;
    }
    return CHECKSUM_NONE;
}

int checksum_parse(const char *text, checksum_value_t *value)
{
    size_t len = strcspn(text, "=:");
    const char *digits = text + len + 1;
    checksum_hash_e hash = find(text, len);

    if (text[len] == '\0')
        return HERR_SYNTAX;
    if (hash == CHECKSUM_NONE)
        return HERR_UNSUPPORTED;
    if (strspn(digits, "0123456789abcdefABCDEF") != strlen(digits))
        return HERR_SYNTAX;
    if (strlen(digits) != 2 * hashes[hash].size)
        return HERR_RANGE;
    value->hash = hash;
    for (size_t i = 0; i < hashes[hash].size; i++)
        value->bytes[i] =
            (uint8_t)(hstr_hex_digit(digits[2 * i]) * 16 + hstr_hex_digit(digits[2 * i + 1]));
    return 0;
}

const char *checksum_format(checksum_hash_e hash, const uint8_t *bytes,
                            char text[CHECKSUM_TEXT_SIZE])
{
    text[0] = '\0';
    for (size_t i = 0; i < hashes[hash].size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return text;
}

/* ---- counting -------------------------------------------------------------------------------- */

static const crypto_t *load(void)
{
    static const hlib_symbol_t symbols[] = {
        HLIB_SYMBOL(crypto_t, EVP_MD_CTX_new),     HLIB_SYMBOL(crypto_t, EVP_MD_CTX_free),
        HLIB_SYMBOL(crypto_t, EVP_DigestInit_ex),  HLIB_SYMBOL(crypto_t, EVP_DigestUpdate),
        HLIB_SYMBOL(crypto_t, EVP_DigestFinal_ex), HLIB_SYMBOL(crypto_t, EVP_get_digestbyname),
    };
    static const char *const files[] = {SONAME("libcrypto", OPENSSL_SHLIB_VERSION), NULL};
    static crypto_t crypto;
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = COUNT(symbols),
        .table = &crypto,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib) == 0 ? &crypto : NULL;
}

int checksum_new(checksum_hash_e hash, checksum_t **checksum)
{
    const crypto_t *crypto = load();
    const EVP_MD *md = crypto ? crypto->EVP_get_digestbyname(hashes[hash].name) : NULL;
    checksum_t *c;

    if (!md)
        return HERR_UNSUPPORTED;
    c = hmem_zalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->crypto = crypto;
    c->ctx = crypto->EVP_MD_CTX_new();
    if (!c->ctx || crypto->EVP_DigestInit_ex(c->ctx, md, NULL) != 1) {
        checksum_free(c);
        return HERR_UNSUPPORTED;
    }
    *checksum = c;
    return 0;
}

void checksum_free(checksum_t *checksum)
{
    if (!checksum)
        return;
    checksum->crypto->EVP_MD_CTX_free(checksum->ctx);
    hmem_free(checksum);
}

int checksum_add(checksum_t *checksum, const void *data, size_t len)
{
    return checksum->crypto->EVP_DigestUpdate(checksum->ctx, data, len) == 1 ? 0 : HERR_UNSUPPORTED;
}

int checksum_end(checksum_t *checksum, uint8_t bytes[CHECKSUM_MAX])
{
    unsigned len = 0;

    return checksum->crypto->EVP_DigestFinal_ex(checksum->ctx, bytes, &len) == 1 ? 0
                                                                                 : HERR_UNSUPPORTED;
}
