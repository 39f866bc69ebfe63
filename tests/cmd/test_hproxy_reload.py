# One thread
"""hproxy: a reload, a target that dies and a worker that is killed lose nothing that a healthy target could serve."""

import contextlib
import os
import re
import signal
import socket
import stat
import sys
import tempfile
import threading

import pytest

from conftest import TIMEOUT, wait_until
from hhttpd_lab import as_root
from hproxy_lab import children, conf, hproxy, target  # noqa: F401
from pki import Pki

HELD = 1000


class Clients:
    """Threads that ask the proxy on one new connection after the other, until stop(): its result are the answers; a
    connection that was refused, reset or closed without an answer fails the test."""

    def __init__(self, proxy, count=4):
        self.proxy, self.going, self.answers, self.failures = proxy, True, [], []
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        try:
            while self.going:
                answer = self.proxy.ask(b"x")
                self.answers.append(answer)
                assert answer.endswith(b":x")
        except (OSError, AssertionError) as error:
            self.failures.append(repr(error))

    def answered(self, count):
        """Waits for so many more."""
        wanted = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= wanted or self.failures, f"{count} answers")

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join(TIMEOUT)
        assert self.failures == [], self.proxy.process
        return self.answers


def exchange(sock, data):
    """Whether the target's answer comes, whole."""
    sock.sendall(data)
    got = b""
    while not got.endswith(data):
        piece = sock.recv(1 << 16)
        if not piece:
            return False
        got += piece
    return True


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def accepted_by(pid, port):
    """How many connections to this port of ours the process has."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    ours = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    return len(ours & inodes)  # a row may come twice while others come and go


def lives(sock):
    try:
        return exchange(sock, b"y")
    except OSError:
        return False


def at_home(sock):
    """The name of the target that a connection is with."""
    assert sock.send(b"z") == 1
    return sock.recv(100).partition(b":")[0]


def service(targets, more="", top=""):
    lines = "".join(f"target = {one.address}\n" for one in targets)
    return f"{top}[listen web]\nlisten = 127.0.0.1:0\n{lines}{more}"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_thousand_connections_live_through_reloads(hproxy, conf, target, workers):
    """The old workers serve them as long as they last; a new connection goes where the new settings say."""
    old, new = target("old"), target("new")
    top = f"workers = {workers}\n"
    proxy = hproxy("-c", conf(service([old], top=top)))
    first = proxy.workers(workers)
    held = [proxy.connect() for _ in range(HELD)]
    assert all(exchange(sock, b"%d." % i) for i, sock in enumerate(held))
    conf(service([new], top=top))
    assert "reloaded: generation 2 serves" in proxy.reload()
    assert proxy.ask() == b"new:ping"
    conf(service([new], "idle-timeout = 1h\n", top))
    assert "reloaded: generation 3 serves" in proxy.reload()
    assert all(exchange(sock, b"%d." % i) for i, sock in enumerate(held))
    assert set(first) <= set(children(proxy.pid))
    assert old.accepted == HELD
    for sock in held[1:]:
        sock.close()
    assert exchange(held[0], b"last")
    held[0].close()
    wait_until(lambda: not set(first) & set(children(proxy.pid)), "the end of the old workers")
    assert len(proxy.workers(workers)) == workers
    proxy.stop()


def test_no_new_connection_is_lost_by_reloads(hproxy, conf, target):
    one = target("A")
    proxy = hproxy("-c", conf(service([one], top="workers = 2\n")))
    clients = Clients(proxy)
    for i in range(10):
        conf(service([one], f"idle-timeout = {60 + i}\n", "workers = 2\n"))
        assert f"reloaded: generation {i + 2} serves" in proxy.reload()
        clients.answered(20)
    assert set(clients.stop()) == {b"A:x"}
    wait_until(lambda: len(children(proxy.pid)) == 2, "the old workers' end")
    proxy.stop()


def test_a_broken_file_disturbs_nobody(hproxy, conf, target):
    one = target("A")
    proxy = hproxy("-c", conf(service([one])))
    (worker,) = proxy.workers()
    with proxy.connect() as sock:
        assert exchange(sock, b"before")
        for text, line in [("nonsense\n", 1), (service([one], "blance = x\n"), 4), (service([one], "deny = 1.2.3.4/99\n"), 4),
                           (service([one], "listen = tls://0\ntls-cert = /nosuch\n"), 5),
                           (service([one], "listen = 192.0.2.1:80\n"), 4)]:
            conf(text)
            said = proxy.reload()
            assert f"{conf.path}:{line}: " in said and "the old one stays" in said
            assert proxy.ask() == b"A:ping" and exchange(sock, b"still")
    os.unlink(conf.path)
    assert "No such file" in proxy.reload()
    assert proxy.workers() == [worker]
    proxy.stop()


def test_a_reload_with_more_workers_gives_each_a_socket(hproxy, lab, conf, target):
    one, tcp, udp = target("A"), lab.port(), lab.port(socket.SOCK_DGRAM)

    def text(workers):
        return (f"workers = {workers}\n[listen web]\nlisten = 127.0.0.1:{tcp}\ntarget = {one.address}\n"
                f"[listen dns]\nlisten = udp://127.0.0.1:{udp}\ntarget = {one.address}\n")

    def sockets():
        """How many there are of each port."""
        ends = [(f":{tcp:04X}", "tcp", "0A"), (f":{udp:04X}", "udp", "07")]
        return [sum(1 for line in open(f"/proc/net/{table}").readlines()[1:]
                    if line.split()[1].endswith(end) and line.split()[3] == state) for end, table, state in ends]

    proxy = hproxy("-c", conf(text(1)), listeners=2)
    wait_until(lambda: sockets() == [1, 1], "one of each")
    conf(text(3))
    assert "serves" in proxy.reload()
    wait_until(lambda: sockets() == [3, 3], "three of each")  # a row may come twice while others come and go
    proxy.workers(3)
    assert all(proxy.ask() == b"A:ping" for _ in range(20))
    conf(text(1))
    assert "serves" in proxy.reload()
    proxy.workers(1)
    wait_until(lambda: sockets() == [3, 3], "the same sockets")
    assert all(proxy.ask() == b"A:ping" for _ in range(20))
    proxy.stop()


def test_a_reload_opens_and_closes_end_points(hproxy, lab, conf, target):
    one, path = target("A"), lab.path("s")
    a, b = lab.port(), lab.port()

    def text(*listens):
        return f"[listen web]\ntarget = {one.address}\n" + "".join(f"listen = {listen}\n" for listen in listens)

    proxy = hproxy("-c", conf(text(f"127.0.0.1:{a}", f"unix:{path}")), listeners=2)
    assert proxy.ask(endpoint=f"unix:{path}") == b"A:ping"
    with proxy.connect() as sock:
        conf(text(f"127.0.0.1:{b}"))
        proxy.reload()
        assert proxy.ask(endpoint=f"127.0.0.1:{b}") == b"A:ping"
        assert not os.path.exists(path)
        wait_until(lambda: not lab.is_bound(a), "nobody listens at the old one")
        assert exchange(sock, b"still served")
    proxy.stop()


def test_what_a_reload_cannot_change_is_told(hproxy, lab, conf, target):
    one, pid_file = target("A"), lab.path("pid")
    path = conf(service([one], top=f"pid-file = {pid_file}\n"))
    proxy = hproxy("-c", path)
    assert "stays" not in proxy.reload()
    conf(service([one], top=f"workers = 2\npid-file = {lab.path('other')}\ndaemon = yes\n"))
    said = proxy.reload()
    assert f"hproxy: {path}:2: the pid file stays as it was at the start: a restart changes it" in said
    assert f"hproxy: {path}: daemon stays as it was at the start: a restart changes it" in said
    assert "generation 3 serves" in said and os.path.exists(pid_file) and not os.path.exists(lab.path("other"))
    conf(service([one]))
    assert f"hproxy: {path}: the pid file stays as it was" in proxy.reload()
    proxy.stop()
    assert not os.path.exists(pid_file)


def test_a_socket_that_stays_gets_its_new_rights(hproxy, lab, conf, target):
    one, path = target("A"), lab.path("s")
    text = f"[listen web]\nlisten = unix:{path}\ntarget = {one.address}\n"
    proxy = hproxy("-c", conf(text + "unix-mode = 666\n"))
    for mode, line in [(0o660, "unix-mode = 660\n"), (0o600, "unix-mode = 600\n"), (0o600, "")]:
        conf(text + line)
        assert "reloaded" in proxy.reload()
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
    proxy.stop()


def test_who_waits_at_an_end_point_that_goes_is_served(hproxy, lab, conf, target):
    """Its connection stands already; the worker has not looked yet."""
    one, port = target("A"), lab.port()
    proxy = hproxy("-c", conf(f"[listen web]\nlisten = 127.0.0.1:{port}\ntarget = {one.address}\n"))
    (worker,) = proxy.workers()
    os.kill(worker, signal.SIGSTOP)
    waiting = [proxy.connect() for _ in range(100)]
    conf(service([one]))
    assert "reloaded: " in proxy.reload()
    os.kill(worker, signal.SIGCONT)
    assert all(exchange(sock, b"x") for sock in waiting)
    for sock in waiting:
        sock.close()
    proxy.stop()


def test_a_target_that_dies_and_returns(hproxy, conf, target):
    """Each connection is served by one that is well, though nobody checks them."""
    one, two = target("A"), target("B")
    proxy = hproxy("-c", conf(service([one, two], "eject-time = 100ms\n", "workers = 2\n")))
    clients = Clients(proxy)
    clients.answered(50)
    both = set(clients.answers)
    clients.going = False  # what it has at the moment it would lose
    clients.stop()
    one.close()
    clients = Clients(proxy)
    clients.answered(100)
    assert set(clients.answers) == {b"B:x"}
    one.open()
    wait_until(lambda: b"A:x" in clients.answers, "the first one is used again")
    clients.stop()
    assert both == {b"A:x", b"B:x"}
    proxy.stop()


def test_checks_keep_clients_off_a_dead_target(hproxy, conf, target):
    one, two = target("A"), target("B")
    check = "check = connect\ncheck-interval = 20ms\ncheck-fall = 1\ncheck-rise = 1\n"
    proxy = hproxy("-v", "-c", conf(service([one, two], check)))
    one.close()
    proxy.process.wait_err(" is down")
    assert {proxy.ask() for _ in range(10)} == {b"B:ping"}
    one.open()
    proxy.process.wait_err(" is up")
    wait_until(lambda: proxy.ask() == b"A:ping", "the first one is used again")
    proxy.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_takes_only_its_own_connections(hproxy, conf, target, workers):
    """Who comes while there is none waits for the next one."""
    one = target("A")
    proxy = hproxy("-c", conf(service([one], top=f"workers = {workers}\n")))
    for _ in range(3):
        held = [proxy.connect() for _ in range(20)]
        assert all(exchange(sock, b"x") for sock in held)
        victim = proxy.workers(workers)[0]
        lost = accepted_by(victim, proxy.port)
        os.kill(victim, signal.SIGKILL)
        proxy.process.wait_err(f"(pid {victim}) was killed by signal 9; a new one starts")
        assert proxy.ask() == b"A:ping"
        left = [sock for sock in held if lives(sock)]
        assert len(left) == len(held) - lost and lost > 0 and (workers == 1) == (left == [])
        for sock in held:
            sock.close()
        assert len(proxy.workers(workers)) == workers
    proxy.stop()


def test_a_thousand_connections_lose_only_what_nobody_could_serve(hproxy, conf, target):
    """A worker is killed, the settings are read again, a target dies and returns: one after the other, to the same."""
    one, two = target("A"), target("B")
    text = service([one, two], "eject-time = 100ms\n", "workers = 2\n")
    proxy = hproxy("-c", conf(text))
    held = [proxy.connect() for _ in range(HELD)]
    assert all(exchange(sock, b"x") for sock in held)
    victim = proxy.workers(2)[0]
    lost = accepted_by(victim, proxy.port)
    os.kill(victim, signal.SIGKILL)
    proxy.process.wait_err(f"(pid {victim}) was killed by signal 9; a new one starts")
    left = [sock for sock in held if lives(sock)]
    assert 0 < lost < HELD and len(left) == HELD - lost
    left += [proxy.connect() for _ in range(lost)]
    clients = Clients(proxy)
    clients.answered(50)
    conf(text + "idle-timeout = 1h\n")
    assert "reloaded: generation 2 serves" in proxy.reload()
    clients.answered(50)
    assert set(clients.stop()) == {b"A:x", b"B:x"}
    home = {sock: at_home(sock) for sock in left}  # each is there still, and where
    assert min(list(home.values()).count(name) for name in (b"A", b"B")) > HELD // 4
    one.close()
    clients = Clients(proxy)
    clients.answered(50)
    assert set(clients.answers) == {b"B:x"}
    assert all(lives(sock) == (name == b"B") for sock, name in home.items())
    one.open()
    wait_until(lambda: b"A:x" in clients.answers, "the first one is used again")
    clients.stop()
    assert all(lives(sock) for sock, name in home.items() if name == b"B")
    for sock in {*held, *home}:
        sock.close()
    proxy.stop()


def test_clients_of_datagrams_go_on_over_a_reload(hproxy, conf):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(TIMEOUT)
        text = f"stop-time = 100ms\n[listen dns]\nlisten = udp://127.0.0.1:0\ntarget = udp://127.0.0.1:{server.getsockname()[1]}\n"
        proxy = hproxy("-c", conf(text))
        with proxy.connect() as client:
            for i in range(5):
                client.send(b"ask%d" % i)
                data, peer = server.recvfrom(100)
                assert data == b"ask%d" % i
                server.sendto(b"answer%d" % i, peer)
                assert client.recv(100) == b"answer%d" % i
                assert "serves" in proxy.reload()
        proxy.stop()


def test_drain_timeout_ends_what_is_left(hproxy, conf, target):
    one = target("A")
    proxy = hproxy("-c", conf(service([one], top="drain-timeout = 200ms\n")))
    (worker,) = proxy.workers()
    with proxy.connect() as sock:
        assert exchange(sock, b"x")
        proxy.reload()
        assert is_cut(sock)
    wait_until(lambda: not alive(worker), "the old worker's end")
    proxy.stop()


def test_a_stop_gives_connections_their_time(hproxy, conf, target):
    one = target("A")
    proxy = hproxy("-c", conf(service([one], top="stop-time = 30s\n")))
    with proxy.connect() as sock:
        assert exchange(sock, b"x")
        proxy.process.signal(signal.SIGTERM)
        wait_until(lambda: not proxy.process.running() or refuses(proxy), "nobody listens any more")
        assert exchange(sock, b"still served")
    assert proxy.process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_stop_by_the_terminal_leaves_no_files(hproxy, lab, target, number):
    """Which tells it to the whole group: the workers wait for their master's word."""
    files = [lab.path("s"), lab.path("pid")]
    proxy = hproxy("--pid-file", files[1], "--stop-time=10m", f"unix:{files[0]}", target("A").address,
                   start_new_session=True)
    proxy.workers()
    with proxy.connect() as sock:
        assert exchange(sock, b"x")
        os.killpg(proxy.pid, number)
        wait_until(lambda: not os.path.exists(files[0]), "nobody listens any more")
        assert exchange(sock, b"still served")
    assert proxy.process.wait() == 0
    assert not any(map(os.path.exists, files))
    assert "killed" not in proxy.process.err()


