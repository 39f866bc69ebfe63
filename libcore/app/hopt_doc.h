/* hopt_doc: what a command says about itself, once: --help, --version, the manual page and the
 * completions for bash, zsh and fish all come from one hopt_doc_t and its option table.
 *
 * Every command has these options besides its own, which hide them where a name is taken:
 *     -h, --help    -V, --version    --help-man --help-bash --help-zsh --help-fish (hidden)
 *
 * Texts are plain: no markup; sentences end with a full stop, paragraphs are separate strings. */
#ifndef HNET_APP_HOPT_DOC_H
#define HNET_APP_HOPT_DOC_H

#include "../base/hbuf.h"
#include "hopt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A term and what is said about it. The last of an array is {NULL, NULL}. */
typedef struct hopt_term_s {
    const char *term;
    const char *text;
} hopt_term_t;

/* A section of the manual of the command's own, behind the options: a title in capitals,
 * paragraphs, a list and lines that are shown as they stand (none begins with a dot), each of which
 * may be NULL. The last of an array has no title. */
typedef struct hopt_section_s {
    const char *title;
    const char *const *paragraphs; /* NULL-terminated */
    const hopt_term_t *terms;
    const char *literal; /* without the last newline */
} hopt_section_t;

/* A library that was built in, for --version. The last of an array has no name. */
typedef struct hopt_feature_s {
    const char *name;
    const char *version; /* HOPT_VERSION_TEXT(HNET_VERSION_x) */
} hopt_feature_t;

/* "2.3" of the build's HNET_VERSION_x, which has no quotes. */
#define HOPT_VERSION_TEXT_OF(number) #number
#define HOPT_VERSION_TEXT(number) HOPT_VERSION_TEXT_OF(number)

typedef enum hopt_operand_e {
    HOPT_OPERAND_NONE = 0,
    HOPT_OPERAND_FILE,
    HOPT_OPERAND_HOST,
    HOPT_OPERAND_URL
} hopt_operand_e;

typedef struct hopt_doc_s {
    const char *name;               /* "hnc" */
    const char *summary;            /* "read and write network connections": no full stop */
    const hopt_t *options;          /* ends with HOPT_END */
    const char *const *usage;       /* without the name: "[options] HOST PORT"; NULL-terminated */
    const char *const *description; /* paragraphs, NULL-terminated; as are the rest, or NULL */
    const hopt_term_t *operands;    /* what the words of the usage mean */
    const hopt_section_t *sections; /* of the manual */
    const hopt_term_t *examples;    /* a command line and what it does */
    const hopt_term_t *exit_status; /* "0" and when */
    const hopt_term_t *environment; /* a variable and its use; HNET_POLLER is added */
    const hopt_term_t *files;       /* a path and its use */
    const hopt_term_t *signals;     /* "SIGHUP" and what it does */
    const char *const *see_also;    /* "nc(1)" */
    const hopt_feature_t *features; /* beside the ones of libcore */
    hopt_operand_e operand;         /* what a shell completes for an operand */
    int usage_status;               /* exit status of a usage error; 0: 2 */
    bool posix_order;               /* the first operand ends the options */
} hopt_doc_t;

typedef enum hopt_page_e {
    HOPT_PAGE_HELP = 1,
    HOPT_PAGE_VERSION,
    HOPT_PAGE_MAN,
    HOPT_PAGE_BASH,
    HOPT_PAGE_ZSH,
    HOPT_PAGE_FISH,
    HOPT_PAGE_TEXT /* the manual as plain text; no standard option asks for it */
} hopt_page_e;

/* The spec of a command's whole table, for hopt_parse and hopt_deinit. A parse of it returns a
 * hopt_page_e when such a page was asked for. */
hopt_spec_t hopt_doc_spec(const hopt_doc_t *doc);

/* Appends a page, whole lines. width is the terminal's, for HELP and TEXT alone (0: 80). 0 or
 * -ENOMEM. */
int hopt_doc_write(const hopt_doc_t *doc, hopt_page_e page, size_t width, hbytes_t *out);

/* Appends the help of those options that the filter takes, under their headings. Those that help
 * does not show at all are not asked for. */
typedef bool (*hopt_filter_cb)(const char *heading, const hopt_t *row, void *ctx);
int hopt_doc_write_some(const hopt_doc_t *doc, hopt_filter_cb filter, void *ctx, size_t width,
                        hbytes_t *out);

/* The exit status for a negative result of hopt_parse: the command's own for bad usage, always 2
 * for an option that is refused, 1 when out of memory. */
int hopt_exit_status(const hopt_doc_t *doc, int error);

/* Parses a command's arguments. HOPT_RUN: go on. Anything else is the exit status: a page was
 * written to stdout (1 if that failed), or one line about a mistake to stderr. Beside hmain, this
 * and hopt_main_page are the only functions of the library that print. Call it before anything is
 * opened: descriptors 0 to 2 that are closed become /dev/null here. Call hopt_main_free in every
 * case. */
#define HOPT_RUN (-1)
int hopt_main_parse(const hopt_doc_t *doc, int argc, char *const argv[], void *opts,
                    hopt_list_t *operands);

/* Its parts, for a command that walks through argv itself (hopt_parse_word): closed descriptors, 0
 * or -errno; and a page, the exit status. */
int hopt_main_open(void);
int hopt_main_page(const hopt_doc_t *doc, hopt_page_e page);
void hopt_main_free(const hopt_doc_t *doc, void *opts, hopt_list_t *operands);

#ifdef __cplusplus
}
#endif

#endif
