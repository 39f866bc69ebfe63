/* Blocks are ranges of keys, sorted and merged, so that a look-up is one binary search whatever the
 * number of rules; IPv4 patterns that are no block are compared one by one. */
#include "haccess.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "hresolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 17 /* the family, so that :: /0 does not cover IPv4, and the address */
#define IPV4_BITS 32
#define IPV6_BITS 128
#define OCTET_WORDS 4 /* of 64 bits: a bit for each value of an octet */
#define BLOCKS_FIRST 16

typedef struct block_s {
    uint8_t first[KEY_LEN], last[KEY_LEN];
} block_t;

/* Which values each octet of an IPv4 address may have. */
typedef struct pattern_s {
    uint64_t octets[4][OCTET_WORDS];
} pattern_t;

typedef struct rules_s {
    bool given; /* a list that is empty is one, too */
    block_t *blocks;
    pattern_t *patterns;
    size_t block_count, block_cap;
    size_t pattern_count, pattern_cap;
} rules_t;

struct haccess_s {
    rules_t rules[2]; /* by haccess_verdict_e */
};

/* Where errors are told. */
typedef struct report_s {
    char *text;
    size_t size;
} report_t;

static int fail(const report_t *report, int err, const char *why, const char *spec)
{
    char quoted[HACCESS_ERROR_SIZE / 2];

    hstr_escape(quoted, sizeof(quoted), spec, strlen(spec));
    if (report->text)
        snprintf(report->text, report->size, "%s: \"%s\"", why, quoted);
    return err;
}

int haccess_new(haccess_t **access)
{
    *access = hmem_zalloc(sizeof(**access));
    return *access ? 0 : -ENOMEM;
}

void haccess_free(haccess_t *access)
{
    if (!access)
        return;
    for (int i = 0; i < 2; i++) {
        hmem_free(access->rules[i].blocks);
        hmem_free(access->rules[i].patterns);
    }
    hmem_free(access);
}

size_t haccess_count(const haccess_t *access)
{
    size_t n = 0;

    for (int i = 0; i < 2; i++)
        n += access->rules[i].block_count + access->rules[i].pattern_count;
    return n;
}

/* Room for one more of an array. 0, -ENOMEM. */
static int grow(void **array, size_t *cap, size_t count, size_t size)
{
    size_t more = *cap ? 2 * *cap : BLOCKS_FIRST;
    void *grown;

    if (count < *cap)
        return 0;
    grown = hmem_realloc(*array, more * size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *cap = more;
    return 0;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The key of an address, IPv4 for a mapped one; its number of bits, 0 for another family. */
static int make_key(const struct sockaddr *sa, uint8_t key[KEY_LEN])
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;

    memset(key, 0, KEY_LEN);
    if (sa->sa_family == AF_INET) {
        key[0] = 4;
        memcpy(key + 1, &sin->sin_addr, 4);
        return IPV4_BITS;
    }
    if (sa->sa_family != AF_INET6)
        return 0;
    if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
        key[0] = 4;
        memcpy(key + 1, sin6->sin6_addr.s6_addr + 12, 4);
        return IPV4_BITS;
    }
    key[0] = 6;
    memcpy(key + 1, &sin6->sin6_addr, 16);
    return IPV6_BITS;
}

/* From the first to the last key of the block of so many bits around this one. */
static void make_block(const uint8_t key[KEY_LEN], int bits, int all_bits, block_t *block)
{
    memcpy(block->first, key, KEY_LEN);
    memcpy(block->last, key, KEY_LEN);
    for (int bit = bits; bit < all_bits; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> (bit & 7));

        block->first[1 + bit / 8] &= (uint8_t)~mask;
        block->last[1 + bit / 8] |= mask;
    }
}

static int compare_blocks(const void *a, const void *b)
{
    return memcmp(((const block_t *)a)->first, ((const block_t *)b)->first, KEY_LEN);
}

