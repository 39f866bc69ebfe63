/* Services whose answers are no text. */
#include "service_match.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

static uint32_t read_u32_little(cursor_t *c)
{
    uint32_t v = cursor_u32(c);

    return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
}

/* Up to a NUL. */
static cursor_t take_string(cursor_t *c)
{
    const uint8_t *end = c->left > 0 ? memchr(c->at, '\0', c->left) : NULL;
    cursor_t text = cursor_take(c, end ? (size_t)(end - c->at) : c->left);

    cursor_take(c, 1);
    return text;
}

/* ---- databases ------------------------------------------------------------------------------- */

/* MariaDB puts an old version in front of its own, for clients that look at the first digit. */
static void take_mysql_version(match_t *m, cursor_t text)
{
    cursor_t behind, plain;
    bool is_mariadb = match_find(text, "MariaDB", &behind);
    char number[64];

    if (match_starts(text, "5.5.5-") && is_mariadb)
        cursor_take(&text, strlen("5.5.5-"));
    match_text(m->version, sizeof(m->version), text);
    plain = text;
    plain.left = 0;
    while (plain.left < text.left && strchr("0123456789.", text.at[plain.left]) &&
           text.at[plain.left] != '\0')
        plain.left++;
    match_text(number, sizeof(number), plain);
    hstr_copy(m->product, sizeof(m->product), is_mariadb ? "MariaDB" : "MySQL");
    match_cpe(m, is_mariadb ? "cpe:/a:mariadb:mariadb" : "cpe:/a:mysql:mysql", number);
}

/* A packet of three bytes of length and a number; protocol 10, or an error. */
static bool mysql(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, behind;
    uint32_t head = read_u32_little(&c), kind = cursor_u8(&c);

    if (c.left < 4 || head > 0x00ffffff || (head & 0xffffff) > 4096)
        return false;
    if (kind == 10 && c.at[0] >= '0' && c.at[0] <= '9' && (head & 0xffffff) > 20) {
        match_whole(m, "mysql", NULL);
        take_mysql_version(m, take_string(&c));
        return true;
    }
    if (kind == 0xff && match_find(c, "MariaDB", &behind))
        match_whole(m, "mysql", "MariaDB");
    else if (kind == 0xff && match_find(c, "MySQL", &behind))
        match_whole(m, "mysql", "MySQL");
    else
        return false;
    hstr_copy(m->extra, sizeof(m->extra), "unauthorized");
    return true;
}

static bool postgres(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, version;
    uint32_t kind = cursor_u8(&c), len = cursor_u32(&c);
    bool is_let_in, has_version;

    if (reply->probe != PROBE_POSTGRES || (kind != 'R' && kind != 'E') || len < 8 || len > 8192)
        return false;
    if (kind == 'E' && (c.left == 0 || c.at[0] != 'S')) /* fields: severity is the first */
        return false;
    is_let_in = kind == 'R' && c.left >= 4 && c.at[3] == 0;
    has_version = match_find(c, "server_version", &version);
    m->waits = is_let_in && !has_version && !reply->is_whole; /* it will be told */
    if (m->waits)
        return false;
    match_whole(m, "postgresql", "PostgreSQL DB");
    if (has_version) {
        cursor_take(&version, 1);
        match_text(m->version, sizeof(m->version), match_version_span(version));
    }
    match_cpe(m, "cpe:/a:postgresql:postgresql", m->version);
    return true;
}

/* OP_MSG or OP_REPLY; in the document "version" is a string with its length. */
static bool mongodb(const reply_t *reply, match_t *m)
{
    static const char key[] = "\x02version";
    cursor_t c = {reply->data, reply->len}, value;
    uint32_t len = read_u32_little(&c), opcode;

    cursor_take(&c, 8);
    opcode = read_u32_little(&c);
    if (reply->probe != PROBE_MONGODB || c.left < 5 || len < 21 || (opcode != 2013 && opcode != 1))
        return false;
    m->waits = c.left + 16 < len && !reply->is_whole && reply->len < 4096;
    if (m->waits)
        return false;
    match_whole(m, "mongodb", "MongoDB");
    if (match_find(c, key, &value)) {
        cursor_take(&value, 5);
        match_text(m->version, sizeof(m->version), match_version_span(value));
    }
    match_cpe(m, "cpe:/a:mongodb:mongodb", m->version);
    return true;
}

