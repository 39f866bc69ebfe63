/* engine_int: what the engine's files share.
 *
 * A host is in exactly one place: ready (may send), blocked (its flow refuses), resting (nothing to
 * send before an answer or a time) or ended (done is due). Whatever has to happen to it at a time
 * of its own is in the wheel. Both are found again by engine__place after each event. */
#ifndef HNET_HNMAP_ENGINE_INT_H
#define HNET_HNMAP_ENGINE_INT_H

#include "base/hlist.h"
#include "base/hpermute.h"

#include "engine.h"

#define ENGINE_HOST_FLIGHT_MAX 8192 /* records of one host, a power of two */
#define ENGINE_FLIGHT_MAX 65536     /* probes in flight */
#define ENGINE_RUN_MAX 256          /* probes sent in one engine_run, before answers are read */
#define ENGINE_CANARIES_MAX 8       /* of one host, waiting to be sent */
#define ENGINE_EPOCH_US 100000      /* paces are looked at that often, or once a round trip */
#define ENGINE_NEAR_US 5000         /* a round trip on the local link */
#define ENGINE_WHEEL_TICKS 2048     /* a power of two */
#define ENGINE_WHEEL_TICK_US 500

/* A rate: tokens come at it, one is taken for each probe. */
typedef struct engine__bucket_s {
    double rate; /* a second */
    double tokens;
    double burst;
    uint64_t filled_us;
} engine__bucket_t;

/* What the way to a host, or to all of them, takes. */
typedef struct engine__flow_s {
    engine__bucket_t pace;
    double window, window_floor, window_top;
    double threshold; /* of the window: slow start below it */
    double pace_max;  /* as long as nothing answers */
    bool near;        /* the way is short */
    bool shrunk;      /* once: the pace no longer doubles */
    bool paced;       /* tokens let probes go in this epoch */
    uint32_t in_flight;
    uint32_t epoch_sent, epoch_answered, epoch_limited;
    uint64_t epoch_us; /* its beginning */
    uint64_t hold_us;  /* until then what is heard is about the time before it shrank */
    double share;      /* of what was sent in an epoch that was answered: the best */
    double tolerated;  /* loss */
    double loss_then, sent_then, answered_then; /* when it shrank last */
    bool patient;                               /* epochs are not cut short */
    bool alone;                                 /* nothing else takes the way */
    double answered, lost, hits; /* since the loss was looked at; hits: canaries answered */
} engine__flow_t;

/* What passed in an epoch that is over. */
typedef struct engine__epoch_s {
    double seconds;
    double sent, answered, limited; /* a second */
    double loss;                    /* a share; negative: too little was heard */
} engine__epoch_t;

/* RFC 6298 section 2. */
typedef struct engine__rtt_s {
    uint64_t srtt_us, var_us;
    uint64_t least_us;
    uint64_t sampled_us, late_us;
    unsigned backoff; /* the timeout is doubled that often (section 5.5) */
} engine__rtt_t;

/* How many tries are known to have been answered or lost. */
typedef struct engine__tries_s {
    double answered, lost;
} engine__tries_t;

typedef struct engine__record_s {
    uint32_t probe;
    uint32_t sent_us; /* the low part of the clock */
} engine__record_t;

/* What holds for several engines together. */
typedef struct engine__limits_s {
    engine__bucket_t most, least;      /* rate_max and rate_min */
    uint32_t in_flight, in_flight_max; /* as far as they have said: see engine__share */
} engine__limits_t;

struct engine_host_s {
    engine_t *engine;
    void *user;
    hlist_t place;
    hlist_t *list; /* the one that place is on */
    hlist_t sleep;
    uint64_t wake_tick;
    uint64_t end_us;  /* of its time; UINT64_MAX: none */
    uint64_t next_us; /* no probe before */
    uint64_t delay_us;
    uint64_t sent_us; /* the last probe */
    uint64_t seed;
    hpermute_t order;
    engine__flow_t flow;
    engine__rtt_t rtt;
    engine__tries_t tries, firm;    /* firm: answers of unlimited kinds */
    double work;                    /* see engine_stats_t */
    uint32_t count, answered, next; /* next: the position within the round's order */
    uint32_t timed_out, canaried;   /* of this round: silent probes, canaries among them */
    uint32_t canaries[ENGINE_CANARIES_MAX];
    uint64_t canary_us;                /* the last one was sent */
    uint32_t canaries_out;             /* of this round, in flight */
    uint8_t canaries_n, canaries_left; /* waiting; that this epoch may still have */
    uint8_t round, round_void; /* tries of rounds below round_void were swallowed by a limit */
    bool ended, timed_up, limited, hears_limited;
    bool has_unasked;                      /* probes that were settled before they were sent */
    uint8_t suspicions;                    /* see engine_limit.c */
    double suspect_sent, suspect_answered; /* a second */
    uint64_t cleared_us;                   /* not suspected before */
    uint64_t slowed_us;
    engine__record_t *ring;
    uint32_t ring_cap, ring_head, ring_n;
    uint32_t ring_seen; /* of the oldest: have been looked at for being overdue */
    uint8_t state[];    /* of each probe: tries, and the two bits below */
};

#define ENGINE__TRIES 0x3f
#define ENGINE__ANSWERED 0x40
#define ENGINE__IN_FLIGHT 0x80

