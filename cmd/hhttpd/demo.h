/* demo: the API of libhv's example server, to try clients with (--demo).
 *
 *     demo.c         the routes; what is answered from the request's head
 *     demo_body.c    what is answered from its body
 *     demo_time.c    what is answered later, and server-sent events
 *     demo_upload.c  files
 *     demo_pairs.c   names and values, wherever they come from; answers in JSON
 *     demo_form.c    those of multipart/form-data
 *     demo_json.c    JSON that comes (libjansson)
 */
#ifndef HNET_HHTTPD_DEMO_H
#define HNET_HHTTPD_DEMO_H

#include "base/hjson.h"
#include "site.h"

#define DEMO_PAIRS_MAX 256 /* of a query, a form, a head */

/* ---- names and values ------------------------------------------------------------------------ */

typedef struct demo_pair_s {
    hbytes_t name, value; /* each with a NUL behind it */
    hbytes_t filename, type;
    bool is_file;
    uint64_t size; /* of a file, whose content is not kept */
} demo_pair_t;

typedef struct demo_pairs_s {
    demo_pair_t *list; /* DEMO_PAIRS_MAX of them, from the first one on */
    size_t count;
} demo_pairs_t;

/* Zeroed pairs are empty. All of these return 0; HERR_SYNTAX; HERR_FRAME_SIZE past the maximum;
 * -ENOMEM; what was added before stays, and is freed by demo_pairs_free. */
int demo_pairs_add(demo_pairs_t *pairs, http_span_t name, http_span_t value, demo_pair_t **pair);
int demo_pairs_add_urlencoded(demo_pairs_t *pairs, http_span_t text);
int demo_pairs_add_form(demo_pairs_t *pairs, http_span_t content_type, http_span_t body);
void demo_pairs_free(demo_pairs_t *pairs);

/* The value of the first one of this name; "" if there is none. */
const char *demo_pairs_get(const demo_pairs_t *pairs, const char *name);
bool demo_pairs_has(const demo_pairs_t *pairs, const char *name);

/* Writes an object; of a name that is there several times an array. */
void demo_pairs_write(const demo_pairs_t *pairs, hjson_t *json);

/* ---- JSON ------------------------------------------------------------------------------------ */

#define DEMO_WHY_SIZE 256

/* Whether the text is JSON (RFC 8259, and no name twice in an object): 0; HERR_SYNTAX and words;
 * HERR_UNSUPPORTED without libjansson; -ENOMEM. */
int demo_json_check(http_span_t text, char *why, size_t size);

/* Adds the strings, numbers and booleans of an object as text. The same. */
int demo_pairs_add_json(demo_pairs_t *pairs, http_span_t text, char *why, size_t size);

/* Loads libjansson while it can be found. */
void demo_json_load(void);

/* ---- answers --------------------------------------------------------------------------------- */

typedef struct demo_reply_s {
    hbytes_t body;
    hjson_t json;
} demo_reply_t;

void demo_reply_begin(demo_reply_t *reply); /* an object is open */
void demo_reply_send(demo_reply_t *reply, http_stream_t *stream, int status);

/* The pair that all answers of the example end with. */
void demo_reply_code(demo_reply_t *reply, int code, const char *message);

/* Answers with 400, 413, 501 or 503 as the error says, and words. */
void demo_refuse(http_stream_t *stream, int err, const char *words);

/* A number of the query, or the default. False: it is none of min to max, and 400 was answered. */
bool demo_number(http_stream_t *stream, const char *name, uint64_t min, uint64_t max,
                 uint64_t *value);

/* Whether the request's body is of this type. */
bool demo_has_type(const http_stream_t *stream, const char *type);

/* ---- routes ---------------------------------------------------------------------------------- */

int demo_install(site_host_t *host);
int demo_body_install(site_host_t *host);
int demo_time_install(site_host_t *host);
int demo_upload_install(site_host_t *host);

#endif
