/* dump: what goes over the network, written to files: as it is (-o), or in hex with
 * the direction. */
#ifndef HNC_DUMP_H
#define HNC_DUMP_H

#include "options.h"
#include "view.h"

#include <stddef.h>

typedef struct dump_s dump_t;

/* Opens the files of -o and --hex-dump; without either *dump is NULL. 0, or 1 once a message is
 * printed. */
int dump_open(dump_t **dump, const options_t *o);

/* NULL is legal. A file that cannot be written is reported once and then left alone. */
void dump_data(dump_t *dump, dump_direction_e direction, const void *data, size_t len);

/* 0, or 1 when something could not be written. NULL is legal. */
int dump_close(dump_t *dump);

#endif
