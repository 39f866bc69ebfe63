"""hcurl beside curl: large files, many small ones, start to exit, memory; and its load run beside
wrk."""

import contextlib
import json
import os
import re
import socket
import ssl
import sys
import tempfile
import threading
import time

from figures import Rounds, Table, progress
from processes import BIN, CPUS, QUICK, WAIT_S, output, proc_field
from tls import make_certificate
from web import SMALL, Site, Web

BIG = "big.bin"
BIG_SIZE = (512 if QUICK else 2048) * 2**20
FILES = 2000 if QUICK else 10000
BODY = 64 * 2**20  # of which the last byte waits until the memory has been looked at
HCURL = os.path.join(BIN, "hcurl")
CLIENTS = (("hcurl", HCURL), ("curl", "/usr/bin/curl"))


def run(command):
    """(wall s, CPU s) of a program that has to succeed, on the second processor."""
    begin = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    os.sched_setaffinity(pid, {CPUS[min(1, len(CPUS) - 1)]})
    _, status, use = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if status:
        sys.exit("%s: status %d" % (" ".join(command), status))
    return wall, use.ru_utime + use.ru_stime


def fetch(client, cert, url, *more):
    return run([client, "-q", "-s", "--cacert", cert, "-o", "/dev/null", *more, url])


# ---- large files ---------------------------------------------------------------------------------


def large(site):
    with open(os.path.join(site.root, BIG), "wb") as file:
        file.truncate(BIG_SIZE)
    wall, cpu = Rounds(), Rounds()
    gib = BIG_SIZE / 2**30
    for scheme in ("http", "https"):
        with Web("hhttpd", site, scheme == "https") as server:
            url = "%s://127.0.0.1:%d/%s" % (scheme, server.port, BIG)
            fetch(HCURL, site.cert, url)
            for i in range(3 if QUICK else 7):
                progress("client, %s, round %d" % (scheme, i + 1))
                for name, client in CLIENTS:
                    figures = fetch(client, site.cert, url)
                    wall.add("%s: wall s/GiB" % scheme, name, figures[0] / gib)
                    cpu.add("%s: CPU s/GiB" % scheme, name, figures[1] / gib)
    os.unlink(os.path.join(site.root, BIG))
    table = Table("hcurl: a file of %g GiB to /dev/null" % gib, "From hhttpd, which has the other "
                  "processor. CPU is the client's.", ["download", "hcurl", "curl", "target"])
    for rounds in (wall, cpu):
        for row in rounds.values:
            table.add_rounds(rounds, row, 3, ("curl", 1))
    return table


# ---- many small files ----------------------------------------------------------------------------


def many(site):
    wall, cpu = Rounds(), Rounds()
    memory_folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with Web("hhttpd", site) as server, tempfile.TemporaryDirectory(dir=memory_folder) as folder:
        url = "http://127.0.0.1:%d/%s?[1-%d]" % (server.port, SMALL, FILES)
        for where, path in (("/dev/null", "/dev/null"), ("files in memory", folder + "/#1")):
            for i in range(3 if QUICK else 7):
                progress("client, small files to %s, round %d" % (where, i + 1))
                for name, client in CLIENTS:
                    figures = run([client, "-q", "-s", "-o", path, url])
                    wall.add("to %s: wall us" % where, name, figures[0] * 1e6 / FILES)
                    cpu.add("to %s: CPU us" % where, name, figures[1] * 1e6 / FILES)
    table = Table("hcurl: %d files of 612 B by globbing" % FILES,
                  "One after another over a kept connection. One million divided by a figure is "
                  "files a second.", ["each file", "hcurl", "curl", "target"])
    for row in wall.values:
        table.add_rounds(wall, row, 1, ("curl", 1 / 1.3))
    for row in cpu.values:
        table.add_rounds(cpu, row, 1)
    return table


# ---- start to exit -------------------------------------------------------------------------------


def start(site):
    rounds = Rounds()
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(Web("hhttpd", site))
        tls = stack.enter_context(Web("hhttpd", site, True))
        rows = (
            ("--version", ["--version"]),
            ("GET of 612 B", ["-s", "http://127.0.0.1:%d/%s" % (plain.port, SMALL)]),
            ("the same, TLS", ["-s", "--cacert", site.cert,
                               "https://127.0.0.1:%d/%s" % (tls.port, SMALL)]),
        )
        null = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
        for i in range(20 if QUICK else 100):
            progress("client, start, round %d" % (i + 1))
            for row, args in rows:
                for name, client in CLIENTS:
                    begin = time.perf_counter()
                    pid = os.posix_spawn(client, [client, "-q", *args], os.environ,
                                         file_actions=null)
                    status = os.waitpid(pid, 0)[1]
                    rounds.add(row, name, (time.perf_counter() - begin) * 1e3)
                    if status:
                        sys.exit("%s %s: status %d" % (client, args, status))
    table = Table("hcurl: start to exit, ms", "Wall time as a shell sees it.",
                  ["start", "hcurl", "curl", "target"])
    for row, _ in rows:
        table.add_rounds(rounds, row, 2, ("curl", 0.7))
    return table


