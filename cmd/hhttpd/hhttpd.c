#include "hhttpd.h"

#include "app/hopt_doc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const usage[] = {"[options] [DIR] [ENDPOINT...]", "-t [-c FILE] [options]",
                                    "-s stop|restart|status|reload|reopen [-c FILE]", NULL};

static const char *const description[] = {
    "hhttpd serves the files of a folder over HTTP: of the current one, on port 8080 of this "
    "computer alone, unless it is told otherwise.",
    "Hidden files and what lies outside of the folder are never served; symbolic links that leave "
    "it are followed with --follow-links. A folder without an index file is shown as a page, or "
    "as JSON to a client that prefers it.",
    "A port alone is one of the loopback: others reach it with --host '*' or with an end point "
    "such as :8080. With a certificate (--tls-cert, --tls-self-signed) all end points speak TLS, "
    "unless some are named with tls:// in front or as https_port: then only these do. Under "
    "systemd, sockets that it has opened (LISTEN_FDS) stand in the place of all of these; those "
    "with tls or https in their FileDescriptorName speak TLS.",
    "The configuration file has lines of the form KEY = VALUE. These keys are those of libhv's "
    "httpd: logfile, loglevel, log_remain_days, log_filesize, log_fsync, worker_processes, "
    "worker_threads, worker_connections, port (http_port), https_port, base_url, document_root, "
    "home_page, error_page, index_of, keepalive_timeout (ms), limit_rate (KiB/s), access_log, "
    "cors, ssl_certificate, ssl_privatekey, ssl_ca_certificate; and in the section [proxy] "
    "proxy_connect_timeout, proxy_read_timeout, proxy_write_timeout (ms), forward_proxy, "
    "trust_proxies, no_proxies and lines of the form \"/path/ => URL\". 0 worker_processes or "
    "worker_threads are 1.",
    "These are ours: host, listen (end points with blanks between), proxy_protocol, "
    "access_log_format, "
    "keepalive_requests, head_timeout, body_timeout, send_timeout, drain_timeout (ms), body_max, "
    "tls_self_signed, ssl_verify_client, daemon, pid_file, user, group, chroot, no_sandbox, spa, "
    "cache_control, follow_links, hidden, no_compress, no_precompressed, archive, upload, "
    "upload_max, upload_replace, upload_delete, demo, metrics, live_reload.",
    "The sections [redirect], [rewrite] and [auth] have lines of the form \"/path/ => ...\", "
    "[error_page] of the form \"404 => FILE\". A section [host www.example.com *.example.org] "
    "begins a virtual host with the keys about what is served, and [proxy NAME], [redirect NAME] "
    "and the like belong to it. A host inherits nothing. Options of the command line have the "
    "last word, and are about the first host. Every mistake is told with its line, and a key that "
    "does not exist is one. Relative paths are those of the current folder, but for error_page and "
    "spa, which are below document_root.",
    "trust_proxies and no_proxies are lists of hosts that forward_proxy goes to, or not, with , or "
    "; between: example.com and *.example.com are for all names that end so, too, 192.168.* and "
    "*.example.* for what fits; 10.0.0.0/8 is a network.",
    "A server behind a path of --proxy sees the rest of the path behind that of its URL, or, if "
    "the URL ends with the host, the whole. When it redirects to its own address, the client is "
    "told ours.",
    "A changed file is noticed at the latest after a second. It is best replaced (mv), not written "
    "over: who gets it while it becomes shorter is cut off. A redirect leads to the path as it is "
    "written, even with a base URL.",
    "A reload reads the file again, tries it out, and replaces the workers: the new ones take "
    "every new connection, the old ones end when the requests that they have are answered, but at "
    "the latest after --drain-timeout. If something is wrong with the file, all stays as it was. "
    "-s start and -s restart stay in the foreground, unless -d or the key daemon is given, too.",
    "With --upload, files are stored by PUT (curl -T FILE URL/) and by POST of a form to "
    "FOLDER/?upload (multipart/form-data; its files, whatever the parts are called); POST to "
    "FOLDER/?mkdir makes the folder \"name\" of the form. With --upload-delete, DELETE and POST to "
    "PATH?delete remove a file or an empty folder. A file that is there stays, unless "
    "--upload-replace is given (409), and one that does not come whole, or finds the disk full "
    "(507), leaves nothing behind; neither do the others of its form. A request that a browser "
    "sends for a page of another origin is refused, with --cors, too.",
    "--auth PATH=... is for the path and all below it; the longest path counts, and several with "
    "the same path are for all of their users. It is the path of the request that counts: a file "
    "that is also reached through a symbolic link of another path is not covered there. A file has "
    "lines NAME:HASH, as htpasswd writes "
    "them: bcrypt, SHA-512 and what else crypt(3) knows, and $apr1$; NAME:{PLAIN}PASSWORD is a "
    "password as it is. It is read at the start and at a reload, and only the master has to be "
    "able to. A wrong password is answered after a second. A forward proxy asks for the password "
    "of the path /.",
    "--live-reload puts a short script into pages and listings, which waits for server-sent events "
    "from /.hhttpd/events below the base URL. --metrics counts for all workers together, over "
    "crashes and reloads; each loop tells what it has once a second.",
    "--demo answers what libhv's example does: GET /ping /data /paths /service /get /query "
    "/wildcard* /async /sleep?t=MS /setTimeout?t=MS /sse?n=EVENTS&t=MS /www.NAME; POST /echo /kv "
    "/json /form /test /login /grpc /upload /upload/NAME; DELETE /group/GROUP/user/USER. /www.NAME "
    "sends the client there instead of asking for it; what comes to /upload is stored in the "
    "folder "
    "of --upload, and without that only counted; /login knows admin with 123456.",
    "The master process keeps the rights that it was started with, so that a reload can read keys "
    "and open ports, but handles no byte of a client; the workers become --user, and cannot reach "
    "more of the file system than they need, where the kernel has Landlock.",
    NULL,
};

