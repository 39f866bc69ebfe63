/* options: hnmap's command line, checked. */
#ifndef HNMAP_OPTIONS_H
#define HNMAP_OPTIONS_H

#include "app/hopt_doc.h"

#include <stdbool.h>
#include <stdint.h>

/* What -s and -P ask for, as sets. */
typedef enum scan_type_e {
    SCAN_LIST = 1 << 0,    /* -sL */
    SCAN_NO_PORT = 1 << 1, /* -sn */
    SCAN_CONNECT = 1 << 2, /* -sT, and so on */
    SCAN_SYN = 1 << 3,
    SCAN_ACK = 1 << 4,
    SCAN_FIN = 1 << 5,
    SCAN_NULL = 1 << 6,
    SCAN_XMAS = 1 << 7,
    SCAN_MAIMON = 1 << 8,
    SCAN_UDP = 1 << 9,
    SCAN_VERSIONS = 1 << 10, /* -sV: of what is found open */
} scan_type_e;

#define SCAN_TCP                                                                                   \
    (SCAN_CONNECT | SCAN_SYN | SCAN_ACK | SCAN_FIN | SCAN_NULL | SCAN_XMAS | SCAN_MAIMON)

typedef enum ping_type_e {
    PING_NONE = 1 << 0, /* -Pn */
    PING_SYN = 1 << 1,  /* -PS, and so on */
    PING_ACK = 1 << 2,
    PING_ECHO = 1 << 3,
    PING_TIMESTAMP = 1 << 4,
    PING_NETMASK = 1 << 5,
    PING_NEIGHBOUR = 1 << 6, /* -PR: what is done anyway where it can be */
    PING_UDP = 1 << 7,
    PING_PROTOCOL = 1 << 8,
} ping_type_e;

typedef enum name_lookup_e {
    NAMES_OF_UP_HOSTS = 0, /* default */
    NAMES_NEVER,           /* -n */
    NAMES_ALWAYS           /* -R */
} name_lookup_e;

typedef struct target_options_s {
    hopt_list_t input_files; /* -iL */
    const char *exclude, *exclude_file;
    bool resolve_all, randomize;
    const char *shard; /* "I/N" */
    int family;        /* AF_INET, AF_INET6 */
    bool unique;
} target_options_t;

typedef struct port_options_s {
    const char *ports, *excluded;
    bool fast, in_order;
    unsigned top; /* --top-ports; 0: not given */
} port_options_t;

/* Times in ms; those that are 0 come from the template. */
typedef struct timing_options_s {
    unsigned pace; /* -T, 0..5 */
    uint32_t rtt_initial_ms, rtt_min_ms, rtt_max_ms;
    uint32_t host_timeout_ms, delay_ms, delay_max_ms;
    unsigned window_min, window_max;
    double rate_min, rate_max;     /* probes a second */
    int retries;                   /* -1: from the template */
    unsigned group_min, group_max; /* hosts whose ports are scanned at a time; 0: not given */
    bool defeat_rst_limit, defeat_icmp_limit;
} timing_options_t;

/* Of packets of our own. */
typedef struct packet_options_s {
    const char *data_hex, *data_string; /* NULL: not given */
    int data_length;                    /* -1: not given */
    unsigned ttl;                       /* 0: the usual one */
    int by_ip;                          /* --send-ip: 1, --send-eth: 0, neither: -1 */
    bool no_arp_ping;                   /* hosts of the local link are asked as others are */
    bool ignore_rst;                    /* a reset does not say that a host is there */
} packet_options_t;

typedef struct output_options_s {
    /* Paths, "-" for standard output; NULL: none. */
    const char *normal, *xml, *grepable, *all, *json, *csv, *html;
    const char *diff; /* a report of an earlier scan */
    bool append, open_only, reason;
    bool packets;           /* --packet-trace */
    const char *stylesheet; /* of XML; NULL: none */
    int verbose, debug;
    uint32_t stats_every_ms; /* 0: never */
    uint32_t watch_ms;       /* from one round to the next; 0: there is one alone */
    bool noninteractive;
} output_options_t;

typedef struct version_options_s {
    unsigned intensity; /* 0..9 */
    bool banners, all_ports, traces;
    const char *probes; /* a file of further ones */
} version_options_t;

typedef struct os_options_s {
    bool wanted;       /* -O */
    bool limit, guess; /* --osscan-limit, --osscan-guess */
} os_options_t;

typedef struct options_s {
    target_options_t target;
    port_options_t port;
    timing_options_t timing;
    output_options_t output;
    version_options_t version;
    packet_options_t packet;
    os_options_t os;
    unsigned scans;                    /* scan_type_e */
    unsigned pings;                    /* ping_type_e */
    const char *syn_ports, *ack_ports; /* of -PS and -PA; NULL: the usual ones */
    const char *udp_ports, *protocols; /* of -PU and -PO */
    const char *flags;                 /* --scanflags */
    bool unprivileged;                 /* no packets of our own, though they could be sent */
    int names;                         /* name_lookup_e */
    const char *dns_servers;
    bool system_dns;
    const char *then;   /* a command for each host that is told; NULL: none */
    unsigned then_jobs; /* at the same time; 0: as many as there are processors */
    bool traceroute;
    bool lists_interfaces;          /* --iflist: nothing else is done */
    const char *source, *interface; /* -S, -e */
    uint16_t source_port;           /* -g; 0: any */
    bool has_seed;
    uint64_t seed;
    hopt_list_t operands;
    const char *resume; /* the file that the scan is kept in; NULL: none */
    char *kept_words;   /* of the command line that was in it; owned, and so is: */
    char **kept_argv;
    int argc;
    char *const *argv; /* as typed, for the files' first line */
} options_t;

/* Parses argv. OPTIONS_RUN, or the exit status after a page or a message. options_free in every
 * case. */
#define OPTIONS_RUN HOPT_RUN
int options_parse(options_t *options, int argc, char **argv);
void options_free(options_t *options);

/* Whether they are --resume FILE alone: the others are in the file. */
bool options_are_kept(const options_t *options);

/* For options_parse: whether they go together. 0, or 2 after a message. */
int options__check(const options_t *options);

/* The manual's texts and the table of options; see manual.c. */
extern const hopt_doc_t hnmap_doc;
extern const hopt_t option_rows[];

#endif
