"""Two connections joined, beside nginx's stream module and haproxy."""

import contextlib
import os
import subprocess
import tempfile

from figures import Rounds, Table, progress, verdict
from processes import (BENCH, QUICK, Server, expect, finish, free_port, numbers, pinned,
                       proc_field, proceed, wait_listening)
from transfer import GIB


NGINX = """load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 16000; }}
stream {{ server {{ listen 127.0.0.1:{port} backlog=4096; proxy_pass 127.0.0.1:{backend};
                    proxy_buffer_size 256k; }} }}
"""
HAPROXY = """global
    maxconn 6000
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    {option}
listen relay
    bind 127.0.0.1:{port} backlog 4096
    server backend 127.0.0.1:{backend}
"""


class Relay:
    """A relay to a loopback port; "with" ends it. The peers have a configuration of their own."""

    def __init__(self, name, backend):
        self.name = name
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        if name == "hnet":
            command = [os.path.join(BENCH, "bench_relay_hnet"), str(backend)]
        elif name.startswith("nginx"):
            command = ["/usr/sbin/nginx", "-p", self.folder.name,
                       "-e", self.folder.name + "/nginx.log",
                       "-c", self.configure(NGINX, backend)]
        else:
            option = "option splice-auto" if "splice" in name else ""
            command = ["/usr/sbin/haproxy", "-q", "-db",
                       "-f", self.configure(HAPROXY, backend, option)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=pinned(0))
        self.pid = self.process.pid
        if name == "hnet":
            self.port = int(self.process.stdout.readline())
        wait_listening(self.port)

    def configure(self, text, backend, option=""):
        path = os.path.join(self.folder.name, "config")
        with open(path, "w", encoding="ascii") as file:
            file.write(text.format(folder=self.folder.name, port=self.port, backend=backend,
                                   option=option))
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


RELAYS = ["hnet", "nginx 256K", "haproxy", "haproxy splice"]


def bulk():
    rounds = Rounds()
    mib = int(GIB * 1024)
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(subprocess.Popen(
            [os.path.join(BENCH, "bench_stream")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=pinned(1)))
        backend = int(stream.stdout.readline())
        relays = [stack.enter_context(Relay(name, backend)) for name in RELAYS]
        for i in range(3 if QUICK else 7):
            progress("relay, round %d" % (i + 1))
            for relay in relays:
                stream.stdin.write(b"%d %d %d\n" % (relay.port, relay.pid, mib))
                stream.stdin.flush()
                cpu, wall = numbers(stream.stdout.readline().decode())
                rounds.add("CPU s/GiB", relay.name, cpu / 1e9 / GIB)
                rounds.add("wall s/GiB", relay.name, wall / 1e9 / GIB)
        stream.stdin.close()
    table = Table("Relay: one stream of %g GiB" % GIB,
                  "CPU time of the relay; sender and receiver share the other processor.",
                  ["relay", *RELAYS, "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 3, *((peer, 1) for peer in RELAYS[1:]))
    return table


def memory_of(name, connections):
    with Server("raw") as server, Relay(name, int(server.port)) as relay:
        server.port = str(relay.port)
        server.load("echo", 1, 64, 100)
        before = proc_field(relay.pid, "smaps_rollup", "Rss")
        client = server.hold(connections)
        figures = []
        for word in ("open", "used"):
            expect(client, word)
            figures.append(proc_field(relay.pid, "smaps_rollup", "Rss"))
            if word == "open":
                proceed(client)
        finish(client)
    return [(rss - before) * 1024 / connections for rss in figures]


def memory():
    connections = 4000
    names = RELAYS[:3]
    progress("relay memory")
    figures = [memory_of(name, connections) for name in names]
    table = Table("Relay: bytes of each of %d idle relayed connections" % connections,
                  "Growth of the relay's resident set, both sides of a connection together.",
                  ["idle connections", *names, "target"])
    for i, row in enumerate(("never used", "after 64 B of echo each")):
        best = min(figure[i] for figure in figures[1:])
        table.add(row, *("%.0f" % figure[i] for figure in figures),
                  verdict(figures[0][i] / best, 1, "of the better one"))
    return table


def relay():
    return [bulk(), memory()]


PARTS = {"relay": relay}
