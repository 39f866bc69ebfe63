/* A connection's way:
 *
 *     limit, access -> (PROXY header, access again) -> (TLS handshake) -> passed
 *
 * Each one that is under way has a time limit and is counted by -m. */
#include "admit.h"

#include "base/hlist.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "event/hsignal.h"
#include "net/haccess.h"
#include "net/hproxy_header.h"
#include "tls.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PROGRAMS_MAX 100 /* -m with -e and -c: as ncat has it */

typedef struct entrant_s {
    hlist_t link;
    admit_t *admit;
    hio_t *io;
    haddr_t peer;
    const char *why; /* its header was refused; NULL: as hio_error says */
} entrant_t;

struct admit_s {
    hnc_t *hnc;
    admit_callbacks_t to;
    haccess_t *access; /* NULL: everyone */
    htls_ctx_t *tls;   /* NULL: plain */
    hlist_t entrants;
    size_t count;
};

static const char *name_of(const haddr_t *addr, char *buf, size_t size)
{
    return haddr_format(&addr->u.sa, addr->len, buf, size);
}

/* ---- lists and limits ------------------------------------------------------------------------ */

static int add_access(haccess_t *access, const options_t *o)
{
    const struct {
        const hopt_list_t *list;
        haccess_verdict_e verdict;
        bool file;
    } sources[] = {
        {&o->allow, HACCESS_ALLOW, false},
        {&o->allow_files, HACCESS_ALLOW, true},
        {&o->deny, HACCESS_DENY, false},
        {&o->deny_files, HACCESS_DENY, true},
    };
    char error[HACCESS_ERROR_SIZE];
    bool usage = false; /* it was the command line */
    int err = 0;

    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        for (size_t k = 0; k < sources[i].list->count && err == 0; k++) {
            const char *text = sources[i].list->items[k];

            usage = !sources[i].file;
            err = sources[i].file
                      ? haccess_add_file(access, sources[i].verdict, text, error, sizeof(error))
                      : haccess_add(access, sources[i].verdict, text, error, sizeof(error));
        }
    }
    if (err)
        hnc_say("%s", error);
    return err == 0                                             ? 0
           : usage && (err == HERR_SYNTAX || err == HERR_RANGE) ? HNC_USAGE
                                                                : HNC_FAILED;
}

static int make_access(admit_t *a)
{
    const options_t *o = &a->hnc->options;

    if (!options_access(o))
        return 0;
    if (haccess_new(&a->access) < 0) {
        hnc_say("%s", herr_str(-ENOMEM));
        return HNC_FAILED;
    }
    return add_access(a->access, o);
}

static uint32_t limit(const options_t *o)
{
    return o->max_conns == HNC_NO_LIMIT && options_exec(o) ? PROGRAMS_MAX : o->max_conns;
}

/* As ncat words it. */
bool admit_allows(const admit_t *a, const struct sockaddr *peer)
{
    if (haccess_check(a->access, peer))
        return true;
    hnc_note(a->hnc, "New connection denied: not allowed");
    return false;
}

static bool is_welcome(const admit_t *a, const haddr_t *peer, size_t served)
{
    uint32_t max = limit(&a->hnc->options);

    if (max != HNC_NO_LIMIT && served >= max) {
        hnc_note(a->hnc, "New connection denied: connection limit reached (%u)", max);
        return false;
    }
    return admit_allows(a, &peer->u.sa);
}

/* ---- entrants -------------------------------------------------------------------------------- */

static void remove_entrant(entrant_t *e)
{
    hlist_remove(&e->link);
    e->admit->count--;
    hmem_free(e);
}

/* A server for many tells it with -v alone. Who waits for one connection has to know that it came,
 * and why the wait goes on. */
