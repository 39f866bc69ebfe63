/* hprivilege: becoming another user for good. */
#ifndef HNET_APP_HPRIVILEGE_H
#define HNET_APP_HPRIVILEGE_H

#include "../base/hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether these names exist, which changes nothing: 0, or HERR_RESOLVE, the words of
 * hprivilege_drop, and in *wrong (may be NULL) the one of them that does not. */
int hprivilege_check(const char *user, const char *group, const char **wrong, hbytes_t *why);

/* Takes the user (a name or a number) and the group (NULL: the user's own) with no other groups
 * than the user's, irrevocably. Does nothing when the process is that user already, and both may be
 * NULL. 0; HERR_RESOLVE for a name that does not exist, or a number that has no entry and so no
 * group of its own; -EPERM without the right to; -errno. On an error `why` gets the words:
 * "unknown user 'nobdy'". Call it after the privileged ports are bound, and before threads and
 * workers. */
int hprivilege_drop(const char *user, const char *group, hbytes_t *why);

/* The same, and root (a folder; NULL: none) becomes the root and the working directory; the names
 * are looked up before. user and group may be NULL. Files and libraries that are opened later have
 * to be in there. */
int hprivilege_enter(const char *root, const char *user, const char *group, hbytes_t *why);

#ifdef __cplusplus
}
#endif

#endif
