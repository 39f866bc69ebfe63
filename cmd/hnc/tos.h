/* tos: the words of -T for the type of service of what is sent. */
#ifndef HNC_TOS_H
#define HNC_TOS_H

/* "lowdelay", "af21", "cs3", "ef", or a number 0..255, also in hex (0x10). The value, or
 * HERR_SYNTAX or HERR_RANGE. */
int tos_parse(const char *text);

#endif
