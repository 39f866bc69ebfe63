/* transfer: one URL of an operation, with all its tries: set up from the operation's options, run,
 * judged, tried again, and what -w prints for it.
 *
 *     transfer_new -> transfer_begin -> (a try -> waiting) ... -> run->on_over -> transfer_free */
#ifndef HCURL_TRANSFER_H
#define HCURL_TRANSFER_H

#include "clients.h"
#include "options.h"

typedef struct transfer_s transfer_t;

/* What all transfers of a run share. */
typedef struct run_s {
    const globals_t *globals;
    hloop_t *loop;
    clients_t *clients;
    store_t *store;
    report_t *report;
    outlet_t *out;
    bool interrupted; /* by a signal: transfers end silently */
    /* A transfer that transfer_begin has begun is over, with this exit status. From the loop; it
     * may be freed there. */
    void (*on_over)(transfer_t *transfer, int status, void *arg);
    void *arg;
} run_t;

/* 0 and *transfer, which has taken over what target owns (it is zeroed); or -ENOMEM. run and
 * operation are borrowed until transfer_free. first: of its operation. number: %{urlnum}. */
int transfer_new(run_t *run, const operation_t *operation, url_target_t *target, uint64_t number,
                 bool first, transfer_t **transfer);

/* How it began. */
typedef enum transfer_begin_e {
    TRANSFER_BEGUN, /* on_over follows */
    TRANSFER_OVER,  /* it has ended already: *status; others may go on */
    TRANSFER_BAD    /* what was asked for cannot be done: *status; nothing else is to begin */
} transfer_begin_e;

/* Begins the first try. What is wrong has been reported. */
transfer_begin_e transfer_begin(transfer_t *transfer, int *status);

/* The options of its first try, for those who make requests of their own out of them (--bench,
 * --split), and the client to make them with. 0; or an exit status, and it has been reported. What
 * they point to lives until transfer_free. */
typedef struct transfer_plan_s {
    const http_transfer_options_t *options;
    const http_client_options_t *connect;
    http_client_t *client;
    const char *file; /* the output's; NULL: none */
} transfer_plan_t;
int transfer_plan(transfer_t *transfer, transfer_plan_t *plan);

/* What came of such requests: error (NULL: none) is told, and what -w asks for. info NULL: nothing
 * is known of them; with status 0 they were too many for -w. */
void transfer_conclude(transfer_t *transfer, int status, const char *error,
                       const http_transfer_info_t *info);

/* Ends it; on_over follows unless it is over. why: one line, NULL: the usual. */
void transfer_abort(transfer_t *transfer, const char *why);

/* Legal in on_over, and on NULL. */
void transfer_free(transfer_t *transfer);

#endif
