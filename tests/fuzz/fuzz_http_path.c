/* A path of any bytes is refused, or becomes one without dots and double slashes that, encoded and
 * decoded again, stays what it is; in place as well as not. */
#include "base/herr.h"
#include "codec/http_path.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_result(char *path, size_t len)
{
    size_t size = 3 * len + 1;
    char *text = malloc(size);
    ssize_t n = http_path_encode(text, size, (http_span_t){path, len});

    check(path[0] == '/' && strlen(path) == len);
    check(!strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
    check(len < 3 || strcmp(path + len - 3, "/..") != 0);
    check(n >= (ssize_t)len);
    check(http_path_decode(text, size, (http_span_t){text, (size_t)n}) == (ssize_t)len);
    check(memcmp(text, path, len) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1), *dst = malloc(size + 1);
    http_span_t path, query;
    ssize_t n;

    memcpy(copy, data, size);
    http_path_split((http_span_t){copy, size}, &path, &query);
    check(path.len <= size && query.len <= size);
    n = http_path_decode(dst, size + 1, path);
    check(n == http_path_decode(copy, size + 1, path));
    check(n > 0 || n == HERR_SYNTAX || n == HERR_RANGE);
    if (n > 0) {
        check(memcmp(copy, dst, (size_t)n + 1) == 0);
        check_result(dst, (size_t)n);
    }
    free(copy);
    free(dst);
    return 0;
}
