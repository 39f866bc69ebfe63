/* The input: how the stream is cut (one byte), then what a client sends: telnet, lines, commands,
 * names and texts. However it is cut, the same lines come of it; and whatever they are, what others
 * get to see of them is printable, of one line, and within its bounds. */
#include "../../cmd/hchat/command.h"
#include "../../cmd/hchat/line.h"
#include "../../cmd/hchat/name.h"
#include "../../cmd/hchat/render.h"
#include "../../cmd/hchat/text.h"
#include "base/hstr.h"
#include "codec/telnet.h"

#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 100
#define SLICE 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_harmless(const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = hstr_utf8_len(text + i, len - i);
        check(n > 0);
        check(n > 1 || ((unsigned char)text[i] >= ' ' && text[i] != 0x7F));
    }
}

/* What others see of it. */
static void check_said(const hbuf_t *part, const char *name)
{
    event_t event = {.kind = EVENT_SAY, .room = "lobby"};
    hbytes_t text = {0}, line = {0};

    hstr_copy(event.name, sizeof(event.name), name);
    check(text_append(&text, part->base, part->len) == 0);
    check(text.len <= part->len * TEXT_GROWTH);
    event.text = text.len ? text.data : "";
    event.text_len = text.len;
    check(render_event(&event, &line) == 0);
    check(line.data[0] == '<' && line.data[line.len - 1] == '\n');
    check_harmless(line.data, line.len - 1);
    hbytes_deinit(&text);
    hbytes_deinit(&line);
}

static void check_line(const hbuf_t *line)
{
    command_t command = command_parse(line->base, line->len);
    const char *end = line->base + line->len;
    char name[NAME_SIZE] = "bob";

    check(line->len <= LINE_SIZE);
    if (command.text.len > 0)
        check(command.text.base >= line->base && command.text.base + command.text.len <= end);
    if (command.word.len > 0)
        check(command.word.base >= line->base && command.word.base + command.word.len <= end);
    if (!name_take(name, command.word.base ? command.word.base : "", command.word.len)) {
        check(strlen(name) == command.word.len && name_same(name, name) &&
              name_looks_same(name, name));
        check_harmless(name, strlen(name));
        check(!strpbrk(name, " *<>"));
    }
    check_said(&command.text, name);
}

/* Appends what comes of the stream when it is given in pieces. */
static void receive(const uint8_t *data, size_t size, size_t piece, hbytes_t *out)
{
    line_t in = {0};
    telnet_t telnet = {0};

    while (size > 0) {
        char buf[SLICE], answers[TELNET_ANSWERS_SIZE(SLICE)];
        size_t n = size < piece ? size : piece, answers_len, kept;
        hbuf_t input, line;
        int what;

        memcpy(buf, data, n);
        data += n;
        size -= n;
        kept = telnet_receive(&telnet, buf, n, answers, &answers_len);
        check(kept <= n && answers_len <= TELNET_ANSWERS_SIZE(n));
        line_count(&in, n - kept);
        input = (hbuf_t){buf, kept};
        while ((what = line_next(&in, LINE_SIZE, &input, &line)) != LINE_NONE) {
            check(what == LINE_WHOLE || what == LINE_LONG || what == LINE_ENDLESS);
            if (what == LINE_ENDLESS)
                break;
            if (what == LINE_WHOLE) {
                check_line(&line);
                check(hbytes_append(out, line.base, line.len) == 0);
            }
            check(hbytes_append_char(out, what == LINE_WHOLE ? '\n' : '\1') == 0);
        }
        check(in.held.len <= LINE_SIZE + 1);
    }
    line_deinit(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hbytes_t whole = {0}, cut = {0};

    if (size == 0)
        return 0;
    receive(data + 1, size - 1, SLICE, &whole);
    receive(data + 1, size - 1, 1 + data[0] % 16, &cut);
    check(whole.len == cut.len);
    check(whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0);
    hbytes_deinit(&whole);
    hbytes_deinit(&cut);
    return 0;
}
