#include "htls_int.h"

#define ROW(name) HLIB_SYMBOL(htls_ossl_t, name),
#define TEXT(x) #x
#define SONAME(name, version) name ".so." TEXT(version)

htls_ossl_t htls__ossl;

int htls__load(char *error, size_t error_size)
{
    static const hlib_symbol_t symbols[] = {HTLS_FUNCTIONS(ROW)};
    static const char *const files[] = {SONAME("libcrypto", OPENSSL_SHLIB_VERSION),
                                        SONAME("libssl", OPENSSL_SHLIB_VERSION), NULL};
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &htls__ossl,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    const htls_report_t report = {error, error_size, NULL};
    int rc = hlib_load(&lib);

    return rc < 0 ? htls__report(&report, rc, "%s", hlib_error(&lib)) : 0;
}
