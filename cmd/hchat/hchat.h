/* hchat: the rooms of its house.
 *
 *     hchat.c       documentation, main: server or client
 *     options.c     the option table
 *     server.c      signals, from the start to the end; server_open.c what the options name
 *     accept.c      who may come in
 *     member.c      one connection: what it says, what it is told, why it goes
 *     talk.c        what the commands do
 *     hall.c        rooms and people: room_event(), through which goes all that happens in rooms;
 *                   hall_remote.c those at other servers
 *     room.c        one room: what its members are told, together (chunk.c), and kept (history.c)
 *     deadline.c    many time limits of one length
 *     report.c      lines for the operator, text and JSON
 *   pure, without clock, loop and sockets:
 *     line.c        bytes -> lines, bounded; telnet taken out
 *     command.c     a line -> what is wanted
 *     name.c        names of people and rooms
 *     text.c        what strangers write, made harmless
 *     flood.c       how fast somebody may write
 *     event.c       what happens, as JSON for other servers; render.c as a line for people
 *   the client and the broker:
 *     client.c      hchat HOST PORT: client_session.c who speaks when, client_input.c what is
 *                   typed, client_view.c what is shown, client_words.c what Tab knows
 *     link.c        --broker: other servers' rooms and ours are one
 *
 * A person is in one room at a time. A line is rendered once, and every member of the room is sent
 * the same bytes. Nobody waits for a slow reader: his queue grows up to a bound, and he is
 * dropped. */
#ifndef HNET_HCHAT_HCHAT_H
#define HNET_HCHAT_HCHAT_H

#include "options.h"

#define HCHAT_ENDPOINTS_MAX 64

/* server.c: serves until it is told to stop; the exit status. */
int server_main(const hchat_options_t *options, const hopt_list_t *endpoints);

#endif
