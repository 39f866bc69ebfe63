/* The variables of -w: where each comes from, and how it is written. Most are a member of the
 * transfer's info or of the facts. */
#include "writeout_int.h"

#include "base/hurl.h"
#include "status.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef enum form_e {
    FORM_TEXT,       /* const char *; "" is unknown */
    FORM_EMPTY_TEXT, /* the same, but known */
    FORM_ADDRESS,    /* char[] */
    FORM_U16,
    FORM_U32,
    FORM_U64,
    FORM_INT,
    FORM_LONG,
    FORM_STATUS, /* an int of three digits */
    FORM_BOOL,
    FORM_TIME,    /* microseconds, uint64_t */
    FORM_NOTHING, /* nothing is ever known */
    FORM_ZERO,
    FORM_ERROR,
    FORM_VERSION,
    FORM_HEADERS,
    FORM_FOLLOWED,
    FORM_DOWNLOAD_SPEED,
    FORM_UPLOAD_SPEED,
    FORM_URL, /* a part; offset is a url_part_e */
    FORM_LAST_URL
} form_e;

typedef enum url_part_e {
    PART_SCHEME,
    PART_USER,
    PART_PASSWORD,
    PART_HOST,
    PART_ZONE,
    PART_PORT,
    PART_PATH,
    PART_QUERY,
    PART_FRAGMENT
} url_part_e;

typedef struct variable_s {
    const char *name;
    form_e form;
    bool of_info; /* offset is one in http_transfer_info_t, else in writeout_facts_t */
    size_t offset;
} variable_t;

#define INFO(name, form, member)                                                                   \
    {                                                                                              \
        name, FORM_##form, true, offsetof(http_transfer_info_t, member)                            \
    }
#define FACT(name, form, member)                                                                   \
    {                                                                                              \
        name, FORM_##form, false, offsetof(writeout_facts_t, member)                               \
    }
#define MADE(name, form)                                                                           \
    {                                                                                              \
        name, FORM_##form, false, 0                                                                \
    }
#define PART(name, form, part)                                                                     \
    {                                                                                              \
        name, FORM_##form, false, PART_##part                                                      \
    }

/* Sorted, as %{json} is. */
static const variable_t variables[] = {
    FACT("certs", EMPTY_TEXT, certs),
    INFO("conn_id", U64, connection_id),
    INFO("content_type", TEXT, content_type),
    MADE("errormsg", ERROR),
    FACT("exitcode", INT, status),
    FACT("filename_effective", TEXT, filename),
    MADE("ftp_entry_path", NOTHING),
    INFO("http_code", STATUS, status),
    INFO("http_connect", STATUS, connect_status),
    MADE("http_version", VERSION),
    INFO("local_ip", ADDRESS, local_ip),
    INFO("local_port", U16, local_port),
    INFO("method", EMPTY_TEXT, method),
    FACT("num_certs", INT, cert_count),
    INFO("num_connects", U32, connects),
    MADE("num_headers", HEADERS),
    MADE("num_redirects", FOLLOWED),
    FACT("num_retries", U32, retries),
    FACT("proxy_ssl_verify_result", LONG, proxy_verify_result),
    INFO("proxy_used", BOOL, through_proxy),
    INFO("redirect_url", TEXT, redirect_url),
    INFO("referer", TEXT, referer),
    INFO("remote_ip", ADDRESS, remote_ip),
    INFO("remote_port", U16, remote_port),
    INFO("response_code", STATUS, status),
    INFO("scheme", TEXT, scheme),
    FACT("size_delivered", U64, written),
    INFO("size_download", U64, downloaded),
    INFO("size_header", U64, head_bytes),
    INFO("size_request", U64, request_bytes),
    INFO("size_upload", U64, uploaded),
    MADE("speed_download", DOWNLOAD_SPEED),
    MADE("speed_upload", UPLOAD_SPEED),
    FACT("ssl_verify_result", LONG, verify_result),
    INFO("time_appconnect", TIME, tls_us),
    INFO("time_connect", TIME, connected_us),
    INFO("time_namelookup", TIME, resolved_us),
    INFO("time_posttransfer", TIME, sent_us),
    INFO("time_pretransfer", TIME, sending_us),
    FACT("time_queue", TIME, queued_us),
    INFO("time_redirect", TIME, redirect_us),
    INFO("time_starttransfer", TIME, first_byte_us),
    INFO("time_total", TIME, total_us),
    MADE("tls_earlydata", ZERO),
    FACT("url", TEXT, url),
    PART("url.fragment", URL, FRAGMENT),
    PART("url.host", URL, HOST),
    MADE("url.options", NOTHING),
    PART("url.password", URL, PASSWORD),
    PART("url.path", URL, PATH),
    PART("url.port", URL, PORT),
    PART("url.query", URL, QUERY),
    PART("url.scheme", URL, SCHEME),
    PART("url.user", URL, USER),
    PART("url.zoneid", URL, ZONE),
    INFO("url_effective", EMPTY_TEXT, url),
    PART("urle.fragment", LAST_URL, FRAGMENT),
    PART("urle.host", LAST_URL, HOST),
    MADE("urle.options", NOTHING),
    PART("urle.password", LAST_URL, PASSWORD),
    PART("urle.path", LAST_URL, PATH),
    PART("urle.port", LAST_URL, PORT),
    PART("urle.query", LAST_URL, QUERY),
    PART("urle.scheme", LAST_URL, SCHEME),
    PART("urle.user", LAST_URL, USER),
    PART("urle.zoneid", LAST_URL, ZONE),
    FACT("urlnum", U64, url_number),
    INFO("xfer_id", U64, id),
};

