"""A LAN for tests and measurements of hnmap, and the written truth about it: HOSTS.

Network namespaces without names, that exist as long as this process has them open: whatever ends it
leaves nothing behind. A scanner (10.77.0.1, fd77::1), 37 addresses beside it (10.77.0.10, .15 ...
.190) that behave as HOSTS says, and one behind a router (10.78.0.2). Traffic leaves none of them.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import time
import xml.etree.ElementTree

NETWORK, FAR_NETWORK = "10.77.0.0/24", "10.78.0.0/24"
SCANNER, FAR = "10.77.0.1", "10.78.0.2"
PORT_MAX = 500  # ports above are closed, or what `others` of a host says
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
OUR_PACKETS_MAX = 200000  # that a capture keeps
ADDRESSES = [f"10.77.0.{10 + 5 * i}" for i in range(37)]


class Host:
    """open: its ports; filters: ((first, last), nft verdict) by port, before others. What a SYN to
    any other port meets is `others`: an nft verdict, or "accept"."""

    def __init__(self, address, open, filters=(), others="accept", drops_icmp=False, rst_rate=0):
        self.address, self.open, self.filters = address, set(open), filters
        self.others, self.drops_icmp, self.rst_rate = others, drops_icmp, rst_rate

    def verdict(self, port):
        for (first, last), verdict in self.filters:
            if first <= port <= last:
                return verdict
        return "accept" if port in self.open else self.others

    def state(self, port):
        """What -sS has to say of a port."""
        verdict = self.verdict(port)
        if verdict == "accept":
            return "open" if port in self.open else "closed"
        return "closed" if verdict == RESET else "filtered"

    def reason(self, port):
        """What -sS --reason has to say, as nmap words it."""
        verdict = self.verdict(port)
        if verdict == "accept":
            return "syn-ack" if port in self.open else "reset"
        return REASONS[verdict]

    def connect_state(self, port):
        """What -sT has to say: a program is told of a port that is unreachable as of one that is closed."""
        return "closed" if self.verdict(port) == NO_PORT else self.state(port)

    def rules(self):
        """For the chain of what comes in."""
        mine = f"ip daddr {self.address}"
        if self.drops_icmp:
            yield f"{mine} ip protocol icmp drop"
        for (first, last), verdict in self.filters:
            yield f"{mine} tcp dport {first}-{last} {verdict}"
        if self.others != "accept":
            for port in sorted(self.open):
                yield f"{mine} tcp dport {port} accept"
            yield f"{mine} meta l4proto tcp {self.others}"

    def rules_out(self):
        if self.rst_rate:
            yield (f"ip saddr {self.address} tcp flags & rst == rst "
                   f"limit rate over {self.rst_rate}/second burst {self.rst_rate} packets drop")


RESET = "reject with tcp reset"
REASONS = {
    "drop": "no-response",
    RESET: "reset",
    "reject with icmp admin-prohibited": "admin-prohibited",
    "reject with icmp host-unreachable": "host-unreach",
    "reject with icmp port-unreachable": "port-unreach",
    "reject with icmp net-prohibited": "net-prohibited",
}
PROHIBITED, NO_HOST, NO_PORT, NO_NET = list(REASONS)[2:]

# The services have the same names in nmap's list and in the system's.
HOSTS = [
    Host("10.77.0.10", [22, 80, 443]),
    Host("10.77.0.15", [22, 80], drops_icmp=True),
    Host("10.77.0.20", [443], others="drop", drops_icmp=True),
    Host("10.77.0.25", [389]),
    Host("10.77.0.30", [22, 110, 443], [((100, 199), "drop")]),
    Host("10.77.0.35", [22], others=PROHIBITED),
    Host("10.77.0.40", [22, 80, 389],
         [((23, 50), RESET), ((51, 99), NO_HOST), ((100, 150), NO_PORT), ((151, 200), NO_NET)]),
    Host("10.77.0.45", [21, 80, 443], rst_rate=100),
    Host("10.77.0.50", [80], others="drop"),
    Host("10.77.0.55", []),
    Host("10.77.0.60", [], others="drop", drops_icmp=True),
]
HOSTS += [Host(a, [(22, 25, 53, 79, 80, 110, 143)[i % 7], 443]) for i, a in enumerate(ADDRESSES[11:])]
FAR_HOST = Host(FAR, [22, 443], [((100, 120), "drop")])
BY_ADDRESS = {host.address: host for host in [*HOSTS, FAR_HOST]}
IPV6_HOSTS = {"fd77::10": [22, 80], "fd77::15": [443], "fd77::20": []}


# ---- namespaces ----------------------------------------------------------------------------------


def setns(fd):
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


def here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Netns:
    """A network of its own, with an interface lo."""

    def __init__(self):
        before = here()
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), "unshare")
            self.fd = here()
        finally:
            setns(before)
            os.close(before)
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"
        self.ip("link set lo up")

    @contextlib.contextmanager
    def inside(self):
        """Sockets that are opened and programs that are started meanwhile are in it."""
        before = here()
        setns(self.fd)
        try:
            yield
        finally:
            setns(before)
            os.close(before)

    def run(self, *argv, data=""):
        with self.inside():
            done = subprocess.run(argv, input=data, text=True, timeout=100, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stdout}\n{data}")
        return done.stdout

    def ip(self, *commands):
        self.run("ip", "-batch", "-", data="\n".join(commands) + "\n")

    def nft(self, text):
        self.run("nft", "-f", "-", data=text)

    def sysctl(self, **values):
        """Names with __ for their dots; those that this kernel does not have are left out."""
        with self.inside():
            for name, value in values.items():
                with contextlib.suppress(FileNotFoundError):
                    path = "/proc/sys/net/" + name.replace("__", "/")
                    with open(path, "w", encoding="ascii") as file:
                        file.write(str(value))

    def listen(self, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.inside():
            return socket.create_server((address, port), family=family, backlog=4000)

    def close(self):
        os.close(self.fd)


def missing():
    """Why there can be no LAN here; None if there can be."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    for program in ("ip", "nft"):
        if not shutil.which(program):
            return f"{program} is not installed"
    try:
        namespace = Netns()
    except (OSError, RuntimeError) as error:
        return f"no network namespaces: {error}"
    try:
        namespace.nft("table netdev t { chain c { type filter hook egress device lo priority 0;\n"
                      "numgen random mod 100 < 1 drop\n}\n}\n")
    except RuntimeError as error:
        return f"no nftables: {error}"
    finally:
        namespace.close()
    return None


