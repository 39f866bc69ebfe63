/* The system's resolver behind hdns; in its place is one that does what an address says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hdns_fixture.h"
#include "oom.h"

#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

/* The thread sanitizer does not see that a thread is over which nobody joins. */
#ifdef __SANITIZE_THREAD__
#define IS_END_SEEN false
#else
#define IS_END_SEEN true
#endif

static sem_t gate;    /* what is stuck waits for it */
static sem_t arrived; /* one that waits there tells */

/* ---- the resolver ---------------------------------------------------------------------------- */

int __wrap_getnameinfo(const struct sockaddr *sa, socklen_t len, char *host, socklen_t size,
                       char *service, socklen_t service_len, int flags);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
void __wrap_freeaddrinfo(struct addrinfo *list);

/* 192.0.2.1 has a name, .2 has none, no server answers about .3, and .4 takes its time; .5, too,
 * and tells that it does. */
/* NOLINTNEXTLINE(readability-function-size): so many it has */
int __wrap_getnameinfo(const struct sockaddr *sa, socklen_t len, char *host, socklen_t size,
                       char *service, socklen_t service_len, int flags)
{
    const sockaddr_u *u = (const sockaddr_u *)sa;
    unsigned last = ntohl(u->sin.sin_addr.s_addr) & 255;

    (void)len;
    (void)service;
    (void)service_len;
    if ((flags & NI_NAMEREQD) == 0)
        return EAI_BADFLAGS;
    if (last == 5)
        sem_post(&arrived);
    while ((last == 4 || last == 5) && sem_wait(&gate) < 0)
        continue;
    if (last == 2 || last == 3)
        return last == 2 ? EAI_NONAME : EAI_AGAIN;
    snprintf(host, size, "host%u.test", last);
    return 0;
}

/* "both" has an address in each family, "four" one of IPv4, nothing else has any. */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    static haddr_t v4, v6;
    static struct addrinfo second, first;

    (void)service;
    if (strcmp(host, "both") != 0 && strcmp(host, "four") != 0)
        return EAI_NONAME;
    haddr_loopback(&v4, AF_INET, 0);
    haddr_loopback(&v6, AF_INET6, 0);
    second = (struct addrinfo){.ai_addr = &v4.u.sa, .ai_addrlen = v4.len};
    first = (struct addrinfo){.ai_addr = &v6.u.sa, .ai_addrlen = v6.len, .ai_next = &second};
    *list = strcmp(host, "four") == 0 || hints->ai_family == AF_INET ? &second : &first;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

/* ---- threads --------------------------------------------------------------------------------- */

static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    assert_non_null(tasks);
    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count - 2;
}

/* Those of a resolver that is gone end by themselves. */
static void wait_alone(int before)
{
    while (count_threads() > before)
        usleep(1000);
}

static world_t by_system(void)
{
    world_t w = {.loop = new_loop(), .options = {.by_system = true}};

    use(&w);
    return w;
}