def is_cut(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def refuses(proxy):
    try:
        proxy.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def test_a_stop_ends_what_does_not_end(hproxy, conf, target):
    one = target("A")
    proxy = hproxy("-c", conf(service([one], top="stop-time = 100ms\n")))
    with proxy.connect() as sock:
        assert exchange(sock, b"x")
        proxy.stop()
        assert is_cut(sock)


def test_the_certificate_of_a_self_signed_service_stays(hproxy, conf, target):
    one = target("A")
    text = f"[listen web]\nlisten = tls://127.0.0.1:0\ntls-self-signed = yes\ntarget = {one.address}\n"
    proxy = hproxy("-c", conf(text + "idle-timeout = 1m\n"))
    certificates = set()
    for i in range(3):
        with proxy.connect() as sock:
            certificates.add(sock.getpeercert(binary_form=True))
            assert exchange(sock, b"x")
        conf(text + f"idle-timeout = {i + 2}m\n")
        assert "serves" in proxy.reload()
    assert len(certificates) == 1 and "self-signed certificate, " in proxy.process.err()
    proxy.stop()


def test_log_files_are_opened_anew(hproxy, lab, conf, target):
    log, access, one = lab.folder / "log", lab.folder / "access", target("A")
    top = f"log-file = {log}\naccess-log = {access}\n"
    port = lab.port()
    path = conf(f"{top}[listen web]\nlisten = 127.0.0.1:{port}\ntarget = {one.address}\n")
    process = lab.spawn("hproxy", "-c", path)
    wait_until(lambda: log.exists() and "serving" in log.read_text(), "it serves")
    for number in range(2):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            assert exchange(sock, b"x")
        wait_until(lambda: access.exists() and access.read_text().count("\n") == 1, "the line of the connection")
        os.rename(log, f"{log}.{number}")
        os.rename(access, f"{access}.{number}")
        process.signal(signal.SIGHUP)
        wait_until(lambda: log.exists() and "reloaded: " in log.read_text(), "the new log")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


# ---- sockets of others, rights ----


def test_sockets_of_systemd_are_told_by_their_names(lab, conf, target):
    one, two = target("A"), target("B")
    path = conf(f"[listen one]\nlisten = 127.0.0.1:1\ntarget = {one.address}\n"
                f"[listen two]\nlisten = 127.0.0.1:2\ntarget = {two.address}\n")
    start = (
        "import fcntl, os, sys; high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3]];"
        "os.dup2(high[0], 3); os.dup2(high[1], 4);"
        "os.environ.update(LISTEN_FDS='2', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=sys.argv[3]);"
        "os.execv(sys.argv[4], sys.argv[4:])"
    )

    def spawn(names):
        with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
            ports = a.getsockname()[1], b.getsockname()[1]
            args = ["-c", start, str(a.fileno()), str(b.fileno()), names, lab.program("hproxy"), "-c", path]
            return lab.spawn(sys.executable, *args, pass_fds=[a.fileno(), b.fileno()]), ports

    process, ports = spawn("two:one")
    process.wait_err(f"serving 127.0.0.1:{ports[1]} as one")
    for port, name in zip(ports, (b"B", b"A")):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"x")
            assert sock.recv(9) == name + b":x"
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    process, _ = spawn("two:three")
    assert process.wait() == 1 and "a socket with the name 'three' (FileDescriptorName), but no [listen three]" in process.err()


