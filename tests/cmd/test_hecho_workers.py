"""hecho with worker processes."""

import os
import signal
import socket

from conftest import TIMEOUT, wait_until
from hecho_lab import exchange, fill, hecho, read_all, read_exactly  # noqa: F401

MIB = 1 << 20


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def workers_of(server, count):
    wait_until(lambda: len(children(server.pid)) == count, f"{count} workers")
    return children(server.pid)


def test_workers_serve_and_their_counts_are_added_up(hecho, tmp_path):
    server = hecho("--workers", "3", "0", "udp://0", f"unix:{tmp_path}/s", listeners=3)
    workers_of(server, 3)
    for i in (0, 2):
        for _ in range(20):
            with server.connect(i) as sock:
                assert exchange(sock, b"12345") == b"12345"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        for _ in range(20):
            sock.sendto(b"12345", server.address(1)[1])
            assert sock.recv(100) == b"12345"
    wait_until(lambda: server.ask_summary()["open"] == 0, "all closed")
    summary = server.stop()
    assert (summary["connections"], summary["datagrams"]) == (40, 20)
    assert (summary["bytes_in"], summary["bytes_out"]) == (300, 300)
    assert not os.path.exists(f"{tmp_path}/s")


def title(pid):
    """What ps shows of a process."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().rstrip(b"\0").replace(b"\0", b" ").decode()


def test_master_and_workers_tell_themselves_apart_in_ps(hecho):
    server = hecho("--workers", "2", "0")
    wait_until(lambda: title(server.pid) == "hecho: master process", "the title of the master")
    for pid in workers_of(server, 2):
        wait_until(lambda pid=pid: title(pid) == "hecho: worker process", "the title of a worker")
    server.stop()


def test_without_workers_ps_shows_the_command_line(hecho):
    server = hecho("--rot13", "0")
    assert title(server.pid).endswith("hecho --rot13 0")
    server.stop()


def test_a_killed_worker_is_replaced_and_the_others_serve_on(hecho):
    server = hecho("-v", "--workers", "2", "0")
    socks = [server.connect() for _ in range(8)]
    for sock in socks:
        sock.sendall(b"x")
        assert read_exactly(sock, 1) == b"x"
    victim = max(workers_of(server, 2), key=lambda pid: len(os.listdir(f"/proc/{pid}/fd")))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in children(server.pid) and len(children(server.pid)) == 2, "a new worker")
    server.process.wait_err(f"(pid {victim}) was killed by signal 9")
    lost = 0
    for sock in socks:
        try:
            sock.sendall(b"y")
            lost += sock.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            lost += 1
    assert lost > 0
    assert server.ask_summary()["open"] == 8 - lost, "the dead worker's connections are not counted as open"
    for _ in range(20):
        with server.connect() as sock:
            assert exchange(sock, b"again") == b"again"
    for sock in socks:
        sock.close()
    assert server.stop()["connections"] == 28


def test_max_conns_holds_over_all_workers(hecho):
    server = hecho("--workers", "3", "--max-conns", "5", "0")
    socks = [server.connect() for _ in range(5)]
    for sock in socks:
        sock.sendall(b"x")
        assert read_exactly(sock, 1) == b"x"
    for _ in range(10):
        with server.connect() as sock:
            assert read_all(sock) == b""
    wait_until(lambda: server.ask_summary()["refused"] == 10, "all of them are counted")
    for sock in socks:
        sock.close()


def test_ctrl_c_to_the_whole_group_stops_master_and_workers_gracefully(hecho):
    server = hecho("--workers", "2", "0", start_new_session=True)
    with server.connect() as sock:
        sent = fill(sock, 256 * MIB)
        queued = server.ask_summary()["bytes_out"]
        assert 0 < queued <= sent
        os.killpg(server.pid, signal.SIGUSR1)
        os.killpg(server.pid, signal.SIGINT)
        answer = read_all(sock)
    assert server.process.wait() == 0
    assert queued <= len(answer) == server.summary()["bytes_out"]
    assert "killed" not in server.process.err()


def test_signals_while_workers_start_end_none_of_them(hecho, lab):
    server = hecho("--workers", "4", "--pid-file", lab.path("pid"), "0", start_new_session=True)
    for _ in range(100):
        os.killpg(server.pid, signal.SIGUSR1)
        os.killpg(server.pid, signal.SIGHUP)
    workers_of(server, 4)
    server.stop()
    assert "killed" not in server.process.err()


def test_workers_end_with_a_master_that_is_killed(hecho):
    server = hecho("--workers", "2", "0")
    workers_of(server, 2)
    server.process.signal(signal.SIGKILL)
    server.process.wait()
    wait_until(server.refuses, "nobody listens")
