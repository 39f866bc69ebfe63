/* listen: the server: one connection, or with -k any number at once; for datagrams one peer, or
 * with -k whoever sent last. A stream has to be admitted before it is served. */
#include "net/hlisten.h"

#include "admit.h"
#include "broker.h"
#include "dump.h"
#include "exec.h"
#include "fdpass.h"
#include "net/hresolve.h"
#include "proxy_server.h"
#include "session.h"
#include "terminal.h"
#include "vsock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DATAGRAM_BATCH 16
#define EARLY_MAX 4096 /* datagrams from before the socket was connected */

typedef struct listen_s {
    hnc_t *hnc;
    admit_t *admit;
    /* What becomes of a connection: one of them is there, or none and connection is used. */
    session_t *session;
    broker_t *broker;
    proxy_server_t *proxy;
    exec_t *exec;
    hio_t *listener; /* NULL: closed */
    int connection;  /* -1, or what a program gets once everything else is closed */
} listen_t;

static void note_address(const listen_t *l, const char *what, const struct sockaddr *addr)
{
    const options_t *o = &l->hnc->options;
    char name[HNC_NAME_SIZE];

    if (!o->verbose || !addr)
        return;
    if (o->unix_path)
        hnc_note(l->hnc, "%s %s", what, o->host);
    else if (addr->sa_family == AF_UNSPEC) /* the client was gone before it could be asked */
        hnc_note(l->hnc, "%s unknown", what);
    else
        hnc_note(l->hnc, "%s %s %d", what, hnc_name(o, addr, name, sizeof(name)), haddr_port(addr));
}

static void on_session_idle(session_t *session, int err, void *arg)
{
    listen_t *l = arg;

    (void)err;
    if (!l->hnc->options.keep_open || l->hnc->options.udp)
        session_finish(session);
}

/* ---- streams --------------------------------------------------------------------------------- */

static size_t served(const listen_t *l)
{
    return l->broker    ? broker_count(l->broker)
           : l->proxy   ? proxy_server_count(l->proxy)
           : l->exec    ? exec_count(l->exec)
           : l->session ? session_count(l->session)
                        : 0;
}

static void on_exec_ended(exec_t *exec, int status, void *arg)
{
    listen_t *l = arg;

    (void)exec;
    if (options_serve_many(&l->hnc->options))
        return;
    l->hnc->status = status;
    hloop_stop(l->hnc->loop);
}

/* The one connection leaves the loop: to become a program's, or to be passed on. */
static void take_connection(listen_t *l, hio_t *io)
{
    l->connection = fcntl(hio_fd(io), F_DUPFD_CLOEXEC, 0);
    hio_abort(io, 0);
    hloop_stop(l->hnc->loop);
}

static void serve(listen_t *l, hio_t *io, const haddr_t *peer)
{
    if (l->broker)
        broker_add(l->broker, io);
    else if (l->proxy)
        proxy_server_add(l->proxy, io);
    else if (l->session)
        session_add(l->session, io);
    else if (!l->exec)
        take_connection(l, io);
    else if (exec_start(l->exec, io, peer) != 0 && !options_serve_many(&l->hnc->options))
        on_exec_ended(l->exec, 1, l);
}

static void on_passed(hio_t *io, const haddr_t *peer, void *arg)
{
    listen_t *l = arg;

    l->hnc->status = 0;
    if (!options_serve_many(&l->hnc->options)) {
        hio_close(l->listener);
        l->listener = NULL;
    }
    serve(l, io, peer);
}

static void on_refused(void *arg)
{
    listen_t *l = arg;

    if (l->listener)
        hio_accept(l->listener);
}

/* Who is to be served alone is admitted alone, too: the others wait until that is decided. */
static void on_accept(hio_t *io)
{
    listen_t *l = hevent_userdata(io);

    note_address(l, "Connection received on", hio_peeraddr(io));
    if (!options_serve_many(&l->hnc->options))
        hio_read_stop(l->listener);
    if (!admit_start(l->admit, io, served(l)))
        on_refused(l);
}

/* ---- datagrams ------------------------------------------------------------------------------- */

/* The session takes over the callbacks. */
static void begin_datagrams(listen_t *l, hio_t *io, const void *buf, int len)
{
    l->hnc->status = 0;
    hio_set_datagram_batch(io, DATAGRAM_BATCH);
    session_add(l->session, io);
    session_input(l->session, buf, (size_t)len);
}

/* With -k: the answers go to whoever sent last, which the hio does by itself. */
static void on_any_datagram(hio_t *io, void *buf, int len)
{
    listen_t *l = hevent_userdata(io);

    begin_datagrams(l, io, buf, len);
}

