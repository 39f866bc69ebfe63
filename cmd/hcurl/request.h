/* request: what is asked of a server, beside where it is and who asks: method, fields, redirects,
 * limits. / */
#ifndef HCURL_REQUEST_H
#define HCURL_REQUEST_H

#include "app/hopt.h"
#include "base/hversion.h"
#include "proto/http_client.h"

/* Whom servers see. Those that have something special for curl look for its name, which is in it.
 */
#define REQUEST_USER_AGENT "hcurl/" HNET_VERSION

/* Fields of the program's, in their order. Zero-initialised is empty. */
typedef struct request_fields_s {
    http_extra_t *items;
    size_t count, cap;
} request_fields_t;

#define REQUEST_FIELDS_MAX 10000
#define REQUEST_FIELD_FILE_MAX ((size_t)16 << 20) /* of -H @FILE */

/* Takes what -H and --proxy-header say: "Name: value"; "Name:", which takes the client's own field
 * of that name away; "Name;", an empty one; "@FILE" ("@-": stdin), one of these a line, where empty
 * lines, those that are none and comments (#) count as nothing. 0; -errno of the file, -ENOMEM,
 * -ENOBUFS past REQUEST_FIELDS_MAX. A text that is no field is 0, and `why` warns of it. */
int request_fields_add(request_fields_t *fields, const char *text, hbytes_t *why);
void request_fields_deinit(request_fields_t *fields);

typedef struct request_options_s {
    const char *method; /* -X; NULL: none */
    bool head;          /* -I; heads are part of the output then, too */
    request_fields_t fields;
    const char *user_agent; /* NULL: REQUEST_USER_AGENT; "": none */
    char *referer;          /* owned; NULL: none */
    bool auto_referer;

    char *range;           /* owned; NULL: none */
    bool resume;           /* -C was given ... */
    bool resume_from_file; /* ... as "-": what the output file holds, or is there of an upload */
    int64_t resume_from;   /* ... as a number */
    http_condition_e condition;
    int64_t condition_s;

    int version; /* 10, 11; 0: the best */
    bool http09;
    const char *target;
    bool compressed, tr_encoding, raw;
    uint32_t expect_ms; /* 0: the client's own */
    bool ignore_length;

    bool location, location_trusted, follow;
    int64_t redirects_max; /* -1: as many as come */
    bool post301, post302, post303;
    unsigned schemes, redirect_schemes; /* HTTP_SCHEME_ */
    bool no_user_in_url;                /* --disallow-username-in-url */

    uint64_t size_max;
    uint32_t total_ms;
    uint64_t rate;           /* --limit-rate, bytes a second */
    uint32_t speed, speed_s; /* --speed-limit, --speed-time; 0: not given */
} request_options_t;

#define REQUEST_OPTIONS_DEFAULT                                                                    \
    {                                                                                              \
        .redirects_max = HTTP_CLIENT_REDIRECTS_MAX,                                                \
        .redirect_schemes = HTTP_SCHEME_HTTP | HTTP_SCHEME_HTTPS,                                  \
        .schemes = HTTP_SCHEME_HTTP | HTTP_SCHEME_HTTPS                                            \
    }

extern const hopt_t request_rows[]; /* bound to a request_options_t */

/* Frees what the options own; they are zero then. */
void request_options_deinit(request_options_t *options);

/* Fills what of a transfer is said here: all but url, body, login, cookies and output. What it then
 * points at are the options. The program sets resume_from (of the file) where resume_from_file is
 * set. 0, or an exit status (status.h) and one line. */
int request_apply(const request_options_t *options, http_transfer_options_t *transfer,
                  hbytes_t *error);

#endif
