/* operate: does what the command line asks for: all transfers of all operations, one after another
 * or at once, each with its retries. */
#ifndef HCURL_OPERATE_H
#define HCURL_OPERATE_H

#include "retry.h"

#include <stdint.h>

struct options_s; /* options.h */

#define OPERATE_PARALLEL 50
#define OPERATE_PARALLEL_MAX 65535

typedef struct operate_options_s {
    bool parallel;
    bool
        parallel_immediate; /* new connections rather than waiting for one: always so with HTTP/1 */
    uint32_t parallel_max;
    uint32_t parallel_max_host; /* connections to one server; 0: as many as there are transfers */
    uint32_t rate_ms;           /* --rate: between the starts of transfers; 0: none */
    bool fail_early;
} operate_options_t;

#define OPERATE_OPTIONS_DEFAULT                                                                    \
    {                                                                                              \
        .parallel_max = OPERATE_PARALLEL                                                           \
    }

extern const hopt_t operate_rows[];

/* The exit status: that of the last transfer, in the order of the command line; with -Z that of the
 * first one that failed; 0 without any. SIGINT, SIGTERM and SIGHUP end the transfers as an error
 * would (files are closed, or removed if that was asked for, the cookies are written), and then the
 * process by that signal. */
int operate(const struct options_s *options);

#endif