/* CQL binary protocol: an answer's version has its highest bit set. */
static bool cassandra(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, version;
    uint32_t first = cursor_u8(&c), opcode;
    char text[32];

    cursor_take(&c, 3);
    opcode = cursor_u8(&c);
    cursor_take(&c, 4);
    if (reply->probe != PROBE_CASSANDRA || first < 0x83 || first > 0x86 ||
        (opcode != 6 && opcode != 0) || reply->len < 9)
        return false;
    match_whole(m, "cassandra", "Apache Cassandra");
    match_cpe(m, "cpe:/a:apache:cassandra", NULL);
    if (match_find(c, "CQL_VERSION", &version)) {
        cursor_take(&version, 4); /* how many, and the length of the first */
        match_text(text, sizeof(text), match_version_span(version));
        snprintf(m->extra, sizeof(m->extra), "CQL %s", text);
    }
    return true;
}

/* Prelogin: a table of tokens with offset and length; 0 is the version. */
static bool mssql(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, body, version;
    uint32_t type = cursor_u8(&c), status = cursor_u8(&c), major, minor;

    cursor_take(&c, 6);
    body = c;
    if (reply->probe != PROBE_MSSQL || type != 4 || status != 1 || cursor_u8(&c) != 0)
        return false;
    version = body;
    cursor_take(&version, cursor_u16(&c));
    major = cursor_u8(&version);
    minor = cursor_u8(&version);
    match_whole(m, "ms-sql-s", "Microsoft SQL Server");
    snprintf(m->version, sizeof(m->version), "%u.%02u.%u", major, minor, cursor_u16(&version));
    match_cpe(m, "cpe:/a:microsoft:sql_server", NULL);
    return true;
}

/* ---- queues ---------------------------------------------------------------------------------- */

/* CONNACK; behind it what is published of the broker's version. */
static bool mqtt(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, text;
    uint32_t kind = cursor_u8(&c), len = cursor_u8(&c), flags = cursor_u8(&c), code = cursor_u8(&c);

    if (reply->probe != PROBE_MQTT || reply->len < 4 || kind != 0x20 || len != 2 || flags > 1)
        return false;
    match_named(m, "mqtt");
    if (code != 0) {
        m->level = MATCH_VERSION;
        hstr_copy(m->extra, sizeof(m->extra),
                  code == 4 || code == 5 ? "not authorized" : "refused");
        return true;
    }
    return match_find(c, "$SYS/broker/version", &text) && match_product(m, "mqtt", text);
}

/* A long string of a table: its type and 4 bytes of length. */
static bool amqp_string(cursor_t table, const char *key, char *dst, size_t size)
{
    cursor_t value;

    if (!match_find(table, key, &value) || cursor_u8(&value) != 'S')
        return false;
    match_text(dst, size, cursor_take(&value, cursor_u32(&value)));
    return dst[0] != '\0';
}

static bool amqp(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len};
    uint32_t size;

    if (match_starts(c, "AMQP") && reply->len >= 8) { /* another version is wanted */
        match_whole(m, "amqp", NULL);
        snprintf(m->extra, sizeof(m->extra), "AMQP %u.%u", c.at[5], c.at[6]);
        return true;
    }
    if (cursor_u8(&c) != 1 || cursor_u16(&c) != 0)
        return false;
    size = cursor_u32(&c);
    if (cursor_u32(&c) != 0x000a000a || cursor_u16(&c) != 0x0009) /* connection.start of 0-9 */
        return false;
    match_named(m, "amqp");
    if (c.left + 6 < size && !reply->is_whole)
        return false;
    m->level = MATCH_VERSION;
    amqp_string(c, "\x07product", m->product, sizeof(m->product));
    amqp_string(c, "\x07version", m->version, sizeof(m->version));
    if (strcmp(m->product, "RabbitMQ") == 0)
        match_cpe(m, "cpe:/a:vmware:rabbitmq", m->version);
    return true;
}

static bool kafka(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len};

    cursor_u32(&c);
    if (reply->probe != PROBE_KAFKA || !match_starts(c, "hnmp") || c.left < 10)
        return false;
    return match_whole(m, "kafka", "Apache Kafka");
}

static bool activemq(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, version;

    cursor_u32(&c);
    if (cursor_u8(&c) != 1 || !match_starts(c, "ActiveMQ"))
        return false;
    match_whole(m, "apachemq", "ActiveMQ OpenWire transport");
    if (match_find(c, "ProviderVersion", &version)) {
        cursor_take(&version, 3);
        match_text(m->version, sizeof(m->version), match_version_span(version));
    }
    match_cpe(m, "cpe:/a:apache:activemq", m->version);
    return true;
}

