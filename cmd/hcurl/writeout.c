/* The text is read once from the left; what it comes to is collected, and written when it goes
 * elsewhere from there on, and at the end. */
#include "writeout.h"

#include "base/hfile.h"
#include "report.h"
#include "writeout_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADER_NAME_MAX 255
#define OUT_MAX ((size_t)64 << 20) /* between two places to write to */

typedef enum place_e { PLACE_STDOUT, PLACE_STDERR, PLACE_FILE } place_e;

typedef struct writer_s {
    const writeout_facts_t *facts;
    outlet_t *outlet;
    place_e place;
    int fd; /* of PLACE_FILE */
    hbytes_t out;
    int error; /* the first of writing */
    bool over; /* nothing more is printed */
} writer_t;

/* ---- where it goes --------------------------------------------------------------------------- */

static void flush(writer_t *w)
{
    int err;

    if (w->place == PLACE_STDOUT)
        err = outlet_write(w->outlet, w->out.data, w->out.len);
    else
        err = hfile_write_all(w->place == PLACE_FILE ? w->fd : STDERR_FILENO, w->out.data,
                              w->out.len);
    if (w->error == 0)
        w->error = err;
    hbytes_clear(&w->out);
}

static void go_to(writer_t *w, place_e place, int fd)
{
    flush(w);
    if (w->place == PLACE_FILE)
        close(w->fd);
    w->place = place;
    w->fd = fd;
}

static void put(writer_t *w, const char *text, size_t len)
{
    int err = hbytes_append(&w->out, text, len);

    if (w->error == 0)
        w->error = err;
}

/* ---- %header{...} ---------------------------------------------------------------------------- */

static void put_separator(writer_t *w, const char *text, size_t len)
{
    static const char letters[] = "rnt}", bytes[] = "\r\n\t}";

    for (size_t i = 0; i < len; i++) {
        const char *letter = NULL;

        if (text[i] == '\\' && i + 1 < len)
            letter = strchr(letters, text[i + 1]);
        if (letter) {
            put(w, &bytes[letter - letters], 1);
            i++;
        } else {
            put(w, text + i, 1);
        }
    }
}

/* "name" of the last response, or "name:all:separator" of all of them. */
static void put_header(writer_t *w, const char *text, size_t len)
{
    static const char all[] = ":all:";
    const char *rest = memmem(text, len, all, sizeof(all) - 1);
    const char *separator = rest ? rest + sizeof(all) - 1 : NULL;
    size_t name_len = rest ? (size_t)(rest - text) : len, index = 0;
    char name[HEADER_NAME_MAX + 1];
    header_t header;

    if (name_len > HEADER_NAME_MAX)
        return;
    memcpy(name, text, name_len);
    name[name_len] = '\0';
    for (bool first = true; headers_find(w->facts->headers, name, rest != NULL, &index, &header);
         first = false) {
        if (!first)
            put_separator(w, separator, (size_t)(text + len - separator));
        put(w, header.value, strlen(header.value));
        if (!rest)
            return;
    }
}

/* ---- %time{...} ------------------------------------------------------------------------------ */

/* What strftime has no word for, or takes for local time. */
static int expand_time(hbytes_t *format, char letter, const struct timespec *now)
{
    switch (letter) {
    case 'f':
        return hbytes_printf(format, "%06ld", now->tv_nsec / 1000);
    case 's':
        return hbytes_printf(format, "%lld", (long long)now->tv_sec);
    case 'Z':
        return hbytes_append_str(format, "UTC");
    case 'z':
        return hbytes_append_str(format, "+0000");
    default:
        return hbytes_printf(format, "%%%c", letter);
    }
}

static size_t format_time(char *buf, size_t size, const char *format, const struct tm *tm)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* it is the user's */
    return strftime(buf, size, format, tm);
#pragma GCC diagnostic pop
}

static void put_time(writer_t *w, const char *text, size_t len)
{
    hbytes_t format = {.size_max = 4 * WRITEOUT_TIME_MAX};
    char out[WRITEOUT_TIME_MAX];
    struct timespec now;
    struct tm utc;
    int err = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; err == 0 && i < len; i++) {
        if (text[i] == '%' && i + 1 < len)
            err = expand_time(&format, text[++i], &now);
        else
            err = hbytes_append_char(&format, text[i]);
    }
    if (err == 0 && format.len > 0 && gmtime_r(&now.tv_sec, &utc))
        put(w, out, format_time(out, sizeof(out), format.data, &utc));
    hbytes_deinit(&format);
}

