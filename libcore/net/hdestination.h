/* hdestination: where the clients of a forward proxy may go: rules in order,
 *
 *     allow|deny PATTERN[:PORTS] ...
 *
 *     example.com                     this name
 *     .example.com                    this name and all names below it
 *     *.example.com                   all names below it
 *     192.0.2.1  2001:db8::1          an address, also when a name leads there
 *     192.0.2.0/24  2001:db8::/32     a block
 *     *                               everything
 *
 * with PORTS "443", "80,443,8000-8100"; in front of them an IPv6 address has brackets:
 * [2001:db8::]/32:443.
 *
 * The first rule that matches decides; where none does, all is allowed, unless there is a rule that
 * allows something: then nothing else is. Two things protect from names that lead to where nobody
 * would let them (DNS rebinding), so each address that a name has is judged again:
 *   - Rules for names and "*" do not open what a rule for addresses, wherever it stands, denies:
 *     of these again the first counts. So "deny 10.0.0.0/8" holds behind "allow *", and "allow
 *     10.1.2.3" in front of it makes an exception.
 *   - Link-local addresses (169.254.0.0/16, fe80::/10: the metadata of clouds) are denied, and
 *     those of this machine's loopback are for clients that come over it; rules that allow
 *     addresses, by numbers, override that.
 *   - Both hold for IPv6 addresses that gateways turn into IPv4 ones: NAT64 (64:ff9b::/96), 6to4
 *     (2002::/16), IPv4-compatible (::/96). Rules that allow IPv4 do not open these.
 *
 * Hosts and addresses are compared in their plain spelling (hhost.h), a point at the end of a name
 * does not count, IPv4 mapped in IPv6 is IPv4. */
#ifndef HNET_NET_HDESTINATION_H
#define HNET_NET_HDESTINATION_H

#include "haddr.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HDESTINATION_RULES_MAX 4096
#define HDESTINATION_PORTS_MAX 16 /* ranges in one pattern */
#define HDESTINATION_ERROR_SIZE 256

typedef struct hdestination_s hdestination_t;

/* An empty list. 0 or -ENOMEM. */
int hdestination_new(hdestination_t **list);
void hdestination_free(hdestination_t *list); /* NULL is legal */

/* Adds "allow PATTERN ..." or "deny PATTERN ...". 0; or HERR_SYNTAX, HERR_RANGE, HERR_UNSUPPORTED
 * (a name that needs libidn2), -ENOBUFS (HDESTINATION_RULES_MAX), -ENOMEM, and then error (may be
 * NULL) is one line that quotes the pattern, and those in front of it have been added. */
int hdestination_add(hdestination_t *list, const char *text, char *error, size_t error_size);

size_t hdestination_count(const hdestination_t *list); /* patterns; 0 for NULL */

typedef enum {
    HDESTINATION_DENIED,
    HDESTINATION_DEPENDS, /* a rule that allows addresses may allow it, no other does */
    HDESTINATION_ALLOWED  /* unless its address is denied */
} hdestination_e;

/* What can be said of a host as it was asked for (plain: hhost_plain), before its addresses are
 * known; of an address in numbers all but what the loopback is to whom. list NULL: no rules. */
hdestination_e hdestination_check_host(const hdestination_t *list, const char *host, uint16_t port);

/* Whether a client may go to this address (and the port in it), which was asked for as host (plain;
 * NULL: as itself). client NULL, or a UNIX socket: it is on this machine. */
bool hdestination_check_addr(const hdestination_t *list, const char *host,
                             const struct sockaddr *addr, const struct sockaddr *client);

#ifdef __cplusplus
}
#endif

#endif
