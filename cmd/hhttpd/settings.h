/* settings: what hhttpd was told to do: by the configuration file, then by the command line, which
 * has the last word. Both are checked while they are read, so that a mistake is told with its line;
 * what only the whole can tell is checked behind.
 *
 *     settings.c   from the arguments to a checked struct
 *     options.c    the table of the command line
 *     conf.c       the tables of the file's sections
 *     values.c     the values that need more than a number
 *     rules.c      "/from/ => to"
 *
 * A value is copied nowhere: strings point into argv or into the file's own memory. */
#ifndef HNET_HHTTPD_SETTINGS_H
#define HNET_HHTTPD_SETTINGS_H

#include "app/hconf.h"
#include "app/hmaster.h"
#include "app/hopt.h"
#include "app/hopt_doc.h"
#include "base/hkeep.h"
#include "codec/http_log.h"
#include "net/hendpoint.h"
#include "net/htls.h"
#include "proto/http_files.h"

#define SETTINGS_PORT 8080
#define SETTINGS_HOME_PAGE "index.html"
#define SETTINGS_HOSTS_MAX 256
#define SETTINGS_RULES_MAX 1024 /* of a kind, in a host */
#define SETTINGS_LISTENS_MAX 64
#define SETTINGS_NAMES_MAX 32 /* of a host, and home pages */

/* "/from/ => to": a path that ends with a slash is for all that is below it, too. */
typedef struct rule_s {
    struct rule_s *next;
    const char *from;
    const char *to;
    int status;             /* of a redirect; of an error page: which one */
    struct husers_s *users; /* of a path that wants a password */
} rule_t;

/* What a virtual host has; the first one is for requests to any other name. A host inherits nothing
 * from another. */
typedef struct site_settings_s {
    hkeep_t *keep;
    struct site_settings_s *next;
    const char *names[SETTINGS_NAMES_MAX + 1]; /* "www.example.com", "*.example.com" */

    const char *root;       /* as it was given; NULL: "." */
    const char *root_shown; /* absolute, without symbolic links */
    const char *root_path;  /* the same, as the workers see it behind --chroot */
    const char *base_url;   /* "/files", what is served is below it; NULL: "/" */
    const char *home_page[SETTINGS_NAMES_MAX + 1]; /* [0] NULL: none */
    const char *index_of;   /* the path below which folders are listed; NULL: none are */
    const char *error_page; /* a file below root for every error; NULL: a page of ours */
    rule_t *error_pages;    /* status, file */
    const char *spa;        /* file; NULL: no single-page application */
    const char *cache_control;
    int links; /* http_links_e */
    bool hidden;
    bool no_compress;
    bool no_precompressed;
    bool archive;

    rule_t *redirects;
    rule_t *rewrites;
    rule_t *proxies;
    rule_t *auths;                                            /* path, who may come in */
    uint32_t proxy_connect_ms, proxy_read_ms, proxy_write_ms; /* 0: defaults of the proxy */
    bool forward_proxy;
    const char *trust_proxies; /* hosts that it may go to, with , or ; between; NULL: any */
    const char *no_proxies;    /* hosts that it may not go to */

    bool cors;
    const char *upload;  /* the path below which files may be stored; NULL: none */
    bool no_upload;      /* it was said so: then what belongs to it is no contradiction */
    uint64_t upload_max; /* bytes of one request; 0: no limit but the disk's */
    bool upload_replace; /* a file of the same name is replaced */
    bool upload_delete;  /* files may be deleted, too */
    bool demo;           /* the API of libhv's example */
    const char *metrics; /* path; NULL: none */
    bool live_reload;

    const char *ssl_certificate;
    const char *ssl_privatekey;
} site_settings_t;

typedef enum { LISTEN_ANY = 0, LISTEN_PLAIN, LISTEN_TLS } listen_kind_e;

typedef struct listen_s {
    struct listen_s *next;
    hendpoint_t endpoint;
    listen_kind_e kind; /* LISTEN_ANY until all is read */
    const char *text;   /* as it was given */
    bool bare;          /* a port alone: for `host` */
    bool from_file;
} listen_t;

