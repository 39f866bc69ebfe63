/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/then_text.h"
#include "base/herr.h"
#include "oom.h"

#include <errno.h>

static const char *const words[THEN_WORDS] = {
    [THEN_IP] = "192.0.2.1", [THEN_NAME] = "a.example", [THEN_MAC] = "00:22:72:01:02:03",
    [THEN_PORTS] = "22,80",  [THEN_UDP_PORTS] = "53",   [THEN_PORT] = "22",
    [THEN_PROTOCOL] = "tcp"};

static void gives(const char *command, const char *expected)
{
    hbytes_t out = {0}, why = {0};

    assert_int_equal(then_text_check(command, &why), 0);
    assert_int_equal(then_text_write(&out, command, words), 0);
    assert_string_equal(out.data, expected);
    hbytes_deinit(&out);
    hbytes_deinit(&why);
}

static void words_are_put_in(void **state)
{
    (void)state;
    gives("x {ip}", "x 192.0.2.1");
    gives("{ip}{ip}", "192.0.2.1192.0.2.1");
    gives("x {name} {mac} {ports} {udp-ports}", "x a.example 00:22:72:01:02:03 22,80 53");
    gives("curl http://{ip}:{port}/ # {protocol}", "curl http://192.0.2.1:22/ # tcp");
    gives("echo '{name}' \"{ip}\" `x {ports}`", "echo 'a.example' \"192.0.2.1\" `x 22,80`");
}

/* What a shell or another program has its own use for. */
static void other_braces_stay(void **state)
{
    static const char *const same[] = {
        "{ echo a; }",   "a{b,c}",    "a{1..3}", "${ip}", "$${ip:-x}", "awk '{print $1}'",
        "f() { :; }; f", "{",         "}",       "{{",    "}}",        "{ip",
        "ip}",           "${ip}${x}", "$",       "a $",   "${",        "{\n}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        gives(same[i], same[i]);
    gives("$${ip}", "$$192.0.2.1"); /* behind the number of the shell */
    gives("$$ {ip}", "$$ 192.0.2.1");
    gives("\\$ {ip}$", "\\$ 192.0.2.1$");
    gives("a$b{ip}", "a$b192.0.2.1");
}

static void doubled_braces_are_literal(void **state)
{
    (void)state;
    gives("{{ip}}", "{ip}");
    gives("{{}}", "{}");
    gives("find -exec x {{}} \\;", "find -exec x {} \\;");
    gives("{{{ip}}}", "{{ip}}");
    gives("{{ip}", "{192.0.2.1"); /* one closes it */
    gives("{{any-thing_1}}", "{any-thing_1}");
    gives("{{a b}}", "{{a b}}");
}

static void wrong(const char *command, const char *part)
{
    hbytes_t why = {0};

    assert_int_equal(then_text_check(command, &why), HERR_SYNTAX);
    assert_non_null(strstr(why.data, part));
    hbytes_deinit(&why);
}

static void the_part_that_is_wrong_is_told(void **state)
{
    (void)state;
    wrong("x {ip} {host}", "'{host}'");
    wrong("x {IP}", "'{IP}'");
    wrong("x {}", "'{}'");
    wrong("awk '{print}' {ip}", "{{print}}");
    wrong("x {ip} {protocol}", "'{protocol}'");
    wrong("", "no command");
    wrong(" \t\n", "no command");
}

static void what_is_asked_for_is_known(void **state)
{
    (void)state;
    assert_true(then_text_has("x {port}", THEN_PORT));
    assert_false(then_text_has("x {ports} ${port} {{port}}", THEN_PORT));
    assert_true(then_text_has("x {{port}}{port}", THEN_PORT));
}

static void only_harmless_texts_are_put_in(void **state)
{
    static const char *const harmless[] = {
        "", "a.example", "A-b_c.example.", "192.0.2.1", "fe80::1%eth0", "::1", "22,80", "_dmarc.x"};
    static const char *const others[] = {"-rf",  "a b",  "a;b",  "$(x)", "`x`",   "a'b", "a\"b",
                                         "a\\b", "a\nb", "*",    "a/b",  "~root", "a=b", "#x",
                                         "a&b",  "a|b",  "<x",   "!x",   "a\x80", "é",   "{ip}",
                                         "(a)",  "[a]",  "a\tb", "^a",   "a@b",   "a+b", "a?"};

    (void)state;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        assert_true(then_text_is_harmless(harmless[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(then_text_is_harmless(others[i]));
}

/* Every byte but those named: nothing that a shell knows is among them. */
static void no_other_byte_is_harmless(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {'a', (char)byte, '\0'};
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                         (byte >= '0' && byte <= '9');

        assert_int_equal(then_text_is_harmless(text), is_letter || strchr("._:%,-", byte) != NULL);
    }
}

static void addresses_are_harmless(void **state)
{
    host_result_t host = {0};
    char ip[HADDR_FORMAT_SIZE];

    (void)state;
    haddr_parse(&host.addr, "192.0.2.1", 0);
    assert_string_equal(then_text_ip(&host, ip), "192.0.2.1");
    haddr_parse(&host.addr, "2001:db8::1", 0);
    assert_string_equal(then_text_ip(&host, ip), "2001:db8::1");
    haddr_parse(&host.addr, "fe80::1", 0);
    host.addr.u.sin6.sin6_scope_id = 4711;
    assert_true(then_text_is_harmless(then_text_ip(&host, ip)));
    assert_string_equal(ip, "fe80::1%4711");
}

static int write_it(void *arg)
{
    hbytes_t out = {0};
    int status = then_text_write(&out, "nmap -p {ports} {ip} # and {name}", words);

    (void)arg;
    hbytes_deinit(&out);
    return status;
}

static void writing_tells_that_memory_is_out(void **state)
{
    hbytes_t out;

    (void)state;
    oom_run(write_it, NULL);
    hbytes_init(&out, 8);
    assert_int_equal(then_text_write(&out, "x {ip}", words), -ENOBUFS);
    hbytes_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_put_in),
        cmocka_unit_test(other_braces_stay),
        cmocka_unit_test(doubled_braces_are_literal),
        cmocka_unit_test(the_part_that_is_wrong_is_told),
        cmocka_unit_test(what_is_asked_for_is_known),
        cmocka_unit_test(only_harmless_texts_are_put_in),
        cmocka_unit_test(no_other_byte_is_harmless),
        cmocka_unit_test(addresses_are_harmless),
        cmocka_unit_test(writing_tells_that_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
