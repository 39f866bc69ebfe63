/* connect: how servers are reached: addresses, proxies, sockets, time limits. */
#ifndef HCURL_CONNECT_H
#define HCURL_CONNECT_H

#include "app/hopt.h"
#include "login.h"
#include "proto/http_client.h"
#include "proto/http_override.h"
#include "request.h"

#define CONNECT_TIMEOUT_MS 300000
#define CONNECT_KEEPALIVE_S 60
#define CONNECT_KEEPALIVE_COUNT 9

typedef struct connect_options_s {
    hopt_list_t resolve, connect_to;
    const char *interface;
    uint16_t port_first, port_last; /* --local-port; 0: any */
    const char *unix_path;          /* NULL: none */
    bool unix_abstract;
    int family;               /* AF_INET, AF_INET6; 0: both */
    const char *proxy;        /* NULL: the environment's; "": none */
    hproxy_type_e proxy_type; /* of a text without one */
    bool proxy_http10;
    const char *pre_proxy;
    bool socks5_basic;       /* it is what there is */
    bool tunnel;             /* -p */
    const char *no_proxy;    /* NULL: the environment's */
    request_fields_t fields; /* --proxy-header */
    bool no_connect_heads;   /* --suppress-connect-headers: for output.h */
    uint32_t connect_ms;     /* 0: CONNECT_TIMEOUT_MS */
    bool no_keepalive;
    uint32_t keepalive_s, keepalive_count; /* 0: CONNECT_KEEPALIVE_S, CONNECT_KEEPALIVE_COUNT */
    bool delay;                            /* --no-tcp-nodelay */
    bool fast_open;
    uint32_t eyeballs_ms; /* default: HDIAL_ATTEMPT_DELAY_MS */
    bool haproxy;
    const char *haproxy_ip;
    const char *dns_servers;
    int tos; /* -1: not given */
} connect_options_t;

#define CONNECT_OPTIONS_DEFAULT                                                                    \
    {                                                                                              \
        .eyeballs_ms = HDIAL_ATTEMPT_DELAY_MS, .tos = -1                                           \
    }

extern const hopt_t connect_rows[]; /* bound to a connect_options_t */
void connect_options_deinit(connect_options_t *options);

/* What the options come to. Zero-initialised is nothing. */
typedef struct connect_s {
    hproxy_t proxy, pre_proxy;
    http_override_t *overrides;
    haddr_t source, haproxy_source;
    char *interface, *unix_path;
    hdns_t *dns; /* with --dns-servers */
} connect_t;

/* Fills what of a client is said here, and what the environment says of proxies: all but TLS.
 * proxy_user is -U. What it then points at is the connect_t and the
 * options; connect_free once the client is gone. 0, or an exit status (status.h) and one line; call
 * connect_free in both cases. */
int connect_apply(const connect_options_t *options, const login_pair_t *proxy_user, hloop_t *loop,
                  connect_t *connect, http_client_options_t *client, hbytes_t *error);
void connect_free(connect_t *connect);

/* Fills what of a transfer is said here: the fields for a proxy. */
void connect_apply_transfer(const connect_options_t *options, http_transfer_options_t *transfer);

#endif
