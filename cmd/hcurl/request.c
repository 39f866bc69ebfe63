#include "request.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "codec/http_date.h"
#include "net/hrate.h"
#include "status.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SPEED_S 30 /* --speed-limit alone */
#define SCHEMES_ALL (HTTP_SCHEME_HTTP | HTTP_SCHEME_HTTPS)

/* ---- texts that are owned -------------------------------------------------------------------- */

static int set_text(char **to, const char *text, size_t len)
{
    char *copy = NULL;

    if (len > 0) {
        copy = hmem_strndup(text, len);
        if (!copy)
            return -ENOMEM;
    }
    hmem_free(*to);
    *to = copy;
    return 0;
}

static int not_empty(const char *arg, hbytes_t *why)
{
    if (arg[0])
        return 0;
    hbytes_append_str(why, "needs a value that is not empty");
    return HERR_SYNTAX;
}

/* ---- options that are more than a value ------------------------------------------------------ */

static int on_method(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    request_options_t *o = opts;

    (void)option;
    o->method = arg;
    return not_empty(arg, why);
}

static int on_header(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    return request_fields_add(&((request_options_t *)opts)->fields, arg, why);
}

static int on_referer(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    request_options_t *o = opts;
    size_t len = strlen(arg);

    (void)option, (void)why;
    o->auto_referer = len >= 5 && strcmp(arg + len - 5, ";auto") == 0;
    return set_text(&o->referer, arg, o->auto_referer ? len - 5 : len);
}

/* "5" becomes "5-": a range has a dash. */
static int on_range(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    request_options_t *o = opts;
    size_t len = strlen(arg);
    char *text;
    int err = not_empty(arg, why);

    (void)option;
    if (err)
        return err;
    if (strspn(arg, "0123456789") == len) {
        text = hmem_alloc(len + 2);
        if (!text)
            return -ENOMEM;
        memcpy(text, arg, len);
        memcpy(text + len, "-", 2);
        hmem_free(o->range);
        o->range = text;
        return hbytes_append_str(why, "a range has a dash in it; one is appended");
    }
    if (arg[strspn(arg, "0123456789-,")])
        err = hbytes_append_str(why, "a range has digits, dashes and commas only; what the server "
                                     "makes of this one is its affair");
    return err ? err : set_text(&o->range, arg, len);
}

static int on_continue(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    request_options_t *o = opts;
    uint64_t from = 0;
    int err = 0;

    (void)option;
    o->resume = true;
    o->resume_from_file = strcmp(arg, "-") == 0;
    if (!o->resume_from_file)
        err = hstr_parse_u64(arg, 0, INT64_MAX, &from);
    o->resume_from = (int64_t)from;
    if (err)
        hbytes_printf(why, "'%s' is neither a number of bytes nor -", arg);
    return err;
}

/* A date, or else a file, whose date then counts. */
static int read_time(const char *text, int64_t *time_s)
{
    struct stat st;

    if (http_date_parse_loose(http_span(text), time_s) == 0)
        return 0;
    if (stat(text, &st) != 0)
        return -ENOENT;
    *time_s = st.st_mtime;
    return 0;
}

static int on_time(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    request_options_t *o = opts;
    char date[HTTP_DATE_SIZE], field[HTTP_DATE_SIZE + 32];
    bool last = arg[0] == '=';

    (void)option;
    o->condition = arg[0] == '-' ? HTTP_IF_UNMODIFIED_SINCE : HTTP_IF_MODIFIED_SINCE;
    if (read_time(arg + (arg[0] && strchr("+-=", arg[0])), &o->condition_s) != 0) {
        o->condition = HTTP_CONDITION_NONE;
        return hbytes_printf(why, "'%s' is neither a date nor a file; there is no condition", arg);
    }
    if (!last)
        return 0;
    o->condition = HTTP_CONDITION_NONE;
    snprintf(field, sizeof(field), "Last-Modified: %s", http_date_format(o->condition_s, date));
    return request_fields_add(&o->fields, field, why);
}

/* ---- schemes --------------------------------------------------------------------------------- */

