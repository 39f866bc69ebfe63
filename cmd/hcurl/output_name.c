/* The names of files: --output-dir, --create-dirs, -J. */
#include "output_int.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "codec/http_disposition.h"
#include "status.h"

#include <string.h>

char *output__join(const output_options_t *options, const char *name)
{
    hbytes_t path = {0};

    if (options->folder && *options->folder)
        (void)hbytes_printf(&path, "%s/%s", options->folder, name);
    else
        (void)hbytes_append_str(&path, name);
    return hbytes_take(&path, NULL);
}

int output__make_folders(const output_options_t *options, const char *path, hbytes_t *why)
{
    size_t len = 0;
    int err = options->create_folders ? outfile_make_folders(path, &len) : 0;

    if (err == 0)
        return 0;
    hbytes_printf(why, "cannot create the folder %.*s: %s", (int)len, path, herr_str(err));
    return STATUS_WRITE;
}

/* ---- what a server calls it ------------------------------------------------------------------ */

/* "filename=x" of a value that does not follow RFC 6266, as many servers send it: no type in front,
 * a quote (also a single one) that does not end. */
static bool find_loose(http_span_t value, char *name, size_t size)
{
    static const char key[] = "filename=";
    const char *at = memmem(value.data, value.len, key, sizeof(key) - 1);
    const char *end = value.data + value.len, *stop;
    size_t len;

    if (!at)
        return false;
    at += sizeof(key) - 1;
    if (at < end && (*at == '"' || *at == '\'')) {
        stop = memchr(at + 1, *at, (size_t)(end - at) - 1);
        at++;
    } else {
        stop = memchr(at, ';', (size_t)(end - at));
    }
    len = (size_t)((stop ? stop : end) - at);
    if (len == 0 || len >= size)
        return false;
    memcpy(name, at, len);
    name[len] = '\0';
    return true;
}

static bool of_disposition(http_span_t value, char *name)
{
    http_disposition_t disposition;
    char loose[HTTP_DISPOSITION_NAME_SIZE];

    if (http_disposition_parse(value, &disposition) == 0 && disposition.has_filename &&
        disposition.filename[0] != '\'')
        return http_safe_filename(disposition.filename, name) > 0;
    return find_loose(value, loose, sizeof(loose)) && http_safe_filename(loose, name) > 0;
}

/* The last segment of where a redirect leads: a name in case none comes. */
static bool of_location(http_span_t value, char *name)
{
    char path[HTTP_DISPOSITION_NAME_SIZE];
    size_t len = 0;

    while (len < value.len && value.data[len] != '?' && value.data[len] != '#')
        len++;
    if (len == 0 || len >= sizeof(path) || value.data[len - 1] == '/')
        return false;
    memcpy(path, value.data, len);
    path[len] = '\0';
    return http_safe_filename(path, name) > 0;
}

static int use_name(output_t *output, const char *name)
{
    char *path = output__join(output->options, name);
    hbytes_t why = {0};
    int err = 0;

    if (!path)
        return output__fail(output, -ENOMEM, "take the name", name);
    hmem_free(output->name);
    output->name = path;
    output->named_by_server = true;
    if (output__make_folders(output->options, path, &why)) {
        err = -EIO;
        (void)hbytes_append(&output->error, why.data, why.len);
    }
    hbytes_deinit(&why);
    return err;
}

int output__take_name(output_t *output, const http_exchange_response_t *response)
{
    char name[HTTP_FILENAME_SIZE];

    if (output->begun || response->status / 100 < 2 || response->status / 100 > 3)
        return 0;
    for (size_t i = 0; i < response->field_count; i++) {
        const http_field_t *field = &response->fields[i];

        if (http_span_ieq(field->name, "Content-Disposition") && of_disposition(field->value, name))
            return use_name(output, name);
    }
    for (size_t i = 0; response->status / 100 == 3 && i < response->field_count; i++) {
        const http_field_t *field = &response->fields[i];

        if (http_span_ieq(field->name, "Location") && of_location(field->value, name))
            return use_name(output, name);
    }
    return 0;
}
