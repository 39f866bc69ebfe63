/* error_page: what is sent with a status that says no: a file of the host, or a page of ours in the
 * form that the client likes. */
#include "proto/http_page.h"
#include "site.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PAGE_MAX ((size_t)64 * 1024)

static const char *file_for(const site_settings_t *s, int status)
{
    for (const rule_t *rule = s->error_pages; rule; rule = rule->next) {
        if (rule->status == status)
            return rule->to;
    }
    return status >= 400 ? s->error_page : NULL; /* a redirect is no error */
}

static bool send_file(const site_host_t *host, http_stream_t *stream, int status)
{
    const char *name = file_for(host->settings, status);
    char path[PATH_MAX];
    int len;

    if (!name)
        return false;
    len = snprintf(path, sizeof(path), "/%s", name);
    return http_files_send(host->files, stream, (http_span_t){path, (size_t)len}, status) == 0;
}

static bool names_html(http_span_t accept)
{
    http_span_t element;

    while (accept.data && http_list_next(&accept, &element)) {
        if (element.len >= 9 && strncasecmp(element.data, "text/html", 9) == 0)
            return true;
    }
    return false;
}

/* A page is for who names HTML, as browsers do; a program that takes anything gets a line. */
static http_page_type_e form_for(const http_stream_t *stream)
{
    http_span_t accept = http_request_field(stream, HTTP_FIELD_ACCEPT);
    http_page_type_e type = http_page_choose(accept);

    return type == HTTP_PAGE_HTML && !names_html(accept) ? HTTP_PAGE_TEXT : type;
}

static void send_page(http_stream_t *stream, int status, const char *detail)
{
    http_page_type_e type = form_for(stream);
    http_page_error_t page = {.status = status,
                              .reason = http_status_text(status),
                              .detail = detail,
                              .server = HHTTPD_SERVER};
    hbytes_t body;

    hbytes_init(&body, PAGE_MAX);
    if (http_page_error(type, &page, &body) != 0)
        hbytes_clear(&body);
    http_response_status(stream, status);
    http_response_set(stream, HTTP_SPAN("Content-Type"), http_span(http_page_content_type(type)));
    http_response_set(stream, HTTP_SPAN("X-Content-Type-Options"), HTTP_SPAN("nosniff"));
    http_response_add(stream, HTTP_SPAN("Vary"), HTTP_SPAN("Accept"));
    if (type == HTTP_PAGE_HTML)
        http_response_set(stream, HTTP_SPAN("Content-Security-Policy"),
                          http_span(http_page_csp(0)));
    http_response_send(stream, body.data, body.len);
    hbytes_deinit(&body);
}

void error_page_send(http_stream_t *stream, int status, const char *detail, void *site)
{
    (void)site;
    if (!send_file(site_host_of(stream), stream, status))
        send_page(stream, status, detail);
}
