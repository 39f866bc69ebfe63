/* hcarry: what comes from one stream goes straight to another, past the read callback: in the
 * kernel alone from a plain file to a plain socket (sendfile) and from a pipe that brings much
 * (splice; little is copied, as the kernel would hand on a page for each piece of it), else through
 * a buffer of up to 1 MiB that exists only while bytes are in it, or, while no more than little
 * comes, through that of the loop. (No splice between two sockets: it takes less CPU time but moves
 * fewer bytes a second. Copies also where BBR paces what stays within the machine.)
 *
 * Ends, errors and back-pressure stay the program's: it stops reading `from` when
 * hio_write_above_high(to) holds after a call of its callback, and goes on in the drained callback
 * of `to`, which runs when `to` has room and nothing is queued. A rate limit, a time limit and
 * hio_read_stop work as ever. Framing of `from` comes first: while it is set the read callback gets
 * the messages. */
#ifndef HNET_NET_HCARRY_H
#define HNET_NET_HCARRY_H

#include "../event/hio.h"

#ifdef __cplusplus
extern "C" {
#endif

/* After bytes went from `from` to `to`: how many, 0 when `to` takes no more now; negative when they
 * could not be written (what hio_write says), and then they are lost unless `to` is closed. It may
 * close either and may call hcarry_stop. */
typedef void (*hcarry_cb)(hio_t *from, hio_t *to, ssize_t n);

/* Carries from now on, or to another `to`. Ends by itself with either hio; while `to` is gone, or
 * `from` has another read callback than now, or the memory for a buffer is missing, bytes go to the
 * read callback. 0, -ENOTSUP (datagrams), -ENOMEM. */
int hcarry_start(hio_t *from, hio_t *to, hcarry_cb cb);

/* From now on bytes go to the read callback. Legal at any time. */
void hcarry_stop(hio_t *from);

/* Whether the kernel alone carries between these two, as they are now: not if SIGPIPE is not
 * ignored, which it would raise. What it takes from a pipe are the writer's pages: one who lent
 * them (vmsplice) must not write to them again. */
bool hcarry_is_kernel(const hio_t *from, const hio_t *to);

#ifdef __cplusplus
}
#endif

#endif
