#include "options.h"

#include "app/hsecret.h"
#include "base/hstr.h"
#include "endpoint.h"
#include "hnc.h"
#include "net/hrate.h"
#include "net/hsocket.h"
#include "net/htos.h"

#include <string.h>
#include <unistd.h>

#define LATER "it is not part of hnc yet"
#define NEVER "hnc does not have it"

static const char *const tls_versions[] = {"1.2", "1.3", NULL}; /* hnc_tls_version_e */
static const char *const proxy_dns_names[] = {"remote", "local", "both", "none", NULL};

static int take_tos(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;
    int tos = htos_parse(arg);

    (void)option;
    if (tos >= 0) {
        o->tos = tos;
        return 0;
    }
    hbytes_printf(why, "'%s' is no keyword and no number from 0 to 255", arg);
    return tos;
}

/* Asks a socket, which is the only one to know. */
static int take_congestion(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    static const char files[] = "/proc/sys/net/ipv4/tcp_";
    int fd = hsocket_open(AF_INET, SOCK_STREAM, NULL);
    int err = fd < 0 ? fd : arg[0] == '\0' ? -ENOENT : hsocket_set_congestion(fd, arg);

    (void)option;
    if (fd >= 0)
        close(fd);
    if (err == -EPERM)
        hbytes_printf(why, "'%s' is for root only; see %sallowed_congestion_control", arg, files);
    else if (err == -ENOENT)
        hbytes_printf(why, "the system has no '%s'; see %savailable_congestion_control", arg,
                      files);
    else if (err)
        hbytes_printf(why, "'%s': %s", arg, herr_str(err));
    ((options_t *)opts)->congestion = arg;
    return err;
}

static int take_key_password(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    options_t *o = opts;

    (void)option;
    if (hsecret_is_source(arg)) {
        o->ssl_key_password = arg;
        return 0;
    }
    /* What was given is not shown: it may be the password. */
    hbytes_printf(why, "file:PATH or env:NAME is needed; a command line is no secret");
    return HERR_SYNTAX;
}

