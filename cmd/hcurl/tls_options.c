/* The rows of the command line; tls.c makes contexts of them. */
#include "tls.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <string.h>
#include <sys/stat.h>

static bool is_of_proxy(const hopt_t *option)
{
    return hstr_starts(option->long_name, "proxy-");
}

static tls_side_options_t *side_of(const hopt_t *option, void *opts)
{
    tls_options_t *o = opts;

    return is_of_proxy(option) ? &o->proxy : &o->server;
}

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    hmem_free(*text);
    *text = NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int on_file(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    tls_side_options_t *side = side_of(option, opts);
    struct stat st;

    if (stat(arg, &st) != 0) {
        hbytes_printf(why, "the file '%s' does not exist", arg);
        return HERR_SYNTAX;
    }
    if (strstr(option->long_name, "cacert"))
        side->ca_file = arg;
    else
        side->crl_file = arg;
    return 0;
}

/* "FILE[:PASSWORD]": a backslash takes a colon, or itself, into the name. Where the password
 * begins; NULL: there is none. */
static const char *copy_name(const char *arg, char *name)
{
    for (; *arg && *arg != ':'; arg++) {
        if (*arg == '\\' && (arg[1] == '\\' || arg[1] == ':'))
            arg++;
        *name++ = *arg;
    }
    *name = '\0';
    return *arg ? arg + 1 : NULL;
}

static int on_cert(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    tls_side_options_t *side = side_of(option, opts);
    char *name = hmem_alloc(strlen(arg) + 1);
    const char *password;

    if (!name)
        return -ENOMEM;
    password = copy_name(arg, name);
    wipe(&side->cert);
    side->cert = name;
    if (!name[0]) {
        hbytes_append_str(why, "the name of the file is empty");
        return HERR_SYNTAX;
    }
    if (password && password[0]) {
        wipe(&side->password);
        side->password = hmem_strdup(password);
        if (!side->password)
            return -ENOMEM;
        memset((char *)password, '*', strlen(password)); /* everybody can see a command line */
    }
    return 0;
}

static int on_password(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    tls_side_options_t *side = side_of(option, opts);

    (void)why;
    wipe(&side->password);
    side->password = hmem_strdup(arg);
    return side->password ? 0 : -ENOMEM;
}

/* ---- versions -------------------------------------------------------------------------------- */

static int check_versions(const tls_side_options_t *side, hbytes_t *why)
{
    if (!side->version_max || side->version_min <= side->version_max)
        return 0;
    hbytes_append_str(why, "the lowest version is above the highest one");
    return HERR_SYNTAX;
}

/* "tlsv1", "tlsv1.2", "proxy-tlsv1". */
static int on_version_min(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    tls_side_options_t *side = side_of(option, opts);
    const char *dot = strchr(option->long_name, '.');

    (void)arg;
    side->version_min = dot ? 10 + dot[1] - '0' : 10;
    return check_versions(side, why);
}

static int on_version_max(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    static const char *const names[] = {"1.0", "1.1", "1.2", "1.3"};
    tls_side_options_t *side = side_of(option, opts);

    side->version_max = strcmp(arg, "default") == 0 ? 0 : -1;
    for (int i = 0; i < 4; i++) {
        if (strcmp(arg, names[i]) == 0)
            side->version_max = 10 + i;
    }
    if (side->version_max < 0) {
        hbytes_printf(why, "'%s' is none of default, 1.0, 1.1, 1.2 and 1.3", arg);
        return HERR_SYNTAX;
    }
    return check_versions(side, why);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int on_nothing(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)arg, (void)opts;
    return hbytes_printf(why, "--%s does nothing any more", option->long_name);
}

/* What only other systems and libraries know is taken and changes nothing, as in the original. */
static int on_other_system(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option, (void)arg, (void)opts, (void)why;
    return 0;
}

#define O tls_options_t
#define ON .negatable = true
#define FILE_ARG .arg_name = "FILE"
#define GONE(name)                                                                                 \
    HOPT_CALL(0, name, on_nothing, "does nothing any more", .arg_name = "X", .hidden = true)
#define OTHER(name)                                                                                \
    HOPT_CALL(0, name, on_other_system, "does nothing on this system", ON, .hidden = true)

