/* diff: what has changed since an earlier scan. Hosts are compared as they are done; the lines that
 * tell of it are kept for the end. */
#ifndef HNMAP_DIFF_H
#define HNMAP_DIFF_H

#include "earlier.h"

#define DIFF_TEXT_MAX ((size_t)16 << 20) /* bytes of lines; those after are counted alone */

typedef struct diff_s diff_t;

/* Reads the report of the earlier scan. 0 and *diff, or the exit status after a message. */
int diff_open(diff_t **diff, const char *path);
void diff_free(diff_t *diff); /* NULL is legal */

/* Compares a host of this scan, also one that is down, with the earlier one:
 *
 *     192.0.2.1: host is up, was down
 *     192.0.2.1: 80,443/tcp open, was closed
 *     192.0.2.1: 22/tcp is ssh OpenSSH 9.6, was ssh OpenSSH 9.2
 *
 * What only one of the scans has asked is no change, but for a port that is open now and that the
 * earlier report has nothing of. 0 or -ENOMEM. */
int diff_host(diff_t *diff, const host_result_t *host);

/* The lines, then how many changes there are. 0 or -ENOMEM. */
int diff_write(const diff_t *diff, hbytes_t *out);
size_t diff_count(const diff_t *diff);

#endif
