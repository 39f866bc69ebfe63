/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hchat/command.h"
#include "../../cmd/hchat/flood.h"
#include "../../cmd/hchat/name.h"
#include "../../cmd/hchat/text.h"
#include "base/herr.h"
#include "oom.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- commands -------------------------------------------------------------------------------- */

static void check_part(hbuf_t part, const char *text)
{
    assert_int_equal(part.len, strlen(text));
    assert_memory_equal(part.base, text, part.len);
}

static void a_line_says_what_is_wanted(void **state)
{
    static const struct {
        const char *line;
        command_e kind;
        const char *word, *text;
    } rows[] = {
        {"", COMMAND_NOTHING, NULL, NULL},
        {" \t ", COMMAND_NOTHING, NULL, NULL},
        {"hello", COMMAND_SAY, NULL, "hello"},
        {"  hello  ", COMMAND_SAY, NULL, "  hello  "},
        {"//join is a command", COMMAND_SAY, NULL, "/join is a command"},
        {"//", COMMAND_SAY, NULL, "/"},
        {" /join x", COMMAND_SAY, NULL, " /join x"},
        {"/nick bob", COMMAND_NICK, "bob", "bob"},
        {"/NICK  bob  smith ", COMMAND_NICK, "bob", "bob  smith"},
        {"/join\tkitchen", COMMAND_JOIN, "kitchen", "kitchen"},
        {"/leave", COMMAND_LEAVE, "", ""},
        {"/part", COMMAND_LEAVE, "", ""},
        {"/who", COMMAND_WHO, "", ""},
        {"/rooms", COMMAND_ROOMS, "", ""},
        {"/list", COMMAND_ROOMS, "", ""},
        {"/msg alice  how are you? ", COMMAND_MSG, "alice", "how are you?"},
        {"/msg alice", COMMAND_MSG, "alice", ""},
        {"/me waves to all", COMMAND_ME, "waves", "waves to all"},
        {"/topic", COMMAND_TOPIC, "", ""},
        {"/help", COMMAND_HELP, "", ""},
        {"/quit good night", COMMAND_QUIT, "good", "good night"},
        {"/nickname x", COMMAND_UNKNOWN, "nickname", "x"},
        {"/", COMMAND_UNKNOWN, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        command_t command = command_parse(rows[i].line, strlen(rows[i].line));

        assert_int_equal(command.kind, rows[i].kind);
        if (rows[i].word)
            check_part(command.word, rows[i].word);
        if (rows[i].text)
            check_part(command.text, rows[i].text);
    }
}

static void each_command_has_its_help(void **state)
{
    size_t n = 0;

    (void)state;
    while (command_help(n))
        n++;
    assert_int_equal(n, 10);
    assert_string_equal(command_usage(COMMAND_MSG), "/msg NAME TEXT");
}

/* ---- names ----------------------------------------------------------------------------------- */

static void names_are_letters_and_digits_of_any_script(void **state)
{
    static const char *const good[] = {
        "bob",
        "B0b_the-builder",
        "7",
        "Zoë",
        "Łukasz",
        "Ольга",
        "王小明",
        "さくら",
        "محمد",
        "דוד",
        "123456789012345678901234",
        "ééééééééééééééééééééééé",
        "สมชาย",
        "한글",
        "नीता",
    };
    char name[NAME_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_null(name_take(name, good[i], strlen(good[i])));
        assert_string_equal(name, good[i]);
    }
}

static void what_could_deceive_is_no_name(void **state)
{
    static const char *const bad[] = {
        "",
        "two words",
        "* server",
        "<bob>",
        "a,b",
        "a\nb",
        "a\x1b[31m",
        "bob\xE2\x80\xAEx",          /* right-to-left override */
        "bob\xE2\x80\x8B",           /* zero width space */
        "bob\xC2\xA0",               /* no-break space */
        "\xEF\xBC\x8A",              /* fullwidth asterisk */
        "\xE3\x85\xA4",              /* Hangul filler */
        "e\xCC\x81",                 /* a combining accent */
        "\xC3",                      /* half a character */
        "\xFF",                      /* none */
        "\xED\xA0\x80",              /* a surrogate */
        "\xF0\x9F\x98\x80",          /* a face */
        "\xF3\xA0\x81\x81",          /* a tag */
        "1234567890123456789012345", /* one too many */
    };
    char name[NAME_SIZE] = "before";

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(name_take(name, bad[i], strlen(bad[i])));
    assert_non_null(name_take(name, "a\0b", 3));
    assert_string_equal(name, "before");
}

static void names_differ_by_more_than_case(void **state)
{
    (void)state;
    assert_true(name_same("Bob", "bOB"));
    assert_int_equal(name_hash("Bob"), name_hash("bOB"));
    assert_false(name_same("Bob", "Bobby"));
    assert_false(name_same("Zoë", "ZoË"));
}

static void names_that_look_alike_are_known(void **state)
{
    static const char *const alike[][2] = {
        {"bob", "BOB"},
        {"alice", "\xD0\xB0lice"},                                /* Cyrillic a */
        {"Alice", "\xCE\x91lice"},                                /* Greek capital alpha */
        {"cap", "\xD1\x81\xD0\xB0\xD1\x80"},                      /* all of it Cyrillic */
        {"\xD0\x9E\xD0\xBB\xD1\x8F", "o\xD0\xBB\xD1\x8F"},        /* a Latin o */
        {"\xD0\x91\xD0\xBE\xD0\xB1", "\xD0\xB1\xD0\xBE\xD0\xB1"}, /* case in Cyrillic */
        {"ZO\xC3\x8B", "zo\xD1\x91"},                             /* two with two dots */
        {"\xE1\x8E\xAA\x6E\x6E", "ann"},                          /* Cherokee */
        {"\xE1\xB4\x80nn\xE1\xB4\x80", "Anna"},                   /* small capitals */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(alike); i++) {
        assert_true(name_looks_same(alike[i][0], alike[i][1]));
        assert_true(name_looks_same(alike[i][1], alike[i][0]));
        assert_int_equal(name_hash(alike[i][0]), name_hash(alike[i][1]));
    }
    assert_false(name_looks_same("bob", "bobby"));
    assert_false(name_looks_same("bobby", "bob"));
    assert_false(name_looks_same("zoe", "zo\xC3\xAB"));
    assert_false(name_looks_same("\xD1\x8F", "r"));
    assert_false(name_looks_same("", "a"));
    assert_true(name_looks_same("\xD1", "\xD1")); /* no name, and still an answer */
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void check_text(const char *given, size_t len, const char *expected)
{
    hbytes_t out = {0}, again = {0};

    assert_int_equal(text_append(&out, given, len), 0);
    assert_string_equal(out.data, expected);
    assert_int_equal(text_append(&again, out.data, out.len), 0);
    assert_string_equal(again.data, expected);
    hbytes_deinit(&again);
    hbytes_deinit(&out);
}

static void what_strangers_write_is_made_harmless(void **state)
{
    (void)state;
    check_text("hello", 5, "hello");
    check_text("\ta\tb\t", 5, " a b ");
    check_text("a\x1b[31m\x07", 7, "a\\x1b[31m\\x07");
    check_text("a\0b", 3, "a\\x00b");
    check_text("a\nb\r", 4, "a\\nb\\r");
    check_text("\xff\xc3", 2, "\\xff\\xc3");
    check_text("gr\xC3\xBC\xC3\x9F", 6, "gr\xC3\xBC\xC3\x9F");
    check_text("\xE2\x80\xAE", 3, "\\xe2\\x80\\xae");
    check_text("\xC2\x9B", 2, "\\xc2\\x9b");
}

static int append(void *arg)
{
    hbytes_t out = {0};
    int err = text_append(&out, "a\tb\x01", 4);

    (void)arg;
    hbytes_deinit(&out);
    return err;
}

static void lack_of_memory_is_an_error(void **state)
{
    (void)state;
    oom_run(append, NULL);
}

/* ---- floods ---------------------------------------------------------------------------------- */

#define S 1000000ULL

static void so_many_at_once_and_so_many_a_second(void **state)
{
    flood_t flood = {0};
    uint64_t now = 5 * S;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(flood_take(&flood, now, 2, 10), FLOOD_PASS);
    assert_int_equal(flood_take(&flood, now, 2, 10), FLOOD_WARN);
    assert_int_equal(flood_take(&flood, now + S / 4, 2, 10), FLOOD_DROP);
    assert_int_equal(flood_take(&flood, now + S / 2, 2, 10), FLOOD_PASS);
    assert_int_equal(flood_take(&flood, now + S / 2, 2, 10), FLOOD_DROP);
    assert_int_equal(flood_take(&flood, now + S, 2, 10), FLOOD_PASS);
}

static void the_time_until_a_line_would_pass_is_known(void **state)
{
    flood_t flood = {0};
    uint64_t now = 5 * S;

    (void)state;
    assert_int_equal(flood_wait_us(&flood, now, 2, 3), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(flood_wait_us(&flood, now, 2, 3), 0);
        flood_take(&flood, now, 2, 3);
    }
    assert_int_equal(flood_wait_us(&flood, now, 2, 3), S / 2);
    assert_int_equal(flood_wait_us(&flood, now + S / 2 - 1, 2, 3), 1);
    assert_int_equal(flood_wait_us(&flood, now + S / 2, 2, 3), 0);
    assert_int_equal(flood_take(&flood, now + S / 2, 2, 3), FLOOD_PASS);
    assert_int_equal(flood_wait_us(&flood, now + S / 2, 2, 3), S / 2);
    assert_int_equal(flood_wait_us(&flood, now, 0, 3), 0);
}

static void who_goes_on_is_out(void **state)
{
    flood_t flood = {0};
    int dropped = 0;

    (void)state;
    assert_int_equal(flood_take(&flood, S, 1, 1), FLOOD_PASS);
    assert_int_equal(flood_take(&flood, S, 1, 1), FLOOD_WARN);
    while (flood_take(&flood, S, 1, 1) == FLOOD_DROP)
        dropped++;
    assert_int_equal(dropped, FLOOD_DROPPED_MAX - 2);
    assert_int_equal(flood_take(&flood, S, 1, 1), FLOOD_OUT);
}

static void a_pause_makes_good(void **state)
{
    flood_t flood = {0};

    (void)state;
    for (int round = 0; round < 5; round++) {
        uint64_t now = (uint64_t)(round + 1) * 100 * S;

        for (int i = 0; i < 3; i++)
            assert_int_equal(flood_take(&flood, now, 1, 3), FLOOD_PASS);
        assert_int_equal(flood_take(&flood, now, 1, 3), FLOOD_WARN);
        for (int i = 0; i < FLOOD_DROPPED_MAX / 2; i++)
            assert_int_equal(flood_take(&flood, now, 1, 3), FLOOD_DROP);
    }
}

static void without_a_rate_everything_passes(void **state)
{
    flood_t flood = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(flood_take(&flood, S, 0, 1), FLOOD_PASS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_what_is_wanted),
        cmocka_unit_test(each_command_has_its_help),
        cmocka_unit_test(names_are_letters_and_digits_of_any_script),
        cmocka_unit_test(what_could_deceive_is_no_name),
        cmocka_unit_test(names_differ_by_more_than_case),
        cmocka_unit_test(names_that_look_alike_are_known),
        cmocka_unit_test(what_strangers_write_is_made_harmless),
        cmocka_unit_test(lack_of_memory_is_an_error),
        cmocka_unit_test(so_many_at_once_and_so_many_a_second),
        cmocka_unit_test(the_time_until_a_line_would_pass_is_known),
        cmocka_unit_test(who_goes_on_is_out),
        cmocka_unit_test(a_pause_makes_good),
        cmocka_unit_test(without_a_rate_everything_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
