#include "http_router_int.h"

#include "../base/hmem.h"

#include <string.h>

typedef struct middleware_s {
    char *prefix; /* without a slash at its end */
    size_t prefix_len;
    http_middleware_cb cb;
    void *userdata;
} middleware_t;

struct http_router_s {
    http_route_node_t *root;
    http_route_t *first; /* in the order in which they were added */
    http_route_t **last;
    size_t route_count;
    middleware_t middleware[HTTP_MIDDLEWARE_MAX];
    size_t middleware_count;
    http_handler_cb fallback;
    void *fallback_userdata;
};

static void free_route(http_route_t *route)
{
    hmem_free(route->method_name);
    hmem_free(route->pattern);
    hmem_free(route);
}

static http_route_t *new_route(const char *method, const char *pattern)
{
    http_route_t *route = hmem_zalloc(sizeof(*route));

    if (!route)
        return NULL;
    route->method = http_method_of(http_span(method));
    route->any = strcmp(method, "*") == 0;
    route->method_name = hmem_strdup(method);
    route->pattern = hmem_strdup(pattern);
    if (route->method_name && route->pattern)
        return route;
    free_route(route);
    return NULL;
}

/* ---- answering ------------------------------------------------------------------------------- */

static void call(http_stream_t *stream, const http_route_t *route, const http_search_t *search)
{
    http_request_t *request = &stream->request;

    request->param_count = route->name_count;
    for (size_t i = 0; i < route->name_count; i++)
        request->params[i] = (http_param_t){route->names[i], search->values[i]};
    route->handler(stream, route->userdata);
}

/* Of the methods that there are: an answer to OPTIONS, else an error. */
static void tell_methods(http_stream_t *stream, http_search_t *search)
{
    http_route__allow(search, "OPTIONS");
    http_response_set(stream, HTTP_SPAN("Allow"), (http_span_t){search->allow, search->allow_len});
    if (search->request->method != HTTP_METHOD_OPTIONS) {
        http_response_error(stream, 405, NULL);
        return;
    }
    http_response_status(stream, 204);
    http_response_send(stream, NULL, 0);
}

/* OPTIONS * asks about the server as a whole, RFC 9110 section 9.3.7. */
static bool is_about_server(const http_request_t *request)
{
    return request->method == HTTP_METHOD_OPTIONS && request->path.len == 1 &&
           request->path.data[0] == '*';
}

static bool is_below(http_span_t path, const middleware_t *middleware)
{
    size_t len = middleware->prefix_len;

    if (len == 0)
        return true;
    return path.len >= len && memcmp(path.data, middleware->prefix, len) == 0 &&
           (path.len == len || path.data[len] == '/');
}

static bool is_taken(const http_router_t *router, http_stream_t *stream)
{
    for (size_t i = 0; i < router->middleware_count; i++) {
        const middleware_t *middleware = &router->middleware[i];

        if (is_below(stream->request.path, middleware) &&
            middleware->cb(stream, middleware->userdata))
            return true;
    }
    return false;
}

void http_router_handle(http_stream_t *stream, void *arg)
{
    const http_router_t *router = arg;
    const http_route_t *route;
    http_search_t search;

    if (is_taken(router, stream))
        return;
    search.request = &stream->request;
    search.allow[0] = '\0';
    search.allow_len = 0;
    route = http_route__find(&search, router->root);
    if (route)
        call(stream, route, &search);
    else if (search.allow_len > 0 || is_about_server(search.request))
        tell_methods(stream, &search);
    else if (router->fallback)
        router->fallback(stream, router->fallback_userdata);
    else
        http_response_error(stream, 404, NULL);
}

/* ---- making ---------------------------------------------------------------------------------- */

http_router_t *http_router_new(void)
{
    http_router_t *router = hmem_zalloc(sizeof(*router));

    if (!router)
        return NULL;
    router->last = &router->first;
    router->root = hmem_zalloc(sizeof(*router->root));
    if (router->root)
        return router;
    hmem_free(router);
    return NULL;
}

void http_router_free(http_router_t *router)
{
    http_route_t *route;

    if (!router)
        return;
    http_route__free_tree(router->root);
    while ((route = router->first) != NULL) {
        router->first = route->after;
        free_route(route);
    }
    for (size_t i = 0; i < router->middleware_count; i++)
        hmem_free(router->middleware[i].prefix);
    hmem_free(router);
}

int http_router_add(http_router_t *router, const char *method, const char *pattern,
                    http_handler_cb handler, void *userdata)
{
    http_route_t *route;
    bool pattern_used;
    int err;

    if (!handler || (strcmp(method, "*") != 0 && !http_is_token(http_span(method))))
        return -EINVAL;
    if (router->route_count == HTTP_ROUTES_MAX)
        return -ENOBUFS;
    route = new_route(method, pattern);
    if (!route)
        return -ENOMEM;
    err = http_route__insert(router->root, route, &pattern_used);
    if (err < 0 && !pattern_used) {
        free_route(route);
        return err;
    }
    route->handler = err < 0 ? NULL : handler;
    route->userdata = userdata;
    *router->last = route;
    router->last = &route->after;
    router->route_count++;
    return err;
}

int http_router_use(http_router_t *router, const char *prefix, http_middleware_cb middleware,
                    void *userdata)
{
    size_t len = strlen(prefix);
    middleware_t *at;

    if (!middleware || prefix[0] != '/')
        return -EINVAL;
    if (router->middleware_count == HTTP_MIDDLEWARE_MAX)
        return -ENOBUFS;
    at = &router->middleware[router->middleware_count];
    if (prefix[len - 1] == '/')
        len--;
    *at = (middleware_t){hmem_strdup(prefix), len, middleware, userdata};
    if (!at->prefix)
        return -ENOMEM;
    router->middleware_count++;
    return 0;
}

void http_router_fallback(http_router_t *router, http_handler_cb handler, void *userdata)
{
    router->fallback = handler;
    router->fallback_userdata = userdata;
}

void http_router_each(const http_router_t *router,
                      void (*cb)(const char *method, const char *pattern, void *arg), void *arg)
{
    for (const http_route_t *route = router->first; route; route = route->after) {
        if (route->handler)
            cb(route->method_name, route->pattern, arg);
    }
}
