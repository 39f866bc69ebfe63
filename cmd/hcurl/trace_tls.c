#include "trace_tls.h"

#include "codec/http_date.h"
#include "net/htls.h"

static int put_connection(const htls_info_t *info, hbytes_t *out)
{
    int status = hbytes_printf(out, "SSL connection using %s / %s%s%s%s\n", info->version,
                               info->cipher, info->group[0] != '\0' ? " / " : "", info->group,
                               info->resumed ? ", resumed" : "");

    if (status == 0 && info->alpn[0] != '\0')
        status = hbytes_printf(out, "ALPN: server accepted %s\n", info->alpn);
    return status;
}

static int put_cert(const htls_cert_t *cert, bool verified, hbytes_t *out)
{
    char begin[HTTP_DATE_SIZE], end[HTTP_DATE_SIZE];

    http_date_format((int64_t)cert->not_before, begin);
    http_date_format((int64_t)cert->not_after, end);
    return hbytes_printf(out,
                         "Server certificate:\n"
                         "  subject: %s\n"
                         "  names: %s\n"
                         "  start date: %s\n"
                         "  expire date: %s\n"
                         "  issuer: %s\n"
                         "  key: %s, %s\n"
                         "  %s\n",
                         cert->subject, cert->names, begin, end, cert->issuer, cert->key, cert->pin,
                         verified ? "It was verified." : "It was NOT verified.");
}

int trace_tls(const hio_t *io, hbytes_t *out)
{
    htls_info_t info;
    htls_cert_t cert;
    int status;

    if (io == NULL || htls_info(io, &info) != 0)
        return 0;
    status = put_connection(&info, out);
    if (status == 0 && htls_peer_cert(io, 0, &cert) == 0)
        status = put_cert(&cert, info.verified, out);
    return status;
}