static void report(const entrant_t *e)
{
    const hnc_t *hnc = e->admit->hnc;
    char name[HADDR_FORMAT_SIZE], why[HTLS_ERROR_SIZE], line[HTLS_ERROR_SIZE + 192];

    name_of(&e->peer, name, sizeof(name));
    htls_error(e->io, why, sizeof(why));
    if (why[0] == '\0')
        hstr_copy(why, sizeof(why), herr_str(hio_error(e->io)));
    if (e->why)
        snprintf(line, sizeof(line), "PROXY header from %s: %s", name, e->why);
    else if (e->admit->tls)
        snprintf(line, sizeof(line), "TLS handshake with %s failed: %s", name, why);
    else
        snprintf(line, sizeof(line), "%s: %s", name, why);
    if (options_serve_many(&hnc->options))
        hnc_note(hnc, "%s", line);
    else
        hnc_say("%s", line);
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
        a->to.refused_cb(a->to.arg);
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
    a->to.passed_cb(io, &peer, a->to.arg);
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
    int status = tls_context(a->hnc, &a->tls);

    if (status != 0 || !a->tls || !options_serve_many(&a->hnc->options))
        return status;
    sig = hsignal_add(a->hnc->loop, on_hangup, SIGHUP);
    if (!sig) {
        hnc_say("%s", herr_str(-ENOMEM));
        return HNC_FAILED;
    }
    hevent_set_userdata(sig, a);
    return 0;
}

/* ---- the PROXY header ------------------------------------------------------------------------ */

/* The header says who comes; a proxy's own connections (health checks) are its own. */
static void take_header(entrant_t *e, const proxy_header_t *header)
{
    admit_t *a = e->admit;
    char proxy[HADDR_FORMAT_SIZE], source[HADDR_FORMAT_SIZE], to[HADDR_FORMAT_SIZE];
    haddr_t destination = {0};

    name_of(&e->peer, proxy, sizeof(proxy));
    if (header->local || header->source.ss_family == AF_UNSPEC) {
        hnc_note(a->hnc, "PROXY header from %s: version %d, no addresses", proxy, header->version);
    } else {
        const struct sockaddr *from = (const struct sockaddr *)&header->source;
        const struct sockaddr *dest = (const struct sockaddr *)&header->destination;

        haddr_set(&e->peer, from, haddr_len(from));
        haddr_set(&destination, dest, haddr_len(dest));
        hnc_note(a->hnc, "PROXY header from %s: version %d, %s to %s", proxy, header->version,
                 name_of(&e->peer, source, sizeof(source)), name_of(&destination, to, sizeof(to)));
    }
}

static void on_header(hio_t *io, const proxy_header_t *header, const char *why, void *arg)
{
    entrant_t *e = arg;

    hevent_set_userdata(io, e);
    if (!header) {
        e->why = why;
        on_closed(io);
        return;
    }
    hio_setcb_close(io, on_closed);
    take_header(e, header);
    if (haccess_check(e->admit->access, &e->peer.u.sa)) {
        begin_tls(e);
    } else {
        e->why = "not allowed";
        hio_abort(io, HERR_PROTOCOL);
    }
}

static void begin_header(entrant_t *e)
{
    int err = hproxy_header_read(e->io, 0, on_header, e);

    if (err < 0)
        hio_abort(e->io, err);
}

/* ---- for listen ------------------------------------------------------------------------------ */

int admit_new(hnc_t *hnc, const admit_callbacks_t *callbacks, admit_t **admit)
{
    admit_t *a = hmem_zalloc(sizeof(*a));
    int status;

    if (!a) {
        hnc_say("%s", herr_str(-ENOMEM));
        return HNC_FAILED;
    }
    a->hnc = hnc;
    a->to = *callbacks;
    hlist_init(&a->entrants);
    status = make_access(a);
    if (status == 0)
        status = make_tls(a);
    if (status == 0)
        *admit = a;
    else
        admit_free(a);
    return status;
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
    if (a->hnc->options.proxy_protocol > 0)
        begin_header(e);
    else
        begin_tls(e);
    return true;
}

bool admit_start(admit_t *a, hio_t *io, size_t served)
{
    const struct sockaddr *sa = hio_peeraddr(io);
    haddr_t peer = {0};

    if (sa)
        haddr_set(&peer, sa, hio_peeraddr_len(io));
    haddr_unmap(&peer);
    if (!is_welcome(a, &peer, served + a->count)) {
        hio_close(io);
        return false;
    }
    if (!a->tls && a->hnc->options.proxy_protocol == 0) {
        a->to.passed_cb(io, &peer, a->to.arg);
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
    haccess_free(a->access);
    htls_ctx_free(a->tls);
    hmem_free(a);
}