/* Those that the original knows. 0: none of ours; -1: none at all. */
static int scheme_of(const char *text, size_t len)
{
    static const struct {
        const char *name;
        int scheme;
    } names[] = {{"http", HTTP_SCHEME_HTTP}, {"https", HTTP_SCHEME_HTTPS}, {"all", SCHEMES_ALL}};
    static const char others[] = ",dict,file,ftp,ftps,gopher,gophers,imap,imaps,ipfs,ipns,ldap,"
                                 "ldaps,mqtt,mqtts,pop3,pop3s,rtmp,rtsp,scp,sftp,smb,smbs,smtp,"
                                 "smtps,telnet,tftp,ws,wss,";
    char item[16];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (http_span_ieq((http_span_t){text, len}, names[i].name))
            return names[i].scheme;
    }
    if (len + 3 > sizeof(item))
        return -1;
    snprintf(item, sizeof(item), ",%.*s,", (int)len, text);
    return strcasestr(others, item) ? 0 : -1;
}

/* "=https", "-http,+https": what is said of a set that begins with what there is. */
static int parse_schemes(const char *text, unsigned *schemes, hbytes_t *why)
{
    int err = 0;

    while (!err && *text) {
        char mark = strchr("=+-", *text) ? *text++ : '+';
        size_t len = strcspn(text, ",");
        int scheme = scheme_of(text, len);

        if (scheme < 0 && len > 0)
            err = hbytes_printf(why, "%sthere is no protocol '%.*s'", why->len ? "; " : "",
                                (int)len, text);
        if (scheme < 0)
            scheme = 0;
        if (mark == '-')
            *schemes &= ~(unsigned)scheme;
        else
            *schemes = (mark == '=' ? 0 : *schemes) | (unsigned)scheme;
        text += len + (text[len] == ',');
    }
    return err;
}

