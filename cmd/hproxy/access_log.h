/* access_log: a line for each session that is over, as text or as JSON. Whatever a client sent, an
 * entry is one line of printable ASCII. */
#ifndef HPROXY_ACCESS_LOG_H
#define HPROXY_ACCESS_LOG_H

#include "session.h"

#define ACCESS_LOG_WHY_MAX 512

/* Appends the line of a session that ends now (real time now_ms), its \n included. 0 or -ENOMEM:
 * out is as it was. */
int access_log_format(const session_t *session, session_end_e end, const char *why, uint64_t now_ms,
                      bool json, hbytes_t *out);

#endif
