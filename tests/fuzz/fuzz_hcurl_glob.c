/* The input is a pattern, a line feed, and a name. A pattern that is read gives as many texts as it
 * says; one without a backslash or a pattern in it gives itself. */
#include "../../cmd/hcurl/glob.h"
#include "base/herr.h"
#include "base/hmem.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_texts(glob_set_t *glob, const char *pattern, const char *name)
{
    hbytes_t text = {0}, file = {0};
    glob_fault_t fault;
    uint64_t count = 0;

    while (count < TEXTS_MAX && glob_next(glob, &text) == 1) {
        int err = glob_expand(glob, NULL, name, &file, &fault);

        check(err == 0 || (err == HERR_SYNTAX && fault.text && fault.position <= strlen(name)));
        if (!strpbrk(pattern, "\\{["))
            check(strcmp(text.data ? text.data : "", pattern) == 0);
        hbytes_clear(&text);
        hbytes_clear(&file);
        count++;
    }
    check(count == TEXTS_MAX || count == glob_count(glob));
    hbytes_deinit(&file);
    hbytes_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *pattern = malloc(size + 2), *name;
    hbytes_t text = {0};
    glob_fault_t fault;
    glob_set_t *glob;
    int err;

    memcpy(pattern, data, size);
    pattern[size] = pattern[size + 1] = '\0';
    name = pattern + strcspn(pattern, "\n");
    *name++ = '\0';
    err = glob_new(pattern, &glob, &fault);
    if (err == 0) {
        check_texts(glob, pattern, name);
        glob_free(glob);
    } else {
        check(err == HERR_SYNTAX && fault.text && fault.position <= strlen(pattern) + 1);
        check(glob_explain(&fault, pattern, &text) == 0);
    }
    hbytes_deinit(&text);
    free(pattern);
    return 0;
}
