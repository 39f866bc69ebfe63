#include "output_text.h"

#include <inttypes.h>
#include <stdio.h>

const char *output_date(time_t when, char *buf)
{
    struct tm parts;

    if (localtime_r(&when, &parts) == NULL ||
        strftime(buf, OUTPUT_DATE_SIZE, "%a %b %e %H:%M:%S %Y", &parts) == 0)
        buf[0] = '\0';
    return buf;
}

const char *output_ip(const host_result_t *host, char *buf)
{
    return haddr_ip(&host->addr.u.sa, buf, HADDR_FORMAT_SIZE);
}

const char *output_name(const host_result_t *host)
{
    return host->asked ? host->asked : host->name;
}

int output_summary(hbytes_t *out, const run_t *run)
{
    return hbytes_printf(
        out, "%" PRIu64 " IP address%s (%" PRIu64 " host%s up) scanned in %.2f seconds", run->total,
        run->total == 1 ? "" : "es", run->up, run->up == 1 ? "" : "s", run->elapsed_s);
}

int output_done(hbytes_t *out, const run_t *run, const totals_t *totals)
{
    char date[OUTPUT_DATE_SIZE];
    int status = hbytes_printf(out, "# hnmap done at %s -- ", output_date(run->end, date));

    (void)totals;
    if (status == 0)
        status = output_summary(out, run);
    if (status == 0 && run->error)
        status = hbytes_printf(out, " (%s)", run->error);
    return status < 0 ? status : hbytes_append_char(out, '\n');
}

int output_version(hbytes_t *out, const service_t *service)
{
    const char *const words[] = {service->product, service->version};
    const char *space = "";
    int status = 0;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && status == 0; i++) {
        if (words[i] == NULL)
            continue;
        status = hbytes_printf(out, "%s%s", space, words[i]);
        space = " ";
    }
    if (status == 0 && service->extra)
        status = hbytes_printf(out, "%s(%s)", space, service->extra);
    return status;
}

const char *output_mac(const uint8_t *mac, char *buf)
{
    snprintf(buf, 18, "%02X:%02X:%02X:%02X:%02X:%02X", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
    return buf;
}
