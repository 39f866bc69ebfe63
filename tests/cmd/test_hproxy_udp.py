# One thread.
"""hproxy with datagrams: UDP and UNIX, to each other and to streams; real servers and clients."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

from conftest import TIMEOUT, wait_until
from hproxy_lab import children, conf, hproxy, target  # noqa: F401


TRIES = 200  # where answers get lost because the machine is slower than a time limit that is tried out


class Datagrams:
    """A server of datagrams that answers each one with its name, a colon and the datagram; and knows who asked."""

    def __init__(self, name="udp", path=None):
        self.name = name.encode()
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind(str(path) if path else ("127.0.0.1", 0))
        self.endpoint = f"unixgram:{path}" if path else f"udp://127.0.0.1:{self.sock.getsockname()[1]}"
        self.peers = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while True:
                data, peer = self.sock.recvfrom(1 << 17)
                if data == b"quit":
                    return
                if peer not in self.peers:
                    self.peers.append(peer)
                if peer:
                    self.sock.sendto(self.name + b":" + data, peer)
        except OSError:
            pass

    def close(self):
        with socket.socket(self.sock.family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"quit", self.sock.getsockname())
        self.thread.join(TIMEOUT)
        self.sock.close()


@pytest.fixture
def datagrams():
    started = []

    def start(*args, **options):
        started.append(Datagrams(*args, **options))
        return started[-1]

    yield start
    for one in started:
        if one.sock.fileno() >= 0:
            one.close()


def ask(sock, data, tries=1):
    """The answer to a datagram. What is lost is asked again, where that may happen; an answer to what was asked before
    may come late then."""
    for left in range(tries, 0, -1):
        sock.settimeout(TIMEOUT if left == 1 else 0.3)
        sock.send(data)
        try:
            while not (answer := sock.recv(1 << 17)).endswith(data):
                assert tries > 1, answer
            return answer
        except (TimeoutError, ConnectionRefusedError):
            if left == 1:
                raise
    return None


def log_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def log(lab):
    """Options for an access log in JSON, and its lines: log.lines(how many)."""

    class Log:
        path = lab.folder / "access.log"
        options = (f"--access-log={path}", "--log-format=json")

        def lines(self, count=1):
            wait_until(lambda: len(log_of(self.path)) >= count, f"{count} lines in the log")
            return log_of(self.path)

    return Log()


def test_clients_are_never_mixed_up(hproxy, datagrams):
    server = datagrams()
    proxy = hproxy("udp://0", server.endpoint)
    clients = [proxy.connect() for _ in range(200)]
    for turn in range(3):
        for i, client in enumerate(clients):
            client.send(b"%d %d" % (turn, i))
            if i % 50 == 49:  # no more than sockets hold
                for j in range(i - 49, i + 1):
                    assert clients[j].recv(100) == b"udp:%d %d" % (turn, j)
    assert len(server.peers) == 200
    for client in clients:
        client.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.recv(100)
        client.close()


def test_large_and_empty_datagrams_are_whole(hproxy, datagrams):
    proxy = hproxy("udp://0", datagrams().endpoint)
    data = os.urandom(60000)
    with proxy.connect() as client:
        assert ask(client, data) == b"udp:" + data
        assert ask(client, b"") == b"udp:"
        assert ask(client, data[:65503]) == b"udp:" + data[:65503]


def test_an_idle_flow_ends(hproxy, datagrams, log):
    server = datagrams()
    proxy = hproxy("udp://0", server.endpoint, "--idle-timeout=200ms", *log.options)
    with proxy.connect() as client:
        assert ask(client, b"one", tries=TRIES) == b"udp:one"
        # Where the server is slower than the limit, a flow ends before it has been answered.
        line = wait_until(lambda: [one for one in log_of(log.path) if one["received_bytes"]], "the line")[0]
        before = len(server.peers)
        assert ask(client, b"two", tries=TRIES) == b"udp:two"
    assert len(server.peers) > before
    assert line["protocol"] == "udp" and line["end"] == "idle" and line["duration_ms"] >= 200
    assert line["client"].startswith("127.0.0.1:") and line["address"] == server.endpoint[6:]
    times, rest = divmod(line["received_bytes"], len("udp:one"))
    assert rest == 0 and line["sent_bytes"] >= 3 * times and line["sent_bytes"] % 3 == 0


def test_answers_come_from_the_address_that_was_asked(hproxy, datagrams):
    proxy = hproxy("udp://:0", datagrams().endpoint)
    for host in ["127.0.0.1", "127.0.0.2", "127.1.2.3"]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((host, proxy.port))  # takes answers from there alone
            assert ask(client, b"hello") == b"udp:hello"


# ---- combinations --------------------------------------------------------------------------------------------------


def test_udp_to_unix_and_back(hproxy, datagrams, lab):
    server = datagrams(path=lab.folder / "target.sock")
    proxy = hproxy("udp://0", server.endpoint)
    with proxy.connect() as client:
        assert ask(client, b"x" * 60000) == b"udp:" + b"x" * 60000


def test_unix_clients_are_answered_if_they_have_a_name(hproxy, datagrams, lab):
    server = datagrams()
    proxy = hproxy(f"unixgram:{lab.folder}/listen.sock", server.endpoint)
    with proxy.connect() as nameless:
        nameless.send(b"a word")
        wait_until(lambda: len(server.peers) == 1, "the datagram")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind(str(lab.folder / "client.sock"))
        client.connect(str(lab.folder / "listen.sock"))
        assert ask(client, b"hello") == b"udp:hello"


def test_udp_to_a_stream(hproxy, target):
    server = target("tcp")
    proxy = hproxy("udp://0", server.address)
    with proxy.connect() as one, proxy.connect() as other:
        assert ask(one, b"first") == b"tcp:first"
        assert ask(other, b"x") == b"tcp:x"
        assert ask(one, b"second") == b"tcp:second"
    assert server.accepted == 2


def test_a_stream_to_udp(hproxy, datagrams):
    proxy = hproxy("0", datagrams().endpoint)
    with proxy.connect() as one, proxy.connect() as other:
        for client in (one, other):
            client.sendall(b"hello")
            assert client.recv(100) == b"udp:hello"


def test_a_stream_to_udp_is_over_when_nothing_comes(hproxy, datagrams, lab):
    """Datagrams have no end: what has come after that of the client still reaches it."""
    log = lab.folder / "access.log"
    proxy = hproxy("0", datagrams().endpoint, "--idle-timeout=300ms", f"--access-log={log}", "--log-format=json")

    def is_answered():  # unless the server is slower than the limit
        with proxy.connect() as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(100)
            assert answer in (b"udp:hello", b"")
            assert client.recv(100) == b""
        return answer

    wait_until(is_answered, "an answer")
    wait_until(lambda: [line for line in log_of(log) if line["end"] == "idle" and line["received_bytes"] == len("udp:hello")],
               "the line")


def test_a_long_stream_to_udp(hproxy, datagrams):
    """What is read at once may be longer than a datagram can be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        server.bind(("127.0.0.1", 0))
        server.settimeout(TIMEOUT)
        proxy = hproxy("0", f"udp://127.0.0.1:{server.getsockname()[1]}")
        data = os.urandom(1 << 16) * 2
        with proxy.connect() as client:
            client.sendall(data)
            got = b""
            while len(got) < len(data):
                got += server.recv(1 << 17)
        assert got == data


