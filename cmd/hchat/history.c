#include "history.h"

#include "base/hmem.h"

#include <string.h>

typedef struct kept_s {
    hlist_t link;
    size_t len;
    char text[];
} kept_t;

void history_init(history_t *history)
{
    *history = (history_t){0};
    hlist_init(&history->lines);
}

static void drop_oldest(history_t *history)
{
    kept_t *kept = HLIST_ENTRY(hlist_pop_front(&history->lines), kept_t, link);

    history->count--;
    history->bytes -= kept->len;
    hmem_free(kept);
}

void history_deinit(history_t *history)
{
    while (history->count > 0)
        drop_oldest(history);
}

void history_add(history_t *history, uint32_t lines_max, const char *line, size_t len)
{
    kept_t *kept;

    if (lines_max == 0 || len > HISTORY_BYTES_MAX)
        return;
    while (history->count >= lines_max || history->bytes + len > HISTORY_BYTES_MAX)
        drop_oldest(history);
    kept = hmem_alloc(sizeof(*kept) + len);
    if (!kept)
        return;
    *kept = (kept_t){.len = len};
    memcpy(kept->text, line, len);
    hlist_push_back(&history->lines, &kept->link);
    history->count++;
    history->bytes += len;
}

int history_write(const history_t *history, hbytes_t *out)
{
    const hlist_t *node;
    int err = 0;

    for (node = history->lines.next; node != &history->lines && err == 0; node = node->next) {
        const kept_t *kept = HLIST_ENTRY(node, kept_t, link);

        err = hbytes_append(out, kept->text, kept->len);
    }
    return err;
}