/* ---- LDAP: RFC 4511, BER --------------------------------------------------------------------- */

static void take_attribute(match_t *m, cursor_t type, cursor_t values)
{
    cursor_t value, behind;

    if (cursor_element(&values, &value) != 0x04)
        return;
    if (match_starts(type, "vendorName"))
        match_text(m->product, sizeof(m->product), value);
    else if (match_starts(type, "vendorVersion"))
        match_text(m->version, sizeof(m->version), value);
    else if (match_starts(type, "dnsHostName"))
        match_text(m->hostname, sizeof(m->hostname), value);
    else if (match_starts(type, "namingContexts"))
        match_text(m->extra, sizeof(m->extra), value);
    else if (match_starts(type, "objectClass"))
        while (m->product[0] == '\0' && value.left > 0) {
            if (match_find(value, "OpenLDAProotDSE", &behind))
                hstr_copy(m->product, sizeof(m->product), "OpenLDAP");
            if (cursor_element(&values, &value) != 0x04)
                break;
        }
}

bool match_ldap(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, message, part, attributes, attribute;
    uint32_t tag;

    if (cursor_element(&c, &message) != 0x30 || cursor_element(&message, &part) != 0x02 ||
        (reply->probe != PROBE_LDAP && reply->probe != PROBE_UDP_LDAP))
        return false;
    tag = cursor_element(&message, &part);
    if (tag != 0x64 && tag != 0x65)
        return false;
    match_whole(m, "ldap", NULL);
    if (tag == 0x64 && cursor_element(&part, &attribute) == 0x04 &&
        cursor_element(&part, &attributes) == 0x30)
        while (cursor_element(&attributes, &attribute) == 0x30) {
            cursor_t type, values;

            if (cursor_element(&attribute, &type) == 0x04 &&
                cursor_element(&attribute, &values) == 0x31)
                take_attribute(m, type, values);
        }
    if (strcmp(m->product, "OpenLDAP") == 0)
        match_cpe(m, "cpe:/a:openldap:openldap", NULL);
    return true;
}

/* ---- Windows --------------------------------------------------------------------------------- */

/* TPKT and an X.224 connection confirm; behind it what was chosen of what was offered. */
static bool rdp(const reply_t *reply, match_t *m)
{
    static const char *const chosen[] = {"standard security", "TLS", "CredSSP"};
    cursor_t c = {reply->data, reply->len};
    uint32_t version = cursor_u16(&c), protocol, kind;

    cursor_take(&c, 3);
    if (reply->probe != PROBE_RDP || version != 0x0300 || cursor_u8(&c) != 0xd0)
        return false;
    cursor_take(&c, 5);
    match_whole(m, "ms-wbt-server", NULL);
    kind = cursor_u8(&c);
    cursor_take(&c, 3);
    protocol = read_u32_little(&c);
    if (kind == 2 && protocol < sizeof(chosen) / sizeof(chosen[0]))
        snprintf(m->extra, sizeof(m->extra), "%s", chosen[protocol]);
    return true;
}

/* MS-SMB2 2.2.4, behind the length of the session service. */
static bool smb(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len}, body;
    uint32_t security, dialect;

    if (reply->probe != PROBE_SMB || cursor_u8(&c) != 0)
        return false;
    cursor_take(&c, 3);
    if (c.left > 4 && c.at[0] == 0xff && memcmp(c.at + 1, "SMB", 3) == 0)
        return match_whole(m, "microsoft-ds", NULL);
    if (c.left < 70 || c.at[0] != 0xfe || memcmp(c.at + 1, "SMB", 3) != 0)
        return false;
    body = c;
    cursor_take(&body, 64 + 2);
    security = cursor_u16(&body) >> 8;
    dialect = cursor_u16(&body);
    match_whole(m, "microsoft-ds", NULL);
    snprintf(m->extra, sizeof(m->extra), "SMB %u.%u.%u, signing %s", dialect & 0xff,
             dialect >> 12 & 0xf, dialect >> 8 & 0xf, security & 2 ? "required" : "not required");
    return true;
}

/* ---- others ---------------------------------------------------------------------------------- */

/* The text of the first answer; names in front of it are one pointer or labels. */
static cursor_t dns_text(cursor_t c)
{
    cursor_t none = {c.at, 0};

    cursor_take(&c, 8); /* the rest of the head */
    for (uint32_t len = cursor_u8(&c); len > 0; len = cursor_u8(&c))
        cursor_take(&c, len);
    cursor_take(&c, 4);
    if (c.left > 0 && c.at[0] >= 0xc0)
        cursor_take(&c, 2);
    else
        for (uint32_t len = cursor_u8(&c); len > 0; len = cursor_u8(&c))
            cursor_take(&c, len);
    if (cursor_u16(&c) != 16)
        return none;
    cursor_take(&c, 8);
    return cursor_take(&c, cursor_u8(&c));
}

