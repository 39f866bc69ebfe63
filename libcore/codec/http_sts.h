/* http_sts: Strict-Transport-Security (RFC 6797), as a field and as a line of curl's file:
 *
 *     example.com "20271120 12:00:00"      until then (UTC)
 *     .example.org "unlimited"             and all hosts below it */
#ifndef HNET_CODEC_HTTP_STS_H
#define HNET_CODEC_HTTP_STS_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_STS_AGE_MAX_S INT64_MAX
#define HTTP_STS_UNLIMITED INT64_MAX
#define HTTP_STS_HOST_SIZE 256 /* with a NUL */
#define HTTP_STS_LINE_SIZE 288 /* that of any host, with a NUL */

typedef struct http_sts_policy_s {
    int64_t max_age_s; /* 0: the host is to be forgotten */
    bool subdomains;
} http_sts_policy_t;

/* Reads the value of the field (section 6.1). Directives that are unknown are ignored; numbers that
 * are too large are HTTP_STS_AGE_MAX_S. 0 or HERR_SYNTAX (no max-age, or a directive twice): the
 * field is to be ignored. */
int http_sts_parse(http_span_t value, http_sts_policy_t *policy);

typedef struct http_sts_host_s {
    char name[HTTP_STS_HOST_SIZE]; /* lower case, no dots at its ends */
    bool subdomains;
    int64_t expires_s; /* HTTP_STS_UNLIMITED */
} http_sts_host_t;

/* Copies a host's name as it is kept. 0; -EINVAL for an empty one, one that is too long or has
 * characters that no name has. */
int http_sts_name(http_span_t name, char host[HTTP_STS_HOST_SIZE]);

/* Reads a line without its end. 0 or HERR_SYNTAX (a comment, too). */
int http_sts_line_parse(http_span_t line, http_sts_host_t *host);

/* Writes it, without an end of line, and a NUL; what ends behind the year 9999 is unlimited. The
 * length or -ENOBUFS. */
ssize_t http_sts_line_write(const http_sts_host_t *host, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
