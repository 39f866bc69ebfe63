/* The safe name of what is read stays in the folder; written as an answer it is read again. */
#include "codec/http_disposition.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1), written[8192], safe[HTTP_FILENAME_SIZE];
    http_disposition_t d, again;

    memcpy(copy, data, size);
    if (http_disposition_parse((http_span_t){copy, size}, &d) == 0 && d.has_filename) {
        ssize_t len = http_safe_filename(d.filename, safe);

        if (len > 0) {
            check(strlen(safe) == (size_t)len && len < HTTP_FILENAME_SIZE);
            check(!strpbrk(safe, "/\\") && safe[0] != '.');
        }
        len = http_disposition_write("attachment", NULL, d.filename, written, sizeof(written));
        check(len > 0);
        check(http_disposition_parse((http_span_t){written, (size_t)len}, &again) == 0);
        check(strcmp(again.filename, d.filename) == 0);
    }
    free(copy);
    return 0;
}
