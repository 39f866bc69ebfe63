/* hopt_doc: the standard options, --help and --version; the other pages have files of their own. */
#include "hopt_doc.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/hstr.h"
#include "../base/hversion.h"
#include "hopt_doc_int.h"
#include "hterm.h"

#define NAMES_WIDTH_MAX 28 /* longer names put their help on the next line */
#define INDENT_NARROW 8    /* of the help where there is no room beside the names */
#define HELP_WIDTH_MAX 100 /* longer lines are hard to read, however wide the terminal */

static int ask_page(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)arg;
    (void)opts;
    (void)why;
    return (int)option->min;
}

#define PAGE(s, l, page, text, ...)                                                                \
    HOPT_CALL(s, l, ask_page, text, .min = HOPT_PAGE_##page, ##__VA_ARGS__)

static const hopt_t standard_options[] = {
    HOPT_GROUP("Help"),
    PAGE('h', "help", HELP, "print this help"),
    PAGE('V', "version", VERSION, "print the version and what is built in"),
    PAGE(0, "help-man", MAN, "print the manual page", .hidden = true),
    PAGE(0, "help-bash", BASH, "print the completion for bash", .hidden = true),
    PAGE(0, "help-zsh", ZSH, "print the completion for zsh", .hidden = true),
    PAGE(0, "help-fish", FISH, "print the completion for fish", .hidden = true),
    HOPT_END,
};

/* ---- shared by the pages ---- */

void hopt__put_len(hopt_writer_t *w, const char *text, size_t len)
{
    if (w->error == 0)
        w->error = hbytes_append(w->out, text, len);
}

void hopt__put(hopt_writer_t *w, const char *text)
{
    hopt__put_len(w, text, strlen(text));
}

void hopt__put_char(hopt_writer_t *w, char c)
{
    hopt__put_len(w, &c, 1);
}

void hopt__printf(hopt_writer_t *w, const char *fmt, ...)
{
    va_list ap;

    if (w->error != 0)
        return;
    va_start(ap, fmt);
    w->error = hbytes_vprintf(w->out, fmt, ap);
    va_end(ap);
}

bool hopt__visible(const hopt_spec_t *spec, const hopt_t *row, hopt_names_t *names)
{
    hopt_found_t found;

    memset(names, 0, sizeof(*names));
    names->opposite_prefix = "";
    if (row->hidden || row->type == HOPT_TYPE_GROUP || row->type == HOPT_TYPE_REFUSED)
        return false;
    if (hopt__find_short(spec, NULL, row->short_name, &found) && found.row == row)
        names->short_name = row->short_name;
    if (row->pair != NULL && hopt__find_pair(spec, NULL, row->pair, &found) && found.row == row)
        names->pair = row->pair;
    if (row->long_name != NULL &&
        hopt__find_long(spec, NULL, row->long_name, strlen(row->long_name), &found) &&
        found.row == row)
        names->long_name = row->long_name;
    if (row->negatable && names->long_name != NULL) {
        bool is_no = strncmp(names->long_name, "no-", 3) == 0;

        names->opposite = names->long_name + (is_no ? 3 : 0);
        names->opposite_prefix = is_no ? "" : "no-";
    }
    return names->short_name != '\0' || names->pair != NULL || names->long_name != NULL;
}

static const char *join_names(const hopt_t *row, char *buf, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; row->names[i] != NULL && len < size; i++) {
        if (i > 0)
            len += hstr_copy(buf + len, size - len, "|");
        if (len < size)
            len += hstr_copy(buf + len, size - len, row->names[i]);
    }
    return buf;
}

const char *hopt__arg_name(const hopt_t *row, char *buf, size_t size)
{
    if (!hopt__takes_value(row))
        return NULL;
    if (row->arg_name != NULL)
        return row->arg_name;
    switch (row->type) {
    case HOPT_TYPE_UINT:
    case HOPT_TYPE_INT:
        return "NUMBER";
    case HOPT_TYPE_SIZE:
        return "SIZE";
    case HOPT_TYPE_SPAN:
        return "TIME";
    case HOPT_TYPE_ENUM:
        return join_names(row, buf, size);
    default:
        return "TEXT";
    }
}

