#include "command.h"
#include "member.h"
#include "text.h"

#include <string.h>

static void tell_help(member_t *m)
{
    hall_t *hall = &m->server->hall;
    const char *help;

    for (size_t i = 0; (help = command_help(i)) != NULL; i++)
        hall_tell(hall, &m->person, "* %s\n", help);
    hall_tell(hall, &m->person, "* anything else is said to the room; \"//text\" says \"/text\"\n");
}

/* A name that is to be one; false: he was told why not. */
static bool take_name(member_t *m, hbuf_t word, command_e kind, char name[NAME_SIZE])
{
    const char *why = word.len ? name_take(name, word.base, word.len) : "";

    if (why && !*why)
        hall_tell(&m->server->hall, &m->person, "* how it is used: %s\n", command_usage(kind));
    else if (why)
        hall_tell(&m->server->hall, &m->person, "* that is no name: %s\n", why);
    return !why;
}

/* The text made harmless, in server->text; false: there is none, or no memory. */
static bool take_text(member_t *m, hbuf_t text)
{
    hbytes_clear(&m->server->text);
    if (text_append(&m->server->text, text.base, text.len) == 0)
        return true;
    hall_tell(&m->server->hall, &m->person,
              "* that was not passed on: the server is short of memory\n");
    return false;
}

static void answer(member_t *m, const char *why)
{
    if (why)
        hall_tell(&m->server->hall, &m->person, "* %s\n", why);
}

static void say(member_t *m, event_kind_e kind, hbuf_t text)
{
    const hbytes_t *harmless = &m->server->text;

    if (take_text(m, text))
        hall_say(&m->server->hall, &m->person, kind, harmless->len ? harmless->data : "",
                 harmless->len);
}

static void act(member_t *m, const command_t *command)
{
    if (command->text.len == 0)
        hall_tell(&m->server->hall, &m->person, "* how it is used: %s\n",
                  command_usage(COMMAND_ME));
    else
        say(m, EVENT_ME, command->text);
}

static void tell_topic(member_t *m)
{
    const room_t *room = m->person.room;

    if (room && room->topic)
        hall_tell(&m->server->hall, &m->person, "* the topic: %s\n", room->topic);
    else
        answer(m, "there is no topic");
}

static void take_topic(member_t *m, hbuf_t text)
{
    if (text.len == 0)
        tell_topic(m);
    else if (take_text(m, text) && m->server->text.len > ROOM_TOPIC_MAX)
        hall_tell(&m->server->hall, &m->person, "* a topic has %zu bytes at most\n",
                  ROOM_TOPIC_MAX);
    else
        say(m, EVENT_TOPIC, text);
}

static void message(member_t *m, const command_t *command)
{
    const hbytes_t *text = &m->server->text;
    char name[NAME_SIZE];

    if (command->text.len == 0)
        hall_tell(&m->server->hall, &m->person, "* how it is used: %s\n",
                  command_usage(COMMAND_MSG));
    else if (take_name(m, command->word, COMMAND_MSG, name) && take_text(m, command->text))
        answer(m, hall_private(&m->server->hall, &m->person, name, text->data, text->len));
}

static void quit(member_t *m, const command_t *command)
{
    const hbytes_t *text = &m->server->text;

    if (take_text(m, command->text))
        hall_leave(&m->server->hall, &m->person, text->len ? text->data : "", text->len);
    member_drop(m, "* good bye\n", "quit");
}

static void unknown(member_t *m, const command_t *command)
{
    if (take_text(m, command->word))
        hall_tell(&m->server->hall, &m->person, "* there is no command /%s: /help tells which\n",
                  m->server->text.len ? m->server->text.data : "");
}

static void carry_out(member_t *m, const command_t *command)
{
    hall_t *hall = &m->server->hall;
    person_t *person = &m->person;
    char name[NAME_SIZE];

    switch (command->kind) {
    case COMMAND_NOTHING:
        break;
    case COMMAND_SAY:
        say(m, EVENT_SAY, command->text);
        break;
    case COMMAND_NICK:
        if (take_name(m, command->text, command->kind, name))
            answer(m, hall_rename(hall, person, name));
        break;
    case COMMAND_JOIN:
        if (take_name(m, command->text, command->kind, name))
            answer(m, hall_enter(hall, person, name));
        break;
    case COMMAND_LEAVE:
        answer(m, hall_enter(hall, person, hall->options.first_room));
        break;
    case COMMAND_WHO:
        if (command->text.len == 0)
            answer(m, hall_who(hall, person, NULL));
        else if (take_name(m, command->text, command->kind, name))
            answer(m, hall_who(hall, person, name));
        break;
    case COMMAND_ROOMS:
        hall_rooms(hall, person);
        break;
    case COMMAND_MSG:
        message(m, command);
        break;
    case COMMAND_ME:
        act(m, command);
        break;
    case COMMAND_TOPIC:
        take_topic(m, command->text);
        break;
    case COMMAND_HELP:
        tell_help(m);
        break;
    case COMMAND_QUIT:
        quit(m, command);
        break;
    case COMMAND_UNKNOWN:
        unknown(m, command);
        break;
    }
}

void talk_take(member_t *m, hbuf_t line)
{
    command_t command = command_parse(line.base, line.len);

    carry_out(m, &command);
}
