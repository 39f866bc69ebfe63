/* http_router: which handler answers a request, by its method and path.
 *
 *     "/data"              this path
 *     "/user/:id"          one segment, not empty, as the parameter "id"
 *     "/files/" "*path"    (in one string) the rest, may be empty, slashes and all
 *     "/www.*"             what begins so; a rest without a name is not kept
 *
 * The most exact route wins, whatever the order: text before a parameter, a parameter before a
 * rest, segment by segment; a route for another method does not count, and GET's is HEAD's as well.
 * Where a path has routes but none for the method, the answer is 405 with Allow, and to OPTIONS 204
 * with it; a path without routes is the fallback's, or 404. Paths are compared decoded. */
#ifndef HNET_PROTO_HTTP_ROUTER_H
#define HNET_PROTO_HTTP_ROUTER_H

#include "http_server.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_ROUTES_MAX 4096
#define HTTP_ROUTE_SEGMENTS_MAX 32
#define HTTP_MIDDLEWARE_MAX 32

typedef struct http_router_s http_router_t;

/* What runs before the handler: true when it has taken the stream (answered it, or will), false to
 * go on with the next. */
typedef bool (*http_middleware_cb)(http_stream_t *stream, void *userdata);

/* NULL: out of memory. */
http_router_t *http_router_new(void);
void http_router_free(http_router_t *router); /* NULL is legal */

/* method is a token, or "*": any that has no route of its own. 0; -EINVAL: a pattern that is none
 * (no leading slash, a parameter without a name or twice, a rest that is not last), no handler;
 * -EEXIST;
 * -ENOBUFS past a maximum; -ENOMEM. Strings are copied. */
int http_router_add(http_router_t *router, const char *method, const char *pattern,
                    http_handler_cb handler, void *userdata);

/* Runs before the handlers of all paths below prefix ("/": of all), in the order that they were
 * added, also where there is no route. "/api" is for "/api" and "/api/x", not "/apis". 0,
 * -EINVAL (no leading slash), -ENOBUFS past the maximum, -ENOMEM. */
int http_router_use(http_router_t *router, const char *prefix, http_middleware_cb middleware,
                    void *userdata);

/* Gets what no route fits. */
void http_router_fallback(http_router_t *router, http_handler_cb handler, void *userdata);

/* The http_handler_cb to give to a server, with the router as userdata. Routers do not change while
 * they serve, and then any number of threads may use one. */
void http_router_handle(http_stream_t *stream, void *router);

/* Calls cb with each route, in the order that they were added: for a page that lists them. */
void http_router_each(const http_router_t *router,
                      void (*cb)(const char *method, const char *pattern, void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
