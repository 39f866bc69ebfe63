/* The inside of hdns, for its own files:
 *   hdns.c          queries: where to look, the search list, time limits, callbacks
 *   hdns_here.c     what needs no server: numbers, localhost; which names are legal
 *   hdns_hosts.c    /etc/hosts
 *   hdns_system.c   the system's resolver, in threads
 *   hdns_cache.c    questions: on the wire, in line for it, answered and kept
 *   hdns_channel.c  c-ares over the loop's sockets and timer
 *   hdns_answer.c   what a name server said, as records
 *   hdns_order.c    which of them comes first
 *
 * A query of the program has one part for each type of record. A part waits on a question, which
 * parts that ask the same share; an answer never changes and is shared by all that hold it. */
#ifndef HNET_NET_HDNS_INT_H
#define HNET_NET_HDNS_INT_H

#include "../base/hlist.h"
#include "../event/hio.h"
#include "../event/htimer.h"
#include "hdns.h"

#define HDNS_TYPE_A 1
#define HDNS_TYPE_AAAA 28
#define HDNS_NAME_LEN_MAX 253
#define HDNS_TTL_MAX_S (24 * 3600)
#define HDNS_TTL_NEGATIVE_MAX_S 300
#define HDNS_HOSTS_SIZE_MAX (32 * 1024 * 1024)

/* Records, or why there are none. For A and AAAA text holds the bytes of the address. */
typedef struct hdns_answer_s {
    unsigned refs; /* 0: static, never freed */
    int err;
    bool no_such_name;   /* the search list goes on */
    uint32_t ttl_s;      /* 0: not to be kept */
    uint64_t expires_us; /* set when a name server has given it; 0: none has */
    const char *why;     /* static words, with err */
    size_t count;
    hdns_record_t records[];
} hdns_answer_t;

typedef enum { HDNS_IN_LINE, HDNS_ON_WIRE, HDNS_ANSWERED } hdns_question_state_e;

typedef struct hdns_question_s {
    hdns_t *dns;
    hlist_t bucket_link;
    hlist_t link;  /* in line: dns->line; answered: dns->kept, the oldest first */
    hlist_t parts; /* that wait for it */
    hdns_question_state_e state;
    int type;
    hdns_answer_t *answer;
    char name[]; /* lower case, without a dot at the end */
} hdns_question_t;

typedef struct hdns_part_s {
    hdns_t *dns;
    hdns_query_t *query;
    hdns_question_t *question; /* that it waits for */
    hlist_t link;
    int type;
    size_t candidate;      /* of the search list */
    hdns_answer_t *answer; /* NULL: not yet */
} hdns_part_t;

typedef struct hdns_channel_s hdns_channel_t;
typedef struct hdns_hosts_s hdns_hosts_t;
typedef struct hdns_system_s hdns_system_t;
typedef struct hdns_job_s hdns_job_t;

struct hdns_s {
    hloop_t *loop;
    hdns_options_t options;
    hlist_t queries;
    hdns_channel_t *channel; /* NULL: not needed yet */
    hlist_t retired;         /* channels of before a reload that still wait for answers */
    hdns_hosts_t *hosts;
    hdns_system_t *system; /* NULL: not needed yet */
    hlist_t *buckets;
    size_t bucket_count;
    hlist_t line;
    hlist_t kept;
    size_t on_wire;
    bool advancing; /* the line, right now */
    hdns_stats_t stats;
};

/* hdns.c */
void hdns__part_answered(hdns_part_t *part, hdns_answer_t *answer);

/* Takes both over; other: of part A alone, NULL if it is the same. */
void hdns__system_answered(hdns_query_t *query, hdns_answer_t *answer, hdns_answer_t *other);

