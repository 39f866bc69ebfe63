/* resume_record: what --resume keeps of a scan, as bytes. Pure.
 *
 * A file is RESUME_MAGIC and records. A record is a head (how long what follows is, its CRC-32C,
 * and the CRC-32C of these two: all of 4 bytes, the lowest first) and a body: its kind, and numbers
 * (seven bits a byte, the lowest first), bytes and strings (their length and one more, or 0 for
 * none; the bytes; a NUL). The first one is RESUME_BEGIN, and only that. Hosts are known by their
 * place in the walk over the targets. */
#ifndef HNMAP_RESUME_RECORD_H
#define HNMAP_RESUME_RECORD_H

#include "result.h"

#define RESUME_MAGIC "hnmap scan 1\n" /* the number changes with what is below */
#define RESUME_MAGIC_LEN (sizeof(RESUME_MAGIC) - 1)
#define RESUME_HEAD_LEN 12
#define RESUME_RECORD_MAX ((size_t)16 << 20) /* bytes of a body */
#define RESUME_HOPS_MAX 64                   /* on the way to a host */
#define RESUME_WORDS_MAX ((size_t)1 << 20)   /* bytes of a command line */

typedef enum resume_kind_e {
    RESUME_BEGIN = 1, /* which scan it is */
    RESUME_UP,        /* a host is there; what that showed */
    RESUME_PROBES,    /* outcomes of some of its probes */
    RESUME_DONE,      /* all that is known of it in the end, but for names */
    RESUME_TOLD,      /* it is in the reports now, in its turn; and its names */
    RESUME_ELAPSED,   /* how long the scan has run */
    RESUME_KINDS
} resume_kind_e;

/* What a scan is known by: checksums of what decides what is asked, of whom and how. */
typedef enum resume_fact_e {
    RESUME_VERSION,
    RESUME_TARGETS,
    RESUME_ORDER,
    RESUME_PORTS,
    RESUME_SCANS,
    RESUME_PINGS,
    RESUME_SOURCE,
    RESUME_PACKETS,
    RESUME_SERVICES,
    RESUME_NAMES,
    RESUME_SHOWN,
    RESUME_FACTS
} resume_fact_e;

typedef struct resume_begin_s {
    uint64_t seed;
    uint64_t start; /* time_t */
    uint32_t facts[RESUME_FACTS];
    const char *words; /* the command line without its first word, each word with a NUL */
    size_t words_len;
} resume_begin_t;

typedef struct resume_rtt_s {
    uint64_t srtt_us, rttvar_us, timeout_us;
} resume_rtt_t;

typedef struct resume_up_s {
    uint64_t start; /* time_t */
    uint8_t reason, ttl;
    bool has_mac;
    uint8_t mac[6];
    uint8_t ping_kind, ping_flags; /* of the probe that was answered: raw_probe_t */
    uint16_t ping_port;
} resume_up_t;

/* Probes that follow one another, with the same outcome. PORT_UNKNOWN: asked often enough, without
 * an answer. */
typedef struct resume_run_s {
    uint32_t first, count;
    uint8_t state, reason, ttl;
} resume_run_t;

typedef struct resume_probes_s {
    bool is_udp;
    bool is_whole; /* these are all that there are: the stage is over */
    resume_rtt_t rtt;
    const char *runs; /* see resume_run_next */
    size_t runs_len;
} resume_probes_t;

typedef struct resume_told_s {
    const char *name; /* NULL: none */
    const char *hop_names[RESUME_HOPS_MAX];
    size_t hop_count;
} resume_told_t;

typedef struct resume_record_s {
    resume_kind_e kind;
    uint64_t position; /* of the host; not of BEGIN and ELAPSED */
    union {
        resume_begin_t begin;
        resume_up_t up;
        resume_probes_t probes;
        host_result_t done; /* without addr, asked, vendor, usual names of ports */
        resume_told_t told;
        uint64_t elapsed_us;
    };
} resume_record_t;

/* Appends a record. 0, -ENOMEM; -ENOBUFS: it would be longer than RESUME_RECORD_MAX. After an error
 * nothing was appended. */
int resume_record_write(hbytes_t *out, const resume_record_t *record);

/* Looks at what begins with a record: 1, and *body and *len are its body; 0: it is not whole yet,
 * or no more; HERR_SYNTAX: that is none; *len is SIZE_MAX if its head is wrong already. */
int resume_record_find(const char *data, size_t data_len, const char **body, size_t *len);

/* Reads a body. Strings are borrowed from it, but for those of `done`, which are owned. 0;
 * HERR_SYNTAX; -ENOMEM. resume_record_deinit in every case. */
int resume_record_read(resume_record_t *record, const char *body, size_t len);
void resume_record_deinit(resume_record_t *record);

/* Appends a run to those of a resume_probes_t. 0, -ENOMEM, -ENOBUFS. */
int resume_run_write(hbytes_t *runs, const resume_run_t *run);
/* Takes the next one from a text of them; false: there is none, or (then *len is not 0) it is none.
 * What resume_record_read has passed is right. */
bool resume_run_next(const char **runs, size_t *len, resume_run_t *run);

#endif
