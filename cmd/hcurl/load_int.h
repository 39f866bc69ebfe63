/* load_int: what load.c (threads) and load_conn.c (connections) share. */
#ifndef HCURL_LOAD_INT_H
#define HCURL_LOAD_INT_H

#include "load.h"

#include "base/htime.h"
#include "event/hloop_pool.h"
#include "event/htimer.h"

#define LOAD_NS_PER_US 1000

typedef struct load_worker_s load_worker_t;

typedef enum load_state_e {
    LOAD_DIALS,
    LOAD_WAITS, /* for the response */
    LOAD_RESTS, /* after a dial that failed */
    LOAD_ENDED
} load_state_e;

/* Unless it has ended, a connection has one request that counts. What a failed one was taken from
 * the count is not given back, so that a run comes to its end whatever the server does. */
typedef struct load_conn_s {
    load_worker_t *worker;
    hio_t *io; /* NULL: none */
    hdial_t *dial;
    load_state_e state;
    bool used;     /* it has had a response */
    bool begun;    /* a byte of this response has come */
    bool has_head; /* the final one */
    bool last;     /* no response follows */
    bool limited;  /* ended by the time limit */
    uint8_t interims;
    uint64_t begun_ns; /* the request; where it dials, the dial */
    uint64_t body_len;
    http1_parser_t parser;
} load_conn_t;

/* A thread: a loop, its connections and its figures. They share nothing with the others until all
 * is added up. */
struct load_worker_s {
    load_t *load;
    hloop_t *loop;
    load_conn_t *conns;
    uint32_t conn_count, active; /* not ended */
    uint64_t left;               /* requests that are not begun */
    uint32_t failures;           /* one after another */
    bool stopping;
    uint64_t begun_ns;
    uint64_t told; /* responses, as others may see them; atomic */
    htimer_t *sweep, *deadline;
    http1_message_t message;
    http_field_t *fields;
    load_result_t result;
};

struct load_s {
    load_options_t options;
    hloop_pool_t *pool;
    load_worker_t *workers;
    unsigned threads;
    unsigned running; /* of them; atomic */
    hloop_t *loop;    /* that is told */
    hevent_t done;
};

/* Begins the next request, or ends the connection if there is none. */
void load_conn__next(load_conn_t *conn, uint64_t now_ns);

/* The time limit of its request has passed. */
void load_conn__limit(load_conn_t *conn);

/* Ends it, whatever it does. */
void load_conn__end(load_conn_t *conn);

/* All its connections have ended. */
void load__worker_ended(load_worker_t *worker);

#endif
