/* htos: words for the type of service of what is sent (IP_TOS, IPV6_TCLASS). */
#ifndef HNET_NET_HTOS_H
#define HNET_NET_HTOS_H

#ifdef __cplusplus
extern "C" {
#endif

/* "lowdelay", "af21", "cs3", "ef", "le", in any case, or a number 0..255, also in hex (0x10). The
 * value, or HERR_SYNTAX or HERR_RANGE. */
int htos_parse(const char *text);

#ifdef __cplusplus
}
#endif

#endif
