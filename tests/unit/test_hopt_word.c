/* One thread. */
/* Words that are parsed one by one, warnings and secrets. */
#include "app/hopt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct opts_s {
    bool verbose;
    uint16_t port;
    size_t length;
    uint32_t wait_ms;
    const char *key;
} opts_t;

static int take_length(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    opts_t *o = opts;

    (void)option;
    o->length = strlen(arg);
    if (o->length == 3)
        hbytes_append_str(why, "it is short");
    return o->length < 3 ? HERR_SYNTAX : 0;
}

static const hopt_t options[] = {
    HOPT_FLAG('v', "verbose", opts_t, verbose, "say more"),
    HOPT_UINT('p', "port", opts_t, port, 1, 65535, "send from this port"),
    HOPT_CALL('x', "text", take_length, "a text", .arg_name = "TEXT", .filled = true),
    HOPT_CALL('u', "user", take_length, "log in", .arg_name = "USER", .secret = true),
    HOPT_STRING('k', "key", opts_t, key, "a key", .secret = true),
    HOPT_SPAN('w', "wait", opts_t, wait_ms, "give up", .max = 60000),
    HOPT_END,
};

static const hopt_spec_t spec = {"hnc", options, NULL, false};

/* What the parse of a word gave. */
typedef struct result_s {
    int status;
    opts_t opts;
    hopt_word_t word;
    hbytes_t message;
} result_t;

static result_t parse(const char *word, const char *next)
{
    result_t r = {.word = {word, next, true, NULL}};

    r.status = hopt_parse_word(&spec, &r.word, &r.opts, &r.message);
    return r;
}

static void expect_message(result_t *r, int status, const char *message)
{
    assert_int_equal(r->status, status);
    assert_non_null(r->message.data);
    assert_string_equal(r->message.data, message);
    hbytes_deinit(&r->message);
}

static void a_word_takes_the_next_one_when_it_needs_it(void **state)
{
    result_t r = parse("--port", "80");

    (void)state;
    assert_int_equal(r.status, 0);
    assert_int_equal(r.opts.port, 80);
    assert_true(r.word.used);
    assert_ptr_equal(r.word.option, &options[1]);
    r = parse("-vp81", "82");
    assert_int_equal(r.status, 0);
    assert_int_equal(r.opts.port, 81);
    assert_true(r.opts.verbose);
    assert_false(r.word.used);
    r = parse("--verbose", "x");
    assert_false(r.word.used);
    assert_int_equal(r.message.len, 0);
}

static void its_mistakes_name_no_command(void **state)
{
    result_t r = parse("--port", NULL);

    (void)state;
    expect_message(&r, HERR_SYNTAX, "option --port needs a value");
    r = parse("--prot", NULL);
    expect_message(&r, HERR_SYNTAX, "option --prot: is unknown (did you mean --port?)");
    r = parse("-vz", NULL);
    expect_message(&r, HERR_SYNTAX, "option -z: is unknown in '-vz'");
    r = parse("--verbose=1", NULL);
    expect_message(&r, HERR_SYNTAX, "option --verbose takes no value");
    r = parse("--text=", NULL);
    expect_message(&r, HERR_SYNTAX, "option --text: the value is empty");
    r = parse("-x", "");
    expect_message(&r, HERR_SYNTAX, "option -x: the value is empty");
    r = parse("-p0", NULL);
    expect_message(&r, HERR_RANGE, "option -p: '0' is not a number from 1 to 65535");
}

static void a_callback_can_warn(void **state)
{
    char name[] = "hnc", warned[] = "-xodd", bad[] = "-xa";
    char *argv[] = {name, warned, bad, NULL};
    result_t r = parse("-x", "odd");
    hopt_list_t operands = {0};

    (void)state;
    expect_message(&r, 0, "option -x: it is short");
    r.status = hopt_parse(&spec, 2, argv, &r.opts, &operands, &r.message);
    assert_int_equal(r.status, 0);
    assert_int_equal(r.message.len, 0);
    r.status = hopt_parse(&spec, 3, argv, &r.opts, &operands, &r.message);
    assert_int_equal(r.status, HERR_SYNTAX);
    assert_null(strstr(r.message.data, "short"));
    hbytes_deinit(&r.message);
}

static void a_secret_does_not_stay_in_argv(void **state)
{
    char name[] = "hnc", apart[] = "-vu", value[] = "me:secret", tied[] = "--user=me:it";
    char bad[] = "-uno", first[] = "-kone", key[] = "--key=two";
    char *argv[] = {name, apart, value, tied, first, key, bad, NULL};
    hbytes_t message = {0};
    hopt_list_t operands = {0};
    opts_t opts = {0};

    (void)state;
    assert_int_equal(hopt_parse(&spec, 7, argv, &opts, &operands, &message), HERR_SYNTAX);
    assert_string_equal(first, "-k   ");
    assert_string_equal(key, "--key=   ");
    assert_string_equal(opts.key, "two");
    assert_string_equal(value, "         ");
    assert_string_equal(tied, "--user=     ");
    assert_string_equal(bad, "-u  ");
    assert_int_equal(opts.length, 2);
    hopt_deinit(&spec, &opts, &operands);
    assert_null(opts.key);
    hbytes_deinit(&message);
}

static void a_time_can_have_an_end(void **state)
{
    (void)state;
    assert_int_equal(parse("-w59", NULL).opts.wait_ms, 59000);
    assert_int_equal(parse("-w61", NULL).opts.wait_ms, 60000);
    assert_int_equal(parse("-w99999999999", NULL).opts.wait_ms, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_takes_the_next_one_when_it_needs_it),
        cmocka_unit_test(its_mistakes_name_no_command),
        cmocka_unit_test(a_time_can_have_an_end),
        cmocka_unit_test(a_callback_can_warn),
        cmocka_unit_test(a_secret_does_not_stay_in_argv),
    };

    return cmocka_run_group_tests_name("hopt_word", tests, NULL, NULL);
}
