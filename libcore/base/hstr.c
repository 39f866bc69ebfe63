#include "hstr.h"

#include "herr.h"

#include <stdio.h>
#include <string.h>

#define BILLION 1000000000U

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Digits, at least one, from *text on, which is moved behind them. */
static int read_digits(const char **text, uint64_t *value)
{
    bool overflow = false;
    const char *p = *text;

    for (*value = 0; is_digit(*p); p++) {
        overflow |= __builtin_mul_overflow(*value, 10, value);
        overflow |= __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value);
    }
    if (p == *text)
        return HERR_SYNTAX;
    *text = p;
    return overflow ? HERR_RANGE : 0;
}

/* Digits that fill the whole string. */
static int parse_digits(const char *text, uint64_t *value)
{
    int err = read_digits(&text, value);

    return *text ? HERR_SYNTAX : err;
}

/* "", "B", "k", "KB", "Ki", "KiB" ... in any case -> the power of two; -1 if it is
 * none of these. */
static int size_shift(const char *unit)
{
    static const char letters[] = "kmgtpe";
    const char *letter = *unit ? strchr(letters, lower(*unit)) : NULL;
    int shift = 0;

    if (letter) {
        shift = 10 * (int)(letter - letters + 1);
        unit++;
        if (lower(*unit) == 'i')
            unit++;
    }
    if (lower(*unit) == 'b')
        unit++;
    return *unit ? -1 : shift;
}

/* The second byte's bounds rule out overlong forms, surrogates and what is above U+10FFFF. */
static bool utf8_second_valid(unsigned char first, unsigned char second)
{
    unsigned char min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

    return second >= min && second <= max;
}

/* Characters that a terminal obeys instead of showing them. */
static bool utf8_commands(const unsigned char *s, size_t n)
{
    if (n == 1)
        return s[0] < 0x20 || s[0] == 0x7f;
    if (n == 2)
        return s[0] == 0xc2 && s[1] < 0xa0; /* U+0080..009F */
    if (n != 3 || s[0] != 0xe2)
        return false;
    if (s[1] == 0x80)
        return s[2] >= 0xa8 && s[2] <= 0xae;             /* U+2028..202E */
    return s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9; /* U+2066..2069 */
}

/* The escape of one byte into out; its length. */
static size_t escape_byte(unsigned char c, char out[5])
{
    static const char hex[] = "0123456789abcdef";
    const char *named = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;

    if (named) {
        memcpy(out, named, 2);
        return 2;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex[c >> 4];
    out[3] = hex[c & 15];
    return 4;
}

size_t hstr_copy(char *dst, size_t size, const char *src)
{
    size_t len = strlen(src);
    size_t n = len < size ? len : size - 1;

    if (size > 0) {
        memcpy(dst, src, n);
        dst[n] = '\0';
    }
    return len;
}

int hstr_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    uint64_t n;
    int err = parse_digits(text, &n);

    if (err)
        return err;
    if (n < min || n > max)
        return HERR_RANGE;
    *value = n;
    return 0;
}

int hstr_parse_i64(const char *text, int64_t min, int64_t max, int64_t *value)
{
    bool negative = *text == '-';
    uint64_t digits;
    int64_t n;
    int err = parse_digits(text + negative, &digits);

    if (err)
        return err;
    if (digits > (uint64_t)INT64_MAX + negative)
        return HERR_RANGE;
    n = negative ? (int64_t)(0 - digits) : (int64_t)digits;
    if (n < min || n > max)
        return HERR_RANGE;
    *value = n;
    return 0;
}

int hstr_read_decimal(const char **text, uint64_t *whole, uint32_t *billionths)
{
    uint32_t scale = BILLION / 10;
    int err = read_digits(text, whole);

    *billionths = 0;
    if (err == HERR_SYNTAX || **text != '.')
        return err;
    if (!is_digit(*++*text))
        return HERR_SYNTAX;
    for (; is_digit(**text); ++*text) {
        *billionths += (uint32_t)(**text - '0') * scale;
        scale /= 10;
    }
    return err;
}

