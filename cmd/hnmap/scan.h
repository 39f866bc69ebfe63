/* scan: one run of hnmap from the targets' names to the last line of the report. */
#ifndef HNMAP_SCAN_H
#define HNMAP_SCAN_H

#include "options.h"

/* Scans and reports. The exit status of the process: 0, or 1 after a message. */
int scan(const options_t *options);

/* For options_are_kept: becomes the options that are in the file of --resume. OPTIONS_RUN, or the
 * exit status after a message. */
int resume_command(options_t *options);

#endif
