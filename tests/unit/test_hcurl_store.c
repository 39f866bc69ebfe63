/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../cmd/hcurl/store.h"
#include "base/hfile.h"
#include "oom.h"
#include "proto/http_cookie_jar.h"

static char dir[] = "/tmp/test_store.XXXXXX", jar[64], in[64], missing[80];
static hbytes_t printed;

int outlet_write(outlet_t *outlet, const void *data, size_t len)
{
    (void)outlet;
    return hbytes_append(&printed, data, len);
}

static int setup(void **state)
{
    static const char line[] = "ex.org\tFALSE\t/\tFALSE\t0\ta\t1\n";

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(jar, sizeof(jar), "%s/jar", dir);
    snprintf(in, sizeof(in), "%s/in", dir);
    snprintf(missing, sizeof(missing), "%s/no/where", dir);
    return hfile_replace(in, line, sizeof(line) - 1);
}

static int teardown(void **state)
{
    (void)state;
    unlink(in);
    unlink(jar);
    hbytes_deinit(&printed);
    return rmdir(dir);
}

static bool jar_has(const char *text)
{
    hbytes_t found = {0};
    bool has = hfile_read(jar, 65536, &found) == 0 && strstr(found.data, text) != NULL;

    hbytes_deinit(&found);
    return has;
}

static int set(const http_transfer_options_t *transfer, const char *cookie)
{
    const http_cookie_site_t site = {"ex.org", false, false, HTTP_SPAN("/")};

    return http_cookie_jar_set(transfer->jar, http_span(cookie), &site, 1);
}

static void b_is_cookies_and_files(void **state)
{
    const char *items[] = {"x=1", in, " y=2", "", missing, "z=3"};
    store_options_t options = {.cookies = {items, 6, 6}};
    http_transfer_options_t transfer = {0}, again = {0};
    hbytes_t warnings = {0}, error = {0};
    store_t *store;

    (void)state;
    assert_int_equal(store_new(&store), 0);
    assert_int_equal(store_apply(store, &options, &transfer, &warnings, &error), 0);
    assert_string_equal(transfer.cookies, "x=1; y=2; z=3");
    assert_non_null(transfer.jar);
    assert_non_null(transfer.hsts);
    assert_null(transfer.altsvc);
    assert_int_equal(http_cookie_jar_count(transfer.jar), 1);
    assert_int_equal(warnings.len, 0);
    assert_int_equal(store_apply(store, &options, &again, &warnings, &error), 0);
    assert_ptr_equal(again.cookies, transfer.cookies);
    assert_ptr_equal(again.jar, transfer.jar);
    store_free(store);
}

static void cookies_alone_keep_none(void **state)
{
    const char *items[] = {"x=1"};
    store_options_t options = {.cookies = {items, 1, 1}}, none = {0};
    http_transfer_options_t transfer = {0};
    hbytes_t warnings = {0}, error = {0};
    store_t *store;

    (void)state;
    assert_int_equal(store_new(&store), 0);
    assert_int_equal(store_apply(store, &options, &transfer, &warnings, &error), 0);
    assert_string_equal(transfer.cookies, "x=1");
    assert_null(transfer.jar);
    assert_int_equal(store_apply(store, &none, &transfer, &warnings, &error), 0);
    assert_null(transfer.cookies);
    store_save(store, &none, NULL, &warnings);
    assert_int_equal(warnings.len, 0);
    store_free(store);
}

static void too_many_cookies_are_an_error(void **state)
{
    static char text[9000];
    const char *items[] = {text};
    store_options_t options = {.cookies = {items, 1, 1}};
    http_transfer_options_t transfer = {0};
    hbytes_t warnings = {0}, error = {0};
    store_t *store;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[1] = '=';
    assert_int_equal(store_new(&store), 0);
    assert_int_equal(store_apply(store, &options, &transfer, &warnings, &error), 100);
    assert_non_null(strstr(error.data, "8199 bytes"));
    hbytes_deinit(&error);
    store_free(store);
}

static void a_jar_is_written_at_once_and_at_the_end(void **state)
{
    store_options_t options = {.jar = jar};
    http_transfer_options_t transfer = {0};
    hbytes_t warnings = {0}, error = {0};
    store_t *store;

    (void)state;
    assert_int_equal(store_new(&store), 0);
    assert_int_equal(store_apply(store, &options, &transfer, &warnings, &error), 0);
    assert_int_equal(set(&transfer, "first=1"), 0);
    store_save(store, &options, NULL, &warnings);
    assert_true(jar_has("\tfirst\t1\n"));
    assert_int_equal(set(&transfer, "second=2"), 0);
    store_save(store, &options, NULL, &warnings);
    store_free(store);
    assert_true(jar_has("\tsecond\t2\n"));
    assert_int_equal(warnings.len, 0);
}

static void what_cannot_be_written_is_told(void **state)
{
    const char *files[] = {missing};
    store_options_t options = {.jar = missing, .hsts = {files, 1, 1}, .altsvc = {files, 1, 1}};
    http_transfer_options_t transfer = {0};
    hbytes_t warnings = {0}, error = {0};
    store_t *store;

    (void)state;
    assert_int_equal(store_new(&store), 0);
    assert_int_equal(store_apply(store, &options, &transfer, &warnings, &error), 0);
    assert_non_null(transfer.altsvc);
    assert_int_equal(warnings.len, 0);
    store_save(store, &options, NULL, &warnings);
    assert_non_null(strstr(warnings.data, "the cookies in '"));
    assert_non_null(strstr(warnings.data, "the hosts of --hsts in '"));
    assert_non_null(strstr(warnings.data, "cannot be written: No such file or directory\n"));
    hbytes_deinit(&warnings);
    store_free(store);
}

static void a_jar_may_be_printed(void **state)
{
    const char *items[] = {in};
    store_options_t options = {.cookies = {items, 1, 1}, .jar = "-"};
    http_transfer_options_t transfer = {0};
    hbytes_t warnings = {0}, error = {0};
    store_t *store;

    (void)state;
    assert_int_equal(store_new(&store), 0);
    assert_int_equal(store_apply(store, &options, &transfer, &warnings, &error), 0);
    store_save(store, &options, NULL, &warnings);
    store_save(store, &options, NULL, &warnings);
    assert_non_null(strstr(printed.data, "ex.org\tFALSE\t/\tFALSE\t0\ta\t1\n# Netscape"));
    hbytes_deinit(&printed);
    store_free(store);
}

static int scenario(void *arg)
{
    const char *items[] = {"x=1", in}, *files[] = {""};
    store_options_t options = {
        .cookies = {items, 2, 2}, .jar = jar, .hsts = {files, 1, 1}, .altsvc = {files, 1, 1}};
    http_transfer_options_t transfer = {0};
    hbytes_t warnings = {0}, error = {0};
    store_t *store;
    int err = store_new(&store);

    (void)arg;
    if (err < 0)
        return err;
    err = store_apply(store, &options, &transfer, &warnings, &error) ? -ENOMEM : 0;
    store_save(store, &options, NULL, &warnings);
    store_free(store);
    hbytes_deinit(&warnings);
    hbytes_deinit(&error);
    return err;
}

static void out_of_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b_is_cookies_and_files),
        cmocka_unit_test(cookies_alone_keep_none),
        cmocka_unit_test(too_many_cookies_are_an_error),
        cmocka_unit_test(a_jar_is_written_at_once_and_at_the_end),
        cmocka_unit_test(what_cannot_be_written_is_told),
        cmocka_unit_test(a_jar_may_be_printed),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
