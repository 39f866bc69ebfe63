/* Readline's side of hline. Readline neither reads nor writes a descriptor, nor does it switch the
 * terminal's mode or handle signals: keys come from hline_keys, what it draws goes to the output's
 * queue, htty and the loop's signals do the rest. */
#include "hline_int.h"

#if HNET_WITH_READLINE

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "../base/hlib.h"
#include "../event/hsignal.h"
#include "htty.h"

#define BACKGROUND_MS 200
#define COLUMNS_MIN 8 /* of fewer readline may take so many off that it divides by 0 */
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"

/* A prompt of readline's own is in the place of ours. */
#define STATES_WITH_MESSAGE (RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG)

typedef struct readline_lib_s {
    HLIB_FUNCTION(rl_initialize);
    HLIB_FUNCTION(rl_callback_handler_install);
    HLIB_FUNCTION(rl_callback_handler_remove);
    HLIB_FUNCTION(rl_callback_read_char);
    HLIB_FUNCTION(rl_callback_sigcleanup);
    HLIB_FUNCTION(rl_set_prompt);
    HLIB_FUNCTION(rl_on_new_line);
    HLIB_FUNCTION(rl_redisplay);
    HLIB_FUNCTION(rl_clear_visible_line);
    HLIB_FUNCTION(rl_resize_terminal);
    HLIB_FUNCTION(rl_reset_screen_size);
    HLIB_FUNCTION(rl_set_screen_size);
    HLIB_FUNCTION(rl_tty_set_echoing);
    HLIB_FUNCTION(rl_bind_key_in_map);
    HLIB_FUNCTION(rl_get_keymap_by_name);
    HLIB_FUNCTION(rl_variable_value);
    HLIB_FUNCTION(rl_insert);
    HLIB_FUNCTION(rl_free);
    HLIB_FUNCTION(using_history);
    HLIB_FUNCTION(stifle_history);
    HLIB_FUNCTION(add_history);
    HLIB_FUNCTION(clear_history);
    HLIB_FUNCTION(rl_catch_signals);
    HLIB_FUNCTION(rl_catch_sigwinch);
    HLIB_FUNCTION(rl_change_environment);
    HLIB_FUNCTION(rl_readline_name);
    HLIB_FUNCTION(rl_readline_state);
    HLIB_FUNCTION(rl_instream);
    HLIB_FUNCTION(rl_outstream);
    HLIB_FUNCTION(rl_getc_function);
    HLIB_FUNCTION(rl_input_available_hook);
    HLIB_FUNCTION(rl_prep_term_function);
    HLIB_FUNCTION(rl_deprep_term_function);
    HLIB_FUNCTION(rl_completion_entry_function);
    HLIB_FUNCTION(rl_completion_query_items);
    HLIB_FUNCTION(rl_sort_completion_matches);
    HLIB_FUNCTION(rl_menu_complete);
    HLIB_FUNCTION(rl_variable_bind);
    HLIB_FUNCTION(rl_point);
    HLIB_FUNCTION(rl_end);
    HLIB_FUNCTION(rl_line_buffer);
    HLIB_FUNCTION(rl_replace_line);
    HLIB_FUNCTION(rl_redisplay_function);
} readline_lib_t;

#define SYMBOL(name) HLIB_SYMBOL(readline_lib_t, name)

/* clang-format off */
static const hlib_symbol_t symbols[] = {
    SYMBOL(rl_initialize), SYMBOL(rl_callback_handler_install),
    SYMBOL(rl_callback_handler_remove), SYMBOL(rl_callback_read_char),
    SYMBOL(rl_callback_sigcleanup), SYMBOL(rl_set_prompt), SYMBOL(rl_on_new_line),
    SYMBOL(rl_redisplay), SYMBOL(rl_clear_visible_line), SYMBOL(rl_resize_terminal),
    SYMBOL(rl_reset_screen_size), SYMBOL(rl_set_screen_size), SYMBOL(rl_free),
    SYMBOL(rl_tty_set_echoing), SYMBOL(rl_bind_key_in_map), SYMBOL(rl_get_keymap_by_name),
    SYMBOL(rl_variable_value), SYMBOL(rl_insert), SYMBOL(using_history), SYMBOL(stifle_history),
    SYMBOL(add_history), SYMBOL(clear_history), SYMBOL(rl_catch_signals),
    SYMBOL(rl_catch_sigwinch), SYMBOL(rl_change_environment), SYMBOL(rl_readline_name),
    SYMBOL(rl_readline_state), SYMBOL(rl_instream), SYMBOL(rl_outstream),
    SYMBOL(rl_getc_function), SYMBOL(rl_input_available_hook), SYMBOL(rl_prep_term_function),
    SYMBOL(rl_deprep_term_function), SYMBOL(rl_completion_entry_function), SYMBOL(rl_point),
    SYMBOL(rl_completion_query_items), SYMBOL(rl_sort_completion_matches),
    SYMBOL(rl_menu_complete), SYMBOL(rl_variable_bind),
    SYMBOL(rl_end), SYMBOL(rl_line_buffer), SYMBOL(rl_replace_line),
    SYMBOL(rl_redisplay_function),
};
/* clang-format on */

