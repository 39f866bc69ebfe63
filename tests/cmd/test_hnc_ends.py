# One thread.
"""What ends a conversation: the end of stdin, the end of the peer, a broken stdout, time. Each rule
in both roles, connecting and listening, against a peer that the test plays itself."""

import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest
from conftest import TIMEOUT, open_terminal, wait_until

MIB = 1 << 20


class Conversation:
    """hnc and the socket of its peer. role: "connects" or "listens"."""

    def __init__(self, lab, role, *options, **process_options):
        if role == "connects":
            with socket.create_server(("127.0.0.1", 0)) as server:
                server.settimeout(TIMEOUT)
                port = server.getsockname()[1]
                self.hnc = lab.spawn("hnc", *options, "127.0.0.1", port, **process_options)
                self.peer, _ = server.accept()
        else:
            port = lab.port()
            self.hnc = lab.spawn("hnc", "-l", *options, "127.0.0.1", port, **process_options)
            lab.wait_bound(port)
            self.peer = socket.create_connection(("127.0.0.1", port))
        self.peer.settimeout(TIMEOUT)

    def receive(self, size):
        """Exactly size bytes."""
        data = b""
        while len(data) < size:
            data += self.peer.recv(size - len(data)) or pytest.fail(f"end after {len(data)} bytes")
        return data

    def receive_all(self):
        data = b""
        while piece := self.peer.recv(MIB):
            data += piece
        return data

    def nothing_to_receive(self):
        """Neither data nor the end is there."""
        assert select.select([self.peer], [], [], 0)[0] == []

    def reset(self):
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()


@pytest.fixture
def terminal():
    """The two ends of a pseudo-terminal: what a user types goes into the first."""
    master, slave = open_terminal()
    yield master, slave
    os.close(master)
    os.close(slave)


BOTH_ROLES = pytest.mark.parametrize("role", ["connects", "listens"])


# ---- the end of stdin ----------------------------------------------------------------------------


@BOTH_ROLES
def test_after_the_end_of_stdin_it_goes_on_receiving(lab, role):
    talk = Conversation(lab, role, stdin=lab.file(b"request"))
    assert talk.receive(7) == b"request"
    for part in [b"first ", b"second ", b"third"]:
        talk.nothing_to_receive()
        talk.peer.sendall(part)
        talk.hnc.wait_out(part)
    assert talk.hnc.running()
    talk.peer.close()
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == b"first second third"
    assert talk.hnc.err() == ""


@pytest.mark.parametrize("option", ["-N", "-q0", "-q3600"])
@BOTH_ROLES
def test_the_end_of_stdin_is_told_when_asked_for_and_the_reply_still_comes(lab, role, option):
    reply = os.urandom(3 * MIB)
    talk = Conversation(lab, role, option, stdin=lab.file(b"request"))
    assert talk.receive_all() == b"request"
    talk.peer.sendall(reply)
    talk.peer.close()  # and -q does not wait for its time to pass
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == reply


@BOTH_ROLES
def test_q_leaves_although_the_peer_is_still_there(lab, role):
    talk = Conversation(lab, role, "-q", "1", stdin=lab.file(b"request"))
    assert talk.receive_all() == b"request"
    assert talk.hnc.wait() == 0


@BOTH_ROLES
def test_a_negative_q_is_as_none(lab, role):
    talk = Conversation(lab, role, "-q", "-1", stdin=lab.file(b"request"))
    talk.receive(7)
    talk.peer.sendall(b"reply")
    talk.hnc.wait_out(b"reply")
    talk.nothing_to_receive()
    assert talk.hnc.running()


@BOTH_ROLES
def test_send_only_leaves_when_all_is_sent(lab, role):
    data = os.urandom(9 * MIB)
    talk = Conversation(lab, role, "--send-only", stdin=lab.file(data))
    talk.peer.sendall(b"ignored")
    assert talk.receive_all() == data
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == b""


