/* redis_fixture: a server of the test that answers as Redis does, or as it should not. Include it
 * after cmocka.h and loop_test.h. */
#ifndef HNET_TESTS_REDIS_FIXTURE_H
#define HNET_TESTS_REDIS_FIXTURE_H

#include "proto/redis_reply.h"

#include <stdio.h>

#define REDIS_FAKE_CLIENTS 64

struct redis_fake_s;

/* One connection to the server. */
typedef struct redis_fake_client_s {
    struct redis_fake_s *fake;
    hio_t *io; /* NULL: gone */
    redis_reader_t *reader;
    bool subscribed;
} redis_fake_client_t;

typedef struct redis_fake_s {
    hloop_t *loop;
    hio_t *listener;
    uint16_t port;
    redis_fake_client_t clients[REDIS_FAKE_CLIENTS];
    size_t accepted;
    /* What it does. */
    const char *password;   /* it wants this one */
    const char *on_connect; /* ... says at once */
    const char *on_publish; /* ... answers instead */
    bool silent;            /* it never answers */
    bool bytewise;          /* it sends one byte at a time */
    bool forgetful;         /* it does not keep what it saw */
    /* What it saw. */
    char commands[65536]; /* "SUBSCRIBE chat\n..." */
    size_t commands_len;
    int pings;
    int err; /* memory */
} redis_fake_t;

static inline void redis_fake_say(redis_fake_client_t *client, const char *text, size_t len)
{
    size_t step = client->fake->bytewise ? 1 : len;

    for (size_t at = 0; at < len && client->io; at += step)
        (void)hio_write(client->io, text + at, step);
}

static inline void redis_fake_say_text(redis_fake_client_t *client, const char *text)
{
    redis_fake_say(client, text, strlen(text));
}

static inline void redis_fake_note(redis_fake_t *f, const redis_reply_t *command)
{
    if (f->forgetful)
        return;
    for (size_t i = 0; i < command->count; i++)
        f->commands_len +=
            (size_t)snprintf(f->commands + f->commands_len, sizeof(f->commands) - f->commands_len,
                             "%s%s", command->items[i]->text, i + 1 < command->count ? " " : "\n");
    assert_true(f->commands_len < sizeof(f->commands));
}

static inline void redis_fake_publish(redis_fake_t *f, const redis_reply_t *channel,
                                      const redis_reply_t *message)
{
    char head[256];

    snprintf(head, sizeof(head), "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n", channel->len,
             channel->text, message->len);
    for (size_t i = 0; i < f->accepted; i++) {
        if (!f->clients[i].io || !f->clients[i].subscribed)
            continue;
        redis_fake_say_text(&f->clients[i], head);
        redis_fake_say(&f->clients[i], message->text, message->len);
        redis_fake_say_text(&f->clients[i], "\r\n");
    }
}

static inline void redis_fake_confirm(redis_fake_client_t *client, const char *verb,
                                      const redis_reply_t *name)
{
    char text[512];

    snprintf(text, sizeof(text), "*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n:1\r\n", strlen(verb), verb,
             name->len, name->text);
    client->subscribed = true;
    redis_fake_say_text(client, text);
}

static inline void redis_fake_answer_ping(redis_fake_client_t *client)
{
    client->fake->pings++;
    redis_fake_say_text(client,
                        client->subscribed ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n");
}

static inline void redis_fake_answer_auth(redis_fake_client_t *client,
                                          const redis_reply_t *password)
{
    const char *wanted = client->fake->password;

    if (wanted && redis_reply_is(password, REDIS_STRING, wanted))
        redis_fake_say_text(client, "+OK\r\n");
    else if (wanted)
        redis_fake_say_text(client,
                            "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    else
        redis_fake_say_text(
            client, "-ERR unknown command `AUTH`, with args beginning with: `topsecret`\r\n");
}

static inline int redis_fake_on_command(const redis_reply_t *command, void *arg)
{
    redis_fake_client_t *client = arg;
    redis_fake_t *f = client->fake;
    redis_reply_t *const *words = command->items;
    const char *verb;

    assert_int_equal(command->type, REDIS_ARRAY);
    verb = words[0]->text;
    redis_fake_note(f, command);
    if (f->silent)
        return 0;
    if (strcmp(verb, "PING") == 0)
        redis_fake_answer_ping(client);
    else if (strcmp(verb, "AUTH") == 0)
        redis_fake_answer_auth(client, words[command->count - 1]);
    else if (strcmp(verb, "SELECT") == 0)
        redis_fake_say_text(client, "+OK\r\n");
    else if (strcmp(verb, "SUBSCRIBE") == 0)
        redis_fake_confirm(client, "subscribe", words[1]);
    else if (strcmp(verb, "PSUBSCRIBE") == 0)
        redis_fake_confirm(client, "psubscribe", words[1]);
    else if (strcmp(verb, "PUBLISH") == 0 && f->on_publish)
        redis_fake_say_text(client, f->on_publish);
    else if (strcmp(verb, "PUBLISH") == 0) {
        redis_fake_publish(f, words[1], words[2]);
        redis_fake_say_text(client, ":1\r\n");
    }
    return 0;
}

static inline void redis_fake_on_read(hio_t *io, void *buf, int len)
{
    redis_fake_client_t *client = hevent_userdata(io);
    int err = redis_reader_feed(client->reader, buf, (size_t)len, redis_fake_on_command, client);

    if (err < 0) {
        assert_int_equal(err, -ENOMEM);
        client->fake->err = err;
        hio_close(io);
    }
}

static inline void redis_fake_on_close(hio_t *io)
{
    redis_fake_client_t *client = hevent_userdata(io);

    client->io = NULL;
    redis_reader_free(client->reader);
    client->reader = NULL;
}

static inline void redis_fake_on_accept(hio_t *io)
{
    redis_fake_t *f = hevent_userdata(io);
    redis_fake_client_t *client = &f->clients[f->accepted];

    assert_true(f->accepted < REDIS_FAKE_CLIENTS);
    if (redis_reader_new(&client->reader) < 0) {
        f->err = -ENOMEM;
        hio_setcb_close(io, NULL);
        hio_close(io);
        return;
    }
    f->accepted++;
    client->fake = f;
    client->io = io;
    client->subscribed = false;
    hevent_set_userdata(io, client);
    hio_setcb_read(io, redis_fake_on_read);
    hio_setcb_close(io, redis_fake_on_close);
    hio_read(io);
    if (f->on_connect)
        redis_fake_say_text(client, f->on_connect);
}

static inline int redis_fake_open(redis_fake_t *f)
{
    struct sockaddr_in addr;
    int fd;

    loopback(&addr);
    addr.sin_port = htons(f->port);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &(socklen_t){sizeof(addr)}), 0);
    f->port = ntohs(addr.sin_port);
    f->listener = hio_get(f->loop, fd);
    if (!f->listener) {
        close(fd);
        return -ENOMEM;
    }
    hevent_set_userdata(f->listener, f);
    hio_setcb_accept(f->listener, redis_fake_on_accept);
    return hio_accept(f->listener);
}

static inline void redis_fake_drop(redis_fake_t *f)
{
    for (size_t i = 0; i < f->accepted; i++) {
        if (f->clients[i].io)
            hio_close(f->clients[i].io);
    }
}

static inline void redis_fake_close(redis_fake_t *f)
{
    hio_close(f->listener);
    f->listener = NULL;
    redis_fake_drop(f);
}

#endif
