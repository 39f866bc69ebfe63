/* hurl: URLs as browsers read them (WHATWG URL, for the schemes http, https, ws, wss, ftp and file)
 * and as RFC 3986 does (all others); references resolved against a base; percent-encoding.
 *
 * What browsers agree on is taken, and written properly: spaces around, backslashes, any number of
 * slashes, default ports, dot segments (also as %2e), IPv4 as one number, octal or hexadecimal,
 * names in other scripts (through libidn2, loaded when such a name comes). A URL that was parsed
 * once and is parsed again stays as it is. */
#ifndef HNET_BASE_HURL_H
#define HNET_BASE_HURL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HURL_LEN_MAX 65536 /* of a text that is parsed */
#define HURL_HOST_MAX 255  /* of a host as it is resolved */

/* A part of hurl_t.text, not NUL-terminated; data NULL: it is not there (an empty query is). */
typedef struct hurl_part_s {
    const char *data;
    size_t len;
} hurl_part_t;

typedef enum { HURL_HOST_NONE, HURL_HOST_NAME, HURL_HOST_IPV4, HURL_HOST_IPV6 } hurl_host_e;

typedef struct hurl_s {
    char *text; /* all of it, normalised, NUL-terminated */
    size_t len;
    hurl_part_t scheme;         /* lower case, without the colon */
    hurl_part_t user, password; /* percent-encoded */
    hurl_part_t host;           /* lower case, IPv6 without brackets; "" in file:///etc */
    hurl_part_t zone;           /* of an IPv6 address: "eth0"; only with HURL_AS_GIVEN */
    hurl_part_t path;           /* percent-encoded; "/" at least where there is a host to ask */
    hurl_part_t query;          /* without the "?" */
    hurl_part_t fragment;       /* without the "#" */
    hurl_host_e host_kind;
    int port;          /* that of the text, else the scheme's own; 0: neither */
    bool local;        /* no host and a path that is no hierarchy: "mailto:a@b" */
    const char *fault; /* behind an error with HURL_AS_GIVEN: a few words; static */
} hurl_t;

typedef enum {
    HURL_STRICT = 1,   /* nothing that RFC 3986 does not allow: no space, backslash or raw UTF-8 */
    HURL_GUESS = 2,    /* a text without "scheme://" is one of http: "localhost:8080/x" */
    HURL_AS_GIVEN = 4, /* as curl reads URLs, see below; not with HURL_STRICT */
    HURL_PATH_AS_IS = 8, /* with HURL_AS_GIVEN: dot segments stay */
    HURL_LOCATION = 16   /* with HURL_AS_GIVEN: of a Location field */
} hurl_flags_e;

/* HURL_AS_GIVEN: what was given is what is asked for.
 *   - The query and the fragment stay byte for byte. So does the path in the text, but for dot
 *     segments (also as %2e); the part `path` has bytes past ASCII as %XX, and upper case in %xx.
 *   - The host keeps its case, the text a default port, users and passwords as they came. A name
 *     in another script stays so in the text; the part `host` is its ASCII form.
 *   - What differs from the text in this way lies behind its end, at text + len + 1.
 *   - A backslash is no slash. Spaces and controls are HERR_SYNTAX. One to three slashes may stand
 *     behind the scheme. What looks like an IPv4 address and is none is a name.
 *   - A scheme is needed, any, with a host; with HURL_GUESS "ftp.x" is ftp, "dict.x", "ldap.x",
 *     "imap.x", "smtp.x" and "pop3.x" likewise, all else http.
 *   - An IPv6 address may have a zone: [fe80::1%25eth0] or [fe80::1%eth0].
 * HURL_LOCATION: spaces are taken, and written "%20" (behind the first "?": "+"), and controls and
 * bytes past ASCII as %XX.
 * What is joined with a base loses its dot segments in any case.
 * A command line is HURL_AS_GIVEN | HURL_GUESS; a redirect HURL_AS_GIVEN | HURL_LOCATION with the
 * last URL as base (which itself is one of HURL_AS_GIVEN); both | HURL_PATH_AS_IS where that was
 * asked for. */

/* Parses text, relative to base if that is not NULL. 0; HERR_SYNTAX (also a relative text without a
 * base), HERR_RANGE (too long, or a port past 65535), HERR_UNSUPPORTED (a name that needs libidn2,
 * which is missing), -ENOMEM. url is written in any case, and freed by hurl_deinit; base may not be
 * url. */
int hurl_parse(hurl_t *url, const char *text, size_t len, const hurl_t *base, unsigned flags);

/* Frees what is in it; legal on a zeroed one, and twice. */
void hurl_deinit(hurl_t *url);

/* The path as it stands in the text. */
hurl_part_t hurl_shown_path(const hurl_t *url);

/* 80 for "http"; 0 for a scheme that has none, or is unknown. */
int hurl_default_port(const char *scheme, size_t len);

/* ---- percent-encoding ------------------------------------------------------------------------ */

/* Appends data with all but A-Z a-z 0-9 - . _ ~ encoded (RFC 3986 section 2.3). 0 or the errors of
 * hbytes_append, and then a part may be there. */
int hurl_encode(hbytes_t *out, const void *data, size_t len);

/* Undoes it into dst, which may be text itself; plus: a "+" is a space, as in forms. The length; no
 * NUL is added, and NULs may be in it. HERR_SYNTAX for a "%" without two digits, -ENOBUFS. */
ssize_t hurl_decode(char *dst, size_t size, const char *text, size_t len, bool plus);

/* Cuts the next "name=value" off a query or a form; empty ones are left out. Without "=" value has
 * data NULL. Both are still encoded. False at the end. */
bool hurl_query_next(hurl_part_t *rest, hurl_part_t *name, hurl_part_t *value);

#ifdef __cplusplus
}
#endif

#endif
