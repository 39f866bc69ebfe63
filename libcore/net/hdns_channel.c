/* c-ares over the loop. c-ares asks for its sockets through a table of functions: here each is an
 * hio, which sends and reads for it, so that c-ares itself never touches a descriptor. What an hio
 * has read is handed over within its read callback, and one timer stands for all time limits of
 * c-ares.
 *
 * c-ares calls back from inside its functions. Each call into it is between enter and leave; leave
 * does what must not happen inside: the sending that c-ares wants, freeing sockets and channels,
 * and the next questions in line. */
#include "hdns_int.h"

#include "../base/hlib.h"
#include "../base/hmem.h"
#include "hsocket.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECV_BUFFER (1024 * 1024) /* a thousand answers at once fit */
#define EDNS_SIZE 1232            /* never fragmented; what is longer comes by TCP */
#define TIMEOUT_MS 2000
#define TRIES 2

typedef struct ares_lib_s {
    HLIB_FUNCTION(ares_library_init);
    HLIB_FUNCTION(ares_init_options);
    HLIB_FUNCTION(ares_save_options);
    HLIB_FUNCTION(ares_destroy_options);
    HLIB_FUNCTION(ares_destroy);
    HLIB_FUNCTION(ares_set_servers_ports_csv);
    HLIB_FUNCTION(ares_set_socket_functions);
    HLIB_FUNCTION(ares_query);
    HLIB_FUNCTION(ares_process_fd);
    HLIB_FUNCTION(ares_timeout);
    HLIB_FUNCTION(ares_expand_name);
    HLIB_FUNCTION(ares_free_string);
} ares_lib_t;

static const char *const lib_files[] = {"libcares.so.2", NULL};
static const hlib_symbol_t lib_symbols[] = {
    HLIB_SYMBOL(ares_lib_t, ares_library_init),
    HLIB_SYMBOL(ares_lib_t, ares_init_options),
    HLIB_SYMBOL(ares_lib_t, ares_save_options),
    HLIB_SYMBOL(ares_lib_t, ares_destroy_options),
    HLIB_SYMBOL(ares_lib_t, ares_destroy),
    HLIB_SYMBOL(ares_lib_t, ares_set_servers_ports_csv),
    HLIB_SYMBOL(ares_lib_t, ares_set_socket_functions),
    HLIB_SYMBOL(ares_lib_t, ares_query),
    HLIB_SYMBOL(ares_lib_t, ares_process_fd),
    HLIB_SYMBOL(ares_lib_t, ares_timeout),
    HLIB_SYMBOL(ares_lib_t, ares_expand_name),
    HLIB_SYMBOL(ares_lib_t, ares_free_string),
};
static ares_lib_t ares;
static hlib_t lib = {.files = lib_files,
                     .symbols = lib_symbols,
                     .symbol_count = sizeof(lib_symbols) / sizeof(lib_symbols[0]),
                     .table = &ares,
                     .lock = PTHREAD_MUTEX_INITIALIZER};

struct hdns_channel_s {
    hdns_t *dns;
    hlist_t link; /* dns->retired */
    ares_channel ares;
    struct ares_options config; /* of the system: domains and ndots */
    htimer_t *timer;            /* while something is open */
    hlist_t sockets;
    hlist_t closed; /* sockets to be freed */
    size_t open;    /* questions */
    unsigned busy;  /* calls into c-ares that are running */
    bool retired;
};

typedef struct dns_socket_s {
    hlist_t link;
    hdns_channel_t *channel;
    hio_t *io; /* NULL: it is gone */
    int fd;
    int error; /* why it is gone */
    bool wants_write;
    const char *data; /* read and not yet taken */
    size_t left;
} dns_socket_t;

typedef struct asked_s {
    hdns_channel_t *channel;
    hdns_question_t *question;
} asked_t;

const char *hdns__channel_error(int err)
{
    switch (err) {
    case HERR_UNSUPPORTED:
        return hlib_error(&lib);
    case -EINVAL:
        return "the list of name servers is wrong";
    default:
        return err == -ENOMEM ? hdns__no_memory.why : "the name servers' settings cannot be read";
    }
}