static void done_with(world_t *w, int threads)
{
    hdns_free(w->dns);
    hloop_free(&w->loop);
    wait_alone(threads);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void addresses_have_names(void **state)
{
    int threads = count_threads();
    world_t w = by_system();
    result_t r;

    (void)state;
    reverse(&w, "192.0.2.1", &r);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.texts[0], "host1.test");
    reverse(&w, "192.0.2.2", &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    assert_string_equal(r.error, gai_strerror(EAI_NONAME));
    reverse(&w, "192.0.2.3", &r);
    assert_int_equal(r.err, -ETIMEDOUT);
    done_with(&w, threads);
}

static void names_have_addresses(void **state)
{
    int threads = count_threads();
    world_t w = by_system();
    result_t r;

    (void)state;
    ask(&w, "both", 0, &r);
    assert_int_equal(r.count, 2);
    assert_string_equal(r.addrs[0], "[::1]:0");
    assert_string_equal(r.addrs[1], "127.0.0.1:0");
    ask(&w, "both", AF_INET6, &r);
    assert_int_equal(r.count, 1);
    ask(&w, "four", 0, &r);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.addrs[0], "127.0.0.1:0");
    ask(&w, "four", AF_INET6, &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    ask(&w, "nobody", 0, &r);
    assert_int_equal(r.err, HERR_RESOLVE);
    ask(&w, "192.0.2.7", AF_INET, &r); /* needs nobody */
    assert_string_equal(r.addrs[0], "192.0.2.7:0");
    done_with(&w, threads);
}

/* More of them than threads: each has its time limit, a name that is there comes behind them. */
static void what_is_stuck_holds_nobody(void **state)
{
    enum { STUCK = HDNS_THREADS_MAX + 4 };
    int threads = count_threads();
    world_t w = {.loop = new_loop(), .options = {.by_system = true, .total_timeout_ms = 50}};
    result_t stuck[STUCK] = {0}, r;
    haddr_t addr;

    (void)state;
    use(&w);
    assert_int_equal(haddr_parse(&addr, "192.0.2.4", 0), 0);
    for (int i = 0; i < STUCK; i++)
        assert_int_equal(hdns_reverse(w.dns, &addr.u.sa, on_name, &stuck[i], NULL), 0);
    for (int i = 0; i < STUCK; i++) {
        RUN_UNTIL(w.loop, stuck[i].calls > 0);
        assert_int_equal(stuck[i].err, -ETIMEDOUT);
    }
    assert_in_range(count_threads(), 1, threads + HDNS_THREADS_MAX);
    for (int i = 0; i < HDNS_THREADS_MAX; i++)
        sem_post(&gate);
    hdns_free(w.dns);
    w.options.total_timeout_ms = 0;
    use(&w);
    reverse(&w, "192.0.2.1", &r);
    assert_int_equal(r.err, 0);
    for (int i = 0; i < STUCK; i++)
        assert_int_equal(stuck[i].calls, 1);
    done_with(&w, threads);
}

/* A thread that is free is free for one of them, not for all that come before it wakes. */
static void each_has_a_thread_as_long_as_there_are_some(void **state)
{
    int threads = count_threads();
    world_t w = by_system();
    result_t taken[HDNS_THREADS_MAX] = {0}, r;
    struct timespec limit;
    haddr_t addr;

    (void)state;
    reverse(&w, "192.0.2.1", &r); /* leaves a free one */
    assert_int_equal(haddr_parse(&addr, "192.0.2.5", 0), 0);
    for (int i = 0; i < HDNS_THREADS_MAX; i++)
        assert_int_equal(hdns_reverse(w.dns, &addr.u.sa, on_name, &taken[i], NULL), 0);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    for (int i = 0; i < HDNS_THREADS_MAX; i++)
        assert_int_equal(sem_timedwait(&arrived, &limit), 0);
    for (int i = 0; i < HDNS_THREADS_MAX; i++)
        sem_post(&gate);
    for (int i = 0; i < HDNS_THREADS_MAX; i++)
        RUN_UNTIL(w.loop, taken[i].calls > 0);
    done_with(&w, threads);
}

static void what_is_cancelled_is_not_told(void **state)
{
    int threads = count_threads();
    world_t w = by_system();
    hdns_query_t *queries[HDNS_THREADS_MAX + 2];
    result_t r = {0};
    haddr_t addr;

    (void)state;
    assert_int_equal(haddr_parse(&addr, "192.0.2.4", 0), 0);
    for (int i = 0; i < HDNS_THREADS_MAX + 2; i++)
        assert_int_equal(hdns_reverse(w.dns, &addr.u.sa, on_name, &r, &queries[i]), 0);
    for (int i = 0; i < HDNS_THREADS_MAX + 2; i++)
        hdns_cancel(queries[i]);
    hdns_free(w.dns); /* with its threads where they are */
    for (int i = 0; i < HDNS_THREADS_MAX; i++)
        sem_post(&gate);
    hloop_free(&w.loop);
    wait_alone(threads);
    while (sem_trywait(&gate) == 0)
        continue; /* of threads that were not started in time */
    assert_int_equal(r.calls, 0);
}

static int scenario(void *arg)
{
    int threads = count_threads(), err;
    hloop_t *loop = hloop_new(HLOOP_FLAG_RUN_ONCE);
    const hdns_options_t options = {.by_system = true};
    hdns_t *dns = NULL;
    result_t r = {0};
    haddr_t addr;

    (void)arg;
    assert_int_equal(haddr_parse(&addr, "192.0.2.1", 0), 0);
    err = loop == NULL ? -ENOMEM : hdns_new(loop, &options, &dns);
    if (err == 0)
        err = hdns_reverse(dns, &addr.u.sa, on_name, &r, NULL);
    while (err == 0 && r.calls == 0)
        err = hloop_run(loop);
    if (err == 0)
        err = r.err;
    hdns_free(dns);
    if (loop)
        hloop_free(&loop);
    wait_alone(threads);
    return err;
}

static void without_memory(void **state)
{
    (void)state;
    if (!IS_END_SEEN)
        skip(); /* what it changes, threads that are over have read */
    oom_run(scenario, NULL);
}

static void *do_nothing(void *arg)
{
    return arg;
}

/* The thread sanitizer has a thread of its own from the first one of the program on. */
static void start_first_thread(void)
{
    pthread_t id;

    if (pthread_create(&id, NULL, do_nothing, NULL) == 0)
        pthread_join(id, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_names),
        cmocka_unit_test(names_have_addresses),
        cmocka_unit_test(what_is_stuck_holds_nobody),
        cmocka_unit_test(each_has_a_thread_as_long_as_there_are_some),
        cmocka_unit_test(what_is_cancelled_is_not_told),
        cmocka_unit_test(without_memory),
    };

    start_first_thread();
    sem_init(&gate, 0, 0);
    sem_init(&arrived, 0, 0);
    return run_on_each_poller("hdns_system", tests, ARRAY_LENGTH(tests));
}
