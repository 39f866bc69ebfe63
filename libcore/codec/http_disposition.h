/* http_disposition: Content-Disposition of answers (RFC 6266) and of a form's parts (RFC 7578),
 * with names in any script (RFC 8187), and what of a name is safe to open a file with. */
#ifndef HNET_CODEC_HTTP_DISPOSITION_H
#define HNET_CODEC_HTTP_DISPOSITION_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_DISPOSITION_NAME_SIZE 1024 /* of a name, in UTF-8, with a NUL */
#define HTTP_FILENAME_SIZE 256          /* of a safe one: what file systems take, and a NUL */
#define HTTP_DISPOSITION_PARAMS_MAX 16

typedef struct http_disposition_s {
    http_span_t type; /* "attachment", "form-data"; points into the value */
    bool has_name, has_filename;
    char name[HTTP_DISPOSITION_NAME_SIZE];     /* of a form's field */
    char filename[HTTP_DISPOSITION_NAME_SIZE]; /* as it was sent: never to be opened */
} http_disposition_t;

/* Parses the value. Names become UTF-8: what is not is taken for ISO-8859-1. filename* goes before
 * filename if it can be read. 0; HERR_SYNTAX (also a name with controls); HERR_FRAME_SIZE (a name
 * that is too long, too many parameters). */
int http_disposition_parse(http_span_t value, http_disposition_t *disposition);

/* Makes a name of HTTP_FILENAME_SIZE bytes for a new file in a folder of ours: the last component,
 * with either slash; controls, invalid UTF-8 and ":" as "_", also a dot or a hyphen in front and a
 * dot or space at the end; cut between two characters. The length, or HERR_SYNTAX when nothing is
 * left. */
ssize_t http_safe_filename(const char *filename, char *buf);

/* Writes the value and a NUL. name and filename are UTF-8, or NULL. With a name it is one of a
 * form, quoted as browsers do; otherwise a filename that is not plain ASCII comes twice, as
 * filename* for all that know it. The length, -ENOBUFS, -ENOMEM, or -EINVAL (type is no token, no
 * UTF-8, controls in an answer's filename). */
ssize_t http_disposition_write(const char *type, const char *name, const char *filename, char *buf,
                               size_t size);

#ifdef __cplusplus
}
#endif

#endif
