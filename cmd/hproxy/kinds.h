/* kinds: how the sessions of a service are served: one file each. */
#ifndef HPROXY_KINDS_H
#define HPROXY_KINDS_H

#include "session.h"

/* stream.c: takes an accepted hio of a listener; tls: it speaks TLS. Always takes it. */
void stream_accept(service_t *service, hio_t *io, bool tls);
/* Ends all streams of the service, with SESSION_STOPPED. */
void stream_end_all(service_t *service);

/* stream.c: a session that forward_accept was given is over: session_end, and its memory goes. Its
 * hio is the caller's. */
void stream_end(session_t *session, session_end_e end, const char *why);

/* stream.c: the client of such a session has been joined to this target (hio_relay): from here on
 * both hio, their callbacks and user data, the limits of time and bytes, the counting and the end
 * are stream.c's. */
void stream_joined(session_t *session, hio_t *client, hio_t *target);

/* datagram.c: serves a datagram socket; its hio is taken in any case. 0 or a negative error. */
int datagrams_listen(service_t *service, hio_t *io);
/* No new flows; those that are go on until they are idle. NULL is legal for all of these. */
void datagrams_stop(struct datagrams_s *datagrams);
/* They have so long at most, after which all ends: those that are silent for a fifth of it are
 * over before. */
void datagrams_hurry(struct datagrams_s *datagrams, uint32_t timeout_ms);
void datagrams_free(struct datagrams_s *datagrams);

/* forward.c: what the service needs for all of its clients. 0, or a negative error and words. */
int forward_new(service_t *service, struct forward_s **forward, hbytes_t *why);
/* Takes over a session that was admitted, and its hio: open, not reading, no callbacks (TLS, if
 * any, is done). It calls stream_end or stream_joined once. */
void forward_accept(struct forward_s *forward, session_t *session, hio_t *io);
void forward_free(struct forward_s *forward);

#endif
