/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_fixture.h"

#include "oom.h"
#include "proto/http_router.h"

static web_t web;
static http_router_t *router;

/* Says which route it is, and what it got: "user id=7". */
static void on_route(http_stream_t *stream, void *userdata)
{
    const http_request_t *request = http_stream_request(stream);
    char text[512];
    int len = snprintf(text, sizeof(text), "%s", (const char *)userdata);

    for (size_t i = 0; i < request->param_count; i++) {
        const http_param_t *param = &request->params[i];

        len += snprintf(text + len, sizeof(text) - (size_t)len, " %.*s=%.*s", (int)param->name.len,
                        param->name.data, (int)param->value.len, param->value.data);
    }
    http_response_send(stream, text, (size_t)len);
}

static void add(const char *method, const char *pattern, const char *name)
{
    assert_int_equal(http_router_add(router, method, pattern, on_route, (void *)name), 0);
}

/* The fixture's userdata is its own: the router comes through this. */
static void through_router(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    http_router_handle(stream, router);
}

static int setup(void **state)
{
    loop_test_setup(state);
    router = http_router_new();
    assert_non_null(router);
    web_open(&web, (http_server_options_t){.handler = through_router});
    return 0;
}

static void finish(void)
{
    web_close(&web);
    http_router_free(router);
}

static void ask(const char *method, const char *path)
{
    char text[9000];

    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", method,
             path);
    web_ask(&web, text);
}

/* What the body of the answer is. */
static void gives(const char *method, const char *path, const char *expected)
{
    const char *body;

    ask(method, path);
    body = strstr(web.heard, "\r\n\r\n");
    assert_non_null(body);
    assert_string_equal(body + 4, expected);
}

/* The status, and a line of the head. */
static void answers(const char *method, const char *path, int status, const char *line)
{
    char begin_text[32];

    ask(method, path);
    snprintf(begin_text, sizeof(begin_text), "HTTP/1.1 %d ", status);
    assert_memory_equal(web.heard, begin_text, strlen(begin_text));
    if (line)
        assert_non_null(strstr(web.heard, line));
}

static void paths_lead_to_their_routes(void **state)
{
    (void)state;
    add("GET", "/", "root");
    add("GET", "/data", "data");
    add("GET", "/data/", "data slash");
    add("GET", "/data/more", "more");
    add("GET", "/dat", "dat");
    gives("GET", "/", "root");
    gives("GET", "/data", "data");
    gives("GET", "/data/", "data slash");
    gives("GET", "/data/more", "more");
    gives("GET", "/dat", "dat");
    gives("GET", "/d%61ta?x=/", "data");
    gives("GET", "//data/./more", "more");
    answers("GET", "/dat/", 404, NULL);
    answers("GET", "/data/mor", 404, NULL);
    answers("GET", "/data/more/", 404, NULL);
    answers("GET", "/DATA", 404, NULL);
    finish();
}

static void parameters_are_handed_over(void **state)
{
    (void)state;
    add("GET", "/user/:id", "user");
    add("POST", "/user/:name", "new");
    add("DELETE", "/group/:group_name/user/:user_id", "delete");
    add("GET", "/files/*path", "files");
    add("GET", "/www.*", "www");
    add("GET", "/x/:a/*b", "x");
    gives("GET", "/user/7", "user id=7");
    gives("POST", "/user/7", "new name=7");
    gives("GET", "/user/a%20b", "user id=a b");
    gives("DELETE", "/group/g/user/u", "delete group_name=g user_id=u");
    gives("GET", "/files/", "files path=");
    gives("GET", "/files/a/b/", "files path=a/b/");
    gives("GET", "/www.example.com/a", "www");
    gives("GET", "/www.", "www");
    gives("GET", "/x/1/2/3", "x a=1 b=2/3");
    answers("GET", "/user/", 404, NULL);
    answers("GET", "/user", 404, NULL);
    answers("GET", "/user/7/", 404, NULL);
    answers("GET", "/files", 404, NULL);
    answers("GET", "/www", 404, NULL);
    finish();
}

static void the_most_exact_route_wins(void **state)
{
    (void)state;
    add("GET", "/*all", "all");
    add("GET", "/a*all", "a-all");
    add("GET", "/ab*all", "ab-all");
    add("GET", "/:p/:q", "p-q");
    add("GET", "/a/:q", "a-q");
    add("GET", "/:p/b", "p-b");
    add("GET", "/a/b", "a-b");
    add("GET", "/a/b/c", "a-b-c");
    gives("GET", "/a/b", "a-b");
    gives("GET", "/a/x", "a-q q=x");
    gives("GET", "/x/b", "p-b p=x");
    gives("GET", "/x/y", "p-q p=x q=y");
    gives("GET", "/a/b/d", "a-all all=/b/d");
    gives("GET", "/x/y/z", "all all=x/y/z");
    gives("GET", "/abc", "ab-all all=c");
    gives("GET", "/", "all all=");
    finish();
}

