/* One thread. */
#include "app/hopt_doc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hversion.h"
#include "oom.h"

typedef struct opts_s {
    bool verbose;
    uint32_t wait_ms;
    uint64_t chunk;
    hopt_list_t headers;
    int color;
    int mode;
    const char *output;
} opts_t;

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const modes[] = {"fast", "safe", NULL};

static const hopt_t options[] = {
    HOPT_GROUP("Connection"),
    HOPT_SPAN('w', "wait", opts_t, wait_ms,
              "give up after TIME, counted from the first packet that was sent to the peer"),
    HOPT_SIZE(0, "chunk", opts_t, chunk, UINT64_MAX, "bytes in a piece"),
    HOPT_GROUP("Empty, so not shown"),
    HOPT_FLAG(0, "secret", opts_t, verbose, "for tests", .hidden = true),
    HOPT_REFUSED(0, "lua", "FILE", "there is no Lua in this program"),
    HOPT_GROUP("Output"),
    HOPT_FLAG('v', "verbose", opts_t, verbose, "say more; it's \"fine\" [really]: yes",
              .negatable = true),
    HOPT_FLAG('N', "no-buffer", opts_t, verbose, "at once", .negatable = true),
    HOPT_LIST('H', "header", opts_t, headers, "one more header", .arg_name = "LINE"),
    HOPT_ENUM(0, "color", opts_t, color, colors, "colour", .bare = "always"),
    HOPT_ENUM('m', "mode", opts_t, mode, modes, "how to do it", .arg_name = "MODE"),
    HOPT_STRING('o', "a-very-long-name-for-output", opts_t, output, "write to FILE",
                .arg_name = "FILE"),
    HOPT_FLAG('h', NULL, opts_t, verbose, "takes the letter of --help"),
    HOPT_END,
};

static const char *const usage[] = {"[options] HOST[:PORT]", "-l [HOST]...", NULL};
static const char *const description[] = {"Reads. Writes e.g. bytes! And \\ more.",
                                          ".Starts with a dot and has 'quotes'.", NULL};
static const hopt_term_t operands[] = {{"HOST", "where to go"}, {NULL, NULL}};
static const hopt_term_t examples[] = {{"hxx -w 3 localhost 80", "Talk to a web server."},
                                       {NULL, NULL}};
static const char *const own_words[] = {"One.", "Two.", NULL};
static const hopt_term_t own_names[] = {{"%{x}", "a name of ours"}, {NULL, NULL}};
static const hopt_section_t sections[] = {
    {"WORDS", own_words, NULL, NULL}, {"NAMES", NULL, own_names, NULL}, {NULL, NULL, NULL, NULL}};
static const hopt_term_t exit_status[] = {{"0", "all went well"}, {"1", "a fault"}, {NULL, NULL}};
static const hopt_term_t signals[] = {{"SIGHUP", "reads it again"}, {NULL, NULL}};
static const hopt_term_t environment[] = {{"NO_COLOR", "switches colour off"}, {NULL, NULL}};
static const char *const see_also[] = {"nc(1)", "socat(1)", NULL};

static const hopt_feature_t features[] = {{"libseven", "7.0"}, {"libeight", "8.1"}, {NULL, NULL}};

static const hopt_doc_t doc = {
    .name = "hxx",
    .summary = "read and write things",
    .options = options,
    .usage = usage,
    .description = description,
    .operands = operands,
    .sections = sections,
    .examples = examples,
    .exit_status = exit_status,
    .environment = environment,
    .signals = signals,
    .see_also = see_also,
    .features = features,
    .operand = HOPT_OPERAND_HOST,
    .usage_status = 1,
};

static char *page(hopt_page_e which, size_t width)
{
    hbytes_t out = {0};

    assert_int_equal(hopt_doc_write(&doc, which, width, &out), 0);
    return hbytes_take(&out, NULL);
}

static void expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void expect_not_in(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is in:\n%s", part, text);
}

static void help_shows_groups_names_and_examples(void **state)
{
    char *text = page(HOPT_PAGE_HELP, 80);

    (void)state;
    expect_in(text, "hxx - read and write things\n\nUsage: hxx [options] HOST[:PORT]\n"
                    "       hxx -l [HOST]...\n");
    expect_in(text, "\nConnection:\n  -w, --wait=TIME     give up after TIME, counted");
    expect_in(text, "\n      --chunk=SIZE    bytes in a piece\n");
    expect_in(text, "\n  -v, --[no-]verbose  say more");
    expect_in(text, "\n  -N, --[no-]buffer   at once\n");
    expect_in(text, "\n      --color[=auto|always|never]\n                      colour\n");
    expect_in(text, "how to do it (fast|safe)\n");
    expect_in(text, "\n  hxx -w 3 localhost 80\n      Talk to a web server.\n");
    expect_in(text, "\n  HOST  where to go\n");
    expect_not_in(text, "Empty");
    expect_not_in(text, "secret");
    expect_not_in(text, "lua");
    expect_not_in(text, "help-man");
    hmem_free(text);
}

