#include "settings.h"

#include "net/hworkers.h"

static const char *const link_names[] = {"inside", "all", "none", NULL};

static int take_listing_off(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    site_settings_t *s = site;

    (void)option;
    (void)arg;
    (void)why;
    s->index_of = NULL;
    return 0;
}

static const hopt_t site_options[] = {
    HOPT_GROUP("What is served"),
    HOPT_CALL(0, "index", site_take_home_page,
              "the files that answer for their folder (index.html); \"\": none",
              .arg_name = "NAMES"),
    HOPT_CALL(0, "index-of", site_take_index_of,
              "list only the folders below PATH (/: all of them)", .arg_name = "PATH"),
    HOPT_CALL(0, "no-listing", take_listing_off, "list no folder"),
    HOPT_CALL(0, "spa", site_take_spa,
              "a single-page application: FILE (index.html) answers for pages that do not exist",
              .arg_name = "FILE", .bare = "yes"),
    HOPT_CALL(0, "base-url", site_take_base_url, "serve everything below PATH", .arg_name = "PATH"),
    HOPT_CALL(0, "error-page", site_take_error_page, "answer errors with this file",
              .arg_name = "FILE"),
    HOPT_CALL(0, "cache-control", site_take_cache_control, "the Cache-Control field of files",
              .arg_name = "TEXT"),
    HOPT_ENUM(0, "follow-links", site_settings_t, links, link_names,
              "follow symbolic links: those that stay inside (the default), all, or none",
              .bare = "all"),
    HOPT_FLAG(0, "hidden", site_settings_t, hidden, "serve names that begin with a dot, too"),
    HOPT_FLAG(0, "no-compress", site_settings_t, no_compress,
              "do not compress what is sent; files with a .br, .zst or .gz beside them are sent so "
              "all the same"),
    HOPT_FLAG(0, "no-precompressed", site_settings_t, no_precompressed, "do not look for these"),
    HOPT_FLAG(0, "archive", site_settings_t, archive, "offer each folder as a tar file"),
    HOPT_FLAG(0, "live-reload", site_settings_t, live_reload,
              "pages load themselves anew when a file changes"),
    HOPT_FLAG(0, "cors", site_settings_t, cors, "let pages of other origins read everything"),
    HOPT_CALL(0, "upload", site_take_upload, "let clients store files below PATH (/)",
              .arg_name = "PATH", .bare = "yes"),
    HOPT_SIZE(0, "upload-max", site_settings_t, upload_max, INT64_MAX,
              "the largest request that stores files"),
    HOPT_FLAG(0, "upload-replace", site_settings_t, upload_replace,
              "an upload replaces a file of the same name"),
    HOPT_FLAG(0, "upload-delete", site_settings_t, upload_delete,
              "let clients delete what is below the path of --upload"),
    HOPT_CALL(0, "auth", site_take_auth,
              "ask for a password, below PATH or everywhere: USER:PASSWORD, or a FILE of such "
              "lines with hashes",
              .arg_name = "[PATH=]USER:PASS|FILE"),
    HOPT_CALL(0, "redirect", site_take_redirect,
              "send clients elsewhere: /old/=/new/, /old=https://example.com/, '/old=302 /new'",
              .arg_name = "FROM=TO"),
    HOPT_CALL(0, "rewrite", site_take_rewrite, "serve the file of another path",
              .arg_name = "FROM=TO"),
    HOPT_CALL(0, "proxy", site_take_proxy,
              "pass requests below PATH on to another server; several of one PATH take turns",
              .arg_name = "[PATH=]URL"),
    HOPT_FLAG(0, "demo", site_settings_t, demo, "the API of libhv's example: /ping, /echo ..."),
    HOPT_CALL(0, "metrics", site_take_metrics, "counters for Prometheus at PATH (/metrics)",
              .arg_name = "PATH", .bare = "yes"),
    HOPT_END,
};

