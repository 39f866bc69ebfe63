#include "body.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/herr.h"
#include "base/hmem.h"
#include "input.h"
#include "proto/http_source_filter.h"
#include "status.h"

#define DATA_TYPE "application/x-www-form-urlencoded"
#define FORM_TYPE "multipart/form-data"
#define JSON_TYPE "application/json"
#define EXPECT_MIN (1 << 20) /* http_client asks for 100 beyond it */

/* ---- options --------------------------------------------------------------------------------- */

/* Begins with the next piece. */
static int begin(body_options_t *o, bool joined)
{
    o->has_data = true;
    o->data.size_max = BODY_DATA_MAX;
    return joined && o->data.len > 0 ? hbytes_append_char(&o->data, '&') : 0;
}

static int add_data(body_options_t *o, const char *arg, bool binary, hbytes_t *why)
{
    int err;

    if (arg[0] != '@')
        return hbytes_append_str(&o->data, arg);
    err = input_read(arg + 1, BODY_DATA_MAX, binary ? INPUT_BYTES : INPUT_JOINED, &o->data, why);
    if (err == -EFBIG)
        hbytes_append_str(why, " (-X POST -T FILE sends any size)");
    return err;
}

static int on_data(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    int err = begin(opts, true);

    (void)option;
    return err == 0 ? add_data(opts, arg, false, why) : err;
}

static int on_binary(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    int err = begin(opts, true);

    (void)option;
    return err == 0 ? add_data(opts, arg, true, why) : err;
}

static int on_raw(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    body_options_t *o = opts;
    int err = begin(o, true);

    (void)option;
    (void)why;
    return err == 0 ? hbytes_append_str(&o->data, arg) : err;
}

static int on_urlencode(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    body_options_t *o = opts;
    int err = begin(o, true);

    (void)option;
    return err == 0 ? url_encode_pair(arg, &o->data, why) : err;
}

static int on_json(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    body_options_t *o = opts;
    int err = begin(o, false);

    (void)option;
    o->json = true;
    return err == 0 ? add_data(o, arg, true, why) : err;
}

static int on_form(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    body_options_t *o = opts;

    (void)option;
    return form_add(&o->form, arg, false, why);
}

static int on_form_string(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    body_options_t *o = opts;

    (void)option;
    return form_add(&o->form, arg, true, why);
}

const hopt_t body_rows[] = {
    HOPT_GROUP("What is sent"),
    HOPT_CALL('d', "data", on_data,
              "POST these bytes, or those of @FILE without line ends; several are joined with &",
              .alias = "data-ascii", .arg_name = "DATA"),
    HOPT_CALL(0, "data-raw", on_raw, "as -d, though DATA may begin with @", .arg_name = "DATA"),
    HOPT_CALL(0, "data-binary", on_binary, "as -d, and @FILE is sent as it is", .arg_name = "DATA"),
    HOPT_CALL(0, "data-urlencode", on_urlencode,
              "as -d, encoded: CONTENT, =CONTENT, NAME=CONTENT, @FILE or NAME@FILE",
              .arg_name = "DATA"),
    HOPT_CALL(0, "json", on_json, "POST this JSON, or that of @FILE, and ask for JSON",
              .arg_name = "DATA"),
    HOPT_CALL('F', "form", on_form,
              "POST a form's field: NAME=CONTENT, NAME=@FILE (an upload), NAME=<FILE (its content)",
              .arg_name = "FIELD"),
    HOPT_CALL(0, "form-string", on_form_string, "as -F, and CONTENT is taken as it is",
              .arg_name = "FIELD"),
    HOPT_FLAG(0, "form-escape", body_options_t, form_escape,
              "quotes in the names of a form become \\\" and not %22", .negatable = true),
    HOPT_FLAG(0, "crlf", body_options_t, crlf, "send line feeds as CR LF", .negatable = true),
    HOPT_END,
};

void body_options_deinit(body_options_t *options)
{
    hbytes_deinit(&options->data);
    form_deinit(&options->form);
    options->has_data = false;
}

const char *body_query(const body_options_t *options, const url_options_t *url)
{
    if (!url->get || !options->has_data)
        return NULL;
    return options->data.data ? options->data.data : "";
}

/* ---- of a transfer --------------------------------------------------------------------------- */

