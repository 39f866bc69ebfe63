/* What the bench programs share: clocks, random numbers, the listener of the echo servers. */
#ifndef HNET_BENCH_BENCH_H
#define HNET_BENCH_BENCH_H

#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#define BENCH_READ_SIZE (64 * 1024) /* of one read, in every echo server */

/* Says what failed, with errno's text, and exits with status 1. */
noreturn void bench_fail(const char *what);

uint64_t bench_now_ns(void);

/* CPU time of the calling thread: what other programs take does not count. */
uint64_t bench_work_ns(void);

/* CPU time (user and system) that a process has used so far. */
uint64_t bench_cpu_ns(pid_t pid);

/* This process on one processor: 0 the first that it may use, 1 the second, if there are two. */
void bench_pin(int index);

/* The same numbers in every run and every program. */
uint32_t bench_random(uint64_t *state);

/* Open files up to the hard limit. */
void bench_raise_files(void);

/* A listening, non-blocking TCP socket on a loopback port that the kernel chose; the port is
 * printed as the first line. Accepted sockets inherit its TCP_NODELAY. */
int bench_listen(void);

#endif
