#include "hproxy.h"

#include "app/hopt_doc.h"
#include "master.h"

#include <stdio.h>

static const char *const usage[] = {"[options] LISTEN TARGET...", "[options] --socks|--http LISTEN",
                                    "[options] -c FILE",
                                    "-t|-s stop|restart|status|reload|reopen [-c FILE]", NULL};

static const char *const description[] = {
    "hproxy takes connections (TCP, TLS, UNIX sockets) and datagrams (UDP, UNIX) at one end point "
    "and passes what comes on to another, in both directions, until both sides have said all that "
    "they had: when one side ends its half, the other one still gets its whole answer.",
    "A TARGET is an end point, with ,weight=N (1 to 65535) or ,backup behind it; a backup is used "
    "when no other target is. A name stands for all of its addresses, and is looked up again when "
    "its TTL is over; addresses that it has no more get no new connections. A name such as "
    "_imap._tcp.example.com is looked up as SRV. Several targets share the connections as "
    "--balance says. One that cannot be connected to is left out for a while after three failures "
    "in a row; the client does not see it, as the next one is tried.",
    "--check asks each target regularly: connect, tls (a handshake), talk (--check-send, "
    "--check-expect) or http (GET of --check-path, --check-status).",
    "With --socks or --http clients say themselves where they want to go, and there are no "
    "targets: "
    "by SOCKS 4, 4a or 5 (UDP too), or by HTTP: CONNECT, or requests with whole URLs. --auth asks "
    "them for a password; --destination 'allow PATTERN[:PORTS]' and 'deny ...' tell where they may "
    "go: names (.example.com is for all below it, too), addresses, blocks, *.",
    "Each client of a UDP or unixgram: end point has a socket of its own towards its target, which "
    "is closed when neither has said anything for --idle-timeout (1 minute); UNIX clients without "
    "a name are one, and get no answer. Targets that take connections get the bytes of the "
    "datagrams, and what they send at once is a datagram again; the other way round likewise. "
    "Mind that datagrams may be lost, and have no end: a connection to a target of datagrams is "
    "over when nothing has come for --idle-timeout.",
    "--send-proxy and --accept-proxy speak the PROXY protocol with what stands behind and in "
    "front. "
    "Lists for --allow, --deny and --accept-proxy-from have addresses, blocks (10.0.0.0/8) and "
    "names, with commas between; a denied one may not come, whatever else is said. A limit has no "
    "queue: what is too much is closed at once.",
    "A configuration file has lines NAME = VALUE with the names of these options, without dashes "
    "in "
    "front: first those that are for all (of the groups Process and Output, and daemon, pid-file, "
    "user, group), then a section [listen NAME] for each service with those of its own. A flag is "
    "yes or no; listen, target, auth, destination, via, allow, deny, allow-file and deny-file may "
    "stand several times. LISTEN and TARGET of the command line, and its options about them, are "
    "one more service. Every mistake is told with its line, and a name that does not exist is one.",
    "A reload reads the file again, tries it out, and replaces the workers: the new ones take "
    "every new connection, the old ones serve theirs until they end, for --drain-timeout at most. "
    "If something is wrong with the file, all stays as it was; what it is, the log tells, and -c "
    "FILE -s reload itself. Clients of datagrams go on with the new workers at once.",
    "The master process keeps the rights that it was started with, so that a reload can read keys "
    "and open ports, but handles no byte of a client; the workers become --user, and cannot reach "
    "more of the file system than they need, where the kernel has Landlock. Under systemd, sockets "
    "that it has opened (LISTEN_FDS) stand in the place of those of the settings: "
    "FileDescriptorName tells of which [listen NAME], and \"status\" is for --status.",
    NULL,
};

static const hopt_term_t operands[] = {
    {"LISTEN", "Where to listen: PORT (of this computer alone), :PORT (every address), HOST:PORT, "
               "[v6]:PORT, unix:PATH; with tls:// or udp:// in front, unixgram:PATH."},
    {"TARGET",
     "Where to lead: HOST:PORT, unix:PATH, with tls:// or udp:// in front, unixgram:PATH, "
     "_service._proto.NAME; and ,weight=N or ,backup behind it."},
    {NULL, NULL},
};

