#include "report.h"

#include <inttypes.h>

void report_listening(const hreport_t *report, const char *address)
{
    const hreport_field_t fields[] = {{.key = "address", .text = address}, {0}};

    hreport_event(report, "listening", fields, "listening on %s", address);
}

void report_connect(const hreport_t *report, const char *peer, const char *local)
{
    const hreport_field_t fields[] = {
        {.key = "peer", .text = peer}, {.key = "local", .text = local}, {0}};

    hreport_event(report, "connect", fields, "%s connected to %s", peer, local);
}

void report_refused(const hreport_t *report, const char *peer, uint64_t open)
{
    const hreport_field_t fields[] = {
        {.key = "peer", .text = peer}, {.key = "open", .number = open}, {0}};

    hreport_event(report, "refused", fields, "%s refused: %" PRIu64 " connections are open", peer,
                  open);
}

void report_closed(const hreport_t *report, const report_closed_t *closed)
{
    const hreport_field_t fields[] = {
        {.key = "peer", .text = closed->peer},
        {.key = "bytes_in", .number = closed->bytes_in},
        {.key = "bytes_out", .number = closed->bytes_out},
        {.key = "duration_s", .number = closed->duration_us, .decimals = 6},
        {.key = "cause", .text = closed->cause},
        {0}};

    hreport_event(report, "close", fields,
                  "%s closed: %s, %" PRIu64 " bytes in, %" PRIu64 " bytes out, %.3f s",
                  closed->peer, closed->cause, closed->bytes_in, closed->bytes_out,
                  (double)closed->duration_us / 1e6);
}

void report_datagram(const hreport_t *report, const char *peer, uint64_t in, uint64_t out)
{
    const hreport_field_t fields[] = {{.key = "peer", .text = peer},
                                      {.key = "bytes_in", .number = in},
                                      {.key = "bytes_out", .number = out},
                                      {0}};

    hreport_event(report, "datagram", fields,
                  "%s datagram: %" PRIu64 " bytes in, %" PRIu64 " bytes out", peer, in, out);
}

void report_summary(const hreport_t *report, const report_totals_t *totals)
{
    const hreport_field_t fields[] = {{.key = "connections", .number = totals->connections},
                                      {.key = "open", .number = totals->open},
                                      {.key = "refused", .number = totals->refused},
                                      {.key = "shed", .number = totals->shed},
                                      {.key = "datagrams", .number = totals->datagrams},
                                      {.key = "dropped", .number = totals->dropped},
                                      {.key = "bytes_in", .number = totals->bytes_in},
                                      {.key = "bytes_out", .number = totals->bytes_out},
                                      {0}};

    hreport_event(report, "summary", fields,
                  "%" PRIu64 " connections (%" PRIu64 " open, %" PRIu64 " refused, %" PRIu64
                  " shed), %" PRIu64 " datagrams (%" PRIu64 " dropped), %" PRIu64
                  " bytes in, %" PRIu64 " bytes out",
                  totals->connections, totals->open, totals->refused, totals->shed,
                  totals->datagrams, totals->dropped, totals->bytes_in, totals->bytes_out);
}