static const hopt_term_t operands[] = {
    {"DIR", "The folder, the current one if there is none. One whose name is a number, or looks "
            "like an end point, is written ./8080."},
    {"ENDPOINT", "Where to listen: PORT, :PORT (every address), HOST:PORT, [v6]:PORT, unix:PATH; "
                 "with tls:// in front it speaks TLS."},
    {NULL, NULL},
};

static const char *const rotation_text[] = {
    "Who moves a log file away tells it with SIGUSR1, or -s reopen: then all workers go on in new "
    "files of the old names, those that still answer after a reload, too. The master opens them; "
    "the workers need no right to the folder. --log-filesize and --log-remain-days do without "
    "others: a file of the day before is moved, or one that is too large, to NAME.20261121-164501; "
    "it is looked at once a minute. For logrotate(8):",
    NULL};

static const hopt_section_t sections[] = {
    {"LOG ROTATION", rotation_text, NULL,
     "/var/log/hhttpd/*.log {\n"
     "    daily\n"
     "    rotate 14\n"
     "    compress\n"
     "    delaycompress\n"
     "    missingok\n"
     "    sharedscripts\n"
     "    postrotate\n"
     "        hhttpd -c /etc/hhttpd.conf -s reopen\n"
     "    endscript\n"
     "}"},
    {0},
};

static const hopt_term_t examples[] = {
    {"hhttpd", "Serve the current folder on http://127.0.0.1:8080/."},
    {"hhttpd -v ~/music :8000 --qr", "Serve a folder to the whole network, tell who asks for what, "
                                     "and show the address to a telephone."},
    {"hhttpd --spa dist --live-reload", "Try out a single-page application."},
    {"hhttpd --tls-self-signed --auth me:secret --upload inbox :8443",
     "Take files from others, encrypted."},
    {"hhttpd -c /etc/hhttpd.conf -t", "Check a configuration."},
    {"hhttpd -c /etc/hhttpd.conf -d", "Run in the background."},
    {"hhttpd -c /etc/hhttpd.conf -s reload", "Make it read its configuration again."},
    {NULL, NULL},
};

