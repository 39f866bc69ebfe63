/* http_mime: what was added or came from the file is in a hash table of open addressing; its texts
 * stand one after the other in one buffer, and entries know them by their place. The table that is
 * built in is searched where that one has nothing: it costs no memory, so there is always one. */
#include "http_mime.h"

#include "../base/herr.h"
#include "../base/hfile.h"
#include "../base/hmem.h"
#include "http_mime_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHARSET "; charset=utf-8"
#define TEXTS_MAX (4 * HTTP_MIME_FILE_MAX)
#define SLOTS_MIN 256

typedef struct entry_s {
    uint32_t extension; /* places in texts; a type of 0 marks a free slot */
    uint32_t type;
    bool added; /* by the program: no file changes it */
} entry_t;

struct http_mime_s {
    char *path;     /* NULL: there is none, or it was read */
    hbytes_t texts; /* strings with their NULs */
    entry_t *slots;
    size_t slot_count; /* 0, or a power of 2 */
    size_t used;
};

/* ---- types ----------------------------------------------------------------------------------- */

static bool contains(http_span_t text, const char *what)
{
    return text.len > 0 && memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static bool starts(http_span_t text, const char *what)
{
    size_t len = strlen(what);

    return text.len >= len && strncasecmp(text.data, what, len) == 0;
}

static bool ends(http_span_t text, const char *what)
{
    size_t len = strlen(what);

    return text.len >= len && strncasecmp(text.data + text.len - len, what, len) == 0;
}

static bool needs_charset(http_span_t type)
{
    if (contains(type, ";"))
        return false;
    return (starts(type, "text/") && !starts(type, "text/xml")) || contains(type, "json") ||
           contains(type, "javascript");
}

/* type "/" subtype, and printable parameters. */
static bool is_type(http_span_t type)
{
    const char *semicolon = type.len ? memchr(type.data, ';', type.len) : NULL;
    size_t len = semicolon ? (size_t)(semicolon - type.data) : type.len;
    const char *slash = len ? memchr(type.data, '/', len) : NULL;
    size_t slash_at = slash ? (size_t)(slash - type.data) : 0;

    for (size_t i = len; i < type.len; i++) {
        if (type.data[i] < ' ' || type.data[i] > '~')
            return false;
    }
    return slash && http_is_token((http_span_t){type.data, slash_at}) &&
           http_is_token((http_span_t){slash + 1, len - slash_at - 1});
}

bool http_mime_is_compressible(http_span_t type)
{
    static const char *const others[] = {"application/xml",
                                         "application/wasm",
                                         "application/yaml",
                                         "application/toml",
                                         "application/sql",
                                         "application/rtf",
                                         "application/x-sh",
                                         "application/postscript",
                                         "application/vnd.apple.mpegurl",
                                         "application/x-subrip",
                                         "application/x-tar",
                                         "application/vnd.ms-fontobject",
                                         "application/x-pem-file",
                                         "font/ttf",
                                         "font/otf",
                                         "font/collection",
                                         "image/bmp",
                                         "image/vnd.microsoft.icon",
                                         "image/x-icon",
                                         "message/rfc822"};
    const char *semicolon = type.len ? memchr(type.data, ';', type.len) : NULL;

    if (semicolon)
        type = http_trim((http_span_t){type.data, (size_t)(semicolon - type.data)});
    if (starts(type, "text/") || ends(type, "+xml") || contains(type, "json") ||
        contains(type, "javascript"))
        return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (http_span_ieq(type, others[i]))
            return true;
    }
    return false;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* In lower case and with a NUL into buf, which has a byte more than the maximum. False for what
 * the end of a file's name cannot be. */
static bool fold(http_span_t extension, char *buf)
{
    if (extension.len == 0 || extension.len > HTTP_MIME_EXTENSION_MAX)
        return false;
    for (size_t i = 0; i < extension.len; i++) {
        char c = extension.data[i];

        if ((c >= 0 && c <= ' ') || c == 0x7f || c == '/' || c == '.')
            return false;
        buf[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    buf[extension.len] = '\0';
    return true;
}

/* FNV-1a. */
static uint32_t hash(const char *extension)
{
    uint32_t h = 2166136261U;

    for (; *extension; extension++)
        h = (h ^ (uint8_t)*extension) * 16777619U;
    return h;
}

/* The slot that has the extension, or the free one where it belongs. */
static entry_t *slot_of(const http_mime_t *mime, const char *extension)
{
    size_t i = hash(extension) & (mime->slot_count - 1);

    while (mime->slots[i].type != 0 &&
           strcmp(mime->texts.data + mime->slots[i].extension, extension) != 0)
        i = (i + 1) & (mime->slot_count - 1);
    return &mime->slots[i];
}

/* Never more than half full. */
static int make_room(http_mime_t *mime)
{
    http_mime_t larger = *mime;

    if (mime->used >= HTTP_MIME_ENTRIES_MAX)
        return HERR_RANGE;
    if (mime->used * 2 < mime->slot_count)
        return 0;
    larger.slot_count = mime->slot_count ? mime->slot_count * 2 : SLOTS_MIN;
    larger.slots = hmem_array(larger.slot_count, sizeof(*larger.slots));
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < mime->slot_count; i++) {
        if (mime->slots[i].type != 0)
            *slot_of(&larger, mime->texts.data + mime->slots[i].extension) = mime->slots[i];
    }
    hmem_free(mime->slots);
    *mime = larger;
    return 0;
}

/* Two texts as one string; its place in *place. */
static int keep(http_mime_t *mime, http_span_t text, const char *behind, uint32_t *place)
{
    size_t behind_len = strlen(behind) + 1;
    int err = hbytes_reserve(&mime->texts, text.len + behind_len);

    if (err < 0)
        return err == -ENOBUFS ? HERR_RANGE : err;
    *place = (uint32_t)mime->texts.len;
    hbytes_append(&mime->texts, text.data, text.len);
    return hbytes_append(&mime->texts, behind, behind_len);
}

/* type is the place of a text. */
static int put(http_mime_t *mime, const char *extension, uint32_t type, bool added)
{
    int err = make_room(mime);
    entry_t *slot;
    uint32_t place;

    if (err < 0)
        return err;
    slot = slot_of(mime, extension);
    if (slot->type != 0) {
        if (added || !slot->added)
            *slot = (entry_t){slot->extension, type, added};
        return 0;
    }
    err = keep(mime, http_span(extension), "", &place);
    if (err < 0)
        return err;
    *slot = (entry_t){place, type, added};
    mime->used++;
    return 0;
}

static int keep_type(http_mime_t *mime, http_span_t type, uint32_t *place)
{
    uint32_t first;

    /* Place 0 is that of no type. */
    if (mime->texts.len == 0) {
        int err = keep(mime, HTTP_SPAN(""), "", &first);

        if (err < 0)
            return err;
    }
    return keep(mime, type, needs_charset(type) ? CHARSET : "", place);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Cuts the next word off a line. */
static bool next_word(http_span_t *rest, http_span_t *word)
{
    size_t n = 0;

    *rest = http_trim(*rest);
    while (n < rest->len && rest->data[n] != ' ' && rest->data[n] != '\t')
        n++;
    *word = (http_span_t){rest->data, n};
    *rest = (http_span_t){rest->data + n, rest->len - n};
    return n > 0 && word->data[0] != '#';
}

static int read_line(http_mime_t *mime, http_span_t line)
{
    char extension[HTTP_MIME_EXTENSION_MAX + 1];
    http_span_t type, word;
    uint32_t place = 0;
    int err = 0;

    if (!next_word(&line, &type) || type.len > HTTP_MIME_TYPE_MAX || !is_type(type))
        return 0;
    while (err == 0 && next_word(&line, &word)) {
        if (!fold(word, extension))
            continue;
        if (place == 0)
            err = keep_type(mime, type, &place);
        if (err == 0)
            err = put(mime, extension, place, false);
    }
    return err;
}

static int read_lines(http_mime_t *mime, http_span_t text)
{
    int err = 0;

    while (err == 0 && text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        size_t shown = len > 0 && text.data[len - 1] == '\r' ? len - 1 : len;

        err = read_line(mime, (http_span_t){text.data, shown});
        len += end != NULL;
        text = (http_span_t){text.data + len, text.len - len};
    }
    return err;
}

int http_mime_load(http_mime_t *mime)
{
    hbytes_t text;
    int err;

    if (!mime->path)
        return 0;
    hbytes_init(&text, 0);
    err = hfile_read(mime->path, HTTP_MIME_FILE_MAX, &text);
    if (err == 0)
        err = read_lines(mime, (http_span_t){text.data, text.len});
    hbytes_deinit(&text);
    if (err != -ENOMEM) { /* there may be some next time */
        hmem_free(mime->path);
        mime->path = NULL;
    }
    return err;
}

/* ---- the rest of what is public -------------------------------------------------------------- */

http_mime_t *http_mime_new(const char *path)
{
    http_mime_t *mime = hmem_zalloc(sizeof(*mime));

    if (!mime)
        return NULL;
    hbytes_init(&mime->texts, TEXTS_MAX);
    mime->path = path ? hmem_strdup(path) : NULL;
    if (!path || mime->path)
        return mime;
    hmem_free(mime);
    return NULL;
}

void http_mime_free(http_mime_t *mime)
{
    if (!mime)
        return;
    hbytes_deinit(&mime->texts);
    hmem_free(mime->slots);
    hmem_free(mime->path);
    hmem_free(mime);
}

int http_mime_add(http_mime_t *mime, const char *extension, const char *type)
{
    char folded[HTTP_MIME_EXTENSION_MAX + 1];
    uint32_t place;
    int err;

    if (strlen(extension) > HTTP_MIME_EXTENSION_MAX || strlen(type) > HTTP_MIME_TYPE_MAX)
        return HERR_RANGE;
    if (!fold(http_span(extension), folded) || !is_type(http_span(type)))
        return HERR_SYNTAX;
    err = keep_type(mime, http_span(type), &place);
    return err < 0 ? err : put(mime, folded, place, true);
}

static http_span_t extension_of(http_span_t name)
{
    size_t n = name.len;

    while (n > 0 && name.data[n - 1] != '.' && name.data[n - 1] != '/')
        n--;
    /* Behind a dot that has a name in front of it. */
    if (n < 2 || name.data[n - 1] != '.' || name.data[n - 2] == '/')
        return HTTP_SPAN("");
    return (http_span_t){name.data + n, name.len - n};
}

static int compare(const void *extension, const void *row)
{
    return strcmp(extension, ((const http_mime_row_t *)row)->extension);
}

const char *http_mime_find(http_mime_t *mime, http_span_t name)
{
    char extension[HTTP_MIME_EXTENSION_MAX + 1];
    const http_mime_row_t *row;

    if (!fold(extension_of(name), extension))
        return HTTP_MIME_UNKNOWN;
    if (mime->path)
        http_mime_load(mime);
    if (mime->slot_count > 0) {
        const entry_t *slot = slot_of(mime, extension);

        if (slot->type != 0)
            return mime->texts.data + slot->type;
    }
    row = bsearch(extension, http_mime__types, http_mime__type_count, sizeof(*row), compare);
    return row ? row->type : HTTP_MIME_UNKNOWN;
}
