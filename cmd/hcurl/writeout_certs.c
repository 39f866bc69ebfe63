#include "writeout.h"

#include "net/htls.h"

#include <string.h>

bool writeout_wants_tls(const char *format)
{
    return strstr(format, "certs}") || strstr(format, "verify_result}") || strstr(format, "{json}");
}

int writeout_certs(const hio_t *io, hbytes_t *out)
{
    int count = 0;

    while (io && count < HTLS_CHAIN_MAX && htls_peer_cert_text(io, count, out) == 0 &&
           htls_peer_cert_pem(io, count, out) == 0)
        count++;
    return count;
}