/* Sorts, and makes one of those that overlap: then the last one that begins at or before a key is
 * the only one that can hold it. */
static void settle(rules_t *rules)
{
    size_t kept = 0;

    if (rules->block_count == 0)
        return;
    qsort(rules->blocks, rules->block_count, sizeof(block_t), compare_blocks);
    for (size_t i = 1; i < rules->block_count; i++) {
        block_t *top = &rules->blocks[kept], *next = &rules->blocks[i];

        if (memcmp(next->first, top->last, KEY_LEN) > 0)
            rules->blocks[++kept] = *next;
        else if (memcmp(next->last, top->last, KEY_LEN) > 0)
            memcpy(top->last, next->last, KEY_LEN);
    }
    rules->block_count = kept + 1;
}

/* ---- specifications -------------------------------------------------------------------------- */

/* Adding is one list, one text; what is common on the way down. */
typedef struct adder_s {
    haccess_t *access;
    rules_t *rules;
    report_t report;
} adder_t;

/* bits -1: all of them. */
static int add_block(adder_t *adder, const struct sockaddr *sa, int bits, const char *spec)
{
    rules_t *rules = adder->rules;
    uint8_t key[KEY_LEN];
    int all_bits = make_key(sa, key), err;

    if (haccess_count(adder->access) >= HACCESS_RULES_MAX)
        return fail(&adder->report, -ENOBUFS, "too many rules", spec);
    /* The bits of a mapped address count from the start of the IPv6 one. */
    if (bits >= 0 && sa->sa_family == AF_INET6 && all_bits == IPV4_BITS)
        bits = bits < IPV6_BITS - IPV4_BITS ? IPV4_BITS + 1 : bits - (IPV6_BITS - IPV4_BITS);
    if (bits > all_bits)
        return fail(&adder->report, HERR_RANGE, "bits of the block out of range", spec);
    err = grow((void **)&rules->blocks, &rules->block_cap, rules->block_count, sizeof(block_t));
    if (err < 0)
        return fail(&adder->report, err, herr_str(err), spec);
    make_block(key, bits < 0 ? all_bits : bits, all_bits, &rules->blocks[rules->block_count++]);
    return 0;
}

/* A number 0..255 at *text; `missing` if there is none; -1 out of range. */
static int octet_value(const char **text, int missing)
{
    int value = 0;

    if (**text < '0' || **text > '9')
        return missing;
    while (**text >= '0' && **text <= '9' && value <= 255)
        value = value * 10 + (*(*text)++ - '0');
    return value <= 255 ? value : -1;
}

/* "5", "1-9", "-9", "1-", "-", "*" and lists of them, up to a dot or the end. */
static bool parse_octet(const char **text, uint64_t octet[OCTET_WORDS])
{
    for (;; (*text)++) {
        int first, last;

        if (**text == '*') {
            first = 0;
            last = 255;
            (*text)++;
        } else {
            const char *begin = *text;

            first = last = octet_value(text, 0);
            if (**text == '-') {
                (*text)++;
                last = octet_value(text, 255);
            } else if (*text == begin) {
                return false;
            }
        }
        if (first < 0 || last < first)
            return false;
        for (int i = first; i <= last; i++)
            octet[i / 64] |= (uint64_t)1 << (i % 64);
        if (**text != ',')
            return true;
    }
}

static bool parse_pattern(const char *text, pattern_t *pattern)
{
    memset(pattern, 0, sizeof(*pattern));
    for (int i = 0; i < 4; i++) {
        if (!parse_octet(&text, pattern->octets[i]))
            return false;
        if (*text != (i < 3 ? '.' : '\0'))
            return false;
        text++;
    }
    return true;
}

