/* pretty: heads and bodies as a person likes to see them on a terminal: names and statuses stand
 * out, JSON is indented. What is not JSON passes byte for byte, and so does everything that goes to
 * a file, or to a pipe unless --pretty was said. */
#ifndef HCURL_PRETTY_H
#define HCURL_PRETTY_H

#include "codec/json_pretty.h"
#include "report.h"

/* All members are private. */
typedef struct pretty_s {
    bool color;
    bool bold; /* --styled-output: the names of fields */
    bool json; /* bodies may be laid out */
    bool body; /* ... and this one is */
    json_pretty_t layout;
} pretty_t;

/* to_stdout: the output goes to the process' stdout, not to a file. */
void pretty_init(pretty_t *pretty, const report_options_t *options, bool to_stdout);

/* Whether pretty_head makes a difference. */
bool pretty_has_heads(const pretty_t *pretty);

/* Appends a line of a head, with its line end. 0, or the errors of hbytes_append; so below. */
int pretty_head(const pretty_t *pretty, http_span_t line, hbytes_t *out);

/* A body of this type (NULL or "": unknown) begins. Whether it has to pass through pretty_body and
 * pretty_end; otherwise it goes out as it is. */
bool pretty_begin(pretty_t *pretty, const char *content_type);
int pretty_body(pretty_t *pretty, http_span_t data, hbytes_t *out);
int pretty_end(pretty_t *pretty, hbytes_t *out);

#endif
