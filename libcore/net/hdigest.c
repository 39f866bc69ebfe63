#include "hdigest.h"

#include "../base/herr.h"
#include "../base/hlib.h"

#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <stdio.h>
#include <sys/random.h>

#define TEXT(x) #x
#define SONAME(name, version) name ".so." TEXT(version)
#define NONCE_BYTES ((HDIGEST_NONCE_SIZE - 1) / 2)

typedef struct evp_s {
    HLIB_FUNCTION(EVP_MD_CTX_new);
    HLIB_FUNCTION(EVP_MD_CTX_free);
    HLIB_FUNCTION(EVP_DigestInit_ex);
    HLIB_FUNCTION(EVP_DigestUpdate);
    HLIB_FUNCTION(EVP_DigestFinal_ex);
    HLIB_FUNCTION(EVP_md5);
    HLIB_FUNCTION(EVP_sha256);
    HLIB_FUNCTION(EVP_sha512_256);
} evp_t;

static const evp_t *load(void)
{
    static const hlib_symbol_t symbols[] = {
        HLIB_SYMBOL(evp_t, EVP_MD_CTX_new),     HLIB_SYMBOL(evp_t, EVP_MD_CTX_free),
        HLIB_SYMBOL(evp_t, EVP_DigestInit_ex),  HLIB_SYMBOL(evp_t, EVP_DigestUpdate),
        HLIB_SYMBOL(evp_t, EVP_DigestFinal_ex), HLIB_SYMBOL(evp_t, EVP_md5),
        HLIB_SYMBOL(evp_t, EVP_sha256),         HLIB_SYMBOL(evp_t, EVP_sha512_256),
    };
    static const char *const files[] = {SONAME("libcrypto", OPENSSL_SHLIB_VERSION), NULL};
    static evp_t evp;
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &evp,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib) == 0 ? &evp : NULL;
}

static const EVP_MD *find(const evp_t *evp, http_auth_hash_e hash)
{
    switch (hash) {
    case HTTP_AUTH_MD5:
        return evp->EVP_md5();
    case HTTP_AUTH_SHA256:
        return evp->EVP_sha256();
    case HTTP_AUTH_SHA512_256:
        return evp->EVP_sha512_256();
    }
    return NULL;
}

int hdigest_hash(http_auth_hash_e hash, const http_span_t *parts, size_t count, uint8_t *digest,
                 void *arg)
{
    const evp_t *evp = load();
    const EVP_MD *md = evp ? find(evp, hash) : NULL;
    EVP_MD_CTX *ctx;
    bool ok;

    (void)arg;
    if (!md)
        return HERR_UNSUPPORTED;
    ctx = evp->EVP_MD_CTX_new();
    if (!ctx)
        return -ENOMEM;
    ok = evp->EVP_DigestInit_ex(ctx, md, NULL) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = evp->EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    ok = ok && evp->EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    evp->EVP_MD_CTX_free(ctx);
    return ok ? 0 : HERR_UNSUPPORTED;
}

http_auth_hasher_t hdigest_hasher(void)
{
    return (http_auth_hasher_t){hdigest_hash, NULL};
}

int hdigest_cnonce(char text[HDIGEST_NONCE_SIZE])
{
    unsigned char bytes[NONCE_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}
