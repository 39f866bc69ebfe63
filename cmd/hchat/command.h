/* command: what somebody wants with a line. Pure. */
#ifndef HNET_HCHAT_COMMAND_H
#define HNET_HCHAT_COMMAND_H

#include "base/hbuf.h"

typedef enum command_e {
    COMMAND_NOTHING = 0, /* an empty line */
    COMMAND_SAY,         /* text; "//text" says "/text" */
    COMMAND_NICK,
    COMMAND_JOIN,
    COMMAND_LEAVE,
    COMMAND_WHO,
    COMMAND_ROOMS,
    COMMAND_MSG,
    COMMAND_ME,
    COMMAND_TOPIC,
    COMMAND_HELP,
    COMMAND_QUIT,
    COMMAND_UNKNOWN /* word: what it is called */
} command_e;

typedef struct command_s {
    command_e kind;
    hbuf_t
        word; /* the first word behind the command, or of an unknown one its name; may be empty */
    hbuf_t text; /* MSG: what follows that word; else everything behind the command */
} command_t;

/* Parts lie within the line, without the space around them (SAY keeps it). Names of commands are
 * known in either case. */
command_t command_parse(const char *line, size_t len);

/* How a command is used: "/msg NAME TEXT", and what it does; NULL past the last. */
const char *command_help(size_t i);

/* The same for one of them, in a line that says what it lacks. */
const char *command_usage(command_e kind);

#endif
