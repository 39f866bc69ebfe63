#include "datagram.h"

#include "net/haddr.h"

#define BATCH 64
#define CHARGEN_ANSWER_MAX 512 /* RFC 864 */
#define ANSWER_SIZE_MAX 65507  /* what UDP carries over IPv4 */

/* Each returns the length of its answer, or a negative error when there is none. */
typedef int (*answer_datagram_cb)(const server_t *server, hio_t *io, char *data, size_t len);

static int answer_echo(const server_t *server, hio_t *io, char *data, size_t len)
{
    (void)server;
    return hio_write(io, data, len);
}

static int answer_rotated(const server_t *server, hio_t *io, char *data, size_t len)
{
    answer_rot13(data, len);
    return answer_echo(server, io, data, len);
}

static int answer_prefixed(const server_t *server, hio_t *io, char *data, size_t len)
{
    hbuf_t spans[] = {{(char *)server->options->prefix, server->prefix_len}, {data, len}};

    if (server->prefix_len + len > ANSWER_SIZE_MAX)
        return -EMSGSIZE; /* the network would tell too late, when it is queued */
    return hio_writev(io, spans, 2);
}

/* As many characters as were sent: nobody can make this server send more than he pays for, to
 * somebody whose address he lies about. */
static int answer_pattern(const server_t *server, hio_t *io, char *data, size_t len)
{
    (void)data;
    return hio_write(io, server->chargen, len < CHARGEN_ANSWER_MAX ? len : CHARGEN_ANSWER_MAX);
}

static const answer_datagram_cb answers[] = {
    [ANSWER_ECHO] = answer_echo,       [ANSWER_ROT13] = answer_rotated,
    [ANSWER_LINES] = answer_prefixed,  [ANSWER_DISCARD] = NULL,
    [ANSWER_CHARGEN] = answer_pattern,
};

/* These answer whatever they get: two of them would never stop talking. */
static bool is_from_answering_service(int port)
{
    static const int ports[] = {7, 13, 17, 19, 37};

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (port == ports[i])
            return true;
    }
    return false;
}

static bool has_no_name(const struct sockaddr *peer, socklen_t len)
{
    return peer->sa_family == AF_UNSPEC || len <= (socklen_t)sizeof(sa_family_t);
}

static int answer(const server_t *server, hio_t *io, char *data, size_t len)
{
    const struct sockaddr *peer = hio_peeraddr(io);

    if (!peer || has_no_name(peer, hio_peeraddr_len(io)))
        return -EDESTADDRREQ;
    if (is_from_answering_service(haddr_port(peer)))
        return -ELOOP;
    return answers[server->options->answer](server, io, data, len);
}

static void on_datagram(hio_t *io, void *buf, int len)
{
    server_t *server = hloop_userdata(hevent_loop(io));
    char peer[HADDR_FORMAT_SIZE];
    int rc = 0;

    count_add(&server->counts->datagrams, 1);
    count_add(&server->counts->bytes_in, (uint64_t)len);
    if (answers[server->options->answer]) {
        rc = answer(server, io, buf, (size_t)len);
        count_add(&server->counts->bytes_out, rc > 0 ? (uint64_t)rc : 0);
        count_add(&server->counts->dropped, rc < 0);
    }
    if (server->options->verbose > 1)
        report_datagram(server->report,
                        haddr_format(hio_peeraddr(io), hio_peeraddr_len(io), peer, sizeof(peer)),
                        (uint64_t)len, rc > 0 ? (uint64_t)rc : 0);
}

int datagram_start(hio_t *io)
{
    int err = hio_set_datagram_batch(io, BATCH);

    hio_setcb_read(io, on_datagram);
    return err ? err : hio_read(io);
}
