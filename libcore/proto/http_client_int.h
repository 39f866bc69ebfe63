/* The inside of http_client: clients and the servers they know (http_client.c, _route); transfers:
 * their life (http_transfer.c), the request's head (_head), who asks (_login), what follows from a
 * response (_follow), bodies in both directions (_body), what is told of them (_info), and what
 * went wrong (_fault). */
#ifndef HNET_PROTO_HTTP_CLIENT_INT_H
#define HNET_PROTO_HTTP_CLIENT_INT_H

#include "../base/hlist.h"
#include "../codec/http_auth.h"
#include "../event/htimer.h"
#include "../net/hdigest.h"
#include "../net/hrate.h"
#include "http_client.h"
#include "http_coding.h"

#define HTTP_CLIENT_URL_FLAGS (HURL_AS_GIVEN | HURL_PATH_AS_IS) /* of one that was read before */
#define HTTP_CLIENT_ORIGINS_MAX 256     /* servers that are known without being asked */
#define HTTP_CLIENT_DROP_MAX 1048576    /* of a body that nobody wants: more ends the connection */
#define HTTP_CLIENT_BODY_SIZE 65536     /* read from a source at once, and decoded at once */
#define HTTP_CLIENT_EXPECT_MIN 1048576  /* bodies past this ask before they are sent */
#define HTTP_CLIENT_LOWAT 131072        /* bytes for which a fast download is woken ... */
#define HTTP_CLIENT_LOWAT_AFTER 4194304 /* ... after so many, ... */
#define HTTP_CLIENT_LOWAT_LEFT 1048576  /* ... until no more than these are left, ... */
#define HTTP_CLIENT_LOWAT_SPEED 64      /* ... if it has so many bytes a microsecond */
#define HTTP_CLIENT_METHOD_SIZE 128
#define HTTP_CLIENT_CHALLENGES_MAX 10 /* in a row, for one request */

/* ---- servers --------------------------------------------------------------------------------- */

/* How a server is reached. */
typedef struct http_route_s {
    hendpoint_t to;
    bool tls;
    char tls_name[HENDPOINT_HOST_SIZE];
    hproxy_t proxies[2];
    size_t proxy_count;
    bool forward;         /* `to` is an HTTP proxy that gets whole URLs */
    bool tunnel;          /* the last of proxies is an HTTP proxy */
    hproxy_t http;        /* this one, or that */
    const haddr_t *addrs; /* borrowed from the overrides; NULL: resolve */
    size_t addr_count;
} http_route_t;

/* One that is known, and its connections. */
typedef struct http_origin_s {
    hlist_t link; /* the one that was asked last first */
    http_client_t *client;
    http_peer_t *peer;
    http_route_t route;
    uint32_t users; /* transfers */
    bool old;       /* it answers with HTTP/1.0 on a connection that is kept */
    size_t key_len;
    char key[]; /* what it is found by */
} http_origin_t;

struct http_client_s {
    hloop_t *loop;
    http_client_options_t options;
    hproxy_t proxy, pre_proxy;
    char *no_proxy, *unix_path;
    htls_ctx_t *tls, *proxy_tls; /* NULL: not made yet */
    hlist_t origins;
    uint32_t origin_count;
    hlist_t transfers;
    uint64_t connections;
    uint64_t transfer_count;
    bool closing; /* no transfer begins any more */
};

/* Whether its scheme is https. */
bool http_client__is_secure(const hurl_t *url);

/* Whether both name the same host, on the same link. */
bool http_client__same_host(const hurl_t *a, const hurl_t *b);

/* Finds the way. 0; or a negative error, *fault, and one line in error. */
int http_client__route(http_client_t *client, const hurl_t *url, http_route_t *route,
                       http_fault_e *fault, hbytes_t *error);

/* The server at the end of it, and who asks an HTTP proxy on the way for a tunnel; the transfer is
 * one more of its users. Errors as above. */
int http_client__origin(http_client_t *client, const http_route_t *route,
                        const http_login_t *proxy_login, http_origin_t **origin,
                        http_fault_e *fault, hbytes_t *error);

/* One user less. NULL is legal. */
void http_client__leave(http_origin_t *origin);

/* ---- transfers ------------------------------------------------------------------------------- */

