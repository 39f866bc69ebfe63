/* vendors: who made a network card, by its MAC address, from the registries of the IEEE where the
 * system has them (Debian: ieee-data). */
#ifndef HNMAP_VENDORS_H
#define HNMAP_VENDORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VENDORS_FILE_MAX ((size_t)1 << 25)    /* bytes; a larger one is not read */
#define VENDORS_ENTRIES_MAX ((size_t)1 << 18) /* of a file; those after are not known */
#define VENDORS_FILES 4

/* A registry: its text as it is, and where each of its names stands. */
typedef struct vendor_file_s {
    bool is_tried;
    char *text;
    size_t size;
    uint64_t *entries; /* sorted: a prefix and an offset */
    size_t count;
} vendor_file_t;

/* Zero-initialised: nothing is read yet. */
typedef struct vendors_s {
    const char *folder; /* borrowed; NULL: where systems have them */
    vendor_file_t files[VENDORS_FILES];
} vendors_t;

/* The name, which lives until vendors_free; reads a registry when it is first needed (some ms).
 * NULL: it is not known, for want of the file or of memory, too, or the address was made up
 * (locally administered: privacy, virtual machines). mac has 6 bytes. */
const char *vendors_find(vendors_t *vendors, const uint8_t *mac);

void vendors_free(vendors_t *vendors);

#endif
