"""hhttpd as a service: -d and -s, reload, workers that die, logs."""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from conftest import TIMEOUT, wait_until
from hhttpd_lab import as_root, children, hhttpd, www  # noqa: F401


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---- the life of a server ----


def test_start_status_reload_restart_stop(lab, www):
    pid_file, log = lab.path("pid"), lab.folder / "log"
    args = ["-d", "--pid-file", pid_file, "--log-file", log, www, str(lab.port())]

    def action(name):
        process = lab.run("hhttpd", "-s", name, *args)
        return process.wait(), process.out().decode(), process.err()

    assert action("status")[0] == 3
    try:
        status, out, err = action("start")
        pid = int(open(pid_file).read())
        assert (status, out, err) == (0, f"hhttpd start/running, pid={pid}\n", "")
        assert action("status") == (0, f"hhttpd start/running, pid={pid}\n", "")
        assert action("reload")[0] == 0
        wait_until(lambda: "reloaded: generation 2 serves" in log.read_text(), "the reload")
        assert action("restart")[0] == 0
        new_pid = int(open(pid_file).read())
        assert new_pid != pid and not alive(pid) and alive(new_pid)
    finally:
        status, _, _ = action("stop")
    assert status == 0 and not alive(new_pid) and not os.path.exists(pid_file)
    assert action("status")[0] == 3


def test_a_second_server_with_the_same_pid_file_is_refused(lab, hhttpd, www):
    server = hhttpd("--pid-file", lab.path("pid"), www, "0")
    process = lab.run("hhttpd", "--pid-file", lab.path("pid"), www, "0")
    assert process.wait() == 1 and f"{server.pid}" in process.err()
    server.stop()


def test_a_daemon_that_cannot_start_says_why(lab, hhttpd, www):
    server = hhttpd(www, "0")
    process = lab.run("hhttpd", "-d", "--pid-file", lab.path("pid"), www, str(server.port))
    assert process.wait() == 1 and "Address already in use" in process.err()
    assert not os.path.exists(lab.path("pid"))
    server.stop()


def test_stop_works_with_a_broken_configuration(lab, www):
    conf, pid_file = lab.folder / "x.conf", lab.path("pid")
    conf.write_text(f"document_root = {www}\nport = {lab.port()}\n")
    assert lab.run("hhttpd", "-d", "-c", conf, "--pid-file", pid_file).wait() == 0
    conf.write_text("nonsense\n")
    process = lab.run("hhttpd", "-s", "stop", "-c", conf, "--pid-file", pid_file)
    assert process.wait() == 0, process
    assert not os.path.exists(pid_file)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_signals_that_stop(hhttpd, www, number):
    server = hhttpd(www, "0")
    server.workers()
    server.stop(number)
    assert server.refuses()


def test_a_stop_answers_what_was_asked(hhttpd, www):
    with open(www / "big", "wb") as file:
        file.truncate(64 << 20)
    server = hhttpd(www, "0")
    with server.connect() as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        size = len(sock.recv(1000))
        server.process.signal(signal.SIGTERM)
        wait_until(server.refuses, "no new connection is taken")
        while piece := sock.recv(1 << 20):
            size += len(piece)
    assert size > 64 << 20
    assert server.process.wait() == 0


def test_a_second_signal_stops_at_once(hhttpd, www):
    with open(www / "big", "wb") as file:
        file.truncate(64 << 20)
    server = hhttpd(www, "0")
    with server.connect() as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1000)
        workers = server.workers()
        server.process.signal(signal.SIGTERM)
        wait_until(server.refuses, "no new connection is taken")
        server.process.signal(signal.SIGTERM)
        assert server.process.wait() == 0
        wait_until(lambda: not any(alive(pid) for pid in workers), "the workers' end")


def test_nothing_is_left_when_the_master_is_killed(hhttpd, www):
    server = hhttpd(www, "0", "--workers", "2")
    workers = server.workers(2)
    server.process.signal(signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in workers), "the workers' end")


# ---- workers ----


def test_ps_tells_master_and_workers_apart(hhttpd, www):
    server = hhttpd(www, "0", "--workers", "2")

    def title(pid):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0").decode()

    wait_until(lambda: title(server.pid) == "hhttpd: master process", "the master's title")
    for pid in server.workers(2):
        wait_until(lambda pid=pid: title(pid) == "hhttpd: worker process", "a worker's title")
    server.stop()


