/* One thread. */
#include "app/hconf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "oom.h"

typedef struct target_s {
    uint16_t port;
    bool daemon;
    const char *root;
    hopt_list_t index;
    uint32_t wait_ms;
    size_t chunk;
    int mode;
    int top;
    const char *route_from;
    const char *route_to;
    int routes;
} target_t;

typedef struct host_s {
    const char *name;
    const char *key;
    const char *value;
    unsigned number;
} host_t;

static const char *const modes[] = {"slow", "fast", NULL};

static const hopt_t top_rows[] = {
    HOPT_COUNT(0, "level", target_t, top, "level"),
    HOPT_END,
};

static const hopt_t server_rows[] = {
    HOPT_UINT(0, "port", target_t, port, 1, 65535, "listen here"),
    HOPT_FLAG(0, "daemon", target_t, daemon, "to the background", .negatable = true),
    HOPT_STRING(0, "root", target_t, root, "files", .alias = "document-root"),
    HOPT_LIST(0, "index", target_t, index, "index files"),
    HOPT_SPAN(0, "timeout", target_t, wait_ms, "time"),
    HOPT_SIZE(0, "chunk", target_t, chunk, 1 << 20, "size"),
    HOPT_ENUM(0, "mode", target_t, mode, modes, "mode"),
    HOPT_REFUSED(0, "ssi", NULL, "there are no includes"),
    HOPT_END,
};

static int on_route(const char *key, const char *value, void *target, hbytes_t *why)
{
    target_t *t = target;

    if (strcmp(value, "bad") == 0) {
        hbytes_append_str(why, "'bad' is no address");
        return HERR_SYNTAX;
    }
    t->route_from = key;
    t->route_to = value;
    t->routes++;
    return 0;
}

static const hopt_t host_rows[] = {
    HOPT_UINT(0, "number", host_t, number, 1, 99, "number"),
    HOPT_END,
};

static host_t hosts[2];

static int on_host_pair(const char *key, const char *value, void *target, hbytes_t *why)
{
    host_t *host = target;

    (void)why;
    host->key = key;
    host->value = value;
    return 0;
}

static void *open_host(const char *argument, void *target, hbytes_t *why)
{
    target_t *t = target;

    t->routes += 10;
    if (argument[0] == '\0') {
        hbytes_append_str(why, "which one?");
        return NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        if (hosts[i].name == NULL || strcmp(hosts[i].name, argument) == 0) {
            hosts[i].name = argument;
            return &hosts[i];
        }
    }
    return NULL;
}

static const hconf_section_t sections[] = {
    {"", .rows = top_rows},
    {"server", .rows = server_rows},
    {"proxy", .pair = on_route},
    {"host", .rows = host_rows, .pair = on_host_pair, .open = open_host},
    {0}};
static const hconf_schema_t schema = {sections, sizeof(target_t)};

static target_t target;
static hconf_t *conf;
static hbytes_t errors;

static int begin(void **state)
{
    (void)state;
    memset(&target, 0, sizeof(target));
    memset(&errors, 0, sizeof(errors));
    memset(hosts, 0, sizeof(hosts));
    target.port = 80;
    conf = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    hconf_deinit(&schema, &target);
    hconf_free(conf);
    hbytes_deinit(&errors);
    return 0;
}

static int parse_bytes(const char *data, size_t len)
{
    const hconf_text_t text = {"x.conf", data, len};

    return hconf_parse(&text, &schema, &target, &conf, &errors);
}

static int parse(const char *data)
{
    return parse_bytes(data, strlen(data));
}

static void expect_errors(const char *data, const char *lines)
{
    const target_t before = target;

    assert_int_equal(parse(data), HERR_SYNTAX);
    assert_non_null(errors.data);
    assert_string_equal(errors.data, lines);
    assert_memory_equal(&before, &target, sizeof(target));
    assert_null(conf);
    hbytes_clear(&errors);
}

