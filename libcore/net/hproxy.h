/* hproxy: a proxy as a value: its kind, where it is, who we are to it. From an option's text or the
 * environment. */
#ifndef HNET_NET_HPROXY_H
#define HNET_NET_HPROXY_H

#include "../base/herr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HPROXY_CHAIN_MAX 8
#define HPROXY_HOST_SIZE 256
#define HPROXY_SECRET_SIZE 2048 /* of a name or a password, with its NUL; SOCKS takes 255 bytes */

typedef enum {
    HPROXY_HTTP,    /* CONNECT, RFC 9110 section 9.3.6 */
    HPROXY_HTTPS,   /* the same, over TLS to the proxy */
    HPROXY_SOCKS4,  /* IPv4 addresses, resolved here */
    HPROXY_SOCKS4A, /* names are resolved by the proxy */
    HPROXY_SOCKS5,  /* RFC 1928, resolved here */
    HPROXY_SOCKS5H  /* names are resolved by the proxy */
} hproxy_type_e;

typedef struct hproxy_s {
    hproxy_type_e type;
    uint16_t port;
    char host[HPROXY_HOST_SIZE];   /* or unix:/path */
    char user[HPROXY_SECRET_SIZE]; /* "": none */
    char password[HPROXY_SECRET_SIZE];
    bool any_port; /* the text has none: port is the default */
} hproxy_t;

/* "[TYPE://][USER[:PASSWORD]@]HOST[:PORT]"; TYPE as in the enum, socks is socks4, percent escapes
 * in USER and PASSWORD; HOST may be unix:/path; without TYPE fallback counts; default ports 1080,
 * and 3128 for http, 443 for https. 0, HERR_SYNTAX, HERR_RANGE, HERR_UNSUPPORTED for another TYPE;
 * then error (may be NULL) is one line that never shows the password. */
int hproxy_parse(hproxy_t *proxy, const char *text, hproxy_type_e fallback, char *error,
                 size_t error_size);

/* "socks5://host:1080", without the secrets. Returns buf. */
const char *hproxy_format(const hproxy_t *proxy, char *buf, size_t size);

/* What the environment says for a connection to host:port by this URL scheme ("" or NULL: any):
 * SCHEME_proxy (lower case; upper case too but HTTP_PROXY), then ALL_PROXY, all_proxy; and, unless
 * the host is NULL, NO_PROXY, no_proxy: "*", or names (with what ends in them), addresses and CIDR
 * blocks, each with an optional port, separated by commas. An empty variable counts as none. 1: use
 * *proxy, 0: none, or an error of hproxy_parse. */
int hproxy_from_env(hproxy_t *proxy, const char *scheme, const char *host, uint16_t port,
                    char *error, size_t error_size);

/* Whether a NO_PROXY list covers host:port. */
bool hproxy_is_excluded(const char *list, const char *host, uint16_t port);

#ifdef __cplusplus
}
#endif

#endif
