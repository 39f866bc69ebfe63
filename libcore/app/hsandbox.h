/* hsandbox: a process that serves strangers gives up what it will not need: Landlock limits what it
 * can reach in the file system, seccomp takes away the system calls with which a process that was
 * broken into goes on: running programs, looking into others, mounting, loading modules. Neither
 * limits the network. Both are inherited and cannot be taken back. */
#ifndef HNET_APP_HSANDBOX_H
#define HNET_APP_HSANDBOX_H

#include <stdbool.h>

#include "../base/hbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Each list ends with NULL, and may be NULL. A path that is a folder is for all that is below. */
typedef struct hsandbox_options_s {
    const char *const *read;  /* may be read; those that do not exist are left out */
    const char *const *write; /* files may also be made, written, renamed and removed there */
    bool system;              /* libraries that are loaded later, and what finds names and times,
                                 may be read */
} hsandbox_options_t;

/* What is in force; a set. */
typedef enum { HSANDBOX_LANDLOCK = 1, HSANDBOX_SECCOMP = 2 } hsandbox_e;

/* Shuts the process in, for good; descriptors that are open stay usable. Call it while there is one
 * thread: others would stay outside of Landlock. Returns the set of what is in force; for what the
 * kernel does not have, note gets a sentence. Nothing is executed afterwards, whatever its rights
 * (PR_SET_NO_NEW_PRIVS). A negative error when something that the kernel has failed, with words in
 * note: -ENOENT or the like for a path of write, -ENOMEM ... */
int hsandbox_enter(const hsandbox_options_t *options, hbytes_t *note);

#ifdef __cplusplus
}
#endif

#endif
