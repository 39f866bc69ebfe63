#include "socks_int.h"

#include "../base/herr.h"
#include "../base/hstr.h"

#include <arpa/inet.h>
#include <string.h>

static int fail(socks_server_t *server, int err, const char *text)
{
    server->state = SOCKS_SERVER_FAILED;
    hstr_copy(server->error, sizeof(server->error), text);
    return err;
}

/* The client is told too. */
static int refuse(socks_server_t *server, int err, socks_reply_e reply, const char *text)
{
    socks_server_reply(server, reply, NULL, 0);
    return fail(server, err, text);
}

void socks_server_init(socks_server_t *server, int allowed, bool want_login)
{
    *server = (socks_server_t){.allowed = allowed, .want_login = want_login};
    socks__next_message(&server->b, 1);
}

size_t socks_server_output(socks_server_t *server, const void **data)
{
    return socks__output(&server->b, data);
}

static bool wants_input(const socks_server_t *server)
{
    return server->state == SOCKS_SERVER_GREETING || server->state == SOCKS_SERVER_SECRET ||
           server->state == SOCKS_SERVER_READ;
}

size_t socks_server_need(const socks_server_t *server)
{
    return wants_input(server) ? server->b.in_need - server->b.in_len : 0;
}

bool socks__is_host(const uint8_t *host, size_t len)
{
    if (len == 0 || len >= SOCKS_HOST_SIZE)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (host[i] <= ' ' || host[i] == 0x7f)
            return false;
    }
    return true;
}

/* The text that begins at `from` and ends with a NUL within what has come: 1 and it is in text; 0:
 * it goes on; HERR_PROTOCOL: it is too long. */
static int get_text4(socks_buffers_t *b, size_t from, char *text, size_t size)
{
    const uint8_t *nul = memchr(b->in + from, '\0', b->in_len - from);

    if (!nul && b->in_len - from >= size)
        return HERR_PROTOCOL;
    if (!nul) {
        b->in_need = b->in_len + 1;
        return 0;
    }
    memcpy(text, b->in + from, (size_t)(nul - b->in) - from + 1);
    return 1;
}

static bool has_name4(const socks_buffers_t *b)
{
    return b->in[4] == 0 && b->in[5] == 0 && b->in[6] == 0 && b->in[7] != 0;
}

/* SOCKS4 says all in one message: command, port, address, user, and SOCKS4a a name behind it. */
static int read_request4(socks_server_t *server)
{
    socks_buffers_t *b = &server->b;
    int got;

    server->version = SOCKS_VERSION_4;
    b->in_need = SOCKS4_HEAD_LEN + 1;
    if (b->in_len < b->in_need)
        return 0;
    got = get_text4(b, SOCKS4_HEAD_LEN, server->user, sizeof(server->user));
    if (got > 0) {
        socks__get_ipv4(b, server->host, &server->port);
        if (has_name4(b)) {
            size_t from = SOCKS4_HEAD_LEN + strlen(server->user) + 1;

            server->version = SOCKS_VERSION_4A;
            got = get_text4(b, from, server->host, sizeof(server->host));
        }
    }
    if (got == 0)
        return 0;
    if (got < 0 || !socks__is_host((const uint8_t *)server->host, strlen(server->host)))
        return refuse(server, HERR_PROTOCOL, SOCKS_REPLY_FAILURE, "broken SOCKS4 request");
    server->command = b->in[1];
    if (server->command != SOCKS_COMMAND_CONNECT)
        return refuse(server, HERR_UNSUPPORTED, SOCKS_REPLY_COMMAND, "command not supported");
    server->state = server->want_login ? SOCKS_SERVER_LOGIN : SOCKS_SERVER_REQUEST;
    return 0;
}

static void read_request_next(socks_server_t *server)
{
    server->state = SOCKS_SERVER_READ;
    socks__next_message(&server->b, SOCKS5_HEAD_LEN);
}

static int read_methods5(socks_server_t *server)
{
    socks_buffers_t *b = &server->b;
    uint8_t method = server->want_login ? SOCKS_METHOD_SECRET : SOCKS_METHOD_NONE;

    server->version = SOCKS_VERSION_5;
    b->in_need = b->in_len < 2 ? 2 : 2 + (size_t)b->in[1];
    if (b->in_len < b->in_need)
        return 0;
    socks__put_u8(b, SOCKS_VERSION_5);
    if (!memchr(b->in + 2, method, b->in[1])) {
        socks__put_u8(b, SOCKS_METHOD_REFUSED);
        return fail(server, HERR_UNSUPPORTED,
                    server->want_login ? "the client offers no user and password"
                                       : "the client insists on a log-in");
    }
    socks__put_u8(b, method);
    if (server->want_login) {
        server->state = SOCKS_SERVER_SECRET;
        socks__next_message(b, 2);
    } else {
        read_request_next(server);
    }
    return 0;
}

static int read_greeting(socks_server_t *server)
{
    uint8_t version = server->b.in[0];

    if (version == SOCKS_VERSION_4 && server->allowed & SOCKS_SERVER_ALLOW_4)
        return read_request4(server);
    if (version == SOCKS_VERSION_5 && server->allowed & SOCKS_SERVER_ALLOW_5)
        return read_methods5(server);
    if (version == SOCKS_VERSION_4)
        return fail(server, HERR_UNSUPPORTED, "SOCKS4 is not served here");
    if (version == SOCKS_VERSION_5)
        return fail(server, HERR_UNSUPPORTED, "SOCKS5 is not served here");
    return fail(server, HERR_PROTOCOL, "the client does not speak SOCKS");
}

