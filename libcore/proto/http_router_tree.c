/* Routes are a tree with one level for each segment of a path ("/a/" has two: "a" and ""). A node
 * has its literal children in order of their text, one child for a parameter of any name, and the
 * rests that begin there, the longest text in front of the star first. A path meets a node at most
 * once, so a look-up is bounded by the number of nodes. */
#include "http_router_int.h"

#include "../base/hmem.h"

#include <string.h>

/* ---- patterns -------------------------------------------------------------------------------- */

typedef enum { SEGMENT_TEXT, SEGMENT_PARAM, SEGMENT_REST } segment_e;

typedef struct segment_s {
    segment_e kind;
    http_span_t text; /* of a text, and in front of a star */
    http_span_t name; /* of a parameter or a rest; empty: it has none */
} segment_t;

/* Cuts the next segment off a path or a pattern, whose first slash is gone. False at the end. */
static bool next_segment(http_span_t *rest, http_span_t *segment)
{
    const char *slash;

    if (!rest->data)
        return false;
    slash = rest->len ? memchr(rest->data, '/', rest->len) : NULL;
    *segment = *rest;
    if (!slash) {
        rest->data = NULL;
        return true;
    }
    segment->len = (size_t)(slash - rest->data);
    rest->len -= segment->len + 1;
    rest->data = slash + 1;
    return true;
}

static int parse_segment(http_span_t text, segment_t *segment)
{
    const char *star = text.len ? memchr(text.data, '*', text.len) : NULL;

    *segment = (segment_t){.kind = SEGMENT_TEXT, .text = text};
    if (text.len > 0 && text.data[0] == ':') {
        segment->kind = SEGMENT_PARAM;
        segment->name = (http_span_t){text.data + 1, text.len - 1};
        return segment->name.len > 0 && !star ? 0 : -EINVAL;
    }
    if (!star)
        return 0;
    segment->kind = SEGMENT_REST;
    segment->text.len = (size_t)(star - text.data);
    segment->name = (http_span_t){star + 1, text.len - segment->text.len - 1};
    return segment->name.len && memchr(segment->name.data, '*', segment->name.len) ? -EINVAL : 0;
}