static const char *const files[] = {"libreadline.so.8", NULL};
static readline_lib_t rl;
static hlib_t lib = {
    files, symbols, sizeof(symbols) / sizeof(symbols[0]), &rl, PTHREAD_MUTEX_INITIALIZER, 0, ""};

/* Readline's callbacks bring no argument. */
static hline_t *current;

/* ---- drawing --------------------------------------------------------------------------------- */

static ssize_t on_draw(void *cookie, const char *data, size_t len)
{
    hline_t *line = cookie;

    hio_write(line->options.output, data, len);
    return (ssize_t)len;
}

/* In the place of rl_redisplay while a secret is typed: only the prompt is on the screen. */
static void redisplay_prompt(void)
{
    char *text = *rl.rl_line_buffer;
    int end = *rl.rl_end, point = *rl.rl_point;
    char first = text[0];

    *rl.rl_end = *rl.rl_point = 0;
    text[0] = '\0';
    rl.rl_redisplay();
    *rl.rl_end = end;
    *rl.rl_point = point;
    text[0] = first;
}

/* For nothing else: a readline that does not draw itself asks nobody what the terminal can do, and
 * does not clean up when its size changes. */
static void choose_redisplay(const hline_t *line)
{
    *rl.rl_redisplay_function = line->secret ? redisplay_prompt : rl.rl_redisplay;
}

static void redisplay(void)
{
    (*rl.rl_redisplay_function)();
}

static void update_prompt(hline_t *line)
{
    if (!line->stale || (*rl.rl_readline_state & STATES_WITH_MESSAGE))
        return;
    rl.rl_set_prompt(line->tail.prompt.len > 0 ? line->tail.prompt.data : "");
    line->stale = false;
}

void hline__edit_hide(hline_t *line)
{
    if (!line->shown)
        return;
    rl.rl_clear_visible_line();
    fflush(line->screen);
    line->shown = false;
}

static void draw(hline_t *line)
{
    update_prompt(line);
    rl.rl_on_new_line();
    redisplay();
    fflush(line->screen);
    line->shown = true;
}

void hline__edit_show(hline_t *line)
{
    if (!line->active || line->shown)
        return;
    if (line->busy) /* readline draws the next line when the callback has returned */
        update_prompt(line);
    else
        draw(line);
}

void hline__edit_drop(hline_t *line)
{
    hline__edit_hide(line);
    rl.rl_replace_line("", 1);
    choose_redisplay(line);
    hline__edit_show(line);
}

/* ---- the terminal's mode --------------------------------------------------------------------- */

static void on_background(htimer_t *timer);

/* Keys are the shell's, then: reading one would stop the process. Nobody tells a process that runs
 * when it comes to the foreground, so it has to look. */
static void set_background(hline_t *line, bool background)
{
    if (!background) {
        htimer_del(line->background);
        line->background = NULL;
    } else if (!line->background) {
        line->background = htimer_add(line->loop, on_background, BACKGROUND_MS, INFINITE);
        if (line->background)
            hevent_set_userdata(line->background, line);
    }
    hline__update_reading(line);
}

/* The rows; 0: it is as wide as it has to be. */
static int rows_if_narrow(const hline_t *line)
{
    struct winsize size;

    if (ioctl(fileno(line->keyboard), TIOCGWINSZ, &size) < 0 || size.ws_col == 0 ||
        size.ws_col >= COLUMNS_MIN)
        return 0;
    return size.ws_row ? size.ws_row : 1;
}

/* One that is too narrow is drawn as if it were not. */
static void size_screen(const hline_t *line)
{
    int rows = rows_if_narrow(line);

    if (rows)
        rl.rl_set_screen_size(rows, COLUMNS_MIN);
    else
        rl.rl_reset_screen_size();
}

