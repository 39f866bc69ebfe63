/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hbuf.h"
#include "base/herr.h"
#include "codec/tar.h"

static const tar_entry_t plain = {.name = "folder/file.txt",
                                  .user = "anna",
                                  .group = "staff",
                                  .mode = 0100644,
                                  .uid = 1000,
                                  .gid = 100,
                                  .size = 5,
                                  .mtime_s = 1700000000};

/* Into a buffer that is no byte longer than it has to be. */
static char *header(const tar_entry_t *entry, size_t *len)
{
    static char first[TAR_HEADER_MAX];
    ssize_t n = tar_header(entry, first, sizeof(first));
    char *buf;

    assert_true(n > 0 && n % TAR_BLOCK == 0);
    *len = (size_t)n;
    buf = malloc(*len);
    assert_non_null(buf);
    assert_int_equal(tar_header(entry, buf, *len), n);
    assert_memory_equal(buf, first, *len);
    assert_int_equal(tar_header(entry, buf, *len - 1), -ENOBUFS);
    assert_int_equal(tar_entry_size(entry),
                     *len + entry->size + (TAR_BLOCK - entry->size % TAR_BLOCK) % TAR_BLOCK);
    return buf;
}

static bool has(const char *buf, size_t len, const char *text)
{
    return memmem(buf, len, text, strlen(text)) != NULL;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static void test_a_plain_entry_is_one_block(void **state)
{
    size_t len;
    char *buf = header(&plain, &len);
    unsigned sum = 0;

    (void)state;
    assert_int_equal(len, TAR_BLOCK);
    assert_string_equal(buf, "folder/file.txt");
    assert_string_equal(buf + 100, "0000644");
    assert_string_equal(buf + 108, "0001750");
    assert_string_equal(buf + 116, "0000144");
    assert_string_equal(buf + 124, "00000000005");
    assert_string_equal(buf + 136, "14524770400");
    assert_int_equal(buf[156], '0');
    assert_memory_equal(buf + 257,
                        "ustar\0"
                        "00",
                        8);
    assert_string_equal(buf + 265, "anna");
    assert_string_equal(buf + 297, "staff");
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)buf[i];
    assert_int_equal(strtoul(buf + 148, NULL, 8), sum);
    free(buf);
}

static void test_a_folder_has_a_slash(void **state)
{
    tar_entry_t entry = {.type = TAR_FOLDER, .name = "a/b"};
    size_t len;
    char *buf = header(&entry, &len);

    (void)state;
    assert_string_equal(buf, "a/b/");
    assert_int_equal(buf[156], '5');
    free(buf);
    entry.name = "a/b/";
    buf = header(&entry, &len);
    assert_string_equal(buf, "a/b/");
    free(buf);
}

static void test_padding(void **state)
{
    (void)state;
    assert_int_equal(tar_padding(0), 0);
    assert_int_equal(tar_padding(1), 511);
    assert_int_equal(tar_padding(511), 1);
    assert_int_equal(tar_padding(512), 0);
    assert_int_equal(tar_padding(TAR_SIZE_MAX - 1), 1);
}

/* Up to 255 bytes a name has room if a slash stands in the right place. */
static void test_long_names(void **state)
{
    char name[TAR_NAME_MAX + 2];
    tar_entry_t entry = {.name = name};

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(tar_entry_size(&entry), HERR_RANGE);
    for (size_t n = 1; n <= TAR_NAME_MAX; n += n < 300 ? 1 : 97) {
        size_t len;
        char *buf;

        memset(name, 'x', n);
        name[n] = '\0';
        buf = header(&entry, &len);
        assert_int_equal(len > TAR_BLOCK, n > 100);
        free(buf);
        if (n > 155) {
            name[n - 101] = '/';
            buf = header(&entry, &len);
            assert_int_equal(len > TAR_BLOCK, n > 256);
            free(buf);
        }
    }
}

