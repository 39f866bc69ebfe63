#include "terminal.h"

#include "app/hhistory.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Messages are said from everywhere, and there is one terminal. */
static hline_t *messages;

bool terminal_is_wanted(const options_t *o)
{
    return !o->no_editing && !o->no_stdin && !o->recv_only &&
           hline_is_useful(STDIN_FILENO, STDOUT_FILENO);
}

static bool is_same_terminal(int a, int b)
{
    struct stat of_a, of_b;

    return isatty(a) && fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 &&
           of_a.st_rdev == of_b.st_rdev;
}

static void open_history(const options_t *o, hbytes_t *path)
{
    int err = o->no_history ? 0 : hhistory_path(path, "hnc");

    if (err < 0 && err != -ENOENT)
        hnc_say("history: %s", herr_str(err));
}

int terminal_open(hnc_t *hnc, hline_cb line_cb, hline_eof_cb eof_cb, void *arg)
{
    hbytes_t path = {0};
    hline_options_t options = {.name = "hnc",
                               .input = STDIN_FILENO,
                               .output = hio_get(hnc->loop, STDOUT_FILENO),
                               .line_cb = line_cb,
                               .eof_cb = eof_cb,
                               .arg = arg};
    int err = -ENOMEM;

    hline_set_locale();
    hnc_watch_signals(hnc);
    open_history(&hnc->options, &path);
    options.history_path = path.data;
    if (options.output)
        err = hline_open(&hnc->line, &options);
    if (err < 0) {
        hnc_say("terminal: %s", herr_str(err));
    } else {
        if (is_same_terminal(STDERR_FILENO, STDOUT_FILENO))
            messages = hnc->line;
        if (hline_history_error(hnc->line) != 0)
            hnc_say("history is off: %s: %s", path.data, herr_str(hline_history_error(hnc->line)));
    }
    hbytes_deinit(&path);
    return err < 0 ? 1 : 0;
}

void terminal_close(hnc_t *hnc)
{
    int err;

    if (!hnc->line)
        return;
    messages = NULL;
    err = hline_close(hnc->line);
    hnc->line = NULL;
    if (err < 0)
        hnc_say("history is not saved: %s", herr_str(err));
}

bool terminal_show(const char *text, size_t len)
{
    if (messages)
        hline_message(messages, text, len);
    return messages != NULL;
}
