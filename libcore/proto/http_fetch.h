/* http_fetch: a request and its whole response in one call, for programs without a loop:
 *
 *     http_fetched_t got;
 *
 *     if (http_fetch("https://example.com/", NULL, &got) == 0 && got.status == 200)
 *         fwrite(got.body, 1, got.body_len, stdout);
 *     else
 *         fprintf(stderr, "%s\n", got.error[0] ? got.error : got.reason);
 *     http_fetched_deinit(&got);
 *
 * A POST with credentials, and a field of the response:
 *
 *     http_fetch_options_t options = {.body = "{\"a\":1}", .content_type = "application/json",
 *                                     .login = {.user = "me", .password = "secret"}};
 *
 *     if (http_fetch("http://localhost:8080/items", &options, &got) == 0)
 *         printf("%d %s\n", got.status, http_fetched_field(&got, "Location"));
 *
 * Each call has a loop and a connection of its own, and may be made in any thread, but not in a
 * callback of a loop that has to go on meanwhile: it waits. For more than that: http_client.h. */
#ifndef HNET_PROTO_HTTP_FETCH_H
#define HNET_PROTO_HTTP_FETCH_H

#include "http_client.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_FETCH_TIMEOUT_MS 30000
#define HTTP_FETCH_BODY_MAX ((size_t)16 * 1024 * 1024)

/* All of it may be 0, and a NULL in its place is that: a GET, redirects followed, certificates
 * checked, the environment's proxies, codings decoded. */
typedef struct http_fetch_options_s {
    const char *method;         /* NULL: GET, POST with a body */
    const http_extra_t *fields; /* see http_client.h */
    size_t field_count;
    const void *body;
    size_t body_len; /* 0: up to its NUL */
    const char *content_type;
    http_login_t login;
    bool no_follow;
    bool insecure;         /* any certificate will do */
    const char *ca_file;   /* PEM, in the place of the system's */
    const char *unix_path; /* connects there */
    uint32_t timeout_ms;   /* of it all; HTTP_FETCH_TIMEOUT_MS */
    size_t body_max;       /* of the response, decoded; HTTP_FETCH_BODY_MAX */
} http_fetch_options_t;

typedef struct http_fetched_field_s {
    const char *name, *value;
} http_fetched_field_t;

typedef struct http_fetched_s {
    int status;         /* 0: no response */
    const char *reason; /* "" */
    const char *url;    /* of the last request; "" */
    http_fetched_field_t *fields;
    size_t field_count;
    const char *body; /* with a NUL behind it; "" */
    size_t body_len;
    http_fault_e fault;
    char error[HTTP_CLIENT_ERROR_SIZE]; /* one line; "" without an error */
    hbytes_t head_memory, body_memory;  /* private */
} http_fetched_t;

/* 0 for a whole response, whatever its status; or a negative error, and then fault and error tell
 * more: HERR_SYNTAX (the URL), HERR_UNSUPPORTED (its scheme, a library that is missing),
 * HERR_RESOLVE, -ECONNREFUSED (no connection, for whatever reason), HERR_PROXY, HERR_TLS,
 * HERR_CERTIFICATE, HERR_PROTOCOL (no HTTP), HERR_TRUNCATED (the response ends too early, or there
 * is none), -ECONNRESET, -ELOOP (redirects), -EFBIG (past body_max), -ETIMEDOUT, -EINVAL, -ENOMEM.
 * *got is written in any case and given to http_fetched_deinit; what had come before an error is in
 * it. */
int http_fetch(const char *url, const http_fetch_options_t *options, http_fetched_t *got);

/* Frees what is in it; legal on a zeroed one, and twice. */
void http_fetched_deinit(http_fetched_t *got);

/* The value of the first field of this name (in any case); NULL if there is none. */
const char *http_fetched_field(const http_fetched_t *got, const char *name);

#ifdef __cplusplus
}
#endif

#endif
