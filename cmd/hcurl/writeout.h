/* writeout: -w, the text with variables that is printed behind a transfer. */
#ifndef HCURL_WRITEOUT_H
#define HCURL_WRITEOUT_H

#include "app/hopt.h"
#include "headers.h"
#include "outlet.h"

#define WRITEOUT_FILE_MAX ((size_t)1 << 20) /* of -w @file */
#define WRITEOUT_NAME_MAX 511               /* of %output{...} */
#define WRITEOUT_TIME_MAX 256               /* what %time{...} gives */

/* All zero is the default. */
typedef struct writeout_options_s {
    const char *format; /* NULL: nothing */
    char *file;         /* what it points to when it came from @file */
} writeout_options_t;

extern const hopt_t writeout_rows[];

void writeout_options_deinit(writeout_options_t *options);

/* What the variables tell. Strings may be NULL where nothing is known. */
typedef struct writeout_facts_s {
    const http_transfer_info_t *info; /* NULL: no transfer was begun */
    const headers_t *headers;
    const char *url;      /* as it was asked for */
    uint64_t url_number;  /* url_target_t.number */
    const char *filename; /* output_filename */
    uint64_t written;     /* output_written */
    int status;           /* exit status */
    const char *error;    /* its line */
    uint32_t retries;
    uint64_t queued_us;                      /* before it began */
    long verify_result, proxy_verify_result; /* X509_V_...; 0: fine */
    const char *certs;                       /* PEM and more, of all of them */
    int cert_count;
    const char *version; /* for %{json}: name and version of the program and its libraries */
} writeout_facts_t;

/* Whether the text asks for what has to be read while the connection is there: certificates, and
 * what verifying them came to. */
bool writeout_wants_tls(const char *format);

/* Appends what %{certs} shows of a connection: how many certificates it is, 0 without TLS. */
int writeout_certs(const hio_t *io, hbytes_t *out);

/* Prints. 0, or the first error of writing; the rest is tried all the same. */
int writeout(const char *format, const writeout_facts_t *facts, outlet_t *out);

#endif
