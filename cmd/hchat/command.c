#include "command.h"

#include <string.h>
#include <strings.h>

typedef struct row_s {
    const char *name;
    command_e kind;
    const char *usage; /* NULL: another name of the one above */
    const char *help;
} row_t;

static const row_t rows[] = {
    {"nick", COMMAND_NICK, "/nick NAME", "/nick NAME        take another name"},
    {"join", COMMAND_JOIN, "/join ROOM", "/join ROOM        go into another room"},
    {"leave", COMMAND_LEAVE, "/leave", "/leave            go back to the first room"},
    {"part", COMMAND_LEAVE, NULL, NULL},
    {"who", COMMAND_WHO, "/who [ROOM]", "/who [ROOM]       who is there"},
    {"names", COMMAND_WHO, NULL, NULL},
    {"rooms", COMMAND_ROOMS, "/rooms", "/rooms            the rooms in which somebody is"},
    {"list", COMMAND_ROOMS, NULL, NULL},
    {"msg", COMMAND_MSG, "/msg NAME TEXT", "/msg NAME TEXT    tell one person alone"},
    {"me", COMMAND_ME, "/me TEXT", "/me TEXT          tell what you do"},
    {"topic", COMMAND_TOPIC, "/topic [TEXT]", "/topic [TEXT]     what the room talks about"},
    {"help", COMMAND_HELP, "/help", "/help             this"},
    {"quit", COMMAND_QUIT, "/quit [TEXT]", "/quit [TEXT]      leave, with a last word"},
    {"exit", COMMAND_QUIT, NULL, NULL},
    {"bye", COMMAND_QUIT, NULL, NULL},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static hbuf_t trim(hbuf_t text)
{
    while (text.len > 0 && (text.base[0] == ' ' || text.base[0] == '\t')) {
        text.base++;
        text.len--;
    }
    while (text.len > 0 && (text.base[text.len - 1] == ' ' || text.base[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Takes the first word off. */
static hbuf_t take_word(hbuf_t *text)
{
    hbuf_t word;

    *text = trim(*text);
    word = (hbuf_t){text->base, 0};
    while (word.len < text->len && word.base[word.len] != ' ' && word.base[word.len] != '\t')
        word.len++;
    *text = trim((hbuf_t){text->base + word.len, text->len - word.len});
    return word;
}

static command_e find(hbuf_t name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(rows[i].name) == name.len && strncasecmp(rows[i].name, name.base, name.len) == 0)
            return rows[i].kind;
    }
    return COMMAND_UNKNOWN;
}

command_t command_parse(const char *line, size_t len)
{
    command_t command = {.text = {(char *)line, len}};
    hbuf_t rest, name;

    if (trim(command.text).len == 0)
        return command;
    command.kind = COMMAND_SAY;
    if (line[0] != '/')
        return command;
    rest = (hbuf_t){(char *)line + 1, len - 1};
    if (rest.len > 0 && rest.base[0] == '/') {
        command.text = rest;
        return command;
    }
    name = take_word(&rest);
    command.kind = find(name);
    command.text = rest;
    command.word = take_word(&rest);
    if (command.kind == COMMAND_MSG)
        command.text = rest;
    if (command.kind == COMMAND_UNKNOWN)
        command.word = name;
    return command;
}

const char *command_help(size_t i)
{
    for (size_t row = 0; row < ROWS; row++) {
        if (rows[row].help && i-- == 0)
            return rows[row].help;
    }
    return NULL;
}

const char *command_usage(command_e kind)
{
    for (size_t row = 0; row < ROWS; row++) {
        if (rows[row].kind == kind && rows[row].usage)
            return rows[row].usage;
    }
    return "/help";
}
