/* http_altsvc: HTTP Alternative Services (RFC 7838): where else an origin says it can be reached,
 * and the file that keeps that:
 *
 *     h1 example.com 443 h3 other.example.com 8443 "20271120 12:00:00" 0 0
 *
 * These are: protocol, host and port of the origin; of the alternative; its end (UTC); persist;
 * priority (always 0). Of protocols only h1, h2 and h3 are kept.
 *
 * The clock is the caller's: now_s are seconds since the epoch. An object belongs to one thread. */
#ifndef HNET_PROTO_HTTP_ALTSVC_H
#define HNET_PROTO_HTTP_ALTSVC_H

#include "../base/hbuf.h"
#include "../codec/http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_ALTSVC_MAX 5000              /* alternatives; the oldest makes room */
#define HTTP_ALTSVC_HOST_SIZE 256         /* with a NUL */
#define HTTP_ALTSVC_LINE_MAX 4095         /* of a file */
#define HTTP_ALTSVC_FILE_MAX (16UL << 20) /* bytes of a file that is loaded */

typedef struct http_altsvc_s http_altsvc_t;

typedef enum http_alpn_e { HTTP_ALPN_NONE, HTTP_ALPN_H1, HTTP_ALPN_H2, HTTP_ALPN_H3 } http_alpn_e;

/* An origin, or an alternative. */
typedef struct http_altsvc_place_s {
    http_alpn_e alpn;
    char host[HTTP_ALTSVC_HOST_SIZE]; /* no brackets, no dot at its end */
    uint16_t port;
} http_altsvc_place_t;

typedef struct http_altsvc_entry_s {
    http_altsvc_place_t from, to;
    int64_t expires_s;
    bool persist; /* survives a change of the network */
} http_altsvc_entry_t;

/* Cuts the next alternative off the value of an Alt-Svc (section 3): to, expires_s and persist of
 * entry; an empty host in to is the origin's. 1; 0 at the end; HERR_SYNTAX: the rest is worth
 * nothing. "clear" (no list, but the word alone): http_altsvc_is_clear. to.alpn is HTTP_ALPN_NONE
 * for a protocol that is not kept. */
int http_altsvc_next(http_span_t *rest, int64_t now_s, http_altsvc_entry_t *entry);
bool http_altsvc_is_clear(http_span_t value);

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
const http_altsvc_entry_t *http_altsvc_find(const http_altsvc_t *altsvc, http_alpn_e alpn,
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
