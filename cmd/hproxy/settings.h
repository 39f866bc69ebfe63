/* settings: what hproxy was told to do: by the configuration file, then by the command line, whose
 * end points are one more service. Both are checked while they are read, so that a mistake is told
 * with its line; what only the whole can tell is checked behind.
 *
 *     settings.c   from the arguments to a checked struct
 *     options.c    the table of the command line
 *     conf.c       the tables of the file's sections: [listen NAME]
 *     values.c     the values that need more than a number
 *
 * Strings point into argv or into the file's own memory. Numbers that are 0 mean the default that
 * stands beside them. */
#ifndef HPROXY_SETTINGS_H
#define HPROXY_SETTINGS_H

#include "app/hconf.h"
#include "app/hmaster.h"
#include "app/hopt.h"
#include "app/hopt_doc.h"
#include "base/hkeep.h"
#include "net/hbalance.h"
#include "net/hcheck.h"
#include "net/hendpoint.h"
#include "net/htls.h"

#define SETTINGS_SERVICES_MAX 256
#define SETTINGS_WORKERS_MAX 64   /* processes of one generation */
#define SETTINGS_NAME_SIZE 64     /* of a service, with its NUL */
#define SETTINGS_TARGETS_MAX 1024 /* of a service */
#define SETTINGS_LISTENS_MAX 32   /* of a service */
#define SETTINGS_CONNECT_MS 5000
#define SETTINGS_IDLE_MS 600000         /* streams: neither side says anything */
#define SETTINGS_DATAGRAM_IDLE_MS 60000 /* where one of them has datagrams */
#define SETTINGS_HANDSHAKE_MS 10000     /* PROXY header, TLS, SOCKS or HTTP request: each */
#define SETTINGS_FLOWS_MAX 4096

/* One more of its kind, in the order given. */
typedef struct target_settings_s {
    struct target_settings_s *next;
    const char *text;     /* as it was given, for messages */
    hendpoint_t endpoint; /* of an SRV name: scheme and host alone */
    bool srv;             /* "_http._tcp.example.com" */
    unsigned weight;      /* 1..256 */
    bool backup;
} target_settings_t;

typedef struct listen_settings_s {
    struct listen_settings_s *next;
    const char *text;
    hendpoint_t endpoint; /* HENDPOINT_TLS: speaks TLS */
} listen_settings_t;

/* Forward proxy: who may, and where to; borrowed texts, in the order given. */
typedef struct forward_settings_s {
    bool socks, http;
    hopt_list_t users;        /* "name:password" */
    const char *users_file;   /* htpasswd; NULL: none */
    hopt_list_t destinations; /* "allow PATTERN[:PORTS]", "deny ..." in their order */
    hopt_list_t via;          /* further proxies on the way, by URL */
} forward_settings_t;

/* Either side's TLS. */
typedef struct tls_settings_s {
    const char *cert, *key;
    const char *ca;   /* listening: clients need a certificate of it; targets: instead of the
                           system's */
    bool self_signed; /* listening */
    bool insecure;    /* targets: not verified */
    const char *name; /* targets: SNI and the name in the certificate; NULL: the target's host */
    const char *alpn;
} tls_settings_t;

/* One service: what listens together, and what it leads to. */
typedef struct service_settings_s {
    struct service_settings_s *next;
    hkeep_t *keep;
    const char *name; /* of the section; of the command line: its first end point */
    listen_settings_t *listens;
    const char *unix_rights; /* of UNIX sockets that are listened on, as given; NULL: by umask */
    unsigned unix_mode;
    target_settings_t *targets; /* none for a forward proxy */
    int balance;                /* hbalance_e */
    forward_settings_t forward;

    tls_settings_t tls;        /* of end points with tls:// */
    tls_settings_t target_tls; /* of targets with tls:// */
    htls_ctx_t *tls_ctx;       /* of these two, made by the master, which may read the keys, and the
                                  same in all workers; NULL: nobody speaks TLS there */
    htls_ctx_t *target_tls_ctx;

    bool accept_proxy;   /* clients begin with a PROXY header: required */
    int send_proxy;      /* 0, 1 or 2: its version */
    const char *trusted; /* accept_proxy: only from these addresses, as haccess has it; others have
                            to come without. NULL: from everyone */

    hcheck_options_t check;  /* its kind 0: no active checks */
    uint32_t eject_failures; /* in a row; 0: 3. UINT32_MAX: no ejection */
    uint32_t eject_ms;       /* 0: 10,000 */

    uint32_t connections_max;            /* at once, of all workers together as each has its share;
                                            0: no limit */
    uint32_t connections_per_client_max; /* of one address at once */
    uint32_t rate_per_client;            /* new ones a second from one address */
    uint32_t rate_new;                   /* new ones a second in all */
    uint64_t limit_rate;                 /* bytes a second, of each connection and direction */
    uint64_t limit_rate_total;           /* of the service, each direction */

    hopt_list_t allow, deny, allow_files, deny_files; /* haccess */

    uint32_t connect_ms, idle_ms, handshake_ms;
    uint32_t lifetime_ms; /* of a connection; 0: none */
    uint32_t flows_max;   /* datagrams: clients at once */
    const char *source;   /* address that targets are connected from; NULL: any */
    uint32_t retries;     /* other targets that are tried; UINT32_MAX: all */
} service_settings_t;

