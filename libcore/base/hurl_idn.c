#include "hurl_int.h"

#include "herr.h"

#if HNET_WITH_IDN
#include <idn2.h>

#include "hlib.h"
#include "hstr.h"

typedef struct idn_lib_s {
    HLIB_FUNCTION(idn2_lookup_u8);
    HLIB_FUNCTION(idn2_free);
} idn_lib_t;

static idn_lib_t idn;

static int load(void)
{
    static const hlib_symbol_t symbols[] = {HLIB_SYMBOL(idn_lib_t, idn2_lookup_u8),
                                            HLIB_SYMBOL(idn_lib_t, idn2_free)};
    static const char *const files[] = {"libidn2.so.0", NULL};
    static hlib_t lib = {
        .files = files,
        .symbols = symbols,
        .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
        .table = &idn,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return hlib_load(&lib);
}

int hurl__idn(const char *name, char *ascii, size_t size)
{
    uint8_t *found = NULL;
    size_t len;
    int err = load();

    if (err < 0)
        return err;
    err = idn.idn2_lookup_u8((const uint8_t *)name, &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (err != IDN2_OK)
        return err == IDN2_MALLOC ? -ENOMEM : HERR_SYNTAX;
    len = hstr_copy(ascii, size, (const char *)found);
    idn.idn2_free(found);
    return len < size ? 0 : HERR_RANGE;
}

#else

int hurl__idn(const char *name, char *ascii, size_t size)
{
    (void)name;
    (void)ascii;
    (void)size;
    return HERR_UNSUPPORTED;
}

#endif
