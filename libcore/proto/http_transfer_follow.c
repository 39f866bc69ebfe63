/* What follows from a response: an answer to its challenge, the place it sends to, the same request
 * once more; or it is the last one (RFC 9110 section 15.4). */
#include "http_client_int.h"

#include "../base/hmem.h"
#include "../codec/http_date.h"

#include <ctype.h>
#include <time.h>

static http_span_t find(const http_exchange_response_t *response, http_field_e id)
{
    return http_field_value(response->fields, response->field_count, id);
}

/* ---- redirects ------------------------------------------------------------------------------- */

/* For the program that does not follow it: where it would have led. */
static void note_redirect(http_transfer_t *t)
{
    hurl_t url = {0};

    hmem_free(t->redirect_url);
    t->redirect_url = NULL;
    if (hurl_parse(&url, t->location, strlen(t->location), t->url, HURL_AS_GIVEN | HURL_LOCATION) ==
        0) {
        t->redirect_url = url.text;
        url.text = NULL;
    } else {
        t->redirect_url = hmem_strdup(t->location);
    }
    hurl_deinit(&url);
}

/* Whether no other Location says something else: who follows one of two may be led. */
static bool is_only(const http_exchange_response_t *response, http_span_t location)
{
    for (size_t i = 0; i < response->field_count; i++) {
        const http_field_t *field = &response->fields[i];

        if (field->id == HTTP_FIELD_LOCATION &&
            (field->value.len != location.len ||
             memcmp(field->value.data, location.data, location.len) != 0))
            return false;
    }
    return true;
}

static bool is_redirect(http_transfer_t *t, const http_exchange_response_t *response)
{
    http_span_t location = find(response, HTTP_FIELD_LOCATION);

    hmem_free(t->location);
    t->location = NULL;
    if (response->status / 100 != 3 || location.len == 0)
        return false;
    t->location = hmem_strndup(location.data, location.len);
    if (!t->location)
        http_transfer__fail(t, HTTP_FAULT_MEMORY, "%s", herr_str(-ENOMEM));
    return t->location != NULL;
}

static http_hop_e judge_redirect(http_transfer_t *t)
{
    int limit = t->options.redirects_max ? t->options.redirects_max : HTTP_CLIENT_REDIRECTS_MAX;

    if (!t->options.follow) {
        note_redirect(t);
        return HTTP_HOP_FINAL;
    }
    if (limit != -1 &&
        t->info.redirects >= (uint32_t)(limit == HTTP_CLIENT_NO_REDIRECTS ? 0 : limit)) {
        note_redirect(t);
        t->too_many = true;
    }
    return HTTP_HOP_REDIRECT;
}

/* A body that is not repeated is dropped with the method (RFC 9110 section 15.4.2 to 15.4.4). */
static void set_method(http_transfer_t *t)
{
    unsigned keep = t->options.keep_post;
    bool post = t->kind == HTTP_KIND_POST;
    bool to_get = false;

    switch (t->info.status) {
    case 301:
        to_get = post && !(keep & HTTP_KEEP_POST_301);
        break;
    case 302:
        to_get = post && !(keep & HTTP_KEEP_POST_302);
        break;
    case 303:
        to_get = !post || !(keep & HTTP_KEEP_POST_303);
        break;
    default:
        break;
    }
    if (t->options.follow_obey && t->custom_method && to_get)
        t->custom_method = false;
    if (!to_get || t->kind == HTTP_KIND_HEAD)
        return;
    if (t->kind != HTTP_KIND_GET)
        http_transfer__info(t, "Switch to GET because of %d response", t->info.status);
    t->kind = HTTP_KIND_GET;
    t->body_dropped = true;
}

static int set_referer(http_transfer_t *t)
{
    hbytes_t text = {0};

    if (!t->options.auto_referer)
        return 0;
    if (http_transfer__write_url(t->url, &text) < 0)
        return -ENOMEM;
    hmem_free(t->referer);
    t->referer = hbytes_take(&text, NULL);
    return t->referer ? 0 : -ENOMEM;
}

static bool same_server(const hurl_t *a, const hurl_t *b)
{
    return a->port == b->port && http_client__is_secure(a) == http_client__is_secure(b) &&
           http_client__same_host(a, b);
}

/* That of an URL, which is another server's. */
static void forget_login(http_transfer_t *t)
{
    t->login.user = t->login.password = NULL;
    hmem_free(t->user);
    hmem_free(t->password);
    t->user = t->password = NULL;
}

int http_transfer__move(http_transfer_t *t)
{
    hurl_t url = {0};
    unsigned flags = HURL_AS_GIVEN | HURL_LOCATION | (t->options.path_as_is ? HURL_PATH_AS_IS : 0);
    int err;

    if (t->too_many) {
        http_transfer__fail(t, HTTP_FAULT_REDIRECTS, "Maximum (%u) redirects followed",
                            t->info.redirects);
        return -ELOOP;
    }
    err = hurl_parse(&url, t->location, strlen(t->location), t->url, flags);
    if (err < 0) {
        http_transfer__fail(t, HTTP_FAULT_URL, "the redirect leads to no URL: \"%.200s\"",
                            t->location);
        return err;
    }
    if (set_referer(t) < 0 || !http_transfer__allows(t, t->options.redirect_schemes, &url)) {
        http_transfer__fail(t, HTTP_FAULT_MEMORY, "out of memory");
        hurl_deinit(&url);
        return -EPROTONOSUPPORT;
    }
    if (!same_server(&url, t->url)) {
        unsigned picked = t->options.login_anywhere ? t->host.picked : 0;

        t->host = (http_login_state_t){.picked = picked};
        t->settled = false;
        forget_login(t); /* login_anywhere is for that of the options */
    }
    set_method(t);
    hurl_deinit(&t->moved);
    t->moved = url;
    t->url = &t->moved;
    t->info.redirects++;
    http_transfer__info(t, "Issue another request to this URL: '%s'", t->url->text);
    return 0;
}

