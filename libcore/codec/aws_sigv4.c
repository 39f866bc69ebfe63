/* The steps of the signature, each a text made of the one before:
 *
 *     canonical request -> its hash in the string to sign -> HMAC with a key derived from the
 *                              secret by date, region and service */
#include "aws_sigv4.h"

#include "../base/herr.h"
#include "../base/hmem.h"
#include "../base/hurl.h"
#include "http_date.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HASH_SIZE 32
#define BLOCK_SIZE 64 /* of SHA-256, for HMAC: RFC 2104 section 2 */
#define HEX_SIZE (2 * HASH_SIZE + 1)
#define STAMP_SIZE 17 /* "20260101T000000Z" */
#define DAY_LEN 8
#define NAME_SIZE (AWS_SIGV4_PART_MAX + 32)

typedef struct part_s {
    char text[AWS_SIGV4_PART_MAX + 1];
} part_t;

/* All that is made on the way. */
typedef struct work_s {
    const aws_sigv4_t *request;
    const http_auth_hasher_t *hasher;
    part_t provider, vendor, region, service; /* of "aws:amz:region:service" */
    char stamp[STAMP_SIZE];
    bool own_stamp;      /* the program has no date of its own */
    char hash[HEX_SIZE]; /* of the payload, or what stands in its place */
    http_span_t payload_hash;
    bool own_hash_field;
    hbytes_t canonical, names, text;
    const char *why;
} work_t;

static int fail(work_t *w, int err, const char *why)
{
    w->why = why;
    return err;
}

/* ---- letters --------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static const char *cased(const part_t *part, char (*to)(char), part_t *buf)
{
    size_t i = 0;

    for (; part->text[i]; i++)
        buf->text[i] = to(part->text[i]);
    buf->text[i] = '\0';
    return buf->text;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

static int append_encoded(hbytes_t *out, char c)
{
    return hbytes_printf(out, "%%%02X", (unsigned char)c);
}

/* ---- hashes ---------------------------------------------------------------------------------- */

