/* Heads and body go, in the order they come, to stdout or to a file that is opened when the first
 * byte is there, so that a transfer that fails before leaves what was there. With -J the heads that
 * -i wants wait until the last one has said what the file is called. */
#include "output_int.h"

#include "base/hmem.h"
#include "status.h"
#include "url.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0666
#define HELD_MAX HEADERS_SIZE_MAX

int output__fail(output_t *output, int err, const char *what, const char *name)
{
    if (output->error.len == 0)
        (void)hbytes_printf(&output->error, "cannot %s %s: %s", what, name, herr_str(err));
    return err;
}

bool output__is_stdout(const output_t *output)
{
    return !output->setup.name && !output->setup.discard;
}

static bool shows_heads(const output_t *output)
{
    return (output->options->include || output->setup.show_heads) && !output->setup.discard;
}

/* -i and -D -, both to stdout: line by line. */
static bool is_doubled(const output_t *output)
{
    return output->dump.to_stdout && output__is_stdout(output) && shows_heads(output);
}

static bool is_checked(const output_t *output)
{
    return output->options->checksum.hash != CHECKSUM_NONE;
}

/* ---- the beginning --------------------------------------------------------------------------- */

static const char *find_conflict(const output_options_t *options, const output_setup_t *setup)
{
    if (!setup->use_resume || setup->upload)
        return NULL;
    if (options->remove_on_error)
        return "--continue-at is mutually exclusive with --remove-on-error";
    if (options->clobber == OUTPUT_CLOBBER_NEVER)
        return "--continue-at is mutually exclusive with --no-clobber";
    if (options->header_name && setup->resume_from == OUTPUT_RESUME_FILE)
        return "--continue-at - cannot be used with --remote-header-name";
    return NULL;
}

