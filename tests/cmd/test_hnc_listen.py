# One thread.
"""hnc -l: one client or many at once, descriptors running out, UNIX paths made and removed."""

import os
import re
import random
import resource
import select
import signal
import socket
import stat
import struct
import subprocess

import pytest
from conftest import TIMEOUT, wait_until

HOST = "127.0.0.1"
MIB = 1 << 20


def listener(lab, *args, **options):
    """The Process and a function that connects to it."""
    port = lab.port()
    hnc = lab.spawn("hnc", *args, HOST, port, **options)
    lab.wait_bound(port)

    def connect():
        s = socket.create_connection((HOST, port))
        s.settimeout(TIMEOUT)
        return s

    connect.port = port
    return hnc, connect


def sockets_of(process):
    folder = f"/proc/{process.pid}/fd"
    return sum(os.readlink(f"{folder}/{fd}").startswith("socket:") for fd in os.listdir(folder))


def children_of(process):
    return open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()


def receive(s, size):
    data = b""
    while len(data) < size:
        data += s.recv(size - len(data)) or pytest.fail(f"end after {data!r}")
    return data


# ---- one client ----------------------------------------------------------------------------------


def test_without_k_a_second_client_is_refused(lab):
    hnc, connect = listener(lab, "-l")
    with connect() as first:
        first.sendall(b"data")
        hnc.wait_out(b"data")
        with pytest.raises(ConnectionRefusedError):
            connect()
    assert hnc.wait() == 0


def test_stdin_is_not_read_before_somebody_is_there(lab):
    hnc, connect = listener(lab, "-l", stdin=subprocess.PIPE)
    hnc.send(b"for the first client")
    with connect() as first:
        assert receive(first, 20) == b"for the first client"


# ---- many clients --------------------------------------------------------------------------------


def test_many_clients_are_served_at_the_same_time(lab):
    hnc, connect = listener(lab, "-lk", stdin=subprocess.PIPE)
    clients = [connect() for _ in range(50)]
    for i, s in enumerate(clients):
        s.sendall(b"[%d]" % i)
    for i in range(50):
        hnc.wait_out(b"[%d]" % i)
    hnc.send(b"to everybody")
    for s in clients:
        assert receive(s, 12) == b"to everybody"
    for s in clients[:25]:
        s.close()
    hnc.send(b" still there")
    for s in clients[25:]:
        assert receive(s, 12) == b" still there"
        s.close()
    assert hnc.running()
    with connect() as late:
        late.sendall(b"late")
        hnc.wait_out(b"late")


def test_a_client_that_stopped_sending_still_gets_what_stdin_brings(lab):
    hnc, connect = listener(lab, "-lk", stdin=subprocess.PIPE)
    with connect() as s:
        s.sendall(b"request")
        hnc.wait_out(b"request")
        hnc.pause()
        s.shutdown(socket.SHUT_WR)
        hnc.send(b"reply")
        hnc.resume()
        assert receive(s, 5) == b"reply"
        assert s.recv(1) == b""
    assert hnc.running()


def test_between_clients_stdin_waits(lab):
    hnc, connect = listener(lab, "-lk", stdin=subprocess.PIPE)
    with connect() as s:
        s.sendall(b"one")
        hnc.wait_out(b"one")
        assert sockets_of(hnc) == 2
    wait_until(lambda: sockets_of(hnc) == 1, "the client is gone")
    hnc.send(b"kept")
    with connect() as s:
        assert receive(s, 4) == b"kept"


def test_with_n_the_end_of_stdin_is_told_to_every_client(lab):
    hnc, connect = listener(lab, "-lkN", stdin=lab.file(b"all of it"))
    with connect() as first:
        assert receive(first, 9) == b"all of it"
        assert first.recv(1) == b""
        with connect() as second:
            assert second.recv(1) == b""
            second.sendall(b"heard")
            hnc.wait_out(b"heard")


def test_bulk_from_many_clients_is_whole(lab):
    hnc, connect = listener(lab, "-lk", stdout=subprocess.PIPE)
    senders = [
        lab.spawn("hnc", "-N", HOST, connect.port, stdin=lab.file(bytes([i]) * 3 * MIB))
        for i in range(1, 5)
    ]
    left = 12 * MIB
    counts = dict.fromkeys(range(1, 5), 0)
    while left > 0:
        data = hnc.popen.stdout.read1(MIB)
        left -= len(data)
        for i in counts:
            counts[i] += data.count(bytes([i]))
    assert set(counts.values()) == {3 * MIB}
    assert [s.wait() for s in senders] == [0] * 4


