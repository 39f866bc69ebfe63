#include "split_state.h"

#include "base/hfile.h"
#include "base/hmem.h"

#include <string.h>

#define HEADING "hcurl-split 1"

void split_state_deinit(split_state_t *state)
{
    hmem_free(state->url);
    hmem_free(state->etag);
    hmem_free(state->modified);
    memset(state, 0, sizeof(*state));
}

void split_state_divide(split_state_t *state, int64_t size, uint32_t parts)
{
    int64_t most = size / SPLIT_PART_SIZE_MIN, count = most < parts ? most : parts, at = 0;

    if (count < 1)
        count = 1;
    if (count > SPLIT_PARTS_MAX)
        count = SPLIT_PARTS_MAX;
    state->size = size;
    state->count = (size_t)count;
    for (int64_t i = 0; i < count; i++) {
        int64_t len = size / count + (i < size % count);

        state->ranges[i] = (split_range_t){.first = at, .next = at, .end = at + len};
        at += len;
    }
}

int64_t split_state_done(const split_state_t *state)
{
    int64_t done = 0;

    for (size_t i = 0; i < state->count; i++)
        done += state->ranges[i].next - state->ranges[i].first;
    return done;
}

const char *split_state_validator(const split_state_t *state)
{
    return state->etag && strncmp(state->etag, "W/", 2) != 0 ? state->etag : state->modified;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The next number of a line of them. */
static bool take_number(http_span_t *rest, int64_t *number)
{
    int64_t value = 0;
    size_t n = 0;

    while (n < rest->len && rest->data[n] >= '0' && rest->data[n] <= '9' && n < 18)
        value = value * 10 + (rest->data[n++] - '0');
    if (n == 0 || (n < rest->len && rest->data[n] != ' '))
        return false;
    n += n < rest->len;
    rest->data += n;
    rest->len -= n;
    *number = value;
    return true;
}

static int take_range(split_state_t *state, http_span_t rest)
{
    int64_t before = state->count > 0 ? state->ranges[state->count - 1].end : 0;
    split_range_t range = {0};

    if (state->count == SPLIT_PARTS_MAX || !take_number(&rest, &range.first) ||
        !take_number(&rest, &range.next) || !take_number(&rest, &range.end) || rest.len > 0)
        return HERR_SYNTAX;
    if (range.first != before || range.next < range.first || range.end < range.next)
        return HERR_SYNTAX;
    state->ranges[state->count++] = range;
    return 0;
}

static int take_text(char **text, http_span_t value)
{
    hbytes_t copy = {0};

    if (*text)
        return HERR_SYNTAX;
    if (hbytes_append(&copy, value.data, value.len) < 0)
        return -ENOMEM;
    *text = hbytes_take(&copy, NULL);
    return *text ? 0 : HERR_SYNTAX;
}

static bool cut_word(http_span_t *line, const char *word)
{
    size_t len = strlen(word);

    if (line->len <= len || memcmp(line->data, word, len) != 0 || line->data[len] != ' ')
        return false;
    line->data += len + 1;
    line->len -= len + 1;
    return true;
}

static int take_line(split_state_t *state, http_span_t line)
{
    if (cut_word(&line, "url"))
        return take_text(&state->url, line);
    if (cut_word(&line, "etag"))
        return take_text(&state->etag, line);
    if (cut_word(&line, "modified"))
        return take_text(&state->modified, line);
    if (cut_word(&line, "range"))
        return take_range(state, line);
    if (cut_word(&line, "size") && take_number(&line, &state->size) && line.len == 0)
        return 0;
    return HERR_SYNTAX;
}

static int parse(split_state_t *state, http_span_t rest)
{
    http_span_t line;
    int err = 0;

    if (!http_line_next(&rest, &line) || line.len != strlen(HEADING) ||
        memcmp(line.data, HEADING, line.len) != 0)
        return HERR_SYNTAX;
    while (err == 0 && http_line_next(&rest, &line))
        err = take_line(state, line);
    if (err == 0 && (rest.len > 0 || !state->url || state->count == 0 || state->size <= 0 ||
                     state->ranges[state->count - 1].end != state->size))
        err = HERR_SYNTAX;
    return err;
}

int split_state_read(split_state_t *state, const char *path)
{
    hbytes_t text = {0};
    int err = hfile_read(path, SPLIT_STATE_SIZE_MAX, &text);

    if (err == 0)
        err = parse(state, (http_span_t){text.data, text.len});
    hbytes_deinit(&text);
    if (err < 0)
        split_state_deinit(state);
    return err;
}

/* ---- writing --------------------------------------------------------------------------------- */

int split_state_write(const split_state_t *state, const char *path)
{
    hbytes_t text = {0};
    int err;

    err = hbytes_printf(&text, HEADING "\nurl %s\nsize %lld\n", state->url, (long long)state->size);
    if (err == 0 && state->etag)
        err = hbytes_printf(&text, "etag %s\n", state->etag);
    if (err == 0 && state->modified)
        err = hbytes_printf(&text, "modified %s\n", state->modified);
    for (size_t i = 0; i < state->count && err == 0; i++) {
        const split_range_t *range = &state->ranges[i];

        err = hbytes_printf(&text, "range %lld %lld %lld\n", (long long)range->first,
                            (long long)range->next, (long long)range->end);
    }
    if (err == 0)
        err = hfile_replace(path, text.data, text.len);
    hbytes_deinit(&text);
    return err;
}
