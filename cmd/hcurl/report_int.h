/* What the files of report.h share. */
#ifndef HCURL_REPORT_INT_H
#define HCURL_REPORT_INT_H

#include "report.h"

/* The columns of the terminal: of COLUMNS, else of the one that any of the standard descriptors is,
 * else 79. */
size_t report__columns(void);

/* Writes all of it, and waits where it has to. 0; -errno, and the rest is lost. */
int report__write(int fd, const char *data, size_t len);

#endif
