#include "service_probes.h"

#include "payload.h"

#include <netinet/in.h>
#include <string.h>

#define PORTS_MAX 10

typedef struct row_s {
    const char *data;
    uint16_t len;
    uint8_t rarity;            /* 1: nearly every machine has one; 9: nearly none */
    bool in_tls;               /* seen within TLS */
    uint16_t ports[PORTS_MAX]; /* that it belongs to; datagrams: the first one's payload is said */
} row_t;

#define BYTES(text) (text), (uint16_t)(sizeof(text) - 1)

/* MQTT 3.1.1 section 3.1: no name, a clean session; 3.8: the broker's version, which is retained
 * where brokers have it. */
#define MQTT_HELLO                                                                                 \
    "\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05hnmap"                                            \
    "\x82\x18\x00\x01\x00\x13$SYS/broker/version\x00"

/* Version 3.0: user and database, both names ended by a NUL, then one more. */
#define POSTGRES_HELLO "\x00\x00\x00\x29\x00\x03\x00\x00user\0postgres\0database\0postgres\0\0"

/* OP_MSG with the document {buildInfo: 1, $db: "admin"}. */
#define MONGODB_HELLO                                                                              \
    "\x38\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00"         \
    "\x23\x00\x00\x00\x10"                                                                         \
    "buildInfo\0\x01\x00\x00\x00\x02$db\0\x06\x00\x00\x00"                                         \
    "admin\0\0"

/* RFC 4511: a search of the root for what it says of itself. */
#define LDAP_HELLO                                                                                 \
    "\x30j\x02\x01\x01"                                                                            \
    "ce\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x05\x01"                               \
    "\x01\x00\x87\x0bobjectClass\x30"                                                              \
    "E\x04\x0avendorName\x04\x0dvendorVersion\x04\x0b"                                             \
    "dnsHostName\x04\x0enamingContexts\x04\x0bobjectClass"

/* X.224 connection request that offers TLS and CredSSP (MS-RDPBCGR 2.2.1.1). */
#define RDP_HELLO "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"

/* MS-SMB2 2.2.3: negotiate, dialects 2.0.2, 2.1, 3.0 and 3.0.2. */
#define SMB_HELLO                                                                                  \
    "\x00\x00\x00\x6c"                                                                             \
    "\xfeSMB\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"      \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"     \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"                     \
    "\x24\x00\x04\x00\x01\x00\x00\x00\x00\x00\x00\x00hnmap-negotiate!\x00\x00\x00\x00"             \
    "\x00\x00\x00\x00\x02\x02\x10\x02\x00\x03\x02\x03"

/* RFC 1035: version.bind, TXT, class CHAOS; on TCP its length goes before it (section 4.2.2). */
#define DNS_QUESTION                                                                               \
    "hn\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04"                                    \
    "bind\x00\x00\x10\x00\x03"
#define DNS_HELLO "\x00\x1e" DNS_QUESTION

#define SIP_HELLO                                                                                  \
    "OPTIONS sip:hnmap SIP/2.0\r\nVia: SIP/2.0/TCP hnmap;branch=z9hG4bKhnmap\r\n"                  \
    "From: <sip:hnmap@hnmap>;tag=hnmap\r\nTo: <sip:hnmap@hnmap>\r\nCall-ID: hnmap\r\n"             \
    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContact: <sip:hnmap@hnmap>\r\n"                        \
    "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"

/* MS-TDS 2.2.6.5: a prelogin packet with a version and no encryption. */
#define MSSQL_HELLO                                                                                \
    "\x12\x01\x00\x1a\x00\x00\x01\x00\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff"                 \
    "\x09\x00\x00\x00\x00\x00\x02"

/* RFC 5531: one fragment; call of procedure 0 of the portmapper, version 2, without credentials. */
#define RPC_HELLO                                                                                  \
    "\x80\x00\x00\x28hnmp\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa0\x00\x00\x00\x02"         \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

#define XMPP_HELLO                                                                                 \
    "<?xml version='1.0'?><stream:stream to='hnmap' xmlns='jabber:client' "                        \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

