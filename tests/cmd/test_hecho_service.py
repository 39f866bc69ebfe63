"""hecho as a service: its limits, its log, how it starts and stops, and bad input."""

import os
import re
import resource
import select
import shlex
import signal
import socket
import threading

import pytest

import examples
from conftest import TIMEOUT, stays_in_use, wait_until
from hecho_lab import SANITIZED, as_root, become_nobody, exchange, fill, json_lines, read_all, read_exactly
from hecho_lab import hecho, public_folder, public_hecho  # noqa: F401

MIB = 1 << 20


# ---- limits ----


@pytest.mark.parametrize("args", [[], ["--rot13"], ["--prefix", "> "]])
def test_a_client_that_never_reads_is_not_read_any_more(hecho, args):
    server = hecho(*args, "0")
    before = server.rss_kib()
    with server.connect() as sock:
        line = b"x" * 4095 + b"\n"
        sock.settimeout(1)
        sent = 0
        with pytest.raises(socket.timeout):
            while sent < 256 * MIB:
                sent += sock.send(line * 16)
        assert sent < 64 * MIB, "kernel buffers and a bounded queue"
        if not SANITIZED:
            assert server.rss_kib() - before < 2048
        sock.settimeout(TIMEOUT)
        wanted = server.ask_summary()["bytes_out"]
        assert len(read_exactly(sock, wanted)) == wanted, "and goes on when it reads"
        sock.sendall(b"again\n")


def test_100_clients_that_never_read_cost_a_bounded_amount_of_memory(hecho):
    server = hecho("--chargen", "0")
    before = server.rss_kib()
    socks = [server.connect() for _ in range(100)]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)  # other tests want some of the kernel's, too
        read_exactly(sock, 1000)
    assert server.ask_summary()["open"] == 100
    if not SANITIZED:
        assert server.rss_kib() - before < 100 * 64, "the pattern is not copied"
    for sock in socks:
        sock.close()


def test_max_conns_closes_further_ones_and_counts_them(hecho):
    server = hecho("-v", "--max-conns", "2", "0")
    first, second = server.connect(), server.connect()
    for sock in (first, second):
        sock.sendall(b"served")
        assert read_exactly(sock, 6) == b"served"
    with server.connect() as third:
        assert read_all(third) == b""
    first.close()
    wait_until(lambda: server.ask_summary()["open"] == 1, "room for one")
    with server.connect() as fourth:
        assert exchange(fourth, b"served") == b"served"
    second.close()
    summary = server.stop()
    assert (summary["connections"], summary["refused"]) == (3, 1)
    assert " refused: 2 connections are open\n" in server.process.err()


def test_idle_timeout_closes_the_silent_and_nobody_else(hecho):
    server = hecho("-v", "--idle-timeout", "500ms", "0")

    def busy_outlives_silent():
        with server.connect() as silent, server.connect() as busy:

            def exchange():
                busy.sendall(b"x")
                return busy.recv(1) == b"x"

            done = lambda: select.select([silent], [], [], 0)[0]  # noqa: E731
            return stays_in_use(exchange, done, 0.5) and silent.recv(1) == b""

    wait_until(busy_outlives_silent, "the silent one is closed, the other is not")
    server.process.wait_err("closed: idle, 0 bytes in")


def few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def test_out_of_descriptors_it_sheds_and_recovers(hecho):
    server = hecho("0", preexec_fn=few_files)
    socks = [server.connect() for _ in range(60)]
    shed = 0
    for sock in socks:
        sock.sendall(b"x")
        try:
            shed += sock.recv(1) == b""
        except ConnectionResetError:
            shed += 1
    assert 20 < shed < 60
    server.process.wait_err("Too many open files")
    for sock in socks:
        sock.close()
    wait_until(lambda: server.ask_summary()["open"] == 0, "all are closed")
    with server.connect() as sock:
        assert exchange(sock, b"again") == b"again"
    assert server.stop()["shed"] == shed


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs all the address space there is")
@pytest.mark.parametrize("args", [[], ["--prefix", "> "]])
def test_out_of_memory_costs_connections_and_nothing_else(hecho, args):
    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (16 * MIB, 16 * MIB))

    server = hecho("-v", *args, "0", preexec_fn=little_memory)
    socks = []
    told = lambda: "closed: Cannot allocate memory" in server.process.err()  # noqa: E731
    while not told() and len(socks) < 500:
        sock = server.connect()
        socks.append(sock)
        sock.setblocking(False)
        try:
            while True:
                sock.send(b"x" * 60_000 + b"\n")
        except OSError:
            pass  # it takes no more, or was closed
    wait_until(told, "a connection is closed for want of memory")
    for sock in socks:
        sock.close()
    wait_until(lambda: server.ask_summary()["open"] == 0, "all are closed")
    with server.connect() as sock:
        assert exchange(sock, b"again\n").endswith(b"again\n")
    server.stop()


