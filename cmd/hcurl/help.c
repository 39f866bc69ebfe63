#include "help.h"

#include "app/hterm.h"
#include "base/hmem.h"
#include "base/hstr.h"
#include "options.h"
#include "status.h"
#include "version.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- options --------------------------------------------------------------------------------- */

static int ask_page(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    help_options_t *o = opts;

    (void)why;
    if (option->arg_name != NULL)
        o->topic = arg != NULL && *arg != '\0' ? arg : NULL;
    return (int)option->min;
}

const hopt_t help_rows[] = {
    HOPT_CALL('h', "help", ask_page,
              "print help: about the usual options, \"all\", a \"category\" or one --option",
              .min = HOPT_PAGE_HELP, .arg_name = "WHAT", .bare = ""),
    HOPT_CALL('M', "manual", ask_page, "print the manual", .min = HOPT_PAGE_TEXT),
    HOPT_CALL('V', "version", ask_page, "print the version, the protocols and what is built in",
              .min = HOPT_PAGE_VERSION),
    HOPT_END,
};

void help_topic(help_options_t *options, int status, const char *next)
{
    if (status == HOPT_PAGE_HELP && options->topic == NULL)
        options->topic = next;
}

/* ---- which rows ------------------------------------------------------------------------------ */

static bool is_usual(const char *heading, const hopt_t *row, void *ctx)
{
    static const char *const names[] = {
        "data",        "fail",     "form",       "head",        "header",  "help",   "include",
        "json",        "location", "output",     "remote-name", "request", "silent", "show-headers",
        "upload-file", "user",     "user-agent", "verbose",     "version", NULL,
    };

    (void)heading;
    (void)ctx;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (row->long_name != NULL && strcmp(row->long_name, names[i]) == 0)
            return true;
    }
    return false;
}

/* The original's words for what our headings say. */
static const char *heading_of(const char *topic)
{
    static const char *const pairs[][2] = {
        {"auth", "Credentials"},      {"connection", "Connection"},
        {"curl", "The command line"}, {"global", "What is said"},
        {"http", "Request"},          {"output", "What is kept"},
        {"post", "What is sent"},     {"upload", "What is sent"},
        {"timeout", "Limits"},        {"ssl", "TLS"},
        {"verbose", "What is said"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (hstr_ieq(topic, pairs[i][0]))
            return pairs[i][1];
    }
    return topic;
}

static bool has(const char *text, const char *word)
{
    return text != NULL && strcasestr(text, word) != NULL;
}

/* Whether it is in the heading or in one of the option's names, whatever its case. */
static bool is_about(const char *heading, const hopt_t *row, void *ctx)
{
    return has(heading, heading_of(ctx)) || has(row->long_name, ctx) || has(row->alias, ctx);
}

static bool names_row(const hopt_t *row, const char *name)
{
    size_t len = strlen(name);

    if (row->long_name != NULL && strcmp(row->long_name, name) == 0)
        return true;
    for (const char *alias = row->alias; alias != NULL && *alias != '\0';) {
        size_t n = strcspn(alias, "|");

        if (n == len && strncmp(alias, name, n) == 0)
            return true;
        alias += n + (alias[n] == '|');
    }
    return false;
}

/* ctx: "-x", "--name", "--no-name". */
static bool is_option(const char *heading, const hopt_t *row, void *ctx)
{
    const char *name = ctx;

    (void)heading;
    if (name[1] != '-')
        return name[2] == '\0' && row->short_name == name[1];
    name += 2;
    if (names_row(row, name))
        return true;
    if (!row->negatable || row->long_name == NULL)
        return false;
    if (hstr_starts(name, "no-"))
        return names_row(row, name + 3);
    return hstr_starts(row->long_name, "no-") && strcmp(row->long_name + 3, name) == 0;
}

/* Collects headings, each once; ctx is a hbytes_t. */
static bool add_heading(const char *heading, const hopt_t *row, void *ctx)
{
    hbytes_t *out = ctx;
    hbytes_t line = {0};

    (void)row;
    if (hbytes_printf(&line, " %s\n", heading) == 0 &&
        (out->len == 0 || strstr(out->data, line.data) == NULL))
        hbytes_append(out, line.data, line.len);
    hbytes_deinit(&line);
    return false;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static int write_rows(hopt_filter_cb filter, const char *topic, hbytes_t *out)
{
    char *ctx = topic == NULL ? NULL : hmem_strdup(topic);
    int status = hopt_doc_write_some(&options_doc, filter, ctx, hterm_width(STDOUT_FILENO), out);

    hmem_free(ctx);
    return status;
}

static int write_categories(hbytes_t *out)
{
    hbytes_t none = {0};
    int status = hopt_doc_write_some(&options_doc, add_heading, out, 0, &none);

    hbytes_deinit(&none);
    return status;
}

static int write_usual(hbytes_t *out)
{
    int status = hbytes_printf(out, "%s - %s\n\nUsage: %s %s\n", options_doc.name,
                               options_doc.summary, options_doc.name, options_doc.usage[0]);

    if (status == 0)
        status = write_rows(is_usual, NULL, out);
    if (status == 0)
        status =
            hbytes_append_str(out, "\nThese are the usual options. \"--help all\" shows all "
                                   "of them,\n\"--help category\" what they are about, \"--help "
                                   "WORD\" those about it,\nand \"--help --OPTION\" a single "
                                   "one.\n");
    return status;
}

static int write_help(const char *topic, hbytes_t *out)
{
    int status;

    if (topic == NULL || *topic == '\0')
        return write_usual(out);
    if (hstr_ieq(topic, "all"))
        return hopt_doc_write(&options_doc, HOPT_PAGE_HELP, hterm_width(STDOUT_FILENO), out);
    if (hstr_ieq(topic, "category"))
        return write_categories(out);
    status = write_rows(topic[0] == '-' && topic[1] != '\0' ? is_option : is_about, topic, out);
    if (status == 0 && out->len == 0)
        status = HERR_UNSUPPORTED;
    return status;
}

int help_print(const help_options_t *options, int page)
{
    hbytes_t out = {0};
    int status;

    if (page == HOPT_PAGE_HELP)
        status = write_help(options->topic, &out);
    else if (page == HOPT_PAGE_VERSION)
        status = version_write(&out);
    else
        status = hopt_doc_write(&options_doc, (hopt_page_e)page, hterm_width(STDOUT_FILENO), &out);
    if (status == HERR_UNSUPPORTED) {
        fprintf(stderr, "%s: there is no help about '%s'; it is about:\n", report_name(),
                options->topic);
        write_categories(&out);
        fwrite(out.data, 1, out.len, stderr);
        status = STATUS_USAGE;
    } else if (status < 0) {
        status = STATUS_MEMORY;
    } else if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
        status = STATUS_WRITE;
    }
    hbytes_deinit(&out);
    return status;
}