# ---- memory --------------------------------------------------------------------------------------


def serve_slowly(listener, context, done):
    """All of a body but its last byte, which waits for done()."""
    connection = listener.accept()[0]
    if context:
        connection = context.wrap_socket(connection, server_side=True)
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY + 1))
        piece = bytes(2**20)
        for _ in range(BODY // len(piece)):
            connection.sendall(piece)
        done()
        connection.sendall(b"x")


def wait_asleep(pid):
    """Until it has taken what there is: three looks find it waiting, and as before."""
    before, calm, end = None, 0, time.monotonic() + WAIT_S
    while calm < 3 and time.monotonic() < end:
        time.sleep(0.02)
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        now = fields[0], fields[11], fields[12]
        calm = calm + 1 if now == before and now[0] == "S" else 0
        before = now


def peak_mib(client, cert, context):
    """The most memory that was resident at once."""
    found, pids = [], []

    def look():
        wait_asleep(pids[0])
        found.append(proc_field(pids[0], "status", "VmHWM") / 1024)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_slowly, args=(listener, context, look))
        url = "%s://127.0.0.1:%d/" % ("https" if context else "http", listener.getsockname()[1])
        command = [client, "-q", "-s", "--cacert", cert, "-o", "/dev/null", url]
        pids.append(os.posix_spawn(client, command, os.environ))
        thread.start()
        status = os.waitpid(pids[0], 0)[1]
        thread.join()
    if status:
        sys.exit("%s: status %d" % (client, status))
    return found[0]


def memory(folder):
    key, cert, _ = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    rounds = Rounds()
    for i in range(3):
        progress("client, memory, round %d" % (i + 1))
        for name, client in CLIENTS:
            rounds.add("http", name, peak_mib(client, cert, None))
            rounds.add("https", name, peak_mib(client, cert, context))
    table = Table("hcurl: peak memory, MiB", "Resident, libraries included, in a download of %d "
                  "MiB to /dev/null." % (BODY // 2**20), ["download", "hcurl", "curl", "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 2, ("curl", 0.6))
    return table


# ---- the load run --------------------------------------------------------------------------------


def load_by_hcurl(url, seconds):
    figures = json.loads(output([HCURL, "-q", "-k", "--bench-json", "--concurrency", "100",
                                 "--duration", "%ds" % seconds, url], 1))
    if list(figures["statuses"]) != ["200"] or any(figures["errors"].values()):
        sys.exit("hcurl --bench: %s" % figures)
    return figures["duration_s"] * 1e6 / figures["requests"]


def load_by_wrk(url, seconds):
    text = output(["wrk", "-t1", "-c100", "-d%ds" % seconds, url], 1)
    count, took = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    return float(took) * 1e6 / int(count)


def load(site):
    rounds = Rounds()
    seconds = 1 if QUICK else 3
    for row, tls in (("612 B", False), ("612 B, TLS", True)):
        with Web("hhttpd", site, tls) as server:
            url = "%s://127.0.0.1:%d/%s" % ("https" if tls else "http", server.port, SMALL)
            load_by_wrk(url, 1)
            for i in range(3 if QUICK else 5):
                progress("client, load %s, round %d" % (row, i + 1))
                rounds.add(row, "hcurl", load_by_hcurl(url, seconds))
                rounds.add(row, "wrk", load_by_wrk(url, seconds))
    table = Table("hcurl --bench: us of wall time a request",
                  "hhttpd on the other processor; 100 connections, one thread. One million divided "
                  "by a figure is requests a second.", ["request", "hcurl", "wrk", "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 2, ("wrk", 1))
    return table


def client_part(measure):
    def part():
        with Site() as site:
            return [measure(site)]

    return part


def memory_part():
    with tempfile.TemporaryDirectory() as folder:
        return [memory(folder)]


PARTS = {"client-large": client_part(large), "client-many": client_part(many),
         "client-start": client_part(start), "client-memory": memory_part,
         "client-load": client_part(load)}
