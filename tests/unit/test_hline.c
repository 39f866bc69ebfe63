/* One thread. */
/* hline on a pseudo-terminal: what the program is told, and how it ends. What a user sees is tested
 * with a command (tests/cmd/test_hnc_interactive.py). */
#include "app/hline.h"

#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <termios.h>
/* cmocka wants setjmp, stdarg, stddef and stdint before it */
#include <cmocka.h>

#include "loop_test.h"
#include "oom.h"

#define LOG_SIZE 4096

typedef struct user_s {
    hloop_t *loop;
    int keyboard; /* the master */
    int input;    /* two descriptors of the terminal: the loop owns them */
    hio_t *output;
    hline_t *line;
    char log[LOG_SIZE]; /* each line with a '|' behind it, "EOF" at the end */
    bool closes;        /* in its next callback */
    bool pauses;
} user_t;

static void on_line(hline_t *line, const char *text, size_t len, void *arg)
{
    user_t *user = arg;
    size_t used = strlen(user->log);

    snprintf(user->log + used, sizeof(user->log) - used, "%.*s|", (int)len, text);
    if (user->pauses)
        hline_pause(line, true);
    if (user->closes) {
        user->line = NULL;
        hline_close(line);
    }
}

static void on_eof(hline_t *line, void *arg)
{
    user_t *user = arg;
    size_t used = strlen(user->log);

    snprintf(user->log + used, sizeof(user->log) - used, "EOF");
    if (user->closes) {
        user->line = NULL;
        hline_close(line);
    }
}

/* false: this machine has no pseudo-terminals. */
static bool sit_down(user_t *user)
{
    const struct winsize size = {24, 80, 0, 0};
    int terminal;

    memset(user, 0, sizeof(*user));
    setenv("TERM", "xterm", 1);
    setenv("INPUTRC", "/dev/null", 1);
    if (openpty(&user->keyboard, &terminal, NULL, NULL, &size) != 0)
        return false;
    fcntl(user->keyboard, F_SETFL, O_NONBLOCK);
    user->loop = new_loop();
    user->input = dup(terminal);
    user->output = hio_get(user->loop, terminal);
    assert_non_null(user->output);
    return true;
}

static hline_options_t options_of(user_t *user)
{
    hline_options_t options = {.name = "test",
                               .input = user->input,
                               .output = user->output,
                               .line_cb = on_line,
                               .eof_cb = on_eof,
                               .arg = user};

    return options;
}

static void get_up(user_t *user)
{
    assert_int_equal(hline_close(user->line), 0);
    hloop_free(&user->loop);
    close(user->keyboard);
}

static void type(const user_t *user, const char *text)
{
    assert_int_equal(write(user->keyboard, text, strlen(text)), strlen(text));
}

static bool is_cooked(const user_t *user)
{
    struct termios mode;

    assert_int_equal(tcgetattr(hio_fd(user->output), &mode), 0);
    return (mode.c_lflag & ICANON) != 0;
}

#define SIT_DOWN(user)                                                                             \
    do {                                                                                           \
        if (!sit_down(user))                                                                       \
            skip();                                                                                \
    } while (0)

static void open_line(user_t *user, bool plain)
{
    hline_options_t options = options_of(user);

    options.plain = plain;
    assert_int_equal(hline_open(&user->line, &options), 0);
    assert_int_equal(is_cooked(user), !hline_is_edited(user->line));
}

static void lines_come_one_by_one(void **state)
{
    user_t user;

    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        SIT_DOWN(&user);
        open_line(&user, plain);
        type(&user, "one\rtwo\r\r");
        RUN_UNTIL(user.loop, strcmp(user.log, "one|two||") == 0);
        get_up(&user);
    }
}

static bool shows_typing(const user_t *user)
{
    struct termios mode;

    assert_int_equal(tcgetattr(hio_fd(user->output), &mode), 0);
    return (mode.c_lflag & ECHO) != 0;
}

