/* http_cookie: Set-Cookie and Cookie as RFC 6265bis reads them, and the rules by which a cookie is
 * kept and sent. No store, no clock, no list of public suffixes: these are the caller's. */
#ifndef HNET_CODEC_HTTP_COOKIE_H
#define HNET_CODEC_HTTP_COOKIE_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_COOKIE_PAIR_MAX 4096      /* name and value together */
#define HTTP_COOKIE_ATTRIBUTE_MAX 1024 /* a value of an attribute; longer ones are as absent */
#define HTTP_COOKIE_DATE_MAX 79        /* of Expires; longer ones are as absent */
#define HTTP_COOKIE_AGE_MAX_S (400LL * 86400)
#define HTTP_COOKIE_DOMAIN_SIZE 256 /* with a NUL */

typedef enum {
    HTTP_SAME_SITE_DEFAULT, /* not said, or an unknown word */
    HTTP_SAME_SITE_NONE,
    HTTP_SAME_SITE_LAX,
    HTTP_SAME_SITE_STRICT
} http_same_site_e;

/* Spans point into what was parsed. */
typedef struct http_cookie_s {
    http_span_t name, value;              /* either may be empty, not both */
    char domain[HTTP_COOKIE_DOMAIN_SIZE]; /* lower case, without a leading dot; "": not said */
    http_span_t domain_said;              /* the same as it was written; may be empty */
    http_span_t path;                     /* empty: not said, or no path */
    bool persistent;                      /* expires_s counts; else it ends with the session */
    int64_t expires_s;                    /* since the epoch; INT64_MIN: at once */
    bool secure, http_only;
    bool host_only; /* set by http_cookie_accept: for that very host */
    http_same_site_e same_site;
} http_cookie_t;

/* Who sets a cookie, or is to get it. */
typedef struct http_cookie_site_s {
    const char *host; /* lower case, ASCII; addresses without brackets */
    bool host_is_address;
    bool secure;      /* https, or as good as that */
    http_span_t path; /* of the request, without a query */
} http_cookie_site_t;

/* Whether cookies for this domain would reach people who are not related ("com", "co.uk"). */
typedef bool (*http_public_suffix_cb)(const char *domain, void *arg);

/* Parses the value of a Set-Cookie (section 5.6). now_s: for Max-Age. 0; HERR_SYNTAX (to be
 * ignored), HERR_FRAME_SIZE (longer than HTTP_COOKIE_PAIR_MAX). */
int http_set_cookie_parse(http_span_t text, int64_t now_s, http_cookie_t *cookie);

/* Decides whether site may set it (section 5.7), and completes domain, path and host_only; path may
 * then point into site. is_public may be NULL. 0 or -EACCES: it is to be ignored. Prefixes
 * __Secure- and __Host- are obeyed. */
int http_cookie_accept(http_cookie_t *cookie, const http_cookie_site_t *site,
                       http_public_suffix_cb is_public, void *arg);

/* Whether an accepted cookie goes to site (section 5.8.3); SameSite is the caller's to judge. */
bool http_cookie_matches(const http_cookie_t *cookie, const http_cookie_site_t *site,
                         int64_t now_s);

/* The same domain, or one below it (section 5.1.3). An address is below nothing. */
bool http_cookie_domain_match(const char *host, bool host_is_address, const char *domain);

/* Section 5.1.4: "/a" is matched by /a and /a/b, not by /ab. */
bool http_cookie_path_match(http_span_t path, http_span_t cookie_path);
http_span_t http_cookie_default_path(http_span_t path);

/* Cuts the next cookie off the value of a Cookie; what has no "=" is all value. False at the end.
 * */
bool http_cookie_next(http_span_t *rest, http_span_t *name, http_span_t *value);

/* Writes the value of a Cookie ("a=b; c=d"), in the given order, and a NUL. The length, -ENOBUFS,
 * or -EINVAL for a cookie with characters that would end it. */
ssize_t http_cookie_write(const http_cookie_t *cookies, size_t count, char *buf, size_t size);

/* Writes the value of a Set-Cookie and a NUL, with what is set in cookie; strict: the name is a
 * token, the value has no space, comma, semicolon, backslash or quote (section 4.1.1). The length,
 * -ENOBUFS or -EINVAL. */
ssize_t http_set_cookie_write(const http_cookie_t *cookie, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
