/* What the files of hurl share. */
#ifndef HNET_BASE_HURL_INT_H
#define HNET_BASE_HURL_INT_H

#include "hurl.h"

#define HURL_IDN_SIZE 1024 /* a name before libidn2 has seen it, with a NUL */

/* Which characters are written as %XX, besides controls and what is not ASCII. */
#define HURL_SET_NONE ""
#define HURL_SET_FRAGMENT " \"<>`"
#define HURL_SET_QUERY " \"#<>"
#define HURL_SET_QUERY_SPECIAL " \"#<>'"
#define HURL_SET_PATH " \"#<>?^`{}"
#define HURL_SET_USER " \"#<>?^`{}/:;=@[\\]|"

/* Appends text with these characters encoded; a "%" stays. */
int hurl__put(hbytes_t *out, hurl_part_t text, const char *set);

/* Appends a host, normalised (an IPv6 address in its brackets). special: names are DNS names. */
int hurl__put_host(hbytes_t *out, hurl_part_t text, bool special, hurl_host_e *kind);

/* The ASCII form of a UTF-8 name. 0, HERR_SYNTAX, HERR_RANGE, HERR_UNSUPPORTED, -ENOMEM. */
int hurl__idn(const char *name, char *ascii, size_t size);

/* The value of a hexadecimal digit, or -1. */
int hurl__hex(char c);

#endif
