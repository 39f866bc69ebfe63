/* result: what a scan found out, as the reports need it. Nothing here does any work. */
#ifndef HNMAP_RESULT_H
#define HNMAP_RESULT_H

#include "base/hbuf.h"
#include "net/haddr.h"
#include "os.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

typedef enum port_state_e {
    PORT_UNKNOWN = 0,
    PORT_OPEN,
    PORT_FILTERED,
    PORT_UNFILTERED,
    PORT_CLOSED,
    PORT_OPEN_FILTERED,
    PORT_CLOSED_FILTERED,
    PORT_STATES
} port_state_e;

typedef enum host_state_e { HOST_UNKNOWN = 0, HOST_UP, HOST_DOWN, HOST_SKIPPED } host_state_e;

/* Why a host or a port is said to be what it is. */
typedef enum reason_e {
    REASON_UNKNOWN = 0,
    REASON_NO_RESPONSE,
    REASON_USER_SET,
    REASON_LOCALHOST,
    REASON_SYN_ACK,
    REASON_RESET,
    REASON_REFUSED,
    REASON_UDP_RESPONSE,
    REASON_ECHO_REPLY,
    REASON_TIMESTAMP_REPLY,
    REASON_NETMASK_REPLY,
    REASON_ARP_RESPONSE,
    REASON_ND_RESPONSE,
    REASON_PROTO_RESPONSE,
    REASON_NET_UNREACH,
    REASON_HOST_UNREACH,
    REASON_PROTO_UNREACH,
    REASON_PORT_UNREACH,
    REASON_ADMIN_PROHIBITED,
    REASON_HOST_PROHIBITED,
    REASON_NET_PROHIBITED,
    REASON_TIME_EXCEEDED,
    REASON_PARAMETER_PROBLEM,
    REASON_LOCAL_ERROR, /* our own side could not send */
    REASONS
} reason_e;

/* "open", "closed|filtered"; "up"; "syn-ack"; "tcp": as nmap writes them. */
const char *port_state_name(port_state_e state);
const char *host_state_name(host_state_e state);
const char *reason_name(reason_e reason);
const char *protocol_name(uint8_t protocol); /* IPPROTO_TCP, IPPROTO_UDP */

/* What answers on a port. Strings are owned, NULL where nothing is known. */
typedef struct service_s {
    char *name, *product, *version, *extra, *hostname, *os, *device;
    char *cpe[4];
    char *banner;       /* what the service said first, with control characters made harmless */
    char *tls;          /* version, cipher and certificate of the TLS around it */
    bool is_tls;        /* what is named was spoken inside of TLS */
    uint8_t confidence; /* 3: by the number of the port; 10: it said so */
} service_t;
void service_free(service_t *service); /* NULL is legal */

/* The outcome of one port. */
typedef struct port_result_s {
    uint16_t number;
    uint8_t protocol;   /* IPPROTO_TCP, IPPROTO_UDP */
    uint8_t state;      /* port_state_e */
    uint8_t reason;     /* reason_e */
    uint8_t ttl;        /* of the answer; 0: not known */
    const char *usual;  /* the name that goes with the number; borrowed, or NULL */
    service_t *service; /* what was found to answer; owned, or NULL */
    bool is_kept;       /* shown whatever its state: its service is still looked for */
} port_result_t;

/* The name to print: what was found, else the usual one, else NULL. */
const char *port_service_name(const port_result_t *port);

/* Ports of one state, protocol and reason that are told by their number alone. */
typedef struct port_group_s {
    uint8_t state, protocol, reason;
    uint32_t count;
    char *ports; /* "1-21,23": owned */
} port_group_t;

/* Who was met on the way to a host. */
typedef struct hop_s {
    uint8_t ttl; /* after how many hops, from 1 on */
    uint64_t rtt_us;
    haddr_t addr;
    char *name; /* owned, or NULL */
} hop_t;

/* Which system a host may have. */
typedef struct os_result_s {
    os_guess_t guesses[OS_GUESSES_MAX]; /* best first */
    size_t guess_count;
    uint16_t open_port, closed_port; /* of TCP, that were asked; 0: none answered so */
    bool has_distance;
    uint8_t distance; /* hops to it, 0 for this machine */
} os_result_t;

typedef struct host_result_s {
    haddr_t addr;
    const char *asked; /* the name that the user gave, or NULL; borrowed */
    char *name;        /* of its address; owned, or NULL */
    uint8_t state;     /* host_state_e */
    uint8_t reason, ttl;
    bool is_unasked; /* our own side could not send to it: what is said of it may be wrong */
    bool timed_out;  /* --host-timeout ended it: its ports are not known */
    bool has_mac;
    uint8_t mac[6];
    const char *vendor; /* of the MAC address; borrowed, or NULL */
    time_t start, end;
    uint64_t srtt_us, rttvar_us, timeout_us; /* srtt 0: nothing was measured */
    bool has_ports;                          /* ports were scanned */
    port_result_t *ports; /* shown one by one: by protocol (TCP first) and number */
    size_t port_count;
    port_group_t *groups; /* the rest, in nmap's order: the largest state first */
    size_t group_count;
    os_result_t *os; /* owned; NULL: not asked for */
    hop_t *hops; /* by ttl; those that are silent are left out. NULL: the way was not followed */
    size_t hop_count;
    uint8_t hops_asked;     /* the last one that there is, or that was asked for */
    uint8_t trace_protocol; /* IPPROTO_TCP, _ICMP, _ICMPV6: of the probe; 0: none was needed */
    uint16_t trace_port;    /* of IPPROTO_TCP */
} host_result_t;

/* Divides the outcomes of a host (any order, count of them; taken over by copy, services with it)
 * into ports shown one by one and groups. A state that shown_max ports are in at most is shown;
 * an open port always. open_only groups all others, whatever their number. 0 or -ENOMEM: then the
 * host is as before. */
int host_result_divide(host_result_t *host, port_result_t *outcomes, size_t count, size_t shown_max,
                       bool open_only);
/* Ports that were kept, and of whose state there are more than shown_max, go into groups, too. 0 or
 * -ENOMEM: then the host is as before. */
int host_result_fold(host_result_t *host, size_t shown_max);
void host_result_deinit(host_result_t *host);

/* "1-21,23" of sorted ports. 0 or -ENOMEM. */
int port_ranges_write(hbytes_t *out, const uint16_t *ports, size_t count);

/* One way of scanning, for the head of a report. */
typedef struct scan_info_s {
    const char *type; /* "connect", "syn", "udp" */
    uint8_t protocol;
    uint32_t count;
    const char *ports; /* "1-1000" */
} scan_info_t;

#define SCAN_INFOS_MAX 4

/* The whole run. */
typedef struct run_s {
    const char *version, *args; /* the command line as typed */
    const char *stylesheet;     /* of XML; NULL: none */
    time_t start, end;
    double elapsed_s;
    scan_info_t infos[SCAN_INFOS_MAX];
    size_t info_count;
    int verbose, debug;
    bool open_only, show_reason, pings_only, lists_only, has_versions;
    uint64_t up, down, total;
    uint64_t round;    /* with --watch, from 1 on */
    const char *error; /* at the end: NULL, or why it did not end well ("interrupted") */
} run_t;

#endif