const hopt_t tls_rows[] = {
    HOPT_GROUP("TLS"),
    HOPT_FLAG('k', "insecure", O, server.insecure, "take any certificate and any name", ON),
    HOPT_CALL(0, "cacert", on_file, "trust the certificates in FILE only", FILE_ARG),
    HOPT_STRING(0, "capath", O, server.ca_dir, "trust the certificates in this hashed folder",
                .arg_name = "FOLDER", .filled = true),
    HOPT_CALL(0, "crlfile", on_file, "refuse the certificates that FILE revokes", FILE_ARG),
    HOPT_STRING(0, "pinnedpubkey", O, server.pinned,
                "take this public key only: a file, or sha256//BASE64[;...]",
                .arg_name = "FILE|HASHES"),
    HOPT_CALL('E', "cert", on_cert, "show this certificate", .arg_name = "FILE[:PASSWORD]",
              .secret = true),
    HOPT_STRING(0, "key", O, server.key, "its private key", FILE_ARG, .filled = true),
    HOPT_CALL(0, "pass", on_password, "the password of the key", .arg_name = "PASSWORD",
              .secret = true, .filled = true),
    HOPT_STRING(0, "cert-type", O, server.cert_type, "PEM, DER or P12", .arg_name = "TYPE",
                .filled = true),
    HOPT_STRING(0, "key-type", O, server.key_type, "PEM or DER", .arg_name = "TYPE",
                .filled = true),
    HOPT_CALL('1', "tlsv1", on_version_min, "speak TLS 1.2 or newer"),
    HOPT_CALL(0, "tlsv1.0", on_version_min, "the same", .hidden = true),
    HOPT_CALL(0, "tlsv1.1", on_version_min, "the same", .hidden = true),
    HOPT_CALL(0, "tlsv1.2", on_version_min, "the same"),
    HOPT_CALL(0, "tlsv1.3", on_version_min, "speak TLS 1.3 or newer"),
    HOPT_CALL(0, "tls-max", on_version_max, "speak no newer version: 1.2, 1.3",
              .arg_name = "VERSION"),
    HOPT_STRING(0, "ciphers", O, server.ciphers, "use these ciphers for TLS 1.2",
                .arg_name = "LIST", .filled = true),
    HOPT_STRING(0, "tls13-ciphers", O, server.ciphers_13, "use these ciphers for TLS 1.3",
                .arg_name = "LIST", .filled = true),
    HOPT_STRING(0, "curves", O, curves, "use these groups for the key exchange", .arg_name = "LIST",
                .filled = true),
    HOPT_FLAG(0, "no-alpn", O, no_alpn, "do not say which protocol comes", ON),
    HOPT_FLAG(0, "no-sessionid", O, no_sessions, "do not resume sessions", ON),

    HOPT_GROUP("TLS to an https proxy"),
    HOPT_FLAG(0, "proxy-insecure", O, proxy.insecure, "take any certificate and any name", ON),
    HOPT_CALL(0, "proxy-cacert", on_file, "trust the certificates in FILE only", FILE_ARG),
    HOPT_STRING(0, "proxy-capath", O, proxy.ca_dir, "trust the certificates in this hashed folder",
                .arg_name = "FOLDER", .filled = true),
    HOPT_CALL(0, "proxy-crlfile", on_file, "refuse the certificates that FILE revokes", FILE_ARG),
    HOPT_STRING(0, "proxy-pinnedpubkey", O, proxy.pinned,
                "take this public key only: a file, or sha256//BASE64[;...]",
                .arg_name = "FILE|HASHES"),
    HOPT_CALL(0, "proxy-cert", on_cert, "show this certificate", .arg_name = "FILE[:PASSWORD]",
              .secret = true),
    HOPT_STRING(0, "proxy-key", O, proxy.key, "its private key", FILE_ARG),
    HOPT_CALL(0, "proxy-pass", on_password, "the password of the key", .arg_name = "PASSWORD",
              .secret = true),
    HOPT_STRING(0, "proxy-cert-type", O, proxy.cert_type, "PEM, DER or P12", .arg_name = "TYPE",
                .filled = true),
    HOPT_STRING(0, "proxy-key-type", O, proxy.key_type, "PEM or DER", .arg_name = "TYPE",
                .filled = true),
    HOPT_CALL(0, "proxy-tlsv1", on_version_min, "speak TLS 1.2 or newer"),
    HOPT_STRING(0, "proxy-ciphers", O, proxy.ciphers, "use these ciphers for TLS 1.2",
                .arg_name = "LIST", .filled = true),
    HOPT_STRING(0, "proxy-tls13-ciphers", O, proxy.ciphers_13, "use these ciphers for TLS 1.3",
                .arg_name = "LIST", .filled = true),

    OTHER("ca-native"),
    OTHER("proxy-ca-native"),
    OTHER("ssl-allow-beast"),
    OTHER("proxy-ssl-allow-beast"),
    OTHER("ssl-auto-client-cert"),
    OTHER("proxy-ssl-auto-client-cert"),
    OTHER("ssl-no-revoke"),
    OTHER("ssl-revoke-best-effort"),
    GONE("tlsauthtype"),
    GONE("tlsuser"),
    GONE("tlspassword"),
    GONE("proxy-tlsauthtype"),
    GONE("proxy-tlsuser"),
    GONE("proxy-tlspassword"),
    HOPT_REFUSED(0, "cert-status", NULL, "there is no OCSP in hcurl", ON),
    HOPT_REFUSED(0, "sigalgs", "LIST", "the library chooses the signatures by itself"),
    HOPT_END,
};

void tls_options_deinit(tls_options_t *options)
{
    wipe(&options->server.cert);
    wipe(&options->server.password);
    wipe(&options->proxy.cert);
    wipe(&options->proxy.password);
}
