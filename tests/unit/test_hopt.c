/* One thread. */
#include "app/hopt.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "oom.h"

typedef enum color_e { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color_e;

typedef struct shared_s {
    bool daemon;
    const char *pid_file;
} shared_t;

typedef struct opts_s {
    bool verbose;
    bool keep;
    int debug;
    int family;
    const char *output;
    uint16_t port;
    uint8_t ttl;
    int8_t level;
    int64_t shift;
    size_t chunk;
    uint64_t rate;
    uint32_t wait_ms;
    hopt_list_t headers;
    color_e color;
    int calls;
    const char *called_with;
    shared_t shared;
} opts_t;

static const char *const colors[] = {"auto", "always", "never", NULL};

static int on_call(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    opts_t *o = opts;

    (void)option;
    o->calls++;
    o->called_with = arg;
    if (arg != NULL && strcmp(arg, "bad") == 0) {
        hbytes_append_str(why, "'bad' is not good");
        return HERR_SYNTAX;
    }
    if (arg != NULL && strcmp(arg, "worse") == 0)
        return -EACCES;
    return arg != NULL && strcmp(arg, "stop") == 0 ? 7 : 0;
}

static const hopt_t shared_options[] = {
    HOPT_FLAG('d', "daemon", shared_t, daemon, "go to the background"),
    HOPT_STRING(0, "pid-file", shared_t, pid_file, "write the process number to FILE"),
    HOPT_END,
};

static const hopt_t options[] = {
    HOPT_GROUP("Output"),
    HOPT_FLAG('v', "verbose", opts_t, verbose, "say more", .negatable = true),
    HOPT_FLAG('k', "keep", opts_t, keep, "keep listening", .alias = "keep-open|hold"),
    HOPT_COUNT('D', "debug", opts_t, debug, "debug", .negatable = true),
    HOPT_SET('4', NULL, opts_t, family, 4, "IPv4 only"),
    HOPT_SET('6', "ipv6", opts_t, family, 6, "IPv6 only"),
    HOPT_STRING('o', "output", opts_t, output, "write to FILE", .arg_name = "FILE"),
    HOPT_UINT('p', "port", opts_t, port, 1, 65535, "send from this port", .arg_name = "PORT"),
    HOPT_UINT(0, "ttl", opts_t, ttl, 0, 1000, "hops"),
    HOPT_INT(0, "level", opts_t, level, -5, 5, "priority"),
    HOPT_INT(0, "shift", opts_t, shift, INT64_MIN, INT64_MAX, "shift"),
    HOPT_SIZE('I', "chunk", opts_t, chunk, 1 << 20, "buffer size"),
    HOPT_SIZE(0, "rate", opts_t, rate, 1 << 20, "bytes a second", .min = 512),
    HOPT_SPAN('w', "wait", opts_t, wait_ms, "give up after TIME"),
    HOPT_LIST('H', "header", opts_t, headers, "one more header", .negatable = true),
    HOPT_FLAG('N', "no-buffer", opts_t, keep, "send at once", .negatable = true, .alias = "direct"),
    HOPT_ENUM(0, "color", opts_t, color, colors, "colour", .bare = "always"),
    HOPT_CALL('x', "execute", on_call, "call", .arg_name = "WHAT"),
    HOPT_CALL('y', "ping", on_call, "call without a value", .negatable = true),
    HOPT_CALL('n', "name", on_call, "takes a value", .arg_name = "NAME"),
    HOPT_FLAG(0, "no-clobber", opts_t, keep, "a pair of letters", .pair = "nc"),
    HOPT_REFUSED('L', "lua-exec", "FILE", "there is no Lua in this program"),
    HOPT_INCLUDE(shared_options, opts_t, shared, shared_t),
    HOPT_END,
};

static const hopt_t fallback[] = {
    HOPT_CALL('h', "help", on_call, "help"),
    HOPT_CALL('v', "version", on_call, "its letter is hidden by --verbose"),
    HOPT_END,
};

static const hopt_spec_t spec = {"hnc", options, fallback, false};
static const hopt_spec_t posix_spec = {"hnc", options, fallback, true};

typedef struct run_s {
    opts_t opts;
    hopt_list_t operands;
    hbytes_t message;
    int status;
} run_t;

/* Parses words up to the NULL; release() gives everything back. */
static run_t *run_spec(const hopt_spec_t *with, const char *const *words)
{
    run_t *r = calloc(1, sizeof(*r));
    char *argv[16] = {(char *)(uintptr_t) "hnc"};
    int argc = 1;

    assert_non_null(r);
    for (; *words != NULL; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    r->opts.port = 9;
    r->status = hopt_parse(with, argc, argv, &r->opts, &r->operands, &r->message);
    return r;
}

#define RUN(...) run_spec(&spec, (const char *const[]){__VA_ARGS__, NULL})
#define RUN_POSIX(...) run_spec(&posix_spec, (const char *const[]){__VA_ARGS__, NULL})

static void release(run_t *r)
{
    hopt_deinit(&spec, &r->opts, &r->operands);
    hbytes_deinit(&r->message);
    free(r);
}

static void expect_error(run_t *r, int status, const char *message)
{
    assert_int_equal(r->status, status);
    assert_non_null(r->message.data);
    assert_string_equal(r->message.data, message);
    release(r);
}

static void defaults_stay_and_operands_are_listed(void **state)
{
    run_t *r = RUN("example.com", "-", "80");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_int_equal(r->opts.port, 9);
    assert_int_equal(r->operands.count, 3);
    assert_string_equal(r->operands.items[0], "example.com");
    assert_string_equal(r->operands.items[1], "-");
    assert_string_equal(r->operands.items[2], "80");
    release(r);
}

static void short_options_bundle_and_the_last_takes_a_value(void **state)
{
    run_t *r = RUN("-vDDkp80", "-o", "f", "-D");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_true(r->opts.verbose);
    assert_true(r->opts.keep);
    assert_int_equal(r->opts.debug, 3);
    assert_int_equal(r->opts.port, 80);
    assert_string_equal(r->opts.output, "f");
    release(r);
}

static void long_values_follow_an_equals_sign_or_stand_alone(void **state)
{
    run_t *r = RUN("--output=a=b", "--port", "1", "--wait=1.5s", "--chunk", "64k", "--output=");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_string_equal(r->opts.output, "");
    assert_int_equal(r->opts.port, 1);
    assert_int_equal(r->opts.wait_ms, 1500);
    assert_int_equal(r->opts.chunk, 65536);
    release(r);
}

static void integers_of_every_width_are_stored(void **state)
{
    run_t *r = RUN("--ttl=255", "--level=-5", "--shift=-9223372036854775808", "-6", "-4");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_int_equal(r->opts.ttl, 255);
    assert_int_equal(r->opts.level, -5);
    assert_true(r->opts.shift == INT64_MIN);
    assert_int_equal(r->opts.family, 4);
    release(r);
}

static void a_list_keeps_every_value_in_order(void **state)
{
    run_t *r = RUN("-H", "a", "--header=b", "-Hc");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_int_equal(r->opts.headers.count, 3);
    assert_string_equal(r->opts.headers.items[0], "a");
    assert_string_equal(r->opts.headers.items[1], "b");
    assert_string_equal(r->opts.headers.items[2], "c");
    release(r);
}

static void an_optional_value_never_eats_the_next_word(void **state)
{
    run_t *r = RUN("--color", "never");

    (void)state;
    assert_int_equal(r->opts.color, COLOR_ALWAYS);
    assert_int_equal(r->operands.count, 1);
    release(r);
    r = RUN("--color=never");
    assert_int_equal(r->opts.color, COLOR_NEVER);
    release(r);
}

static void a_negatable_flag_is_switched_off_by_no(void **state)
{
    run_t *r = RUN("-vDD", "--no-verbose", "--no-debug");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_false(r->opts.verbose);
    assert_int_equal(r->opts.debug, 0);
    release(r);
    expect_error(RUN("--no-keep"), HERR_SYNTAX,
                 "hnc: unknown option --no-keep (did you mean --keep?); see hnc --help");
    expect_error(RUN("--no-verbose=1"), HERR_SYNTAX,
                 "hnc: option --no-verbose takes no value; see hnc --help");
}

/* The signal that ended a process which parsed nothing with this row; 0: none did. */
static int signal_of_a_table_with(hopt_t row)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        const hopt_t rows[] = {row, HOPT_END};
        const hopt_spec_t with = {"hnc", rows, NULL, false};
        char *argv[] = {(char *)(uintptr_t) "hnc", NULL};
        const struct rlimit no_core = {0, 0};
        opts_t opts = {0};
        hopt_list_t operands = {0};
        hbytes_t message = {0};

        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        setrlimit(RLIMIT_CORE, &no_core);
        _exit(hopt_parse(&with, 1, argv, &opts, &operands, &message));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* "--no-header" would have to free a list, and a callback's members are not known. */
static void a_call_that_takes_a_value_cannot_be_negatable(void **state)
{
    const hopt_t flag = HOPT_FLAG('v', "verbose", opts_t, verbose, "", .negatable = true);
    const hopt_t list = HOPT_LIST('H', "header", opts_t, headers, "", .negatable = true);
    const hopt_t call = HOPT_CALL('y', "ping", on_call, "", .negatable = true);
    const hopt_t with = HOPT_CALL('y', "ping", on_call, "", .negatable = true, .arg_name = "X");

    (void)state;
    assert_int_equal(signal_of_a_table_with(flag), 0);
    assert_int_equal(signal_of_a_table_with(list), 0);
    assert_int_equal(signal_of_a_table_with(call), 0);
    assert_int_equal(signal_of_a_table_with(with), SIGABRT);
}

static void a_list_is_emptied_and_a_call_told_by_no(void **state)
{
    run_t *r = RUN("-Ha", "-Hb", "--no-header", "-Hc", "-y");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_int_equal(r->opts.headers.count, 1);
    assert_string_equal(r->opts.headers.items[0], "c");
    assert_int_equal(r->opts.calls, 1);
    assert_null(r->opts.called_with);
    release(r);
    r = RUN("--no-ping");
    assert_int_equal(r->status, 0);
    assert_string_equal(r->opts.called_with, HOPT_NO);
    release(r);
}

static void an_option_named_no_is_negated_by_the_name_without(void **state)
{
    run_t *r = RUN("-N");

    (void)state;
    assert_true(r->opts.keep);
    release(r);
    r = RUN("--no-buffer", "--buffer");
    assert_int_equal(r->status, 0);
    assert_false(r->opts.keep);
    release(r);
    r = RUN("--direct", "--no-direct");
    assert_false(r->opts.keep);
    release(r);
    expect_error(RUN("--buffe"), HERR_SYNTAX, "hnc: unknown option --buffe; see hnc --help");
    expect_error(RUN("--clobber"), HERR_SYNTAX,
                 "hnc: unknown option --clobber (did you mean --no-clobber?); see hnc --help");
}

static void aliases_and_pairs_name_the_same_option(void **state)
{
    run_t *r = RUN("--hold");

    (void)state;
    assert_true(r->opts.keep);
    release(r);
    r = RUN("--keep-open");
    assert_true(r->opts.keep);
    release(r);
    r = RUN("-ncv");
    assert_int_equal(r->status, 0);
    assert_true(r->opts.keep);
    assert_true(r->opts.verbose);
    release(r);
    r = RUN("-nx");
    assert_int_equal(r->status, 0);
    assert_string_equal(r->opts.called_with, "x");
    release(r);
}

static void two_dashes_end_the_options(void **state)
{
    run_t *r = RUN("-v", "--", "-k", "--");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_false(r->opts.keep);
    assert_int_equal(r->operands.count, 2);
    assert_string_equal(r->operands.items[0], "-k");
    assert_string_equal(r->operands.items[1], "--");
    release(r);
}

static void options_come_after_operands_unless_the_order_is_posix(void **state)
{
    run_t *r = RUN("host", "-v");

    (void)state;
    assert_true(r->opts.verbose);
    assert_int_equal(r->operands.count, 1);
    release(r);
    r = RUN_POSIX("host", "-v");
    assert_false(r->opts.verbose);
    assert_int_equal(r->operands.count, 2);
    release(r);
}

static void an_included_table_fills_its_member(void **state)
{
    run_t *r = RUN("-d", "--pid-file=/run/x");

    (void)state;
    assert_int_equal(r->status, 0);
    assert_true(r->opts.shared.daemon);
    assert_string_equal(r->opts.shared.pid_file, "/run/x");
    release(r);
}

static void a_callback_gets_its_value_and_can_stop_the_parse(void **state)
{
    run_t *r = RUN("-y");

    (void)state;
    assert_int_equal(r->opts.calls, 1);
    assert_null(r->opts.called_with);
    release(r);
    r = RUN("-xstop", "--nonsense");
    assert_int_equal(r->status, 7);
    assert_int_equal(r->message.len, 0);
    release(r);
    expect_error(RUN("-x", "bad"), HERR_SYNTAX, "hnc: option -x: 'bad' is not good");
    expect_error(RUN("-x", "worse"), -EACCES, "hnc: option -x: Permission denied");
}

static void the_commands_options_hide_the_standard_ones(void **state)
{
    run_t *r = RUN("-v");

    (void)state;
    assert_true(r->opts.verbose);
    assert_int_equal(r->opts.calls, 0);
    release(r);
    r = RUN("--version");
    assert_false(r->opts.verbose);
    assert_int_equal(r->opts.calls, 1);
    release(r);
}

static void an_unknown_option_is_named_with_its_neighbour(void **state)
{
    (void)state;
    expect_error(RUN("--verbsoe"), HERR_SYNTAX,
                 "hnc: unknown option --verbsoe (did you mean --verbose?); see hnc --help");
    expect_error(RUN("--verb"), HERR_SYNTAX,
                 "hnc: unknown option --verb (did you mean --verbose?); see hnc --help");
    expect_error(RUN("--zzzzzz=1"), HERR_SYNTAX, "hnc: unknown option --zzzzzz; see hnc --help");
    expect_error(RUN("--=x"), HERR_SYNTAX, "hnc: unknown option --; see hnc --help");
    expect_error(RUN("-Z"), HERR_SYNTAX, "hnc: unknown option -Z; see hnc --help");
    expect_error(RUN("-vZ"), HERR_SYNTAX, "hnc: unknown option -Z in '-vZ'; see hnc --help");
    expect_error(RUN("-\x1b"), HERR_SYNTAX, "hnc: unknown option -\\x1b; see hnc --help");
}

static void a_missing_or_superfluous_value_is_an_error(void **state)
{
    (void)state;
    expect_error(RUN("-o"), HERR_SYNTAX, "hnc: option -o needs a value; see hnc --help");
    expect_error(RUN("--port"), HERR_SYNTAX, "hnc: option --port needs a value; see hnc --help");
    expect_error(RUN("--keep=1"), HERR_SYNTAX, "hnc: option --keep takes no value; see hnc --help");
}

static void a_bad_value_is_quoted_with_what_was_expected(void **state)
{
    (void)state;
    expect_error(RUN("-w", "12x"), HERR_SYNTAX,
                 "hnc: option -w: '12x' is not a time (try 500ms, 3s, 2m)");
    expect_error(RUN("-p0"), HERR_RANGE, "hnc: option -p: '0' is not a number from 1 to 65535");
    expect_error(RUN("--port=8o"), HERR_SYNTAX,
                 "hnc: option --port: '8o' is not a number from 1 to 65535");
    expect_error(RUN("--ttl=256"), HERR_RANGE,
                 "hnc: option --ttl: '256' is not a number from 0 to 255");
    expect_error(RUN("--level=6"), HERR_RANGE,
                 "hnc: option --level: '6' is not a number from -5 to 5");
    expect_error(RUN("--rate", "0.4k"), HERR_RANGE,
                 "hnc: option --rate: '0.4k' is less than 512 B");
    expect_error(RUN("-I", "2M"), HERR_RANGE, "hnc: option -I: '2M' is more than 1.0 MiB");
    expect_error(RUN("-I", "x"), HERR_SYNTAX,
                 "hnc: option -I: 'x' is not a size (try 512, 64k, 10M)");
    expect_error(RUN("--color=nevr"), HERR_SYNTAX,
                 "hnc: option --color: 'nevr' is not one of auto, always, never "
                 "(did you mean never?)");
    expect_error(RUN("--wait", "\x1b[2J"), HERR_SYNTAX,
                 "hnc: option --wait: '\\x1b[2J' is not a time (try 500ms, 3s, 2m)");
}

static void a_refused_option_is_refused_by_name(void **state)
{
    (void)state;
    expect_error(RUN("--lua-exec", "f"), HERR_UNSUPPORTED,
                 "hnc: option --lua-exec is not supported: there is no Lua in this program");
    expect_error(RUN("-L"), HERR_UNSUPPORTED,
                 "hnc: option -L is not supported: there is no Lua in this program");
}

static void a_very_long_word_is_cut_in_the_message(void **state)
{
    char word[4096];
    run_t *r;

    (void)state;
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    word[0] = word[1] = '-';
    r = RUN(word);
    assert_int_equal(r->status, HERR_SYNTAX);
    assert_true(r->message.len < 300);
    release(r);
    r = RUN("-w", word);
    assert_int_equal(r->status, HERR_SYNTAX);
    assert_true(r->message.len < 300);
    release(r);
}

static void what_is_wrong_is_told_harmlessly(void **state)
{
    char text[2000];
    hbytes_t why = {0};

    (void)state;
    assert_int_equal(hopt_wrong(&why, "'%s': it takes %d", "a\033[m\n", 3), HERR_SYNTAX);
    assert_string_equal(why.data, "'a\\x1b[m\\n': it takes 3");
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    hbytes_clear(&why);
    assert_int_equal(hopt_wrong(&why, "%s", text), HERR_SYNTAX);
    assert_true(why.len < 512);
    hbytes_deinit(&why);
}

static int parse_everything(void *arg)
{
    run_t *r = RUN("-H", "a", "one", "--header=b", "two", "-w", "1x");
    int status = r->status == HERR_SYNTAX && r->message.len > 0 ? 0 : r->status;

    (void)arg;
    /* A message that did not fit in memory is no crash; the status still tells the mistake. */
    if (r->status == HERR_SYNTAX && r->message.len == 0)
        status = -ENOMEM;
    release(r);
    return status;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(parse_everything, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stay_and_operands_are_listed),
        cmocka_unit_test(short_options_bundle_and_the_last_takes_a_value),
        cmocka_unit_test(long_values_follow_an_equals_sign_or_stand_alone),
        cmocka_unit_test(integers_of_every_width_are_stored),
        cmocka_unit_test(a_list_keeps_every_value_in_order),
        cmocka_unit_test(an_optional_value_never_eats_the_next_word),
        cmocka_unit_test(a_negatable_flag_is_switched_off_by_no),
        cmocka_unit_test(a_call_that_takes_a_value_cannot_be_negatable),
        cmocka_unit_test(a_list_is_emptied_and_a_call_told_by_no),
        cmocka_unit_test(an_option_named_no_is_negated_by_the_name_without),
        cmocka_unit_test(aliases_and_pairs_name_the_same_option),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(options_come_after_operands_unless_the_order_is_posix),
        cmocka_unit_test(an_included_table_fills_its_member),
        cmocka_unit_test(a_callback_gets_its_value_and_can_stop_the_parse),
        cmocka_unit_test(the_commands_options_hide_the_standard_ones),
        cmocka_unit_test(an_unknown_option_is_named_with_its_neighbour),
        cmocka_unit_test(a_missing_or_superfluous_value_is_an_error),
        cmocka_unit_test(a_bad_value_is_quoted_with_what_was_expected),
        cmocka_unit_test(a_refused_option_is_refused_by_name),
        cmocka_unit_test(a_very_long_word_is_cut_in_the_message),
        cmocka_unit_test(what_is_wrong_is_told_harmlessly),
        cmocka_unit_test(out_of_memory_is_an_error_at_every_allocation),
    };

    return cmocka_run_group_tests_name("hopt", tests, NULL, NULL);
}
