"""hnmap beside nmap, on a LAN in network namespaces (tests/cmd/hnmap_lan.py): wall time, whether all
that is there was found, memory."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import services
from figures import Rounds, Table, progress, verdict
from processes import BENCH, BIN, QUICK, ROOT, proc_field

sys.path.append(os.path.join(ROOT, "tests", "cmd"))
import hnmap_lan  # noqa: E402  pylint: disable=wrong-import-position
from hnmap_lan import ADDRESSES, HOSTS, NETWORK, Host, Lan, LongLan  # noqa: E402

HNMAP = os.path.join(BIN, "hnmap")
SCANNERS = {"hnmap": HNMAP, "nmap": "nmap"}
SCAN_MAX_S = 60  # of one scan: what takes longer is ended, and counts as that, and as not whole
ROUNDS = 3 if QUICK else 7
SLOW_ROUNDS = 1 if QUICK else 3  # of what nmap needs tens of seconds for
SURE_RUNS = 5 if QUICK else 20   # of ours, where packets are lost
MANY = [22, 80, 443, 1000, 5000, 8080, 9999]
PRIVATE = "10.99.0.0/16"
MEMORY_S = 30  # how long its scan lasts at most; the peak is reached sooner


def run(lan, scanner, *args):
    """(seconds, {address: Found}) of a scan."""
    begin = time.perf_counter()
    try:
        with lan.scanner.inside():
            done = subprocess.run([SCANNERS[scanner], "-oX", "-", *args], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, check=False, timeout=SCAN_MAX_S)
    except subprocess.TimeoutExpired:
        return SCAN_MAX_S, {}
    wall = time.perf_counter() - begin
    if done.returncode:
        sys.exit("%s %s: status %d" % (scanner, " ".join(args), done.returncode))
    return wall, hnmap_lan.read_report(done.stdout)


class Row:
    """A scan by both, in turns, and whether each found all: is_whole(found)."""

    def __init__(self, name, target, is_whole):
        self.name, self.target, self.is_whole = name, target, is_whole
        self.rounds, self.whole = Rounds(), {}

    def one(self, lan, scanner, args, counts=True):
        wall, found = run(lan, scanner, *args)
        self.whole.setdefault(scanner, []).append(self.is_whole(found))
        if counts:
            self.rounds.add(self.name, scanner, wall)

    def turns(self, lan, args, rounds):
        for i in range(rounds):
            progress("scan, %s, round %d" % (self.name, i + 1))
            for scanner in list(SCANNERS)[:: 1 if i % 2 else -1]:
                self.one(lan, scanner, args)
        return self

    def add_to(self, table):
        cells = ["%.2f" % self.rounds.median(self.name, name) for name in SCANNERS]
        whole = ["%d of %d" % (sum(self.whole[name]), len(self.whole[name])) for name in SCANNERS]
        table.add(self.name, *cells, *whole, verdict(self.rounds.ratio(self.name, "hnmap", "nmap"),
                                                     self.target, "of nmap"))


def has_all(wanted):
    """Whether all of these and all their open ports were found, and none that is not."""

    def open_of(host):
        return {port for port in host.open if host.state(port) == "open"}

    return lambda found: all(h.address in found and found[h.address].of("open") == open_of(h)
                             for h in wanted)


def has_hosts(found):
    return set(ADDRESSES) <= set(found) <= {*ADDRESSES, hnmap_lan.SCANNER}


# ---- rows ----------------------------------------------------------------------------------------


def hosts(lan):
    args = ["-n", "-sn", NETWORK]
    yield Row("/24, 37 hosts, ARP", 0.35, has_hosts).turns(lan, args, ROUNDS)
    with lan.loss(1):
        yield Row("the same, 1 % loss each way", 0.6, has_hosts).turns(lan, args, ROUNDS)


def ports(lan):
    first = HOSTS[0]
    yield Row("-sS -p-, one host", 0.7, has_all([first])).turns(
        lan, ["-n", "-sS", "-p-", first.address], ROUNDS)
    yield Row("-sT -p- 127.0.0.1", 0.7, lambda found: len(found) == 1).turns(
        lan, ["-n", "-sT", "-p-", "127.0.0.1"], ROUNDS)


def silence(lan):
    dropping = next(h for h in HOSTS if h.address == "10.77.0.50")
    limited = next(h for h in HOSTS if h.rst_rate)
    yield Row("1,000 ports, all but one dropped", 0.15, has_all([dropping])).turns(
        lan, ["-n", "-sS", "-Pn", "-p1-1000", dropping.address], SLOW_ROUNDS)
    yield Row("10,000 ports, RST limited to 100/s", 0.5, has_all([limited])).turns(
        lan, ["-n", "-sS", "-p1-10000", limited.address], 1)
    reachable = [h for h in HOSTS if not h.rst_rate]
    yield Row("connect, 1,000 ports of 37 hosts, -Pn", 0.3, has_all(reachable)).turns(
        lan, ["-n", "-sT", "-Pn", "-p1-1000", *ADDRESSES], SLOW_ROUNDS)


def far(_):
    """A way of 20 ms where 1 % is lost, each way."""
    host = Host(ADDRESSES[0], MANY)
    args = ["-n", "-sS", "-p1-10000", host.address]
    lan = LongLan(os.path.join(BENCH, "bench_wire"), ["-d", "20", "-l", "1", "-t", "3600"], [host])
    try:
        row = Row("10,000 ports, 20 ms, 1 % loss each way", 0.15, has_all([host]))
        row.turns(lan, args, SLOW_ROUNDS)
        for i in range(SURE_RUNS - SLOW_ROUNDS):
            progress("scan, far, run %d" % (i + 1))
            row.one(lan, "hnmap", args, counts=False)
        yield row
    finally:
        lan.close()


def versions(lan):
    """Eight servers on ports that say nothing of them."""
    with lan.scanner.inside():
        servers = services.start()
    try:
        args = ["-n", "-Pn", "-sT", "-sV", "-p" + ",".join(str(s.port) for s in servers), "127.0.0.1"]
        yield Row("-sV on 8 ports", 0.3, lambda found: services.are_named(servers, found)).turns(
            lan, args, SLOW_ROUNDS)
    finally:
        for server in servers:
            server.close()


# ---- tables --------------------------------------------------------------------------------------


def on_lan(measure):
    """A part that needs a LAN; without one, a table that says why there is nothing in it."""

    def part():
        reason = hnmap_lan.missing()
        if reason:
            return [Table("hnmap", "Not measured: %s." % reason, ["scan"])]
        lan = Lan(far=False)
        try:
            return [measure(lan)]
        finally:
            lan.close()

    return part


def beside_nmap(title, rows):
    def measure(lan):
        table = Table("hnmap: " + title, "Wall seconds from start to exit on a LAN in network "
                      "namespaces (%d: ended then), and in how many runs all that is there was "
                      "found." % SCAN_MAX_S, ["scan", "hnmap", "nmap", "whole", "nmap's", "target"])
        for row in rows(lan):
            row.add_to(table)
        return table

    return on_lan(measure)


def dead_resolver(lan):
    """The server's address belongs to nobody."""
    rounds = Rounds()
    asks = ["--dns-servers", "10.77.0.250", "-sn", NETWORK]
    row = "/24, 37 hosts: s"
    for i in range(SLOW_ROUNDS):
        progress("scan, names, round %d" % (i + 1))
        rounds.add(row, "without names", run(lan, "hnmap", "-n", "-sn", NETWORK)[0])
        rounds.add(row, "hnmap", run(lan, "hnmap", *asks)[0])
        if i == 0:
            rounds.add(row, "nmap", run(lan, "nmap", *asks)[0])
    table = Table("hnmap: names asked of a server that does not answer", "nmap once.",
                  ["scan", "without names", "hnmap", "nmap", "target"])
    cells = ["%.2f" % rounds.median(row, column) for column in table.columns[1:-1]]
    table.add(row, *cells, verdict(rounds.difference(row, "hnmap", "without names"), 1,
                                   "s more than without"))
    return table


