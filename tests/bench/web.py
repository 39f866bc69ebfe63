"""hhttpd beside nginx, lighttpd and h2o: one worker of each on one processor, wrk on the other."""

import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

from figures import Rounds, Table, progress, verdict
from processes import BIN, CPUS, QUICK, WAIT_S, free_port, output, pinned, proc_field, wait_listening
from tls import make_certificate

SMALL, LARGE = "f612.html", "f100k.bin"
IDLE = 10000

NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 16000; }}
http {{
    access_log off; sendfile on; types {{ text/html html; }}
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port} backlog=4096 {tls}; root {root};
              ssl_certificate {cert}; ssl_certificate_key {key}; }}
}}
"""
LIGHTTPD = """server.document-root = "{root}"
server.port = {port}
server.bind = "127.0.0.1"
server.max-fds = 18000
server.max-connections = 16000
server.errorlog = "{folder}/lighttpd.log"
server.modules = ({modules})
{tls}
"""
H2O = """num-threads: 1
max-connections: 16000
listen:
  port: {port}
  host: 127.0.0.1
  {tls}
error-log: {folder}/h2o.log
pid-file: {folder}/h2o.pid
hosts:
  default:
    paths:
      /:
        file.dir: {root}
"""


class Site:
    """The folder that all of them serve, and a certificate."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        self.root = os.path.join(self.folder.name, "root")
        os.mkdir(self.root)
        for name, size in ((SMALL, 612), (LARGE, 100 * 1024)):
            with open(os.path.join(self.root, name), "wb") as file:
                file.write(b"x" * size)
        self.key, self.cert, self.both = make_certificate(self.folder.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


class Web:
    """A server of the site; "with" ends it."""

    def __init__(self, name, site, tls=False):
        self.name, self.site, self.tls = name, site, tls
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o777)
        self.port = free_port()
        self.command = getattr(self, name)()
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=self.prepare)

    @staticmethod
    def prepare():
        pinned(0)()
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        self.start()
        wait_listening(self.port)
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()

    def configure(self, text, **more):
        path = os.path.join(self.folder.name, "config")
        with open(path, "w", encoding="ascii") as file:
            file.write(text.format(folder=self.folder.name, port=self.port, root=self.site.root,
                                   cert=self.site.cert, key=self.site.key, **more))
        return path

    def hhttpd(self):
        tls = ["--tls-cert", self.site.cert, "--tls-key", self.site.key] if self.tls else []
        endpoint = "%s127.0.0.1:%d" % ("tls://" if self.tls else "", self.port)
        return [os.path.join(BIN, "hhttpd"), *tls, self.site.root, endpoint]

    def nginx(self):
        return ["/usr/sbin/nginx", "-p", self.folder.name, "-e", self.folder.name + "/nginx.log",
                "-c", self.configure(NGINX, tls="ssl" if self.tls else "")]

    def lighttpd(self):
        tls = 'ssl.engine = "enable"\nssl.pemfile = "%s"' % self.site.both if self.tls else ""
        return ["/usr/sbin/lighttpd", "-D", "-f",
                self.configure(LIGHTTPD, tls=tls, modules='"mod_openssl"' if self.tls else "")]

    def h2o(self):
        tls = "ssl:\n    certificate-file: %s\n    key-file: %s" % (self.site.cert, self.site.key)
        return ["/usr/bin/h2o", "-m", "worker", "-c",
                self.configure(H2O, tls=tls if self.tls else "")]

    def pids(self):
        """Of all its processes: hhttpd has a master."""
        children = output(["ps", "-o", "pid=", "--ppid", str(self.process.pid)]) \
            if self.name == "hhttpd" else ""
        return [self.process.pid, *map(int, children.split())]

    def cpu_us(self):
        total = 0
        for pid in self.pids():
            with open("/proc/%d/schedstat" % pid, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1000

    def rss(self):
        return sum(proc_field(pid, "smaps_rollup", "Rss") for pid in self.pids())

    def wrk(self, path, seconds, *options):
        """(wall us, server's CPU us) of one request."""
        url = "%s://127.0.0.1:%d/%s" % ("https" if self.tls else "http", self.port, path)
        before = self.cpu_us()
        text = output(["wrk", "-t1", "-c100", "-d%ds" % seconds, *options, url], 1)
        cpu = self.cpu_us() - before
        count, took = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
        if "Non-2xx" in text or int(count) == 0:
            sys.exit("%s did not serve %s:\n%s" % (self.name, path, text))
        return float(took) * 1e6 / int(count), cpu / int(count)


WORK = [  # row, path, TLS, wrk's options, peers, who has to be met
    ("612 B", SMALL, False, (), ["nginx", "lighttpd", "h2o"], "lighttpd"),
    ("100 KiB", LARGE, False, (), ["nginx", "lighttpd", "h2o"], "h2o"),
    ("612 B, TLS", SMALL, True, (), ["nginx", "lighttpd", "h2o"], "h2o"),
    ("612 B, Connection: close", SMALL, False, ("-H", "Connection: close"),
     ["nginx", "lighttpd", "h2o"], "nginx"),
]


def throughput(site):
    seconds = 1 if QUICK else 3
    wall, cpu = Rounds(), Rounds()
    for row, path, tls, options, peers, _ in WORK:
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(Web(name, site, tls)) for name in ["hhttpd", *peers]]
            for server in servers:
                server.wrk(path, 1, *options)
            for i in range(3 if QUICK else 5):
                progress("web, %s, round %d" % (row, i + 1))
                for server in servers:
                    figures = server.wrk(path, seconds, *options)
                    wall.add(row, server.name, figures[0])
                    cpu.add(row, server.name, figures[1])
    columns = ["request", "hhttpd", "nginx", "lighttpd", "h2o", "target"]
    tables = []
    for rounds, what, note in (
            (wall, "us of wall time each", "wrk, 100 connections, one thread. One million divided "
             "by a figure is requests a second."),
            (cpu, "us of the server's CPU each", "The same runs.")):
        table = Table("Web server: " + what, note, columns)
        for row, _, _, _, _, peer in WORK:
            table.add_rounds(rounds, row, 2, *([(peer, 1)] if rounds is wall else []))
        tables.append(table)
    return tables