static const char *const conf_text[] = {
    "This one has two services, and counters at http://127.0.0.1:9100/metrics:", NULL};

static const hopt_term_t conf_lines[] = {
    {"workers = auto", "One process for each processor."},
    {"status = 127.0.0.1:9100", "For Prometheus and people."},
    {"[listen web]", "The first service."},
    {"listen = tls://:443", "Clients speak TLS."},
    {"tls-cert = /etc/hproxy/web.pem", "The certificate and its key."},
    {"target = 192.0.2.10:80,weight=2", "Gets two of three connections."},
    {"target = 192.0.2.11:80", "Gets the third."},
    {"check = http", "GET / has to give 200 to 399."},
    {"check-path = /health", "Not of /, of this."},
    {"[listen dns]", "The second one."},
    {"listen = udp://:53", "Datagrams."},
    {"target = udp://9.9.9.9:53", "To a resolver."},
    {NULL, NULL},
};

static const char *const hosts_text[] = {
    "hproxy keeps nothing that another one would miss: two or more with the same configuration on "
    "different hosts stand in for each other. Which of them a client meets is decided in front "
    "of them. hnet's sources have the files for each way in scripts/examples/proxy, and "
    "scripts/cluster shows them at work in network namespaces, with a proxy that dies and a cable "
    "that is pulled.",
    NULL};

static const hopt_term_t hosts_terms[] = {
    {"an address that moves",
     "keepalived (VRRP) gives an address to the first host whose hproxy is well: its check is "
     "\"hnc -z 127.0.0.1 PORT\". Listen on every address (:PORT), for the address is not always "
     "there. Connections that stand are lost when it moves, new ones are not."},
    {"a name", "Both addresses behind one name, with a short TTL. Clients that try the next "
               "address (curl, ssh, hnc, browsers) do not notice a host that is gone."},
    {"a load balancer", "haproxy with send-proxy-v2, or another hproxy with --send-proxy, in front "
                        "of hproxy with --accept-proxy, which so knows who the client is. "
                        "--accept-proxy-from names the balancer: nobody else is believed."},
    {"hproxy --send-proxy --check connect 10.0.0.1:443 10.0.0.11:443 10.0.0.12:443",
     "Such a balancer."},
    {"hproxy --accept-proxy --accept-proxy-from 10.0.0.1 :443 app1:8443 app2:8443",
     "Behind it, on both hosts."},
    {NULL, NULL}};

static const char *const forward_text[] = {
    "With --socks or --http: clients log in with SOCKS5's user and password or HTTP's Basic, and "
    "with Digest where no password is given as a hash; SOCKS 4 has none, and is refused where a "
    "log-in is asked for. Passwords whose hash is slow to make are looked at beside all else.",
    "For clients: curl -x socks5h://me:secret@HOST:1080 URL (or -x http://...), ssh -o "
    "'ProxyCommand=hnc -X 5 -x HOST:1080 --proxy-auth me:secret %h %p'. With socks4: and socks5: "
    "curl looks names up itself, and rules for names do not see them; socks4a: and socks5h: hand "
    "them on.",
    "Rules of --destination have one or more patterns behind allow or deny, with :PORTS (443, "
    "80,443,8000-8100) where they are not for all ports. The first one that fits decides; where "
    "none does, all is allowed, unless there is a rule that allows something: then nothing else "
    "is.",
    "Each address that a name has is judged again before it is tried, so that no name leads where "
    "nobody may go: rules for names and * do not open what a rule for addresses, wherever it "
    "stands, denies. Without such a rule link-local addresses (169.254.0.0/16, fe80::/10) are "
    "denied, and 127.0.0.0/8 and ::1 are for clients that come from there. Behind --via it is the "
    "last proxy that resolves names: rules for addresses then see only what is asked for by "
    "number.",
    "Whatever fails has its answer: forbidden, refused, no answer, no such name (SOCKS 5: 2, 5, 6, "
    "4; SOCKS 4: 91; HTTP: 403, 502, 504, 502), no right password (HTTP: 407).",
    NULL};

static const hopt_term_t forward_lines[] = {
    {"example.com", "This name."},
    {".example.com", "This name and all below it."},
    {"*.example.com", "All names below it."},
    {"192.0.2.0/24, 192.0.2.1, 2001:db8::/32", "Addresses, also those of a name."},
    {"[2001:db8::]/32:443", "With a port IPv6 has brackets."},
    {"*:25", "This port of everybody."},
    {NULL, NULL},
};

