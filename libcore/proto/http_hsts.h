/* http_hsts: hosts that said to be asked over https only (HTTP Strict Transport Security, RFC
 * 6797), for how long, and the file that keeps them, whose format codec/http_sts has.
 *
 * The clock is the caller's: now_s are seconds since the epoch. An object belongs to one thread. */
#ifndef HNET_PROTO_HTTP_HSTS_H
#define HNET_PROTO_HTTP_HSTS_H

#include "../base/hbuf.h"
#include "../codec/http_sts.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_HSTS_MAX 10000             /* hosts; the oldest makes room */
#define HTTP_HSTS_LINE_MAX 4095         /* of a file */
#define HTTP_HSTS_FILE_MAX (16UL << 20) /* bytes of a file that is loaded */

typedef struct http_hsts_s http_hsts_t;

/* 0 and *hsts, or -ENOMEM. */
int http_hsts_new(http_hsts_t **hsts);
void http_hsts_free(http_hsts_t *hsts); /* NULL is legal */

size_t http_hsts_count(const http_hsts_t *hsts);     /* expired ones may be among them */
uint64_t http_hsts_changes(const http_hsts_t *hsts); /* grows with each */

/* What a response that came over https, with a certificate that is right, said for its host (lower
 * case; a dot at its end does not count). Addresses are ignored (section 8.1.1). 0, HERR_SYNTAX,
 * -EINVAL (no name for this), -ENOMEM. */
int http_hsts_set(http_hsts_t *hsts, const char *host, http_span_t value, int64_t now_s);

/* Whether a URL with this host has to become https (section 8.3). */
bool http_hsts_match(http_hsts_t *hsts, const char *host, int64_t now_s);

/* Takes the hosts of a file's text; of a host that is known the later end counts. Lines that are
 * wrong and those that are over are ignored. How many were taken, or -ENOMEM. */
ssize_t http_hsts_read(http_hsts_t *hsts, http_span_t text, int64_t now_s);

/* Appends all that are not over, oldest first. 0, -ENOMEM, -ENOBUFS. */
int http_hsts_write(const http_hsts_t *hsts, int64_t now_s, hbytes_t *text);

/* The same with a file. How many were taken, -errno, -EFBIG; save (hfile_replace): 0, -errno. */
ssize_t http_hsts_load(http_hsts_t *hsts, const char *path, int64_t now_s);
int http_hsts_save(const http_hsts_t *hsts, const char *path, int64_t now_s);

#ifdef __cplusplus
}
#endif

#endif
