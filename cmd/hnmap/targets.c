#include "targets_int.h"

#include "base/hmem.h"

#include <arpa/inet.h>
#include <string.h>

#define LIST_ROOM_MIN 8

/* ---- lists ---- */

int targets__append(list_t *list, const void *item, size_t size, uint32_t count_max)
{
    if (list->count >= count_max)
        return HERR_RANGE;
    if (list->count == list->room) {
        uint32_t room = list->room == 0 ? LIST_ROOM_MIN : list->room * 2;
        void *grown = hmem_realloc(list->items, (size_t)room * size);

        if (grown == NULL)
            return -ENOMEM;
        list->items = grown;
        list->room = room;
    }
    memcpy((char *)list->items + (size_t)list->count * size, item, size);
    list->count++;
    return 0;
}

static word_t *words_of(const targets_t *targets)
{
    return targets->words.items;
}

static name_t *names_of(const targets_t *targets)
{
    return targets->names.items;
}

static const place_t *places_of(const targets_t *targets)
{
    return targets->places.items;
}

/* ---- words ---- */

static int add_word(targets_t *targets, word_kind_e kind, uint32_t value, uint64_t count)
{
    const word_t word = {count, value, (uint32_t)kind};
    int err;

    if (count > UINT64_MAX - targets->count)
        return HERR_RANGE;
    err = targets__append(&targets->words, &word, sizeof(word), TARGETS_WORDS_MAX);
    if (err == 0)
        targets->count += count;
    return err;
}

/* A range from first to last. A list of single addresses in order becomes one range. */
static int add_range(targets_t *targets, const place_t *first, ip_t last)
{
    uint64_t count = ip_span(first->ip, last);
    word_t *before = targets->words.count > 0 ? &words_of(targets)[targets->words.count - 1] : NULL;
    int err;

    if (targets->family == AF_INET6) {
        err = targets__append(&targets->places, first, sizeof(*first), UINT32_MAX);
        if (err == 0 &&
            (err = add_word(targets, WORD_RANGE, targets->places.count - 1, count)) != 0)
            targets->places.count--;
        return err;
    }
    if (before != NULL && before->kind == WORD_RANGE &&
        before->value + before->start == first->ip.low && count <= UINT64_MAX - targets->count) {
        before->start += count;
        targets->count += count;
        return 0;
    }
    return add_word(targets, WORD_RANGE, (uint32_t)first->ip.low, count);
}

/* How many addresses the bits behind a name stand for. */
static uint64_t name_span(const targets_t *targets, const name_t *name)
{
    unsigned hosts = targets->family_bits - name->bits;

    return hosts >= 64 ? UINT64_MAX : UINT64_C(1) << hosts;
}

int targets__add_name(targets_t *targets, const char *word, const parsed_t *parsed,
                      bool is_excluded)
{
    name_t name = {.text = (uint32_t)targets->texts.len,
                   .word = targets->words.count,
                   .bits = (uint8_t)parsed->bits,
                   .is_excluded = is_excluded};
    int err;

    if (targets->texts.len > TARGETS_TEXT_MAX - TARGETS_WORD_MAX)
        return HERR_RANGE;
    if (!parsed->name_is_known)
        err = 0;
    else
        err = targets__append(&targets->places, &parsed->first, sizeof(parsed->first), UINT32_MAX);
    if (parsed->name_is_known && err == 0) {
        name.first = targets->places.count - 1;
        name.count = 1;
        name.is_resolved = true;
    }
    if (err == 0)
        err = hbytes_append(&targets->texts, word, parsed->name_len);
    if (err == 0)
        err = hbytes_append_char(&targets->texts, '\0');
    if (err == 0)
        err = targets__append(&targets->names, &name, sizeof(name), TARGETS_WORDS_MAX);
    if (err != 0)
        return err;
    if (!is_excluded)
        err = add_word(targets, WORD_NAME, targets->names.count - 1,
                       name.is_resolved ? name_span(targets, &name) : 0);
    if (err != 0)
        targets->names.count--;
    return err;
}