static const hopt_term_t signals[] = {
    {"SIGTERM, SIGINT, SIGQUIT",
     "Stop: nobody new is accepted, requests that have come are answered, for "
     "at most 5 seconds. A second one stops at once."},
    {"SIGHUP",
     "Reload: read the configuration, certificates and the like again, open the log "
     "files anew. Without a configuration, log or pid file: stop (a terminal was closed)."},
    {"SIGUSR1", "Open the log files anew."},
    {NULL, NULL},
};

static const hopt_term_t files[] = {
    {"/etc/mime.types", "Types of files by their names; there is a table of our own behind it."},
    {"/run/hhttpd.pid", "The pid file of root; of others in $XDG_RUNTIME_DIR."},
    {NULL, NULL},
};

static const hopt_term_t environment[] = {
    {"LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES", "The sockets that systemd hands over."},
    {"TZ", "The time zone of the access log."},
    {NULL, NULL},
};

static const hopt_term_t exit_status[] = {
    {"0", "It was stopped, or did what -s or -t asked for."},
    {"1", "It could not start: an address in use, no permission, a broken certificate."},
    {"2", "Bad usage: an unknown option, or a configuration with mistakes."},
    {"3", "-s status: it does not run."},
    {NULL, NULL},
};

static const hopt_feature_t features[] = {
    {"OpenSSL", HOPT_VERSION_TEXT(HNET_VERSION_openssl)},
#if HNET_WITH_INIH
    {"inih", HOPT_VERSION_TEXT(HNET_VERSION_inih)},
#endif
#if HNET_WITH_ZLIB
    {"zlib", HOPT_VERSION_TEXT(HNET_VERSION_zlib)},
#endif
#if HNET_WITH_BROTLI
    {"brotli", HOPT_VERSION_TEXT(HNET_VERSION_libbrotlienc)},
#endif
#if HNET_WITH_ZSTD
    {"zstd", HOPT_VERSION_TEXT(HNET_VERSION_libzstd)},
#endif
    {NULL, NULL},
};

static const char *const see_also[] = {"hecho(1)", "hnc(1)", NULL};

const hopt_doc_t hhttpd_doc = {
    .name = "hhttpd",
    .summary = "HTTP server for files",
    .options = hhttpd_options,
    .usage = usage,
    .description = description,
    .operands = operands,
    .sections = sections,
    .examples = examples,
    .exit_status = exit_status,
    .environment = environment,
    .files = files,
    .signals = signals,
    .see_also = see_also,
    .operand = HOPT_OPERAND_FILE,
    .features = features,
};

static int test(settings_t *settings)
{
    hbytes_t errors = {0};
    int err = master_test(settings, &errors);

    hlogfile_complain(HHTTPD_NAME, &errors);
    hbytes_deinit(&errors);
    if (err)
        return 2;
    printf("hhttpd: the configuration is good\n");
    return fflush(stdout) == 0 ? 0 : 1;
}

/* A broken file is no reason not to stop what runs. */
static bool can_do_without_file(const settings_t *settings)
{
    int action = settings ? settings->base.main.action : HMAIN_NONE;

    return action == HMAIN_STOP || action == HMAIN_STATUS || action == HMAIN_REOPEN;
}

static int run(int argc, char *const argv[], htitle_t *title)
{
    settings_t *settings = NULL;
    hbytes_t errors = {0};
    int err = settings_load(argc, argv, &settings, &errors);
    int status = 2;

    hlogfile_complain(HHTTPD_NAME, &errors);
    hbytes_deinit(&errors);
    if (err && !can_do_without_file(settings)) {
        settings_free(settings);
        return err == -ENOMEM ? 1 : status;
    }
    if (settings->test)
        return test(settings);
    return master_serve(argc, argv, settings, title);
}

/* --help and a mistake in the options end here, before anything else is looked at. */
int main(int argc, char **argv)
{
    htitle_t *title = htitle_init(argc, &argv);
    settings_t *scratch = settings_new();
    hopt_list_t words = {0};
    int status = scratch ? hopt_main_parse(&hhttpd_doc, argc, argv, scratch, &words) : 1;

    hopt_main_free(&hhttpd_doc, scratch, &words);
    settings_free(scratch);
    if (status == HOPT_RUN)
        status = run(argc, argv, title);
    htitle_free(title, &argv);
    return status;
}
