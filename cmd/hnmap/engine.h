/* engine: decides which probe is sent when. It knows hosts, probes by number and time, and nothing
 * of packets: a method (connect, raw, ping) sends what it is asked to and tells what was answered.
 *
 * Every host has probes 0..count-1. They are sent in rounds, each in an order of its own; when a
 * round is over (each of its probes is answered, or was not within the host's timeout) what is
 * unanswered is sent again in the next. A few that time out are sent again at once (canaries), so
 * that loss is seen before the round is over. A host is done when each of its probes is answered
 * or given up, or when engine_host_end says so (one answer is enough to know that a host is up).
 *
 * How often: where the way loses a share p, a probe that would be answered is silent in all of n
 * tries with p^n; so of those that have answered, that many times p^n are expected to be missed.
 * A silent probe is sent until these are fewer than ENGINE_MISSED_TOLERATED in the whole scan:
 * twice on a clean path, however many are silent, four or five times where 2 % are lost and
 * thousands answer; never more often than options.tries.
 *
 * How fast: a probe may leave when the window of its host has room or its pace has a token, and
 * the same holds for those of the scan. Windows grow with answers (RFC 5681 section 3.1, slow
 * start); the pace doubles every 100 ms while it is what holds the host back and nothing shows
 * loss. Loss is seen where canaries are answered: below ENGINE_LOSS_TOLERATED of the answers
 * nothing shrinks, for a lossy link is not a full one; above, window and pace fall to what got
 * through. Silence is no loss. The timeout follows RFC 6298 between the limits of the options; an
 * answer is measured only against the try that it answers (Karn).
 *
 * Limits: hosts limit the rate of some answers (RST, ICMP errors; see engine_answer). For RST the
 * engine goes on at a moderate pace and does not wait: what is open answers without a limit, what
 * is closed stays unanswered in part. With wait_for_limited (UDP, where silence would be taken for
 * "open|filtered") it slows down until each probe gets its answer; that takes as long as the limit
 * demands: 100 ports at 1/s are 100 s.
 *
 * Pure: time is an argument (microseconds of any monotonic clock) and the only effects are the
 * callbacks, which run inside engine_run alone. They may call everything but engine_run and
 * engine_free. A host costs about 650 bytes, a probe one, and 8 more while it is in flight. */
#ifndef HNET_HNMAP_ENGINE_H
#define HNET_HNMAP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENGINE_LOSS_TOLERATED 0.10
#define ENGINE_MISSED_TOLERATED 1e-3 /* probes of a scan */
#define ENGINE_TRIES_MAX 63          /* of one probe */
#define ENGINE_PROBES_MAX 262144     /* of one host: every port of four protocols */
#define ENGINE_TIMEOUT_MAX_US 3600000000u
#define ENGINE_BUSY_US 10000 /* how long a method that is busy is left alone */

typedef struct engine_s engine_t;
typedef struct engine_host_s engine_host_t;

/* All zero but the three timeouts and tries is automatic. */
typedef struct engine_options_s {
    uint64_t rtt_initial_us, rtt_min_us, rtt_max_us; /* the timeout of a probe */
    unsigned tries;                                  /* of a silent probe at most, 1.. */
    uint64_t host_timeout_us; /* a host is given up after it, 0: never; see engine_host_until */
    uint64_t delay_us, delay_max_us; /* between probes of one host: at least, and what rate limits
                                        that are detected may make of it (0: 1 s) */
    unsigned window_min, window_max; /* probes in flight over the whole scan; 0: automatic */
    double rate_initial;             /* probes a second that a scan begins with; 0: automatic */
    double rate_min, rate_max;       /* probes a second over the whole scan; 0: none. rate_max is
                                        never passed, within any 100 ms */
    engine_t *limits_of; /* an engine that lives longer, or NULL: its window_max, rate_min and
                            rate_max are for both together, and those here are ignored */
    uint64_t again_us; /* the method itself sends a probe again after so long (a kernel its SYN), so
                          that what is answered later measures nothing; 0: it does not */
    uint64_t seed;     /* of the orders */
    bool in_order;     /* probes in their order, not shuffled */
    bool wait_for_limited; /* slow down until limited answers get through; tries that the limit
                              swallowed do not count, up to ENGINE_TRIES_MAX. For UDP alone: there
                              are pauses of 1.2 s between rounds */
} engine_options_t;

typedef enum engine_sent_e {
    ENGINE_SENT,    /* wait for an answer */
    ENGINE_BUSY,    /* no room now: asked again when engine_ready was called or 10 ms have passed */
    ENGINE_ANSWERED /* known already (a refused connect): as if engine_settle had been called */
} engine_sent_e;

