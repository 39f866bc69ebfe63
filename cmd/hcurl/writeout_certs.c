#include "writeout.h"

#include "net/htls.h"

#include <string.h>
#include <time.h>

#define DATE_SIZE 32

bool writeout_wants_tls(const char *format)
{
    return strstr(format, "certs}") || strstr(format, "verify_result}") || strstr(format, "{json}");
}

static const char *date_of(time_t when, char buf[DATE_SIZE])
{
    struct tm tm;

    if (!gmtime_r(&when, &tm) || strftime(buf, DATE_SIZE, "%b %e %H:%M:%S %Y GMT", &tm) == 0)
        buf[0] = '\0';
    return buf;
}

int writeout_certs(const hio_t *io, hbytes_t *out)
{
    char begin[DATE_SIZE], end[DATE_SIZE];
    htls_cert_t cert;
    int count = 0;

    while (io && count < HTLS_CHAIN_MAX && htls_peer_cert(io, count, &cert) == 0) {
        (void)hbytes_printf(out, "Subject:%s\nIssuer:%s\n", cert.subject, cert.issuer);
        if (cert.names[0])
            (void)hbytes_printf(out, "X509v3 Subject Alternative Name:%s\n", cert.names);
        (void)hbytes_printf(
            out, "Signature Algorithm:%s\nPublic Key:%s\nStart date:%s\nExpire date:%s\n",
            cert.signature, cert.key, date_of(cert.not_before, begin),
            date_of(cert.not_after, end));
        if (htls_peer_cert_pem(io, count, out))
            break;
        count++;
    }
    return count;
}
