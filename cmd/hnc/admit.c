#include "admit.h"

#include "base/hlist.h"
#include "base/hmem.h"
#include "event/hsignal.h"
#include "tls.h"

#include <signal.h>

#define PROGRAMS_MAX 100 /* -m with -e and -c: as ncat has it */

typedef struct entrant_s {
    hlist_t link;
    admit_t *admit;
    hio_t *io;
    haddr_t peer;
} entrant_t;

struct admit_s {
    hnc_t *hnc;
    admit_passed_cb passed_cb;
    admit_refused_cb refused_cb;
    void *arg;
    htls_ctx_t *tls; /* NULL: plain */
    hlist_t entrants;
    size_t count;
};

static const char *name_of(const haddr_t *addr, char *buf, size_t size)
{
    return haddr_format(&addr->u.sa, addr->len, buf, size);
}

/* ---- limits -------------------------------------------------------------------------------------- */

static uint32_t limit(const options_t *o)
{
    return o->max_conns == HNC_NO_LIMIT && options_exec(o) ? PROGRAMS_MAX : o->max_conns;
}

/* As ncat words it. */
static bool is_welcome(const admit_t *a, const haddr_t *peer, size_t served)
{
    uint32_t max = limit(&a->hnc->options);

    if (max != HNC_NO_LIMIT && served >= max) {
        hnc_note(a->hnc, "New connection denied: connection limit reached (%u)", max);
        return false;
    }
    (void)peer;
    return true;
}

/* ---- entrants -------------------------------------------------------------------------------- */

static void remove_entrant(entrant_t *e)
{
    hlist_remove(&e->link);
    e->admit->count--;
    hmem_free(e);
}

static void report(const entrant_t *e)
{
    const hnc_t *hnc = e->admit->hnc;
    char name[HADDR_FORMAT_SIZE];
    char why[HTLS_ERROR_SIZE] = "";

    name_of(&e->peer, name, sizeof(name));
    htls_error(e->io, why, sizeof(why));
    hnc_note(hnc, "TLS handshake with %s failed: %s", name,
             why[0] ? why : herr_str(hio_error(e->io)));
}

static void on_closed(hio_t *io)
{
    entrant_t *e = hevent_userdata(io);
    admit_t *a = e->admit;
    bool over = hio_error(io) == -ECANCELED;

    if (!over) {
        report(e);
        if (a->tls)
            tls_report_chain(a->hnc, io);
    }
    remove_entrant(e);
    if (!over)
        a->refused_cb(a->arg);
}

static void pass(entrant_t *e)
{
    admit_t *a = e->admit;
    hio_t *io = e->io;
    haddr_t peer = e->peer;

    hio_setcb_read(io, NULL);
    hio_setcb_eof(io, NULL);
    hio_setcb_close(io, NULL);
    hio_setcb_connect(io, NULL);
    hevent_set_userdata(io, NULL);
    remove_entrant(e);
    a->passed_cb(io, &peer, a->arg);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void on_handshake(hio_t *io)
{
    entrant_t *e = hevent_userdata(io);

    tls_report(e->admit->hnc, io);
    pass(e);
}

static void begin_tls(entrant_t *e)
{
    int err = 0;

    if (!e->admit->tls) {
        pass(e);
        return;
    }
    hio_setcb_connect(e->io, on_handshake);
    err = htls_server(e->io, e->admit->tls);
    if (err)
        hio_abort(e->io, err);
}

static void on_hangup(hsignal_t *sig)
{
    admit_t *a = hevent_userdata(sig);
    char error[HTLS_ERROR_SIZE];

    if (htls_ctx_reload(a->tls, error, sizeof(error)) < 0)
        hnc_say("certificates are not read again: %s", error);
    else
        hnc_note(a->hnc, "Certificates are read again");
}

static int make_tls(admit_t *a)
{
    hsignal_t *sig;

    if (tls_context(a->hnc, &a->tls) != 0)
        return 1;
    if (!a->tls || !options_serve_many(&a->hnc->options))
        return 0;
    sig = hsignal_add(a->hnc->loop, on_hangup, SIGHUP);
    if (!sig) {
        hnc_say("%s", herr_str(-ENOMEM));
        return 1;
    }
    hevent_set_userdata(sig, a);
    return 0;
}

/* ---- for listen ------------------------------------------------------------------------------ */

admit_t *admit_new(hnc_t *hnc, admit_passed_cb passed_cb, admit_refused_cb refused_cb, void *arg)
{
    admit_t *a = hmem_zalloc(sizeof(*a));

    if (!a) {
        hnc_say("%s", herr_str(-ENOMEM));
        return NULL;
    }
    a->hnc = hnc;
    a->passed_cb = passed_cb;
    a->refused_cb = refused_cb;
    a->arg = arg;
    hlist_init(&a->entrants);
    if (make_tls(a) == 0)
        return a;
    admit_free(a);
    return NULL;
}

static bool enter(admit_t *a, hio_t *io, const haddr_t *peer)
{
    entrant_t *e = hmem_zalloc(sizeof(*e));

    if (!e) {
        hnc_say("%s", herr_str(-ENOMEM));
        return false;
    }
    e->admit = a;
    e->io = io;
    e->peer = *peer;
    hlist_push_back(&a->entrants, &e->link);
    a->count++;
    hevent_set_userdata(io, e);
    hio_setcb_close(io, on_closed);
    begin_tls(e);
    return true;
}

bool admit_start(admit_t *a, hio_t *io, size_t served)
{
    const struct sockaddr *sa = hio_peeraddr(io);
    haddr_t peer = {0};

    if (sa)
        haddr_set(&peer, sa, hio_peeraddr_len(io));
    if (!is_welcome(a, &peer, served + a->count)) {
        hio_close(io);
        return false;
    }
    if (!a->tls) {
        a->passed_cb(io, &peer, a->arg);
        return true;
    }
    if (enter(a, io, &peer))
        return true;
    hio_abort(io, -ENOMEM);
    return false;
}

void admit_free(admit_t *a)
{
    if (!a)
        return;
    htls_ctx_free(a->tls);
    hmem_free(a);
}
