#include "login.h"

#include "app/hsecret.h"
#include "base/hmem.h"
#include "base/hnetrc.h"
#include "base/hstr.h"
#include "input.h"
#include "status.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define NETRC_FOUND_MAX 1000
#define PROMPT_SIZE 512

/* ---- secrets --------------------------------------------------------------------------------- */

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    hmem_free(text);
}

static void pair_deinit(login_pair_t *pair)
{
    if (pair->password)
        explicit_bzero(pair->password, strlen(pair->password));
    wipe(pair->text);
    wipe(pair->user);
    *pair = (login_pair_t){NULL, NULL, NULL};
}

static int set_pair(login_pair_t *pair, const char *text)
{
    char *colon;

    pair_deinit(pair);
    pair->text = hmem_strdup(text);
    pair->user = hmem_strdup(text);
    if (!pair->text || !pair->user)
        return -ENOMEM;
    colon = strchr(pair->user, ':');
    if (colon) {
        *colon = '\0';
        pair->password = colon + 1;
    }
    return 0;
}

static int set_password(login_pair_t *pair, const char *password)
{
    size_t user_len = strlen(pair->user), len = strlen(password);
    char *block = hmem_alloc(user_len + len + 2);

    if (!block)
        return -ENOMEM;
    memcpy(block, pair->user, user_len + 1);
    memcpy(block + user_len + 1, password, len + 1);
    wipe(pair->user);
    pair->user = block;
    pair->password = block + user_len + 1;
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int on_user(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    login_options_t *o = opts;
    bool proxy = strcmp(option->long_name, "proxy-user") == 0;

    (void)why;
    return set_pair(proxy ? &o->proxy_user : &o->user, arg);
}

static int on_bearer(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    login_options_t *o = opts;

    (void)option;
    if (!arg[0]) {
        hbytes_append_str(why, "the token is empty");
        return HERR_SYNTAX;
    }
    wipe(o->bearer);
    o->bearer = hmem_strdup(arg);
    return o->bearer ? 0 : -ENOMEM;
}

static int on_netrc_file(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    login_options_t *o = opts;
    struct stat st;

    (void)option;
    o->netrc_file = arg;
    if (stat(arg, &st) == 0)
        return 0;
    hbytes_printf(why, "the file '%s' does not exist", arg);
    return HERR_SYNTAX;
}

#define O login_options_t
#define ON .negatable = true

const hopt_t login_rows[] = {
    HOPT_GROUP("Credentials"),
    HOPT_CALL('u', "user", on_user, "log in to the server; without :PASSWORD it is asked for",
              .arg_name = "USER[:PASSWORD]", .secret = true),
    HOPT_FLAG(0, "basic", O, basic, "log in by Basic, the default", ON),
    HOPT_FLAG(0, "digest", O, digest, "log in by Digest", ON),
    HOPT_FLAG(0, "anyauth", O, any, "log in by the safest way that the server has"),
    HOPT_CALL(0, "oauth2-bearer", on_bearer, "log in by a token", .arg_name = "TOKEN",
              .secret = true),
    HOPT_FLAG('n', "netrc", O, netrc, "log in as ~/.netrc says", ON),
    HOPT_FLAG(0, "netrc-optional", O, netrc_optional, "the same, but the URL's login counts first",
              ON),
    HOPT_CALL(0, "netrc-file", on_netrc_file, "use this file in the place of ~/.netrc",
              .arg_name = "FILE"),
    HOPT_STRING(0, "aws-sigv4", O, sigv4, "sign as PROVIDER1[:PROVIDER2[:REGION[:SERVICE]]] wants",
                .arg_name = "SCHEME"),
    HOPT_CALL('U', "proxy-user", on_user, "log in to the proxy", .arg_name = "USER[:PASSWORD]",
              .secret = true),
    HOPT_FLAG(0, "proxy-basic", O, proxy_basic, "log in to the proxy by Basic, the default", ON),
    HOPT_FLAG(0, "proxy-digest", O, proxy_digest, "log in to the proxy by Digest", ON),
    HOPT_FLAG(0, "proxy-anyauth", O, proxy_any, "log in to the proxy by the safest way that it has",
              ON),
    HOPT_END,
};

/* ---- passwords that are typed ---------------------------------------------------------------- */

/* Not a byte more than the line: what follows may be a body. */
static ssize_t read_line(char *buf, size_t size)
{
    size_t len = 0;
    ssize_t n;
    char c;

    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
        if (len + 1 >= size)
            return -EMSGSIZE;
        buf[len++] = c;
    }
    buf[len] = '\0';
    return n < 0 ? -errno : (ssize_t)len;
}

