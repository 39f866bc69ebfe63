/* store: what is remembered between transfers and between runs: cookies, hosts that want https,
 * alternative services. One of each for the whole command line, whichever operation named it. Hosts
 * that want https are remembered in any case. */
#ifndef HCURL_STORE_H
#define HCURL_STORE_H

#include "app/hopt.h"
#include "proto/http_client.h"

#include "outlet.h"

/* All 0: nothing is remembered. */
typedef struct store_options_s {
    hopt_list_t cookies; /* -b: with a "=" they are cookies, else a file; "": only remember */
    const char *jar;     /* -c: is written at the end; "-": standard output */
    bool no_session;     /* -j */
    hopt_list_t hsts;    /* files; the last one is written, too; "": only remember */
    hopt_list_t altsvc;
} store_options_t;

extern const hopt_t store_rows[];

typedef struct store_s store_t;

/* 0 and *store, or -ENOMEM. */
int store_new(store_t **store);

/* Writes what store_save has put off. NULL is legal. */
void store_free(store_t *store);

/* Before a transfer of the operation whose options these are: loads the files that were not loaded
 * yet, and sets jar, cookies, hsts and altsvc in transfer; what they point to lives as long as the
 * store. Files that are there and cannot be read are told in `warnings`, a line each, and are not
 * written over later. 0; or the exit status, and one line in error. */
int store_apply(store_t *store, const store_options_t *options, http_transfer_options_t *transfer,
                hbytes_t *warnings, hbytes_t *error);

/* Behind a transfer of that operation, and what -w prints for it: writes the files that it names,
 * if there is news since they were written, at most once a second; -c - each time. What cannot be
 * written is told in `warnings`, a line each; it is no failure. */
void store_save(store_t *store, const store_options_t *options, outlet_t *out, hbytes_t *warnings);

#endif
