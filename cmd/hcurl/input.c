#include "input.h"

#include "base/herr.h"
#include "base/hfile.h"
#include "base/hstr.h"

#include <string.h>

#define SHOWN_SIZE 1024 /* of a name */

static void join(hbytes_t *data, size_t start)
{
    size_t n = start;

    for (size_t i = start; i < data->len; i++) {
        if (data->data[i] != '\r' && data->data[i] != '\n' && data->data[i] != '\0')
            data->data[n++] = data->data[i];
    }
    if (data->data != NULL)
        data->data[n] = '\0';
    data->len = n;
}

static void tell_size(size_t size_max, hbytes_t *why)
{
    bool small = size_max < (size_t)1 << 20;

    hbytes_printf(why, "it is larger than %zu %s", size_max >> (small ? 10 : 20),
                  small ? "KB" : "MB");
}

static void tell(const char *name, size_t size_max, int err, hbytes_t *why)
{
    char shown[SHOWN_SIZE];

    hstr_escape(shown, sizeof(shown), name, strlen(name));
    if (strcmp(name, "-") == 0)
        hbytes_append_str(why, "cannot read the standard input: ");
    else
        hbytes_printf(why, "cannot read '%s': ", shown);
    if (err == -EFBIG || err == -ENOBUFS)
        tell_size(size_max, why);
    else
        hbytes_append_str(why, err == HERR_SYNTAX ? "it is no text" : herr_str(err));
}

int input_read(const char *name, size_t size_max, input_e kind, hbytes_t *out, hbytes_t *why)
{
    size_t start = out->len;
    int err = kind == INPUT_TEXT ? hfile_read_text(name, size_max, out)
                                 : hfile_read_named(name, size_max, out);

    if (err == 0 && kind == INPUT_JOINED)
        join(out, start);
    if (err != 0 && err != -ENOMEM)
        tell(name, size_max, err, why);
    return err == -ENOBUFS ? -EFBIG : err;
}
