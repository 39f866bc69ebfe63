/* hopt_man: the manual page, in mdoc(7), so that mandoc and groff both render and lint it. */
#include <ctype.h>
#include <string.h>

#include "../base/hversion.h"
#include "hopt_doc_int.h"

#define LINE_WIDTH 76 /* of the page's source */

/* One character of running text. A hyphen between letters is a hyphen, any other one is a minus. */
static void put_escaped(hopt_writer_t *w, const char *text, size_t i)
{
    bool inner =
        i > 0 && isalnum((unsigned char)text[i - 1]) && isalnum((unsigned char)text[i + 1]);

    switch (text[i]) {
    case '\\':
        hopt__put(w, "\\e");
        break;
    case '-':
        hopt__put(w, inner ? "-" : "\\-");
        break;
    case '\'':
        hopt__put(w, "\\(aq");
        break;
    case '`':
        hopt__put(w, "\\(ga");
        break;
    case '^':
        hopt__put(w, "\\(ha");
        break;
    case '~':
        hopt__put(w, "\\(ti");
        break;
    case '"':
        hopt__put(w, "\\(dq");
        break;
    default:
        hopt__put_char(w, text[i]);
    }
}

/* Text as it stands, at the start of a line. */
static void put_literal(hopt_writer_t *w, const char *text)
{
    if (text[0] == '.')
        hopt__put(w, "\\&");
    for (size_t i = 0; text[i] != '\0'; i++)
        put_escaped(w, text, i);
    hopt__put_char(w, '\n');
}

static void put_display(hopt_writer_t *w, const char *text)
{
    hopt__put(w, ".Bd -literal -offset indent\n");
    put_literal(w, text);
    hopt__put(w, ".Ed\n");
}

/* Running text: mdoc wants every sentence on a line of its own; long lines are broken anyway. */
static void put_text(hopt_writer_t *w, const char *text)
{
    size_t column = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        bool ends = i > 0 && strchr(".!?", text[i - 1]) != NULL;

        if (column == 0 && text[i] == '.')
            hopt__put(w, "\\&");
        if (text[i] == ' ' && (ends || column + strcspn(text + i + 1, " ") > LINE_WIDTH)) {
            hopt__put_char(w, '\n');
            column = 0;
        } else {
            put_escaped(w, text, i);
            column++;
        }
    }
    hopt__put_char(w, '\n');
}

/* The help of an option as a sentence. */
static void put_sentence(hopt_writer_t *w, const char *text)
{
    hbytes_t sentence = {0};
    size_t len = strlen(text);

    if (hbytes_printf(&sentence, "%s%s", text, len > 0 && text[len - 1] != '.' ? "." : "") < 0) {
        w->error = -ENOMEM;
    } else {
        /* "iPhone" stays, and so does "x"; "a status" is a word, too. */
        if (islower((unsigned char)text[0]) &&
            (islower((unsigned char)text[1]) || strncmp(text, "a ", 2) == 0))
            sentence.data[0] = (char)toupper((unsigned char)text[0]);
        put_text(w, sentence.data);
    }
    hbytes_deinit(&sentence);
}

/* An argument of a macro, kept from being read as a macro's name or as punctuation. */
static void put_word(hopt_writer_t *w, const char *text, size_t len)
{
    bool quoted = memchr(text, ' ', len) != NULL;

    if (quoted)
        hopt__put_char(w, '"');
    if (!isalnum((unsigned char)text[0]) || (len <= 3 && isupper((unsigned char)text[0])))
        hopt__put(w, "\\&");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-')
            hopt__put(w, "\\-");
        else
            put_escaped(w, text, i);
    }
    if (quoted)
        hopt__put_char(w, '"');
}

/* ---- SYNOPSIS ---- */

/* A word ends at a blank, or at a bracket that it did not open itself: "HOST[:PORT]" is one. */
static size_t usage_word(const char *text)
{
    size_t len = 0;
    int open = 0;

    for (; text[len] != '\0' && text[len] != ' '; len++) {
        if (text[len] == '[')
            open++;
        else if (text[len] == ']' && open-- == 0)
            break;
    }
    return len;
}

static void put_usage(hopt_writer_t *w, const char *text)
{
    hopt__put(w, ".Nm\n");
    while (*text != '\0') {
        if (*text == ' ') {
            text++;
        } else if (*text == '[') {
            hopt__put(w, ".Oo\n");
            text++;
        } else if (*text == ']') {
            bool repeated = strncmp(text + 1, "...", 3) == 0;

            hopt__put(w, repeated ? ".Oc Ns No ...\n" : ".Oc\n");
            text += repeated ? 4 : 1;
        } else {
            size_t len = usage_word(text);
            bool flag = text[0] == '-' && len > 1;

            hopt__put(w, flag ? ".Fl " : ".Ar ");
            put_word(w, text + flag, len - flag);
            hopt__put_char(w, '\n');
            text += len;
        }
    }
}