static const char *const status_text[] = {
    "--status answers over HTTP, to everybody who can reach it: listen where only those can who "
    "may. All workers answer with the same numbers, which only grow, also over reloads and "
    "crashes.",
    NULL};

static const hopt_term_t status_lines[] = {
    {"/metrics", "For Prometheus: by listener how many came, are open, how they ended, bytes, and "
                 "histograms of how long they lasted and how long connecting took; by target "
                 "whether it is up, connections, failures, ejections, bytes, checks."},
    {"/status", "The same as JSON, with the causes of the last failures; a page for browsers "
                "(Accept: text/html)."},
    {"/healthz", "200 while each listener has a target that can be used, else 503 with those that "
                 "have none: for what stands in front of the proxy."},
    {NULL, NULL},
};

static const char *const log_text[] = {
    "A line for each connection, and each client of datagrams, that is over. With --log-format "
    "text it has the following columns in this order, with spaces between, - for what there is "
    "not; a space, a quote, or what is no printable ASCII is \\xNN. With json it has these names, "
    "and leaves out what there is not. Of clients of datagrams that came to nothing (denied, "
    "limited, nobody there ...) 20 in 10 seconds have a line, for each service of a worker; a "
    "message tells how many more there were, and /metrics counts all.",
    NULL};

static const hopt_term_t log_lines[] = {
    {"time", "Of the end, UTC."},
    {"listener", "The name of the service."},
    {"protocol", "What the client speaks: tcp, tls, unix, udp, unixgram; of a forward proxy "
                 "socks4, socks5, http ..."},
    {"client, peer", "Who it is; and who spoke for it by a PROXY header."},
    {"user", "Who logged in."},
    {"target, address", "Where it was led to: the target as it was given, its address."},
    {"destination", "What a client of a forward proxy asked for."},
    {"connect_ms, duration_ms", "Until its target stood; in all."},
    {"sent_bytes, received_bytes", "From the client to the target, and back."},
    {"end",
     "How: done, denied, limited, bad_request, unauthorized, slow (no PROXY header, handshake or "
     "request in time), no_target, connect_failed, client_error, target_error, idle, "
     "expired, stopped, no_resources."},
    {"why", "The cause in words, in quotes."},
    {NULL, NULL},
};

static const char *const rotation_text[] = {
    "Who moves a log file away tells it with SIGUSR1, or -s reopen: then all workers go on in new "
    "files of the old names, those that still serve after a reload, too. The master opens them; "
    "the workers need no right to the folder. --log-filesize and --log-remain-days do without "
    "others: a file of the day before is moved, or one that is too large, to NAME.20261121-164501; "
    "it is looked at once a minute. For logrotate(8):",
    NULL};

static const hopt_section_t sections[] = {
    {"FORWARD PROXY", forward_text, forward_lines, NULL},
    {"CONFIGURATION FILE", conf_text, conf_lines, NULL},
    {"STATUS", status_text, status_lines, NULL},
    {"ACCESS LOG", log_text, log_lines, NULL},
    {"LOG ROTATION", rotation_text, NULL,
     "/var/log/hproxy/*.log {\n"
     "    daily\n"
     "    rotate 14\n"
     "    compress\n"
     "    delaycompress\n"
     "    missingok\n"
     "    sharedscripts\n"
     "    postrotate\n"
     "        hproxy -c /etc/hproxy.conf -s reopen\n"
     "    endscript\n"
     "}"},
    {"SEVERAL HOSTS", hosts_text, hosts_terms, NULL},
    {0},
};

static const hopt_term_t examples[] = {
    {"hproxy 8080 example.com:80", "Connections to port 8080 of this computer go to example.com."},
    {"hproxy tls://:8443 127.0.0.1:8080 --tls-self-signed",
     "Put TLS in front of a server that does not speak it."},
    {"hproxy 5432 10.0.0.1:5432 10.0.0.2:5432,backup --check connect",
     "A second server for when the first one is down."},
    {"hproxy udp://53 udp://9.9.9.9:53", "Pass on questions to a name server."},
    {"hproxy 1080 --socks --http --auth me:secret",
     "A proxy for curl -x socks5h://me:secret@127.0.0.1:1080."},
    {"hproxy unix:/tmp/db.sock db.example.com:5432", "A remote service as a local socket."},
    {"hproxy -c /etc/hproxy.conf -t", "Check a configuration."},
    {"hproxy -c /etc/hproxy.conf -d", "Run in the background."},
    {"hproxy -c /etc/hproxy.conf -s reload", "Make it read its configuration again."},
    {NULL, NULL},
};

