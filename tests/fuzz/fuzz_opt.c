/* fuzz_opt: any words as a command line. Input: the words, each ended by a NUL; the first byte
 * picks the order of operands. No crash, no leak, a message for each error, values within their
 * limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/hopt.h"

#define WORDS_MAX 64

typedef struct opts_s {
    bool verbose;
    int debug;
    int family;
    const char *output;
    uint8_t ttl;
    int16_t level;
    uint64_t chunk;
    uint32_t wait_ms;
    hopt_list_t headers;
    int color;
} opts_t;

static const char *const colors[] = {"auto", "always", "never", NULL};

static int on_call(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    opts_t *o = opts;

    (void)option;
    o->debug += arg != NULL && arg[0] == 'x';
    if (arg == NULL || arg[0] != 'e')
        return 0;
    hbytes_append_str(why, arg);
    return HERR_SYNTAX;
}

static const hopt_t options[] = {
    HOPT_FLAG('v', "verbose", opts_t, verbose, "", .negatable = true, .alias = "loud|very-loud"),
    HOPT_COUNT('D', "debug", opts_t, debug, ""),
    HOPT_SET('4', NULL, opts_t, family, 4, ""),
    HOPT_STRING('o', "output", opts_t, output, ""),
    HOPT_UINT('t', "ttl", opts_t, ttl, 1, 1000, ""),
    HOPT_INT('l', "level", opts_t, level, -5, 5, ""),
    HOPT_SIZE('c', "chunk", opts_t, chunk, UINT64_MAX, ""),
    HOPT_SPAN('w', "wait", opts_t, wait_ms, ""),
    HOPT_LIST('H', "header", opts_t, headers, ""),
    HOPT_ENUM(0, "color", opts_t, color, colors, "", .bare = "always"),
    HOPT_CALL('x', "call", on_call, "", .arg_name = "X"),
    HOPT_FLAG(0, "no-clobber", opts_t, verbose, "", .pair = "nc"),
    HOPT_REFUSED('L', "lua", "FILE", "no"),
    HOPT_END,
};

static int split(char *text, size_t size, char **argv)
{
    int argc = 1;

    for (size_t at = 0; at < size && argc < WORDS_MAX; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    return argc;
}

static void check(int status, const opts_t *opts, const hbytes_t *message)
{
    if (status > 0 || (status < 0) != (message->len > 0))
        abort();
    if (status == 0 && (opts->level < -5 || opts->level > 5 || opts->color < 0 || opts->color > 2))
        abort();
    if (message->len > 1000 ||
        memchr(message->data != NULL ? message->data : "", '\033', message->len) != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hopt_spec_t spec = {"fuzz", options, NULL, size > 0 && data[0] % 2 == 0};
    char *argv[WORDS_MAX] = {NULL}, *text = malloc(size + 1);
    hopt_list_t operands = {0};
    hbytes_t message = {0};
    opts_t opts = {0};

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check(hopt_parse(&spec, split(text, size, argv), argv, &opts, &operands, &message), &opts,
          &message);
    hopt_deinit(&spec, &opts, &operands);
    hbytes_deinit(&message);
    free(text);
    return 0;
}