static int add_sets(targets_t *targets, const octets_t *octets)
{
    uint64_t count = 1;
    int err = targets__append(&targets->sets, octets, sizeof(*octets), TARGETS_SETS_MAX);

    for (unsigned octet = 0; octet < 4; octet++)
        count *= octets_count(octets, octet);
    if (err == 0 && (err = add_word(targets, WORD_SETS, targets->sets.count - 1, count)) != 0)
        targets->sets.count--;
    return err;
}

/* Whether a word that was read stands for what can be scanned. */
static int check_word(targets_t *targets, const char *word, size_t len, const parsed_t *parsed)
{
    ip_t last = parsed->last, first = parsed->first.ip;

    if (parsed->family != targets->family)
        return targets__fail(targets, HERR_SYNTAX, word, len,
                             targets->family == AF_INET
                                 ? "an IPv6 address; -6 scans these"
                                 : "an IPv4 address, and -6 scans IPv6 addresses only");
    if (targets->family == AF_INET)
        return 0;
    if (parsed->kind == WORD_NAME ? parsed->bits < TARGETS_IPV6_BITS_MIN : first.high != last.high)
        return targets__fail(targets, HERR_RANGE, word, len,
                             "more than 2^64 addresses; an IPv6 network is scanned from /%d on",
                             TARGETS_IPV6_BITS_MIN);
    return 0;
}

int targets__add(targets_t *targets, const char *word, size_t len)
{
    parsed_t parsed;
    int err = targets__parse(targets, word, len, &parsed);

    if (err == 0)
        err = check_word(targets, word, len, &parsed);
    if (err != 0)
        return err;
    if (parsed.kind == WORD_NAME)
        err = targets__add_name(targets, word, &parsed, false);
    else if (parsed.kind == WORD_SETS)
        err = add_sets(targets, &parsed.octets);
    else
        err = add_range(targets, &parsed.first, parsed.last);
    if (err == HERR_RANGE)
        targets__fail(targets, err, word, len,
                      targets->words.count >= TARGETS_WORDS_MAX
                          ? "more words than can be kept"
                          : "with it there are 2^64 addresses or more");
    return err;
}

/* ---- public: words ---- */

targets_t *targets_new(int family)
{
    targets_t *targets = hmem_zalloc(sizeof(*targets));

    if (targets == NULL)
        return NULL;
    targets->family = family;
    targets->family_bits = family == AF_INET6 ? 128 : 32;
    hbytes_init(&targets->texts, TARGETS_TEXT_MAX);
    return targets;
}

void targets_free(targets_t *targets)
{
    if (targets == NULL)
        return;
    hmem_free(targets->words.items);
    hmem_free(targets->places.items);
    hmem_free(targets->sets.items);
    hmem_free(targets->names.items);
    hmem_free(targets->excluded.items);
    hmem_free(targets->excluded_sets.items);
    hmem_free(targets->firsts.items);
    hmem_free(targets->set_starts.items);
    hbytes_deinit(&targets->texts);
    hmem_free(targets);
}

int targets_add(targets_t *targets, const char *word)
{
    targets->error[0] = '\0';
    return targets__add(targets, word, strlen(word));
}

const char *targets_error(const targets_t *targets)
{
    return targets->error;
}

/* ---- public: names ---- */

bool targets_unresolved(const targets_t *targets, size_t *name)
{
    while (*name < targets->names.count && names_of(targets)[*name].is_resolved)
        ++*name;
    return *name < targets->names.count;
}

const char *targets_name(const targets_t *targets, size_t name)
{
    return targets->texts.data + names_of(targets)[name].text;
}

bool targets_name_is_excluded(const targets_t *targets, size_t name)
{
    return names_of(targets)[name].is_excluded;
}