static const hopt_term_t signals[] = {
    {"SIGTERM, SIGINT, SIGQUIT",
     "Stop: nobody new is accepted, connections get --stop-time (5 seconds) to "
     "end. A second one stops at once."},
    {"SIGHUP",
     "Reload: read the configuration, certificates and the like again, open the log files "
     "anew. Without a configuration, log or pid file: stop (a terminal was closed)."},
    {"SIGUSR1", "Open the log files anew."},
    {NULL, NULL},
};

static const hopt_term_t files[] = {
    {"/run/hproxy.pid", "The pid file of root; of others in $XDG_RUNTIME_DIR."},
    {NULL, NULL},
};

static const hopt_term_t environment[] = {
    {"LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES", "The sockets that systemd hands over."},
    {"TZ", "The time zone of the logs."},
    {NULL, NULL},
};

static const hopt_term_t exit_status[] = {
    {"0", "It was stopped, or did what -s or -t asked for."},
    {"1", "It could not start, or (-t) would not: an address in use, no permission, a broken "
          "certificate."},
    {"2", "Bad usage: an unknown option, or a configuration with mistakes."},
    {"3", "-s status: it does not run."},
    {NULL, NULL},
};

static const hopt_feature_t features[] = {
    {"OpenSSL", HOPT_VERSION_TEXT(HNET_VERSION_openssl)},
    {"c-ares", HOPT_VERSION_TEXT(HNET_VERSION_libcares)},
#if HNET_WITH_INIH
    {"inih", HOPT_VERSION_TEXT(HNET_VERSION_inih)},
#endif
    {NULL, NULL},
};

static const char *const see_also[] = {"hecho(1)", "hhttpd(1)", "hnc(1)", NULL};

const hopt_doc_t hproxy_doc = {
    .name = HPROXY_NAME,
    .summary = "proxy and load balancer for connections and datagrams",
    .options = hproxy_options,
    .features = features,
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
    .operand = HOPT_OPERAND_HOST,
};

static int test(settings_t *settings)
{
    hbytes_t errors = {0};
    int err = master_test(settings, &errors);

    hlogfile_complain(HPROXY_NAME, &errors);
    hbytes_deinit(&errors);
    if (err)
        return 1;
    printf("hproxy: the configuration is good\n");
    return fflush(stdout) == 0 ? 0 : 1;
}

/* What runs can be stopped without a file that is right, or anything to listen on. A reload of a
 * file with mistakes would be refused: better tell them to who asks for it. */
static bool can_do_without_settings(const settings_t *settings)
{
    int action = settings ? settings->base.main.action : HMAIN_NONE;

    if (action != HMAIN_NONE && settings->test)
        return false;
    return action == HMAIN_STOP || action == HMAIN_STATUS || action == HMAIN_REOPEN ||
           (action == HMAIN_RELOAD && !settings->base.conf_path);
}

static int run(int argc, char *const argv[], htitle_t *title)
{
    settings_t *settings = NULL;
    hbytes_t errors = {0};
    int err = settings_load(argc, argv, &settings, &errors);

    if (err && can_do_without_settings(settings))
        err = 0;
    if (err || !settings->base.main.pid_file) /* it may not be the one of the file */
        hlogfile_complain(HPROXY_NAME, &errors);
    hbytes_deinit(&errors);
    if (err) {
        settings_free(settings);
        return err == -ENOMEM ? 1 : 2;
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
    int status = scratch ? hopt_main_parse(&hproxy_doc, argc, argv, scratch, &words) : 1;

    hopt_main_free(&hproxy_doc, scratch, &words);
    settings_free(scratch);
    if (status == HOPT_RUN)
        status = run(argc, argv, title);
    htitle_free(title, &argv);
    return status;
}