/* What a variable comes to. */
typedef enum value_e { VALUE_NONE, VALUE_TEXT, VALUE_NUMBER, VALUE_STATUS, VALUE_TIME } value_e;

typedef struct value_s {
    value_e kind;
    const char *text;
    size_t len;
    int64_t number;
    char made[INET6_ADDRSTRLEN + 2]; /* of a port, or an address in its brackets */
} value_t;

static void set_text(value_t *value, const char *text)
{
    value->kind = VALUE_TEXT;
    value->text = text;
    value->len = strlen(text);
}

static void set_number(value_t *value, int64_t number)
{
    value->kind = VALUE_NUMBER;
    value->number = number;
}

/* ---- parts of URLs --------------------------------------------------------------------------- */

static hurl_part_t part_of(const hurl_t *url, url_part_e part)
{
    switch (part) {
    case PART_SCHEME:
        return url->scheme;
    case PART_USER:
        return url->user;
    case PART_PASSWORD:
        return url->password;
    case PART_HOST:
        return url->host;
    case PART_ZONE:
        return url->zone;
    case PART_PATH:
        return hurl_shown_path(url);
    case PART_QUERY:
        return url->query;
    case PART_FRAGMENT:
        return url->fragment;
    case PART_PORT:
        break;
    }
    return (hurl_part_t){NULL, 0};
}

/* *url is what the value points into. */
static void set_part(value_t *value, hurl_t *url, const char *text, url_part_e part)
{
    hurl_part_t found;

    if (!text || hurl_parse(url, text, strlen(text), NULL, HURL_AS_GIVEN | HURL_GUESS))
        return;
    if (part == PART_PORT) {
        if (url->port == 0)
            return;
        snprintf(value->made, sizeof(value->made), "%d", url->port);
        set_text(value, value->made);
        return;
    }
    found = part_of(url, part);
    if (!found.data || (found.len == 0 && (part == PART_QUERY || part == PART_FRAGMENT)))
        return;
    if (part == PART_HOST && url->host_kind == HURL_HOST_IPV6) {
        snprintf(value->made, sizeof(value->made), "[%.*s]", (int)found.len, found.data);
        set_text(value, value->made);
        return;
    }
    value->kind = VALUE_TEXT;
    value->text = found.data;
    value->len = found.len;
}

/* ---- values ---------------------------------------------------------------------------------- */

static const char *version_text(int version)
{
    return version == 11 ? "1.1" : version == 10 ? "1" : version == 20 ? "2" : "0";
}

static int64_t speed(uint64_t bytes, uint64_t us)
{
    if (us == 0)
        return (int64_t)bytes;
    return (int64_t)((double)bytes * 1000000 / (double)us);
}

/* What is made of more than one member. */
static void make(const variable_t *variable, const writeout_facts_t *facts,
                 const http_transfer_info_t *info, value_t *value)
{
    switch (variable->form) {
    case FORM_ZERO:
        set_number(value, 0);
        break;
    case FORM_ERROR:
        if (facts->status && facts->error)
            set_text(value, facts->error);
        break;
    case FORM_VERSION:
        set_text(value, version_text(info->version));
        break;
    case FORM_HEADERS:
        set_number(value, (int64_t)headers_last_count(facts->headers));
        break;
    case FORM_FOLLOWED: /* but for the one that was one too many */
        set_number(value, headers_followed(facts->headers));
        value->number -= facts->status == STATUS_REDIRECTS && value->number > 0;
        break;
    case FORM_DOWNLOAD_SPEED:
        set_number(value, speed(info->downloaded, info->total_us));
        break;
    case FORM_UPLOAD_SPEED:
        set_number(value, speed(info->uploaded, info->total_us));
        break;
    default:
        break;
    }
}