static int ask(const char *what, int index, login_pair_t *pair, hbytes_t *error)
{
    char prompt[PROMPT_SIZE], secret[LOGIN_SECRET_SIZE], user[PROMPT_SIZE / 2], where[32] = "";
    ssize_t len;
    int err;

    if (index >= 0)
        snprintf(where, sizeof(where), " on URL #%d", index + 1);
    hstr_escape(user, sizeof(user), pair->user, strlen(pair->user));
    snprintf(prompt, sizeof(prompt), "Enter %s password for user '%s'%s:", what, user, where);
    len = hsecret_read(prompt, secret, sizeof(secret));
    if (len == -ENXIO) {
        fprintf(stderr, "%s\n", prompt); /* or it would seem to do nothing */
        len = read_line(secret, sizeof(secret));
    }
    if (len == -ECANCELED) { /* Ctrl-C was a character: a shell ends its loop, too */
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    err = len < 0 ? (int)len : set_password(pair, secret);
    explicit_bzero(secret, sizeof(secret));
    if (!err)
        return STATUS_OK;
    hbytes_printf(error, "the password of '%s': %s", user, herr_str(err));
    return err == -ENOMEM ? STATUS_MEMORY : STATUS_USAGE;
}

static bool lacks_password(const login_pair_t *pair)
{
    return pair->user && !pair->password && pair->user[0] != ';';
}

/* ---- netrc ----------------------------------------------------------------------------------- */

/* What was found stays: several transfers may use it. */
typedef struct found_s {
    struct found_s *next;
    char *host;
    char *asked; /* for this user; NULL: any */
    char *user, *password;
    int result; /* of hnetrc_find */
} found_t;

struct login_netrc_s {
    hbytes_t text;
    const char *given_user; /* of -u */
    bool optional;
    found_t *found;
    size_t count;
};

static void free_found(found_t *found)
{
    hmem_free(found->host);
    hmem_free(found->asked);
    wipe(found->user);
    wipe(found->password);
    hmem_free(found);
}

static void free_netrc(login_netrc_t *netrc)
{
    if (!netrc)
        return;
    for (found_t *found = netrc->found, *next; found; found = next) {
        next = found->next;
        free_found(found);
    }
    if (netrc->text.data)
        explicit_bzero(netrc->text.data, netrc->text.len);
    hbytes_deinit(&netrc->text);
    hmem_free(netrc);
}

static bool same_user(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int copy_found(found_t *found, const hnetrc_t *entry)
{
    if (entry->has_login && !(found->user = hmem_strdup(entry->login)))
        return -ENOMEM;
    if (entry->has_password && !(found->password = hmem_strdup(entry->password)))
        return -ENOMEM;
    return 0;
}

static int search(login_netrc_t *netrc, const char *host, const char *user, found_t *found)
{
    hnetrc_t *entry = hmem_alloc(sizeof(*entry));
    int err = 0;

    found->host = hmem_strdup(host);
    found->asked = user ? hmem_strdup(user) : NULL;
    if (!entry || !found->host || (user && !found->asked))
        err = -ENOMEM;
    if (!err) {
        found->result = hnetrc_find(netrc->text.data ? netrc->text.data : "", netrc->text.len, host,
                                    user, entry);
        if (found->result == 1)
            err = copy_found(found, entry);
        explicit_bzero(entry, sizeof(*entry));
    }
    hmem_free(entry);
    return err;
}

static int look_up(login_netrc_t *netrc, const char *host, const char *user, const found_t **out)
{
    found_t *found;
    int err;

    for (found = netrc->found; found; found = found->next) {
        if (strcasecmp(found->host, host) == 0 && same_user(found->asked, user)) {
            *out = found;
            return 0;
        }
    }
    if (netrc->count >= NETRC_FOUND_MAX)
        return -ENOBUFS;
    found = hmem_zalloc(sizeof(*found));
    if (!found)
        return -ENOMEM;
    err = search(netrc, host, user, found);
    if (err) {
        free_found(found);
        return err;
    }
    found->next = netrc->found;
    netrc->found = found;
    netrc->count++;
    *out = found;
    return 0;
}

/* -u goes before a netrc; where that is optional, a whole login of the URL does, too. */
static int on_login(const char *host, http_login_t *login, void *arg)
{
    login_netrc_t *netrc = arg;
    const char *user = login->user && login->user[0] ? login->user : NULL;
    const found_t *found;
    int err;

    if (login->user && login->user == netrc->given_user)
        return 0;
    if (login->bearer || (netrc->optional && user && login->password))
        return 0;
    err = look_up(netrc, host, user, &found);
    if (err)
        return err;
    if (found->result == HERR_SYNTAX && !netrc->optional)
        return HERR_SYNTAX;
    if (found->result == 1) {
        login->user = found->user ? found->user : "";
        login->password = found->password ? found->password : "";
    }
    return 0;
}

static int netrc_path(const login_options_t *o, hbytes_t *path)
{
    const char *file = o->netrc_file ? o->netrc_file : getenv("NETRC");
    const char *home = getenv("HOME");
    char block[1024];
    struct passwd pw, *found = NULL;

    if (file)
        return hbytes_append_str(path, file);
    if (!home && getpwuid_r(geteuid(), &pw, block, sizeof(block), &found) == 0 && found)
        home = found->pw_dir;
    return home ? hbytes_printf(path, "%s/.netrc", home) : -ENOENT;
}

static int read_netrc(login_options_t *o, hbytes_t *error)
{
    hbytes_t path = {0}, why = {0};
    int err = netrc_path(o, &path);

    o->entries = hmem_zalloc(sizeof(*o->entries));
    if (!o->entries)
        err = -ENOMEM;
    if (!err)
        err = input_read(path.data, HNETRC_FILE_MAX, INPUT_TEXT, &o->entries->text, &why);
    if (o->entries) {
        o->entries->given_user = o->user.user;
        o->entries->optional = o->netrc_optional;
    }
    if (err && err != -ENOMEM && (o->netrc_optional || o->user.user))
        err = 0;
    if (err)
        hbytes_printf(error, ".netrc error: %s", why.len ? why.data : herr_str(err));
    hbytes_deinit(&why);
    hbytes_deinit(&path);
    return err == 0 ? STATUS_OK : err == -ENOMEM ? STATUS_MEMORY : STATUS_READ;
}

/* ---- for the others -------------------------------------------------------------------------- */

void login_options_deinit(login_options_t *options)
{
    pair_deinit(&options->user);
    pair_deinit(&options->proxy_user);
    wipe(options->bearer);
    free_netrc(options->entries);
    *options = (login_options_t){.basic = false};
}

int login_prepare(login_options_t *options, int index, hbytes_t *error)
{
    int status = STATUS_OK;

    if (lacks_password(&options->user) && !options->bearer)
        status = ask("host", index, &options->user, error);
    if (!status && lacks_password(&options->proxy_user))
        status = ask("proxy", index, &options->proxy_user, error);
    if (!status && !options->entries &&
        (options->netrc || options->netrc_optional || options->netrc_file))
        status = read_netrc(options, error);
    return status;
}

static http_login_t login_of(const login_pair_t *pair, unsigned schemes)
{
    return (http_login_t){.user = pair->user,
                          .password = pair->user && !pair->password ? "" : pair->password,
                          .schemes = schemes};
}

static unsigned schemes_of(bool basic, bool digest, bool any)
{
    if (any)
        return HTTP_LOGIN_ANY;
    return (basic ? HTTP_LOGIN_BASIC : 0U) | (digest ? HTTP_LOGIN_DIGEST : 0U);
}

int login_apply(const login_options_t *options, http_transfer_options_t *transfer, hbytes_t *error)
{
    unsigned schemes = schemes_of(options->basic, options->digest, options->any);

    (void)error;
    if (options->bearer) /* nothing else then, unless it is asked for */
        schemes |= HTTP_LOGIN_BEARER;
    transfer->login = login_of(&options->user, schemes);
    transfer->login.bearer = options->bearer;
    transfer->proxy_login =
        login_of(&options->proxy_user,
                 schemes_of(options->proxy_basic, options->proxy_digest, options->proxy_any));
    if (options->entries) {
        transfer->login_cb = on_login;
        transfer->login_arg = options->entries;
    }
    if (options->sigv4)
        transfer->sigv4 = options->sigv4[0] ? options->sigv4 : "aws:amz";
    return STATUS_OK;
}
