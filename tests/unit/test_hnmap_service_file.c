/* One thread. */
/* Files of probes: what they say, what is wrong with them, and what their patterns tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/service_file.h"
#include "base/herr.h"
#include "base/hmem.h"
#include "oom.h"

#include <netinet/in.h>

#if HNET_WITH_PCRE2

static const char whole[] =
    "# a comment\r\n"
    "Exclude 53,T:9100-9107,U:30000-40000\n"
    "\n"
    "Probe TCP NULL q||\n"
    "totalwaitms 6000\n"
    "tcpwrappedms 3000\n"
    "match ssh m/^SSH-([\\d.]+)-OpenSSH_([\\w.]+)/i p/OpenSSH/ v/$2/ i/protocol $1/ "
    "cpe:/a:openbsd:openssh:$2/a cpe:|o:linux|\n"
    "softmatch ftp m|^220 | p/some server/\n"
    "  match ftp m|^220 ([-.\\w]+) FTP \\((.*)\\)\\r\\n|s p/$P(2)/ h/$1/ o=$SUBST(2,\"_\",\".\")= "
    "d/x/\n"
    "Probe UDP Sys q|\\x01\\0\\a\\b\\f\\n\\r\\t\\v\\\\z| no-payload\n"
    "rarity 9\n"
    "ports 161,1000-1010\n"
    "match sys m|^\\x02(..)(...)| v/$I(1,\">\") $I(1,\"<\") $4 $x $/\n"
    "Probe TCP Get q|GET / HTTP/1.0\\r\\n\\r\\n|\n"
    "rarity 1\n"
    "ports 80,8080\n"
    "sslports 443\n"
    "match ssl/http m|^HTTP| p/any/\n"
    "Probe TCP Help q=HELP=\n"
    "rarity 3\n"
    "fallback Get, NULL\n";

static service_file_t *parse(const char *text)
{
    service_file_t *file = NULL;
    char error[SERVICE_FILE_ERROR_SIZE] = "";

    if (service_file_parse(text, strlen(text), "FILE", &file, error, sizeof(error)) < 0)
        fail_msg("%s", error);
    return file;
}

static void test_probes(void **state)
{
    service_file_t *f = parse(whole);
    uint16_t order[SERVICE_FILE_PROBES_MAX];
    const file_probe_t *p;
    size_t likely;

    (void)state;
    assert_int_equal(service_file_count(f), 4);
    p = service_file_listener(f);
    assert_string_equal(p->name, "NULL");
    assert_true(p->wait_ms == 6000 && p->wrapped_ms == 3000 && p->len == 0 && p->rarity == 5);
    p = service_file_probe(f, 1);
    assert_int_equal(p->protocol, IPPROTO_UDP);
    assert_int_equal(p->len, 11);
    assert_memory_equal(p->data, "\x01\0\a\b\f\n\r\t\v\\z", 11);
    assert_true(service_file_excludes(f, IPPROTO_TCP, 53));
    assert_true(service_file_excludes(f, IPPROTO_UDP, 53));
    assert_true(service_file_excludes(f, IPPROTO_TCP, 9107));
    assert_false(service_file_excludes(f, IPPROTO_UDP, 9107));
    assert_true(service_file_excludes(f, IPPROTO_UDP, 30000));
    assert_false(service_file_excludes(f, IPPROTO_TCP, 30000));

    assert_int_equal(service_file_probes_for(f, IPPROTO_TCP, 1234, 7, order, &likely), 2);
    assert_true(order[0] == 2 && order[1] == 3 && likely == 1);
    assert_int_equal(service_file_probes_for(f, IPPROTO_TCP, 443, 0, order, &likely), 1);
    assert_true(order[0] == 2 && likely == 1);
    assert_int_equal(service_file_probes_for(f, IPPROTO_UDP, 1005, 7, order, &likely), 1);
    assert_true(order[0] == 1 && likely == 1);
    assert_int_equal(service_file_probes_for(f, IPPROTO_UDP, 1011, 8, order, &likely), 0);
    assert_int_equal(service_file_probes_for(f, IPPROTO_UDP, 1011, 9, order, &likely), 1);
    assert_true(service_file_tells(f, 0, "ftp"));
    assert_false(service_file_tells(f, 1, "ftp"));
    service_file_free(f);
}

static bool match_of(const service_file_t *f, size_t number, const char *text, size_t len,
                     match_t *m)
{
    bool is_tls;

    return service_file_match(f, number, (const uint8_t *)text, len, m, &is_tls);
}

static void test_matches(void **state)
{
    static const char ssh[] = "ssh-2.0-openssh_9.2P1 X\r\n",
                      ftp[] = "220 a.example FTP (My_\1FTP)\r\n";
    service_file_t *f = parse(whole);
    bool is_tls;
    match_t m;

    (void)state;
    assert_true(match_of(f, SERVICE_FILE_LISTENER, ssh, sizeof(ssh) - 1, &m));
    assert_int_equal(m.level, MATCH_VERSION);
    assert_string_equal(m.name, "ssh");
    assert_string_equal(m.product, "OpenSSH");
    assert_string_equal(m.version, "9.2P1");
    assert_string_equal(m.extra, "protocol 2.0");
    assert_string_equal(m.cpe[0], "cpe:/a:openbsd:openssh:9.2p1");
    assert_string_equal(m.cpe[1], "cpe:/o:linux");
    assert_true(match_of(f, 0, ftp, sizeof(ftp) - 1, &m));
    assert_string_equal(m.product, "My_FTP");
    assert_string_equal(m.hostname, "a.example");
    assert_string_equal(m.os, "My.FTP");
    assert_string_equal(m.device, "x");
    assert_false(match_of(f, 0, "220 who\r\n", 9, &m));
    assert_int_equal(m.level, MATCH_PRODUCT);
    assert_string_equal(m.name, "ftp");
    assert_false(match_of(f, 0, "", 0, &m));
    assert_int_equal(m.level, MATCH_NONE);

    assert_true(match_of(f, 1,
                         "\x02\x01\x02"
                         "abc",
                         6, &m));
    assert_string_equal(m.version, "258 513  $x $");
    assert_false(match_of(f, 1, ssh, sizeof(ssh) - 1, &m)); /* the listener is of TCP */
    assert_int_equal(m.level, MATCH_NONE);

    assert_true(service_file_match(f, 3, (const uint8_t *)"HTTP/1.0", 8, &m, &is_tls));
    assert_string_equal(m.name, "http"); /* by the fallback */
    assert_true(is_tls);
    assert_true(match_of(f, 3, ssh, sizeof(ssh) - 1, &m));
    service_file_free(f);
}