@pytest.mark.parametrize("option", ["-d", "--recv-only"])
@BOTH_ROLES
def test_stdin_is_left_alone_when_asked_for(lab, role, option):
    stdin = lab.file(b"not to be sent")
    talk = Conversation(lab, role, option, stdin=stdin)
    talk.peer.sendall(b"data")
    talk.peer.shutdown(socket.SHUT_WR)
    assert talk.receive_all() == b""
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == b"data"
    assert os.lseek(stdin.fileno(), 0, os.SEEK_CUR) == 0


@BOTH_ROLES
def test_a_closed_stdin_is_at_its_end(lab, role):
    talk = Conversation(lab, role, "-N", preexec_fn=lambda: os.close(0))
    assert talk.receive_all() == b""
    talk.peer.sendall(b"reply")
    talk.peer.close()
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == b"reply"


@pytest.mark.parametrize("what", ["/dev/null", "a file", "a terminal", "a pipe"])
@BOTH_ROLES
def test_a_stdin_that_is_open_for_writing_only_is_at_its_end(lab, role, what):
    """nohup leaves /dev/null so."""
    others = []
    if what == "a terminal":
        others = list(open_terminal())
        fd = os.open(os.ttyname(others[1]), os.O_WRONLY | os.O_NOCTTY)
    elif what == "a pipe":
        end, fd = os.pipe()
        others = [end]
        os.write(fd, b"not to be sent")
    else:
        name = what if what == "/dev/null" else lab.path("written")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    talk = Conversation(lab, role, "-N", stdin=fd)
    assert talk.receive_all() == b""
    talk.peer.sendall(b"reply")
    talk.peer.close()
    for other in [fd, *others]:
        os.close(other)
    assert talk.hnc.wait() == 0
    assert (talk.hnc.out(), talk.hnc.err()) == (b"reply", "")


@BOTH_ROLES
def test_a_stdin_that_cannot_be_read_is_reported(lab, role):
    folder = os.open(lab.path("."), os.O_RDONLY)
    talk = Conversation(lab, role, "-N", stdin=folder)
    os.close(folder)
    assert talk.receive_all() == b""
    talk.peer.close()
    assert talk.hnc.wait() == 1
    assert talk.hnc.err() == "hnc: stdin: Is a directory\n"


# ---- the end of the peer -------------------------------------------------------------------------


@BOTH_ROLES
def test_with_the_peer_gone_it_leaves_though_stdin_is_an_open_pipe(lab, role):
    reply = os.urandom(MIB)
    talk = Conversation(lab, role, stdin=subprocess.PIPE)
    talk.hnc.send(b"request")
    assert talk.receive(7) == b"request"
    talk.peer.sendall(reply)
    talk.peer.close()
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == reply


@BOTH_ROLES
def test_with_the_peer_gone_it_leaves_though_stdin_is_a_terminal(lab, role, terminal):
    master, slave = terminal
    talk = Conversation(lab, role, stdin=slave)
    os.write(master, b"request\n")
    assert talk.receive(8) == b"request\n"
    talk.peer.sendall(b"reply")
    talk.peer.close()
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == b"reply"
    assert not fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK  # a shell would stumble over it


def test_the_end_of_a_terminal_is_the_end_of_stdin(lab, terminal):
    master, slave = terminal
    talk = Conversation(lab, "connects", "-N", stdin=slave)
    os.write(master, b"line\n\x04")
    assert talk.receive_all() == b"line\n"
    talk.peer.close()
    assert talk.hnc.wait() == 0


@BOTH_ROLES
def test_a_peer_that_only_stopped_sending_gets_the_whole_file(lab, role):
    data = os.urandom(24 * MIB + 5)
    talk = Conversation(lab, role, stdin=lab.file(data))
    talk.peer.shutdown(socket.SHUT_WR)
    assert talk.receive_all() == data
    assert talk.hnc.wait() == 0


@BOTH_ROLES
def test_a_peer_that_only_stopped_sending_gets_all_that_comes_through_a_pipe(lab, role):
    data = os.urandom(24 * MIB + 5)

    def all_of_it():
        talk = Conversation(lab, role, stdin=subprocess.PIPE)

        def feed():
            try:
                talk.hnc.send(data)
                talk.hnc.end_input()
            except OSError:
                pass  # it did not wait for more

        talk.peer.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=feed)
        thread.start()
        got = talk.receive_all()
        thread.join()
        assert talk.hnc.wait() == 0 and data.startswith(got)
        return got == data

    wait_until(all_of_it, "all of it, unless this machine lets the pipe run dry")


