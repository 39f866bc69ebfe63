/* proxy: the proxies that a client goes through: -x and --proxy, or the environment. */
#ifndef HNC_PROXY_H
#define HNC_PROXY_H

#include "hnc.h"
#include "net/hproxy.h"

typedef struct proxy_chain_s {
    hproxy_t items[HPROXY_CHAIN_MAX];
    size_t count;
} proxy_chain_t;

/* nc's and ncat's words for a kind of proxy; nc's default is SOCKS5, ncat's is HTTP. False: there
 * is no such kind, and a message is printed. */
bool proxy_find_type(const char *word, hproxy_type_e *type);

/* USER[:PASSWORD] into user and password. 0, or HNC_USAGE once a message is printed. */
int proxy_take_auth(hproxy_t *proxy, const char *auth);

/* Fills in the chain for a connection to host and port, empty if there is no proxy. 0, or an exit
 * status once a message is printed. */
int proxy_chain_make(proxy_chain_t *chain, const options_t *o, const char *host, uint16_t port);

/* Whether the last proxy can only be given an IPv4 address (SOCKS4). */
bool proxy_takes_ipv4_only(const proxy_chain_t *chain);

#endif
