/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../cmd/hcurl/login.h"
#include "../../cmd/hcurl/status.h"
#include "hcurl_line.h"
#include "oom.h"

#include <unistd.h>

#define NETRC "machine a.test login ann password one\nmachine a.test login bob password two\n"

typedef struct world_s {
    line_t line;
    login_options_t options;
    http_transfer_options_t transfer;
    hbytes_t error;
    char file[64];
} world_t;

static void begin(world_t *w, const char *text)
{
    memset(w, 0, sizeof(*w));
    line_parse(&w->line, login_rows, &w->options, text);
}

static int apply(world_t *w)
{
    int status = login_prepare(&w->options, -1, &w->error);

    return status ? status : login_apply(&w->options, &w->transfer, &w->error);
}

static void end(world_t *w)
{
    login_options_deinit(&w->options);
    line_drop(&w->line, login_rows, &w->options);
    hbytes_deinit(&w->error);
    if (w->file[0])
        unlink(w->file);
}

/* A line with @ in the place of the name of a file that holds the text. */
static void begin_with_file(world_t *w, const char *text, const char *content)
{
    char file[] = "/tmp/test_hcurl_loginXXXXXX", line[256];
    int fd = mkstemp(file);
    const char *at = strchr(text, '@');

    assert_true(fd >= 0 && at);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
    snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - text), text, file, at + 1);
    begin(w, line);
    snprintf(w->file, sizeof(w->file), "%s", file);
}

static void says(const char *text, const char *user, const char *password, unsigned schemes)
{
    world_t w;

    begin(&w, text);
    assert_int_equal(w.line.result, 0);
    assert_int_equal(apply(&w), 0);
    assert_string_equal(w.transfer.login.user, user);
    assert_string_equal(w.transfer.login.password, password);
    assert_int_equal(w.transfer.login.schemes, schemes);
    end(&w);
}

static void who_and_how(void **state)
{
    (void)state;
    says("-u|u:p", "u", "p", 0);
    says("-u|u:p:q", "u", "p:q", 0);
    says("-u|:", "", "", 0);
    says("-u|a:b|-u|c:d|--basic", "c", "d", HTTP_LOGIN_BASIC);
    says("-u|u:p|--digest", "u", "p", HTTP_LOGIN_DIGEST);
    says("-u|u:p|--digest|--basic", "u", "p", HTTP_LOGIN_DIGEST | HTTP_LOGIN_BASIC);
    says("-u|u:p|--digest|--no-digest", "u", "p", 0);
    says("-u|u:p|--anyauth", "u", "p", HTTP_LOGIN_ANY);
    says("-u|u:p|--oauth2-bearer|T", "u", "p", HTTP_LOGIN_BEARER);
}

static void a_proxy_has_its_own(void **state)
{
    world_t w;

    (void)state;
    begin(&w, "-U|u:p|--proxy-digest|--oauth2-bearer|T");
    assert_int_equal(apply(&w), 0);
    assert_null(w.transfer.login.user);
    assert_string_equal(w.transfer.login.bearer, "T");
    assert_string_equal(w.transfer.proxy_login.user, "u");
    assert_string_equal(w.transfer.proxy_login.password, "p");
    assert_int_equal(w.transfer.proxy_login.schemes, HTTP_LOGIN_DIGEST);
    end(&w);
}

static void signatures_have_a_default(void **state)
{
    world_t w;

    (void)state;
    begin(&w, "--aws-sigv4|''|-u|u:p");
    assert_int_equal(apply(&w), 0);
    assert_string_equal(w.transfer.sigv4, "aws:amz");
    end(&w);
}

/* What is said to a host, beginning with what the URL says. */
static void netrc_says(world_t *w, const char *host, http_login_t login, const char *user,
                       const char *password)
{
    assert_non_null(w->transfer.login_cb);
    assert_int_equal(w->transfer.login_cb(host, &login, w->transfer.login_arg), 0);
    if (!user) {
        assert_null(login.user);
        return;
    }
    assert_string_equal(login.user, user);
    assert_string_equal(login.password, password);
}

static void a_netrc_is_asked(void **state)
{
    world_t w;

    (void)state;
    begin_with_file(&w, "--netrc-file|@", NETRC);
    assert_int_equal(apply(&w), 0);
    for (int i = 0; i < 3; i++) {
        netrc_says(&w, "a.test", (http_login_t){.user = NULL}, "ann", "one");
        netrc_says(&w, "A.TEST", (http_login_t){.user = "bob"}, "bob", "two");
        netrc_says(&w, "b.test", (http_login_t){.user = NULL}, NULL, NULL);
        netrc_says(&w, "a.test", (http_login_t){.user = "bob", .password = "own"}, "bob", "two");
        netrc_says(&w, "b.test", (http_login_t){.user = "x", .password = "y"}, "x", "y");
    }
    end(&w);
    begin_with_file(&w, "--netrc-optional|--netrc-file|@", NETRC);
    assert_int_equal(apply(&w), 0);
    netrc_says(&w, "a.test", (http_login_t){.user = "bob", .password = "own"}, "bob", "own");
    netrc_says(&w, "a.test", (http_login_t){.user = "bob"}, "bob", "two");
    end(&w);
    begin_with_file(&w, "-u|bob:mine|--netrc-file|@", NETRC);
    assert_int_equal(apply(&w), 0);
    netrc_says(&w, "a.test", w.transfer.login, "bob", "mine");
    end(&w);
}

static void a_netrc_that_is_broken_or_missing(void **state)
{
    http_login_t login = {.user = NULL};
    world_t w;

    (void)state;
    begin_with_file(&w, "--netrc-file|@", "machine a login \"x");
    assert_int_equal(apply(&w), 0);
    assert_true(w.transfer.login_cb("a", &login, w.transfer.login_arg) < 0);
    end(&w);
    begin_with_file(&w, "--netrc-optional|--netrc-file|@", "machine a login \"x");
    assert_int_equal(apply(&w), 0);
    netrc_says(&w, "a", login, NULL, NULL);
    end(&w);
    setenv("NETRC", "/nowhere/netrc", 1);
    begin(&w, "-n");
    assert_int_equal(apply(&w), STATUS_READ);
    assert_non_null(strstr(w.error.data, "/nowhere/netrc"));
    end(&w);
    begin(&w, "--netrc-optional");
    assert_int_equal(apply(&w), 0);
    end(&w);
    unsetenv("NETRC");
    begin(&w, "--netrc-file|/nowhere/netrc");
    assert_true(w.line.result < 0);
    assert_non_null(strstr(w.line.message.data, "/nowhere/netrc"));
    end(&w);
}

static int scenario(void *arg)
{
    http_login_t login = {.user = NULL};
    world_t w;
    int err;

    (void)arg;
    begin_with_file(&w, "-U|u:p|--oauth2-bearer|T|--netrc-file|@", NETRC);
    err = w.line.result;
    if (!err && apply(&w) != 0)
        err = -ENOMEM;
    if (!err)
        err = w.transfer.login_cb("a.test", &login, w.transfer.login_arg);
    end(&w);
    return err;
}

static void memory_that_fails_is_told(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_and_how),
        cmocka_unit_test(a_proxy_has_its_own),
        cmocka_unit_test(signatures_have_a_default),
        cmocka_unit_test(a_netrc_is_asked),
        cmocka_unit_test(a_netrc_that_is_broken_or_missing),
        cmocka_unit_test(memory_that_fails_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
