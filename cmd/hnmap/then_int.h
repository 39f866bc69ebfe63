/* then_int: what the files of --then share. then.c: hosts that wait; then_command.c: what runs. */
#ifndef HNMAP_THEN_INT_H
#define HNMAP_THEN_INT_H

#include "base/hlist.h"
#include "event/htimer.h"
#include "then.h"

struct then_s {
    hloop_t *loop;
    then_options_t options;
    bool is_per_port, is_stopped, told_output;
    hlist_t jobs, commands;
    size_t job_count, command_count;
    htimer_t *again, *kill;
    uint64_t run, failed;
};

/* Begins what waits and has a place. */
void then__go_on(then_t *t);

/* A command that failed is counted, and the first ones are told; number: -1, or what follows. */
void then__failed(then_t *t, const char *ip, const char *what, int number);

/* 0, or -errno: nothing was begun. Its end is counted, and calls then__go_on. */
int then__begin_command(then_t *t, const char *ip, const char *text);
void then__signal_commands(then_t *t, int signo);
void then__drop_commands(then_t *t); /* they go on without us */

#endif
