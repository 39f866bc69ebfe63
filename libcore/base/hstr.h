/* hstr: bounded string helpers. All of them work on (pointer, length) or a NUL-terminated string
 * and never allocate. */
#ifndef HNET_BASE_HSTR_H
#define HNET_BASE_HSTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copies src into dst[size], cut if needed, always NUL-terminated when size > 0. Returns the length
 * of src: a result >= size tells that it was cut. */
size_t hstr_copy(char *dst, size_t size, const char *src);

/* A decimal number filling the whole string, min..max: digits, and for i64 a minus sign in front.
 * 0, HERR_SYNTAX (not a number, any other sign, space, empty) or HERR_RANGE; *value is written on
 * success only. */
int hstr_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value);
int hstr_parse_i64(const char *text, int64_t min, int64_t max, int64_t *value);

/* Reads "digits" or "digits.digits" at the start of a text whose unit comes behind, and moves *text
 * to that unit: *whole, and in *billionths what follows the point, cut after nine digits. 0,
 * HERR_SYNTAX if there is no number, or HERR_RANGE if *whole overflows (*text is moved even so). */
int hstr_read_decimal(const char **text, uint64_t *whole, uint32_t *billionths);

/* A size in bytes: "4096", "64k", "1M", "2G", "1KiB", "1.5M" (powers of 1024, in any case; iB and B
 * optional; a part of a byte is dropped). 0, HERR_SYNTAX or HERR_RANGE. */
int hstr_parse_size(const char *text, uint64_t max, uint64_t *value);

/* "yes/no", "on/off", "true/false", "1/0" in any case. 0 or HERR_SYNTAX. */
int hstr_parse_bool(const char *text, bool *value);

/* "1.2 KiB", "3.4 GiB", "17 B": for people. Returns buf; HSTR_SIZE_MAX bytes are enough. */
#define HSTR_SIZE_MAX 32
const char *hstr_format_size(uint64_t bytes, char *buf, size_t size);

bool hstr_ieq(const char *a, const char *b); /* equal, ASCII case ignored */
bool hstr_starts(const char *s, const char *prefix);

/* The length (1..4) of the well-formed UTF-8 character at src (RFC 3629: no surrogates, nothing
 * overlong); 0 if there is none within len bytes. */
size_t hstr_utf8_len(const void *src, size_t len);

/* Whether all of it is such characters. */
bool hstr_is_utf8(const void *src, size_t len);

/* Makes untrusted bytes safe for a terminal or a log line: printable ASCII and valid UTF-8 stay,
 * anything else becomes \xNN (\n, \r, \t as such). Characters that command a terminal or turn the
 * direction of text (C1 controls, U+2028..202E, U+2066..2069) count as anything else. Writes at
 * most size - 1 bytes and a NUL, never half a character or escape; returns the length written. */
size_t hstr_escape(char *dst, size_t size, const void *src, size_t len);

/* Undoes what a person writes for bytes that are hard to type: \n, \r, \t, \0, \\ and \xNN, into
 * dst. Returns the length (the bytes may hold NULs; none is added), HERR_SYNTAX for another
 * backslash, or HERR_RANGE when dst is too small. */
int hstr_unescape(char *dst, size_t size, const char *text);

/* The value of a hexadecimal digit, -1 if it is none. */
int hstr_hex_digit(char c);

/* Whether what somebody has given is the secret. How long that takes depends on the length of what
 * was given, not on where the two differ. */
bool hstr_same_secret(const char *given, const char *secret);

#ifdef __cplusplus
}
#endif

#endif
