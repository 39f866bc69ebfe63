/* A word after the other goes through one table of rows, wherever it comes from: argv, a config
 * file or an expanded text. */
#include "options.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "config.h"
#include "help.h"
#include "input.h"
#include "refused.h"
#include "status.h"

#include <stdint.h>
#include <string.h>

#define EXPAND "--expand-"
#define NO_URL "no URL specified"

static const operation_t operation_default = {
    .request = REQUEST_OPTIONS_DEFAULT,
    .connect = CONNECT_OPTIONS_DEFAULT,
};

static const globals_t globals_default = {
    .report = REPORT_OPTIONS_DEFAULT,
    .operate = OPERATE_OPTIONS_DEFAULT,
};

/* ---- what is left over from the parse -------------------------------------------------------- */

/* Takes over a string that options point to. */
static int keep(options_t *o, char *text)
{
    int status = text == NULL ? 0 : hopt_list_add(&o->owned, text);

    if (status < 0)
        hmem_free(text);
    return status;
}

static const hopt_t operation_rows[] = {
    HOPT_INCLUDE(url_rows, operation_t, url, url_options_t),
    HOPT_INCLUDE(body_rows, operation_t, body, body_options_t),
    HOPT_INCLUDE(request_rows, operation_t, request, request_options_t),
    HOPT_INCLUDE(login_rows, operation_t, login, login_options_t),
    HOPT_INCLUDE(output_rows, operation_t, output, output_options_t),
    HOPT_INCLUDE(writeout_rows, operation_t, writeout, writeout_options_t),
    HOPT_INCLUDE(connect_rows, operation_t, connect, connect_options_t),
    HOPT_INCLUDE(tls_rows, operation_t, tls, tls_options_t),
    HOPT_INCLUDE(store_rows, operation_t, store, store_options_t),
    HOPT_INCLUDE(retry_rows, operation_t, retry, retry_options_t),
    HOPT_END,
};

static void free_operation(operation_t *op)
{
    static const hopt_spec_t spec = {.options = operation_rows};

    url_options_deinit(&op->url);
    body_options_deinit(&op->body);
    request_options_deinit(&op->request);
    login_options_deinit(&op->login);
    connect_options_deinit(&op->connect);
    tls_options_deinit(&op->tls);
    writeout_options_deinit(&op->writeout);
    hopt_deinit(&spec, op, NULL);
}