static void a_name_that_the_command_took_is_not_shown_twice(void **state)
{
    char *text = page(HOPT_PAGE_HELP, 80);

    (void)state;
    expect_in(text, "\n  -h                  takes the letter of --help\n");
    expect_in(text, "\n      --help          print this help\n");
    expect_in(text, "\n  -V, --version ");
    hmem_free(text);
}

static void the_manual_as_text_has_it_all(void **state)
{
    char *text = page(HOPT_PAGE_TEXT, 80);

    (void)state;
    expect_in(text, "hxx - read and write things\n\nUsage: hxx [options]");
    expect_in(text, "\n\nReads. Writes e.g. bytes! And \\ more.\n\n.Starts with");
    expect_in(text, "\n  -m, --mode=MODE ");
    expect_in(text, "\nWords:\n\nOne.\n\nTwo.\n");
    expect_in(text, "\nNames:\n  %{x}  a name of ours\n");
    expect_in(text, "\nEnvironment:\n  NO_COLOR  switches colour off\n");
    expect_in(text, "\nSignals:\n  SIGHUP  reads it again\n");
    expect_in(text, "\nExit status:\n  0  all went well\n");
    expect_not_in(text, "secret");
    hmem_free(text);
}

static void help_wraps_at_the_width_of_the_terminal(void **state)
{
    for (size_t width = 40; width <= 100; width++) {
        char *text = page(HOPT_PAGE_HELP, width);

        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= width);
        hmem_free(text);
    }
    (void)state;
}

static void version_names_the_program_and_what_is_in_it(void **state)
{
    char *text = page(HOPT_PAGE_VERSION, 80);

    (void)state;
    assert_int_equal(strncmp(text, "hxx (hnet) " HNET_VERSION "\nbuilt with ", 23), 0);
    expect_in(text, "libseven 7.0, libeight 8.1\n");
    hmem_free(text);
}

static void the_manual_page_escapes_what_roff_would_read(void **state)
{
    char *text = page(HOPT_PAGE_MAN, 80);

    (void)state;
    expect_in(text, ".Dt HXX 1\n");
    expect_in(text, "\nReads.\nWrites e.g.\nbytes!\nAnd \\e more.\n.Pp\n"
                    "\\&.Starts with a dot and has \\(aqquotes\\(aq.\n");
    expect_in(text, "\n.It Fl w , Fl \\-wait Ns = Ns Ar TIME\n");
    expect_in(text, "\n.It Fl v , Fl \\-verbose , Fl \\-no\\-verbose\n");
    expect_in(text, "Fl \\-color Ns Oo = Ns Ar auto|always|never Oc\n");
    expect_in(text, "\nHow to do it.\nOne of\n.Cm fast ,\n.Cm safe\n");
    expect_in(text, "\n.Sh WORDS\nOne.\n.Pp\nTwo.\n.Sh NAMES\n.Bl -tag -width Ds\n"
                    ".It Li \\&%{x}\nA name of ours.\n.El\n");
    expect_in(text, "\nhxx \\-w 3 localhost 80\n");
    expect_in(text, "\n.Xr nc 1 ,\n.Xr socat 1\n");
    expect_not_in(text, "secret");
    hmem_free(text);
}

static void completions_offer_names_and_values(void **state)
{
    char *text = page(HOPT_PAGE_BASH, 0);

    (void)state;
    expect_in(text, "-m|--mode|--mode=)\n");
    expect_in(text, "        --color=)\n");
    expect_in(text, "compgen -W 'auto always never'");
    expect_in(text, " --wait= ");
    expect_in(text, " --no-verbose ");
    expect_in(text, " --no-buffer --buffer ");
    hmem_free(text);
    text = page(HOPT_PAGE_ZSH, 0);
    expect_in(text, "#compdef hxx\n");
    expect_in(text, "'--color=-[colour]::value:(auto always never)'");
    expect_in(text, "'(-v --verbose)--verbose[say more; it'\\''s \"fine\" \\[really\\]\\: yes]'");
    expect_in(text, "--no-verbose[say more");
    expect_in(text, "--buffer[at once]");
    expect_in(text, "'*--header=[one more header]:LINE:'");
    hmem_free(text);
    text = page(HOPT_PAGE_FISH, 0);
    expect_in(text, "complete -c hxx -s 'm' -l mode -x -a 'fast safe' -d 'how to do it'\n");
    expect_in(text, "-l verbose -d 'say more; it\\'s");
    expect_in(text, "complete -c hxx -l no-verbose\n");
    expect_in(text, "complete -c hxx -l buffer\n");
    hmem_free(text);
}

