/* A table for spreadsheets (RFC 4180): a line for each port that is shown; a host without one has a
 * line, too. Names, banners and versions are what others said: a spreadsheet must not take them for
 * formulas. */
#include "output.h"
#include "output_text.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

/* What a spreadsheet begins a formula with, also in the wide forms of East Asian keyboards, which
 * some of them take for the same. */
static bool begins_formula(const char *text)
{
    static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
                                       "\xef\xbc\xa0"};

    text += strspn(text, " \t\r\n\"'");
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (hstr_starts(text, wide[i]))
            return true;
    return *text != '\0' && strchr("=+-@|%", *text) != NULL;
}

/* A tab or the end of a line in front could still hide one: such text is marked as text, too. */
static bool needs_mark(const char *text)
{
    return begins_formula(text) || (*text != '\0' && strchr("\t\r\n", *text) != NULL);
}

/* In quotes, with an apostrophe in front where it is to be text. What is not UTF-8, and what is no
 * text at all, is shown as a '?'. */
static int write_quoted(hbytes_t *out, const char *text)
{
    const char *end = text + strlen(text);
    int status = hbytes_append_str(out, needs_mark(text) ? "\"'" : "\"");

    while (text < end && status == 0) {
        size_t len = hstr_utf8_len(text, (size_t)(end - text));
        unsigned char c = (unsigned char)*text;

        if (c == '"')
            status = hbytes_append_str(out, "\"\"");
        else if (len == 0 || c == 127 || (c < 32 && c != '\t' && c != '\n' && c != '\r'))
            status = hbytes_append_char(out, '?');
        else
            status = hbytes_append(out, text, len);
        text += len ? len : 1;
    }
    return status < 0 ? status : hbytes_append_char(out, '"');
}

static bool is_plain(const char *text)
{
    while (*text >= ' ' && *text <= '~' && *text != '"' && *text != ',')
        text++;
    return *text == '\0';
}

static int write_field(hbytes_t *out, const char *text)
{
    if (text == NULL)
        return 0;
    return is_plain(text) && !needs_mark(text) ? hbytes_append_str(out, text)
                                               : write_quoted(out, text);
}

/* ---- lines ----------------------------------------------------------------------------------- */

typedef enum column_e {
    COLUMN_IP,
    COLUMN_NAME,
    COLUMN_MAC,
    COLUMN_VENDOR,
    COLUMN_HOST_STATE,
    COLUMN_HOST_REASON,
    COLUMN_OS,
    COLUMN_OS_ACCURACY,
    COLUMN_PROTOCOL,
    COLUMN_PORT,
    COLUMN_STATE,
    COLUMN_REASON,
    COLUMN_SERVICE,
    COLUMN_TLS,
    COLUMN_PRODUCT,
    COLUMN_VERSION,
    COLUMN_EXTRA,
    COLUMN_CPE,
    COLUMN_BANNER,
    COLUMN_TLS_DETAILS,
    COLUMNS
} column_e;

static int write_line(hbytes_t *out, const char *const *fields)
{
    int status = 0;

    for (size_t i = 0; i < COLUMNS && status == 0; i++) {
        if (i > 0)
            status = hbytes_append_char(out, ',');
        if (status == 0)
            status = write_field(out, fields[i]);
    }
    return status < 0 ? status : hbytes_append_str(out, "\r\n");
}

static int begin(hbytes_t *out, const run_t *run)
{
    static const char *const names[COLUMNS] = {
        "ip",          "name",     "mac",   "vendor", "host_state", "host_reason", "os_guess",
        "os_accuracy", "protocol", "port",  "state",  "reason",     "service",     "tls",
        "product",     "version",  "extra", "cpe",    "banner",     "tls_details"};

    (void)run;
    return write_line(out, names);
}

static void fill_service(const char **fields, const service_t *service)
{
    if (service == NULL)
        return;
    fields[COLUMN_TLS] = service->is_tls ? "yes" : "no";
    fields[COLUMN_PRODUCT] = service->product;
    fields[COLUMN_VERSION] = service->version;
    fields[COLUMN_EXTRA] = service->extra;
    fields[COLUMN_CPE] = service->cpe[0];
    fields[COLUMN_BANNER] = service->banner;
    fields[COLUMN_TLS_DETAILS] = service->tls;
}

static int write_host(hbytes_t *out, const run_t *run, const host_result_t *host)
{
    char ip[HADDR_FORMAT_SIZE], mac[18], number[8], accuracy[8] = "";
    const char *fields[COLUMNS] = {
        [COLUMN_IP] = output_ip(host, ip),
        [COLUMN_NAME] = output_name(host),
        [COLUMN_MAC] = host->has_mac ? output_mac(host->mac, mac) : NULL,
        [COLUMN_VENDOR] = host->has_mac ? host->vendor : NULL,
        [COLUMN_HOST_STATE] = host_state_name(host->state),
        [COLUMN_HOST_REASON] = reason_name(host->reason),
    };
    int status = 0;

    (void)run;
    if (host->os && host->os->guess_count > 0) {
        snprintf(accuracy, sizeof(accuracy), "%u", host->os->guesses[0].accuracy);
        fields[COLUMN_OS] = host->os->guesses[0].system->name;
        fields[COLUMN_OS_ACCURACY] = accuracy;
    }
    if (host->port_count == 0)
        return write_line(out, fields);
    for (size_t i = 0; i < host->port_count && status == 0; i++) {
        const port_result_t *port = &host->ports[i];

        snprintf(number, sizeof(number), "%u", port->number);
        for (size_t c = COLUMN_PROTOCOL; c < COLUMNS; c++)
            fields[c] = NULL;
        fields[COLUMN_PROTOCOL] = protocol_name(port->protocol);
        fields[COLUMN_PORT] = number;
        fields[COLUMN_STATE] = port_state_name(port->state);
        fields[COLUMN_REASON] = reason_name(port->reason);
        fields[COLUMN_SERVICE] = port_service_name(port);
        fill_service(fields, port->service);
        status = write_line(out, fields);
    }
    return status;
}

const output_format_t output_csv = {
    .name = "CSV", .begin = begin, .host = write_host, .append = OUTPUT_APPEND_NO_HEAD};
