/* hopt_shell: completions. Each script is plain text for its shell and needs no helper library. */
#include <string.h>

#include "hopt_doc_int.h"

/* ---- bash ---- */

/* "-w|--wait|--wait=": what stands before a value; "=" is appended where bash cut a word at it. */
static void put_bash_pattern(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names)
{
    bool apart = row->bare == NULL;
    const char *bar = "";

    if (apart && names->short_name != '\0') {
        hopt__printf(w, "-%c", names->short_name);
        bar = "|";
    }
    if (apart && names->pair != NULL) {
        hopt__printf(w, "%s-%s", bar, names->pair);
        bar = "|";
    }
    if (apart && names->long_name != NULL) {
        hopt__printf(w, "%s--%s", bar, names->long_name);
        bar = "|";
    }
    if (names->long_name != NULL)
        hopt__printf(w, "%s--%s=", bar, names->long_name);
}

static void put_bash_value(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names)
{
    hopt_value_e kind = hopt__value_kind(row);

    if (kind == HOPT_VALUE_NONE || (row->bare != NULL && names->long_name == NULL))
        return;
    hopt__put(w, "        ");
    put_bash_pattern(w, row, names);
    hopt__put(w, ")\n            ");
    if (kind == HOPT_VALUE_WORDS) {
        hopt__put(w, "mapfile -t COMPREPLY < <(compgen -W '");
        for (size_t i = 0; row->names[i] != NULL; i++)
            hopt__printf(w, "%s%s", i > 0 ? " " : "", row->names[i]);
        hopt__put(w, "' -- \"$cur\")\n            ");
    } else if (kind == HOPT_VALUE_FILE || kind == HOPT_VALUE_DIR) {
        hopt__printf(w, "mapfile -t COMPREPLY < <(compgen -%c -- \"$cur\")\n            ",
                     kind == HOPT_VALUE_FILE ? 'f' : 'd');
        hopt__put(w, "compopt -o filenames\n            ");
    } else if (kind == HOPT_VALUE_HOST) {
        hopt__put(w, "mapfile -t COMPREPLY < <(compgen -A hostname -- \"$cur\")\n            ");
    }
    hopt__put(w, "return\n            ;;\n");
}

static void put_bash_names(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names)
{
    const char *equals = hopt__takes_value(row) && row->bare == NULL ? "=" : "";

    if (names->short_name != '\0' && strchr("'?\\", names->short_name) == NULL)
        hopt__printf(w, " -%c", names->short_name);
    if (names->pair != NULL)
        hopt__printf(w, " -%s", names->pair);
    if (names->long_name != NULL)
        hopt__printf(w, " --%s%s", names->long_name, equals);
    if (names->opposite != NULL)
        hopt__printf(w, " --%s%s", names->opposite_prefix, names->opposite);
}

static void put_bash_operands(hopt_writer_t *w, hopt_operand_e operand)
{
    if (operand == HOPT_OPERAND_FILE)
        hopt__put(w, "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                     "    compopt -o filenames\n");
    else if (operand == HOPT_OPERAND_HOST)
        hopt__put(w, "    mapfile -t COMPREPLY < <(compgen -A hostname -- \"$cur\")\n");
    else if (operand == HOPT_OPERAND_URL)
        hopt__put(w, "    mapfile -t COMPREPLY < <(compgen -W 'http:// https://' -- \"$cur\")\n"
                     "    compopt -o nospace\n");
}

void hopt__write_bash(const hopt_doc_t *doc, hopt_writer_t *w)
{
    hopt_spec_t spec = hopt_doc_spec(doc);
    hopt_names_t names;
    const hopt_t *row;
    hopt_iter_t iter;

    hopt__printf(w, "# bash completion for %s; made by \"%s --help-bash\"\n_%s()\n{\n", doc->name,
                 doc->name, doc->name);
    hopt__put(w, "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n\n"
                 "    COMPREPLY=()\n"
                 "    if [[ $cur == = ]]; then\n"
                 "        cur= prev=$prev=\n"
                 "    elif [[ $prev == = ]]; then\n"
                 "        prev=${COMP_WORDS[COMP_CWORD-2]}=\n"
                 "    fi\n"
                 "    case $prev in\n");
    hopt__iter_init(&iter, &spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        if (hopt__visible(&spec, row, &names))
            put_bash_value(w, row, &names);
    }
    hopt__put(w, "    esac\n    if [[ $cur == -* ]]; then\n"
                 "        mapfile -t COMPREPLY < <(compgen -W '");
    hopt__iter_init(&iter, &spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        if (hopt__visible(&spec, row, &names))
            put_bash_names(w, row, &names);
    }
    hopt__put(w, "' -- \"$cur\")\n"
                 "        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
                 "        return\n    fi\n");
    put_bash_operands(w, doc->operand);
    hopt__printf(w, "}\ncomplete -F _%s %s\n", doc->name, doc->name);
}

/* ---- zsh ---- */

/* Text inside single quotes, with a backslash before what _arguments would read as its own. */
static void put_zsh_text(hopt_writer_t *w, const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            hopt__put(w, "'\\''");
            continue;
        }
        if (strchr(special, *text) != NULL)
            hopt__put_char(w, '\\');
        hopt__put_char(w, *text);
    }
}

