#include "dump.h"

#include "base/hmem.h"
#include "hnc.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES 16

typedef struct dump_file_s {
    FILE *file;
    const char *name;
} dump_file_t;

struct dump_s {
    dump_file_t output;
    dump_file_t hex;
    unsigned long long offset[2]; /* by direction */
    int failed;
};

static int open_file(dump_file_t *f, const char *name)
{
    if (!name)
        return 0;
    f->name = name;
    f->file = fopen(name, "we");
    if (f->file)
        return 0;
    hnc_say("%s: %s", name, strerror(errno));
    return 1;
}

int dump_open(dump_t **dump, const char *output_file, const char *hex_file)
{
    *dump = NULL;
    if (!output_file && !hex_file)
        return 0;
    *dump = hmem_zalloc(sizeof(**dump));
    if (!*dump) {
        hnc_say("%s", herr_str(-ENOMEM));
        return 1;
    }
    if (open_file(&(*dump)->output, output_file) == 0 && open_file(&(*dump)->hex, hex_file) == 0)
        return 0;
    dump_close(*dump);
    *dump = NULL;
    return 1;
}

/* What is dumped can be read while the connection lives. */
static void check(dump_t *dump, dump_file_t *f)
{
    if (fflush(f->file) == 0 && !ferror(f->file))
        return;
    hnc_say("%s: %s", f->name, strerror(errno));
    dump->failed = 1;
    fclose(f->file);
    f->file = NULL;
}

/* "> 00000010  68 65 6c 6c 6f 0a                                |hello.|" */
static void hex_line(FILE *to, char mark, unsigned long long offset, const unsigned char *data,
                     size_t len)
{
    char text[LINE_BYTES + 1];

    fprintf(to, "%c %08llx ", mark, offset);
    for (size_t i = 0; i < LINE_BYTES; i++) {
        if (i < len)
            fprintf(to, " %02x", data[i]);
        else
            fputs("   ", to);
    }
    for (size_t i = 0; i < len; i++)
        text[i] = data[i] >= ' ' && data[i] <= '~' ? (char)data[i] : '.';
    text[len] = '\0';
    fprintf(to, "  |%s|\n", text);
}

static void hex_data(dump_t *dump, dump_direction_e direction, const unsigned char *data,
                     size_t len)
{
    char mark = direction == DUMP_SENT ? '>' : '<';

    for (size_t i = 0; i < len; i += LINE_BYTES) {
        size_t n = len - i < LINE_BYTES ? len - i : LINE_BYTES;

        hex_line(dump->hex.file, mark, dump->offset[direction] + i, data + i, n);
    }
    dump->offset[direction] += len;
}

void dump_data(dump_t *dump, dump_direction_e direction, const void *data, size_t len)
{
    if (!dump)
        return;
    if (dump->output.file) {
        fwrite(data, 1, len, dump->output.file);
        check(dump, &dump->output);
    }
    if (dump->hex.file) {
        hex_data(dump, direction, data, len);
        check(dump, &dump->hex);
    }
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
    failed = dump->failed;
    hmem_free(dump);
    return failed;
}