static void test_records_for_the_rest(void **state)
{
    tar_entry_t entry = plain;
    size_t len;
    char *buf;

    (void)state;
    entry.name = "caf\xc3\xa9";
    entry.user = "j\xc3\xb6rg";
    entry.uid = 3000000;
    entry.size = 1ULL << 33;
    entry.mtime_s = -2;
    entry.mtime_ns = 250000000;
    buf = header(&entry, &len);
    assert_int_equal(len, 3 * TAR_BLOCK);
    assert_int_equal(buf[156], 'x');
    assert_true(has(buf, len, "14 path=caf\xc3\xa9\n"));
    assert_true(has(buf, len, "15 uname=j\xc3\xb6rg\n"));
    assert_true(has(buf, len, "15 uid=3000000\n"));
    assert_true(has(buf, len, "19 size=8589934592\n"));
    assert_true(has(buf, len, "22 mtime=-1.750000000\n"));
    assert_false(has(buf, len, "gid="));
    assert_false(has(buf, len, "hdrcharset"));
    free(buf);

    entry.name = "latin1\xe9";
    buf = header(&entry, &len);
    assert_true(has(buf, len, "21 hdrcharset=BINARY\n"));
    free(buf);

    entry.mtime_s = INT64_MIN;
    entry.mtime_ns = 0;
    buf = header(&entry, &len);
    assert_true(has(buf, len, "mtime=-9223372036854775808\n"));
    free(buf);
}

/* All at their maximum have room. */
static void test_the_largest_header_has_room(void **state)
{
    static char name[TAR_NAME_MAX + 1], owner[TAR_OWNER_MAX + 1];
    tar_entry_t entry = {.type = TAR_SYMLINK,
                         .name = name,
                         .target = name,
                         .user = owner,
                         .group = owner,
                         .uid = UINT64_MAX,
                         .gid = UINT64_MAX,
                         .mtime_s = INT64_MIN + 1,
                         .mtime_ns = 1};
    size_t len;

    (void)state;
    memset(name, '\xff', TAR_NAME_MAX);
    memset(owner, '\xff', TAR_OWNER_MAX);
    free(header(&entry, &len));
    entry.type = TAR_FOLDER;
    free(header(&entry, &len));
    entry.type = TAR_FILE;
    entry.size = TAR_SIZE_MAX;
    free(header(&entry, &len));
    entry.type = TAR_HARDLINK;
    entry.size = 0;
    free(header(&entry, &len));
    assert_in_range(len, TAR_HEADER_MAX - 2 * TAR_BLOCK, TAR_HEADER_MAX);
}

static void refuses(tar_entry_t entry, int err)
{
    char buf[TAR_HEADER_MAX];

    assert_int_equal(tar_header(&entry, buf, sizeof(buf)), err);
    assert_int_equal(tar_entry_size(&entry), err);
}

static void test_what_is_refused(void **state)
{
    static const char *const names[] = {"/etc/passwd", "..", "../x", "a/..", "a/../b", "", NULL};
    static const char *const good[] = {".", "./a", "...", "a..", "..a", "a/..b", "a//b"};
    tar_entry_t entry = plain;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        entry.name = names[i];
        refuses(entry, -EINVAL);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        entry.name = good[i];
        assert_true(tar_entry_size(&entry) > 0);
    }
    refuses((tar_entry_t){.type = TAR_SYMLINK, .name = "a"}, -EINVAL);
    refuses((tar_entry_t){.type = TAR_SYMLINK, .name = "a", .target = "b", .size = 1}, -EINVAL);
    refuses((tar_entry_t){.type = TAR_FOLDER, .name = "a", .size = 1}, -EINVAL);
    refuses((tar_entry_t){.name = "a", .mtime_ns = 1000000000}, -EINVAL);
    refuses((tar_entry_t){.name = "a", .size = TAR_SIZE_MAX + 1}, HERR_RANGE);
}

/* ---- other programs -------------------------------------------------------------------------- */

#define LONG_PART "a_part_of_a_name_that_is_rather_long_0123456789012345678901234567890123456789/"
#define LONG_NAME LONG_PART LONG_PART LONG_PART LONG_PART "the_end"

static const tar_entry_t entries[] = {
    {.type = TAR_FOLDER, .name = "dir", .mode = 0755, .mtime_s = 1},
    {.name = "dir/plain", .mode = 0640, .mtime_s = 1700000000, .size = 1},
    {.name = "dir/empty", .mode = 0600, .mtime_s = 1700000000},
    {.name = "dir/block", .mode = 0755, .mtime_s = 1700000000, .size = 512},
    {.name = "dir/gr\xc3\xbc\xc3\x9f"
             "e \xe2\x82\xac",
     .mode = 0644,
     .mtime_s = 1700000000,
     .mtime_ns = 123456000,
     .size = 1000},
    {.name = LONG_NAME, .mode = 0644, .mtime_s = 1700000000, .size = 3},
    {.type = TAR_SYMLINK, .name = "dir/link", .target = "plain", .mode = 0777, .mtime_s = 5},
    {.type = TAR_SYMLINK, .name = "dir/far", .target = "../" LONG_NAME, .mode = 0777, .mtime_s = 5},
    {.type = TAR_HARDLINK,
     .name = "dir/hard",
     .target = "dir/plain",
     .mode = 0640,
     .mtime_s = 1700000000},
    {.name = "dir/new\nline",
     .mode = 0644,
     .mtime_s = 1700000000,
     .user = "nobody",
     .group = "a_group_whose_name_is_longer_than_32_bytes",
     .uid = 5000000,
     .size = 2},
};