# ---- the LAN -------------------------------------------------------------------------------------


def connect(a, a_name, b, b_name):
    """A cable between two namespaces."""
    a.ip(f"link add {a_name} type veth peer name {b_name} netns {b.path}", f"link set {a_name} up")
    b.ip(f"link set {b_name} up")


class Lan:
    """The scanner is in .scanner, its interface is "lan0"; all hosts are in .hosts, behind "lan1"."""

    def __init__(self, hosts=None, far=True):
        self.hosts_on_link = HOSTS if hosts is None else hosts
        self.stack = contextlib.ExitStack()
        self.scanner, self.hosts = self.netns(), self.netns()
        self.cable()
        self.address()
        self.route = self.netns() if far else None
        if far:
            self.make_far(self.route)
        self.hosts.nft(self.rules(self.hosts_on_link))
        for host in self.hosts_on_link:
            self.listen(self.hosts, host)

    def netns(self):
        made = Netns()
        self.stack.callback(made.close)
        # All that comes back is an answer of the truth's, not of a limit of this kernel's.
        made.sysctl(ipv4__icmp_ratelimit=0, ipv4__icmp_msgs_per_sec=1000000,
                    ipv4__icmp_msgs_burst=1000000, ipv6__icmp__ratelimit=0,
                    ipv4__tcp_syncookies=0)
        return made

    def cable(self):
        connect(self.scanner, "lan0", self.hosts, "lan1")

    def address(self):
        self.scanner.ip(f"addr add {SCANNER}/24 dev lan0", "addr add fd77::1/64 dev lan0 nodad")
        self.hosts.ip(*[f"addr add {h.address}/24 dev lan1" for h in self.hosts_on_link],
                      *[f"addr add {a}/64 dev lan1 nodad" for a in IPV6_HOSTS])
        for address, ports in IPV6_HOSTS.items():
            for port in ports:
                self.stack.enter_context(self.hosts.listen(address, port))

    def make_far(self, far):
        """A host behind the first one, which is its router."""
        self.hosts.sysctl(ipv4__ip_forward=1)
        connect(self.hosts, "far0", far, "far1")
        self.hosts.ip("addr add 10.78.0.1/24 dev far0")
        far.ip(f"addr add {FAR}/24 dev far1", "route add default via 10.78.0.1")
        self.scanner.ip(f"route add {FAR_NETWORK} via {HOSTS[0].address}")
        far.nft(self.rules([FAR_HOST]))
        self.listen(far, FAR_HOST)

    def listen(self, namespace, host):
        for port in host.open:
            self.stack.enter_context(namespace.listen(host.address, port))

    @staticmethod
    def rules(hosts):
        into = "\n".join(rule for host in hosts for rule in host.rules())
        out = "\n".join(rule for host in hosts for rule in host.rules_out())
        return ("table ip truth {\n"
                f"chain into {{ type filter hook input priority 0;\n{into}\n}}\n"
                f"chain out {{ type filter hook output priority 0;\n{out}\n}}\n}}\n")

    @contextlib.contextmanager
    def loss(self, percent):
        """This share of the packets is lost, each way, of ARP too."""
        drop = f"numgen random mod 1000 < {round(percent * 10)} drop"
        self.hosts.nft("table netdev loss {\n"
                       f"chain i {{ type filter hook ingress device lan1 priority 0;\n{drop}\n}}\n"
                       f"chain e {{ type filter hook egress device lan1 priority 0;\n{drop}\n}}\n"
                       "}\n")
        try:
            yield
        finally:
            self.hosts.nft("delete table netdev loss")

    @contextlib.contextmanager
    def capture(self, kind):
        """What the scanner sends of an Ethernet type (0x0800: IPv4): [(seconds, packet)], which is
        filled at the end."""
        packets = []
        with self.scanner.inside():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        with sock:
            sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)  # SO_RCVBUFFORCE
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            sock.bind(("lan0", ETH_P_ALL))
            yield packets
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while len(packets) < OUR_PACKETS_MAX:
                    data, extra, _, sender = sock.recvmsg(128, 64)
                    if sender[2] == PACKET_OUTGOING and sender[1] == kind:
                        packets.append((seconds(extra[0][2]), data))

    def mac(self, name="lan1"):
        with self.hosts.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((name, 0))
            return ":".join(f"{byte:02x}" for byte in sock.getsockname()[4])

    def close(self):
        self.stack.close()