def test_udp_to_tls_and_back_to_udp(hproxy, datagrams):
    """Datagrams through an encrypted stream."""
    far = hproxy("tls://127.0.0.1:0", datagrams().endpoint, "--tls-self-signed")
    near = hproxy("udp://0", far.serving[0], "--target-insecure")
    with near.connect() as client:
        assert ask(client, b"secret") == b"udp:secret"


# ---- real ones -----------------------------------------------------------------------------------------------------


def name_server(lab):
    """The port of a dnsmasq, which wants the same one for datagrams and connections."""
    while True:
        port = lab.port()
        server = lab.spawn("/usr/sbin/dnsmasq", "-k", "-p", str(port), "--listen-address=127.0.0.1", "--no-resolv",
                           "--bind-interfaces", "--no-hosts", "--conf-file=/dev/null", "--pid-file=", "--user=",
                           "--group=", "--address=/hproxy.test/192.0.2.7")
        wait_until(lambda: lab.is_bound(port) or not server.running(), "dnsmasq")
        if server.running():
            return port


def test_a_name_server(hproxy, lab):
    port = name_server(lab)
    proxy = hproxy("udp://0", f"udp://127.0.0.1:{port}")
    for _ in range(3):
        answer = subprocess.run(["dig", "+short", "+tries=1", "@127.0.0.1", "-p", str(proxy.port), "hproxy.test"],
                                capture_output=True, text=True, timeout=TIMEOUT)
        assert answer.stdout == "192.0.2.7\n", answer