/* Values that differ only in bits behind the block's are in it, too. */
static void widen_pattern(pattern_t *pattern, int bits)
{
    for (int i = 0; i < 4; i++) {
        int kept = bits - 8 * i < 0 ? 0 : bits - 8 * i > 8 ? 8 : bits - 8 * i;
        uint64_t wide[OCTET_WORDS] = {0};

        for (int value = 0; value < 256; value++) {
            int first = value >> (8 - kept) << (8 - kept);

            for (int same = first; same < first + (1 << (8 - kept)); same++) {
                if (pattern->octets[i][same / 64] >> (same % 64) & 1)
                    wide[value / 64] |= (uint64_t)1 << (value % 64);
            }
        }
        memcpy(pattern->octets[i], wide, sizeof(wide));
    }
}

static int add_pattern(adder_t *adder, const pattern_t *pattern, int bits, const char *spec)
{
    rules_t *rules = adder->rules;
    int err;

    if (bits > IPV4_BITS)
        return fail(&adder->report, HERR_RANGE, "bits of the block out of range", spec);
    if (haccess_count(adder->access) >= HACCESS_RULES_MAX)
        return fail(&adder->report, -ENOBUFS, "too many rules", spec);
    err = grow((void **)&rules->patterns, &rules->pattern_cap, rules->pattern_count,
               sizeof(pattern_t));
    if (err < 0)
        return fail(&adder->report, err, herr_str(err), spec);
    rules->patterns[rules->pattern_count] = *pattern;
    if (bits >= 0)
        widen_pattern(&rules->patterns[rules->pattern_count], bits);
    rules->pattern_count++;
    return 0;
}

static int add_name(adder_t *adder, const char *name, int bits, const char *spec)
{
    hresolve_t found = {0};
    int err = hresolve(name, 0, NULL, &found);

    if (err < 0) {
        fail(&adder->report, err, hresolve_error(&found, err), spec);
        return err;
    }
    for (size_t i = 0; err == 0 && i < found.count; i++)
        err = add_block(adder, &found.addrs[i].u.sa, bits, spec);
    hresolve_free(&found);
    return err;
}

/* One specification: numbers, a pattern or a name, and the bits behind a slash. */
static int add_spec(adder_t *adder, const char *spec)
{
    char host[HACCESS_TEXT_MAX], *slash;
    pattern_t pattern;
    uint64_t bits = 0;
    haddr_t addr;
    int err;

    if (hstr_copy(host, sizeof(host), spec) >= sizeof(host))
        return fail(&adder->report, HERR_SYNTAX, "rule too long", spec);
    slash = strchr(host, '/');
    if (slash) {
        *slash = '\0';
        err = hstr_parse_u64(slash + 1, 0, IPV6_BITS, &bits);
        if (err < 0)
            return fail(&adder->report, err, "bits of the block out of range", spec);
    }
    if (host[0] == '\0')
        return fail(&adder->report, HERR_SYNTAX, "no address", spec);
    if (haddr_parse(&addr, host, 0) == 0)
        return add_block(adder, &addr.u.sa, slash ? (int)bits : -1, spec);
    if (strspn(host, "0123456789.,-*") == strlen(host)) {
        if (!parse_pattern(host, &pattern))
            return fail(&adder->report, HERR_SYNTAX, "not an address", spec);
        return add_pattern(adder, &pattern, slash ? (int)bits : -1, spec);
    }
    return add_name(adder, host, slash ? (int)bits : -1, spec);
}

static adder_t adder_of(haccess_t *access, haccess_verdict_e verdict, char *error,
                        size_t error_size)
{
    access->rules[verdict].given = true;
    return (adder_t){access, &access->rules[verdict], {error, error_size}};
}

int haccess_add(haccess_t *access, haccess_verdict_e verdict, const char *text, char *error,
                size_t error_size)
{
    static const char separators[] = ", \t\r\n";
    adder_t adder = adder_of(access, verdict, error, error_size);
    char spec[HACCESS_TEXT_MAX];
    int err = 0;

    text += strspn(text, separators);
    if (*text == '\0')
        return fail(&adder.report, HERR_SYNTAX, "no address", text);
    while (err == 0 && *text) {
        size_t len = strcspn(text, separators);

        if (len >= sizeof(spec))
            return fail(&adder.report, HERR_SYNTAX, "rule too long", text);
        memcpy(spec, text, len);
        spec[len] = '\0';
        err = add_spec(&adder, spec);
        text += len + strspn(text + len, separators);
    }
    settle(adder.rules);
    return err;
}

