#include "http_page_int.h"

#include <stdio.h>

#include "../base/hjson.h"
#include "../base/hstr.h"
#include "../codec/http_accept.h"

#define DETAIL_TEXT_SIZE 4096

#define POLICY(scripts)                                                                            \
    "default-src 'none'; style-src " HTTP_PAGE_STYLE_HASH scripts                                  \
    "; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/* A folder, in the colour that folders have. */
#define FAVICON                                                                                    \
    "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' "      \
    "viewBox='0 0 24 24'%3E%3Cpath fill='%23d9982a' d='M2 6a2 2 0 0 1 2-2h5l2.5 3H20a2 2 0 0 1 2 " \
    "2v9a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2z'/%3E%3C/svg%3E\">\n"

const char *http_page_csp(unsigned scripts)
{
    static const char *const policies[] = {
        POLICY(""),
        POLICY("; script-src " HTTP_PAGE_UPLOAD_HASH "; connect-src 'self'"),
        POLICY("; script-src " HTTP_PAGE_RELOAD_HASH "; connect-src 'self'"),
        POLICY("; script-src " HTTP_PAGE_UPLOAD_HASH " " HTTP_PAGE_RELOAD_HASH
               "; connect-src 'self'"),
    };

    return policies[scripts & (HTTP_PAGE_UPLOAD_SCRIPT | HTTP_PAGE_RELOAD_SCRIPT)];
}

http_page_type_e http_page_choose(http_span_t accept)
{
    static const char *const offers[] = {
        [HTTP_PAGE_HTML] = "text/html",
        [HTTP_PAGE_JSON] = "application/json",
        [HTTP_PAGE_TEXT] = "text/plain",
    };
    int chosen = http_accept_choose(HTTP_ACCEPT_TYPE, accept, offers, 3);

    return chosen < 0 ? HTTP_PAGE_HTML : (http_page_type_e)chosen;
}

const char *http_page_content_type(http_page_type_e type)
{
    switch (type) {
    case HTTP_PAGE_JSON:
        return "application/json";
    case HTTP_PAGE_TEXT:
        return "text/plain; charset=utf-8";
    case HTTP_PAGE_HTML:
        break;
    }
    return "text/html; charset=utf-8";
}

/* ---- text ------------------------------------------------------------------------------------ */

/* U+202A..202E and U+2066..2069: embeddings, overrides and isolates. */
static bool turns_direction(const unsigned char *s, size_t len)
{
    return len == 3 && s[0] == 0xe2 &&
           ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
            (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

static bool is_c1(const unsigned char *s, size_t len)
{
    return len == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

/* What stands for the character of len bytes (0: not UTF-8) at s, NULL: itself. */
static const char *replacement(const unsigned char *s, size_t len, char picture[4])
{
    switch (*s) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        break;
    }
    if (*s < 0x20 || *s == 0x7f) {
        picture[0] = '\xe2';
        picture[1] = '\x90';
        picture[2] = *s == 0x7f ? '\xa1' : (char)(0x80 + *s);
        picture[3] = '\0';
        return picture;
    }
    return len == 0 || is_c1(s, len) || turns_direction(s, len) ? "\xef\xbf\xbd" : NULL;
}

int http_page_text(hbytes_t *out, const void *text, size_t len)
{
    const unsigned char *s = text;
    size_t start = 0, i = 0;
    int err = 0;

    while (i < len && !err) {
        size_t n = hstr_utf8_len(s + i, len - i);
        char picture[4];
        const char *instead = replacement(s + i, n, picture);

        if (instead) {
            err = hbytes_append(out, s + start, i - start);
            err = err ? err : hbytes_append_str(out, instead);
            start = i + (n ? n : 1);
        }
        i += n ? n : 1;
    }
    return err ? err : hbytes_append(out, s + start, len - start);
}

/* ---- parts of a page ------------------------------------------------------------------------- */

int http_page_begin(hbytes_t *out, const char *title)
{
    return http_page_begin_with(out, title, "");
}

int http_page_begin_with(hbytes_t *out, const char *title, const char *head)
{
    http_page_writer_t w = {out, 0};

    http_page__put(&w, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                       "<title>");
    http_page__put_text(&w, title);
    http_page__put(&w, "</title>\n" FAVICON "<style>");
    http_page__put(&w, http_page__style);
    http_page__put(&w, "</style>\n");
    http_page__put(&w, head);
    http_page__put(&w, "</head>\n<body>\n");
    return w.err;
}

int http_page_end(hbytes_t *out, const char *server)
{
    http_page_writer_t w = {out, 0};

    if (server) {
        http_page__put(&w, "<footer>");
        http_page__put_text(&w, server);
        http_page__put(&w, "</footer>\n");
    }
    http_page__put(&w, "</body>\n</html>\n");
    return w.err;
}

int http_page_reload_script(hbytes_t *out, const char *events_url)
{
    http_page_writer_t w = {out, 0};

    http_page__put(&w, "<script data-events=\"");
    http_page__put_text(&w, events_url);
    http_page__put(&w, "\">");
    http_page__put(&w, http_page__reload);
    http_page__put(&w, "</script>\n");
    return w.err;
}

int http_page_upload_script(hbytes_t *out)
{
    http_page_writer_t w = {out, 0};

    http_page__put(&w, "<script>");
    http_page__put(&w, http_page__upload);
    http_page__put(&w, "</script>\n");
    return w.err;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static int error_html(const http_page_error_t *error, hbytes_t *out)
{
    http_page_writer_t w = {out, 0};
    char title[128];

    snprintf(title, sizeof(title), "%d %s", error->status, error->reason);
    w.err = http_page_begin(out, title);
    if (!w.err)
        w.err =
            hbytes_printf(out, "<main><div class=\"card error\"><b>%d</b>\n<h1>", error->status);
    http_page__put_text(&w, error->reason);
    http_page__put(&w, "</h1>\n");
    if (error->detail) {
        http_page__put(&w, "<p>");
        http_page__put_text(&w, error->detail);
        http_page__put(&w, "</p>\n");
    }
    http_page__put(&w, "</div></main>\n");
    return w.err ? w.err : http_page_end(out, error->server);
}

static int error_json(const http_page_error_t *error, hbytes_t *out)
{
    hjson_t j;
    int err;

    hjson_init(&j, out);
    hjson_open_object(&j);
    hjson_key(&j, "status");
    hjson_int(&j, error->status);
    hjson_add_string(&j, "error", error->reason);
    if (error->detail)
        hjson_add_string(&j, "detail", error->detail);
    hjson_close(&j);
    err = hjson_finish(&j);
    return err ? err : hbytes_append_char(out, '\n');
}

/* Whoever asks for text may print it: nothing in it commands a terminal. */
static int error_text(const http_page_error_t *error, hbytes_t *out)
{
    char detail[DETAIL_TEXT_SIZE];
    int err = hbytes_printf(out, "%d %s\n", error->status, error->reason);

    if (err || !error->detail)
        return err;
    hstr_escape(detail, sizeof(detail), error->detail, strlen(error->detail));
    return hbytes_printf(out, "%s\n", detail);
}

int http_page_error(http_page_type_e type, const http_page_error_t *error, hbytes_t *out)
{
    switch (type) {
    case HTTP_PAGE_JSON:
        return error_json(error, out);
    case HTTP_PAGE_TEXT:
        return error_text(error, out);
    case HTTP_PAGE_HTML:
        break;
    }
    return error_html(error, out);
}
