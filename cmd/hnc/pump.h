/* pump: reads an hio into large buffers of its own, which are handed on without copying. While all
 * of them are on their way out the hio is not read: that is the back-pressure.
 *
 * Each buffer counts its users: the read callback takes it, every write adds one, the last to let
 * go makes it free. The buffers live until pump_deinit, which comes after the loop is freed. */
#ifndef HNC_PUMP_H
#define HNC_PUMP_H

#include "event/hio.h"

#define PUMP_BUFFERS 2
#define PUMP_SIZE ((size_t)1024 * 1024)    /* of a buffer */
#define PUMP_TLS_SIZE ((size_t)512 * 1024) /* ... for TLS: caches hold it and its records */

typedef struct pump_s pump_t;

typedef struct pump_buffer_s {
    pump_t *pump;
    char *data; /* within memory, which is the allocation */
    char *memory;
    unsigned users;
} pump_buffer_t;

/* All buffers are free again. */
typedef void (*pump_empty_cb)(pump_t *pump, void *arg);

struct pump_s {
    hio_t *source; /* NULL: none now */
    pump_buffer_t buffers[PUMP_BUFFERS];
    pump_buffer_t *current; /* being read into; NULL: none is free */
    size_t size;            /* bytes of a buffer that are read into */
    size_t room;            /* bytes behind them that are the program's */
    bool held;              /* not reading because the program said so */
    pump_empty_cb empty_cb;
    void *arg;
};

void pump_init(pump_t *pump, size_t size, size_t room, pump_empty_cb empty_cb, void *arg);
void pump_deinit(pump_t *pump);

/* Begins to read this hio, whose read callback calls pump_take. 0 or -ENOMEM. */
int pump_start(pump_t *pump, hio_t *source);

/* The source is closed or has ended. */
void pump_stop(pump_t *pump);

/* A free buffer for data that does not come from the source, with one user: the caller, who ends
 * with pump_taken. NULL: all are in use (the empty callback tells when not), or out of memory. */
pump_buffer_t *pump_lend(pump_t *pump);

/* Stops reading, and goes on. */
void pump_hold(pump_t *pump, bool hold);

/* In the read callback: the buffer that was filled, with one user: the caller. */
pump_buffer_t *pump_take(pump_t *pump);

/* At the end of the read callback: lets go of it, and reads into another one if it is
 * still in use. */
void pump_taken(pump_buffer_t *buffer);

/* One more user than the caller and the writes lets go. */
void pump_release(pump_buffer_t *buffer);

/* Sends a part of the buffer without copying. 0, or the error of hio_write_nocopy; then `to` closes
 * with it. */
int pump_write(pump_buffer_t *buffer, hio_t *to, const char *data, size_t len);

/* Whether nothing that was read is still on its way. */
bool pump_is_empty(const pump_t *pump);

#endif
