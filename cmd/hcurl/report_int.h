/* What the files of report.h share. */
#ifndef HCURL_REPORT_INT_H
#define HCURL_REPORT_INT_H

#include "report.h"

/* The columns of the terminal: of COLUMNS, else of the one that any of the standard descriptors is,
 * else 79. */
size_t report__columns(void);

#endif