bool match_dns(match_t *m, cursor_t c)
{
    cursor_t text;

    if (c.left < 12 || c.at[0] != 'h' || c.at[1] != 'n' || !(c.at[2] & 0x80))
        return false;
    cursor_take(&c, 4);
    match_whole(m, "domain", NULL);
    if (c.at[2] == 0 && c.at[3] == 0) /* no answer */
        return true;
    text = dns_text(c);
    if (text.left == 0 || match_product(m, "domain", text))
        return true;
    if (text.at[0] >= '0' && text.at[0] <= '9') {
        hstr_copy(m->product, sizeof(m->product), "ISC BIND");
        match_text(m->version, sizeof(m->version), text);
        match_cpe(m, "cpe:/a:isc:bind", m->version);
    } else {
        match_text(m->extra, sizeof(m->extra), text);
    }
    return true;
}

static bool dns(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len};

    cursor_u16(&c); /* the length */
    return reply->probe == PROBE_DNS && match_dns(m, c);
}

/* X11 protocol, section 8: accepted, refused or asked for more; version 11. */
static bool x11(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len};

    if (reply->probe != PROBE_X11 || c.left < 8 || c.at[0] > 2 ||
        (c.at[0] != 2 && (c.at[2] != 11 || c.at[3] != 0)))
        return false;
    match_whole(m, "X11", NULL);
    if (c.at[0] != 1) {
        hstr_copy(m->extra, sizeof(m->extra), "access denied");
    } else if (c.left > 40) {
        uint32_t len = (uint32_t)c.at[24] | (uint32_t)c.at[25] << 8;

        cursor_take(&c, 40);
        match_text(m->product, sizeof(m->product), cursor_take(&c, len));
    }
    return true;
}

static bool socks5(const reply_t *reply, match_t *m)
{
    const uint8_t *b = reply->data;

    if (reply->probe != PROBE_SOCKS5 || reply->len != 2 || b[0] != 5 ||
        (b[1] != 0 && b[1] != 2 && b[1] != 0xff))
        return false;
    match_whole(m, "socks5", NULL);
    hstr_copy(m->extra, sizeof(m->extra),
              b[1] == 0   ? "no authentication"
              : b[1] == 2 ? "username/password authentication required"
                          : "authentication required");
    return true;
}

static bool rpc(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len};

    cursor_u32(&c);
    if (reply->probe != PROBE_RPC || !match_starts(c, "hnmp"))
        return false;
    cursor_u32(&c);
    return cursor_u32(&c) == 1 && match_whole(m, "rpcbind", NULL);
}

static bool ajp(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len};

    return reply->probe == PROBE_AJP && match_starts(c, "AB") && reply->len >= 5 && c.at[4] == 9 &&
           match_whole(m, "ajp13", "Apache Jserv");
}

/* RFC 854: a command, and an option that is offered or asked for. */
static bool telnet(const reply_t *reply, match_t *m)
{
    const uint8_t *b = reply->data;

    if (reply->len < 3 || b[0] != 0xff || b[1] < 0xfa || b[1] == 0xff)
        return false;
    match_named(m, "telnet");
    m->level = MATCH_PRODUCT;
    return true;
}

/* RFC 8446 section 6: an alert, to what was no record. */
static bool tls_alert(const reply_t *reply, match_t *m)
{
    const uint8_t *b = reply->data;

    if (reply->len < 7 || b[0] != 0x15 || b[1] != 3 || b[3] != 0 || b[4] != 2 || b[5] > 2)
        return false;
    match_named(m, "ssl");
    m->wants_tls = true;
    return true;
}

bool match_binary(const reply_t *reply, match_t *m)
{
    static const matcher_fn matchers[] = {
        mysql, postgres, mongodb, cassandra, mssql,  mqtt, amqp, kafka,  activemq, match_ldap,
        rdp,   smb,      dns,     x11,       socks5, rpc,  ajp,  telnet, tls_alert};

    for (size_t i = 0; i < sizeof(matchers) / sizeof(matchers[0]); i++) {
        bool is_done = matchers[i](reply, m);

        if (is_done || m->waits || m->level != MATCH_NONE)
            return is_done;
    }
    return false;
}
