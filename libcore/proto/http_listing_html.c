/* The page. It works without scripts and style: a folder has a slash behind its name for those who
 * do not see the icon, columns are sorted by links, the form that deletes something is behind a
 * fold. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "../base/hstr.h"
#include "http_listing_int.h"
#include "http_page_int.h"

#define EXTENSION_MAX 8
#define CRUMBS_MAX 32

typedef http_page_writer_t writer_t;

/* ---- icons ----------------------------------------------------------------------------------- */

/* Each drawn on 24 by 24; a row uses one by its name. */
/* clang-format off */
static const char icons[] =
    "<svg class=\"defs\" aria-hidden=\"true\">"
    "<symbol id=\"dir\" viewBox=\"0 0 24 24\"><path fill=\"currentColor\" "
    "fill-opacity=\".22\" d=\"M3 7.5A2 2 0 0 1 5 5.5h4.2l2.3 2.7H19a2 2 0 0 1 2 2v7.3a2 2 0 "
    "0 1-2 2H5a2 2 0 0 1-2-2z\"/></symbol>"
    "<symbol id=\"file\" viewBox=\"0 0 24 24\"><path d=\"M13.5 3.5h-6a2 2 0 0 0-2 2v13a2 2 0 "
    "0 0 2 2h9a2 2 0 0 0 2-2v-10zM13.5 3.5v5h5\"/></symbol>"
    "<symbol id=\"image\" viewBox=\"0 0 24 24\"><rect x=\"3.5\" y=\"4.5\" width=\"17\" "
    "height=\"15\" rx=\"2\"/><circle cx=\"8.8\" cy=\"9.7\" r=\"1.5\"/><path d=\"M4 "
    "17.5l5.2-4.6 3.4 3 2.9-2.6 4.6 4.2\"/></symbol>"
    "<symbol id=\"audio\" viewBox=\"0 0 24 24\"><circle cx=\"7\" cy=\"17.5\" "
    "r=\"2.7\"/><circle cx=\"16.7\" cy=\"15.8\" r=\"2.7\"/><path d=\"M9.7 "
    "17.5V6.2l9.7-2v11.6M9.7 9.9l9.7-2\"/></symbol>"
    "<symbol id=\"video\" viewBox=\"0 0 24 24\"><rect x=\"3.5\" y=\"5\" width=\"17\" "
    "height=\"14\" rx=\"2\"/><path d=\"M10.2 9.2v5.6l4.8-2.8z\"/></symbol>"
    "<symbol id=\"pack\" viewBox=\"0 0 24 24\"><rect x=\"3.5\" y=\"4.5\" width=\"17\" "
    "height=\"4.5\" rx=\"1.2\"/><path d=\"M5 9v8.5a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9M10 "
    "12.8h4\"/></symbol>"
    "<symbol id=\"code\" viewBox=\"0 0 24 24\"><path d=\"M8 7.5L3.5 12 8 16.5M16 7.5l4.5 "
    "4.5-4.5 4.5M13.6 5l-3.2 14\"/></symbol>"
    "<symbol id=\"text\" viewBox=\"0 0 24 24\"><path d=\"M13.5 3.5h-6a2 2 0 0 0-2 2v13a2 2 0 "
    "0 0 2 2h9a2 2 0 0 0 2-2v-10zM13.5 3.5v5h5M9 13h6M9 16.5h6\"/></symbol>"
    "<symbol id=\"up\" viewBox=\"0 0 24 24\"><path d=\"M12 19V5.5M6 11l6-6 6 6\"/></symbol>"
    "<symbol id=\"down\" viewBox=\"0 0 24 24\"><path d=\"M12 4v11.5M6.5 10.5l5.5 5.5 "
    "5.5-5.5M4.5 20h15\"/></symbol>"
    "<symbol id=\"plus\" viewBox=\"0 0 24 24\"><path d=\"M12 5v14M5 12h14\"/></symbol>"
    "<symbol id=\"bin\" viewBox=\"0 0 24 24\"><path d=\"M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.9 "
    "12.5h9.2L17.5 7M10.3 10.8v5M13.7 10.8v5\"/></symbol>"
    "</svg>\n";

