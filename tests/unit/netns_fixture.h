/* netns_fixture: two network namespaces with a veth pair between them, which the test makes itself
 * and which are gone with it. "ours" is entered; "theirs" is a host with the kernel's own stack.
 *
 *     ours: hnet0, 10.77.0.1/24, fd77::1/64     theirs: hnet1, 10.77.0.2/24, fd77::2/64
 *
 * Both know each other's link address for good, so neither kernel asks for it. Without the
 * privilege to make them a test is skipped. Include it after cmocka.h. */
#ifndef HNET_TESTS_NETNS_FIXTURE_H
#define HNET_TESTS_NETNS_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct netns_s {
    int before, ours, theirs; /* descriptors of the namespaces */
} netns_t;

static netns_t netns = {-1, -1, -1};

/* A command for the shell, which must succeed. */
static inline void run(const char *command)
{
    int rc = system(command);

    if (rc != 0)
        print_error("%s: status %d\n", command, rc);
    assert_int_equal(rc, 0);
}

static inline void run_in(int ns, const char *command)
{
    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
    run(command);
    assert_int_equal(setns(netns.ours, CLONE_NEWNET), 0);
}

/* A socket that belongs to their side for good. */
static inline int socket_in(int ns, int family, int type)
{
    int fd;

    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
    fd = socket(family, type | SOCK_CLOEXEC, 0);
    assert_int_equal(setns(netns.ours, CLONE_NEWNET), 0);
    assert_true(fd >= 0);
    return fd;
}

/* Goes on until a host answers: the kernel tells its own parts late that a link is up, and what is
 * sent before that is lost. A closed port refuses, whatever else may happen. */
static inline void await_host(int from, const char *ip)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    bool is_v4 = inet_pton(AF_INET, ip, &sin.sin_addr) == 1;
    bool answers = false;

    assert_true(is_v4 || inet_pton(AF_INET6, ip, &sin6.sin6_addr) == 1);
    for (int tries = 0; !answers && tries < 10000; tries++) {
        int fd = socket_in(from, is_v4 ? AF_INET : AF_INET6, SOCK_STREAM);
        int rc = is_v4 ? connect(fd, (struct sockaddr *)&sin, sizeof(sin))
                       : connect(fd, (struct sockaddr *)&sin6, sizeof(sin6));

        answers = rc < 0 && errno == ECONNREFUSED;
        close(fd);
        if (!answers)
            usleep(1000);
    }
    assert_true(answers);
}

static inline int new_netns(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        return -1;
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static inline void netns_leave(void)
{
    if (netns.before < 0)
        return;
    setns(netns.before, CLONE_NEWNET);
    close(netns.before);
    close(netns.ours);
    close(netns.theirs);
    netns = (netns_t){-1, -1, -1};
}

/* False: not allowed, and nothing has changed. */
static inline bool netns_enter(void)
{
    char command[160];

    netns_leave(); /* of a test that failed */
    netns.before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    netns.theirs = new_netns();
    if (netns.theirs < 0) {
        print_message("network namespaces need privileges that this process has not\n");
        close(netns.before);
        netns.before = -1;
        return false;
    }
    netns.ours = new_netns();
    assert_true(netns.ours >= 0);
    run("ip link set lo up");
    snprintf(command, sizeof(command),
             "ip link add hnet0 address 02:00:00:00:00:01 type veth peer name hnet1 "
             "address 02:00:00:00:00:02 netns /proc/%d/fd/%d",
             getpid(), netns.theirs);
    run(command);
    run("ip addr add 10.77.0.1/24 dev hnet0 && ip addr add fd77::1/64 dev hnet0 nodad");
    run_in(netns.theirs, "ip link set lo up && ip addr add 10.77.0.2/24 dev hnet1 && "
                         "ip addr add fd77::2/64 dev hnet1 nodad && "
                         "ip link set hnet1 addrgenmode none && ip link set hnet1 up && "
                         "ip neigh add 10.77.0.1 lladdr 02:00:00:00:00:01 dev hnet1 && "
                         "ip neigh add fd77::1 lladdr 02:00:00:00:00:01 dev hnet1");
    run("ip link set hnet0 addrgenmode none && ip link set hnet0 up && "
        "ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev hnet0 && "
        "ip neigh add fd77::2 lladdr 02:00:00:00:00:02 dev hnet0");
    await_host(netns.ours, "10.77.0.2");
    await_host(netns.ours, "fd77::2");
    await_host(netns.theirs, "10.77.0.1");
    await_host(netns.theirs, "fd77::1");
    return true;
}

#endif