def test_out_of_descriptors_it_turns_clients_away_and_goes_on(lab):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))

    hnc, connect = listener(lab, "-lk", preexec_fn=few_files)
    clients = [connect() for _ in range(20)]
    hnc.wait_err("Too many open files")
    refused = wait_until(lambda: select.select(clients, [], [], 0)[0], "somebody is turned away")
    assert clients[0] not in refused, "who came first is served"
    assert hnc.hears(clients[0], b"served")
    for s in clients:
        s.close()

    def again():
        with connect() as s:
            return hnc.hears(s, b"afterwards")

    wait_until(again, "clients are served again")
    assert hnc.running()
    assert all(line.startswith("hnc: ") for line in hnc.err().splitlines())


def test_programs_for_many_clients_run_side_by_side(lab):
    hnc, connect = listener(lab, "-lk", "-c", "read x; echo got $x")
    clients = [connect() for _ in range(10)]
    for i, s in reversed(list(enumerate(clients))):
        s.sendall(b"%d\n" % i)
        assert receive(s, 6) == b"got %d\n" % i
        assert s.recv(1) == b""
        s.close()

    wait_until(lambda: not children_of(hnc), "no program is left unreaped")
    assert hnc.running()


def test_short_of_descriptors_every_program_is_reaped(lab):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))

    hnc, connect = listener(lab, "-lk", "-c", "read x; echo got $x", preexec_fn=few_files)
    clients = [connect() for _ in range(60)]
    for s in clients:
        try:
            s.sendall(b"line\n")
            s.recv(100)
        except ConnectionError:
            pass  # turned away
        s.close()
    wait_until(lambda: not children_of(hnc), "no program is left unreaped")
    assert hnc.running()


def test_a_program_is_told_of_its_own_children(lab):
    """What hnc does about the end of its children is no business of theirs."""
    command = "exec python3 -c 'import os; print(os.system(\"exit 7\") >> 8)'"
    hnc, connect = listener(lab, "-lk", "-c", command)
    with connect() as s:
        assert receive(s, 2) == b"7\n"


def test_a_client_that_resets_at_once_is_not_named_by_nothing(lab):
    hnc, connect = listener(lab, "-lknv")
    hnc.pause()
    for _ in range(3):
        s = connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    hnc.resume()
    with connect() as s:
        mine = f"Connection received on {HOST} {s.getsockname()[1]}\n"
        hnc.wait_err(mine)
    for line in hnc.err().splitlines()[1:]:
        assert re.fullmatch(rf"Connection received on ({HOST} [1-9]\d*|unknown)", line), line


# ---- UNIX paths ----------------------------------------------------------------------------------


ENDINGS = ["the client leaves", signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("options", ["-lU", "-lkU", "-luU"])
def test_the_path_is_removed_at_the_end(lab, options, ending):
    path = lab.path("s")
    hnc = lab.spawn("hnc", options, path)
    lab.wait_path(path)
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    if isinstance(ending, int):
        hnc.signal(ending)
        assert hnc.wait() == -ending
    elif options == "-lU":
        socket.socket(socket.AF_UNIX).connect(path)
        assert hnc.wait() == 0
    else:
        hnc.signal(signal.SIGTERM)
        hnc.wait()
    assert not os.path.exists(path)


@pytest.mark.parametrize("options", ["-lU", "-luU"])
def test_a_socket_that_nobody_listens_on_is_replaced(lab, options):
    path = lab.path("s")
    kind = socket.SOCK_DGRAM if "u" in options else socket.SOCK_STREAM
    stale = socket.socket(socket.AF_UNIX, kind)
    stale.bind(path)
    stale.close()
    lab.spawn("hnc", options, path)
    lab.wait_path(path)


def test_somebody_else_s_new_socket_is_not_removed(lab):
    path = lab.path("s")
    hnc = lab.spawn("hnc", "-lkU", path)
    lab.wait_path(path)
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        hnc.signal(signal.SIGTERM)
        hnc.wait()
        assert os.path.exists(path)


def test_abstract_names(lab):
    name = f"@hnc-test-{random.getrandbits(64)}"
    hnc = lab.spawn("hnc", "-lU", name)
    lab.wait_path(name)
    client = lab.run("hnc", "-NU", name, data=b"data")
    assert (client.wait(), hnc.wait(), hnc.out()) == (0, 0, b"data")