hopt_value_e hopt__value_kind(const hopt_t *row)
{
    char buf[HOPT_ARG_SIZE];
    const char *name = hopt__arg_name(row, buf, sizeof(buf));

    if (name == NULL)
        return HOPT_VALUE_NONE;
    if (row->names != NULL)
        return HOPT_VALUE_WORDS;
    if (strstr(name, "FILE") != NULL || strstr(name, "PATH") != NULL)
        return HOPT_VALUE_FILE;
    if (strstr(name, "DIR") != NULL)
        return HOPT_VALUE_DIR;
    return strstr(name, "HOST") != NULL ? HOPT_VALUE_HOST : HOPT_VALUE_TEXT;
}

/* ---- --help ---- */

/* Writes words from `column` on, breaking lines before `width` and indenting what follows. */
static void put_wrapped(hopt_writer_t *w, const char *text, size_t column, size_t indent,
                        size_t width)
{
    bool first = true;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");

        if (!first && column + 1 + len > width) {
            hopt__printf(w, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            hopt__put_char(w, ' ');
            column++;
        }
        hopt__put_len(w, text, len);
        column += len;
        first = false;
        text += len + strspn(text + len, " ");
    }
    hopt__put_char(w, '\n');
}

/* "  -w, --wait=TIME"; returns its width. Without an out it only measures. */
static size_t put_names(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names)
{
    char buf[HOPT_ARG_SIZE];
    const char *arg = hopt__arg_name(row, buf, sizeof(buf));
    size_t start = w->out->len;

    if (names->short_name != '\0')
        hopt__printf(w, "  -%c", names->short_name);
    else if (names->pair == NULL)
        hopt__put(w, "    ");
    if (names->pair != NULL)
        hopt__printf(w, "%s-%s", names->short_name != '\0' ? ", " : "  ", names->pair);
    if (names->long_name != NULL)
        hopt__printf(w, "%s--%s%s", names->short_name != '\0' || names->pair != NULL ? ", " : "  ",
                     names->opposite != NULL ? "[no-]" : "",
                     names->opposite != NULL ? names->opposite : names->long_name);
    if (arg != NULL && row->bare != NULL)
        hopt__printf(w, "[%s%s]", names->long_name != NULL ? "=" : "", arg);
    else if (arg != NULL)
        hopt__printf(w, "%s%s", names->long_name != NULL ? "=" : " ", arg);
    return w->out->len - start;
}

/* The widest names that still stand beside their help. */
static size_t names_width(const hopt_spec_t *spec)
{
    hbytes_t scratch = {0};
    hopt_writer_t w = {&scratch, 0};
    hopt_names_t names;
    const hopt_t *row;
    hopt_iter_t iter;
    size_t widest = 0;

    hopt__iter_init(&iter, spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        size_t len = hopt__visible(spec, row, &names) ? put_names(&w, row, &names) : 0;

        if (len > widest && len <= NAMES_WIDTH_MAX)
            widest = len;
    }
    hbytes_deinit(&scratch);
    return widest;
}

static void put_option(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names,
                       size_t indent, size_t width)
{
    size_t len = put_names(w, row, names);

    if (len + 2 > indent) {
        hopt__put_char(w, '\n');
        len = 0;
    }
    hopt__printf(w, "%*s", (int)(indent - len), "");
    if (row->type == HOPT_TYPE_ENUM && row->arg_name != NULL) {
        char buf[HOPT_ARG_SIZE];
        hbytes_t text = {0};

        if (hbytes_printf(&text, "%s (%s)", row->help, join_names(row, buf, sizeof(buf))) < 0)
            w->error = -ENOMEM;
        else
            put_wrapped(w, text.data, indent, indent, width);
        hbytes_deinit(&text);
        return;
    }
    put_wrapped(w, row->help, indent, indent, width);
}

/* filter may be NULL: all. */
static void put_options(hopt_writer_t *w, const hopt_spec_t *spec, size_t width,
                        hopt_filter_cb filter, void *ctx)
{
    size_t beside = names_width(spec) + 2;
    size_t indent = beside > width / 2 ? INDENT_NARROW : beside;
    const char *heading = "Options";
    const char *written = NULL;
    hopt_names_t names;
    const hopt_t *row;
    hopt_iter_t iter;

    hopt__iter_init(&iter, spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        if (row->type == HOPT_TYPE_GROUP)
            heading = row->long_name;
        if (!hopt__visible(spec, row, &names) || (filter != NULL && !filter(heading, row, ctx)))
            continue;
        if (heading != written)
            hopt__printf(w, "\n%s:\n", heading);
        written = heading;
        put_option(w, row, &names, indent, width);
    }
}

