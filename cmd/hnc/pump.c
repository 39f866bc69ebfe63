#include "pump.h"

#include "base/hmem.h"

#include <string.h>

void pump_init(pump_t *pump, size_t size, size_t room, pump_empty_cb empty_cb, void *arg)
{
    memset(pump, 0, sizeof(*pump));
    pump->size = size;
    pump->room = room;
    pump->empty_cb = empty_cb;
    pump->arg = arg;
    for (int i = 0; i < PUMP_BUFFERS; i++)
        pump->buffers[i].pump = pump;
}

void pump_deinit(pump_t *pump)
{
    for (int i = 0; i < PUMP_BUFFERS; i++)
        hmem_free(pump->buffers[i].memory);
}

static void update_reading(pump_t *pump)
{
    if (!pump->source)
        return;
    if (pump->current && !pump->held)
        hio_read(pump->source);
    else
        hio_read_stop(pump->source);
}

/* It gets its memory at its first use. */
static bool make(pump_t *pump, pump_buffer_t *buffer)
{
    if (buffer->memory)
        return true;
    buffer->memory = hmem_alloc(pump->size + pump->room + HMEM_LINE - 1);
    if (!buffer->memory)
        return false;
    buffer->data = hmem_at_line(buffer->memory);
    return true;
}

/* Reads into this buffer from now on. */
static int use(pump_t *pump, pump_buffer_t *buffer)
{
    int err;

    if (!make(pump, buffer))
        return -ENOMEM;
    err = hio_set_readbuf(pump->source, buffer->data, pump->size);
    if (err == 0)
        pump->current = buffer;
    return err;
}

static pump_buffer_t *find_free(pump_t *pump)
{
    for (int i = 0; i < PUMP_BUFFERS; i++) {
        if (pump->buffers[i].users == 0)
            return &pump->buffers[i];
    }
    return NULL;
}

static void advance(pump_t *pump)
{
    pump_buffer_t *next = find_free(pump);

    pump->current = NULL;
    if (pump->source && next && use(pump, next) < 0)
        hio_abort(pump->source, -ENOMEM);
    update_reading(pump);
}

int pump_start(pump_t *pump, hio_t *source)
{
    pump_buffer_t *next = find_free(pump);
    int err;

    pump->source = source;
    pump->current = NULL;
    err = next ? use(pump, next) : 0;
    update_reading(pump);
    return err;
}

void pump_stop(pump_t *pump)
{
    pump->source = NULL;
    pump->current = NULL;
}

void pump_hold(pump_t *pump, bool hold)
{
    pump->held = hold;
    update_reading(pump);
}

pump_buffer_t *pump_lend(pump_t *pump)
{
    pump_buffer_t *buffer = find_free(pump);

    if (!buffer || !make(pump, buffer))
        return NULL;
    buffer->users = 1;
    return buffer;
}

pump_buffer_t *pump_take(pump_t *pump)
{
    pump->current->users = 1;
    return pump->current;
}

bool pump_is_empty(const pump_t *pump)
{
    for (int i = 0; i < PUMP_BUFFERS; i++) {
        if (pump->buffers[i].users > 0)
            return false;
    }
    return true;
}

void pump_release(pump_buffer_t *buffer)
{
    pump_t *pump = buffer->pump;

    if (--buffer->users > 0)
        return;
    if (pump->source && !pump->current)
        advance(pump);
    if (pump->empty_cb && pump_is_empty(pump))
        pump->empty_cb(pump, pump->arg);
}

void pump_taken(pump_buffer_t *buffer)
{
    pump_t *pump = buffer->pump;

    pump_release(buffer);
    if (pump->source && pump->current == buffer && buffer->users > 0)
        advance(pump);
}

static void on_sent(void *buf, void *arg)
{
    (void)buf;
    pump_release(arg);
}

int pump_write(pump_buffer_t *buffer, hio_t *to, const char *data, size_t len)
{
    int rc;

    buffer->users++;
    rc = hio_write_nocopy(to, data, len, on_sent, buffer);
    if (rc >= 0)
        return 0;
    buffer->users--;
    if (rc != HERR_CLOSED && hio_is_opened(to) && hio_error(to) == 0)
        hio_abort(to,
                  rc); /* refused, not broken: but without this piece it is no stream any more */
    return rc;
}
