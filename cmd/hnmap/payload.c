#include "payload.h"

#define BYTES(text) text, sizeof(text) - 1

/* RFC 1035: NS of the root, which every kind of server knows or refuses; without recursion. */
#define DNS_ROOT_NS                                                                                \
    "\x68\x6e\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"                                             \
    "\x00\x00\x02\x00\x01"
/* RFC 6762, RFC 6763 section 9: which services are there; the answer may come by unicast. */
#define MDNS_SERVICES                                                                              \
    "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"                                             \
    "\x09_services\x07_dns-sd\x04_udp\x05local\x00\x00\x0c\x80\x01"
/* RFC 5905: version 4, client. */
#define NTP_CLIENT                                                                                 \
    "\x23\x00\x06\xec\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"                             \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"                             \
    "\x00\x00\x00\x00\x00\x00\x00\x00\xe8\x00\x00\x00\x00\x00\x00\x01"
/* RFC 1157: GetRequest of sysDescr.0 with the community "public". */
#define SNMP_SYSDESCR                                                                              \
    "\x30\x26\x02\x01\x00\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e"       \
    "\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00"
/* RFC 1002 section 4.2.17: node status of "*". */
#define NETBIOS_STATUS                                                                             \
    "\x68\x6e\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"                                             \
    "\x20"                                                                                         \
    "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"                                                             \
    "\x00\x00\x21\x00\x01"
/* UPnP Device Architecture 2.0, 1.3.2. */
#define SSDP_SEARCH                                                                                \
    "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n"              \
    "MX: 1\r\nST: ssdp:all\r\n\r\n"
/* RFC 5531, RFC 1833: NULL of the port mapper, version 2. */
#define RPC_NULL                                                                                   \
    "\x68\x6e\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa0\x00\x00\x00\x02"             \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
/* RFC 1350: to read a file that is not there. */
#define TFTP_READ                                                                                  \
    "\x00\x01"                                                                                     \
    "hnmap-asks\x00octet\x00"
/* RFC 3261 section 11. */
#define SIP_OPTIONS                                                                                \
    "OPTIONS sip:hnmap@invalid SIP/2.0\r\nVia: SIP/2.0/UDP invalid;branch=z9hG4bK-hnmap;rport\r\n" \
    "From: <sip:hnmap@invalid>;tag=hn\r\nTo: <sip:hnmap@invalid>\r\nCall-ID: hnmap\r\n"            \
    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n"
/* memcached's protocol.txt: the frame of UDP, and a command without an effect. */
#define MEMCACHED_VERSION "\x68\x6e\x00\x00\x00\x01\x00\x00version\r\n"
/* RFC 8489 section 5: a binding request. */
#define STUN_BINDING "\x00\x01\x00\x00\x21\x12\xa4\x42hnmap-asks-u"
/* RFC 7252: GET /.well-known/core, confirmable. */
#define COAP_CORE                                                                                  \
    "\x40\x01\x68\x6e\xbb.well-known\x04"                                                          \
    "core"
/* ASF 2.0, 3.2.4.2: presence ping. */
#define RMCP_PING "\x06\x00\xff\x06\x00\x00\x11\xbe\x80\x00\x00\x00"
/* RFC 4511 over UDP: searches the root for what it says of itself. */
#define CLDAP_ROOT                                                                                 \
    "\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01" \
    "\x00\x87\x0bobjectClass\x30\x00"
/* X Display Manager Control Protocol: Query without authentication names. */
#define XDMCP_QUERY "\x00\x01\x00\x02\x00\x01\x00"
/* RFC 7296: an IKEv2 header of IKE_SA_INIT alone: invalid, and answered. */
#define IKE_INIT                                                                                   \
    "hnmapask\x00\x00\x00\x00\x00\x00\x00\x00\x21\x20\x22\x08\x00\x00\x00\x00\x00\x00\x00\x1c"
/* OpenVPN: a client's hard reset, version 2, key 0. */
#define OPENVPN_RESET "\x38hnmapask\x00\x00\x00\x00\x00"
/* Valve's server queries. */
#define A2S_INFO                                                                                   \
    "\xff\xff\xff\xff"                                                                             \
    "TSource Engine Query\x00"
/* ASHRAE 135: who is there. */
#define BACNET_WHO_IS "\x81\x0a\x00\x08\x01\x00\x10\x08"
/* RFC 868, RFC 867, RFC 865, RFC 862: anything. */
#define ANYTHING "hnmap\r\n"

/* RFC 9000 section 6: a long header of a version that nobody speaks is answered with those that are
 * spoken; shorter datagrams are not (section 14.1). */
static const uint8_t quic_version[1200] = {0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 'h',  'n', 'm',
                                           'a',  'p',  'a',  's',  'k',  8, 'h',  'n', 'm',
                                           'a',  'p',  'a',  's',  'k',  0, 0x44, 0x9e};

static const struct {
    uint16_t port;
    const void *data;
    size_t len;
} payloads[] = {
    {7, BYTES(ANYTHING)},
    {13, BYTES(ANYTHING)},
    {17, BYTES(ANYTHING)},
    {19, BYTES(ANYTHING)},
    {37, BYTES(ANYTHING)},
    {53, BYTES(DNS_ROOT_NS)},
    {69, BYTES(TFTP_READ)},
    {111, BYTES(RPC_NULL)},
    {123, BYTES(NTP_CLIENT)},
    {137, BYTES(NETBIOS_STATUS)},
    {161, BYTES(SNMP_SYSDESCR)},
    {177, BYTES(XDMCP_QUERY)},
    {389, BYTES(CLDAP_ROOT)},
    {443, quic_version, sizeof(quic_version)},
    {500, BYTES(IKE_INIT)},
    {623, BYTES(RMCP_PING)},
    {1194, BYTES(OPENVPN_RESET)},
    {1900, BYTES(SSDP_SEARCH)},
    {2049, BYTES(RPC_NULL)},
    {3478, BYTES(STUN_BINDING)},
    {5060, BYTES(SIP_OPTIONS)},
    {5353, BYTES(MDNS_SERVICES)},
    {5355, BYTES(DNS_ROOT_NS)},
    {5683, BYTES(COAP_CORE)},
    {8443, quic_version, sizeof(quic_version)},
    {11211, BYTES(MEMCACHED_VERSION)},
    {19302, BYTES(STUN_BINDING)},
    {27015, BYTES(A2S_INFO)},
    {47808, BYTES(BACNET_WHO_IS)},
};

const void *payload_of(uint16_t port, size_t *len)
{
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        if (payloads[i].port == port) {
            *len = payloads[i].len;
            return payloads[i].data;
        }
    *len = 0;
    return "";
}
