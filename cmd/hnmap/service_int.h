/* service_int: what the files of service detection share. service.c: hosts and the flow of ports;
 * service_job.c: what is asked of one port; service_take.c: what is made of the answers, and the
 * report; service_talk.c: one conversation; service_tls.c: TLS in it. */
#ifndef HNMAP_SERVICE_INT_H
#define HNMAP_SERVICE_INT_H

#include "base/hlist.h"
#include "event/hio.h"
#include "event/htimer.h"
#include "net/htls.h"
#include "service.h"
#include "service_match.h"

#define SERVICE_JOBS_MAX 64 /* ports at the same time */
#define SERVICE_ASKS_MAX (PROBES + SERVICE_FILE_PROBES_MAX)
#define SERVICE_QUEUE_MAX (2 * SERVICE_ASKS_MAX) /* each at most once, and once in TLS */
#define SERVICE_LOOKS_MAX 8   /* at an answer that grows, with the patterns of a file */
#define SERVICE_RETRY_MS 50   /* without descriptors */
#define SERVICE_TRIES_MAX 200 /* of them, then a probe is left out */

struct service_run_s {
    hloop_t *loop;
    service_options_t options;
    service_done_cb done;
    void *context;
    htls_ctx_t *tls;      /* offers HTTP/2, to hear whether it is spoken */
    htls_ctx_t *tls_http; /* HTTP/1.1 alone */
    bool has_no_tls;      /* it cannot be had */
    hlist_t hosts;
    htimer_t *timer; /* begins with new hosts, tries again without descriptors */
    size_t job_count, talk_count;
    bool is_short;  /* of descriptors or memory */
    unsigned tries; /* in vain, without a conversation under way */
};

struct service_host_s {
    hlist_t node;
    service_run_t *run;
    host_result_t *result;
    void *user;
    size_t next; /* port */
    hlist_t jobs;
    size_t job_count;
    char name[256]; /* what HTTP and TLS call it */
};

/* A probe of ours, or behind these one of the file. */
typedef struct ask_s {
    uint16_t probe;
    bool in_tls;
} ask_t;

typedef enum job_step_e { JOB_BANNER, JOB_LIKELY, JOB_ALL } job_step_e;

/* A port. */
typedef struct job_s {
    hlist_t node;
    service_host_t *host;
    port_result_t *port;
    hlist_t talks;
    size_t talk_count;
    ask_t queue[SERVICE_QUEUE_MAX];
    size_t queue_at, queue_end;
    uint64_t asked[2][(SERVICE_ASKS_MAX + 63) / 64]; /* a bit for each probe; [1]: in TLS */
    job_step_e step;
    bool is_waiting; /* for the next step: timer runs */
    bool is_final;   /* nothing more is wanted of it */
    bool is_udp;
    bool has_tls;
    bool is_closed_at_once, has_data;
    htimer_t *timer;
    match_t best;
    bool best_in_tls, best_says_tls; /* heard there; its pattern knows that it is there */
    const char *starttls;            /* the service that is asked to go over to TLS; NULL: none */
    char tls[1024];                  /* what TLS told of itself */
    hbytes_t banner;
} job_t;

typedef struct talk_s {
    hlist_t node;
    job_t *job;
    hio_t *io;
    htimer_t *timer;
    ask_t ask;
    uint64_t begin_us;
    bool is_connected;
    bool has_begun; /* to answer */
    unsigned tries; /* datagrams that were sent */
    unsigned looks; /* at the answer */
    unsigned step;  /* of PROBE_STARTTLS */
    hbytes_t reply;
} talk_t;

/* ---- service.c ---- */
/* Lets everything go on. Talks, jobs and hosts may be gone after it. */
void service__advance(service_run_t *run);
void service__short(service_run_t *run);

/* ---- service_job.c ---- */
/* A job for a port of a host; NULL when out of memory. */
job_t *service__job_new(service_host_t *host, port_result_t *port);
/* Gives up what is under way, and writes what was found to the port. */
void service__job_end(job_t *job);
/* Begins what there is room for. */
void service__job_go(job_t *job);
bool service__job_is_over(const job_t *job);
void service__job_ask(job_t *job, unsigned probe, bool in_tls);
/* Asks what can tell more of a service that a file's pattern has named. */
void service__job_ask_tellers(job_t *job, const char *name, bool in_tls);
/* TLS is spoken here, text tells how ("": not with us). What is within it is asked for. */
void service__job_has_tls(job_t *job, const char *text);
/* Ends the talks that are of no more use; a banner that is wanted is waited for. */
void service__job_give_up_rest(job_t *job, const talk_t *but);
/* There is an answer: a better one has to come soon. */
void service__job_hurry(job_t *job);
uint64_t service__rtt_ms(const job_t *job, unsigned times);

/* ---- service_take.c ---- */
/* An answer of a talk, as far as it has come. True: it tells no more. */
bool service__take(job_t *job, talk_t *talk, bool is_whole);
/* A talk is over, by the other side or by its time. Frees it. */
void service__talk_ended(job_t *job, talk_t *talk, bool by_peer);
/* Writes what was found to the port. */
void service__report(job_t *job);
bool service__is_banner(const talk_t *talk);

/* ---- service_talk.c ---- */
typedef enum talk_status_e { TALK_BEGUN, TALK_FAILED, TALK_LATER } talk_status_e;
talk_status_e service__talk_begin(job_t *job, ask_t ask);
/* Closes and frees it: no callback. */
void service__talk_free(talk_t *talk);
/* Ends at the latest in so many ms. */
void service__talk_hurry(talk_t *talk, uint64_t ms);
/* --version-trace: a line about it. */
void service__trace(const talk_t *talk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void service__trace_bytes(const talk_t *talk, const char *what, const void *data, size_t len);

/* ---- service_tls.c ---- */
/* The context, made at the first call; NULL after a message: without TLS. */
htls_ctx_t *service__tls(service_run_t *run, bool http_only);
/* Before the connection, or on it: TLS is what is spoken next. 0 or a negative error. */
int service__tls_begin(talk_t *talk, bool http_only);
/* TLS stands in a talk of PROBE_TLS or PROBE_STARTTLS. True: what is to be said in it is the probe
 * of the talk now; false: it is over. */
bool service__tls_connected(talk_t *talk);
/* Whether what failed was TLS, and not somebody who does not speak it. */
bool service__tls_was_refused(const hio_t *io);
/* What came in a talk of PROBE_STARTTLS before its TLS, or nothing yet. False: it is over. */
bool service__starttls_go_on(talk_t *talk);

#endif