/* ---- OPTIONS ---- */

static void put_flag(hopt_writer_t *w, bool *any, const char *prefix, const char *name)
{
    hopt__printf(w, "%s Fl %s", *any ? " ," : "", prefix);
    put_word(w, name, strlen(name));
    *any = true;
}

static void put_value(hopt_writer_t *w, const hopt_t *row, bool after_long)
{
    char buf[HOPT_ARG_SIZE];
    const char *arg = hopt__arg_name(row, buf, sizeof(buf));

    if (arg == NULL)
        return;
    if (row->bare != NULL)
        hopt__put(w, after_long ? " Ns Oo = Ns Ar " : " Ns Oo Ns Ar ");
    else
        hopt__put(w, after_long ? " Ns = Ns Ar " : " Ar ");
    put_word(w, arg, strlen(arg));
    if (row->bare != NULL)
        hopt__put(w, " Oc");
}

static void put_option(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names)
{
    char letter[2] = {names->short_name, '\0'};
    bool any = false;

    hopt__put(w, ".It");
    if (letter[0] != '\0')
        put_flag(w, &any, "", letter);
    if (names->pair != NULL)
        put_flag(w, &any, "", names->pair);
    if (names->long_name != NULL)
        put_flag(w, &any, "\\-", names->long_name);
    put_value(w, row, names->long_name != NULL);
    if (names->opposite != NULL)
        put_flag(w, &any, names->opposite_prefix[0] != '\0' ? "\\-no\\-" : "\\-", names->opposite);
    hopt__put_char(w, '\n');
    put_sentence(w, row->help);
    if (row->type == HOPT_TYPE_ENUM && row->arg_name != NULL) {
        hopt__put(w, "One of");
        for (size_t i = 0; row->names[i] != NULL; i++)
            hopt__printf(w, "%s\n.Cm %s", i > 0 ? " ," : "", row->names[i]);
        hopt__put_char(w, '\n');
    }
}

/* How values are written, for the kinds that occur. */
static void put_value_notes(hopt_writer_t *w, const hopt_spec_t *spec)
{
    bool span = false, size = false;
    hopt_names_t names;
    const hopt_t *row;
    hopt_iter_t iter;

    hopt__iter_init(&iter, spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        if (!hopt__visible(spec, row, &names))
            continue;
        span = span || row->type == HOPT_TYPE_SPAN;
        size = size || row->type == HOPT_TYPE_SIZE;
    }
    if (span)
        put_text(w, "A time is a number of seconds, or has a unit: 250ms, 1.5s, 2m, 1h, 1d.");
    if (size)
        put_text(w, "A size is a number of bytes, or has a unit of powers of 1024: 64k, 10M, 2G.");
    if (span || size)
        hopt__put(w, ".Pp\n");
}

static void put_options(const hopt_doc_t *doc, hopt_writer_t *w)
{
    hopt_spec_t spec = hopt_doc_spec(doc);
    const char *heading = NULL;
    bool open = false;
    hopt_names_t names;
    const hopt_t *row;
    hopt_iter_t iter;

    hopt__put(w, ".Sh OPTIONS\n");
    put_value_notes(w, &spec);
    put_text(w, "Short options may be joined; a value follows its option directly or as the next "
                "word. Two dashes end the options.");
    hopt__iter_init(&iter, &spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        if (row->type == HOPT_TYPE_GROUP)
            heading = row->long_name;
        if (!hopt__visible(&spec, row, &names))
            continue;
        if (heading != NULL || !open) {
            hopt__put(w, open ? ".El\n" : "");
            if (heading != NULL) {
                hopt__put(w, ".Ss ");
                put_word(w, heading, strlen(heading));
                hopt__put_char(w, '\n');
            }
            hopt__put(w, ".Bl -tag -width Ds\n");
            open = true;
            heading = NULL;
        }
        put_option(w, row, &names);
    }
    hopt__put(w, open ? ".El\n" : "");
}

/* ---- the other sections ---- */

static void put_terms(hopt_writer_t *w, const char *macro, const hopt_term_t *terms)
{
    for (; terms != NULL && terms->term != NULL; terms++) {
        hopt__printf(w, ".It %s ", macro);
        put_word(w, terms->term, strlen(terms->term));
        hopt__put_char(w, '\n');
        put_sentence(w, terms->text);
    }
}