static void methods_have_routes_of_their_own(void **state)
{
    (void)state;
    add("GET", "/a", "get");
    add("PUT", "/a", "put");
    add("PURGE", "/a", "purge");
    add("POST", "/*rest", "post-rest");
    add("GET", "/any", "any-get");
    add("*", "/any", "any");
    add("HEAD", "/head", "head");
    add("OPTIONS", "/options", "options");
    gives("PUT", "/a", "put");
    gives("PURGE", "/a", "purge");
    gives("POST", "/a", "post-rest rest=a");
    gives("GET", "/any", "any-get");
    gives("PURGE", "/any", "any");
    gives("OPTIONS", "/any", "any");
    gives("HEAD", "/a", "");
    assert_non_null(strstr(web.heard, "Content-Length: 3\r\n"));
    gives("HEAD", "/head", "");
    gives("OPTIONS", "/options", "options");
    answers("DELETE", "/a", 405, "Allow: GET, HEAD, PUT, PURGE, POST, OPTIONS\r\n");
    answers("get", "/a", 405, NULL);
    answers("OPTIONS", "/a", 204, "Allow: GET, HEAD, PUT, PURGE, POST, OPTIONS\r\n");
    answers("GET", "/head", 405, "Allow: HEAD, POST, OPTIONS\r\n");
    answers("GET", "/none", 405, "Allow: POST, OPTIONS\r\n");
    answers("OPTIONS", "*", 204, "Allow: OPTIONS\r\n");
    finish();
}

static void the_fallback_gets_what_no_route_fits(void **state)
{
    (void)state;
    add("GET", "/a", "a");
    answers("GET", "/b", 404, NULL);
    http_router_fallback(router, on_route, (void *)"fallback");
    gives("GET", "/b", "fallback");
    gives("DELETE", "/b/c", "fallback");
    gives("GET", "/a", "a");
    answers("PUT", "/a", 405, NULL);
    finish();
}

/* ---- middleware ------------------------------------------------------------------------------ */

static char trace[64];

static bool note(http_stream_t *stream, void *userdata)
{
    (void)stream;
    snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s", (const char *)userdata);
    return false;
}

static bool take(http_stream_t *stream, void *userdata)
{
    note(stream, userdata);
    http_response_error(stream, 401, NULL);
    return true;
}

static int use(const char *prefix, http_middleware_cb cb, const char *name)
{
    return http_router_use(router, prefix, cb, (void *)name);
}

static void traces(const char *path, int status, const char *expected)
{
    trace[0] = '\0';
    answers("GET", path, status, NULL);
    assert_string_equal(trace, expected);
}

static void middleware_runs_first_and_in_order(void **state)
{
    (void)state;
    add("GET", "/api", "api");
    add("GET", "/api/x", "x");
    add("GET", "/apis", "apis");
    add("GET", "/", "root");
    assert_int_equal(use("/", note, "1"), 0);
    assert_int_equal(use("/api", note, "2"), 0);
    assert_int_equal(use("/api/x/", note, "3"), 0);
    assert_int_equal(use("/secret", take, "4"), 0);
    assert_int_equal(use("/", note, "5"), 0);
    traces("/api", 200, "125");
    traces("/api/x", 200, "1235");
    traces("/apis", 200, "15");
    traces("/", 200, "15");
    traces("/nothing", 404, "15");
    traces("/secret", 401, "14");
    traces("/secret/x", 401, "14");
    traces("/%2e/secret/x", 401, "14");
    traces("/secrets", 404, "15");
    finish();
}

/* ---- what is refused ------------------------------------------------------------------------- */

static int try_add(const char *method, const char *pattern)
{
    return http_router_add(router, method, pattern, on_route, NULL);
}

