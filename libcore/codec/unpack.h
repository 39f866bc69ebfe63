/* unpack: where does one frame of a byte stream end? By a fixed length, by a delimiter, or by a
 * length field in the frame's head. A pure codec: it reads bytes that the caller holds, keeps two
 * numbers between calls, and neither copies nor allocates. The names of the setting are libhv's.
 *
 * What unpack_next answers depends on the bytes alone, never on how they were cut
 * when they came. */
#ifndef HNET_CODEC_UNPACK_H
#define HNET_CODEC_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DEFAULT_PACKAGE_MAX_LENGTH (1 << 21) /* 2 MiB */
#define PACKAGE_MAX_DELIMITER_BYTES 8

typedef enum unpack_mode_e {
    UNPACK_MODE_NONE = 0, /* bytes are handed on as they come */
    UNPACK_BY_FIXED_LENGTH = 1,
    UNPACK_BY_DELIMITER = 2,
    UNPACK_BY_LENGTH_FIELD = 3
} unpack_mode_e;

/* The last two are the values of LITTLE_ENDIAN and BIG_ENDIAN; a name that programs know is kept
 * even where it is misspelt. */
typedef enum unpack_coding_e {
    ENCODE_BY_VARINT = 17, /* 7 bits a byte, least significant first, at most 10 bytes */
    ENCODE_BY_LITTEL_ENDIAN = 1234,
    ENCODE_BY_LITTLE_ENDIAN = 1234,
    ENCODE_BY_BIG_ENDIAN = 4321
} unpack_coding_e;

/* package_max_length bounds the whole frame, its head and delimiter included; 0 means the default.
 *
 * By length field: the field's length_field_bytes bytes stand length_field_offset bytes from the
 * start, the body body_offset bytes from the start, and the frame is
 *
 *     body_offset + length + length_adjustment
 *
 * bytes long, where length is what the field says. length_adjustment is -body_offset if the field
 * counts the whole frame. A varint may be longer or shorter than length_field_bytes, and the body
 * moves by the difference. */
typedef struct unpack_setting_s {
    unpack_mode_e mode;
    unsigned int package_max_length;
    union {
        struct {
            unsigned int fixed_length;
        };
        struct {
            unsigned char delimiter[PACKAGE_MAX_DELIMITER_BYTES];
            unsigned short delimiter_bytes;
        };
        struct {
            unsigned short body_offset;
            unsigned short length_field_offset;
            unsigned short length_field_bytes;
            short length_adjustment;
            unpack_coding_e length_field_coding;
        };
    };
} unpack_setting_t;

/* What is known of the frame that is not yet whole; zeroed before the first call. */
typedef struct unpack_scan_s {
    size_t scanned; /* delimiter: it does not end within so many bytes */
    size_t need;    /* no frame, and no error, before there are so many bytes */
} unpack_scan_t;

/* Whether the setting can be used: 0; or -EINVAL for an unknown mode or coding, a fixed length of
 * 0, a delimiter of other than 1..8 bytes, a length field of other than 1..8 bytes or that does not
 * lie before the body, or a frame that could never be within the maximum. */
int unpack_check(const unpack_setting_t *setting);

/* The length of the frame that begins at data, delimiter included, once it is whole within len
 * bytes. 0 when it is not: call again with the same bytes and more. After a frame the next call
 * expects data to be behind it; scan is ready for that.
 *
 * HERR_FRAME_SIZE if the frame is longer than the maximum or cannot end within it, said as soon as
 * that is known; HERR_FRAME if the length field is impossible (a negative body, a varint past 10
 * bytes or 64 bits). An error is final: the stream has lost its frames.
 *
 * The setting must have passed unpack_check and stay the same while a frame is incomplete. */
int64_t unpack_next(const unpack_setting_t *setting, unpack_scan_t *scan, const void *data,
                    size_t len);

/* After unpack_next gave 0: how many bytes, counted from data, there must be before it can give
 * anything else. More than it was given, at most the maximum; the whole frame's length once its
 * length field has been read. A reader may wait for so many and make room for them at once. */
size_t unpack_need(const unpack_scan_t *scan);

#ifdef __cplusplus
}
#endif

#endif