/* What arrived from others before the socket was connected. */
static void drop_others(listen_t *l, hio_t *io, const struct sockaddr *peer)
{
    char data[65536];
    haddr_t from = {0}; /* a sender without a name leaves it as it is */

    for (int i = 0; i < EARLY_MAX; i++) {
        ssize_t n;

        from.len = sizeof(from.u);
        n = recvfrom(hio_fd(io), data, sizeof(data), MSG_DONTWAIT, &from.u.sa, &from.len);
        if (n < 0)
            return;
        if (haddr_equal(&from.u.sa, peer))
            session_input(l->session, data, (size_t)n);
    }
}

static void on_first_datagram(hio_t *io, void *buf, int len)
{
    listen_t *l = hevent_userdata(io);
    struct sockaddr *peer = hio_peeraddr(io);
    bool alone;

    note_address(l, "Connection received on", peer);
    if (!admit_allows(l->admit, peer))
        return;
    alone = hio_peeraddr_len(io) > sizeof(sa_family_t) && hio_connect(io) == 0;
    if (!alone && !l->hnc->options.unix_path && options_access(&l->hnc->options))
        return; /* the next one could be anybody's */
    begin_datagrams(l, io, buf, len);
    if (alone)
        drop_others(l, io, peer);
}

/* The sender of the next datagram; with MSG_PEEK that stays to be read. 0 or an error. */
static int next_sender(int fd, int flags, haddr_t *from)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char byte;

    from->len = sizeof(from->u);
    if (poll(&pfd, 1, -1) < 0 ||
        recvfrom(fd, &byte, sizeof(byte), flags, &from->u.sa, &from->len) < 0)
        return -errno;
    return 0;
}

/* The program gets the first datagram too: it is only looked at here. */
static int exec_datagram(listen_t *l)
{
    int fd = hio_fd(l->listener);
    haddr_t from = {0};
    int err = next_sender(fd, MSG_PEEK, &from);

    while (err == 0 && !admit_allows(l->admit, &from.u.sa)) {
        err = next_sender(fd, 0, &from);
        if (err == 0)
            err = next_sender(fd, MSG_PEEK, &from);
    }
    if (err == 0)
        err = hsocket_connect_start(fd, &from);
    if (err) {
        hnc_say("%s", herr_str(err));
        return 1;
    }
    note_address(l, "Connection received on", &from.u.sa);
    l->connection = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return 0;
}