/* A NUL would cut what is compared, so that more than one password were right. */
static bool get_secret(const uint8_t *text, size_t len, char *secret)
{
    memcpy(secret, text, len);
    secret[len] = '\0';
    return strlen(secret) == len;
}

/* VER, ULEN, user, PLEN, password. */
static int read_secret(socks_server_t *server)
{
    socks_buffers_t *b = &server->b;
    size_t user_len, password_len;

    if (b->in[0] != SOCKS_SECRET_VERSION)
        return fail(server, HERR_PROTOCOL, "the log-in is not RFC 1929");
    if (b->in_len < 2)
        return 0;
    user_len = b->in[1];
    b->in_need = 2 + user_len + 1;
    if (b->in_len < b->in_need)
        return 0;
    password_len = b->in[2 + user_len];
    b->in_need += password_len;
    if (b->in_len < b->in_need)
        return 0;
    server->state = SOCKS_SERVER_LOGIN;
    if (!get_secret(b->in + 2, user_len, server->user) ||
        !get_secret(b->in + 3 + user_len, password_len, server->password)) {
        socks_server_login(server, false);
        return HERR_PROTOCOL;
    }
    return 0;
}

static int read_request5(socks_server_t *server)
{
    socks_buffers_t *b = &server->b;
    int got;

    if (b->in[0] != SOCKS_VERSION_5)
        return fail(server, HERR_PROTOCOL, "the request is not SOCKS5");
    if (b->in_len < SOCKS5_HEAD_LEN)
        return 0;
    got = socks__get_address(b, server->host, &server->port);
    if (got == 0)
        return 0;
    if (got < 0)
        return refuse(server, got, SOCKS_REPLY_ADDRESS, "address type not supported");
    server->command = b->in[1];
    if (server->command != SOCKS_COMMAND_CONNECT &&
        (server->command != SOCKS_COMMAND_UDP_ASSOCIATE ||
         !(server->allowed & SOCKS_SERVER_ALLOW_UDP)))
        return refuse(server, HERR_UNSUPPORTED, SOCKS_REPLY_COMMAND, "command not supported");
    if (b->in[3] == SOCKS_ATYP_NAME && !socks__is_host(b->in + SOCKS5_HEAD_LEN, b->in[4]))
        return refuse(server, HERR_PROTOCOL, SOCKS_REPLY_FAILURE, "impossible host name");
    server->state = SOCKS_SERVER_REQUEST;
    return 0;
}

static int step(socks_server_t *server)
{
    switch (server->state) {
    case SOCKS_SERVER_GREETING:
        return read_greeting(server);
    case SOCKS_SERVER_SECRET:
        return read_secret(server);
    case SOCKS_SERVER_READ:
        return read_request5(server);
    case SOCKS_SERVER_LOGIN:
    case SOCKS_SERVER_REQUEST:
    case SOCKS_SERVER_DONE:
    case SOCKS_SERVER_FAILED:
        break;
    }
    return 0;
}

ssize_t socks_server_feed(socks_server_t *server, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t left = len;

    if (server->state == SOCKS_SERVER_FAILED)
        return HERR_PROTOCOL;
    while (left > 0 && wants_input(server)) {
        int err;

        socks__collect(&server->b, &p, &left);
        err = step(server);
        if (err < 0)
            return err;
    }
    return (ssize_t)(len - left);
}

static void reply4(socks_server_t *server, int code, const char *bound, uint16_t port)
{
    uint8_t ip[SOCKS_IPV4_LEN] = {0};

    if (!bound || inet_pton(AF_INET, bound, ip) != 1)
        memset(ip, 0, sizeof(ip));
    socks__put_u8(&server->b, 0);
    socks__put_u8(&server->b, (unsigned)code);
    socks__put_u16(&server->b, port);
    socks__put(&server->b, ip, sizeof(ip));
}

void socks_server_login(socks_server_t *server, bool accepted)
{
    bool five = server->version == SOCKS_VERSION_5;

    if (five) {
        socks__put_u8(&server->b, SOCKS_SECRET_VERSION);
        socks__put_u8(&server->b, accepted ? 0 : 1);
    }
    if (accepted && five) {
        read_request_next(server);
    } else if (accepted) {
        server->state = SOCKS_SERVER_REQUEST;
    } else {
        if (!five)
            reply4(server, SOCKS4_OTHER_USER, NULL, 0);
        fail(server, 0,
             five ? "user or password not accepted" : "SOCKS 4 has no password to log in with");
    }
}

void socks_server_reply(socks_server_t *server, socks_reply_e reply, const char *bound,
                        uint16_t bound_port)
{
    bool granted = reply == SOCKS_REPLY_GRANTED;

    if (server->version == SOCKS_VERSION_5) {
        socks__put_u8(&server->b, SOCKS_VERSION_5);
        socks__put_u8(&server->b, reply);
        socks__put_u8(&server->b, 0);
        socks__put_address(&server->b, bound ? bound : "0.0.0.0", bound_port);
    } else {
        reply4(server, granted ? SOCKS4_GRANTED : SOCKS4_REFUSED, bound, bound_port);
    }
    if (granted)
        server->state = SOCKS_SERVER_DONE;
    else
        fail(server, 0, socks_reply_text(reply));
}

const char *socks_server_error(const socks_server_t *server)
{
    return server->error;
}
