/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_files_fixture.h"

#include "oom.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- the system calls that can be made to fail (test_http_files_fault.wrap) ------------------ */

static int openat2_err;
static int pread_err, pread_calls;
static size_t pread_most;
static off_t shrinks_to; /* as soon as it was looked at */

long __real_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
ssize_t __real_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset);

long __wrap_syscall(long number, long a, long b, long c, long d)
{
    if (number == SYS_openat2 && openat2_err) {
        errno = openat2_err;
        return -1;
    }
    return __real_syscall(number, a, b, c, d);
}

int __wrap_fstat(int fd, struct stat *st)
{
    int rc = __real_fstat(fd, st);

    if (rc == 0 && shrinks_to && st->st_size == (off_t)LARGE)
        rc = truncate(path_of("large.bin"), shrinks_to);
    return rc;
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset)
{
    pread_calls++;
    if (pread_err) {
        errno = pread_err;
        return -1;
    }
    return __real_pread(fd, buf, pread_most && len > pread_most ? pread_most : len, offset);
}

static int setup(void **state)
{
    openat2_err = pread_err = pread_calls = 0;
    pread_most = 0;
    shrinks_to = 0;
    return files_setup(state);
}

/* ---- old kernels, filters of system calls ---------------------------------------------------- */

static void walk(int err, http_links_e links)
{
    bool inside = links == HTTP_LINKS_INSIDE;

    make_links();
    openat2_err = err;
    begin((http_files_options_t){.links = links, .listing = true});
    get_text("/a.txt", "0123456789");
    get_text("/sub/b%20b.json", "{}");
    get_text("/", "<p>home");
    get("/sub/", 200);
    get("/sub", 301);
    get("/none", 404);
    get("/a.txt/x", 404);
    get("/a.txt/", 404);
    get("/sub/none/x", 404);
    get("/out", 404);
    get("/climb", 404);
    get("/etc/hostname", 404);
    get("/magic/hostname", 404);
    get("/loop", 404);
    get("/inside", inside ? 200 : 404);
    get("/absolute", inside ? 200 : 404);
    get("/sub/up", inside ? 200 : 404);
    get("/folder/b%20b.json", inside ? 200 : 404);
    finish();
}

static void a_kernel_without_openat2_leads_nowhere_else(void **state)
{
    (void)state;
    walk(ENOSYS, HTTP_LINKS_INSIDE);
}

static void nor_without_links(void **state)
{
    (void)state;
    walk(ENOSYS, HTTP_LINKS_NONE);
}

static void nor_a_filter_of_system_calls(void **state)
{
    (void)state;
    walk(EPERM, HTTP_LINKS_INSIDE);
}

/* ---- files that make difficulties ------------------------------------------------------------ */

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    begin((http_files_options_t){0});
    pread_err = EIO;
    get("/a.txt", 500);
    get("/large.bin", 200);
    pread_err = 0;
    get_text("/a.txt", "0123456789");
    finish();
}

static void short_reads_are_put_together(void **state)
{
    (void)state;
    begin((http_files_options_t){0});
    pread_most = 3;
    get_text("/a.txt", "0123456789");
    assert_int_equal(pread_calls, 4);
    get_text("/a.txt", "0123456789");
    assert_int_equal(pread_calls, 4); /* it lies in memory */
    finish();
}

