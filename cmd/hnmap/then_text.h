/* then_text: the command of --then with what is known of a host in place of {ip} and the like.
 *
 * A shell reads the command, and names come from strangers. What is put in has nothing but letters,
 * digits and ._:%,- in it and does not begin with a hyphen: it means nothing to a shell wherever it
 * stands, within quotes of either kind, in a command that another shell reads again (ssh, eval) or
 * at the place of an option. */
#ifndef HNMAP_THEN_TEXT_H
#define HNMAP_THEN_TEXT_H

#include "result.h"

typedef enum then_word_e {
    THEN_IP,
    THEN_NAME, /* the address where there is none, or one with other characters */
    THEN_MAC,
    THEN_PORTS, /* "22,80": open, TCP */
    THEN_UDP_PORTS,
    THEN_PORT, /* one open port; the command is run for each */
    THEN_PROTOCOL,
    THEN_WORDS
} then_word_e;

/* "{word}" is a placeholder, "{{word}}" gives "{word}", "${word}" and everything else stays as it
 * is: what is not letters, digits, - and _ between braces is no word. 0; or HERR_SYNTAX, and *why
 * tells which part is wrong. */
int then_text_check(const char *command, hbytes_t *why);
bool then_text_has(const char *command, then_word_e word);

/* Appends the command; words: THEN_WORDS harmless texts. 0, -ENOMEM, -ENOBUFS. */
int then_text_write(hbytes_t *out, const char *command, const char *const *words);

/* See above; nothing at all is harmless too. */
bool then_text_is_harmless(const char *text);

/* The address, harmless whatever its interface is called. buf has HADDR_FORMAT_SIZE bytes. Returns
 * buf. */
const char *then_text_ip(const host_result_t *host, char *buf);

#endif