static bool same(http_span_t a, http_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static int add_name(http_route_t *route, http_span_t name)
{
    for (size_t i = 0; i < route->name_count; i++) {
        if (same(route->names[i], name))
            return -EINVAL;
    }
    if (route->name_count == HTTP_PARAMS_MAX)
        return -ENOBUFS;
    route->names[route->name_count++] = name;
    return 0;
}

/* The segments of the route's pattern, whose parameters' names become the route's. Their number or
 * an error. */
static int parse_pattern(http_route_t *route, segment_t segments[HTTP_ROUTE_SEGMENTS_MAX])
{
    http_span_t rest = http_span(route->pattern), text;
    int n = 0, err;

    if (rest.len == 0 || rest.data[0] != '/')
        return -EINVAL;
    rest.data++;
    rest.len--;
    while (next_segment(&rest, &text)) {
        if (n == HTTP_ROUTE_SEGMENTS_MAX)
            return -ENOBUFS;
        if (n > 0 && segments[n - 1].kind == SEGMENT_REST)
            return -EINVAL;
        err = parse_segment(text, &segments[n]);
        if (err == 0 && segments[n].kind != SEGMENT_TEXT &&
            !(segments[n].kind == SEGMENT_REST && segments[n].name.len == 0))
            err = add_name(route, segments[n].name);
        if (err < 0)
            return err;
        n++;
    }
    return n;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static int compare(http_span_t a, http_span_t b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the child of this text is, or would be. */
static size_t find_child(const http_route_node_t *node, http_span_t text)
{
    size_t low = 0, high = node->child_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(node->children[middle]->text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static http_route_node_t *child_of(const http_route_node_t *node, http_span_t text)
{
    size_t at = find_child(node, text);

    return at < node->child_count && same(node->children[at]->text, text) ? node->children[at]
                                                                          : NULL;
}

static bool grow(void **array, size_t count, size_t *cap)
{
    size_t more = *cap ? *cap * 2 : 4;
    void *grown;

    if (count < *cap)
        return true;
    grown = hmem_realloc(*array, more * sizeof(void *));
    if (!grown)
        return false;
    *array = grown;
    *cap = more;
    return true;
}

/* The child of this text, made if there is none; NULL: out of memory. */
static http_route_node_t *make_child(http_route_node_t *node, http_span_t text)
{
    http_route_node_t *child = child_of(node, text);
    size_t at = find_child(node, text);

    if (child)
        return child;
    if (!grow((void **)&node->children, node->child_count, &node->child_cap))
        return NULL;
    child = hmem_zalloc(sizeof(*child));
    if (!child)
        return NULL;
    child->text = text;
    memmove(node->children + at + 1, node->children + at,
            (node->child_count - at) * sizeof(*node->children));
    node->children[at] = child;
    node->child_count++;
    return child;
}

static http_route_node_t *make_param(http_route_node_t *node)
{
    if (!node->param)
        node->param = hmem_zalloc(sizeof(*node->param));
    return node->param;
}

/* The routes of the rest with this text in front; NULL: out of memory. */
static http_route_t **make_rest(http_route_node_t *node, http_span_t text)
{
    http_route_rest_t **at = &node->rests, *rest;

    while (*at && (*at)->text.len >= text.len) {
        if (same((*at)->text, text))
            return &(*at)->routes;
        at = &(*at)->next;
    }
    rest = hmem_zalloc(sizeof(*rest));
    if (!rest)
        return NULL;
    rest->text = text;
    rest->next = *at;
    *at = rest;
    return &rest->routes;
}

/* Where the routes of these segments hang, and the nodes on the way there. What they are named
 * after lies in the pattern of the route that comes first, which stays. */
static http_route_t **make_place(http_route_node_t *node, const segment_t *segments, int n)
{
    for (int i = 0; node && i < n; i++) {
        if (segments[i].kind == SEGMENT_REST)
            return make_rest(node, segments[i].text);
        node = segments[i].kind == SEGMENT_PARAM ? make_param(node)
                                                 : make_child(node, segments[i].text);
    }
    return node ? &node->routes : NULL;
}

void http_route__free_tree(http_route_node_t *node)
{
    http_route_rest_t *rest;

    if (!node)
        return;
    while ((rest = node->rests) != NULL) {
        node->rests = rest->next;
        hmem_free(rest);
    }
    for (size_t i = 0; i < node->child_count; i++)
        http_route__free_tree(node->children[i]);
    http_route__free_tree(node->param);
    hmem_free(node->children);
    hmem_free(node);
}

static bool is_of_method(const http_route_t *route, http_method_e method, http_span_t name)
{
    if (route->any || route->method != method)
        return false;
    return method != HTTP_METHOD_OTHER || same(http_span(route->method_name), name);
}

/* What the nodes are named after lies in patterns: that of an error may be in use already. */
int http_route__insert(http_route_node_t *root, http_route_t *route, bool *pattern_used)
{
    segment_t segments[HTTP_ROUTE_SEGMENTS_MAX];
    int n = parse_pattern(route, segments);
    http_route_t **last;

    *pattern_used = n >= 0;
    if (n < 0)
        return n;
    last = make_place(root, segments, n);
    if (!last)
        return -ENOMEM;
    for (; *last; last = &(*last)->next) {
        if (strcmp((*last)->method_name, route->method_name) == 0)
            return -EEXIST;
    }
    *last = route;
    return 0;
}

/* ---- looking up ------------------------------------------------------------------------------ */

static bool lists(const char *allow, const char *method)
{
    size_t len = strlen(method);

    for (const char *at = strstr(allow, method); at; at = strstr(at + 1, method)) {
        if ((at == allow || at[-1] == ' ') && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return false;
}

void http_route__allow(http_search_t *search, const char *method)
{
    size_t len = strlen(method), room = HTTP_ALLOW_SIZE - search->allow_len;

    if (len + 3 > room || lists(search->allow, method))
        return;
    if (search->allow_len > 0) {
        memcpy(search->allow + search->allow_len, ", ", 2);
        search->allow_len += 2;
    }
    memcpy(search->allow + search->allow_len, method, len + 1);
    search->allow_len += len;
}

/* The one for the request's method; else that of GET for HEAD; else that of any. */
static const http_route_t *choose(http_search_t *search, const http_route_t *routes)
{
    const http_request_t *request = search->request;
    const http_route_t *any = NULL, *get = NULL;

    for (const http_route_t *route = routes; route; route = route->next) {
        if (is_of_method(route, request->method, request->method_name))
            return route;
        if (route->any)
            any = route;
        if (route->method == HTTP_METHOD_GET)
            get = route;
    }
    if (get && request->method == HTTP_METHOD_HEAD)
        return get;
    if (any)
        return any;
    for (const http_route_t *route = routes; route; route = route->next) {
        http_route__allow(search, route->method_name);
        if (route->method == HTTP_METHOD_GET)
            http_route__allow(search, "HEAD");
    }
    return NULL;
}

static const http_route_t *choose_rest(http_search_t *search, const http_route_node_t *node,
                                       http_span_t path, size_t depth)
{
    for (const http_route_rest_t *rest = node->rests; rest; rest = rest->next) {
        const http_route_t *route;

        if (!path.data || path.len < rest->text.len ||
            (rest->text.len && memcmp(path.data, rest->text.data, rest->text.len) != 0))
            continue;
        route = choose(search, rest->routes);
        if (!route)
            continue;
        search->values[depth] =
            (http_span_t){path.data + rest->text.len, path.len - rest->text.len};
        return route;
    }
    return NULL;
}

/* depth: so many parameters have values. */
static const http_route_t *find(http_search_t *search, const http_route_node_t *node,
                                http_span_t path, size_t depth)
{
    http_span_t rest = path, segment;
    const http_route_t *route = NULL;
    const http_route_node_t *child;

    if (!next_segment(&rest, &segment))
        return choose(search, node->routes);
    child = child_of(node, segment);
    if (child)
        route = find(search, child, rest, depth);
    if (!route && node->param && segment.len > 0) {
        search->values[depth] = segment;
        route = find(search, node->param, rest, depth + 1);
    }
    return route ? route : choose_rest(search, node, path, depth);
}

const http_route_t *http_route__find(http_search_t *search, const http_route_node_t *root)
{
    http_span_t path = search->request->path;

    if (path.len == 0 || path.data[0] != '/')
        return NULL;
    return find(search, root, (http_span_t){path.data + 1, path.len - 1}, 0);
}
