/* The rows of the command line; connect.c makes a client of them. */
#include "connect.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "net/htos.h"

#include <string.h>
#include <sys/socket.h>

static int not_empty(const char *arg, hbytes_t *why)
{
    if (arg[0])
        return 0;
    hbytes_append_str(why, "needs a value that is not empty");
    return HERR_SYNTAX;
}

/* ---- proxies --------------------------------------------------------------------------------- */

static int on_proxy(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    static const struct {
        const char *name;
        hproxy_type_e type;
    } names[] = {{"proxy", HPROXY_HTTP},    {"proxy1.0", HPROXY_HTTP},
                 {"socks4", HPROXY_SOCKS4}, {"socks4a", HPROXY_SOCKS4A},
                 {"socks5", HPROXY_SOCKS5}, {"socks5-hostname", HPROXY_SOCKS5H}};
    connect_options_t *o = opts;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, option->long_name) == 0)
            o->proxy_type = names[i].type;
    }
    o->proxy = arg;
    o->proxy_http10 = strcmp(option->long_name, "proxy1.0") == 0;
    return strcmp(option->long_name, "proxy") == 0 ? 0 : not_empty(arg, why);
}

static int on_proxy_header(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    (void)option;
    return request_fields_add(&((connect_options_t *)opts)->fields, arg, why);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int on_unix(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    connect_options_t *o = opts;

    o->unix_path = arg;
    o->unix_abstract = strcmp(option->long_name, "abstract-unix-socket") == 0;
    return not_empty(arg, why);
}

/* "4000" or "4000-4010", with a space beside the dash if need be. */
static int on_local_port(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    connect_options_t *o = opts;
    size_t digits = strspn(arg, "0123456789");
    const char *p = arg + digits;
    char first[8] = "";
    uint64_t low = 0, high = 0;
    int err = digits < sizeof(first) ? 0 : HERR_RANGE;

    (void)option;
    if (!err) {
        memcpy(first, arg, digits);
        err = hstr_parse_u64(first, 1, UINT16_MAX, &low);
    }
    high = low;
    p += *p == ' ';
    if (!err && *p) {
        err = *p++ == '-' ? 0 : HERR_SYNTAX;
        p += *p == ' ';
        if (!err)
            err = hstr_parse_u64(p, low, UINT16_MAX, &high);
    }
    if (err)
        hbytes_printf(why, "'%s' is neither a port nor a range of them", arg);
    o->port_first = (uint16_t)low;
    o->port_last = (uint16_t)high;
    return err;
}

static int on_tos(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    int tos = htos_parse(arg);

    (void)option;
    if (tos < 0) {
        hbytes_printf(why, "'%s' is neither a word for a type of service nor 0 to 255", arg);
        return tos;
    }
    ((connect_options_t *)opts)->tos = tos;
    return 0;
}

#define O connect_options_t
#define ON .negatable = true

const hopt_t connect_rows[] = {
    HOPT_GROUP("Connection"),
    HOPT_LIST(0, "resolve", O, resolve, "use these addresses for HOST:PORT",
              .arg_name = "[+]HOST:PORT:ADDR[,ADDR]..."),
    HOPT_LIST(0, "connect-to", O, connect_to, "connect to HOST2:PORT2 instead",
              .arg_name = "HOST1:PORT1:HOST2:PORT2"),
    HOPT_SET('4', "ipv4", O, family, AF_INET, "use IPv4 only"),
    HOPT_SET('6', "ipv6", O, family, AF_INET6, "use IPv6 only"),
    HOPT_STRING(0, "interface", O, interface, "connect from this interface, address or name",
                .arg_name = "NAME", .filled = true),
    HOPT_CALL(0, "local-port", on_local_port, "connect from one of these ports",
              .arg_name = "N[-M]"),
    HOPT_CALL(0, "unix-socket", on_unix, "connect to this UNIX socket", .arg_name = "PATH"),
    HOPT_CALL(0, "abstract-unix-socket", on_unix, "connect to this abstract UNIX socket",
              .arg_name = "NAME"),
    HOPT_SPAN(0, "connect-timeout", O, connect_ms, "give up connecting after SECONDS",
              .arg_name = "SECONDS", .max = INT32_MAX),
    HOPT_UINT(0, "happy-eyeballs-timeout-ms", O, eyeballs_ms, 0, INT32_MAX,
              "try the next address after so many milliseconds", .arg_name = "N"),
    HOPT_FLAG(0, "no-keepalive", O, no_keepalive, "let idle connections die unseen", ON),
    HOPT_UINT(0, "keepalive-time", O, keepalive_s, 0, INT16_MAX,
              "probe a connection that is idle for SECONDS", .arg_name = "SECONDS"),
    HOPT_UINT(0, "keepalive-cnt", O, keepalive_count, 0, INT8_MAX,
              "N probes without an answer are the end", .arg_name = "N"),
    HOPT_FLAG(0, "no-tcp-nodelay", O, delay, "let small packets wait for more", ON),
    HOPT_FLAG(0, "tcp-fastopen", O, fast_open, "send with the first packet (TCP Fast Open)", ON),
    HOPT_CALL(0, "ip-tos", on_tos, "mark packets with this type of service", .arg_name = "TEXT"),
    HOPT_STRING(0, "dns-servers", O, dns_servers, "ask these name servers", .arg_name = "LIST"),
    HOPT_FLAG(0, "haproxy-protocol", O, haproxy, "begin with a PROXY protocol header", ON),
    HOPT_STRING(0, "haproxy-clientip", O, haproxy_ip, "... with this address in it",
                .arg_name = "ADDR", .filled = true),

    HOPT_GROUP("Proxies"),
    HOPT_CALL('x', "proxy", on_proxy, "use this proxy; '': none, whatever the environment says",
              .arg_name = "[TYPE://]HOST[:PORT]"),
    HOPT_CALL(0, "proxy1.0", on_proxy, "use this HTTP/1.0 proxy", .arg_name = "HOST[:PORT]"),
    HOPT_CALL(0, "socks4", on_proxy, "use this SOCKS 4 proxy", .arg_name = "HOST[:PORT]"),
    HOPT_CALL(0, "socks4a", on_proxy, "use this SOCKS 4a proxy, which resolves names",
              .arg_name = "HOST[:PORT]"),
    HOPT_CALL(0, "socks5", on_proxy, "use this SOCKS 5 proxy", .arg_name = "HOST[:PORT]"),
    HOPT_CALL(0, "socks5-hostname", on_proxy, "use this SOCKS 5 proxy, which resolves names",
              .arg_name = "HOST[:PORT]"),
    HOPT_FLAG(0, "socks5-basic", O, socks5_basic, "log in to SOCKS 5 by user and password", ON),
    HOPT_STRING(0, "preproxy", O, pre_proxy, "reach the proxy through this SOCKS proxy",
                .arg_name = "[TYPE://]HOST[:PORT]", .filled = true),
    HOPT_FLAG('p', "proxytunnel", O, tunnel, "tunnel through the HTTP proxy (CONNECT)", ON),
    HOPT_STRING(0, "noproxy", O, no_proxy, "reach these hosts without a proxy", .arg_name = "LIST"),
    HOPT_CALL(0, "proxy-header", on_proxy_header, "send this field to the proxy",
              .arg_name = "LINE|@FILE"),
    HOPT_FLAG(0, "suppress-connect-headers", O, no_connect_heads,
              "do not show what the proxy answers to CONNECT", ON),
    HOPT_END,
};

void connect_options_deinit(connect_options_t *options)
{
    request_fields_deinit(&options->fields);
}