# ---- the log ----


def test_access_lines_tell_peer_bytes_time_and_cause(hecho):
    server = hecho("-v", "0")
    with server.connect() as sock:
        peer = "127.0.0.1:%d" % sock.getsockname()[1]
        exchange(sock, b"12345")
    server.stop()
    assert f"hecho: {peer} connected to {server.urls[0]}\n" in server.process.err()
    assert re.search(
        rf"^hecho: {re.escape(peer)} closed: end of data, 5 bytes in, 5 bytes out, \d+\.\d{{3}} s$",
        server.process.err(),
        re.M,
    )


def test_a_reset_by_the_client_is_told_as_the_cause(hecho):
    server = hecho("-v", "0")
    with server.connect() as sock:
        sock.sendall(b"x")
        read_exactly(sock, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.process.wait_err("closed: Connection reset by peer")


@pytest.mark.parametrize("args", [["--json"], ["--log-format", "json"], ["--log-format=json"]])
def test_json_log_is_one_object_a_line(lab, args):
    path = lab.path("json.sock")
    process = lab.spawn("hecho", "-vv", *args, f"unix:{path}", f"unixgram:{path}.d")
    wait_until(lambda: process.err().count("listening") == 2, "listening")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        exchange(sock, b"12345")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f'{path}."\\')  # a name that JSON has to escape
        sock.sendto(b"123", path + ".d")
        assert sock.recv(10) == b"123"
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    lines = json_lines(process.err())
    assert [line["event"] for line in lines] == ["listening", "listening", "connect", "close", "datagram", "summary"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    assert lines[3]["bytes_in"] == lines[3]["bytes_out"] == 5
    assert lines[3]["cause"] == "end of data" and lines[3]["duration_s"] >= 0
    assert lines[4]["peer"] == f'unix:{path}."\\'
    assert (lines[5]["connections"], lines[5]["datagrams"], lines[5]["bytes_out"]) == (1, 1, 8)


def test_without_v_only_the_listeners_and_the_summary_are_told(hecho):
    server = hecho("0")
    with server.connect() as sock:
        exchange(sock, b"x")
    server.stop()
    assert len(server.process.err().splitlines()) == 2
    assert server.process.out() == b""


@pytest.mark.parametrize("args", [[], ["--workers", "2"]])
def test_log_file_is_opened_anew_by_reload(lab, args):
    log, moved, path = lab.path("log"), lab.path("log.1"), lab.path("s")
    process = lab.spawn("hecho", "-v", *args, "--log-file", log, f"unix:{path}")
    # Not the path: it is there before signals are watched.
    wait_until(lambda: os.path.exists(log) and "listening" in open(log).read(), "listening")
    os.rename(log, moved)
    process.signal(signal.SIGHUP)
    wait_until(lambda: os.path.exists(log), "a new log file")

    def serve_one():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            assert exchange(sock, b"x") == b"x"
        return " connected to " in open(log).read()

    wait_until(serve_one, "a line in the new file (a worker may not have heard of it at once)")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert "listening" in open(moved).read() and "listening" not in open(log).read()
    assert re.search(r"^\d{4}-\d\d-\d\dT\S+ unix: connected to ", open(log).read(), re.M)
    assert process.err() == ""


# ---- stopping ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_stopping_ends_idle_connections_and_tells_the_summary(hecho, number):
    server = hecho("0")
    with server.connect() as sock:
        sock.sendall(b"12345")
        assert read_exactly(sock, 5) == b"12345"
        summary = server.stop(number)
        assert read_all(sock) == b""
    assert (summary["connections"], summary["open"], summary["bytes_in"]) == (1, 0, 5)


def test_stopping_sends_what_is_queued_first(hecho):
    server = hecho("0")
    with server.connect() as sock:
        sent = fill(sock, 256 * MIB)
        queued = server.ask_summary()["bytes_out"]
        assert 0 < queued <= sent
        server.process.signal(signal.SIGTERM)
        answer = read_all(sock)
    assert server.process.wait() == 0
    assert queued <= len(answer) == server.summary()["bytes_out"]


def test_stopping_resets_nobody_who_is_still_sending(hecho):
    server = hecho("-v", "0")
    done = threading.Event()

    def send_on(sock):
        try:
            while not done.is_set():
                sock.sendall(b"x" * 16384)
        except OSError:
            pass

    with server.connect() as sock:
        sender = threading.Thread(target=send_on, args=[sock])
        sender.start()
        received = len(read_exactly(sock, MIB))
        server.process.signal(signal.SIGTERM)
        received += len(read_all(sock))
        done.set()
        sender.join(TIMEOUT)
    assert server.process.wait() == 0
    assert received == server.summary()["bytes_out"]
    assert "answers lost" not in server.process.err(), "the client was told to end"


def test_stopping_does_not_wait_for_ever_for_a_client_that_never_reads(hecho):
    server = hecho("-v", "0")
    with server.connect() as sock:
        fill(sock, 256 * MIB)
        server.stop()
    assert "closed: stopped, answers lost" in server.process.err()


def test_a_second_signal_stops_at_once(hecho):
    server = hecho("0")
    with server.connect() as sock:
        fill(sock, 256 * MIB)
        server.process.signal(signal.SIGTERM)
        wait_until(server.refuses, "no new connections")
        server.process.signal(signal.SIGTERM)
        assert server.process.wait() == 0


def test_a_unix_path_is_removed_at_the_end_and_a_stale_one_replaced(hecho, tmp_path):
    path = f"{tmp_path}/s"
    server = hecho(f"unix:{path}")
    server.process.signal(signal.SIGKILL)
    server.process.wait()
    wait_until(server.refuses, "the kernel has closed it, which io_uring delays")
    assert os.path.exists(path)
    server = hecho(f"unix:{path}")
    with server.connect() as sock:
        assert exchange(sock, b"x") == b"x"
    server.stop()
    assert not os.path.exists(path)


def test_status_and_stop_find_it_by_its_pid_file(hecho, lab):
    pid_file = lab.path("pid")
    server = hecho("--pid-file", pid_file, "0")
    assert int(open(pid_file).read()) == server.pid
    assert lab.run("hecho", "-s", "status", "--pid-file", pid_file).wait() == 0
    assert lab.run("hecho", "-s", "reload", "--pid-file", pid_file).wait() == 0
    assert exchange(server.connect(), b"alive") == b"alive"
    second = lab.run("hecho", "--pid-file", pid_file, "0")
    assert second.wait() == 1 and "already running" in second.err()
    assert lab.run("hecho", "-s", "stop", "--pid-file", pid_file).wait() == 0
    assert server.process.wait() == 0
    assert lab.run("hecho", "-s", "status", "--pid-file", pid_file).wait() == 3
    assert not os.path.exists(pid_file)


def test_a_server_of_another_pid_namespace_is_told_as_running(hecho, lab):
    pid_file = lab.path("pid")
    elsewhere = ["-r", "-p", "-f", lab.program("hecho"), "--pid-file", pid_file]
    if lab.run("unshare", "-r", "-p", "-f", "true").wait() != 0:
        pytest.skip("no namespaces here")
    server = hecho("--pid-file", pid_file, "0")
    status = lab.run("unshare", *elsewhere, "-s", "status")
    assert status.wait() == 0
    assert status.out() == b"hecho start/running, in another PID namespace\n"
    for args in (["-s", "stop"], ["-s", "reload"], ["0"]):
        refused = lab.run("unshare", *elsewhere, *args)
        assert refused.wait() == 1 and "in another PID namespace" in refused.err()
    assert exchange(server.connect(), b"alive") == b"alive"
    server.stop()


def test_a_daemon_serves_when_the_command_returns(lab):
    path, pid_file, log = lab.path("s"), lab.path("pid"), lab.path("log")
    try:
        assert lab.run("hecho", "-d", "--pid-file", pid_file, "--log-file", log, f"unix:{path}").wait() == 0
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            assert exchange(sock, b"x") == b"x"
    finally:
        stopped = lab.run("hecho", "-s", "stop", "--pid-file", pid_file)
    assert stopped.wait() == 0
    assert "1 connections" in open(log).read()
    assert not os.path.exists(path)


def test_a_daemon_that_cannot_listen_says_so_and_fails(lab):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = lab.run("hecho", "-d", "--pid-file", lab.path("pid"), str(port))
    assert result.wait() == 1
    assert result.err() == f"hecho: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert not os.path.exists(lab.path("pid"))


# ---- bad input ----

USAGE = {
    "no end point": ([], "no end point"),
    "a port past 65535": (["70000"], '"70000"'),
    "not a port": (["127.0.0.1:x y"], "x y"),
    "no port": (["127.0.0.1"], "127.0.0.1"),
    "an empty path": (["unix:"], "without a name"),
    "a path that is too long": (["unix:/" + "x" * 200], "x"),
    "tls": (["tls://7"], "tls://7: TLS end points are not supported"),
    "an unknown option": (["--nosuch", "7"], "--nosuch"),
    "no workers": (["--workers", "0", "7"], "--workers"),
    "not a number": (["--max-conns", "many", "7"], "many"),
    "not a time": (["--idle-timeout", "soon", "7"], "soon"),
    "a time that is too long": (["--idle-timeout", "30d", "7"], "--idle-timeout"),
    "not a format": (["--log-format", "xml", "7"], "xml"),
    "two ways to answer": (["--prefix", "x", "--rot13", "7"], "--prefix"),
    "a prefix that is too long": (["--prefix", "x" * 1025, "7"], "--prefix"),
    "too many end points": (["0"] * 65, "too many"),
}


@pytest.mark.parametrize("what", USAGE)
def test_bad_usage_is_one_line_and_status_2(lab, what):
    args, text = USAGE[what]
    result = lab.run("hecho", *args)
    assert result.wait() == 2
    assert result.err().startswith("hecho: ") and text in result.err()
    assert result.err().count("\n") <= 2 and result.out() == b""


def fails(lab, *args, program="hecho", **options):
    """One line on stderr, which is returned without the program's name; exit status 1."""
    result = lab.run(program, *args, **options)
    assert result.wait() == 1, result
    assert re.fullmatch(r"hecho: [^\n]+\n", result.err()), result
    return result.err()[len("hecho: ") : -1]


def test_an_address_in_use_is_named_and_nothing_is_half_done(lab):
    path = lab.path("s")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = fails(lab, f"unix:{path}", "0", str(port))
    assert text == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert not os.path.exists(path)


def test_a_name_that_does_not_resolve_is_named(lab):
    assert fails(lab, "no-such-host.invalid:7").startswith("cannot listen on no-such-host.invalid:7: ")


def test_a_path_that_is_no_stale_socket_stays_untouched(lab):
    path = lab.path("file")
    with open(path, "w") as file:
        file.write("precious")
    for scheme in ("unix", "unixgram"):
        assert fails(lab, f"{scheme}:{path}") == f"cannot listen on {scheme}:{path}: Address already in use"
    assert open(path).read() == "precious"


def test_a_path_that_is_served_stays_with_its_server(hecho, lab):
    path = lab.path("s")
    server = hecho(f"unix:{path}")
    assert "Address already in use" in fails(lab, f"unix:{path}")
    with server.connect() as sock:
        assert exchange(sock, b"x") == b"x"


@as_root
def test_a_path_without_permission_is_named(lab, public_folder, public_hecho):
    text = fails(lab, f"unix:{public_folder}/s", program=public_hecho, preexec_fn=become_nobody)
    assert text == f"cannot listen on unix:{public_folder}/s: Permission denied"


@as_root
def test_a_privileged_port_is_named(lab, public_hecho):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as limit:
        if int(limit.read()) <= 9:
            pytest.skip("no port is privileged here")
    text = fails(lab, "9", program=public_hecho, preexec_fn=become_nobody)
    assert text == "cannot listen on 127.0.0.1:9: Permission denied"


def test_a_log_file_that_cannot_be_opened_is_named(lab):
    path = lab.path("missing/log")
    assert fails(lab, "--log-file", path, "0") == f"cannot open {path}: No such file or directory"


def test_out_of_descriptors_at_the_start_is_told(lab):
    def very_few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))

    text = fails(lab, *["udp://0"] * 10, preexec_fn=very_few_files)
    assert "Too many open files" in text