static const row_t rows[PROBES] = {
    [PROBE_TLS] = {NULL, 0, 1, false, {443, 465, 636, 853, 990, 993, 995, 8443, 6443, 9443}},
    [PROBE_HTTP] = {NULL, 0, 1, true, {80, 443, 631, 3000, 5000, 8000, 8080, 8443, 9090, 9200}},
    [PROBE_HTTP_VERSION] = {NULL, 0, 9, true, {2375, 2376, 2379, 6443, 10250}},
    [PROBE_LINE] = {BYTES("\r\n"), 2, true, {7, 79}},
    [PROBE_REDIS] = {BYTES("INFO server\r\n"), 3, true, {6379, 6380, 16379, 26379}},
    [PROBE_MEMCACHED] = {BYTES("version\r\n"), 4, false, {11211}},
    [PROBE_MQTT] = {BYTES(MQTT_HELLO), 3, true, {1883, 8883}},
    [PROBE_AMQP] = {BYTES("AMQP\0\0\x09\x01"), 4, true, {5671, 5672}},
    [PROBE_POSTGRES] = {BYTES(POSTGRES_HELLO), 3, false, {5432, 5433, 6432}},
    [PROBE_MONGODB] = {BYTES(MONGODB_HELLO), 4, false, {27017, 27018, 27019}},
    [PROBE_LDAP] = {BYTES(LDAP_HELLO), 4, true, {389, 636, 3268, 3269}},
    [PROBE_RDP] = {BYTES(RDP_HELLO), 4, false, {3389}},
    [PROBE_SMB] = {BYTES(SMB_HELLO), 4, false, {445}},
    [PROBE_DNS] = {BYTES(DNS_HELLO), 3, true, {53, 853}},
    [PROBE_SIP] = {BYTES(SIP_HELLO), 5, true, {5060, 5061}},
    [PROBE_RTSP] = {BYTES("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"), 5, false, {554, 8554}},
    [PROBE_X11] = {BYTES("l\0\x0b\0\0\0\0\0\0\0\0\0"), 6, false, {6000, 6001, 6002, 6003}},
    [PROBE_SOCKS5] = {BYTES("\x05\x02\x00\x02"), 5, false, {1080, 9050, 9150}},
    [PROBE_GIT] = {BYTES("0021git-upload-pack /\0host=hnmap\0"), 6, false, {9418}},
    [PROBE_ZOOKEEPER] = {BYTES("srvr\n"), 6, false, {2181}},
    [PROBE_CASSANDRA] = {BYTES("\x04\0\0\0\x05\0\0\0\0"), 6, false, {9042}},
    [PROBE_KAFKA] = {BYTES("\0\0\0\x0f\0\x12\0\0hnmp\0\x05hnmap"), 6, false, {9092}},
    [PROBE_MSSQL] = {BYTES(MSSQL_HELLO), 5, false, {1433}},
    [PROBE_RPC] = {BYTES(RPC_HELLO), 5, false, {111}},
    [PROBE_AJP] = {BYTES("\x12\x34\x00\x01\x0a"), 7, false, {8009}},
    [PROBE_XMPP] = {BYTES(XMPP_HELLO), 6, true, {5222, 5223, 5269}},
    [PROBE_UDP_DNS] = {BYTES(DNS_QUESTION), 1, false, {53}},
    [PROBE_UDP_MDNS] = {NULL, 0, 4, false, {5353}},
    [PROBE_UDP_NTP] = {NULL, 0, 2, false, {123}},
    [PROBE_UDP_SNMP] = {NULL, 0, 2, false, {161}},
    [PROBE_UDP_NETBIOS] = {NULL, 0, 4, false, {137}},
    [PROBE_UDP_SSDP] = {NULL, 0, 4, false, {1900}},
    [PROBE_UDP_RPC] = {NULL, 0, 4, false, {111, 2049}},
    [PROBE_UDP_TFTP] = {NULL, 0, 5, false, {69}},
    [PROBE_UDP_SIP] = {NULL, 0, 4, false, {5060}},
    [PROBE_UDP_MEMCACHED] = {NULL, 0, 5, false, {11211}},
    [PROBE_UDP_STUN] = {NULL, 0, 5, false, {3478, 19302}},
    [PROBE_UDP_COAP] = {NULL, 0, 6, false, {5683}},
    [PROBE_UDP_RMCP] = {NULL, 0, 6, false, {623}},
    [PROBE_UDP_LDAP] = {NULL, 0, 5, false, {389}},
    [PROBE_UDP_XDMCP] = {NULL, 0, 7, false, {177}},
    [PROBE_UDP_IKE] = {NULL, 0, 5, false, {500}},
    [PROBE_UDP_OPENVPN] = {NULL, 0, 6, false, {1194}},
    [PROBE_UDP_QUIC] = {NULL, 0, 4, false, {443, 80, 8443, 4433}},
    [PROBE_UDP_A2S] = {NULL, 0, 8, false, {27015}},
    [PROBE_UDP_BACNET] = {NULL, 0, 8, false, {47808}},
    [PROBE_UDP_ECHO] = {NULL, 0, 7, false, {7}},
};

