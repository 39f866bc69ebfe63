/* The lines of the file, and its probes. */
#include "service_file_int.h"

#include "base/herr.h"
#include "base/hfile.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RARITY 5

/* ---- for all lines --------------------------------------------------------------------------- */

int service_file__fail(const file_reader_t *r, int err, const char *format, ...)
{
    va_list args;
    int len = snprintf(r->error, r->error_size, "%s:%u: ", r->name, r->line);

    if (len > 0 && (size_t)len < r->error_size) {
        va_start(args, format);
        vsnprintf(r->error + len, r->error_size - (size_t)len, format, args);
        va_end(args);
    }
    return err;
}

static int no_memory(const file_reader_t *r)
{
    return service_file__fail(r, -ENOMEM, "%s", herr_str(-ENOMEM));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

char *service_file__word(char **at)
{
    char *word = *at + strspn(*at, " \t"), *end = word + strcspn(word, " \t");

    *at = end + strspn(end, " \t");
    *end = '\0';
    return word;
}

char *service_file__quoted(char **at)
{
    char *begin = *at, *end = begin[0] ? strchr(begin + 1, begin[0]) : NULL;

    if (end == NULL)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return begin + 1;
}

void *service_file__add(void *items, size_t *count, size_t max, size_t size, int *err)
{
    char *bytes = items;

    *err = *count == max ? HERR_RANGE : 0;
    if (*count == max)
        return NULL;
    if ((*count & (*count - 1)) == 0) { /* room is doubled */
        bytes = hmem_realloc(items, (*count ? *count * 2 : 1) * size);
        if (bytes == NULL) {
            *err = -ENOMEM;
            return NULL;
        }
    }
    memset(bytes + *count * size, 0, size);
    ++*count;
    return bytes;
}

static file_entry_t *entry_of(const file_reader_t *r)
{
    return r->file->entry_count > 0 ? &r->file->entries[r->file->entry_count - 1] : NULL;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static int add_range(file_reader_t *r, uint64_t first, uint64_t last, uint8_t protocol)
{
    service_file_t *f = r->file;
    int err;
    file_range_t *all =
        service_file__add(f->ranges, &f->range_count, SERVICE_FILE_RANGES_MAX, sizeof(*all), &err);

    if (err == -ENOMEM)
        return no_memory(r);
    if (all == NULL)
        return service_file__fail(r, err, "more than %d ports and ranges in the file",
                                  SERVICE_FILE_RANGES_MAX);
    f->ranges = all;
    all[f->range_count - 1] = (file_range_t){(uint16_t)first, (uint16_t)last, protocol};
    return 0;
}

/* "80", "80-90": protocol 0 is of both. */
static int read_range(file_reader_t *r, char *item, uint8_t protocol)
{
    char *dash = strchr(item, '-');
    uint64_t first, last;

    if (dash)
        *dash = '\0';
    if (hstr_parse_u64(item, 0, 65535, &first) < 0 ||
        hstr_parse_u64(dash ? dash + 1 : item, first, 65535, &last) < 0) {
        if (dash)
            *dash = '-';
        return service_file__fail(r, HERR_SYNTAX, "'%s' is no port and no range of ports", item);
    }
    return add_range(r, first, last, protocol);
}

/* "22,80-90"; with "T:" and "U:" where a line is not of one protocol. */
static int read_ports(file_reader_t *r, char *list, uint8_t protocol, bool has_protocols)
{
    int err = list[0] ? 0 : service_file__fail(r, HERR_SYNTAX, "no ports");

    while (err == 0 && list) {
        char *item = strsep(&list, ",");

        item += strspn(item, " \t");
        item[strcspn(item, " \t")] = '\0';
        if (has_protocols && (item[0] == 'T' || item[0] == 'U') && item[1] == ':') {
            protocol = item[0] == 'T' ? IPPROTO_TCP : IPPROTO_UDP;
            item += 2;
        }
        err = read_range(r, item, protocol);
    }
    return err;
}

/* ---- directives ------------------------------------------------------------------------------ */

static int exclude(file_reader_t *r, char *at)
{
    service_file_t *f = r->file;
    int err;

    if (entry_of(r))
        return service_file__fail(r, HERR_SYNTAX, "Exclude stands in front of the first Probe");
    if (f->has_excluded)
        return service_file__fail(r, HERR_SYNTAX, "Exclude is there a second time");
    f->has_excluded = true;
    f->excluded.at = f->range_count;
    err = read_ports(r, at, 0, true);
    f->excluded.count = f->range_count - f->excluded.at;
    return err;
}

/* The bytes of a probe, in place: \0 \a \b \f \n \r \t \v \\ and \xHH; another character behind a
 * backslash stands for itself. */
static bool unescape(char *text, size_t *len)
{
    static const char letters[] = "0abfnrtv", bytes[] = "\0\a\b\f\n\r\t\v";
    char *to = text;

    for (const char *at = text; *at; at++) {
        const char *letter;

        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        at++;
        if (*at == '\0')
            return false;
        letter = strchr(letters, *at);
        if (*at == 'x') {
            int high = hstr_hex_digit(at[1]), low = high < 0 ? -1 : hstr_hex_digit(at[2]);

            if (low < 0)
                return false;
            *to++ = (char)(high << 4 | low);
            at += 2;
        } else {
            *to++ = letter ? bytes[letter - letters] : *at;
        }
    }
    *len = (size_t)(to - text);
    return true;
}

/* TCP NAME q|BYTES| */
static int begin_probe(file_reader_t *r, char *at)
{
    service_file_t *f = r->file;
    const char *protocol = service_file__word(&at), *name = service_file__word(&at);
    bool is_tcp = strcmp(protocol, "TCP") == 0;
    file_entry_t *all;
    char *data;
    size_t len;
    int err;

    if (!is_tcp && strcmp(protocol, "UDP") != 0)
        return service_file__fail(r, HERR_SYNTAX, "'%s' is neither TCP nor UDP", protocol);
    if (name[0] == '\0')
        return service_file__fail(r, HERR_SYNTAX, "the probe has no name");
    if (*at++ != 'q' || (data = service_file__quoted(&at)) == NULL)
        return service_file__fail(r, HERR_SYNTAX, "what probe %s says is missing: q|...|", name);
    if (!unescape(data, &len))
        return service_file__fail(r, HERR_SYNTAX, "a backslash with nothing that it could mean");
    at += strspn(at, " \t");
    if (*at && strcmp(at, "no-payload") != 0)
        return service_file__fail(r, HERR_SYNTAX, "'%.40s' behind the probe", at);
    for (size_t i = 0; i < f->entry_count; i++)
        if (strcmp(f->entries[i].probe.name, name) == 0 &&
            (f->entries[i].probe.protocol == IPPROTO_TCP) == is_tcp)
            return service_file__fail(r, HERR_SYNTAX, "probe %s is there a second time", name);
    all =
        service_file__add(f->entries, &f->entry_count, SERVICE_FILE_PROBES_MAX, sizeof(*all), &err);
    if (all == NULL)
        return err == -ENOMEM
                   ? no_memory(r)
                   : service_file__fail(r, err, "more than %d probes", SERVICE_FILE_PROBES_MAX);
    f->entries = all;
    all += f->entry_count - 1;
    all->line = r->line;
    all->ports.at = f->range_count;
    all->matches.at = f->match_count;
    all->probe = (file_probe_t){.name = name,
                                .protocol = is_tcp ? IPPROTO_TCP : IPPROTO_UDP,
                                .rarity = RARITY,
                                .data = data,
                                .len = len};
    if (is_tcp && len == 0 && f->listener == SERVICE_FILE_LISTENER)
        f->listener = f->entry_count - 1;
    return 0;
}

static int read_ports_of(file_reader_t *r, file_entry_t *entry, char *at)
{
    int err = read_ports(r, at, entry->probe.protocol, false);

    /* Those of ports and of sslports stand together: no other line of ports comes between. */
    entry->ports.count = r->file->range_count - entry->ports.at;
    return err;
}

static int read_number(file_reader_t *r, const char *at, uint64_t min, uint64_t max,
                       uint32_t *value)
{
    uint64_t number;

    if (hstr_parse_u64(at, min, max, &number) < 0)
        return service_file__fail(r, HERR_SYNTAX, "'%.40s' is no number from %u to %u", at,
                                  (unsigned)min, (unsigned)max);
    *value = (uint32_t)number;
    return 0;
}

/* What belongs to the probe above. */
static int read_of_probe(file_reader_t *r, const char *word, char *at)
{
    static const char *const words[] = {"ports",        "sslports", "totalwaitms",
                                        "tcpwrappedms", "rarity",   "fallback"};
    file_entry_t *entry = entry_of(r);
    unsigned kind = 0;

    while (kind < 6 && strcmp(words[kind], word) != 0)
        kind++;
    if (kind == 6)
        return service_file__fail(r, HERR_SYNTAX, "'%.40s' begins no line of such a file", word);
    if (entry == NULL)
        return service_file__fail(r, HERR_SYNTAX, "'%s' in front of the first Probe", word);
    if (entry->told & 1u << kind)
        return service_file__fail(r, HERR_SYNTAX, "'%s' is there a second time for probe %s", word,
                                  entry->probe.name);
    entry->told |= 1u << kind;
    if (kind <= 1)
        return read_ports_of(r, entry, at);
    if (kind == 2)
        return read_number(r, at, 1, SERVICE_FILE_WAIT_MAX_MS, &entry->probe.wait_ms);
    if (kind == 3)
        return read_number(r, at, 1, SERVICE_FILE_WAIT_MAX_MS, &entry->probe.wrapped_ms);
    if (kind == 4)
        return read_number(r, at, 1, SERVICE_INTENSITY_MAX, &entry->probe.rarity);
    entry->fallback_names = at;
    return 0;
}

static int read_line(file_reader_t *r, char *at)
{
    size_t len = strlen(at);
    const char *word;

    while (len > 0 && (is_blank(at[len - 1]) || at[len - 1] == '\r'))
        at[--len] = '\0';
    at += strspn(at, " \t");
    if (*at == '\0' || *at == '#')
        return 0;
    word = service_file__word(&at);
    if (strcmp(word, "Exclude") == 0)
        return exclude(r, at);
    if (strcmp(word, "Probe") == 0)
        return begin_probe(r, at);
    if (strcmp(word, "match") == 0 || strcmp(word, "softmatch") == 0)
        return service_file__read_match(r, at, word[0] == 's');
    return read_of_probe(r, word, at);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Of this protocol, or else of the other one. */
static int find_probe(const service_file_t *f, const char *name, uint8_t protocol)
{
    int other = -1;

    for (size_t i = 0; i < f->entry_count; i++) {
        if (strcmp(f->entries[i].probe.name, name) != 0)
            continue;
        if (f->entries[i].probe.protocol == protocol)
            return (int)i;
        other = (int)i;
    }
    return other;
}

/* A probe may name one that comes later. */
static int find_fallbacks(file_reader_t *r, file_entry_t *entry)
{
    char *names = entry->fallback_names;

    r->line = entry->line;
    while (names) {
        char *name = strsep(&names, ",");
        int number;

        name += strspn(name, " \t");
        name[strcspn(name, " \t")] = '\0';
        number = find_probe(r->file, name, entry->probe.protocol);
        if (number < 0)
            return service_file__fail(r, HERR_SYNTAX,
                                      "the fallback of probe %s, '%.40s', is no probe",
                                      entry->probe.name, name);
        if (entry->fallback_count == SERVICE_FILE_FALLBACKS_MAX)
            return service_file__fail(r, HERR_RANGE, "more than %d fallbacks of probe %s",
                                      SERVICE_FILE_FALLBACKS_MAX, entry->probe.name);
        entry->fallbacks[entry->fallback_count++] = (uint16_t)number;
    }
    return 0;
}

static int read_all(file_reader_t *r, char *text)
{
    int err = 0;

    while (err == 0 && text) {
        r->line++;
        err = read_line(r, strsep(&text, "\n"));
    }
    for (size_t i = 0; i < r->file->entry_count && err == 0; i++)
        err = find_fallbacks(r, &r->file->entries[i]);
    if (err == 0 && r->file->entry_count == 0)
        err = service_file__fail(r, HERR_SYNTAX, "no Probe in the file");
    return err;
}

static int read_text(file_reader_t *r, const char *text, size_t len)
{
    int err = patterns_new(&r->file->patterns);

    if (err == HERR_UNSUPPORTED)
        snprintf(r->error, r->error_size, "%s: its patterns need the library PCRE2 (libpcre2-8)",
                 r->name);
    else if (err < 0)
        no_memory(r);
    if (err < 0)
        return err;
    if (len > 0 && memchr(text, '\0', len)) {
        snprintf(r->error, r->error_size, "%s: a NUL byte: this is no text", r->name);
        return HERR_SYNTAX;
    }
    r->file->text = hmem_strndup(text, len);
    return r->file->text ? read_all(r, r->file->text) : no_memory(r);
}

int service_file_parse(const char *text, size_t len, const char *name, service_file_t **file,
                       char *error, size_t error_size)
{
    file_reader_t r = {.name = name, .error = error, .error_size = error_size};
    int err;

    r.file = hmem_zalloc(sizeof(*r.file));
    if (r.file == NULL)
        return no_memory(&r);
    r.file->listener = SERVICE_FILE_LISTENER;
    err = read_text(&r, text, len);
    if (err < 0) {
        service_file_free(r.file);
        return err;
    }
    *file = r.file;
    return 0;
}

int service_file_load(const char *path, service_file_t **file, char *error, size_t error_size)
{
    hbytes_t text = {0};
    int err = hfile_read(path, SERVICE_FILE_SIZE_MAX, &text);

    if (err < 0)
        snprintf(error, error_size, "%s: %s", path,
                 err == -EINVAL ? "it is no plain file" : herr_str(err));
    else
        err =
            service_file_parse(text.data ? text.data : "", text.len, path, file, error, error_size);
    hbytes_deinit(&text);
    return err;
}

void service_file_free(service_file_t *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->match_count; i++)
        pattern_free(file->matches[i].pattern);
    patterns_free(file->patterns);
    hmem_free(file->entries);
    hmem_free(file->matches);
    hmem_free(file->ranges);
    hmem_free(file->text);
    hmem_free(file);
}

/* ---- what is asked of it --------------------------------------------------------------------- */

size_t service_file_count(const service_file_t *file)
{
    return file->entry_count;
}

const file_probe_t *service_file_probe(const service_file_t *file, size_t number)
{
    return &file->entries[number].probe;
}

const file_probe_t *service_file_listener(const service_file_t *file)
{
    return file->listener == SERVICE_FILE_LISTENER ? NULL : &file->entries[file->listener].probe;
}

static bool has_port(const service_file_t *file, file_span_t span, uint8_t protocol, uint16_t port)
{
    for (size_t i = 0; i < span.count; i++) {
        const file_range_t *range = &file->ranges[span.at + i];

        if (port >= range->first && port <= range->last &&
            (range->protocol == 0 || range->protocol == protocol))
            return true;
    }
    return false;
}

bool service_file_excludes(const service_file_t *file, uint8_t protocol, uint16_t port)
{
    return has_port(file, file->excluded, protocol, port);
}

size_t service_file_probes_for(const service_file_t *file, uint8_t protocol, uint16_t port,
                               unsigned intensity, uint16_t *order, size_t *likely)
{
    size_t count = 0;

    for (unsigned rarity = 0; rarity <= intensity; rarity++) {
        for (size_t i = 0; i < file->entry_count; i++) {
            const file_entry_t *entry = &file->entries[i];
            bool is_of_port = has_port(file, entry->ports, protocol, port);

            if (entry->probe.protocol != protocol || i == file->listener)
                continue;
            if (rarity == 0 ? is_of_port : !is_of_port && entry->probe.rarity == rarity)
                order[count++] = (uint16_t)i;
        }
        if (rarity <= 1)
            *likely = count;
    }
    return count;
}
