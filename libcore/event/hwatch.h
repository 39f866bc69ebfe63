/* hwatch: tells when something in a folder or below it has changed (inotify), for live reload.
 *
 * Many changes at once are one call: it comes when all was quiet for a moment. Sub-folders that are
 * made or moved in are watched too; symbolic links are not followed, but for the folder's own path.
 * The folder may vanish and come back, as when a site is built anew: it is looked for every
 * second.
 *
 * To watch is a promise to tell too much rather than too little: there may be a call when nothing
 * has changed in the end. What changes through a network file system, or by mmap, is not seen. */
#ifndef HNET_EVENT_HWATCH_H
#define HNET_EVENT_HWATCH_H

#include "hloop.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HWATCH_FOLDERS_MAX 8192
#define HWATCH_DEPTH_MAX 64
#define HWATCH_QUIET_MS 50
#define HWATCH_DELAY_MAX_MS 1000
#define HWATCH_RETRY_MS 1000

typedef struct hwatch_s hwatch_t;

/* Runs in the loop's thread; may delete the watch. */
typedef void (*hwatch_cb)(hwatch_t *watch);

typedef struct hwatch_options_s {
    uint32_t quiet_ms;     /* without a change before the callback; 0: HWATCH_QUIET_MS */
    uint32_t delay_max_ms; /* it waits no longer than this, however busy; 0: HWATCH_DELAY_MAX_MS */
    uint32_t folders_max;  /* 0 or more than it: HWATCH_FOLDERS_MAX */
    bool hidden;           /* names with a dot in front (.git, editors' swap files) count, too */
} hwatch_options_t;

typedef struct hwatch_stats_s {
    uint32_t folders;   /* watched now */
    bool partial;       /* some are not: too many, too deep, the system's limit, or not readable */
    int error;          /* 0; -ENOENT and the like: the folder itself cannot be watched now */
    uint64_t overflows; /* the kernel lost changes, and everything was looked at anew */
} hwatch_stats_t;

/* Watches path, which is a folder now (copied; a relative one is looked up later, too). Reads the
 * whole tree once, which blocks while the file system does; options NULL: all 0. NULL: errno tells
 * (ENOENT, ENOTDIR, EACCES, EMFILE: too many inotify instances, ENOSPC: too many watches, ENOMEM).
 * The loop owns it: freed by hwatch_del or with the loop. */
hwatch_t *hwatch_add(hloop_t *loop, const char *path, const hwatch_options_t *options, hwatch_cb cb,
                     void *userdata);

/* Stops it; no callback follows. Legal in any callback, its own too. NULL is legal. */
void hwatch_del(hwatch_t *watch);

void hwatch_stats(const hwatch_t *watch, hwatch_stats_t *stats);

/* hevent_userdata and hevent_loop work on it. */

#ifdef __cplusplus
}
#endif

#endif
