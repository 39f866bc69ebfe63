/* The input is JSON that came from another server. What is taken for an event is written again and
 * read again as the same one, can be shown to people, and does a hall no harm. */
#include "../../cmd/hchat/event.h"
#include "../../cmd/hchat/hall.h"
#include "base/hstr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_same(const event_t *a, const event_t *b)
{
    check(a->kind == b->kind && a->time_ms == b->time_ms && a->text_len == b->text_len);
    check(strcmp(a->server, b->server) == 0 && strcmp(a->room, b->room) == 0);
    check(strcmp(a->name, b->name) == 0 && strcmp(a->other, b->other) == 0);
    check(a->text_len == 0 || memcmp(a->text, b->text, a->text_len) == 0);
}

static void check_again(const event_t *event)
{
    hbytes_t json = {0}, text = {0};
    event_t again;

    check(event_write(event, &json) == 0);
    check(event_read(&again, json.data, json.len, &text) == 0);
    check_same(event, &again);
    hbytes_deinit(&json);
    hbytes_deinit(&text);
}

static void hear(person_t *person, const char *data, size_t len)
{
    (void)person;
    check(len > 0 && data[len - 1] == '\n');
    for (size_t i = 0; i < len; i++)
        check((unsigned char)data[i] >= ' ' || data[i] == '\n');
}

static void give(person_t *person, chunk_t *chunk, size_t from)
{
    hear(person, chunk->data + from, chunk->len - from);
}

static void on_wake(void *userdata)
{
    (void)userdata;
}

static void on_happened(const event_t *event, bool here, void *userdata)
{
    (void)event;
    (void)here;
    (void)userdata;
}

static uint64_t on_now(void *userdata)
{
    (void)userdata;
    return 0;
}

/* To a hall in which there is "bob"; twice, and then its server goes. */
static void check_hall(const event_t *event)
{
    static hall_t hall;
    const hall_options_t options = {.first_room = "lobby", .server = "m", .history_lines = 3};
    const hall_ops_t ops = {.room = {.tell = hear, .give = give},
                            .wake = on_wake,
                            .happened = on_happened,
                            .now_ms = on_now};
    person_t bob = {0};

    hall_init(&hall, &options, &ops);
    hall_welcome(&hall, &bob);
    check(!hall_rename(&hall, &bob, "bob"));
    hall_remote(&hall, event);
    hall_remote(&hall, event);
    hall_flush(&hall, 1000000);
    check(hall_find(&hall, bob.name) == &bob);
    check(hall.remotes_n <= 1);
    hall_server_gone(&hall, event->server);
    check(hall.remotes_n == 0);
    hall_flush(&hall, 2000000);
    hall_leave(&hall, &bob, "", 0);
    hall_deinit(&hall);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hbytes_t text = {0};
    event_t event;
    int err = event_read(&event, (const char *)data, size, &text);

    check(err <= 0);
    if (err == 0) {
        check_again(&event);
        check_hall(&event);
    }
    hbytes_deinit(&text);
    return 0;
}
