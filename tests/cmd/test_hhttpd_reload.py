"""hhttpd is reloaded, loses a worker and is stopped while the load generators run: they count no failure."""

import os
import re
import signal
import threading

import pytest

from conftest import wait_until
from hhttpd_lab import children, hhttpd, www  # noqa: F401

RELOADS = 50


@pytest.fixture
def conf(lab, www):
    """conf(text) writes the configuration; its path is conf.path."""

    class Conf:
        path = lab.folder / "x.conf"

        def __call__(self, text=""):
            self.path.write_text(f"listen = 127.0.0.1:0\ndocument_root = {www}\nkeepalive_requests = 100000000\n{text}")
            return self.path

    return Conf()


def connections_to(port):
    """How many there are, of those that are not closing."""
    ends = f":{port:04X}"
    rows = (line.split() for line in open("/proc/net/tcp").readlines()[1:])
    return sum(1 for row in rows if row[2].endswith(ends) and row[3] == "01")


class Load:
    """wrk with a few connections, until stop()."""

    def __init__(self, lab, server, *options):
        self.process = lab.spawn("wrk", "-t1", "-c8", "-d600", "--timeout", "60s", *options, server.urls[0] + "a.txt")
        wait_until(lambda: connections_to(server.port) >= 8, "wrk is connected")

    def stop(self):
        """The number of answers; none was an error."""
        self.process.signal(signal.SIGINT)
        assert self.process.wait() == 0
        out = self.process.out().decode()
        assert "Socket errors" not in out and "Non-2xx" not in out, out
        return int(re.search(r"(\d+) requests in", out)[1])


def reload_often(server, conf, count=RELOADS):
    """Each time with another configuration, each awaited."""
    for i in range(count):
        conf(f"keepalive_timeout = {60000 + i}\n")
        assert f"reloaded: generation {i + 2} serves" in server.reload()


def test_fifty_reloads_under_wrk(hhttpd, lab, conf):
    server = hhttpd("-c", conf())
    load = Load(lab, server)
    reload_often(server, conf)
    assert load.stop() > RELOADS
    wait_until(lambda: len(children(server.pid)) == 1, "the old workers' end")
    assert server.get("/a.txt").status == 200
    server.stop()


def test_reloads_under_wrk_with_connections_for_one_request(hhttpd, lab, conf):
    server = hhttpd("-c", conf())
    load = Load(lab, server, "-H", "Connection: close")
    reload_often(server, conf, 20)
    assert load.stop() > 0
    server.stop()


def test_reloads_under_wrk_with_tls(hhttpd, lab, conf):
    server = hhttpd("--tls-self-signed", "-c", conf())
    load = Load(lab, server)
    reload_often(server, conf, 20)
    assert load.stop() > 0
    server.stop()


@pytest.mark.parametrize("program,options,right", [
    ("ab", ["-k", "-c8"], [r"Complete requests: +{n}\n", r"Failed requests: +0\n"]),
    ("ab", ["-c8"], [r"Complete requests: +{n}\n", r"Failed requests: +0\n"]),
    ("h2load", ["--h1", "-c8"], [r"{n} total, {n} started, {n} done, {n} succeeded, 0 failed, 0 errored, 0 timeout"]),
], ids=["ab -k", "ab", "h2load"])
def test_reloads_under(hhttpd, lab, conf, program, options, right):
    server = hhttpd("-c", conf())
    n = 4000
    load = lab.spawn(program, *options, "-n", n, server.urls[0] + "a.txt")
    generation = 2
    while load.running():
        conf(f"keepalive_timeout = {60000 + generation}\n")
        assert f"reloaded: generation {generation} serves" in server.reload()
        generation += 1
    assert load.wait() == 0
    for pattern in right:
        assert re.search(pattern.replace("{n}", str(n)), load.out().decode()), load.out().decode()
    server.stop()