/* Whether the screen (of LOG_SIZE bytes), with what has come by now, has this. */
static bool reads_on(const user_t *user, char *screen, const char *text)
{
    size_t used = strlen(screen);
    ssize_t n;

    while ((n = read(user->keyboard, screen + used, LOG_SIZE - 1 - used)) > 0)
        used += (size_t)n;
    screen[used] = '\0';
    return strstr(screen, text) != NULL;
}

static void a_secret_is_one_line(void **state)
{
    char screen[LOG_SIZE];
    user_t user;

    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        SIT_DOWN(&user);
        open_line(&user, plain);
        hline_secret(user.line, true);
        assert_false(shows_typing(&user));
        type(&user, "sesame\r");
        RUN_UNTIL(user.loop, strcmp(user.log, "sesame|") == 0);
        assert_int_equal(shows_typing(&user), !hline_is_edited(user.line));
        type(&user, "open\r");
        RUN_UNTIL(user.loop, strcmp(user.log, "sesame|open|") == 0);
        screen[0] = '\0';
        RUN_UNTIL(user.loop, reads_on(&user, screen, "open"));
        assert_null(strstr(screen, "se"));
        hline_secret(user.line, true);
        hline_secret(user.line, false);
        assert_int_equal(shows_typing(&user), !hline_is_edited(user.line));
        hline_secret(user.line, true); /* the end restores the terminal */
        get_up(&user);
    }
}

static void the_end_is_told_once_and_output_goes_on(void **state)
{
    user_t user;
    char text[256];
    size_t got = 0;

    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        SIT_DOWN(&user);
        open_line(&user, plain);
        type(&user, "one\r\x04");
        RUN_UNTIL(user.loop, strcmp(user.log, "one|EOF") == 0);
        assert_true(is_cooked(&user));
        type(&user, "more\r");
        hline_write(user.line, "written\n", 8);
        memset(text, 0, sizeof(text));
        for (got = 0; !strstr(text, "written");) {
            ssize_t n = read(user.keyboard, text + got, sizeof(text) - 1 - got);

            got += n > 0 ? (size_t)n : 0;
            hloop_wakeup(user.loop);
            hloop_run(user.loop);
        }
        settle(user.loop);
        assert_string_equal(user.log, "one|EOF");
        get_up(&user);
    }
}

static void without_readline_the_rest_of_a_line_is_a_line(void **state)
{
    user_t user;

    (void)state;
    SIT_DOWN(&user);
    open_line(&user, true);
    type(&user, "rest\x04\x04");
    RUN_UNTIL(user.loop, strcmp(user.log, "rest|EOF") == 0);
    get_up(&user);
}

static void it_may_be_closed_in_its_callbacks(void **state)
{
    static const char *const keys[] = {"one\rtwo\r", "\x04"};
    static const char *const logs[] = {"one|", "EOF"};
    user_t user;

    (void)state;
    for (int i = 0; i < 4; i++) {
        SIT_DOWN(&user);
        open_line(&user, i % 2);
        user.closes = true;
        type(&user, keys[i / 2]);
        RUN_UNTIL(user.loop, user.line == NULL);
        settle(user.loop);
        assert_string_equal(user.log, logs[i / 2]);
        assert_true(is_cooked(&user));
        get_up(&user);
    }
}

static void while_it_is_paused_lines_wait(void **state)
{
    user_t user;

    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        SIT_DOWN(&user);
        open_line(&user, plain);
        user.pauses = true;
        type(&user, "one\rtwo\rthree\r");
        RUN_UNTIL(user.loop, strcmp(user.log, "one|") == 0);
        settle(user.loop);
        assert_string_equal(user.log, "one|");
        hline_pause(user.line, false);
        RUN_UNTIL(user.loop, strcmp(user.log, "one|two|") == 0);
        user.pauses = false;
        hline_pause(user.line, false);
        RUN_UNTIL(user.loop, strcmp(user.log, "one|two|three|") == 0);
        get_up(&user);
    }
}

