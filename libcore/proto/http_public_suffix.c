#include "http_public_suffix.h"

#include "../base/herr.h"

#include <string.h>

#define DOMAIN_SIZE 256

#if HNET_WITH_PSL
#include "../base/hlib.h"

#include <libpsl.h>

typedef struct psl_s {
    HLIB_FUNCTION(psl_builtin);
    HLIB_FUNCTION(psl_is_public_suffix);
} psl_t;

#define ROW(name) HLIB_SYMBOL(psl_t, name)

static psl_t psl;

/* The list that the library brings along, NULL without one: looking it up allocates nothing. */
static const psl_ctx_t *list(void)
{
    static const hlib_symbol_t symbols[] = {ROW(psl_builtin), ROW(psl_is_public_suffix)};
    static const char *const files[] = {"libpsl.so.5", NULL};
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &psl,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib) == 0 ? psl.psl_builtin() : NULL;
}

static bool is_listed(const char *domain)
{
    return psl.psl_is_public_suffix(list(), domain);
}

bool http_public_suffix_has_list(void)
{
    return list() != NULL;
}
#else
static bool is_listed(const char *domain)
{
    (void)domain;
    return false;
}

bool http_public_suffix_has_list(void)
{
    return false;
}
#endif

bool http_public_suffix(const char *domain, void *arg)
{
    char name[DOMAIN_SIZE];
    size_t len = strlen(domain);

    (void)arg;
    len -= len > 0 && domain[len - 1] == '.';
    if (len == 0 || len >= sizeof(name))
        return true;
    memcpy(name, domain, len);
    name[len] = '\0';
    if (strcmp(name, "localhost") == 0)
        return false;
    /* A name of one label is nobody's domain, whatever a list says. */
    if (!strchr(name, '.'))
        return true;
    return http_public_suffix_has_list() && is_listed(name);
}