/* Only one of them can be: the method tells which. */
static int check(const body_plan_t *plan, bool query, hbytes_t *why)
{
    const body_options_t *o = plan->options;
    bool head = plan->request->head, post = o->has_data && !query;
    const char *const kinds[] = {
        query && !head ? "GET (-G, --get)" : NULL, head ? "HEAD (-I, --head)" : NULL,
        o->form.root ? "multipart formpost (-F, --form)" : NULL, post ? "POST (-d, --data)" : NULL,
        plan->target->upload ? "PUT (-T, --upload-file)" : NULL};
    const char *first = NULL;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i] && first) {
            hbytes_printf(why,
                          "You can only select one HTTP request method! "
                          "You asked for both %s and %s.",
                          kinds[i], first);
            return STATUS_USAGE;
        }
        first = kinds[i] ? kinds[i] : first;
    }
    if ((o->form.root || post) && plan->request->resume_from > 0) {
        hbytes_printf(why, "cannot mix --continue-at with %s", post ? "--data" : "--form");
        return STATUS_USAGE;
    }
    return 0;
}

/* The type that -H gives to a form; it gets a boundary. */
static const char *form_type(const request_options_t *request)
{
    for (size_t i = 0; i < request->fields.count; i++) {
        const http_extra_t *field = &request->fields.items[i];

        if (strcasecmp(field->name, "Content-Type") == 0 && field->value)
            return field->value;
    }
    return FORM_TYPE;
}

static int open_form(const body_plan_t *plan, hloop_t *loop, body_t *body, hbytes_t *why)
{
    const body_options_t *o = plan->options;
    const char *type = form_type(plan->request);
    form_how_t how = {.escape = o->form_escape,
                      .mixed = strncasecmp(type, FORM_TYPE, strlen(FORM_TYPE)) != 0};
    http_form_t *form;
    int status = form_build(&o->form, loop, how, &form, why);

    if (status != 0)
        return status;
    body->form = true;
    if (hbytes_printf(&body->content_type, "%s; boundary=%s", type, http_form_boundary(form)) < 0 ||
        http_form_source(form, &body->source) < 0) {
        http_form_free(form);
        return STATUS_MEMORY;
    }
    return 0;
}

static int open_upload(const char *name, hloop_t *loop, body_t *body, hbytes_t *why)
{
    bool is_stdin = strcmp(name, "-") == 0 || strcmp(name, ".") == 0;
    int err = is_stdin ? http_source_stream(loop, STDIN_FILENO, &body->source)
                       : http_source_path(loop, name, &body->source);

    body->put = true;
    if (err == 0)
        return 0;
    hbytes_printf(why, "cannot open '%s': %s", name, herr_str(err));
    return err == -ENOMEM ? STATUS_MEMORY : STATUS_READ;
}

static int open_data(const body_options_t *o, body_t *body)
{
    const char *data = o->data.data ? o->data.data : "";

    if (!o->json && hbytes_append_str(&body->content_type, DATA_TYPE) < 0)
        return STATUS_MEMORY;
    return http_source_memory(data, o->data.len, &body->source) < 0 ? STATUS_MEMORY : 0;
}

/* --crlf: its length is not known then, but the client counts what there was. */
static int convert(body_t *body)
{
    http_source_t *converted;
    int64_t length = http_source_length(body->source);

    if (http_source_crlf(body->source, &converted) < 0)
        return STATUS_MEMORY;
    body->source = converted;
    body->no_expect = length >= 0 && length <= EXPECT_MIN;
    return 0;
}

int body_open(const body_plan_t *plan, hloop_t *loop, body_t *body, hbytes_t *why)
{
    const body_options_t *options = plan->options;
    bool query = plan->url->get && options->has_data;
    int status = check(plan, query, why);

    memset(body, 0, sizeof(*body));
    if (status == 0 && plan->target->upload)
        status = open_upload(plan->target->upload, loop, body, why);
    else if (status == 0 && options->form.root)
        status = open_form(plan, loop, body, why);
    else if (status == 0 && options->has_data && !query)
        status = open_data(options, body);
    if (status == 0 && options->crlf && body->source && http_source_length(body->source) != 0)
        status = convert(body);
    if (status != 0)
        body_close(body);
    return status;
}

void body_close(body_t *body)
{
    http_source_free(body->source);
    hbytes_deinit(&body->content_type);
    memset(body, 0, sizeof(*body));
}

void body_apply(const body_t *body, http_transfer_options_t *transfer)
{
    transfer->body = body->source;
    transfer->put = body->put;
    transfer->form = body->form;
    if (body->no_expect)
        transfer->expect = -1;
    transfer->content_type = body->content_type.len > 0 ? body->content_type.data : NULL;
}

size_t body_fields(const body_options_t *options, const http_extra_t *given, size_t count,
                   http_extra_t *fields)
{
    static const char *const names[BODY_FIELDS_MAX] = {"Content-Type", "Accept"};
    size_t added = 0;

    for (size_t i = 0; options->json && i < BODY_FIELDS_MAX; i++) {
        bool there = false;

        for (size_t k = 0; k < count; k++)
            there |= strcasecmp(given[k].name, names[i]) == 0;
        if (!there)
            fields[added++] = (http_extra_t){names[i], JSON_TYPE};
    }
    return added;
}
