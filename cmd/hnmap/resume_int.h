/* resume_int: what the files of --resume share. resume.c: goes on with a scan; resume_keep.c: keeps
 * one; resume_facts.c: which scan it is. */
#ifndef HNMAP_RESUME_INT_H
#define HNMAP_RESUME_INT_H

#include "resume_file.h"
#include "scan_int.h"

#define RESUME_FLUSH_MS 500
#define RESUME_PENDING_MAX ((size_t)256 << 10) /* bytes that wait to be written */
#define RESUME_RUNS_MAX ((size_t)64 << 20)     /* of outcomes of hosts that were under way */
#define RESUME_BUCKETS 1024                    /* a power of two */
#define RESUME_STAGES 2                        /* TCP, UDP */

/* What the file knows of a host that is not told yet. */
typedef struct kept_s {
    struct kept_s *next; /* of its bucket */
    uint64_t position;
    bool is_up, is_done;
    resume_up_t up;
    resume_rtt_t rtt;
    hbytes_t runs[RESUME_STAGES]; /* see resume_run_next */
    host_result_t done;
} kept_t;

struct resume_s {
    const char *path;
    resume_file_t *file;
    bool has_begin;    /* what a new file begins with was written by this process */
    bool is_begun;     /* probes may be under way: what is found out is kept */
    bool is_stopped;   /* it is not any more */
    bool is_broken;    /* since it could not be written */
    bool tells;        /* hosts that are told in the file are told now */
    uint64_t position; /* behind the last host that was told */
    uint64_t elapsed_us;
    hbytes_t pending;
    htimer_t *timer;
    kept_t *kept[RESUME_BUCKETS];
    size_t kept_count, runs_len;
};

kept_t *resume__find(const resume_t *resume, uint64_t position); /* NULL: none */
void resume__forget(resume_t *resume, uint64_t position);

/* ---- resume_facts.c ---- */
void resume__facts(const plan_t *plan, uint32_t facts[RESUME_FACTS]);
/* "its targets", for people. */
const char *resume__fact_name(resume_fact_e fact);

/* ---- resume_keep.c ---- */
/* The record that a new file begins with. 0; or the exit status after a message. */
int resume__write_begin(scan_t *s, const uint32_t facts[RESUME_FACTS]);
void resume__begin_keeping(scan_t *s);
void resume__flush(scan_t *s);

#endif
