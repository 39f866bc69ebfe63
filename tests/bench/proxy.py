"""hproxy beside nginx's stream module and haproxy: one stream, connections, round trips, memory."""

import contextlib
import os
import re
import subprocess
import tempfile

import relay
from figures import Rounds, Table, progress, verdict
from processes import (BENCH, BIN, QUICK, Server, expect, finish, in_turns, numbers, output, pinned,
                       proc_field, proceed)
from transfer import GIB

PROXIES = ["hproxy", "nginx 256K", "haproxy"]
IDLE = 5000
IDLE_BYTES = 3.3 * 1024
STREAM_GIB = min(GIB, 0.25)
# Many short turns: what else the machine does falls on all alike, and the median of the rounds'
# ratios does not see a round that it spoilt.
STREAM_ROUNDS = 6 if QUICK else 24
TRIP_ROUNDS = 6 if QUICK else 60


class Proxy(relay.Relay):
    """One that serves with one worker or thread; `pid` is the process that does."""

    def __init__(self, name, backend):
        if name != "hproxy":
            super().__init__(name, backend)
            return
        self.name = name
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen([os.path.join(BIN, "hproxy"), "0", "127.0.0.1:%d" % backend],
                                        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                                        preexec_fn=pinned(0))
        line = self.process.stderr.readline().decode()
        self.port = int(re.search(r":(\d+) to ", line)[1])
        self.pid = self.worker()

    def worker(self):
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        while True:
            with open(path, encoding="ascii") as file:
                words = file.read().split()
            if words:
                return int(words[0])

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        self.folder.cleanup()


def load(proxy, what, *args):
    command = [os.path.join(BENCH, "bench_load"), what, str(proxy.port), str(proxy.pid)]
    return numbers(output(command + [str(arg) for arg in args], 1))


def streams():
    rounds = Rounds()
    mib = int(STREAM_GIB * 1024)
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(subprocess.Popen(
            [os.path.join(BENCH, "bench_stream")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=pinned(1)))
        backend = int(stream.stdout.readline())
        proxies = [stack.enter_context(Proxy(name, backend)) for name in PROXIES]
        for i in range(STREAM_ROUNDS):
            progress("proxy: streams, round %d" % (i + 1))
            for proxy in in_turns(proxies, i):
                stream.stdin.write(b"%d %d %d\n" % (proxy.port, proxy.pid, mib))
                stream.stdin.flush()
                cpu, wall = numbers(stream.stdout.readline().decode())
                rounds.add("CPU s/GiB", proxy.name, cpu / 1e9 / STREAM_GIB)
                rounds.add("wall s/GiB", proxy.name, wall / 1e9 / STREAM_GIB)
        stream.stdin.close()
    table = Table("Proxy: one stream of %g GiB" % STREAM_GIB,
                  "CPU time of the proxy; sender and receiver share the other processor.",
                  ["proxy", *PROXIES, "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 3, *((peer, 1) for peer in PROXIES[1:]))
    return table


WORK = {"new connections, one at a time": ("connect", 1, 64, 500),
        "new connections, 50 at a time": ("connect", 50, 64, 1000),
        "64 B round trips, 1 connection": ("latency", 1, 64, 1700),
        "64 B round trips, 50 connections": ("latency", 50, 64, 5000)}


def trips():
    rounds = Rounds()
    with Server("raw") as server, contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(name, int(server.port))) for name in PROXIES]
        for i in range(TRIP_ROUNDS):
            progress("proxy: connections and round trips, round %d" % (i + 1))
            for what, arguments in WORK.items():
                for proxy in in_turns(proxies, i):
                    cpu, wall, p99 = load(proxy, *arguments)
                    for figure, value in (("CPU", cpu), ("wall", wall), ("99 %", p99)):
                        rounds.add("%s: %s us" % (what, figure), proxy.name, value / 1000)
    table = Table("Proxy: connections and round trips",
                  "CPU time of the proxy, time for each, and the time within which 99 % were "
                  "answered. A new connection is made, carries 64 B there and back, and is closed.",
                  ["each", *PROXIES, "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 1, *((peer, 1) for peer in PROXIES[1:]))
    return table


def memory_of(name):
    with Server("raw") as server, Proxy(name, int(server.port)) as proxy:
        load(proxy, "echo", 1, 64, 100)
        before = proc_field(proxy.pid, "smaps_rollup", "Rss")
        server.port = str(proxy.port)
        client = server.hold(IDLE)
        figures = []
        for word in ("open", "used"):
            expect(client, word)
            figures.append((proc_field(proxy.pid, "smaps_rollup", "Rss") - before) * 1024 / IDLE)
            if word == "open":
                proceed(client)
        finish(client)
    return figures


def memory():
    progress("proxy: memory")
    figures = [memory_of(name) for name in PROXIES]
    table = Table("Proxy: bytes of each of %d idle connections" % IDLE,
                  "Growth of the resident set of the process that serves them; both sides together.",
                  ["idle connections", *PROXIES, "target"])
    for i, row in enumerate(("never used", "after 64 B of echo each")):
        table.add(row, *("%.0f" % figure[i] for figure in figures),
                  verdict(figures[0][i] / IDLE_BYTES, 1, "of 3.3 KiB"))
    return table


def proxy():
    return [streams(), trips(), memory()]


PARTS = {"proxy": proxy}