static void test_errors(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"", "FILE:1: no Probe in the file"},
        {"\nProbe SCTP a q||\n", "FILE:2: 'SCTP' is neither TCP nor UDP"},
        {"Probe TCP\n", "FILE:1: the probe has no name"},
        {"Probe TCP a\n", "FILE:1: what probe a says is missing: q|...|"},
        {"Probe TCP a q|b\n", "FILE:1: what probe a says is missing: q|...|"},
        {"Probe TCP a q|\\x1|\n", "FILE:1: a backslash with nothing that it could mean"},
        {"Probe TCP a q|| b\n", "FILE:1: 'b' behind the probe"},
        {"Probe TCP a q||\nProbe TCP a q||\n", "FILE:2: probe a is there a second time"},
        {"Probe TCP a q||\nrarity 10\n", "FILE:2: '10' is no number from 1 to 9"},
        {"Probe TCP a q||\nrarity 1\nrarity 1\n",
         "FILE:3: 'rarity' is there a second time for probe a"},
        {"Probe TCP a q||\nports 1-0\n", "FILE:2: '1-0' is no port and no range of ports"},
        {"Probe TCP a q||\nports\n", "FILE:2: no ports"},
        {"Probe TCP a q||\nports 1,,2\n", "FILE:2: '' is no port and no range of ports"},
        {"Probe TCP a q||\nfallback b\n", "FILE:1: the fallback of probe a, 'b', is no probe"},
        {"rarity 1\n", "FILE:1: 'rarity' in front of the first Probe"},
        {"nonsense\n", "FILE:1: 'nonsense' begins no line of such a file"},
        {"Exclude 1\nExclude 2\n", "FILE:2: Exclude is there a second time"},
        {"Probe TCP a q||\nExclude 2\n", "FILE:2: Exclude stands in front of the first Probe"},
        {"match a m|b|\n", "FILE:1: a match in front of the first Probe"},
        {"Probe TCP a q||\nmatch\n", "FILE:2: no name of a service"},
        {"Probe TCP a q||\nmatch a b\n", "FILE:2: the pattern is missing: m|...|"},
        {"Probe TCP a q||\nmatch a m|b|x\n", "FILE:2: 'x' behind the pattern is neither i nor s"},
        {"Probe TCP a q||\nmatch a m|b| z/c/\n",
         "FILE:2: 'z/c/' is none of p/ v/ i/ h/ o/ d/ cpe:/"},
        {"Probe TCP a q||\nmatch a m|b| p/c\n", "FILE:2: a field without its end: '/c'"},
        {"Probe TCP a q||\nmatch a m|b| p/c/d\n", "FILE:2: 'd' directly behind a field"},
        {"Probe TCP a q||\nmatch a m|b| p/c/ p/c/\n", "FILE:2: p/.../ is there a second time"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char error[SERVICE_FILE_ERROR_SIZE] = "";
        service_file_t *f;

        assert_int_equal(service_file_parse(rows[i].text, strlen(rows[i].text), "FILE", &f, error,
                                            sizeof(error)),
                         HERR_SYNTAX);
        assert_string_equal(error, rows[i].error);
    }
}