static void to_hex(const uint8_t *hash, char *hex)
{
    for (size_t i = 0; i < HASH_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

static int hash_of(const work_t *w, const http_span_t *parts, size_t count, uint8_t *hash)
{
    return w->hasher->hash(HTTP_AUTH_SHA256, parts, count, hash, w->hasher->arg);
}

/* RFC 2104. out may be the key. */
static int hmac(const work_t *w, http_span_t key, http_span_t text, uint8_t *out)
{
    uint8_t inner[HTTP_AUTH_DIGEST_MAX], block[BLOCK_SIZE] = {0}, in[BLOCK_SIZE], at[BLOCK_SIZE];
    const http_span_t first[] = {{(const char *)in, sizeof(in)}, text};
    const http_span_t second[] = {{(const char *)at, sizeof(at)}, {(const char *)inner, HASH_SIZE}};
    int err = 0;

    if (key.len > sizeof(block))
        err = hash_of(w, &key, 1, block);
    else if (key.len > 0)
        memcpy(block, key.data, key.len);
    for (size_t i = 0; i < sizeof(block); i++) {
        in[i] = block[i] ^ 0x36;
        at[i] = block[i] ^ 0x5c;
    }
    if (!err)
        err = hash_of(w, first, 2, inner);
    return err ? err : hash_of(w, second, 2, out);
}

/* ---- the scheme ------------------------------------------------------------------------------ */

/* The next part up to the mark; false if it is empty or too long. */
static bool next_part(http_span_t *rest, char mark, part_t *part)
{
    const char *end = rest->len ? memchr(rest->data, mark, rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->data) : rest->len;

    if (len == 0 || len > AWS_SIGV4_PART_MAX)
        return false;
    memcpy(part->text, rest->data, len);
    part->text[len] = '\0';
    rest->data += len + (end != NULL);
    rest->len -= len + (end != NULL);
    return true;
}

/* The first label of what is left of the host name, which may not be all of it. */
static bool next_label(http_span_t *host, part_t *part)
{
    return host->len > 0 && memchr(host->data, '.', host->len) && next_part(host, '.', part);
}

static int parse_scheme(work_t *w)
{
    const char *scheme =
        w->request->scheme && w->request->scheme[0] ? w->request->scheme : "aws:amz";
    http_span_t rest = http_span(scheme), host = w->request->host;

    if (strpbrk(scheme, "\r\n") || !next_part(&rest, ':', &w->provider))
        return fail(w, HERR_SYNTAX, "the first provider is empty or too long, or a line ends");
    if (!next_part(&rest, ':', &w->vendor))
        w->vendor = w->provider;
    else if (next_part(&rest, ':', &w->region))
        next_part(&rest, ':', &w->service);
    if (w->service.text[0])
        return 0;
    if (!next_label(&host, &w->service))
        return fail(w, HERR_RANGE, "no service to sign for, neither in the option nor in the host");
    if (!w->region.text[0] && !next_label(&host, &w->region))
        return fail(w, HERR_RANGE, "no region to sign for, neither in the option nor in the host");
    return 0;
}

static bool is_s3(const work_t *w)
{
    part_t buf;

    return strcmp(cased(&w->provider, lower, &buf), "aws") == 0 &&
           strcmp(cased(&w->service, lower, &buf), "s3") == 0;
}

/* ---- date and payload ------------------------------------------------------------------------ */

static const http_field_t *find_field(const work_t *w, const char *name)
{
    for (size_t i = 0; i < w->request->field_count; i++) {
        if (http_span_ieq(w->request->fields[i].name, name))
            return &w->request->fields[i];
    }
    return NULL;
}

static const char *vendor_name(const work_t *w, const char *suffix, char *name)
{
    part_t buf;

    snprintf(name, NAME_SIZE, "x-%s-%s", cased(&w->vendor, lower, &buf), suffix);
    return name;
}

static int set_stamp(work_t *w)
{
    char name[NAME_SIZE];
    const http_field_t *field = find_field(w, vendor_name(w, "date", name));
    time_t now = (time_t)w->request->now_s;
    struct tm tm;

    if (!field)
        field = find_field(w, "Date");
    if (!field) {
        w->own_stamp = true;
        return gmtime_r(&now, &tm) && strftime(w->stamp, sizeof(w->stamp), "%Y%m%dT%H%M%SZ", &tm)
                   ? 0
                   : fail(w, HERR_RANGE, "the time cannot be written");
    }
    if (field->value.len == STAMP_SIZE - 1)
        memcpy(w->stamp, field->value.data, field->value.len);
    return 0; /* of another form: signed without, as the original does */
}

static int hash_payload(work_t *w)
{
    uint8_t hash[HTTP_AUTH_DIGEST_MAX];
    char name[NAME_SIZE];
    const http_field_t *field = find_field(w, vendor_name(w, "content-sha256", name));
    int err = 0;

    if (field) {
        w->payload_hash = field->value;
        return 0;
    }
    w->own_hash_field = is_s3(w);
    if (w->own_hash_field && w->request->payload_unknown) {
        snprintf(w->hash, sizeof(w->hash), "UNSIGNED-PAYLOAD");
    } else {
        http_span_t payload = w->request->payload;

        err = hash_of(w, &payload, payload.len > 0, hash);
        if (err)
            return fail(w, err, "SHA-256 is not available");
        to_hex(hash, w->hash);
    }
    w->payload_hash = http_span(w->hash);
    return 0;
}

/* ---- the canonical request: query ------------------------------------------------------------ */

typedef struct param_s {
    char *key, *value; /* in one buffer */
} param_t;

static int compare_params(const void *a, const void *b)
{
    const param_t *left = a, *right = b;
    int order = strcmp(left->key, right->key);

    return order ? order : strcmp(left->value, right->value);
}

/* One escape or byte, encoded as the signature wants it: "+" is a space, "%2b" stays. */
static int append_normal(hbytes_t *out, http_span_t *rest)
{
    char c = rest->data[0];
    char byte;
    size_t len = 1;

    if (c == '+') {
        c = ' ';
    } else if (c == '%' && rest->len > 2 && hurl_decode(&byte, 1, rest->data, 3, false) == 1) {
        c = byte;
        len = 3;
    }
    rest->data += len;
    rest->len -= len;
    return is_unreserved(c) ? hbytes_append_char(out, c) : append_encoded(out, c);
}

static int append_text(hbytes_t *out, http_span_t text)
{
    int err = 0;

    while (!err && text.len > 0)
        err = append_normal(out, &text);
    return err;
}

/* "key NUL value NUL" for each; how many, or an error. */
static int normalize_query(work_t *w, hbytes_t *out)
{
    hurl_part_t rest = {w->request->query.data, w->request->query.len}, name, value;
    int count = 0, err = 0;

    while (!err && hurl_query_next(&rest, &name, &value)) {
        if (++count > AWS_SIGV4_QUERY_MAX)
            return fail(w, -ENOBUFS, "the query has too many parameters to be signed");
        err = append_text(out, (http_span_t){name.data, name.len});
        if (!err)
            err = hbytes_append_char(out, '\0');
        if (!err)
            err = append_text(out, (http_span_t){value.data, value.len});
        if (!err)
            err = hbytes_append_char(out, '\0');
    }
    return err ? err : count;
}

static int append_query(work_t *w)
{
    hbytes_t text = {.size_max = AWS_SIGV4_SIZE_MAX};
    int count = normalize_query(w, &text), err = count < 0 ? count : 0;
    param_t *params = count > 0 ? hmem_array((size_t)count, sizeof(*params)) : NULL;
    char *p = text.data;

    if (count > 0 && !params)
        err = -ENOMEM;
    for (int i = 0; !err && i < count; i++) {
        params[i].key = p;
        params[i].value = p + strlen(p) + 1;
        p = params[i].value + strlen(params[i].value) + 1;
    }
    if (!err && count > 1)
        qsort(params, (size_t)count, sizeof(*params), compare_params);
    for (int i = 0; !err && i < count; i++)
        err = hbytes_printf(&w->canonical, "%s%s=%s", i ? "&" : "", params[i].key, params[i].value);
    hmem_free(params);
    hbytes_deinit(&text);
    return err;
}

/* ---- the canonical request: path ------------------------------------------------------------- */

/* The path is encoded once more, for all but S3. */
static int append_path(work_t *w)
{
    http_span_t path = w->request->path;
    const char *service = w->service.text;
    bool plain = strcmp(service, "s3") == 0 || strcmp(service, "s3-express") == 0 ||
                 strcmp(service, "s3-outposts") == 0;
    int err = 0;

    if (path.len == 0)
        return hbytes_append_char(&w->canonical, '/');
    if (plain)
        return hbytes_append(&w->canonical, path.data, path.len);
    for (size_t i = 0; !err && i < path.len; i++) {
        char c = path.data[i];

        err = is_unreserved(c) || c == '/' ? hbytes_append_char(&w->canonical, c)
                                           : append_encoded(&w->canonical, c);
    }
    return err;
}

/* ---- the canonical request: fields ----------------------------------------------------------- */

typedef struct signed_field_s {
    http_span_t name, value;
    size_t index; /* fields of one name stay in their order */
} signed_field_t;

static int compare_fields(const void *a, const void *b)
{
    const signed_field_t *left = a, *right = b;
    size_t len = left->name.len < right->name.len ? left->name.len : right->name.len;

    for (size_t i = 0; i < len; i++) {
        char l = lower(left->name.data[i]), r = lower(right->name.data[i]);

        if (l != r)
            return (unsigned char)l < (unsigned char)r ? -1 : 1;
    }
    if (left->name.len != right->name.len)
        return left->name.len < right->name.len ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

/* Runs of spaces become one. */
static int append_value(hbytes_t *out, http_span_t value)
{
    bool space = false;
    int err = 0;

    for (size_t i = 0; !err && i < value.len; i++) {
        char c = value.data[i];

        if (c == ' ' || c == '\t') {
            space = true;
            continue;
        }
        if (space)
            err = hbytes_append_char(out, ' ');
        if (!err)
            err = hbytes_append_char(out, c);
        space = false;
    }
    return err;
}

static int append_name(hbytes_t *out, http_span_t name)
{
    int err = 0;

    for (size_t i = 0; !err && i < name.len; i++)
        err = hbytes_append_char(out, lower(name.data[i]));
    return err;
}

static bool same_name(const signed_field_t *a, const signed_field_t *b)
{
    const signed_field_t left = {.name = a->name}, right = {.name = b->name};

    return compare_fields(&left, &right) == 0;
}

/* "name:value" a line, the names in order; values of one name with commas between. */
static int append_signed(work_t *w, const signed_field_t *fields, size_t count)
{
    int err = 0;

    for (size_t i = 0; !err && i < count; i++) {
        bool more = i > 0 && same_name(&fields[i - 1], &fields[i]);

        if (more) {
            err = hbytes_append_char(&w->canonical, ',');
        } else {
            err = i > 0 ? hbytes_append_char(&w->canonical, '\n') : 0;
            if (!err && i > 0)
                err = hbytes_append_char(&w->names, ';');
            if (!err)
                err = append_name(&w->names, fields[i].name);
            if (!err)
                err = append_name(&w->canonical, fields[i].name);
            if (!err)
                err = hbytes_append_char(&w->canonical, ':');
        }
        if (!err)
            err = append_value(&w->canonical, fields[i].value);
    }
    return err ? err : hbytes_append_char(&w->canonical, '\n');
}

static int append_fields(work_t *w)
{
    const aws_sigv4_t *r = w->request;
    char date[NAME_SIZE], hash[NAME_SIZE];
    signed_field_t *fields = hmem_array(r->field_count + 3, sizeof(*fields));
    size_t count = 0;
    int err;

    if (!fields)
        return -ENOMEM;
    if (r->host_field.data)
        fields[count++] = (signed_field_t){HTTP_SPAN("host"), r->host_field, 0};
    if (w->own_hash_field)
        fields[count++] =
            (signed_field_t){http_span(vendor_name(w, "content-sha256", hash)), w->payload_hash, 1};
    for (size_t i = 0; i < r->field_count; i++)
        fields[count++] = (signed_field_t){r->fields[i].name, r->fields[i].value, i + 2};
    if (w->own_stamp)
        fields[count++] = (signed_field_t){http_span(vendor_name(w, "date", date)),
                                           {w->stamp, STAMP_SIZE - 1},
                                           r->field_count + 2};
    qsort(fields, count, sizeof(*fields), compare_fields);
    err = append_signed(w, fields, count);
    hmem_free(fields);
    return err;
}

static int append_line(hbytes_t *out, http_span_t text)
{
    int err = hbytes_append(out, text.data, text.len);

    return err ? err : hbytes_append_char(out, '\n');
}

static int make_canonical(work_t *w)
{
    int err = append_line(&w->canonical, w->request->method);

    if (!err)
        err = append_path(w);
    if (!err)
        err = hbytes_append_char(&w->canonical, '\n');
    if (!err && w->request->query.data)
        err = append_query(w);
    if (!err)
        err = hbytes_append_char(&w->canonical, '\n');
    if (!err)
        err = append_fields(w);
    if (!err)
        err = hbytes_append_char(&w->canonical, '\n');
    if (!err)
        err = append_line(&w->canonical, (http_span_t){w->names.data, w->names.len});
    return err ? err : hbytes_append(&w->canonical, w->payload_hash.data, w->payload_hash.len);
}

/* ---- the signature --------------------------------------------------------------------------- */

static void scope_of(const work_t *w, char *scope, size_t size)
{
    part_t buf;

    snprintf(scope, size, "%.8s/%s/%s/%s4_request", w->stamp, w->region.text, w->service.text,
             cased(&w->provider, lower, &buf));
}

static int make_text(work_t *w, const char *scope)
{
    const http_span_t canonical = {w->canonical.data, w->canonical.len};
    uint8_t hash[HTTP_AUTH_DIGEST_MAX];
    char hex[HEX_SIZE];
    part_t buf;
    int err = hash_of(w, &canonical, 1, hash);

    if (err)
        return fail(w, err, "SHA-256 is not available");
    to_hex(hash, hex);
    return hbytes_printf(&w->text, "%s4-HMAC-SHA256\n%s\n%s\n%s", cased(&w->provider, upper, &buf),
                         w->stamp, scope, hex);
}

static int sign(work_t *w, char *hex)
{
    uint8_t key[HTTP_AUTH_DIGEST_MAX];
    const http_span_t so_far = {(const char *)key, HASH_SIZE};
    hbytes_t secret = {.size_max = AWS_SIGV4_SIZE_MAX};
    char request[NAME_SIZE];
    part_t buf;
    int err =
        hbytes_printf(&secret, "%s4%s", cased(&w->provider, upper, &buf), w->request->password);

    snprintf(request, sizeof(request), "%s4_request", cased(&w->provider, lower, &buf));
    if (!err)
        err = hmac(w, (http_span_t){secret.data, secret.len},
                   (http_span_t){w->stamp, strnlen(w->stamp, DAY_LEN)}, key);
    hbytes_deinit(&secret);
    if (!err)
        err = hmac(w, so_far, http_span(w->region.text), key);
    if (!err)
        err = hmac(w, so_far, http_span(w->service.text), key);
    if (!err)
        err = hmac(w, so_far, http_span(request), key);
    if (!err)
        err = hmac(w, so_far, (http_span_t){w->text.data, w->text.len}, key);
    to_hex(key, hex);
    memset(key, 0, sizeof(key));
    return err;
}

/* "X-Amz-Date": the vendor's first letter is a capital. */
static int append_date(const work_t *w, hbytes_t *out)
{
    char name[NAME_SIZE];

    vendor_name(w, "Date", name);
    name[0] = 'X';
    name[2] = upper(name[2]);
    return hbytes_printf(out, "%s: %s\r\n", name, w->stamp);
}

static int write_fields(work_t *w, hbytes_t *out)
{
    char scope[4 * AWS_SIGV4_PART_MAX + 32], hex[HEX_SIZE], name[NAME_SIZE];
    part_t buf;
    int err;

    scope_of(w, scope, sizeof(scope));
    err = make_text(w, scope);
    if (!err)
        err = sign(w, hex);
    if (!err)
        err = hbytes_printf(
            out, "Authorization: %s4-HMAC-SHA256 Credential=", cased(&w->provider, upper, &buf));
    if (!err)
        err = hurl_encode(out, w->request->user, strlen(w->request->user));
    if (!err)
        err = hbytes_printf(out, "/%s, SignedHeaders=%s, Signature=%s\r\n", scope, w->names.data,
                            hex);
    if (!err && w->own_stamp)
        err = append_date(w, out);
    if (!err && w->own_hash_field)
        err = hbytes_printf(out, "%s: %.*s\r\n", vendor_name(w, "content-sha256", name),
                            (int)w->payload_hash.len, w->payload_hash.data);
    return err;
}

int aws_sigv4_sign(const aws_sigv4_t *request, const http_auth_hasher_t *hasher, hbytes_t *out,
                   const char **why)
{
    work_t w = {.request = request, .hasher = hasher};
    size_t before = out->len;
    int err;

    w.canonical.size_max = w.names.size_max = w.text.size_max = AWS_SIGV4_SIZE_MAX;
    err = parse_scheme(&w);
    if (!err && request->field_count > AWS_SIGV4_FIELDS_MAX)
        err = fail(&w, -ENOBUFS, "too many fields to be signed");
    if (!err)
        err = set_stamp(&w);
    if (!err)
        err = hash_payload(&w);
    if (!err)
        err = make_canonical(&w);
    if (!err)
        err = write_fields(&w, out);
    if (err)
        out->len = before;
    *why = err ? w.why ? w.why : herr_str(err) : NULL;
    hbytes_deinit(&w.canonical);
    hbytes_deinit(&w.names);
    hbytes_deinit(&w.text);
    return err;
}
