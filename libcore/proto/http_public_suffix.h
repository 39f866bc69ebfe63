/* http_public_suffix: whether a domain belongs to people who are not related ("com", "co.uk",
 * "github.io"), by the list of publicsuffix.org as libpsl has it; loaded when first asked. Any
 * thread. */
#ifndef HNET_PROTO_HTTP_PUBLIC_SUFFIX_H
#define HNET_PROTO_HTTP_PUBLIC_SUFFIX_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* domain: lower case, ASCII; a dot at its end does not count. Without libpsl all names without an
 * inner dot are. "localhost" never is: the names below it are the same machine (RFC 6761 section
 * 6.3). arg is not used: this is an http_public_suffix_cb. */
bool http_public_suffix(const char *domain, void *arg);

/* Whether the list is there (for a command's --version); tries to load it. */
bool http_public_suffix_has_list(void);

#ifdef __cplusplus
}
#endif

#endif
