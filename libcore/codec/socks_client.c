#include "socks_int.h"

#include "../base/herr.h"
#include "../base/hstr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static int fail(socks_client_t *client, int err, const char *text)
{
    client->state = SOCKS_CLIENT_FAILED;
    hstr_copy(client->error, sizeof(client->error), text);
    return err;
}

static int check_options(socks_client_t *client)
{
    uint8_t ip[SOCKS_IPV6_LEN];

    if (client->host[0] == '\0' || client->port == 0)
        return fail(client, -EINVAL, "no host or no port");
    if (strlen(client->host) >= SOCKS_HOST_SIZE)
        return fail(client, HERR_RANGE, "host name longer than 255 bytes");
    if (strlen(client->user) >= SOCKS_SECRET_SIZE || strlen(client->password) >= SOCKS_SECRET_SIZE)
        return fail(client, HERR_RANGE, "user or password longer than 255 bytes");
    if (client->version == SOCKS_VERSION_5 || inet_pton(AF_INET, client->host, ip) == 1)
        return 0;
    if (client->version == SOCKS_VERSION_4)
        return fail(client, HERR_UNSUPPORTED, "SOCKS4 knows IPv4 addresses only");
    if (inet_pton(AF_INET6, client->host, ip) == 1)
        return fail(client, HERR_UNSUPPORTED, "SOCKS4a knows no IPv6 addresses");
    return 0;
}

/* SOCKS4 asks at once. A name follows the user when the address is 0.0.0.1, which is nobody's. */
static void put_request4(socks_client_t *client)
{
    uint8_t ip[SOCKS_IPV4_LEN];
    bool numeric = inet_pton(AF_INET, client->host, ip) == 1;

    socks__put_u8(&client->b, SOCKS_VERSION_4);
    socks__put_u8(&client->b, SOCKS_COMMAND_CONNECT);
    socks__put_u16(&client->b, client->port);
    socks__put(&client->b, numeric ? ip : (const uint8_t[]){0, 0, 0, 1}, SOCKS_IPV4_LEN);
    socks__put(&client->b, client->user, strlen(client->user) + 1);
    if (!numeric)
        socks__put(&client->b, client->host, strlen(client->host) + 1);
    client->state = SOCKS_CLIENT_REPLY;
    socks__next_message(&client->b, SOCKS4_HEAD_LEN);
}

static void put_greeting5(socks_client_t *client)
{
    bool login = client->user[0] != '\0';

    socks__put_u8(&client->b, SOCKS_VERSION_5);
    socks__put_u8(&client->b, login ? 2 : 1);
    socks__put_u8(&client->b, SOCKS_METHOD_NONE);
    if (login)
        socks__put_u8(&client->b, SOCKS_METHOD_SECRET);
    client->state = SOCKS_CLIENT_METHOD;
    socks__next_message(&client->b, 2);
}

static void put_request5(socks_client_t *client)
{
    socks__put_u8(&client->b, SOCKS_VERSION_5);
    socks__put_u8(&client->b, SOCKS_COMMAND_CONNECT);
    socks__put_u8(&client->b, 0);
    socks__put_address(&client->b, client->host, client->port);
    client->state = SOCKS_CLIENT_REPLY;
    socks__next_message(&client->b, SOCKS5_HEAD_LEN);
}

int socks_client_init(socks_client_t *client, socks_version_e version, const char *host,
                      uint16_t port, const char *user, const char *password)
{
    int err;

    *client = (socks_client_t){
        .version = version,
        .host = host,
        .port = port,
        .user = user ? user : "",
        .password = password ? password : "",
        .reply = -1,
    };
    err = check_options(client);
    if (err < 0)
        return err;
    if (version == SOCKS_VERSION_5)
        put_greeting5(client);
    else
        put_request4(client);
    return 0;
}

size_t socks_client_output(socks_client_t *client, const void **data)
{
    return socks__output(&client->b, data);
}

size_t socks_client_need(const socks_client_t *client)
{
    if (client->state == SOCKS_CLIENT_DONE || client->state == SOCKS_CLIENT_FAILED)
        return 0;
    return client->b.in_need - client->b.in_len;
}

