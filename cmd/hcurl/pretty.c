#include "pretty.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "app/hterm.h"

/* Bold on and off: the one style of curl's own. */
#define BOLD_ON "\033[1m"
#define BOLD_OFF "\033[22m"

void pretty_init(pretty_t *pretty, const report_options_t *options, bool to_stdout)
{
    bool terminal = to_stdout && hterm_is_tty(STDOUT_FILENO);
    bool wanted = to_stdout && options->pretty != REPORT_PRETTY_NEVER;

    memset(pretty, 0, sizeof(*pretty));
    pretty->color = wanted && terminal && hterm_use_color(STDOUT_FILENO, HTERM_COLOR_AUTO);
    pretty->bold = terminal && options->styled;
    pretty->json = wanted && (terminal || options->pretty == REPORT_PRETTY_ALWAYS);
}

bool pretty_has_heads(const pretty_t *pretty)
{
    return pretty->color || pretty->bold;
}

/* ---- heads ---- */

static const char *status_style(http_span_t line)
{
    const char *space = memchr(line.data, ' ', line.len);
    char class = space != NULL && space + 1 < line.data + line.len ? space[1] : '\0';

    switch (class) {
    case '2':
        return hterm_style(true, HTERM_GREEN);
    case '3':
        return hterm_style(true, HTERM_YELLOW);
    case '4':
    case '5':
        return hterm_style(true, HTERM_RED);
    default:
        return "";
    }
}

static int put_styled(const char *on, http_span_t text, const char *off, hbytes_t *out)
{
    int status = hbytes_append_str(out, on);

    if (status == 0)
        status = hbytes_append(out, text.data, text.len);
    return status == 0 ? hbytes_append_str(out, off) : status;
}

static size_t without_line_end(http_span_t line)
{
    while (line.len > 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    return line.len;
}

int pretty_head(const pretty_t *pretty, http_span_t line, hbytes_t *out)
{
    const char *colon = memchr(line.data, ':', line.len);
    bool first = line.len >= 5 && memcmp(line.data, "HTTP/", 5) == 0;
    http_span_t part = {line.data, 0};
    int status = 0;

    if (first && pretty->color) {
        part.len = without_line_end(line);
        status = put_styled(status_style(line), part, hterm_style(true, HTERM_PLAIN), out);
    } else if (!first && colon != NULL && pretty_has_heads(pretty)) {
        part.len = (size_t)(colon - line.data);
        if (pretty->color)
            status = put_styled(pretty->bold ? BOLD_ON "\033[36m" : "\033[36m", part,
                                hterm_style(true, HTERM_PLAIN), out);
        else
            status = put_styled(BOLD_ON, part, BOLD_OFF, out);
    }
    return status == 0 ? hbytes_append(out, line.data + part.len, line.len - part.len) : status;
}

/* ---- bodies ---- */

static bool is_json_type(const char *type)
{
    static const char *const types[] = {"application/json", "text/json", "application/x-ndjson",
                                        "application/ndjson", "application/jsonl"};
    size_t len = strcspn(type, "; \t");

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (len == strlen(types[i]) && strncasecmp(type, types[i], len) == 0)
            return true;
    }
    return len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0;
}

bool pretty_begin(pretty_t *pretty, const char *content_type)
{
    static const json_pretty_styles_t styles = {.key = "\033[34m",
                                                .string = "\033[32m",
                                                .number = "\033[36m",
                                                .word = "\033[33m",
                                                .off = "\033[0m"};

    pretty->body = pretty->json && content_type != NULL && is_json_type(content_type);
    json_pretty_init(&pretty->layout, pretty->color ? &styles : NULL);
    return pretty->body;
}

int pretty_body(pretty_t *pretty, http_span_t data, hbytes_t *out)
{
    if (!pretty->body)
        return hbytes_append(out, data.data, data.len);
    return json_pretty_feed(&pretty->layout, data.data, data.len, out);
}

int pretty_end(pretty_t *pretty, hbytes_t *out)
{
    if (!pretty->body)
        return 0;
    pretty->body = false;
    return json_pretty_end(&pretty->layout, out);
}
