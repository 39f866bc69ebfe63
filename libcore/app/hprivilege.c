#include "hprivilege.h"

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "../base/herr.h"
#include "../base/hstr.h"

typedef struct identity_s {
    const char *name; /* of the user, for its groups; NULL: a bare number */
    uid_t uid;
    gid_t gid;
    bool has_user;
    bool has_group;
} identity_t;

static int find_user(const char *user, identity_t *id)
{
    struct passwd *entry = getpwnam(user);
    uint64_t number;

    if (entry == NULL && hstr_parse_u64(user, 0, UINT32_MAX - 1, &number) == 0) {
        id->has_user = true;
        id->uid = (uid_t)number;
        entry = getpwuid(id->uid);
    }
    if (entry != NULL) {
        id->name = entry->pw_name;
        id->uid = entry->pw_uid;
        id->gid = entry->pw_gid;
        id->has_user = id->has_group = true;
    }
    return id->has_user ? 0 : HERR_RESOLVE;
}

static int find_group(const char *group, identity_t *id)
{
    struct group *entry = getgrnam(group);
    uint64_t number;

    if (entry != NULL)
        id->gid = entry->gr_gid;
    else if (hstr_parse_u64(group, 0, UINT32_MAX - 1, &number) == 0)
        id->gid = (gid_t)number;
    else
        return HERR_RESOLVE;
    id->has_group = true;
    return 0;
}

/* Groups first: without root's rights they could no longer be changed, and in another root the
 * user database is not found any more. */
static int become(const identity_t *id, const char *root)
{
    if (id->has_group) {
        int rc = id->name != NULL ? initgroups(id->name, id->gid) : setgroups(1, &id->gid);

        if (rc < 0 || setresgid(id->gid, id->gid, id->gid) < 0)
            return -errno;
    }
    if (root != NULL && (chroot(root) < 0 || chdir("/") < 0))
        return -errno;
    if (id->has_user && setresuid(id->uid, id->uid, id->uid) < 0)
        return -errno;
    return 0;
}

static bool is_already(const identity_t *id)
{
    return (!id->has_user || (getuid() == id->uid && geteuid() == id->uid)) &&
           (!id->has_group || (getgid() == id->gid && getegid() == id->gid));
}

static int find(const char *user, const char *group, identity_t *id, hbytes_t *why)
{
    if (user != NULL && find_user(user, id) < 0) {
        hbytes_printf(why, "unknown user '%s'", user);
        return HERR_RESOLVE;
    }
    if (group != NULL && find_group(group, id) < 0) {
        hbytes_printf(why, "unknown group '%s'", group);
        return HERR_RESOLVE;
    }
    if (is_already(id))
        return 0;
    if (id->has_user && !id->has_group) {
        hbytes_printf(why, "user '%s' is in no user database: name a group too", user);
        return HERR_RESOLVE;
    }
    return 0;
}

int hprivilege_check(const char *user, const char *group, const char **wrong, hbytes_t *why)
{
    identity_t id = {0};
    int status = find(NULL, group, &id, why);
    bool has_group = status == 0;

    if (has_group)
        status = find(user, group, &id, why);
    if (status < 0 && wrong != NULL)
        *wrong = has_group ? user : group;
    return status;
}

int hprivilege_drop(const char *user, const char *group, hbytes_t *why)
{
    return hprivilege_enter(NULL, user, group, why);
}

int hprivilege_enter(const char *root, const char *user, const char *group, hbytes_t *why)
{
    identity_t id = {0};
    int status = find(user, group, &id, why);

    if (status < 0 || (is_already(&id) && root == NULL))
        return status;
    status = become(&id, root);
    /* Root that can come back has given nothing up. */
    if (status == 0 && id.has_user && id.uid != 0 && setuid(0) == 0)
        status = -EPERM;
    if (status < 0)
        hbytes_printf(why, "cannot become %s%s%s: %s",
                      user != NULL    ? user
                      : group != NULL ? group
                                      : "a process",
                      root != NULL ? " in " : "", root != NULL ? root : "", herr_str(status));
    return status;
}
