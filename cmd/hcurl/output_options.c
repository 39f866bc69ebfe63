#include "output.h"

#include "base/hstr.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_MODE_MAX 0777

static int take_mode(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    output_options_t *o = opts;
    size_t digits = strspn(arg, "01234567");
    unsigned long mode = strtoul(arg, NULL, 8);

    (void)option;
    if (digits == 0 || arg[digits] != '\0' || mode > FILE_MODE_MAX) {
        hbytes_printf(why, "\"%s\" is no octal mode up to %o", arg, FILE_MODE_MAX);
        return HERR_SYNTAX;
    }
    o->file_mode = (unsigned)mode;
    return 0;
}

static int take_checksum(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    output_options_t *o = opts;
    int err = checksum_parse(arg, &o->checksum);

    (void)option;
    if (err == HERR_UNSUPPORTED)
        hbytes_printf(why,
                      "\"%s\" does not begin with md5=, sha1=, sha256=, sha384= or sha512=", arg);
    else if (err == HERR_RANGE)
        hbytes_printf(why, "\"%s\" has not as many digits as that hash", arg);
    else if (err)
        hbytes_printf(why, "\"%s\" is not HASH=HEX", arg);
    return err;
}

/* ---- --expect-status ------------------------------------------------------------------------- */

static bool read_status(const char *text, uint16_t *status)
{
    uint64_t value;
    char digits[4];

    hstr_copy(digits, sizeof(digits), text);
    if (hstr_parse_u64(digits, 100, 999, &value))
        return false;
    *status = (uint16_t)value;
    return true;
}

/* "200", "2xx" or "200-299". */
static bool read_range(const char *text, size_t len, output_expect_t *range)
{
    if (len == 3 && text[0] >= '1' && text[0] <= '9' && strncasecmp(text + 1, "xx", 2) == 0) {
        range->from = (uint16_t)((text[0] - '0') * 100);
        range->to = (uint16_t)(range->from + 99);
        return true;
    }
    if ((len != 3 && len != 7) || !read_status(text, &range->from))
        return false;
    range->to = range->from;
    return len == 3 ||
           (text[3] == '-' && read_status(text + 4, &range->to) && range->from <= range->to);
}

static int take_expected(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    output_options_t *o = opts;
    const char *at = arg;

    (void)option;
    o->expect_count = 0;
    for (;;) {
        size_t len = strcspn(at, ",");

        if (o->expect_count == OUTPUT_EXPECT_MAX) {
            hbytes_printf(why, "more than %d statuses", OUTPUT_EXPECT_MAX);
            return HERR_RANGE;
        }
        if (!read_range(at, len, &o->expect[o->expect_count])) {
            hbytes_printf(why, "\"%.*s\" is not 200, 2xx or 200-299", (int)len, at);
            return HERR_SYNTAX;
        }
        o->expect_count++;
        if (at[len] == '\0')
            return 0;
        at += len + 1;
    }
}

/* ---- --fail ---------------------------------------------------------------------------------- */

static int take_fail(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    output_options_t *o = opts;
    bool with_body = strcmp(option->long_name, "fail-with-body") == 0;
    output_fail_e wanted = with_body ? OUTPUT_FAIL_WITH_BODY : OUTPUT_FAIL;

    (void)arg;
    if (o->fail != OUTPUT_FAIL_NEVER && o->fail != (int)wanted)
        hbytes_printf(why, "the last one of --fail and --fail-with-body counts");
    o->fail = (int)wanted;
    return 0;
}

static int take_no_fail(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    (void)arg;
    (void)why;
    ((output_options_t *)opts)->fail = OUTPUT_FAIL_NEVER;
    return 0;
}

static int take_buffer(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    (void)arg;
    (void)why;
    ((output_options_t *)opts)->unbuffered = false;
    return 0;
}

const hopt_t output_rows[] = {
    HOPT_GROUP("What is kept, and where"),
    HOPT_FLAG('i', "show-headers", output_options_t, include,
              "the heads of responses are part of the output", .alias = "include",
              .negatable = true),
    HOPT_STRING('D', "dump-header", output_options_t, dump_header,
                "write the heads of responses to FILE (- is stdout, % stderr)", .arg_name = "FILE",
                .filled = true),
    HOPT_CALL('f', "fail", take_fail, "a status of 400 or above is an error, and prints nothing"),
    HOPT_CALL(0, "fail-with-body", take_fail, "the same, but the body is kept"),
    HOPT_CALL(0, "no-fail", take_no_fail, "", .hidden = true),
    HOPT_CALL(0, "no-fail-with-body", take_no_fail, "", .hidden = true),
    HOPT_CALL(0, "expect-status", take_expected,
              "any other status is an error: 200,3xx,404-410; exit status 22", .arg_name = "LIST"),
    HOPT_CALL(0, "checksum", take_checksum,
              "what comes must have this hash (sha256=HEX; md5, sha1, sha384, sha512), or no file "
              "is left; exit status 120",
              .arg_name = "HASH=HEX"),
    HOPT_STRING(0, "output-dir", output_options_t, folder, "the folder of output files",
                .arg_name = "FOLDER", .filled = true),
    HOPT_FLAG(0, "create-dirs", output_options_t, create_folders,
              "make the folders that lead to an output file", .negatable = true),
    HOPT_CALL(0, "create-file-mode", take_mode, "the mode of new output files (0666)",
              .arg_name = "OCTAL"),
    HOPT_FLAG('J', "remote-header-name", output_options_t, header_name,
              "with -O, a name that the server gives goes before the URL's", .negatable = true),
    HOPT_SET(0, "no-clobber", output_options_t, clobber, OUTPUT_CLOBBER_NEVER,
             "a file that exists is left; the new one becomes NAME.1, NAME.2 ..."),
    HOPT_SET(0, "clobber", output_options_t, clobber, OUTPUT_CLOBBER_ALWAYS,
             "a file that exists is overwritten, also with -J"),
    HOPT_FLAG(0, "remove-on-error", output_options_t, remove_on_error,
              "leave no part of a file; one that exists is replaced only by a whole one",
              .negatable = true),
    HOPT_STRING(0, "etag-save", output_options_t, etag_save, "write the ETag to FILE",
                .arg_name = "FILE", .filled = true),
    HOPT_STRING(0, "etag-compare", output_options_t, etag_compare,
                "ask only for what has not the ETag in FILE", .arg_name = "FILE", .filled = true),
    HOPT_FLAG('R', "remote-time", output_options_t, remote_time,
              "give the file the time that it has at the server", .negatable = true),
    HOPT_FLAG(0, "xattr", output_options_t, xattr,
              "note in the file's attributes where it comes from", .negatable = true),
    HOPT_FLAG('N', "no-buffer", output_options_t, unbuffered,
              "write what comes at once, as is always done"),
    HOPT_CALL(0, "buffer", take_buffer, "", .hidden = true),
    HOPT_END,
};