/* Takes the terminal, unless the process is in the background. */
static void activate(hline_t *line)
{
    const char *paste = rl.rl_variable_value("enable-bracketed-paste");
    bool on = paste && strcmp(paste, "on") == 0;
    int err = htty_enter(fileno(line->keyboard), on ? PASTE_ON : NULL, on ? PASTE_OFF : NULL);

    set_background(line, err == -EAGAIN);
    if (err < 0)
        return;
    line->active = true;
    size_screen(line);
    draw(line);
}

static void on_background(htimer_t *timer)
{
    activate(hevent_userdata(timer));
}

/* What is on the screen stays there. */
static void deactivate(hline_t *line, const char *end)
{
    if (line->shown && (*rl.rl_end > 0 || end)) {
        *rl.rl_point = *rl.rl_end;
        redisplay();
        fputs(end ? end : "\n", line->screen);
        fflush(line->screen);
    }
    line->shown = false;
    line->active = false;
    hline__tail_clear(&line->tail);
    line->stale = true;
    htty_leave();
}

static void stop_process(void)
{
    struct sigaction usual = {.sa_handler = SIG_DFL}, ours;

    sigemptyset(&usual.sa_mask);
    if (sigaction(SIGTSTP, &usual, &ours) < 0)
        return;
    raise(SIGTSTP); /* returns when the process goes on */
    sigaction(SIGTSTP, &ours, NULL);
}

static void on_stop(hsignal_t *sig)
{
    hline_t *line = hevent_userdata(sig);

    if (line->active)
        deactivate(line, "\n");
    stop_process();
    if (!line->active)
        activate(line);
}

/* Also after a stop that nobody could see coming (SIGSTOP): the shell has changed the mode. */
static void on_continue(hsignal_t *sig)
{
    hline_t *line = hevent_userdata(sig);

    line->active = false;
    line->shown = false;
    htty_leave();
    activate(line);
}

static void on_resize(hsignal_t *sig)
{
    hline_t *line = hevent_userdata(sig);

    if (!line->shown || rows_if_narrow(line))
        size_screen(line);
    else
        rl.rl_resize_terminal();
    fflush(line->screen);
}