static void a_terminal_that_goes_away_is_the_end(void **state)
{
    user_t user;

    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        SIT_DOWN(&user);
        open_line(&user, plain);
        close(user.keyboard);
        user.keyboard = -1;
        RUN_UNTIL(user.loop, strcmp(user.log, "EOF") == 0);
        get_up(&user);
    }
}

static void only_terminals_and_one_at_a_time(void **state)
{
    hline_options_t options;
    hline_t *second;
    user_t user;
    int fds[2];

    (void)state;
    SIT_DOWN(&user);
    assert_int_equal(pipe(fds), 0);
    options = options_of(&user);
    options.input = fds[0];
    assert_int_equal(hline_open(&second, &options), -ENOTTY);
    options = options_of(&user);
    options.output = hio_get(user.loop, fds[1]);
    assert_int_equal(hline_open(&second, &options), -ENOTTY);
    open_line(&user, false);
    if (hline_is_edited(user.line)) {
        options = options_of(&user);
        options.input = dup(user.input);
        assert_int_equal(hline_open(&second, &options), -EBUSY);
        assert_null(second);
    }
    close(fds[0]);
    get_up(&user);
}

static void a_history_that_cannot_be_read_is_told(void **state)
{
    hline_options_t options;
    user_t user;

    (void)state;
    SIT_DOWN(&user);
    options = options_of(&user);
    options.history_path = "/";
    assert_int_equal(hline_open(&user.line, &options), 0);
    assert_int_equal(hline_history_error(user.line), -EISDIR);
    type(&user, "one\r");
    RUN_UNTIL(user.loop, strcmp(user.log, "one|") == 0);
    get_up(&user);
}

enum { INPUT = 200, OUTPUT = 201 }; /* numbers that are closed whoever owns them */

/* Opens, types a line, writes, closes; every allocation in it may fail. */
static int sit_for_a_while(void *arg)
{
    hline_options_t options;
    user_t *user = arg;
    int err;

    memset(user->log, 0, sizeof(user->log));
    user->loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    if (!user->loop)
        return -ENOMEM;
    user->output = hio_get(user->loop, dup2(user->input, OUTPUT));
    options = options_of(user);
    options.input = dup2(user->input, INPUT);
    options.history_path = "/dev/null/history";
    err = user->output ? hline_open(&user->line, &options) : -ENOMEM;
    if (err == 0) {
        hline_write(user->line, "login: \033[1m", 11);
        type(user, "one\r");
        for (int i = 0; i < 20; i++) {
            hloop_wakeup(user->loop);
            hloop_run(user->loop);
        }
        hline_message(user->line, "said\n", 5);
        hline_close(user->line);
    }
    hloop_free(&user->loop);
    close(INPUT);
    close(OUTPUT);
    return err;
}

static void running_out_of_memory_is_an_error(void **state)
{
    user_t user;
    hloop_t *loop;

    (void)state;
    SIT_DOWN(&user);
    loop = user.loop;
    oom_run(sit_for_a_while, &user);
    close(user.input);
    hloop_free(&loop);
    close(user.keyboard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(a_secret_is_one_line),
        cmocka_unit_test(the_end_is_told_once_and_output_goes_on),
        cmocka_unit_test(without_readline_the_rest_of_a_line_is_a_line),
        cmocka_unit_test(it_may_be_closed_in_its_callbacks),
        cmocka_unit_test(while_it_is_paused_lines_wait),
        cmocka_unit_test(a_terminal_that_goes_away_is_the_end),
        cmocka_unit_test(only_terminals_and_one_at_a_time),
        cmocka_unit_test(a_history_that_cannot_be_read_is_told),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };

    return run_on_each_poller("hline", tests, ARRAY_LENGTH(tests));
}
