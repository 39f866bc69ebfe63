/* history: the last lines of a room, for those who come in. */
#ifndef HNET_HCHAT_HISTORY_H
#define HNET_HCHAT_HISTORY_H

#include "base/hbuf.h"
#include "base/hlist.h"

#include <stdint.h>

/* A room keeps no more than this, however many lines it may keep. */
#define HISTORY_BYTES_MAX ((size_t)64 * 1024)

typedef struct history_s {
    hlist_t lines;
    size_t count, bytes;
} history_t;

void history_init(history_t *history);
void history_deinit(history_t *history);

/* Keeps a line (a copy), and at most lines_max in all. Without memory it is not kept. */
void history_add(history_t *history, uint32_t lines_max, const char *line, size_t len);

/* Appends all lines, the oldest first. 0, -ENOMEM, -ENOBUFS. */
int history_write(const history_t *history, hbytes_t *out);

#endif
