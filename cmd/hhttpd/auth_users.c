#include "auth_users.h"

#include "base/hfile.h"
#include "base/hlib.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "net/hdigest.h"
#include "settings.h"

#include <crypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLAIN_MARK "{PLAIN}"

/* ---- crypt(3) -------------------------------------------------------------------------------- */

typedef struct crypt_s {
    HLIB_FUNCTION(crypt_r);
    HLIB_FUNCTION(crypt_checksalt);
} crypt_t;

static const hlib_symbol_t symbols[] = {
    HLIB_SYMBOL(crypt_t, crypt_r),
    HLIB_SYMBOL(crypt_t, crypt_checksalt),
};
static const char *const files[] = {"libcrypt.so.1", NULL};
static crypt_t functions;
static hlib_t library = {
    .files = files,
    .symbols = symbols,
    .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
    .table = &functions,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static bool crypt_verify(const char *password, const char *hash)
{
    struct crypt_data *data = hmem_zalloc(sizeof(*data));
    const char *made = NULL;
    bool same;

    if (data && hlib_load(&library) == 0)
        made = functions.crypt_r(password, hash, data);
    same = made && made[0] != '*' && hstr_same_secret(made, hash);
    hmem_free(data);
    return same;
}

/* ---- what a password may look like ----------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int wrong(hbytes_t *why, const char *fmt, ...)
{
    va_list ap;
    int err;

    va_start(ap, fmt);
    err = hbytes_vprintf(why, fmt, ap);
    va_end(ap);
    return err < 0 ? err : HERR_SYNTAX;
}

/* SHA-256 is for auth.c, which remembers what was right; it has to be there before a worker is shut
 * in, or it is not found any more. */
static int check_crypt(const char *hash, hbytes_t *why)
{
    uint8_t digest[HTTP_AUTH_DIGEST_MAX];
    int rc;

    hdigest_hash(HTTP_AUTH_SHA256, NULL, 0, digest, NULL);
    if (hlib_load(&library) < 0)
        return wrong(why, "this hash needs %s", hlib_error(&library));
    rc = functions.crypt_checksalt(hash);
    if (rc == CRYPT_SALT_INVALID || rc == CRYPT_SALT_METHOD_DISABLED)
        return wrong(why, "a hash of a kind that crypt(3) does not know here");
    return 0;
}

static int check_apr1(hbytes_t *why)
{
    char hash[APR1_SIZE];
    int err = apr1_hash("", "$apr1$$", hash);

    return err ? wrong(why, "$apr1$ needs MD5: %s", herr_str(err)) : 0;
}

static int choose_kind(auth_user_t *user, hbytes_t *why)
{
    const char *secret = user->secret;

    if (hstr_starts(secret, PLAIN_MARK)) {
        user->secret += sizeof(PLAIN_MARK) - 1;
        user->kind = AUTH_PLAIN;
        return 0;
    }
    if (hstr_starts(secret, "$apr1$")) {
        user->kind = AUTH_APR1;
        return check_apr1(why);
    }
    if (secret[0] == '$') {
        user->kind = AUTH_CRYPT;
        return check_crypt(secret, why);
    }
    if (hstr_starts(secret, "{SHA}"))
        return wrong(why, "{SHA} has no salt and is guessed in no time: htpasswd -B makes "
                          "bcrypt");
    if (secret[0] == '{')
        return wrong(why, "a hash of a kind that is not known here: htpasswd -B makes bcrypt");
    return wrong(why, "no hash: htpasswd -B makes one; a password as it is has %s in front",
                 PLAIN_MARK);
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct reader_s {
    keep_t *keep;
    auth_user_t **end; /* where the next one is put */
    size_t count;
} reader_t;

static int add_user(reader_t *reader, auth_user_t user, hbytes_t *why)
{
    auth_user_t *kept;

    if (reader->count++ == AUTH_USERS_MAX)
        return wrong(why, "more than %d users", AUTH_USERS_MAX);
    if (user.name[0] == '\0')
        return wrong(why, "a user without a name");
    kept = settings_keep(reader->keep, sizeof(*kept));
    if (!kept)
        return -ENOMEM;
    *kept = user;
    *reader->end = kept;
    reader->end = &kept->next;
    return 0;
}

/* What is behind a second colon is somebody's note. */
static int add_line(reader_t *reader, char *line, hbytes_t *why)
{
    auth_user_t user = {.name = line};
    char *colon = strchr(line, ':');
    int err;

    if (line[0] == '\0' || line[0] == '#')
        return 0;
    if (!colon)
        return wrong(why, "it takes NAME:HASH");
    *colon = '\0';
    user.secret = colon + 1;
    if (!hstr_starts(user.secret, PLAIN_MARK))
        colon[1 + strcspn(user.secret, ":")] = '\0';
    err = choose_kind(&user, why);
    return err ? err : add_user(reader, user, why);
}

static int add_lines(reader_t *reader, const char *path, char *text, hbytes_t *why)
{
    hbytes_t reason = {0};
    int err = 0;

    for (int number = 1; !err && *text; number++) {
        size_t len = strcspn(text, "\n");
        char *next = text + len + (text[len] != '\0');

        text[len] = '\0';
        while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == ' '))
            text[--len] = '\0';
        err = add_line(reader, text, &reason);
        if (err)
            wrong(why, "%s:%d: %s", path, number, reason.len > 0 ? reason.data : herr_str(err));
        text = next;
    }
    hbytes_deinit(&reason);
    return err;
}

static int add_file(reader_t *reader, const char *path, hbytes_t *why)
{
    size_t before = reader->count;
    hbytes_t content = {0};
    char *kept;
    int err = hfile_read(path, AUTH_FILE_MAX, &content);

    if (err) {
        hbytes_deinit(&content);
        return err == -ENOMEM ? err : wrong(why, "'%s': %s", path, herr_str(err));
    }
    kept = settings_keep(reader->keep, content.len + 1);
    if (kept && content.len > 0)
        memcpy(kept, content.data, content.len);
    hbytes_deinit(&content);
    err = kept ? add_lines(reader, path, kept, why) : -ENOMEM;
    if (!err && reader->count == before)
        err = wrong(why, "'%s': nobody is in it", path);
    return err;
}

int auth_users_add(keep_t *keep, auth_user_t **users, const char *text, hbytes_t *why)
{
    reader_t reader = {.keep = keep, .end = users};
    const char *colon = strchr(text, ':');
    char *name;

    for (; *reader.end; reader.end = &(*reader.end)->next)
        reader.count++;
    if (!colon || text[0] == '/' || text[0] == '.')
        return add_file(&reader, text, why);
    name = settings_keep(keep, (size_t)(colon - text) + 1);
    if (!name)
        return -ENOMEM;
    memcpy(name, text, (size_t)(colon - text));
    return add_user(&reader, (auth_user_t){.name = name, .secret = colon + 1}, why);
}

/* ---- asking ---------------------------------------------------------------------------------- */

const auth_user_t *auth_users_find(const auth_user_t *users, const char *name)
{
    while (users && strcmp(users->name, name) != 0)
        users = users->next;
    return users;
}

bool auth_user_verify(const auth_user_t *user, const char *password)
{
    char hash[APR1_SIZE];

    switch (user->kind) {
    case AUTH_PLAIN:
        return hstr_same_secret(password, user->secret);
    case AUTH_CRYPT:
        return crypt_verify(password, user->secret);
    case AUTH_APR1:
        return apr1_hash(password, user->secret, hash) == 0 && hstr_same_secret(hash, user->secret);
    }
    return false;
}
