/* The registries are lists in no order, of blocks of addresses:
 *
 *     08-61-95   (hex)        Rockwell Automation
 *     086195     (base 16)    Rockwell Automation
 *
 * and for parts of a block, in files of their own:
 *
 *     74-1A-E0   (hex)        Private
 *     900000-9FFFFF     (base 16)        Private
 *
 * A file is mapped and gone through once; of each block its prefix and where its name stands are
 * kept, in one number. A name that is asked for is ended with a NUL in our own copy of its page. */
#include "vendors.h"

#include "base/hmem.h"
#include "base/hstr.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OFFSET_BITS 25
#define OFFSET_MASK (((uint64_t)1 << OFFSET_BITS) - 1)
#define MARK "(base 16)"
#define READ_AHEAD ((size_t)1 << 18) /* bytes that are kept while a file is read: whole pages */
#define DIVIDED "IEEE Registration Authority" /* has the blocks that are given out in parts */

_Static_assert(VENDORS_FILE_MAX <= OFFSET_MASK + 1, "an offset fits");

/* How many bits of the address a file is about. The first one has the blocks, the others parts. */
static const struct {
    const char *name;
    unsigned bits;
} registries[VENDORS_FILES] = {
    {"oui.txt", 24}, {"mam.txt", 28}, {"oui36.txt", 36}, {"iab.txt", 36}};

/* ---- reading --------------------------------------------------------------------------------- */

/* The first `digits` hexadecimal digits of a line; dashes between are passed over. */
static bool read_hex(const char *at, const char *end, unsigned digits, uint64_t *value)
{
    *value = 0;
    for (; digits > 0 && at < end; at++) {
        int digit = hstr_hex_digit(*at);

        if (*at == '-')
            continue;
        if (digit < 0)
            return false;
        *value = *value << 4 | (uint64_t)digit;
        digits--;
    }
    return digits == 0;
}

static const char *line_before(const char *text, const char *at)
{
    const char *end = at > text ? memrchr(text, '\n', (size_t)(at - text)) : NULL;

    return end ? end + 1 : text;
}

/* What the line with the mark begins with; for a part of a block, the line before has the rest. */
static bool read_prefix(const char *text, const char *mark, unsigned bits, uint64_t *prefix)
{
    const char *line = line_before(text, mark);
    uint64_t block, part;

    if (!read_hex(line, mark, 6, &part))
        return false;
    if (bits == 24) {
        *prefix = part;
        return true;
    }
    if (line == text || !read_hex(line_before(text, line - 1), line, 6, &block))
        return false;
    *prefix = (block << 24 | part) >> (48 - bits);
    return true;
}

static int add_entry(vendor_file_t *file, size_t *room, uint64_t entry)
{
    if (file->count == *room) {
        size_t more = *room ? *room * 2 : 4096;
        uint64_t *entries = hmem_realloc(file->entries, more * sizeof(*entries));

        if (entries == NULL)
            return -1;
        file->entries = entries;
        *room = more;
    }
    file->entries[file->count++] = entry;
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* What has been read no longer counts as memory of ours, until it is looked at again. Returns up to
 * where that is so; the line before `at` is still needed, but little is lost if it goes. */
static char *let_go(char *from, const char *at)
{
    size_t len = (size_t)(at - from) / READ_AHEAD * READ_AHEAD;

    if (len > 0)
        (void)madvise(from, len, MADV_DONTNEED);
    return from + len;
}

static void read_entries(vendor_file_t *file, unsigned bits)
{
    const char *at = file->text, *end = file->text + file->size, *mark;
    char *kept = file->text;
    size_t room = 0;

    while (file->count < VENDORS_ENTRIES_MAX &&
           (mark = memmem(at, (size_t)(end - at), MARK, strlen(MARK))) != NULL) {
        uint64_t prefix;

        at = mark + strlen(MARK);
        kept = let_go(kept, at);
        if (memchr(at, '\n', (size_t)(end - at)) == NULL)
            break; /* a name that is cut off */
        if (read_prefix(file->text, mark, bits, &prefix) &&
            add_entry(file, &room, prefix << OFFSET_BITS | (uint64_t)(at - file->text)) < 0)
            break;
    }
    if (file->count > 0)
        qsort(file->entries, file->count, sizeof(*file->entries), compare_entries);
}

/* Private and writable: what is written is ours alone. */
static void map_file(vendor_file_t *file, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;
    void *text = MAP_FAILED;

    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        (uint64_t)info.st_size <= VENDORS_FILE_MAX)
        text = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    if (text == MAP_FAILED)
        return;
    file->text = text;
    file->size = (size_t)info.st_size;
}

static void load(vendors_t *vendors, size_t number)
{
    static const char *const folders[] = {"/usr/share/ieee-data", "/var/lib/ieee-data"};
    const char *const *from = vendors->folder ? &vendors->folder : folders;
    size_t count = vendors->folder ? 1 : sizeof(folders) / sizeof(folders[0]);
    vendor_file_t *file = &vendors->files[number];

    file->is_tried = true;
    for (size_t i = 0; i < count && file->text == NULL; i++) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof(path), "%s/%s", from[i], registries[number].name) <
            (int)sizeof(path))
            map_file(file, path);
    }
    if (file->text == NULL)
        return;
    read_entries(file, registries[number].bits);
    (void)madvise(file->text, file->size, MADV_DONTNEED);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* The name that begins at, or before, a line's end; NULL for an empty one. */
static const char *end_name(char *name)
{
    size_t len;

    name += strspn(name, " \t");
    len = strcspn(name, "\r\n");
    while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
        len--;
    if (name[len] != '\0')
        name[len] = '\0';
    return len > 0 ? name : NULL;
}

static const char *find_in(vendors_t *vendors, size_t number, uint64_t address)
{
    vendor_file_t *file = &vendors->files[number];
    uint64_t prefix = address >> (48 - registries[number].bits);
    size_t low = 0, high;

    if (!file->is_tried)
        load(vendors, number);
    high = file->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (file->entries[middle] >> OFFSET_BITS < prefix)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == file->count || file->entries[low] >> OFFSET_BITS != prefix)
        return NULL;
    return end_name(file->text + (file->entries[low] & OFFSET_MASK));
}

const char *vendors_find(vendors_t *vendors, const uint8_t *mac)
{
    uint64_t address = 0;
    const char *name;

    if (mac[0] & 3) /* locally administered, or of a group */
        return NULL;
    for (size_t i = 0; i < 6; i++)
        address = address << 8 | mac[i];
    name = find_in(vendors, 0, address);
    if (name == NULL || strcmp(name, DIVIDED) != 0)
        return name;
    name = NULL;
    for (size_t i = 1; i < VENDORS_FILES && name == NULL; i++)
        name = find_in(vendors, i, address);
    return name;
}

void vendors_free(vendors_t *vendors)
{
    for (size_t i = 0; i < VENDORS_FILES; i++) {
        if (vendors->files[i].text)
            munmap(vendors->files[i].text, vendors->files[i].size);
        hmem_free(vendors->files[i].entries);
    }
    *vendors = (vendors_t){.folder = vendors->folder};
}
