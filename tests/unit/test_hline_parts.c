/* One thread. */
/* What hline does without readline: the unfinished line, and what may be read of what was typed. */
#include "app/hline_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the first of these before it */
#include <cmocka.h>

#include "oom.h"

/* ---- the unfinished line --------------------------------------------------------------------- */

typedef struct screen_s {
    hline_tail_t tail;
    hbytes_t out;
} screen_t;

/* Feeds the pieces; what is written at once is compared with out, what stays with prompt. */
static void expect(const char *const *pieces, const char *out, const char *prompt)
{
    screen_t s = {0};

    hline__tail_init(&s.tail);
    for (; *pieces; pieces++)
        assert_int_equal(hline__tail_feed(&s.tail, *pieces, strlen(*pieces), &s.out), 0);
    assert_string_equal(s.out.len ? s.out.data : "", out);
    assert_string_equal(s.tail.prompt.len ? s.tail.prompt.data : "", prompt);
    hline__tail_deinit(&s.tail);
    hbytes_deinit(&s.out);
}

#define EXPECT(out, prompt, ...) expect((const char *const[]){__VA_ARGS__, NULL}, out, prompt)

static void whole_lines_go_through_at_once(void **state)
{
    (void)state;
    EXPECT("a\nb\r\n", "", "a\nb\r\n");
    EXPECT("\033[2Ja\n", "", "\033[2Ja\n");
    EXPECT("", "", "");
}

static void an_unfinished_line_stays_until_the_rest_arrives(void **state)
{
    (void)state;
    EXPECT("a\n", "login: ", "a\nlogin: ");
    EXPECT("login: bob\n", "", "lo", "gin: ", "bob\n");
    EXPECT("login: bob\nx\n", "y", "login: ", "bob\nx\ny");
    EXPECT("a\r\n", "", "a", "\r", "\n");
}

static void what_has_no_width_is_marked_or_done_at_once(void **state)
{
    (void)state;
    EXPECT("", "\001\033[31m\002red\001\033[0m\002> ", "\033[31mred\033[0m> ");
    EXPECT("\033[31mred\n", "", "\033[31mred", "\n");
    EXPECT("\033[?2004h\a\033]0;title\a", "$ ", "\033[?2004h\a\033]0;title\a$ ");
    EXPECT("\033]0;t\033\\\033(B\001\002", "$ ", "\033]0;t\033\\\033(B\001\002$ ");
    EXPECT("\xc2\x9b", "x", "\xc2\x9bx");
    EXPECT("", "a       b", "a\tb");
    EXPECT("a\tb\n", "", "a\tb", "\n");
}

static void a_line_that_is_drawn_anew_replaces_what_was_there(void **state)
{
    (void)state;
    EXPECT("", "20%", "10%\r", "20%\r");
    EXPECT("", "/", "|", "\b/");
    EXPECT("30%\n", "", "10%\r20%\r30%", "\n");
}

static void pieces_of_characters_and_sequences_are_put_together(void **state)
{
    static const char text[] = "x\033[1;31mä€😀\033[0m\033]0;t\ay";
    const size_t len = strlen(text);

    (void)state;
    for (size_t cut = 1; cut < len; cut++) {
        char first[64] = {0}, second[64] = {0};

        memcpy(first, text, cut);
        memcpy(second, text + cut, len - cut);
        EXPECT("\033]0;t\a", "x\001\033[1;31m\002ä€😀\001\033[0m\002y", first, second);
    }
    EXPECT("", "\xff\x80z", "\xff\x80z");
    EXPECT("", "\xe2\x82z", "\xe2\x82", "z");
}

static void a_line_without_end_is_ended(void **state)
{
    static char text[3 * HLINE_TAIL_MAX];
    screen_t s = {0};

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(hline__tail_feed(&s.tail, text, sizeof(text), &s.out), 0);
    assert_true(s.tail.prompt.len <= HLINE_TAIL_MAX);
    assert_int_equal(s.out.data[HLINE_TAIL_MAX + 1], '\n');
    assert_int_equal(s.out.len + s.tail.raw.len, sizeof(text) + 2);
    hline__tail_deinit(&s.tail);
    hbytes_deinit(&s.out);
}

static void a_sequence_without_end_is_let_through(void **state)
{
    static char text[8192];
    screen_t s = {0};

    (void)state;
    memset(text, '1', sizeof(text));
    for (int i = 0; i < 2; i++) {
        text[0] = '\033';
        text[1] = i == 0 ? ']' : '[';
        assert_int_equal(hline__tail_feed(&s.tail, text, sizeof(text), &s.out), 0);
        assert_int_equal(s.tail.held.len, 0);
        assert_int_equal(s.out.len, sizeof(text));
        hbytes_clear(&s.out);
    }
    hline__tail_deinit(&s.tail);
    hbytes_deinit(&s.out);
}