int hstr_parse_size(const char *text, uint64_t max, uint64_t *value)
{
    uint64_t whole, size;
    uint32_t billionths;
    int err = hstr_read_decimal(&text, &whole, &billionths);
    int shift = err == HERR_SYNTAX ? -1 : size_shift(text);

    if (shift < 0 || (shift == 0 && billionths))
        return HERR_SYNTAX;
    if (err || whole > UINT64_MAX >> shift)
        return HERR_RANGE;
    size = (whole << shift) + (uint64_t)(((unsigned __int128)billionths << shift) / BILLION);
    if (size > max)
        return HERR_RANGE;
    *value = size;
    return 0;
}

int hstr_parse_bool(const char *text, bool *value)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"off", "on"}, {"false", "true"}, {"0", "1"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (int yes = 0; yes < 2; yes++) {
            if (hstr_ieq(text, words[i][yes])) {
                *value = yes;
                return 0;
            }
        }
    }
    return HERR_SYNTAX;
}

/* In integers: a double has too few digits for the largest. */
const char *hstr_format_size(uint64_t bytes, char *buf, size_t size)
{
    static const char prefixes[] = "KMGTPE";
    unsigned prefix = 0, shift = 10;
    uint64_t whole, tenths;

    if (bytes < 1024) {
        snprintf(buf, size, "%u B", (unsigned)bytes);
        return buf;
    }
    while (prefix < 5 && bytes >> (shift + 10)) {
        prefix++;
        shift += 10;
    }
    whole = bytes >> shift;
    tenths = ((bytes >> (shift - 10) & 1023) * 10 + 512) >> 10;
    if (tenths == 10) {
        whole++;
        tenths = 0;
    }
    if (whole == 1024 && prefix < 5) {
        whole = 1;
        prefix++;
    }
    snprintf(buf, size, "%u.%u %ciB", (unsigned)whole, (unsigned)tenths, prefixes[prefix]);
    return buf;
}

bool hstr_ieq(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool hstr_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

size_t hstr_utf8_len(const void *src, size_t len)
{
    const unsigned char *s = src;
    size_t n;

    if (len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n > len || !utf8_second_valid(s[0], s[1]))
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

bool hstr_is_utf8(const void *src, size_t len)
{
    const unsigned char *s = src;

    for (size_t i = 0, n; i < len; i += n) {
        n = hstr_utf8_len(s + i, len - i);
        if (n == 0)
            return false;
    }
    return true;
}

size_t hstr_escape(char *dst, size_t size, const void *src, size_t len)
{
    const unsigned char *s = src;
    size_t used = 0, taken;
    char escape[5];

    if (size == 0)
        return 0;
    for (size_t i = 0; i < len; i += taken) {
        const void *out = s + i;
        size_t n = taken = hstr_utf8_len(s + i, len - i);

        if (n == 0 || utf8_commands(s + i, n)) {
            n = escape_byte(s[i], escape);
            out = escape;
            taken = 1;
        }
        if (n > size - 1 - used)
            break;
        memcpy(dst + used, out, n);
        used += n;
    }
    dst[used] = '\0';
    return used;
}

int hstr_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands behind a backslash: one byte, and *text is moved behind it; or -1. */
static int read_escape(const char **text)
{
    static const char names[] = "nrt0\\", bytes[] = "\n\r\t\0\\";
    char name = *(*text)++;
    const char *found = name ? strchr(names, name) : NULL;
    int high, low;

    if (found)
        return bytes[found - names];
    if (name != 'x')
        return -1;
    high = hstr_hex_digit((*text)[0]);
    low = high < 0 ? -1 : hstr_hex_digit((*text)[1]);
    *text += low < 0 ? 0 : 2;
    return low < 0 ? -1 : high * 16 + low;
}

int hstr_unescape(char *dst, size_t size, const char *text)
{
    size_t len = 0;

    while (*text != '\0') {
        int byte = (unsigned char)*text++;

        if (byte == '\\')
            byte = read_escape(&text);
        if (byte < 0)
            return HERR_SYNTAX;
        if (len == size)
            return HERR_RANGE;
        dst[len++] = (char)byte;
    }
    return (int)len;
}

bool hstr_same_secret(const char *given, const char *secret)
{
    size_t given_len = strlen(given), len = strlen(secret);
    volatile unsigned differ = given_len != len; /* volatile: no early end is made of it */

    for (size_t i = 0; i < given_len; i++)
        differ |= (unsigned char)(given[i] ^ secret[i < len ? i : len]);
    return differ == 0;
}
