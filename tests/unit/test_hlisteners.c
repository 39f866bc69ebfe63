/* One thread. */
#include "app/hlisteners.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include "oom.h"

static hlisteners_t *all;
static hbytes_t errors;

static int begin(void **state)
{
    if (folder_make(state) < 0)
        return -1;
    all = hlisteners_new();
    return all ? 0 : -1;
}

static int end(void **state)
{
    hlisteners_free(all);
    hbytes_deinit(&errors);
    return folder_remove(state);
}

static hlisteners_want_t want(const char *text, int tag)
{
    hlisteners_want_t result = {.tag = tag};

    assert_int_equal(hendpoint_parse(&result.endpoint, text, NULL, 0), 0);
    return result;
}

static hlisteners_set_t open_all(const hlisteners_want_t *wanted, size_t count, uint64_t lanes)
{
    const hlisteners_request_t request = {.wanted = wanted, .count = count, .lanes = lanes};
    hlisteners_set_t set;

    assert_int_equal(hlisteners_open(all, &request, &set, &errors), 0);
    assert_int_equal(set.count, count);
    return set;
}

/* Lines of the last failure. */
static const char *refused(const hlisteners_want_t *wanted, size_t count, int error)
{
    const hlisteners_request_t request = {.wanted = wanted, .count = count, .lanes = 1};
    hlisteners_set_t set;

    hbytes_clear(&errors);
    assert_int_equal(hlisteners_open(all, &request, &set, &errors), error);
    assert_int_equal(set.count, 0);
    return errors.data;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static unsigned port_of(int fd)
{
    haddr_t addr;

    assert_int_equal(hsocket_local(fd, &addr), 0);
    return (unsigned)haddr_port(&addr.u.sa);
}

static hlisteners_want_t same_port(int fd, const char *scheme)
{
    char text[64];

    snprintf(text, sizeof(text), "%s127.0.0.1:%u", scheme, port_of(fd));
    return want(text, 0);
}

static void each_lane_has_a_socket_of_a_port_and_all_share_that_of_a_path(void **state)
{
    const folder_t *folder = *state;
    char path[128];
    hlisteners_want_t wanted[4] = {want("tcp://127.0.0.1:0", 7), want("udp://127.0.0.1:0", 8)};
    hlisteners_set_t set;

    snprintf(path, sizeof(path), "unix:%s/s", folder->path);
    wanted[2] = want(path, 9);
    snprintf(path, sizeof(path), "unixgram:%s/d", folder->path);
    wanted[3] = want(path, 10);
    set = open_all(wanted, 4, 3);
    for (size_t i = 0; i < 4; i++) {
        const hlisteners_item_t *item = &set.items[i];

        assert_int_equal(item->tag, 7 + (int)i);
        assert_int_equal(item->fd_count, i < 2 ? 3 : 1);
        assert_int_equal(item->datagram, i % 2);
        for (int n = 1; n < item->fd_count; n++)
            assert_int_equal(port_of(item->fds[n]), port_of(item->fds[0]));
    }
    hlisteners_set_deinit(&set);
}

static void a_client_of_datagrams_stays_with_one_lane(void **state)
{
    hlisteners_item_t item = {.fd_count = 2};

    (void)state;
    for (int lane = 0; lane < 4; lane++) { /* two lanes share a socket */
        assert_int_equal(hlisteners_is_for(&item, 0, lane, 4), lane % 2 == 0);
        assert_int_equal(hlisteners_is_for(&item, 1, lane, 4), lane % 2 == 1);
    }
    item.datagram = true;
    for (int lane = 0; lane < 4; lane++) { /* two lanes have none */
        assert_int_equal(hlisteners_is_for(&item, 0, lane, 4), lane == 0);
        assert_int_equal(hlisteners_is_for(&item, 1, lane, 4), lane == 1);
    }
    for (int n = 0; n < 2; n++) /* a lane has both */
        assert_true(hlisteners_is_for(&item, n, 0, 1));
}

/* A port that was free a moment ago. */
static hlisteners_want_t free_port(void)
{
    hlisteners_want_t wanted = want("127.0.0.1:0", 0);
    hlisteners_set_t set = open_all(&wanted, 1, 1);

    wanted = same_port(set.items[0].fds[0], "");
    hlisteners_undo(all);
    hlisteners_set_deinit(&set);
    return wanted;
}

static void what_is_named_again_stays_and_the_rest_is_closed(void **state)
{
    hlisteners_want_t wanted[2] = {free_port(), want("127.0.0.1:0", 2)};
    hlisteners_set_t old, new;

    (void)state;
    old = open_all(wanted, 2, 2);
    hlisteners_commit(all);
    wanted[0].tag = 5;
    new = open_all(wanted, 1, 4); /* for more lanes */
    assert_int_equal(new.items[0].tag, 5);
    assert_int_equal(new.items[0].fd_count, 4);
    hlisteners_undo(all);
    assert_false(is_open(new.items[0].fds[3]));
    assert_true(is_open(old.items[1].fds[0]));
    hlisteners_set_deinit(&new);
    new = open_all(wanted, 1, 1); /* and for less */
    assert_int_equal(new.items[0].fd_count, 2);
    assert_memory_equal(new.items[0].fds, old.items[0].fds, 2 * sizeof(int));
    assert_true(is_open(old.items[1].fds[0]));
    assert_false(hlisteners_is_gone(&old.items[1]));
    hlisteners_commit(all);
    assert_true(hlisteners_is_gone(&old.items[1])); /* in the workers, too */
    assert_false(hlisteners_is_gone(&old.items[0]));
    assert_true(is_open(old.items[0].fds[0]));
    assert_false(is_open(old.items[1].fds[0]));
    hlisteners_set_deinit(&old);
    hlisteners_set_deinit(&new);
}

static void tcp_and_udp_of_one_port_are_two(void **state)
{
    hlisteners_want_t wanted[2] = {free_port()};
    hlisteners_set_t set;

    (void)state;
    wanted[1] = wanted[0];
    wanted[1].endpoint.scheme = HENDPOINT_UDP;
    set = open_all(wanted, 1, 1);
    hlisteners_commit(all);
    hlisteners_set_deinit(&set);
    set = open_all(wanted, 2, 1);
    assert_int_not_equal(set.items[0].fds[0], set.items[1].fds[0]);
    assert_true(set.items[1].datagram);
    hlisteners_set_deinit(&set);
}

static void a_request_that_fails_or_is_undone_changes_nothing(void **state)
{
    const folder_t *folder = *state;
    char path[128], text[160];
    hlisteners_want_t wanted[3] = {want("127.0.0.1:0", 1)};
    hlisteners_set_t first, second;
    int held;

    first = open_all(wanted, 1, 1);
    hlisteners_commit(all);
    held = first.items[0].fds[0];
    snprintf(path, sizeof(path), "%s/s", folder->path);
    snprintf(text, sizeof(text), "unix:%s", path);
    wanted[0] = want(text, 2);
    wanted[1] = want("192.0.2.1:80", 3);
    wanted[1].where = "x.conf:3: ";
    assert_string_equal(refused(wanted, 2, -EADDRNOTAVAIL),
                        "x.conf:3: cannot listen on 192.0.2.1:80: Cannot assign requested address; "
                        "no network interface has this address\n");
    assert_int_equal(access(path, F_OK), -1);
    assert_true(is_open(held));

    second = open_all(wanted, 1, 1);
    assert_int_equal(access(path, F_OK), 0);
    hlisteners_undo(all);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(is_open(held));
    hlisteners_set_deinit(&second);

    second = open_all(wanted, 1, 1);
    hlisteners_commit(all);
    assert_false(is_open(held));
    hlisteners_close(all);
    assert_true(hlisteners_is_gone(&second.items[0]));
    assert_int_equal(access(path, F_OK), -1);
    hlisteners_set_deinit(&first);
    hlisteners_set_deinit(&second);
}

/* Also where both servers would share a port. */
static void a_port_that_somebody_has_is_refused(void **state)
{
    static const char *const schemes[] = {"", "udp://"};
    hlisteners_t *mine = all;

    (void)state;
    for (int i = 0; i < 2; i++) {
        hlisteners_want_t wanted = want(i ? "udp://127.0.0.1:0" : "127.0.0.1:0", 1);
        hlisteners_set_t set = open_all(&wanted, 1, 2);
        hlisteners_request_t request = {.wanted = &wanted, .count = 1, .lanes = 2};
        hlisteners_set_t other;

        wanted = same_port(set.items[0].fds[0], schemes[i]);
        all = hlisteners_new();
        hbytes_clear(&errors);
        assert_int_equal(hlisteners_open(all, &request, &other, &errors), -EADDRINUSE);
        assert_non_null(strstr(errors.data, i ? "ss -lunp" : "ss -ltnp"));
        assert_null(strstr(errors.data, " -p "));
        request.port_option = "-p";
        assert_int_equal(hlisteners_open(all, &request, &other, &errors), -EADDRINUSE);
        assert_non_null(strstr(errors.data, "; choose another port with -p "));
        hlisteners_free(all);
        all = mine;
        hlisteners_set_deinit(&set);
        hlisteners_close(all);
    }
}

static void a_worker_keeps_what_its_generation_has(void **state)
{
    hlisteners_want_t wanted[2] = {want("127.0.0.1:0", 1), want("127.0.0.1:0", 2)};
    hlisteners_set_t set, one;

    (void)state;
    set = open_all(wanted, 2, 2);
    one = (hlisteners_set_t){.items = &set.items[1], .count = 1};
    hlisteners_keep_only(all, &one);
    for (int n = 0; n < 2; n++) {
        assert_false(is_open(set.items[0].fds[n]));
        assert_true(is_open(set.items[1].fds[n]));
    }
    hlisteners_keep_only(all, NULL);
    assert_false(is_open(set.items[1].fds[0]));
    hlisteners_set_deinit(&set);
}

static void sockets_of_systemd_stand_in_the_place_of_a_request(void **state)
{
    hlisteners_want_t wanted = want("127.0.0.1:1", 1);
    const hlisteners_request_t request = {.wanted = &wanted, .count = 1, .lanes = 2};
    haddr_t addr;
    char pid[32];
    hlisteners_set_t set;

    (void)state;
    haddr_loopback(&addr, AF_INET, 0);
    assert_int_equal(dup2(hsocket_listen(&addr, SOCK_STREAM, NULL), 3), 3);
    assert_int_equal(dup2(hsocket_listen(&addr, SOCK_DGRAM, NULL), 4), 4);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "web-tls:dns", 1);
    assert_int_equal(hlisteners_take_over(all, &errors), 0);
    assert_null(getenv("LISTEN_FDS"));
    for (int i = 0; i < 2; i++) { /* undone once, committed once */
        assert_int_equal(hlisteners_open(all, &request, &set, &errors), 0);
        assert_int_equal(set.count, 2);
        assert_true(set.items[0].handed_over && set.items[0].fds[0] == 3);
        assert_string_equal(set.items[0].name, "web-tls");
        assert_string_equal(set.items[1].name, "dns");
        assert_true(set.items[1].datagram);
        hlisteners_set_deinit(&set);
        if (i == 0)
            hlisteners_undo(all);
        else
            hlisteners_commit(all);
        assert_true(is_open(3));
    }
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "3", 1);
    assert_int_equal(dup2(STDERR_FILENO, 5), 5);
    assert_int_equal(hlisteners_take_over(all, &errors), -EINVAL);
    assert_non_null(strstr(errors.data, "LISTEN_FDS: descriptor 5 does not listen\n"));
    close(5);
}

