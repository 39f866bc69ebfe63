/* Hosts: names, IPv4 in all the forms that inet_aton took, IPv6 as RFC 5952 writes it. */
#include "hurl_int.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "herr.h"

#define FORBIDDEN "\t\n\r #/:<>?@[\\]^|"
#define IPV4_PARTS_MAX 4
#define IPV6_WORDS 8

/* ---- IPv6 ------------------------------------------------------------------------------------ */

/* The first of the longest runs of two or more zeros; its length, 0 if there is none. */
static int longest_zeros(const uint16_t *words, int *start)
{
    int longest = 0;

    for (int i = 0, run = 0; i < IPV6_WORDS; i++) {
        run = words[i] == 0 ? run + 1 : 0;
        if (run > longest && run > 1) {
            longest = run;
            *start = i - run + 1;
        }
    }
    return longest;
}

static int put_ipv6(hbytes_t *out, hurl_part_t text)
{
    char copy[INET6_ADDRSTRLEN];
    uint16_t words[IPV6_WORDS];
    int start = -1, zeros, err;

    if (text.len >= sizeof(copy) || memchr(text.data, '\0', text.len))
        return HERR_SYNTAX;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET6, copy, words) != 1)
        return HERR_SYNTAX;
    zeros = longest_zeros(words, &start);
    err = hbytes_append_char(out, '[');
    for (int i = 0; err == 0 && i < IPV6_WORDS; i++) {
        if (i == start) {
            err = hbytes_append_str(out, "::");
            i += zeros - 1;
            continue;
        }
        err = hbytes_printf(out, "%s%x", i > 0 && i != start + zeros ? ":" : "", ntohs(words[i]));
    }
    return err == 0 ? hbytes_append_char(out, ']') : err;
}

/* ---- IPv4 ------------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number as C writes it: 10, 012, 0xa. False if it is none; one that is too large is UINT64_MAX.
 * */
static bool read_number(hurl_part_t text, uint64_t *value)
{
    uint64_t radix = 10;
    size_t i = 0;

    if (text.len == 0)
        return false;
    if (text.len >= 2 && text.data[0] == '0') {
        radix = text.data[1] == 'x' ? 16 : 8;
        i = radix == 16 ? 2 : 1;
    }
    for (*value = 0; i < text.len; i++) {
        int digit = hurl__hex(text.data[i]);

        if (digit < 0 || (uint64_t)digit >= radix)
            return false;
        *value = *value > UINT32_MAX ? UINT64_MAX : *value * radix + (uint64_t)digit;
    }
    return true;
}

/* Cuts off what stands before the next point. */
static hurl_part_t next_label(hurl_part_t *rest)
{
    const char *point = rest->len ? memchr(rest->data, '.', rest->len) : NULL;
    hurl_part_t label = {rest->data, point ? (size_t)(point - rest->data) : rest->len};

    rest->data += label.len + (point != NULL);
    rest->len -= label.len + (point != NULL);
    return label;
}

/* A last label that is a number makes an IPv4 address of the name, or an error. */
static bool ends_in_number(hurl_part_t host)
{
    hurl_part_t label = {host.data, 0};
    uint64_t value;
    size_t i = 0;

    while (host.len > 0)
        label = next_label(&host);
    while (i < label.len && is_digit(label.data[i]))
        i++;
    return label.len > 0 &&
           (i == label.len || (label.data[0] == '0' && read_number(label, &value)));
}

static int put_ipv4(hbytes_t *out, hurl_part_t host)
{
    uint64_t address = 0, value = 0;
    int parts = 0;

    while (host.len > 0) {
        hurl_part_t label = next_label(&host);

        if (parts == IPV4_PARTS_MAX || !read_number(label, &value))
            return HERR_SYNTAX;
        parts++;
        if (host.len > 0 && value > 255)
            return HERR_SYNTAX;
        if (host.len > 0)
            address |= value << (8 * (IPV4_PARTS_MAX - parts));
    }
    if (value >= UINT64_C(1) << (8 * (IPV4_PARTS_MAX - parts + 1)))
        return HERR_SYNTAX;
    address |= value;
    return hbytes_printf(out, "%u.%u.%u.%u", (unsigned)(address >> 24 & 255),
                         (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255),
                         (unsigned)(address & 255));
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Decodes %XX, and makes ASCII of what is not. */
static int read_name(hurl_part_t text, char *name, size_t size)
{
    char raw[HURL_IDN_SIZE];
    ssize_t len = hurl_decode(raw, sizeof(raw) - 1, text.data, text.len, false);
    bool ascii = true;

    if (len < 0)
        return len == -ENOBUFS ? HERR_RANGE : HERR_SYNTAX;
    if (len == 0 || memchr(raw, '\0', (size_t)len))
        return HERR_SYNTAX;
    raw[len] = '\0';
    for (ssize_t i = 0; i < len; i++)
        ascii &= (unsigned char)raw[i] < 0x80;
    if (!ascii)
        return hurl__idn(raw, name, size);
    if ((size_t)len >= size)
        return HERR_RANGE;
    for (ssize_t i = 0; i <= len; i++)
        name[i] = (char)(raw[i] >= 'A' && raw[i] <= 'Z' ? raw[i] - 'A' + 'a' : raw[i]);
    return 0;
}

static int put_name(hbytes_t *out, hurl_part_t text, hurl_host_e *kind)
{
    char name[HURL_HOST_MAX + 1] = "";
    int err = read_name(text, name, sizeof(name));
    hurl_part_t host;

    if (err < 0)
        return err;
    host = (hurl_part_t){name, strlen(name)};
    for (size_t i = 0; i < host.len; i++) {
        if (name[i] <= 0x1f || name[i] == 0x7f || strchr(FORBIDDEN "%", name[i]))
            return HERR_SYNTAX;
    }
    if (host.len == 0)
        return HERR_SYNTAX;
    *kind = ends_in_number(host) ? HURL_HOST_IPV4 : HURL_HOST_NAME;
    if (*kind == HURL_HOST_IPV4)
        return put_ipv4(out, host);
    return hbytes_append(out, host.data, host.len);
}

int hurl__put_host(hbytes_t *out, hurl_part_t text, bool special, hurl_host_e *kind)
{
    size_t start;
    int err;

    *kind = text.len > 0 ? HURL_HOST_NAME : HURL_HOST_NONE;
    if (text.len == 0)
        return 0;
    if (text.data[0] == '[') {
        *kind = HURL_HOST_IPV6;
        if (text.data[text.len - 1] != ']')
            return HERR_SYNTAX;
        return put_ipv6(out, (hurl_part_t){text.data + 1, text.len - 2});
    }
    if (special)
        return put_name(out, text, kind);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr(FORBIDDEN, text.data[i]))
            return HERR_SYNTAX;
    }
    start = out->len;
    err = hurl__put(out, text, HURL_SET_NONE);
    return err == 0 && out->len - start > HURL_HOST_MAX ? HERR_RANGE : err;
}