static int read_method(socks_client_t *client)
{
    const uint8_t *in = client->b.in;
    bool login = client->user[0] != '\0';

    if (in[0] != SOCKS_VERSION_5)
        return fail(client, HERR_PROTOCOL, "not a SOCKS5 server");
    if (client->b.in_len < client->b.in_need)
        return 0;
    if (in[1] == SOCKS_METHOD_NONE) {
        put_request5(client);
        return 0;
    }
    if (in[1] == SOCKS_METHOD_SECRET && login) {
        socks__put_u8(&client->b, SOCKS_SECRET_VERSION);
        socks__put_text(&client->b, client->user);
        socks__put_text(&client->b, client->password);
        client->state = SOCKS_CLIENT_LOGIN;
        socks__next_message(&client->b, 2);
        return 0;
    }
    if (in[1] != SOCKS_METHOD_REFUSED)
        return fail(client, HERR_PROTOCOL, "the proxy chose a log-in that was not offered");
    return fail(client, HERR_PROXY,
                login ? "the proxy wants another way to log in"
                      : "the proxy wants a user and a password");
}

/* Some servers answer with the version of SOCKS, 5, instead of the one of RFC 1929. */
static int read_login(socks_client_t *client)
{
    const uint8_t *in = client->b.in;

    if (in[0] != SOCKS_SECRET_VERSION && in[0] != SOCKS_VERSION_5)
        return fail(client, HERR_PROTOCOL, "the answer to the log-in is none");
    if (client->b.in_len < client->b.in_need)
        return 0;
    if (in[1] != 0)
        return fail(client, HERR_PROXY, "user or password not accepted");
    put_request5(client);
    return 0;
}

static int refused(socks_client_t *client, const char *text)
{
    char line[SOCKS_ERROR_SIZE];

    if (text)
        return fail(client, HERR_PROXY, text);
    snprintf(line, sizeof(line), "unknown reply %d", client->reply);
    return fail(client, HERR_PROXY, line);
}

static int read_reply5(socks_client_t *client)
{
    const uint8_t *in = client->b.in;
    int got;

    if (in[0] != SOCKS_VERSION_5)
        return fail(client, HERR_PROTOCOL, "the reply is not SOCKS5");
    /* A refusal counts at once: there are servers that leave its address out. */
    if (client->b.in_len >= 2) {
        client->reply = in[1];
        if (in[1] != SOCKS_REPLY_GRANTED)
            return refused(client, in[1] <= SOCKS_REPLY_ADDRESS ? socks_reply_text(in[1]) : NULL);
    }
    if (client->b.in_len < SOCKS5_HEAD_LEN)
        return 0;
    got = socks__get_address(&client->b, client->bound, &client->bound_port);
    if (got < 0)
        return fail(client, HERR_PROTOCOL, "the reply has an unknown type of address");
    if (got > 0)
        client->state = SOCKS_CLIENT_DONE;
    return 0;
}

/* The reply's version is 0; some servers say 4. */
static int read_reply4(socks_client_t *client)
{
    const uint8_t *in = client->b.in;

    if (in[0] != 0 && in[0] != SOCKS_VERSION_4)
        return fail(client, HERR_PROTOCOL, "not a SOCKS4 server");
    if (client->b.in_len < 2)
        return 0;
    client->reply = in[1];
    switch (in[1]) {
    case SOCKS4_GRANTED:
        break;
    case SOCKS4_REFUSED:
        return refused(client, "request refused or failed");
    case SOCKS4_NO_IDENTD:
        return refused(client, "the proxy cannot reach identd on this host");
    case SOCKS4_OTHER_USER:
        return refused(client, "the user is not the one that identd tells");
    default:
        return refused(client, NULL);
    }
    if (client->b.in_len == client->b.in_need) {
        socks__get_ipv4(&client->b, client->bound, &client->bound_port);
        client->state = SOCKS_CLIENT_DONE;
    }
    return 0;
}

static int step(socks_client_t *client)
{
    switch (client->state) {
    case SOCKS_CLIENT_METHOD:
        return read_method(client);
    case SOCKS_CLIENT_LOGIN:
        return read_login(client);
    case SOCKS_CLIENT_REPLY:
        return client->version == SOCKS_VERSION_5 ? read_reply5(client) : read_reply4(client);
    case SOCKS_CLIENT_DONE:
    case SOCKS_CLIENT_FAILED:
        break;
    }
    return 0;
}

ssize_t socks_client_feed(socks_client_t *client, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t left = len;

    if (client->state == SOCKS_CLIENT_FAILED)
        return HERR_PROTOCOL;
    while (left > 0 && socks_client_need(client) > 0) {
        int err;

        socks__collect(&client->b, &p, &left);
        err = step(client);
        if (err < 0)
            return err;
    }
    return (ssize_t)(len - left);
}

bool socks_client_is_done(const socks_client_t *client)
{
    return client->state == SOCKS_CLIENT_DONE;
}

const char *socks_client_error(const socks_client_t *client)
{
    return client->error;
}
