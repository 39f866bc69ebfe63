/* body: what is sent: -d and its kin, --json, -F, -T. */
#ifndef HCURL_BODY_H
#define HCURL_BODY_H

#include "app/hopt.h"
#include "proto/http_client.h"
#include "proto/http_source.h"

#include "form.h"
#include "request.h"
#include "url.h"

#include <stdbool.h>

#define BODY_DATA_MAX ((size_t)1 << 30) /* bytes of all -d together: they are kept in memory */
#define BODY_FIELDS_MAX 2

/* All zero is the default. */
typedef struct body_options_s {
    hbytes_t data;    /* of all -d, --data-..., --json, joined */
    bool has_data;    /* one was given, though it may be empty */
    bool json;        /* --json was */
    form_t form;      /* -F, --form-string */
    bool form_escape; /* quotes in names become \" and not %22 */
    bool crlf;        /* --crlf: a line end that is sent is CR LF */
} body_options_t;

extern const hopt_t body_rows[];

void body_options_deinit(body_options_t *options);

/* What the data makes of a URL's query with -G, for url_iter_init; NULL: nothing. */
const char *body_query(const body_options_t *options, const url_options_t *url);

/* ---- of a transfer --------------------------------------------------------------------------- */

typedef struct body_s {
    http_source_t *source; /* NULL: nothing is sent */
    hbytes_t content_type; /* len 0: none is said */
    bool form;             /* and it stands over that of -H */
    bool put;              /* -T */
    bool no_expect;        /* it is not as long as it looks */
} body_t;

typedef struct body_plan_s {
    const body_options_t *options;
    const url_options_t *url;
    const request_options_t *request;
    const url_target_t *target;
} body_plan_t;

/* What a transfer sends; what plan points at is borrowed until body_close. 0 and *body; or the exit
 * status and why: STATUS_READ for a file, STATUS_USAGE for what excludes each other (-d, -F, -T,
 * -I; -C with data). */
int body_open(const body_plan_t *plan, hloop_t *loop, body_t *body, hbytes_t *why);

/* When the transfer is over. Legal on a zeroed one. */
void body_close(body_t *body);

/* Fills in what the transfer's options have for it: body, content_type, form, put. */
void body_apply(const body_t *body, http_transfer_options_t *transfer);

/* --json: the fields that follow those of -H: Content-Type and Accept, but for those that -H names
 * (given). How many, at most BODY_FIELDS_MAX. */
size_t body_fields(const body_options_t *options, const http_extra_t *given, size_t count,
                   http_extra_t *fields);

#endif
