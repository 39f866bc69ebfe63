/* One thread. */
#include "codec/sse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

/* What a client makes of a stream, by the steps of the standard: "name|id|data" for each event that
 * it dispatches. */
typedef struct reader_s {
    char data[4096], name[256], id[256];
    char events[8192];
    char retry[32];
} reader_t;

static void dispatch(reader_t *r)
{
    size_t len = strlen(r->data);

    if (len > 0) {
        r->data[len - 1] = '\0';
        snprintf(r->events + strlen(r->events), sizeof(r->events) - strlen(r->events), "[%s|%s|%s]",
                 r->name[0] ? r->name : "message", r->id, r->data);
    }
    r->data[0] = '\0';
    r->name[0] = '\0';
}

static void take_field(reader_t *r, const char *field, const char *value)
{
    if (strcmp(field, "data") == 0)
        snprintf(r->data + strlen(r->data), sizeof(r->data) - strlen(r->data), "%s\n", value);
    else if (strcmp(field, "event") == 0)
        snprintf(r->name, sizeof(r->name), "%s", value);
    else if (strcmp(field, "id") == 0)
        snprintf(r->id, sizeof(r->id), "%s", value);
    else if (strcmp(field, "retry") == 0)
        snprintf(r->retry, sizeof(r->retry), "%s", value);
    else
        fail_msg("a field that does not exist: %s", field);
}

static void take_line(reader_t *r, char *line)
{
    char *colon = strchr(line, ':');

    if (!line[0])
        dispatch(r);
    else if (colon == line)
        return;
    else if (colon) {
        *colon = '\0';
        take_field(r, line, colon[1] == ' ' ? colon + 2 : colon + 1);
    } else {
        take_field(r, line, "");
    }
}

static void reads(const hbytes_t *out, reader_t *r)
{
    char *text = strdup(out->data), *at = text, *end;

    memset(r, 0, sizeof(*r));
    while ((end = strpbrk(at, "\r\n"))) {
        size_t len = end[0] == '\r' && end[1] == '\n' ? 2 : 1;

        *end = '\0';
        take_line(r, at);
        at = end + len;
    }
    assert_string_equal(at, "");
    free(text);
}

static void writes(const sse_event_t *event, const char *text)
{
    hbytes_t out = {0};

    assert_int_equal(sse_write(&out, event), 0);
    assert_string_equal(out.data, text);
    hbytes_deinit(&out);
}

/* What the client gets as data. */
static void carries(const char *data, const char *expected)
{
    sse_event_t event = {.data = http_span(data)};
    hbytes_t out = {0};
    char wanted[256];
    reader_t r;

    assert_int_equal(sse_write(&out, &event), 0);
    reads(&out, &r);
    snprintf(wanted, sizeof(wanted), "[message||%s]", expected);
    assert_string_equal(r.events, wanted);
    hbytes_deinit(&out);
}

static void an_event_has_its_fields(void **state)
{
    (void)state;
    writes(&(sse_event_t){.data = HTTP_SPAN("x")}, "data: x\n\n");
    writes(&(sse_event_t){.name = "reload", .data = HTTP_SPAN("")}, "event: reload\ndata: \n\n");
    writes(&(sse_event_t){.name = "n", .id = "7", .data = HTTP_SPAN("a\nb"), .retry_ms = 1500},
           "retry: 1500\nid: 7\nevent: n\ndata: a\ndata: b\n\n");
    writes(&(sse_event_t){.retry_ms = 10}, "retry: 10\n\n");
    writes(&(sse_event_t){.id = ""}, "id: \n\n");
}

static void every_line_end_cuts_data(void **state)
{
    (void)state;
    carries("", "");
    carries(" x", " x");
    carries("a\nb", "a\nb");
    carries("a\rb", "a\nb");
    carries("a\r\nb", "a\nb");
    carries("a\n\rb", "a\n\nb");
    carries("a\n", "a\n");
    carries("\r\n", "\n");
    carries("\r", "\n");
    carries("event: x\nid: y\n\ndata: z", "event: x\nid: y\n\ndata: z");
    carries(": x\n:", ": x\n:");
}

static void events_follow_each_other(void **state)
{
    hbytes_t out = {0};
    reader_t r;

    (void)state;
    assert_int_equal(sse_write(&out, &(sse_event_t){.retry_ms = 5}), 0);
    assert_int_equal(sse_write_comment(&out, HTTP_SPAN("data: no\nid: 3")), 0);
    assert_int_equal(sse_write(&out, &(sse_event_t){.id = "1", .data = HTTP_SPAN("a")}), 0);
    assert_int_equal(sse_write_comment(&out, (http_span_t){0}), 0);
    assert_int_equal(sse_write(&out, &(sse_event_t){.name = "n", .data = HTTP_SPAN("b")}), 0);
    reads(&out, &r);
    assert_string_equal(r.events, "[message|1|a][n|1|b]");
    assert_string_equal(r.retry, "5");
    hbytes_deinit(&out);
}

static void refuses(const sse_event_t *event)
{
    hbytes_t out = {0};

    assert_int_equal(hbytes_append_str(&out, "before"), 0);
    assert_int_equal(sse_write(&out, event), -EINVAL);
    assert_string_equal(out.data, "before");
    hbytes_deinit(&out);
}

static void what_would_be_another_field_is_refused(void **state)
{
    (void)state;
    refuses(&(sse_event_t){.name = "a\ndata: x", .data = HTTP_SPAN("")});
    refuses(&(sse_event_t){.name = "a\r", .data = HTTP_SPAN("")});
    refuses(&(sse_event_t){.id = "\n", .data = HTTP_SPAN("")});
    refuses(&(sse_event_t){.id = "1\r2", .data = HTTP_SPAN("")});
    refuses(&(sse_event_t){.name = "unheard"});
}

static void an_event_that_does_not_fit_leaves_nothing(void **state)
{
    const sse_event_t event = {.name = "n", .id = "7", .data = HTTP_SPAN("a\nb"), .retry_ms = 1};
    const char *whole = "retry: 1\nid: 7\nevent: n\ndata: a\ndata: b\n\n";
    hbytes_t out;

    (void)state;
    for (size_t size = 3; size < 3 + strlen(whole); size++) {
        hbytes_init(&out, size);
        assert_int_equal(hbytes_append_str(&out, "xyz"), 0);
        assert_int_equal(sse_write(&out, &event), -ENOBUFS);
        assert_string_equal(out.data, "xyz");
        assert_int_equal(out.len, 3);
        hbytes_deinit(&out);
    }
    hbytes_init(&out, strlen(whole));
    assert_int_equal(sse_write(&out, &event), 0);
    assert_int_equal(sse_write_comment(&out, HTTP_SPAN("x")), -ENOBUFS);
    assert_string_equal(out.data, whole);
    hbytes_deinit(&out);
}

static int scenario(void *arg)
{
    static char text[5000];
    hbytes_t out = {0};
    int err;

    (void)arg;
    memset(text, 'x', sizeof(text));
    err = sse_write(&out, &(sse_event_t){.name = "n", .data = {text, sizeof(text)}});
    if (!err)
        err = sse_write_comment(&out, (http_span_t){text, sizeof(text)});
    hbytes_deinit(&out);
    return err;
}

static void without_memory(void **state)
{
    (void)state;
    oom_run(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_its_fields),
        cmocka_unit_test(every_line_end_cuts_data),
        cmocka_unit_test(events_follow_each_other),
        cmocka_unit_test(what_would_be_another_field_is_refused),
        cmocka_unit_test(an_event_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
