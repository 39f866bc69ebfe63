/* What hnmap says about itself: --help, the manual page, the completions. */
#include "options.h"

static const hopt_feature_t features[] = {
    {"OpenSSL", HOPT_VERSION_TEXT(HNET_VERSION_openssl)},
    {"c-ares", HOPT_VERSION_TEXT(HNET_VERSION_libcares)},
#if HNET_WITH_PCRE2
    {"PCRE2", HOPT_VERSION_TEXT(HNET_VERSION_libpcre2_8)},
#endif
    {NULL, NULL},
};

static const char *const usage[] = {"[options] TARGET...", NULL};

static const char *const description[] = {
    "hnmap tells which hosts of a network are up and which of their ports are open. It takes "
    "nmap's "
    "options, targets and ports, and writes nmap's reports, so that what reads those reads these. "
    "Scan only what you are allowed to.",
    "First each target is asked whether it is there; then, unless -sn is given, the ports of those "
    "that are: the 1,000 TCP ports that are most popular today, by a ranking of hnmap's own, or "
    "those of -p, -F or --top-ports.",
    "With the right to send packets of its own (root, or CAP_NET_RAW) hnmap asks hosts of the "
    "local "
    "link by ARP or NDP and others by an ICMP echo and timestamp, a SYN to port 443 and an ACK to "
    "port 80, and scans by half-open connections (-sS). Without it both go by connect, which does "
    "not see a host that drops what it does not serve; hnmap then says so, and refuses what needs "
    "packets of its own. Where the system lets the user have ping sockets (sysctl "
    "net.ipv4.ping_group_range, for IPv6 too; many systems allow them to everybody) hosts are "
    "asked by an ICMP echo as well, and -PE works without privileges.",
    "How fast it goes is found out while it goes: windows and rates grow with what is answered, "
    "and "
    "shrink only where repeated probes show that some were lost because there were too many. "
    "A port that is silent is asked at least twice, and more often the more is lost on the way. "
    "So a host that drops everything costs a few waits and not one for each port. A port is "
    "reported closed only when something said so.",
    "Hosts are reported in the order of the targets, each as soon as all in front of it are.",
    NULL,
};

static const hopt_term_t operands[] = {
    {"ADDRESS", "192.0.2.1, or with -6 2001:db8::1 and fe80::1%eth0."},
    {"NETWORK", "192.0.2.0/24, 2001:db8::/120; with bits also behind a name: example.com/28."},
    {"RANGES", "Octets with lists, ranges and open ends: 10.0.3-5,7.1-20, 10.0.*.1. IPv4 only."},
    {"NAME", "Its first address, or all of them with --resolve-all."},
    {NULL, NULL},
};

static const char *const states[] = {"What is said of a port:", NULL};

static const hopt_term_t state_terms[] = {
    {"open", "Something accepts connections, or answers datagrams."},
    {"closed", "The host says that nothing is there."},
    {"filtered", "No answer however often it was asked, or a router that forbids it: a filter "
                 "stands in front of it."},
    {"unfiltered", "It can be reached; whether it is open an ACK scan cannot tell."},
    {"closed|filtered", "No answer either, with --defeat-icmp-ratelimit."},
    {"open|filtered", "No answer where one would say that it is closed: -sU, -sF, -sN, -sX, -sM."},
    {NULL, NULL},
};