/* clang-format off */
const hopt_t options_rows[] = {
    HOPT_GROUP("What to do"),
    HOPT_FLAG('l', "listen", options_t, listen, "wait for a connection instead of making one"),
    HOPT_FLAG('k', "keep-open", options_t, keep_open,
              "with -l: go on listening, and serve many clients at once"),
    HOPT_FLAG('z', NULL, options_t, zero_io,
              "only find out whether the ports are open; ranges such as 20-30 are possible"),
    HOPT_STRING('e', "exec", options_t, exec_command,
                "give the connection to this program, named by its path, as its stdin and stdout",
                .arg_name = "COMMAND"),
    HOPT_STRING('c', "sh-exec", options_t, shell_command,
                "the same with a command line for /bin/sh", .arg_name = "COMMAND"),

    HOPT_GROUP("Listening"),
    HOPT_UINT('m', "max-conns", options_t, max_conns, 0, HNC_NO_LIMIT - 1,
              "serve at most NUMBER clients at once and turn the others away; without it 100 "
              "programs of -e and -c, and as many others as there are descriptors"),
    HOPT_LIST(0, "allow", options_t, allow,
              "serve only these clients: addresses, blocks such as 192.0.2.0/24, names, with "
              "commas between",
              .arg_name = "HOSTS"),
    HOPT_LIST(0, "allowfile", options_t, allow_files, "the same from a file", .arg_name = "FILE"),
    HOPT_LIST(0, "deny", options_t, deny, "turn these clients away, whatever is allowed",
              .arg_name = "HOSTS"),
    HOPT_LIST(0, "denyfile", options_t, deny_files, "the same from a file", .arg_name = "FILE"),
    HOPT_FLAG(0, "broker", options_t, broker,
              "listen, and pass on to all clients what each of them sends"),
    HOPT_FLAG(0, "chat", options_t, chat,
              "the same line by line, with <user1> and so on in front", .alias = "talk"),
    HOPT_FLAG(0, "test", options_t, test, "say NCAT TEST: LISTEN on stderr when listening",
              .hidden = true),

    HOPT_GROUP("Connection"),
    HOPT_SET('4', NULL, options_t, family, AF_INET, "IPv4 only"),
    HOPT_SET('6', NULL, options_t, family, AF_INET6,
             "IPv6 only; with -l IPv4 as well, unless the system keeps them apart"),
    HOPT_FLAG('u', "udp", options_t, udp, "UDP; with -U datagrams"),
    HOPT_FLAG('U', "unixsock", options_t, unix_path,
              "UNIX sockets: the operand is a path, or @NAME for an abstract one"),
    HOPT_FLAG(0, "vsock", options_t, vsock,
              "sockets between a host and its virtual machines: HOST is a number (2: the host)"),
    HOPT_FLAG('n', "nodns", options_t, numeric, "numbers only: look no names up"),
    HOPT_STRING('p', "source-port", options_t, source_port,
                "send from (with -l: listen on) this port", .arg_name = "PORT"),
    HOPT_STRING('s', "source", options_t, source_addr,
                "send from (with -l: listen on) this address; with -uU: the path to receive at",
                .arg_name = "ADDRESS"),
    HOPT_FLAG('r', NULL, options_t, random, "try the ports in random order"),
    HOPT_UINT('I', NULL, options_t, receive_buffer, 1, 1 << 30,
              "bytes of the socket's receive buffer"),
    HOPT_UINT('O', NULL, options_t, send_buffer, 1, 1 << 30, "bytes of the socket's send buffer"),
    HOPT_INT('M', "ttl", options_t, ttl, 1, 255, "how many hops what is sent may take"),
    HOPT_INT(0, "min-ttl", options_t, min_ttl, 1, 255,
             "ignore what arrives with fewer hops left: what comes from farther away"),
    HOPT_CALL('T', "tos", take_tos,
              "type of service of what is sent: lowdelay, throughput, reliability, lowcost, "
              "critical, inetcontrol, netcontrol, ef, af11 to af43, cs0 to cs7, or a number",
              .arg_name = "KEYWORD"),
    HOPT_CALL(0, "congestion", take_congestion,
              "TCP's congestion control, such as cubic or bbr. Without it: the system's, but reno "
              "for bbr to and on loopback addresses, where bbr's timers only cost",
              .arg_name = "NAME"),
    HOPT_FLAG('b', NULL, options_t, broadcast, "with -u: send to broadcast addresses, too"),
    HOPT_FLAG('F', NULL, options_t, pass_fd,
              "pass the connection on as a descriptor over stdout, a UNIX socket, and leave"),

    HOPT_GROUP("TLS"),
    HOPT_FLAG(0, "ssl", options_t, ssl,
              "use TLS; each of the options below means it, too", .alias = "tls"),
    HOPT_SET(0, "ssl-verify", options_t, ssl_verify, 1,
             "check the certificate of the server and its name, which hnc does anyway; with -l ask "
             "clients for a certificate and check it"),
    HOPT_SET(0, "insecure", options_t, ssl_verify, 0,
             "accept any certificate of the server", .alias = "no-ssl-verify"),
    HOPT_STRING(0, "ssl-trustfile", options_t, ssl_trustfile,
                "trust the certificates in FILE (PEM) instead of the system's", .arg_name = "FILE"),
    HOPT_STRING(0, "ssl-crlfile", options_t, ssl_crlfile,
                "check certificates against the lists of revoked ones in FILE (PEM); the issuer of "
                "the peer's has to have one there",
                .arg_name = "FILE"),
    HOPT_STRING(0, "ssl-cert", options_t, ssl_cert, "our certificate (PEM), with its chain",
                .arg_name = "FILE"),
    HOPT_STRING(0, "ssl-key", options_t, ssl_key,
                "its key (PEM), if it is not in the same file", .arg_name = "FILE"),
    HOPT_CALL(0, "ssl-key-password", take_key_password,
              "where the key's password is: file:PATH, on the first line, or env:NAME, in a "
              "variable; without this hnc asks on the terminal", .arg_name = "SOURCE"),
    HOPT_STRING(0, "ssl-servername", options_t, ssl_servername,
                "the name that is sent to the server and checked, instead of the host's",
                .arg_name = "NAME"),
    HOPT_STRING(0, "ssl-alpn", options_t, ssl_alpn,
                "protocols that are offered, or accepted, the best first, with commas between",
                .arg_name = "LIST"),
    HOPT_STRING(0, "ssl-ciphers", options_t, ssl_ciphers, "ciphers, as OpenSSL lists them",
                .arg_name = "LIST"),
    HOPT_FLAG(0, "tls-self-signed", options_t, tls_self_signed,
              "with -l: make a certificate now, and say its fingerprint; this is what happens "
              "without --ssl-cert"),
    HOPT_ENUM(0, "tls-min", options_t, tls_min, tls_versions, "the oldest version"),
    HOPT_ENUM(0, "tls-max", options_t, tls_max, tls_versions, "the newest version"),
    HOPT_STRING(0, "tls-pin", options_t, tls_pin,
                "the peer's key has to be one of these: sha256//BASE64, with semicolons between, "
                "or a file with a public key",
                .arg_name = "PIN"),
    HOPT_FLAG(0, "tls-ignore-eof", options_t, tls_ignore_eof,
              "take a connection that ends without TLS's own end for whole: ncat ends like that"),
    HOPT_FLAG(0, "tls-info", options_t, tls_info,
              "say on stderr what was agreed on, and show the peer's certificates"),

    HOPT_GROUP("Proxy"),
    HOPT_LIST('x', NULL, options_t, nc_proxies,
              "connect through this proxy: [TYPE://][USER:PASSWORD@]HOST[:PORT], SOCKS5 unless a "
              "type is given; several make a chain; \"none\" also ignores the environment",
              .arg_name = "PROXY"),
    HOPT_LIST(0, "proxy", options_t, ncat_proxies, "the same, HTTP unless a type is given",
              .arg_name = "PROXY"),
    HOPT_STRING('X', "proxy-type", options_t, proxy_type,
                "the type of proxies that are named without one: http (connect), https, socks4 "
                "(4), socks4a, socks5 (5); with -l be such a proxy",
                .arg_name = "TYPE"),
    HOPT_STRING(0, "proxy-ssl-trustfile", options_t, proxy_trustfile,
                "trust the certificates in FILE (PEM) for https proxies, instead of the system's",
                .arg_name = "FILE"),
    HOPT_STRING(0, "proxy-auth", options_t, proxy_auth,
                "who we are to the last proxy, and with -l who may use ours; better in the "
                "environment",
                .arg_name = "USER[:PASS]", .secret = true),
    HOPT_STRING('P', NULL, options_t, proxy_user,
                "the same, and ask for the password on the terminal", .arg_name = "USER"),
    HOPT_ENUM(0, "proxy-dns", options_t, proxy_dns, proxy_dns_names,
              "who looks up the host's name: the proxy, hnc, hnc first and then the proxy, nobody"),
    HOPT_UINT(0, "proxy-protocol", options_t, proxy_protocol, 1, 2,
              "begin with a PROXY protocol header of this version; with -l expect one, of "
              "either version, and take the addresses from it", .bare = "1"),

    HOPT_GROUP("Time"),
    HOPT_SPAN('w', NULL, options_t, wait_ms,
              "give up connecting after TIME, and leave when nothing came or went for TIME"),
    HOPT_SPAN(0, "wait", options_t, port_wait_ms,
              "try until the port answers, and give up after TIME"),
    HOPT_SPAN('i', "delay", options_t, interval_ms,
              "wait TIME between lines sent, reads, and ports tried"),
    HOPT_SPAN(0, "idle-timeout", options_t, idle_ms,
              "give a connection up, with a message and status 1, when nothing came or went for "
              "TIME"),
    HOPT_INT('q', NULL, options_t, quit_s, INT32_MIN, INT32_MAX / 1000,
             "after the end of stdin do as -N does, and leave NUMBER seconds later (0: when the "
             "peer has answered; negative: never)"),

    HOPT_STRING(0, "reconnect", options_t, reconnect,
                "connect again whenever the connection fails or ends, after a delay of "
                "[fixed:|linear:|exponential:]FIRST[:MAX]; 1 s, 2 s, 4 s ... 60 s by default",
                .arg_name = "DELAY", .bare = "exponential"),

    HOPT_GROUP("Data"),
    HOPT_STRING(0, "preamble", options_t, preamble_text,
                "send this first on each connection; \\n, \\r, \\t, \\0, \\xNN and \\\\ are "
                "understood",
                .arg_name = "TEXT"),
    HOPT_SIZE(0, "rate", options_t, rate, HRATE_MAX,
              "send and receive at most so many bytes a second, each", .min = 1),
    HOPT_FLAG('N', NULL, options_t, shutdown, "end the sending side after the end of stdin"),
    HOPT_FLAG(0, "no-shutdown", options_t, no_shutdown,
              "leave the sending side open after the end of stdin, which is what hnc does "
              "anyway; with -q, too"),
    HOPT_FLAG('t', "telnet", options_t, telnet,
              "refuse what a telnet server asks for, take its commands out of the data, and send "
              "a byte of 255 twice, as data"),
    HOPT_UINT('W', NULL, options_t, receive_limit, 1, UINT32_MAX,
              "leave after NUMBER datagrams or pieces of data have arrived"),
    HOPT_FLAG('d', NULL, options_t, no_stdin, "do not read stdin"),
    HOPT_FLAG('C', "crlf", options_t, crlf, "send CR LF for each LF"),
    HOPT_FLAG(0, "send-only", options_t, send_only,
              "ignore what arrives, and leave after the end of stdin"),
    HOPT_FLAG(0, "recv-only", options_t, recv_only, "only receive: do not read stdin"),

    HOPT_GROUP("Output"),
    HOPT_COUNT('v', "verbose", options_t, verbose, "say on stderr what happens"),
    HOPT_STRING('o', "output", options_t, output_file,
                "write what is sent and received to FILE as well", .arg_name = "FILE"),
    HOPT_STRING(0, "hex-dump", options_t, hex_file, "the same in hex, with the direction",
                .arg_name = "FILE"),
    HOPT_FLAG(0, "append-output", options_t, append_output,
              "append to the files of -o and --hex-dump instead of replacing them"),
    HOPT_FLAG(0, "timestamps", options_t, timestamps,
              "write the time in front of each line that arrives, and of each line in hex"),
    HOPT_FLAG(0, "hex", options_t, hex,
              "write what is sent and received to stdout in hex, with direction, offset and "
              "characters"),
    HOPT_FLAG(0, "json", options_t, json,
              "write what is sent and received to stdout as JSON, one object with time, direction, "
              "length and data for each piece"),

    HOPT_GROUP("Terminal"),
    HOPT_FLAG(0, "no-editing", options_t, no_editing,
              "leave the line that is being typed to the terminal itself"),
    HOPT_FLAG(0, "no-history", options_t, no_history,
              "neither read nor write the file that keeps typed lines"),

    HOPT_REFUSED('D', NULL, NULL, NEVER),
    HOPT_REFUSED('S', NULL, NULL, NEVER),
    HOPT_REFUSED('Z', NULL, NULL, NEVER),
    HOPT_REFUSED('g', NULL, "HOPS", NEVER),
    HOPT_REFUSED('G', NULL, "NUMBER", NEVER),
    HOPT_REFUSED(0, "lua-exec", "FILE", NEVER),
    HOPT_REFUSED(0, "nsock-engine", "NAME", NEVER),
    HOPT_REFUSED(0, "sctp", NULL, NEVER),
    HOPT_END,
};
/* clang-format on */

