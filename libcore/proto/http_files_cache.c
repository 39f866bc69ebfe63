/* Files that were found, by their path: small ones with their content, others open. Checked by stat
 * every recheck_ms; the one that was used longest ago goes when there are too many. */
#include "http_files_int.h"

#include "../base/hbuf.h"
#include "../base/hmem.h"
#include "../base/htime.h"
#include "../codec/http_date.h"
#include "http_mime.h"
#include "http_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUCKETS_MIN 64
#define FRESH_NS HTIME_NS_PER_S

/* ---- one file -------------------------------------------------------------------------------- */

static void free_file(http_file_t *file)
{
    if (file->fd >= 0)
        close(file->fd);
    hmem_free(file->content);
    hmem_free(file->text);
    hmem_free(file);
}

void http_files__put(http_file_t *file)
{
    if (--file->refs == 0)
        free_file(file);
}

void http_files__put_content(void *content, void *arg)
{
    (void)content;
    http_files__put(arg);
}

/* Whether the time is so near that a change may follow that leaves it as it is. */
static bool is_fresh(struct timespec time)
{
    uint64_t ns = (uint64_t)time.tv_sec * HTIME_NS_PER_S + (uint64_t)time.tv_nsec;

    uint64_t now_ns = htime_real_ns();

    return ns + FRESH_NS > now_ns && ns < now_ns + FRESH_NS;
}

/* Reads the content. 0; -EAGAIN: it has changed meanwhile; or why it cannot be read. */
static int read_content(http_file_t *file, int fd)
{
    size_t size = (size_t)file->state.size, got = 0;
    struct stat st;
    ssize_t n = 1;

    file->content = hmem_alloc(size ? size : 1);
    if (!file->content)
        return -ENOMEM;
    while (got < size && (n = pread(fd, file->content + got, size - got, (off_t)got)) > 0)
        got += (size_t)n;
    if (n < 0)
        return -errno;
    if (got < size || fstat(fd, &st) != 0 || st.st_size != file->state.size ||
        st.st_mtim.tv_sec != file->state.mtime.tv_sec ||
        st.st_mtim.tv_nsec != file->state.mtime.tv_nsec)
        return -EAGAIN;
    return 0;
}

#define PRESENT(field) (UINT64_C(1) << HTTP_FIELD_##field)

/* Where the text of its responses' fields is cut; the tag stands in front. */
static void set_spans(http_file_t *file, const hbytes_t *text, size_t tag_len, size_t type_len)
{
    static const size_t name_len = sizeof("Content-Type: ") - 1, end_len = 2;

    file->text = text->data;
    file->validators.etag.opaque = (http_span_t){text->data, tag_len};
    file->type_line = (http_span_t){text->data + tag_len, name_len + type_len + end_len};
    file->type = (http_span_t){file->type_line.data + name_len, type_len};
    file->lines.data = file->type_line.data + file->type_line.len;
    file->lines.len = text->len - tag_len - file->type_line.len;
    file->compressible = http_mime_is_compressible(file->type);
    file->cost += text->cap;
}

int http_files__describe(const http_files_t *files, http_file_t *file, const char *type,
                         http_files_tag_e kind)
{
    const http_file_state_t *state = &file->state;
    int64_t now_s = (int64_t)(htime_real_ns() / HTIME_NS_PER_S);
    /* RFC 9110 section 8.8.2.1: not later than now, whatever the file system says */
    int64_t modified_s = state->mtime.tv_sec < now_s ? state->mtime.tv_sec : now_s;
    uint64_t mtime_ns =
        (uint64_t)state->mtime.tv_sec * HTIME_NS_PER_S + (uint64_t)state->mtime.tv_nsec;
    char date[HTTP_DATE_SIZE], tag[HTTP_FILES_ETAG_SIZE];
    bool weak = kind != HTTP_FILES_STRONG;
    hbytes_t text = {0};
    int err;

    snprintf(tag, sizeof(tag), "%llx-%llx-%llx", (unsigned long long)state->ino,
             (unsigned long long)state->size, (unsigned long long)mtime_ns);
    err = hbytes_printf(&text, "%sContent-Type: %s\r\nLast-Modified: %s\r\nETag: %s\"%s\"\r\n", tag,
                        type, http_date_format(modified_s, date), weak ? "W/" : "", tag);
    file->present = PRESENT(LAST_MODIFIED) | PRESENT(ETAG);
    if (err >= 0 && kind != HTTP_FILES_CODED) {
        err = hbytes_append_str(&text, "Accept-Ranges: bytes\r\n");
        file->present |= PRESENT(ACCEPT_RANGES);
    }
    if (err >= 0 && files->options.cache_control) {
        err = hbytes_printf(&text, "Cache-Control: %s\r\n", files->options.cache_control);
        file->present |= PRESENT(CACHE_CONTROL);
    }
    if (err < 0) {
        hbytes_deinit(&text);
        return err;
    }
    file->validators = (http_validators_t){
        .exists = true, .etag.weak = weak, .dated = true, .modified_s = modified_s};
    set_spans(file, &text, strlen(tag), strlen(type));
    return 0;
}

