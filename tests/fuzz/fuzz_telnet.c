/* What is sent escaped arrives as it was, without an answer; and whatever comes gives the same data
 * and answers however it is cut. The first byte: where. */
#include "codec/telnet.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* Receives one piece in place of a copy that is just as long; appends to data and answers. */
static void receive(telnet_t *telnet, const uint8_t *piece, size_t len, uint8_t *data,
                    size_t *data_len, uint8_t *answers, size_t *answers_len)
{
    uint8_t *copy = malloc(len ? len : 1), *out = malloc(TELNET_ANSWERS_SIZE(len));
    size_t kept, answered;

    memcpy(copy, piece, len);
    kept = telnet_receive(telnet, copy, len, out, &answered);
    check(kept <= len && answered <= TELNET_ANSWERS_SIZE(len));
    memcpy(data + *data_len, copy, kept);
    memcpy(answers + *answers_len, out, answered);
    *data_len += kept;
    *answers_len += answered;
    free(copy);
    free(out);
}

static void check_cut(const uint8_t *stream, size_t len, size_t cut)
{
    uint8_t *data[2] = {malloc(len + 1), malloc(len + 1)};
    uint8_t *answers[2] = {malloc(len + 6), malloc(len + 6)};
    size_t data_len[2] = {0}, answers_len[2] = {0};
    telnet_t whole = {0}, pieces = {0};

    receive(&whole, stream, len, data[0], &data_len[0], answers[0], &answers_len[0]);
    receive(&pieces, stream, cut, data[1], &data_len[1], answers[1], &answers_len[1]);
    receive(&pieces, stream + cut, len - cut, data[1], &data_len[1], answers[1], &answers_len[1]);
    check(whole.state == pieces.state && data_len[0] == data_len[1]);
    check(answers_len[0] == answers_len[1]);
    check(memcmp(data[0], data[1], data_len[0]) == 0);
    check(memcmp(answers[0], answers[1], answers_len[0]) == 0);
    for (int i = 0; i < 2; i++) {
        free(data[i]);
        free(answers[i]);
    }
}

static void check_escape(const uint8_t *data, size_t len)
{
    uint8_t *out = malloc(TELNET_ESCAPED_SIZE(len) + 1);
    size_t n = telnet_escape(data, len, out), answered;
    uint8_t *answers = malloc(TELNET_ANSWERS_SIZE(n));
    telnet_t telnet = {0};

    check(n <= TELNET_ESCAPED_SIZE(len));
    check(telnet_receive(&telnet, out, n, answers, &answered) == len && answered == 0);
    check(memcmp(out, data, len) == 0);
    free(answers);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    check_cut(data + 1, size - 1, data[0] < size - 1 ? data[0] : size - 1);
    check_escape(data + 1, size - 1);
    return 0;
}