static void patterns_that_are_none_are_refused(void **state)
{
    char deep[200] = "", many[200] = "";

    (void)state;
    assert_int_equal(try_add("GET", ""), -EINVAL);
    assert_int_equal(try_add("GET", "a"), -EINVAL);
    assert_int_equal(try_add("GET", "/:"), -EINVAL);
    assert_int_equal(try_add("GET", "/:a/:a"), -EINVAL);
    assert_int_equal(try_add("GET", "/:a/*a"), -EINVAL);
    assert_int_equal(try_add("GET", "/*a/b"), -EINVAL);
    assert_int_equal(try_add("GET", "/*a/"), -EINVAL);
    assert_int_equal(try_add("GET", "/*a*"), -EINVAL);
    assert_int_equal(try_add("GET", "/:a*"), -EINVAL);
    assert_int_equal(try_add("", "/"), -EINVAL);
    assert_int_equal(try_add("G T", "/"), -EINVAL);
    assert_int_equal(http_router_add(router, "GET", "/", NULL, NULL), -EINVAL);
    assert_int_equal(http_router_use(router, "a", note, NULL), -EINVAL);
    assert_int_equal(http_router_use(router, "", note, NULL), -EINVAL);
    assert_int_equal(http_router_use(router, "/", NULL, NULL), -EINVAL);
    for (size_t i = 0; i < HTTP_ROUTE_SEGMENTS_MAX; i++)
        snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/a");
    assert_int_equal(try_add("GET", deep), 0);
    snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/a");
    assert_int_equal(try_add("GET", deep), -ENOBUFS);
    for (int i = 0; i <= HTTP_PARAMS_MAX; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "/:p%d", i);
    assert_int_equal(try_add("GET", many), -ENOBUFS);
    finish();
}

static void a_route_is_there_once(void **state)
{
    (void)state;
    add("GET", "/a/:id", "first");
    add("POST", "/a/:id", "post");
    assert_int_equal(try_add("GET", "/a/:id"), -EEXIST);
    assert_int_equal(try_add("GET", "/a/:other"), -EEXIST);
    add("GET", "/b*", "rest");
    assert_int_equal(try_add("GET", "/b*name"), -EEXIST);
    add("*", "/a/:id", "any");
    assert_int_equal(try_add("*", "/a/:id"), -EEXIST);
    gives("GET", "/a/1", "first id=1");
    gives("PUT", "/a/1", "any id=1");
    finish();
}

static void count_route(const char *method, const char *pattern, void *arg)
{
    snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s %s;", method, pattern);
    (*(int *)arg)++;
}

static void routes_are_told_in_their_order(void **state)
{
    int n = 0;

    (void)state;
    add("GET", "/b", "");
    add("*", "/a", "");
    try_add("GET", "/b");
    add("POST", "/b", "");
    trace[0] = '\0';
    http_router_each(router, count_route, &n);
    assert_int_equal(n, 3);
    assert_string_equal(trace, "GET /b;* /a;POST /b;");
    finish();
}

static void thousands_of_routes_are_found(void **state)
{
    static char names[HTTP_ROUTES_MAX][16];

    (void)state;
    for (int i = 0; i < HTTP_ROUTES_MAX; i++) {
        int n = i * 1009 % HTTP_ROUTES_MAX;

        snprintf(names[n], sizeof(names[n]), "/r%d/x", n);
        add("GET", names[n], names[n]);
    }
    assert_int_equal(try_add("GET", "/more"), -ENOBUFS);
    for (int i = 0; i < HTTP_ROUTES_MAX; i += 97)
        gives("GET", names[i], names[i]);
    answers("GET", "/r4096/x", 404, NULL);
    for (int i = 0; i < HTTP_MIDDLEWARE_MAX; i++)
        assert_int_equal(use("/", note, ""), 0);
    assert_int_equal(use("/", note, ""), -ENOBUFS);
    finish();
}

static int build(void *arg)
{
    static const char *const patterns[] = {"/", "/a/:id", "/a/*rest", "/a/b/c", "/a/b/d", "/w*"};
    http_router_t *built = http_router_new();
    int err = built ? 0 : -ENOMEM;

    (void)arg;
    for (size_t i = 0; err == 0 && i < ARRAY_LENGTH(patterns); i++)
        err = http_router_add(built, i % 2 ? "GET" : "*", patterns[i], on_route, NULL);
    if (err == 0)
        err = http_router_use(built, "/a", note, NULL);
    http_router_free(built);
    return err;
}

static void memory_that_is_missing_is_an_error(void **state)
{
    (void)state;
    oom_run(build, NULL);
    finish();
}

#define ROUTER_TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTER_TEST(paths_lead_to_their_routes),
        ROUTER_TEST(parameters_are_handed_over),
        ROUTER_TEST(the_most_exact_route_wins),
        ROUTER_TEST(methods_have_routes_of_their_own),
        ROUTER_TEST(the_fallback_gets_what_no_route_fits),
        ROUTER_TEST(middleware_runs_first_and_in_order),
        ROUTER_TEST(patterns_that_are_none_are_refused),
        ROUTER_TEST(a_route_is_there_once),
        ROUTER_TEST(routes_are_told_in_their_order),
        ROUTER_TEST(thousands_of_routes_are_found),
        ROUTER_TEST(memory_that_is_missing_is_an_error),
    };

    return run_on_each_poller("http_router", tests, ARRAY_LENGTH(tests));
}
