/* Output that does not end in a line feed yet. It is shown as readline's prompt, so only what has a
 * width that readline can tell belongs to it: text, and colours. Anything else that a control
 * sequence does, it does once, when it comes. */
#include "hline_int.h"

#include "hline.h"

#include <string.h>

#include "../base/hstr.h"

#define TAB_COLUMNS 8
#define HELD_MAX 64      /* bytes of a control sequence; what is longer is none */
#define INVISIBLE "\001" /* readline's marks around what has no width */
#define VISIBLE "\002"

typedef enum { PIECE_TEXT, PIECE_CONTROL, PIECE_STYLE, PIECE_SEQUENCE, PIECE_PARTIAL } piece_e;

void hline__tail_init(hline_tail_t *tail)
{
    memset(tail, 0, sizeof(*tail));
}

void hline__tail_deinit(hline_tail_t *tail)
{
    hbytes_deinit(&tail->raw);
    hbytes_deinit(&tail->prompt);
    hbytes_deinit(&tail->held);
}

void hline__tail_clear(hline_tail_t *tail)
{
    hbytes_clear(&tail->raw);
    hbytes_clear(&tail->prompt);
    tail->columns = 0;
    tail->overwritten = false;
}

/* ESC [ parameters final, or ESC and what follows (ECMA-48 5.4); *len: its length. */
static piece_e escape(const char *s, size_t size, size_t *len)
{
    size_t i = 1;

    if (size >= 2 && s[1] == '[') {
        for (i = 2; i < size && s[i] >= 0x20 && s[i] < 0x40;)
            i++;
    } else {
        while (i < size && s[i] >= 0x20 && s[i] < 0x30)
            i++;
    }
    *len = i < size ? i + 1 : size;
    if (i >= size)
        return size < HELD_MAX ? PIECE_PARTIAL : PIECE_SEQUENCE;
    return s[1] == '[' && s[i] == 'm' ? PIECE_STYLE : PIECE_SEQUENCE;
}

/* ESC ] text BEL, or ... ESC \: a title and the like. */
static piece_e command(const char *s, size_t size, size_t *len)
{
    for (size_t i = 2; i < size; i++) {
        if (s[i] == '\a' || (s[i] == '\\' && s[i - 1] == '\033')) {
            *len = i + 1;
            return PIECE_SEQUENCE;
        }
    }
    *len = size;
    return size < HLINE_TAIL_MAX ? PIECE_PARTIAL : PIECE_SEQUENCE;
}

static piece_e character(const char *s, size_t size, size_t *len)
{
    unsigned char c = (unsigned char)s[0];
    size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    size_t whole = hstr_utf8_len(s, size);

    *len = whole > 0 ? whole : 1;
    if (whole == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0)
        return PIECE_SEQUENCE; /* C1 controls */
    if (whole > 0 || c < 0xc2 || c > 0xf4 || size >= want)
        return PIECE_TEXT;
    *len = size;
    return PIECE_PARTIAL;
}

static piece_e next_piece(const char *s, size_t size, size_t *len)
{
    unsigned char c = (unsigned char)s[0];

    *len = 1;
    if (c == '\033')
        return size >= 2 && s[1] == ']' ? command(s, size, len) : escape(s, size, len);
    if (c >= 0x80)
        return character(s, size, len);
    return c < 0x20 || c == 0x7f ? PIECE_CONTROL : PIECE_TEXT;
}

/* Text, or a tab. */
static int add_text(hline_tail_t *tail, const char *s, size_t len)
{
    size_t spaces = TAB_COLUMNS - tail->columns % TAB_COLUMNS;
    int err;

    if (tail->overwritten)
        hline__tail_clear(tail);
    err = hbytes_append(&tail->raw, s, len);
    if (err < 0)
        return err;
    if (s[0] != '\t') {
        tail->columns++;
        return hbytes_append(&tail->prompt, s, len);
    }
    tail->columns += spaces;
    return hbytes_append(&tail->prompt, "        ", spaces);
}

static int add_style(hline_tail_t *tail, const char *s, size_t len)
{
    int err = hbytes_append(&tail->raw, s, len);

    if (err == 0)
        err = hbytes_append_str(&tail->prompt, INVISIBLE);
    if (err == 0)
        err = hbytes_append(&tail->prompt, s, len);
    return err == 0 ? hbytes_append_str(&tail->prompt, VISIBLE) : err;
}

/* A spinner goes back over what it has drawn. */
static void go_back(hline_tail_t *tail)
{
    size_t raw = tail->raw.len, prompt = tail->prompt.len;

    if (raw == 0 || prompt == 0 || tail->raw.data[raw - 1] != tail->prompt.data[prompt - 1])
        return;
    if (tail->raw.data[raw - 1] < ' ' || tail->raw.data[raw - 1] > '~')
        return;
    tail->raw.data[--tail->raw.len] = '\0';
    tail->prompt.data[--tail->prompt.len] = '\0';
    tail->columns--;
}

static int add_control(hline_tail_t *tail, char c, hbytes_t *out)
{
    if (c == '\t')
        return add_text(tail, &c, 1);
    if (c == '\r')
        tail->overwritten = true;
    else if (c == '\b')
        go_back(tail);
    else
        return hbytes_append_char(out, c);
    return 0;
}

static int add_piece(hline_tail_t *tail, const char *s, size_t len, piece_e piece, hbytes_t *out)
{
    switch (piece) {
    case PIECE_TEXT:
        return add_text(tail, s, len);
    case PIECE_CONTROL:
        return add_control(tail, s[0], out);
    case PIECE_STYLE:
        return add_style(tail, s, len);
    case PIECE_SEQUENCE:
        return hbytes_append(out, s, len);
    case PIECE_PARTIAL:
        return hbytes_append(&tail->held, s, len);
    }
    return 0;
}

/* The line goes to the screen. */
static int end_line(hline_tail_t *tail, const char *rest, size_t len, hbytes_t *out)
{
    int err = hbytes_append(out, tail->raw.data, tail->raw.len);

    if (err == 0 && tail->overwritten)
        err = hbytes_append_char(out, '\r');
    if (err == 0)
        err = hbytes_append(out, rest, len);
    hline__tail_clear(tail);
    return err;
}

static int feed(hline_tail_t *tail, const char *data, size_t len, hbytes_t *out)
{
    const char *lf = memrchr(data, '\n', len);
    size_t at = lf ? (size_t)(lf - data) + 1 : 0;
    int err = at > 0 ? end_line(tail, data, at, out) : 0;

    while (err == 0 && at < len) {
        size_t n;
        piece_e piece = next_piece(data + at, len - at, &n);

        err = add_piece(tail, data + at, n, piece, out);
        at += n;
        if (err == 0 && tail->prompt.len > HLINE_TAIL_MAX)
            err = end_line(tail, "\n", 1, out);
    }
    return err;
}

int hline__tail_feed(hline_tail_t *tail, const char *data, size_t len, hbytes_t *out)
{
    hbytes_t joined = tail->held;
    int err;

    if (joined.len == 0)
        return feed(tail, data, len, out);
    memset(&tail->held, 0, sizeof(tail->held));
    err = hbytes_append(&joined, data, len);
    if (err == 0)
        err = feed(tail, joined.data, joined.len, out);
    hbytes_deinit(&joined);
    return err;
}
