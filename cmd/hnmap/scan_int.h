/* scan_int: what the files of a scan share. scan.c: its life, and the flow of hosts through it;
 * stage.c: what a host goes through; probe.c: how probes are sent and answers understood. */
#ifndef HNMAP_SCAN_INT_H
#define HNMAP_SCAN_INT_H

#include "connect.h"
#include "diff.h"
#include "event/hsignal.h"
#include "event/htimer.h"
#include "host.h"
#include "host_map.h"
#include "name_wait.h"
#include "output.h"
#include "ping.h"
#include "plan.h"
#include "raw.h"
#include "scan.h"
#include "strange.h"
#include "then.h"
#include "vendors.h"
#include "view.h"

#define SCAN_SIGNALS 3

typedef struct walk_s walk_t;
typedef struct look_s look_t;
typedef struct trace_s trace_t;
typedef struct resume_s resume_t;

#define SCAN_HOSTS_MAX 4096 /* that are scanned, or wait to be reported */

/* What the user is told of beside the results; see warn.c. */
typedef struct warn_s {
    strange_t strange;
    uint64_t drops_us;             /* when it was looked for dropped packets last */
    uint64_t dropped, dropped_now; /* in all; by what is open now */
    bool told_sockets;
    uint64_t unasked; /* hosts that could not be asked, or not be asked all */
} warn_t;

typedef struct scan_s {
    plan_t plan;
    hloop_t *loop;
    connect_t *connects; /* NULL: not needed */
    raw_t *raw;          /* NULL: all is asked by connect, */
    ping_t *ping;        /* but for echoes; NULL: there are none */
    host_map_t *map;     /* of hosts that are probed raw, or by echoes */
    engine_t *engines[PLAN_PACES];
    hdns_t *dns;      /* NULL: no names */
    trace_t *trace;   /* NULL: no ways are followed */
    resume_t *resume; /* NULL: the scan is kept in no file */
    local_t *local;
    service_run_t *services; /* NULL: nobody asks for versions or banners */
    service_file_t *probes;  /* --probes; NULL: none */
    output_t *output;
    vendors_t vendors;
    diff_t *diff; /* NULL: nothing to compare with */
    then_t *then; /* NULL: no commands */
    view_t *view;
    uint64_t begin_us;
    name_wait_t names;   /* how long they are waited for */
    uint64_t open_count; /* ports that were found open */
    htimer_t *timer;
    hsignal_t *signals[SCAN_SIGNALS];
    hlist_t hosts;                        /* in order */
    hlist_t waiting;                      /* those in STAGE_WAIT, as they came to it */
    size_t host_count, scanning, looking; /* of them: in ports, in services */
    size_t guessing;                      /* and in STAGE_OS */
    bool is_open;                         /* a round is: all above but what outlives it */
    bool is_unheard;                      /* no report can be written any more */
    bool has_changed;                     /* the host that was told last */
    bool waits_for_commands;              /* for their end: the scan is over */
    uint64_t unasked;                     /* hosts of this round that nothing could be sent to */
    uint64_t round_us, next_us;           /* --watch: when this round began, the next one begins */
    bool is_posted;                       /* a pump is on its way */
    bool exhausted;                       /* no target is left */
    bool interrupted;
    bool warned_unreachable;
    warn_t warn;
    int status;
} scan_t;

void scan__out_of_memory(scan_t *s);
void scan__pump(scan_t *s);     /* lets everything go on; not inside of an engine's callbacks */
void scan__schedule(scan_t *s); /* soon, once for all that comes until then */

void scan__heard(scan_t *s, int err); /* what an output_... call has returned */

/* ---- watch.c ---- */
/* Before a host is told: whether it has changed since the scan that is compared with. */
bool scan__compare(scan_t *s, const host_result_t *host);
void scan__judge_round(scan_t *s); /* before the report's end */
/* The rounds after the first, until a signal comes or nobody hears of them. */
void scan__watch(scan_t *s);

/* ---- hand_on.c ---- */
int scan__open_commands(scan_t *s); /* 0 or an exit status after a message */
bool scan__can_hand_on(const scan_t *s);
void scan__hand_on(scan_t *s, const host_result_t *host); /* it was told */
void scan__stop_commands(scan_t *s);
void scan__end_commands(scan_t *s); /* waits for them, and tells how many there were */

/* ---- a round, from the targets' first to the report's end ---- */
int scan__open_round(scan_t *s); /* 0 or an exit status after a message; close it in every case */
void scan__run_round(scan_t *s);
void scan__close_round(scan_t *s); /* legal where none is open */

/* A host is done, and all in front of it are told: it goes into the reports. */
void scan__tell_host(scan_t *s, const host_t *host);

/* How many hosts may have their ports scanned at the same time. */
size_t scan__scanning_max(const scan_t *s);

/* ---- warn.c ---- */
void scan__tell_size(scan_t *s);                      /* before the first probe, if it is large */
void scan__warn_ports(scan_t *s, const host_t *host); /* its outcomes are complete */
void scan__warn_host(scan_t *s, const host_t *host);  /* it is reported */
void scan__watch_drops(scan_t *s, uint64_t now);      /* before engines give up what is silent */
void scan__warn_sockets(scan_t *s, unsigned wanted);  /* connects are open */
void scan__warn_end(scan_t *s);                       /* all is reported */

