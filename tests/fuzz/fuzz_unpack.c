/* Feeds one stream to unpack whole and in pieces: the frames and the error must be the same.
 *
 * Input: a setting (SETTING_BYTES), the number of pieces, their lengths, and the stream. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/herr.h"
#include "codec/unpack.h"

#define SETTING_BYTES 17
#define PIECES_MAX 15
#define FRAMES_MAX 4096

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            abort();                                                                               \
    } while (0)

typedef struct reader_s {
    const unpack_setting_t *setting;
    unpack_scan_t scan;
    size_t start; /* of the frame that is not yet whole */
    size_t count;
    int64_t result[FRAMES_MAX]; /* the frames, and the error if there was one */
    bool broken;
} reader_t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned number(const uint8_t *p, size_t bytes)
{
    unsigned n = 0;

    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return n;
}

static void read_setting(const uint8_t *p, unpack_setting_t *s)
{
    const unpack_coding_e codings[] = {ENCODE_BY_VARINT, ENCODE_BY_LITTLE_ENDIAN,
                                       ENCODE_BY_BIG_ENDIAN, (unpack_coding_e)0};

    memset(s, 0, sizeof(*s));
    s->mode = (unpack_mode_e)(p[0] % 5);
    s->package_max_length = number(p + 1, 4);
    if (s->mode == UNPACK_BY_FIXED_LENGTH) {
        s->fixed_length = number(p + 5, 4);
    } else if (s->mode == UNPACK_BY_DELIMITER) {
        memcpy(s->delimiter, p + 5, sizeof(s->delimiter));
        s->delimiter_bytes = p[13];
    } else {
        s->body_offset = (unsigned short)number(p + 5, 2);
        s->length_field_offset = (unsigned short)number(p + 7, 2);
        s->length_field_bytes = p[9];
        s->length_adjustment = (short)number(p + 10, 2);
        s->length_field_coding = codings[p[12] % 4];
    }
}

/* The stream is there up to `have`. Each call gets a copy of its exact size, so that the sanitizer
 * sees a read past its end. */
static void feed(reader_t *r, const uint8_t *data, size_t have)
{
    while (!r->broken && r->count < FRAMES_MAX) {
        size_t len = have - r->start;
        uint8_t *copy = malloc(len ? len : 1);
        int64_t n;

        CHECK(copy);
        memcpy(copy, data + r->start, len);
        n = unpack_next(r->setting, &r->scan, copy, len);
        free(copy);
        if (n == 0) {
            size_t max = r->setting->package_max_length ? r->setting->package_max_length
                                                        : DEFAULT_PACKAGE_MAX_LENGTH;

            CHECK(unpack_need(&r->scan) > len);
            CHECK(unpack_need(&r->scan) <= max);
            return;
        }
        CHECK(n > 0 || n == HERR_FRAME || n == HERR_FRAME_SIZE);
        CHECK(n <= (int64_t)len);
        r->result[r->count++] = n;
        r->broken = n < 0;
        r->start += n > 0 ? (size_t)n : 0;
    }
}

/* Without a mode a frame is what has come: then only its sum is the same. */
static void compare(const reader_t *whole, const reader_t *pieces)
{
    CHECK(whole->start == pieces->start || whole->count == FRAMES_MAX);
    if (whole->setting->mode == UNPACK_MODE_NONE)
        return;
    CHECK(whole->count == pieces->count);
    CHECK(memcmp(whole->result, pieces->result, whole->count * sizeof(whole->result[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static reader_t whole, pieces;
    unpack_setting_t setting;
    const uint8_t *lengths;
    size_t count, have = 0;

    if (size < SETTING_BYTES + 1)
        return 0;
    read_setting(data, &setting);
    count = data[SETTING_BYTES] % (PIECES_MAX + 1);
    lengths = data + SETTING_BYTES + 1;
    if (size < SETTING_BYTES + 1 + count || unpack_check(&setting) != 0)
        return 0;
    data += SETTING_BYTES + 1 + count;
    size -= SETTING_BYTES + 1 + count;
    memset(&whole, 0, sizeof(whole));
    memset(&pieces, 0, sizeof(pieces));
    whole.setting = pieces.setting = &setting;
    feed(&whole, data, size);
    for (size_t i = 0; i < count; i++) {
        have = size - have < lengths[i] ? size : have + lengths[i];
        feed(&pieces, data, have);
    }
    feed(&pieces, data, size);
    compare(&whole, &pieces);
    return 0;
}
