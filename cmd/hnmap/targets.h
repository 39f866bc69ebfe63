/* targets: which addresses are scanned. Words of nmap's grammar:
 *
 *     10.0.0.1  10.0.0.0/24  10.0.3-5,7.1-  10.0.*.1      octets: lists, ranges, open ends, *
 *     example.com  example.com/24  127.1                  names; 127.1 is 127.0.0.1, as inet_aton
 *     2001:db8::1  2001:db8::/64  fe80::1%eth0/120        with family AF_INET6; no lists, no ranges
 *
 * A word costs the same however many addresses it stands for. Addresses have an index in the order
 * in which they were named, from 0 on; an address that is named twice is there twice. The order of
 * the calls: targets_new; words, files, excluded ones; names resolved; targets_ready; the rest. */
#ifndef HNMAP_TARGETS_H
#define HNMAP_TARGETS_H

#include "base/hpermute.h"
#include "net/haddr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGETS_WORD_MAX 4095           /* bytes of a word */
#define TARGETS_NAME_MAX 253            /* bytes of a host name (RFC 1035 section 3.1) */
#define TARGETS_WORDS_MAX (16u << 20)   /* in all */
#define TARGETS_EXCLUDED_MAX (4u << 20) /* ranges of addresses that are left out */
#define TARGETS_ERROR_SIZE 512

typedef struct targets_s targets_t;

typedef struct target_s {
    haddr_t address;  /* port 0 */
    const char *name; /* as the user gave it, if the address is that of a name; else NULL */
} target_t;

/* family: AF_INET, or AF_INET6 for -6. NULL when out of memory. */
targets_t *targets_new(int family);
void targets_free(targets_t *targets);

/* A word. 0; HERR_SYNTAX, or HERR_RANGE for more than 2^64 - 1 addresses or too many words, and
 * targets_error; -ENODEV (no such zone), likewise; -ENOMEM. After an error nothing was added. */
int targets_add(targets_t *targets, const char *word);

/* Words between blanks and line ends, of a file or of standard input ("-"); # begins a comment. 0
 * or the errors above, an errno when the file cannot be read; what comes before stays added. */
int targets_add_file(targets_t *targets, const char *path);

/* Addresses that are left out: words between commas (so no lists of octets), and of a file. An
 * empty text leaves out nothing. Those of the other family are taken and never met. Errors as
 * above. */
int targets_exclude(targets_t *targets, const char *words);
int targets_exclude_file(targets_t *targets, const char *path);

/* Why the last of these calls failed, for people: names the word, the part of it that is wrong, and
 * for a file its line. "" after -ENOMEM. Valid until the next call. */
const char *targets_error(const targets_t *targets);

/* ---- names ---- */

/* Finds a name from *name on that has no address yet; then true, *name is its number, and the next
 * call goes on with *name + 1. Starts with 0. */
bool targets_unresolved(const targets_t *targets, size_t *name);

/* The text of a name, and whether it is one of those that are left out. Valid until something is
 * added. */
const char *targets_name(const targets_t *targets, size_t name);
bool targets_name_is_excluded(const targets_t *targets, size_t name);

/* Gives a name its addresses: one, or all of them (--resolve-all); a name that is left out gets
 * them all. Those of the other family are passed over; the bits behind the name count for each.
 * Returns how many were taken (0: the name stays unresolved and stands for nothing); HERR_RANGE
 * (targets_error), -ENOMEM. */
int targets_resolved(targets_t *targets, size_t name, const haddr_t *addresses, size_t count);

/* ---- addresses ---- */

/* Behind all of the above and before all of the below: takes out what is left out. 0; HERR_RANGE
 * (targets_error), -ENOMEM. */
int targets_ready(targets_t *targets);

/* Each address is visited once, as the first word that has it names it. Behind targets_ready. 0 or
 * -ENOMEM. */
int targets_unique(targets_t *targets);

/* How many addresses there are. At least as many as are visited: what is left out of lists of
 * octets (10.0.1,3.1) and of names with bits is still counted, and passed over when it is met, and
 * so is what targets_unique leaves out. An
 * IPv6 /64 counts as 2^64 - 1 addresses. */
uint64_t targets_count(const targets_t *targets);

/* The address with an index below targets_count, in O(log words). False: it is left out, or was
 * there before. */
bool targets_at(const targets_t *targets, uint64_t index, target_t *target);

/* Whether an address is one of those that are left out, in O(log of them). A zone is not looked
 * at. */
bool targets_excluded(const targets_t *targets, const struct sockaddr *address);

/* A checksum of all that was named and left out, as it was resolved: another one, another scan. */
uint32_t targets_sum(const targets_t *targets);

/* ---- a walk ---- */

/* A value; position may be kept and set to take up a walk again. */
typedef struct targets_cursor_s {
    const targets_t *targets;
    uint64_t position;    /* of the next one: 0..count */
    uint64_t count;       /* positions of this part */
    uint64_t part, parts; /* 0 <= part < parts */
    bool shuffled;
    hpermute_t order;
} targets_cursor_t;

/* A walk over part i of n (--shard: part 0..parts-1; 0, 1 is all). seed NULL: as they were named;
 * otherwise in an order of its own. The parts of the same targets meet every address exactly once
 * between them, whatever seed each of them has. */
void targets_walk(targets_cursor_t *cursor, const targets_t *targets, uint64_t part, uint64_t parts,
                  const uint64_t *seed);

/* The next address that is not left out; false at the end. */
bool targets_next(targets_cursor_t *cursor, target_t *target);

#endif