static const char *const services[] = {
    "With -sV hnmap connects to each open TCP port several times at once: it listens for what the "
    "server says by itself, sends what belongs to the port and what is common, and offers TLS; "
    "where nothing of that is understood, what is rare. An answer tells the protocol, and mostly "
    "the program and its version. What was heard within TLS is shown as ssl/NAME, and below it the "
    "version of TLS, the cipher and whose certificate it is; it is not verified. A name with a "
    "question mark is that of the port's number alone; tcpwrapped is a port that takes connections "
    "and ends them at once. Printers (ports 9100 to 9107) would print what they are sent, so they "
    "are left alone, unless --allports is given.",
    "SMTP, IMAP, POP3, FTP, LDAP, XMPP, PostgreSQL and MySQL are asked to go over to TLS "
    "(STARTTLS); what TLS tells there stands below the service in the same way.",
    "With -sU, what answers datagrams is named: DNS with its version, NTP, SNMP (as public), "
    "NetBIOS, mDNS, SSDP, SIP, TFTP, QUIC, memcached, STUN and others. A port that was silent "
    "(open|filtered) is asked what any of them would answer, and is open when one does.",
    "--probes reads a file in the format of nmap-service-probes: its probes are sent beside those "
    "of hnmap, by their ports and their rarity, and "
    "what its patterns tell goes before what hnmap knows. A pattern that takes too long on an "
    "answer is given up. hnmap brings no such file along.",
    NULL,
};

static const char *const systems[] = {
    "With -O hnmap guesses which system a host runs: an open TCP port is asked for a connection "
    "three times, a closed one once, and the host for an echo. What comes back differs from system "
    "to system: the order and the values of TCP's options, the window, the TTL, whether a packet "
    "may be fragmented, how its ids go on; with -sV what services say of their system counts, too. "
    "It is compared with a table of hnmap's own, and what fits is told with how well it does, in "
    "percent. It stays a guess, for a proxy, a load balancer or a setting may answer like another "
    "system, so an exact match is never reported; --osscan-guess tells what fits less well. If no "
    "port is open too little is known for a guess.",
    "Network Distance is how far a host is, by what is left of its TTL, or with --traceroute as it "
    "was counted. Uptime and sequence numbers are not reported: systems of today begin their "
    "timestamps and numbers at random, so that they tell nothing.",
    "-A is short for -sV -O --traceroute. What nmap does with it besides is scripts, which hnmap "
    "does not have.",
    NULL,
};

static const char *const packet_text[] = {
    "--packet-trace tells each packet of hnmap's own that is sent (SENT) and each one that comes "
    "in answer, or may be one (RCVD), with the seconds since the scan began, and what each connect "
    "call has said (CONN), worded as nmap's. The lines are part of the report for people: on "
    "standard output unless another report goes there, and in the file of -oN. With -sV "
    "what services are told and say goes to standard error, as with --version-trace. What the "
    "kernel sends to end connections is none of hnmap's packets.",
    "--ttl, --data, --data-string and --data-length change SYN, ACK and other TCP packets, UDP, "
    "ICMP and other protocols, and those of --traceroute but for their TTL; not ARP, NDP, IGMP and "
    "the probes of -O. Data of UDP takes the place of the payload that the port would get. What is "
    "longer than the network takes is not sent, and told. Connections by -sT or without "
    "privileges carry none of it, but echoes of ping sockets do.",
    "On Ethernet hnmap sends frames, past the routing, the neighbour table and the filter of this "
    "machine. With --send-ip it sends IP packets, and the system finds out which link address they "
    "go to; hosts of the local link are then asked by ICMP and TCP as others are, and their link "
    "addresses are not told.",
    "With --discovery-ignore-rst a host is up only when it answers by something else than a TCP "
    "reset, which a firewall may send for hosts that are not there.",
    "--defeat-rst-ratelimit asks for what is done anyway: a host that limits its resets is never "
    "waited for, and ports without an answer are filtered. --defeat-icmp-ratelimit does the same "
    "for -sU: it is faster, and a port without an answer may be closed, so it is called "
    "closed|filtered, though it may be open, too.",
    "--system-dns asks for names by getaddrinfo and getnameinfo, so that nsswitch.conf counts; up "
    "to 16 threads wait for them, and the scan for none.",
    NULL,
};