@BOTH_ROLES
def test_a_reply_that_waits_in_stdin_when_the_peer_ends_is_sent(lab, role):
    """Both happen while hnc is stopped, so that it sees them at once."""
    talk = Conversation(lab, role, stdin=subprocess.PIPE)
    talk.peer.sendall(b"request")
    talk.hnc.wait_out(b"request")
    talk.hnc.pause()
    talk.hnc.send(b"reply")
    talk.peer.shutdown(socket.SHUT_WR)
    talk.hnc.resume()
    assert talk.receive_all() == b"reply"
    assert talk.hnc.wait() == 0


@BOTH_ROLES
def test_a_slow_peer_that_stopped_sending_gets_what_a_pipe_still_holds(lab, role):
    """It reads nothing until hnc has given up waiting for stdin, if it ever does."""
    data = os.urandom(12 * MIB)

    def all_of_it():
        talk = Conversation(lab, role, "-v", stdin=subprocess.PIPE)

        def feed():
            try:
                talk.hnc.send(data)
            except OSError:
                pass  # it did not wait for more

        talk.peer.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=feed)
        thread.start()
        other = Conversation(lab, "connects", "-w", "1", stdin=subprocess.PIPE)
        assert other.hnc.wait() == 0  # a second has passed
        got = talk.receive_all()
        thread.join()
        assert talk.hnc.wait() == 0 and data.startswith(got)
        return got == data

    wait_until(all_of_it, "all of it, unless this machine lets the pipe run dry")


# ---- from a pipe to a UNIX socket: the kernel moves what comes, past hnc ---------------------------


class CarriedPipe(Conversation):
    """hnc between a pipe, which is fed here, and a UNIX socket."""

    def __init__(self, lab, *options, **process_options):
        path = lab.path("s")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            server.settimeout(TIMEOUT)
            self.reader, self.pipe = os.pipe()
            self.hnc = lab.spawn("hnc", *options, "-U", path, stdin=self.reader, **process_options)
            self.peer, _ = server.accept()
        os.unlink(path)
        self.peer.settimeout(TIMEOUT)

    def is_taken(self):
        return fcntl.ioctl(self.reader, termios.FIONREAD, bytes(4)) == bytes(4)

    def feed(self, data):
        os.write(self.pipe, data)
        wait_until(self.is_taken, "hnc takes what is in the pipe")

    def end(self):
        os.close(self.pipe)
        os.close(self.reader)

    def fill_output(self):
        """Sends until hnc takes no more for some time."""
        self.peer.settimeout(0.5)
        try:
            while self.peer.send(bytes(100000)):
                pass
        except TimeoutError:
            self.peer.settimeout(TIMEOUT)


def test_a_peer_that_stopped_sending_and_stalls_gets_what_comes_through_a_pipe_later(lab):
    talk = CarriedPipe(lab, "-N")
    talk.peer.shutdown(socket.SHUT_WR)
    talk.feed(b"little")
    size = fcntl.fcntl(talk.pipe, fcntl.F_GETPIPE_SZ)
    talk.hnc.signal(signal.SIGSTOP)
    os.write(talk.pipe, bytes(size))
    talk.hnc.signal(signal.SIGCONT)
    wait_until(talk.is_taken, "hnc takes all of it: most waits there")
    time.sleep(0.6)  # longer than hnc goes on for a stdin that is quiet
    os.write(talk.pipe, b"last")
    talk.end()
    received = talk.receive_all()
    assert len(received) == size + 10 and received.endswith(b"last")
    assert talk.hnc.wait() == 0


