/* A word is a number and, in its last bits, what the number is of. Chunks are read strictly: CR LF
 * ends a line, and nothing else does, or two readers could see two ends. */
#include "http_rest.h"

#include "../base/herr.h"
#include "../base/hstr.h"

enum {
    NOTHING = 0, /* the end: the word is 0 */
    LENGTH,      /* bytes of the body */
    SIZE_FIRST,  /* the first digit of a chunk's size */
    SIZE,        /* of the digits so far */
    EXTENSION,   /* behind them; the size */
    SIZE_LF,
    DATA, /* bytes of the chunk */
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST, /* the first byte of a line of trailers */
    TRAILER,
    TRAILER_LF,
    END_LF
};

static http_rest_t pack(int state, uintptr_t number)
{
    return number << HTTP_REST_STATE_BITS | (uintptr_t)state;
}

http_rest_t http_rest_length(int64_t length)
{
    return length > 0 ? pack(LENGTH, (uintptr_t)length) : NOTHING;
}

http_rest_t http_rest_chunks(void)
{
    return pack(SIZE_FIRST, 0);
}

/* Behind a digit, or what ends them. */
static int take_size(http_rest_t *rest, char c, int state, uintptr_t size)
{
    int digit = hstr_hex_digit(c);

    if (digit >= 0 && size > (uintptr_t)HTTP_REST_LENGTH_MAX >> 4)
        return HERR_PROTOCOL;
    if (digit >= 0)
        *rest = pack(SIZE, size << 4 | (uintptr_t)digit);
    else if (state == SIZE && c == '\r')
        *rest = pack(SIZE_LF, size);
    else if (state == SIZE && (c == ';' || c == ' ' || c == '\t'))
        *rest = pack(EXTENSION, size);
    else
        return HERR_PROTOCOL;
    return 0;
}

/* In a line: a CR ends it. */
static int take_text(http_rest_t *rest, char c, int at_end, uintptr_t number)
{
    if (c == '\r')
        *rest = pack(at_end, number);
    return c == '\n' || c == '\0' ? HERR_PROTOCOL : 0;
}

static int take_exactly(http_rest_t *rest, char c, char wanted, http_rest_t next)
{
    *rest = next;
    return c == wanted ? 0 : HERR_PROTOCOL;
}

static int take_byte(http_rest_t *rest, char c)
{
    int state = (int)(*rest & ((1U << HTTP_REST_STATE_BITS) - 1));
    uintptr_t number = *rest >> HTTP_REST_STATE_BITS;

    switch (state) {
    case SIZE_FIRST:
    case SIZE:
        return take_size(rest, c, state, number);
    case EXTENSION:
        return take_text(rest, c, SIZE_LF, number);
    case SIZE_LF:
        return take_exactly(rest, c, '\n', number ? pack(DATA, number) : pack(TRAILER_FIRST, 0));
    case DATA_CR:
        return take_exactly(rest, c, '\r', pack(DATA_LF, 0));
    case DATA_LF:
        return take_exactly(rest, c, '\n', pack(SIZE_FIRST, 0));
    case TRAILER_FIRST:
        *rest = pack(TRAILER, 0);
        return take_text(rest, c, END_LF, 0);
    case TRAILER:
        return take_text(rest, c, TRAILER_LF, 0);
    case TRAILER_LF:
        return take_exactly(rest, c, '\n', pack(TRAILER_FIRST, 0));
    case END_LF:
        return take_exactly(rest, c, '\n', NOTHING);
    default:
        return HERR_PROTOCOL;
    }
}

/* Bytes that are not looked at. 0: the next one has to be. */
static size_t take_many(http_rest_t *rest, size_t len)
{
    int state = (int)(*rest & ((1U << HTTP_REST_STATE_BITS) - 1));
    uintptr_t number = *rest >> HTTP_REST_STATE_BITS;
    size_t n = len < number ? len : (size_t)number;

    if (state != LENGTH && state != DATA)
        return 0;
    if (n < number)
        *rest = pack(state, number - n);
    else
        *rest = state == LENGTH ? (http_rest_t)NOTHING : pack(DATA_CR, 0);
    return n;
}

ssize_t http_rest_take(http_rest_t *rest, const void *data, size_t len)
{
    const char *text = data;
    size_t taken = 0;

    while (taken < len && *rest != NOTHING) {
        size_t n = take_many(rest, len - taken);
        int err = n > 0 ? 0 : take_byte(rest, text[taken]);

        if (err < 0)
            return err;
        taken += n > 0 ? n : 1;
    }
    return (ssize_t)taken;
}