static void put_zsh_action(hopt_writer_t *w, const hopt_t *row)
{
    char buf[HOPT_ARG_SIZE];
    hopt_value_e kind = hopt__value_kind(row);

    if (kind == HOPT_VALUE_NONE)
        return;
    hopt__put(w, row->bare != NULL ? "::" : ":");
    put_zsh_text(w,
                 row->arg_name != NULL || row->names == NULL ? hopt__arg_name(row, buf, sizeof(buf))
                                                             : "value",
                 ":\\");
    hopt__put_char(w, ':');
    if (kind == HOPT_VALUE_WORDS) {
        for (size_t i = 0; row->names[i] != NULL; i++) {
            hopt__put_char(w, i > 0 ? ' ' : '(');
            put_zsh_text(w, row->names[i], ":\\ ()");
        }
        hopt__put_char(w, ')');
    } else if (kind == HOPT_VALUE_FILE) {
        hopt__put(w, "_files");
    } else if (kind == HOPT_VALUE_DIR) {
        hopt__put(w, "_files -/");
    } else if (kind == HOPT_VALUE_HOST) {
        hopt__put(w, "_hosts");
    }
}

/* "(-w --wait)": once one of them is there, none of them is offered again. */
static void put_zsh_exclusion(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names)
{
    bool repeats = row->type == HOPT_TYPE_LIST || row->type == HOPT_TYPE_COUNT ||
                   (row->type == HOPT_TYPE_CALL && row->arg_name != NULL);

    hopt__put(w, " \\\n    '");
    if (repeats) {
        hopt__put_char(w, '*');
        return;
    }
    if (names->short_name == '\0' || names->long_name == NULL)
        return;
    hopt__put_char(w, '(');
    put_zsh_text(w, (const char[]){'-', names->short_name, '\0'}, ":\\[]()");
    hopt__printf(w, " --%s)", names->long_name);
}

/* One form of a row's name, with its help and what completes its value. */
static void put_zsh_name(hopt_writer_t *w, const hopt_t *row, const char *dashes, const char *name)
{
    bool is_long = strcmp(dashes, "-") != 0;

    hopt__put(w, dashes);
    put_zsh_text(w, name, ":\\[]");
    if (hopt__takes_value(row))
        hopt__put(w, row->bare != NULL ? (is_long ? "=-" : "-") : (is_long ? "=" : "+"));
    hopt__put_char(w, '[');
    put_zsh_text(w, row->help, ":\\[]");
    hopt__put_char(w, ']');
    put_zsh_action(w, row);
    hopt__put_char(w, '\'');
}

static void put_zsh_option(hopt_writer_t *w, const hopt_t *row, const hopt_names_t *names)
{
    const char letter[2] = {names->short_name, '\0'};
    const struct {
        const char *dashes;
        const char *name;
    } forms[] = {
        {"-", letter[0] != '\0' ? letter : NULL},
        {"-", names->pair},
        {"--", names->long_name},
        {names->opposite_prefix[0] != '\0' ? "--no-" : "--", names->opposite},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (forms[i].name == NULL)
            continue;
        put_zsh_exclusion(w, row, names);
        put_zsh_name(w, row, forms[i].dashes, forms[i].name);
    }
}

