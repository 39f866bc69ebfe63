/* Challenges and credentials: nothing is read behind them, each challenge takes some of the text,
 * and what our client answers our server accepts. The hash is a toy, its quality plays no part. */
#include "base/herr.h"
#include "codec/http_auth.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static int toy_hash(http_auth_hash_e hash, const http_span_t *parts, size_t count, uint8_t *digest,
                    void *arg)
{
    uint64_t h = 14695981039346656037U + hash;

    (void)arg;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < parts[i].len; j++)
            h = (h ^ (uint8_t)parts[i].data[j]) * 1099511628211U;
    }
    for (size_t i = 0; i < HTTP_AUTH_DIGEST_MAX; i += sizeof(h))
        memcpy(digest + i, &h, sizeof(h));
    return 0;
}

/* A server with this realm and nonce hears our client. */
static void check_answer(const http_challenge_t *challenge)
{
    const http_auth_hasher_t hasher = {toy_hash, NULL};
    const http_auth_server_t server = {hasher, HTTP_SPAN("secret"), challenge->realm, true};
    const http_auth_t auth = {.user = "us\"er",
                              .password = "pass",
                              .method = HTTP_SPAN("CONNECT"),
                              .uri = HTTP_SPAN("h:80"),
                              .cnonce = "c",
                              .count = 1};
    char value[HTTP_AUTH_VALUE_SIZE];
    http_credentials_t credentials;
    ssize_t len = http_auth_answer(challenge, &auth, &hasher, value, sizeof(value));
    int verdict;

    if (len < 0)
        return;
    check(strlen(value) == (size_t)len);
    check(http_credentials_parse(&credentials, (http_span_t){value, (size_t)len}) == 0);
    verdict = http_auth_verify(&server, &credentials, &auth, 0);
    check(verdict ==
              (challenge->scheme == HTTP_AUTH_BASIC ? HTTP_AUTH_ACCEPTED : HTTP_AUTH_STALE) ||
          verdict == HTTP_AUTH_ACCEPTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    http_span_t value = {text, size};
    http_credentials_t credentials;
    http_challenge_t challenge;
    size_t left = size;

    memcpy(text, data, size);
    http_credentials_parse(&credentials, value);
    while (http_challenge_next(&value, &challenge) > 0) {
        check(value.len < left && value.data + value.len == text + size);
        left = value.len;
        check_answer(&challenge);
    }
    free(text);
    return 0;
}
