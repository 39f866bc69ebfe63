/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "loop_test.h"
#include "oom.h"
#include "proto/http_form.h"

#include <unistd.h>

/* ---- helpers --------------------------------------------------------------------------------- */

static http_source_t *text_source(const char *text)
{
    http_source_t *source;

    assert_int_equal(http_source_memory(text, strlen(text), &source), 0);
    return source;
}

static http_form_t *new_form(unsigned flags)
{
    http_form_t *form;

    assert_int_equal(http_form_new(flags, &form), 0);
    return form;
}

static void add_text(http_form_t *form, const http_form_part_t *part, const char *text)
{
    assert_int_equal(http_form_add(form, part, text_source(text)), 0);
}

/* Puts a boundary in the place of each '@'. */
static void with_boundary(const char *text, const char *boundary, hbytes_t *out)
{
    for (; *text; text++)
        assert_int_equal(
            *text == '@' ? hbytes_append_str(out, boundary) : hbytes_append_char(out, *text), 0);
}

static void read_all(http_source_t *source, size_t piece, hbytes_t *out)
{
    char buf[512];
    ssize_t n;

    assert_true(piece <= sizeof(buf));
    while ((n = http_source_read(source, buf, piece)) > 0)
        assert_int_equal(hbytes_append(out, buf, (size_t)n), 0);
    assert_int_equal(n, 0);
}

