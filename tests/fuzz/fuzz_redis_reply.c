/* What a Redis server sends: the replies are the same however the bytes are cut, and none is past
 * its bounds. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/redis_reply.h"

static size_t check(const redis_reply_t *reply, hbytes_t *seen, int depth)
{
    size_t items = reply->count;

    if (depth > 9 || (reply->text && reply->text[reply->len] != '\0'))
        abort();
    hbytes_printf(seen, "%d %lld %zu %zu:", (int)reply->type, (long long)reply->integer, reply->len,
                  reply->count);
    if (reply->text)
        hbytes_append(seen, reply->text, reply->len);
    for (size_t i = 0; i < reply->count; i++)
        items += check(reply->items[i], seen, depth + 1);
    return items;
}

static int on_reply(const redis_reply_t *reply, void *arg)
{
    if (check(reply, arg, 0) > REDIS_REPLY_ITEMS_MAX)
        abort();
    return 0;
}

/* In pieces of so many bytes. */
static int feed(const uint8_t *data, size_t len, size_t piece, hbytes_t *seen)
{
    redis_reader_t *reader;
    int err = 0;

    if (redis_reader_new(&reader) < 0)
        abort();
    for (size_t at = 0; at < len && err == 0; at += piece)
        err = redis_reader_feed(reader, data + at, len - at < piece ? len - at : piece, on_reply,
                                seen);
    if (err < 0 && redis_reader_error(reader)[0] == '\0')
        abort();
    redis_reader_free(reader);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hbytes_t whole = {0}, cut = {0};

    if (redis_why_not())
        return 0;
    if (feed(data, size, size ? size : 1, &whole) !=
            feed(data, size, size ? data[0] % 7 + 1 : 1, &cut) ||
        whole.len != cut.len || (whole.len > 0 && memcmp(whole.data, cut.data, whole.len) != 0))
        abort();
    hbytes_deinit(&whole);
    hbytes_deinit(&cut);
    return 0;
}