static void put_list(hopt_writer_t *w, const char *macro, const hopt_term_t *terms)
{
    hopt__put(w, ".Bl -tag -width Ds\n");
    put_terms(w, macro, terms);
    hopt__put(w, ".El\n");
}

static void put_section(hopt_writer_t *w, const char *title, const char *macro,
                        const hopt_term_t *terms)
{
    if (terms == NULL || terms->term == NULL)
        return;
    hopt__printf(w, ".Sh %s\n", title);
    put_list(w, macro, terms);
}

/* The command's own variables, and the one that every loop asks for. */
static void put_environment(const hopt_doc_t *doc, hopt_writer_t *w)
{
    static const hopt_term_t shared[] = {
        {"HNET_POLLER", "how the system is asked for what is ready: epoll (the default), poll, "
                        "select or, where it is built in, io_uring"},
        {NULL, NULL}};

    hopt__put(w, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n");
    put_terms(w, "Ev", doc->environment);
    put_terms(w, "Ev", shared);
    hopt__put(w, ".El\n");
}

static void put_paragraphs(hopt_writer_t *w, const char *const *paragraphs)
{
    for (size_t i = 0; paragraphs != NULL && paragraphs[i] != NULL; i++) {
        hopt__put(w, i > 0 ? ".Pp\n" : "");
        put_text(w, paragraphs[i]);
    }
}

static void put_sections(hopt_writer_t *w, const hopt_section_t *section)
{
    for (; section != NULL && section->title != NULL; section++) {
        hopt__printf(w, ".Sh %s\n", section->title);
        put_paragraphs(w, section->paragraphs);
        if (section->terms != NULL)
            put_list(w, "Li", section->terms);
        if (section->literal != NULL)
            put_display(w, section->literal);
    }
}

static void put_description(const hopt_doc_t *doc, hopt_writer_t *w)
{
    hopt__put(w, ".Sh DESCRIPTION\n");
    put_paragraphs(w, doc->description);
    if (doc->operands == NULL || doc->operands->term == NULL)
        return;
    hopt__put(w, ".Pp\nThe operands are:\n");
    put_list(w, "Ar", doc->operands);
}

static void put_examples(const hopt_doc_t *doc, hopt_writer_t *w)
{
    if (doc->examples == NULL || doc->examples->term == NULL)
        return;
    hopt__put(w, ".Sh EXAMPLES\n");
    for (const hopt_term_t *t = doc->examples; t->term != NULL; t++) {
        hopt__put(w, t != doc->examples ? ".Pp\n" : "");
        put_text(w, t->text);
        put_display(w, t->term);
    }
}

static void put_see_also(const hopt_doc_t *doc, hopt_writer_t *w)
{
    if (doc->see_also == NULL || doc->see_also[0] == NULL)
        return;
    hopt__put(w, ".Sh SEE ALSO\n");
    for (size_t i = 0; doc->see_also[i] != NULL; i++) {
        const char *name = doc->see_also[i];
        size_t len = strcspn(name, "(");

        hopt__put(w, ".Xr ");
        put_word(w, name, len);
        if (name[len] == '(')
            hopt__printf(w, " %.*s", (int)strcspn(name + len + 1, ")"), name + len + 1);
        hopt__put(w, doc->see_also[i + 1] != NULL ? " ,\n" : "\n");
    }
}

void hopt__write_man(const hopt_doc_t *doc, hopt_writer_t *w)
{
    hopt__printf(w, ".Dd %s\n.Dt ", HNET_RELEASE_DATE);
    for (size_t i = 0; doc->name[i] != '\0'; i++)
        hopt__put_char(w, (char)toupper((unsigned char)doc->name[i]));
    hopt__printf(w, " 1\n.Os hnet %s\n.Sh NAME\n.Nm %s\n.Nd ", HNET_VERSION, doc->name);
    put_text(w, doc->summary);
    hopt__put(w, ".Sh SYNOPSIS\n");
    for (size_t i = 0; doc->usage[i] != NULL; i++)
        put_usage(w, doc->usage[i]);
    put_description(doc, w);
    put_options(doc, w);
    put_sections(w, doc->sections);
    put_environment(doc, w);
    put_section(w, "FILES", "Pa", doc->files);
    put_section(w, "SIGNALS", "Dv", doc->signals);
    put_section(w, "EXIT STATUS", "Li", doc->exit_status);
    put_examples(doc, w);
    put_see_also(doc, w);
}
