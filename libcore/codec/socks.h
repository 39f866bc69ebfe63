/* socks: SOCKS4, SOCKS4a and SOCKS5 (RFC 1928, RFC 1929), client and server side, as state
 * machines: they say what is to be sent and are fed what has come. No I/O, no clock, no allocation.
 *
 * Both sides: as long as there is output (socks_x_output), send it all; then feed input. A feed
 * never takes a byte behind the end of the negotiation. socks_x_need tells how many bytes are
 * surely still to come: one who reads no more than that never holds a byte of what follows. What
 * the machines do depends on the bytes alone, never on how they were cut.
 *
 * Hosts are text: "192.0.2.1", "2001:db8::1" or a name. */
#ifndef HNET_CODEC_SOCKS_H
#define HNET_CODEC_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKS_HOST_SIZE 256    /* a name of 255 bytes and a NUL */
#define SOCKS_SECRET_SIZE 256  /* RFC 1929: likewise */
#define SOCKS_MESSAGE_SIZE 528 /* the longest message: SOCKS4a with a user name and a host name */
#define SOCKS_OUTPUT_SIZE 800  /* all that a side ever says */
#define SOCKS_ERROR_SIZE 128

typedef enum {
    SOCKS_VERSION_4 = 4, /* IPv4 numbers */
    SOCKS_VERSION_4A = 0x4a,
    SOCKS_VERSION_5 = 5
} socks_version_e;

typedef enum {
    SOCKS_COMMAND_CONNECT = 1,
    SOCKS_COMMAND_BIND = 2,
    SOCKS_COMMAND_UDP_ASSOCIATE = 3
} socks_command_e;

/* Replies of SOCKS5 (RFC 1928 section 6). SOCKS4 knows granted and refused alone:
 * socks_server_reply translates. */
typedef enum {
    SOCKS_REPLY_GRANTED = 0,
    SOCKS_REPLY_FAILURE = 1, /* general */
    SOCKS_REPLY_NOT_ALLOWED = 2,
    SOCKS_REPLY_NET_UNREACHABLE = 3,
    SOCKS_REPLY_HOST_UNREACHABLE = 4,
    SOCKS_REPLY_REFUSED = 5,
    SOCKS_REPLY_TTL_EXPIRED = 6, /* also: no answer within the time */
    SOCKS_REPLY_COMMAND = 7,     /* not supported */
    SOCKS_REPLY_ADDRESS = 8      /* its type is not supported */
} socks_reply_e;

/* "connection refused" and so on; "unknown reply" for other codes. Static storage. */
const char *socks_reply_text(int reply);

/* What goes out, and the message that comes in. */
typedef struct socks_buffers_s {
    uint8_t out[SOCKS_OUTPUT_SIZE];
    uint8_t in[SOCKS_MESSAGE_SIZE];
    size_t out_len;
    size_t in_len;
    size_t in_need; /* it has at least so many bytes */
} socks_buffers_t;

/* ---- client ---------------------------------------------------------------------------------- */

typedef enum {
    SOCKS_CLIENT_METHOD, /* waits for the chosen method */
    SOCKS_CLIENT_LOGIN,  /* waits for the answer to user and password */
    SOCKS_CLIENT_REPLY,  /* waits for the reply to the request */
    SOCKS_CLIENT_DONE,
    SOCKS_CLIENT_FAILED
} socks_client_state_e;

typedef struct socks_client_s {
    socks_client_state_e state;
    socks_version_e version;
    const char *host, *user, *password; /* borrowed */
    uint16_t port;
    int reply;                   /* the code that the server gave, -1: none yet */
    char bound[SOCKS_HOST_SIZE]; /* the address that the server connects from, if it says */
    uint16_t bound_port;
    char error[SOCKS_ERROR_SIZE];
    socks_buffers_t b;
} socks_client_t;

/* Begins to ask for a connection to host and port. user NULL or "": no user; password NULL: "".
 * Strings must live until the end. The first message is then in the output. 0, or -EINVAL (empty
 * host, port 0), HERR_RANGE (host, user or password longer than 255 bytes), HERR_UNSUPPORTED
 * (SOCKS4 and a host that is no IPv4 number, SOCKS4a and an IPv6 number); socks_client_error tells.
 */
int socks_client_init(socks_client_t *client, socks_version_e version, const char *host,
                      uint16_t port, const char *user, const char *password);

/* What is to be sent now: *data and its length, 0 if nothing. It is given once: the next call,
 * until more was fed, gives 0. data is valid until the next feed. */