static void read_member(form_e form, const char *member, value_t *value)
{
    const char *text;

    switch (form) {
    case FORM_TEXT:
    case FORM_EMPTY_TEXT:
        text = *(const char *const *)(const void *)member;
        if (text && (*text || form == FORM_EMPTY_TEXT))
            set_text(value, text);
        else if (form == FORM_EMPTY_TEXT)
            set_text(value, "");
        break;
    case FORM_ADDRESS:
        set_text(value, member);
        break;
    case FORM_U16:
        set_number(value, *(const uint16_t *)(const void *)member);
        break;
    case FORM_U32:
        set_number(value, *(const uint32_t *)(const void *)member);
        break;
    case FORM_U64:
    case FORM_TIME:
        set_number(value, (int64_t) * (const uint64_t *)(const void *)member);
        value->kind = form == FORM_TIME ? VALUE_TIME : VALUE_NUMBER;
        break;
    case FORM_INT:
    case FORM_STATUS:
        set_number(value, *(const int *)(const void *)member);
        value->kind = form == FORM_STATUS ? VALUE_STATUS : VALUE_NUMBER;
        break;
    case FORM_LONG:
        set_number(value, *(const long *)(const void *)member);
        break;
    case FORM_BOOL:
        set_number(value, *(const bool *)(const void *)member);
        break;
    default:
        break;
    }
}

/* *url holds what the value may point into, and is freed by the caller. */
static void find_value(const variable_t *variable, const writeout_facts_t *facts, value_t *value,
                       hurl_t *url)
{
    const http_transfer_info_t *info = facts->info;

    *value = (value_t){.kind = VALUE_NONE};
    *url = (hurl_t){0};
    if (variable->form == FORM_URL)
        set_part(value, url, facts->url, (url_part_e)variable->offset);
    else if (variable->form == FORM_LAST_URL)
        set_part(value, url, info->url, (url_part_e)variable->offset);
    else if (variable->form >= FORM_NOTHING)
        make(variable, facts, info, value);
    else if (variable->of_info)
        read_member(variable->form, (const char *)info + variable->offset, value);
    else
        read_member(variable->form, (const char *)facts + variable->offset, value);
}

/* ---- written --------------------------------------------------------------------------------- */

static int put_plain(const value_t *value, hbytes_t *out)
{
    long long number = value->number;

    switch (value->kind) {
    case VALUE_NONE:
        return 0;
    case VALUE_TEXT:
        return hbytes_append(out, value->text, value->len);
    case VALUE_NUMBER:
        return hbytes_printf(out, "%lld", number);
    case VALUE_STATUS:
        return hbytes_printf(out, "%03lld", number);
    case VALUE_TIME:
        return hbytes_printf(out, "%lld.%06lld", number / 1000000, number % 1000000);
    }
    return 0;
}

static void put_json(const value_t *value, hjson_t *json)
{
    switch (value->kind) {
    case VALUE_NONE:
        hjson_null(json);
        break;
    case VALUE_TEXT:
        hjson_bytes(json, value->text, value->len);
        break;
    case VALUE_NUMBER:
    case VALUE_STATUS:
        hjson_int(json, value->number);
        break;
    case VALUE_TIME:
        hjson_fixed(json, value->number, 6);
        break;
    }
}

int writeout__variable(const writeout_facts_t *facts, const char *name, size_t len, hbytes_t *out)
{
    for (size_t i = 0; i < COUNT(variables); i++) {
        value_t value;
        hurl_t url;
        int err;

        if (strlen(variables[i].name) != len || memcmp(variables[i].name, name, len) != 0)
            continue;
        find_value(&variables[i], facts, &value, &url);
        err = put_plain(&value, out);
        hurl_deinit(&url);
        return err;
    }
    return -ENOENT;
}

int writeout__json(const writeout_facts_t *facts, hbytes_t *out)
{
    hjson_t json;

    hjson_init(&json, out);
    hjson_open_object(&json);
    for (size_t i = 0; i < COUNT(variables); i++) {
        value_t value;
        hurl_t url;

        find_value(&variables[i], facts, &value, &url);
        hjson_key(&json, variables[i].name);
        put_json(&value, &json);
        hurl_deinit(&url);
    }
    hjson_add_string(&json, "curl_version", facts->version);
    hjson_close(&json);
    return hjson_finish(&json);
}
