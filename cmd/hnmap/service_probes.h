/* service_probes: what is said to a server to learn what it is. All from the documents of the
 * protocols. */
#ifndef HNMAP_SERVICE_PROBES_H
#define HNMAP_SERVICE_PROBES_H

#include "base/hbuf.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum probe_e {
    PROBE_NONE = 0,
    PROBE_BANNER, /* nothing is said: many speak first */
    PROBE_TLS,    /* a handshake, with TLS's own library */
    PROBE_HTTP,
    PROBE_HTTP_VERSION, /* GET /version: what Docker, Kubernetes and etcd tell of themselves */
    PROBE_LINE,         /* an empty line */
    PROBE_REDIS,
    PROBE_MEMCACHED,
    PROBE_MQTT,
    PROBE_AMQP,
    PROBE_POSTGRES,
    PROBE_MONGODB,
    PROBE_LDAP,
    PROBE_RDP,
    PROBE_SMB,
    PROBE_DNS,
    PROBE_SIP,
    PROBE_RTSP,
    PROBE_X11,
    PROBE_SOCKS5,
    PROBE_GIT,
    PROBE_ZOOKEEPER,
    PROBE_CASSANDRA,
    PROBE_KAFKA,
    PROBE_MSSQL,
    PROBE_RPC,
    PROBE_AJP,
    PROBE_XMPP,
    PROBE_STARTTLS, /* the protocol that is known to be spoken there is asked to go on in TLS */
    PROBE_UDP_DNS,  /* from here on datagrams */
    PROBE_UDP_MDNS,
    PROBE_UDP_NTP,
    PROBE_UDP_SNMP,
    PROBE_UDP_NETBIOS,
    PROBE_UDP_SSDP,
    PROBE_UDP_RPC,
    PROBE_UDP_TFTP,
    PROBE_UDP_SIP,
    PROBE_UDP_MEMCACHED,
    PROBE_UDP_STUN,
    PROBE_UDP_COAP,
    PROBE_UDP_RMCP,
    PROBE_UDP_LDAP,
    PROBE_UDP_XDMCP,
    PROBE_UDP_IKE,
    PROBE_UDP_OPENVPN,
    PROBE_UDP_QUIC,
    PROBE_UDP_A2S,
    PROBE_UDP_BACNET,
    PROBE_UDP_ECHO,
    PROBES
} probe_e;

#define SERVICE_INTENSITY_MAX 9
#define SERVICE_INTENSITY 7
#define SERVICE_INTENSITY_LIGHT 2

/* Whether servers on this port are known to speak first: then they are given time to. */
bool service_speaks_first(uint16_t port);
/* Whether whatever is sent to this port comes out on paper (PDL data stream, 9100 to 9107). */
bool service_is_printer(uint16_t port);
/* Whether TLS is usual from the first byte on. */
bool service_is_tls_port(uint16_t port);

bool service_probe_is_udp(probe_e probe);
const char *service_probe_name(probe_e probe);

/* The probes that are worth sending to a port, the likeliest first, PROBE_BANNER and PROBE_STARTTLS
 * not among them: those that belong to it, and up to this intensity the others. protocol is
 * IPPROTO_TCP or IPPROTO_UDP. Returns how many; *likely (may be NULL): how many of them to begin
 * with. In TLS only what is known to be spoken there. */
size_t service_probes_for(uint8_t protocol, uint16_t port, unsigned intensity, bool in_tls,
                          probe_e order[PROBES], size_t *likely);

/* What is sent; host is the name or address that was asked for. Appended; 0 or -ENOMEM. */
int service_probe_write(hbytes_t *out, probe_e probe, const char *host);

#endif
