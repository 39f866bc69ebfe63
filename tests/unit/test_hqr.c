/* One thread. */
/* What is printed is read as a phone reads it: modules from the picture, then the mask that the
 * format tells, the codewords in their zigzag, and the bytes in them. There are no errors to
 * correct. */
#include "app/hqr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/herr.h"
#include "oom.h"

#define SIZE_MAX_TESTED 41 /* version 6; up to 5-L all codewords are one block */
#define BLOCK_FULL "\xe2\x96\x88"
#define BLOCK_UPPER "\xe2\x96\x80"
#define BLOCK_LOWER "\xe2\x96\x84"
#define BEGIN_ROW "\033[30;107m"
#define END_ROW "\033[0m"

typedef struct picture_s {
    bool dark[SIZE_MAX_TESTED + 2 * HQR_QUIET + 1][SIZE_MAX_TESTED + 2 * HQR_QUIET];
    int width, rows; /* rows of characters */
} picture_t;

static bool take(const char **text, const char *what)
{
    if (strncmp(*text, what, strlen(what)) != 0)
        return false;
    *text += strlen(what);
    return true;
}

static void read_character(const char **text, picture_t *p, int x, bool color)
{
    bool upper = false, lower = false;

    if (take(text, BLOCK_FULL))
        upper = lower = true;
    else if (take(text, BLOCK_UPPER))
        upper = true;
    else if (take(text, BLOCK_LOWER))
        lower = true;
    else
        assert_true(take(text, " "));
    assert_true(x < SIZE_MAX_TESTED + 2 * HQR_QUIET);
    p->dark[2 * p->rows][x] = upper == color;
    p->dark[2 * p->rows + 1][x] = lower == color;
}

static void read_picture(const char *text, bool color, picture_t *p)
{
    memset(p, 0, sizeof(*p));
    while (*text) {
        int x = 0;

        assert_int_equal(take(&text, BEGIN_ROW), color);
        while (!take(&text, color ? END_ROW "\n" : "\n"))
            read_character(&text, p, x++, color);
        assert_true(p->rows == 0 || x == p->width);
        p->width = x;
        p->rows++;
    }
}

/* A module of the code itself. */
static bool module(const picture_t *p, int row, int column)
{
    return p->dark[row + HQR_QUIET][column + HQR_QUIET];
}

static void check_quiet_zone(const picture_t *p)
{
    for (int i = 0; i < p->width; i++) {
        for (int k = 0; k < HQR_QUIET; k++) {
            assert_false(p->dark[k][i]);
            assert_false(p->dark[i][k]);
            assert_false(p->dark[p->width - 1 - k][i]);
            assert_false(p->dark[i][p->width - 1 - k]);
        }
    }
}

/* Finders with their separators and the format; timing; the one alignment pattern. */
static bool is_function(int size, int row, int column)
{
    if ((row <= 8 && (column <= 8 || column >= size - 8)) || (row >= size - 8 && column <= 8))
        return true;
    if (row == 6 || column == 6)
        return true;
    return size > 21 && row >= size - 9 && row <= size - 5 && column >= size - 9 &&
           column <= size - 5;
}

static bool is_masked(int mask, int i, int j)
{
    switch (mask) {
    case 0:
        return (i + j) % 2 == 0;
    case 1:
        return i % 2 == 0;
    case 2:
        return j % 3 == 0;
    case 3:
        return (i + j) % 3 == 0;
    case 4:
        return (i / 2 + j / 3) % 2 == 0;
    case 5:
        return i * j % 2 + i * j % 3 == 0;
    case 6:
        return (i * j % 2 + i * j % 3) % 2 == 0;
    default:
        return ((i + j) % 2 + i * j % 3) % 2 == 0;
    }
}

/* ISO/IEC 18004: the first five bits beside the upper left finder are level and mask, XOR 10101. */
static int mask_of(const picture_t *p)
{
    int bits = 0;

    for (int column = 0; column < 5; column++)
        bits = bits << 1 | module(p, 8, column);
    bits ^= 0x15;
    assert_int_equal(bits >> 3, 1); /* level L */
    return bits & 7;
}

/* In columns of two from the right, up and down in turns; column 6 is none. Returns the bits. */
static size_t read_bits(const picture_t *p, bool *bits)
{
    int size = p->width - 2 * HQR_QUIET, mask = mask_of(p);
    bool up = true;
    size_t n = 0;

    for (int right = size - 1; right > 0; right -= 2, up = !up) {
        if (right == 6)
            right--;
        for (int i = 0; i < 2 * size; i++) {
            int row = up ? size - 1 - i / 2 : i / 2, column = right - i % 2;

            if (!is_function(size, row, column))
                bits[n++] = module(p, row, column) != is_masked(mask, row, column);
        }
    }
    return n;
}