static const char *type_of(const http_files_t *files, const http_file_t *file)
{
    const char *type = http_mime_find(files->mime, (http_span_t){file->path, file->path_len});

    return strcmp(type, HTTP_MIME_UNKNOWN) == 0 ? files->options.default_type : type;
}

static bool is_reloaded(const http_files_t *files, const http_file_t *file)
{
    static const char html[] = "text/html";

    return files->options.events_url && file->type.len >= sizeof(html) - 1 &&
           memcmp(file->type.data, html, sizeof(html) - 1) == 0 &&
           file->state.size <= HTTP_FILES_RELOADED_MAX;
}

/* Puts the script at the end of a page that is in memory. */
static int add_script(const http_files_t *files, http_file_t *file)
{
    hbytes_t script = {0};
    int err = http_page_reload_script(&script, files->options.events_url);
    char *content = NULL;

    if (err == 0)
        content = hmem_realloc(file->content, (size_t)file->size + script.len + 1);
    if (content) {
        file->content = content;
        memcpy(content + file->size, script.data, script.len);
        file->size += (int64_t)script.len;
    } else {
        err = -ENOMEM;
    }
    hbytes_deinit(&script);
    return err;
}

static int load(const http_files_t *files, http_file_t *file, int fd)
{
    bool reloaded;
    int err;

    if (file->folder)
        return 0;
    file->size = file->state.size;
    /* A strong tag only once the file has rested. */
    err = http_files__describe(files, file, type_of(files, file),
                               is_fresh(file->state.mtime) ? HTTP_FILES_WEAK : HTTP_FILES_STRONG);
    if (err < 0)
        return err;
    reloaded = is_reloaded(files, file);
    if (file->size > HTTP_FILES_CONTENT_MAX && !reloaded) {
        file->fd = fd;
        return 0;
    }
    err = read_content(file, fd);
    if (err == 0 && reloaded)
        err = add_script(files, file);
    file->cost += (size_t)file->size;
    return err;
}

http_file_t *http_files__new(http_span_t key, const http_file_state_t *state)
{
    http_file_t *file = hmem_zalloc(sizeof(*file) + key.len + 1);

    if (!file)
        return NULL;
    file->refs = 1;
    file->fd = -1;
    file->state = *state;
    file->fresh = is_fresh(state->mtime) || is_fresh(state->ctime);
    file->cost = sizeof(*file) + key.len + 1;
    file->path_len = key.len;
    memcpy(file->path, key.data, key.len);
    return file;
}

/* What is open as fd, which belongs to the file or is closed. */
static int make_file(const http_files_t *files, http_span_t path, int fd, http_file_t **file)
{
    http_file_t *made = NULL;
    http_file_state_t state;
    struct stat st;
    int err = fstat(fd, &st) == 0 ? 0 : -errno;

    if (err == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        err = -ENOENT;
    if (err == 0 && S_ISREG(st.st_mode) && path.len > 0 && path.data[path.len - 1] == '/')
        err = -ENOTDIR;
    if (err == 0) {
        state = http_files__state(&st);
        made = http_files__new(path, &state);
        err = made ? 0 : -ENOMEM;
    }
    if (err == 0) {
        made->folder = S_ISDIR(st.st_mode);
        err = load(files, made, fd);
    }
    if (!made || made->fd != fd)
        close(fd);
    if (err == 0)
        *file = made;
    else if (made)
        free_file(made);
    return err;
}

/* ---- the table ------------------------------------------------------------------------------- */

static uint32_t hash_of(http_span_t path)
{
    uint32_t hash = 2166136261u; /* FNV-1a: only names of files that are there get into the table */

    for (size_t i = 0; i < path.len; i++)
        hash = (hash ^ (unsigned char)path.data[i]) * 16777619u;
    return hash;
}

static http_file_t **bucket_of(const http_files_cache_t *cache, uint32_t hash)
{
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static http_file_t *find(const http_files_cache_t *cache, http_span_t path, uint32_t hash)
{
    http_file_t *file = cache->bucket_count ? *bucket_of(cache, hash) : NULL;

    while (file && (file->hash != hash || file->path_len != path.len ||
                    memcmp(file->path, path.data, path.len) != 0))
        file = file->next;
    return file;
}

http_file_t *http_files__find(const http_files_t *files, http_span_t key)
{
    return find(&files->cache, key, hash_of(key));
}

/* Twice the buckets; false without memory, and it goes on with what there is. */
static bool grow(http_files_cache_t *cache)
{
    size_t count = cache->bucket_count ? cache->bucket_count * 2 : BUCKETS_MIN;
    http_file_t **old = cache->buckets, **buckets = hmem_zalloc(count * sizeof(http_file_t *));
    size_t old_count = cache->bucket_count;

    if (!buckets)
        return old != NULL;
    cache->buckets = buckets;
    cache->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            http_file_t *file = old[i], **bucket = bucket_of(cache, file->hash);

            old[i] = file->next;
            file->next = *bucket;
            *bucket = file;
        }
    }
    hmem_free(old);
    return true;
}

