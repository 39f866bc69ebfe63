#include "poller.h"

#include <string.h>

#ifdef __linux__
extern const hpoller_t hpoller_epoll;
#endif
#ifdef HNET_WITH_KQUEUE
extern const hpoller_t hpoller_kqueue;
#endif
#if HNET_WITH_URING
extern const hpoller_t hpoller_uring;
#endif
extern const hpoller_t hpoller_poll;
extern const hpoller_t hpoller_select;

/* In order of preference. io_uring comes last: it is used when asked for by name. */
static const hpoller_t *const pollers[] = {
#ifdef __linux__
    &hpoller_epoll,
#endif
#ifdef HNET_WITH_KQUEUE
    &hpoller_kqueue,
#endif
    &hpoller_poll,   &hpoller_select,
#if HNET_WITH_URING
    &hpoller_uring,
#endif
};

#define POLLER_COUNT (sizeof(pollers) / sizeof(pollers[0]))

const hpoller_t *hpoller_at(unsigned i)
{
    return i < POLLER_COUNT ? pollers[i] : NULL;
}

const hpoller_t *hpoller_find(const char *name)
{
    for (unsigned i = 0; i < POLLER_COUNT; i++) {
        if (strcmp(pollers[i]->name, name) == 0)
            return pollers[i];
    }
    return NULL;
}