void options_init(options_t *o)
{
    memset(o, 0, sizeof(*o));
    o->quit_s = -1;
    o->wait_ms = HNC_NO_TIME;
    o->idle_ms = HNC_NO_TIME;
    o->max_conns = HNC_NO_LIMIT;
    o->ssl_verify = -1;
    o->tls_min = o->tls_max = HNC_TLS_ANY;
    o->port_wait_ms = HNC_NO_TIME;
}

/* Two things that exclude each other. */
typedef struct rule_s {
    bool a, b;
    const char *message;
} rule_t;

static const char *first_broken(const rule_t *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].a && rules[i].b)
            return rules[i].message;
    }
    return NULL;
}

static const char *server_conflict(const options_t *o)
{
    const rule_t rules[] = {
        {options_exec(o) || o->broker, o->hex || o->json || o->timestamps,
         "cannot use --hex, --json or --timestamps with -e, -c, --broker or --chat"},
        {o->broker, o->udp, "cannot use --broker or --chat with -u"},
        {o->broker, options_exec(o), "cannot use --broker or --chat with -e or -c"},
        {o->broker, o->telnet || o->pass_fd || o->receive_limit > 0,
         "cannot use --broker or --chat with -t, -F or -W"},
        {!o->listen, o->max_conns != HNC_NO_LIMIT, "must use -l with -m"},
        {!o->listen, options_access(o), "must use -l with --allow and --deny"},
        {o->udp && o->keep_open, options_access(o), "cannot use -k and -u with --allow and --deny"},
        {o->udp, o->max_conns != HNC_NO_LIMIT, "cannot use -m and -u: there are no connections"},
        {o->listen,
         o->nc_proxies.count + o->ncat_proxies.count > 0 || o->proxy_user || o->proxy_trustfile,
         "cannot use -l with -x, --proxy, -P or --proxy-ssl-trustfile"},
        {o->listen && !o->proxy_type, o->proxy_auth != NULL,
         "must use --proxy-type with --proxy-auth and -l"},
        {o->broker || options_exec(o) || (o->listen && o->proxy_type), o->rate > 0,
         "cannot use --rate with -e, -c, --broker, --chat or -l and --proxy-type"},
        {o->listen && o->proxy_type, o->hex || o->json || o->timestamps || o->receive_limit > 0,
         "cannot use -l and --proxy-type with --hex, --json, --timestamps or -W"},
        {o->listen && o->proxy_type, o->broker || o->udp || o->telnet || o->pass_fd,
         "cannot use -l and --proxy-type with --broker, --chat, -u, -t or -F"},
        {o->listen && o->proxy_type, options_exec(o) || o->output_file || o->hex_file,
         "cannot use -l and --proxy-type with -e, -c, -o or --hex-dump"},
        {o->vsock, o->nc_proxies.count + o->ncat_proxies.count > 0 || options_access(o),
         "cannot use --vsock with a proxy, --allow or --deny"},
    };

    return first_broken(rules, sizeof(rules) / sizeof(rules[0]));
}