def seconds(stamp):
    """A timespec."""
    return (int.from_bytes(stamp[:8], "little") + int.from_bytes(stamp[8:16], "little") / 1e9)


# ---- a delay -------------------------------------------------------------------------------------

WIRE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "bench_wire.c")


class LongLan(Lan):
    """The same with a relay in the middle, which delays and loses packets: bench_wire.c."""

    def __init__(self, wire, options, hosts=None):
        self.wire, self.options = wire, options
        super().__init__(hosts, far=False)

    def cable(self):
        middle = self.netns()
        connect(self.scanner, "lan0", middle, "mid0")
        connect(self.hosts, "lan1", middle, "mid1")
        with middle.inside():
            relay = subprocess.Popen([self.wire, "mid0", "mid1", *self.options],
                                     stdout=subprocess.PIPE)
        self.stack.callback(end, relay)
        if not relay.stdout.readline():
            raise RuntimeError(f"{self.wire} did not begin")


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


def build_wire(folder):
    """It needs nothing but a compiler."""
    wire = os.path.join(folder, "wire")
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-O2", "-o", wire, WIRE],
                   check=True, timeout=100)
    return wire


# ---- reports -------------------------------------------------------------------------------------


def numbers(text):
    """{1, 2, 3, 7} of "1-3,7"."""
    found = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


class Found:
    """A host of a report: .state, .reason, .ports {number: (state, reason)}, .hidden {state: count}.
    What the report has no list of is in .hidden alone."""

    def __init__(self, element):
        status = element.find("status")
        self.element = element
        self.state, self.reason = status.get("state"), status.get("reason")
        self.ports, self.hidden = {}, {}
        for extra in element.iterfind("ports/extraports"):
            self.hidden[extra.get("state")] = int(extra.get("count"))
            for reason in extra.iterfind("extrareasons"):
                for port in numbers(reason.get("ports", "")):
                    self.ports[port] = (extra.get("state"), reason.get("reason"))
        for port in element.iterfind("ports/port"):
            state = port.find("state")
            self.ports[int(port.get("portid"))] = (state.get("state"), state.get("reason"))

    def of(self, state):
        return {port for port, found in self.ports.items() if found[0] == state}


def read_report(text):
    """{address: Found} of -oX."""
    root = xml.etree.ElementTree.fromstring(text)
    return {host.find("address").get("addr"): Found(host) for host in root.iterfind("host")}


def wait_for(condition, what, timeout=100):
    end_at = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end_at:
            raise RuntimeError(f"not within {timeout} s: {what}")
        time.sleep(0.01)