static void more_than_the_maximum_is_refused(void **state)
{
    static hlisteners_want_t wanted[HLISTENERS_MAX + 1];

    (void)state;
    for (size_t i = 0; i <= HLISTENERS_MAX; i++)
        wanted[i] = want("unix:@x", 0);
    assert_string_equal(refused(wanted, HLISTENERS_MAX + 1, -ENOBUFS),
                        "more than 512 end points to listen on\n");
}

static int open_twice(void *arg)
{
    hlisteners_want_t wanted[2] = {want("127.0.0.1:0", 1), want("127.0.0.1:0", 2)};
    const hlisteners_request_t request = {.wanted = wanted, .count = 2, .lanes = 2};
    hlisteners_t *list = hlisteners_new();
    hlisteners_set_t set = {0};
    hbytes_t lines = {0};
    int err = list ? hlisteners_open(list, &request, &set, &lines) : -ENOMEM;

    (void)arg;
    if (!err) {
        hlisteners_set_deinit(&set);
        hlisteners_commit(list);
        err = hlisteners_open(list, &request, &set, &lines);
    }
    if (!err)
        hlisteners_undo(list);
    hlisteners_set_deinit(&set);
    hlisteners_free(list);
    hbytes_deinit(&lines);
    return err;
}

static void out_of_memory_is_an_error_at_every_allocation(void **state)
{
    (void)state;
    oom_run(open_twice, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sockets_of_systemd_stand_in_the_place_of_a_request), /* first: 3 and 4 are free */
        TEST(each_lane_has_a_socket_of_a_port_and_all_share_that_of_a_path),
        TEST(a_client_of_datagrams_stays_with_one_lane),
        TEST(what_is_named_again_stays_and_the_rest_is_closed),
        TEST(tcp_and_udp_of_one_port_are_two),
        TEST(a_request_that_fails_or_is_undone_changes_nothing),
        TEST(a_port_that_somebody_has_is_refused),
        TEST(a_worker_keeps_what_its_generation_has),
        TEST(more_than_the_maximum_is_refused),
        TEST(out_of_memory_is_an_error_at_every_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