typedef enum http_kind_e {
    HTTP_KIND_GET,
    HTTP_KIND_HEAD,
    HTTP_KIND_POST,
    HTTP_KIND_PUT
} http_kind_e;

/* What is known of a challenge and the answers to it. */
typedef struct http_login_state_s {
    http_challenge_t challenge;
    char cnonce[HDIGEST_NONCE_SIZE];
    uint32_t count;  /* answers to this nonce */
    unsigned picked; /* http_login_e; 0: none yet */
    bool has_nonce;
    bool answered; /* the last request had credentials */
    bool failed;   /* they were not taken: no more tries */
    uint32_t challenges;
} http_login_state_t;

struct http_transfer_s {
    hlist_t link;
    http_client_t *client;
    http_transfer_options_t options;
    const http_transfer_callbacks_t *callbacks;
    void *userdata;

    /* The request of this hop. */
    const hurl_t *url; /* that of the options, or moved */
    hurl_t moved;
    int home_port; /* with the host of the options: whose the credentials are */
    bool home_secure;
    http_kind_e kind;
    char method[HTTP_CLIENT_METHOD_SIZE];
    char *referer; /* NULL: none */
    bool custom_method;
    bool body_dropped; /* a redirect made a GET of it */
    bool no_expect;    /* it was refused */
    bool probe;        /* the body waits until the credentials are settled */
    bool settled;      /* ... and they are: nobody has asked for any */
    int64_t body_length;
    bool expects; /* Expect was sent */
    bool sending; /* the source has more */
    int64_t skip; /* bytes of the source that are there already: an upload goes on */
    bool chunked;

    http_login_t login, proxy_login; /* of this hop */
    hdial_connect_options_t connect; /* how its proxy is asked */
    char *user, *password;           /* of this hop's URL */
    http_login_state_t host, proxy;

    http_origin_t *origin;
    http_exchange_t *exchange;
    char *source_buf; /* HTTP_CLIENT_BODY_SIZE; NULL: nothing is being sent */
    bool begun;       /* the head of this hop was traced */
    hbytes_t early;   /* of the body, to be traced behind it */

    /* The response of this hop. */
    http_hop_e hop;
    char *location; /* where to go next */
    bool has_head;
    bool repeated;  /* on a new connection */
    bool moving_on; /* the rest of the response is not waited for */
    bool too_many;  /* redirects */
    uint64_t dropped;
    http_coding_t *decoder;
    char *decoded;      /* HTTP_CLIENT_BODY_SIZE */
    uint64_t delivered; /* bytes of this response's body, decoded */
    bool patient;       /* it is woken for large pieces */
    bool ignore_body;
    bool paused;
    bool keeps;    /* a piece of the body is not taken yet, it came to a pause: */
    hbytes_t kept; /* as it came, or what is not decoded of it */
    bool old;      /* somebody answered with HTTP/1.0 */

    http_fault_e fault;
    bool closing; /* on_close comes from the loop */
    htimer_t *close_timer, *total_timer, *speed_timer;
    hrate_t *receive_rate, *send_rate;
    uint64_t speed_bytes; /* at the last look */
    uint32_t slow_s;

    uint64_t started_us;
    http_transfer_info_t info;
    char *content_type, *redirect_url;
    http_hop_times_t hops[HTTP_TRANSFER_HOPS_MAX];
    size_t hop_count;
    hbytes_t error;
};

/* ---- http_transfer.c ------------------------------------------------------------------------- */

/* It ends with its on_close: at once, or with its exchange. */
void http_transfer__cancel(http_transfer_t *t);