typedef struct engine_method_s {
    /* Sends a probe; try counts from 0. A fault of this probe alone is an answer, too. */
    engine_sent_e (*send)(void *context, engine_host_t *host, uint32_t probe, unsigned try);
    /* The host has ended; it and its state are freed after the callback. */
    void (*done)(void *context, engine_host_t *host);
} engine_method_t;

/* A new engine; method is kept by reference. 0, -EINVAL (options that contradict), -ENOMEM. */
int engine_new(const engine_options_t *options, const engine_method_t *method, void *context,
               engine_t **engine);
/* Frees hosts without done callbacks. NULL is legal. */
void engine_free(engine_t *engine);

/* A host with count probes. rtt_us is what is known of its round trip (0: nothing). Its probes
 * start at the next engine_run. 0 and *host, -EINVAL (count 0 or too many), -ENOMEM. */
int engine_host_add(engine_t *engine, uint32_t count, uint64_t rtt_us, void *user, uint64_t now,
                    engine_host_t **host);
/* Nothing more is sent to this host, and its answers are no news any more; done follows in the
 * engine_run that is running, or in the next. */
void engine_host_end(engine_t *engine, engine_host_t *host);
void *engine_host_user(const engine_host_t *host);
/* A host is given up at this time, whatever the options say: some of its time is used up already.
 * UINT64_MAX: never. */
void engine_host_until(engine_host_t *host, uint64_t end_us);

/* A probe was answered: by its try'th sending, or by an unknown one (try < 0). Answers to probes
 * that were not sent, are answered or belong to given-up ones are legal; false says that it was no
 * news. `limited` is for answers of a kind that hosts limit (RST, ICMP errors): a steady rate of
 * them under loss is taken for a limit and not for a full link. */
bool engine_answer(engine_t *engine, engine_host_t *host, uint32_t probe, int try, bool limited,
                   uint64_t now);

/* A probe is done, by what is no answer of the way (an error of our own side, a name that was
 * looked up, what is known from before): nothing is learnt from it. One that was not sent yet never
 * is. True: it was news. */
bool engine_settle(engine_t *engine, engine_host_t *host, uint32_t probe, uint64_t now);

/* Answers were lost on this machine, in front of the method: what is in flight, of any host, may
 * have been answered, so its tries so far do not count (up to ENGINE_TRIES_MAX). */
void engine_missed(engine_t *engine);

/* The method has room again: engine_run wants to be called at once. */
void engine_ready(engine_t *engine);

/* Sends what may be sent now, gives up what is due, runs callbacks. Returns when it wants to be
 * called again (now: at once, after what else there is to do), UINT64_MAX if only an answer or a
 * new host can make it go on. To be called after answers and new hosts, too. */
uint64_t engine_run(engine_t *engine, uint64_t now);

/* What time it is for the engine. What is answered within send is answered so much later than this
 * as sending took. */
uint64_t engine_now(const engine_t *engine);

/* Whether a probe has been answered; how often it was sent. */
bool engine_is_answered(const engine_host_t *host, uint32_t probe);
unsigned engine_tries(const engine_host_t *host, uint32_t probe);

/* The host's estimate, 0 before the first answer; timeout is what a probe sent now would get. */
typedef struct engine_rtt_s {
    uint64_t srtt_us, rttvar_us, timeout_us;
} engine_rtt_t;
void engine_host_rtt(const engine_t *engine, const engine_host_t *host, engine_rtt_t *rtt);
bool engine_host_timed_out(const engine_host_t *host); /* that ended it */
bool engine_host_limited(const engine_host_t *host);   /* its limited answers hit a limit */

typedef struct engine_stats_s {
    uint64_t probes,
        done; /* of the hosts added so far; done: answered, or of a host that is done */
    uint64_t sent, repeated, answered; /* packets, of them repeats; answers that were news */
    uint64_t lost;                     /* tries that were lost, as a later one was answered */
    size_t hosts, in_flight;           /* now */
    double window, rate;               /* of the scan now: probes, probes a second */
    double loss;                       /* share of tries that are lost, estimated */
    double work; /* as done, and a part for each try of those that are silent yet; of probes */
} engine_stats_t;
void engine_stats(const engine_t *engine, engine_stats_t *stats);

/* Probes a second, about, that an engine of these options sends towards so many hosts that say
 * nothing; for delays, windows and the rates of the options less or more. */
double engine_silent_rate(const engine_options_t *options, double hosts);

#endif
