/* input: a file that an option names and that is read whole; "-" is the standard input. */
#ifndef HCURL_INPUT_H
#define HCURL_INPUT_H

#include "base/hbuf.h"

typedef enum input_e {
    INPUT_BYTES,  /* as they are */
    INPUT_JOINED, /* without line ends and NULs */
    INPUT_TEXT    /* lines: a NUL is an error, a byte order mark in front is left out */
} input_e;

/* Appends what is in it. 0; an error of hfile_read_named or hfile_read_text, with one line of why:
 * "cannot read 'name': it is larger than 16 MB". out may then hold a part. */
int input_read(const char *name, size_t size_max, input_e kind, hbytes_t *out, hbytes_t *why);

#endif