/* ---- calls into c-ares ----------------------------------------------------------------------- */

static void free_channel(hdns_channel_t *channel);

static void enter(hdns_channel_t *channel)
{
    channel->busy++;
}

static dns_socket_t *writer(hdns_channel_t *channel)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &channel->sockets) {
        dns_socket_t *s = HLIST_ENTRY(node, dns_socket_t, link);

        if (s->wants_write)
            return s;
    }
    return NULL;
}

static void leave(hdns_channel_t *channel)
{
    hdns_t *dns = channel->dns;
    dns_socket_t *s;
    hlist_t *node;

    if (channel->busy > 1) {
        channel->busy--;
        return;
    }
    while ((s = writer(channel)) != NULL) {
        s->wants_write = false;
        ares.ares_process_fd(channel->ares, ARES_SOCKET_BAD, s->fd);
    }
    channel->busy--;
    while ((node = hlist_pop_front(&channel->closed)) != NULL)
        hmem_free(HLIST_ENTRY(node, dns_socket_t, link));
    if (channel->open == 0) {
        htimer_del(channel->timer);
        channel->timer = NULL;
        if (channel->retired)
            free_channel(channel);
    }
    hdns__line_advance(dns);
}

static void on_timer(htimer_t *timer)
{
    hdns_channel_t *channel = hevent_userdata(timer);
    struct timeval left, *found;

    enter(channel);
    ares.ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    found = ares.ares_timeout(channel->ares, NULL, &left);
    if (found)
        htimer_reset(timer, (uint32_t)(left.tv_sec * 1000 + left.tv_usec / 1000 + 1));
    leave(channel);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static dns_socket_t *find_socket(hdns_channel_t *channel, ares_socket_t fd)
{
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, &channel->sockets) {
        dns_socket_t *s = HLIST_ENTRY(node, dns_socket_t, link);

        if (s->fd == fd)
            return s;
    }
    return NULL;
}

static int fail(int err)
{
    errno = -err;
    return -1;
}

/* c-ares takes a datagram with one call, and a stream in small pieces with a call for each. */
static void on_read(hio_t *io, void *buf, int len)
{
    dns_socket_t *s = hevent_userdata(io);
    hdns_channel_t *channel = s->channel;
    size_t before;

    s->data = buf;
    s->left = (size_t)len;
    enter(channel);
    do {
        before = s->left;
        if (before > 0)
            ares.ares_process_fd(channel->ares, s->fd, ARES_SOCKET_BAD);
    } while (s->io && s->left > 0 && s->left < before);
    s->left = 0;
    leave(channel);
}

static void on_close(hio_t *io)
{
    dns_socket_t *s = hevent_userdata(io);
    hdns_channel_t *channel = s->channel;

    s->io = NULL;
    s->error = hio_error(io);
    enter(channel);
    ares.ares_process_fd(channel->ares, s->fd, ARES_SOCKET_BAD);
    leave(channel);
}

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
    hdns_channel_t *channel = arg;
    hsocket_options_t options = {.recv_buffer = type == SOCK_DGRAM ? RECV_BUFFER : 0};
    dns_socket_t *s = hmem_zalloc(sizeof(*s));
    int fd;

    (void)protocol;
    if (!s)
        return fail(-ENOMEM);
    fd = hsocket_open(family, type, &options);
    if (fd < 0) {
        hmem_free(s);
        return fail(fd);
    }
    s->io = hio_get(channel->dns->loop, fd);
    if (!s->io) {
        close(fd);
        hmem_free(s);
        return fail(-ENOMEM);
    }
    s->channel = channel;
    s->fd = fd;
    hevent_set_userdata(s->io, s);
    hlist_push_back(&channel->sockets, &s->link);
    return fd;
}

