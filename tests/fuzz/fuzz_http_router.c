/* Patterns of any text, one a line, and at last a path: what the tree finds is what comparing the
 * path with each pattern finds, and the values of the parameters lie in the path. */
#include "base/hmem.h"
#include "proto/http_router_int.h"

#include <stdlib.h>
#include <string.h>

#define ROUTES_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* Whether the path fits, by the plain meaning of a pattern. */
static bool fits(const char *pattern, const char *path, const char *end)
{
    for (;;) {
        const char *star = pattern + strcspn(pattern, "*/");

        if (*pattern == ':') {
            if (path == end || *path == '/')
                return false;
            pattern += strcspn(pattern, "/");
            while (path < end && *path != '/')
                path++;
        } else if (*star == '*') {
            size_t len = (size_t)(star - pattern);

            return (size_t)(end - path) >= len && memcmp(path, pattern, len) == 0;
        } else {
            size_t len = (size_t)(star - pattern);

            if ((size_t)(end - path) < len || memcmp(path, pattern, len) != 0)
                return false;
            pattern += len;
            path += len;
        }
        if (*pattern == '\0' || path == end)
            return *pattern == '\0' && path == end;
        if (*pattern++ != '/' || *path++ != '/')
            return false;
    }
}

static http_route_t *new_route(const char *text, size_t len)
{
    http_route_t *route = hmem_zalloc(sizeof(*route));

    route->pattern = hmem_alloc(len + 1);
    memcpy(route->pattern, text, len);
    route->pattern[len] = '\0';
    route->method = HTTP_METHOD_GET;
    route->method_name = hmem_strdup("GET");
    return route;
}

static void look_up(const http_route_node_t *root, http_route_t **routes, const bool *in, size_t n,
                    http_span_t path)
{
    static http_request_t request;
    static http_search_t search;
    const http_route_t *found;
    bool any = false;

    request.method = HTTP_METHOD_GET;
    request.method_name = HTTP_SPAN("GET");
    request.path = path;
    search.request = &request;
    search.allow[0] = '\0';
    search.allow_len = 0;
    found = http_route__find(&search, root);
    check(search.allow_len == 0);
    for (size_t i = 0; i < n; i++)
        any |= in[i] && path.len > 0 && path.data[0] == '/' &&
               fits(routes[i]->pattern + 1, path.data + 1, path.data + path.len);
    check((found != NULL) == any);
    if (!found)
        return;
    check(fits(found->pattern + 1, path.data + 1, path.data + path.len));
    for (size_t i = 0; i < found->name_count; i++) {
        http_span_t value = search.values[i];

        check(value.data >= path.data && value.data + value.len <= path.data + path.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http_route_node_t *root = hmem_zalloc(sizeof(*root));
    http_route_t *routes[ROUTES_MAX];
    bool in[ROUTES_MAX], used;
    const char *text = (const char *)data, *end = text + size, *line;
    char *path;
    size_t n = 0;

    while (n < ROUTES_MAX && text < end && (line = memchr(text, '\n', (size_t)(end - text)))) {
        routes[n] = new_route(text, (size_t)(line - text));
        in[n] = http_route__insert(root, routes[n], &used) == 0;
        text = line + 1;
        n++;
    }
    path = malloc((size_t)(end - text) + 1);
    memcpy(path, text, (size_t)(end - text));
    look_up(root, routes, in, n, (http_span_t){path, (size_t)(end - text)});
    free(path);
    http_route__free_tree(root);
    while (n > 0) {
        hmem_free(routes[--n]->pattern);
        hmem_free(routes[n]->method_name);
        hmem_free(routes[n]);
    }
    return 0;
}
