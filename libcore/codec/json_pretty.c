/* A state says what may come next, a token what the bytes at hand belong to. White space outside of
 * all values passes, so that what turns out to be no JSON at all is not touched. */
#include "json_pretty.h"

#include <string.h>

typedef enum state_e {
    STATE_VALUE,
    STATE_FIRST, /* behind an opening bracket: a value, a key, or the closing one */
    STATE_KEY,
    STATE_COLON,
    STATE_MORE, /* a comma, or the closing bracket */
    STATE_RAW   /* it is no JSON */
} state_e;

typedef enum token_e {
    TOKEN_NONE,
    TOKEN_KEY,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL
} token_e;

typedef struct layout_s {
    json_pretty_t *p;
    hbytes_t *out;
    int status; /* the first failure; nothing is put behind it */
} layout_t;

/* ---- what comes out ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void put(layout_t *l, const char *data, size_t len)
{
    if (l->status != 0 || len == 0)
        return;
    l->status = hbytes_append(l->out, data, len);
    l->p->last = data[len - 1];
    l->p->spaced = false;
}

static void put_char(layout_t *l, char c)
{
    put(l, &c, 1);
}

static void put_line_end(layout_t *l)
{
    put_char(l, '\n');
    for (size_t i = 0; i < (size_t)l->p->depth * JSON_PRETTY_INDENT && l->status == 0; i++)
        put_char(l, ' ');
}

/* A style is no text: it neither begins nor ends a line. */
static void put_style(layout_t *l, const char *style)
{
    if (l->status == 0 && style != NULL)
        l->status = hbytes_append_str(l->out, style);
}

static void begin_token(layout_t *l, token_e token)
{
    const json_pretty_styles_t *styles = l->p->styles;

    l->p->token = token;
    l->p->escaped = false;
    if (styles == NULL)
        return;
    switch (token) {
    case TOKEN_KEY:
        put_style(l, styles->key);
        return;
    case TOKEN_STRING:
        put_style(l, styles->string);
        return;
    case TOKEN_NUMBER:
        put_style(l, styles->number);
        return;
    default:
        put_style(l, styles->word);
        return;
    }
}

static void stop_token(layout_t *l)
{
    if (l->p->token != TOKEN_NONE && l->p->styles != NULL)
        put_style(l, l->p->styles->off);
    l->p->token = TOKEN_NONE;
}

/* ---- the grammar ---- */

static bool in_object(const json_pretty_t *p)
{
    unsigned level = p->depth - 1;

    return p->depth > 0 && (p->objects[level / 64] >> (level % 64) & 1) != 0;
}

static void end_value(layout_t *l)
{
    l->p->state = l->p->depth == 0 ? STATE_VALUE : STATE_MORE;
}

static void give_up(layout_t *l, char c)
{
    stop_token(l);
    l->p->state = STATE_RAW;
    if (l->p->spaced && !is_space(l->p->last))
        put_char(l, ' '); /* lest two words become one */
    put_char(l, c);
}

static void open_bracket(layout_t *l, char c)
{
    json_pretty_t *p = l->p;
    uint64_t bit = (uint64_t)1 << (p->depth % 64);

    put_char(l, c);
    if (c == '{')
        p->objects[p->depth / 64] |= bit;
    else
        p->objects[p->depth / 64] &= ~bit;
    p->depth++;
    p->state = STATE_FIRST;
}

static void close_bracket(layout_t *l, char c)
{
    bool empty = l->p->state == STATE_FIRST;

    if (c != (in_object(l->p) ? '}' : ']')) {
        give_up(l, c);
        return;
    }
    l->p->depth--;
    if (!empty)
        put_line_end(l);
    put_char(l, c);
    end_value(l);
}

static token_e token_of(char c)
{
    switch (c) {
    case '"':
        return TOKEN_STRING;
    case 't':
        return TOKEN_TRUE;
    case 'f':
        return TOKEN_FALSE;
    case 'n':
        return TOKEN_NULL;
    default:
        return c == '-' || (c >= '0' && c <= '9') ? TOKEN_NUMBER : TOKEN_NONE;
    }
}

static void take_value(layout_t *l, char c)
{
    json_pretty_t *p = l->p;
    bool bracket = (c == '{' || c == '[') && p->depth < JSON_PRETTY_DEPTH_MAX;
    token_e token = token_of(c);

    if (!bracket && token == TOKEN_NONE) {
        give_up(l, c);
        return;
    }
    if (p->state == STATE_FIRST)
        put_line_end(l);
    else if (p->depth == 0 && p->last != '\0' && !is_space(p->last))
        put_char(l, '\n'); /* it is right behind the last one */
    if (bracket) {
        open_bracket(l, c);
        return;
    }
    begin_token(l, token);
    p->matched = 1;
    put_char(l, c);
}