static int close_socket(ares_socket_t fd, void *arg)
{
    hdns_channel_t *channel = arg;
    dns_socket_t *s = find_socket(channel, fd);

    if (!s)
        return 0;
    if (s->io) {
        hio_setcb_read(s->io, NULL);
        hio_setcb_close(s->io, NULL);
        hio_abort(s->io, 0);
        s->io = NULL;
    }
    hlist_remove(&s->link);
    s->left = 0;
    s->wants_write = false;
    hlist_push_back(&channel->closed, &s->link); /* its own callback may be running */
    return 0;
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len,
                          void *arg)
{
    dns_socket_t *s = find_socket(arg, fd);
    int err = hio_set_peeraddr(s->io, addr, (int)len);

    if (!err)
        err = hio_connect(s->io);
    if (err)
        return fail(err);
    hio_setcb_read(s->io, on_read);
    hio_setcb_close(s->io, on_close);
    hio_read(s->io);
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): c-ares's signature */
static ares_ssize_t receive(ares_socket_t fd, void *buf, size_t size, int flags,
                            struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
    dns_socket_t *s = find_socket(arg, fd);
    size_t n;

    (void)flags;
    if (!s || !s->io)
        return s && s->error == 0 ? 0 : fail(s ? s->error : -EBADF);
    if (s->left == 0)
        return fail(-EAGAIN);
    n = s->left < size ? s->left : size;
    memcpy(buf, s->data, n);
    s->data += n;
    s->left -= n;
    if (from) { /* a datagram: the rest of it is lost, as with recvfrom */
        socklen_t len = hio_peeraddr_len(s->io);

        if (len == 0)
            return fail(-ENOMEM);
        memcpy(from, hio_peeraddr(s->io), len < *from_len ? len : *from_len);
        *from_len = len;
        s->left = 0;
    }
    return (ares_ssize_t)n;
}

static ares_ssize_t transmit(ares_socket_t fd, const struct iovec *iov, int n, void *arg)
{
    dns_socket_t *s = find_socket(arg, fd);
    ares_ssize_t total = 0;

    if (!s || !s->io)
        return fail(-EPIPE);
    for (int i = 0; i < n; i++) {
        int sent = hio_write(s->io, iov[i].iov_base, iov[i].iov_len);

        if (sent < 0)
            return total ? total : fail(sent == HERR_CLOSED ? -EPIPE : sent);
        total += sent;
    }
    return total;
}

static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    dns_socket_t *s = find_socket(arg, fd);

    (void)readable;
    if (s)
        s->wants_write = writable && s->io;
}

static const struct ares_socket_functions functions = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = transmit,
};

/* ---- channels -------------------------------------------------------------------------------- */

static void init_library(void)
{
    ares.ares_library_init(ARES_LIB_INIT_ALL);
}

static int error_of(int status)
{
    return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? -ENOMEM : HERR_RESOLVE;
}

static int init_ares(hdns_channel_t *channel, const hdns_options_t *o)
{
    struct ares_options options = {.flags = ARES_FLAG_EDNS,
                                   .timeout = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS,
                                   .tries = o->tries > 0 ? o->tries : TRIES,
                                   .ednspsz = EDNS_SIZE,
                                   .sock_state_cb = on_state,
                                   .sock_state_cb_data = channel,
                                   .resolvconf_path = (char *)o->resolv_conf};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
               ARES_OPT_SOCK_STATE_CB | (o->resolv_conf ? ARES_OPT_RESOLVCONF : 0);
    int status = ares.ares_init_options(&channel->ares, &options, mask);

    if (status != ARES_SUCCESS) {
        channel->ares = NULL;
        return error_of(status);
    }
    ares.ares_set_socket_functions(channel->ares, &functions, channel);
    if (o->servers)
        status = ares.ares_set_servers_ports_csv(channel->ares, o->servers);
    if (status != ARES_SUCCESS)
        return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
    return error_of(ares.ares_save_options(channel->ares, &channel->config, &mask));
}

int hdns__channel_open(hdns_t *dns)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    hdns_channel_t *channel;
    int err;

    if (dns->channel)
        return 0;
    err = hlib_load(&lib);
    if (err)
        return err;
    pthread_once(&once, init_library);
    channel = hmem_zalloc(sizeof(*channel));
    if (!channel)
        return -ENOMEM;
    channel->dns = dns;
    hlist_init(&channel->sockets);
    hlist_init(&channel->closed);
    err = init_ares(channel, &dns->options);
    if (err)
        free_channel(channel);
    else
        dns->channel = channel;
    return err;
}