static const char *tls_conflict(const options_t *o)
{
    const rule_t rules[] = {
        {o->ssl, o->udp, "cannot use --ssl and -u"},
        {o->ssl, o->pass_fd, "cannot use --ssl and -F"},
        {o->ssl_key || o->ssl_key_password, !o->ssl_cert,
         "must use --ssl-cert with --ssl-key and --ssl-key-password"},
        {o->tls_self_signed, !o->listen || o->ssl_cert,
         "must use -l and cannot use --ssl-cert with --tls-self-signed"},
        {o->listen, o->ssl_servername != NULL, "cannot use --ssl-servername and -l"},
        {o->listen, o->ssl_verify == 0, "cannot use --insecure and -l"},
        {o->listen && o->ssl_verify < 1, o->ssl_trustfile || o->ssl_crlfile || o->tls_pin,
         "must use --ssl-verify with --ssl-trustfile, --ssl-crlfile or --tls-pin and -l"},
        {o->ssl_verify == 0, o->ssl_crlfile != NULL, "cannot use --insecure and --ssl-crlfile"},
        {o->tls_max == HNC_TLS_1_2, o->tls_min == HNC_TLS_1_3, "--tls-min is newer than --tls-max"},
    };

    return first_broken(rules, sizeof(rules) / sizeof(rules[0]));
}

