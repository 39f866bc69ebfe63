/* hlognotes: what an event loop has to tell (a connection that it sheds for want of descriptors) as
 * messages of a log file. In a storm one a second is written, with how many were not. */
#ifndef HNET_APP_HLOGNOTES_H
#define HNET_APP_HLOGNOTES_H

#include "../base/hlog.h"
#include "hlogfile.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hlognotes_s {
    hlog_t *log; /* for hloop_options_t */
    const hlogfile_t *file;
    uint64_t told_ns; /* 0: nothing yet */
    unsigned untold;
} hlognotes_t;

/* Messages of HLOG_WARN and above. file and *notes are to stay where they are until the end. 0 or
 * -ENOMEM. */
int hlognotes_init(hlognotes_t *notes, const hlogfile_t *file);

/* After the loop; of a zeroed one it is nothing. */
void hlognotes_deinit(hlognotes_t *notes);

#ifdef __cplusplus
}
#endif

#endif