void http_files__drop(http_files_t *files, http_file_t *file)
{
    http_files_cache_t *cache = &files->cache;
    http_file_t **at = bucket_of(cache, file->hash);

    while (*at != file)
        at = &(*at)->next;
    *at = file->next;
    hlist_remove(&file->lru);
    cache->count--;
    cache->memory -= file->cost;
    cache->open_count -= file->fd >= 0;
    http_files__put(file);
}

static http_file_t *oldest(hlist_t *list)
{
    return hlist_empty(list) ? NULL : HLIST_ENTRY(list->next, http_file_t, lru);
}

/* Those that need no descriptor first. */
static http_file_t *oldest_of_all(http_files_cache_t *cache)
{
    return oldest(hlist_empty(&cache->in_memory) ? &cache->opened : &cache->in_memory);
}

static void shrink(http_files_t *files)
{
    http_files_cache_t *cache = &files->cache;
    http_file_t *file;

    while (cache->open_count > files->options.open_max && (file = oldest(&cache->opened)))
        http_files__drop(files, file);
    while (cache->memory > files->options.memory_max && (file = oldest_of_all(cache)))
        http_files__drop(files, file);
}

static void touch(http_files_cache_t *cache, http_file_t *file)
{
    hlist_remove(&file->lru);
    hlist_push_back(file->fd >= 0 ? &cache->opened : &cache->in_memory, &file->lru);
}

/* Without memory for the table it is not kept, but served. */
void http_files__keep(http_files_t *files, http_file_t *file)
{
    http_files_cache_t *cache = &files->cache;
    http_file_t **bucket;

    if (cache->count >= cache->bucket_count && !grow(cache))
        return;
    file->hash = hash_of((http_span_t){file->path, file->path_len});
    bucket = bucket_of(cache, file->hash);
    file->next = *bucket;
    *bucket = file;
    file->refs++;
    hlist_push_back(file->fd >= 0 ? &cache->opened : &cache->in_memory, &file->lru);
    cache->count++;
    cache->memory += file->cost;
    cache->open_count += file->fd >= 0;
    shrink(files);
}

/* ---- getting --------------------------------------------------------------------------------- */

/* What is sent from the descriptor has to be as long as the head says it is. */
static bool is_open_same(const http_file_t *file)
{
    http_file_state_t state;
    struct stat st;

    if (file->fd < 0)
        return true;
    if (fstat(file->fd, &st) != 0)
        return false;
    state = http_files__state(&st);
    return http_files__same_state(&state, &file->state);
}

static bool is_good(const http_files_t *files, http_file_t *file, uint64_t now_us)
{
    if (now_us - file->checked_us < (uint64_t)files->options.recheck_ms * 1000)
        return is_open_same(file);
    if (file->fresh || !http_files__is_same(files, file))
        return false;
    file->checked_us = now_us;
    file->looked = false;
    return true;
}

/* Somebody writes to it while it is read: once more, then as it is from the disk. */
static int open_file(http_files_t *files, http_span_t path, http_file_t **file)
{
    int err = -EAGAIN;

    for (int i = 0; i < 3 && err == -EAGAIN; i++) {
        int fd = http_files__open(files, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

        if (fd == -EACCES && path.data[path.len - 1] == '/') /* may have an index all the same */
            fd = http_files__open(files, path, O_PATH | O_DIRECTORY);
        if ((fd == -EMFILE || fd == -ENFILE) && !hlist_empty(&files->cache.opened)) {
            http_files__drop(files, oldest(&files->cache.opened));
            fd = -EAGAIN;
        }
        err = fd < 0 ? fd : make_file(files, path, fd, file);
    }
    return err;
}

int http_files__get(http_files_t *files, http_span_t path, uint64_t now_us, http_file_t **file)
{
    uint32_t hash = hash_of(path);
    int err = http_files__check_root(files, now_us);
    http_file_t *found = err < 0 ? NULL : find(&files->cache, path, hash);

    if (err < 0)
        return err;
    if (found && is_good(files, found, now_us)) {
        touch(&files->cache, found);
        found->refs++;
        *file = found;
        return 0;
    }
    if (found)
        http_files__drop(files, found);
    err = open_file(files, path, file);
    if (err < 0)
        return err;
    (*file)->checked_us = now_us;
    http_files__keep(files, *file);
    return 0;
}

void http_files_forget(http_files_t *files, http_span_t path)
{
    http_file_t *found = http_files__find(files, path);

    if (found)
        http_files__drop(files, found);
}

void http_files__cache_init(http_files_cache_t *cache)
{
    hlist_init(&cache->in_memory);
    hlist_init(&cache->opened);
}

void http_files__drop_all(http_files_t *files)
{
    http_file_t *file;

    while ((file = oldest_of_all(&files->cache)))
        http_files__drop(files, file);
}

void http_files__cache_deinit(http_files_t *files)
{
    http_files__drop_all(files);
    hmem_free(files->cache.buckets);
}