def connections_of(pid, port):
    """How many connections to the port a process holds."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
        if found:
            inodes.add(found[1])
    rows = [line.split() for line in open(f"/proc/{pid}/net/tcp").readlines()[1:]]  # some twice while others come
    return len({r[9] for r in rows if r[1].endswith(f":{port:04X}") and r[3] == "01" and r[9] in inodes})


def test_a_crashed_worker_comes_back_and_no_other_connection_notices(hhttpd, www):
    own = dict(os.environ, ASAN_OPTIONS="handle_segv=0", TSAN_OPTIONS="handle_segv=0")  # signal 11 is signal 11
    server = hhttpd(www, "0", "--workers", "2", env=own)
    victim, other = server.workers(2)
    connections = [server.connection() for _ in range(32)]
    for connection in connections:
        connection.request("GET", "/a.txt")
        assert connection.getresponse().read() == b"some text\n"

    def held_by():
        counts = [connections_of(pid, server.port) for pid in (victim, other)]
        return sum(counts) == 32 and counts

    held = wait_until(held_by, "32 connections")[0]
    assert 0 < held < 32  # each has its own socket, and the kernel spreads connections
    os.kill(victim, signal.SIGSEGV)
    server.process.wait_err(f"worker 0 (pid {victim}) was killed by signal 11; a new one starts")
    lost = 0
    for connection in connections:
        try:
            connection.request("GET", "/a.txt")
            assert connection.getresponse().read() == b"some text\n"
        except OSError:
            lost += 1
    assert lost == held
    for _ in range(20):
        assert server.get("/a.txt").status == 200
    assert victim not in server.workers(2)
    server.stop()


def test_a_worker_may_have_as_many_connections_as_it_is_allowed(hhttpd, www):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    server = hhttpd(www, "0", preexec_fn=few)
    connections = [server.connection() for _ in range(150)]
    for connection in connections:
        connection.request("GET", "/a.txt")
        assert connection.getresponse().read() == b"some text\n"
    server.stop()


def test_what_is_shed_for_want_of_descriptors_is_told(hhttpd, www):
    server = hhttpd(www, "0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        wait_until(lambda: "Too many open files" in server.process.err(), "the word about it")
    assert ": connection shed" in server.process.err()
    server.stop()


def test_threads_serve_and_stop(hhttpd, www):
    server = hhttpd(www, "0", "--threads", "3")
    (worker,) = server.workers()
    wait_until(lambda: len(os.listdir(f"/proc/{worker}/task")) >= 3, "three threads")
    connections = [server.connection() for _ in range(20)]
    for connection in connections * 2:
        connection.request("GET", "/a.txt")
        assert connection.getresponse().read() == b"some text\n"
    server.stop()


# ---- reload ----


@pytest.fixture
def conf(lab, www):
    """Writes the configuration: conf(text); its path is conf.path."""

    class Conf:
        path = lab.folder / "x.conf"

        def __call__(self, text, port="127.0.0.1:0"):
            self.path.write_text(f"listen = {port}\ndocument_root = {www}\n{text}")

    return Conf()


def test_a_reload_takes_the_new_configuration(hhttpd, www, conf):
    conf("home_page = a.txt\n")
    server = hhttpd("-c", conf.path)
    assert server.get("/").text == "some text\n"
    (old,) = server.workers()
    conf("home_page = index.html\n")
    assert "reloaded: generation 2 serves" in server.reload()
    wait_until(lambda: server.get("/").text == "<h1>home</h1>\n", "the new home page")
    wait_until(lambda: not alive(old), "the end of the old worker")
    server.stop()


def test_a_broken_configuration_is_not_taken(hhttpd, www, conf):
    conf("home_page = a.txt\n")
    server = hhttpd("-c", conf.path)
    (old,) = server.workers()
    for text, why in [
        ("home_page = index.html\nnonsense\n", "neither a [section] nor KEY = VALUE"),
        ("document_root = /nosuch\n", "duplicate key"),
        ("[host x]\ndocument_root = /nosuch\n", "No such file or directory"),
        ("https_port = 0\n", "TLS needs a certificate"),
    ]:
        conf(text)
        said = server.reload()
        assert why in said and "the old one stays" in said
    conf("", port="192.0.2.1:80")
    assert "no network interface has this address" in server.reload()
    assert server.get("/").text == "some text\n"
    assert server.workers() == [old]
    server.stop()


def test_a_reload_opens_and_closes_end_points(hhttpd, lab, www, conf):
    first, second, third = lab.port(), lab.port(), lab.path("s")
    conf("", port=f"127.0.0.1:{first} unix:{third}")
    server = hhttpd("-c", conf.path, listeners=2)
    conf("", port=f"127.0.0.1:{first} 127.0.0.1:{second}")
    server.reload()
    lab.wait_bound(second)
    assert not os.path.exists(third)
    conf("", port=f"127.0.0.1:{second}")
    server.reload()
    wait_until(server.refuses, "the first port is closed")
    socket.create_connection(("127.0.0.1", second)).close()
    server.stop()


def test_old_connections_are_answered_and_then_told_to_go(hhttpd, www, conf):
    with open(www / "big", "wb") as file:
        file.truncate(64 << 20)
    conf("")
    server = hhttpd("-c", conf.path)
    (old,) = server.workers()
    with server.connect() as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        size = len(sock.recv(1000))
        server.reload()
        assert alive(old)
        assert server.get("/a.txt").text == "some text\n"
        while piece := sock.recv(1 << 20):
            size += len(piece)
    assert size > 64 << 20
    wait_until(lambda: not alive(old), "the end of the old worker")
    server.stop()


def test_a_drain_has_its_limit(hhttpd, www, conf):
    with open(www / "big", "wb") as file:
        file.truncate(64 << 20)
    conf("drain_timeout = 200\n")
    server = hhttpd("-c", conf.path)
    (old,) = server.workers()
    with server.connect() as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1000)
        server.reload()
        wait_until(lambda: not alive(old), "the end of the old worker")
    server.stop()


def test_reloads_lose_no_request(hhttpd, www, conf):
    """Clients that open a connection for each request, and ones that keep theirs as long as they may."""
    conf("worker_processes = 2\n")
    server = hhttpd("-c", conf.path)
    done, failures, counts = threading.Event(), [], [0, 0]

    def single():
        while not done.is_set():
            assert server.get("/a.txt").text == "some text\n"
            counts[0] += 1

    def kept():
        connection = server.connection()
        while not done.is_set():
            connection.request("GET", "/a.txt")
            answer = connection.getresponse()
            assert answer.read() == b"some text\n"
            counts[1] += 1
            if answer.will_close:
                connection.close()
                connection = server.connection()

    def guarded(run):
        try:
            run()
        except Exception as error:  # noqa: BLE001 any failure is one of the server
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=[run]) for run in (single, single, kept, kept)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            before = list(counts)
            server.reload()
            wait_until(lambda: failures or all(c > b for c, b in zip(counts, before)), "requests go on")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    wait_until(lambda: len(children(server.pid)) == 2, "the old workers have gone")
    server.stop()


# ---- logs ----


def test_the_log_file_and_its_reopening(hhttpd, lab, www):
    log, access = lab.folder / "log", lab.folder / "access"
    process = lab.spawn("hhttpd", "--log-file", log, f"--access-log={access}", "--log-format", "json", www, "0")
    wait_until(lambda: log.exists() and "serving" in log.read_text(), "the log")
    port = int(re.search(r"http://127.0.0.1:(\d+)/", log.read_text())[1])
    assert re.match(r"\d{4}-\d\d-\d\dT\S+ INFO serving ", log.read_text())

    def get():
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
        while sock.recv(1000):
            pass
        sock.close()

    get()
    wait_until(lambda: access.read_text().count("\n") == 1, "a line for the request")
    os.rename(log, lab.path("log.1"))
    os.rename(access, lab.path("access.1"))
    process.signal(signal.SIGHUP)
    wait_until(lambda: log.exists() and "generation 2" in log.read_text(), "the new log")
    # The old worker may take a few more, and writes them where it has always done so.
    wait_until(lambda: get() or access.read_text(), "a line in the new file")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_the_access_log_on_stdout(hhttpd, lab, www):
    server = hhttpd("--access-log", "--log-format", "json", www, "0")
    server.get("/a.txt", User_Agent='x"y')
    server.get("/nosuch")
    server.process.wait_out(b"nosuch")
    lines = [json.loads(line) for line in server.process.out().splitlines()]
    assert [line["status"] for line in lines] == [200, 404]
    server.stop()


# ---- sockets of others, rights ----


def test_sockets_of_systemd(lab, www):
    """LISTEN_FDS, as systemd-socket-activate sets it."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    start = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    process = lab.spawn(
        sys.executable,
        *("-c", start, str(listener.fileno()), lab.program("hhttpd"), www, "127.0.0.1:1"),
        pass_fds=[listener.fileno()],
    )
    listener.close()
    process.wait_err(f"on http://127.0.0.1:{port}/")
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.fixture
def public(tmp_path_factory):
    """A folder that everybody can enter, which pytest's own are not."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder


def uid_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"^Uid:\s+(\d+)", file.read(), re.M)[1])


@as_root
def test_workers_become_the_user(hhttpd, public):
    with open(f"{public}/x", "w") as file:
        file.write("x")
    with open(f"{public}/secret", "w") as file:
        file.write("x")
    os.chmod(f"{public}/secret", 0o600)
    server = hhttpd("--user", "nobody", public, "0")
    assert server.get("/x").text == "x"
    assert server.get("/secret").status in (403, 404)
    (worker,) = server.workers()
    assert uid_of(worker) == 65534 and uid_of(server.pid) == 0
    server.process.signal(signal.SIGKILL)
    wait_until(lambda: not alive(worker), "the worker ends with its master")


@as_root
def test_chroot(hhttpd, lab, public):
    os.mkdir(f"{public}/www")
    with open(f"{public}/www/x", "w") as file:
        file.write("x")
    server = hhttpd("--chroot", public, "--user", "nobody", f"{public}/www", "0")
    assert server.get("/x").text == "x"
    (worker,) = server.workers()
    assert os.readlink(f"/proc/{worker}/root") == public
    server.stop()
    process = lab.run("hhttpd", "--chroot", f"{public}/www", "-t", public)
    assert process.wait() == 2 and f"{public} is not below the new root {public}/www" in process.err()


def test_an_unknown_user_is_told(lab, www):
    process = lab.run("hhttpd", "--user", "nosuchuser", www, "0")
    assert process.wait() == 1 and process.err() == "hhttpd: unknown user 'nosuchuser'\n"


def test_a_connection_is_idle_after_a_large_answer_too(hhttpd, www):
    with open(www / "big", "wb") as file:
        file.truncate(64 << 20)
    server = hhttpd(www, "0", "--keepalive-timeout", "500ms")
    with server.connect() as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        size, last = 0, b""
        while piece := sock.recv(1 << 20):
            size += len(piece)
            last = piece
    assert size > 64 << 20 and not last.endswith(b"</html>\n")  # no 408
    server.stop()


def rotated(folder, name):
    """The files that were moved away."""
    return sorted(path for path in folder.iterdir() if re.fullmatch(name + r"\.\d{8}-\d{6}", path.name))


def test_a_log_that_is_large_is_moved(lab, hhttpd, www, conf):
    log, access = lab.folder / "log", lab.folder / "access"
    conf(f"access_log = {access}\nlog_filesize = 1k\nlogfile = {log}\n")
    process = lab.spawn("hhttpd", "-c", conf.path)
    wait_until(lambda: log.exists() and "serving" in log.read_text(), "the server")
    assert rotated(lab.folder, "log") == []
    log.write_text(log.read_text() + "x" * 1024 + "\n")
    process.signal(signal.SIGHUP)
    wait_until(lambda: log.exists() and "generation 2" in log.read_text(), "the new log")
    (old,) = rotated(lab.folder, "log")
    assert "xxx\n" in old.read_text() and "xxx\n" not in log.read_text()
    assert rotated(lab.folder, "access") == []
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_a_log_of_another_day_is_moved_and_old_ones_are_removed(lab, www, conf):
    log = lab.folder / "log"
    day = 24 * 3600
    for name, days in [("log", 1), ("log.20261101-000000", 2), ("log.20261001-000000", 9), ("log.other", 9)]:
        (lab.folder / name).write_text("old\n")
        os.utime(lab.folder / name, (time.time() - days * day,) * 2)
    conf(f"log_remain_days = 3\nlogfile = {log}\n")
    process = lab.spawn("hhttpd", "-c", conf.path)
    wait_until(lambda: log.exists() and "serving" in log.read_text(), "the server")
    assert "old" not in log.read_text()
    names = [path.name for path in rotated(lab.folder, "log")]
    assert len(names) == 2 and names[0] == "log.20261101-000000"
    assert (lab.folder / "log.other").exists()
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_reload_tells_the_caller_of_mistakes_too(lab, www, conf):
    conf("", port=f"127.0.0.1:{lab.port()}")
    pid_file = lab.path("pid")
    assert lab.run("hhttpd", "-d", "-c", conf.path, "--pid-file", pid_file).wait() == 0
    conf("nonsense\n")
    process = lab.run("hhttpd", "-s", "reload", "-c", conf.path, "--pid-file", pid_file)
    assert process.wait() == 2 and "x.conf:3: neither a [section] nor KEY = VALUE" in process.err()
    assert lab.run("hhttpd", "-s", "stop", "--pid-file", pid_file).wait() == 0


def test_a_reload_changes_the_number_of_workers(hhttpd, www, conf):
    conf("")
    server = hhttpd("-c", conf.path)
    for processes, threads in [(4, 1), (1, 3), (2, 2), (1, 1)]:
        conf(f"worker_processes = {processes}\nworker_threads = {threads}\n")
        server.reload()
        server.workers(processes)
        assert [server.get("/a.txt").status for _ in range(20)] == [200] * 20
    server.stop()


def test_several_workers_from_the_start_and_fewer_later(hhttpd, www, conf):
    """Each has a socket of its own; those of workers that are no more are served by the others."""
    conf("worker_processes = 4\n")
    server = hhttpd("-c", conf.path)
    for processes in (1, 3, 6):
        conf(f"worker_processes = {processes}\n")
        server.reload()
        server.workers(processes)
        assert [server.get("/a.txt").status for _ in range(40)] == [200] * 40
    server.stop()


def test_a_port_that_several_workers_share_is_taken_all_the_same(hhttpd, lab, www):
    server = hhttpd(www, "0", "--workers", "2")
    for workers in ("1", "2"):
        process = lab.run("hhttpd", www, str(server.port), "--workers", workers)
        assert process.wait() == 1 and "Address already in use; choose another port" in process.err()
    server.stop()


def test_a_reload_turns_a_port_to_tls(hhttpd, www, conf):
    conf("")
    server = hhttpd("-c", conf.path)
    assert server.get("/a.txt").status == 200
    conf("tls_self_signed = yes\n")
    server.reload()

    def speaks_tls():
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with context.wrap_socket(server.connect()) as sock:
                sock.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
                return sock.recv(1000).startswith(b"HTTP/1.1 200")
        except OSError:  # the old worker took this one
            return False

    wait_until(speaks_tls, "TLS on the port")
    server.stop()


@as_root
def test_what_the_user_cannot_read_is_refused_before_anybody_serves(hhttpd, lab, public, conf):
    os.mkdir(f"{public}/mine", 0o700)
    os.mkdir(f"{public}/all", 0o755)
    with open(f"{public}/all/x", "w") as file:
        file.write("x")
    for args in (["-t"], []):
        process = lab.run("hhttpd", *args, "--user", "nobody", f"{public}/mine", "0")
        assert process.wait() == (2 if args else 1)
        assert process.err() == f"hhttpd: {public}/mine: Permission denied\n"
    text = "listen = 127.0.0.1:0\nuser = nobody\n"
    conf.path.write_text(f"{text}document_root = {public}/all\n")
    server = hhttpd("-c", conf.path)
    conf.path.write_text(f"{text}document_root = {public}/mine\n")
    said = server.reload()
    assert "Permission denied" in said and "the old one stays" in said
    assert server.get("/x").text == "x"
    server.stop()


@pytest.mark.parametrize("headers", [[], ["-H", "Connection: close"]])
def test_fifty_reloads_under_wrk_lose_no_request(hhttpd, lab, www, conf, headers):
    conf("worker_processes = 2\n")
    server = hhttpd("-c", conf.path)
    load = lab.spawn("wrk", "-t1", "-c30", "-d600", "--timeout", "60s", *headers, server.urls[0] + "a.txt")
    for _ in range(50):
        server.reload()
        assert load.running() and server.get("/a.txt").status == 200
    load.signal(signal.SIGINT)  # it tells what it has counted
    load.wait()
    text = load.out().decode()
    assert "Socket errors" not in text and "Non-2xx" not in text, text
    assert int(re.search(r"(\d+) requests in", text)[1]) > 100
    wait_until(lambda: len(children(server.pid)) == 2, "the old workers have gone")
    server.stop()
