/* lines: a connection that is answered line by line, each with the prefix in front. */
#ifndef HNET_HECHO_LINES_H
#define HNET_HECHO_LINES_H

#include "client.h"

/* The longest line that is answered, without its end. A longer one is told to the client, which is
 * then closed. */
#define LINES_SIZE_MAX ((size_t)64 * 1024)

/* NULL when out of memory. */
lines_t *lines_new(void);
void lines_free(lines_t *lines);

/* The callbacks of the connection. */
void lines_on_read(hio_t *io, void *buf, int len);
void lines_on_drained(hio_t *io);
void lines_on_eof(hio_t *io);

#endif
