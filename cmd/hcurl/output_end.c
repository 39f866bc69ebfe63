/* How a transfer ends: judged, tried again, the file put in its place. */
#include "output_int.h"

#include "base/hmem.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the verdict ----------------------------------------------------------------------------- */

static bool is_expected(const output_options_t *options, int http_status)
{
    for (size_t i = 0; i < options->expect_count; i++) {
        if (http_status >= options->expect[i].from && http_status <= options->expect[i].to)
            return true;
    }
    return false;
}

int output_judge(output_t *output, int status, int http_status, hbytes_t *why)
{
    const output_options_t *options = output->options;

    outlet_forget(&output->wait);
    if (status || http_status == 0)
        return status;
    if (options->fail == OUTPUT_FAIL_WITH_BODY && http_status >= 400) {
        hbytes_printf(why, "The requested URL returned error: %d", http_status);
        return STATUS_HTTP;
    }
    if (options->expect_count > 0 && !is_expected(options, http_status)) {
        hbytes_printf(why, "The requested URL returned %d, which is not one of --expect-status",
                      http_status);
        return STATUS_HTTP;
    }
    return 0;
}

/* ---- another try ----------------------------------------------------------------------------- */

static const char *field(const output_t *output, const char *name)
{
    size_t index = 0;
    header_t header;

    return headers_find(&output->headers, name, false, &index, &header) ? header.value : NULL;
}

/* What tells that the rest belongs to the same file: a strong ETag, else the time. */
static const char *find_validator(const output_t *output)
{
    const char *etag = field(output, "ETag");

    if (etag)
        return etag[0] == '"' ? etag : NULL;
    return field(output, "Last-Modified");
}

/* Whether the next try can go on behind what is there: nothing but the body is in the file, as it
 * is at the server, who sends parts. */
static bool can_go_on(const output_t *output, const http_transfer_info_t *info)
{
    const outfile_t *file = &output->file;
    const char *ranges = field(output, "Accept-Ranges");

    if (!file->is_open || !file->regular || file->written == 0 || output->error.len > 0 ||
        output->heads_in_file || output->setup.upload || field(output, "Content-Encoding") ||
        !info->method || strcmp(info->method, "GET") != 0)
        return false;
    if (info->status == 206 && output->resume_from > 0)
        return true;
    if (info->status != 200 || !ranges || strcmp(ranges, "bytes") != 0)
        return false;
    return output->setup.use_resume || find_validator(output);
}

static int keep(output_t *output)
{
    const char *validator = output->setup.use_resume ? NULL : find_validator(output);

    report_note(output->setup.report, "Keeping %" PRIu64 " bytes", output->file.written);
    outfile_keep(&output->file);
    output->resume_from = (int64_t)output->file.kept;
    if (!validator)
        return 0;
    hbytes_clear(&output->if_range);
    return hbytes_append_str(&output->if_range, validator) ? STATUS_MEMORY : 0;
}

static int throw_away(output_t *output, hbytes_t *why)
{
    bool all = output->if_range.len > 0;
    uint64_t bytes;
    int err = 0;

    if (all) { /* what an earlier try has brought, too */
        output->file.written += output->file.kept;
        output->file.kept = 0;
        output->resume_from = 0;
        hbytes_clear(&output->if_range);
    }
    bytes = output->file.written;
    if (bytes > 0 && (all || output->written > 0)) { /* heads alone stay, as curl leaves them */
        report_note(output->setup.report, "Throwing away %" PRIu64 " bytes", bytes);
        err = outfile_restart(&output->file);
    }
    checksum_free(output->checksum);
    output->checksum = NULL;
    if (err == 0)
        return 0;
    hbytes_printf(why, "cannot cut %s: %s", output_filename(output), herr_str(err));
    return STATUS_WRITE;
}

