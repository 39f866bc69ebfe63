"""The programs that are measured: where they are, how they are started, what they used."""

import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BENCH = os.environ.get("HNET_BENCH_BIN", os.path.join(ROOT, "build/bench"))
BIN = os.environ.get("HNET_BIN", os.path.join(ROOT, "build/bin"))
QUICK = os.environ.get("BENCH_QUICK", "") not in ("", "0")
SERVERS = ["hnet", "raw", "libev", "libuv", "libevent"]
WAIT_S = 60
CPUS = sorted(os.sched_getaffinity(0))


def pinned(index):
    """For preexec_fn: the server has the first processor for itself, the client the second."""
    cpu = CPUS[min(index, len(CPUS) - 1)]
    return lambda: os.sched_setaffinity(0, {cpu})


def congestion_control():
    with open("/proc/sys/net/ipv4/tcp_congestion_control", encoding="ascii") as file:
        return file.read().strip()


class Server:
    """An echo server; "with" ends it."""

    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen([os.path.join(BENCH, "bench_echo_" + name)],
                                        stdout=subprocess.PIPE, preexec_fn=pinned(0))
        self.pid = self.process.pid
        self.port = self.process.stdout.readline().decode().strip()
        if not self.port:
            sys.exit("bench_echo_%s did not start" % name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def load(self, what, *args):
        """(CPU ns of the server, wall ns) for one message or connection."""
        command = [os.path.join(BENCH, "bench_load"), what, self.port, str(self.pid)]
        return numbers(output(command + [str(arg) for arg in args], 1))

    def hold(self, connections):
        """A client with idle connections; see bench_load idle."""
        return subprocess.Popen([os.path.join(BENCH, "bench_load"), "idle", self.port,
                                 str(connections)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, preexec_fn=pinned(1))


class Servers:
    """All of them at once: those that are not asked cost nothing."""

    def __enter__(self):
        self.all = [Server(name) for name in SERVERS]
        return self.all

    def __exit__(self, *_):
        for server in self.all:
            server.__exit__()


def in_turns(servers, i):
    """Round i begins with another server, and every second time round they go backwards: who comes
    after a heavy one finds the caches cold."""
    first = i % len(servers)
    order = servers[first:] + servers[:first]
    return order[::-1] if i // len(servers) % 2 else order


def output(command, cpu=None, timeout=WAIT_S):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=timeout,
                          preexec_fn=pinned(cpu) if cpu is not None else None).stdout.decode()


def numbers(text):
    return [float(word) for word in text.split()]


def expect(client, word):
    if client.stdout.readline().decode().strip() != word:
        sys.exit("bench_load failed")


def proceed(client):
    client.stdin.write(b"\n")
    client.stdin.flush()


def finish(client):
    client.stdin.close()
    client.wait(WAIT_S)
    client.stdout.close()


def proc_field(pid, name, key):
    with open("/proc/%d/%s" % (pid, name), encoding="ascii") as file:
        return int(re.search(r"^%s:\s*(\d+)" % key, file.read(), re.M).group(1))


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_listening(port):
    end = time.monotonic() + WAIT_S
    line = re.compile(r": \w+:%04X \w+:0000 0A " % port)
    while time.monotonic() < end:
        with open("/proc/net/tcp", encoding="ascii") as file:
            if line.search(file.read()):
                return
        time.sleep(0.002)
    sys.exit("nothing listens on port %d" % port)
