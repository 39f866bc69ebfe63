/* fuzz_hcurl_config: any text as a config file of hcurl. Options and values lie in the text, one
 * behind the other, and the lines are counted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../cmd/hcurl/config.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *at = text;
    unsigned number = 0, lines = 1;
    config_line_t line;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    while (config_next(&at, &number, &line)) {
        check(line.option >= text && line.option < at);
        check(line.number == number && number <= lines);
        check(line.value == NULL || (line.value > line.option && line.value <= at));
        check(line.value == NULL || line.value + strlen(line.value) <= at);
        check(strpbrk(line.option, " \t\r\n") == NULL);
        check(line.option[0] == '-' || strpbrk(line.option, "=:") == NULL);
    }
    free(text);
    return 0;
}