static int feed_some(void *arg)
{
    static const char *const pieces[] = {"a\nlogin: \033[3", "1mx\t\xc3", "\xa4\033]0;t\a", "\nb"};
    screen_t s = {0};
    int err = 0;

    (void)arg;
    hline__tail_init(&s.tail);
    for (size_t i = 0; err == 0 && i < sizeof(pieces) / sizeof(pieces[0]); i++)
        err = hline__tail_feed(&s.tail, pieces[i], strlen(pieces[i]), &s.out);
    hline__tail_deinit(&s.tail);
    hbytes_deinit(&s.out);
    return err;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* What may be read now, taken. */
static const char *taken(hline_keys_t *keys, const char *data, size_t len)
{
    static char text[256];
    size_t n = 0;
    int c;

    assert_int_equal(hline__keys_add(keys, data, len), 0);
    while ((c = hline__keys_take(keys)) >= 0 && n < sizeof(text) - 1)
        text[n++] = (char)c;
    text[n] = '\0';
    return text;
}

static const char *typed(hline_keys_t *keys, const char *text)
{
    return taken(keys, text, strlen(text));
}

static void keys_are_read_as_they_come(void **state)
{
    hline_keys_t keys;

    (void)state;
    hline__keys_init(&keys);
    assert_string_equal(typed(&keys, "a"), "a");
    assert_string_equal(typed(&keys, "\033"), "\033");
    assert_string_equal(typed(&keys, "[A"), "[A");
    assert_string_equal(typed(&keys, "\033[2~b\033[A"), "\033[2~b\033[A");
    assert_string_equal(typed(&keys, "\xff"), "\xff");
    assert_string_equal(typed(&keys, "\x80"), "\x80");
    assert_int_equal(hline__keys_take(&keys), -1);
    hline__keys_deinit(&keys);
}

static void a_paste_comes_whole_however_it_is_cut(void **state)
{
    static const char text[] = "x" HLINE_PASTE_BEGIN "a\rb\r" HLINE_PASTE_END "€y";
    const size_t len = strlen(text);

    (void)state;
    for (size_t cut = 1; cut < len; cut++) {
        hline_keys_t keys;
        char got[256];
        size_t n;

        hline__keys_init(&keys);
        n = (size_t)snprintf(got, sizeof(got), "%s", taken(&keys, text, cut));
        assert_true(strstr(got, HLINE_PASTE_BEGIN) == NULL || strstr(got, HLINE_PASTE_END));
        assert_true(n <= 2 || cut >= len - 4); /* at most "x" and a lone escape */
        snprintf(got + n, sizeof(got) - n, "%s", taken(&keys, text + cut, len - cut));
        assert_string_equal(got, text);
        hline__keys_deinit(&keys);
    }
}

static void a_paste_comes_whole_byte_by_byte(void **state)
{
    static const char text[] = "x" HLINE_PASTE_BEGIN "a\rb" HLINE_PASTE_END "y";
    hline_keys_t keys;
    char got[256] = "";
    size_t most = 0;

    (void)state;
    hline__keys_init(&keys);
    for (size_t i = 0; i < strlen(text); i++) {
        size_t before = strlen(got);

        snprintf(got + before, sizeof(got) - before, "%s", taken(&keys, text + i, 1));
        if (strlen(got) - before > most)
            most = strlen(got) - before;
    }
    assert_string_equal(got, text);
    assert_int_equal(most, strlen(text) - 3); /* all but "x", the escape and "y" */
    hline__keys_deinit(&keys);
}

static void a_paste_without_end_is_divided(void **state)
{
    const size_t len = HLINE_LINE_MAX + 10;
    char *text = calloc(1, len);
    hline_keys_t keys;
    size_t n = 0;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text, HLINE_PASTE_BEGIN, strlen(HLINE_PASTE_BEGIN));
    hline__keys_init(&keys);
    assert_int_equal(hline__keys_add(&keys, text, len), 0);
    while (hline__keys_take(&keys) >= 0)
        n++;
    assert_int_equal(n, len + strlen(HLINE_PASTE_END));
    assert_string_equal(typed(&keys, "rest" HLINE_PASTE_END),
                        HLINE_PASTE_BEGIN "rest" HLINE_PASTE_END);
    assert_string_equal(typed(&keys, "z"), "z");
    hline__keys_deinit(&keys);
    free(text);
}

static int type_some(void *arg)
{
    hline_keys_t keys;
    int err;

    (void)arg;
    hline__keys_init(&keys);
    err = hline__keys_add(&keys, "a" HLINE_PASTE_BEGIN "b", 8);
    if (err == 0)
        err = hline__keys_add(&keys, HLINE_PASTE_END, 6);
    hline__keys_deinit(&keys);
    return err;
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(feed_some, NULL);
    oom_run(type_some, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lines_go_through_at_once),
        cmocka_unit_test(an_unfinished_line_stays_until_the_rest_arrives),
        cmocka_unit_test(what_has_no_width_is_marked_or_done_at_once),
        cmocka_unit_test(a_line_that_is_drawn_anew_replaces_what_was_there),
        cmocka_unit_test(pieces_of_characters_and_sequences_are_put_together),
        cmocka_unit_test(a_line_without_end_is_ended),
        cmocka_unit_test(a_sequence_without_end_is_let_through),
        cmocka_unit_test(keys_are_read_as_they_come),
        cmocka_unit_test(a_paste_comes_whole_however_it_is_cut),
        cmocka_unit_test(a_paste_comes_whole_byte_by_byte),
        cmocka_unit_test(a_paste_without_end_is_divided),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("hline_parts", tests, NULL, NULL);
}