typedef struct kind_s {
    const char *extension, *icon, *tint; /* tint: a class of the style sheet */
} kind_t;

/* Sorted by extension. */
static const kind_t kinds[] = {
    {"7z", "pack", "pack"}, {"aac", "audio", "media"}, {"apk", "pack", "pack"},
    {"avi", "video", "media"}, {"avif", "image", "media"}, {"bmp", "image", "media"},
    {"br", "pack", "pack"}, {"bz2", "pack", "pack"}, {"c", "code", "code"}, {"cc", "code", "code"},
    {"conf", "text", ""}, {"cpp", "code", "code"}, {"css", "code", "code"}, {"csv", "text", ""},
    {"deb", "pack", "pack"}, {"doc", "text", ""}, {"docx", "text", ""}, {"epub", "text", ""},
    {"flac", "audio", "media"}, {"gif", "image", "media"}, {"go", "code", "code"},
    {"gz", "pack", "pack"}, {"h", "code", "code"}, {"heic", "image", "media"},
    {"hpp", "code", "code"}, {"htm", "code", "code"}, {"html", "code", "code"},
    {"ico", "image", "media"}, {"ini", "text", ""}, {"iso", "pack", "pack"},
    {"jar", "pack", "pack"}, {"java", "code", "code"}, {"jpeg", "image", "media"},
    {"jpg", "image", "media"}, {"js", "code", "code"}, {"json", "code", "code"},
    {"log", "text", ""}, {"m4a", "audio", "media"}, {"m4v", "video", "media"},
    {"md", "text", ""}, {"mjs", "code", "code"}, {"mkv", "video", "media"},
    {"mov", "video", "media"}, {"mp3", "audio", "media"}, {"mp4", "video", "media"},
    {"odt", "text", ""}, {"ogg", "audio", "media"}, {"opus", "audio", "media"},
    {"pdf", "text", "pack"}, {"php", "code", "code"}, {"png", "image", "media"},
    {"py", "code", "code"}, {"rar", "pack", "pack"}, {"rb", "code", "code"},
    {"rpm", "pack", "pack"}, {"rs", "code", "code"}, {"rst", "text", ""}, {"sh", "code", "code"},
    {"sql", "code", "code"}, {"svg", "image", "media"}, {"tar", "pack", "pack"},
    {"tgz", "pack", "pack"}, {"tif", "image", "media"}, {"tiff", "image", "media"},
    {"toml", "text", ""}, {"ts", "code", "code"}, {"tsx", "code", "code"}, {"txt", "text", ""},
    {"wasm", "code", "code"}, {"wav", "audio", "media"}, {"webm", "video", "media"},
    {"webp", "image", "media"}, {"xml", "code", "code"}, {"xz", "pack", "pack"},
    {"yaml", "text", ""}, {"yml", "text", ""}, {"zip", "pack", "pack"}, {"zst", "pack", "pack"},
};
/* clang-format on */

static int compare_kind(const void *extension, const void *kind)
{
    return strcasecmp(extension, ((const kind_t *)kind)->extension);
}

static const kind_t *kind_of(const http_listing_entry_t *entry)
{
    static const kind_t folder = {"", "dir", "dir"}, file = {"", "file", ""};
    const char *dot = strrchr(entry->name, '.');
    const kind_t *found = NULL;

    if (entry->is_dir)
        return &folder;
    if (dot && strlen(dot + 1) <= EXTENSION_MAX)
        found = bsearch(dot + 1, kinds, sizeof(kinds) / sizeof(kinds[0]), sizeof(kinds[0]),
                        compare_kind);
    return found ? found : &file;
}

static void put_icon(writer_t *w, const char *icon, const char *tint)
{
    http_page__put(w, "<svg aria-hidden=\"true\"");
    if (*tint) {
        http_page__put(w, " class=\"");
        http_page__put(w, tint);
        http_page__put(w, "\"");
    }
    http_page__put(w, "><use href=\"#");
    http_page__put(w, icon);
    http_page__put(w, "\"/></svg>");
}