static const hopt_t tls_options[] = {
    HOPT_CALL(0, "tls-cert", site_take_certificate, "our certificate (PEM), with its chain",
              .arg_name = "FILE"),
    HOPT_CALL(0, "tls-key", site_take_privatekey, "its key (PEM), if it is not in the same file",
              .arg_name = "FILE"),
    HOPT_END,
};

const hopt_t hhttpd_options[] = {
    HOPT_GROUP("Where"),
    HOPT_CALL('p', "port", settings_take_port,
              "listen on PORT (8080), or any end point; may be given several times",
              .arg_name = "PORT"),
    HOPT_STRING(0, "host", settings_t, host,
                "the address of ports without one (127.0.0.1); *: every address",
                .arg_name = "ADDRESS"),
    HOPT_FLAG(0, "proxy-protocol", settings_t, proxy_protocol,
              "each connection begins with a PROXY header, from which the client's address is "
              "taken"),
    HOPT_FLAG(0, "qr", settings_t, qr, "show the address as a QR code"),
    HOPT_INCLUDE(site_options, settings_t, site, site_settings_t),
    HOPT_GROUP("TLS"),
    HOPT_FLAG(0, "tls-self-signed", settings_t, tls_self_signed,
              "make a certificate now, and say its fingerprint and its pin (curl --pinnedpubkey)"),
    HOPT_INCLUDE(tls_options, settings_t, site, site_settings_t),
    HOPT_CALL(0, "tls-ca", settings_take_ca, "clients need a certificate of this authority (PEM)",
              .arg_name = "FILE"),
    HOPT_GROUP("Limits"),
    HOPT_CALL(0, "workers", settings_take_processes,
              "serve in NUMBER processes (1), each replaced when it crashes; auto: one for each "
              "processor",
              .arg_name = "NUMBER"),
    HOPT_CALL(0, "threads", settings_take_threads, "and NUMBER threads (1) in each of them",
              .arg_name = "NUMBER"),
    HOPT_UINT(0, "max-conns", settings_t, worker_connections, 1, 10000000,
              "serve at most NUMBER connections at a time, in each thread"),
    HOPT_SPAN(0, "keepalive-timeout", settings_t, keepalive_ms,
              "close a connection without a request after TIME (75s)"),
    HOPT_INT(0, "limit-rate", settings_t, limit_rate_kib, 1, 4194303,
             "send at most NUMBER KiB a second on a connection"),
    HOPT_SIZE(0, "max-body", settings_t, body_max, INT64_MAX,
              "the largest body of a request (1M); uploads have their own"),
    HOPT_SPAN(0, "drain-timeout", settings_t, drain_ms,
              "what requests that are being answered get when a reload replaces their worker "
              "(5m)"),
    HOPT_GROUP("Output"),
    HOPT_COUNT('v', "verbose", settings_t, verbose, "tell of requests and workers on stderr"),
    HOPT_CALL(0, "access-log", settings_take_access_log,
              "a line for each request to FILE (-: stdout)", .arg_name = "FILE", .bare = "-"),
    HOPT_CALL(0, "log-format", settings_take_format, "of these lines: common, combined or json",
              .arg_name = "FORMAT"),
    HOPT_STRING(0, "log-file", settings_t, base.logs.messages.path,
                "messages go to FILE instead of stderr", .arg_name = "FILE"),
    HOPT_INCLUDE(hlogfile_rows, settings_t, base.logs.messages, hlogfile_options_t),
    HOPT_GROUP("Configuration"),
    HOPT_STRING('c', "config", settings_t, base.conf_path, "read FILE first", .arg_name = "FILE"),
    HOPT_FLAG('t', "test", settings_t, test, "check options and configuration, and leave"),
    HOPT_CALL(0, "chroot", settings_take_chroot,
              "the workers see only what is below DIR; document roots have to be below it",
              .arg_name = "DIR"),
    HOPT_FLAG(0, "no-sandbox", settings_t, no_sandbox,
              "do not shut the workers in (Landlock and seccomp, where the kernel has them)"),
    HOPT_INCLUDE(hmain_log_rows, settings_t, base.main, hmain_options_t),
    HOPT_END,
};
