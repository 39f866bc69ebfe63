/* http_client: requests to any URL, with all that follows from them: redirects, challenges,
 * cookies, proxies, content codings, connections that are kept. Which version of HTTP carries a
 * request is not seen here.
 *
 *     http_client_t     how connections are made, and those that are kept
 *     http_transfer_t   a request and the hops that come of it; the last one's response is told
 *
 * All belong to the loop's thread. Callbacks never run inside a call, but for on_trace and those of
 * the options inside http_transfer_start. For a program without a loop of its own: http_fetch.h. */
#ifndef HNET_PROTO_HTTP_CLIENT_H
#define HNET_PROTO_HTTP_CLIENT_H

#include "../base/hurl.h"
#include "http_exchange.h"
#include "http_source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_CLIENT_ERROR_SIZE HTTP_EXCHANGE_ERROR_SIZE
#define HTTP_CLIENT_REDIRECTS_MAX 50  /* the default */
#define HTTP_CLIENT_NO_REDIRECTS (-2) /* the first one is one too many */

typedef struct http_client_s http_client_t;
typedef struct http_transfer_s http_transfer_t;
typedef struct http_cookie_jar_s http_cookie_jar_t; /* http_cookie_jar.h */
typedef struct http_hsts_s http_hsts_t;             /* http_hsts.h */
typedef struct http_altsvc_s http_altsvc_t;         /* http_altsvc.h */
typedef struct http_override_s http_override_t;     /* http_override.h */

/* Why a transfer failed. */
typedef enum http_fault_e {
    HTTP_FAULT_NONE,
    HTTP_FAULT_SCHEME, /* not supported, or not allowed */
    HTTP_FAULT_URL,
    HTTP_FAULT_RESOLVE_PROXY,
    HTTP_FAULT_RESOLVE,
    HTTP_FAULT_CONNECT,
    HTTP_FAULT_VERSION, /* it does not speak HTTP, or a version of it that is not known */
    HTTP_FAULT_REPLY,   /* a malformed response */
    HTTP_FAULT_PARTIAL, /* ended too early */
    HTTP_FAULT_STATUS,
    HTTP_FAULT_WRITE, /* on_body said so */
    HTTP_FAULT_READ,  /* the source */
    HTTP_FAULT_MEMORY,
    HTTP_FAULT_TIMEOUT,
    HTTP_FAULT_RANGE, /* a resumed download came from its start */
    HTTP_FAULT_TLS,
    HTTP_FAULT_CANCELLED,
    HTTP_FAULT_REDIRECTS,
    HTTP_FAULT_EMPTY, /* closed without a byte */
    HTTP_FAULT_SEND,
    HTTP_FAULT_RECEIVE,
    HTTP_FAULT_CERTIFICATE,
    HTTP_FAULT_PIN,
    HTTP_FAULT_CODING,
    HTTP_FAULT_SIZE,
    HTTP_FAULT_REWIND,
    HTTP_FAULT_PROXY,
    HTTP_FAULT_LOGIN,
    HTTP_FAULT_CA_FILE,
    HTTP_FAULT_CLIENT_CERT,
    HTTP_FAULT_CIPHERS,
    HTTP_FAULT_CRL,
    HTTP_FAULT_UPLOAD,    /* a body of unknown length in HTTP/1.0 */
    HTTP_FAULT_TOO_LARGE, /* a head past its limits */
    HTTP_FAULT_USAGE      /* what was asked for cannot be sent */
} http_fault_e;

/* ---- how connections are made ---------------------------------------------------------------- */

/* Makes a TLS context when the first connection needs it: loading what TLS needs takes time. proxy:
 * it is for an https proxy. 0 and *ctx, which the client gives back; or a negative error, *fault
 * (HTTP_FAULT_TLS if it is not set) and one line in error. */
typedef int (*http_client_tls_cb)(bool proxy, htls_ctx_t **ctx, http_fault_e *fault, char *error,
                                  size_t error_size, void *arg);

/* What it points at is borrowed until http_client_free; strings and proxies are copied. 0 in a
 * number: the default. */
typedef struct http_client_options_s {
    hdial_options_t dial;             /* its proxies, addrs, tls_name and callbacks count not */
    const hproxy_t *proxy;            /* NULL: none, or what the environment says */
    const hproxy_t *pre_proxy;        /* a SOCKS proxy through which the other one is reached */
    bool proxy_env;                   /* where proxy is NULL: hproxy_from_env */
    const char *no_proxy;             /* hosts that are reached without; over the environment's */
    bool proxy_tunnel;                /* CONNECT for http, too */
    bool proxy_http10;                /* ... with HTTP/1.0 */
    const http_override_t *overrides; /* of addresses: --resolve, --connect-to; NULL: none */
    const char *unix_path;            /* "/path" or "@name": all connections go there; NULL: none */
    http1_options_t limits;           /* of responses */
    uint32_t fields_max;              /* 5,000 */
    uint32_t conns_max;               /* to one server; none */
    uint32_t idle_max, idle_ms;       /* as http_peer's */
    bool no_reuse;                    /* a connection for each request */
    http_client_tls_cb tls_cb;        /* NULL: dial.tls and dial.proxy_tls, or htls's defaults */
    void *tls_arg;
    uint32_t silence_ms; /* no byte for so long, while one is awaited: none */
} http_client_options_t;

