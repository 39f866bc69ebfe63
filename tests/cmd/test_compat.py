"""Programs written for libhv's C API build against the installed headers with pkg-config alone, and work.

The programs are in tests/cmd/compat; they use the API as the tutorials of libhv do.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess

import pytest
from conftest import ROOT, TIMEOUT, wait_until

PROGRAMS = ROOT / "tests" / "cmd" / "compat"
SAN = os.environ.get("SAN", "")
CC = shlex.split(os.environ.get("CC") or "cc")


class Installed:
    """The library as `make install` leaves it, and a compiler that knows of it by pkg-config only."""

    def __init__(self, prefix):
        self.prefix = prefix
        make = [
            *shlex.split(os.environ.get("MAKE") or "make"),
            *("--no-print-directory", "-s", "install", "DESTDIR=", f"PREFIX={prefix}"),
            *(f"SAN={SAN}", f"WERROR={os.environ.get('WERROR', '0')}"),
        ]
        done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=20 * TIMEOUT)
        assert done.returncode == 0, done.stdout + done.stderr

    def flags(self, *what):
        tool = shlex.split(os.environ.get("PKG_CONFIG") or "pkg-config")
        path = f"{self.prefix}/lib/pkgconfig:{os.environ.get('PKG_CONFIG_PATH', '')}"
        done = subprocess.run(
            [*tool, "--static", *what, "hnet"],
            env={**os.environ, "PKG_CONFIG_PATH": path},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
        return shlex.split(done.stdout)

    def cc(self, *args, compiler=CC):
        """Compiles without a warning."""
        argv = [*compiler, "-Wall", "-Wextra", "-Werror", *args]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr

    def build(self, name, *options, suffix=".c", compiler=CC):
        program = self.prefix / f"{name}{''.join(o for o in options)}"
        sanitize = [f"-fsanitize={SAN}"] if SAN else []
        source = PROGRAMS / f"{name}{suffix}"
        flags = self.flags("--cflags", "--libs")
        self.cc(*options, *sanitize, "-o", str(program), str(source), *flags, compiler=compiler)
        return program


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("usr"))


def spawn(lab, program, *args, **options):
    lab.program = lambda name: str(name)  # a path
    return lab.spawn(program, *args, **options)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def receive(peer, size):
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        assert part, "the connection ended"
        data += part
    return data


def assert_echoes(peer, data=b"hello\n"):
    peer.sendall(data)
    assert receive(peer, len(data)) == data


def test_every_header_stands_alone_in_c99_and_gnu17(installed):
    headers = sorted((installed.prefix / "include" / "hv").glob("*.h"))
    assert len(headers) >= 19
    for header in headers:
        for std in ("c99", "gnu17"):
            for include in (f"hv/{header.name}", header.name):
                source = installed.prefix / "alone.c"
                source.write_text(f'#include "{include}"\nint main(void) {{ return 0; }}\n')
                installed.cc(f"-std={std}", "-fsyntax-only", str(source), *installed.flags("--cflags"))


def test_the_version_program_builds_as_c99_and_the_logger_is_silent(installed, lab):
    program = installed.build("version", "-std=c99")
    folder = lab.folder / "empty"
    folder.mkdir()
    done = subprocess.run([program], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines()[:2] == [f"program={program}", f"folder={folder}"]
    assert re.fullmatch(r"version=\d+\.\d+\.\d+", done.stdout.splitlines()[2])
    assert list(folder.iterdir()) == []


def test_a_timer_fires_again_and_again(installed, lab):
    process = spawn(lab, installed.build("timer"))
    assert process.wait() == 0
    assert process.out().splitlines() == [b"fired 1 now", b"fired 2 now", b"fired 3 now"]


def test_the_tcp_server_echoes_and_tells_no_error_at_the_end(installed, lab):
    port = lab.port()
    server = spawn(lab, installed.build("tcp_server"), port)
    lab.wait_bound(port)
    with connect(port) as first, connect(port) as second:
        assert_echoes(first)
        assert_echoes(second, os.urandom(100_000))
    wait_until(lambda: server.out().count(b"closed error=0\n") == 2, "both are closed")


def test_the_tcp_client_may_write_to_a_connection_that_has_closed(installed, lab):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = spawn(lab, installed.build("tcp_client"), listener.getsockname()[1])
        listener.settimeout(TIMEOUT)
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(TIMEOUT)
            assert re.match(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", receive(peer, 19))
            peer.sendall(b"pong")
            client.wait_out(b"< pong\n")
        client.wait_out(b"closed fd=1\n")
        wait_until(lambda: client.out().count(b" -1\n") >= 10, "it writes on, in vain")
        assert client.running(), client.err()
        assert client.err() == ""


def test_datagrams_are_echoed_to_the_client(installed, lab):
    port = lab.port(kind=socket.SOCK_DGRAM)
    server = spawn(lab, installed.build("udp_server"), port)
    lab.wait_bound(port, "udp")
    client = spawn(lab, installed.build("udp_client"), port)
    assert client.wait() == 0
    assert re.fullmatch(rb"(< ping\n)+", client.out())  # it asks again while the answer is on its way
    pattern = rb"\[0\.0\.0\.0:%d\] <=> \[127\.0\.0\.1:\d+\] 4\n" % port
    wait_until(lambda: re.match(pattern, server.out()), "the server tells both addresses")


def end_process(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.mark.parametrize("pattern", ["PROCESSES", "THREADS", "ACCEPTOR"])
def test_a_server_with_several_workers_echoes(installed, lab, pattern):
    port = lab.port()
    server = spawn(lab, installed.build("workers", f"-D{pattern}"), port)
    try:
        lab.wait_bound(port)
        peers = [connect(port) for _ in range(12)]
        for peer in peers:
            assert_echoes(peer)
        for peer in peers:
            peer.close()
        wait_until(lambda: server.out().count(b"closed error=0\n") == 12, f"12 are closed: {server}")
        served = re.findall(rb"pid=(\d+) tid=(\d+) \[127\.0\.0\.1:%d\] <= \[127" % port, server.out())
        assert len(served) == 12
        pids = {int(pid) for pid, _ in served}
        if pattern == "PROCESSES":
            assert server.pid not in pids
        else:
            assert pids == {server.pid}
        if pattern == "ACCEPTOR":
            assert len({tid for _, tid in served}) == 3
    finally:
        for pid in re.findall(rb"worker=(\d+)\n", server.out()):
            end_process(int(pid))


def test_the_other_names_do_what_programs_expect(installed, lab):
    process = spawn(lab, installed.build("names"), lab.path("log"))
    assert process.wait() == 0, process.err()
    assert b"Memcheck => alloc:" in process.out()
    line = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ERROR to a file \[names\.c:\d+:check_log\]\n"
    with open(lab.path("log"), "rb") as log:
        assert re.fullmatch(line, log.read())


def test_a_program_in_cplusplus_builds_and_works(installed, lab):
    compiler = shlex.split(os.environ.get("CXX") or "g++")
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not installed")
    process = spawn(lab, installed.build("cplusplus", "-std=gnu++17", suffix=".cpp", compiler=compiler))
    assert process.wait() == 0, process.err()
    assert process.out() == b"hello\n"
