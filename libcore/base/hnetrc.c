/* Words are read one by one; an entry is what stands between two of the words that begin one, and
 * is looked at where it ends. */
#include "hnetrc.h"

#include "herr.h"

#include <string.h>
#include <strings.h>

typedef enum {
    WORD_MACHINE,
    WORD_DEFAULT,
    WORD_LOGIN,
    WORD_PASSWORD,
    WORD_ACCOUNT,
    WORD_MACDEF,
    WORD_OTHER
} word_e;

typedef struct reader_s {
    const char *begin, *at, *end;
    bool quoted;
    char value[HNETRC_VALUE_SIZE]; /* the last word */
} reader_t;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Whether only spaces and tabs stand before this on its line. */
static bool begins_line(const reader_t *r)
{
    const char *p = r->at;

    while (p > r->begin && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    return p == r->begin || p[-1] == '\n';
}

static void skip_line(reader_t *r)
{
    const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));

    r->at = end ? end + 1 : r->end;
}

static void skip_spaces(reader_t *r)
{
    while (r->at < r->end) {
        if (*r->at == '#' && begins_line(r))
            skip_line(r);
        else if (is_space(*r->at))
            r->at++;
        else
            return;
    }
}

static char unescaped(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

static int read_quoted(reader_t *r)
{
    size_t len = 0;

    for (r->at++; r->at < r->end; r->at++) {
        bool escaped = *r->at == '\\';

        if (*r->at == '"') {
            r->at++;
            r->value[len] = '\0';
            return 1;
        }
        if (escaped && ++r->at == r->end)
            break;
        if (*r->at == '\0' || len + 1 >= sizeof(r->value))
            return HERR_SYNTAX;
        r->value[len++] = escaped ? unescaped(*r->at) : *r->at;
    }
    return HERR_SYNTAX;
}

/* The next word: 1, 0 at the end, HERR_SYNTAX. */
static int read_word(reader_t *r)
{
    size_t len = 0;

    skip_spaces(r);
    if (r->at == r->end)
        return 0;
    r->quoted = *r->at == '"';
    if (r->quoted)
        return read_quoted(r);
    for (; r->at < r->end && !is_space(*r->at); r->at++) {
        if (*r->at == '\0' || len + 1 >= sizeof(r->value))
            return HERR_SYNTAX;
        r->value[len++] = *r->at;
    }
    r->value[len] = '\0';
    return 1;
}

static word_e word_of(const char *text)
{
    static const struct {
        const char *name;
        word_e word;
    } words[] = {{"machine", WORD_MACHINE},   {"default", WORD_DEFAULT}, {"login", WORD_LOGIN},
                 {"password", WORD_PASSWORD}, {"account", WORD_ACCOUNT}, {"macdef", WORD_MACDEF}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(words[i].name, text) == 0)
            return words[i].word;
    }
    return WORD_OTHER;
}

/* A macro ends at an empty line. */
static void skip_macro(reader_t *r)
{
    while (r->at < r->end) {
        const char *line;

        skip_line(r);
        line = r->at;
        while (line < r->end && *line == '\r')
            line++;
        if (line < r->end && *line == '\n')
            return;
    }
}

/* Whether the entry that ends here is the one. */
static bool is_wanted(const hnetrc_t *entry, bool fits, const char *user)
{
    if (!fits || (!entry->has_login && !entry->has_password))
        return false;
    if (user && entry->has_login)
        return entry->has_password && strcmp(entry->login, user) == 0;
    return true;
}

/* The value of a keyword that was just read. */
static int take_value(reader_t *r, char *value, bool *has)
{
    int got = read_word(r);

    if (got > 0 && value) {
        memcpy(value, r->value, strlen(r->value) + 1);
        *has = true;
    }
    return got;
}

/* What a word means for the entry; *fits: it is one of the host. */
static int take_word(reader_t *r, word_e word, const char *host, hnetrc_t *entry, bool *fits)
{
    int got = 1;

    switch (word) {
    case WORD_MACHINE:
        got = read_word(r);
        *fits = got > 0 && strcasecmp(r->value, host) == 0;
        break;
    case WORD_DEFAULT:
        *fits = true;
        break;
    case WORD_LOGIN:
        got = take_value(r, entry->login, &entry->has_login);
        break;
    case WORD_PASSWORD:
        got = take_value(r, entry->password, &entry->has_password);
        break;
    case WORD_ACCOUNT:
        got = take_value(r, NULL, NULL);
        break;
    case WORD_MACDEF:
        *fits = false;
        skip_macro(r);
        break;
    case WORD_OTHER:
        break;
    }
    return got;
}

static void clear(hnetrc_t *entry)
{
    entry->login[0] = entry->password[0] = '\0';
    entry->has_login = entry->has_password = false;
}

/* A password that is for any login is for this one. */
static int complete(hnetrc_t *found, const char *user)
{
    size_t size = user ? strlen(user) + 1 : 0;

    if (size > sizeof(found->login))
        return HERR_SYNTAX;
    if (size > 0) {
        memcpy(found->login, user, size);
        found->has_login = true;
    }
    return 1;
}

int hnetrc_find(const char *text, size_t len, const char *host, const char *user, hnetrc_t *found)
{
    reader_t r = {.begin = text, .at = text, .end = text + len};
    bool fits = false;
    int got;

    if (user && !user[0])
        user = NULL;
    clear(found);
    do {
        word_e word;

        got = read_word(&r);
        word = got > 0 && !r.quoted ? word_of(r.value) : WORD_OTHER;
        if (got == 0 || word == WORD_MACHINE || word == WORD_DEFAULT || word == WORD_MACDEF) {
            if (is_wanted(found, fits, user))
                return complete(found, user);
            clear(found);
            fits = false;
        }
        if (got > 0 && take_word(&r, word, host, found, &fits) < 0)
            got = HERR_SYNTAX;
    } while (got > 0);
    clear(found);
    return got;
}
