#include "dump.h"

#include "base/hmem.h"
#include "base/htime.h"
#include "hnc.h"

#include <stdio.h>
#include <string.h>

typedef struct dump_file_s {
    FILE *file;
    const char *name;
    view_t view;
} dump_file_t;

struct dump_s {
    dump_file_t output;
    dump_file_t hex;
    hbytes_t text; /* of one chunk */
    int failed;
};

static int open_file(dump_file_t *f, const char *name, bool append)
{
    if (!name)
        return 0;
    f->name = name;
    f->file = fopen(name, append ? "ae" : "we");
    if (f->file)
        return 0;
    hnc_say("%s: %s", name, strerror(errno));
    return 1;
}

int dump_open(dump_t **dump, const options_t *o)
{
    dump_t *d;

    *dump = NULL;
    if (!o->output_file && !o->hex_file)
        return 0;
    d = hmem_zalloc(sizeof(*d));
    if (!d) {
        hnc_say("%s", herr_str(-ENOMEM));
        return 1;
    }
    d->hex.view.style = VIEW_HEX;
    d->hex.view.timestamps = o->timestamps;
    if (open_file(&d->output, o->output_file, o->append_output) != 0 ||
        open_file(&d->hex, o->hex_file, o->append_output) != 0) {
        dump_close(d);
        return 1;
    }
    *dump = d;
    return 0;
}

static void fail(dump_t *dump, dump_file_t *f, const char *why)
{
    hnc_say("%s: %s", f->name, why);
    dump->failed = 1;
    fclose(f->file);
    f->file = NULL;
}

/* What is dumped can be read while the connection lives. */
static void write_chunk(dump_t *dump, dump_file_t *f, dump_direction_e direction,
                        const hbuf_t *chunk)
{
    const hbuf_t *text = chunk;
    hbuf_t formatted;

    if (!f->file)
        return;
    if (f->view.style != VIEW_RAW) {
        hbytes_clear(&dump->text);
        if (view_format(&f->view, direction, chunk, htime_real_ms(), &dump->text) < 0) {
            fail(dump, f, herr_str(-ENOMEM));
            return;
        }
        formatted.base = dump->text.data;
        formatted.len = dump->text.len;
        text = &formatted;
    }
    fwrite(text->base, 1, text->len, f->file);
    if (fflush(f->file) != 0 || ferror(f->file))
        fail(dump, f, strerror(errno));
}

void dump_data(dump_t *dump, dump_direction_e direction, const void *data, size_t len)
{
    hbuf_t chunk = {(char *)data, len};

    if (!dump)
        return;
    write_chunk(dump, &dump->output, direction, &chunk);
    write_chunk(dump, &dump->hex, direction, &chunk);
}

static void close_file(dump_t *dump, dump_file_t *f)
{
    if (f->file && fclose(f->file) != 0) {
        hnc_say("%s: %s", f->name, strerror(errno));
        dump->failed = 1;
    }
}

int dump_close(dump_t *dump)
{
    int failed;

    if (!dump)
        return 0;
    close_file(dump, &dump->output);
    close_file(dump, &dump->hex);
    hbytes_deinit(&dump->text);
    failed = dump->failed;
    hmem_free(dump);
    return failed;
}
