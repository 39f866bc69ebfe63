/* hframe: messages out of a byte stream. A frame that lies whole in what was read is handed to the
 * read callback where it lies; the connection owns memory only while it holds a part of a frame, or
 * bytes that came while reading was stopped.
 *
 * In the read callback everything is allowed: closing the hio, stopping, asking for another kind of
 * piece, changing or removing the framing. What was read behind the piece is kept and cut by the
 * rules that hold then.
 *
 * A frame above its maximum closes the hio with HERR_FRAME_SIZE, one that cannot be with
 * HERR_FRAME, both at once (hio_abort). At the peer's end of data an incomplete frame or piece is
 * dropped; the cause of the close stays 0. */
#ifndef HNET_NET_HFRAME_H
#define HNET_NET_HFRAME_H

#include "../codec/unpack.h"
#include "../event/hio.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Cuts what is read into frames from now on, also what is held. The setting is copied. NULL removes
 * the framing. 0, -EINVAL (not a setting, or a datagram socket), -ENOMEM, HERR_CLOSED: then nothing
 * has changed. */
int hio_set_unpack(hio_t *io, const unpack_setting_t *setting);
void hio_unset_unpack(hio_t *io);

/* Delivers exactly len bytes once, then stops reading; what came behind them is for the next call.
 * The read callback never runs inside. 0, -EINVAL (len is 0 or above the maximum piece), -ENOMEM,
 * HERR_CLOSED. */
int hio_read_until_length(hio_t *io, unsigned int len);

/* The same for everything up to and with the next delim. */
int hio_read_until_delim(hio_t *io, unsigned char delim);

#define hio_readline(io) hio_read_until_delim((io), '\n')
#define hio_readstring(io) hio_read_until_delim((io), '\0')
#define hio_readbytes(io, len) hio_read_until_length((io), (len))

/* The longest piece that hio_read_until_* wait for, 1 byte to 1 GiB; default 2 MiB
 * (DEFAULT_PACKAGE_MAX_LENGTH). The maximum of hio_set_unpack is in its setting. 0, -EINVAL,
 * -ENOMEM, HERR_CLOSED. */
int hio_set_max_read_bufsize(hio_t *io, uint32_t size);

#ifdef __cplusplus
}
#endif

#endif
