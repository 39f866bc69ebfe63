/* hnetrc: who we are to a host, by the text of a netrc file:
 *
 *     machine HOST login NAME password SECRET account IGNORED
 *     macdef NAME ... up to an empty line
 *     default login NAME password SECRET
 *
 * Words are separated by spaces and ends of lines, keywords and hosts are compared without case. A
 * value in double quotes may hold spaces, and \" \\ \n \r \t. A line that begins with # is a
 * comment. What is not known is skipped. */
#ifndef HNET_BASE_HNETRC_H
#define HNET_BASE_HNETRC_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HNETRC_FILE_MAX (128 * 1024)
#define HNETRC_VALUE_SIZE 4096 /* of a name or a password with its NUL */

typedef struct hnetrc_s {
    char login[HNETRC_VALUE_SIZE];    /* "": the entry has none */
    char password[HNETRC_VALUE_SIZE]; /* "": likewise */
    bool has_login, has_password;
} hnetrc_t;

/* The first entry for host that says something; with a user (NULL or "": any) the first one that
 * has a password for just this login, or a password without a login. *found is written in any case,
 * and its login is then that user. 1; 0: there is none; HERR_SYNTAX: a quote is not closed or a
 * value too long, before an entry was found. */
int hnetrc_find(const char *text, size_t len, const char *host, const char *user, hnetrc_t *found);

#ifdef __cplusplus
}
#endif

#endif