void hopt__write_zsh(const hopt_doc_t *doc, hopt_writer_t *w)
{
    static const char *const operands[] = {
        [HOPT_OPERAND_NONE] = "*: :",
        [HOPT_OPERAND_FILE] = "*:file:_files",
        [HOPT_OPERAND_HOST] = "*:host:_hosts",
        [HOPT_OPERAND_URL] = "*:url:_urls",
    };
    hopt_spec_t spec = hopt_doc_spec(doc);
    hopt_names_t names;
    const hopt_t *row;
    hopt_iter_t iter;

    hopt__printf(w, "#compdef %s\n# made by \"%s --help-zsh\"\n\n_arguments -s -S", doc->name,
                 doc->name);
    hopt__iter_init(&iter, &spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        if (hopt__visible(&spec, row, &names))
            put_zsh_option(w, row, &names);
    }
    hopt__printf(w, " \\\n    '%s'\n", operands[doc->operand]);
}

/* ---- fish ---- */

static void put_fish_text(hopt_writer_t *w, const char *text)
{
    hopt__put_char(w, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            hopt__put_char(w, '\\');
        hopt__put_char(w, *text);
    }
    hopt__put_char(w, '\'');
}

static void put_fish_value(hopt_writer_t *w, const hopt_t *row)
{
    hopt_value_e kind = hopt__value_kind(row);

    if (kind == HOPT_VALUE_FILE) {
        hopt__put(w, row->bare != NULL ? " -F" : " -r -F");
    } else if (kind != HOPT_VALUE_NONE) {
        hopt__put(w, row->bare != NULL ? " -f" : " -x");
    }
    if (kind == HOPT_VALUE_WORDS) {
        hopt__put(w, " -a '");
        for (size_t i = 0; row->names[i] != NULL; i++)
            hopt__printf(w, "%s%s", i > 0 ? " " : "", row->names[i]);
        hopt__put_char(w, '\'');
    } else if (kind == HOPT_VALUE_DIR) {
        hopt__put(w, " -a '(__fish_complete_directories)'");
    } else if (kind == HOPT_VALUE_HOST) {
        hopt__put(w, " -a '(__fish_print_hostnames)'");
    }
}

static void put_fish_option(hopt_writer_t *w, const char *command, const hopt_t *row,
                            const hopt_names_t *names)
{
    char letter[2] = {names->short_name, '\0'};

    hopt__printf(w, "complete -c %s", command);
    if (letter[0] != '\0') {
        hopt__put(w, " -s ");
        put_fish_text(w, letter);
    }
    if (names->pair != NULL)
        hopt__printf(w, " -o %s", names->pair);
    if (names->long_name != NULL)
        hopt__printf(w, " -l %s", names->long_name);
    put_fish_value(w, row);
    hopt__put(w, " -d ");
    put_fish_text(w, row->help);
    hopt__put_char(w, '\n');
    if (names->opposite == NULL)
        return;
    hopt__printf(w, "complete -c %s -l %s%s\n", command, names->opposite_prefix, names->opposite);
}

void hopt__write_fish(const hopt_doc_t *doc, hopt_writer_t *w)
{
    hopt_spec_t spec = hopt_doc_spec(doc);
    hopt_names_t names;
    const hopt_t *row;
    hopt_iter_t iter;

    hopt__printf(w, "# fish completion for %s; made by \"%s --help-fish\"\n", doc->name, doc->name);
    if (doc->operand != HOPT_OPERAND_FILE)
        hopt__printf(w, "complete -c %s -f\n", doc->name);
    if (doc->operand == HOPT_OPERAND_HOST)
        hopt__printf(w, "complete -c %s -a '(__fish_print_hostnames)'\n", doc->name);
    hopt__iter_init(&iter, &spec, NULL);
    while ((row = hopt__iter_next(&iter, NULL)) != NULL) {
        if (hopt__visible(&spec, row, &names))
            put_fish_option(w, doc->name, row, &names);
    }
}