static void take_key(layout_t *l, char c)
{
    if (c != '"') {
        give_up(l, c);
        return;
    }
    put_line_end(l);
    begin_token(l, TOKEN_KEY);
    put_char(l, c);
}

static void take_colon(layout_t *l, char c)
{
    if (c != ':') {
        give_up(l, c);
        return;
    }
    put(l, ": ", 2);
    l->p->state = STATE_VALUE;
}

static void take_comma(layout_t *l, char c)
{
    if (c != ',') {
        give_up(l, c);
        return;
    }
    put_char(l, c);
    if (in_object(l->p)) {
        l->p->state = STATE_KEY;
        return;
    }
    put_line_end(l);
    l->p->state = STATE_VALUE;
}

/* Outside of tokens. */
static void take(layout_t *l, char c)
{
    json_pretty_t *p = l->p;

    if (is_space(c)) {
        if (p->depth == 0)
            put_char(l, c);
        else
            p->spaced = true;
        return;
    }
    if ((c == '}' || c == ']') && (p->state == STATE_FIRST || p->state == STATE_MORE)) {
        close_bracket(l, c);
        return;
    }
    switch ((state_e)p->state) {
    case STATE_VALUE:
        take_value(l, c);
        return;
    case STATE_FIRST:
        if (in_object(p))
            take_key(l, c);
        else
            take_value(l, c);
        return;
    case STATE_KEY:
        take_key(l, c);
        return;
    case STATE_COLON:
        take_colon(l, c);
        return;
    case STATE_MORE:
        take_comma(l, c);
        return;
    case STATE_RAW:
        put_char(l, c);
        return;
    }
}

/* ---- within tokens: how many of the bytes belong to it ---- */

static void end_token(layout_t *l)
{
    bool key = l->p->token == TOKEN_KEY;

    stop_token(l);
    if (key)
        l->p->state = STATE_COLON;
    else
        end_value(l);
}

static size_t take_string(layout_t *l, const char *data, size_t len)
{
    size_t n = 0;

    while (n < len) {
        char c = data[n++];

        if (l->p->escaped)
            l->p->escaped = false;
        else if (c == '\\')
            l->p->escaped = true;
        else if (c == '"') {
            put(l, data, n);
            end_token(l);
            return n;
        }
    }
    put(l, data, n);
    return n;
}

static size_t take_number(layout_t *l, const char *data, size_t len)
{
    size_t n = 0;

    while (n < len && memchr("0123456789+-.eE", data[n], 15) != NULL)
        n++;
    put(l, data, n);
    if (n < len)
        end_token(l);
    return n;
}

static size_t take_word(layout_t *l, const char *data)
{
    static const char *const words[] = {
        [TOKEN_TRUE] = "true", [TOKEN_FALSE] = "false", [TOKEN_NULL] = "null"};
    const char *word = words[l->p->token];

    if (data[0] != word[l->p->matched]) {
        give_up(l, data[0]);
        return 1;
    }
    put_char(l, data[0]);
    l->p->matched++;
    if (word[l->p->matched] == '\0')
        end_token(l);
    return 1;
}

static size_t take_some(layout_t *l, const char *data, size_t len)
{
    switch ((token_e)l->p->token) {
    case TOKEN_KEY:
    case TOKEN_STRING:
        return take_string(l, data, len);
    case TOKEN_NUMBER:
        return take_number(l, data, len);
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_NULL:
        return take_word(l, data);
    case TOKEN_NONE:
        break;
    }
    if (l->p->state == STATE_RAW) {
        put(l, data, len);
        return len;
    }
    take(l, data[0]);
    return 1;
}

/* ---- public ---- */

void json_pretty_init(json_pretty_t *p, const json_pretty_styles_t *styles)
{
    memset(p, 0, sizeof(*p));
    p->styles = styles;
    p->state = STATE_VALUE;
    p->token = TOKEN_NONE;
}

int json_pretty_feed(json_pretty_t *p, const void *data, size_t len, hbytes_t *out)
{
    layout_t l = {p, out, 0};
    const char *next = data;

    while (len > 0 && l.status == 0) {
        size_t n = take_some(&l, next, len);

        next += n;
        len -= n;
    }
    return l.status;
}

int json_pretty_end(json_pretty_t *p, hbytes_t *out)
{
    layout_t l = {p, out, 0};

    stop_token(&l);
    if (p->state != STATE_RAW && p->last != '\0' && p->last != '\n')
        put_char(&l, '\n');
    return l.status;
}
