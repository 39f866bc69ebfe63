/* What --help and the manual say about hnc, beside the rows of its options. */
#include "options.h"

static const hopt_feature_t features[] = {
    {"OpenSSL", HOPT_VERSION_TEXT(HNET_VERSION_openssl)},
    {"c-ares", HOPT_VERSION_TEXT(HNET_VERSION_libcares)},
#if HNET_WITH_READLINE
    {"readline", HOPT_VERSION_TEXT(HNET_VERSION_readline)},
#endif
    {NULL, NULL},
};

static const char *const usage[] = {"[options] HOST PORT...",   "[options] END-POINT",
                                    "-l [options] [HOST] PORT", "-l [options] END-POINT",
                                    "-U [options] PATH",        NULL};

static const char *const description[] = {
    "hnc connects to a TCP or UDP port or a UNIX socket, or waits for a connection there (-l). "
    "What "
    "it reads from stdin goes to the network, what comes from the network goes to stdout.",
    "The end of stdin does not end the connection: hnc goes on receiving until the peer closes. -N "
    "tells the peer about the end, -q leaves some time after it. Once the peer has closed, hnc "
    "sends "
    "what it has and leaves, whether or not stdin is at its end.",
    "With -l -k many clients are served at once: what each of them sends goes to stdout, and stdin "
    "goes to all of them. A datagram listener talks to whoever sent the first datagram; with -k to "
    "whoever sent the last one.",
    "The clients of -l -k all get the same bytes of stdin, and none is kept back for one of them: "
    "while a client does not take what was sent to it, stdin is not read, and the others wait.",
    "Nobody can tell a peer that is gone from one that only stopped sending: with a pipe as stdin "
    "hnc "
    "leaves when nothing has moved for a quarter of a second, with a file it sends the rest first.",
    "UDP has no connections. With -v and -z hnc sends probes, as nc does. With -v alone nc sends "
    "probes, too, which a server takes for data; hnc sends nothing but stdin, and says that the "
    "connection succeeded when the first answer arrives, or when the port has not refused for 3 "
    "seconds (with -w: for TIME) after the first datagram. If it refuses before that, hnc says so "
    "and exits with 1; without -v it just ends.",
    "A connection that fails is reported without -v, too, where nc is silent: it is the reason for "
    "exit status 1. With -z only -v tells which ports are closed.",
    "Where stdin and stdout are terminals, the line that is being typed can be edited, and is kept "
    "below what arrives. Its keys are those of readline (see ~/.inputrc), but TAB is a TAB. "
    "Ctrl-D on an empty line ends the sending side, as -N does after the end of stdin. Lines are "
    "kept in a file from one run to the next, but for those that begin with a space.",
    "-e looks in no PATH, and splits the command at its spaces; -c has the shell do both. With "
    "--ssl hnc stays between the program and its peer.",
    "--broker and --chat listen by themselves and go on until they are stopped. Everybody's queue "
    "is bounded: the others wait a second for a client that does not read, then it is dropped. "
    "--chat passes on whole lines, up to 4096 bytes each, and escapes what would command a "
    "terminal.",
    "--ssl checks the certificate of a server and its name; with -l it makes a certificate if none "
    "is given. A connection that ends without TLS's own end (close_notify) may lack its last part, "
    "cut off by anybody on the way: hnc says so and exits with 1, though it has written all that "
    "came. ncat ends like that; --tls-ignore-eof is for peers that are known to.",
    "A handshake has 10 seconds. One that fails does not end a server: with -k it is told with -v, "
    "without -k always, and hnc waits for the next one, where ncat exits with 1.",
    "-l --proxy-type is a proxy for many clients, with --proxy-auth only for those who know the "
    "password. --proxy-protocol with -l refuses who sends no PROXY header; --allow and --deny then "
    "look at the proxy's address and at the one in the header, for headers are easily forged.",
    "Options, messages and exit status are those of OpenBSD's nc, but for a wrong command line, "
    "which is 2 as with ncat; long names and some more options are ncat's. Where both use one "
    "letter, it means what it means to nc; "
    "only -m is ncat's, and nc's is --min-ttl. -V is the version: Linux has none of nc's routing "
    "tables. What ncat calls -d, -i, -x and --wait is --delay, --idle-timeout, --hex-dump and -w; "
    "ncat also ends the sending side after the end of stdin, as -N does, listens for IPv6 and "
    "IPv4, as -l -6 does, and takes port 31337 where none is named.",
    NULL};