static const char *other_conflict(const options_t *o)
{
    const rule_t rules[] = {
        {o->listen, o->zero_io, "cannot use -z and -l"},
        {!o->listen, o->keep_open, "must use -l with -k"},
        {o->send_only, o->recv_only, "cannot use --send-only and --recv-only"},
        {o->exec_command != NULL, o->shell_command != NULL, "cannot use -e and -c"},
        {o->append_output, !o->output_file && !o->hex_file,
         "must use -o or --hex-dump with --append-output"},
        {options_exec(o), o->send_only || o->recv_only,
         "cannot use --send-only or --recv-only with -e or -c"},
        {options_exec(o), o->zero_io, "cannot use -z and -e or -c"},
        {options_exec(o), o->output_file || o->hex_file,
         "cannot use -o or --hex-dump with -e or -c"},
        {o->hex, o->json, "cannot use --hex and --json"},
        {options_exec(o), o->udp && o->keep_open, "cannot use -k and -u with -e or -c"},
        {options_exec(o) || o->pass_fd, o->preamble_text || o->rate > 0,
         "cannot use --preamble or --rate with -e, -c or -F"},
        {options_exec(o), o->udp && o->crlf, "cannot use -C and -u with -e or -c"},
        {o->listen || o->zero_io || o->udp, o->reconnect != NULL,
         "cannot use --reconnect with -l, -z or -u"},
        {o->listen || o->zero_io, o->preamble_text != NULL, "cannot use --preamble with -l or -z"},
        {o->udp || o->unix_path, o->nc_proxies.count + o->ncat_proxies.count > 0,
         "cannot use a proxy with -u or -U"},
        {o->udp, o->proxy_protocol > 0, "cannot use --proxy-protocol and -u"},
        {o->pass_fd, options_exec(o) || o->zero_io || o->keep_open,
         "cannot use -F with -e, -c, -z or -k"},
        {o->pass_fd, o->udp && o->listen, "cannot use -F with -u and -l"},
        {o->shutdown, o->no_shutdown, "cannot use -N and --no-shutdown"},
        {options_exec(o), o->idle_ms != HNC_NO_TIME || o->telnet || o->receive_limit > 0,
         "cannot use --idle-timeout, -t or -W with -e or -c"},
        {o->telnet, o->udp, "cannot use -t and -u"},
        {o->vsock, o->udp || o->unix_path || o->family || o->source_addr,
         "cannot use --vsock with -u, -U, -4, -6 or -s"},
        {o->min_ttl > 0, o->udp, "cannot use --min-ttl and -u: the kernel checks TCP only"},
        {o->udp || o->unix_path || o->vsock, o->congestion != NULL,
         "cannot use --congestion with -u, -U or --vsock: it is TCP's"},
        {o->unix_path, o->source_port != NULL, "cannot use -p and -U"},
        {o->unix_path && !(o->udp && !o->listen), o->source_addr != NULL, "cannot use -s and -U"},
    };

    return first_broken(rules, sizeof(rules) / sizeof(rules[0]));
}