static bool is_ignored(int signo)
{
    struct sigaction now;

    return sigaction(signo, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* SIGTSTP that is ignored is so because nobody could continue the process. */
static int watch(hline_t *line)
{
    static const struct {
        int signo;
        hsignal_cb cb;
    } signals[] = {{SIGWINCH, on_resize}, {SIGCONT, on_continue}, {SIGTSTP, on_stop}};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (signals[i].signo == SIGTSTP && is_ignored(SIGTSTP))
            continue;
        line->signals[i] = hsignal_add(line->loop, signals[i].cb, signals[i].signo);
        if (!line->signals[i])
            return -ENOMEM;
        hevent_set_userdata(line->signals[i], line);
    }
    return 0;
}

static void unwatch(hline_t *line)
{
    for (size_t i = 0; i < sizeof(line->signals) / sizeof(line->signals[0]); i++) {
        hsignal_del(line->signals[i]);
        line->signals[i] = NULL;
    }
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int on_getc(FILE *keyboard)
{
    int c = hline__keys_take(&current->keys);

    (void)keyboard;
    return c < 0 ? EOF : c;
}

static int on_input_asked(void)
{
    return hline__keys_ready(&current->keys);
}

static void on_line(char *text)
{
    hline_t *line = current;

    fflush(line->screen);
    line->shown = false;
    hline__tail_clear(&line->tail);
    line->stale = true;
    if (text) {
        if (!line->secret && hhistory_add(&line->history, text) > 0)
            rl.add_history(text);
        hline__deliver(line, text, strlen(text));
        rl.rl_free(text);
    } else {
        hline__end(line);
    }
    choose_redisplay(line);
    update_prompt(line);
    line->shown = line->active; /* readline draws it when this returns */
}

void hline__edit_keys(hline_t *line)
{
    hio_cork(line->options.output);
    while (!line->ended && !line->paused && hline__keys_ready(&line->keys))
        rl.rl_callback_read_char();
    if (line->active && line->stale && !(*rl.rl_readline_state & STATES_WITH_MESSAGE)) {
        hline__edit_hide(line);
        draw(line);
    }
    fflush(line->screen);
    hio_uncork(line->options.output);
}

/* ---- life ------------------------------------------------------------------------------------ */

static char *no_completion(const char *text, int state)
{
    (void)text;
    (void)state;
    return NULL;
}

/* Readline frees what it gets. state is 0 at the first of a word. */
static char *next_completion(const char *text, int state)
{
    const char *word = NULL;
    char *copy = NULL;

    if (state == 0)
        current->completions = 0;
    if (!current->closed)
        word = current->options.complete_cb(current, text, current->completions++,
                                            current->options.arg);
    if (word && asprintf(&copy, "%s", word) < 0)
        copy = NULL;
    return copy;
}

/* Nothing is listed, let alone page by page: readline would wait for keys. */
static void use_completion(void)
{
    rl.rl_variable_bind("show-all-if-ambiguous", "off");
    rl.rl_variable_bind("show-all-if-unmodified", "off");
    rl.rl_variable_bind("page-completions", "off");
    *rl.rl_completion_query_items = 0;
    *rl.rl_sort_completion_matches = 0;
    *rl.rl_completion_entry_function = next_completion;
}

static FILE *open_keyboard(int input)
{
    int fd = fcntl(input, F_DUPFD_CLOEXEC, 3);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    if (!file && fd >= 0)
        close(fd);
    return file;
}

static int open_files(hline_t *line)
{
    const cookie_io_functions_t functions = {.write = on_draw};

    line->keyboard = open_keyboard(line->options.input);
    line->screen = fopencookie(line, "w", functions);
    return line->keyboard && line->screen ? 0 : -ENOMEM;
}

static void configure(hline_t *line)
{
    static const char *const maps[] = {"emacs-standard", "vi-insert"};

    *rl.rl_catch_signals = 0;
    *rl.rl_catch_sigwinch = 0;
    *rl.rl_change_environment = 0;
    *rl.rl_readline_name = line->options.name;
    *rl.rl_instream = line->keyboard;
    *rl.rl_outstream = line->screen;
    *rl.rl_getc_function = on_getc;
    *rl.rl_input_available_hook = on_input_asked;
    *rl.rl_prep_term_function = NULL;
    *rl.rl_deprep_term_function = NULL;
    choose_redisplay(line);
    *rl.rl_completion_entry_function = no_completion;
    rl.rl_initialize();
    size_screen(line);
    rl.rl_tty_set_echoing(1);
    if (line->options.complete_cb)
        use_completion();
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        rl.rl_bind_key_in_map('\t', line->options.complete_cb ? rl.rl_menu_complete : rl.rl_insert,
                              rl.rl_get_keymap_by_name(maps[i]));
    rl.using_history();
    rl.stifle_history((int)line->history.max);
    for (size_t i = 0; i < line->history.count; i++)
        rl.add_history(line->history.lines[i]);
}

int hline__edit_begin(hline_t *line)
{
    int err;

    if (current)
        return -EBUSY;
    if (hlib_load(&lib) < 0)
        return HERR_UNSUPPORTED;
    current = line;
    line->edited = true;
    err = open_files(line);
    if (err == 0)
        err = watch(line);
    if (err < 0)
        return err;
    configure(line);
    rl.rl_callback_handler_install("", on_line);
    fflush(line->screen);
    activate(line);
    return 0;
}

void hline__edit_end(hline_t *line)
{
    if (!line->edited || current != line)
        return;
    if (line->active)
        deactivate(line, NULL);
    set_background(line, false);
    unwatch(line);
    if (line->keyboard && line->screen && *rl.rl_outstream == line->screen) {
        rl.rl_callback_sigcleanup();
        rl.rl_callback_handler_remove();
    }
}

void hline__edit_free(hline_t *line)
{
    if (!line->edited || current != line)
        return;
    if (line->screen && *rl.rl_outstream == line->screen) {
        rl.clear_history();
        *rl.rl_instream = NULL;
        *rl.rl_outstream = NULL;
    }
    if (line->screen)
        fclose(line->screen);
    if (line->keyboard)
        fclose(line->keyboard);
    current = NULL;
}

#else

int hline__edit_begin(hline_t *line)
{
    (void)line;
    return HERR_UNSUPPORTED;
}

void hline__edit_keys(hline_t *line)
{
    (void)line;
}

void hline__edit_hide(hline_t *line)
{
    (void)line;
}

void hline__edit_show(hline_t *line)
{
    (void)line;
}

void hline__edit_drop(hline_t *line)
{
    (void)line;
}

void hline__edit_end(hline_t *line)
{
    (void)line;
}

void hline__edit_free(hline_t *line)
{
    (void)line;
}

#endif
