/* text: what strangers write, made harmless: control characters, invalid UTF-8 and what turns the
 * direction of text become \xNN, a tab becomes a space. It is one line then, and stays as it is
 * when that is done again. Pure. */
#ifndef HNET_HCHAT_TEXT_H
#define HNET_HCHAT_TEXT_H

#include "base/hbuf.h"

/* What a byte can become. */
#define TEXT_GROWTH 4

/* Appends it. 0, -ENOMEM, -ENOBUFS. */
int text_append(hbytes_t *out, const char *data, size_t len);

#endif
