#include "demo.h"

#include "base/hstr.h"
#include "base/hurl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define URLENCODED "application/x-www-form-urlencoded"
#define FORM "multipart/form-data"
#define JSON "application/json"
#define FLOAT_MAX 1e12
#define FLOAT_DECIMALS 6
#define TOKEN_BYTES 16

/* ---- answered with what came ----------------------------------------------------------------- */

/* Nobody's page: whatever it is, it may do nothing in the name of this server. */
static void on_echo(http_stream_t *stream, http_span_t body, void *userdata)
{
    http_span_t type = http_request_field(stream, HTTP_FIELD_CONTENT_TYPE);

    (void)userdata;
    if (!type.data)
        type = HTTP_SPAN("application/octet-stream");
    http_response_set(stream, HTTP_SPAN("Content-Type"), type);
    http_response_set(stream, HTTP_SPAN("X-Content-Type-Options"), HTTP_SPAN("nosniff"));
    http_response_set(stream, HTTP_SPAN("Content-Security-Policy"), HTTP_SPAN("sandbox"));
    http_response_send(stream, body.data, body.len);
}

static void on_json(http_stream_t *stream, http_span_t body, void *userdata)
{
    char why[DEMO_WHY_SIZE] = "";
    int err = demo_json_check(body, why, sizeof(why));

    if (err)
        demo_refuse(stream, err, why);
    else
        on_echo(stream, body, userdata);
}

static int write_urlencoded(const demo_pairs_t *pairs, hbytes_t *out)
{
    int err = 0;

    for (size_t i = 0; i < pairs->count && !err; i++) {
        const demo_pair_t *pair = &pairs->list[i];

        err = i > 0 ? hbytes_append_char(out, '&') : 0;
        if (!err)
            err = hurl_encode(out, pair->name.data, pair->name.len);
        if (!err)
            err = hbytes_append_char(out, '=');
        if (!err)
            err = hurl_encode(out, pair->value.data, pair->value.len);
    }
    return err;
}

static void on_kv(http_stream_t *stream, http_span_t body, void *userdata)
{
    demo_pairs_t pairs = {0};
    hbytes_t text = {0};
    int err = demo_pairs_add_urlencoded(&pairs, body);

    if (!err)
        err = write_urlencoded(&pairs, &text);
    if (err)
        demo_refuse(stream, err, "The body is no form: a \"%\" without two digits, or a NUL.");
    else
        on_echo(stream, (http_span_t){text.data, text.len}, userdata);
    hbytes_deinit(&text);
    demo_pairs_free(&pairs);
}

/* ---- answered in JSON ------------------------------------------------------------------------ */

/* What the body says, in any of the three forms. False: it has been answered. */
static bool read_pairs(http_stream_t *stream, http_span_t body, demo_pairs_t *pairs)
{
    char why[DEMO_WHY_SIZE] = "The body is not what its Content-Type says.";
    int err;

    if (demo_has_type(stream, JSON))
        err = demo_pairs_add_json(pairs, body, why, sizeof(why));
    else if (demo_has_type(stream, FORM))
        err = demo_pairs_add_form(pairs, http_request_field(stream, HTTP_FIELD_CONTENT_TYPE), body);
    else
        err = demo_pairs_add_urlencoded(pairs, body);
    if (err)
        demo_refuse(stream, err, why);
    return err == 0;
}

static void on_form(http_stream_t *stream, http_span_t body, void *userdata)
{
    demo_pairs_t pairs = {0};
    demo_reply_t reply;

    (void)userdata;
    if (read_pairs(stream, body, &pairs)) {
        demo_reply_begin(&reply);
        hjson_key(&reply.json, "form");
        demo_pairs_write(&pairs, &reply.json);
        demo_reply_code(&reply, 0, "OK");
        demo_reply_send(&reply, stream, 200);
    }
    demo_pairs_free(&pairs);
}

typedef struct values_s {
    bool truth;
    int64_t integer, millionths;
    const char *text;
} values_t;

static int read_float(const char *text, int64_t *millionths)
{
    char *end;
    double value = strtod(text, &end);

    if (*end != '\0' || end == text || !isfinite(value))
        return HERR_SYNTAX;
    if (fabs(value) > FLOAT_MAX)
        return HERR_RANGE;
    *millionths = (int64_t)(value * 1e6 + (value < 0 ? -0.5 : 0.5));
    return 0;
}

static const char *read_values(const demo_pairs_t *pairs, values_t *v)
{
    *v = (values_t){.text = demo_pairs_get(pairs, "string")};
    if (demo_pairs_has(pairs, "bool") &&
        hstr_parse_bool(demo_pairs_get(pairs, "bool"), &v->truth) != 0)
        return "\"bool\" is neither true nor false.";
    if (demo_pairs_has(pairs, "int") &&
        hstr_parse_i64(demo_pairs_get(pairs, "int"), INT64_MIN, INT64_MAX, &v->integer) != 0)
        return "\"int\" is no whole number.";
    if (demo_pairs_has(pairs, "float") &&
        read_float(demo_pairs_get(pairs, "float"), &v->millionths) != 0)
        return "\"float\" is no number, or too large.";
    return NULL;
}

