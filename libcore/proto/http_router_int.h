/* The routes of a router, for its files only. */
#ifndef HNET_PROTO_HTTP_ROUTER_INT_H
#define HNET_PROTO_HTTP_ROUTER_INT_H

#include "http_router.h"
#include "http_stream_int.h"

#define HTTP_ALLOW_SIZE 512 /* of an Allow field */

typedef struct http_route_s {
    http_method_e method;
    bool any;          /* "*" */
    char *method_name; /* "*" included */
    char *pattern;
    http_handler_cb handler; /* NULL: it was refused, but others use its pattern */
    void *userdata;
    http_span_t names[HTTP_PARAMS_MAX]; /* of the parameters, in their order; they lie in pattern */
    size_t name_count;
    struct http_route_s *next;  /* of the same paths, another method */
    struct http_route_s *after; /* the one that was added next */
} http_route_t;

typedef struct http_route_rest_s {
    http_span_t text; /* in front of the star; lies in a pattern */
    http_route_t *routes;
    struct http_route_rest_s *next;
} http_route_rest_t;

typedef struct http_route_node_s {
    http_span_t text; /* of a literal one; lies in a pattern */
    struct http_route_node_s **children;
    size_t child_count, child_cap;
    struct http_route_node_s *param;
    http_route_rest_t *rests;
    http_route_t *routes; /* of the paths that end here */
} http_route_node_t;

typedef struct http_search_s {
    const http_request_t *request;
    http_span_t values[HTTP_ROUTE_SEGMENTS_MAX];
    char allow[HTTP_ALLOW_SIZE]; /* methods of routes that fit but for these */
    size_t allow_len;
} http_search_t;

/* Puts the route where its pattern says and finds its parameters' names. 0 or the errors of
 * http_router_add; *pattern_used: the tree points into its pattern, so it has to live on. */
int http_route__insert(http_route_node_t *root, http_route_t *route, bool *pattern_used);

/* The route for the request; NULL: there is none, and search->allow tells of other methods. */
const http_route_t *http_route__find(http_search_t *search, const http_route_node_t *root);

/* Adds a method to search->allow, once. */
void http_route__allow(http_search_t *search, const char *method);

/* Frees a node with all below, but no routes; NULL is legal. */
void http_route__free_tree(http_route_node_t *node);

#endif
