"""The loop under an echo server: CPU time, system calls, idle connections, memory, accepting."""

import re
import signal
import subprocess
import time

from figures import Rounds, Table, progress, verdict
from processes import (QUICK, SERVERS, WAIT_S, Server, Servers, expect, finish, in_turns,
                       proc_field, proceed)


def echo():
    rounds, rates = Rounds(), Rounds()
    # Many short turns: what else the machine does falls upon all alike. One connection needs the
    # most: both sides sleep between any two messages, and what a wake-up costs varies.
    sizes = [(64, 1, 1000, 150), (64, 100, 15000, 30), (64, 1000, 15000, 30),
             (16384, 1, 1000, 150), (16384, 100, 10000, 30), (16384, 1000, 10000, 30)]
    with Servers() as servers:
        for size, connections, messages, turns in sizes:
            row = "%d B, %d conn." % (size, connections)
            progress("echo " + row)
            for i in range(turns // 3 if QUICK else turns):
                for server in in_turns(servers, i):
                    cpu, wall = server.load("echo", connections, size, messages)
                    rounds.add(row, server.name, cpu / 1000)
                    rates.add(row, server.name, 1e6 / wall)
    table = Table("TCP echo: server CPU, us a message",
                  "User and system time of the server; one message in flight on each connection.",
                  ["echo"] + SERVERS + ["target"])
    speed = Table("TCP echo: round trips, thousands a second", "The same run.",
                  ["echo"] + SERVERS + ["target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 2, ("raw", 1.05), ("libuv", 1), ("libevent", 1))
        speed.add_rounds(rates, row, 1)
    return [table, speed]


def count_calls(server, messages):
    """How often the server made each call during a load, attaching and connecting included."""
    tracer = subprocess.Popen(["strace", "-qq", "-c", "-f", "-U", "calls,name", "-o", "/dev/stdout",
                               "-p", str(server.pid)], stdout=subprocess.PIPE)
    while proc_field(server.pid, "status", "TracerPid") == 0:
        time.sleep(0.01)
        if tracer.poll() is not None:
            return None
    server.load("echo", 10, 64, messages)
    tracer.send_signal(signal.SIGINT)
    text = tracer.communicate(timeout=WAIT_S)[0].decode()
    return {name: int(n) for n, name in re.findall(r"^\s*(\d+)\s+(\w+)$", text, re.M)
            if name != "total"}


def calls_of(server):
    """Calls a message: those of a long load less those of a short one."""
    short, long = 1000, 5000
    few, many = count_calls(server, short), count_calls(server, long)
    if few is None or many is None:
        return None
    messages = long - short  # bench_load warms up with as many for both
    return {name: (n - few.get(name, 0)) / messages for name, n in many.items()
            if (n - few.get(name, 0)) / messages > 0.005}


def calls():
    table = Table("TCP echo: system calls a message",
                  "64 B, 10 connections, counted by strace; the wait is shared by the connections "
                  "that are ready together.",
                  ["server", "without the wait", "wait", "which", "target"])
    for name in SERVERS:
        progress("calls " + name)
        with Server(name) as server:
            calls = calls_of(server)
        if calls is None:
            table.add(name, "-", "-", "strace was refused", "")
            continue
        waits = sum(n for call, n in calls.items() if call.startswith("epoll_")
                    and call != "epoll_ctl")
        others = sum(calls.values()) - waits
        which = ", ".join("%s %.2f" % item for item in sorted(calls.items()))
        target = verdict(others, 2.005, "calls") if name == "hnet" else ""
        table.add(name, "%.2f" % others, "%.2f" % waits, which, target)
    return [table]


def wakeups(pid):
    return (proc_field(pid, "status", "voluntary_ctxt_switches")
            + proc_field(pid, "status", "nonvoluntary_ctxt_switches"))


def cpu_s(pid):
    return time.clock_gettime(~pid << 3 | 2)  # what clock_getcpuclockid makes of it


def idle():
    seconds = 2 if QUICK else 10
    progress("idle")
    with Servers() as servers:
        clients = [server.hold(1) for server in servers]
        for client in clients:
            expect(client, "open")
            proceed(client)
            expect(client, "used")
        time.sleep(0.2)
        before = [(wakeups(server.pid), cpu_s(server.pid)) for server in servers]
        time.sleep(seconds)
        after = [(wakeups(server.pid), cpu_s(server.pid)) for server in servers]
        for client in clients:
            finish(client)
    table = Table("Idle: %d s with an open connection" % seconds,
                  "Context switches, voluntary and not, and CPU time of the server.",
                  ["idle"] + SERVERS + ["target"])
    wakes = [b[0] - a[0] for a, b in zip(before, after)]
    table.add("wake-ups", *map(str, wakes), verdict(wakes[0], 0, "wake-ups"))
    table.add("CPU, us", *("%.0f" % ((b[1] - a[1]) * 1e6) for a, b in zip(before, after)), "")
    return [table]


def memory_of(name, connections):
    """Bytes for each connection: idle from the start, and after one echo on each."""
    with Server(name) as server:
        server.load("echo", 1, 64, 100)
        before = proc_field(server.pid, "smaps_rollup", "Rss")
        client = server.hold(connections)
        expect(client, "open")
        opened = proc_field(server.pid, "smaps_rollup", "Rss")
        proceed(client)
        expect(client, "used")
        used = proc_field(server.pid, "smaps_rollup", "Rss")
        finish(client)
    return [(rss - before) * 1024 / connections for rss in (opened, used)]


def memory():
    connections = 9000
    table = Table("Memory: bytes of each of %d idle accepted connections" % connections,
                  "Growth of the server's resident set, without the kernel's socket buffers.",
                  ["idle connections"] + SERVERS + ["target"])
    progress("memory")
    figures = [memory_of(name, connections) for name in SERVERS]
    for i, row in enumerate(("never used", "after 64 B of echo each")):
        table.add(row, *("%.0f" % figure[i] for figure in figures),
                  verdict(figures[0][i], 300, "B"))
    return [table]


def accept():
    rounds = Rounds()
    row = "accept + echo + close"
    with Servers() as servers:
        for i in range(5 if QUICK else 15):
            progress("accept, round %d" % (i + 1))
            for server in in_turns(servers, i):
                rounds.add(row, server.name, server.load("churn", 3000)[0] / 1000)
    table = Table("Connections: server CPU, us each",
                  "64 B echoed once, the client closes; 32 connections in flight.",
                  ["connection"] + SERVERS + ["target"])
    table.add_rounds(rounds, row, 2, ("libuv", 1))
    return [table]


PARTS = {"echo": echo, "calls": calls, "idle": idle, "memory": memory, "accept": accept}
