/* diff: what has changed since an earlier scan. Hosts are compared as they are done; the lines that
 * tell of it are kept for the end. */
#ifndef HNMAP_DIFF_H
#define HNMAP_DIFF_H

#include "change.h"
#include "earlier.h"

#define DIFF_TEXT_MAX ((size_t)16 << 20) /* bytes of lines; those after are counted alone */

typedef struct diff_s diff_t;

/* Reads the report of the earlier scan; NULL: there is none, and hosts are compared from diff_next
 * on. 0 and *diff, or the exit status after a message. */
int diff_open(diff_t **diff, const char *path);
void diff_free(diff_t *diff); /* NULL is legal */

/* Compares a host of this scan, also one that is down, with the earlier one:
 *
 *     192.0.2.1: host is up, was down
 *     192.0.2.1: 80,443/tcp open, was closed
 *     192.0.2.1: 22/tcp is ssh OpenSSH 9.6, was ssh OpenSSH 9.2
 *
 * What only one of the scans has asked is no change, but for a port that is open now and that the
 * earlier report has nothing of, and nothing is said of a host that could not be asked. 0 or
 * -ENOMEM. */
int diff_host(diff_t *diff, const host_result_t *host);

/* For rounds of scans: diff_keep after diff_host makes the host one that the next round is compared
 * with. diff_next begins that round: changes are counted anew, and go to the callback, which
 * diff_host calls. is_whole: what the round that is over had nothing of is forgotten. 0 or -ENOMEM:
 * some host is forgotten. */
int diff_keep(diff_t *diff, const host_result_t *host);
int diff_next(diff_t *diff, bool is_whole, change_cb cb, void *context);

/* The lines, then how many changes there are. 0 or -ENOMEM. */
int diff_write(const diff_t *diff, hbytes_t *out);
size_t diff_count(const diff_t *diff);

#endif