/* 0 and *client; -EINVAL, -ENOMEM. */
int http_client_new(hloop_t *loop, const http_client_options_t *options, http_client_t **client);

/* Transfers that are under way end with HTTP_FAULT_CANCELLED inside this call. Before hloop_free,
 * not from callbacks. NULL is legal. */
void http_client_free(http_client_t *client);

/* ---- what is asked for ----------------------------------------------------------------------- */

typedef enum http_login_e {
    HTTP_LOGIN_BASIC = 1, /* unasked */
    HTTP_LOGIN_DIGEST = 2,
    HTTP_LOGIN_BEARER = 4, /* unasked */
    HTTP_LOGIN_ANY = 7     /* asks first what the server takes, and answers with the safest */
} http_login_e;

typedef struct http_login_s {
    const char *user, *password; /* user NULL: none; the URL's then count */
    const char *bearer;          /* a token; NULL: none */
    unsigned schemes;            /* set of http_login_e; 0: BASIC, BEARER if there is a token */
} http_login_t;

/* The credentials for a host, of a netrc for instance. Asked for every hop; *login is what counts
 * without it: the program's, else the URL's. What it writes there lives until on_close. 0, or a
 * negative error: HTTP_FAULT_READ. */
typedef int (*http_login_cb)(const char *host, http_login_t *login, void *arg);

typedef enum http_condition_e {
    HTTP_CONDITION_NONE,
    HTTP_IF_MODIFIED_SINCE,
    HTTP_IF_UNMODIFIED_SINCE
} http_condition_e;

/* What a redirect keeps although the custom is to make a GET of it. */
#define HTTP_KEEP_POST_301 1
#define HTTP_KEEP_POST_302 2
#define HTTP_KEEP_POST_303 4

/* Schemes, as a set. */
#define HTTP_SCHEME_HTTP 1
#define HTTP_SCHEME_HTTPS 2

/* All but the URL may be 0. All that it points at is borrowed until on_close. */
typedef struct http_transfer_options_s {
    const hurl_t *url;
    const char *method; /* NULL: GET, HEAD for no_body, POST with a body, PUT with put */
    const char *target; /* of the request line, in the URL's place */
    bool no_body;       /* only the head is wanted */
    bool put;           /* the body is an upload */
    const http_extra_t *fields;
    size_t field_count;
    const http_extra_t *proxy_fields; /* to an HTTP proxy, and all that CONNECT gets */
    size_t proxy_field_count;
    const char *user_agent; /* NULL: none */
    const char *referer;
    bool auto_referer;   /* redirects tell where from */
    const char *range;   /* "0-99"; NULL: none */
    int64_t resume_from; /* bytes that are there: of a download, or of an upload; 0: none */
    http_condition_e condition;
    int64_t condition_s;
    int version; /* 10: a request of HTTP/1.0; 0: the best */

    http_source_t *body;      /* NULL: none */
    const char *content_type; /* for it; NULL: none */
    bool form;                /* ... and no field of the program's takes its place: its boundary */
    int expect;         /* Expect: 100-continue: 0 for bodies past 1 MiB, 1 always, -1 never */
    uint32_t expect_ms; /* waits so long for the 100; 1,000 */

    http_login_t login, proxy_login;
    http_login_cb login_cb; /* NULL: none */
    void *login_arg;
    const char *sigv4;   /* "aws:amz:region:service"; signs with login */
    bool login_anywhere; /* credentials follow redirects to other hosts */

    bool follow;                        /* redirects */
    bool follow_obey;                   /* a custom method obeys the status, too */
    int redirects_max;                  /* 0: HTTP_CLIENT_REDIRECTS_MAX; -1: as many as
                                           come; HTTP_CLIENT_NO_REDIRECTS */
    unsigned keep_post;                 /* HTTP_KEEP_POST_ */
    unsigned schemes, redirect_schemes; /* HTTP_SCHEME_; 0: both */
    bool path_as_is;                    /* dot segments of redirects stay, too */

    http_cookie_jar_t *jar; /* read and written; NULL: none */
    const char *cookies;    /* "a=b; c=d", to the first host only; NULL: none */
    http_hsts_t *hsts;
    http_altsvc_t *altsvc; /* only learns */

    const char *accept_encoding; /* asks for these and decodes; "": all there are; NULL: neither */
    bool transfer_encoding;      /* asks for TE: gzip, and decodes */
    bool raw;                    /* nothing is decoded, chunks neither */

    uint32_t total_ms;  /* the whole; none */
    uint32_t low_speed; /* bytes a second; slower than that for low_speed_s is a timeout */
    uint32_t low_speed_s;
    uint64_t receive_rate, send_rate; /* bytes a second; none */
    int64_t size_max;                 /* of the body, bytes; 0: none */
    bool fail_on_status; /* 400 and above is HTTP_FAULT_STATUS, and its body not delivered */
} http_transfer_options_t;