/* ---- the last one ---------------------------------------------------------------------------- */

/* A server that knows no conditions answers in full: as if it had said 304. */
static bool is_unwanted(const http_transfer_t *t, const http_exchange_response_t *response)
{
    http_span_t date = find(response, HTTP_FIELD_LAST_MODIFIED);
    int64_t at_s;

    if (t->options.condition == HTTP_CONDITION_NONE || response->status / 100 != 2 || !date.data ||
        t->options.range || http_date_parse(date, time(NULL), &at_s) < 0)
        return false;
    return t->options.condition == HTTP_IF_MODIFIED_SINCE ? at_s <= t->options.condition_s
                                                          : at_s > t->options.condition_s;
}

/* Whether what comes begins elsewhere than asked for: it would be put in the wrong place. Only the
 * first number counts, for servers that get the rest wrong. */
static bool begins_elsewhere(http_span_t content_range, int64_t from)
{
    int64_t first = 0;
    size_t i = 0;

    while (i < content_range.len && !isdigit((unsigned char)content_range.data[i]))
        i++;
    if (i == content_range.len)
        return false;
    for (; i < content_range.len && isdigit((unsigned char)content_range.data[i]); i++) {
        if (first > (INT64_MAX - 9) / 10)
            return true;
        first = first * 10 + (content_range.data[i] - '0');
    }
    return first != from;
}

static void check_resumed(http_transfer_t *t, const http_exchange_response_t *response)
{
    int64_t from = t->options.resume_from;
    http_span_t range;

    if (from <= 0 || t->kind != HTTP_KIND_GET)
        return;
    if (response->status == 416 || response->content_length == from) {
        if (response->status == 416 || response->status == 200) {
            http_transfer__info(t, "The file is there already, all of it");
            t->ignore_body = true;
        }
        return;
    }
    range = find(response, HTTP_FIELD_CONTENT_RANGE);
    if (range.data && begins_elsewhere(range, from))
        http_transfer__fail(t, HTTP_FAULT_RANGE,
                            "the server sends another range than was asked for: %.*s",
                            (int)range.len, range.data);
    else if ((response->status / 100 == 2 || response->has_body) && !range.data)
        http_transfer__fail(t, HTTP_FAULT_RANGE,
                            "the server does not know ranges: what is there cannot be continued "
                            "(take -C away to load all of it)");
}

static bool is_failure(const http_transfer_t *t, int status)
{
    if (!t->options.fail_on_status || status < 400)
        return false;
    return !(status == 416 && t->options.resume_from > 0 && t->kind == HTTP_KIND_GET);
}

static void judge_last(http_transfer_t *t, const http_exchange_response_t *response)
{
    http_span_t type = find(response, HTTP_FIELD_CONTENT_TYPE);

    hmem_free(t->content_type);
    t->content_type = type.data ? hmem_strndup(type.data, type.len) : NULL;
    if (response->has_body)
        t->info.download_total = response->content_length;
    if (is_failure(t, response->status)) {
        http_transfer__fail(t, HTTP_FAULT_STATUS, "The requested URL returned error: %d",
                            response->status);
        return;
    }
    check_resumed(t, response);
    if (is_unwanted(t, response)) {
        http_transfer__info(t, "The document is not new enough");
        t->ignore_body = true;
        t->info.condition_unmet = true;
        t->info.status = 304;
    }
    if (t->options.size_max > 0 && response->content_length > t->options.size_max &&
        !t->ignore_body)
        http_transfer__fail(t, HTTP_FAULT_SIZE,
                            "the file has %lld bytes, more than the %lld that are allowed",
                            (long long)response->content_length, (long long)t->options.size_max);
}

http_hop_e http_transfer__judge(http_transfer_t *t, const http_exchange_response_t *response)
{
    int status = response->status;
    bool redirect;

    if (response->version > 11) {
        http_transfer__fail(t, HTTP_FAULT_VERSION, "the server speaks HTTP/%d.%d",
                            response->version / 10, response->version % 10);
        return HTTP_HOP_FINAL;
    }

    if (!is_only(response, find(response, HTTP_FIELD_LOCATION))) {
        http_transfer__fail(t, HTTP_FAULT_REPLY, "the response has two different Locations");
        return HTTP_HOP_FINAL;
    }
    http_transfer__keep(t, response);
    if ((status == 401 || status == 407) && http_transfer__challenge(t, response))
        return HTTP_HOP_CHALLENGE;
    if (t->probe && status < 300) {
        t->settled = true;
        return HTTP_HOP_AGAIN;
    }
    if (status == 417 && t->expects && !t->no_expect) {
        t->no_expect = true;
        return HTTP_HOP_AGAIN;
    }
    redirect = is_redirect(t, response);
    if (redirect && judge_redirect(t) == HTTP_HOP_REDIRECT)
        return HTTP_HOP_REDIRECT;
    judge_last(t, response);
    return HTTP_HOP_FINAL;
}
