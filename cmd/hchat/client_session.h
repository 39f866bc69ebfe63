/* client_session: the connection to the chat server, and who speaks when.
 *
 * States: connecting (hreconnect) -> connected -> greeted -> quitting -> ended.
 *
 * A server greets ("* you are guest1 in lobby"), or asks for a password first; only then does it
 * hear --nick and --join, and what is piped in. At a server that does not greet, that takes a
 * moment. */
#ifndef HNET_HCHAT_CLIENT_SESSION_H
#define HNET_HCHAT_CLIENT_SESSION_H

#include "client.h"
#include "client_input.h"
#include "client_view.h"
#include "net/hreconnect.h"

#define SESSION_PASSWORD_SIZE 512

typedef struct session_s session_t;

/* Embedded by value, zeroed; the first members are set before it is opened. */
struct session_s {
    void (*ended_cb)(session_t *session, int status); /* it is over, and is to be stopped */
    view_t *view;
    input_t *input;
    words_t *words;
    const client_options_t *options;
    hloop_t *loop;
    hreconnect_t *rc;
    hio_t *io; /* connected */
    line_t cut;
    htimer_t *greeting, *partial, *quit;
    bool greeted, password_sent, quitting, stopped;
    bool asked;                                        /* for a password, and not greeted since */
    bool heard;                                        /* anything of this server */
    bool lost;                                         /* lines that came too fast for it */
    char nick[CLIENT_NAME_MAX], room[CLIENT_NAME_MAX]; /* told again after a reconnect */
    char password[SESSION_PASSWORD_SIZE];
};

/* Takes what the options say, and reads the password. These two: 0, or an exit status after a line
 * on stderr. */
int session_init(session_t *session, const client_options_t *options);
int session_open(session_t *session, hloop_t *loop, const hendpoint_t *to);

/* A line of the user's; one that is /quit ends the session. */
void session_say(session_t *session, const char *text, size_t len);

/* Says these words to the server, which then closes; it need not be connected. Once. */
void session_quit(session_t *session, const char *words, size_t len);

/* There is room for what the server says again. */
void session_read_on(session_t *session);

/* Nothing more is said or heard. Before the loop is freed; legal if it was never opened. */
void session_stop(session_t *session);
void session_deinit(session_t *session);

#endif