static int read_datagrams(listen_t *l)
{
    int err = hio_set_datagram_batch(l->listener, 1);

    if (err) {
        hnc_say("%s", herr_str(err));
        return 1;
    }
    hio_setcb_read(l->listener, l->hnc->options.keep_open ? on_any_datagram : on_first_datagram);
    hio_read(l->listener);
    return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int report(const options_t *o, int err)
{
    if (o->unix_path)
        hnc_say("%s: %s", o->host, herr_str(err));
    else
        hnc_say("listen on %s port %s (%s) failed: %s", o->host ? o->host : "*", o->ports[0],
                hnc_proto(o), herr_str(err));
    return HNC_FAILED;
}

static int open_at(listen_t *l, const haddr_t *addr)
{
    const options_t *o = &l->hnc->options;
    hlisten_options_t options = {.addr = addr};
    haddr_t unused;

    options.endpoint.scheme = o->unix_path ? o->udp ? HENDPOINT_UNIXGRAM : HENDPOINT_UNIX
                              : o->udp     ? HENDPOINT_UDP
                                           : HENDPOINT_TCP;
    hnc_socket_options(o, &options.socket, &unused);
    options.socket.dual_stack = haddr_is_any(&addr->u.sa);
    return hlisten_open(l->hnc->loop, &options, on_accept, &l->listener);
}

static int find_port(const options_t *o, uint16_t *port)
{
    uint16_t last;

    if (hnc_port(o, o->ports[0], true, port, &last) != 0)
        return HNC_USAGE;
    if (*port != last)
        hnc_say("not a single port: \"%s\"", o->ports[0]);
    return *port != last ? HNC_USAGE : 0;
}

static int find_addresses(const options_t *o, hresolve_t *found)
{
    hresolve_hints_t hints = {.family = o->family, .numeric = o->numeric, .passive = true};
    uint16_t port;
    int err;

    if (find_port(o, &port) != 0)
        return HNC_USAGE;
    if (!o->host && !o->family && !o->endpoint_text)
        hints.family = AF_INET; /* as nc does; -6 alone takes both, as an end point does */
    hints.socktype = o->udp ? SOCK_DGRAM : SOCK_STREAM;
    err = hresolve(o->host, port, &hints, found);
    if (err)
        hnc_say("getaddrinfo for host \"%s\" port %s: %s", o->host, o->ports[0],
                hresolve_error(found, err));
    return err ? HNC_FAILED : 0;
}

static int open_path(listen_t *l)
{
    const options_t *o = &l->hnc->options;
    haddr_t addr;
    int err = haddr_unix(&addr, o->host);

    if (err == 0)
        err = open_at(l, &addr);
    return err ? report(o, err) : 0;
}

static int open_vsock(listen_t *l)
{
    const options_t *o = &l->hnc->options;
    haddr_t addr;
    uint16_t port;
    int err, status = find_port(o, &port);

    if (status == 0)
        status = vsock_address(o->host, port, &addr);
    if (status != 0)
        return status;
    err = open_at(l, &addr);
    return err ? report(o, err) : 0;
}

/* The first address of the host that can be listened on. */
static int open_port(listen_t *l)
{
    const options_t *o = &l->hnc->options;
    hresolve_t found;
    int err = -EADDRNOTAVAIL, status = find_addresses(o, &found);

    if (status != 0)
        return status;
    for (size_t i = 0; i < found.count; i++) {
        err = open_at(l, &found.addrs[i]);
        if (err == 0)
            break;
    }
    hresolve_free(&found);
    return err ? report(o, err) : 0;
}

static void note_listening(const listen_t *l)
{
    const options_t *o = &l->hnc->options;
    const struct sockaddr *local = hio_localaddr(l->listener);

    if (local && (o->udp || o->unix_path))
        note_address(l, "Bound on", local);
    if (!o->udp)
        note_address(l, "Listening on", local);
    if (o->test) /* the words that ncat's own tests wait for */
        fprintf(stderr, "NCAT TEST: LISTEN\n");
}

/* ---- running --------------------------------------------------------------------------------- */

/* A program that is the only one takes this process over: then there is nothing to make. */
static bool replaces(const options_t *o)
{
    return o->pass_fd ||
           (options_exec(o) && !o->keep_open && !o->ssl && !o->crlf && o->proxy_protocol == 0);
}

/* Who serves: 0, or an exit status once a message is printed. */
static int make_service(listen_t *l)
{
    const options_t *o = &l->hnc->options;

    if (replaces(o))
        return 0;
    if (options_exec(o)) {
        l->exec = exec_new(l->hnc, on_exec_ended, l);
        return l->exec ? 0 : HNC_FAILED;
    }
    if (dump_open(&l->hnc->dump, o) != 0)
        return HNC_FAILED;
    if (o->proxy_type)
        return proxy_server_new(l->hnc, &l->proxy);
    if (o->broker)
        l->broker = broker_new(l->hnc);
    else
        l->session = session_new(l->hnc, on_session_idle, l);
    return l->broker || l->session ? 0 : HNC_FAILED;
}

/* Signals are watched before anybody can see the port open, and files are made once it is. */
static int open_listener(listen_t *l)
{
    const options_t *o = &l->hnc->options;
    const admit_callbacks_t callbacks = {on_passed, on_refused, l};
    int status;

    if (o->unix_path)
        hnc_watch_signals(l->hnc);
    status = admit_new(l->hnc, &callbacks, &l->admit);
    if (status == 0)
        status = o->unix_path ? open_path(l) : o->vsock ? open_vsock(l) : open_port(l);
    if (status != 0)
        return status;
    hevent_set_userdata(l->listener, l);
    status = make_service(l);
    if (status == 0)
        note_listening(l);
    return status;
}

static int run(listen_t *l)
{
    const options_t *o = &l->hnc->options;
    int status = open_listener(l);

    if (status != 0)
        return status;
    if (o->udp && options_exec(o))
        return exec_datagram(l);
    if (o->udp && read_datagrams(l) != 0)
        return HNC_FAILED;
    hloop_run(l->hnc->loop);
    return l->hnc->status;
}

int listen_run(hnc_t *hnc)
{
    listen_t l = {.hnc = hnc, .connection = -1};
    int status;

    hnc->status = 1;
    status = run(&l);
    proxy_server_free(l.proxy);
    terminal_close(hnc);
    hloop_free(&hnc->loop);
    admit_free(l.admit);
    broker_free(l.broker);
    exec_free(l.exec);
    session_free(l.session);
    if (l.connection >= 0)
        status = hnc->options.pass_fd ? fdpass_send(l.connection) : exec_replace(hnc, l.connection);
    return status;
}
