/* answer: the bytes of the answers. */
#ifndef HNET_HECHO_ANSWER_H
#define HNET_HECHO_ANSWER_H

#include <stddef.h>

/* The pattern of RFC 864: lines of 72 characters and CRLF, each beginning one character later in
 * the 95 that print. After 95 lines it begins anew. */
#define CHARGEN_LINE 74
#define CHARGEN_PERIOD (95 * CHARGEN_LINE)

/* Fills with the pattern from its beginning. */
void answer_chargen(char *buf, size_t size);

/* Letters move by 13, in place. */
void answer_rot13(char *buf, size_t len);

#endif