int output_again(output_t *output, const http_transfer_info_t *info, hbytes_t *why)
{
    int status = can_go_on(output, info) ? keep(output) : throw_away(output, why);

    headers_clear(&output->headers);
    hbytes_clear(&output->held);
    hbytes_clear(&output->error);
    output->ignored = false;
    output->lays_out = false;
    output->written = 0;
    return status;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* A body of no bytes makes an empty file, but for what was not to be sent. */
static int complete(output_t *output, const http_transfer_info_t *info)
{
    bool nothing = info->condition_unmet || info->status == 304 || output->resume_from > 0;
    int err = 0;

    if (output->name && !output->begun && !nothing)
        err = output__open(output);
    if (err == 0 && output->lays_out) {
        hbytes_clear(&output->laid_out);
        err = pretty_end(&output->pretty, &output->laid_out);
        err = err ? err
                  : outlet_write(output->setup.out, output->laid_out.data, output->laid_out.len);
    }
    if (err == 0 && output__is_stdout(output))
        err = outlet_flush(output->setup.out);
    if (err && output->error.len == 0)
        output__fail(output, err, "write to", "the standard output");
    return err ? STATUS_WRITE : 0;
}

static int compare_checksum(output_t *output, const http_transfer_info_t *info, hbytes_t *why)
{
    const checksum_value_t *expected = &output->options->checksum;
    char wanted[CHECKSUM_TEXT_SIZE], found[CHECKSUM_TEXT_SIZE];
    uint8_t bytes[CHECKSUM_MAX];

    if (expected->hash == CHECKSUM_NONE || info->condition_unmet || info->status == 304)
        return 0;
    if (output__sum(output, (http_span_t){"", 0}) || checksum_end(output->checksum, bytes)) {
        hbytes_printf(why, "the checksum %s cannot be computed here",
                      checksum_name(expected->hash));
        return STATUS_NOT_BUILT_IN;
    }
    if (memcmp(bytes, expected->bytes, checksum_size(expected->hash)) == 0)
        return 0;
    hbytes_printf(why, "the %s checksum is %s and not %s, as expected",
                  checksum_name(expected->hash), checksum_format(expected->hash, bytes, found),
                  checksum_format(expected->hash, expected->bytes, wanted));
    return STATUS_CHECKSUM;
}

static void remove_file(output_t *output, bool asked)
{
    char *name = hmem_strdup(output_filename(output));

    if (!output->file.regular && asked)
        report_warning(output->setup.report, "Skipping removal; not a regular file: %s", name);
    else if (!output->file.regular)
        (void)outfile_place(&output->file);
    else if (outfile_remove(&output->file))
        report_warning(output->setup.report, "Failed removing: %s", name);
    else if (asked)
        report_note(output->setup.report, "Removed output file: %s", name);
    hmem_free(name);
}

/* The file, if there is one, is closed and is what it shall be. */
static int settle(output_t *output, int status)
{
    bool asked = output->options->remove_on_error;
    bool remove = asked || status == STATUS_CHECKSUM || output->file.temp ||
                  (output->setup.robust && !output->setup.use_resume);
    int err;

    if (!output->file.is_open)
        return status;
    if (status && remove) {
        remove_file(output, asked);
        return status;
    }
    err = outfile_place(&output->file);
    if (err == 0 || status)
        return status;
    output__fail(output, err, "write to", output_filename(output));
    return STATUS_WRITE;
}

int output_finish(output_t *output, int status, const http_transfer_info_t *info, hbytes_t *why)
{
    size_t said = why->len;
    int before = status;

    if (status == 0 && info)
        status = complete(output, info);
    if (status == 0 && info)
        status = compare_checksum(output, info, why);
    if (status == 0)
        output__set_attributes(output, info);
    status = settle(output, status);
    if (status == 0)
        output__set_time(output);
    else if (status != before && why->len == said)
        (void)hbytes_append(why, output->error.data, output->error.len);
    output__close_sides(output);
    return status;
}