/* ---- progress.c: a view_progress_cb of a scan_t ---- */
void scan__progress(void *context, progress_t *progress);
void scan__tell_inside(scan_t *s); /* what each engine has done, with -d */

/* ---- stage.c ---- */
/* Asks for the name of an address; *asked_us: when a server was, 0: none was needed. *query is NULL
 * if it cannot be asked: the report goes without the name. */
void scan__ask_name(scan_t *s, const struct sockaddr *addr, hdns_name_cb cb, void *arg,
                    hdns_query_t **query, uint64_t *asked_us);
/* What its callback tells first. */
void scan__name_ended(scan_t *s, int err, uint64_t asked_us);

extern const engine_method_t scan__ping_method, scan__port_method;
engine_t *scan__engine_of(const scan_t *s, const host_t *host);
/* The ports of the stage that a host is in. */
const port_set_t *scan__ports_of(const scan_t *s, const host_t *host);
void scan__limit_host(const scan_t *s, host_t *host); /* --host-timeout, in the engine it is in */
void scan__begin_host(scan_t *s, host_t *host);
void scan__begin_ports(scan_t *s, host_t *host);
/* Ends what a host does now; is_whole: all its ports that are silent have had their tries. */
void scan__end_ports(scan_t *s, host_t *host, bool is_whole);
void scan__finish_host(scan_t *s, host_t *host); /* it is to be reported; not in an engine */
/* Ends the look at its services; what was found stays. */
void scan__end_services(scan_t *s, host_t *host);
void scan__on_services(void *context, void *user); /* a service_done_cb */

/* ---- os_scan.c ---- */
extern const engine_method_t scan__os_method;
/* True: its system is looked at first, then scan__finish_host is called again. */
bool scan__begin_os(scan_t *s, host_t *host);
void scan__take_sign(scan_t *s, host_t *host, const raw_answer_t *answer);
void scan__end_os(scan_t *s, host_t *host); /* with what is known now; not in an engine */

/* What is not found out but looked up: names that go with ports, who made the network card. */
void scan__look_up(scan_t *s, host_result_t *result);

/* ---- resume.c, resume_keep.c: --resume. Without it they do nothing ---- */
/* The file, and out of it the seed; before the plan. 0 or an exit status after a message. */
int scan__open_resume(scan_t *s, options_t *options);
/* Whether it is of this scan; nothing is changed before that is known. 0 or an exit status. */
int scan__check_resume(scan_t *s);
/* Reports have begun: tells those hosts that were told before, and keeps from here on. */
void scan__begin_resume(scan_t *s);
time_t scan__first_start(const scan_t *s);    /* of the scan */
double scan__elapsed_before(const scan_t *s); /* seconds */
/* What the file knows of a host that begins: true: it is done (and its stage, too). */
bool scan__resume_host(scan_t *s, host_t *host);
bool scan__resume_up(scan_t *s, host_t *host);     /* true: it has said that it is there */
void scan__resume_probes(scan_t *s, host_t *host); /* a stage begins */
void scan__keep_ports(scan_t *s, host_t *host);    /* its outcomes are complete */
void scan__keep_done(scan_t *s, host_t *host);
void scan__keep_told(scan_t *s, const host_t *host);
void scan__stop_resume(scan_t *s); /* from here on nothing is found out that is to be kept */
void scan__end_resume(scan_t *s, bool is_whole);
void scan__close_resume(scan_t *s);

/* ---- trace.c ---- */
extern const engine_method_t scan__trace_method;
int scan__open_trace(scan_t *s); /* 0, -ENOMEM */
void scan__close_trace(scan_t *s);
/* True: the way to the host is followed first, then scan__finish_host is called again. */
bool scan__begin_trace(scan_t *s, host_t *host);
bool scan__promote_traces(scan_t *s); /* true: something was begun */
void scan__take_hop(scan_t *s, host_t *host, const raw_answer_t *answer);
void scan__end_trace(scan_t *s, host_t *host); /* with what is known now; not in an engine */
void scan__ask_hop_names(scan_t *s, const host_t *host);
/* Gives them the names that are known; false: further ones are under way. */
bool scan__name_hops(const scan_t *s, host_t *host);

/* ---- packets.c: --packet-trace ---- */
void scan__on_packet(void *context, const raw_packet_t *packet); /* a raw_packet_cb */
/* What a connect call has said: 0 or -errno. Without the option it does nothing. */
void scan__trace_connect(scan_t *s, const struct sockaddr *addr, int err);
/* An echo by a ping socket. Without the option it does nothing. */
void scan__trace_echo(scan_t *s, const struct sockaddr *addr, bool is_sent, unsigned try);

/* ---- probe.c ---- */
/* 0 or an exit status after a message: opens what the probes need. */
int scan__open_probes(scan_t *s);
/* The way to a host; false after a warning: there is none, and the host is down. */
bool scan__find_path(scan_t *s, host_t *host);
/* How many probes ask whether it is there. */
uint32_t scan__ping_count(const scan_t *s, const host_t *host);
engine_sent_e scan__send(void *context, engine_host_t *engine_host, uint32_t probe, unsigned try);
void scan__cancel_probes(scan_t *s, host_t *host);

#endif
