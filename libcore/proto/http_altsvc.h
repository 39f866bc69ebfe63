/* http_altsvc: where else an origin says it can be reached (HTTP Alternative Services, RFC 7838),
 * and the file that keeps that, whose format codec/http_alternative has. Only those protocols are
 * kept that it knows.
 *
 * The clock is the caller's: now_s are seconds since the epoch. An object belongs to one thread. */
#ifndef HNET_PROTO_HTTP_ALTSVC_H
#define HNET_PROTO_HTTP_ALTSVC_H

#include "../base/hbuf.h"
#include "../codec/http_alternative.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_ALTSVC_MAX 5000              /* alternatives; the oldest makes room */
#define HTTP_ALTSVC_LINE_MAX 4095         /* of a file */
#define HTTP_ALTSVC_FILE_MAX (16UL << 20) /* bytes of a file that is loaded */

typedef struct http_altsvc_s http_altsvc_t;

/* 0 and *altsvc, or -ENOMEM. */
int http_altsvc_new(http_altsvc_t **altsvc);
void http_altsvc_free(http_altsvc_t *altsvc); /* NULL is legal */

size_t http_altsvc_count(const http_altsvc_t *altsvc);     /* expired ones may be among them */
uint64_t http_altsvc_changes(const http_altsvc_t *altsvc); /* grows with each */

/* Takes the value of an Alt-Svc that came over https from host (without brackets) and port, over
 * this protocol. It replaces what was known of that origin; "clear" forgets it. How many were
 * taken, -EINVAL, -ENOMEM. */
int http_altsvc_set(http_altsvc_t *altsvc, http_alpn_e alpn, const char *host, uint16_t port,
                    http_span_t value, int64_t now_s);

/* The first alternative of an origin that is spoken in one of these protocols (a set of
 * 1 << HTTP_ALPN_). NULL if there is none; valid until the next call that changes something. */
const http_alternative_t *http_altsvc_find(http_altsvc_t *altsvc, http_alpn_e alpn,
                                           const char *host, uint16_t port, unsigned protocols,
                                           int64_t now_s);

/* Takes the lines of a file's text; those that are wrong or over are ignored. How many were taken,
 * or -ENOMEM. */
ssize_t http_altsvc_read(http_altsvc_t *altsvc, http_span_t text, int64_t now_s);

/* Appends all that are not over, oldest first. 0, -ENOMEM, -ENOBUFS. */
int http_altsvc_write(const http_altsvc_t *altsvc, int64_t now_s, hbytes_t *text);

/* The same with a file. How many were taken, -errno, -EFBIG; save (hfile_replace): 0, -errno. */
ssize_t http_altsvc_load(http_altsvc_t *altsvc, const char *path, int64_t now_s);
int http_altsvc_save(const http_altsvc_t *altsvc, const char *path, int64_t now_s);

#ifdef __cplusplus
}
#endif

#endif
