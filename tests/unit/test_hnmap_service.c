/* One thread. */
/* The run against a server in a process of its own: without memory, and given up in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/service.h"
#include "base/hmem.h"
#include "event/htimer.h"
#include "oom.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define GREETING "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
#define LIMIT_MS 100000

typedef struct server_s {
    pid_t pid;
    haddr_t addr;
    const char *greeting; /* NULL: it says nothing, ever */
} server_t;

static void serve(int listener, const char *greeting)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char byte;

        if (fd < 0)
            _exit(1);
        if (greeting == NULL)
            continue;
        if (write(fd, greeting, strlen(greeting)) > 0)
            while (recv(fd, &byte, 1, 0) > 0)
                ;
        close(fd);
    }
}

static void start(server_t *server, const char *greeting)
{
    haddr_t any;
    int listener;

    haddr_loopback(&any, AF_INET, 0);
    listener = hsocket_listen(&any, SOCK_STREAM, NULL);
    assert_true(listener >= 0);
    assert_int_equal(hsocket_set_nonblocking(listener, false), 0);
    assert_int_equal(hsocket_local(listener, &server->addr), 0);
    server->greeting = greeting;
    server->pid = fork();
    if (server->pid == 0)
        serve(listener, greeting);
    close(listener);
}

static void stop(server_t *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

/* ---- a run ----------------------------------------------------------------------------------- */

typedef struct scene_s {
    hloop_t *loop;
    const server_t *server;
    service_run_t *run;
    service_host_t *host;
    port_result_t port;
    host_result_t result;
    bool is_done, is_late;
} scene_t;

static void on_done(void *context, void *user)
{
    scene_t *scene = context;

    assert_ptr_equal(user, scene);
    scene->is_done = true;
    scene->host = NULL;
    hloop_stop(scene->loop);
}

static void on_late(htimer_t *timer)
{
    scene_t *scene = hevent_userdata(timer);

    scene->is_late = true;
    hloop_stop(scene->loop);
}

static int run_for(scene_t *scene, unsigned limit_ms)
{
    htimer_t *timer = htimer_add(scene->loop, on_late, limit_ms, 1);

    if (timer == NULL)
        return -ENOMEM;
    hevent_set_userdata(timer, scene);
    hloop_run(scene->loop);
    if (!scene->is_late)
        htimer_del(timer);
    return 0;
}

static int open_scene(scene_t *scene, const server_t *server)
{
    const service_options_t options = {.versions = true, .banners = true, .intensity = 0};
    int err;

    *scene = (scene_t){.loop = hloop_new(0), .server = server};
    scene->port = (port_result_t){.number = (uint16_t)haddr_port(&server->addr.u.sa),
                                  .protocol = IPPROTO_TCP,
                                  .state = PORT_OPEN,
                                  .usual = "usual"};
    scene->result = (host_result_t){.addr = server->addr, .ports = &scene->port, .port_count = 1};
    if (scene->loop == NULL)
        return -ENOMEM;
    err = service_run_new(scene->loop, &options, on_done, scene, &scene->run);
    if (err == 0)
        err = service_run_add(scene->run, &scene->result, scene, &scene->host);
    return err;
}

static void close_scene(scene_t *scene)
{
    service_run_free(scene->run);
    hloop_free(&scene->loop);
    service_free(scene->port.service);
}

/* Without memory a service may go without its name; it ends, and nothing is left over. */
static int look(void *arg)
{
    scene_t scene;
    int err = open_scene(&scene, arg);

    if (err == 0)
        err = run_for(&scene, LIMIT_MS);
    if (err == 0) {
        const service_t *s = scene.port.service;

        if (!scene.is_done || s == NULL || s->version == NULL || s->banner == NULL ||
            strcmp(s->version, "9.2p1 Debian 2+deb12u3") != 0)
            err = -ENOMEM;
    }
    close_scene(&scene);
    return err;
}

static void test_look(void **state)
{
    server_t server;

    (void)state;
    start(&server, GREETING);
    assert_int_equal(look(&server), 0);
    stop(&server);
}

static void test_oom(void **state)
{
    server_t server;

    (void)state;
    start(&server, GREETING);
    oom_run_pass(look, &server, false);
    stop(&server);
}

static void test_cancel(void **state)
{
    server_t server;
    scene_t scene;

    (void)state;
    start(&server, NULL);
    assert_int_equal(open_scene(&scene, &server), 0);
    assert_int_equal(run_for(&scene, 100), 0);
    assert_true(scene.is_late && !scene.is_done);
    service_cancel(scene.host);
    assert_string_equal(scene.port.service->name, "usual");
    assert_int_equal(scene.port.service->confidence, 3);
    close_scene(&scene);

    assert_int_equal(open_scene(&scene, &server), 0); /* freed with all that is under way */
    assert_int_equal(run_for(&scene, 100), 0);
    close_scene(&scene);
    stop(&server);
}

static bool is_wanted(const service_options_t *options, const port_result_t *port)
{
    const host_result_t host = {.ports = (port_result_t *)port, .port_count = 1};
    hloop_t *loop = hloop_new(0);
    service_run_t *run;
    bool is_wanted;

    assert_int_equal(service_run_new(loop, options, on_done, NULL, &run), 0);
    is_wanted = service_is_wanted(run, &host);
    service_run_free(run);
    hloop_free(&loop);
    return is_wanted;
}

static void test_wanted(void **state)
{
    const service_options_t banners = {.banners = true}, versions = {.versions = true},
                            all = {.versions = true, .all_ports = true};
    port_result_t port = {.number = 22, .protocol = IPPROTO_TCP, .state = PORT_OPEN};

    (void)state;
    assert_true(is_wanted(&versions, &port) && is_wanted(&banners, &port));
    port.state = PORT_CLOSED;
    assert_false(is_wanted(&versions, &port));
    port = (port_result_t){.number = 9100, .protocol = IPPROTO_TCP, .state = PORT_OPEN};
    assert_false(is_wanted(&versions, &port));
    assert_true(is_wanted(&all, &port));
    port = (port_result_t){.number = 53, .protocol = IPPROTO_UDP, .state = PORT_OPEN_FILTERED};
    assert_true(is_wanted(&versions, &port));
    assert_false(is_wanted(&banners, &port));
    port.protocol = IPPROTO_TCP;
    assert_false(is_wanted(&versions, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_wanted),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