typedef struct settings_s {
    service_settings_t *services; /* in the order given */
    service_settings_t command;   /* what the command line says; among services if it listens */
    hmaster_settings_t base;

    bool test;
    int verbose;

    uint32_t workers;  /* processes */
    uint32_t drain_ms; /* what old connections get at a reload; 0: all the time they want */
    uint32_t stop_ms;  /* ... when it is stopped; 0: 5,000 */
    bool no_sandbox;

    const char *dns;     /* name servers; NULL: the system's */
    uint32_t dns_min_ms; /* a name is asked again at the earliest after; 0: 1,000 */
    uint32_t dns_max_ms; /* ... at the latest; 0: 300,000 */
    bool access_json;
    const char *status; /* end point of /metrics and /status; NULL: none */
    hendpoint_t status_endpoint;
} settings_t;

/* Reads the arguments and the file that they name. 0 and *settings (freed by settings_free), or a
 * negative error and lines in errors, each with its newline: "hproxy.conf:12: ...", "option -b:
 * ...". argv has to live as long. *settings is set on an error, too, if the arguments could be
 * read. */
int settings_load(int argc, char *const argv[], settings_t **settings, hbytes_t *errors);
void settings_free(settings_t *settings);

/* Puts in front of a mistake where its value is from: "hproxy.conf:12: "; the file alone for NULL,
 * nothing for what is not of a file. */
void settings_where(const settings_t *settings, const char *value, hbytes_t *errors);

/* The documentation of the command, and its option table; the struct is settings_t. */
extern const hopt_doc_t hproxy_doc;
extern const hopt_t hproxy_options[];

/* ---- between the files that read ------------------------------------------------------------- */

/* A struct with the defaults; NULL: out of memory. */
settings_t *settings_new(void);

/* A service with the defaults: one that lives as long as the settings, or NULL; and in memory that
 * is there. */
service_settings_t *settings_new_service(hkeep_t *keep);
void settings_init_service(service_settings_t *service, hkeep_t *keep);

/* options.c: the rows of a service, and the rows of all else that the file has too. */
extern const hopt_t settings_service_rows[];
extern const hopt_t settings_common_rows[];

/* conf.c */
extern const hconf_schema_t settings_schema;
extern const hconf_schema_t settings_pid_schema; /* main.pid_file alone, whatever else there is */

/* settings_check.c: what only the whole can tell. 0, or a negative error and lines. */
int settings_check(settings_t *settings, hbytes_t *errors);

int settings_add_listen(service_settings_t *service, const char *text, hbytes_t *why);
int settings_add_target(service_settings_t *service, const char *text, hbytes_t *why);

/* These are HOPT_CALLs; the struct is settings_t or service_settings_t as the name says. */
int settings_take_workers(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_loglevel(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_access_log(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_format(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_status(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int service_take_listen(const hopt_t *option, const char *arg, void *service, hbytes_t *why);
int service_take_target(const hopt_t *option, const char *arg, void *service, hbytes_t *why);
int service_take_unix_mode(const hopt_t *option, const char *arg, void *service, hbytes_t *why);
int service_take_send_proxy(const hopt_t *option, const char *arg, void *service, hbytes_t *why);
int service_take_eject(const hopt_t *option, const char *arg, void *service, hbytes_t *why);
int service_take_status_codes(const hopt_t *option, const char *arg, void *service, hbytes_t *why);
int service_take_check_send(const hopt_t *option, const char *arg, void *service, hbytes_t *why);
int service_take_check_expect(const hopt_t *option, const char *arg, void *service, hbytes_t *why);

#endif
