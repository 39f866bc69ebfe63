#include "client_words.h"

#include "command.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void learn(words_t *words, const char *text, size_t len)
{
    char name[NAME_SIZE];
    size_t at = 0;

    if (name_take(name, text, len))
        return;
    while (at < WORDS_NAMES_MAX - 1 && words->names[at][0] && !name_same(words->names[at], name))
        at++;
    memmove(words->names[1], words->names[0], at * NAME_SIZE);
    memcpy(words->names[0], name, NAME_SIZE);
}

/* The length of "name" in "<name> ..." or "<name -> ..."; 0: there is none. */
static size_t name_len(const char *line, size_t len)
{
    size_t n = 1;

    while (n < len && line[n] != '>' && line[n] != ' ')
        n++;
    return n < len ? n - 1 : 0;
}

/* The length of the word in front of `behind`; 0: that is not there. */
static size_t word_before(const char *text, size_t len, const char *behind)
{
    const char *found = memmem(text, len, behind, strlen(behind));

    return found ? (size_t)(found - text) : 0;
}

void words_learn(words_t *words, const char *line, size_t len)
{
    const char is_now[] = " is now ";
    size_t n;

    if (len >= 8 && line[0] == '[' && line[6] == ']') { /* a timestamp */
        line += 8;
        len -= 8;
    }
    if (len > 1 && line[0] == '<') {
        learn(words, line + 1, name_len(line, len));
    } else if (len > 2 && line[0] == '*') {
        line += 2;
        len -= 2;
        n = word_before(line, len, is_now);
        if (n > 0)
            learn(words, line + n + strlen(is_now), len - n - strlen(is_now));
        else
            learn(words, line, word_before(line, len, " has joined "));
    }
}

static const char *find_command(words_t *words, const char *text, size_t *n)
{
    const char *help;

    for (size_t i = 0; (help = command_help(i)) != NULL; i++) {
        snprintf(words->command, sizeof(words->command), "%.*s", (int)strcspn(help, " "), help);
        if (strncasecmp(words->command, text, strlen(text)) == 0 && (*n)-- == 0)
            return words->command;
    }
    return NULL;
}

const char *words_find(words_t *words, const char *text, size_t n)
{
    if (text[0] == '/')
        return find_command(words, text, &n);
    for (size_t i = 0; i < WORDS_NAMES_MAX && words->names[i][0]; i++) {
        if (strncasecmp(words->names[i], text, strlen(text)) == 0 && n-- == 0)
            return words->names[i];
    }
    return NULL;
}
