/* options: what the command line asks for, put together from the options of every module, and the
 * config files and variables that it may name.
 *
 * A module has a struct <x>_options_t, its defaults, and a table <x>_rows of app/hopt.h, bound
 * to it. What a callback of such a table may return, beside what hopt.h says:
 *     -errno           a file cannot be read: exit status 26
 *     HERR_PROTOCOL    a scheme that there is not: exit status 1
 *     HERR_TLS         a crypto engine that there is not: exit status 53
 *     -ENOMEM          exit status 27
 *     any other error  the option is used badly: exit status 2
 * A callback that returns 0 and fills `why` warns: "Warning: option --x: WHY". */
#ifndef HCURL_OPTIONS_H
#define HCURL_OPTIONS_H

#include "app/hopt_doc.h"

#include "bench.h"
#include "body.h"
#include "connect.h"
#include "help.h"
#include "login.h"
#include "operate.h"
#include "output.h"
#include "report.h"
#include "request.h"
#include "retry.h"
#include "split.h"
#include "store.h"
#include "tls.h"
#include "url.h"
#include "variable.h"
#include "writeout.h"

/* What stands between two --next. */
typedef struct operation_s {
    url_options_t url;
    body_options_t body;
    request_options_t request;
    login_options_t login;
    connect_options_t connect;
    tls_options_t tls;
    store_options_t store;
    output_options_t output;
    writeout_options_t writeout;
    retry_options_t retry;
} operation_t;

/* What counts for the whole command line, wherever it stands. */
typedef struct globals_s {
    report_options_t report;
    operate_options_t operate;
    bench_options_t bench;
    split_options_t split;
} globals_t;

#define OPTIONS_OPERATIONS_MAX ((size_t)1 << 16)

typedef struct options_s {
    globals_t globals;
    operation_t *operations; /* in their order; each has a URL */
    size_t count;
    bool unfinished; /* the last --next has no URL behind it */
    /* Of use while the command line is read. */
    operation_t now; /* the one that options go to */
    variables_t variables;
    help_options_t help;
    hopt_list_t owned;  /* strings that options point to, which are in no argv */
    unsigned depth;     /* config files within one another */
    const char *config; /* the one that was found without being named; NULL: none */
} options_t;

extern const hopt_t options_rows[];
extern const hopt_doc_t options_doc; /* manual.c */

/* Parses the command line, and the config file before it. OPTIONS_RUN, and every operation has a
 * URL; or the exit status, and what was asked for is on stdout or the mistake on stderr. Call
 * options_free in every case; argv is borrowed until then. */
#define OPTIONS_RUN (-1)
int options_parse(options_t *options, int argc, char *const argv[]);

/* The exit status, once all operations have given theirs: a --next without a URL behind it is told
 * only now, as the original does. */
int options_end(const options_t *options, int status);

void options_free(options_t *options);

#endif