/* ---- numbers --------------------------------------------------------------------------------- */

#define COUNT_SIZE 32

/* 1234567 as "1,234,567". */
static const char *format_count(uint64_t value, char text[COUNT_SIZE])
{
    size_t at = COUNT_SIZE - 1;
    int digits = 0;

    text[at] = '\0';
    do {
        if (digits && digits % 3 == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + value % 10);
        value /= 10;
        digits++;
    } while (value);
    return text + at;
}

static void put_count(writer_t *w, uint64_t value, const char *one, const char *many)
{
    char text[COUNT_SIZE];

    http_page__put(w, format_count(value, text));
    http_page__put(w, value == 1 ? one : many);
}

static void put_size(writer_t *w, const http_listing_entry_t *entry)
{
    char text[HSTR_SIZE_MAX];

    if (entry->is_dir) {
        http_page__put(w, "<td class=\"size\"></td>");
        return;
    }
    http_page__put(w, "<td class=\"size\" title=\"");
    put_count(w, entry->size, " byte", " bytes");
    http_page__put(w, "\">");
    http_page__put(w, hstr_format_size(entry->size, text, sizeof(text)));
    http_page__put(w, "</td>");
}

static void put_time(writer_t *w, const http_listing_entry_t *entry)
{
    char utc[HTTP_LISTING_TIME_SIZE], local[2 * HTTP_LISTING_TIME_SIZE];
    time_t t = (time_t)entry->mtime_s;
    struct tm tm;

    http_listing__utc(entry->mtime_s, utc);
    if (!localtime_r(&t, &tm) ||
        strftime(local, sizeof(local), "%Y-%m-%d<span> %H:%M</span>", &tm) == 0)
        local[0] = '\0';
    http_page__put(w, "<td class=\"time\"><time datetime=\"");
    http_page__put(w, utc);
    http_page__put(w, "\">");
    http_page__put(w, local);
    http_page__put(w, "</time></td>");
}

/* ---- the head -------------------------------------------------------------------------------- */

/* The next part of a path, between slashes; false at the end. */
static bool next_part(const char **path, http_span_t *part)
{
    *path += strspn(*path, "/");
    part->data = *path;
    part->len = strcspn(*path, "/");
    *path += part->len;
    return part->len > 0;
}

static size_t count_parts(const char *path)
{
    http_span_t part;
    size_t n = 0;

    while (next_part(&path, &part))
        n++;
    return n;
}

/* The last one is where we are; the others are links, so many levels up. */
static void put_crumb(writer_t *w, http_span_t name, size_t levels_up)
{
    if (levels_up == 0) {
        http_page__put(w, "<li aria-current=\"page\"><bdi>");
        http_page__put_bytes(w, name.data, name.len);
        http_page__put(w, "</bdi></li>");
        return;
    }
    http_page__put(w, "<li><a href=\"");
    for (size_t i = 0; i < levels_up; i++)
        http_page__put(w, "../");
    http_page__put(w, "\"><bdi>");
    http_page__put_bytes(w, name.data, name.len);
    http_page__put(w, "</bdi></a></li>");
}

/* Of a path that is very deep the last folders are shown. */
static void put_crumbs(writer_t *w, const http_listing_page_t *page)
{
    size_t levels = count_parts(page->path);
    const char *path = page->path;
    http_span_t part;

    http_page__put(w, "<h1><nav aria-label=\"Path\"><ol>");
    put_crumb(w, http_span(page->root ? page->root : "Home"), levels);
    if (levels > CRUMBS_MAX)
        http_page__put(w, "<li>\xe2\x80\xa6</li>");
    while (next_part(&path, &part)) {
        if (levels-- <= CRUMBS_MAX)
            put_crumb(w, part, levels);
    }
    http_page__put(w, "</ol></nav></h1>\n");
}

