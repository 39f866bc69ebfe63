/* A command of --then. What is put in is all that is added, it stands where placeholders stood, and
 * braces that are doubled are what goes. */
#include "../../cmd/hnmap/then_text.h"

#include "base/hmem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "\1"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static size_t count(const char *text, char c)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == c;
    return n;
}

static char *expand(const char *command, const char *word)
{
    const char *words[THEN_WORDS];
    hbytes_t out = {0};

    for (size_t i = 0; i < THEN_WORDS; i++)
        words[i] = word;
    check(then_text_write(&out, command, words) == 0);
    return out.data ? hbytes_take(&out, NULL) : NULL;
}

static void check_command(const char *command)
{
    char *with = expand(command, MARK), *without = expand(command, "");
    const char *a = with, *b = without ? without : "";
    bool has_word = false;

    check(with != NULL);
    for (int i = 0; i < THEN_WORDS; i++)
        has_word = has_word || then_text_has(command, (then_word_e)i);
    check((count(with, *MARK) > count(command, *MARK)) == has_word);
    check(strlen(with) <= strlen(command)); /* a placeholder has more letters than the mark */
    for (; *a; a++)
        if (*a == *b)
            b++;
        else
            check(*a == *MARK);
    check(*b == '\0');
    hmem_free(with);
    hmem_free(without);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *command = malloc(size + 1);
    hbytes_t why = {0};

    memcpy(command, data, size);
    command[size] = '\0';
    if (then_text_check(command, &why) == 0)
        check_command(command);
    else
        check(why.len > 0);
    then_text_is_harmless(command);
    hbytes_deinit(&why);
    free(command);
    return 0;
}
