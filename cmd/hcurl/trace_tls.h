/* trace_tls: what was agreed on with a server over TLS, and who it says it is, as lines. */
#ifndef HCURL_TRACE_TLS_H
#define HCURL_TRACE_TLS_H

#include "base/hbuf.h"
#include "event/hio.h"

/* Appends lines that end with LF; none if there is no TLS. 0, or the errors of hbytes_append. */
int trace_tls(const hio_t *io, hbytes_t *out);

#endif