def test_socat_and_ncat(hproxy, lab):
    """socat answers, ncat asks."""
    port = lab.port(socket.SOCK_DGRAM)
    lab.hold(port, socket.SOCK_DGRAM)
    lab.spawn(shutil.which("socat"), f"UDP4-RECVFROM:{port},bind=127.0.0.1,fork", "EXEC:/usr/bin/rev")
    lab.wait_bound(port, "udp")
    proxy = hproxy("udp://0", f"udp://127.0.0.1:{port}")
    client = lab.spawn(shutil.which("ncat"), "-u", "127.0.0.1", str(proxy.port), stdin=subprocess.PIPE)
    client.send(b"drawer\n")
    wait_until(lambda: client.out() == b"reward\n", "the answer")
    client.stop()


# ---- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_target_that_refuses(hproxy, datagrams, log):
    server = datagrams()
    server.close()
    proxy = hproxy("udp://0", server.endpoint, *log.options)
    with proxy.connect() as client:
        client.send(b"hello")
        line = log.lines()[0]
    assert line["end"] == "target_error" and "Connection refused" in line["why"]
    assert line["address"] == server.endpoint[6:]


def test_a_dead_target_is_left_out(hproxy, datagrams):
    dead, server = datagrams(), datagrams()
    dead.close()
    proxy = hproxy("udp://0", dead.endpoint, server.endpoint, "--eject-time=1m")
    with proxy.connect() as client:
        assert ask(client, b"hello", tries=20) == b"udp:hello"
    for _ in range(5):
        with proxy.connect() as client:
            ask(client, b"hello", tries=20)
    wait_until(lambda: "failed too often" in proxy.process.err(), "the ejection")
    for _ in range(5):
        with proxy.connect() as client:
            assert ask(client, b"hello") == b"udp:hello"  # at once


def test_a_client_that_is_denied_hears_nothing(hproxy, datagrams, log):
    server = datagrams()
    proxy = hproxy("udp://:0", server.endpoint, "--deny=127.0.0.2", *log.options)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.2", 0))
        client.connect(("127.0.0.1", proxy.port))
        client.send(b"hello")
        assert log.lines()[0]["end"] == "denied"
    with proxy.connect(f"udp://127.0.0.1:{proxy.port}") as client:
        assert ask(client, b"hello") == b"udp:hello"
    assert len(server.peers) == 1


def test_past_the_maximum_the_one_that_was_silent_longest_goes(hproxy, datagrams, log):
    server = datagrams()
    proxy = hproxy("udp://0", server.endpoint, "--max-flows=2", *log.options)
    clients = [proxy.connect() for _ in range(3)]
    for client in [*clients, clients[0]]:
        assert ask(client, b"x") == b"udp:x"
    assert len(server.peers) == 4
    assert [line["end"] for line in log.lines(2)] == ["limited"] * 2
    for client in clients:
        client.close()


def test_a_life_that_is_over(hproxy, datagrams, log):
    proxy = hproxy("udp://0", datagrams().endpoint, "--lifetime=100ms", *log.options)
    with proxy.connect() as client:
        assert ask(client, b"x", tries=TRIES) == b"udp:x"
        assert log.lines()[0]["end"] == "expired"
        assert ask(client, b"y", tries=TRIES) == b"udp:y"


def leave_no_descriptors(worker):
    _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    used = {int(fd) for fd in os.listdir(f"/proc/{worker}/fd")}
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), hard))


def test_without_descriptors_the_one_that_was_silent_longest_makes_room(hproxy, datagrams, log):
    proxy = hproxy("udp://0", datagrams().endpoint, *log.options)
    worker, = proxy.workers(1)
    with proxy.connect() as first, proxy.connect() as second:
        assert ask(first, b"first") == b"udp:first"
        leave_no_descriptors(worker)
        assert ask(second, b"second") == b"udp:second"
        assert ask(first, b"again") == b"udp:again"
    lines = log.lines(2)
    assert [line["end"] for line in lines] == ["limited"] * 2 and "made room" in lines[0]["why"]