static void keys_fill_their_members(void **state)
{
    (void)state;
    assert_int_equal(parse("\xef\xbb\xbflevel = 3\n# comment\n; another\n\n[server]\r\n"
                           "port=8080\n  daemon : yes\nroot = /srv/my files ; here\n"
                           "index = a.html\nindex = b.html\ntimeout = 250ms\nchunk = 64k\n"
                           "mode = fast\n[proxy]\n/api/ = 127.0.0.1:9000"),
                     0);
    assert_int_equal(errors.len, 0);
    assert_int_equal(target.top, 3);
    assert_int_equal(target.port, 8080);
    assert_true(target.daemon);
    assert_string_equal(target.root, "/srv/my files");
    assert_int_equal(target.index.count, 2);
    assert_string_equal(target.index.items[1], "b.html");
    assert_int_equal(target.wait_ms, 250);
    assert_int_equal(target.chunk, 65536);
    assert_int_equal(target.mode, 1);
    assert_int_equal(target.routes, 1);
    assert_string_equal(target.route_from, "/api/");
    assert_string_equal(target.route_to, "127.0.0.1:9000");
}

static void a_heading_with_an_argument_chooses_the_struct(void **state)
{
    (void)state;
    assert_int_equal(parse("[host a.example]\nnumber = 1\nx = y\n[host\t b c ] ; here\nnumber = 2\n"
                           "[host a.example]\n[server]\nport = 81"),
                     0);
    assert_string_equal(hosts[0].name, "a.example");
    assert_int_equal(hosts[0].number, 1);
    assert_string_equal(hosts[0].key, "x");
    assert_string_equal(hosts[0].value, "y");
    assert_string_equal(hosts[1].name, "b c");
    assert_int_equal(hosts[1].number, 2);
    assert_null(hosts[1].key);
    assert_int_equal(target.port, 81);
    assert_int_equal(target.routes, 30);
}

static void a_heading_with_a_bad_argument_is_told_once(void **state)
{
    (void)state;
    expect_errors("[host]\nnumber = 1\nx = y\n", "x.conf:1: [host]: which one?\n");
    expect_errors("[hosts a]\n", "x.conf:1: unknown section [hosts a] (did you mean [host]?)\n");
    expect_errors("[server a]\n",
                  "x.conf:1: unknown section [server a] (did you mean [server]?)\n");
    expect_errors("[host a]\nnumber = 1\n[host a]\nnumber = 2\n",
                  "x.conf:4: duplicate key 'number' in [host]: it is on line 2 too\n");
}

static void a_string_knows_its_line(void **state)
{
    (void)state;
    assert_int_equal(
        parse("[server]\n\nroot = /srv\nindex = a\n[proxy]\n/api/ = 127.0.0.1\n[host a]\n"), 0);
    assert_int_equal(hconf_line(conf, target.root), 3);
    assert_int_equal(hconf_line(conf, target.root + 1), 3);
    assert_int_equal(hconf_line(conf, target.index.items[0]), 4);
    assert_int_equal(hconf_line(conf, target.route_from), 6);
    assert_int_equal(hconf_line(conf, target.route_to), 6);
    assert_int_equal(hconf_line(conf, hosts[0].name), 7);
    assert_int_equal(hconf_line(conf, "/srv"), 0);
    assert_int_equal(hconf_line(conf, NULL), 0);
    assert_int_equal(hconf_line(NULL, target.root), 0);
}

static void an_empty_file_leaves_the_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(target.port, 80);
}

static void unknown_keys_and_sections_are_named_with_their_neighbour(void **state)
{
    (void)state;
    expect_errors("[server]\nprot = 1\n",
                  "x.conf:2: unknown key 'prot' in [server] (did you mean port?)\n");
    expect_errors("[sever]\nport = 1\nx = y\n",
                  "x.conf:1: unknown section [sever] (did you mean [server]?)\n");
    expect_errors("port = 1\n",
                  "x.conf:1: unknown key 'port' (it belongs into a section [server])\n");
    expect_errors("number = 1\n",
                  "x.conf:1: unknown key 'number' (it belongs into a section [host NAME])\n");
    expect_errors("[server]\nlevel = 1\n", "x.conf:2: unknown key 'level' in [server] (it belongs "
                                           "in front of the first section)\n");
    expect_errors("[server]\nqqqqqq = 1\n", "x.conf:2: unknown key 'qqqqqq' in [server]\n");
    expect_errors("[server]\nno-daemon = yes\n",
                  "x.conf:2: unknown key 'no-daemon' in [server] (did you mean daemon?)\n");
    expect_errors("[server]\nssi = on\n",
                  "x.conf:2: key 'ssi' is not supported: there are no includes\n");
    expect_errors("[server]\n\033[2J = 1\n[\033]\n",
                  "x.conf:2: unknown key '\\x1b[2J' in [server]\n"
                  "x.conf:3: unknown section [\\x1b]\n");
}