def memory(lan):
    """Behind a router that drops all of it."""
    lan.hosts.nft("table ip hole {\nchain c { type filter hook prerouting priority 0;\n"
                  "ip daddr %s drop\n}\n}\n" % PRIVATE)
    lan.scanner.ip("route add %s via %s" % (PRIVATE, ADDRESSES[0]))
    row, rounds = "/16 x 100 ports, -Pn", Rounds()
    with lan.scanner.inside():
        process = subprocess.Popen([HNMAP, "-n", "-Pn", "-sS", "-F", "--max-retries", "0",
                                    "-oX", "/dev/null", PRIVATE], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
    end, peak = time.monotonic() + MEMORY_S, 0
    while process.poll() is None:
        if time.monotonic() > end:
            process.send_signal(signal.SIGINT)
            end += 3600
        with contextlib.suppress(AttributeError, OSError):  # it is ending
            # Not what wait4 says: that counts this program, too, which it was forked from.
            peak = max(peak, proc_field(process.pid, "status", "VmHWM"))
        time.sleep(0.05)
    rounds.add(row, "hnmap", peak / 1024)
    table = Table("hnmap: peak memory, MiB", "Resident, libraries included, within the first %d s "
                  "of a scan where nothing answers." % MEMORY_S, ["scan", "hnmap", "target"])
    value = rounds.median(row, "hnmap")
    table.add(row, "%.1f" % value, verdict(value, 16, "MiB"))
    return table


PARTS = {"scan-hosts": beside_nmap("which hosts are there", hosts),
         "scan-ports": beside_nmap("all ports", ports),
         "scan-silence": beside_nmap("what does not answer", silence),
         "scan-far": beside_nmap("a long way", far),
         "scan-versions": beside_nmap("what answers", versions),
         "scan-names": on_lan(dead_resolver), "scan-memory": on_lan(memory)}