static int take_place(targets_t *targets, name_t *name, const place_t *place)
{
    uint64_t span = name_span(targets, name);
    int err;

    if (name->is_excluded) {
        err = targets__exclude_place(targets, place, name->bits);
    } else {
        if (span > UINT64_MAX - targets->count)
            return HERR_RANGE;
        err = targets__append(&targets->places, place, sizeof(*place), UINT32_MAX);
    }
    if (err != 0)
        return err;
    if (!name->is_excluded) {
        words_of(targets)[name->word].start += span;
        targets->count += span;
    }
    name->count++;
    return 0;
}

int targets_resolved(targets_t *targets, size_t name, const haddr_t *addresses, size_t count)
{
    name_t *given = &names_of(targets)[name];
    int err = 0;

    targets->error[0] = '\0';
    if (given->is_resolved)
        return (int)given->count;
    given->first = targets->places.count;
    for (size_t i = 0; i < count && err == 0; i++) {
        place_t place;

        if (targets__place(targets->family, &addresses[i].u.sa, &place))
            err = take_place(targets, given, &place);
    }
    given->is_resolved = given->count > 0;
    if (err == HERR_RANGE)
        targets__fail(targets, err, targets_name(targets, name),
                      strlen(targets_name(targets, name)),
                      "with it there are 2^64 addresses or more");
    return err != 0 ? err : (int)given->count;
}

/* ---- public: addresses ---- */

/* What of a range is not left out, range by range. */
static int cut_range(targets_t *out, const targets_t *targets, const place_t *place, uint64_t count)
{
    const range_t *excluded = targets->excluded.items;
    uint32_t at = targets__excluded_from(targets, place->ip);
    ip_t last = ip_add(place->ip, count - 1);
    place_t from = *place;
    int err = 0;

    for (; err == 0 && at < targets->excluded.count; at++) {
        if (ip_compare(excluded[at].first, last) > 0)
            break;
        if (ip_compare(from.ip, excluded[at].first) < 0)
            err = add_range(out, &from, ip_before(excluded[at].first));
        if (ip_compare(excluded[at].last, last) >= 0)
            return err;
        from.ip = ip_add(excluded[at].last, 1);
    }
    return err != 0 ? err : add_range(out, &from, last);
}

/* The words anew, without what is left out. Places are appended to: names keep theirs. */
static int cut_words(targets_t *targets)
{
    targets_t out = {.family = targets->family, .places = targets->places};
    int err = 0;

    for (uint32_t i = 0; i < targets->words.count && err == 0; i++) {
        const word_t *word = &words_of(targets)[i];
        place_t place = {.ip = {0, word->value}};

        if (word->kind != WORD_RANGE) {
            err = add_word(&out, (word_kind_e)word->kind, word->value, word->start);
            continue;
        }
        if (targets->family == AF_INET6)
            place = ((const place_t *)out.places.items)[word->value];
        err = cut_range(&out, targets, &place, word->start);
    }
    targets->places = out.places;
    if (err != 0) {
        hmem_free(out.words.items);
        return err;
    }
    hmem_free(targets->words.items);
    targets->words = out.words;
    targets->count = out.count;
    return 0;
}

int targets_ready(targets_t *targets)
{
    uint64_t start = 0;
    int err = 0;

    targets->error[0] = '\0';
    targets__sort_excluded(targets);
    if (targets->excluded.count > 0)
        err = cut_words(targets);
    if (err == HERR_RANGE)
        targets__fail(targets, err, "--exclude", strlen("--exclude"),
                      "it cuts the targets into more pieces than can be kept");
    if (err != 0)
        return err;
    for (uint32_t i = 0; i < targets->words.count; i++) {
        uint64_t count = words_of(targets)[i].start;

        words_of(targets)[i].start = start;
        start += count;
    }
    return 0;
}

uint64_t targets_count(const targets_t *targets)
{
    return targets->count;
}

/* The word that an index lies in: the last one that begins at it or in front of it. */
static const word_t *find_word(const targets_t *targets, uint64_t index)
{
    const word_t *words = words_of(targets);
    uint32_t low = 0, high = targets->words.count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (words[middle].start <= index)
            low = middle;
        else
            high = middle;
    }
    return &words[low];
}