static bool is_named(const char *heading, const hopt_t *row, void *ctx)
{
    return strcmp(heading, "Output") == 0 && row->long_name != NULL &&
           strstr(ctx, row->long_name) != NULL;
}

static void help_of_some_options_keeps_their_headings(void **state)
{
    char names[] = "wait header mode";
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(hopt_doc_write_some(&doc, is_named, names, 80, &out), 0);
    assert_string_equal(out.data, "\nOutput:\n  -H, --header=LINE   one more header\n"
                                  "  -m, --mode=MODE     how to do it (fast|safe)\n");
    hbytes_deinit(&out);
}

static void exit_statuses_tell_usage_refusal_and_memory_apart(void **state)
{
    hopt_doc_t plain = doc;

    (void)state;
    plain.usage_status = 0;
    assert_int_equal(hopt_exit_status(&doc, HERR_SYNTAX), 1);
    assert_int_equal(hopt_exit_status(&doc, HERR_RANGE), 1);
    assert_int_equal(hopt_exit_status(&plain, HERR_SYNTAX), 2);
    assert_int_equal(hopt_exit_status(&doc, HERR_UNSUPPORTED), 2);
    assert_int_equal(hopt_exit_status(&plain, -ENOMEM), 1);
}

/* Runs hopt_main_parse with stdout and stderr in a file, and returns what was written. */
static int run_main(char *word, const char *out_path, char *text, size_t size)
{
    char name[] = "hxx";
    char *argv[] = {name, word, NULL};
    int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
    int out = open(out_path, O_WRONLY | O_CREAT, 0600), status;
    FILE *err = tmpfile();
    hopt_list_t words = {0};
    opts_t opts = {0};

    assert_true(out >= 0 && err != NULL);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    status = hopt_main_parse(&doc, word == NULL ? 1 : 2, argv, &opts, &words);
    hopt_main_free(&doc, &opts, &words);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    clearerr(stdout);
    rewind(err);
    text[fread(text, 1, size - 1, err)] = '\0';
    fclose(err);
    close(out);
    close(saved_out);
    close(saved_err);
    return status;
}

static void main_parse_returns_what_main_has_to_return(void **state)
{
    char text[256];
    char help[] = "--help", version[] = "-V", wrong[] = "--wat", refused[] = "--lua";

    (void)state;
    assert_int_equal(run_main(NULL, "/dev/null", text, sizeof(text)), HOPT_RUN);
    assert_int_equal(run_main(help, "/dev/null", text, sizeof(text)), 0);
    assert_int_equal(run_main(version, "/dev/null", text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(run_main(wrong, "/dev/null", text, sizeof(text)), 1);
    assert_string_equal(text, "hxx: unknown option --wat (did you mean --wait?); see hxx --help\n");
    assert_int_equal(run_main(refused, "/dev/null", text, sizeof(text)), 2);
}

static void help_that_cannot_be_written_is_a_failure(void **state)
{
    char text[256];
    char help[] = "--help";

    (void)state;
    assert_int_equal(run_main(help, "/dev/full", text, sizeof(text)), 1);
    assert_string_equal(text, "hxx: No space left on device\n");
}

static int write_pages(void *arg)
{
    int status = 0;

    (void)arg;
    for (int which = HOPT_PAGE_HELP; which <= HOPT_PAGE_FISH && status == 0; which++) {
        hbytes_t out = {0};

        status = hopt_doc_write(&doc, (hopt_page_e)which, 80, &out);
        hbytes_deinit(&out);
    }
    return status;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(write_pages, NULL);
}

/* "test_hopt_doc PAGE" prints a page, for the shells and linters that check it. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_shows_groups_names_and_examples),
        cmocka_unit_test(a_name_that_the_command_took_is_not_shown_twice),
        cmocka_unit_test(the_manual_as_text_has_it_all),
        cmocka_unit_test(help_wraps_at_the_width_of_the_terminal),
        cmocka_unit_test(version_names_the_program_and_what_is_in_it),
        cmocka_unit_test(the_manual_page_escapes_what_roff_would_read),
        cmocka_unit_test(completions_offer_names_and_values),
        cmocka_unit_test(help_of_some_options_keeps_their_headings),
        cmocka_unit_test(exit_statuses_tell_usage_refusal_and_memory_apart),
        cmocka_unit_test(main_parse_returns_what_main_has_to_return),
        cmocka_unit_test(help_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(out_of_memory_is_an_error_at_every_allocation),
    };

    if (argc > 1) {
        char *text = page((hopt_page_e)strtol(argv[1], NULL, 10), 0);

        fputs(text, stdout);
        hmem_free(text);
        return 0;
    }
    return cmocka_run_group_tests_name("hopt_doc", tests, NULL, NULL);
}