static unsigned take_bits(const bool **bits, int n)
{
    unsigned value = 0;

    while (n-- > 0)
        value = value << 1 | *(*bits)++;
    return value;
}

/* One segment of bytes: 0100, the length in 8 bits, the bytes, 0000. */
static void assert_reads(const picture_t *p, const char *text)
{
    bool all[SIZE_MAX_TESTED * SIZE_MAX_TESTED];
    const bool *bits = all;
    size_t n = read_bits(p, all), len;

    check_quiet_zone(p);
    assert_int_equal(take_bits(&bits, 4), 4);
    len = take_bits(&bits, 8);
    assert_int_equal(len, strlen(text));
    assert_true(12 + len * 8 <= n);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(take_bits(&bits, 8), (unsigned char)text[i]);
    assert_int_equal(take_bits(&bits, 4), 0);
}

static void the_code_can_be_read(void **state)
{
    static const char *const texts[] = {
        "a", "http://192.168.1.20:8080/", "https://[2001:db8::1]:8443/a/folder?with=a&query",
        "http://10.0.0.1:80/\xc3\xa4\xff", "0123456789012345678901234567890"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (int color = 0; color < 2; color++) {
            hbytes_t out = {0};
            picture_t p;

            assert_int_equal(hqr_write(&out, texts[i], color, 0), 0);
            read_picture(out.data, color, &p);
            assert_int_equal((p.width - 2 * HQR_QUIET) % 4, 1);
            assert_int_equal(p.rows, (p.width + 1) / 2);
            assert_reads(&p, texts[i]);
            hbytes_deinit(&out);
        }
    }
}

static void it_has_to_fit_the_terminal(void **state)
{
    hbytes_t out = {0};

    (void)state;
    assert_int_equal(hbytes_append_str(&out, "before"), 0);
    assert_int_equal(hqr_write(&out, "http://localhost/", false, 24), HERR_RANGE);
    assert_string_equal(out.data, "before");
    assert_int_equal(hqr_write(&out, "http://localhost/", false, 25), 0);
    assert_true(out.len > 25);
    hbytes_deinit(&out);
}

static void a_text_of_no_use_is_refused(void **state)
{
    char text[HQR_TEXT_MAX + 2];
    hbytes_t out = {0};

    (void)state;
    memset(text, 'a', sizeof(text));
    text[HQR_TEXT_MAX + 1] = '\0';
    assert_int_equal(hqr_write(&out, text, false, 0), HERR_RANGE);
    assert_int_equal(hqr_write(&out, "", false, 0), HERR_RANGE);
    assert_null(out.data);
    text[HQR_TEXT_MAX] = '\0';
    assert_int_equal(hqr_write(&out, text, false, 0), 0);
    hbytes_deinit(&out);
}

static void a_full_buffer_is_as_before(void **state)
{
    hbytes_t out;

    (void)state;
    hbytes_init(&out, 100);
    assert_int_equal(hbytes_append_str(&out, "before"), 0);
    assert_int_equal(hqr_write(&out, "http://localhost/", true, 0), -ENOBUFS);
    assert_string_equal(out.data, "before");
    hbytes_deinit(&out);
}

static int write_one(void *arg)
{
    hbytes_t out = {0};
    int err = hqr_write(&out, "http://localhost/", true, 0);

    (void)arg;
    hbytes_deinit(&out);
    return err;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    oom_run(write_one, NULL);
}

static void without_the_library_it_says_so(void **state)
{
    hbytes_t out = {0};
    int err = hqr_write(&out, "x", false, 0);

    (void)state;
    assert_non_null(strstr(hqr_missing(), "libqrencode"));
    assert_true(err == 0 || err == HERR_UNSUPPORTED);
    hbytes_deinit(&out);
}

/* Built without it there is nothing to read. */
static bool is_built_in(void)
{
    hbytes_t out = {0};
    int err = hqr_write(&out, "x", false, 0);

    hbytes_deinit(&out);
    return err == 0;
}

int main(void)
{
    const struct CMUnitTest always[] = {
        cmocka_unit_test(without_the_library_it_says_so),
    };
    const struct CMUnitTest with_it[] = {
        cmocka_unit_test(the_code_can_be_read),        cmocka_unit_test(it_has_to_fit_the_terminal),
        cmocka_unit_test(a_text_of_no_use_is_refused), cmocka_unit_test(a_full_buffer_is_as_before),
        cmocka_unit_test(memory_may_run_out),
    };
    int failed = cmocka_run_group_tests_name("hqr, with or without", always, NULL, NULL);

    if (is_built_in())
        failed += cmocka_run_group_tests_name("hqr", with_it, NULL, NULL);
    return failed;
}