static const char *const changes[] = {
    "With --watch the scan is done again every TIME, from start to start; one that takes longer is "
    "followed by the next at once. Files with targets are read and names are asked for anew in "
    "each "
    "round. The first round is reported as any scan. Of those after it, standard output gets what "
    "has changed since the round before, a line or with --json - an object each, and each file is "
    "replaced by the report of the round once that is over, so that whoever reads it finds a whole "
    "one. With --diff the first round is compared with a file. A host that nothing could be sent "
    "to is taken to be as before; a round that cannot be done at all says so and replaces nothing. "
    "It goes on until a signal ends it.",
    "With --then each host that is up, or where ports are scanned has an open one, is handed to a "
    "command of /bin/sh when it is reported; with --watch, after the first round, only if it has "
    "changed. If commands take longer than the scan, it waits for them. What a command writes is "
    "shown when it has ended, on standard error if standard output has a report that is not for "
    "people. Its standard input is empty, and it has no terminal. What ends hnmap ends the "
    "commands, and what they have started. In the command there stand for:",
    NULL,
};

static const hopt_term_t placeholders[] = {
    {"{ip}", "The address."},
    {"{name}", "The name that was given, or the one of the address; the address where there is "
               "none, or one with other characters than names of hosts have."},
    {"{mac}", "The address of its network card, or nothing."},
    {"{ports}", "The open TCP ports: 22,80."},
    {"{udp-ports}", "The open UDP ports."},
    {"{port}", "One open port, TCP or UDP: the command is run for each of them."},
    {"{protocol}", "Whether that is of tcp or udp."},
    {"{{ip}}", "{ip} itself, and so for any other word. ${ip} is the shell's."},
    {NULL, NULL},
};

static const char *const key_text[] = {
    "While it runs, a terminal shows how far it is. v and V make it more and less verbose, d and D "
    "the same for what it says of its inside, ? tells these keys, and any other key prints the "
    "status.",
    NULL,
};

static const char *const resume_text[] = {
    "With --resume FILE a scan is kept in FILE while it runs, twice a second: which hosts were "
    "told "
    "and what is known of those under way. However it ends before its time (Ctrl-C, a kill, a "
    "power "
    "cut), the same command goes on with it, in the same folder; or hnmap --resume FILE alone, "
    "which "
    "takes the command line from FILE. Hosts that were told before go into the reports again, "
    "which "
    "are written anew and are then those of a scan that was never interrupted. Ports that have "
    "answered are not asked again; those that were silent are, and services and the way to a host "
    "that was under way may be looked at twice. --then runs no command for hosts that were told "
    "before. When the scan has ended, FILE is removed. It has to be a file of your own, and of the "
    "same scan: the same targets, ports and ways to ask; timing and reports may be others.",
    NULL,
};

static const char *const limits[] = {
    "Memory is bounded however large the targets are: at most 4,096 hosts are in work at a time, "
    "and of those as many as fit into 8 MiB have their ports scanned. --max-rate is never passed. "
    "A "
    "scan by connect uses as many sockets as the system lets it have; fewer make it slower, not "
    "wrong.",
    NULL,
};

static const char *const warnings[] = {
    "What concerns the whole scan is told once, on standard error. A scan of more than 65,536 "
    "addresses, or of one that is not of a private network, says before its first packet how many "
    "addresses there are, at most how many packets they cost (what -sV, -O and --traceroute send "
    "comes on top) and about how long it takes where nothing answers; nothing is asked, and Ctrl-C "
    "ends it.",
    "A host all of whose ports are open alike (50 or more) is named, for a firewall or a tarpit "
    "answers for it; so are 64 addresses in a row that have one link address, and 256 behind a "
    "router that answer alike. Packets that came faster than they could be looked at are counted, "
    "and what they may have answered is asked again; a lower --max-rate makes that rarer. A host "
    "that cannot be sent to, for there is no route or its interface is down, is named, and how "
    "many others there were.",
    "A report waits for the names of its hosts as long as a name server answers; one that does not "
    "answer at all costs a second.",
    NULL,
};