static void put_term_list(hopt_writer_t *w, const hopt_term_t *terms, size_t width)
{
    size_t widest = 0;

    for (const hopt_term_t *t = terms; t != NULL && t->term != NULL; t++) {
        size_t len = strlen(t->term);

        if (len > widest && len <= NAMES_WIDTH_MAX)
            widest = len;
    }
    for (const hopt_term_t *t = terms; t != NULL && t->term != NULL; t++) {
        size_t len = strlen(t->term);

        hopt__printf(w, "  %s%s%*s", t->term, len > widest ? "\n" : "",
                     (int)(len > widest ? widest + 4 : widest + 2 - len), "");
        put_wrapped(w, t->text, widest + 4, widest + 4, width);
    }
}

static void put_terms(hopt_writer_t *w, const char *heading, const hopt_term_t *terms, size_t width)
{
    if (terms == NULL || terms->term == NULL)
        return;
    hopt__printf(w, "\n%s:\n", heading);
    put_term_list(w, terms, width);
}

static void put_help_examples(hopt_writer_t *w, const hopt_term_t *terms, size_t width)
{
    if (terms == NULL || terms->term == NULL)
        return;
    hopt__put(w, "\nExamples:\n");
    for (const hopt_term_t *t = terms; t->term != NULL; t++) {
        hopt__printf(w, "  %s\n%6s", t->term, "");
        put_wrapped(w, t->text, 6, 6, width);
    }
}

static size_t help_width(size_t width)
{
    width = width == 0 ? HTERM_WIDTH_DEFAULT : width;
    return width > HELP_WIDTH_MAX ? HELP_WIDTH_MAX : width;
}

static void put_usage(const hopt_doc_t *doc, hopt_writer_t *w)
{
    hopt__printf(w, "%s - %s\n\n", doc->name, doc->summary);
    for (size_t i = 0; doc->usage[i] != NULL; i++)
        hopt__printf(w, "%s%s %s\n", i == 0 ? "Usage: " : "       ", doc->name, doc->usage[i]);
}

static void write_help(const hopt_doc_t *doc, hopt_writer_t *w, size_t width)
{
    hopt_spec_t spec = hopt_doc_spec(doc);

    put_usage(doc, w);
    put_terms(w, "Operands", doc->operands, width);
    put_options(w, &spec, width, NULL, NULL);
    put_help_examples(w, doc->examples, width);
}

/* ---- the manual as text ---- */

static void put_paragraphs(hopt_writer_t *w, const char *const *paragraphs, size_t width)
{
    for (; paragraphs != NULL && *paragraphs != NULL; paragraphs++) {
        hopt__put_char(w, '\n');
        put_wrapped(w, *paragraphs, 0, 0, width);
    }
}

/* Indented. */
static void put_literal(hopt_writer_t *w, const char *text)
{
    bool begins = true;

    for (; text != NULL && *text != '\0'; text++) {
        hopt__put(w, begins ? "\n  " : "");
        begins = *text == '\n';
        if (!begins)
            hopt__put_char(w, *text);
    }
    hopt__put(w, begins ? "" : "\n");
}

/* Man pages have their titles in capitals, this text has not. */
static void put_section(hopt_writer_t *w, const hopt_section_t *section, size_t width)
{
    hopt__printf(w, "\n%c", section->title[0]);
    for (const char *c = section->title + 1; *c != '\0'; c++)
        hopt__put_char(w, (char)tolower((unsigned char)*c));
    hopt__put(w, ":\n");
    put_paragraphs(w, section->paragraphs, width);
    if (section->paragraphs != NULL && section->terms != NULL)
        hopt__put_char(w, '\n');
    put_term_list(w, section->terms, width);
    put_literal(w, section->literal);
}

static void write_text(const hopt_doc_t *doc, hopt_writer_t *w, size_t width)
{
    hopt_spec_t spec = hopt_doc_spec(doc);

    put_usage(doc, w);
    put_paragraphs(w, doc->description, width);
    put_terms(w, "Operands", doc->operands, width);
    put_options(w, &spec, width, NULL, NULL);
    for (const hopt_section_t *s = doc->sections; s != NULL && s->title != NULL; s++)
        put_section(w, s, width);
    put_terms(w, "Environment", doc->environment, width);
    put_terms(w, "Files", doc->files, width);
    put_terms(w, "Signals", doc->signals, width);
    put_terms(w, "Exit status", doc->exit_status, width);
    put_help_examples(w, doc->examples, width);
}

