/* Services that say in lines of text what they are. */
#include "service_match.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

/* The first word, and the rest behind the spaces. */
static cursor_t take_word(cursor_t *c)
{
    cursor_t word = {c->at, 0};

    while (word.left < c->left && c->at[word.left] != ' ')
        word.left++;
    cursor_take(c, word.left);
    while (c->left > 0 && c->at[0] == ' ')
        cursor_take(c, 1);
    return word;
}

static void set_linux(match_t *m)
{
    hstr_copy(m->os, sizeof(m->os), "Linux");
    match_cpe(m, "cpe:/o:linux:linux_kernel", NULL);
}

/* ---- SSH: RFC 4253 section 4.2 --------------------------------------------------------------- */

/* "Debian-2+deb12u3": who built it, and what they made of it. */
static void take_ssh_comment(match_t *m, cursor_t comment)
{
    size_t len = strlen(m->version);
    bool is_ubuntu = match_starts(comment, "Ubuntu");

    if (comment.left == 0)
        return;
    if (len > 0 && len + 2 < sizeof(m->version)) {
        m->version[len++] = ' ';
        match_text(m->version + len, sizeof(m->version) - len, comment);
        for (char *dash = m->version + len; *dash; dash++)
            if (*dash == '-') {
                *dash = ' ';
                break;
            }
    }
    if (is_ubuntu || match_starts(comment, "Debian") || match_starts(comment, "Raspbian"))
        set_linux(m);
    if (match_starts(comment, "FreeBSD"))
        hstr_copy(m->os, sizeof(m->os), "FreeBSD");
}

static bool ssh(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t protocol, software;
    char version[16];

    (void)reply;
    match_named(m, "ssh");
    cursor_take(&line, strlen("SSH-"));
    protocol = line;
    if (!match_find(line, "-", &line))
        return true;
    protocol.left -= line.left + 1;
    match_text(version, sizeof(version), protocol);
    software = take_word(&line);
    if (!match_product(m, "ssh", software)) {
        match_text(m->product, sizeof(m->product), software);
        m->level = MATCH_PRODUCT;
    }
    take_ssh_comment(m, line);
    snprintf(m->extra, sizeof(m->extra), "protocol %s", version);
    m->level = MATCH_VERSION;
    return true;
}

/* ---- mail, news, files: three digits, RFC 5321 and RFC 959 ----------------------------------- */

/* The last line of an answer has a space behind its number. */
static bool is_last_line(cursor_t line)
{
    return line.left < 4 || line.at[3] != '-';
}

static bool is_host_name(cursor_t word)
{
    cursor_t behind;

    return word.left > 3 && match_find(word, ".", &behind) && behind.left > 0;
}

static const char *name_of_220(cursor_t text, cursor_t host)
{
    static const struct {
        const char *word, *name;
    } words[] = {{"FTP", "ftp"},   {"SMTP", "smtp"}, {"dictd", "dict"},
                 {"mail", "smtp"}, {"files", "ftp"}, {"login", "ftp"}};
    cursor_t behind;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (match_find(text, words[i].word, &behind))
            return words[i].name;
    return is_host_name(host) ? "smtp" : "ftp";
}

static bool ready_220(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t all = {reply->data, reply->len}, first = line, host;
    bool is_last = is_last_line(line);

    cursor_take(&all, 4);
    cursor_take(&first, 4);
    host = take_word(&first);
    for (cursor_t rest = all; !is_last && cursor_line(&rest, reply->is_whole, &line);)
        is_last = line.left >= 4 && match_starts(line, "220") && is_last_line(line);
    match_named(m, name_of_220(all, host));
    if (!is_last && !reply->is_whole)
        return false;
    if (strcmp(m->name, "smtp") == 0 && is_host_name(host))
        match_text(m->hostname, sizeof(m->hostname), host);
    match_product(m, m->name, all);
    return true;
}

static bool denied(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t behind;

    (void)reply;
    if (match_find(line, "FTP", &behind) || match_starts(line, "530"))
        match_named(m, "ftp");
    else
        match_named(m, "smtp");
    return true;
}

/* What vsftpd says in place of its greeting when its configuration is wrong. */
static bool vsftpd(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t why;

    (void)reply;
    if (!match_find(line, "vsftpd: ", &why))
        return false;
    match_named(m, "ftp");
    match_product(m, "ftp", line);
    hstr_copy(m->extra, sizeof(m->extra), "broken: ");
    match_text(m->extra + strlen(m->extra), sizeof(m->extra) - strlen(m->extra), why);
    return true;
}

static bool nntp(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t behind;

    (void)reply;
    if (!match_find(line, "NNTP", &behind) && !match_find(line, "InterNetNews", &behind) &&
        !match_find(line, "posting", &behind))
        return false;
    match_named(m, "nntp");
    match_product(m, "nntp", line);
    return true;
}

static bool pop3(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    match_named(m, "pop3");
    match_product(m, "pop3", line);
    return true;
}

static bool imap(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    match_named(m, "imap");
    match_product(m, "imap", line);
    return true;
}

/* ---- databases and queues -------------------------------------------------------------------- */

