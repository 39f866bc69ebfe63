/* hsecret: a password that the user types, not shown. */
#ifndef HNET_APP_HSECRET_H
#define HNET_APP_HSECRET_H

#include "../base/herr.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Asks on the controlling terminal, whatever stdin and stdout are, and blocks until the line is
 * there. The terminal is restored on every way out, also when a signal ends the program. Returns
 * the length; -ENXIO without a terminal, -ECANCELED after Ctrl-C or Ctrl-D, -EMSGSIZE for more than
 * size - 1 bytes, or the -errno of the terminal. buf is wiped on an error. */
int hsecret_read(const char *prompt, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
