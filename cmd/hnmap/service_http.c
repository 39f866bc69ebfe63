/* What speaks as HTTP does: a line of status, fields, an empty line (RFC 9112; RFC 3261 for SIP and
 * RFC 2326 for RTSP have the same shape). Read loosely: it is looked at, not relied on. */
#include "service_match.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

typedef struct head_s {
    unsigned status;
    cursor_t server, powered, type, agent, jenkins, influx, kibana;
    cursor_t body;
    size_t length; /* of the body; SIZE_MAX: not told */
    bool is_whole;
} head_t;

static size_t read_length(cursor_t value)
{
    size_t length = 0;

    for (; value.left > 0 && value.at[0] >= '0' && value.at[0] <= '9'; cursor_take(&value, 1)) {
        if (length > SIZE_MAX / 100)
            return SIZE_MAX;
        length = length * 10 + (size_t)(value.at[0] - '0');
    }
    return length;
}

static void take_field(head_t *head, cursor_t line)
{
    const struct {
        const char *name;
        cursor_t *value;
    } fields[] = {
        {"Server:", &head->server},     {"X-Powered-By:", &head->powered},
        {"Content-Type:", &head->type}, {"User-Agent:", &head->agent},
        {"X-Jenkins:", &head->jenkins}, {"X-Influxdb-Version:", &head->influx},
        {"kbn-name:", &head->kibana},
    };
    cursor_t value;

    if (match_starts(line, "Content-Length:") && match_find(line, ":", &value)) {
        while (value.left > 0 && value.at[0] == ' ')
            cursor_take(&value, 1);
        head->length = read_length(value);
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (match_starts(line, fields[i].name)) {
            *fields[i].value = line;
            cursor_take(fields[i].value, strlen(fields[i].name));
            while (fields[i].value->left > 0 && fields[i].value->at[0] == ' ')
                cursor_take(fields[i].value, 1);
            return;
        }
}

/* False: the end of the head is still to come. */
static bool read_head(const reply_t *reply, head_t *head)
{
    cursor_t rest = {reply->data, reply->len}, line, code;

    *head = (head_t){.length = SIZE_MAX};
    if (!cursor_line(&rest, reply->is_whole, &line))
        return false;
    if (match_find(line, " ", &code))
        head->status = (unsigned)(read_length(code) % 1000);
    while (cursor_line(&rest, reply->is_whole, &line)) {
        if (line.left == 0) {
            head->is_whole = true;
            break;
        }
        take_field(head, line);
    }
    head->body = rest;
    return head->is_whole || reply->is_whole;
}

/* ---- what the fields and the body tell ------------------------------------------------------- */

static void take_comment(match_t *m, cursor_t server)
{
    static const char *const linuxes[] = {"Debian",  "Ubuntu", "Raspbian", "CentOS",
                                          "Red Hat", "Fedora", "linux"};
    cursor_t comment, end, behind;

    if (!match_find(server, "(", &comment) || !match_find(comment, ")", &end))
        return;
    comment.left -= end.left + 1;
    match_text(m->extra, sizeof(m->extra), comment);
    for (size_t i = 0; i < sizeof(linuxes) / sizeof(linuxes[0]); i++)
        if (m->os[0] == '\0' && match_find(comment, linuxes[i], &behind)) {
            hstr_copy(m->os, sizeof(m->os), "Linux");
            match_cpe(m, "cpe:/o:linux:linux_kernel", NULL);
        }
}

/* Its servers say it behind their own name. */
static void take_python(match_t *m, cursor_t server)
{
    char version[32];
    cursor_t python;

    if (m->extra[0] != '\0' || !match_find(server, "Python/", &python))
        return;
    match_text(version, sizeof(version), match_version_span(python));
    snprintf(m->extra, sizeof(m->extra), "Python %s", version);
}

/* A program that nobody knows names itself as RFC 9110 section 10.2.4 has it: NAME/VERSION. */
static void take_server(match_t *m, const char *service, cursor_t server)
{
    size_t len = 0;
    cursor_t name = server;

    if (server.left == 0)
        return;
    if (!match_product(m, service, server)) {
        while (len < server.left && !strchr("/ (", server.at[len] ? server.at[len] : ' '))
            len++;
        name.left = len;
        match_text(m->product, sizeof(m->product), name);
        cursor_take(&server, len);
        if (server.left > 1 && server.at[0] == '/') {
            cursor_take(&server, 1);
            match_text(m->version, sizeof(m->version), match_version_span(server));
        }
        if (m->product[0] && m->level < MATCH_PRODUCT)
            m->level = m->version[0] ? MATCH_VERSION : MATCH_PRODUCT;
    }
    take_comment(m, server);
    take_python(m, server);
}

static void add_extra(match_t *m, cursor_t text)
{
    size_t len = strlen(m->extra);

    if (text.left == 0 || len + 4 > sizeof(m->extra))
        return;
    if (len > 0)
        len += hstr_copy(m->extra + len, sizeof(m->extra) - len, "; ");
    match_text(m->extra + len, sizeof(m->extra) - len, text);
}

/* The string of a key in JSON, however deep. */
static bool json_string(cursor_t json, const char *key, cursor_t *value)
{
    cursor_t end;

    if (!match_find(json, key, value))
        return false;
    while (value->left > 0 && strchr(" \t\r\n:", value->at[0]) && value->at[0] != '\0')
        cursor_take(value, 1);
    if (value->left == 0 || value->at[0] != '"')
        return false;
    cursor_take(value, 1);
    if (!match_find(*value, "\"", &end))
        return false;
    value->left -= end.left + 1;
    return true;
}

/* What has its own way to say its version: the field, and another one that must be there. */
static void take_json(match_t *m, cursor_t body)
{
    static const struct {
        const char *key, *beside, *product, *cpe;
    } rows[] = {
        {"\"number\"", "\"opensearch\"", "OpenSearch REST API", "cpe:/a:amazon:opensearch"},
        {"\"number\"", "\"lucene_version\"", "Elasticsearch REST API",
         "cpe:/a:elastic:elasticsearch"},
        {"\"etcdserver\"", "\"etcdcluster\"", "etcd", "cpe:/a:etcd:etcd"},
        {"\"gitVersion\"", "\"goVersion\"", "Kubernetes API", "cpe:/a:kubernetes:kubernetes"},
        {"\"Version\"", "\"ApiVersion\"", "Docker", "cpe:/a:docker:docker"},
        {"\"version\"", "\"couchdb\"", "CouchDB httpd", "cpe:/a:apache:couchdb"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cursor_t version, behind;

        if (!match_find(body, rows[i].beside, &behind) || !json_string(body, rows[i].key, &version))
            continue;
        if (version.left > 1 && version.at[0] == 'v')
            cursor_take(&version, 1);
        hstr_copy(m->product, sizeof(m->product), rows[i].product);
        match_text(m->version, sizeof(m->version), match_version_span(version));
        memset(m->cpe, 0, sizeof(m->cpe));
        match_cpe(m, rows[i].cpe, m->version);
        m->level = MATCH_VERSION;
        return;
    }
}

static void take_special(match_t *m, const head_t *head)
{
    const struct {
        cursor_t field;
        const char *product, *cpe;
    } rows[] = {
        {head->jenkins, "Jenkins httpd", "cpe:/a:jenkins:jenkins"},
        {head->influx, "InfluxDB http admin", "cpe:/a:influxdata:influxdb"},
        {head->kibana, "Elastic Kibana", "cpe:/a:elastic:kibana"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cursor_t version = match_version_span(rows[i].field);

        if (rows[i].field.left == 0)
            continue;
        hstr_copy(m->product, sizeof(m->product), rows[i].product);
        m->version[0] = '\0';
        if (version.left > 0 && version.at[0] >= '0' && version.at[0] <= '9')
            match_text(m->version, sizeof(m->version), version);
        match_cpe(m, rows[i].cpe, m->version);
        m->level = MATCH_VERSION;
        return;
    }
}

/* What servers say in plain text where they expect TLS. */
static bool is_told_tls(const head_t *head)
{
    static const char *const texts[] = {"HTTP request was sent to HTTPS",
                                        "HTTP request to an HTTPS server",
                                        "HTTP to an SSL-enabled server", "HTTP to an TLS"};
    cursor_t behind;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (match_find(head->body, texts[i], &behind))
            return true;
    return false;
}

static bool is_body_whole(const reply_t *reply, const head_t *head)
{
    return reply->is_whole || head->body.left >= head->length;
}

static bool http(const reply_t *reply, match_t *m)
{
    cursor_t behind;
    head_t head;
    bool is_json;

    match_named(m, "http");
    if (!read_head(reply, &head))
        return false;
    take_server(m, "http", head.server);
    add_extra(m, head.powered);
    take_special(m, &head);
    is_json = match_find(head.type, "json", &behind) || match_starts(head.type, "text/plain");
    if (is_json)
        take_json(m, head.body);
    if (head.status == 400)
        m->wants_tls = is_told_tls(&head);
    if (reply->probe == PROBE_HTTP && m->level == MATCH_NAMED)
        m->next = PROBE_HTTP_VERSION;
    return is_body_whole(reply, &head) || (!is_json && head.status != 400);
}

static bool sip(const reply_t *reply, match_t *m, const char *name)
{
    head_t head;

    match_named(m, name);
    if (!read_head(reply, &head))
        return false;
    take_server(m, name, head.server.left > 0 ? head.server : head.agent);
    return true;
}

bool match_http(const reply_t *reply, match_t *m)
{
    cursor_t c = {reply->data, reply->len};

    if (match_starts(c, "HTTP/1.") || match_starts(c, "HTTP/2"))
        return http(reply, m);
    if (match_starts(c, "SIP/2.0 "))
        return sip(reply, m, "sip");
    if (match_starts(c, "RTSP/1.0 "))
        return sip(reply, m, "rtsp");
    return false;
}