static int on_schemes(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    request_options_t *o = opts;
    bool redirects = strcmp(option->long_name, "proto-redir") == 0;
    unsigned schemes = SCHEMES_ALL;
    int err = parse_schemes(arg, &schemes, why);

    if (!err && schemes == 0) {
        hbytes_printf(why, "%sthat leaves none of http and https", why->len ? "; " : "");
        err = HERR_SYNTAX;
    }
    if (redirects)
        o->redirect_schemes = schemes;
    else
        o->schemes = schemes;
    return err;
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define O request_options_t
#define ON .negatable = true

const hopt_t request_rows[] = {
    HOPT_GROUP("Request"),
    HOPT_CALL('X', "request", on_method, "send METHOD", .arg_name = "METHOD"),
    HOPT_FLAG('I', "head", O, head, "ask for the head only, and show it", ON),
    HOPT_CALL('H', "header", on_header,
              "send this field; 'NAME:' takes one away, 'NAME;' is an empty one",
              .arg_name = "LINE|@FILE"),
    HOPT_STRING('A', "user-agent", O, user_agent, "say that the program is NAME; '': nothing",
                .arg_name = "NAME"),
    HOPT_CALL('e', "referer", on_referer, "say that URL has led here; ';auto': after redirects",
              .arg_name = "URL"),
    HOPT_CALL('r', "range", on_range, "ask for these bytes: 0-99, -500, 9500-, 0-0,-1",
              .arg_name = "RANGE"),
    HOPT_CALL('C', "continue-at", on_continue, "go on at byte N; -: where the file ends",
              .arg_name = "N|-"),
    HOPT_CALL('z', "time-cond", on_time, "only what is newer than a date or a file; -: older",
              .arg_name = "TIME"),
    HOPT_STRING(0, "request-target", O, target, "put TEXT where the path would be",
                .arg_name = "TEXT", .filled = true),
    HOPT_SET('0', "http1.0", O, version, 10, "send requests of HTTP/1.0"),
    HOPT_SET(0, "http1.1", O, version, 11, "send requests of HTTP/1.1"),
    HOPT_FLAG(0, "http0.9", O, http09, "take responses without a head", ON),
    HOPT_FLAG(0, "compressed", O, compressed, "ask for a coded body, and decode it", ON),
    HOPT_FLAG(0, "tr-encoding", O, tr_encoding, "ask for a coded transfer, and decode it", ON),
    HOPT_FLAG(0, "raw", O, raw, "decode nothing, not even chunks", ON),
    HOPT_SPAN(0, "expect100-timeout", O, expect_ms, "wait so long for 100 Continue",
              .arg_name = "SECONDS", .max = INT32_MAX),
    HOPT_FLAG(0, "ignore-content-length", O, ignore_length, "do not believe Content-Length", ON),
    HOPT_FLAG(0, "disallow-username-in-url", O, no_user_in_url, "refuse URLs with a user", ON),

    HOPT_GROUP("Redirects"),
    HOPT_FLAG('L', "location", O, location, "follow redirects", ON),
    HOPT_FLAG(0, "location-trusted", O, location_trusted,
              "follow redirects, and log in wherever they lead", ON),
    HOPT_FLAG(0, "follow", O, follow, "follow redirects; the method of -X obeys them", ON),
    HOPT_INT(0, "max-redirs", O, redirects_max, -1, INT32_MAX,
             "follow at most N; -1: without an end", .arg_name = "N"),
    HOPT_FLAG(0, "post301", O, post301, "a POST stays one after 301", ON),
    HOPT_FLAG(0, "post302", O, post302, "a POST stays one after 302", ON),
    HOPT_FLAG(0, "post303", O, post303, "a POST stays one after 303", ON),
    HOPT_CALL(0, "proto", on_schemes, "use these protocols only: =https, -http",
              .arg_name = "PROTOCOLS"),
    HOPT_CALL(0, "proto-redir", on_schemes, "follow redirects to these protocols only",
              .arg_name = "PROTOCOLS"),

    HOPT_GROUP("Limits"),
    HOPT_SPAN('m', "max-time", O, total_ms, "give up after SECONDS", .arg_name = "SECONDS",
              .max = INT32_MAX),
    HOPT_UINT('Y', "speed-limit", O, speed, 0, UINT32_MAX,
              "give up below N bytes a second for --speed-time", .arg_name = "N"),
    HOPT_UINT('y', "speed-time", O, speed_s, 0, UINT32_MAX / 1000,
              "give up after SECONDS that are slower than --speed-limit", .arg_name = "SECONDS"),
    HOPT_SIZE(0, "limit-rate", O, rate, HRATE_MAX, "at most so many bytes a second, each way",
              .arg_name = "SPEED"),
    HOPT_SIZE(0, "max-filesize", O, size_max, INT64_MAX, "refuse what is larger",
              .arg_name = "BYTES"),
    HOPT_END,
};

void request_options_deinit(request_options_t *options)
{
    request_fields_deinit(&options->fields);
    hmem_free(options->referer);
    hmem_free(options->range);
    *options = (request_options_t){.method = NULL};
}

/* ---- to a transfer --------------------------------------------------------------------------- */

static void apply_redirects(const request_options_t *o, http_transfer_options_t *t)
{
    t->follow = o->location || o->location_trusted || o->follow;
    t->follow_obey = o->follow;
    t->login_anywhere = o->location_trusted;
    t->redirects_max = o->redirects_max == 0 ? HTTP_CLIENT_NO_REDIRECTS : (int)o->redirects_max;
    t->keep_post = (o->post301 ? HTTP_KEEP_POST_301 : 0) | (o->post302 ? HTTP_KEEP_POST_302 : 0) |
                   (o->post303 ? HTTP_KEEP_POST_303 : 0);
    t->schemes = o->schemes;
    t->redirect_schemes = o->redirect_schemes;
}

static void apply_limits(const request_options_t *o, http_transfer_options_t *t)
{
    t->total_ms = o->total_ms;
    t->low_speed = o->speed || !o->speed_s ? o->speed : 1;
    t->low_speed_s = o->speed_s || !o->speed ? o->speed_s : SPEED_S;
    t->receive_rate = t->send_rate = o->rate;
    t->size_max = (int64_t)o->size_max;
}

int request_apply(const request_options_t *options, http_transfer_options_t *transfer,
                  hbytes_t *error)
{
    const char *agent = options->user_agent ? options->user_agent : REQUEST_USER_AGENT;

    if (options->no_user_in_url && transfer->url->user.data != NULL) {
        hbytes_append_str(error, "there is a user in the URL, which is not allowed");
        return STATUS_LOGIN;
    }
    transfer->method = options->method;
    transfer->no_body = options->head;
    transfer->fields = options->fields.items;
    transfer->field_count = options->fields.count;
    transfer->user_agent = agent[0] ? agent : NULL;
    transfer->referer = options->referer;
    transfer->auto_referer = options->auto_referer;
    transfer->range = options->range;
    transfer->resume_from = options->resume_from;
    transfer->condition = options->condition;
    transfer->condition_s = options->condition_s;
    transfer->version = options->version == 10 ? 10 : 0;
    transfer->target = options->target;
    transfer->accept_encoding = options->compressed ? "" : NULL;
    transfer->transfer_encoding = options->tr_encoding;
    transfer->raw = options->raw;
    transfer->expect_ms = options->expect_ms;
    apply_redirects(options, transfer);
    apply_limits(options, transfer);
    return STATUS_OK;
}