static void every_mistake_is_reported_with_its_line(void **state)
{
    (void)state;
    expect_errors("[server]\nport = 8o\ndaemon = maybe\nroot = /x\nindex = a\ntimeout = 3x\n\n"
                  "[proxy]\n/ = bad\n",
                  "x.conf:2: port: '8o' is not a number from 1 to 65535\n"
                  "x.conf:3: daemon: 'maybe' is neither yes nor no\n"
                  "x.conf:6: timeout: '3x' is not a time (try 500ms, 3s, 2m)\n"
                  "x.conf:9: /: 'bad' is no address\n");
}

static void lines_of_no_known_form_are_mistakes(void **state)
{
    (void)state;
    expect_errors("[server\nport\n[server] port = 1\n[server]\n; fine = x\nroot ; = /x\n",
                  "x.conf:1: a heading without its ]\n"
                  "x.conf:2: neither a [section] nor KEY = VALUE\n"
                  "x.conf:3: text after a heading\n"
                  "x.conf:6: neither a [section] nor KEY = VALUE\n");
    assert_int_equal(parse_bytes("[server]\nroot = a\0b\n", 20), HERR_SYNTAX);
    assert_string_equal(errors.data, "x.conf:2: a NUL byte in the line\n");
}

static void a_duplicate_is_refused_but_not_in_a_list(void **state)
{
    (void)state;
    expect_errors("[server]\nport = 1\nindex = a\nindex = b\n[server]\nport = 2\n",
                  "x.conf:6: duplicate key 'port' in [server]: it is on line 2 too\n");
    expect_errors("[server]\nroot = 1\ndocument-root = 2\n",
                  "x.conf:3: duplicate key 'document-root' in [server]: it is on line 2 too\n");
}

static void an_indented_line_is_no_continuation(void **state)
{
    (void)state;
    expect_errors("[server]\nroot = /x\n    and more\n",
                  "x.conf:3: neither a [section] nor KEY = VALUE\n");
}

static void a_line_past_the_limit_is_refused_not_cut(void **state)
{
    char text[512] = "[server]\nroot = ";

    (void)state;
    memset(text + 16, 'x', 300);
    assert_int_equal(parse(text), HERR_SYNTAX);
    assert_non_null(strstr(errors.data, "x.conf:2: the line is longer than "));
}

static void the_number_of_reported_mistakes_is_bounded(void **state)
{
    hbytes_t text = {0};
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        hbytes_append_str(&text, "nonsense\n");
    assert_int_equal(parse_bytes(text.data, text.len), HERR_SYNTAX);
    for (size_t i = 0; i < errors.len; i++)
        lines += errors.data[i] == '\n';
    assert_int_equal(lines, HCONF_ERRORS_MAX + 1);
    assert_non_null(strstr(errors.data, "x.conf: 80 more mistakes\n"));
    hbytes_deinit(&text);
}

static void a_file_is_loaded_and_a_bad_path_is_named(void **state)
{
    char dir[] = "/tmp/hconf-XXXXXX", path[64];
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.conf", dir);
    assert_int_equal(hconf_load(path, &schema, &target, &conf, &errors), -ENOENT);
    assert_non_null(strstr(errors.data, "/x.conf: No such file or directory\n"));
    assert_int_equal(hconf_load(dir, &schema, &target, &conf, &errors), -EISDIR);
    assert_non_null(strstr(errors.data, ": Is a directory\n"));
    file = fopen(path, "w");
    fputs("[server]\nport = 81\n", file);
    fclose(file);
    hbytes_clear(&errors);
    assert_int_equal(hconf_load(path, &schema, &target, &conf, &errors), 0);
    assert_int_equal(target.port, 81);
    assert_int_equal(truncate(path, HCONF_FILE_MAX + 1), 0);
    hconf_free(conf);
    assert_int_equal(hconf_load(path, &schema, &target, &conf, &errors), -EFBIG);
    unlink(path);
    rmdir(dir);
}

