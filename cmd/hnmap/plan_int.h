/* plan_int: what the files of a plan share. plan.c: what comes of all options; plan_pace.c: how
 * fast; plan_ways.c: by connect or by packets, which ones; plan_ports.c: which ports are asked, and
 * which probes find out whether a host is there; plan_packets.c: what packets carry. */
#ifndef HNMAP_PLAN_INT_H
#define HNMAP_PLAN_INT_H

#include "plan.h"

/* Tells what is wrong; returns status, which is an exit status. */
int plan__fail(const char *what, const char *why, int status);
int plan__out_of_memory(void);

/* Each: 0, or an exit status after a message. In this order. */
int plan__choose_way(plan_t *plan);
int plan__choose_ports(plan_t *plan);
int plan__choose_pings(plan_t *plan);
int plan__choose_packets(plan_t *plan);

#endif
