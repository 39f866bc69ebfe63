/* hcurl_line: a command line in one text, words with a bar between them, for the tests of modules
 * of hcurl. Include it after cmocka.h. */
#ifndef HNET_TESTS_HCURL_LINE_H
#define HNET_TESTS_HCURL_LINE_H

#include "app/hopt.h"

#include <stdio.h>
#include <string.h>

#define LINE_WORDS_MAX 40

typedef struct line_s {
    char text[1024];
    char *argv[LINE_WORDS_MAX];
    hopt_list_t operands;
    hbytes_t message;
    int result;
} line_t;

/* "''" is an empty word. */
static inline void line_parse(line_t *line, const hopt_t *rows, void *options, const char *text)
{
    const hopt_spec_t spec = {.command = "test", .options = rows};
    int argc = 1;
    char *save = NULL;

    memset(line, 0, sizeof(*line));
    snprintf(line->text, sizeof(line->text), "%s", text);
    line->argv[0] = line->text + sizeof(line->text) - 1;
    for (char *word = strtok_r(line->text, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
        assert_true(argc + 1 < LINE_WORDS_MAX);
        line->argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    line->result = hopt_parse(&spec, argc, line->argv, options, &line->operands, &line->message);
}

static inline void line_drop(line_t *line, const hopt_t *rows, void *options)
{
    const hopt_spec_t spec = {.command = "test", .options = rows};

    hopt_deinit(&spec, options, &line->operands);
    hbytes_deinit(&line->message);
}

#endif
