/* listeners: the sockets that connections come to. The master opens them once and holds them; the
 * workers of every generation share them, so that a reload loses nothing: what one set of workers
 * has not accepted, the next one does.
 *
 * For several loops (lanes) a TCP port has as many sockets (SO_REUSEPORT), among which the kernel
 * spreads connections evenly: of one socket the loop that wakes first takes all that wait. */
#ifndef HNET_HHTTPD_LISTENERS_H
#define HNET_HHTTPD_LISTENERS_H

#include "net/hsocket.h"
#include "settings.h"

#define LISTENERS_MAX (2 * SETTINGS_LISTENS_MAX) /* old and new ones during a reload */

#define LISTENER_SOCKETS_MAX 64

typedef struct listener_s {
    int fds[LISTENER_SOCKETS_MAX];
    int fd_count;        /* 0: free */
    bool tls;            /* as the newest settings say */
    bool is_wanted;      /* they name it */
    bool is_new;         /* opened for settings that are not in force yet */
    bool is_handed_over; /* by systemd */
    hendpoint_t endpoint;
    hsocket_path_t path;
} listener_t;

typedef struct listeners_s {
    listener_t items[LISTENERS_MAX];
    size_t count; /* of the items that were ever used */
    bool handed_over;
} listeners_t;

/* What of them one generation uses; zeroed is none. */
typedef struct listen_set_s {
    struct {
        int fds[LISTENER_SOCKETS_MAX];
        int fd_count;
        bool tls;
    } items[SETTINGS_LISTENS_MAX];
    size_t count;
} listen_set_t;

/* Whether a lane serves this socket of an item: each has its own, shares one, or has several. */
static inline bool listen_set_is_for(const listen_set_t *set, size_t item, int socket, int lane,
                                     int lane_count)
{
    int sockets = set->items[item].fd_count;

    return sockets >= lane_count ? socket % lane_count == lane : lane % sockets == socket;
}

/* Takes the sockets that systemd has opened (LISTEN_FDS, LISTEN_PID), which then stand in the place
 * of the settings' own; a name (LISTEN_FDNAMES) with "tls" or "https" in it means TLS. 0, or a
 * negative error and a line. Before anything forks. */
int listeners_take_over(listeners_t *all, hbytes_t *errors);

/* Opens what the settings name and is not open yet, and gives the set of them. 0, or a negative
 * error and a line in errors; then what was opened here is closed again. */
int listeners_open(listeners_t *all, const settings_t *settings, listen_set_t *set,
                   hbytes_t *errors);

/* Closes those that the last settings do not name; their UNIX paths are removed. */
void listeners_close_unused(listeners_t *all);

/* In a worker: closes those that are not in the set, in this process. */
void listeners_keep_only(listeners_t *all, const listen_set_t *set);

void listeners_close(listeners_t *all);

#define LISTENER_URL_SIZE (HADDR_FORMAT_SIZE + 320)

/* What to type into a browser: "http://127.0.0.1:8080/"; for every address one that
 * others can reach; for a UNIX socket "unix:/path". Returns buf. */
const char *listener_url(int fd, bool tls, const char *base_url, char *buf, size_t size);

#endif
