/* Services that answer a datagram with a datagram. What is asked is known, so an answer is looked
 * at only for what the question belongs to. */
#include "service_match.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

static bool begins(cursor_t c, const char *bytes, size_t len)
{
    return c.left >= len && memcmp(c.at, bytes, len) == 0;
}

#define BEGINS(c, bytes) begins(c, bytes, sizeof(bytes) - 1)

static void add(char *text, size_t size, const char *before, cursor_t what)
{
    size_t len = strlen(text);

    if (len + strlen(before) + 2 > size)
        return;
    len += hstr_copy(text + len, size - len, len > 0 ? before : "");
    match_text(text + len, size - len, what);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool dns(match_t *m, cursor_t c)
{
    return match_dns(m, c);
}

/* RFC 6763 section 9: the types of services, in PTR records whose names are not read again. */
static bool mdns(match_t *m, cursor_t c)
{
    cursor_t at = c, label;
    uint32_t flags;

    cursor_u16(&at);
    flags = cursor_u16(&at);
    if (c.left < 12 || !(flags & 0x8000) || !match_find(c, "_services", &label))
        return false;
    match_whole(m, "mdns", "DNS-based service discovery");
    while (match_find(label, "\xc0\x0c", &label)) { /* a record of the name asked for */
        uint32_t type = cursor_u16(&label);
        cursor_t data;

        cursor_take(&label, 6);
        data = cursor_take(&label, cursor_u16(&label));
        if (type == 12)
            add(m->extra, sizeof(m->extra), ", ", cursor_take(&data, cursor_u8(&data)));
    }
    return true;
}

/* RFC 1002 section 4.2.18: names of 15 bytes, what they are for, flags; the hardware address. */
static bool netbios(match_t *m, cursor_t c)
{
    cursor_t behind = c;
    bool has_host = false, has_group = false;
    uint32_t count;

    if (!BEGINS(c, "hn\x84") && !BEGINS(c, "hn\x85"))
        return false;
    cursor_take(&behind, 12 + 34 + 10); /* head, name, type to length */
    count = cursor_u8(&behind);
    match_whole(m, "netbios-ns", NULL);
    for (; count > 0 && behind.left >= 18; count--) {
        cursor_t name = cursor_take(&behind, 15);
        uint32_t use = cursor_u8(&behind), flags = cursor_u16(&behind);

        if (use != 0)
            continue;
        if (flags & 0x8000 && !has_group) {
            hstr_copy(m->extra, sizeof(m->extra), "workgroup: ");
            match_text(m->extra + 11, sizeof(m->extra) - 11, name);
            has_group = true;
        } else if (!(flags & 0x8000) && !has_host) {
            match_text(m->hostname, sizeof(m->hostname), name);
            has_host = true;
        }
    }
    if (BEGINS(behind, "\0\0\0\0\0\0")) { /* what Samba puts there */
        hstr_copy(m->product, sizeof(m->product), "Samba nmbd netbios-ns");
        match_cpe(m, "cpe:/a:samba:samba", NULL);
    }
    return true;
}

/* UPnP Device Architecture 2.0, 1.3.3: "SERVER: OS/VERSION UPnP/2.0 PRODUCT/VERSION". */
static bool ssdp(match_t *m, cursor_t c)
{
    cursor_t line, product, behind;

    if (!match_starts(c, "HTTP/1.1 200") && !match_starts(c, "NOTIFY "))
        return false;
    match_whole(m, "upnp", NULL);
    if (!match_find(c, "\nSERVER:", &c) || !cursor_line(&c, true, &line))
        return true;
    match_text(m->extra, sizeof(m->extra), line);
    if (!match_find(line, "UPnP/", &product) || !match_find(product, " ", &product))
        return true;
    if (match_find(product, "/", &behind)) {
        product.left -= behind.left + 1;
        match_text(m->version, sizeof(m->version), match_version_span(behind));
    }
    match_text(m->product, sizeof(m->product), product);
    if (match_starts(line, "Linux") || match_find(line, " Linux/", &behind))
        hstr_copy(m->os, sizeof(m->os), "Linux");
    return true;
}

/* ---- time, management, calls ----------------------------------------------------------------- */

/* RFC 5905: mode 4; stratum 1 has a clock of its own, 0 and 16 none at all. */
static bool ntp(match_t *m, cursor_t c)
{
    uint32_t head = cursor_u8(&c), stratum = cursor_u8(&c);

    if (c.left < 46 || (head & 7) != 4 || stratum > 16)
        return false;
    match_whole(m, "ntp", "NTP");
    snprintf(m->version, sizeof(m->version), "v%u", head >> 3 & 7);
    hstr_copy(m->extra, sizeof(m->extra),
              stratum == 0 || stratum == 16 ? "unsynchronized"
              : stratum == 1                ? "primary server"
                                            : "secondary server");
    return true;
}

/* RFC 1157: the response has the value of what was asked for: sysDescr.0. */
static bool snmp(match_t *m, cursor_t c)
{
    cursor_t message, part, pdu, list, binding, value;

    if (cursor_element(&c, &message) != 0x30 || cursor_element(&message, &part) != 0x02 ||
        cursor_element(&message, &part) != 0x04 || cursor_element(&message, &pdu) != 0xa2)
        return false;
    match_whole(m, "snmp", "SNMPv1 server");
    for (int i = 0; i < 3; i++)
        cursor_element(&pdu, &part);
    if (cursor_element(&pdu, &list) != 0x30 || cursor_element(&list, &binding) != 0x30 ||
        cursor_element(&binding, &part) != 0x06 || cursor_element(&binding, &value) != 0x04)
        return true;
    match_text(m->extra, sizeof(m->extra), value);
    if (match_starts(value, "Linux")) {
        hstr_copy(m->os, sizeof(m->os), "Linux");
        match_cpe(m, "cpe:/o:linux:linux_kernel", NULL);
    }
    return true;
}

/* RFC 5531: an accepted call; where another program listens it is not the port mapper. */
static bool rpc(match_t *m, cursor_t c)
{
    uint32_t verifier;

    if (!BEGINS(c, "hn\x00\x01\x00\x00\x00\x01"))
        return false;
    cursor_take(&c, 16);
    verifier = cursor_u32(&c);
    cursor_take(&c, verifier);
    return match_whole(m, c.left >= 4 && cursor_u32(&c) == 0 ? "rpcbind" : "rpc", NULL);
}

/* ASF 2.0, 3.2.4.3: presence pong; bit 7 of the entities is IPMI. */
static bool rmcp(match_t *m, cursor_t c)
{
    if (!BEGINS(c, "\x06") || c.left < 21 || c.at[3] != 0x06 || c.at[8] != 0x40)
        return false;
    match_whole(m, "asf-rmcp", NULL);
    if (c.at[20] & 0x80)
        hstr_copy(m->extra, sizeof(m->extra), "IPMI");
    return true;
}

/* X Display Manager Control Protocol: 5 is Willing, 6 Unwilling: names with their lengths. */
static bool xdmcp(match_t *m, cursor_t c)
{
    uint32_t version = cursor_u16(&c), opcode = cursor_u16(&c);

    cursor_u16(&c);
    if (version != 1 || (opcode != 5 && opcode != 6))
        return false;
    match_whole(m, "xdmcp", NULL);
    if (opcode == 5)
        cursor_take(&c, cursor_u16(&c)); /* how it wants to know who asks */
    match_text(m->hostname, sizeof(m->hostname), cursor_take(&c, cursor_u16(&c)));
    match_text(m->extra, sizeof(m->extra), cursor_take(&c, cursor_u16(&c)));
    return true;
}

/* ---- files, calls by phone, caches ----------------------------------------------------------- */

/* RFC 1350: data, or more likely why there is none. */
static bool tftp(match_t *m, cursor_t c)
{
    uint32_t opcode = cursor_u16(&c);

    if (c.left < 2 || (opcode != 3 && opcode != 5 && opcode != 6))
        return false;
    match_whole(m, "tftp", NULL);
    if (opcode == 5) {
        cursor_u16(&c);
        match_text(m->extra, sizeof(m->extra), c);
    }
    return true;
}

static bool memcached(match_t *m, cursor_t c)
{
    if (!BEGINS(c, "hn\x00\x00\x00\x01"))
        return false;
    cursor_take(&c, 8);
    if (!match_starts(c, "VERSION "))
        return false;
    cursor_take(&c, strlen("VERSION "));
    match_whole(m, "memcached", "Memcached");
    match_text(m->version, sizeof(m->version), match_version_span(c));
    match_cpe(m, "cpe:/a:memcached:memcached", m->version);
    return true;
}

/* RFC 8489 section 14: SOFTWARE among the attributes, each filled up to 4 bytes. */
static bool stun(match_t *m, cursor_t c)
{
    uint32_t type = cursor_u16(&c);

    cursor_u16(&c);
    if ((type != 0x0101 && type != 0x0111) || !BEGINS(c, "\x21\x12\xa4\x42hnmap-asks-u"))
        return false;
    cursor_take(&c, 16);
    match_whole(m, "stun", NULL);
    while (c.left >= 4) {
        uint32_t attribute = cursor_u16(&c), len = cursor_u16(&c);
        cursor_t value = cursor_take(&c, len);

        cursor_take(&c, (4 - len % 4) % 4);
        if (attribute == 0x8022)
            match_text(m->product, sizeof(m->product), value);
    }
    return true;
}

/* RFC 7252: version 1, our message number; behind 0xff what there is to be had. */
static bool coap(match_t *m, cursor_t c)
{
    cursor_t links = c;

    if (c.left < 4 || c.at[0] >> 6 != 1 || c.at[2] != 'h' || c.at[3] != 'n')
        return false;
    match_whole(m, "coap", NULL);
    cursor_take(&links, 4);
    if (match_find(links, "\xff", &links))
        match_text(m->extra, sizeof(m->extra), links);
    return true;
}

/* ---- tunnels, games, buildings --------------------------------------------------------------- */

/* RFC 7296 section 3.1: our cookie comes back. */
static bool ike(match_t *m, cursor_t c)
{
    if (c.left < 28 || !BEGINS(c, "hnmapask"))
        return false;
    match_whole(m, "isakmp", NULL);
    snprintf(m->extra, sizeof(m->extra), "IKEv%u.%u", (unsigned)c.at[17] >> 4, c.at[17] & 15u);
    return true;
}

/* A server's hard reset, version 2; it has our session's number to acknowledge. */
static bool openvpn(match_t *m, cursor_t c)
{
    cursor_t behind;

    return c.left >= 14 && c.at[0] >> 3 == 8 && match_find(c, "hnmapask", &behind) &&
           match_whole(m, "openvpn", "OpenVPN");
}

/* RFC 9000 section 17.2.1: version 0, our name for ourselves, then what is spoken. */
static bool quic(match_t *m, cursor_t c)
{
    uint32_t head = cursor_u8(&c), version = cursor_u32(&c);
    char text[24];

    if (!(head & 0x80) || version != 0 || !BEGINS(c, "\x08hnmapask"))
        return false;
    cursor_take(&c, 9);
    cursor_take(&c, cursor_u8(&c));
    match_whole(m, "quic", NULL);
    while (c.left >= 4) {
        version = cursor_u32(&c);
        if ((version & 0x0f0f0f0f) == 0x0a0a0a0a) /* means nothing: section 15 */
            continue;
        if (version == 1 || version == 0x6b3343cf)
            snprintf(text, sizeof(text), "v%u", version == 1 ? 1u : 2u);
        else if (version >> 8 == 0xff0000)
            snprintf(text, sizeof(text), "draft %u", version & 0xff);
        else
            snprintf(text, sizeof(text), "0x%08x", version);
        add(m->extra, sizeof(m->extra), ", ", (cursor_t){(uint8_t *)text, strlen(text)});
    }
    return true;
}

/* A NUL ends each text; 'A' only asks to come again with a number. */
static bool a2s(match_t *m, cursor_t c)
{
    const uint8_t *nul;

    if (!BEGINS(c, "\xff\xff\xff\xffI") && !BEGINS(c, "\xff\xff\xff\xff"
                                                      "A"))
        return false;
    match_whole(m, "steam", "Valve server queries");
    if (c.at[4] == 'A')
        return true;
    cursor_take(&c, 6);
    nul = c.left > 0 ? memchr(c.at, '\0', c.left) : NULL;
    if (nul)
        match_text(m->extra, sizeof(m->extra), cursor_take(&c, (size_t)(nul - c.at)));
    return true;
}

static bool bacnet(match_t *m, cursor_t c)
{
    return c.left >= 6 && c.at[0] == 0x81 && (c.at[1] == 0x0a || c.at[1] == 0x0b) && c.at[4] == 1 &&
           match_whole(m, "bacnet", NULL);
}

static bool echo(match_t *m, cursor_t c)
{
    return c.left == 7 && BEGINS(c, "hnmap\r\n") && match_whole(m, "echo", NULL);
}

/* ---- all of them ----------------------------------------------------------------------------- */

bool match_udp(const reply_t *reply, match_t *m)
{
    static bool (*const matchers[PROBES])(match_t * m, cursor_t c) = {
        [PROBE_UDP_DNS] = dns,     [PROBE_UDP_MDNS] = mdns, [PROBE_UDP_NTP] = ntp,
        [PROBE_UDP_SNMP] = snmp,   [PROBE_UDP_SSDP] = ssdp, [PROBE_UDP_NETBIOS] = netbios,
        [PROBE_UDP_RPC] = rpc,     [PROBE_UDP_TFTP] = tftp, [PROBE_UDP_MEMCACHED] = memcached,
        [PROBE_UDP_STUN] = stun,   [PROBE_UDP_COAP] = coap, [PROBE_UDP_RMCP] = rmcp,
        [PROBE_UDP_XDMCP] = xdmcp, [PROBE_UDP_IKE] = ike,   [PROBE_UDP_OPENVPN] = openvpn,
        [PROBE_UDP_QUIC] = quic,   [PROBE_UDP_A2S] = a2s,   [PROBE_UDP_BACNET] = bacnet,
        [PROBE_UDP_ECHO] = echo,
    };
    cursor_t c = {reply->data, reply->len};
    bool (*matcher)(match_t *, cursor_t) = matchers[reply->probe];

    if (reply->probe == PROBE_UDP_LDAP)
        return match_ldap(reply, m);
    if (reply->probe == PROBE_UDP_SIP)
        return match_starts(c, "SIP/2.0 ") && match_http(reply, m);
    return matcher && matcher(m, c);
}