static void write_archive(const char *path)
{
    static const char zeros[TAR_END_SIZE];
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        char buf[TAR_HEADER_MAX];
        size_t len = (size_t)tar_header(&entries[i], buf, sizeof(buf));
        size_t size = (size_t)entries[i].size;
        long before = ftell(file);

        assert_int_equal(fwrite(buf, 1, len, file), len);
        for (size_t n = 0; n < size; n++)
            fputc('a' + (int)(n % 26), file);
        assert_int_equal(fwrite(zeros, 1, tar_padding(size), file), tar_padding(size));
        assert_int_equal(ftell(file) - before, tar_entry_size(&entries[i]));
    }
    assert_int_equal(fwrite(zeros, 1, sizeof(zeros), file), sizeof(zeros));
    assert_int_equal(fclose(file), 0);
}

/* One line for each entry, of what is in the table above too. */
static const char python[] =
    "import sys, tarfile\n"
    "for e in tarfile.open(sys.argv[1]):\n"
    "    data = tarfile.open(sys.argv[1]).extractfile(e).read() if e.isreg() else b''\n"
    "    assert data == bytes(97 + n % 26 for n in range(e.size)), e.name\n"
    "    out = [e.name, e.linkname, e.mode, e.size, '%.6f' % e.mtime, e.uid, e.uname, e.gname]\n"
    "    sys.stdout.buffer.write('|'.join(map(str, out)).encode() + b'\\0')\n";

static void expect_line(const tar_entry_t *e, const char *line)
{
    char wanted[2048];

    snprintf(wanted, sizeof(wanted), "%s|%s|%u|%llu|%lld.%06u|%llu|%s|%s", e->name,
             e->target ? e->target : "", e->mode, (unsigned long long)e->size,
             (long long)e->mtime_s, e->mtime_ns / 1000, (unsigned long long)e->uid,
             e->user ? e->user : "", e->group ? e->group : "");
    assert_string_equal(line, wanted);
}

static int run(const char *dir, const char *command)
{
    char line[1024];

    assert_true(snprintf(line, sizeof(line), "cd %s && %s", dir, command) < (int)sizeof(line));
    return system(line); /* NOLINT(cert-env33-c) */
}

static void test_python_reads_it(void **state)
{
    char dir[] = "/tmp/test_tar.XXXXXX", path[64], line[2048];
    FILE *file;
    size_t n = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.tar", dir);
    write_archive(path);
    snprintf(path, sizeof(path), "%s/a.py", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(python, file);
    fclose(file);
    assert_int_equal(run(dir, "python3 a.py a.tar >lines"), 0);
    snprintf(path, sizeof(path), "%s/lines", dir);
    file = fopen(path, "r");
    assert_non_null(file);
    for (size_t len = 0; (int)(line[len] = (char)fgetc(file)) != EOF;) {
        if (line[len] != '\0') {
            len++;
            assert_true(len < sizeof(line));
            continue;
        }
        expect_line(&entries[n++], line);
        len = 0;
    }
    fclose(file);
    assert_int_equal(n, sizeof(entries) / sizeof(entries[0]));
    assert_int_equal(run(dir, "rm -rf \"$PWD\""), 0);
}

/* Extracts it, and compares it to what is in there; without a word. */
static void test_gnu_tar_reads_it(void **state)
{
    char dir[] = "/tmp/test_tar.XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.tar", dir);
    write_archive(path);
    assert_int_equal(run(dir, "tar -xf a.tar --no-same-owner 2>said && test ! -s said"), 0);
    assert_int_equal(run(dir, "cd dir && test -s plain && test plain -ef hard && "
                              "test plain -ef link && test -e far"),
                     0);
    assert_int_equal(run(dir, "cd dir && test $(stat -c %s block) = 512 && "
                              "stat -c %y gr* | grep -q '[.]123456000'"),
                     0);
    assert_int_equal(run(dir, "rm -rf \"$PWD\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plain_entry_is_one_block),
        cmocka_unit_test(test_a_folder_has_a_slash),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_records_for_the_rest),
        cmocka_unit_test(test_the_largest_header_has_room),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_python_reads_it),
        cmocka_unit_test(test_gnu_tar_reads_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
