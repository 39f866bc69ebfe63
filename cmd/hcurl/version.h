/* version: which hcurl this is, and what is in it. Nothing is loaded to find out. */
#ifndef HCURL_VERSION_H
#define HCURL_VERSION_H

#include "base/hbuf.h"

/* "hcurl/0.1.0 OpenSSL/3.0.17 zlib/1.2.13 ...": the program and its libraries. */
extern const char version_line[];

/* --version: the lines that scripts ask for: name, release, protocols, features. 0 or -ENOMEM. */
int version_write(hbytes_t *out);

#endif
