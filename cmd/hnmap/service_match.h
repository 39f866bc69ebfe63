/* service_match: what a server is, from the bytes that it sent. No I/O, no clock, no memory: what
 * is found lies in the match. */
#ifndef HNMAP_SERVICE_MATCH_H
#define HNMAP_SERVICE_MATCH_H

#include "result.h"
#include "service_probes.h"

#define MATCH_CPES 3

/* How much is known; a higher level is worth more. */
typedef enum match_level_e {
    MATCH_NONE = 0,
    MATCH_NAMED,   /* the protocol */
    MATCH_PRODUCT, /* the program, too: of the same protocol something may tell more */
    MATCH_VERSION  /* all that is to be had */
} match_level_e;

/* Texts are printable, for what is not was left out; "" where nothing is known. */
typedef struct match_s {
    match_level_e level;
    const char *name; /* static */
    char product[96], version[96], extra[192], hostname[128], os[48], device[48];
    char cpe[MATCH_CPES][128];
    probe_e next;   /* worth sending to learn more; PROBE_NONE: nothing */
    bool waits;     /* what has come may be the beginning of something */
    bool wants_tls; /* it said that TLS is spoken here */
} match_t;

/* What a server sent. */
typedef struct reply_s {
    const uint8_t *data;
    size_t len;
    probe_e probe; /* what it answers to; PROBE_BANNER: it spoke first */
    bool is_whole; /* no more will come */
} reply_t;

/* Fills the match, level MATCH_NONE if the bytes say nothing yet. More bytes may say more, unless
 * it returns true: this is the end of what such an answer tells. */
bool service_match(const reply_t *reply, match_t *match);

/* A service of a match, owned by the caller. NULL when out of memory. */
service_t *service_of(const match_t *match);

/* ---- between the files of the matchers ------------------------------------------------------- */

/* A span that is read from its front. */
typedef struct cursor_s {
    const uint8_t *at;
    size_t left;
} cursor_t;

/* Big-endian numbers; 0 past the end, and the rest is empty then. */
uint32_t cursor_u8(cursor_t *c);
uint32_t cursor_u16(cursor_t *c);
uint32_t cursor_u32(cursor_t *c);
/* The next len bytes, as a cursor of their own; what is there, if fewer are. */
cursor_t cursor_take(cursor_t *c, size_t len);
/* The next element of BER (X.690): its tag; its content becomes *content. 0 at the end. */
uint32_t cursor_element(cursor_t *c, cursor_t *content);
/* The next line without its end. False: there is no whole line, and is_whole is false; or
 * nothing. */
bool cursor_line(cursor_t *c, bool is_whole, cursor_t *line);

bool match_starts(cursor_t c, const char *prefix); /* ASCII case ignored */
/* Where needle begins (ASCII case ignored): a span from its end on. False: nowhere. */
bool match_find(cursor_t c, const char *needle, cursor_t *behind);

/* Sets a text from bytes, what is not printable left out, spaces at its ends too. */
void match_text(char *dst, size_t size, cursor_t text);
/* The characters at the front that a version is made of. */
cursor_t match_version_span(cursor_t c);
void match_named(match_t *m, const char *name);

/* All that such a service tells: its name and a product (NULL: none). Returns true. */
bool match_whole(match_t *m, const char *name, const char *product);

/* Looks for a program that is known to name itself in a text, for a service of this name: product,
 * version, CPE, OS. False: none. */
bool match_product(match_t *m, const char *service, cursor_t text);
void match_cpe(match_t *m, const char *format, const char *version);

typedef bool (*matcher_fn)(const reply_t *reply, match_t *m);
bool match_http(const reply_t *reply, match_t *m);
bool match_lines(const reply_t *reply, match_t *m);  /* services that speak in lines */
bool match_binary(const reply_t *reply, match_t *m); /* and those that do not */
bool match_udp(const reply_t *reply, match_t *m);    /* what came in a datagram */
bool match_ldap(const reply_t *reply, match_t *m);
bool match_dns(match_t *m, cursor_t message); /* an answer to version.bind */

#endif
