#include "version.h"

#include "app/hopt_doc.h"
#include "base/hversion.h"

#if defined(__x86_64__)
#define MACHINE "x86_64-pc-linux-gnu"
#elif defined(__aarch64__)
#define MACHINE "aarch64-unknown-linux-gnu"
#else
#define MACHINE "unknown-linux-gnu"
#endif

#define LIBRARY(name, version) " " name "/" HOPT_VERSION_TEXT(version)

#if HNET_WITH_ZLIB
#define ZLIB LIBRARY("zlib", HNET_VERSION_zlib)
#define ZLIB_FEATURE " libz"
#else
#define ZLIB ""
#define ZLIB_FEATURE ""
#endif

#if HNET_WITH_BROTLI
#define BROTLI LIBRARY("brotli", HNET_VERSION_libbrotlidec)
#define BROTLI_FEATURE " brotli"
#else
#define BROTLI ""
#define BROTLI_FEATURE ""
#endif

#if HNET_WITH_ZSTD
#define ZSTD LIBRARY("zstd", HNET_VERSION_libzstd)
#define ZSTD_FEATURE " zstd"
#else
#define ZSTD ""
#define ZSTD_FEATURE ""
#endif

#if HNET_WITH_IDN
#define IDN LIBRARY("libidn2", HNET_VERSION_libidn2)
#define IDN_FEATURE " IDN"
#else
#define IDN ""
#define IDN_FEATURE ""
#endif

#if HNET_WITH_PSL
#define PSL LIBRARY("libpsl", HNET_VERSION_libpsl)
#define PSL_FEATURE " PSL"
#else
#define PSL ""
#define PSL_FEATURE ""
#endif

#define LIBRARIES                                                                                  \
    LIBRARY("OpenSSL", HNET_VERSION_openssl)                                                       \
    ZLIB BROTLI ZSTD LIBRARY("c-ares", HNET_VERSION_libcares)                                      \
    IDN PSL

/* In the order of the alphabet. */
#define FEATURES                                                                                   \
    "alt-svc AsynchDNS" BROTLI_FEATURE " HSTS HTTPS-proxy" IDN_FEATURE                             \
    " IPv6 Largefile" ZLIB_FEATURE PSL_FEATURE " SSL threadsafe UnixSockets" ZSTD_FEATURE

const char version_line[] = "hcurl/" HNET_VERSION LIBRARIES;

int version_write(hbytes_t *out)
{
    return hbytes_append_str(out,
                             "hcurl " HNET_VERSION " (" MACHINE ") hnet/" HNET_VERSION LIBRARIES
                             "\nRelease-Date: " HNET_RELEASE_DATE
                             "\nProtocols: http https\nFeatures: " FEATURES "\n");
}
