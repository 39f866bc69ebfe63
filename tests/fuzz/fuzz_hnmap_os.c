/* Frames of a host, each with two bytes of length before it: whatever they hold, guesses are
 * sorted, within their limits, and the same for the same frames. */
#include "../../cmd/hnmap/os.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void take_frame(os_signs_t *signs, const uint8_t *data, size_t len)
{
    packet_t packet;
    uint8_t *copy = malloc(len > 0 ? len : 1); /* ends where the frame ends */

    memcpy(copy, data, len);
    if (packet_parse(&packet, PACKET_LINK_IP, copy, len) == 0)
        os_take(signs, &packet);
    check(memchr(signs->syn_ack.options, '\0', OS_OPTIONS_SIZE) != NULL);
    check(signs->id_count <= OS_IDS_MAX);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    os_guess_t guesses[OS_GUESSES_MAX], again[OS_GUESSES_MAX];
    os_signs_t signs = {0};
    size_t count;
    unsigned least;

    if (size < 1)
        return 0;
    least = data[0] % 101;
    signs.is_near = data[0] & 0x80;
    for (data++, size--; size >= 2;) {
        size_t len = (size_t)(data[0] << 8 | data[1]);

        data += 2;
        size -= 2;
        len = len < size ? len : size;
        take_frame(&signs, data, len);
        data += len;
        size -= len;
    }
    count = os_guess(&signs, least, guesses, OS_GUESSES_MAX);
    check(count <= OS_GUESSES_MAX);
    check(os_guess(&signs, least, again, OS_GUESSES_MAX) == count);
    for (size_t i = 0; i < count; i++) {
        check(guesses[i].accuracy >= least && guesses[i].accuracy <= OS_ACCURACY_MAX);
        check(i == 0 || guesses[i].accuracy <= guesses[i - 1].accuracy);
        check(guesses[i].line == again[i].line);
    }
    return 0;
}
