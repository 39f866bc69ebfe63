/* load: the same bytes sent over many connections, as often as may be; the responses counted. It
 * stands on hio and codec/http1 alone: one read, one write and no allocation a request. */
#ifndef HCURL_LOAD_H
#define HCURL_LOAD_H

#include "base/hhistogram.h"
#include "codec/http1.h"
#include "net/hdial.h"

#define LOAD_FAILURES_MAX 1000 /* of a thread, one after another: it then gives up */
#define LOAD_FIELDS_MAX 1000   /* of a response */

/* Borrowed until load_free. */
typedef struct load_options_s {
    hendpoint_t to; /* tls:// with dial.tls */
    hdial_options_t dial;
    http_span_t request; /* all of it, the body too */
    http_method_e method;
    uint64_t count;       /* requests; 0: no end */
    uint32_t concurrency; /* connections */
    uint32_t threads;     /* at most as many as connections */
    uint32_t duration_ms; /* 0: no end */
    uint32_t timeout_ms;  /* of a request */
} load_options_t;

typedef enum load_fault_e {
    LOAD_FAULT_CONNECT,
    LOAD_FAULT_TLS,
    LOAD_FAULT_EMPTY,   /* closed without a byte of the response */
    LOAD_FAULT_PARTIAL, /* ... in the middle of it */
    LOAD_FAULT_RESET,
    LOAD_FAULT_TIMEOUT,
    LOAD_FAULT_REPLY, /* it is not HTTP */
    LOAD_FAULT_OTHER, /* memory, descriptors */
    LOAD_FAULT_COUNT
} load_fault_e;

typedef struct load_result_s {
    uint64_t duration_us;
    uint64_t responses; /* whole ones */
    uint64_t connects;
    uint64_t bytes_in, bytes_out; /* heads and bodies, without TLS */
    uint64_t body_min, body_max;  /* of a response */
    uint64_t statuses[1000];
    uint64_t faults[LOAD_FAULT_COUNT];
    hhistogram_t latency; /* us, from the writing of a request to the end of its response */
    hhistogram_t connect; /* us, of a connection, with its TLS handshake */
} load_result_t;

typedef struct load_s load_t;

/* 0 and *load; -EINVAL, -ENOMEM, -errno. */
int load_new(const load_options_t *options, load_t **load);

/* Starts the threads. done is posted to the loop when all have come to their end; without memory
 * for that the loop is stopped. 0, or an error of hloop_pool_start. */
int load_start(load_t *load, hloop_t *loop, hevent_cb done, void *userdata);

/* Ends it early; done follows. The loop's thread. */
void load_stop(load_t *load);

/* Responses so far, not more than a moment old. The loop's thread. */
uint64_t load_responses(const load_t *load);

/* After done: all threads' figures. */
const load_result_t *load_result(load_t *load);

/* Waits for the threads. NULL is legal. */
void load_free(load_t *load);

#endif