static void a_large_file_that_shrinks_ends_the_response(void **state)
{
    int fd;

    (void)state;
    begin((http_files_options_t){0});
    get("/large.bin", 200);
    shrinks_to = 100000;
    fd = web_client(&web);
    web_forget(&web);
    web_say_text(fd, "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    web_until_end(&web, fd);
    assert_int_equal(body_len(), 100000);
    assert_int_equal(web.done_error, HERR_TRUNCATED);
    close(fd);
    finish();
}

/* Takes every descriptor but two, which both ends of a connection need: how many. */
static int take_descriptors(int fds[64])
{
    int n = 0;

    while (n < 64 && (fds[n] = dup(0)) >= 0)
        n++;
    assert_in_range(n, 3, 63);
    close(fds[--n]);
    close(fds[--n]);
    return n;
}

/* Until the server has closed its end of the last connection, too. */
static void await_two_descriptors(void)
{
    int one = dup(0), two;

    assert_true(one >= 0);
    while ((two = dup(0)) < 0) {
        hloop_wakeup(web.loop);
        assert_int_equal(hloop_run(web.loop), 0);
    }
    close(one);
    close(two);
}

/* Descriptors run out: what is kept open makes room. */
static void kept_files_make_room_for_others(void **state)
{
    struct rlimit old, few;
    char name[32];
    int fds[64], n;

    (void)state;
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "empty/%d", i);
        write_at(name, "", 0, PAST);
        assert_int_equal(truncate(path_of(name), 100000), 0);
    }
    begin((http_files_options_t){0});
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "/empty/%d", i);
        get(name, 200);
    }
    getrlimit(RLIMIT_NOFILE, &old);
    few = old;
    few.rlim_cur = 40;
    setrlimit(RLIMIT_NOFILE, &few);
    n = take_descriptors(fds);
    for (int i = 10; i < 30; i++) {
        snprintf(name, sizeof(name), "/empty/%d", i);
        get(name, 200);
        await_two_descriptors();
    }
    setrlimit(RLIMIT_NOFILE, &old);
    while (n > 0)
        close(fds[--n]);
    finish();
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct asked_s {
    const char *target;
    http_files_options_t options;
} asked_t;

/* How many bytes of a response with 200 came within some turns. */
static size_t ask(hloop_t *loop, const struct sockaddr_in *addr, const char *target)
{
    static char heard[1 << 20];
    char text[256];
    size_t len = 0;
    bool eof = false;
    int fd = plain_connect(addr);

    snprintf(text, sizeof(text),
             "GET %s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
             target);
    send(fd, text, strlen(text), MSG_NOSIGNAL);
    for (int i = 0; i < 1000 && !eof; i++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        ssize_t n;

        hloop_wakeup(loop);
        hloop_run(loop);
        if (poll(&readable, 1, 1) <= 0)
            continue;
        n = plain_drain(fd, heard + len, sizeof(heard) - len, &eof);
        if (n < 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    return eof && len > 12 && memcmp(heard, "HTTP/1.1 200", 12) == 0 ? len : 0;
}

static int ask_without_memory(void *arg)
{
    const asked_t *asked = arg;
    hloop_t *loop = hloop_new_with(&(hloop_options_t){.flags = HLOOP_FLAG_RUN_ONCE});
    http_server_t *server = NULL;
    http_files_options_t options = asked->options;
    struct sockaddr_in addr;
    int fd = bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &addr), err = -ENOMEM;

    options.root = root;
    files = NULL;
    if (loop)
        err = http_files_new(loop, &options, &files);
    if (err == 0)
        err = http_server_new(loop, &(http_server_options_t){.handler = serve}, &server);
    if (err == 0)
        err = http_server_attach(server, fd, NULL);
    else
        close(fd);
    if (err == 0 && (ask(loop, &addr, asked->target) == 0 || ask(loop, &addr, "/a.txt") == 0))
        err = -ENOMEM;
    http_server_free(server);
    if (loop)
        hloop_free(&loop);
    http_files_free(files);
    return err;
}

static void memory_that_is_missing_leaks_nothing(void **state)
{
    asked_t asked[] = {
        {"/a.txt", {.cache_control = "no-cache", .spa = "a.txt", .server = "s"}},
        {"/large.bin", {0}},
        {"/", {.events_url = "/e"}},
        {"/sub/", {.listing = true, .compress = true}},
        {"/sub/?archive=tar", {.archives = true}},
        {"/a.txt", {.precompressed = true, .compress = true, .compress_min = 1}},
    };

    (void)state;
    alarm(300);
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++)
        assert_true(oom_run_pass(ask_without_memory, &asked[i], false) > 0);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define FAULT_TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_kernel_without_openat2_leads_nowhere_else),
        FAULT_TEST(nor_without_links),
        FAULT_TEST(nor_a_filter_of_system_calls),
        FAULT_TEST(a_file_that_cannot_be_read_is_an_error),
        FAULT_TEST(short_reads_are_put_together),
        FAULT_TEST(a_large_file_that_shrinks_ends_the_response),
        FAULT_TEST(kept_files_make_room_for_others),
        FAULT_TEST(memory_that_is_missing_leaks_nothing),
    };

    test_poller = "epoll";
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests_name("http_files_fault", tests, NULL, NULL);
}
