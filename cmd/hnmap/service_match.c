#include "service_match.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <string.h>

/* ---- cursors --------------------------------------------------------------------------------- */

static uint32_t read_number(cursor_t *c, size_t size)
{
    uint32_t value = 0;

    if (c->left < size) {
        c->at += c->left;
        c->left = 0;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value = value << 8 | c->at[i];
    c->at += size;
    c->left -= size;
    return value;
}

uint32_t cursor_u8(cursor_t *c)
{
    return read_number(c, 1);
}

uint32_t cursor_u16(cursor_t *c)
{
    return read_number(c, 2);
}

uint32_t cursor_u32(cursor_t *c)
{
    return read_number(c, 4);
}

cursor_t cursor_take(cursor_t *c, size_t len)
{
    cursor_t taken = {c->at, len < c->left ? len : c->left};

    c->at += taken.left;
    c->left -= taken.left;
    return taken;
}

uint32_t cursor_element(cursor_t *c, cursor_t *content)
{
    uint32_t tag = cursor_u8(c), len = cursor_u8(c), bytes = len & 0x7f;

    if (len & 0x80) {
        len = 0;
        if (bytes > 4)
            return 0;
        while (bytes-- > 0)
            len = len << 8 | cursor_u8(c);
    }
    *content = cursor_take(c, len);
    return tag;
}

bool cursor_line(cursor_t *c, bool is_whole, cursor_t *line)
{
    const uint8_t *end = c->left > 0 ? memchr(c->at, '\n', c->left) : NULL;

    if (end == NULL && (!is_whole || c->left == 0))
        return false;
    *line = cursor_take(c, end ? (size_t)(end - c->at) : c->left);
    if (end)
        cursor_take(c, 1);
    if (line->left > 0 && line->at[line->left - 1] == '\r')
        line->left--;
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool match_starts(cursor_t c, const char *prefix)
{
    for (size_t i = 0; prefix[i]; i++)
        if (i >= c.left || lower(c.at[i]) != lower((uint8_t)prefix[i]))
            return false;
    return true;
}

bool match_find(cursor_t c, const char *needle, cursor_t *behind)
{
    size_t len = strlen(needle);

    for (; c.left >= len; cursor_take(&c, 1))
        if (match_starts(c, needle)) {
            cursor_take(&c, len);
            *behind = c;
            return true;
        }
    return false;
}

/* ---- texts ----------------------------------------------------------------------------------- */

void match_text(char *dst, size_t size, cursor_t text)
{
    size_t len = 0;

    while (text.left > 0 && len + 1 < size) {
        uint8_t c = (uint8_t)cursor_u8(&text);

        if (c >= 0x20 && c < 0x7f && (len > 0 || c != ' '))
            dst[len++] = (char)c;
    }
    while (len > 0 && dst[len - 1] == ' ')
        len--;
    dst[len] = '\0';
}

cursor_t match_version_span(cursor_t c)
{
    size_t len = 0;

    while (len < c.left &&
           (lower(c.at[len]) != c.at[len] || (c.at[len] >= 'a' && c.at[len] <= 'z') ||
            (c.at[len] >= '0' && c.at[len] <= '9') ||
            (c.at[len] > 0 && strchr(".-_+~", c.at[len]))))
        len++;
    while (len > 0 && strchr(".-_+~", c.at[len - 1]))
        len--;
    return (cursor_t){c.at, len};
}

void match_named(match_t *m, const char *name)
{
    m->name = name;
    if (m->level < MATCH_NAMED)
        m->level = MATCH_NAMED;
}

bool match_whole(match_t *m, const char *name, const char *product)
{
    match_named(m, name);
    if (product)
        hstr_copy(m->product, sizeof(m->product), product);
    m->level = MATCH_VERSION;
    return true;
}

/* A version as a CPE has it: lower case, what a URI would not take left out (NISTIR 7695, 6.1). */
void match_cpe(match_t *m, const char *format, const char *version)
{
    char *cpe;
    size_t i = 0, len;

    while (i < MATCH_CPES && m->cpe[i][0])
        i++;
    if (i == MATCH_CPES)
        return;
    cpe = m->cpe[i];
    len = hstr_copy(cpe, sizeof(m->cpe[i]), format);
    if (version == NULL || version[0] == '\0' || len + 2 >= sizeof(m->cpe[i]))
        return;
    cpe[len++] = ':';
    for (; *version && len + 1 < sizeof(m->cpe[i]); version++)
        if (*version != ' ' && *version != ':' && *version != '/')
            cpe[len++] = (char)lower((uint8_t)*version);
    cpe[len] = '\0';
}

/* ---- programs -------------------------------------------------------------------------------- */

typedef struct program_s {
    const char *service; /* NULL: of any */
    const char *needle;  /* its version follows, behind "/", "-", "v" or a space */
    const char *product;
    const char *cpe; /* without version; NULL: none */
    const char *os, *device;
} program_t;

/* The more special ones first. */
static const program_t programs[] = {
    {"http", "openresty", "OpenResty web app server", "cpe:/a:openresty:ngx_openresty", NULL, NULL},
    {"http", "nginx", "nginx", "cpe:/a:igor_sysoev:nginx", NULL, NULL},
    {"http", "Apache-Coyote", "Apache Tomcat/Coyote JSP engine",
     "cpe:/a:apache:coyote_http_connector", NULL, NULL},
    {"http", "Apache Tomcat", "Apache Tomcat", "cpe:/a:apache:tomcat", NULL, NULL},
    {"http", "Apache", "Apache httpd", "cpe:/a:apache:http_server", NULL, NULL},
    {"http", "lighttpd", "lighttpd", "cpe:/a:lighttpd:lighttpd", NULL, NULL},
    {"http", "Microsoft-IIS", "Microsoft IIS httpd",
     "cpe:/a:microsoft:internet_information_services", "Windows", NULL},
    {"http", "Microsoft-HTTPAPI", "Microsoft HTTPAPI httpd", NULL, "Windows", NULL},
    {"http", "Caddy", "Caddy httpd", "cpe:/a:caddyserver:caddy", NULL, NULL},
    {"http", "h2o", "H2O HTTP Server", "cpe:/a:dena:h2o", NULL, NULL},
    {"http", "hhttpd", "hhttpd", NULL, NULL, NULL},
    {"http", "gunicorn", "Gunicorn", "cpe:/a:gunicorn:gunicorn", NULL, NULL},
    {"http", "uvicorn", "Uvicorn", NULL, NULL, NULL},
    {"http", "Werkzeug", "Werkzeug httpd", "cpe:/a:palletsprojects:werkzeug", NULL, NULL},
    {"http", "SimpleHTTP", "SimpleHTTPServer", "cpe:/a:python:simplehttpserver", NULL, NULL},
    {"http", "BaseHTTP", "BaseHTTPServer", "cpe:/a:python:basehttpserver", NULL, NULL},
    {"http", "aiohttp", "aiohttp", NULL, NULL, NULL},
    {"http", "TornadoServer", "Tornado httpd", "cpe:/a:tornadoweb:tornado", NULL, NULL},
    {"http", "CherryPy", "CherryPy wsgiserver", "cpe:/a:cherrypy:cherrypy", NULL, NULL},
    {"http", "waitress", "Waitress", NULL, NULL, NULL},
    {"http", "WEBrick", "WEBrick httpd", "cpe:/a:ruby-lang:webrick", NULL, NULL},
    {"http", "Jetty", "Jetty", "cpe:/a:eclipse:jetty", NULL, NULL},
    {"http", "Kestrel", "Microsoft Kestrel httpd", NULL, NULL, NULL},
    {"http", "envoy", "Envoy", "cpe:/a:envoyproxy:envoy", NULL, NULL},
    {"http", "istio-envoy", "Envoy", "cpe:/a:envoyproxy:envoy", NULL, NULL},
    {"http", "Cowboy", "Cowboy httpd", NULL, NULL, NULL},
    {"http", "CouchDB", "CouchDB httpd", "cpe:/a:apache:couchdb", NULL, NULL},
    {"http", "CUPS", "CUPS", "cpe:/a:apple:cups", NULL, NULL},
    {"http", "MiniServ", "MiniServ", NULL, NULL, NULL},
    {"http", "MinIO", "MinIO", "cpe:/a:minio:minio", NULL, NULL},
    {"http", "Docker", "Docker", "cpe:/a:docker:docker", NULL, NULL},
    {"http", "squid", "Squid http proxy", "cpe:/a:squid-cache:squid", NULL, NULL},
    {"http", "tinyproxy", "tinyproxy", "cpe:/a:banu:tinyproxy", NULL, NULL},
    {"http", "Varnish", "Varnish", "cpe:/a:varnish-cache:varnish", NULL, NULL},
    {"http", "cloudflare", "Cloudflare http proxy", NULL, NULL, NULL},
    {"http", "mini_httpd", "mini_httpd", "cpe:/a:acme:mini_httpd", NULL, NULL},
    {"http", "thttpd", "thttpd", "cpe:/a:acme:thttpd", NULL, NULL},
    {"http", "GoAhead-Webs", "GoAhead WebServer", "cpe:/a:embedthis:goahead", NULL, NULL},
    {"http", "Boa", "Boa HTTPd", "cpe:/a:boa:boa", NULL, NULL},
    {"http", "RomPager", "Allegro RomPager", "cpe:/a:allegro:rompager", NULL, NULL},
    {"http", "micro_httpd", "micro_httpd", "cpe:/a:acme:micro_httpd", NULL, NULL},
    {"http", "uhttpd", "uhttpd", NULL, NULL, NULL},
    {"http", "LiteSpeed", "LiteSpeed httpd", "cpe:/a:litespeedtech:litespeed_web_server", NULL,
     NULL},
    {"smtp", "Postfix", "Postfix smtpd", "cpe:/a:postfix:postfix", NULL, NULL},
    {"smtp", "Exim", "Exim smtpd", "cpe:/a:exim:exim", NULL, NULL},
    {"smtp", "Sendmail", "Sendmail", "cpe:/a:sendmail:sendmail", NULL, NULL},
    {"smtp", "OpenSMTPD", "OpenSMTPD", "cpe:/a:openbsd:opensmtpd", NULL, NULL},
    {"smtp", "Microsoft ESMTP MAIL Service", "Microsoft ESMTP", NULL, "Windows", NULL},
    {"smtp", "Haraka", "Haraka smtpd", NULL, NULL, NULL},
    {"smtp", "MailHog", "MailHog smtpd", NULL, NULL, NULL},
    {"smtp", "Python SMTP", "Python smtpd", NULL, NULL, NULL},
    {"imap", "Dovecot", "Dovecot imapd", "cpe:/a:dovecot:dovecot", NULL, NULL},
    {"imap", "Cyrus IMAP", "Cyrus imapd", "cpe:/a:cmu:cyrus_imap_server", NULL, NULL},
    {"imap", "Courier-IMAP", "Courier Imapd", "cpe:/a:double_precision_incorporated:courier_mta",
     NULL, NULL},
    {"imap", "Microsoft Exchange", "Microsoft Exchange imapd", "cpe:/a:microsoft:exchange_server",
     "Windows", NULL},
    {"pop3", "Dovecot", "Dovecot pop3d", "cpe:/a:dovecot:dovecot", NULL, NULL},
    {"pop3", "Cyrus POP3", "Cyrus pop3d", "cpe:/a:cmu:cyrus_imap_server", NULL, NULL},
    {"pop3", "Microsoft Exchange", "Microsoft Exchange pop3d", "cpe:/a:microsoft:exchange_server",
     "Windows", NULL},
    {"ftp", "vsFTPd", "vsftpd", "cpe:/a:vsftpd:vsftpd", "Unix", NULL},
    {"ftp", "ProFTPD", "ProFTPD", "cpe:/a:proftpd:proftpd", "Unix", NULL},
    {"ftp", "Pure-FTPd", "Pure-FTPd", "cpe:/a:pureftpd:pure-ftpd", NULL, NULL},
    {"ftp", "FileZilla Server", "FileZilla ftpd", "cpe:/a:filezilla-project:filezilla_server",
     "Windows", NULL},
    {"ftp", "pyftpdlib", "pyftpdlib", NULL, NULL, NULL},
    {"ftp", "Microsoft FTP Service", "Microsoft ftpd", "cpe:/a:microsoft:ftp_service", "Windows",
     NULL},
    {"nntp", "InterNetNews", "InterNetNews (INN)", "cpe:/a:isc:inn", NULL, NULL},
    {"domain", "dnsmasq", "dnsmasq", "cpe:/a:thekelleys:dnsmasq", NULL, NULL},
    {"domain", "unbound", "Unbound", "cpe:/a:nlnetlabs:unbound", NULL, NULL},
    {"domain", "NSD", "NLnet Labs NSD", "cpe:/a:nlnetlabs:nsd", NULL, NULL},
    {"domain", "PowerDNS Authoritative Server", "PowerDNS Authoritative Server",
     "cpe:/a:powerdns:authoritative", NULL, NULL},
    {"domain", "PowerDNS Recursor", "PowerDNS Recursor", "cpe:/a:powerdns:recursor", NULL, NULL},
    {"domain", "Knot DNS", "Knot DNS", "cpe:/a:cz.nic:knot_dns", NULL, NULL},
    {"sip", "Asterisk PBX", "Asterisk PBX", "cpe:/a:digium:asterisk", NULL, NULL},
    {"sip", "Asterisk", "Asterisk", "cpe:/a:digium:asterisk", NULL, NULL},
    {"sip", "FreeSWITCH", "FreeSWITCH", "cpe:/a:freeswitch:freeswitch", NULL, NULL},
    {"sip", "kamailio", "Kamailio sipd", "cpe:/a:kamailio:kamailio", NULL, NULL},
    {"sip", "OpenSIPS", "OpenSIPS", "cpe:/a:opensips:opensips", NULL, NULL},
    {"mqtt", "mosquitto version", "Mosquitto", "cpe:/a:eclipse:mosquitto", NULL, NULL},
    {"ssh", "OpenSSH_for_Windows", "OpenSSH for Windows", "cpe:/a:openbsd:openssh", "Windows",
     NULL},
    {"ssh", "OpenSSH", "OpenSSH", "cpe:/a:openbsd:openssh", NULL, NULL},
    {"ssh", "dropbear", "Dropbear sshd", "cpe:/a:matt_johnston:dropbear_ssh_server", "Linux", NULL},
    {"ssh", "libssh", "libssh", "cpe:/a:libssh:libssh", NULL, NULL},
    {"ssh", "Cisco", "Cisco SSH", NULL, "IOS", NULL},
    {"ssh", "ROSSSH", "MikroTik RouterOS sshd", NULL, "RouterOS", "router"},
    {"ssh", "AsyncSSH", "AsyncSSH sshd", NULL, NULL, NULL},
    {"ssh", "paramiko", "Paramiko Python sshd", "cpe:/a:paramiko:paramiko", NULL, NULL},
    {"ssh", "Go", "Golang x/crypto/ssh server", "cpe:/a:golang:crypto", NULL, NULL},
};

static bool is_word_char(uint8_t c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Where a program names itself as a whole word: the span behind it. */
static bool find_word(cursor_t text, const char *needle, cursor_t *behind)
{
    for (cursor_t c = text; match_find(c, needle, behind); c = *behind) {
        const uint8_t *begin = behind->at - strlen(needle);

        if (begin > text.at && is_word_char(begin[-1]))
            continue;
        if (behind->left == 0 || !is_word_char(behind->at[0]))
            return true;
    }
    return false;
}

static void take_version(match_t *m, const program_t *program, cursor_t behind)
{
    cursor_t version;

    while (behind.left > 0 && strchr("/-_ (v", behind.at[0]) && behind.at[0] != '\0')
        cursor_take(&behind, 1);
    version = match_version_span(behind);
    if (version.left > 0 && version.at[0] >= '0' && version.at[0] <= '9')
        match_text(m->version, sizeof(m->version), version);
    if (program->cpe)
        match_cpe(m, program->cpe, m->version);
}

bool match_product(match_t *m, const char *service, cursor_t text)
{
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        const program_t *p = &programs[i];
        cursor_t behind;

        if (strcmp(p->service, service) != 0 || !find_word(text, p->needle, &behind))
            continue;
        hstr_copy(m->product, sizeof(m->product), p->product);
        take_version(m, p, behind);
        if (p->os)
            hstr_copy(m->os, sizeof(m->os), p->os);
        if (p->os && strcmp(p->os, "Windows") == 0)
            match_cpe(m, "cpe:/o:microsoft:windows", NULL);
        if (p->device)
            hstr_copy(m->device, sizeof(m->device), p->device);
        m->level = m->version[0] ? MATCH_VERSION : MATCH_PRODUCT;
        return true;
    }
    return false;
}

/* ---- all of them ----------------------------------------------------------------------------- */

bool service_match(const reply_t *reply, match_t *match)
{
    static const matcher_fn matchers[] = {match_http, match_lines, match_binary};

    *match = (match_t){0};
    if (service_probe_is_udp(reply->probe))
        return match_udp(reply, match);
    for (size_t i = 0; i < sizeof(matchers) / sizeof(matchers[0]); i++) {
        bool is_done = matchers[i](reply, match);

        if (is_done || match->waits || match->level != MATCH_NONE)
            return is_done;
    }
    return false;
}

service_t *service_of(const match_t *m)
{
    service_t *s = hmem_zalloc(sizeof(*s));
    const struct {
        char **to;
        const char *from;
    } texts[] = {
        {s ? &s->name : NULL, m->name},         {s ? &s->product : NULL, m->product},
        {s ? &s->version : NULL, m->version},   {s ? &s->extra : NULL, m->extra},
        {s ? &s->hostname : NULL, m->hostname}, {s ? &s->os : NULL, m->os},
        {s ? &s->device : NULL, m->device},     {s ? &s->cpe[0] : NULL, m->cpe[0]},
        {s ? &s->cpe[1] : NULL, m->cpe[1]},     {s ? &s->cpe[2] : NULL, m->cpe[2]},
    };

    if (s == NULL)
        return NULL;
    s->confidence = 10;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].from == NULL || texts[i].from[0] == '\0')
            continue;
        *texts[i].to = hmem_strdup(texts[i].from);
        if (*texts[i].to == NULL) {
            service_free(s);
            return NULL;
        }
    }
    return s;
}
