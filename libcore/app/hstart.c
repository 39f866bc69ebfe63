#include "hstart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_SHOWN_MAX 64
#define NAMES_SIZE 96

static bool has_poller(const char *name)
{
    const char *known;

    for (unsigned i = 0; (known = hloop_poller_name(i)) != NULL; i++) {
        if (strcmp(known, name) == 0)
            return true;
    }
    return false;
}

/* "epoll, poll, select" */
static void list_pollers(char names[NAMES_SIZE])
{
    const char *name;
    size_t n = 0;

    for (unsigned i = 0; (name = hloop_poller_name(i)) != NULL && n < NAMES_SIZE; i++)
        n += (size_t)snprintf(names + n, NAMES_SIZE - n, "%s%s", i ? ", " : "", name);
}

static void explain(int err, const char *asked, char *why, size_t size)
{
    char names[NAMES_SIZE] = "";

    if (err != EINVAL || !asked || !*asked || has_poller(asked)) {
        snprintf(why, size, "%s", herr_str(-err));
        return;
    }
    list_pollers(names);
    snprintf(why, size, "HNET_POLLER=%.*s: no such poller in this build, which has %s",
             VALUE_SHOWN_MAX, asked, names);
}

hloop_t *hstart_loop(const hloop_options_t *options, char *why, size_t size)
{
    hloop_t *loop = hloop_new_with(options);
    int err = errno;

    if (!loop) {
        explain(err, options && options->poller ? NULL : getenv("HNET_POLLER"), why, size);
        errno = err;
    }
    return loop;
}
