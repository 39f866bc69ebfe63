/* Any bytes: however they are cut, the same comes out, and only white space was changed. */
#include "codec/json_pretty.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool same_but_space(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *a_end = a + a_len, *b_end = b + b_len;

    for (;;) {
        while (a < a_end && is_space(*a))
            a++;
        while (b < b_end && is_space(*b))
            b++;
        if (a == a_end || b == b_end)
            return a == a_end && b == b_end;
        if (*a++ != *b++)
            return false;
    }
}

static void lay_out(const uint8_t *data, size_t size, size_t step, hbytes_t *out)
{
    json_pretty_t p;

    json_pretty_init(&p, NULL);
    for (size_t i = 0; i < size; i += step)
        check(json_pretty_feed(&p, data + i, size - i < step ? size - i : step, out) == 0);
    check(json_pretty_end(&p, out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hbytes_t whole = {0}, pieces = {0};

    if (size == 0)
        return 0;
    lay_out(data + 1, size - 1, size, &whole);
    lay_out(data + 1, size - 1, (size_t)data[0] % 7 + 1, &pieces);
    check(whole.len == pieces.len);
    check(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    check(
        same_but_space((const char *)data + 1, size - 1, whole.data ? whole.data : "", whole.len));
    hbytes_deinit(&whole);
    hbytes_deinit(&pieces);
    return 0;
}
