# One thread.
"""Names of hosts: a server that answers is waited for, however slow; one that is dead costs a second.
The servers are this file's own; nothing is asked that leaves the machine."""

import contextlib
import socket
import struct
import threading
import time

import pytest

from conftest import wait_until

NETWORK, HOSTS = "192.0.2.0/26", 64
A_SECOND = 1.0


def reply(question):
    """PTR of d.c.b.a.in-addr.arpa: host-d.example."""
    end = question.index(b"\0", 12) + 5
    first = question[13:13 + question[12]]
    label = b"host-" + first
    name = bytes([len(label)]) + label + b"\x07example\0"
    head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
    return head + question[12:end] + struct.pack(">HHHIH", 0xc00c, 12, 1, 60, len(name)) + name


class Server(threading.Thread):
    """Answers each question `delay` seconds after it came; None: never. Of those whose number is in
    `lost`, what comes first is not answered."""

    def __init__(self, delay, lost=()):
        super().__init__(daemon=True)
        self.delay, self.lost = delay, {str(n).encode() for n in lost}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.sock.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.stopped = False

    def run(self):
        waiting = []  # in the order in which they are due
        while not self.stopped:
            self.sock.settimeout(max(0.001, waiting[0][0] - time.monotonic()) if waiting else 0.2)
            with contextlib.suppress(TimeoutError):
                question, peer = self.sock.recvfrom(2000)
                number = question[13:13 + question[12]]
                if self.delay is not None and number not in self.lost:
                    waiting.append((time.monotonic() + self.delay, reply(question), peer))
                self.lost.discard(number)
            while waiting and waiting[0][0] <= time.monotonic():
                self.sock.sendto(*waiting.pop(0)[1:])

    def close(self):
        self.stopped = True
        self.join()
        self.sock.close()


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def start(*args, **options):
            server = Server(*args, **options)
            server.start()
            stack.callback(server.close)
            return server.address

        yield start


def names(lab, *servers):
    """How many hosts have a name in the list of them, and how long it took."""
    began = time.monotonic()
    result = lab.run("hnmap", "-sL", "--dns-servers", ",".join(servers), NETWORK)
    took = time.monotonic() - began
    assert result.wait() == 0, result
    lines = [line for line in result.out().decode().splitlines() if " report for " in line]
    assert len(lines) == HOSTS
    return sum("(192.0.2." in line and "host-" in line for line in lines), took


def wait_names(lab, start):
    """Until all hosts have one from the servers that start() gives: where this machine lets one that
    answers be silent for a second, it is dead."""
    wait_until(lambda: names(lab, *start())[0] == HOSTS, "a name of each host")


@pytest.mark.parametrize("delay", [0, 0.2, 0.5])
def test_a_slow_server_is_waited_for(lab, serve, delay):
    wait_names(lab, lambda: [serve(delay)])


def test_a_question_that_is_lost_is_asked_again(lab, serve):
    wait_names(lab, lambda: [serve(0.1, lost=[0, 17, 63])])


def test_a_dead_server_before_one_that_answers(lab, serve):
    wait_names(lab, lambda: [serve(None), serve(0.05)])


def test_a_dead_server_costs_a_second(lab, serve):
    """Whatever the machine is slowed down by: compared with a run that asks nobody."""

    def not_more():
        began = time.monotonic()
        assert lab.run("hnmap", "-sL", "-n", NETWORK).wait() == 0
        without = time.monotonic() - began
        found, took = names(lab, serve(None))
        assert found == 0
        return took < without + A_SECOND + 0.5

    wait_until(not_more, "a second, unless this machine does other things for longer than half of one")


def test_hosts_without_names_are_waited_for_once(lab, serve):
    """More than are in work at a time."""

    def seconds(*args):
        result = lab.run("hnmap", "-sL", *args, "192.0.2.0/24", "198.18.0.0/18")
        assert result.wait() == 0
        assert result.out().count(b" report for ") == 256 + 16384
        return float(result.out().decode().rsplit(" scanned in ", 1)[1].split()[0])

    # Five waits, if each filling of the list had one.
    wait_until(lambda: seconds("--dns-servers", serve(None)) < seconds("-n") + 3 * A_SECOND,
               "one wait, unless this machine does other things for two seconds")
