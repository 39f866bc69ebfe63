#include "hbase64.h"

#include "herr.h"

#include <stdbool.h>

#define ENCODE_MAX ((size_t)1 << 40) /* so that no length overflows */
#define PADDING '='

static const char alphabets[2][65] = {
    [HBASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [HBASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

ssize_t hbase64_encode(hbase64_alphabet_e alphabet, const void *data, size_t len, char *text,
                       size_t size)
{
    const char *digits = alphabets[alphabet];
    bool padded = alphabet == HBASE64_STANDARD;
    const uint8_t *p = data;
    size_t length, n = 0;
    uint32_t bits = 0;
    unsigned have = 0;

    if (len > ENCODE_MAX)
        return -ENOBUFS;
    length = padded ? (len + 2) / 3 * 4 : (len * 4 + 2) / 3;
    if (size < length + 1)
        return -ENOBUFS;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 6; have -= 6)
            text[n++] = digits[bits >> (have - 6) & 63];
    }
    if (have)
        text[n++] = digits[bits << (6 - have) & 63];
    while (n < length)
        text[n++] = PADDING;
    text[n] = '\0';
    return (ssize_t)n;
}

/* The value of a character, -1 if it is none of the alphabet. */
static int digit_value(const char *digits, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == digits[62])
        return 62;
    return c == digits[63] ? 63 : -1;
}

/* The number of characters before the padding, or an error if there is not as much padding as
 * there has to be. */
static ssize_t unpadded_length(hbase64_alphabet_e alphabet, const char *text, size_t len)
{
    if (alphabet == HBASE64_STANDARD) {
        if (len % 4 != 0)
            return HERR_SYNTAX;
        for (int i = 0; i < 2 && len > 0 && text[len - 1] == PADDING; i++)
            len--;
    }
    return len % 4 == 1 ? HERR_SYNTAX : (ssize_t)len;
}

ssize_t hbase64_decode(hbase64_alphabet_e alphabet, const char *text, size_t len, void *data,
                       size_t size)
{
    ssize_t length = unpadded_length(alphabet, text, len);
    uint8_t *p = data;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;

    if (length < 0)
        return length;
    for (size_t i = 0; i < (size_t)length; i++) {
        int value = digit_value(alphabets[alphabet], text[i]);

        if (value < 0)
            return HERR_SYNTAX;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n == size)
            return -ENOBUFS;
        p[n++] = (uint8_t)(bits >> have);
    }
    return bits & ((1U << have) - 1) ? HERR_SYNTAX : (ssize_t)n;
}
