/* targets_int: what the files of targets share. */
#ifndef HNMAP_TARGETS_INT_H
#define HNMAP_TARGETS_INT_H

#include "targets.h"

#include "base/hbuf.h"

#define TARGETS_SETS_MAX 65536u        /* lists of octets that are no plain range */
#define TARGETS_TEXT_MAX (1u << 30)    /* bytes of all names */
#define TARGETS_IPV6_BITS_MIN 64       /* of a network that is scanned */
#define TARGETS_EXPAND_MAX 4096u       /* ranges that a list of octets that is left out becomes */
#define TARGETS_EXCLUDED_SETS_MAX 256u /* lists of octets that would become more */

/* An address as a number; of IPv4 high is 0. */
typedef struct ip_s {
    uint64_t high, low;
} ip_t;

typedef struct place_s {
    ip_t ip;
    uint32_t zone; /* 0: none */
} place_t;

typedef struct octets_s {
    uint64_t bits[4][4]; /* which of 0..255 each octet may be */
} octets_t;

/* ---- a word by itself ---- */

typedef enum word_kind_e {
    WORD_RANGE, /* addresses that follow one another */
    WORD_SETS,  /* lists of octets that are no plain range */
    WORD_NAME,  /* whose address may be known already, as that of 127.1 */
} word_kind_e;

typedef struct parsed_s {
    word_kind_e kind;
    int family;         /* of a name that of the targets */
    place_t first;      /* of a range; the address of a name that has one */
    ip_t last;          /* of a range */
    octets_t octets;    /* of lists */
    size_t name_len;    /* of a name: it begins the word */
    unsigned bits;      /* behind a name */
    bool name_is_known; /* it is a number in another notation */
} parsed_t;

/* Reads a word. 0; HERR_SYNTAX, HERR_RANGE, -ENODEV, and targets_error. */
int targets__parse(targets_t *targets, const char *word, size_t len, parsed_t *parsed);

/* Sets the error: the file and line that is read, the word, and what is wrong. Returns err. */
int targets__fail(targets_t *targets, int err, const char *word, size_t len, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/* ---- what is kept ---- */

typedef struct word_s {
    uint64_t start; /* how many addresses; behind targets_ready the index of the first one */
    uint32_t value; /* IPv4 range: its first address; otherwise where in places, sets or names */
    uint32_t kind;  /* word_kind_e */
} word_t;

typedef struct name_s {
    uint32_t text;
    uint32_t word;    /* that of the name */
    uint32_t first;   /* of its addresses, in places */
    uint32_t count;   /* of them */
    uint8_t bits;     /* behind the name; all of the family's if there are none */
    bool is_resolved; /* it has addresses */
    bool is_excluded;
} name_t;

typedef struct range_s {
    ip_t first, last;
} range_t;

/* A list that grows. */
typedef struct list_s {
    void *items;
    uint32_t count, room;
} list_t;

struct targets_s {
    int family;
    unsigned family_bits; /* 32 or 128 */
    uint64_t count;       /* of addresses, but for names that have none yet */
    list_t words;         /* word_t */
    list_t places;        /* place_t */
    list_t sets;          /* octets_t */
    list_t names;         /* name_t */
    list_t excluded;      /* range_t; behind targets_ready in order, none touches another */
    list_t excluded_sets; /* octets_t */
    bool is_unique;
    list_t firsts;     /* first_t, in the order of zones and addresses */
    list_t set_starts; /* uint64_t: of the words of the sets */
    hbytes_t texts;    /* of names, each with its NUL */
    const char *file;  /* that is read; NULL: none */
    unsigned long line;
    char error[TARGETS_ERROR_SIZE];
};

/* A word of len bytes, as targets_add and targets_exclude take one. */
int targets__add(targets_t *targets, const char *word, size_t len);
int targets__exclude(targets_t *targets, const char *word, size_t len);

/* Adds the name that a parsed word is. As targets__append. */
int targets__add_name(targets_t *targets, const char *word, const parsed_t *parsed,
                      bool is_excluded);

/* Who has an address first, with --unique. */
typedef struct first_s {
    place_t from;   /* the addresses from here on, up to the next one of these */
    uint64_t start; /* the index at which the word, or the name's address, begins that has them
                       first; UINT64_MAX: none has them */
} first_t;

/* Whether what begins at the index start is not the first that has this address. */
bool targets__was_before(const targets_t *targets, const place_t *place, uint64_t start);

/* Leaves out the network of bits that an address is in. As targets__append. */
int targets__exclude_place(targets_t *targets, const place_t *place, unsigned bits);

/* Puts what is left out in order, and makes one range of those that touch. */
void targets__sort_excluded(targets_t *targets);

/* The first range that ends at an address or behind it; the number of ranges if none does. */
uint32_t targets__excluded_from(const targets_t *targets, ip_t ip);
bool targets__is_excluded(const targets_t *targets, ip_t ip);

/* Appends an item of size bytes. 0, -ENOMEM; HERR_RANGE past count_max. */
int targets__append(list_t *list, const void *item, size_t size, uint32_t count_max);

/* ---- numbers ---- */

static inline int ip_compare(ip_t a, ip_t b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

static inline ip_t ip_add(ip_t ip, uint64_t n)
{
    return (ip_t){ip.high + (ip.low + n < n), ip.low + n};
}

static inline ip_t ip_before(ip_t ip)
{
    return (ip_t){ip.high - (ip.low == 0), ip.low - 1};
}

/* How many addresses first..last are; UINT64_MAX for more than that. */
static inline uint64_t ip_span(ip_t first, ip_t last)
{
    uint64_t low = last.low - first.low;
    uint64_t high = last.high - first.high - (last.low < first.low);

    return high != 0 || low == UINT64_MAX ? UINT64_MAX : low + 1;
}

/* Sets *first and *last to the ends of the network of bits that an address is in. */
void targets__network(ip_t ip, unsigned bits, unsigned family_bits, ip_t *first, ip_t *last);

/* The address of a socket address; false if it is of another family. */
bool targets__place(int family, const struct sockaddr *address, place_t *place);

bool octets_have(const octets_t *octets, ip_t ip);

/* How many values an octet may have; and the one with an index below that. */
unsigned octets_count(const octets_t *octets, unsigned octet);
unsigned octets_at(const octets_t *octets, unsigned octet, unsigned index);

#endif