@pytest.mark.parametrize("unread", [False, True], ids=["after a shutdown", "with unread data"])
@pytest.mark.parametrize("poller", ["epoll", "poll", "select", "io_uring"])
def test_a_pipe_that_never_ends_is_left_when_the_peer_goes(lab, poller, unread):
    talk = CarriedPipe(lab, "-N", env={**os.environ, "HNET_POLLER": poller})

    def write_on():
        try:
            while os.write(talk.pipe, bytes(65536)):
                pass
        except BrokenPipeError:
            pass

    os.close(talk.reader)  # hnc alone has it
    writer = threading.Thread(target=write_on, daemon=True)
    writer.start()
    size = 5 * MIB
    while size > 0:
        size -= len(talk.peer.recv(MIB))
    if not unread:
        talk.peer.shutdown(socket.SHUT_RD)
    talk.peer.close()
    assert talk.hnc.wait() in (0, 1)  # not by a signal
    writer.join(TIMEOUT)
    assert not writer.is_alive()
    os.close(talk.pipe)


def pieces_taken(lab):
    """So many pieces of 8000 bytes hnc takes for a peer that does not read."""
    talk = CarriedPipe(lab)
    pieces = 0
    while True:
        os.write(talk.pipe, bytes(8000))
        deadline = time.monotonic() + 0.5
        while not talk.is_taken() and time.monotonic() < deadline:
            time.sleep(0.005)
        if not talk.is_taken():
            talk.peer.close()
            talk.end()
            return pieces
        pieces += 1


def test_q_counts_from_when_all_of_a_pipe_is_sent_whatever_becomes_of_stdout(lab):
    pieces = pieces_taken(lab)
    reader, writer = os.pipe()
    talk = CarriedPipe(lab, "-q1", "--timestamps", stdout=writer)
    os.close(writer)
    talk.fill_output()
    for _ in range(pieces):
        talk.feed(bytes(8000))
    talk.end()
    with open(reader, "rb") as output:
        reading = threading.Thread(target=output.read, daemon=True)
        reading.start()
        time.sleep(2)  # longer than -q
        assert len(talk.receive_all()) == pieces * 8000
        assert talk.hnc.wait() == 0
        reading.join(TIMEOUT)


# ---- breaks --------------------------------------------------------------------------------------


@BOTH_ROLES
def test_a_reset_ends_it_quietly(lab, role):
    talk = Conversation(lab, role, stdin=subprocess.PIPE)
    talk.peer.sendall(b"reply")
    talk.hnc.wait_out(b"reply")
    talk.reset()
    assert talk.hnc.wait() == 0
    assert talk.hnc.err() == ""


@BOTH_ROLES
def test_a_reply_before_a_reset_is_not_lost(lab, role):
    """A server that answers before it has read everything, and closes: hnc's sending fails."""
    talk = Conversation(lab, role, stdin=lab.file(bytes(64 * MIB)))
    talk.receive(10)
    talk.peer.sendall(b"too much")
    talk.peer.close()  # with data unread: a reset follows
    assert talk.hnc.wait() == 0
    assert talk.hnc.out() == b"too much"


# ---- stdout --------------------------------------------------------------------------------------


@BOTH_ROLES
def test_a_broken_pipe_on_stdout_ends_it_quietly(lab, role):
    talk = Conversation(lab, role, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    talk.hnc.popen.stdout.close()
    talk.peer.sendall(b"nobody reads this")
    assert talk.hnc.wait() == 0
    assert talk.hnc.err() == ""


@BOTH_ROLES
def test_a_full_disk_is_reported(lab, role):
    with open("/dev/full", "wb") as full:
        talk = Conversation(lab, role, stdout=full)
    talk.peer.sendall(b"data")
    assert talk.hnc.wait() == 1
    assert talk.hnc.err() == "hnc: stdout: No space left on device\n"


@BOTH_ROLES
def test_a_slow_reader_of_stdout_gets_everything_after_the_peer_is_gone(lab, role):
    data = os.urandom(20 * MIB)
    talk = Conversation(lab, role, stdout=subprocess.PIPE)
    thread = threading.Thread(target=lambda: (talk.peer.sendall(data), talk.peer.close()))
    thread.start()
    wait_until(lambda: select.select([talk.hnc.popen.stdout], [], [], 0)[0], "data in the pipe")
    got = talk.hnc.popen.stdout.read()
    thread.join()
    assert got == data
    assert talk.hnc.wait() == 0


# ---- time ----------------------------------------------------------------------------------------


@BOTH_ROLES
def test_an_idle_connection_ends_silently(lab, role):
    talk = Conversation(lab, role, "-w", "1", stdin=subprocess.PIPE)
    talk.peer.sendall(b"data")
    assert talk.hnc.wait() == 0
    assert (talk.hnc.out(), talk.hnc.err()) == (b"data", "")


def test_waiting_for_a_client_is_not_being_idle(lab):
    port = lab.port()
    listener = lab.spawn("hnc", "-l", "-w", "1", "127.0.0.1", port)
    lab.wait_bound(port)
    idle = Conversation(lab, "connects", "-w", "1", stdin=subprocess.PIPE)
    assert idle.hnc.wait() == 0  # more than a second has passed
    assert listener.running()
    listener.pause()  # so that the client and what it says are there at once
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"data")
        listener.resume()
        listener.wait_out(b"data")


