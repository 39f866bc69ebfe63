/* hlib: shared libraries that are loaded when they are first needed, so that a command that does
 * not need them starts without them (linking libcrypto costs a start-up more than all of hnc).
 *
 * A module that uses such a library has a struct of function pointers, filled in once per process:
 *
 *     typedef struct ares_lib_s { HLIB_FUNCTION(ares_init_options); ... } ares_lib_t;
 *
 * Types come from the library's own header, so a wrong call does not compile. */
#ifndef HNET_BASE_HLIB_H
#define HNET_BASE_HLIB_H

#include "herr.h"

#include <pthread.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A member with the name and the type of a function (or a pointer to a variable) of the library. */
#define HLIB_FUNCTION(name) __typeof__(&name) name

/* Its row in the list of symbols. */
#define HLIB_SYMBOL(table, name)                                                                   \
    {                                                                                              \
#name, offsetof(table, name)                                                               \
    }

typedef struct hlib_symbol_s {
    const char *name;
    size_t offset; /* of the pointer in the table */
} hlib_symbol_t;

/* One library, static: the state of the one load. */
typedef struct hlib_s {
    const char *const *files; /* sonames that are loaded in this order, NULL at the end */
    const hlib_symbol_t *symbols;
    size_t symbol_count;
    void *table;
    pthread_mutex_t lock; /* PTHREAD_MUTEX_INITIALIZER */
    int state;            /* 0: not tried, 1: loaded, negative: the error */
    char error[160];      /* for hlib_error */
} hlib_t;

/* Loads it at the first call; any thread. 0, or HERR_UNSUPPORTED when a file or a symbol is
 * missing; tried once only. What is loaded is never unloaded. */
int hlib_load(hlib_t *lib);

/* Why the load failed: names the file; "" while it has not. Static storage. */
const char *hlib_error(const hlib_t *lib);

#ifdef __cplusplus
}
#endif

#endif