static const char *const names[PROBES] = {
    [PROBE_NONE] = "none",
    [PROBE_BANNER] = "banner",
    [PROBE_TLS] = "TLS",
    [PROBE_HTTP] = "HTTP",
    [PROBE_HTTP_VERSION] = "HTTP /version",
    [PROBE_LINE] = "line",
    [PROBE_REDIS] = "Redis",
    [PROBE_MEMCACHED] = "memcached",
    [PROBE_MQTT] = "MQTT",
    [PROBE_AMQP] = "AMQP",
    [PROBE_POSTGRES] = "PostgreSQL",
    [PROBE_MONGODB] = "MongoDB",
    [PROBE_LDAP] = "LDAP",
    [PROBE_RDP] = "RDP",
    [PROBE_SMB] = "SMB",
    [PROBE_DNS] = "DNS",
    [PROBE_SIP] = "SIP",
    [PROBE_RTSP] = "RTSP",
    [PROBE_X11] = "X11",
    [PROBE_SOCKS5] = "SOCKS5",
    [PROBE_GIT] = "Git",
    [PROBE_ZOOKEEPER] = "ZooKeeper",
    [PROBE_CASSANDRA] = "Cassandra",
    [PROBE_KAFKA] = "Kafka",
    [PROBE_MSSQL] = "SQL Server",
    [PROBE_RPC] = "RPC",
    [PROBE_AJP] = "AJP",
    [PROBE_XMPP] = "XMPP",
    [PROBE_STARTTLS] = "STARTTLS",
    [PROBE_UDP_DNS] = "DNS",
    [PROBE_UDP_MDNS] = "mDNS",
    [PROBE_UDP_NTP] = "NTP",
    [PROBE_UDP_SNMP] = "SNMP",
    [PROBE_UDP_NETBIOS] = "NetBIOS",
    [PROBE_UDP_SSDP] = "SSDP",
    [PROBE_UDP_RPC] = "RPC",
    [PROBE_UDP_TFTP] = "TFTP",
    [PROBE_UDP_SIP] = "SIP",
    [PROBE_UDP_MEMCACHED] = "memcached",
    [PROBE_UDP_STUN] = "STUN",
    [PROBE_UDP_COAP] = "CoAP",
    [PROBE_UDP_RMCP] = "RMCP",
    [PROBE_UDP_LDAP] = "CLDAP",
    [PROBE_UDP_XDMCP] = "XDMCP",
    [PROBE_UDP_IKE] = "IKE",
    [PROBE_UDP_OPENVPN] = "OpenVPN",
    [PROBE_UDP_QUIC] = "QUIC",
    [PROBE_UDP_A2S] = "A2S",
    [PROBE_UDP_BACNET] = "BACnet",
    [PROBE_UDP_ECHO] = "echo",
};

const char *service_probe_name(probe_e probe)
{
    return names[probe];
}

bool service_probe_is_udp(probe_e probe)
{
    return probe >= PROBE_UDP_DNS && probe < PROBES;
}

static bool has_port(const uint16_t *ports, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++)
        if (ports[i] == port)
            return true;
    return false;
}

#define HAS_PORT(ports, port) has_port(ports, sizeof(ports) / sizeof((ports)[0]), port)

bool service_speaks_first(uint16_t port)
{
    static const uint16_t ports[] = {13,   17,   19,   21,   22,   23,   25,   110,  119,  143,
                                     220,  465,  563,  587,  873,  990,  992,  993,  995,  2121,
                                     2222, 2323, 2525, 3306, 4222, 4949, 5900, 5901, 6667, 6697};

    return HAS_PORT(ports, port);
}

bool service_is_printer(uint16_t port)
{
    return port >= 9100 && port <= 9107;
}

bool service_is_tls_port(uint16_t port)
{
    static const uint16_t more[] = {563,  989,  992,  994,  2376, 2379, 3269,  4433,
                                    5061, 5223, 5671, 5986, 6697, 8883, 10250, 16993};

    return HAS_PORT(rows[PROBE_TLS].ports, port) || HAS_PORT(more, port);
}

size_t service_probes_for(uint8_t protocol, uint16_t port, unsigned intensity, bool in_tls,
                          probe_e order[PROBES], size_t *likely)
{
    bool is_udp = protocol == IPPROTO_UDP;
    probe_e first = is_udp ? PROBE_UDP_DNS : PROBE_TLS, end = is_udp ? PROBES : PROBE_STARTTLS;
    size_t count = 0;
    bool is_general;

    /* Those of the port, then what is so common that it is always tried, then by rarity. */
    for (unsigned rarity = 0; rarity <= intensity; rarity++) {
        for (probe_e p = first; p < end; p++) {
            bool is_of_port = HAS_PORT(rows[p].ports, port);

            if (in_tls && !rows[p].in_tls)
                continue;
            if (rarity == 0 ? is_of_port : !is_of_port && rows[p].rarity == rarity)
                order[count++] = p;
        }
        is_general = rarity <= 1;
        if (is_general && likely)
            *likely = count;
    }
    return count;
}

static int write_http(hbytes_t *out, const char *path, const char *host)
{
    bool is_ipv6 = strchr(host, ':') != NULL;

    return hbytes_printf(out,
                         "GET %s HTTP/1.1\r\nHost: %s%s%s\r\nUser-Agent: Mozilla/5.0 (hnmap)\r\n"
                         "Accept: */*\r\nConnection: close\r\n\r\n",
                         path, is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "");
}

int service_probe_write(hbytes_t *out, probe_e probe, const char *host)
{
    if (probe == PROBE_HTTP)
        return write_http(out, "/", host);
    if (probe == PROBE_HTTP_VERSION)
        return write_http(out, "/version", host);
    if (service_probe_is_udp(probe) && rows[probe].len == 0) {
        size_t len;
        const void *data = payload_of(rows[probe].ports[0], &len);

        return hbytes_append(out, data, len);
    }
    return rows[probe].len > 0 ? hbytes_append(out, rows[probe].data, rows[probe].len) : 0;
}
