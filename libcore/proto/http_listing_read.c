#include "http_listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../base/hmem.h"

#define ENTRIES_FIRST 64

/* Names move while they are collected: until the end an entry's name is its place among them. */
typedef struct reader_s {
    const http_listing_options_t *options;
    http_listing_t *listing;
    hbytes_t names;
    size_t capacity, max;
    int dirfd;
} reader_t;

static int grow(reader_t *r)
{
    size_t capacity = r->capacity ? r->capacity * 2 : ENTRIES_FIRST;
    void *entries;

    if (r->listing->count < r->capacity)
        return 0;
    entries = hmem_realloc(r->listing->entries, capacity * sizeof(*r->listing->entries));
    if (!entries)
        return -ENOMEM;
    r->listing->entries = entries;
    r->capacity = capacity;
    return 0;
}

/* False: not to be listed, or gone again. */
static bool look_at(const reader_t *r, const char *name, struct stat *st, bool *is_link)
{
    if (fstatat(r->dirfd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    *is_link = S_ISLNK(st->st_mode);
    if (*is_link && r->options->link && r->options->link(r->dirfd, name, st, r->options->arg) != 0)
        return false;
    if (*is_link && !r->options->link && fstatat(r->dirfd, name, st, 0) < 0)
        return false;
    return S_ISDIR(st->st_mode) || S_ISREG(st->st_mode);
}

static int add(reader_t *r, const char *name)
{
    http_listing_entry_t *entry;
    struct stat st;
    bool is_link;
    int err;

    if (!look_at(r, name, &st, &is_link))
        return 0;
    if (r->listing->count == r->max) {
        r->listing->truncated = true;
        return 0;
    }
    err = grow(r);
    if (err)
        return err;
    entry = &r->listing->entries[r->listing->count];
    entry->name = (const char *)(uintptr_t)r->names.len;
    err = hbytes_append(&r->names, name, strlen(name) + 1);
    if (err)
        return err;
    entry->is_dir = S_ISDIR(st.st_mode);
    entry->is_link = is_link;
    entry->size = entry->is_dir ? 0 : (uint64_t)st.st_size;
    entry->mtime_s = st.st_mtim.tv_sec;
    r->listing->count++;
    return 0;
}

static bool is_wanted(const reader_t *r, const char *name)
{
    if (name[0] != '.')
        return true;
    return r->options->hidden && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int read_all(reader_t *r, DIR *dir)
{
    const struct dirent *found;
    int err = 0;

    while (!err && !r->listing->truncated) {
        errno = 0;
        found = readdir(dir);
        if (!found)
            return -errno;
        if (is_wanted(r, found->d_name))
            err = add(r, found->d_name);
    }
    return err;
}

static void place_names(reader_t *r)
{
    http_listing_t *listing = r->listing;

    listing->names = hbytes_take(&r->names, NULL);
    for (size_t i = 0; i < listing->count; i++)
        listing->entries[i].name = listing->names + (uintptr_t)listing->entries[i].name;
}

/* A descriptor of its own: one that was duplicated would share the place of the caller's. NULL:
 * errno tells. */
static DIR *open_again(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int err = errno;

    if (!dir && fd >= 0)
        close(fd);
    errno = err;
    return dir;
}

int http_listing_read(http_listing_t *listing, int dirfd, const http_listing_options_t *options)
{
    static const http_listing_options_t defaults;
    reader_t r = {.options = options ? options : &defaults, .listing = listing, .dirfd = dirfd};
    DIR *dir = open_again(dirfd);
    int err = errno;

    memset(listing, 0, sizeof(*listing));
    r.max = r.options->entries_max;
    if (r.max == 0 || r.max > HTTP_LISTING_ENTRIES_MAX)
        r.max = HTTP_LISTING_ENTRIES_MAX;
    if (!dir)
        return -err;
    err = read_all(&r, dir);
    closedir(dir);
    if (err) {
        hbytes_deinit(&r.names);
        http_listing_deinit(listing);
        return err;
    }
    place_names(&r);
    return 0;
}

void http_listing_deinit(http_listing_t *listing)
{
    hmem_free(listing->names);
    hmem_free(listing->entries);
    memset(listing, 0, sizeof(*listing));
}