static void put_tools(writer_t *w, const http_listing_page_t *page)
{
    http_page__put(w, "<div class=\"tools\">");
    if (page->flags & HTTP_LISTING_MKDIR) {
        http_page__put(w, "<details><summary class=\"button\">");
        put_icon(w, "plus", "");
        http_page__put(w, "New folder</summary>"
                          "<form class=\"pop\" method=\"post\" action=\"./?mkdir\">"
                          "<input name=\"name\" required maxlength=\"255\" placeholder=\"Name\" "
                          "aria-label=\"Name of the folder\" autocomplete=\"off\">"
                          "<button class=\"go\">Create</button></form></details>");
    }
    if (page->flags & HTTP_LISTING_ARCHIVE && page->listing->count > 0) {
        http_page__put(w, "<a class=\"button\" href=\"./?archive=tar\" download>");
        put_icon(w, "down", "");
        http_page__put(w, "Download all</a>");
    }
    http_page__put(w, "</div>\n");
}

static void put_column(writer_t *w, const http_listing_page_t *page, http_listing_key_e key)
{
    static const struct {
        const char *label, *name;
    } columns[] = {{"Name", "name"}, {"Size", "size"}, {"Modified", "time"}};
    bool current = page->order.key == key;
    bool descending = current ? !page->order.descending : key != HTTP_LISTING_NAME;

    http_page__put(w, "<th scope=\"col\" class=\"");
    http_page__put(w, columns[key].name);
    if (current)
        http_page__put(w, page->order.descending ? "\" aria-sort=\"descending"
                                                 : "\" aria-sort=\"ascending");
    http_page__put(w, "\"><a href=\"./?sort=");
    http_page__put(w, columns[key].name);
    http_page__put(w, descending ? "&amp;order=desc\">" : "&amp;order=asc\">");
    http_page__put(w, columns[key].label);
    put_icon(w, "up", "");
    http_page__put(w, "</a></th>");
}

static void put_title(writer_t *w, const http_listing_page_t *page)
{
    hbytes_t title = {0};

    if (page->title) {
        w->err = w->err ? w->err : http_page_begin(w->out, page->title);
        return;
    }
    if (!w->err)
        w->err = hbytes_printf(&title, "Index of %s", page->path);
    if (!w->err)
        w->err = http_page_begin(w->out, title.data);
    hbytes_deinit(&title);
}

static void put_empty(writer_t *w)
{
    http_page__put(w, "<div class=\"card empty\">");
    put_icon(w, "dir", "");
    http_page__put(w, "<p>This folder is empty.</p></div>\n");
}

static void put_parent(writer_t *w, bool with_act)
{
    http_page__put(w, "<tr class=\"parent\"><td class=\"name\"><a href=\"../\">");
    put_icon(w, "up", "");
    http_page__put(w, "Parent folder</a></td><td></td><td></td>");
    http_page__put(w, with_act ? "<td></td></tr>\n" : "</tr>\n");
}