void options_free(options_t *o)
{
    for (size_t i = 0; i < o->count; i++)
        free_operation(&o->operations[i]);
    free_operation(&o->now);
    hmem_free(o->operations);
    variables_deinit(&o->variables);
    for (size_t i = 0; i < o->owned.count; i++)
        hmem_free((void *)(uintptr_t)o->owned.items[i]);
    hopt_list_deinit(&o->owned);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* What belongs to different modules and excludes each other; NULL: nothing. */
static const char *conflict(const operation_t *op)
{
    const request_options_t *request = &op->request;
    const output_options_t *output = &op->output;

    if (request->resume && request->range != NULL)
        return "--continue-at and --range exclude each other";
    if (request->resume && output->remove_on_error)
        return "--continue-at and --remove-on-error exclude each other";
    if (request->resume && output->clobber == OUTPUT_CLOBBER_NEVER)
        return "--continue-at and --no-clobber exclude each other";
    if (request->resume_from_file && output->header_name)
        return "--continue-at - and --remote-header-name exclude each other";
    if (request->resume_from > 0 && op->body.has_data && !op->url.get)
        return "--continue-at and --data exclude each other";
    if (request->resume_from > 0 && op->body.form.count > 0)
        return "--continue-at and --form exclude each other";
    if (op->url.urls > 1 && (output->etag_save != NULL || output->etag_compare != NULL))
        return "--etag-save and --etag-compare take a single URL";
    return NULL;
}

/* The operation that was filled takes its place in the list, and another one begins. */
static int finish_operation(options_t *o, hbytes_t *why)
{
    const char *text = conflict(&o->now);
    operation_t *operations;

    if (text != NULL || o->count == OPTIONS_OPERATIONS_MAX) {
        hbytes_append_str(why, text != NULL ? text : "there are too many operations");
        return HERR_SYNTAX;
    }
    if ((o->count & (o->count - 1)) == 0) { /* a power of 2: full */
        size_t cap = o->count == 0 ? 1 : 2 * o->count;

        operations = hmem_realloc(o->operations, cap * sizeof(*operations));
        if (operations == NULL)
            return -ENOMEM;
        o->operations = operations;
    }
    o->operations[o->count++] = o->now;
    o->now = operation_default;
    return 0;
}

static int take_next(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    (void)arg;
    if (o->now.url.urls > 0)
        return finish_operation(o, why);
    if (o->depth > 0) /* a file may be meant for what stands on the command line */
        return 0;
    hbytes_append_str(why, "there is no URL before it");
    return HERR_SYNTAX;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void warn(const options_t *o, hbytes_t *text)
{
    if (text->len > 0)
        report_warning(&o->globals.report, "%s", text->data);
    hbytes_clear(text);
}

/* The value of an --expand- option, to be kept. */
static int expand(options_t *o, const char *text, char **value, hbytes_t *message)
{
    hbytes_t out, why = {0};
    int status;

    hbytes_init(&out, VARIABLE_CONTENT_MAX);
    status = variable_expand(&o->variables, text, &out, &why);
    if (status == 0)
        warn(o, &why);
    else
        hbytes_append_str(message, why.len > 0 ? why.data : herr_str(status));
    if (status == 0) {
        *value = out.len > 0 ? hbytes_take(&out, NULL) : hmem_strdup("");
        status = *value == NULL ? -ENOMEM : keep(o, *value);
    }
    hbytes_deinit(&why);
    hbytes_deinit(&out);
    return status;
}

/* "--expand-NAME TEXT" and "--expand-NAME=TEXT" are --NAME with another text. */
static int take_expanded(options_t *o, hopt_word_t *word, hbytes_t *message)
{
    const char *name = word->word + strlen(EXPAND);
    size_t len = strcspn(name, "=");
    bool apart = name[len] == '\0';
    const char *text = apart ? word->next : name + len + 1;
    hopt_spec_t spec = hopt_doc_spec(&options_doc);
    hbytes_t plain = {0};
    char *value = NULL;
    int status = text == NULL ? 0 : expand(o, text, &value, message);

    if (status == 0)
        status = hbytes_printf(&plain, "--%.*s", (int)len, name);
    if (status == 0) {
        hopt_word_t inner = {plain.data, value, false, NULL};

        status = hopt_parse_word(&spec, &inner, o, message);
        word->used = apart;
        if (status == 0 && !inner.used) {
            hbytes_printf(message, "option %s takes no value that could be expanded", plain.data);
            status = HERR_SYNTAX;
        }
    }
    hbytes_deinit(&plain);
    return status;
}

/* What people type by mistake. */
static void warn_of_value(const options_t *o, const hopt_word_t *word)
{
    const char *value = word->next;
    bool is_file = word->option->arg_name != NULL && strstr(word->option->arg_name, "FILE") != NULL;

    if (is_file && value[0] == '-' && value[1] != '\0')
        report_warning(&o->globals.report,
                       "'%s' is taken for the name of a file, not for an option", value);
    if (hstr_starts(value, "\xe2\x80")) /* a typographic quote, dash or space */
        report_warning(&o->globals.report,
                       "'%s' begins with a character that looks like one of ASCII, but is none",
                       value);
}

static int take_word(options_t *o, hopt_word_t *word, hbytes_t *message)
{
    hopt_spec_t spec = hopt_doc_spec(&options_doc);
    int status;

    report_next_argument(&o->globals.report);
    if (strcmp(word->word, "-") == 0) {
        hbytes_append_str(message, "option -: is unknown");
        return HERR_SYNTAX;
    }
    if (hstr_starts(word->word, EXPAND))
        status = take_expanded(o, word, message);
    else
        status = hopt_parse_word(&spec, word, o, message);
    if (status == 0)
        warn(o, message);
    if (status == 0 && word->used && word->option != NULL)
        warn_of_value(o, word);
    return status;
}

/* ---- config files ---------------------------------------------------------------------------- */

static int take_line(options_t *o, const config_line_t *line, hbytes_t *message)
{
    hopt_word_t word = {line->option, line->value, false, NULL};
    hbytes_t name = {0};
    int status = 0;

    if (line->option[0] != '-') {
        status = hbytes_printf(&name, "--%s", line->option);
        word.word = name.data;
    }
    if (status == 0)
        status = take_word(o, &word, message);
    if (status == 0 && line->value != NULL && *line->value != '\0' && !word.used) {
        hbytes_printf(message, "option %s takes no value", word.word);
        status = HERR_SYNTAX;
    }
    hbytes_deinit(&name);
    return status;
}

/* All lines of a text, which is changed and kept. shown: the name for messages. */
static int take_lines(options_t *o, char *text, const char *shown, hbytes_t *why)
{
    unsigned number = 0;
    config_line_t line;
    int status = 0;

    while (status == 0 && config_next(&text, &number, &line)) {
        hbytes_t message = {0};

        if (line.warning != NULL)
            report_warning(&o->globals.report, "%s:%u: option '%s': %s", shown, line.number,
                           line.option, line.warning);
        status = take_line(o, &line, &message);
        if (status < 0)
            hbytes_printf(why, "%s:%u: %s", shown, line.number,
                          message.len > 0 ? message.data : herr_str(status));
        hbytes_deinit(&message);
    }
    return status;
}

static int read_config(options_t *o, const char *path, hbytes_t *why)
{
    const char *shown = strcmp(path, "-") == 0 ? "<stdin>" : path;
    hbytes_t data = {0};
    int status;
    char *text;

    if (o->depth == CONFIG_DEPTH_MAX) {
        hbytes_printf(why, "there are more than %d config files within one another",
                      CONFIG_DEPTH_MAX);
        return HERR_RANGE;
    }
    status = input_read(path, CONFIG_FILE_MAX, INPUT_TEXT, &data, why);
    text = hbytes_take(&data, NULL);
    if (status < 0 || text == NULL) {
        hmem_free(text);
        return status;
    }
    status = keep(o, text);
    if (status < 0)
        return status;
    o->depth++;
    status = take_lines(o, text, shown, why);
    o->depth--;
    return status;
}

static int take_config(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    return read_config(opts, arg, why);
}

/* The file that is read without being asked for. Mistakes in it stop neither the rest of the
 * command line nor --version. */
static int take_usual_config(options_t *o, hbytes_t *why)
{
    char *path = config_find(report_name());
    int status;

    if (path == NULL)
        return 0;
    status = keep(o, path);
    if (status < 0)
        return status;
    o->config = path;
    status = read_config(o, path, why);
    if (status == -ENOMEM || status >= 0)
        return status;
    warn(o, why);
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int take_nothing(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    (void)arg;
    (void)opts;
    (void)why;
    return 0;
}

const hopt_t options_rows[] = {
    HOPT_GROUP("The command line"),
    HOPT_CALL('K', "config", take_config, "read options from FILE, too (\"-\": standard input)",
              .arg_name = "FILE"),
    HOPT_CALL('q', "disable", take_nothing, "as the first option: do not read ~/.hcurlrc",
              .negatable = true),
    HOPT_CALL(':', "next", take_next,
              "what follows is an operation of its own, with options of its own"),
    HOPT_INCLUDE(variable_rows, options_t, variables, variables_t),
    HOPT_INCLUDE(help_rows, options_t, help, help_options_t),
    HOPT_INCLUDE(operation_rows, options_t, now, operation_t),
    HOPT_INCLUDE(operate_rows, options_t, globals.operate, operate_options_t),
    HOPT_INCLUDE(split_rows, options_t, globals.split, split_options_t),
    HOPT_INCLUDE(report_rows, options_t, globals.report, report_options_t),
    HOPT_INCLUDE(bench_rows, options_t, globals.bench, bench_options_t),
    HOPT_INCLUDE(refused_rows, options_t, help, help_options_t),
    HOPT_END,
};

static bool disables_config(const char *word)
{
    return word != NULL && (strncmp(word, "-q", 2) == 0 || strcmp(word, "--disable") == 0);
}

static int take_argv(options_t *o, int argc, char *const argv[], hbytes_t *message)
{
    bool ended = false;
    int status = 0;

    for (int i = 1; i < argc && status == 0; i++) {
        hopt_word_t word = {argv[i], i + 1 < argc ? argv[i + 1] : NULL, false, NULL};

        if (ended || argv[i][0] != '-') {
            status = url_add(&o->now.url, argv[i], message);
            if (status < 0 && message->len == 0)
                hbytes_append_str(message, herr_str(status));
        } else if (strcmp(argv[i], "--") == 0) {
            ended = true;
        } else {
            status = take_word(o, &word, message);
            i += word.used;
            help_topic(&o->help, status, i + 1 < argc ? argv[i + 1] : NULL);
        }
    }
    return status;
}

/* As options.h says of callbacks. */
static int exit_status(int error)
{
    if (error == -ENOMEM)
        return STATUS_MEMORY;
    if (error == HERR_PROTOCOL)
        return STATUS_SCHEME;
    if (error == HERR_TLS)
        return STATUS_ENGINE;
    return error > HERR_CLOSED && error != -ENOBUFS ? STATUS_READ : STATUS_USAGE;
}

static int parse(options_t *o, int argc, char *const argv[], hbytes_t *message)
{
    int status = 0;

    if (!disables_config(argc > 1 ? argv[1] : NULL))
        status = take_usual_config(o, message);
    if (status == 0)
        status = take_argv(o, argc, argv, message);
    if (o->config != NULL) /* now it is known whether notes are wanted */
        report_note(&o->globals.report, "Read config file from '%s'", o->config);
    if (status == 0 && o->now.url.urls == 0 && o->count == 0) {
        if (argc > 1)
            hbytes_append_str(message, NO_URL);
        return HERR_SYNTAX;
    }
    if (status == 0 && o->now.url.urls == 0) {
        o->unfinished = true;
        return 0;
    }
    return status != 0 ? status : finish_operation(o, message);
}

int options_end(const options_t *o, int status)
{
    if (!o->unfinished)
        return status;
    report_usage(NO_URL);
    return STATUS_USAGE;
}

int options_parse(options_t *o, int argc, char *const argv[])
{
    hbytes_t message = {0};
    int status = hopt_main_open();

    memset(o, 0, sizeof(*o));
    o->now = operation_default;
    o->globals = globals_default;
    if (status == 0)
        status = parse(o, argc, argv, &message);
    if (status == 0) {
        status = OPTIONS_RUN;
    } else if (status > 0) {
        status = help_print(&o->help, status);
    } else {
        status = exit_status(status);
        report_usage(message.data);
    }
    hbytes_deinit(&message);
    return status;
}
