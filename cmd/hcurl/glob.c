/* A pattern is a row of parts: texts, words, numbers, letters. Each knows where it stands; the next
 * text is that of an odometer. Positions in faults are counted as curl counts them: neither a
 * closing brace nor an address in brackets moves them on. */
#include "glob.h"

#include <string.h>

#include "base/herr.h"
#include "base/hmem.h"
#include "base/hurl.h"

#define IPV6_MAX 127 /* bytes, brackets included */

typedef enum part_e { PART_TEXT, PART_WORDS, PART_NUMBERS, PART_LETTERS } part_e;

typedef struct part_s {
    part_e kind;
    unsigned number;   /* of the pattern, from 1 on; 0: PART_TEXT */
    hurl_part_t name;  /* in the pattern that was given */
    size_t text;       /* PART_TEXT, PART_WORDS: where the first one begins, in `texts` */
    int64_t min, max;  /* PART_WORDS: how many there are, less 1 */
    int64_t step, now; /* PART_WORDS: where the word that it stands at begins is `word` */
    size_t word;
    int width; /* of numbers, padded with zeros */
} part_t;

struct glob_set_s {
    part_t parts[GLOB_PARTS_MAX + 1];
    size_t count;
    uint64_t amount;
    char *pattern;
    hbytes_t texts; /* each with a NUL behind it */
    bool begun;
};

/* Where the reader stands. */
typedef struct reader_s {
    glob_set_t *glob;
    const char *at;
    size_t position;
    glob_fault_t *fault;
    unsigned patterns;
} reader_t;

/* ---- reading a pattern ----------------------------------------------------------------------- */