static void put_head(writer_t *w, const http_listing_page_t *page)
{
    bool can_delete = page->flags & HTTP_LISTING_DELETE;

    put_title(w, page);
    http_page__put(w, icons);
    http_page__put(w, "<main>\n<div class=\"bar\">");
    put_crumbs(w, page);
    put_tools(w, page);
    http_page__put(w, "</div>\n");
    if (page->listing->count == 0) {
        put_empty(w);
        return;
    }
    http_page__put(w, "<div class=\"card\"><table>\n<thead><tr>");
    for (int key = HTTP_LISTING_NAME; key <= HTTP_LISTING_TIME; key++)
        put_column(w, page, (http_listing_key_e)key);
    http_page__put(w,
                   can_delete ? "<td></td></tr></thead>\n<tbody>\n" : "</tr></thead>\n<tbody>\n");
    if (count_parts(page->path) > 0)
        put_parent(w, can_delete);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void put_reference(writer_t *w, const http_listing_entry_t *entry)
{
    if (!w->err)
        w->err = http_listing__put_reference(w->out, entry);
}

static void put_delete(writer_t *w, const http_listing_entry_t *entry)
{
    http_page__put(
        w,
        "<td class=\"act\"><details name=\"act\"><summary title=\"Delete\" aria-label=\"Delete ");
    http_page__put_text(w, entry->name);
    http_page__put(w, "\">");
    put_icon(w, "bin", "");
    http_page__put(w, "</summary><form class=\"pop\" method=\"post\" action=\"");
    put_reference(w, entry);
    http_page__put(w, "?delete\"><button>Delete");
    http_page__put(w, entry->is_dir ? " folder</button>" : " file</button>");
    http_page__put(w, "</form></details></td>");
}

static void put_row(writer_t *w, const http_listing_page_t *page, const http_listing_entry_t *entry)
{
    const kind_t *kind = kind_of(entry);

    http_page__put(w, "<tr><td class=\"name\"><a href=\"");
    put_reference(w, entry);
    http_page__put(w, "\">");
    put_icon(w, kind->icon, kind->tint);
    http_page__put(w, "<span><bdi>");
    http_page__put_text(w, entry->name);
    http_page__put(w, entry->is_dir ? "</bdi><i>/</i>" : "</bdi>");
    if (entry->is_link)
        http_page__put(w, "<span class=\"tag\">link</span>");
    http_page__put(w, "</span></a></td>");
    put_size(w, entry);
    put_time(w, entry);
    if (page->flags & HTTP_LISTING_DELETE)
        put_delete(w, entry);
    http_page__put(w, "</tr>\n");
}

/* ---- the foot -------------------------------------------------------------------------------- */

static void put_summary(writer_t *w, const http_listing_t *listing)
{
    uint64_t folders = 0, bytes = 0;
    char text[HSTR_SIZE_MAX];

    for (size_t i = 0; i < listing->count; i++) {
        folders += listing->entries[i].is_dir;
        bytes += listing->entries[i].size;
    }
    http_page__put(w, "<p class=\"note\">");
    if (listing->truncated)
        http_page__put(w, "There is more in this folder than is shown here: ");
    put_count(w, folders, " folder, ", " folders, ");
    put_count(w, listing->count - folders, " file, ", " files, ");
    http_page__put(w, hstr_format_size(bytes, text, sizeof(text)));
    http_page__put(w, "</p>\n");
}

static void put_upload(writer_t *w)
{
    http_page__put(w, "<form class=\"upload\" id=\"upload\" method=\"post\" action=\"./?upload\" "
                      "enctype=\"multipart/form-data\">"
                      "<label><b>Upload files</b> "
                      "<input type=\"file\" name=\"file\" multiple required>"
                      "<span class=\"hint\" hidden>or drop them on this page</span></label>"
                      "<button class=\"go\">Upload</button>"
                      "<progress max=\"1\" value=\"0\" hidden></progress>"
                      "<output aria-live=\"polite\"></output></form>\n");
}

static void put_foot(writer_t *w, const http_listing_page_t *page)
{
    if (page->listing->count > 0) {
        http_page__put(w, "</tbody>\n</table></div>\n");
        put_summary(w, page->listing);
    }
    if (page->flags & HTTP_LISTING_UPLOAD)
        put_upload(w);
    http_page__put(w, "</main>\n");
    if (!w->err && page->flags & HTTP_LISTING_UPLOAD)
        w->err = http_page_upload_script(w->out);
    if (!w->err && page->events_url)
        w->err = http_page_reload_script(w->out, page->events_url);
    w->err = w->err ? w->err : http_page_end(w->out, page->server);
}

unsigned http_listing_scripts(const http_listing_page_t *page)
{
    return (page->flags & HTTP_LISTING_UPLOAD ? HTTP_PAGE_UPLOAD_SCRIPT : 0U) |
           (page->events_url ? HTTP_PAGE_RELOAD_SCRIPT : 0U);
}

int http_listing_html(const http_listing_page_t *page, size_t *next, hbytes_t *out)
{
    const http_listing_t *listing = page->listing;
    size_t begin = out->len;
    writer_t w = {out, 0};

    if (*next == 0)
        put_head(&w, page);
    while (!w.err && *next < listing->count) {
        put_row(&w, page, &listing->entries[(*next)++]);
        if (out->len - begin >= HTTP_LISTING_PART)
            break;
    }
    if (w.err || *next < listing->count)
        return w.err ? w.err : 1;
    put_foot(&w, page);
    return w.err;
}