/* ---- what comes ------------------------------------------------------------------------------ */

/* What a response is to the transfer. */
typedef enum http_hop_e {
    HTTP_HOP_FINAL,
    HTTP_HOP_INTERIM,   /* 1xx */
    HTTP_HOP_CONNECT,   /* of a proxy, to a CONNECT */
    HTTP_HOP_REDIRECT,  /* another request follows ... */
    HTTP_HOP_CHALLENGE, /* ... with credentials */
    HTTP_HOP_AGAIN,     /* ... the same once more: 417, a stale connection */
    HTTP_HOP_BROKEN     /* of a head that is malformed: its lines before the fault, no fields */
} http_hop_e;

typedef enum http_trace_e {
    HTTP_TRACE_INFO, /* one line of text without its end, for people */
    HTTP_TRACE_HEAD_OUT,
    HTTP_TRACE_HEAD_IN, /* a line, or the whole head */
    HTTP_TRACE_DATA_OUT,
    HTTP_TRACE_DATA_IN
} http_trace_e;

/* All but on_close may be NULL. */
typedef struct http_transfer_callbacks_s {
    /* The head of each response, the proxy's too. Spans are valid during the call. */
    void (*on_head)(http_transfer_t *transfer, http_hop_e hop,
                    const http_exchange_response_t *response, void *userdata);
    /* A piece of the last response's body, decoded. 0, or a negative error: HTTP_FAULT_WRITE. */
    int (*on_body)(http_transfer_t *transfer, http_span_t data, void *userdata);
    /* Trailers of the last response. */
    void (*on_trailers)(http_transfer_t *transfer, const http_field_t *fields, size_t count,
                        void *userdata);
    void (*on_trace)(http_transfer_t *transfer, http_trace_e kind, http_span_t data,
                     void *userdata);
    /* Over, and freed behind this callback. */
    void (*on_close)(http_transfer_t *transfer, http_fault_e fault, void *userdata);
} http_transfer_callbacks_t;

/* Begins. 0 and *transfer, -EINVAL, -ENOMEM, HERR_CLOSED (inside http_client_free); what is wrong
 * with the URL or the fields comes as on_close. */
int http_transfer_start(http_client_t *client, const http_transfer_options_t *options,
                        const http_transfer_callbacks_t *callbacks, void *userdata,
                        http_transfer_t **transfer);

/* Back-pressure: no on_body between the two. */
void http_transfer_pause(http_transfer_t *transfer);
void http_transfer_resume(http_transfer_t *transfer);

/* Ends it: on_close with this fault follows. reason is what http_transfer_error then says; NULL:
 * the usual. */
void http_transfer_abort(http_transfer_t *transfer, http_fault_e fault, const char *reason);

/* One line without a program's name; "" without an error. */
const char *http_transfer_error(const http_transfer_t *transfer);

/* The head of a hop, for a waterfall: microseconds since the transfer's start; 0: not needed. */
typedef struct http_hop_times_s {
    uint64_t started_us, resolved_us, connected_us, tls_us, sent_us, first_byte_us, ended_us;
    int status;
    bool reused;
} http_hop_times_t;

#define HTTP_TRANSFER_HOPS_MAX 64 /* that are kept for http_transfer_hops */

/* At any time; what is text is valid until the next callback. Times as %{time_...} of curl counts
 * them: microseconds since the start, over all hops. */
typedef struct http_transfer_info_s {
    const char *url; /* the last one that was asked */
    const char *method;
    const char *scheme;       /* "http" */
    const char *redirect_url; /* where a redirect leads that was not followed; "" */
    const char *content_type; /* "" */
    const char *referer;      /* "" */
    int status, connect_status, version;
    uint32_t redirects, requests, connects;
    uint64_t id, connection_id; /* of this client, from 0 on */
    uint64_t resolved_us, connected_us, tls_us, sending_us, sent_us, first_byte_us, redirect_us;
    uint64_t total_us;
    uint64_t downloaded, uploaded;      /* bytes of bodies, as they went over the wire, this hop */
    uint64_t head_bytes, request_bytes; /* over all hops; the latter with its bodies */
    int64_t download_total, upload_total; /* as announced; -1: not known */
    bool condition_unmet;                 /* the document was not new enough; status is 304 then */
    bool through_proxy;                   /* an HTTP proxy was used */
    int error; /* what a fault of the network came of: -ECONNREFUSED; 0: nothing is known */
    char local_ip[INET6_ADDRSTRLEN], remote_ip[INET6_ADDRSTRLEN];
    uint16_t local_port, remote_port;
} http_transfer_info_t;
void http_transfer_info(const http_transfer_t *transfer, http_transfer_info_t *info);

size_t http_transfer_hops(const http_transfer_t *transfer, const http_hop_times_t **hops);

/* The connection below, to ask about (TLS); NULL while there is none. */
hio_t *http_transfer_io(const http_transfer_t *transfer);
void *http_transfer_userdata(const http_transfer_t *transfer);
hloop_t *http_transfer_loop(const http_transfer_t *transfer);

#ifdef __cplusplus
}
#endif

#endif
