/* scan: one run of hnmap from the targets' names to the last line of the report. */
#ifndef HNMAP_SCAN_H
#define HNMAP_SCAN_H

#include "options.h"

/* Scans and reports. The exit status of the process: 0, or 1 after a message. */
int scan(const options_t *options);

#endif
