/* output: where the heads and the body of a transfer go, and what is left of them when it ends.
 *
 *     output_new      names are settled, folders made, resumed files and header files opened
 *     output_head ... output_body ... output_trailers     from the transfer's callbacks
 *     output_judge    how this try ended, as --fail-with-body, --expect-status see it
 *     output_again    there is another try: what came is kept or thrown away
 *     output_finish   the file is put in its place, or removed
 *     output_free
 *
 * Whatever fails says a positive exit status (status.h) and appends one line to a text. */
#ifndef HCURL_OUTPUT_H
#define HCURL_OUTPUT_H

#include "app/hopt.h"
#include "checksum.h"
#include "headers.h"
#include "outlet.h"
#include "report.h"

#define OUTPUT_CLOBBER_TRIES 100  /* name.1 to name.100 */
#define OUTPUT_TERMINAL_LOOK 2000 /* bytes in which a NUL means: this is not for a terminal */
#define OUTPUT_EXPECT_MAX 32
#define OUTPUT_ETAG_MAX 65536

typedef enum output_fail_e {
    OUTPUT_FAIL_NEVER,
    OUTPUT_FAIL,          /* without the body */
    OUTPUT_FAIL_WITH_BODY /* which is written all the same */
} output_fail_e;

typedef enum output_clobber_e {
    OUTPUT_CLOBBER_USUAL, /* files are overwritten, but for those that a server has named */
    OUTPUT_CLOBBER_ALWAYS,
    OUTPUT_CLOBBER_NEVER /* name.1 and so on */
} output_clobber_e;

/* Statuses, both ends included. */
typedef struct output_expect_s {
    uint16_t from, to;
} output_expect_t;

/* All zero is the default. */
typedef struct output_options_s {
    const char *folder; /* --output-dir; NULL: the working directory */
    bool create_folders;
    unsigned file_mode; /* of new files, before the umask; 0: 0666 */
    int clobber;        /* output_clobber_e */
    bool header_name;   /* -J */
    bool remove_on_error;
    bool include;             /* -i */
    const char *dump_header;  /* -D; "-": stdout, "%": stderr */
    int fail;                 /* output_fail_e */
    const char *etag_save;    /* "-": stdout */
    const char *etag_compare; /* "" and no such file: an empty tag */
    bool remote_time;
    bool xattr;
    bool unbuffered; /* all output is */
    checksum_value_t checksum;
    output_expect_t expect[OUTPUT_EXPECT_MAX];
    size_t expect_count;
} output_options_t;

extern const hopt_t output_rows[];

#define OUTPUT_RESUME_FILE (-1) /* "-C -": from where the file ends */

/* What is known before the transfer begins. All is borrowed until output_free. */
typedef struct output_setup_s {
    const char *url;  /* of this transfer, after globbing */
    const char *name; /* of the file, without --output-dir; NULL: stdout */
    bool remote_name; /* it is made of the URL (-O): -J may change it */
    bool to_stdout;   /* -o - was said: binary on a terminal is meant */
    bool discard;     /* --out-null */
    bool show_heads;  /* because of -I; -i is in the options */
    bool no_connect_heads;
    bool robust;         /* --robust: a file is put in its place once it is whole */
    bool use_resume;     /* -C was given: */
    int64_t resume_from; /*   from this offset, or OUTPUT_RESUME_FILE */
    bool upload;         /* then -C is about what is sent */
    bool first;          /* of its operation: -D begins a new file */
    outlet_t *out;       /* stdout */
    const report_options_t *report;
} output_setup_t;

typedef struct output_s output_t;

/* 0 and *output; or an exit status and why: STATUS_WRITE (a folder or a file cannot be made),
 * STATUS_USAGE (options that exclude each other), STATUS_MEMORY. */
int output_new(const output_options_t *options, const output_setup_t *setup, output_t **output,
               hbytes_t *why);

/* Closes what is open; a file that output_finish did not put in place is removed. NULL is legal. */
void output_free(output_t *output);

/* For the transfer's options, before each try: fail_on_status; resume_from of a download; the
 * values of If-None-Match (--etag-compare) and, when another try goes on where one broke off, of
 * If-Range. NULL: none. */
bool output_fails_on_status(const output_t *output);
int64_t output_resume_from(const output_t *output);
const char *output_if_none_match(const output_t *output);
const char *output_if_range(const output_t *output);

/* Whether the body goes to a terminal: then no progress is shown. */
bool output_is_terminal(const output_t *output);

/* The name the file has or will have, for --skip-existing and %{filename_effective}; NULL: stdout
 * or none. */
const char *output_filename(const output_t *output);

/* Bytes that were written: %{size_delivered}. */
uint64_t output_written(const output_t *output);

/* The heads so far, of this try. */
const headers_t *output_headers(const output_t *output);

/* From on_head, on_body and on_trailers. 0, or a negative error: the transfer is to be aborted with
 * HTTP_FAULT_WRITE (on_body does so by returning it), and output_error tells why. */
int output_head(output_t *output, http_transfer_t *transfer, http_hop_e hop,
                const http_exchange_response_t *response);
int output_body(output_t *output, http_transfer_t *transfer, http_span_t data);
int output_trailers(output_t *output, const http_field_t *fields, size_t count);

/* What failed here, one line; "" if nothing did. */
const char *output_error(const output_t *output);

/* From on_close. status is what the fault says. The status after --fail-with-body and
 * --expect-status have been considered; with another status than before why is appended. */
int output_judge(output_t *output, int status, int http_status, hbytes_t *why);

/* There is another try. Keeps what came if the next one can go on behind it (then
 * output_resume_from says so), else throws it away; says either as a note. 0, or STATUS_WRITE. */
int output_again(output_t *output, const http_transfer_info_t *info, hbytes_t *why);

/* The last try is over: an empty file is made, attributes and time are set, the checksum is
 * compared, the file is put in its place or removed. The status in the end, and why if that is
 * another one than `status`. */
int output_finish(output_t *output, int status, const http_transfer_info_t *info, hbytes_t *why);

#endif
