/* What is kept beside the body: heads (-D), ETags, attributes and time of the file. */
#include "input.h"
#include "output_int.h"

#include "base/hfile.h"
#include "base/hmem.h"
#include "base/hurl.h"
#include "codec/http_date.h"
#include "status.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define SIDE_MODE 0666
#define CREATOR "hcurl"

/* ---- -D -------------------------------------------------------------------------------------- */

static int open_dump(output_t *output, hbytes_t *why)
{
    const char *name = output->options->dump_header;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    output_side_t *dump = &output->dump;
    int status;

    if (!name)
        return 0;
    dump->name = name;
    dump->to_stdout = strcmp(name, "-") == 0;
    if (dump->to_stdout)
        return 0;
    if (strcmp(name, "%") == 0) {
        dump->fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return 0;
    }
    status = output__make_folders(output->options, name, why);
    if (status)
        return status;
    dump->fd = open(name, output->setup.first ? flags | O_TRUNC : flags, SIDE_MODE);
    if (dump->fd >= 0)
        return 0;
    hbytes_printf(why, "cannot open %s for the heads: %s", name, herr_str(-errno));
    return STATUS_WRITE;
}

int output__side_write(output_t *output, const output_side_t *side, const char *data, size_t len)
{
    int err = 0;

    if (side->to_stdout)
        err = outlet_write(output->setup.out, data, len);
    else if (side->fd >= 0)
        err = hfile_write_all(side->fd, data, len);
    return err ? output__fail(output, err, "write the heads to", side->name) : 0;
}

/* ---- ETags ----------------------------------------------------------------------------------- */

/* The first line of a file that may be missing. */
static int read_etag(output_t *output, hbytes_t *why)
{
    const char *name = output->options->etag_compare;
    hbytes_t *tag = &output->etag_compare;
    int err;

    if (!name)
        return 0;
    err = input_read(name, OUTPUT_ETAG_MAX, INPUT_BYTES, tag, why);
    if (err == -ENOMEM)
        return STATUS_MEMORY;
    if (err == -EFBIG || err == -EISDIR)
        return STATUS_READ;
    if (err) { /* as if it were empty: there may be none yet */
        report_warning(output->setup.report, "%s", why->data ? why->data : herr_str(err));
        hbytes_clear(why);
    }
    if (tag->len > 0) {
        tag->len = strcspn(tag->data, "\r\n");
        tag->data[tag->len] = '\0';
    }
    if (tag->len == 0)
        return hbytes_append_str(tag, "\"\"") ? STATUS_MEMORY : 0;
    return 0;
}

static int open_etag(output_t *output, hbytes_t *why)
{
    const char *name = output->options->etag_save;
    output_side_t *etag = &output->etag;
    int status;

    if (!name)
        return 0;
    etag->name = name;
    etag->to_stdout = strcmp(name, "-") == 0;
    if (etag->to_stdout)
        return 0;
    status = output__make_folders(output->options, name, why);
    if (status)
        return status;
    etag->fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, SIDE_MODE);
    if (etag->fd >= 0)
        return 0;
    hbytes_printf(why, "cannot open %s for the ETag: %s", name, herr_str(-errno));
    return STATUS_READ;
}

int output__save_etag(output_t *output, const http_exchange_response_t *response)
{
    const output_side_t *etag = &output->etag;
    struct stat st;
    int err;

    if (!etag->name || response->status / 100 < 2 || response->status / 100 > 3)
        return 0;
    for (size_t i = 0; i < response->field_count; i++) {
        http_span_t value = response->fields[i].value;

        if (!http_span_ieq(response->fields[i].name, "ETag") || value.len == 0)
            continue;
        if (etag->fd >= 0 && fstat(etag->fd, &st) == 0 && S_ISREG(st.st_mode) &&
            ftruncate(etag->fd, 0) < 0)
            return output__fail(output, -errno, "write the ETag to", etag->name);
        err = output__side_write(output, etag, value.data, value.len);
        return err ? err : output__side_write(output, etag, "\n", 1);
    }
    return 0;
}

int output__open_sides(output_t *output, hbytes_t *why)
{
    int status;

    output->dump.fd = output->etag.fd = -1;
    status = read_etag(output, why);
    status = status ? status : open_etag(output, why);
    return status ? status : open_dump(output, why);
}

static void close_side(output_side_t *side)
{
    if (side->fd > 0)
        close(side->fd);
    side->fd = -1;
}

void output__close_sides(output_t *output)
{
    close_side(&output->dump);
    close_side(&output->etag);
}

/* ---- the file itself ------------------------------------------------------------------------- */

/* The URL without user and password. */
static int clean_url(const char *text, hbytes_t *out)
{
    hurl_t url;
    int err = hurl_parse(&url, text, strlen(text), NULL, HURL_GUESS);

    if (err == 0 && url.user.data) {
        const char *host = url.host_kind == HURL_HOST_IPV6 ? url.host.data - 1 : url.host.data;

        err = hbytes_printf(out, "%.*s://%s", (int)url.scheme.len, url.scheme.data, host);
    } else if (err == 0) {
        err = hbytes_append(out, url.text, url.len);
    }
    hurl_deinit(&url);
    return err;
}

static int set_attribute(int fd, const char *name, const char *value)
{
    if (!value || !*value)
        return 0;
    return fsetxattr(fd, name, value, strlen(value), 0) < 0 ? -errno : 0;
}

void output__set_attributes(output_t *output, const http_transfer_info_t *info)
{
    int fd = output->file.fd;
    hbytes_t url = {0};
    int err;

    if (!output->options->xattr || !output->file.is_open || !info)
        return;
    err = set_attribute(fd, "user.creator", CREATOR);
    err = err ? err : set_attribute(fd, "user.xdg.referrer.url", info->referer);
    err = err ? err : set_attribute(fd, "user.mime_type", info->content_type);
    err = err ? err : clean_url(output->setup.url, &url);
    err = err ? err : set_attribute(fd, "user.xdg.origin.url", url.data);
    if (err)
        report_warning(output->setup.report, "Error setting extended attributes on '%s': %s",
                       output_filename(output), herr_str(err));
    hbytes_deinit(&url);
}

void output__set_time(output_t *output)
{
    struct timespec times[2];
    const char *name = output_filename(output);
    size_t index = 0;
    header_t field;
    int64_t seconds;

    if (!output->options->remote_time || !name || (output->begun && !output->file.regular) ||
        !headers_find(&output->headers, "Last-Modified", false, &index, &field) ||
        http_date_parse_loose(http_span(field.value), &seconds))
        return;
    times[0] = times[1] = (struct timespec){.tv_sec = (time_t)seconds};
    if (utimensat(AT_FDCWD, name, times, 0) < 0)
        report_warning(output->setup.report, "Failed to set the time of '%s': %s", name,
                       herr_str(-errno));
}
