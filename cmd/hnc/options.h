/* options: what the command line asked for, checked. */
#ifndef HNC_OPTIONS_H
#define HNC_OPTIONS_H

#include "app/hopt_doc.h"
#include "net/hendpoint.h"

#include <stdbool.h>
#include <stdint.h>

#define HNC_NO_TIME UINT32_MAX
#define HNC_NO_LIMIT UINT32_MAX

/* --tls-min and --tls-max. */
typedef enum { HNC_TLS_ANY = -1, HNC_TLS_1_2, HNC_TLS_1_3 } hnc_tls_version_e;
#define HNC_PREAMBLE_MAX 4096

/* --proxy-dns: who looks up the name of the host behind a proxy. */
typedef enum { PROXY_DNS_REMOTE, PROXY_DNS_LOCAL, PROXY_DNS_BOTH, PROXY_DNS_NONE } proxy_dns_e;

typedef struct options_s {
    bool listen;
    bool udp;
    bool unix_path;
    bool keep_open;
    bool zero_io;
    bool numeric;
    bool no_stdin;
    bool shutdown; /* -N */
    bool crlf;
    bool random;
    bool send_only;
    bool recv_only;
    int verbose;
    int family; /* AF_INET, AF_INET6; 0: both */
    int quit_s; /* -q; negative: never */
    uint32_t wait_ms;
    uint32_t interval_ms;
    uint32_t receive_buffer;
    uint32_t send_buffer;
    const char *source_port;
    const char *source_addr;
    const char *output_file;
    const char *hex_file;
    bool append_output;
    bool timestamps;
    bool hex;
    bool json;
    bool no_editing;
    bool no_history;
    const char *exec_command;
    const char *shell_command;
    /* Listening. */
    bool broker;
    bool chat;          /* broker is set, too */
    bool test;          /* --test: says on stderr when it listens */
    uint32_t max_conns; /* HNC_NO_LIMIT: as many as there are descriptors */
    hopt_list_t allow, allow_files;
    hopt_list_t deny, deny_files;
    /* The connection. */
    bool vsock;
    bool broadcast;   /* -b */
    bool pass_fd;     /* -F */
    bool no_shutdown; /* shutdown is not set, then */
    bool telnet;
    uint32_t idle_ms;       /* --idle-timeout */
    uint32_t receive_limit; /* -W; 0: none */
    int ttl, min_ttl;       /* 0: the system's */
    int tos;                /* -T; 0: the system's */
    const char *congestion; /* NULL: the system's, but not BBR over loopback */
    /* TLS: ssl is set by every option that is of use with it only. */
    bool ssl;
    int ssl_verify; /* 1, 0 as asked for; -1: not said: a client does, a server does not */
    const char *ssl_trustfile;
    const char *ssl_cert;
    const char *ssl_key;
    const char *ssl_key_password; /* a source of hsecret_from; NULL: the terminal */
    const char *ssl_crlfile;
    const char *ssl_servername;
    const char *ssl_alpn;
    const char *ssl_ciphers;
    const char *tls_pin;
    bool tls_self_signed;
    bool tls_info;
    bool tls_ignore_eof;
    int tls_min, tls_max;     /* hnc_tls_version_e */
    hopt_list_t nc_proxies;   /* -x */
    hopt_list_t ncat_proxies; /* --proxy */
    const char *proxy_type;
    const char *proxy_trustfile;
    const char *proxy_user; /* -P */
    const char *proxy_auth;
    int proxy_dns;           /* a proxy_dns_e */
    unsigned proxy_protocol; /* 1, 2; 0: none */
    uint32_t port_wait_ms;   /* --wait */
    const char *reconnect;   /* NULL: no */
    const char *preamble_text;
    char preamble[HNC_PREAMBLE_MAX];
    size_t preamble_len;
    uint64_t rate; /* bytes a second; 0: no limit */
    /* From the operands. */
    const char *host; /* NULL: every address; with unix_path the path */
    const char **ports;
    size_t port_count;
    const char *endpoint_text; /* NULL: they were operands of nc's */
    const char *endpoint_port;
    hendpoint_t endpoint;
} options_t;

extern const hopt_t options_rows[];
extern const hopt_doc_t options_doc; /* manual.c */

void options_init(options_t *o);

/* Fills in host and ports from the operands and checks what belongs together. 0, or an exit
 * status once one line about the mistake is on stderr. */
int options_check(options_t *o, const hopt_list_t *operands);

static inline bool options_exec(const options_t *o)
{
    return o->exec_command || o->shell_command;
}

static inline bool options_access(const options_t *o)
{
    return o->allow.count + o->allow_files.count + o->deny.count + o->deny_files.count > 0;
}

/* A server that goes on after its first connection. */
static inline bool options_serve_many(const options_t *o)
{
    return o->listen && (o->keep_open || o->broker || o->proxy_type);
}

#endif
