/* hqr: a text as a QR code on the terminal, with libqrencode, which is loaded at the first use. */
#ifndef HNET_APP_HQR_H
#define HNET_APP_HQR_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HQR_TEXT_MAX 512 /* bytes; a code for more is larger than a terminal */
#define HQR_QUIET 2      /* light modules around the code */

/* Appends the code: two modules a character, one above the other (UTF-8 half blocks), a newline
 * behind each row. With colour it is black on white on any terminal; without, it is right where
 * writing is light on dark. columns is the width of the terminal, 0: any.
 *
 * 0; HERR_UNSUPPORTED: there is no libqrencode (hqr_missing tells); HERR_RANGE: text is empty or
 * too long, or the code is wider than the terminal; -ENOMEM, -ENOBUFS. out is as before then. */
int hqr_write(hbytes_t *out, const char *text, bool color, size_t columns);

/* What to tell the user after HERR_UNSUPPORTED, without a newline. Static storage. */
const char *hqr_missing(void);

#ifdef __cplusplus
}
#endif

#endif