def test_without_descriptors_it_goes_on_when_there_are_some(hproxy, datagrams, log):
    proxy = hproxy("udp://0", datagrams().endpoint, "--lifetime=500ms", *log.options)
    worker, = proxy.workers(1)
    with proxy.connect() as client:  # a worker that has just begun raises its limit
        assert ask(client, b"x", tries=TRIES) == b"udp:x"
    log.lines()
    limit = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (0, limit[1]))
    clients = [proxy.connect() for _ in range(100)]
    for client in clients:
        client.send(b"lost")
    wait_until(lambda: "no_resources" in [line["end"] for line in log_of(log.path)], "the shortage")
    resource.prlimit(worker, resource.RLIMIT_NOFILE, limit)
    with proxy.connect() as client:
        assert ask(client, b"x", tries=TRIES) == b"udp:x"
    assert proxy.process.err().count("Too many open files") <= 21
    for client in clients:
        client.close()


def test_a_client_that_may_not_come_fills_no_log(hproxy, datagrams, log):
    """Each of its datagrams is counted."""
    proxy = hproxy("udp://0", datagrams().endpoint, "--deny=127.0.0.1", "--status=0", *log.options)
    denied = r'hproxy_connections_ended_total\{[^}]*end="denied"[^}]*\} (\d+)\n'

    def count():
        with urllib.request.urlopen(f"http://{proxy.status}/metrics", timeout=TIMEOUT) as answer:
            return int(re.search(denied, answer.read().decode())[1])

    began = time.monotonic()
    with proxy.connect() as client:
        for turn in range(10):
            for _ in range(50):  # no more than the socket holds
                client.send(b"x")
            wait_until(lambda: count() == 50 * (turn + 1), "all of them")  # noqa: B023
    proxy.stop()
    told = len(log.lines())
    assert 10 <= told <= 20 * (1 + (time.monotonic() - began) // 10)  # 20 in 10 s
    assert proxy.process.err().count(": denied") == told
    more = re.findall(r": (\d+) more clients of datagrams came to nothing\n", proxy.process.err())
    assert told + sum(map(int, more)) == 500


# ---- generations ---------------------------------------------------------------------------------------------------


def test_a_stop_does_not_wait_for_silent_flows(hproxy, datagrams, log):
    proxy = hproxy("udp://0", datagrams().endpoint, "--stop-time=5s", "--idle-timeout=1h", *log.options)
    with proxy.connect() as client:
        assert ask(client, b"x") == b"udp:x"
        proxy.stop()
    assert log.lines()[0]["end"] == "idle"


@pytest.mark.parametrize("workers", [1, 2])
def test_flows_go_on_while_it_reloads(hproxy, datagrams, conf, workers):
    server = datagrams()
    text = f"workers = {workers}\n[listen dns]\nlisten = udp://127.0.0.1:0\ntarget = {server.endpoint}\n"
    proxy = hproxy("-c", conf(text))
    clients = [proxy.connect() for _ in range(20)]
    done = threading.Event()
    lost = []

    def talk():
        turn = 0
        while not done.is_set():
            for i, client in enumerate(clients):
                data = b"%d %d" % (turn, i)
                client.settimeout(TIMEOUT)
                try:
                    if ask(client, data) != b"udp:" + data:
                        lost.append(data)
                except OSError as error:
                    lost.append((data, error))
                    return
            turn += 1

    thread = threading.Thread(target=talk)
    thread.start()
    for _ in range(3):
        assert "reloaded: " in proxy.reload()
    done.set()
    thread.join()
    assert not lost
    for client in clients:
        client.close()


def test_a_worker_that_is_killed_takes_no_more_than_its_flows(hproxy, datagrams):
    server = datagrams()
    proxy = hproxy("udp://0", server.endpoint)
    with proxy.connect() as client:
        assert ask(client, b"one") == b"udp:one"
        worker = proxy.workers(1)[0]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: children(proxy.pid) not in ([], [worker]), "a new worker")
        assert ask(client, b"two") == b"udp:two"
    assert len(server.peers) == 2
