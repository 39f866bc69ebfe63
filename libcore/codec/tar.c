#include "tar.h"

#include "../base/herr.h"
#include "../base/hstr.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 100
#define PREFIX_SIZE 155
#define OWNER_SIZE 32
#define ID_OCTAL_MAX 07777777
#define TIME_OCTAL_MAX 077777777777LL
#define SIZE_OCTAL_MAX 077777777777ULL
#define NS_MAX 999999999
#define PAX_NAME "././@PaxHeader" /* what a tar that does not know them calls the file */

/* The ustar header: text that is shorter than its field ends with a NUL, numbers are octal. */
typedef struct ustar_s {
    char name[NAME_SIZE];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char target[NAME_SIZE];
    char magic[6], version[2];
    char user[OWNER_SIZE], group[OWNER_SIZE];
    char device_major[8], device_minor[8];
    char prefix[PREFIX_SIZE];
    char rest[12];
} ustar_t;

_Static_assert(sizeof(ustar_t) == TAR_BLOCK, "a header is a block");

/* The records for what the header cannot say. What is put is bounded by the maxima of the names,
 * so it always has room. */
typedef struct records_s {
    char text[TAR_HEADER_MAX - 2 * TAR_BLOCK];
    size_t len;
} records_t;

/* ---- records --------------------------------------------------------------------------------- */

/* "27 path=...\n": the number counts itself. */
static void put_record(records_t *r, const char *key, const char *value, size_t value_len)
{
    size_t body = strlen(key) + value_len + 3, len = body + 1;
    char digits[24];
    int n;

    while ((n = snprintf(digits, sizeof(digits), "%zu", len)) + (int)body != (int)len)
        len = body + (size_t)n;
    r->len += (size_t)snprintf(r->text + r->len, sizeof(r->text) - r->len, "%s %s=", digits, key);
    memcpy(r->text + r->len, value, value_len);
    r->len += value_len;
    r->text[r->len++] = '\n';
}

static void put_number(records_t *r, const char *key, uint64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

    put_record(r, key, text, (size_t)n);
}

/* A part of a second counts forward: -1.75 is second -2 and 250,000,000 ns. */
static void put_time(records_t *r, int64_t s, uint32_t ns)
{
    char text[40];
    bool negative = s < 0;
    uint64_t whole = negative ? 0 - (uint64_t)s : (uint64_t)s;
    int n;

    if (negative && ns > 0) {
        whole--;
        ns = NS_MAX + 1 - ns;
    }
    n = snprintf(text, sizeof(text), "%s%llu", negative ? "-" : "", (unsigned long long)whole);
    if (ns > 0)
        n += snprintf(text + n, sizeof(text) - (size_t)n, ".%09u", ns);
    put_record(r, "mtime", text, (size_t)n);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return false;
    }
    return true;
}

