/* hsecret: a password, typed and not shown, or kept in a file or a variable. */
#ifndef HNET_APP_HSECRET_H
#define HNET_APP_HSECRET_H

#include "../base/herr.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Asks on the controlling terminal, whatever stdin and stdout are, and blocks until the line is
 * there. The terminal is restored on every way out, also when a signal ends the program. Returns
 * the length; -ENXIO without a terminal, -ECANCELED after Ctrl-C or Ctrl-D, -EMSGSIZE for more than
 * size - 1 bytes, or the -errno of the terminal. buf is wiped on an error. */
int hsecret_read(const char *prompt, char *buf, size_t size);

/* Whether source says where a password is kept: "file:PATH" or "env:NAME", as OpenSSL's programs
 * have it. Their "pass:PASSWORD" is left out: everybody can see a command line. */
bool hsecret_is_source(const char *source);

/* Reads a password from where source says: the first line of a file, without its end, or a
 * variable of the environment. Returns the length. Otherwise buf is wiped, why (of why_size bytes)
 * is one line, and the result HERR_SYNTAX (no such source), -ENOENT (the variable is not set),
 * -ENODATA (nothing is in it), -EMSGSIZE (more than size - 1 bytes) or the file's -errno. Blocks
 * where the file does, a FIFO. */
int hsecret_from(const char *source, char *buf, size_t size, char *why, size_t why_size);

#ifdef __cplusplus
}
#endif

#endif