def test_broken_configurations_disturb_nobody(hhttpd, lab, conf):
    server = hhttpd("-c", conf())
    (old,) = server.workers()
    load = Load(lab, server)
    for _ in range(10):
        conf("nonsense\n")
        assert f"{conf.path}:4: " in server.reload()
        conf("[host x]\ndocument_root = /nosuch\n")
        assert "the old one stays" in server.reload()
    assert load.stop() > 0
    assert server.workers() == [old]
    server.stop()


def test_a_worker_that_crashes_takes_only_its_own_connections(hhttpd, lab, conf):
    own = dict(os.environ, ASAN_OPTIONS="handle_segv=0", TSAN_OPTIONS="handle_segv=0")
    server = hhttpd("-c", conf("worker_processes = 2\n"), env=own)
    workers = server.workers(2)
    held = {pid: [] for pid in workers}

    def owner(connection):
        """The worker that has the other end."""
        port = connection.sock.getsockname()[1]
        for line in open("/proc/net/tcp").readlines()[1:]:
            fields = line.split()
            if fields[2].endswith(f":{port:04X}") and fields[1].endswith(f":{server.port:04X}"):
                inode = f"socket:[{fields[9]}]"
                for pid in workers:
                    for fd in os.listdir(f"/proc/{pid}/fd"):
                        try:
                            if os.readlink(f"/proc/{pid}/fd/{fd}") == inode:
                                return pid
                        except FileNotFoundError:
                            pass
        return None

    def ask(connection):
        connection.request("GET", "/a.txt")
        return connection.getresponse().read() == b"some text\n"

    def both_have_some():
        connection = server.connection()
        assert ask(connection)
        held[wait_until(lambda: owner(connection), "the worker")].append(connection)
        return all(len(connections) >= 3 for connections in held.values())

    wait_until(both_have_some, "connections of both workers")
    victim, other = workers
    for round_ in range(3):
        os.kill(victim, signal.SIGSEGV)
        server.process.wait_err(f"(pid {victim}) was killed by signal 11; a new one starts")
        for connection in held[other]:
            assert ask(connection) and ask(connection)
        wait_until(lambda: other in children(server.pid) and len(children(server.pid)) == 2, "a new worker")
        (victim,) = set(children(server.pid)) - {other}
        assert server.get("/a.txt").status == 200
    server.stop()


def test_a_stop_under_load_answers_what_was_asked(hhttpd, www):
    """Clients that have sent a request get the whole of its answer."""
    (www / "1m").write_bytes(os.urandom(1 << 20))
    content = (www / "1m").read_bytes()
    server = hhttpd(www, "0", "--workers", "2")
    whole, begun, failures = [], threading.Semaphore(0), []

    def client():
        try:
            with server.connect() as sock:
                sock.sendall(b"GET /1m HTTP/1.1\r\nHost: x\r\n\r\n")
                data = sock.recv(100)
                begun.release()
                while piece := sock.recv(1 << 16):
                    data += piece
            whole.append(data.endswith(content))
        except OSError as error:
            failures.append(error)
            begun.release()

    threads = [threading.Thread(target=client) for _ in range(20)]
    for thread in threads:
        thread.start()
    for _ in threads:
        begun.acquire()
    server.process.signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert failures == [] and whole == [True] * len(threads)
    assert server.process.wait() == 0


def test_reloads_lose_no_request_to_a_server_behind(hhttpd, lab, www, conf):
    """The proxy in front is reloaded, and so is the server behind it."""
    behind_conf = lab.folder / "behind.conf"
    behind_conf.write_text(f"listen = 127.0.0.1:{lab.port()}\ndocument_root = {www}\n")
    behind = hhttpd("-c", behind_conf)
    rule = f"[proxy]\n/ => {behind.urls[0]}\n"
    server = hhttpd("-c", conf(rule))
    load = Load(lab, server)
    for _ in range(10):
        behind.reload()
        server.reload()
    assert load.stop() > 0
    server.stop()
    behind.stop()