/* ---- %output{...} ---------------------------------------------------------------------------- */

static void open_output(writer_t *w, const char *text, size_t len)
{
    bool append = len >= 2 && memcmp(text, ">>", 2) == 0;
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), fd;
    char name[WRITEOUT_NAME_MAX + 1];

    text += append ? 2 : 0;
    len -= append ? 2 : 0;
    if (len > WRITEOUT_NAME_MAX)
        return;
    memcpy(name, text, len);
    name[len] = '\0';
    fd = open(name, flags, 0666);
    if (fd >= 0)
        go_to(w, PLACE_FILE, fd);
    else
        fprintf(stderr, "%s: --write-out: cannot open '%s': %s\n", report_name(), name,
                herr_str(-errno));
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_word(const char *word, const char *text, size_t len)
{
    return strlen(word) == len && memcmp(word, text, len) == 0;
}

static void put_variable(writer_t *w, const char *name, size_t len)
{
    int err = 0;

    if (is_word("onerror", name, len))
        w->over = w->facts->status == 0;
    else if (is_word("stdout", name, len))
        go_to(w, PLACE_STDOUT, -1);
    else if (is_word("stderr", name, len))
        go_to(w, PLACE_STDERR, -1);
    else if (is_word("json", name, len))
        err = writeout__json(w->facts, &w->out);
    else if (is_word("header_json", name, len))
        err = headers_json(w->facts->headers, &w->out);
    else
        err = writeout__variable(w->facts, name, len, &w->out);
    if (err == -ENOENT)
        fprintf(stderr, "%s: unknown --write-out variable: '%.*s'\n", report_name(), (int)len,
                name);
    else if (w->error == 0)
        w->error = err;
}

/* Up to the brace that closes; of a header's separator it may be escaped. */
static const char *find_end(const char *text, bool escapes)
{
    const char *end = strchr(text, '}');

    while (end && escapes && end > text && end[-1] == '\\')
        end = strchr(end + 1, '}');
    return end;
}

/* What follows a "%". Returns what is behind it. */
static const char *read_percent(writer_t *w, const char *text)
{
    static const struct {
        const char *open;
        void (*put)(writer_t *w, const char *text, size_t len);
        bool escapes;
    } kinds[] = {
        {"{", put_variable, false},
        {"header{", put_header, true},
        {"time{", put_time, false},
        {"output{", open_output, false},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i].open);
        const char *end;

        if (strncmp(text, kinds[i].open, len) != 0)
            continue;
        end = find_end(text + len, kinds[i].escapes);
        if (!end) {
            put(w, "%", 1);
            put(w, text, len);
            return text + len;
        }
        kinds[i].put(w, text + len, (size_t)(end - text) - len);
        return end + 1;
    }
    put(w, "%", 1);
    if (*text != '%' && *text != '\0')
        put(w, text, 1);
    return *text == '\0' ? text : text + 1;
}

static const char *read_backslash(writer_t *w, const char *text)
{
    switch (*text) {
    case 'r':
        put(w, "\r", 1);
        break;
    case 'n':
        put(w, "\n", 1);
        break;
    case 't':
        put(w, "\t", 1);
        break;
    case '\0':
        put(w, "\\", 1);
        return text;
    default:
        put(w, "\\", 1);
        put(w, text, 1);
        break;
    }
    return text + 1;
}

int writeout(const char *format, const writeout_facts_t *facts, outlet_t *out)
{
    static const headers_t nothing = {0};
    const http_transfer_info_t unsent = {.url = facts->url ? facts->url : "",
                                         .method = "GET",
                                         .id = UINT64_MAX,
                                         .connection_id = UINT64_MAX};
    writeout_facts_t known = *facts;
    writer_t w = {.facts = &known, .outlet = out, .out = {.size_max = OUT_MAX}, .fd = -1};

    if (!known.info)
        known.info = &unsent;
    if (!known.headers)
        known.headers = &nothing;
    while (*format && !w.over) {
        size_t len = strcspn(format, "%\\");

        put(&w, format, len);
        format += len;
        if (*format == '%')
            format = read_percent(&w, format + 1);
        else if (*format == '\\')
            format = read_backslash(&w, format + 1);
    }
    go_to(&w, PLACE_STDOUT, -1);
    hbytes_deinit(&w.out);
    return w.error;
}