static const hopt_term_t operands[] = {
    {"HOST", "a name or an address. With -l: the address to listen on; every IPv4 address if it is "
             "left out"},
    {"PORT", "a number, a service name or a range; several are tried one after another"},
    {"PATH",
     "with -U: the path of a socket. With -l it is made, replaces one nobody listens on, and "
     "is removed at the end"},
    {"END-POINT",
     "all of it in one word: HOST:PORT, [ADDRESS]:PORT for IPv6, PORT for one of this machine, and "
     "with -l :PORT for every IPv4 and IPv6 address; unix:PATH, unixgram:PATH for UNIX sockets. "
     "In front of a port tcp://, udp:// or tls:// are possible: udp:// is -u, tls:// is --ssl, "
     "unix: is -U and unixgram: -uU. A PORT alone with -l is nc's, for every IPv4 address"},
    {NULL, NULL}};

static const hopt_term_t examples[] = {
    {"hnc -l 1234 >file", "Receive a file ..."},
    {"hnc -N host 1234 <file", "... and send it."},
    {"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | hnc example.com 80", "Ask a web server."},
    {"hnc -zv -w 2 host 20-30", "See which of these ports are open."},
    {"hnc -lk -c 'date' 127.0.0.1 1300", "Serve the time of day to any number of clients."},
    {"hnc -U /run/app.sock", "Talk to a program through its UNIX socket."},
    {"hnc tls://example.com:443", "Talk TLS, the certificate checked."},
    {NULL, NULL}};

static const hopt_term_t exit_status[] = {
    {"0", "A connection was made and has ended; with -z: a port is open"},
    {"1", "No connection could be made, or one was cut off; a name, a file or an address cannot be "
          "used"},
    {"2", "The command line is wrong, or asks for an option of nc or ncat that hnc does not have; "
          "so does ncat, where nc exits with 1"},
    {"other", "With -e and -c: the exit status of the program, except with -k"},
    {NULL, NULL}};

static const hopt_term_t signals[] = {
    {"SIGHUP", "with -l, -k and --ssl: the certificates are read again; who is connected stays"},
    {NULL, NULL}};

static const hopt_term_t environment[] = {
    {"NCAT_REMOTE_ADDR, NCAT_REMOTE_PORT, NCAT_LOCAL_ADDR, NCAT_LOCAL_PORT, NCAT_PROTO",
     "set for the programs that -e and -c start"},
    {"NCAT_PROXY_AUTH", "what --proxy-auth says, where nobody else sees it"},
    {"ALL_PROXY, NO_PROXY", "the proxy of a client without -x and --proxy, and the hosts that are "
                            "reached without it"},
    {"NO_COLOR", "if it is not empty, --hex has no colour on a terminal"},
    {"SSLKEYLOGFILE", "where the secrets of each TLS connection are appended, with which Wireshark "
                      "and others can read what was sent"},
    {NULL, NULL}};

static const hopt_term_t files[] = {
    {"$XDG_STATE_HOME/hnc/history",
     "the lines that were typed, the last 1,000; without the variable "
     "~/.local/state/hnc/history"},
    {NULL, NULL}};

static const char *const see_also[] = {"nc(1)", "ncat(1)", "socat(1)", NULL};

const hopt_doc_t options_doc = {
    .name = "hnc",
    .summary = "read and write network connections",
    .options = options_rows,
    .usage = usage,
    .description = description,
    .operands = operands,
    .examples = examples,
    .exit_status = exit_status,
    .environment = environment,
    .signals = signals,
    .files = files,
    .see_also = see_also,
    .features = features,
    .operand = HOPT_OPERAND_HOST,
};
