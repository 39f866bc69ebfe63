/* Two rules say where the next piece ends: `piece` (hio_read_until_*, for one delivery) before
 * `base` (hio_set_unpack; without a mode bytes pass as they come). Callbacks may change both at any
 * time, so they are looked at again for every piece.
 *
 * held is what was read and not delivered: a part of a frame, or what came behind the piece after
 * which reading stopped. While it is being cut it belongs to the cutting function, and is put back
 * afterwards: no callback can pull it away. */
#include "hframe.h"

#include "../base/hmem.h"
#include "hfilter_int.h"

#define PIECE_MAX (1u << 30)

typedef struct hframe_s {
    unpack_setting_t base;
    unpack_setting_t piece;
    unpack_scan_t scan; /* of the rule in force, at the start of held */
    hbytes_t held;
    uint32_t piece_max;
} hframe_t;

static const unpack_setting_t *rule(const hframe_t *frame)
{
    return frame->piece.mode != UNPACK_MODE_NONE ? &frame->piece : &frame->base;
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* The length of the piece at data; 0: not whole yet; or an error. */
static int64_t cut(hframe_t *frame, const char *data, size_t len)
{
    const unpack_setting_t *setting = rule(frame);

    if (setting->mode == UNPACK_MODE_NONE)
        return (int64_t)len;
    return unpack_next(setting, &frame->scan, data, len);
}

/* The callback may write the byte behind its data, which can be the first of the next piece. */
static void deliver_one(hio_t *io, char *data, size_t n, bool has_next)
{
    char next = has_next ? data[n] : '\0';

    hio_deliver(io, data, n);
    if (has_next)
        data[n] = next;
}

/* Delivers the whole pieces while the program wants them. Returns how many bytes are done with. */
static size_t deliver_pieces(hio_t *io, hfilter_t *filter, char *data, size_t len)
{
    hframe_t *frame = filter->frame;
    size_t done = 0;

    while (done < len && !filter->gone && hio_is_reading(io)) {
        int64_t n = cut(frame, data + done, len - done);

        if (n < 0)
            hio_abort(io, (int)n);
        if (n <= 0)
            break;
        frame->piece.mode = UNPACK_MODE_NONE;
        deliver_one(io, data + done, (size_t)n, done + (size_t)n < len);
        done += (size_t)n;
    }
    return hio_is_closed(io) ? len : done;
}

/* Another layer's filter has taken over in a callback: the rest is for it. */
static void pass_on(hio_t *io, char *data, size_t len)
{
    const hio_filter_t *next = hio_filter(io);

    if (next && next->input)
        next->input(io, hio_filter_ctx(io), data, len);
    else
        hio_deliver(io, data, len);
}

static bool hold(hio_t *io, hframe_t *frame, const char *data, size_t len)
{
    int err = hbytes_append(&frame->held, data, len);

    if (err != 0)
        hio_abort(io, err);
    return err == 0;
}

/* How much of len new bytes to add to those held: just what completes the frame if that is known,
 * so that the frames behind it need not be copied. */
static size_t wanted(const hframe_t *frame, size_t len)
{
    unpack_mode_e mode = rule(frame)->mode;
    size_t need = unpack_need(&frame->scan);

    if (mode != UNPACK_BY_FIXED_LENGTH && mode != UNPACK_BY_LENGTH_FIELD)
        return len;
    if (need <= frame->held.len || need - frame->held.len > len)
        return len;
    return need - frame->held.len;
}

void hframe__resume(hio_t *io, hfilter_t *filter)
{
    hframe_t *frame = filter->frame;
    hbytes_t work = frame->held;
    size_t done;

    if (work.len == 0)
        return;
    frame->held = (hbytes_t){0};
    done = deliver_pieces(io, filter, work.data, work.len);
    if (done < work.len && !filter->gone) {
        hbytes_consume(&work, done);
        frame->held = work;
        return;
    }
    if (done < work.len)
        pass_on(io, work.data + done, work.len - done);
    hbytes_deinit(&work);
}

void hframe__input(hio_t *io, hfilter_t *filter, char *buf, size_t len)
{
    hframe_t *frame = filter->frame;
    size_t n;

    while (len > 0 && !filter->gone && frame->held.len > 0 && !hio_is_closed(io)) {
        n = hio_is_reading(io) ? wanted(frame, len) : len;
        if (!hold(io, frame, buf, n))
            return;
        buf += n;
        len -= n;
        hframe__resume(io, filter);
    }
    if (len == 0 || hio_is_closed(io))
        return;
    n = filter->gone ? 0 : deliver_pieces(io, filter, buf, len);
    if (n == len)
        return;
    if (filter->gone)
        pass_on(io, buf + n, len - n);
    else
        hold(io, frame, buf + n, len - n);
}

void hframe__eof(hframe_t *frame)
{
    hbytes_deinit(&frame->held);
    frame->scan = (unpack_scan_t){0};
}

void hframe__free(hframe_t *frame)
{
    if (!frame)
        return;
    hbytes_deinit(&frame->held);
    hmem_free(frame);
}

/* ---- public ---------------------------------------------------------------------------------- */

/* The frame of io, made if need be. 0, -EINVAL, -ENOMEM, HERR_CLOSED. */
static int frame_of(hio_t *io, hfilter_t **filter)
{
    hframe_t *frame;

    if (!hio_is_opened(io))
        return HERR_CLOSED;
    if (hio_type(io) & HIO_TYPE_SOCK_DGRAM)
        return -EINVAL;
    *filter = hfilter__of(io);
    if (!*filter)
        return -ENOMEM;
    if ((*filter)->frame)
        return 0;
    frame = hmem_zalloc(sizeof(*frame));
    if (!frame) {
        hfilter__trim(io);
        return -ENOMEM;
    }
    frame->piece_max = DEFAULT_PACKAGE_MAX_LENGTH;
    (*filter)->frame = frame;
    return 0;
}

/* Another rule holds for what is there. Where no callback is running the loop comes by: reading
 * that starts again calls hframe__resume. */
static void rule_changed(hio_t *io, hfilter_t *filter)
{
    filter->frame->scan = (unpack_scan_t){0};
    if (filter->busy > 0 || filter->frame->held.len == 0 || !hio_is_reading(io))
        return;
    hio_read_stop(io);
    hio_read(io);
}

int hio_set_unpack(hio_t *io, const unpack_setting_t *setting)
{
    hfilter_t *filter;
    int err;

    if (!setting || setting->mode == UNPACK_MODE_NONE) {
        hio_unset_unpack(io);
        return 0;
    }
    err = unpack_check(setting);
    if (err == 0)
        err = frame_of(io, &filter);
    if (err != 0)
        return err;
    filter->frame->base = *setting;
    if (filter->frame->piece.mode == UNPACK_MODE_NONE)
        rule_changed(io, filter);
    return 0;
}

void hio_unset_unpack(hio_t *io)
{
    hfilter_t *filter = hfilter__find(io);

    if (!filter || !filter->frame)
        return;
    filter->frame->base = (unpack_setting_t){0};
    if (filter->frame->piece.mode != UNPACK_MODE_NONE)
        return;
    if (filter->busy == 0 && filter->frame->held.len == 0 &&
        filter->frame->piece_max == DEFAULT_PACKAGE_MAX_LENGTH) {
        hframe__free(filter->frame);
        filter->frame = NULL;
        hfilter__trim(io);
        return;
    }
    rule_changed(io, filter);
}

static int read_piece(hio_t *io, const unpack_setting_t *setting)
{
    hfilter_t *filter;
    int err = frame_of(io, &filter);

    if (err != 0)
        return err;
    if (setting->mode == UNPACK_BY_FIXED_LENGTH &&
        (setting->fixed_length == 0 || setting->fixed_length > filter->frame->piece_max))
        return -EINVAL;
    filter->frame->piece = *setting;
    filter->frame->piece.package_max_length = filter->frame->piece_max;
    rule_changed(io, filter);
    return hio_read_once(io);
}

int hio_read_until_length(hio_t *io, unsigned int len)
{
    unpack_setting_t setting = {.mode = UNPACK_BY_FIXED_LENGTH};

    setting.fixed_length = len;
    return read_piece(io, &setting);
}

int hio_read_until_delim(hio_t *io, unsigned char delim)
{
    unpack_setting_t setting = {.mode = UNPACK_BY_DELIMITER};

    setting.delimiter[0] = delim;
    setting.delimiter_bytes = 1;
    return read_piece(io, &setting);
}

int hio_set_max_read_bufsize(hio_t *io, uint32_t size)
{
    hfilter_t *filter;
    int err;

    if (size == 0 || size > PIECE_MAX)
        return -EINVAL;
    err = frame_of(io, &filter);
    if (err == 0)
        filter->frame->piece_max = size;
    return err;
}