struct engine_s {
    engine_options_t options;
    const engine_method_t *method;
    void *context;
    uint64_t now_us;
    uint64_t busy_us; /* the method is left alone until then */
    uint64_t serial;  /* of hosts: their orders differ */
    engine__flow_t flow;
    engine__rtt_t rtt;
    engine__tries_t tries, firm;
    engine__tries_t heard; /* of late; what is lost stands for all that timed out beside it */
    engine__limits_t own, *limits; /* limits: own ones, or another engine's */
    uint32_t shared;               /* of its probes in flight: are counted in limits */
    const engine_host_t *suspect;  /* see engine_limit.c */
    engine_stats_t stats;
    hlist_t ready, blocked, resting, ended;
    uint64_t tick; /* of the wheel: all up to it is done */
    uint64_t used[ENGINE_WHEEL_TICKS / 64];
    hlist_t wheel[ENGINE_WHEEL_TICKS];
};

/* engine_wheel: hosts by the time at which they want to be looked at. */
void engine__wheel_init(engine_t *engine, uint64_t now);
void engine__sleep(engine_t *engine, engine_host_t *host, uint64_t at_us);
/* Moves those that are due to a list. */
void engine__wake(engine_t *engine, hlist_t *due);
uint64_t engine__wheel_next(const engine_t *engine); /* UINT64_MAX: nobody sleeps */

/* engine_rtt */
void engine__rtt_init(engine__rtt_t *rtt, uint64_t rtt_us);
void engine__rtt_sample(engine__rtt_t *rtt, uint64_t sample_us, uint64_t now);
void engine__rtt_late(engine__rtt_t *rtt, uint64_t timeout_us, uint64_t now);
uint64_t engine__timeout(const engine_t *engine, const engine_host_t *host);
uint64_t engine__scan_timeout(const engine_t *engine);

/* engine_flow */
void engine__bucket_init(engine__bucket_t *bucket, double rate, double burst, uint64_t now);
void engine__bucket_fill(engine__bucket_t *bucket, uint64_t now);
bool engine__bucket_take(engine__bucket_t *bucket); /* one token, if there is one */
uint64_t engine__bucket_wait(const engine__bucket_t *bucket, uint64_t now); /* for a token, until */

void engine__flow_init(engine__flow_t *flow, const engine_options_t *options, uint64_t now);
void engine__flow_pace(engine__flow_t *flow, double rate);
bool engine__flow_open(engine__flow_t *flow, uint64_t now);
void engine__flow_sent(engine__flow_t *flow);
void engine__flow_unsent(engine__flow_t *flow);
void engine__flow_answered(engine__flow_t *flow);
/* An epoch that is over, if one is. */
bool engine__flow_epoch(engine__flow_t *flow, uint64_t srtt_us, uint64_t now,
                        engine__epoch_t *epoch);
bool engine__flow_lossy(const engine__flow_t *flow, const engine__epoch_t *epoch);
void engine__flow_grow(engine__flow_t *flow, const engine__epoch_t *epoch, bool steady);
void engine__flow_shrink(engine__flow_t *flow, const engine__epoch_t *epoch, uint64_t srtt_us,
                         uint64_t hold_us);
void engine__flow_forget(engine__flow_t *flow, uint64_t hold_us);
/* The way is short: it may begin faster. */
void engine__flow_near(engine__flow_t *flow);
/* It goes on towards silence, more slowly: what was too fast before may get through now. */
void engine__flow_calm(engine__flow_t *flow);

/* engine_round: which probe of a host is next, and how often each is tried. */
void engine__round_begin(engine_host_t *host, unsigned round);
unsigned engine__round_tries(const engine_host_t *host);        /* that a silent probe gets */
bool engine__round_canary(engine_host_t *host, uint32_t probe); /* sent again soon, if it may be */
bool engine__round_wants(engine_host_t *host);                  /* has something to send */
uint32_t engine__round_take(engine_host_t *host);               /* takes it */
/* Goes on to the next round if this one is over; true if it was the last. */
bool engine__round_over(engine_host_t *host, uint64_t now);
uint64_t engine__round_pause(const engine_host_t *host); /* no round begins before */
double engine__loss(const engine_t *engine);

/* engine_limit */
void engine__limit_answer(engine_host_t *host, int try, bool canary, uint64_t now);
bool engine__limit_epoch(engine_host_t *host, const engine__epoch_t *epoch, uint64_t now);
/* Whether a loss that a (limited) answer showed is the way's and no limit's. */
bool engine__limit_blames_way(const engine_host_t *host, bool limited);

/* engine_flight: what was sent and is not answered, oldest first. */
int engine__flight_init(engine_host_t *host);
int engine__flight_push(engine_host_t *host, uint32_t probe, uint64_t now); /* 0, -ENOMEM */
bool engine__flight_full(const engine_host_t *host);
void engine__flight_pop_newest(engine_host_t *host, uint32_t probe);
/* The age of the newest record of a probe; UINT64_MAX if there is none. */
uint64_t engine__flight_age(const engine_host_t *host, uint32_t probe, uint64_t now);
/* Drops the oldest ones that have been answered. */
void engine__flight_trim(engine_host_t *host);
/* Gives up what is due. Not behind a single answer: another one may be there, not yet read. */
void engine__flight_expire(engine_host_t *host, uint64_t now);
uint64_t engine__flight_next(const engine_host_t *host, uint64_t now); /* when the oldest expires */

/* engine_answer. A silent probe is done by a part with each try, wholly when it is answered. */
void engine__work(engine_host_t *host, double part);

/* engine_host: what happens to a host. */
void engine__place(engine_host_t *host, uint64_t now);
void engine__move(engine_host_t *host, hlist_t *list); /* to its end */
void engine__end(engine_host_t *host);
void engine__epoch(engine_t *engine, uint64_t now);     /* of the scan */
void engine__share(engine_t *engine);                   /* says how many are in flight now */
uint64_t engine__clock(engine_t *engine, uint64_t now); /* which never goes back */

#endif