/* A FIFO without a writer would be waited for without end. */
static void what_is_no_plain_file_is_refused_at_once(void **state)
{
    char dir[] = "/tmp/hconf-XXXXXX", path[64], expected[128];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/fifo", dir);
    snprintf(expected, sizeof(expected), "%s: not a plain file\n", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(100);
    assert_int_equal(hconf_load(path, &schema, &target, &conf, &errors), -EINVAL);
    alarm(0);
    assert_null(conf);
    assert_string_equal(errors.data, expected);
    assert_int_equal(hconf_load("/dev/zero", &schema, &target, &conf, &errors), -EINVAL);
    unlink(path);
    rmdir(dir);
}

static int load_some(void *arg)
{
    const char *data = arg;
    const hconf_text_t text = {"x.conf", data, strlen(data)};
    hbytes_t lines = {0};
    hconf_t *strings;
    target_t t = {0};
    int status = hconf_parse(&text, &schema, &t, &strings, &lines);

    hconf_deinit(&schema, &t);
    hconf_free(strings);
    hbytes_deinit(&lines);
    return status == HERR_SYNTAX ? 0 : status;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    char good[] = "[server]\nroot=/\nindex=a\nindex=b\nport=1\n[proxy]\na=b\nc=d\n";
    char bad[] = "[server]\nroot=/\nindex=a\nport=x\nprot=1\n[proxy]\na=bad\n";

    (void)state;
    oom_run(load_some, good);
    oom_run(load_some, bad);
}

static void without_inih_a_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse("[server]\nport = 1\n"), HERR_UNSUPPORTED);
    assert_string_equal(errors.data,
                        "x.conf: this program was built without config files (inih)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_fill_their_members, begin, end),
        cmocka_unit_test_setup_teardown(a_heading_with_an_argument_chooses_the_struct, begin, end),
        cmocka_unit_test_setup_teardown(a_heading_with_a_bad_argument_is_told_once, begin, end),
        cmocka_unit_test_setup_teardown(a_string_knows_its_line, begin, end),
        cmocka_unit_test_setup_teardown(an_empty_file_leaves_the_defaults, begin, end),
        cmocka_unit_test_setup_teardown(unknown_keys_and_sections_are_named_with_their_neighbour,
                                        begin, end),
        cmocka_unit_test_setup_teardown(every_mistake_is_reported_with_its_line, begin, end),
        cmocka_unit_test_setup_teardown(lines_of_no_known_form_are_mistakes, begin, end),
        cmocka_unit_test_setup_teardown(a_duplicate_is_refused_but_not_in_a_list, begin, end),
        cmocka_unit_test_setup_teardown(an_indented_line_is_no_continuation, begin, end),
        cmocka_unit_test_setup_teardown(a_line_past_the_limit_is_refused_not_cut, begin, end),
        cmocka_unit_test_setup_teardown(the_number_of_reported_mistakes_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(a_file_is_loaded_and_a_bad_path_is_named, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_plain_file_is_refused_at_once, begin, end),
        cmocka_unit_test_setup_teardown(out_of_memory_is_an_error_at_every_allocation, begin, end),
    };

    const struct CMUnitTest tests_without[] = {
        cmocka_unit_test_setup_teardown(without_inih_a_file_is_refused, begin, end),
    };

#ifdef HNET_WITH_INIH
    (void)tests_without;
    return cmocka_run_group_tests_name("hconf", tests, NULL, NULL);
#else
    (void)tests;
    return cmocka_run_group_tests_name("hconf", tests_without, NULL, NULL);
#endif
}
