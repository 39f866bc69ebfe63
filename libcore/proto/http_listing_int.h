/* What the writers of http_listing share. */
#ifndef HNET_PROTO_HTTP_LISTING_INT_H
#define HNET_PROTO_HTTP_LISTING_INT_H

#include "http_listing.h"

#define HTTP_LISTING_TIME_SIZE 40

/* Appends "./name", percent-encoded, with a slash behind a folder: a name that has a colon is not
 * taken for a URL then. 0 or the errors of hbytes_append. */
int http_listing__put_reference(hbytes_t *out, const http_listing_entry_t *entry);

/* "2026-11-20T16:45:01Z"; "" for a time that no calendar has. */
void http_listing__utc(int64_t time_s, char text[HTTP_LISTING_TIME_SIZE]);

#endif
