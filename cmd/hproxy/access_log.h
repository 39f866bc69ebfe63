/* access_log: a line for each session that is over, as text or as JSON. Whatever a client sent, an
 * entry is one line without control characters. Text is columns:
 *
 *     time listener protocol client peer user target address destination connect_ms duration_ms
 *         sent_bytes received_bytes end "why"
 *
 * "-" where there is nothing, a space or a quote within one as \x20, \x22. time is that of the end
 * (UTC), sent is from the client to the target. peer is who spoke for the client by a PROXY header,
 * destination what a client of a forward proxy asked for. JSON has the same names, and leaves out
 * what there is not. */
#ifndef HPROXY_ACCESS_LOG_H
#define HPROXY_ACCESS_LOG_H

#include "session.h"

/* Appends the line of a session that ends now (real time now_ms), its \n included. Texts are cut at
 * 1 KiB each. 0; -ENOMEM or -ENOBUFS: out is as it was. */
int access_log_format(const session_t *session, session_end_e end, const char *why, uint64_t now_ms,
                      bool json, hbytes_t *out);

#endif