typedef struct settings_s {
    site_settings_t site; /* the default one */
    site_settings_t *hosts;
    hkeep_t *keep;
    hmaster_settings_t base;

    bool test;
    int verbose;
    bool qr;

    listen_t *listens;
    bool reading_file; /* while the file is read */
    const char *host;
    bool proxy_protocol;

    uint32_t worker_processes;
    uint32_t worker_threads;     /* of each */
    uint32_t worker_connections; /* 0: no limit */
    uint32_t keepalive_ms, keepalive_requests;
    int32_t limit_rate_kib;             /* 0 or less: none */
    uint32_t head_ms, body_ms, send_ms; /* 0: defaults of the server */
    uint64_t body_max;                  /* bytes; 0: the server's default */
    uint32_t drain_ms;                  /* what old connections get at a reload */

    int access_format; /* http_log_e */

    bool tls_self_signed;
    const char *ssl_ca_certificate; /* clients have to show a certificate of it */
    int ssl_verify_client;          /* htls_client_cert_e + 1; 0: required with a CA */
    bool tls;                       /* some listener speaks it */

    const char *chroot;
    const char *chroot_path; /* absolute */
    bool no_sandbox;
} settings_t;

/* Reads the arguments and the file that they name. 0 and *settings (freed by settings_free), or a
 * negative error and lines in errors, each with its newline: "hhttpd.conf:12: ...", "option -p:
 * ...". argv has to live as long. *settings is set on an error, too, if the arguments could be
 * read: for -s stop, to which a broken file is none. */
int settings_load(int argc, char *const argv[], settings_t **settings, hbytes_t *errors);
void settings_free(settings_t *settings);

/* Puts in front of a mistake where its value is from: "hhttpd.conf:12: "; the file alone for NULL,
 * nothing for what is not of a file. */
void settings_where(const settings_t *settings, const char *value, hbytes_t *errors);

/* The documentation of the command, and its option table; the struct is settings_t. */
extern const hopt_doc_t hhttpd_doc;
extern const hopt_t hhttpd_options[];

/* A struct with the defaults; NULL: out of memory. */
settings_t *settings_new(void);

/* ---- between the files that read ------------------------------------------------------------- */

/* conf.c */
extern const hconf_schema_t settings_schema;

/* values.c: whether it can be the path of a request. 0 or the error of hopt_wrong. */
int settings_check_path(const char *path, hbytes_t *why);

/* A file below the document root: with or without a slash in front. */
int settings_take_page(const char **member, const char *arg, hbytes_t *why);

/* These are HOPT_CALLs; the struct is settings_t or site_settings_t as the name says. */
int settings_take_listen(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_port(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_https_port(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_processes(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_threads(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_loglevel(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_access_log(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_format(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_chroot(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);
int settings_take_ca(const hopt_t *option, const char *arg, void *settings, hbytes_t *why);

int site_take_root(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_base_url(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_home_page(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_index_of(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_error_page(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_spa(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_cache_control(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_upload(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_metrics(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_certificate(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_privatekey(const hopt_t *option, const char *arg, void *site, hbytes_t *why);

/* rules.c: a rule from a line of the file or, with the arrow in it, from an option. */
int site_add_redirect(const char *from, const char *to, void *site, hbytes_t *why);
int site_add_rewrite(const char *from, const char *to, void *site, hbytes_t *why);
int site_add_proxy(const char *from, const char *to, void *site, hbytes_t *why);
int site_add_auth(const char *from, const char *to, void *site, hbytes_t *why);
int site_add_error_page(const char *from, const char *to, void *site, hbytes_t *why);
int site_take_redirect(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_rewrite(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_proxy(const hopt_t *option, const char *arg, void *site, hbytes_t *why);
int site_take_auth(const hopt_t *option, const char *arg, void *site, hbytes_t *why);

/* An operand: the folder, or an end point. */
int settings_take_operand(settings_t *settings, const char *text, hbytes_t *why);

/* Whether the rule is for the path, and what is left of it behind `from`. */
bool rule_matches(const rule_t *rule, http_span_t path, http_span_t *rest);

#endif