/* ---- --version ---- */

static const hopt_feature_t core_features[] = {
#if HNET_WITH_URING
    {"liburing", HOPT_VERSION_TEXT(HNET_VERSION_liburing)},
#endif
    {NULL, NULL},
};

static void put_features(hopt_writer_t *w, const hopt_feature_t *features, bool *any)
{
    for (; features != NULL && features->name != NULL; features++) {
        hopt__printf(w, "%s%s %s", *any ? ", " : "built with ", features->name, features->version);
        *any = true;
    }
}

static void write_version(const hopt_doc_t *doc, hopt_writer_t *w)
{
    bool any = false;

    hopt__printf(w, "%s (hnet) %s\n", doc->name, HNET_VERSION);
    put_features(w, core_features, &any);
    put_features(w, doc->features, &any);
    if (any)
        hopt__put_char(w, '\n');
}

/* ---- public ---- */

hopt_spec_t hopt_doc_spec(const hopt_doc_t *doc)
{
    hopt_spec_t spec = {doc->name, doc->options, standard_options, doc->posix_order};

    return spec;
}

int hopt_doc_write(const hopt_doc_t *doc, hopt_page_e page, size_t width, hbytes_t *out)
{
    hopt_spec_t spec = hopt_doc_spec(doc);
    hopt_writer_t w = {out, 0};

    hopt__check_tables(&spec);
    switch (page) {
    case HOPT_PAGE_HELP:
        write_help(doc, &w, help_width(width));
        break;
    case HOPT_PAGE_VERSION:
        write_version(doc, &w);
        break;
    case HOPT_PAGE_MAN:
        hopt__write_man(doc, &w);
        break;
    case HOPT_PAGE_BASH:
        hopt__write_bash(doc, &w);
        break;
    case HOPT_PAGE_ZSH:
        hopt__write_zsh(doc, &w);
        break;
    case HOPT_PAGE_FISH:
        hopt__write_fish(doc, &w);
        break;
    case HOPT_PAGE_TEXT:
        write_text(doc, &w, help_width(width));
        break;
    }
    return w.error;
}

int hopt_doc_write_some(const hopt_doc_t *doc, hopt_filter_cb filter, void *ctx, size_t width,
                        hbytes_t *out)
{
    hopt_spec_t spec = hopt_doc_spec(doc);
    hopt_writer_t w = {out, 0};

    put_options(&w, &spec, help_width(width), filter, ctx);
    return w.error;
}

int hopt_exit_status(const hopt_doc_t *doc, int error)
{
    if (error == HERR_UNSUPPORTED)
        return 2;
    if (error == -ENOMEM)
        return 1;
    return doc->usage_status == 0 ? 2 : doc->usage_status;
}

int hopt_main_page(const hopt_doc_t *doc, hopt_page_e page)
{
    hbytes_t out = {0};
    int status = hopt_doc_write(doc, page, hterm_width(STDOUT_FILENO), &out);

    if (status == 0 && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
        status = -errno;
    if (status < 0)
        fprintf(stderr, "%s: %s\n", doc->name, herr_str(status));
    hbytes_deinit(&out);
    return status < 0 ? 1 : 0;
}

/* A hole in 0..2 would be filled by a socket or a file of ours, and then written to by any message.
 * Open for reading alone, so that what is written there still fails. */
int hopt_main_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            return -errno;
    }
    return 0;
}

int hopt_main_parse(const hopt_doc_t *doc, int argc, char *const argv[], void *opts,
                    hopt_list_t *operands)
{
    hopt_spec_t spec = hopt_doc_spec(doc);
    hbytes_t message = {0};
    int status = hopt_main_open();

    if (status < 0)
        return EXIT_FAILURE;
    status = hopt_parse(&spec, argc, argv, opts, operands, &message);
    if (status == 0) {
        status = HOPT_RUN;
    } else if (status > 0) {
        status = hopt_main_page(doc, (hopt_page_e)status);
    } else {
        if (message.len > 0)
            fprintf(stderr, "%s\n", message.data);
        else
            fprintf(stderr, "%s: %s\n", doc->name, herr_str(status));
        status = hopt_exit_status(doc, status);
    }
    hbytes_deinit(&message);
    return status;
}

void hopt_main_free(const hopt_doc_t *doc, void *opts, hopt_list_t *operands)
{
    hopt_spec_t spec = hopt_doc_spec(doc);

    hopt_deinit(&spec, opts, operands);
}