/* c-ares calls back for what is open, and closes its sockets. */
static void free_channel(hdns_channel_t *channel)
{
    hlist_t *node;

    hlist_remove(&channel->link);
    channel->busy++;
    if (channel->ares) {
        ares.ares_destroy(channel->ares);
        ares.ares_destroy_options(&channel->config);
    }
    while ((node = hlist_pop_front(&channel->closed)) != NULL)
        hmem_free(HLIST_ENTRY(node, dns_socket_t, link));
    htimer_del(channel->timer);
    hmem_free(channel);
}

void hdns__channel_retire(hdns_t *dns)
{
    hdns_channel_t *channel = dns->channel;

    if (!channel)
        return;
    dns->channel = NULL;
    if (channel->open == 0) {
        free_channel(channel);
        return;
    }
    channel->retired = true;
    hlist_push_back(&dns->retired, &channel->link);
}

void hdns__channels_free(hdns_t *dns)
{
    hlist_t *node, *next;

    if (dns->channel)
        free_channel(dns->channel);
    HLIST_FOREACH (node, next, &dns->retired)
        free_channel(HLIST_ENTRY(node, hdns_channel_t, link));
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *data, int len)
{
    asked_t *asked = arg;
    hdns_channel_t *channel = asked->channel;
    hdns_question_t *question = asked->question;

    (void)timeouts;
    hmem_free(asked);
    channel->open--;
    if (status != ARES_EDESTRUCTION)
        hdns__question_answered(question, hdns__answer_parse(question->type, status, data, len));
}

/* The timer is never too late for a new question: no time limit is shorter than its first. */
static int start_timer(hdns_channel_t *channel)
{
    int timeout_ms = channel->dns->options.timeout_ms;

    if (channel->timer)
        return 0;
    channel->timer = htimer_add(channel->dns->loop, on_timer,
                                (uint32_t)(timeout_ms > 0 ? timeout_ms : TIMEOUT_MS) + 1, INFINITE);
    if (!channel->timer)
        return -ENOMEM;
    hevent_set_userdata(channel->timer, channel);
    return 0;
}

void hdns__channel_ask(hdns_channel_t *channel, hdns_question_t *question)
{
    asked_t *asked = hmem_alloc(sizeof(*asked));

    if (!asked || start_timer(channel) != 0) {
        hmem_free(asked);
        hdns__question_answered(question, &hdns__no_memory);
        return;
    }
    *asked = (asked_t){.channel = channel, .question = question};
    channel->open++;
    enter(channel);
    ares.ares_query(channel->ares, question->name, ns_c_in, question->type, on_answer, asked);
    leave(channel);
}

/* ---- what the channel knows ------------------------------------------------------------------ */

size_t hdns__domain_count(const hdns_channel_t *channel)
{
    return channel->config.ndomains > 0 ? (size_t)channel->config.ndomains : 0;
}

const char *hdns__domain(const hdns_channel_t *channel, size_t i)
{
    return channel->config.domains[i];
}

int hdns__ndots(const hdns_channel_t *channel)
{
    return channel->config.ndots;
}

int hdns__expand(const unsigned char *data, size_t len, size_t *pos, char name[HDNS_NAME_SIZE])
{
    char *text = NULL;
    long taken = 0;
    size_t n;

    if (*pos >= len)
        return HERR_PROTOCOL;
    switch (ares.ares_expand_name(data + *pos, data, (int)len, &text, &taken)) {
    case ARES_SUCCESS:
        break;
    case ARES_ENOMEM:
        return -ENOMEM;
    default:
        return HERR_PROTOCOL;
    }
    n = strlen(text);
    if (n < HDNS_NAME_SIZE)
        memcpy(name, text, n + 1);
    ares.ares_free_string(text);
    *pos += (size_t)taken;
    return n < HDNS_NAME_SIZE ? 0 : HERR_PROTOCOL;
}