static const char *conflict(const options_t *o)
{
    const char *message = other_conflict(o);

    if (!message)
        message = server_conflict(o);
    return message ? message : tls_conflict(o);
}

/* Empty text would mean "any" or "this machine" to the resolver, and a script's unset variable is
 * hardly meant so. */
static const char *empty(const options_t *o, const hopt_list_t *operands_given)
{
    const struct {
        const char *text, *message;
    } rules[] = {
        {operands_given->count > 0 ? operands_given->items[0] : NULL,
         o->unix_path                              ? "empty path"
         : o->listen && operands_given->count == 1 ? "empty port"
                                                   : "empty host"},
        {o->source_addr, "empty address for -s"},
        {o->source_port, "empty port for -p"},
        {o->output_file, "empty file name for -o"},
        {o->hex_file, "empty file name for --hex-dump"},
        {o->exec_command, "empty command for -e"},
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].text && rules[i].text[0] == '\0')
            return rules[i].message;
    }
    return NULL;
}

static int take_path(options_t *o, const hopt_list_t *operands_given)
{
    if (operands_given->count == 0)
        return hnc_usage("missing socket pathname");
    if (operands_given->count > 1)
        return hnc_usage("cannot use port with -U");
    o->host = operands_given->items[0];
    return 0;
}