/* The form is what text says, in pieces of any size, and as long as it says; and is freed. */
static void gives(http_form_t *form, const char *text, bool known)
{
    hbytes_t expected = {0}, got = {0};
    http_source_t *source;

    with_boundary(text, http_form_boundary(form), &expected);
    assert_int_equal(http_form_source(form, &source), 0);
    assert_true(http_source_length(source) == (known ? (int64_t)expected.len : HTTP_BODY_UNKNOWN));
    for (size_t piece = 1; piece < 512; piece += piece < 20 ? 1 : 100) {
        hbytes_clear(&got);
        assert_int_equal(http_source_rewind(source), 0);
        read_all(source, piece, &got);
        assert_string_equal(got.data, expected.data);
    }
    http_source_free(source);
    hbytes_deinit(&expected);
    hbytes_deinit(&got);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void a_boundary_is_of_dashes_and_chance(void **state)
{
    http_form_t *a = new_form(0), *b = new_form(0);
    const char *boundary = http_form_boundary(a);

    (void)state;
    assert_int_equal(strlen(boundary), HTTP_FORM_BOUNDARY_LEN);
    assert_int_equal(strspn(boundary, "-"), HTTP_FORM_BOUNDARY_DASHES);
    assert_string_not_equal(boundary, http_form_boundary(b));
    http_form_free(a);
    http_form_free(b);
    http_form_free(NULL);
}

static void parts_have_fields(void **state)
{
    static const char *const fields[] = {"X-A: b", "content-type: not/this"};
    http_form_t *form = new_form(0);

    (void)state;
    add_text(form, &(http_form_part_t){.name = "a"}, "hello");
    add_text(form, &(http_form_part_t){.name = "f", .filename = "x.bin", .type = "a/b"}, "");
    add_text(form,
             &(http_form_part_t){.name = "h",
                                 .type = "a/b",
                                 .fields = fields,
                                 .field_count = 2,
                                 .encoding = HTTP_FORM_8BIT},
             "x");
    gives(form,
          "--@\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n"
          "--@\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.bin\"\r\n"
          "Content-Type: a/b\r\n\r\n\r\n"
          "--@\r\nContent-Disposition: form-data; name=\"h\"\r\nContent-Type: a/b\r\n"
          "Content-Transfer-Encoding: 8bit\r\nX-A: b\r\n\r\nx\r\n--@--\r\n",
          true);
}

static void a_parts_own_fields_take_the_place_of_others(void **state)
{
    static const char *const fields[] = {"Content-Disposition: x", "Content-Transfer-Encoding: y",
                                         "Content-Type:  z/z"};
    http_form_t *form = new_form(0);

    (void)state;
    add_text(form,
             &(http_form_part_t){
                 .name = "n", .fields = fields, .field_count = 3, .encoding = HTTP_FORM_BINARY},
             "x");
    gives(form,
          "--@\r\nContent-Type: z/z\r\nContent-Disposition: x\r\nContent-Transfer-Encoding: y\r\n"
          "\r\nx\r\n--@--\r\n",
          true);
}

static void names_are_escaped(void **state)
{
    const http_form_part_t part = {.name = "a\"b\\", .filename = "c\r\nd"};
    http_form_t *form = new_form(0);
    http_source_t *body = text_source("");

    (void)state;
    add_text(form, &part, "");
    gives(form,
          "--@\r\nContent-Disposition: form-data; name=\"a%22b\\\"; filename=\"c%0D%0Ad\"\r\n\r\n"
          "\r\n--@--\r\n",
          true);
    form = new_form(HTTP_FORM_ESCAPE);
    assert_int_equal(http_form_add(form, &part, body), -EINVAL);
    http_source_free(body);
    add_text(form, &(http_form_part_t){.name = "a\"b\\"}, "");
    gives(form, "--@\r\nContent-Disposition: form-data; name=\"a\\\"b\\\\\"\r\n\r\n\r\n--@--\r\n",
          true);
}

static void fields_have_no_line_ends(void **state)
{
    static const char *const fields[] = {"a: b\r\nc: d"};
    http_form_t *form = new_form(0);
    http_source_t *body = text_source("");

    (void)state;
    assert_int_equal(http_form_add(form, &(http_form_part_t){.type = "a/b\n"}, body), -EINVAL);
    assert_int_equal(
        http_form_add(form, &(http_form_part_t){.fields = fields, .field_count = 1}, body),
        -EINVAL);
    http_source_free(body);
    http_form_free(form);
}

static void a_form_may_lie_in_a_form(void **state)
{
    http_form_t *form = new_form(0), *inner = new_form(HTTP_FORM_MIXED);
    hbytes_t expected = {0};
    char boundary[HTTP_FORM_BOUNDARY_LEN + 1];

    (void)state;
    memcpy(boundary, http_form_boundary(inner), sizeof(boundary));
    add_text(inner, &(http_form_part_t){.filename = "x"}, "1");
    add_text(inner, &(http_form_part_t){.type = "a/b"}, "2");
    add_text(inner, &(http_form_part_t){0}, "3");
    assert_int_equal(http_form_add_form(form, &(http_form_part_t){.name = "n"}, inner), 0);
    with_boundary("Content-Type: multipart/mixed; boundary=@\r\n\r\n"
                  "--@\r\nContent-Disposition: attachment; filename=\"x\"\r\n\r\n1\r\n"
                  "--@\r\nContent-Type: a/b\r\n\r\n2\r\n--@\r\n\r\n3\r\n--@--\r\n",
                  boundary, &expected);
    {
        hbytes_t all = {0};

        hbytes_printf(&all, "--@\r\nContent-Disposition: form-data; name=\"n\"\r\n%s\r\n--@--\r\n",
                      expected.data);
        gives(form, all.data, true);
        hbytes_deinit(&all);
    }
    hbytes_deinit(&expected);
}

static void a_form_may_be_empty(void **state)
{
    (void)state;
    gives(new_form(0), "--@--\r\n", true);
}

static void forms_do_not_nest_for_ever(void **state)
{
    http_form_t *form = new_form(0);
    int err = 0;

    (void)state;
    for (int i = 1; i < HTTP_FORM_DEPTH_MAX; i++) {
        http_form_t *outer = new_form(0);

        assert_int_equal(http_form_add_form(outer, &(http_form_part_t){0}, form), 0);
        form = outer;
    }
    {
        http_form_t *outer = new_form(0);

        err = http_form_add_form(outer, &(http_form_part_t){0}, form);
        http_form_free(outer);
    }
    assert_int_equal(err, -ENOBUFS);
}

/* ---- encodings ------------------------------------------------------------------------------- */

static void encodes(http_form_encoding_e encoding, const char *text, const char *expected)
{
    http_source_t *source;
    hbytes_t got = {0};
    int64_t len;

    assert_int_equal(http_form_encode(encoding, text_source(text), &source), 0);
    len = http_source_length(source);
    assert_true(len == (int64_t)strlen(expected) || len == HTTP_BODY_UNKNOWN);
    for (size_t piece = 1; piece < 100; piece += 3) {
        hbytes_clear(&got);
        assert_int_equal(http_source_rewind(source), 0);
        read_all(source, piece, &got);
        assert_string_equal(got.data ? got.data : "", expected);
    }
    http_source_free(source);
    hbytes_deinit(&got);
}

#define A57 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A57_BASE64 "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"

static void base64_comes_in_lines(void **state)
{
    (void)state;
    encodes(HTTP_FORM_BASE64, "", "");
    encodes(HTTP_FORM_BASE64, "a", "YQ==");
    encodes(HTTP_FORM_BASE64, "abcd", "YWJjZA==");
    encodes(HTTP_FORM_BASE64, A57, A57_BASE64);
    encodes(HTTP_FORM_BASE64, A57 "a", A57_BASE64 "\r\nYQ==");
    encodes(HTTP_FORM_BASE64, A57 A57, A57_BASE64 "\r\n" A57_BASE64);
}

#define A75 A57 "aaaaaaaaaaaaaaaaaa"

static void quoted_printable_breaks_lines(void **state)
{
    (void)state;
    encodes(HTTP_FORM_QUOTED_PRINTABLE, "", "");
    encodes(HTTP_FORM_QUOTED_PRINTABLE, "a=b\xc3\xa4~", "a=3Db=C3=A4~");
    encodes(HTTP_FORM_QUOTED_PRINTABLE, "a \r\nb\t\r\nc ", "a=20\r\nb=09\r\nc=20");
    encodes(HTTP_FORM_QUOTED_PRINTABLE, "a b\tc\rd\ne", "a b\tc=0Dd=0Ae");
    encodes(HTTP_FORM_QUOTED_PRINTABLE, A75 "a", A75 "a");
    encodes(HTTP_FORM_QUOTED_PRINTABLE, A75 "a\r\nb", A75 "a\r\nb");
    encodes(HTTP_FORM_QUOTED_PRINTABLE, A75 "ab", A75 "=\r\nab");
    encodes(HTTP_FORM_QUOTED_PRINTABLE, A75 "=", A75 "=\r\n=3D");
}

static void seven_bits_are_looked_at(void **state)
{
    http_source_t *source;
    char buf[8];

    (void)state;
    encodes(HTTP_FORM_7BIT, "plain\x7f", "plain\x7f");
    assert_int_equal(http_form_encode(HTTP_FORM_7BIT, text_source("a\x80"), &source), 0);
    assert_int_equal(http_source_read(source, buf, sizeof(buf)), HERR_SYNTAX);
    http_source_free(source);
}

static void a_length_may_be_unknown(void **state)
{
    http_form_t *form = new_form(0);

    (void)state;
    add_text(form, &(http_form_part_t){.encoding = HTTP_FORM_QUOTED_PRINTABLE}, "=");
    gives(form,
          "--@\r\nContent-Disposition: form-data\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n\r\n=3D\r\n--@--\r\n",
          false);
}

static void types_go_by_the_end_of_a_name(void **state)
{
    (void)state;
    assert_string_equal(http_form_type("a.TXT"), "text/plain");
    assert_string_equal(http_form_type(".svg"), "image/svg+xml");
    assert_string_equal(http_form_type("x.tar.html"), "text/html");
    assert_null(http_form_type("x.bin"));
    assert_null(http_form_type("txt"));
    assert_null(http_form_type(NULL));
}

/* ---- pipes ----------------------------------------------------------------------------------- */

typedef struct reader_s {
    hloop_t *loop;
    hbytes_t text;
    int err, writer;
} reader_t;

static void on_ready(http_source_t *source, void *arg)
{
    reader_t *r = arg;
    char buf[16];
    ssize_t n;

    while ((n = http_source_read(source, buf, sizeof(buf))) > 0)
        assert_int_equal(hbytes_append(&r->text, buf, (size_t)n), 0);
    if (n == -EAGAIN) {
        close(r->writer);
        return;
    }
    r->err = (int)n;
    hloop_stop(r->loop);
}

static void a_pipe_in_a_form_in_a_form_is_waited_for(void **state)
{
    reader_t r = {.loop = new_loop_with(0), .err = 1};
    http_form_t *form = new_form(0), *inner = new_form(0);
    http_source_t *body, *source;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    r.writer = fds[1];
    assert_int_equal(write(fds[1], "hello", 5), 5);
    assert_int_equal(http_source_stream(r.loop, fds[0], &body), 0);
    assert_int_equal(http_form_add(inner, &(http_form_part_t){.encoding = HTTP_FORM_BASE64}, body),
                     0);
    assert_int_equal(http_form_add_form(form, &(http_form_part_t){0}, inner), 0);
    assert_int_equal(http_form_source(form, &source), 0);
    assert_int_equal(http_source_length(source), HTTP_BODY_UNKNOWN);
    http_source_set_ready(source, on_ready, &r);
    on_ready(source, &r);
    assert_int_equal(hloop_run(r.loop), 0);
    assert_int_equal(r.err, 0);
    assert_non_null(strstr(r.text.data, "\r\n\r\naGVsbG8=\r\n--"));
    assert_int_equal(http_source_rewind(source), -ESPIPE);
    http_source_free(source);
    hbytes_deinit(&r.text);
    hloop_free(&r.loop);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int add_part(http_form_t *form, http_form_encoding_e encoding)
{
    http_form_part_t part = {.name = "n", .filename = "f", .type = "t/t", .encoding = encoding};
    http_source_t *body = NULL;
    int err = http_source_memory("x", 1, &body);

    if (err == 0)
        err = http_form_add(form, &part, body);
    if (err < 0)
        http_source_free(body);
    return err;
}

static int make_all(void *arg)
{
    http_form_t *form = NULL, *inner = NULL;
    http_source_t *source = NULL;
    int err = http_form_new(0, &form);

    (void)arg;
    for (int i = 0; err == 0 && i < 10; i++)
        err = add_part(form, i == 5 ? HTTP_FORM_BASE64 : HTTP_FORM_PLAIN);
    if (err == 0)
        err = http_form_new(HTTP_FORM_MIXED, &inner);
    if (err == 0) {
        err = add_part(inner, HTTP_FORM_PLAIN);
        if (err < 0)
            http_form_free(inner);
    }
    if (err == 0)
        err = http_form_add_form(form, &(http_form_part_t){.name = "n"}, inner);
    if (err == 0)
        err = http_form_source(form, &source);
    if (err < 0)
        http_form_free(form);
    http_source_free(source);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(make_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_boundary_is_of_dashes_and_chance),
        cmocka_unit_test(parts_have_fields),
        cmocka_unit_test(a_parts_own_fields_take_the_place_of_others),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(fields_have_no_line_ends),
        cmocka_unit_test(a_form_may_lie_in_a_form),
        cmocka_unit_test(a_form_may_be_empty),
        cmocka_unit_test(forms_do_not_nest_for_ever),
        cmocka_unit_test(base64_comes_in_lines),
        cmocka_unit_test(quoted_printable_breaks_lines),
        cmocka_unit_test(seven_bits_are_looked_at),
        cmocka_unit_test(a_length_may_be_unknown),
        cmocka_unit_test(types_go_by_the_end_of_a_name),
        cmocka_unit_test(a_pipe_in_a_form_in_a_form_is_waited_for),
        cmocka_unit_test(memory_may_run_out),
    };

    return run_on_each_poller("http_form", tests, ARRAY_LENGTH(tests));
}
