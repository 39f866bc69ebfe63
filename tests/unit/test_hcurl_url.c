/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hcurl/status.h"
#include "../../cmd/hcurl/url.h"
#include "oom.h"

#include <fcntl.h>
#include <unistd.h>

#define WORDS_MAX 16

/* The command line: words with a space between them. */
typedef struct line_s {
    char text[256];
    char *argv[WORDS_MAX];
    url_options_t options;
    hopt_list_t operands;
    hbytes_t message;
    int result;
} line_t;

static void parse(line_t *line, const char *text)
{
    const hopt_spec_t spec = {.command = "test", .options = url_rows};
    int argc = 0;
    char *save = NULL;

    memset(line, 0, sizeof(*line));
    snprintf(line->text, sizeof(line->text), "test %s", text);
    for (char *word = strtok_r(line->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        assert_true(argc + 1 < WORDS_MAX);
        line->argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    line->result =
        hopt_parse(&spec, argc, line->argv, &line->options, &line->operands, &line->message);
    for (size_t i = 0; line->result == 0 && i < line->operands.count; i++)
        line->result = url_add(&line->options, line->operands.items[i], &line->message);
}

static void drop(line_t *line)
{
    hopt_list_deinit(&line->operands);
    url_options_deinit(&line->options);
    hbytes_deinit(&line->message);
}

static void put(hbytes_t *out, const char *before, const char *text)
{
    if (text)
        assert_int_equal(hbytes_printf(out, "%s%s", before, text), 0);
}

/* One line a target: its URL, " >" its output, " <" its upload, " !" its status; or the status that
 * ends them, and why. */
static void list(const line_t *line, const char *query, hbytes_t *out)
{
    hbytes_t error = {0};
    url_target_t target;
    url_iter_t iter;
    int found;

    url_iter_init(&iter, &line->options, query);
    while ((found = url_next(&iter, &target, &error)) == 1) {
        put(out, "", target.text);
        put(out, target.remote_name ? " >>" : " >", target.output);
        put(out, " <", target.upload);
        if (target.out_null)
            put(out, " ", "null");
        if (target.to_stdout)
            put(out, " ", "stdout");
        if (target.status != 0)
            assert_int_equal(hbytes_printf(out, " !%d", target.status), 0);
        assert_true((target.status == 0) == (target.url.text != NULL && target.why.len == 0));
        put(out, "", "\n");
        url_target_deinit(&target);
    }
    if (found < 0)
        assert_int_equal(hbytes_printf(out, "%d %s\n", found, error.data), 0);
    hbytes_deinit(&error);
    url_iter_deinit(&iter);
}

static void check(const char *text, const char *query, const char *expected)
{
    hbytes_t out = {0};
    line_t line;

    parse(&line, text);
    if (line.result != 0)
        print_error("%s\n", line.message.data);
    assert_int_equal(line.result, 0);
    list(&line, query, &out);
    assert_string_equal(out.data ? out.data : "", expected);
    hbytes_deinit(&out);
    drop(&line);
}

static void outputs_belong_to_urls_by_position(void **state)
{
    (void)state;
    check("a b", NULL, "a\nb\n");
    check("-o x a -o y b", NULL, "a >x\nb >y\n");
    check("a b -o x -o y", NULL, "a >x\nb >y\n");
    check("-o x a b", NULL, "a >x\nb\n");
    check("--url a -o x --url b", NULL, "a >x\nb\n");
    check("-O h/f -o x h/g", NULL, "h/f >>f\nh/g >x\n");
    check("--remote-name-all h/f h/g", NULL, "h/f >>f\nh/g >>g\n");
    check("--remote-name-all --no-remote-name h/f h/g", NULL, "h/f\nh/g >>g\n");
    check("--remote-name-all -o x h/f h/g", NULL, "h/f >x\nh/g >>g\n");
    check("-T f a b -T g", NULL, "http://a/f <f\nhttp://b/g <g\n");
    check("-T '' a -T g b", NULL, "a\nhttp://b/g <g\n");
    check("-o - a --out-null b", NULL, "a stdout\nb null\n");
    check("a -o x -o y", NULL, "a >x\n");
}

static void globs_are_taken_apart(void **state)
{
    (void)state;
    check("h/{a,b}[1-2] -o #1_#2", NULL, "h/a1 >a_1\nh/a2 >a_2\nh/b1 >b_1\nh/b2 >b_2\n");
    check("-g h/{a,b} -o #1", NULL, "h/{a,b} >#1\n");
    check("h/[1-2] g -o #1 -o y#1", NULL, "h/1 >1\nh/2 >2\ng >y#1\n");
    check("-T {f,g} h/[1-2]/", NULL,
          "http://h/1/f <f\nhttp://h/2/f <f\nhttp://h/1/g <g\nhttp://h/2/g <g\n");
    check("h/[2-1] g", NULL, "-3 bad range in position 8:\nh/[2-1]\n       ^\n");
    check("g h/[2-1]", NULL, "g\n-3 bad range in position 8:\nh/[2-1]\n       ^\n");
    check("-T {f h", NULL, "-3 unmatched brace in position 3:\n{f\n  ^\n");
    check("h/{a} -o x#<n>", NULL,
          "-43 no glob exists with this name in position 5:\nx#<n>\n    ^\n");
    check("h/{<n>a} -o x#<n>", NULL, "h/a >xa\n");
    check("h -T {<n>a} -o x#<n>", NULL, "http://h/a >xa <a\n");
}

static void names_come_from_urls(void **state)
{
    (void)state;
    check("-O h/a/b?c/d#e/f", NULL, "h/a/b?c/d#e/f >>b\n");
    check("-O http://h/a/b/", NULL, "http://h/a/b/ >>b\n");
    check("-O h", NULL, "h >>curl_response\n");
    check("-O h/", NULL, "h/ >>curl_response\n");
    check("-O h/a/..", NULL, "h/a/.. >>curl_response\n");
    check("-O h/a/b/%2e%2E", NULL, "h/a/b/%2e%2E >>a\n");
    check("-O --path-as-is h/..", NULL, "h/.. >>curl_response\n");
    check("-O h/a\\b", NULL, "h/a\\b >>b\n");
    check("-O h/\xc3\xa4%c3", NULL, "h/\xc3\xa4%c3 >>\xc3\xa4%c3\n");
    check("-O h!/x", NULL, "-3 URL rejected: a bad host name\n");
}

static void an_upload_gives_its_name_to_a_folder(void **state)
{
    (void)state;
    check("-T d/f.x http://h/a/", NULL, "http://h/a/f.x <d/f.x\n");
    check("-T d/f.x http://h/a", NULL, "http://h/a <d/f.x\n");
    check("-T f=& h", NULL, "http://h/f%3D%26 <f=&\n");
    check("-T d\\f h/", NULL, "http://h/f <d\\f\n");
    check("-T f h/?q", NULL, "h/?q <f\n");
    check("-T f h/#q", NULL, "http://h/f#q <f\n");
    check("-T - h/", NULL, "h/ <-\n");
    check("-T . h/", NULL, "h/ <.\n");
}

static void queries_are_added(void **state)
{
    (void)state;
    check("--url-query a=b h", NULL, "h/?a=b\n");
    check("--url-query a=b&c --url-query +d=e&f http://h/x?y#z", NULL,
          "http://h/x?y&a=b%26c&d=e&f#z\n");
    check("--url-query =/ h/?x&", NULL, "h/?x&%2F\n");
    check("-G h/a/../b", "x=%c3", "h/b?x=%C3\n");
    check("--url-query a -G h", "x", "h/?x\n");
    check("-G h h/?a h/?a&", "", "h/\nh/?a&\nh/?a&\n");
    check("-T f --url-query a=b h/", NULL, "http://h/f?a=b <f\n");
    check("--url-query a http://h:x/ g", NULL,
          "-3 URL rejected: the port is no number from 0 to 65535\n");
}

static void a_bad_url_is_a_transfer_that_fails(void **state)
{
    (void)state;
    check("http:// g", NULL, "http:// !3\ng\n");
    check("ftp://h/x ftp.h dict://x g", NULL, "ftp://h/x !1\nftp.h !1\ndict://x !1\ng\n");
    check("h:99999", NULL, "h:99999 !3\n");
    check("--proto-default https h", NULL, "h\n");
}

static void urls_may_lie_in_a_file(void **state)
{
    static const char text[] = "# none\n\nh/{a}\r\n \t\n  # none\nh/b";
    char name[] = "/tmp/test_hcurl_url.XXXXXX", command[64];
    int fd = mkostemp(name, O_CLOEXEC);

    (void)state;
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    snprintf(command, sizeof(command), "--url @%s", name);
    check(command, NULL, "h/{a} >>{a}\nh/b >>b\n");
    unlink(name);
}

static void what_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *text;
        int result;
    } rows[] = {{"--url @/no/such/file", -ENOENT},
                {"--proto-default ftp", HERR_PROTOCOL},
                {"-o ''", HERR_SYNTAX},
                {"--url ''", HERR_SYNTAX},
                {"''", HERR_SYNTAX},
                {"--url-query @/no/such/file", -ENOENT}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        line_t line;

        parse(&line, rows[i].text);
        assert_int_equal(line.result, rows[i].result);
        drop(&line);
    }
}

static int make_all(void *arg)
{
    hbytes_t error = {0};
    url_target_t target;
    url_iter_t iter;
    line_t line;
    int found;

    (void)arg;
    parse(&line, "-O --url-query a h/{a,b} -T {f,g} i -o x#1 j");
    url_iter_init(&iter, &line.options, NULL);
    while (line.result == 0 && (found = url_next(&iter, &target, &error)) != 0) {
        if (found < 0 || target.status != 0)
            line.result = -ENOMEM;
        url_target_deinit(&target);
    }
    url_iter_deinit(&iter);
    hbytes_deinit(&error);
    drop(&line);
    return line.result;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(make_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_belong_to_urls_by_position),
        cmocka_unit_test(globs_are_taken_apart),
        cmocka_unit_test(names_come_from_urls),
        cmocka_unit_test(an_upload_gives_its_name_to_a_folder),
        cmocka_unit_test(queries_are_added),
        cmocka_unit_test(a_bad_url_is_a_transfer_that_fails),
        cmocka_unit_test(urls_may_lie_in_a_file),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(memory_may_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
