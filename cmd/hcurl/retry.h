/* retry: whether a transfer that ended is tried again, when, and from where on. */
#ifndef HCURL_RETRY_H
#define HCURL_RETRY_H

#include "app/hopt.h"
#include "proto/http_client.h"

/* All zero is the default. */
typedef struct retry_options_s {
    uint32_t count; /* --retry: further tries; 0: none */
    uint32_t
        delay_ms; /* 0: 1 s, and twice the one before from then on, at most RETRY_DELAY_MAX_MS */
    uint32_t time_max_ms; /* no try begins later than that behind the first one's begin; 0: none */
    bool connrefused;     /* a refused connection is tried again */
    bool all_errors;      /* and whatever else failed */
    bool robust;          /* --robust: see retry_preset */
    bool skip_existing;   /* --skip-existing: not even a first try if the output file is there */
} retry_options_t;

#define RETRY_DELAY_MS 1000
#define RETRY_DELAY_MAX_MS 600000
#define RETRY_AFTER_MAX_MS (24 * 3600000) /* a server that asks for more is asked no more */

/* --robust, where the command line says nothing else: */
#define RETRY_ROBUST_COUNT 10
#define RETRY_ROBUST_CONNECT_MS 10000
#define RETRY_ROBUST_SPEED 1 /* bytes a second ... */
#define RETRY_ROBUST_SPEED_S 30

extern const hopt_t retry_rows[];

/* The preset of --robust, if it was given: ten retries, of refused connections and all other errors
 * too, each connection made within 10 s, and a transfer that stands still for 30 s is a timeout.
 * (That output files are replaced only when they are whole is output.h's.) To be called once. */
void retry_preset(retry_options_t *options);

/* Where a transfer stands among its tries. */
typedef struct retry_s {
    const retry_options_t *options;
    uint32_t left;       /* tries */
    uint32_t done;       /* for %{num_retries} */
    uint32_t delay_ms;   /* the last one that was made up here */
    uint64_t started_us; /* of the first try, monotonic */
} retry_t;

void retry_init(retry_t *retry, const retry_options_t *options, uint64_t now_us);

/* How a try ended. */
typedef struct retry_end_s {
    int status;            /* exit status */
    const char *error;     /* what went wrong, for text; NULL or empty: only what the status says */
    int http_status;       /* 0: none came */
    bool refused;          /* the connection was */
    int64_t retry_after_s; /* what the server asks for; -1: nothing */
    bool final;            /* nothing to be tried again: usage, output, the user */
} retry_end_t;

/* Whether there is another try: then true, *delay_ms until it begins, and why, one line, appended
 * to text ("next try in 2 seconds, 3 retries left: a timeout"). Otherwise false, and text may
 * hold why not, where that is worth a warning. */
bool retry_again(retry_t *retry, const retry_end_t *end, uint64_t now_us, uint32_t *delay_ms,
                 hbytes_t *text);

/* The value of Retry-After, seconds from now_s on: a number or a date; -1: it is neither. */
int64_t retry_after_parse(http_span_t value, int64_t now_s);

#endif
