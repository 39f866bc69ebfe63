/* output_os: which system a host may have, in the reports that are lines of text. Nothing is
 * written of a host that was not asked. 0 or -ENOMEM. */
#ifndef HNMAP_OUTPUT_OS_H
#define HNMAP_OUTPUT_OS_H

#include "result.h"

/* The next of a list that bars divide, from *at on; NULL: no further one. Not terminated. */
const char *output_os_item(const char **at, size_t *len);

int output_os_normal(hbytes_t *out, const os_result_t *os);
int output_os_xml(hbytes_t *out, const os_result_t *os);      /* <os> and <distance> */
int output_os_grepable(hbytes_t *out, const os_result_t *os); /* a field, with the tab before it */
/* "Linux 4.20 - 6.X (98%)", the first `max` of them, divided by commas. */
int output_os_names(hbytes_t *out, const os_result_t *os, size_t max);

#endif
