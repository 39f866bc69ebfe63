#include "client_view.h"

#include "app/hterm.h"
#include "base/hstr.h"
#include "base/htime.h"
#include "name.h"
#include "render.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SAY_SIZE 2048

void view_deinit(view_t *view)
{
    hbytes_deinit(&view->text);
}

static void put(view_t *view)
{
    if (view->line)
        hline_write(view->line, view->text.data, view->text.len);
    else if (view->out)
        hio_write(view->out, view->text.data, view->text.len);
}

static int stamp(view_t *view)
{
    char text[RENDER_STAMP_SIZE];

    if (!view->timestamps)
        return 0;
    return hbytes_append_str(&view->text, render_stamp(htime_real_ms(), text));
}

/* "[12:34] " at the start of a line, which some servers write. */
static size_t stamp_len(const char *data, size_t len)
{
    return len >= 8 && data[0] == '[' && data[3] == ':' && data[6] == ']' && data[7] == ' ' ? 8 : 0;
}

/* The name in "<name> ..." or "<name -> ...": its length, 0: there is none. */
static size_t name_len(const char *data, size_t len)
{
    size_t n = 1;

    if (len == 0 || data[0] != '<')
        return 0;
    while (n < len && n < NAME_SIZE && data[n] != '>' && data[n] != ' ')
        n++;
    return n < len && (data[n] == '>' || data[n] == ' ') ? n - 1 : 0;
}

static hterm_style_e style_of(const char *name, size_t len)
{
    static const hterm_style_e styles[] = {HTERM_RED,  HTERM_GREEN, HTERM_YELLOW,
                                           HTERM_BLUE, HTERM_CYAN,  HTERM_BOLD};
    char text[NAME_SIZE];

    snprintf(text, sizeof(text), "%.*s", (int)len, name);
    return styles[name_hash(text) % (sizeof(styles) / sizeof(styles[0]))];
}

static int put_styled(view_t *view, hterm_style_e style, const char *data, size_t len)
{
    int err = hbytes_append_str(&view->text, hterm_style(view->color, style));

    if (!err)
        err = text_append(&view->text, data, len);
    return err ? err : hbytes_append_str(&view->text, hterm_style(view->color, HTERM_PLAIN));
}

static int put_line(view_t *view, const char *data, size_t len)
{
    size_t head = stamp_len(data, len);
    size_t name = name_len(data + head, len - head);
    int err = stamp(view);

    if (err || !view->color || (name == 0 && (len == head || data[head] != '*')))
        return err ? err : text_append(&view->text, data, len);
    if (name == 0)
        return put_styled(view, HTERM_DIM, data, len);
    head++;
    err = text_append(&view->text, data, head);
    if (!err)
        err = put_styled(view, style_of(data + head, name), data + head, name);
    head += name;
    return err ? err : text_append(&view->text, data + head, len - head);
}

/* What there is no memory for is lost. */
void view_line(view_t *view, const char *data, size_t len)
{
    int err;

    hbytes_clear(&view->text);
    if (view->shown > 0)
        err =
            len > view->shown ? text_append(&view->text, data + view->shown, len - view->shown) : 0;
    else
        err = put_line(view, data, len);
    view->shown = 0;
    if (!err)
        err = hbytes_append_char(&view->text, '\n');
    if (!err)
        put(view);
}

void view_begin(view_t *view, const char *data, size_t len)
{
    if (len <= view->shown)
        return;
    hbytes_clear(&view->text);
    if (view->shown == 0 && stamp(view) < 0)
        return;
    if (text_append(&view->text, data + view->shown, len - view->shown) == 0)
        put(view);
    view->shown = len;
}

void view_end(view_t *view)
{
    if (view->shown > 0)
        view_line(view, "", 0);
}

void view_say(view_t *view, const char *fmt, ...)
{
    char said[SAY_SIZE], safe[SAY_SIZE + 1];
    size_t len;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
    len = hstr_escape(safe, sizeof(safe) - 1, said, strlen(said));
    safe[len++] = '\n';
    if (view->line && isatty(STDERR_FILENO))
        hline_message(view->line, safe, len);
    else
        fwrite(safe, 1, len, stderr);
}