/* The value of "key:value" or "key\":\"value" up to what no version has. */
static bool take_version(match_t *m, cursor_t text, const char *key)
{
    cursor_t value;

    if (!match_find(text, key, &value))
        return false;
    match_text(m->version, sizeof(m->version), match_version_span(value));
    m->level = MATCH_VERSION;
    return m->version[0] != '\0';
}

static bool redis_info(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t all = {reply->data, reply->len}, os, end;

    (void)line;
    if (!match_find(all, "redis_version:", &end))
        return false;
    match_named(m, "redis");
    if (match_find(all, "valkey_version:", &end)) {
        hstr_copy(m->product, sizeof(m->product), "Valkey key-value store");
        take_version(m, all, "valkey_version:");
        match_cpe(m, "cpe:/a:lfprojects:valkey", m->version);
    } else {
        hstr_copy(m->product, sizeof(m->product), "Redis key-value store");
        take_version(m, all, "redis_version:");
        match_cpe(m, "cpe:/a:redislabs:redis", m->version);
    }
    if (match_find(all, "\nos:", &os) && match_starts(os, "Linux"))
        set_linux(m);
    return true;
}

static bool redis_refusal(const reply_t *reply, match_t *m, cursor_t line)
{
    static const char *const texts[] = {"-NOAUTH",
                                        "-DENIED",
                                        "-ERR wrong number of arguments",
                                        "-ERR unknown command",
                                        "-NOPERM",
                                        "-ERR Protocol error"};
    size_t i = 0;

    while (i < sizeof(texts) / sizeof(texts[0]) && !match_starts(line, texts[i]))
        i++;
    if (i == sizeof(texts) / sizeof(texts[0]))
        return false;
    match_named(m, "redis");
    hstr_copy(m->product, sizeof(m->product), "Redis key-value store");
    if (i == 0)
        hstr_copy(m->extra, sizeof(m->extra), "authentication required");
    else if (i == 1)
        hstr_copy(m->extra, sizeof(m->extra), "protected mode");
    m->level = reply->probe == PROBE_REDIS || i < 2 ? MATCH_VERSION : MATCH_PRODUCT;
    m->next = reply->probe == PROBE_REDIS ? PROBE_NONE : PROBE_REDIS;
    return true;
}

static bool memcached(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t version = line;

    if (reply->probe != PROBE_MEMCACHED) {
        m->next = PROBE_MEMCACHED; /* others say this, too */
        return false;
    }
    cursor_take(&version, strlen("VERSION "));
    if (!match_starts(line, "VERSION ") || version.left == 0 || version.at[0] < '0' ||
        version.at[0] > '9')
        return false;
    match_named(m, "memcached");
    hstr_copy(m->product, sizeof(m->product), "Memcached");
    match_text(m->version, sizeof(m->version), match_version_span(version));
    match_cpe(m, "cpe:/a:memcached:memcached", m->version);
    m->level = MATCH_VERSION;
    return true;
}

static bool zookeeper(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    match_named(m, "zookeeper");
    hstr_copy(m->product, sizeof(m->product), "Zookeeper");
    if (take_version(m, line, "version: "))
        match_cpe(m, "cpe:/a:apache:zookeeper", m->version);
    return true;
}

static bool nats(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    match_named(m, "nats");
    hstr_copy(m->product, sizeof(m->product), "NATS server");
    if (take_version(m, line, "\"version\":\""))
        match_cpe(m, "cpe:/a:nats:nats_server", m->version);
    return true;
}

/* ---- others ---------------------------------------------------------------------------------- */

/* A number without the zeros in front of it. */
static cursor_t take_digits(cursor_t *c)
{
    cursor_t digits = {c->at, 0};

    while (digits.left < c->left && c->at[digits.left] >= '0' && c->at[digits.left] <= '9')
        digits.left++;
    cursor_take(c, digits.left);
    while (digits.left > 1 && digits.at[0] == '0')
        cursor_take(&digits, 1);
    return digits;
}

/* RFC 6143 section 7.1.1: "RFB 003.008". */
static bool vnc(const reply_t *reply, match_t *m, cursor_t line)
{
    char major[8], minor[8];

    (void)reply;
    cursor_take(&line, strlen("RFB "));
    match_text(major, sizeof(major), take_digits(&line));
    cursor_take(&line, 1);
    match_text(minor, sizeof(minor), take_digits(&line));
    if (major[0] == '\0' || minor[0] == '\0')
        return false;
    match_named(m, "vnc");
    hstr_copy(m->product, sizeof(m->product), "VNC");
    snprintf(m->extra, sizeof(m->extra), "protocol %s.%s", major, minor);
    m->level = MATCH_VERSION;
    return true;
}

static bool rsync(const reply_t *reply, match_t *m, cursor_t line)
{
    char version[24];

    (void)reply;
    cursor_take(&line, strlen("@RSYNCD: "));
    match_text(version, sizeof(version), match_version_span(line));
    match_named(m, "rsync");
    if (version[0] != '\0')
        snprintf(m->extra, sizeof(m->extra), "protocol version %s", version);
    m->level = version[0] != '\0' ? MATCH_VERSION : MATCH_PRODUCT;
    return true;
}