static void test_bad_pattern(void **state)
{
    static const char text[] = "Probe TCP a q||\nmatch a m|b(c|\n";
    char error[SERVICE_FILE_ERROR_SIZE];
    service_file_t *f;

    (void)state;
    assert_int_equal(service_file_parse(text, sizeof(text) - 1, "F", &f, error, sizeof(error)),
                     HERR_SYNTAX);
    assert_memory_equal(error, "F:2: missing closing", 20);
    assert_int_equal(service_file_parse(text, sizeof(text), "F", &f, error, sizeof(error)),
                     HERR_SYNTAX);
    assert_string_equal(error, "F: a NUL byte: this is no text");
}

/* As Perl reads them, and as PCRE did before its version 2. */
static void test_hyphens(void **state)
{
    static const struct {
        const char *pattern, *yes, *no;
    } rows[] = {
        {"^[\\w-.]+$", "a-b.c", "a,b"},     {"^[^\\w-.]+$", ",;", "-"},
        {"^[]\\d-x]+$", "]3-x", "y"},       {"^[a-\\d]+$", "a-3", "b"},
        {"^[[:alpha:]-\\d]+$", "a-3", "."}, {"^[-\\w]+$", "-a", "."},
        {"^[\\w-]+$", "a-", "."},           {"^[a-c]+$", "abc", "-"},
        {"^\\[\\w-x$", "[a-x", "[ax"},      {"^[\\]-a]+$", "]_a", "-"},
        {"^\\j\\_$", "j_", "\\j"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        service_file_t *f;
        match_t m;

        snprintf(text, sizeof(text), "Probe TCP NULL q||\nmatch a m|%s|\n", rows[i].pattern);
        f = parse(text);
        assert_true(match_of(f, 0, rows[i].yes, strlen(rows[i].yes), &m));
        assert_false(match_of(f, 0, rows[i].no, strlen(rows[i].no), &m));
        service_file_free(f);
    }
}

static void test_too_much(void **state)
{
    char error[SERVICE_FILE_ERROR_SIZE];
    hbytes_t text = {0};
    service_file_t *f;

    (void)state;
    for (int i = 0; i <= SERVICE_FILE_PROBES_MAX; i++)
        assert_int_equal(hbytes_printf(&text, "Probe TCP p%d q|x|\n", i), 0);
    assert_int_equal(service_file_parse(text.data, text.len, "F", &f, error, sizeof(error)),
                     HERR_RANGE);
    assert_string_equal(error, "F:513: more than 512 probes");
    hbytes_deinit(&text);
}

/* What takes forever is given up; a file full of it costs no more than some of it. */
static void test_hostile_answer(void **state)
{
    char answer[8192];
    hbytes_t text = {0};
    service_file_t *f;
    match_t m;

    (void)state;
    assert_int_equal(hbytes_append_str(&text, "Probe TCP NULL q||\n"), 0);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(hbytes_append_str(&text, "match a m|^(a+)+(a+)+(a+)+$|\n"), 0);
    assert_int_equal(hbytes_append_char(&text, '\0'), 0);
    f = parse(text.data);
    memset(answer, 'a', sizeof(answer));
    answer[sizeof(answer) - 1] = 'b';
    assert_false(match_of(f, SERVICE_FILE_LISTENER, answer, sizeof(answer), &m));
    assert_int_equal(m.level, MATCH_NONE);
    service_file_free(f);
    hbytes_deinit(&text);
}

static int parse_all(void *arg)
{
    char error[SERVICE_FILE_ERROR_SIZE];
    service_file_t *f;
    int err = service_file_parse(whole, sizeof(whole) - 1, "F", &f, error, sizeof(error));

    (void)arg;
    if (err == 0)
        service_file_free(f);
    return err;
}

static void test_oom(void **state)
{
    (void)state;
    oom_run(parse_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes),         cmocka_unit_test(test_matches),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_bad_pattern),
        cmocka_unit_test(test_hyphens),        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_hostile_answer), cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void test_without(void **state)
{
    static const char text[] = "Probe TCP a q||\n";
    char error[SERVICE_FILE_ERROR_SIZE];
    service_file_t *f;

    (void)state;
    assert_int_equal(service_file_parse(text, sizeof(text) - 1, "F", &f, error, sizeof(error)),
                     HERR_UNSUPPORTED);
    assert_string_equal(error, "F: its patterns need the library PCRE2 (libpcre2-8)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_without)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