static ip_t set_at(const octets_t *octets, uint64_t offset)
{
    ip_t ip = {0, 0};

    for (unsigned octet = 4; octet-- > 0;) {
        unsigned count = octets_count(octets, octet);

        ip.low |= (uint64_t)octets_at(octets, octet, (unsigned)(offset % count))
                  << (24 - 8 * octet);
        offset /= count;
    }
    return ip;
}

/* Of a name; *is_itself: it is the address that the name resolved to. */
static place_t name_at(const targets_t *targets, const name_t *name, uint64_t offset,
                       bool *is_itself)
{
    uint64_t span = name_span(targets, name);
    const place_t *resolved = &places_of(targets)[name->first + offset / span];
    place_t place = *resolved;
    ip_t last;

    targets__network(resolved->ip, name->bits, targets->family_bits, &place.ip, &last);
    place.ip = ip_add(place.ip, offset % span);
    *is_itself = ip_compare(place.ip, resolved->ip) == 0;
    return place;
}

static void set_address(haddr_t *address, int family, const place_t *place)
{
    if (family == AF_INET) {
        address->len = sizeof(address->u.sin);
        address->u.sin = (struct sockaddr_in){.sin_family = AF_INET};
        address->u.sin.sin_addr.s_addr = htonl((uint32_t)place->ip.low);
        return;
    }
    address->len = sizeof(address->u.sin6);
    address->u.sin6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_scope_id = place->zone};
    for (unsigned i = 0; i < 8; i++) {
        address->u.sin6.sin6_addr.s6_addr[i] = (uint8_t)(place->ip.high >> (56 - 8 * i));
        address->u.sin6.sin6_addr.s6_addr[i + 8] = (uint8_t)(place->ip.low >> (56 - 8 * i));
    }
}

bool targets_at(const targets_t *targets, uint64_t index, target_t *target)
{
    const word_t *word = find_word(targets, index);
    uint64_t offset = index - word->start, start = word->start;
    place_t place = {.ip = {0, word->value}};
    bool is_itself = false;

    target->name = NULL;
    switch ((word_kind_e)word->kind) {
    case WORD_RANGE:
        if (targets->family == AF_INET6)
            place = places_of(targets)[word->value];
        place.ip = ip_add(place.ip, offset);
        break;
    case WORD_SETS:
        place.ip = set_at(&((const octets_t *)targets->sets.items)[word->value], offset);
        break;
    case WORD_NAME:
        place = name_at(targets, &names_of(targets)[word->value], offset, &is_itself);
        start += offset - offset % name_span(targets, &names_of(targets)[word->value]);
        break;
    }
    if (is_itself)
        target->name = targets_name(targets, word->value);
    set_address(&target->address, targets->family, &place);
    if (targets->is_unique && targets__was_before(targets, &place, start))
        return false;
    /* ranges were cut; lists of octets that are left out are not in order, and never were */
    return (word->kind == WORD_RANGE && targets->excluded_sets.count == 0) ||
           !targets__is_excluded(targets, place.ip);
}

/* ---- public: a walk ---- */

void targets_walk(targets_cursor_t *cursor, const targets_t *targets, uint64_t part, uint64_t parts,
                  const uint64_t *seed)
{
    *cursor = (targets_cursor_t){.targets = targets, .part = part, .parts = parts};
    if (part < targets->count)
        cursor->count = (targets->count - part - 1) / parts + 1;
    cursor->shuffled = seed != NULL;
    hpermute_init(&cursor->order, cursor->count, seed != NULL ? *seed : 0);
}

bool targets_next(targets_cursor_t *cursor, target_t *target)
{
    while (cursor->position < cursor->count) {
        uint64_t i = cursor->position++;

        if (cursor->shuffled)
            i = hpermute_at(&cursor->order, i);
        if (targets_at(cursor->targets, cursor->part + i * cursor->parts, target))
            return true;
    }
    return false;
}