static int64_t find_resume(const output_t *output)
{
    const output_setup_t *setup = &output->setup;
    struct stat st;

    if (!setup->use_resume || setup->upload)
        return 0;
    if (setup->resume_from != OUTPUT_RESUME_FILE)
        return setup->resume_from;
    return output->name && stat(output->name, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

static int prepare(output_t *output, hbytes_t *why)
{
    int status;

    if (output->setup.name && !output->setup.discard) {
        if (output->setup.remote_name && strcmp(output->setup.name, URL_NO_NAME) == 0)
            report_warning(output->setup.report,
                           "the URL has no name for a file: it becomes \"%s\"", URL_NO_NAME);
        output->name = output__join(output->options, output->setup.name);
        if (!output->name)
            return STATUS_MEMORY;
        status = output__make_folders(output->options, output->name, why);
        if (status)
            return status;
    }
    output->resume_from = find_resume(output);
    if (output->resume_from > 0 && output->name && output__open(output)) {
        (void)hbytes_append(why, output->error.data, output->error.len);
        return STATUS_WRITE;
    }
    pretty_init(&output->pretty, output->setup.report, output__is_stdout(output));
    output->held.size_max = HELD_MAX;
    return output__open_sides(output, why);
}

int output_new(const output_options_t *options, const output_setup_t *setup, output_t **output,
               hbytes_t *why)
{
    const char *conflict = find_conflict(options, setup);
    output_t *o;
    int status;

    *output = NULL;
    if (conflict) {
        hbytes_append_str(why, conflict);
        return STATUS_USAGE;
    }
    o = hmem_zalloc(sizeof(*o));
    if (!o)
        return STATUS_MEMORY;
    o->options = options;
    o->setup = *setup;
    status = prepare(o, why);
    if (status) {
        output_free(o);
        return status;
    }
    *output = o;
    return 0;
}

void output_free(output_t *output)
{
    if (!output)
        return;
    outlet_forget(&output->wait);
    outfile_deinit(&output->file);
    output__close_sides(output);
    checksum_free(output->checksum);
    headers_deinit(&output->headers);
    hbytes_deinit(&output->held);
    hbytes_deinit(&output->etag_compare);
    hbytes_deinit(&output->if_range);
    hbytes_deinit(&output->laid_out);
    hbytes_deinit(&output->error);
    hmem_free(output->name);
    hmem_free(output);
}

/* ---- asking ---------------------------------------------------------------------------------- */

bool output_fails_on_status(const output_t *output)
{
    return output->options->fail == OUTPUT_FAIL;
}

int64_t output_resume_from(const output_t *output)
{
    return output->resume_from;
}

const char *output_if_none_match(const output_t *output)
{
    return output->etag_compare.len > 0 ? output->etag_compare.data : NULL;
}

const char *output_if_range(const output_t *output)
{
    return output->if_range.len > 0 ? output->if_range.data : NULL;
}

bool output_is_terminal(const output_t *output)
{
    return output__is_stdout(output) && outlet_is_terminal(output->setup.out);
}

const char *output_filename(const output_t *output)
{
    return output->file.path ? output->file.path : output->name;
}

uint64_t output_written(const output_t *output)
{
    return output->written;
}

const headers_t *output_headers(const output_t *output)
{
    return &output->headers;
}

const char *output_error(const output_t *output)
{
    return output->error.len > 0 ? output->error.data : "";
}

/* ---- writing --------------------------------------------------------------------------------- */

static outfile_how_t file_how(const output_t *output)
{
    const output_options_t *options = output->options;
    outfile_how_t how = {
        .mode = options->file_mode ? options->file_mode : FILE_MODE,
        .append = output->resume_from > 0,
        .whole = options->remove_on_error || output->setup.robust || is_checked(output),
    };

    if (options->clobber == OUTPUT_CLOBBER_NEVER)
        how.existing = OUTFILE_NUMBER;
    else if (output->named_by_server && options->clobber == OUTPUT_CLOBBER_USUAL)
        how.existing = OUTFILE_REFUSE;
    return how;
}

static int write_plain(output_t *output, const void *data, size_t len)
{
    int err;

    if (output->setup.discard)
        return 0;
    if (output->name) {
        err = outfile_write(&output->file, data, len);
        return err ? output__fail(output, err, "write to", output_filename(output)) : 0;
    }
    err = outlet_write(output->setup.out, data, len);
    return err ? output__fail(output, err, "write to", "the standard output") : 0;
}

int output__open(output_t *output)
{
    outfile_how_t how = file_how(output);
    int err;

    if (output->begun)
        return 0;
    output->begun = true;
    if (output->name && !output->file.is_open) {
        err = outfile_open(&output->file, output->name, &how);
        if (err) {
            output->begun = false;
            return output__fail(output, err, "open", output->name);
        }
    }
    err = output->held.len > 0 ? write_plain(output, output->held.data, output->held.len) : 0;
    hbytes_clear(&output->held);
    return err;
}

/* What an earlier run, or an earlier try, has left belongs to the file, too. */
static int sum_kept(output_t *output)
{
    char piece[16384];
    uint64_t left = output->file.is_open ? output->file.kept : 0;
    const char *name = output->file.temp ? output->file.temp : output->file.path;
    ssize_t n = 0;
    int fd, err = 0;

    if (left == 0)
        return 0;
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (err == 0 && left > 0 &&
           (n = read(fd, piece, left < sizeof(piece) ? left : sizeof(piece))) > 0) {
        err = checksum_add(output->checksum, piece, (size_t)n);
        left -= (uint64_t)n;
    }
    err = n < 0 ? -errno : err;
    close(fd);
    return err;
}

int output__sum(output_t *output, http_span_t data)
{
    int err = 0;

    if (!is_checked(output))
        return 0;
    if (!output->checksum) {
        err = checksum_new(output->options->checksum.hash, &output->checksum);
        err = err ? err : sum_kept(output);
    }
    err = err ? err : checksum_add(output->checksum, data.data, data.len);
    return err ? output__fail(output, err, "compute", "the checksum") : 0;
}

/* ---- heads ----------------------------------------------------------------------------------- */

/* A head, line by line: as pretty wants it, and each line twice where -D goes to the same place. */
static int show_lines(output_t *output, http_span_t head)
{
    hbytes_t *out = &output->laid_out;
    int err = 0;

    hbytes_clear(out);
    while (err == 0 && head.len > 0) {
        const char *end = memchr(head.data, '\n', head.len);
        http_span_t line = {head.data, end ? (size_t)(end - head.data) + 1 : head.len};

        if (is_doubled(output))
            err = hbytes_append(out, line.data, line.len);
        if (err == 0 && pretty_has_heads(&output->pretty))
            err = pretty_head(&output->pretty, line, out);
        else if (err == 0)
            err = hbytes_append(out, line.data, line.len);
        head = (http_span_t){head.data + line.len, head.len - line.len};
    }
    return err ? output__fail(output, err, "show", "the heads")
               : write_plain(output, out->data, out->len);
}

static int show_head(output_t *output, http_span_t head, bool last)
{
    int err;

    if (!shows_heads(output) || head.len == 0)
        return 0;
    output->heads_in_file = output->name != NULL;
    if (!last && output->options->header_name && output->setup.remote_name && !output->begun) {
        err = hbytes_append(&output->held, head.data, head.len);
        return err ? output__fail(output, err, "keep", "the heads") : 0;
    }
    err = output__open(output);
    if (err)
        return err;
    return pretty_has_heads(&output->pretty) || is_doubled(output)
               ? show_lines(output, head)
               : write_plain(output, head.data, head.len);
}

static void begin_body(output_t *output, const http_exchange_response_t *response)
{
    size_t index = 0;
    header_t type;
    bool known = headers_find(&output->headers, "Content-Type", false, &index, &type);

    output->ignored = response->status == 416 && output->resume_from > 0;
    output->lays_out =
        output__is_stdout(output) && pretty_begin(&output->pretty, known ? type.value : NULL);
}

int output_head(output_t *output, http_transfer_t *transfer, http_hop_e hop,
                const http_exchange_response_t *response)
{
    bool last = hop == HTTP_HOP_FINAL;
    int err = headers_add(&output->headers, hop, response->fields, response->field_count);

    if (err)
        return output__fail(output, err, "keep", "the heads");
    if (hop == HTTP_HOP_CONNECT && output->setup.no_connect_heads)
        return 0;
    if (hop != HTTP_HOP_CONNECT && hop != HTTP_HOP_INTERIM) {
        err = output__save_etag(output, response);
        if (err == 0 && output->options->header_name && output->setup.remote_name)
            err = output__take_name(output, response);
    }
    if (err == 0 && output->options->dump_header && !is_doubled(output))
        err = output__side_write(output, &output->dump, response->head.data, response->head.len);
    err = err ? err : show_head(output, response->head, last);
    if (err == 0 && last)
        begin_body(output, response);
    if (err == 0 && output__is_stdout(output))
        outlet_hold(output->setup.out, &output->wait, transfer);
    return err;
}

int output_trailers(output_t *output, const http_field_t *fields, size_t count)
{
    hbytes_t lines = {.size_max = HEADERS_SIZE_MAX};
    int err = headers_add_trailers(&output->headers, fields, count);

    for (size_t i = 0; err == 0 && i < count; i++)
        err = hbytes_printf(&lines, "%.*s: %.*s\r\n", (int)fields[i].name.len, fields[i].name.data,
                            (int)fields[i].value.len, fields[i].value.data);
    if (err)
        output__fail(output, err, "keep", "the trailers");
    else if (output->options->dump_header && !is_doubled(output))
        err = output__side_write(output, &output->dump, lines.data, lines.len);
    err = err ? err : show_head(output, (http_span_t){lines.data, lines.len}, true);
    hbytes_deinit(&lines);
    return err;
}

/* ---- the body -------------------------------------------------------------------------------- */

/* What is not text would do strange things to a terminal. */
static int look_for_binary(output_t *output, http_span_t data)
{
    if (output->setup.to_stdout || !output_is_terminal(output) ||
        output->written >= OUTPUT_TERMINAL_LOOK || !memchr(data.data, '\0', data.len))
        return 0;
    (void)hbytes_append_str(&output->error,
                            "this is binary and could upset your terminal: name a file with "
                            "\"--output <FILE>\", or insist with \"--output -\"");
    return -ECANCELED;
}

static int write_laid_out(output_t *output, http_span_t data)
{
    int err;

    hbytes_clear(&output->laid_out);
    err = pretty_body(&output->pretty, data, &output->laid_out);
    return err ? output__fail(output, err, "lay out", "the body")
               : write_plain(output, output->laid_out.data, output->laid_out.len);
}

int output_body(output_t *output, http_transfer_t *transfer, http_span_t data)
{
    int err;

    if (output->ignored || data.len == 0)
        return 0;
    err = output__open(output);
    err = err ? err : look_for_binary(output, data);
    err = err ? err : output__sum(output, data);
    if (err == 0)
        err = output->lays_out ? write_laid_out(output, data)
                               : write_plain(output, data.data, data.len);
    if (err)
        return err;
    output->written += data.len;
    if (output__is_stdout(output))
        outlet_hold(output->setup.out, &output->wait, transfer);
    return 0;
}
