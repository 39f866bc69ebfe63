/* split_int: what split.c (the file, the run) and split_segment.c (its connections) share. */
#ifndef HCURL_SPLIT_INT_H
#define HCURL_SPLIT_INT_H

#include "app/hprogress.h"
#include "event/htimer.h"
#include "split.h"
#include "split_state.h"
#include "status.h"

typedef struct split_s split_t;

/* A connection: one range after another, each with its retries. Zeroed is idle. */
typedef struct split_segment_s {
    split_t *split;
    split_range_t *range;
    http_transfer_t *transfer;
    report_transfer_t *report;
    http_transfer_options_t options;
    char range_text[64];
    htimer_t *timer; /* until the next try */
    retry_t retry;
    int http_status;
    int64_t retry_after_s;
    bool refused;  /* the connection was */
    bool open;     /* asked without an end */
    bool accepted; /* the response is what was asked for: its body belongs to the range */
    hbytes_t why;  /* it failed, if that is not http_transfer_error */
} split_segment_t;

struct split_s {
    const split_job_t *job;
    split_result_t *result;
    hbytes_t *error;
    split_state_t state;
    bool known;   /* what the state says has been learned from this server, or from the text */
    bool ranged;  /* the server has ranges */
    bool whole;   /* asks without a range: there are none */
    bool changed; /* the file is another one: from the start, once all have ended */
    bool leave;   /* a signal */
    bool begun;   /* the part holds what this run has put there */
    int status;   /* of what ended it all */
    int restarts;
    int fd;
    char *path; /* the job's, or what a link there leads to */
    char *part_path, *state_path;
    http_extra_t *fields; /* the job's, and If-Range at the end */
    split_segment_t segments[SPLIT_PARTS_MAX];
    uint32_t active; /* segments that are not idle */
    hprogress_t progress;
    int64_t modified_s; /* the file's date; -1: not known */
};

/* Gives an idle segment the next range that is nobody's; it stays idle if there is none. */
void split__segment_begin(split_segment_t *segment);

/* Ends all of them; split__ended follows when the last one has. */
void split__stop(split_t *split);

/* No segment is active. */
void split__ended(split_t *split);

/* The first head has come: state.size and so on are set, and state.ranges; the first range is
 * taken. Makes the file, and gives the other segments their ranges. 0, or an error. */
int split__learned(split_t *split);

/* Says it, where the line of progress was. */
void split__warn(split_t *split, const char *text);

/* Keeps what ended it: the first time counts. */
void split__fail(split_t *split, int status, const char *text);

#endif
