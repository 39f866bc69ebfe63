/* aws_sigv4: requests signed as Amazon's services want it (Signature Version 4, HMAC-SHA256), and
 * those who copied them with other names: what curl's --aws-sigv4 does. Pure: the hash comes as a
 * function, the time as an argument. */
#ifndef HNET_CODEC_AWS_SIGV4_H
#define HNET_CODEC_AWS_SIGV4_H

#include "../base/hbuf.h"
#include "http_auth.h"
#include "http_names.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AWS_SIGV4_PART_MAX 64    /* bytes of a provider, region, service */
#define AWS_SIGV4_QUERY_MAX 1024 /* parameters */
#define AWS_SIGV4_FIELDS_MAX 1024
#define AWS_SIGV4_SIZE_MAX ((size_t)1 << 20) /* bytes of what is composed on the way */

typedef struct aws_sigv4_s {
    /* "PROVIDER1[:PROVIDER2[:REGION[:SERVICE]]]"; "": "aws:amz". Without a service that and the
     * region are the first labels of the host name. */
    const char *scheme;
    const char *user, *password; /* access key and secret key */
    http_span_t method;
    http_span_t host;  /* of the URL, without a port */
    http_span_t path;  /* of the URL, as it is sent */
    http_span_t query; /* data NULL: none */
    http_span_t
        host_field; /* the value of Host, where the client makes it; data NULL: it is among the
                               fields */
    const http_field_t *fields; /* that the program adds, in their order; all are signed */
    size_t field_count;
    http_span_t payload;  /* of the body, where it is in memory */
    bool payload_unknown; /* there is one, and it is not: for S3 it goes unsigned */
    int64_t now_s;        /* since the epoch */
} aws_sigv4_t;

/* Appends the fields that sign a request, "Name: value" with CR LF each: Authorization; the date,
 * if the program has no such field ("X-Amz-Date" or "Date"); for S3 x-amz-content-sha256, if the
 * program has none, whose value otherwise is the hash of the payload. 0; HERR_SYNTAX (no first
 * provider) or HERR_RANGE (no service or region in the scheme and the host, or a date that is
 * none), -ENOBUFS (too many parameters, fields, bytes), -ENOMEM, or what the hasher said; then *why
 * is a text. */
int aws_sigv4_sign(const aws_sigv4_t *request, const http_auth_hasher_t *hasher, hbytes_t *out,
                   const char **why);

#ifdef __cplusplus
}
#endif

#endif