def status_of(pid, field):
    with open(f"/proc/{pid}/status") as file:
        return re.search(rf"^{field}:\s+(\d+)", file.read(), re.M)[1]


@as_root
def test_workers_become_the_user_and_the_master_reads_the_keys(hproxy, tmp_path, target):
    """Which only root can read; --user's files are another's."""
    one = target("A")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        pem = os.path.join(folder, "own.pem")
        with open(pem, "w") as file:
            file.write("".join(open(path).read() for path in Pki(tmp_path).issue("own")))
        users = os.path.join(folder, "users")
        with open(users, "w") as file:
            file.write("joe:{PLAIN}x\n")
        path = os.path.join(folder, "conf")
        with open(path, "w") as file:
            file.write(f"user = nobody\n[listen web]\nlisten = tls://127.0.0.1:0\ntls-cert = {pem}\ntarget = {one.address}\n"
                       f"[listen forward]\nlisten = 127.0.0.1:0\nsocks = yes\nauth-file = {users}\n")
        proxy = hproxy("-c", path, listeners=2)
        (worker,) = proxy.workers()
        wait_until(lambda: status_of(worker, "Uid") == "65534", "it has become nobody")
        assert proxy.ask() == b"A:ping"
        assert status_of(proxy.pid, "Uid") == "0" and status_of(worker, "NoNewPrivs") == "1"
        assert "serves" in proxy.reload()
        assert proxy.ask() == b"A:ping"
        (worker,) = proxy.workers()
        proxy.process.signal(signal.SIGKILL)
        wait_until(lambda: not alive(worker), "the worker ends with its master")