size_t socks_client_output(socks_client_t *client, const void **data);

/* How many bytes may be read without reading behind the end; 0 when done or failed. */
size_t socks_client_need(const socks_client_t *client);

/* Feeds what the server sent. Returns how many bytes were taken, less than len only when it is
 * done; or HERR_PROXY (the server refused; reply has the code) or HERR_PROTOCOL (that is no SOCKS).
 * Look at the state and the output after it. */
ssize_t socks_client_feed(socks_client_t *client, const void *data, size_t len);

bool socks_client_is_done(const socks_client_t *client);

/* One line, without the name of the proxy: "connection refused", "user or password not accepted",
 * "not a SOCKS5 server". "" if nothing failed. */
const char *socks_client_error(const socks_client_t *client);

/* ---- server ---------------------------------------------------------------------------------- */

typedef enum {
    SOCKS_SERVER_GREETING, /* waits for the first message */
    SOCKS_SERVER_SECRET,   /* waits for user and password */
    SOCKS_SERVER_LOGIN,    /* they are there: the program calls socks_server_login */
    SOCKS_SERVER_READ,     /* waits for the request */
    SOCKS_SERVER_REQUEST,  /* it is there: the program calls socks_server_reply */
    SOCKS_SERVER_DONE,
    SOCKS_SERVER_FAILED /* send the output, then close */
} socks_server_state_e;

#define SOCKS_SERVER_ALLOW_4 1 /* and 4a */
#define SOCKS_SERVER_ALLOW_5 2
#define SOCKS_SERVER_ALLOW_UDP 4 /* SOCKS5: UDP ASSOCIATE */

typedef struct socks_server_s {
    socks_server_state_e state;
    int allowed;     /* SOCKS_SERVER_ALLOW_* */
    bool want_login; /* SOCKS5: user and password; SOCKS4: the user name goes through LOGIN too */
    socks_version_e version;
    socks_command_e command; /* CONNECT, or UDP_ASSOCIATE where it is allowed; others are refused
                                by the machine itself */
    uint16_t port;
    char host[SOCKS_HOST_SIZE];
    char user[SOCKS_SECRET_SIZE];
    char password[SOCKS_SECRET_SIZE];
    char error[SOCKS_ERROR_SIZE];
    socks_buffers_t b;
} socks_server_t;

void socks_server_init(socks_server_t *server, int allowed, bool want_login);

/* As the client's. */
size_t socks_server_output(socks_server_t *server, const void **data);
size_t socks_server_need(const socks_server_t *server);

/* Feeds what the client sent. Returns how many bytes were taken: it stops at LOGIN and at REQUEST,
 * so feed the rest after the program's answer. HERR_PROTOCOL when that is no SOCKS,
 * HERR_UNSUPPORTED for a version, method, command or address type that is not served; the output
 * then holds the reply that says so, if the protocol has one. */
ssize_t socks_server_feed(socks_server_t *server, const void *data, size_t len);

/* In LOGIN: whether user and password are right. If not, the machine has failed and its output says
 * so. */
void socks_server_login(socks_server_t *server, bool accepted);

/* In REQUEST: the result, with the address that the connection goes out from (NULL: 0.0.0.0). The
 * output holds the reply; the state is DONE for SOCKS_REPLY_GRANTED, else FAILED. */
void socks_server_reply(socks_server_t *server, socks_reply_e reply, const char *bound,
                        uint16_t bound_port);

/* One line about why it failed; "" if it did not. */
const char *socks_server_error(const socks_server_t *server);

/* ---- datagrams of SOCKS5 --------------------------------------------------------------------- */

#define SOCKS_DATAGRAM_HEAD_MAX 262 /* in front of the data */

/* The head of a datagram between a client and the server (RFC 1928 section 7). */
typedef struct socks_datagram_s {
    uint8_t fragment; /* 0: it is whole */
    char host[SOCKS_HOST_SIZE];
    uint16_t port;
} socks_datagram_t;

/* Reads the head. Returns its length: the data begins there; HERR_PROTOCOL (that is none, or it is
 * cut), HERR_UNSUPPORTED (another address type). */
ssize_t socks_datagram_parse(socks_datagram_t *datagram, const void *data, size_t len);

/* Writes the head of a whole one; host is shorter than SOCKS_HOST_SIZE. Returns its length. */
size_t socks_datagram_compose(const char *host, uint16_t port,
                              uint8_t head[SOCKS_DATAGRAM_HEAD_MAX]);

#ifdef __cplusplus
}
#endif

#endif
