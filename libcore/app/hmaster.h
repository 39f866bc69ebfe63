/* hmaster: the process of a server that was started. It opens everything, keeps workers alive and
 * handles no byte that comes from the network. It stays who it is while workers become another
 * user, so that a reload can still read keys, open low ports and logs.
 *
 * A generation is one set of settings with the workers that live by it. A reload (SIGHUP) makes a
 * new one, or, if anything is wrong with it, tells so and leaves all as it was. The sockets are
 * shared (hlisteners), the old generation drains: its workers serve what they have, and go.
 *
 * SIGUSR1 opens the log files anew, in the workers of all generations, too; and so does the master
 * when it has moved one (see hlogfile).
 *
 *     main      hmaster_run(&options): -s, the background, the pid file, the first start, until
 *               SIGTERM, SIGINT or SIGQUIT
 *     load      settings read and tried out, into a plan
 *     work      the body of a worker; hmaster_watch tells it to drain
 *
 * Messages go to the log of the newest plan, and before there is one to stderr. */
#ifndef HNET_APP_HMASTER_H
#define HNET_APP_HMASTER_H

#include "hconf.h"
#include "hlisteners.h"
#include "hlogfile.h"
#include "hmain.h"
#include "htitle.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HMASTER_GENERATIONS_MAX 64 /* that live; the oldest is ended for one more */
#define HMASTER_WORKERS_MAX 1024   /* of one generation */
#define HMASTER_SLOTS_MAX 2048     /* workers of all living generations; likewise */
#define HMASTER_STOP_MS 5000

/* What the settings of every such program have. */
typedef struct hmaster_settings_s {
    hmain_options_t main;
    hlogs_options_t logs;
    hconf_t *conf;         /* the file that they are from, read; or NULL */
    const char *conf_path; /* or NULL: the command line alone */
} hmaster_settings_t;

/* What a load begins with: whether the user and the group exist; and opens the log files, to be
 * closed in either case. 0, or a negative error and a line. */
int hmaster_check_user(const hmaster_settings_t *settings, hbytes_t *errors);
int hmaster_open_logs(const hmaster_settings_t *settings, hlogs_t *logs, hbytes_t *errors);

/* What a program makes of its settings. All that it points at lives until `discard`. */
typedef struct hmaster_plan_s {
    void *settings;     /* the program's own; not NULL */
    hlogfile_t *log;    /* messages */
    hlogfile_t *access; /* or NULL: one more */
    const hlisteners_want_t *wanted;
    size_t wanted_count;
    int workers;       /* processes: 1 to HMASTER_WORKERS_MAX */
    uint64_t lanes;    /* loops of all of them together; 0: one in each */
    uint32_t drain_ms; /* what the old workers get at the next reload; 0: all the time they want */
    uint32_t stop_ms;  /* ... at the end; 0: HMASTER_STOP_MS */
    bool tells;        /* of each worker that starts */
    const hmaster_settings_t *base; /* as a start would have them now; NULL: as they were. What a
                                       reload cannot change of them is told, if it is another */
} hmaster_plan_t;

typedef struct hmaster_s hmaster_t;

/* One that serves, or is about to. */
typedef struct hmaster_generation_s {
    const hmaster_plan_t *plan;
    const hlisteners_set_t *listeners;
    uint64_t number; /* from 1 */
} hmaster_generation_t;

/* What a worker process is given; lives as long as it. */
typedef struct hmaster_worker_s {
    hmaster_t *master;
    const hmaster_generation_t *generation;
    int index; /* among those of its generation, from 0: one that crashed has a successor */
    int slot;  /* among all that live, whatever generation: the smallest that is free. For figures
                  in shared memory */
    pid_t parent; /* the master's process */
} hmaster_worker_t;

typedef struct hmaster_options_s {
    const char *name;               /* "hproxy": of messages, titles, the pid file */
    const hmaster_settings_t *base; /* until the first reload; user and group are for the workers.
                                       With a file or a log file SIGHUP reloads even if nothing in
                                       `main` makes it a service: when a terminal hangs up, a server
                                       that nobody could find any more ends otherwise */
    htitle_t *title;                /* or NULL */
    const char *port_option;        /* see hlisteners_request_t */
    int slots_max; /* twice the workers of a generation, at least; 0: HMASTER_SLOTS_MAX */

    /* Fills *plan (zeroed). 0, or a negative error and lines in errors, with nothing to discard. In
     * the master; at the first start before the loop is made. */
    int (*load)(void *userdata, hmaster_plan_t *plan, hbytes_t *errors);

    /* May be NULL: the sockets of a loaded plan are open. 0, or a negative error and lines: then
     * it is discarded. */
    int (*check)(void *userdata, const hmaster_generation_t *generation, hbytes_t *errors);

    /* May be NULL: the sockets are open for the first generation, which is about to start: to tell
     * where. Connections that come now wait. */
    void (*announce)(void *userdata, const hmaster_generation_t *generation);

    /* A plan is not used any more, or never was (number 0): no worker lives by it. */
    void (*discard)(void *userdata, hmaster_plan_t *plan, uint64_t number);

    /* The body of a worker process: its exit status. SIGINT, SIGQUIT and SIGHUP are ignored there
     * (a terminal sends its signals to the whole group), SIGTERM waits for hmaster_watch; the limit
     * of descriptors is raised to the hard one; of the sockets it has those of its generation. */
    int (*work)(const hmaster_worker_t *worker, void *userdata);

    /* May be NULL. In the master: the worker that had this slot has ended, well or not. */
    void (*ended)(void *userdata, int slot);
    void *userdata;
} hmaster_options_t;

/* Does what -s asks for, or serves until it is stopped: the exit status of the process. options are
 * borrowed. Only the calling thread may exist. At the end the workers get their time (stop_ms of
 * the newest plan), and two seconds later what is left is killed. */
int hmaster_run(const hmaster_options_t *options);

/* ---- in a worker ----------------------------------------------------------------------------- */

/* When it is to drain (SIGTERM), drain runs in the loop, which is that of the process's first
 * thread; a second time when there is less time than before, because the server is stopped. From
 * here on signals come, and the descriptors of the plan's logs become those of the files that the
 * master opens anew. 0 or a negative error. */
int hmaster_watch(const hmaster_worker_t *worker, hloop_t *loop, void (*drain)(void *arg),
                  void *arg);

/* How long it may drain from now on; 0: as long as it wants. Any thread. */
uint32_t hmaster_drain_ms(const hmaster_worker_t *worker);

/* Closes the worker's copies of the sockets: once it has made its own of those that it serves. */
void hmaster_release_listeners(const hmaster_worker_t *worker);

#ifdef __cplusplus
}
#endif

#endif
