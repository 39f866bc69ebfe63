/* output_int: what the files of output share. */
#ifndef HCURL_OUTPUT_INT_H
#define HCURL_OUTPUT_INT_H

#include "outfile.h"
#include "output.h"
#include "pretty.h"

/* What goes beside the body: -D, --etag-save. Closed: fd is -1 and to_stdout false. */
typedef struct output_side_s {
    int fd;
    bool to_stdout;
    const char *name; /* as it was given */
} output_side_t;

struct output_s {
    const output_options_t *options;
    output_setup_t setup;
    char *name;           /* of the file, with its folder; NULL: there is none */
    bool named_by_server; /* -J: never to be overwritten, unless --clobber */
    outfile_t file;
    bool begun;          /* the body's: a byte has been written, or the file was opened */
    bool ignored;        /* this body: the file is whole already */
    bool heads_in_file;  /* -i */
    int64_t resume_from; /* of the next try */
    headers_t headers;
    hbytes_t held; /* heads (-i) that wait for the name of the file (-J) */
    output_side_t dump, etag;
    hbytes_t etag_compare, if_range; /* len 0: none */
    checksum_t *checksum;
    pretty_t pretty;
    bool lays_out; /* the body goes through pretty */
    hbytes_t laid_out;
    uint64_t written;
    outlet_wait_t wait;
    hbytes_t error;
};

/* Notes what failed, once: "cannot write out.txt: No space left on device". Returns err. */
int output__fail(output_t *output, int err, const char *what, const char *name);

bool output__is_stdout(const output_t *output);

/* Where the body goes is opened, if it is not. 0 or a negative error that is noted. */
int output__open(output_t *output);

/* Counts data into the checksum, if one is wanted. 0 or a negative error that is noted. */
int output__sum(output_t *output, http_span_t data);

/* ---- output_name.c --------------------------------------------------------------------------- */

/* NAME in --output-dir; NULL: no memory. hmem_free. */
char *output__join(const output_options_t *options, const char *name);

/* --create-dirs for one path: 0, or STATUS_WRITE and why. */
int output__make_folders(const output_options_t *options, const char *path, hbytes_t *why);

/* -J: takes a name from the head, if it has one. 0, or a negative error that is noted. */
int output__take_name(output_t *output, const http_exchange_response_t *response);

/* ---- output_side.c --------------------------------------------------------------------------- */

/* Opens -D, reads --etag-compare, opens --etag-save. 0; or an exit status and why. */
int output__open_sides(output_t *output, hbytes_t *why);
void output__close_sides(output_t *output);

int output__side_write(output_t *output, const output_side_t *side, const char *data, size_t len);
int output__save_etag(output_t *output, const http_exchange_response_t *response);

/* --xattr and -R, on the file in the end. What fails is a warning. */
void output__set_attributes(output_t *output, const http_transfer_info_t *info);
void output__set_time(output_t *output);

#endif
