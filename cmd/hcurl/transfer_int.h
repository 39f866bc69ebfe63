/* What the parts of transfer.c share. */
#ifndef HCURL_TRANSFER_INT_H
#define HCURL_TRANSFER_INT_H

#include "event/htimer.h"
#include "transfer.h"

#define TRANSFER_RANGE_SIZE 32

struct transfer_s {
    run_t *run;
    const operation_t *operation;
    url_target_t target;
    uint64_t number;
    bool first;

    output_t *output;
    body_t body;
    http_client_t *client;
    const http_client_options_t *connect;
    http_transfer_options_t options;
    http_extra_t *fields; /* all of them; options points to it */
    char upload_range[TRANSFER_RANGE_SIZE];
    bool went_on; /* a try began behind what an earlier one had left */

    retry_t retry;
    http_transfer_t *hop; /* the try; NULL between two of them */
    report_transfer_t *report;
    htimer_t *timer; /* until the next try */
    hbytes_t error;  /* what it ended with */
    hbytes_t certs;  /* of the server, for -w */
    int cert_count;
    long verify_result;
};

static inline const globals_t *transfer__globals(const transfer_t *transfer)
{
    return transfer->run->globals;
}

/* Warns of each line. */
void transfer__warn_lines(const transfer_t *transfer, const hbytes_t *lines);

/* A word about -X where it does not do what it seems to. */
void transfer__check_method(const transfer_t *transfer);

/* Makes the options of the next try out of those of the operation. 0, or an exit status and why. */
int transfer__fill(transfer_t *transfer, hbytes_t *why);

#endif
