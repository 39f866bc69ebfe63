#include "refused.h"

#define FLAG(s, l, why) HOPT_REFUSED(s, l, NULL, why, .negatable = true)
#define VALUE(s, l, why) HOPT_REFUSED(s, l, "VALUE", why)

#define FTP "there is no FTP in hcurl"
#define SSH "there is no SCP or SFTP in hcurl"
#define MAIL "there is no mail in hcurl"
#define TELNET "there is no TELNET in hcurl"
#define TFTP "there is no TFTP in hcurl"
#define KERBEROS "there is no Kerberos in hcurl"
#define NTLM "there is no NTLM in hcurl"
#define LATER "it is not part of hcurl yet"
#define NEVER "hcurl does not have it"

/* What the original accepts, too, and does nothing with. */
#define GONE(s, l, ...)                                                                            \
    HOPT_CALL(s, l, take_gone, "does nothing any more", .hidden = true, __VA_ARGS__)
#define GONE_FLAG(s, l) GONE(s, l, .negatable = true)
#define GONE_VALUE(l) GONE(0, l, .arg_name = "VALUE")

static int take_gone(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)arg;
    (void)opts;
    return hbytes_printf(why, "it %s", option->help);
}

/* There is no engine of that name, whichever it is: as from a curl without engines. */
static int take_engine(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    (void)opts;
    hbytes_printf(why, "there is no crypto engine '%s'", arg);
    return HERR_TLS;
}

const hopt_t refused_rows[] = {
    FLAG('a', "append", FTP),
    FLAG(0, "disable-eprt", FTP),
    FLAG(0, "disable-epsv", FTP),
    FLAG(0, "eprt", FTP),
    FLAG(0, "epsv", FTP),
    VALUE(0, "ftp-account", FTP),
    VALUE(0, "ftp-alternative-to-user", FTP),
    FLAG(0, "ftp-create-dirs", FTP),
    VALUE(0, "ftp-method", FTP),
    FLAG(0, "ftp-pasv", FTP),
    VALUE('P', "ftp-port", FTP),
    FLAG(0, "ftp-pret", FTP),
    FLAG(0, "ftp-skip-pasv-ip", FTP),
    FLAG(0, "ftp-ssl", FTP),
    FLAG(0, "ftp-ssl-ccc", FTP),
    VALUE(0, "ftp-ssl-ccc-mode", FTP),
    FLAG(0, "ftp-ssl-control", FTP),
    FLAG(0, "ftp-ssl-reqd", FTP),
    FLAG('l', "list-only", FTP),
    VALUE('Q', "quote", FTP),
    FLAG(0, "ssl", FTP),
    FLAG(0, "ssl-reqd", FTP),
    FLAG('B', "use-ascii", FTP),

    FLAG(0, "compressed-ssh", SSH),
    VALUE(0, "hostpubmd5", SSH),
    VALUE(0, "hostpubsha256", SSH),
    VALUE(0, "knownhosts", SSH),
    VALUE(0, "pubkey", SSH),

    VALUE(0, "login-options", MAIL),
    VALUE(0, "mail-auth", MAIL),
    VALUE(0, "mail-from", MAIL),
    VALUE(0, "mail-rcpt", MAIL),
    FLAG(0, "mail-rcpt-allowfails", MAIL),
    VALUE(0, "sasl-authzid", MAIL),
    FLAG(0, "sasl-ir", MAIL),
    VALUE(0, "upload-flags", MAIL),

    VALUE('t', "telnet-option", TELNET),
    VALUE(0, "tftp-blksize", TFTP),
    FLAG(0, "tftp-no-options", TFTP),

    VALUE(0, "delegation", KERBEROS),
    FLAG(0, "negotiate", KERBEROS),
    FLAG(0, "proxy-negotiate", KERBEROS),
    VALUE(0, "service-name", KERBEROS),
    VALUE(0, "proxy-service-name", KERBEROS),
    FLAG(0, "socks5-gssapi", KERBEROS),
    FLAG(0, "socks5-gssapi-nec", KERBEROS),
    VALUE(0, "socks5-gssapi-service", KERBEROS),
    FLAG(0, "ntlm", NTLM),
    FLAG(0, "proxy-ntlm", NTLM),

    VALUE(0, "dns-interface", LATER),
    VALUE(0, "dns-ipv4-addr", LATER),
    VALUE(0, "dns-ipv6-addr", LATER),
    FLAG(0, "doh-cert-status", LATER),
    FLAG(0, "doh-insecure", LATER),
    VALUE(0, "doh-url", LATER),
    VALUE(0, "ech", LATER),
    FLAG(0, "http2", LATER),
    FLAG(0, "http2-prior-knowledge", LATER),
    FLAG(0, "http3", LATER),
    FLAG(0, "http3-only", LATER),
    VALUE(0, "httpsig-algo", LATER),
    VALUE(0, "httpsig-headers", LATER),
    VALUE(0, "httpsig-key", LATER),
    VALUE(0, "httpsig-keyid", LATER),
    FLAG(0, "mptcp", LATER),
    FLAG(0, "proxy-http2", LATER),
    FLAG(0, "proxy-http3", LATER),
    VALUE(0, "ssl-sessions", LATER),
    FLAG(0, "tls-earlydata", LATER),
    VALUE(0, "vlan-priority", LATER),

    FLAG(0, "dump-ca-embed", NEVER),
    HOPT_CALL(0, "engine", take_engine, "there is none", .arg_name = "NAME", .hidden = true),
    VALUE(0, "ipfs-gateway", NEVER),
    VALUE(0, "libcurl", NEVER),

    GONE_VALUE("egd-file"),
    GONE_FLAG(0, "false-start"),
    GONE_VALUE("krb"),
    GONE_VALUE("krb4"),
    GONE_FLAG(0, "metalink"),
    GONE_FLAG(0, "npn"),
    GONE_FLAG(0, "ntlm-wb"),
    GONE_VALUE("random-file"),
    GONE_FLAG('2', "sslv2"),
    GONE_FLAG('3', "sslv3"),
    HOPT_END,
};