def test_a_log_that_nobody_reads_any_more_does_not_end_it(lab):
    """stderr is a pipe whose reader has gone: SIGPIPE must not kill the server."""
    path = lab.path("s")
    read_end, write_end = os.pipe()
    # The lab gives stderr a file; the program gets the pipe instead.
    process = lab.spawn(
        "hecho", "-v", f"unix:{path}", pass_fds=[write_end], preexec_fn=lambda: os.dup2(write_end, 2)
    )
    os.close(write_end)
    lab.wait_path(path)
    os.close(read_end)
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            assert exchange(sock, b"x") == b"x"
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_help_version_and_the_manual_agree(lab):
    for option in ("--help", "--version", "--help-man"):
        result = lab.run("hecho", option)
        assert result.wait() == 0 and b"hecho" in result.out()
    options = set(re.findall(r"--[a-z][a-z0-9-]+", lab.run("hecho", "--help").out().decode()))
    manual = lab.run("hecho", "--help-man").out().decode().replace("Fl \\-", "--").replace("\\-", "-")
    assert {"--chargen", "--workers", "--idle-timeout"} <= options
    assert all(option in manual for option in options)


def test_every_example_works_as_printed(lab):
    examples.need_namespaces(lab)
    lines = [shlex.split(line) for line in examples.lines(lab, "hecho")]
    servers = [args for args in lines if "-s" not in args and "-d" not in args]
    assert len(servers) >= 4
    for args in servers:
        process = lab.spawn("unshare", *examples.namespace(*args))
        process.wait_err("listening on ")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0, process
    start, stop = [shlex.join(args) for args in lines if "-s" in args or "-d" in args]
    both = lab.run("unshare", *examples.namespace("sh", "-c", f"cd / && {start} && {stop} && cat /tmp/hecho.log"))
    assert both.wait() == 0, both
    assert [line["event"] for line in json_lines(both.out().decode().split("\n", 1)[1])] == ["listening", "summary"]