def first_answer_ms(server):
    """Without what Python adds to a start: the processor is inherited, not set by the child."""
    pinned(0)()
    begin = time.monotonic()
    server.process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, close_fds=False)
    pinned(1)()
    while time.monotonic() - begin < WAIT_S:
        with socket.socket() as sock:
            try:
                sock.connect(("127.0.0.1", server.port))
                sock.sendall(b"GET /%s HTTP/1.0\r\n\r\n" % SMALL.encode())
                if sock.recv(1):
                    break
            except ConnectionError:
                continue
    took = (time.monotonic() - begin) * 1e3
    os.sched_setaffinity(0, CPUS)
    server.stop()
    return took


def start(site):
    rounds = Rounds()
    names = ["hhttpd", "nginx", "lighttpd", "h2o"]
    for i in range(5 if QUICK else 15):
        progress("web, start, round %d" % (i + 1))
        for name in names:
            server = Web(name, site)
            rounds.add("ms", name, first_answer_ms(server))
            server.folder.cleanup()
    table = Table("Web server: start to first answer", "As a client sees it that keeps trying.",
                  ["start", *names, "target"])
    ours = rounds.median("ms", "hhttpd")
    table.add("ms", *("%.2f" % rounds.median("ms", name) for name in names),
              verdict(ours, 5, "ms"))
    return table


def hold(port, count):
    """Connections that have each had one answer."""
    request = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % SMALL.encode()
    held = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(request)
        if not sock.recv(4096):
            sys.exit("a connection was closed")
        held.append(sock)
    return held


def memory_of(name, site, count):
    with Web(name, site) as server:
        for sock in hold(server.port, 100):
            sock.close()
        time.sleep(0.5)  # until the server has seen the ends
        before = server.rss()
        held = hold(server.port, count)
        grown = (server.rss() - before) * 1024 / count
        for sock in held:
            sock.close()
    return grown


def memory(site):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, limit[1] - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, limit[1]))
    names = ["hhttpd", "nginx", "lighttpd", "h2o"]
    progress("web, memory")
    figures = [memory_of(name, site, count) for name in names]
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    table = Table("Web server: bytes of each of %d idle connections" % count,
                  "Growth of the resident set; each has had one answer and is kept alive.",
                  ["idle connections", *names, "target"])
    table.add("kept alive", *("%.0f" % figure for figure in figures),
              verdict(figures[0] / figures[1], 1, "of nginx"))
    return table


def web():
    with Site() as site:
        return [*throughput(site), start(site), memory(site)]


PARTS = {"web": web}