/* Says why it fails, once; without a format: the usual words. */
void http_transfer__fail(http_transfer_t *t, http_fault_e fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells the program what goes on. */
void http_transfer__info(http_transfer_t *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void http_transfer__trace(http_transfer_t *t, http_trace_e kind, const void *data, size_t len);

/* Whether the URL's scheme is one of these (HTTP_SCHEME_); fails the transfer if not. */
bool http_transfer__allows(http_transfer_t *t, unsigned schemes, const hurl_t *url);

/* Microseconds since its start. */
uint64_t http_transfer__now_us(const http_transfer_t *t);

/* ---- http_transfer_info.c -------------------------------------------------------------------- */

/* Takes over what the exchange has measured so far, and where its connection goes. */
void http_transfer__note_times(http_transfer_t *t);
void http_transfer__note_addresses(http_transfer_t *t, hio_t *io);

/* ---- http_transfer_connect.c ----------------------------------------------------------------- */

/* How a proxy on the way is asked for a tunnel. */
const hdial_connect_options_t *http_transfer__connect(http_transfer_t *t);

/* An address did not answer: others may. arg is the exchange. */
void http_transfer__attempt(hdial_t *dial, const haddr_t *addr, int err, void *arg);

/* ---- http_transfer_head.c -------------------------------------------------------------------- */

/* The program's field of this name; NULL: there is none. */
const http_extra_t *http_transfer__extra(const http_transfer_t *t, const char *name);

/* Appends a URL without credentials, fragment, zone and the scheme's own port. 0, -ENOMEM. */
int http_transfer__write_url(const hurl_t *url, hbytes_t *out);

/* Whether what is secret may go to the host of this hop. */
bool http_transfer__is_trusted(const http_transfer_t *t);

/* Sends the request of this hop. 0, or a negative error after http_transfer__fail. */
int http_transfer__send_head(http_transfer_t *t, const http_exchange_callbacks_t *callbacks);

/* ---- http_transfer_login.c ------------------------------------------------------------------- */

/* Who asks, at this hop. 0 or a negative error after http_transfer__fail. */
int http_transfer__find_login(http_transfer_t *t);

/* Appends the value of Authorization, or Proxy-Authorization; nothing if there is none to send. */
int http_transfer__authorize(http_transfer_t *t, bool proxy, const char *target, hbytes_t *value);

/* After a 401 or 407: whether another request may be answered. */
bool http_transfer__challenge(http_transfer_t *t, const http_exchange_response_t *response);

/* Whether the body has to wait for a challenge. */
bool http_transfer__needs_probe(const http_transfer_t *t);

/* ---- http_transfer_sign.c -------------------------------------------------------------------- */

/* Appends the lines that sign the request; host: the value of the client's own Host, data NULL if
 * it is the program's. 0 or a negative error after http_transfer__fail. */
int http_transfer__sign(http_transfer_t *t, http_span_t host, hbytes_t *lines);

/* ---- http_transfer_follow.c ------------------------------------------------------------------ */

/* What this response is. Fails the transfer where it ends with it. */
http_hop_e http_transfer__judge(http_transfer_t *t, const http_exchange_response_t *response);

/* After a redirect: the next hop's URL, method and body. 0 or a negative error after
 * http_transfer__fail. */
int http_transfer__move(http_transfer_t *t);

/* ---- http_transfer_body.c -------------------------------------------------------------------- */

/* Before each hop that sends a body. 0 or a negative error after http_transfer__fail. */
int http_transfer__rewind(http_transfer_t *t);

/* There is room in the exchange. */
void http_transfer__pump(http_transfer_t *t);

/* The last response begins: what becomes of its body. */
void http_transfer__begin_body(http_transfer_t *t, const http_exchange_response_t *response);
void http_transfer__take_body(http_transfer_t *t, http_span_t data);
void http_transfer__take_kept(http_transfer_t *t); /* behind a pause */
void http_transfer__end_body(http_transfer_t *t);

/* ---- http_transfer_store.c ------------------------------------------------------------------- */

/* Appends the cookies of the jar for this hop: 0, 1 (no room for others), -ENOMEM. */
int http_transfer__read_jar(const http_transfer_t *t, hbytes_t *value);

/* Keeps what a response says: cookies, HSTS, alternatives. */
void http_transfer__keep(http_transfer_t *t, const http_exchange_response_t *response);

/* Makes https of the hop's URL if its host has asked for that. 0 or a negative error after
 * http_transfer__fail. */
int http_transfer__secure(http_transfer_t *t);

/* ---- http_transfer_fault.c ------------------------------------------------------------------- */

/* What was asked for cannot be sent: says which part of it. */
void http_transfer__blame(http_transfer_t *t);

/* The exchange ended with err. */
void http_transfer__explain(http_transfer_t *t, int err);

#endif
