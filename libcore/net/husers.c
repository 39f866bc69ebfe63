#include "husers.h"

#include "../base/hfile.h"
#include "../base/hlib.h"
#include "../base/hmem.h"
#include "../base/hstr.h"
#include "hdigest.h"

#include <crypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLAIN_MARK "{PLAIN}"

struct husers_s {
    husers_user_t *first, *last;
    size_t count;
    bool has_hashes;
};

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

    if (!why)
        return HERR_SYNTAX;
    va_start(ap, fmt);
    err = hbytes_vprintf(why, fmt, ap);
    va_end(ap);
    return err < 0 ? err : HERR_SYNTAX;
}

/* SHA-256 is for those who remember what was right; it has to be there before a worker is shut in,
 * or it is not found any more. */
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
    char hash[HUSERS_APR1_SIZE];
    int err = husers__apr1("", "$apr1$$", hash);

    return err ? wrong(why, "$apr1$ needs MD5: %s", herr_str(err)) : 0;
}

static int choose_kind(husers_user_t *user, hbytes_t *why)
{
    const char *secret = user->secret;

    if (hstr_starts(secret, PLAIN_MARK)) {
        user->secret += sizeof(PLAIN_MARK) - 1;
        user->kind = HUSERS_PLAIN;
        return 0;
    }
    if (hstr_starts(secret, "$apr1$")) {
        user->kind = HUSERS_APR1;
        return check_apr1(why);
    }
    if (secret[0] == '$') {
        user->kind = HUSERS_CRYPT;
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

/* ---- the list -------------------------------------------------------------------------------- */

int husers_new(husers_t **users)
{
    *users = hmem_zalloc(sizeof(**users));
    return *users ? 0 : -ENOMEM;
}

void husers_free(husers_t *users)
{
    if (!users)
        return;
    while (users->first) {
        husers_user_t *user = users->first;

        users->first = user->next;
        hmem_free(user);
    }
    hmem_free(users);
}

/* Name and secret stand behind the user. */
static int add(husers_t *users, const husers_user_t *user, hbytes_t *why)
{
    size_t name_size = strlen(user->name) + 1, secret_size = strlen(user->secret) + 1;
    husers_user_t *kept;
    char *text;

    if (users->count == HUSERS_MAX)
        return wrong(why, "more than %d users", HUSERS_MAX);
    if (user->name[0] == '\0')
        return wrong(why, "a user without a name");
    kept = hmem_alloc(sizeof(*kept) + name_size + secret_size);
    if (!kept)
        return -ENOMEM;
    text = (char *)(kept + 1);
    memcpy(text, user->name, name_size);
    memcpy(text + name_size, user->secret, secret_size);
    *kept = (husers_user_t){NULL, text, text + name_size, user->kind};
    *(users->last ? &users->last->next : &users->first) = kept;
    users->last = kept;
    users->count++;
    users->has_hashes |= user->kind != HUSERS_PLAIN;
    return 0;
}

int husers_add(husers_t *users, const char *name, const char *password, hbytes_t *why)
{
    if (strchr(name, ':'))
        return wrong(why, "a colon in a user's name");
    return add(users, &(husers_user_t){.name = name, .secret = password}, why);
}

/* What is behind a second colon is somebody's note. */
static int add_line(husers_t *users, char *line, hbytes_t *why)
{
    husers_user_t user = {.name = line};
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
    return err ? err : add(users, &user, why);
}

static int add_lines(husers_t *users, const char *path, char *text, hbytes_t *why)
{
    hbytes_t reason = {0};
    int err = 0;

    for (int number = 1; !err && *text; number++) {
        size_t len = strcspn(text, "\n");
        char *next = text + len + (text[len] != '\0');

        text[len] = '\0';
        while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == ' '))
            text[--len] = '\0';
        err = add_line(users, text, &reason);
        if (err && err != -ENOMEM)
            err =
                wrong(why, "%s:%d: %s", path, number, reason.len > 0 ? reason.data : herr_str(err));
        text = next;
    }
    hbytes_deinit(&reason);
    return err;
}

int husers_add_file(husers_t *users, const char *path, hbytes_t *why)
{
    size_t before = users->count;
    hbytes_t content = {0};
    int err = hfile_read(path, HUSERS_FILE_MAX, &content);

    if (err && err != -ENOMEM)
        err = wrong(why, "'%s': %s", path, herr_str(err));
    if (!err)
        err = hbytes_append_char(&content, '\0');
    if (!err)
        err = add_lines(users, path, content.data, why);
    if (!err && users->count == before)
        err = wrong(why, "'%s': nobody is in it", path);
    hbytes_deinit(&content);
    return err;
}

int husers_add_text(husers_t *users, const char *text, hbytes_t *why)
{
    const char *colon = strchr(text, ':');
    char *name;
    int err;

    if (!colon || text[0] == '/' || text[0] == '.')
        return husers_add_file(users, text, why);
    name = hmem_alloc((size_t)(colon - text) + 1);
    if (!name)
        return -ENOMEM;
    memcpy(name, text, (size_t)(colon - text));
    name[colon - text] = '\0';
    err = husers_add(users, name, colon + 1, why);
    hmem_free(name);
    return err;
}

/* ---- asking ---------------------------------------------------------------------------------- */

const husers_user_t *husers_first(const husers_t *users)
{
    return users->first;
}

const husers_user_t *husers_find(const husers_t *users, const char *name)
{
    const husers_user_t *user = users->first;

    while (user && strcmp(user->name, name) != 0)
        user = user->next;
    return user;
}

bool husers_has_hashes(const husers_t *users)
{
    return users->has_hashes;
}

bool husers_verify(const husers_user_t *user, const char *password)
{
    char hash[HUSERS_APR1_SIZE];

    switch (user->kind) {
    case HUSERS_PLAIN:
        return hstr_same_secret(password, user->secret);
    case HUSERS_CRYPT:
        return crypt_verify(password, user->secret);
    case HUSERS_APR1:
        return husers__apr1(password, user->secret, hash) == 0 &&
               hstr_same_secret(hash, user->secret);
    }
    return false;
}
