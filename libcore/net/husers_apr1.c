/* The apr1 hash: the password hash of Apache's htpasswd: MD5 a thousand times over, in an order
 * that was meant to be slow. Weak by now, but what most files of passwords have. */
#include "husers.h"

#include "../base/herr.h"
#include "hdigest.h"

#include <stdint.h>
#include <string.h>

#define MAGIC "$apr1$"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define SALT_MAX 8
#define PASSWORD_MAX 255
#define SUM_LEN 16
#define ROUNDS 1000
#define PARTS_MAX (4 + PASSWORD_MAX / SUM_LEN + 1 + 8)

/* What one sum is made of. */
typedef struct mix_s {
    http_span_t parts[PARTS_MAX];
    size_t count;
} mix_t;

static void add(mix_t *mix, const void *data, size_t len)
{
    mix->parts[mix->count++] = (http_span_t){data, len};
}

static int sum(const mix_t *mix, uint8_t out[HTTP_AUTH_DIGEST_MAX])
{
    return hdigest_hash(HTTP_AUTH_MD5, mix->parts, mix->count, out, NULL);
}

/* The sum that the rounds begin with. */
static int begin(http_span_t password, http_span_t salt, uint8_t out[HTTP_AUTH_DIGEST_MAX])
{
    uint8_t inner[HTTP_AUTH_DIGEST_MAX];
    mix_t mix = {{password, salt, password}, 3};
    int err = sum(&mix, inner);

    mix = (mix_t){{password, {MAGIC, MAGIC_LEN}, salt}, 3};
    for (size_t left = password.len; left > 0; left -= left < SUM_LEN ? left : SUM_LEN)
        add(&mix, inner, left < SUM_LEN ? left : SUM_LEN);
    for (size_t bits = password.len; bits > 0; bits >>= 1)
        add(&mix, bits & 1 ? "" : password.data, 1);
    return err ? err : sum(&mix, out);
}

static int go_round(http_span_t password, http_span_t salt, uint8_t now[HTTP_AUTH_DIGEST_MAX])
{
    int err = 0;

    for (unsigned i = 0; !err && i < ROUNDS; i++) {
        const http_span_t last = {(const char *)now, SUM_LEN};
        mix_t mix = {{i & 1 ? password : last}, 1};

        if (i % 3 != 0)
            add(&mix, salt.data, salt.len);
        if (i % 7 != 0)
            add(&mix, password.data, password.len);
        mix.parts[mix.count++] = i & 1 ? last : password;
        err = sum(&mix, now);
    }
    return err;
}

/* Digits of 6 bits, the lowest first. */
static char *put_digits(char *to, uint32_t value, int count)
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (int i = 0; i < count; i++, value >>= 6)
        *to++ = digits[value & 0x3f];
    return to;
}

static void put_sum(char *to, const uint8_t bytes[SUM_LEN])
{
    for (size_t i = 0; i < 5; i++) {
        size_t third = i == 4 ? 5 : i + 12;

        to = put_digits(to, (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 6] << 8 | bytes[third],
                        4);
    }
    to = put_digits(to, bytes[11], 2);
    *to = '\0';
}

int husers__apr1(const char *password, const char *setting, char out[HUSERS_APR1_SIZE])
{
    http_span_t pass = http_span(password), salt;
    uint8_t now[HTTP_AUTH_DIGEST_MAX];
    int err;

    if (strncmp(setting, MAGIC, MAGIC_LEN) != 0)
        return HERR_SYNTAX;
    if (pass.len > PASSWORD_MAX)
        return -EMSGSIZE;
    salt = (http_span_t){setting + MAGIC_LEN, strcspn(setting + MAGIC_LEN, "$")};
    if (salt.len > SALT_MAX)
        salt.len = SALT_MAX;
    err = begin(pass, salt, now);
    if (!err)
        err = go_round(pass, salt, now);
    if (err)
        return err;
    memcpy(out, MAGIC, MAGIC_LEN);
    memcpy(out + MAGIC_LEN, salt.data, salt.len);
    out[MAGIC_LEN + salt.len] = '$';
    put_sum(out + MAGIC_LEN + salt.len + 1, now);
    return 0;
}
