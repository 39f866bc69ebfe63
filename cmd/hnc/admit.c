#include "admit.h"

#include "base/hmem.h"

#define PROGRAMS_MAX 100 /* -m with -e and -c: as ncat has it */

struct admit_s {
    hnc_t *hnc;
    admit_passed_cb passed_cb;
    void *arg;
};

static uint32_t limit(const options_t *o)
{
    return o->max_conns == HNC_NO_LIMIT && options_exec(o) ? PROGRAMS_MAX : o->max_conns;
}

/* As ncat words it. */
static bool is_welcome(const admit_t *a, size_t served)
{
    uint32_t max = limit(&a->hnc->options);

    if (max == HNC_NO_LIMIT || served < max)
        return true;
    hnc_note(a->hnc, "New connection denied: connection limit reached (%u)", max);
    return false;
}

admit_t *admit_new(hnc_t *hnc, admit_passed_cb passed_cb, admit_refused_cb refused_cb, void *arg)
{
    admit_t *a = hmem_zalloc(sizeof(*a));

    (void)refused_cb;
    if (!a) {
        hnc_say("%s", herr_str(-ENOMEM));
        return NULL;
    }
    a->hnc = hnc;
    a->passed_cb = passed_cb;
    a->arg = arg;
    return a;
}

bool admit_start(admit_t *a, hio_t *io, size_t served)
{
    const struct sockaddr *sa = hio_peeraddr(io);
    haddr_t peer = {0};

    if (sa)
        haddr_set(&peer, sa, hio_peeraddr_len(io));
    if (!is_welcome(a, served)) {
        hio_close(io);
        return false;
    }
    a->passed_cb(io, &peer, a->arg);
    return true;
}

void admit_free(admit_t *a)
{
    hmem_free(a);
}