static void put_octal(char *field, size_t size, uint64_t value)
{
    field[--size] = '\0';
    while (size > 0) {
        field[--size] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

static void put_text(char *field, size_t size, const char *text, size_t len)
{
    memcpy(field, text, len < size ? len : size);
}

/* A name of up to 255 bytes may be cut at a slash: where, or 0. */
static size_t split(const char *name, size_t len)
{
    for (size_t i = len - NAME_SIZE - 1; i <= PREFIX_SIZE && i + 1 < len; i++) {
        if (name[i] == '/' && i > 0)
            return i;
    }
    return 0;
}

static void put_name(ustar_t *u, records_t *r, const char *name, size_t len)
{
    size_t at = len > NAME_SIZE ? split(name, len) : 0;

    if (is_ascii(name, len) && (at > 0 || len <= NAME_SIZE)) {
        put_text(u->prefix, sizeof(u->prefix), name, at);
        at += at > 0;
        put_text(u->name, sizeof(u->name), name + at, len - at);
    } else {
        put_text(u->name, sizeof(u->name), name, len);
        put_record(r, "path", name, len);
    }
}

/* A field that holds a text, if that is short and ASCII. */
static void put_field(char *field, size_t size, records_t *r, const char *key, const char *text)
{
    size_t len = strlen(text);

    put_text(field, size, text, len);
    if (len > size || !is_ascii(text, len))
        put_record(r, key, text, len);
}

static void put_owner(char *field, records_t *r, const char *key, const char *name)
{
    if (name)
        put_field(field, OWNER_SIZE - 1, r, key, name); /* always with its NUL */
}

static void put_id(char *field, records_t *r, const char *key, uint64_t id)
{
    put_octal(field, 8, id <= ID_OCTAL_MAX ? id : 0);
    if (id > ID_OCTAL_MAX)
        put_number(r, key, id);
}

static void seal(ustar_t *u)
{
    const unsigned char *bytes = (const unsigned char *)u;
    unsigned sum = 0;

    put_octal(u->device_major, sizeof(u->device_major), 0);
    put_octal(u->device_minor, sizeof(u->device_minor), 0);
    memcpy(u->magic, "ustar", sizeof(u->magic));
    memcpy(u->version, "00", sizeof(u->version));
    memset(u->checksum, ' ', sizeof(u->checksum)); /* as which it counts itself */
    for (size_t i = 0; i < sizeof(*u); i++)
        sum += bytes[i];
    put_octal(u->checksum, sizeof(u->checksum) - 1, sum);
}

/* ---- an entry -------------------------------------------------------------------------------- */

static bool leaves_folder(const char *name)
{
    const char *part = name, *slash;

    if (name[0] == '/')
        return true;
    do {
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
            return true;
        slash = strchr(part, '/');
        part = slash ? slash + 1 : part;
    } while (slash);
    return false;
}

static int check(const tar_entry_t *e)
{
    bool link = e->type == TAR_SYMLINK || e->type == TAR_HARDLINK;

    if (!e->name || e->name[0] == '\0' || leaves_folder(e->name) || e->mtime_ns > NS_MAX ||
        (link && (!e->target || e->target[0] == '\0')) || (e->type != TAR_FILE && e->size > 0))
        return -EINVAL;
    if (strlen(e->name) > TAR_NAME_MAX || (link && strlen(e->target) > TAR_NAME_MAX) ||
        (e->user && strlen(e->user) > TAR_OWNER_MAX) ||
        (e->group && strlen(e->group) > TAR_OWNER_MAX) || e->size > TAR_SIZE_MAX)
        return HERR_RANGE;
    return 0;
}

static bool all_utf8(const tar_entry_t *e, bool link)
{
    return hstr_is_utf8(e->name, strlen(e->name)) &&
           (!link || hstr_is_utf8(e->target, strlen(e->target))) &&
           (!e->user || hstr_is_utf8(e->user, strlen(e->user))) &&
           (!e->group || hstr_is_utf8(e->group, strlen(e->group)));
}

static void put_entry(ustar_t *u, records_t *r, const tar_entry_t *e)
{
    static const char types[] = {
        [TAR_FILE] = '0', [TAR_FOLDER] = '5', [TAR_SYMLINK] = '2', [TAR_HARDLINK] = '1'};
    bool link = e->type == TAR_SYMLINK || e->type == TAR_HARDLINK;
    bool odd_time = e->mtime_s < 0 || e->mtime_s > TIME_OCTAL_MAX || e->mtime_ns > 0;
    char name[TAR_NAME_MAX + 2];
    size_t len = hstr_copy(name, sizeof(name), e->name);

    if (e->type == TAR_FOLDER && name[len - 1] != '/') {
        name[len++] = '/';
        name[len] = '\0';
    }
    if (!all_utf8(e, link))
        put_record(r, "hdrcharset", "BINARY", 6);
    put_name(u, r, name, len);
    if (link)
        put_field(u->target, sizeof(u->target), r, "linkpath", e->target);
    put_octal(u->mode, sizeof(u->mode), e->mode & 07777);
    put_id(u->uid, r, "uid", e->uid);
    put_id(u->gid, r, "gid", e->gid);
    put_owner(u->user, r, "uname", e->user);
    put_owner(u->group, r, "gname", e->group);
    put_octal(u->size, sizeof(u->size), e->size <= SIZE_OCTAL_MAX ? e->size : 0);
    if (e->size > SIZE_OCTAL_MAX)
        put_number(r, "size", e->size);
    put_octal(u->mtime, sizeof(u->mtime),
              e->mtime_s >= 0 && e->mtime_s <= TIME_OCTAL_MAX ? (uint64_t)e->mtime_s : 0);
    if (odd_time)
        put_time(r, e->mtime_s, e->mtime_ns);
    u->type = types[e->type];
    seal(u);
}

static void put_pax(ustar_t *u, size_t len)
{
    put_text(u->name, sizeof(u->name), PAX_NAME, sizeof(PAX_NAME) - 1);
    put_octal(u->mode, sizeof(u->mode), 0644);
    put_octal(u->uid, sizeof(u->uid), 0);
    put_octal(u->gid, sizeof(u->gid), 0);
    put_octal(u->size, sizeof(u->size), len);
    put_octal(u->mtime, sizeof(u->mtime), 0);
    u->type = 'x';
    seal(u);
}

size_t tar_padding(uint64_t size)
{
    return (size_t)(-size % TAR_BLOCK);
}

/* The entry's header and its records, which come first. */
static ssize_t make(const tar_entry_t *entry, ustar_t *u, records_t *r)
{
    int err = check(entry);

    if (err < 0)
        return err;
    memset(u, 0, sizeof(*u));
    r->len = 0;
    put_entry(u, r, entry);
    return (ssize_t)(r->len > 0 ? r->len + tar_padding(r->len) + 2 * TAR_BLOCK : TAR_BLOCK);
}

ssize_t tar_header(const tar_entry_t *entry, char *buf, size_t size)
{
    ustar_t own, pax = {0};
    records_t records;
    ssize_t len = make(entry, &own, &records);

    if (len < 0)
        return len;
    if ((size_t)len > size)
        return -ENOBUFS;
    if (records.len > 0) {
        put_pax(&pax, records.len);
        memcpy(buf, &pax, sizeof(pax));
        buf += sizeof(pax);
        memcpy(buf, records.text, records.len);
        memset(buf + records.len, 0, tar_padding(records.len));
        buf += records.len + tar_padding(records.len);
    }
    memcpy(buf, &own, sizeof(own));
    return len;
}

int64_t tar_entry_size(const tar_entry_t *entry)
{
    ustar_t own;
    records_t records;
    ssize_t len = make(entry, &own, &records);

    return len < 0 ? len : len + (int64_t)(entry->size + tar_padding(entry->size));
}