static int refuse(reader_t *r, const char *text, size_t position)
{
    *r->fault = (glob_fault_t){text, position};
    return HERR_SYNTAX;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static part_t *last_part(reader_t *r)
{
    return &r->glob->parts[r->glob->count];
}

static int close_part(reader_t *r)
{
    if (++r->glob->count > GLOB_PARTS_MAX)
        return refuse(r, "too many {} sets", r->position);
    return 0;
}

/* So many texts more come of each. */
static int multiply(reader_t *r, uint64_t by, size_t position)
{
    if (by > INT64_MAX || __builtin_mul_overflow(r->glob->amount, by, &r->glob->amount) ||
        r->glob->amount > INT64_MAX)
        return refuse(r, "range overflow", position);
    return 0;
}

/* Takes "<name>" off the front of a pattern; what is no name stays, as a part of it. */
static int read_name(reader_t *r, part_t *part)
{
    const char *end = r->at[0] == '<' ? strchr(r->at, '>') : NULL;
    hurl_part_t name;

    if (!end || end == r->at + 1 || end - r->at - 1 > GLOB_NAME_MAX)
        return 0;
    name = (hurl_part_t){r->at + 1, (size_t)(end - r->at) - 1};
    for (size_t i = 0; i < r->glob->count; i++) {
        const hurl_part_t *other = &r->glob->parts[i].name;

        if (other->len == name.len && memcmp(other->data, name.data, name.len) == 0)
            return refuse(r, "Duplicate glob name", (size_t)(end + 1 - r->glob->pattern));
    }
    part->name = name;
    r->position += name.len + 2;
    r->at = end + 1;
    return 0;
}

static int end_word(reader_t *r, part_t *part)
{
    if (part->max + 1 >= GLOB_WORDS_MAX)
        return refuse(r, "range overflow", 0);
    part->max++;
    return hbytes_append_char(&r->glob->texts, '\0');
}

/* Behind the opening brace. */
static int read_words(reader_t *r, part_t *part)
{
    const char *start = r->at;
    int err = 0;

    part->kind = PART_WORDS;
    part->text = part->word = r->glob->texts.len;
    part->step = 1;
    part->max = -1;
    for (; err == 0 && *r->at != '}'; r->at++, r->position++) {
        if (*r->at == '\0')
            return refuse(r, "unmatched brace", r->position);
        if (*r->at == '{' || *r->at == '[')
            return refuse(r, "nested brace", r->position);
        if (*r->at == ']')
            return refuse(r, "unexpected close bracket", r->position);
        if (*r->at == ',') {
            err = end_word(r, part);
            continue;
        }
        if (*r->at == '\\' && r->at[1]) {
            r->at++;
            r->position++;
        }
        err = hbytes_append_char(&r->glob->texts, *r->at);
    }
    if (err == 0 && r->at == start)
        return refuse(r, "empty string within braces", r->position);
    if (err == 0)
        err = end_word(r, part);
    r->at++;
    return err == 0 ? multiply(r, (uint64_t)part->max + 1, 0) : err;
}

/* A number up to max. False: there is none, and *at stays. */
static bool read_number(const char **at, int64_t max, int64_t *value)
{
    const char *p = *at;

    if (!is_digit(*p))
        return false;
    for (*value = 0; is_digit(*p); p++) {
        if (*value > (max - (*p - '0')) / 10)
            return false;
        *value = *value * 10 + (*p - '0');
    }
    *at = p;
    return true;
}

/* "]" or ":STEP]"; 0: neither. */
static int64_t read_step(const char **at, int64_t max)
{
    int64_t step = 1;

    if (**at == ':') {
        (*at)++;
        if (!read_number(at, max, &step))
            return 0;
    }
    if (**at != ']')
        return 0;
    (*at)++;
    return step;
}

static void read_letters(reader_t *r, part_t *part)
{
    part->kind = PART_LETTERS;
    if (r->at[1] != '-' || !r->at[2] || !r->at[3])
        return;
    part->min = (unsigned char)r->at[0];
    part->max = (unsigned char)r->at[2];
    if (r->at[3] != ':' && r->at[3] != ']')
        return;
    r->at += 3;
    part->step = read_step(&r->at, 255);
}

static void read_numbers(reader_t *r, part_t *part)
{
    part->kind = PART_NUMBERS;
    if (r->at[0] == '0')
        part->width = (int)strspn(r->at, "0123456789");
    if (!read_number(&r->at, INT64_MAX, &part->min) || *r->at != '-')
        return;
    r->at++;
    r->at += strspn(r->at, " \t");
    if (read_number(&r->at, INT64_MAX, &part->max))
        part->step = read_step(&r->at, INT64_MAX);
}

/* Behind the opening bracket. */
static int read_range(reader_t *r, part_t *part)
{
    const char *start = r->at;

    if (is_letter(*r->at))
        read_letters(r, part);
    else if (is_digit(*r->at))
        read_numbers(r, part);
    else
        return refuse(r, "bad range specification", r->position);
    r->position += (size_t)(r->at - start);
    if (part->step == 0 || part->min > part->max ||
        (part->min == part->max ? part->step != 1 : part->step > part->max - part->min) ||
        (part->kind == PART_LETTERS && part->max - part->min > 'z' - 'a'))
        return refuse(r, "bad range", r->position);
    if (INT64_MAX - part->step < part->max)
        return refuse(r, "range end/step overflow", r->position);
    part->now = part->min;
    return multiply(r, (uint64_t)((part->max - part->min) / part->step) + 1, r->position);
}

static int read_pattern(reader_t *r)
{
    part_t *part = last_part(r);
    bool words = *r->at == '{';
    int err;

    r->at++;
    r->position++;
    part->number = ++r->patterns;
    err = read_name(r, part);
    if (err == 0)
        err = words ? read_words(r, part) : read_range(r, part);
    return err == 0 ? close_part(r) : err;
}

/* The length of what begins with a bracket and is no pattern: an address, or "[]". 0: it is one;
 * -ENOMEM. */
static ssize_t plain_bracket(const char *text)
{
    const char *end = strchr(text, ']');
    size_t len = end ? (size_t)(end - text) + 1 : 0;
    hurl_t url;
    int err;

    if (len <= 2 || len > IPV6_MAX)
        return len == 2 ? 2 : 0;
    err = hurl_parse(&url, text, len, NULL, HURL_AS_GIVEN | HURL_GUESS);
    hurl_deinit(&url);
    if (err < 0)
        return err == -ENOMEM ? err : 0;
    return (ssize_t)len;
}

/* Up to the next pattern, or the end. */
static int read_text(reader_t *r)
{
    part_t *part = last_part(r);
    hbytes_t *texts = &r->glob->texts;
    int err = 0;

    part->text = texts->len;
    while (err == 0 && *r->at && *r->at != '{') {
        ssize_t bracket = *r->at == '[' ? plain_bracket(r->at) : 0;

        if (bracket < 0)
            return (int)bracket;
        if (*r->at == '[' && bracket == 0)
            break;
        if (bracket > 0) {
            err = hbytes_append(texts, r->at, (size_t)bracket);
            r->at += bracket;
            continue;
        }
        if (*r->at == '}' || *r->at == ']')
            return refuse(r, "unmatched close brace/bracket", r->position);
        if (*r->at == '\\' && r->at[1] && strchr("{[}]", r->at[1])) {
            r->at++;
            r->position++;
        }
        err = hbytes_append_char(texts, *r->at++);
        r->position++;
    }
    if (err < 0 || texts->len == part->text)
        return err;
    part->kind = PART_TEXT;
    err = hbytes_append_char(texts, '\0');
    return err == 0 ? close_part(r) : err;
}

int glob_new(const char *pattern, glob_set_t **glob, glob_fault_t *fault)
{
    glob_set_t *made = hmem_zalloc(sizeof(*made));
    reader_t r = {.glob = made, .position = 1, .fault = fault};
    int err = 0;

    *fault = (glob_fault_t){NULL, 0};
    if (!made)
        return -ENOMEM;
    hbytes_init(&made->texts, GLOB_TEXT_MAX);
    made->amount = 1;
    made->pattern = hmem_strdup(pattern);
    if (!made->pattern)
        err = -ENOMEM;
    for (r.at = made->pattern; err == 0 && *r.at;) {
        err = read_text(&r);
        if (err == 0 && *r.at)
            err = read_pattern(&r);
    }
    if (err == -ENOBUFS)
        err = refuse(&r, "too long", 0);
    *glob = err == 0 ? made : NULL;
    if (err < 0)
        glob_free(made);
    return err;
}

void glob_free(glob_set_t *glob)
{
    if (!glob)
        return;
    hbytes_deinit(&glob->texts);
    hmem_free(glob->pattern);
    hmem_free(glob);
}

uint64_t glob_count(const glob_set_t *glob)
{
    return glob->amount;
}

/* ---- what it stands for ---------------------------------------------------------------------- */

/* To its next one. False: it is at its first one again. */
static bool turn(glob_set_t *glob, part_t *part)
{
    if (part->kind == PART_TEXT)
        return false;
    part->now += part->step;
    if (part->now > part->max) {
        part->now = part->min;
        part->word = part->text;
        return false;
    }
    if (part->kind == PART_WORDS)
        part->word += strlen(glob->texts.data + part->word) + 1;
    return true;
}

static int put_part(const glob_set_t *glob, const part_t *part, hbytes_t *out)
{
    switch (part->kind) {
    case PART_TEXT:
        return hbytes_append_str(out, glob->texts.data + part->text);
    case PART_WORDS:
        return hbytes_append_str(out, glob->texts.data + part->word);
    case PART_NUMBERS:
        return hbytes_printf(out, "%0*lld", part->width, (long long)part->now);
    default:
        return hbytes_append_char(out, (char)part->now);
    }
}

int glob_next(glob_set_t *glob, hbytes_t *text)
{
    size_t start = text->len, i = glob->count;
    int err = 0;

    if (glob->begun) {
        while (i > 0 && !turn(glob, &glob->parts[i - 1]))
            i--;
        if (i == 0)
            return 0;
    }
    glob->begun = true;
    for (i = 0; err == 0 && i < glob->count; i++) {
        err = put_part(glob, &glob->parts[i], text);
        if (err == 0 && text->len - start > GLOB_TEXT_MAX)
            err = -ENOBUFS;
    }
    return err == 0 ? 1 : err;
}

/* ---- names that are made of it --------------------------------------------------------------- */

static const part_t *find_name(const glob_set_t *glob, const char *name, size_t len)
{
    for (size_t i = 0; glob && i < glob->count; i++) {
        const part_t *part = &glob->parts[i];

        if (part->name.len == len && len > 0 && memcmp(part->name.data, name, len) == 0)
            return part;
    }
    return NULL;
}

static const part_t *find_number(const glob_set_t *glob, const char **at)
{
    const char *end = *at + 1;
    int64_t number;

    if (!glob || !read_number(&end, GLOB_PARTS_MAX, &number) || number == 0)
        return NULL;
    for (size_t i = 0; i < glob->count; i++) {
        if (glob->parts[i].number == (unsigned)number) {
            *at = end;
            return &glob->parts[i];
        }
    }
    return NULL;
}

int glob_expand(const glob_set_t *glob, const glob_set_t *other, const char *name, hbytes_t *out,
                glob_fault_t *fault)
{
    const char *at = name;
    int err = 0;

    *fault = (glob_fault_t){NULL, 0};
    while (err == 0 && *at) {
        const char *end = at[0] == '#' && at[1] == '<' ? strchr(at, '>') : NULL;
        size_t len = end ? (size_t)(end - at) - 2 : 0;
        const part_t *part = NULL;
        const glob_set_t *from = glob;

        if (len > 0 && len <= GLOB_NAME_MAX) {
            part = find_name(glob, at + 2, len);
            if (!part) {
                part = find_name(other, at + 2, len);
                from = other;
            }
            at = end + 1;
            if (!part) {
                *fault = (glob_fault_t){"no glob exists with this name", (size_t)(at - name)};
                return HERR_SYNTAX;
            }
        } else if (at[0] == '#') {
            part = find_number(glob, &at);
        }
        err = part ? put_part(from, part, out) : hbytes_append_char(out, *at++);
        if (err == 0 && out->len > GLOB_TEXT_MAX)
            err = -ENOBUFS;
    }
    return err;
}

int glob_explain(const glob_fault_t *fault, const char *pattern, hbytes_t *out)
{
    size_t start = out->len;
    int err = hbytes_append_str(out, fault->text);

    if (err == 0 && fault->position > 0)
        err = hbytes_printf(out, " in position %zu:\n%s\n%*s^", fault->position, pattern,
                            (int)fault->position - 1, " ");
    if (err == 0 && out->len - start > GLOB_EXPLAIN_MAX) {
        out->len = start + GLOB_EXPLAIN_MAX;
        out->data[out->len] = '\0';
    }
    return err;
}