static bool irc(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t host = line, behind;

    (void)reply;
    if (line.at[0] == ':' && !match_find(line, " NOTICE ", &behind) &&
        !match_find(line, " 451 ", &behind))
        return false;
    match_named(m, "irc");
    m->level = MATCH_PRODUCT;
    if (line.at[0] == ':') {
        cursor_take(&host, 1);
        match_text(m->hostname, sizeof(m->hostname), take_word(&host));
    }
    return true;
}

/* gitprotocol-pack: four digits of length, then the message. */
static bool git(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    for (size_t i = 0; i < 4; i++)
        if (line.left < 4 || hstr_hex_digit((char)line.at[i]) < 0)
            return false;
    cursor_take(&line, 4);
    if (!match_starts(line, "ERR ") && reply->probe != PROBE_GIT)
        return false;
    match_named(m, "git");
    m->level = MATCH_PRODUCT;
    return true;
}

static bool xmpp(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t all = {reply->data, reply->len}, behind;

    (void)line;
    if (!match_find(all, "etherx.jabber.org/streams", &behind))
        return false;
    match_named(m, "xmpp");
    m->level = MATCH_PRODUCT;
    return true;
}

/* What was sent comes back: RFC 862. */
static bool echo(const reply_t *reply, match_t *m, cursor_t line)
{
    if (reply->probe != PROBE_HTTP || !match_starts(line, "GET / HTTP/1.1"))
        return false;
    match_named(m, "echo");
    m->level = MATCH_VERSION;
    return true;
}

static bool munin(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    match_named(m, "munin");
    hstr_copy(m->product, sizeof(m->product), "Munin");
    cursor_take(&line, strlen("# munin node at "));
    match_text(m->hostname, sizeof(m->hostname), line);
    m->level = MATCH_VERSION;
    return true;
}

static bool named(match_t *m, const char *name, const char *product, cursor_t version)
{
    match_named(m, name);
    hstr_copy(m->product, sizeof(m->product), product);
    match_text(m->version, sizeof(m->version), match_version_span(version));
    m->level = MATCH_VERSION;
    return true;
}

static bool mpd(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    cursor_take(&line, strlen("OK MPD "));
    return named(m, "mpd", "Music Player Daemon", line);
}

static bool asterisk(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    cursor_take(&line, strlen("Asterisk Call Manager/"));
    return named(m, "asterisk", "Asterisk Call Manager", line);
}

static bool beanstalkd(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    (void)line;
    return named(m, "beanstalkd", "Beanstalk", (cursor_t){0});
}

static bool svn(const reply_t *reply, match_t *m, cursor_t line)
{
    (void)reply;
    (void)line;
    return named(m, "svnserve", "Subversion", (cursor_t){0});
}

static bool sieve(const reply_t *reply, match_t *m, cursor_t line)
{
    cursor_t name = line, end;

    (void)reply;
    match_named(m, "sieve");
    cursor_take(&name, strlen("\"IMPLEMENTATION\" \""));
    if (match_find(name, "\"", &end)) {
        name.left -= end.left + 1;
        match_text(m->product, sizeof(m->product), name);
        m->level = MATCH_PRODUCT;
    }
    return true;
}

bool match_lines(const reply_t *reply, match_t *m)
{
    static const struct {
        const char *prefix; /* of the first line */
        bool (*match)(const reply_t *reply, match_t *m, cursor_t line);
    } rows[] = {
        {"SSH-", ssh},
        {"220", ready_220},
        {"421", denied},
        {"530", denied},
        {"554", denied},
        {"500 OOPS: ", vsftpd},
        {"200 ", nntp},
        {"201 ", nntp},
        {"+OK", pop3},
        {"* OK", imap},
        {"* PREAUTH", imap},
        {"* BYE", imap},
        {"$", redis_info},
        {"-", redis_refusal},
        {"VERSION ", memcached},
        {"ERROR", memcached},
        {"Zookeeper version:", zookeeper},
        {"srvr is not executed", zookeeper},
        {"INFO {", nats},
        {"RFB ", vnc},
        {"@RSYNCD: ", rsync},
        {"NOTICE AUTH", irc},
        {":", irc},
        {"<?xml", xmpp},
        {"<stream", xmpp},
        {"GET ", echo},
        {"# munin node at ", munin},
        {"OK MPD ", mpd},
        {"Asterisk Call Manager/", asterisk},
        {"UNKNOWN_COMMAND", beanstalkd},
        {"( success ( ", svn},
        {"\"IMPLEMENTATION\" \"", sieve},
        {"00", git},
    };
    cursor_t rest = {reply->data, reply->len}, all = rest, line;
    bool is_line = cursor_line(&rest, reply->is_whole, &line);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* XMPP and Git end no lines. */
        bool needs_line = rows[i].match != xmpp && rows[i].match != git;

        if (!match_starts(all, rows[i].prefix))
            continue;
        if (needs_line && !is_line) {
            m->waits = !reply->is_whole;
            return false;
        }
        if (rows[i].match(reply, m, is_line ? line : all))
            return true;
        if (m->level != MATCH_NONE)
            return false;
    }
    return false;
}
