/* hconf: an INI file into a struct, by the same kind of table as a command's options.
 *
 *     static const hopt_t server_rows[] = {
 *         HOPT_UINT(0, "port", conf_t, port, 1, 65535, "listen on this port"),
 *         HOPT_FLAG(0, "daemon", conf_t, daemon, "go to the background"),
 *         HOPT_END,
 *     };
 *     static const hconf_section_t sections[] = {
 *         {"server", .rows = server_rows}, {"proxy", .pair = on_route}, {0}};
 *     static const hconf_schema_t schema = {sections, sizeof(conf_t)};
 *
 * A row's long name (or alias) is the key. A FLAG takes yes or no; a LIST, and a CALL that repeats,
 * may stand several times, anything else only once. Lines are at most about 200 bytes, as the INI
 * library is built. */
#ifndef HNET_APP_HCONF_H
#define HNET_APP_HCONF_H

#include <stddef.h>

#include "../base/hbuf.h"
#include "hopt.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HCONF_FILE_MAX ((size_t)1 << 20)
#define HCONF_ERRORS_MAX 20

/* Gets each pair of a free section, in order; the strings live until hconf_free. target is the
 * struct that is being filled (a copy of the caller's). 0, or a negative error and the words for
 * it, that follow the key, in `why`. */
typedef int (*hconf_pair_cb)(const char *key, const char *value, void *target, hbytes_t *why);

/* Called at each heading of such a section, with what stands behind its name ("host" of "[host
 * www.example.com]" gets "www.example.com"; "" if there is nothing), which lives until hconf_free.
 * Returns the struct that the rows of the section are bound to and that its pairs get, or NULL and
 * the words for the mistake in `why` (none: out of memory). */
typedef void *(*hconf_open_cb)(const char *argument, void *target, hbytes_t *why);

typedef struct hconf_section_s {
    const char *name;   /* "": what stands before the first heading; NULL: the end */
    const hopt_t *rows; /* or NULL */
    hconf_pair_cb pair; /* for keys that are in no row; NULL: they are unknown */
    hconf_open_cb open; /* NULL: the heading is the name alone, the struct the target */
} hconf_section_t;

typedef struct hconf_schema_s {
    const hconf_section_t *sections;
    size_t target_size; /* of the struct that the rows are bound to */
} hconf_schema_t;

/* The strings of one file. */
typedef struct hconf_s hconf_t;

/* Reads a file into target. 0, and *conf then owns the strings that target points at; lists belong
 * to target (hconf_deinit). Their members have to be empty before, all others are defaults.
 *
 * On an error target is as it was, *conf is NULL, and `errors` has a line (with its newline) for
 * each mistake: "hhttpd.conf:12: unknown key 'prot' in [server] (did you mean port?)" (or the
 * section that it belongs into), at most HCONF_ERRORS_MAX and one that tells how many more.
 * HERR_SYNTAX for mistakes in it, -errno if it cannot be read, -EINVAL for what is no plain file (a
 * FIFO, a device), -EFBIG past HCONF_FILE_MAX, -ENOMEM, HERR_UNSUPPORTED built without inih. */
int hconf_load(const char *path, const hconf_schema_t *schema, void *target, hconf_t **conf,
               hbytes_t *errors);

/* The same from memory; name stands before the line numbers. */
typedef struct hconf_text_s {
    const char *name;
    const char *data;
    size_t len;
} hconf_text_t;
int hconf_parse(const hconf_text_t *text, const hconf_schema_t *schema, void *target,
                hconf_t **conf, hbytes_t *errors);

/* The line of a string that target or a callback got, or of a place in one; 0: it is not of this
 * file. For mistakes that show only when all is read. NULL conf is legal. */
unsigned hconf_line(const hconf_t *conf, const char *string);

/* Appends the place of a string in the file of this path, before what is wrong with it: "PATH:LINE:
 * ", or "PATH: " of NULL; nothing where it is not of this file. conf and path may be NULL. */
void hconf_where(const hconf_t *conf, const char *path, const char *string, hbytes_t *errors);

/* Frees the lists in target (those of a section with `open` are its caller's), and the strings.
 * NULL conf is legal. */
void hconf_deinit(const hconf_schema_t *schema, void *target);
void hconf_free(hconf_t *conf);

#ifdef __cplusplus
}
#endif

#endif