static const hopt_section_t sections[] = {
    {"STATES", states, state_terms, NULL},
    {"SERVICES", services, NULL, NULL},
    {"SYSTEMS", systems, NULL, NULL},
    {"PACKETS", packet_text, NULL, NULL},
    {"ROUNDS AND COMMANDS", changes, placeholders, NULL},
    {"KEYS", key_text, NULL, NULL},
    {"RESUMING", resume_text, NULL, NULL},
    {"WARNINGS", warnings, NULL, NULL},
    {"LIMITS", limits, NULL, NULL},
    {0},
};

static const hopt_term_t examples[] = {
    {"hnmap 192.168.1.0/24", "The hosts of a network, and their most popular open ports."},
    {"hnmap -sn -n 10.0.0.0/24", "Only which hosts there are, without their names."},
    {"hnmap -sL 10.0.0.0/30", "List what would be scanned; nothing is sent to it."},
    {"hnmap -p- --open example.com", "Every TCP port of a host; those that are open."},
    {"hnmap -sV --banner 10.0.0.1", "What answers on the open ports, and its first words."},
    {"hnmap -sV --probes my-probes 10.0.0.1", "The same, and what a file of yours can tell."},
    {"hnmap -A 10.0.0.1",
     "What answers on the open ports, which system it may be, and the way to it."},
    {"hnmap -sSU -p T:22,80,U:53,161 10.0.0.1", "TCP and UDP ports."},
    {"hnmap -Pn -F -oA today -iL hosts.txt",
     "Hosts of a file, taken for up, into today.nmap, today.xml and today.gnmap."},
    {"hnmap -n -oG - 10.0.0.0/24 | grep /open/", "In lines, for grep."},
    {"hnmap -sV --html report.html 10.0.0.0/24", "As a page to read, sort and print."},
    {"hnmap -F --json new.json 10.0.0.0/24; hnmap -F --diff new.json 10.0.0.0/24",
     "What has changed since the first scan; in a script the exit status tells."},
    {"hnmap -n -sn --watch 5m --json hosts.json 192.168.1.0/24",
     "Who comes and goes, and a file of who is there."},
    {"hnmap -p 22 --then 'ssh-keyscan {ip} >>known_hosts' 10.0.0.0/24",
     "Run a program for each host that has the port open."},
    {"hnmap --resume scan.state -oA scan 10.0.0.0/24",
     "Whatever interrupts it: hnmap --resume scan.state goes on."},
    {"hnmap --shard 1/4 --seed 7 --randomize-hosts 10.0.0.0/8 -p 443",
     "A quarter of a large scan, in random order; other machines do the rest."},
    {NULL, NULL},
};

static const hopt_term_t exit_status[] = {
    {"0", "The scan has ended, whatever it found; also when a name of several was not found."},
    {"1",
     "The scan could not be done to its end, a file not be written, or a command of --then has "
     "failed; or with --diff something has changed."},
    {"2", "Bad usage: an unknown option, a bad target or port, or no right to what was asked for."},
    {"130, 143", "SIGINT or SIGTERM ended it; what was found until then is reported."},
    {NULL, NULL},
};

static const hopt_term_t signals[] = {
    {"SIGINT, SIGTERM", "End the scan: what is known is reported, and every file is whole."},
    {NULL, NULL},
};

static const char *const see_also[] = {"hcurl(1)", "hnc(1)", "nmap(1)", NULL};

const hopt_doc_t hnmap_doc = {
    .name = "hnmap",
    .summary = "host discovery and port scanner",
    .options = option_rows,
    .features = features,
    .usage = usage,
    .description = description,
    .operands = operands,
    .sections = sections,
    .examples = examples,
    .exit_status = exit_status,
    .signals = signals,
    .see_also = see_also,
    .operand = HOPT_OPERAND_HOST,
};