/* The next word that is not in a comment: its length, 0 at the end, HERR_SYNTAX for one that is too
 * long. *line counts the line ends on the way. */
static int next_word(FILE *file, char *word, size_t size, unsigned *line)
{
    bool comment = false;
    size_t len = 0;
    int c;

    while ((c = fgetc(file)) != EOF) {
        bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';

        if (space && len > 0) {
            ungetc(c, file); /* so that the line is still this one */
            break;
        }
        *line += c == '\n';
        comment = c == '\n' ? false : comment || (c == '#' && len == 0);
        if (comment || space)
            continue;
        if (len + 1 >= size)
            return HERR_SYNTAX;
        word[len++] = (char)c;
    }
    word[len] = '\0';
    return (int)len;
}

static int add_words(const adder_t *adder, FILE *file, const char *path)
{
    char word[HACCESS_TEXT_MAX] = "", why[HACCESS_ERROR_SIZE] = "rule too long";
    const report_t *report = &adder->report;
    adder_t inner = {adder->access, adder->rules, {why, sizeof(why)}};
    unsigned line = 1;
    int got;

    while ((got = next_word(file, word, sizeof(word), &line)) > 0) {
        got = ftell(file) > (long)HACCESS_FILE_MAX ? -EFBIG : add_spec(&inner, word);
        if (got < 0)
            break;
    }
    if (got == 0 && ferror(file))
        got = -EIO;
    if (got == -EFBIG || got == -EIO)
        hstr_copy(why, sizeof(why), herr_str(got));
    if (got < 0 && report->text)
        snprintf(report->text, report->size, "%s:%u: %s", path, line, why);
    return got;
}

int haccess_add_file(haccess_t *access, haccess_verdict_e verdict, const char *path, char *error,
                     size_t error_size)
{
    adder_t adder = adder_of(access, verdict, error, error_size);
    FILE *file = fopen(path, "re");
    int err;

    if (!file) {
        err = -errno;
        if (error)
            snprintf(error, error_size, "%s: %s", path, herr_str(err));
        return err;
    }
    err = add_words(&adder, file, path);
    fclose(file);
    settle(adder.rules);
    return err;
}

/* ---- looking up ------------------------------------------------------------------------------ */

static bool in_blocks(const rules_t *rules, const uint8_t key[KEY_LEN])
{
    size_t low = 0, high = rules->block_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(rules->blocks[middle].first, key, KEY_LEN) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && memcmp(key, rules->blocks[low - 1].last, KEY_LEN) <= 0;
}

static bool matches(const pattern_t *pattern, const uint8_t ip[4])
{
    for (int i = 0; i < 4; i++) {
        if (!(pattern->octets[i][ip[i] / 64] >> (ip[i] % 64) & 1))
            return false;
    }
    return true;
}

static bool covers(const rules_t *rules, const uint8_t key[KEY_LEN])
{
    if (in_blocks(rules, key))
        return true;
    for (size_t i = 0; key[0] == 4 && i < rules->pattern_count; i++) {
        if (matches(&rules->patterns[i], key + 1))
            return true;
    }
    return false;
}

bool haccess_check(const haccess_t *access, const struct sockaddr *peer)
{
    uint8_t key[KEY_LEN];

    if (!access || !peer || make_key(peer, key) == 0)
        return true;
    if (covers(&access->rules[HACCESS_DENY], key))
        return false;
    return !access->rules[HACCESS_ALLOW].given || covers(&access->rules[HACCESS_ALLOW], key);
}