static void on_test(http_stream_t *stream, http_span_t body, void *userdata)
{
    demo_pairs_t pairs = {0};
    demo_reply_t reply;
    const char *wrong;
    values_t v;

    (void)userdata;
    if (!read_pairs(stream, body, &pairs)) {
        demo_pairs_free(&pairs);
        return;
    }
    wrong = read_values(&pairs, &v);
    if (wrong) {
        http_response_error(stream, 400, wrong);
    } else {
        demo_reply_begin(&reply);
        hjson_key(&reply.json, "bool");
        hjson_bool(&reply.json, v.truth);
        hjson_key(&reply.json, "int");
        hjson_int(&reply.json, v.integer);
        hjson_key(&reply.json, "float");
        hjson_fixed(&reply.json, v.millionths, FLOAT_DECIMALS);
        hjson_key(&reply.json, "string");
        hjson_string(&reply.json, v.text);
        demo_reply_code(&reply, 0, "OK");
        demo_reply_send(&reply, stream, 200);
    }
    demo_pairs_free(&pairs);
}

/* ---- logging in ------------------------------------------------------------------------------ */

static void write_token(demo_reply_t *reply)
{
    unsigned char bytes[TOKEN_BYTES];
    char text[2 * TOKEN_BYTES + 1] = "";

    if (getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes)) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    hjson_add_string(&reply->json, "token", text);
}

/* The codes are those of libhv's example. */
static void on_login(http_stream_t *stream, http_span_t body, void *userdata)
{
    demo_pairs_t pairs = {0};
    demo_reply_t reply;

    (void)userdata;
    if (read_pairs(stream, body, &pairs)) {
        const char *name = demo_pairs_get(&pairs, "username");
        const char *password = demo_pairs_get(&pairs, "password");
        int status = 401;

        demo_reply_begin(&reply);
        if (!name[0] || !password[0]) {
            status = 400;
            demo_reply_code(&reply, 10001, "username and password are needed");
        } else if (strcmp(name, "admin") != 0) {
            demo_reply_code(&reply, 10002, "no such user");
        } else if (!hstr_same_secret(password, "123456")) {
            demo_reply_code(&reply, 10003, "wrong password");
        } else {
            status = 200;
            write_token(&reply);
            demo_reply_code(&reply, 0, "OK");
        }
        demo_reply_send(&reply, stream, status);
    }
    demo_pairs_free(&pairs);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static void on_grpc(http_stream_t *stream, void *userdata)
{
    (void)userdata;
    if (demo_has_type(stream, "application/grpc") ||
        demo_has_type(stream, "application/grpc+proto"))
        http_response_error(stream, 501, "gRPC needs HTTP/2, which this server does not speak.");
    else
        http_response_error(stream, 415, "The Content-Type has to be application/grpc.");
}

typedef struct post_s {
    const char *path;
    http_body_cb handler;
    const char *types[3]; /* that it takes; none: any */
} post_t;

static const post_t posts[] = {
    {"/echo", on_echo, {NULL}},
    {"/kv", on_kv, {URLENCODED}},
    {"/json", on_json, {JSON}},
    {"/form", on_form, {FORM}},
    {"/test", on_test, {URLENCODED, FORM, JSON}},
    {"/login", on_login, {URLENCODED, FORM, JSON}},
};

static bool takes(const post_t *post, const http_stream_t *stream)
{
    bool any = !post->types[0];

    for (size_t i = 0; !any && i < sizeof(post->types) / sizeof(post->types[0]); i++)
        any = post->types[i] && demo_has_type(stream, post->types[i]);
    return any;
}

static void refuse_type(const post_t *post, http_stream_t *stream)
{
    const char *const *types = post->types;
    char words[200];

    snprintf(words, sizeof(words), "The Content-Type has to be %s%s%s%s%s.", types[0],
             types[1] ? ", " : "", types[1] ? types[1] : "", types[2] ? " or " : "",
             types[2] ? types[2] : "");
    http_response_error(stream, 415, words);
}

static void on_post(http_stream_t *stream, void *userdata)
{
    const post_t *post = userdata;

    if (!takes(post, stream))
        refuse_type(post, stream);
    else if (http_stream_collect(stream, 0, post->handler, NULL) != 0)
        http_response_error(stream, 503, NULL);
}

int demo_body_install(site_host_t *host)
{
    int err = site_route(host, "POST", "/grpc", on_grpc, NULL);

    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]) && !err; i++)
        err = site_route(host, "POST", posts[i].path, on_post, (void *)&posts[i]);
    return err;
}
