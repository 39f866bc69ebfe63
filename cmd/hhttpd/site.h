/* site: what one loop serves. It has a server, and for each virtual host a router, its files and
 * what the features have installed. One for each loop: nothing in it is shared between threads.
 *
 * A feature is one file with `int xxx_install(site_host_t *host)`, named in the table of site.c. It
 * looks at host->settings whether it is wanted, makes what it needs with site_keep (freed with the
 * site) or tells site_on_free what to call, and adds routes, middleware or a hook. */
#ifndef HNET_HHTTPD_SITE_H
#define HNET_HHTTPD_SITE_H

#include "hhttpd.h"
#include "proto/http_router.h"

#define SITE_LISTENERS_MAX (4 * SETTINGS_LISTENS_MAX)

typedef struct site_s site_t;
typedef struct access_log_s access_log_t;

/* What a loop is given; borrowed. */
typedef struct site_env_s {
    const settings_t *settings;
    const hlogfile_t *log;
    int access_fd;             /* -1: none */
    metrics_shared_t *metrics; /* NULL: nobody serves, this is a test */
    bool outside;              /* of the new root that workers have */
    uint64_t generation;
    int slot; /* of the worker, and which thread of it */
    int thread;
    int lane; /* which loop of all workers' together, and how many there are */
    int lane_count;
} site_env_t;

typedef struct site_host_s {
    struct site_host_s *next;
    site_t *site;
    const site_settings_t *settings;
    http_router_t *router;
    http_files_t *files;     /* with listings below settings->index_of */
    http_files_t *unlisted;  /* NULL: files serves all */
    size_t base_len;         /* of settings->base_url */
    struct auth_s *auth;     /* NULL: no path wants a password */
    struct upload_s *upload; /* NULL: nothing is stored */
} site_host_t;

struct site_s {
    hloop_t *loop;
    site_env_t env;
    const settings_t *settings;
    http_server_t *server;
    http_mime_t *mime;
    access_log_t *access; /* NULL: none */
    metrics_t *metrics;   /* NULL: none */
    site_host_t *hosts;   /* the first one is the default */
    htls_ctx_t *tls;
    struct site_owned_s *owned, *draining;
    hio_t *listeners[SITE_LISTENERS_MAX];
    const hlisteners_item_t *listener_items[SITE_LISTENERS_MAX]; /* of each */
    size_t listener_count;
    char why[512]; /* an installation failed */
    const char *why_value;
};

/* 0 and *site, or a negative error and words in why. */
int site_new(hloop_t *loop, const site_env_t *env, site_t **site, hbytes_t *why);

/* Before hloop_free. NULL is legal. */
void site_free(site_t *site);

/* Serves those sockets of the set that are for its lane, by copies of their descriptors. 0 or a
 * negative error. */
int site_listen(site_t *site, const hlisteners_set_t *set, htls_ctx_t *tls);

/* No new connections; calls done when the last one is over, or has been cut off after timeout_ms. A
 * second call shortens the time. */
void site_drain(site_t *site, uint32_t timeout_ms, void (*done)(void *arg), void *arg);

/* Whether a site can be made of the settings: with a loop that never runs. A line in errors. */
int site_test(const settings_t *settings, bool outside, hbytes_t *errors);

/* Shows the text as a QR code on stderr, if that is a terminal or not. */
void site_show_qr(const char *text);

/* ---- for features ---------------------------------------------------------------------------- */

/* The host that a stream's request is for. */
site_host_t *site_host_of(http_stream_t *stream);

/* Zeroed memory that lives as long as the site; NULL when there is none. */
void *site_keep(site_t *site, size_t size);

/* Calls free_cb(object) when the site ends, before the loop is freed; the last one first. 0, or
 * -ENOMEM and it is called at once. */
int site_on_free(site_t *site, void (*free_cb)(void *object), void *object);

/* Calls drain_cb(object) when the site drains, which may be twice: what would go on for ever has to
 * end. 0 or -ENOMEM. */
int site_on_drain(site_t *site, void (*drain_cb)(void *object), void *object);

/* http_router_add below the host's base_url. */
int site_route(site_host_t *host, const char *method, const char *pattern, http_handler_cb handler,
               void *userdata);

/* http_router_use below it; prefix "/" is for everything. */
int site_use(site_host_t *host, const char *prefix, http_middleware_cb middleware, void *userdata);

/* The path of the request behind base_url; data NULL: it is not below it. */
http_span_t site_path(const site_host_t *host, const http_stream_t *stream);

/* Answers with the files of the host, as the fallback does; path as site_path gives it. */
void site_serve_path(site_host_t *host, http_stream_t *stream, http_span_t path);

/* Words for a failed installation, and the setting that is to blame, or NULL. Returns err. */
int site_fail(site_t *site, int err, const char *value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The features. */
int cors_install(site_host_t *host);
int auth_install(site_host_t *host);
int redirect_install(site_host_t *host);
int proxy_install(site_host_t *host);
int rewrite_install(site_host_t *host);
int upload_install(site_host_t *host);

/* auth.c: whether what is asked for may not be seen at this path; then it has been answered. For
 * one that serves another path than the request's. */
bool auth_refuses(site_host_t *host, http_stream_t *stream, http_span_t path);

/* error_page.c: the http_error_cb; userdata is the site. */
void error_page_send(http_stream_t *stream, int status, const char *detail, void *site);

/* access_log.c: 0 and *log (NULL if none is wanted). Lines are kept for a moment, or until there
 * are many. */
int access_log_new(site_t *site, access_log_t **log);
void access_log_free(access_log_t *log); /* writes what is left; NULL is legal */
void access_log_add(access_log_t *log, http_stream_t *stream);

#endif
