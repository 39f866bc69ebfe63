/* Names of any bytes: the page and the JSON are UTF-8 without control characters, each reference
 * decodes to its name, and no name ends the element that it stands in. */
#include "base/hmem.h"
#include "base/hstr.h"
#include "base/hurl.h"
#include "proto/http_listing.h"
#include "proto/http_page.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_clean(const hbytes_t *out)
{
    for (size_t i = 0; i < out->len;) {
        size_t n = hstr_utf8_len(out->data + i, out->len - i);

        check(n > 0 && (out->data[i] == '\n' || (unsigned char)out->data[i] >= 0x20));
        i += n;
    }
}

/* The next reference in the text leads to this entry; returns what follows. */
static const char *check_reference(const char *text, const char *before,
                                   const http_listing_entry_t *entry)
{
    const char *found = strstr(text, before), *end;
    size_t len = strlen(entry->name);
    char *name = malloc(len + 1);
    ssize_t n;

    check(found != NULL);
    found += strlen(before);
    end = strchr(found, '"');
    check(end != NULL);
    n = hurl_decode(name, len + 1, found, (size_t)(end - found), false);
    check(n == (ssize_t)(len + entry->is_dir));
    check(memcmp(name, entry->name, len) == 0);
    check(!entry->is_dir || name[len] == '/');
    free(name);
    return end;
}

static void check_text(const char *row)
{
    const char *name = strstr(row, "<bdi>");

    check(name != NULL);
    name += 5;
    check(name[strcspn(name, "<>\"'")] == '<');
    check(strncmp(name + strcspn(name, "<"), "</bdi>", 6) == 0);
}

static void check_page(const http_listing_page_t *page)
{
    hbytes_t out = {0};
    size_t next = 0;
    const char *at;
    int err;

    while ((err = http_listing_html(page, &next, &out)) > 0)
        ;
    check(err == 0);
    check_clean(&out);
    at = strstr(out.data, "<tbody>");
    check((at != NULL) == (page->listing->count > 0));
    for (size_t i = 0; i < page->listing->count; i++) {
        at = check_reference(at, "<td class=\"name\"><a href=\"./", &page->listing->entries[i]);
        check_text(at);
    }
    hbytes_deinit(&out);
}

static void check_json(const http_listing_page_t *page)
{
    hbytes_t out = {0};
    size_t next = 0;
    const char *at;
    int err;

    while ((err = http_listing_json(page, &next, &out)) > 0)
        ;
    check(err == 0);
    check_clean(&out);
    at = out.data;
    for (size_t i = 0; i < page->listing->count; i++)
        at = check_reference(at, "\"href\":\"./", &page->listing->entries[i]);
    hbytes_deinit(&out);
}

/* Flags, the path, and names, each ended by a NUL; the first letter of a name says whether it is a
 * folder. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http_listing_entry_t entries[NAMES_MAX];
    http_listing_t listing = {.entries = entries};
    http_listing_page_t page = {.listing = &listing};
    char *copy, *at, *end;

    if (size < 2)
        return 0;
    copy = malloc(size + 1);
    memcpy(copy, data, size);
    copy[size] = '\0';
    end = copy + size;
    page.flags = data[0] & 15;
    page.order = http_listing_order((const char *)data, size);
    page.path = copy + 1;
    for (at = copy + 1 + strlen(copy + 1) + 1; at < end && listing.count < NAMES_MAX;
         at += strlen(at) + 1) {
        if (*at == '\0' || strchr(at, '/'))
            continue;
        entries[listing.count++] = (http_listing_entry_t){.name = at,
                                                          .is_dir = *at & 1,
                                                          .is_link = *at & 2,
                                                          .size = *at & 1 ? 0 : size,
                                                          .mtime_s = *at};
    }
    http_listing_sort(&listing, page.order);
    for (size_t i = 1; i < listing.count; i++) /* in a strict order, whatever the names */
        check(page.order.key != HTTP_LISTING_NAME || entries[i - 1].is_dir != entries[i].is_dir ||
              (http_listing_compare(entries[i - 1].name, entries[i].name) <= 0) !=
                  page.order.descending ||
              strcmp(entries[i - 1].name, entries[i].name) == 0);
    check_page(&page);
    check_json(&page);
    free(copy);
    return 0;
}
