#include "unpack.h"

#include "../base/herr.h"

#include <stdbool.h>
#include <string.h>

#define LENGTH_FIELD_BYTES_MAX 8
#define VARINT_BYTES_MAX 10
#define DELIMITER_MISSES_MAX 16

/* A length field as it was read. */
typedef struct field_s {
    uint64_t value;
    size_t bytes; /* how many it really took */
} field_t;

static size_t frame_max(const unpack_setting_t *s)
{
    return s->package_max_length ? s->package_max_length : DEFAULT_PACKAGE_MAX_LENGTH;
}

static bool length_field_usable(const unpack_setting_t *s)
{
    if (s->length_field_coding != ENCODE_BY_VARINT &&
        s->length_field_coding != ENCODE_BY_LITTLE_ENDIAN &&
        s->length_field_coding != ENCODE_BY_BIG_ENDIAN)
        return false;
    return s->length_field_bytes >= 1 && s->length_field_bytes <= LENGTH_FIELD_BYTES_MAX &&
           s->length_field_offset + s->length_field_bytes <= s->body_offset &&
           s->body_offset <= frame_max(s);
}

/* Notes how many bytes are missing; says that the frame is too long if so many are not allowed. */
static int64_t wait_for(const unpack_setting_t *s, unpack_scan_t *scan, size_t need)
{
    if (need > frame_max(s))
        return HERR_FRAME_SIZE;
    scan->need = need;
    return 0;
}

/* Where the first delimiter ends that ends behind `from`; 0 if there is none.
 *
 * memchr for the last byte is several times faster than memmem on lines as they are. Where that
 * byte comes often without being a delimiter it is the other way round. */
static size_t find_delimiter(const unpack_setting_t *s, const char *data, size_t from, size_t len)
{
    size_t before = s->delimiter_bytes - 1U;
    size_t at = from > before ? from : before;
    const char *hit;

    for (int misses = 0; at < len && misses < DELIMITER_MISSES_MAX; misses++) {
        hit = memchr(data + at, s->delimiter[before], len - at);
        if (!hit)
            return 0;
        at = (size_t)(hit - data) + 1;
        if (memcmp(hit - before, s->delimiter, before) == 0)
            return at;
    }
    if (at >= len)
        return 0;
    hit = memmem(data + at - before, len - at + before, s->delimiter, before + 1);
    return hit ? (size_t)(hit - data) + before + 1 : 0;
}

static int64_t next_fixed(const unpack_setting_t *s, unpack_scan_t *scan, size_t len)
{
    return len >= s->fixed_length ? s->fixed_length : wait_for(s, scan, s->fixed_length);
}

/* Looks no further than the maximum: the answer must not depend on how much more has come. */
static int64_t next_delimited(const unpack_setting_t *s, unpack_scan_t *scan, const char *data,
                              size_t len)
{
    size_t max = frame_max(s);
    size_t seen = len < max ? len : max;
    size_t end = find_delimiter(s, data, scan->scanned, seen);

    if (end)
        return (int64_t)end;
    scan->scanned = seen;
    return wait_for(s, scan, len < s->delimiter_bytes ? s->delimiter_bytes : len + 1);
}

/* 1 when the field was read, 0 when it goes on behind len, or HERR_FRAME. */
static int read_varint(const unsigned char *p, size_t len, field_t *field)
{
    *field = (field_t){0};
    while (field->bytes < len) {
        unsigned char c = p[field->bytes];

        /* The tenth byte has room for the 64th bit alone. */
        if (field->bytes == VARINT_BYTES_MAX - 1 && c > 1)
            return HERR_FRAME;
        field->value |= (uint64_t)(c & 0x7f) << (7 * field->bytes);
        field->bytes++;
        if (c < 0x80)
            return 1;
    }
    return 0;
}

static int read_fixed(const unpack_setting_t *s, const unsigned char *p, size_t len, field_t *field)
{
    bool big = s->length_field_coding == ENCODE_BY_BIG_ENDIAN;
    size_t n = s->length_field_bytes;

    *field = (field_t){.bytes = n};
    if (len < n)
        return 0;
    for (size_t i = 0; i < n; i++)
        field->value = field->value << 8 | p[big ? i : n - 1 - i];
    return 1;
}

/* The frame's length from its field. Every term is small once the value is, so
 * nothing overflows. */
static int64_t frame_length(const unpack_setting_t *s, const field_t *field)
{
    int64_t head = (int64_t)s->body_offset + (int64_t)field->bytes - s->length_field_bytes;
    int64_t body;

    if (field->value > (uint64_t)UINT32_MAX + INT16_MAX + 1)
        return HERR_FRAME_SIZE;
    body = (int64_t)field->value + s->length_adjustment;
    if (body < 0)
        return HERR_FRAME;
    return head + body <= (int64_t)frame_max(s) ? head + body : HERR_FRAME_SIZE;
}

static int64_t next_by_field(const unpack_setting_t *s, unpack_scan_t *scan,
                             const unsigned char *data, size_t len)
{
    size_t max = frame_max(s);
    size_t seen = len < max ? len : max;
    size_t offset = s->length_field_offset;
    bool varint = s->length_field_coding == ENCODE_BY_VARINT;
    int64_t length;
    field_t field;
    int got;

    if (seen <= offset)
        return wait_for(s, scan, offset + (varint ? 1 : s->length_field_bytes));
    got = varint ? read_varint(data + offset, seen - offset, &field)
                 : read_fixed(s, data + offset, seen - offset, &field);
    if (got < 0)
        return got;
    if (got == 0)
        return wait_for(s, scan, varint ? len + 1 : offset + s->length_field_bytes);
    length = frame_length(s, &field);
    if (length < 0 || (size_t)length <= len)
        return length;
    return wait_for(s, scan, (size_t)length);
}

int unpack_check(const unpack_setting_t *setting)
{
    bool usable = false;

    switch (setting->mode) {
    case UNPACK_MODE_NONE:
        usable = true;
        break;
    case UNPACK_BY_FIXED_LENGTH:
        usable = setting->fixed_length > 0 && setting->fixed_length <= frame_max(setting);
        break;
    case UNPACK_BY_DELIMITER:
        usable = setting->delimiter_bytes > 0 &&
                 setting->delimiter_bytes <= PACKAGE_MAX_DELIMITER_BYTES &&
                 setting->delimiter_bytes <= frame_max(setting);
        break;
    case UNPACK_BY_LENGTH_FIELD:
        usable = length_field_usable(setting);
        break;
    }
    return usable ? 0 : -EINVAL;
}

int64_t unpack_next(const unpack_setting_t *setting, unpack_scan_t *scan, const void *data,
                    size_t len)
{
    int64_t result = 0;

    if (len == 0 || len < scan->need)
        return 0;
    switch (setting->mode) {
    case UNPACK_MODE_NONE:
        return (int64_t)len;
    case UNPACK_BY_FIXED_LENGTH:
        result = next_fixed(setting, scan, len);
        break;
    case UNPACK_BY_DELIMITER:
        result = next_delimited(setting, scan, data, len);
        break;
    case UNPACK_BY_LENGTH_FIELD:
        result = next_by_field(setting, scan, data, len);
        break;
    }
    if (result > 0)
        *scan = (unpack_scan_t){0};
    return result;
}

size_t unpack_need(const unpack_scan_t *scan)
{
    return scan->need ? scan->need : 1;
}
