/* What was typed, in pieces that readline can have without waiting for more: whole characters, and
 * pastes together with their end. */
#include "hline_int.h"

#include "hline.h"

#include <string.h>

#define MARK_LEN (sizeof(HLINE_PASTE_BEGIN) - 1)

void hline__keys_init(hline_keys_t *keys)
{
    memset(keys, 0, sizeof(*keys));
}

void hline__keys_deinit(hline_keys_t *keys)
{
    hbytes_deinit(&keys->bytes);
}

/* How many bytes at the end may be the beginning of a paste. A lone escape is a key. */
static size_t partial_mark(const char *data, size_t len, bool after_esc)
{
    for (size_t n = MARK_LEN - 1; n >= 2; n--) {
        if (n <= len && memcmp(data + len - n, HLINE_PASTE_BEGIN, n) == 0)
            return n;
    }
    if (after_esc && len < MARK_LEN - 1 && memcmp(data, &HLINE_PASTE_BEGIN[1], len) == 0)
        return len;
    return 0;
}

/* How many bytes at the end are the beginning of a UTF-8 character. */
static size_t partial_char(const char *data, size_t len)
{
    for (size_t n = 1; n <= 3 && n <= len; n++) {
        unsigned char c = (unsigned char)data[len - n];
        size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;

        if (c < 0x80 || c > 0xf4)
            return 0;
        if (c >= 0xc2)
            return want > n ? n : 0;
    }
    return 0;
}

/* Where the paste that comes next begins: behind its mark; 0: there is none. */
static size_t find_paste(const hline_keys_t *keys, size_t from)
{
    const hbytes_t *b = &keys->bytes;
    const char *found;

    if (from == keys->next && keys->after_esc && b->len - from >= MARK_LEN - 1 &&
        memcmp(b->data + from, &HLINE_PASTE_BEGIN[1], MARK_LEN - 1) == 0)
        return from + MARK_LEN - 1;
    found = memmem(b->data + from, b->len - from, HLINE_PASTE_BEGIN, MARK_LEN);
    return found ? (size_t)(found - b->data) + MARK_LEN : 0;
}

/* A paste without an end in sight gets one here. */
static int divide(hline_keys_t *keys)
{
    int err = hbytes_append_str(&keys->bytes, HLINE_PASTE_END);

    if (err < 0)
        return err;
    keys->divided = true;
    keys->limit = keys->bytes.len;
    return 0;
}

static int find_limit(hline_keys_t *keys)
{
    hbytes_t *b = &keys->bytes;
    size_t at = keys->limit, paste;

    while ((paste = find_paste(keys, at)) > 0) {
        const char *end = memmem(b->data + paste, b->len - paste, HLINE_PASTE_END, MARK_LEN);

        if (!end && b->len - paste > HLINE_LINE_MAX)
            return divide(keys);
        if (!end) { /* up to its mark; what an escape that is gone has begun waits, too */
            keys->limit = paste >= at + MARK_LEN ? paste - MARK_LEN : at;
            return 0;
        }
        at = (size_t)(end - b->data) + MARK_LEN;
    }
    keys->limit =
        b->len - partial_mark(b->data + at, b->len - at, keys->after_esc && at == keys->next);
    if (keys->limit == b->len)
        keys->limit -= partial_char(b->data + at, b->len - at);
    return 0;
}

int hline__keys_add(hline_keys_t *keys, const char *data, size_t len)
{
    int err = 0;

    hbytes_consume(&keys->bytes, keys->next);
    keys->limit -= keys->next;
    keys->next = 0;
    if (keys->divided)
        err = hbytes_append_str(&keys->bytes, HLINE_PASTE_BEGIN);
    if (err == 0)
        err = hbytes_append(&keys->bytes, data, len);
    if (err < 0)
        return err;
    keys->divided = false;
    return find_limit(keys);
}

int hline__keys_take(hline_keys_t *keys)
{
    unsigned char c;

    if (!hline__keys_ready(keys))
        return -1;
    c = (unsigned char)keys->bytes.data[keys->next++];
    keys->after_esc = c == '\033';
    return c;
}