/* [HOST] PORT, each of which may come from -s and -p instead. */
static int take_listen(options_t *o, const hopt_list_t *operands_given)
{
    size_t count = operands_given->count;
    const char **items = operands_given->items;

    if (count > 2 || (count == 2 && o->source_addr) || (count > 0 && o->source_port))
        return hnc_usage("too many operands: -l takes [HOST] PORT");
    o->host = count == 2 ? items[0] : o->source_addr;
    o->ports = o->source_port ? &o->source_port : count > 0 ? &items[count - 1] : NULL;
    o->port_count = o->ports ? 1 : 0;
    return o->port_count ? 0 : hnc_usage("missing port number");
}

static int take_dial(options_t *o, const hopt_list_t *operands_given)
{
    if (operands_given->count == 0)
        return hnc_usage("missing host and port number");
    if (operands_given->count == 1)
        return hnc_usage("missing port number");
    o->host = operands_given->items[0];
    o->ports = operands_given->items + 1;
    o->port_count = operands_given->count - 1;
    return 0;
}

static int take_preamble(options_t *o)
{
    int rc = hstr_unescape(o->preamble, sizeof(o->preamble), o->preamble_text);

    if (rc == HERR_SYNTAX)
        return hnc_usage("--preamble: a backslash that is none of \\n \\r \\t \\0 \\xNN \\\\");
    if (rc < 0)
        return hnc_usage("--preamble: too long");
    o->preamble_len = (size_t)rc;
    return 0;
}

/* What follows from an option. */
static void complete(options_t *o)
{
    o->broker |= o->chat;
    o->listen |= o->broker;
    o->ssl |= o->ssl_verify >= 0 || o->ssl_trustfile || o->ssl_crlfile || o->ssl_cert ||
              o->ssl_key || o->ssl_key_password || o->ssl_servername || o->ssl_alpn ||
              o->ssl_ciphers || o->tls_self_signed || o->tls_pin || o->tls_info ||
              o->tls_ignore_eof || o->tls_min != HNC_TLS_ANY || o->tls_max != HNC_TLS_ANY;
}

/* Who wrote udp:// may not know that it is -u. */
static int report_conflict(const options_t *o, const char *message)
{
    const char *means = endpoint_means(o);

    if (means)
        return hnc_usage("%s (\"%s\" is %s)", message, o->endpoint_text, means);
    return hnc_usage("%s", message);
}

int options_check(options_t *o, const hopt_list_t *operands_given)
{
    const char *message;
    int status;

    complete(o);
    status = endpoint_take(o, operands_given);
    if (status != 0)
        return status;
    message = conflict(o);
    if (message)
        return report_conflict(o, message);
    message = empty(o, operands_given);
    if (message)
        return hnc_usage("%s", message);
    if (o->preamble_text && take_preamble(o) != 0)
        return HNC_USAGE;
    if (o->quit_s >= 0 && !o->no_shutdown)
        o->shutdown = true;
    if (o->endpoint_text)
        return 0;
    if (o->unix_path)
        return take_path(o, operands_given);
    return o->listen ? take_listen(o, operands_given) : take_dial(o, operands_given);
}