def test_an_idle_datagram_client_ends_silently(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        hnc = lab.run("hnc", "-u", "-w", "1", "127.0.0.1", server.getsockname()[1], data=b"data")
        assert server.recv(10) == b"data"
    assert hnc.wait() == 0
    assert hnc.err() == ""


def test_a_datagram_client_with_q0_leaves_at_once(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        hnc = lab.run("hnc", "-u", "-q", "0", "127.0.0.1", server.getsockname()[1], data=b"data")
        assert hnc.wait() == 0
        assert server.recv(10) == b"data"


def test_a_datagram_client_leaves_when_refused(lab):
    port = lab.port(kind=socket.SOCK_DGRAM)
    hnc = lab.spawn("hnc", "-u", "127.0.0.1", port, stdin=subprocess.PIPE)
    hnc.send(b"data")
    assert hnc.wait() == 0


# ---- what is said of a datagram client -----------------------------------------------------------


def datagram_client(lab, *options):
    """hnc and the socket of its peer, connected to it once hnc has sent "data"."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.settimeout(TIMEOUT)
    server.bind(("127.0.0.1", 0))
    address = server.getsockname()
    hnc = lab.spawn("hnc", "-u", *options, *map(str, address), stdin=subprocess.PIPE)
    hnc.send(b"data")
    data, sender = server.recvfrom(10)
    assert data == b"data"
    server.connect(sender)
    return hnc, server


def test_a_datagram_client_that_is_refused_has_failed_with_v(lab):
    port = lab.port(kind=socket.SOCK_DGRAM)
    hnc = lab.spawn("hnc", "-vu", "127.0.0.1", port, stdin=subprocess.PIPE)
    hnc.send(b"data")
    assert hnc.wait() == 1
    said = f"hnc: connect to 127.0.0.1 port {port} (udp) failed: Connection refused\n"
    assert hnc.err() == said


def test_a_datagram_client_tells_success_once_something_arrived(lab):
    start = time.monotonic()
    hnc, server = datagram_client(lab, "-vn")
    early = hnc.err()
    if time.monotonic() - start < 3:  # then silence counts as success, too
        assert early == ""
    with server:
        server.send(b"answer")
        hnc.wait_err("succeeded!\n")
        hnc.wait_out(b"answer")
        server.send(b"more")
        hnc.wait_out(b"more")
        assert hnc.err().count("succeeded!") == 1


@pytest.mark.parametrize("options", [["-v"], ["-v", "-w", "1"]], ids=["3 s", "-w 1"])
def test_a_datagram_client_that_is_not_refused_for_some_time_has_succeeded(lab, options):
    hnc, server = datagram_client(lab, *options)
    with server:
        hnc.wait_err("succeeded!\n")
        if "-w" in options:
            assert hnc.wait() == 0
        assert hnc.err().count("succeeded!") == 1


def test_a_datagram_client_that_leaves_at_once_claims_nothing(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        hnc = lab.run("hnc", "-uv", "-q0", "127.0.0.1", server.getsockname()[1], data=b"data")
        assert (hnc.wait(), hnc.err()) == (0, "")


def test_a_refusal_after_an_answer_is_an_end_as_any_other(lab):
    hnc, server = datagram_client(lab, "-v")
    server.send(b"answer")
    hnc.wait_err("succeeded!\n")
    server.close()
    hnc.send(b"data")
    assert hnc.wait() == 0