/* hdns_here.c */
extern hdns_answer_t hdns__impossible; /* no such name is possible */
/* Letters, digits, hyphens, and what is seen in service names; RFC 1035 section 2.3.4 lengths. */
bool hdns__is_legal(const char *name);
/* Numbers, also as "127.1", which inet_aton has taught people. */
bool hdns__parse_number(const char *name, haddr_t *addr);
/* The answer that needs no server; NULL: there is none. number: what the name is, or NULL. */
hdns_answer_t *hdns__find_here(hdns_t *dns, const char *name, int type, const haddr_t *number);
/* "4.3.2.1.in-addr.arpa", or the 32 digits of RFC 3596 section 2.5; HDNS_NAME_SIZE bytes. */
void hdns__reverse_name(const unsigned char *bytes, size_t len, char *name);

/* hdns_system.c */
/* Asks for the addresses of a name, or (NULL) the name of an address; hdns__system_answered
 * follows, never from inside. 0 and *job, or -errno. */
int hdns__system_ask(hdns_t *dns, hdns_query_t *query, const char *name,
                     const struct sockaddr *addr, int family, hdns_job_t **job);
void hdns__system_leave(hdns_job_t *job);       /* its query has ended; NULL is legal */
void hdns__system_close(hdns_system_t *system); /* waits for no thread; NULL is legal */

/* hdns_answer.c */
extern hdns_answer_t hdns__no_memory;
hdns_answer_t *hdns__answer_ref(hdns_answer_t *answer);
void hdns__answer_unref(hdns_answer_t *answer);
/* An answer without records; never NULL. */
hdns_answer_t *hdns__answer_error(int err, const char *why);
/* A copy of n records and their texts; never NULL. */
hdns_answer_t *hdns__answer_new(const hdns_record_t *records, size_t n, uint32_t ttl_s);
/* What a server said to a question of this type; status is c-ares's. Never NULL. */
hdns_answer_t *hdns__answer_parse(int type, int status, const unsigned char *data, int len);

/* hdns_order.c */
void hdns__order_records(hdns_record_t *records, size_t n); /* by priority and weight */
void hdns__order_ipv6(hdns_record_t *records, size_t n);    /* AAAA, the best first */

/* hdns_cache.c */
void hdns__cache_deinit(hdns_t *dns);
void hdns__cache_clear(hdns_t *dns);
/* Asks for part: hdns__part_answered follows, maybe from inside. */
void hdns__ask(hdns_part_t *part, const char *name);
void hdns__part_leave(hdns_part_t *part); /* it waits no more */
void hdns__question_answered(hdns_question_t *question, hdns_answer_t *answer); /* takes it over */
void hdns__line_advance(hdns_t *dns);

/* hdns_channel.c */
/* Makes dns->channel if there is none. 0, HERR_UNSUPPORTED, -ENOMEM ... */
int hdns__channel_open(hdns_t *dns);
void hdns__channel_retire(hdns_t *dns);
void hdns__channels_free(hdns_t *dns);
/* hdns__question_answered follows, maybe from inside. */
void hdns__channel_ask(hdns_channel_t *channel, hdns_question_t *question);
/* The domains to try behind a name, and how many dots make it be tried alone first. */
size_t hdns__domain_count(const hdns_channel_t *channel);
const char *hdns__domain(const hdns_channel_t *channel, size_t i);
int hdns__ndots(const hdns_channel_t *channel);
const char *hdns__channel_error(int err); /* of hdns__channel_open, in static words */
/* The name at *pos of a message, as text, and *pos moved behind it. 0 or HERR_PROTOCOL. */
int hdns__expand(const unsigned char *data, size_t len, size_t *pos, char name[HDNS_NAME_SIZE]);

/* hdns_hosts.c */
/* The answer of the hosts file to this name and type, NULL if it does not have the name. */
hdns_answer_t *hdns__hosts_find(hdns_t *dns, const char *name, int type);
hdns_answer_t *hdns__hosts_reverse(hdns_t *dns, const unsigned char *bytes, size_t len);
void hdns__hosts_free(hdns_t *dns);

#endif
