"""hnc beside its like: bulk data, and what starting one costs."""

import contextlib
import os
import subprocess
import sys
import time

from figures import Rounds, Table, progress
from processes import (BIN, QUICK, ROOT, WAIT_S, Server, congestion_control, free_port, pinned,
                       wait_listening)

sys.path.append(os.path.join(ROOT, "tests", "cmd"))
from hnmap_lan import Netns  # noqa: E402  pylint: disable=wrong-import-position

USUAL = "cubic"  # Linux's default
GIB = float(os.environ.get("BENCH_GIB", "1" if QUICK else "4"))


def netcats():
    """Name, listening command, sending command; PORT is put in."""
    hnc = os.path.join(BIN, "hnc")
    return [("hnc", [hnc, "-l", "-d", "127.0.0.1", "PORT"], [hnc, "-N", "127.0.0.1", "PORT"]),
            ("nc.openbsd", ["nc.openbsd", "-l", "-d", "127.0.0.1", "PORT"],
             ["nc.openbsd", "-N", "127.0.0.1", "PORT"]),
            ("socat -b1M",
             ["socat", "-u", "-b1048576", "TCP-LISTEN:PORT,bind=127.0.0.1", "STDOUT"],
             ["socat", "-u", "-b1048576", "STDIN", "TCP:127.0.0.1:PORT"]),
            ("ncat", ["ncat", "-l", "--recv-only", "127.0.0.1", "PORT"],
             ["ncat", "--send-only", "127.0.0.1", "PORT"])]


def filled(command, port):
    return [arg.replace("PORT", str(port)) for arg in command]


def transfer(listen, send, source, sink, lossy=False):
    """(CPU s of the sender, of the receiver, wall s); a lossy receiver may fail at the end."""
    port = free_port()
    receiver = subprocess.Popen(filled(listen, port), stdin=subprocess.DEVNULL, stdout=sink,
                                stderr=subprocess.DEVNULL if lossy else None,
                                preexec_fn=pinned(0))
    wait_listening(port)
    start = time.perf_counter()
    sender = subprocess.Popen(filled(send, port), stdin=source, stdout=subprocess.DEVNULL,
                              preexec_fn=pinned(1))
    usage = [os.wait4(process.pid, 0) for process in (sender, receiver)]
    wall = time.perf_counter() - start
    if usage[0][1] or (usage[1][1] and not lossy):
        sys.exit("%s: exit statuses %s" % (send[0], [status for _, status, _ in usage]))
    sender.returncode = receiver.returncode = 0
    return [use.ru_utime + use.ru_stime for _, _, use in usage] + [wall]


def check_whole(source, size, listen, send):
    """All bytes arrive, counted by a reader of the receiver's output."""
    reader = subprocess.Popen(["wc", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    transfer(listen, send, source, reader.stdin)
    reader.stdin.close()
    if int(reader.stdout.read()) != size:
        sys.exit("%s: bytes were lost" % send[0])
    reader.wait(WAIT_S)


def zeros(size):
    """A plain file of zeros that takes no disk and no memory."""
    fd = os.memfd_create("zeros")
    os.ftruncate(fd, size)
    return fd


def feed(fd, kind):
    """The file from its start, or a pipe that cat fills with it."""
    file = open("/proc/self/fd/%d" % fd, "rb")
    if kind == "file":
        return file, None
    cat = subprocess.Popen(["head", "-c", str(os.fstat(fd).st_size), "/dev/zero"],
                           stdout=subprocess.PIPE)
    file.close()
    return cat.stdout, cat


def take_turn(rounds, tools, fd, kind, lossy=()):
    """One round: each tool sends the file; rows by kind."""
    gib = os.fstat(fd).st_size / 2**30
    for name, listen, send in tools:
        source, cat = feed(fd, kind)
        sender, receiver, wall = transfer(listen, send, source, subprocess.DEVNULL,
                                          name in lossy)
        source.close()
        if cat:
            cat.wait(WAIT_S)
        rounds.add("send a %s: CPU s/GiB" % kind, name, sender / gib)
        rounds.add("receive it: CPU s/GiB (%s)" % kind, name, receiver / gib)
        rounds.add("wall s/GiB (%s)" % kind, name, wall / gib)


def check_all_whole(tools):
    size = 64 * 2**20
    fd = zeros(size)
    for _, listen, send in tools:
        source, _ = feed(fd, "file")
        check_whole(source, size, listen, send)
        source.close()
    os.close(fd)


@contextlib.contextmanager
def usual_network():
    """A network whose TCP is as the kernel has it by default: True; False where that cannot be."""
    try:
        network = Netns()
        network.run("sysctl", "-qw", "net.ipv4.tcp_congestion_control=" + USUAL)
    except (OSError, RuntimeError):
        yield False
        return
    with network.inside():
        yield True


def bulk(title):
    fd = zeros(int(GIB * 2**30))
    rounds = Rounds()
    tools = netcats()
    check_all_whole(tools)
    for kind in ("file", "pipe"):
        for i in range(2 if QUICK else 4):
            progress("netcat %s, round %d" % (kind, i + 1))
            take_turn(rounds, tools, fd, kind)
    os.close(fd)
    table = Table(title,
                  "Sender and receiver of the same tool, one processor each; TCP %s.%s"
                  % (congestion_control(),
                     " hnc takes reno in its place over loopback."
                     if congestion_control().startswith("bbr") else ""),
                  ["transfer", *(name for name, _, _ in tools), "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 3, ("nc.openbsd", 1 if row.startswith("wall") else 0.6))
    return table


def start_to_exit():
    rounds = Rounds()
    row = "-z, one open port: ms"
    with Server("raw") as server:
        for _ in range(50 if QUICK else 200):
            for name, _, send in netcats():
                if name.startswith("socat"):
                    continue
                command = [send[0], "-z", "127.0.0.1", server.port]
                start = time.perf_counter()
                pid = os.posix_spawnp(command[0], command, os.environ)
                status = os.waitpid(pid, 0)[1]
                rounds.add(row, name, (time.perf_counter() - start) * 1000)
                if status:
                    sys.exit("%s -z: status %d" % (name, status))
    table = Table("netcat: start to exit", "Wall time as a shell sees it.",
                  ["start", *rounds.values[row], "target"])
    table.add_rounds(rounds, row, 2, ("nc.openbsd", 1))
    return table


def netcat():
    """Congestion control decides what bulk data costs over loopback: bbr sets a timer for every few
    packets. So there are figures that can be compared with another machine's, and this one's own."""
    title = "netcat: %g GiB over loopback to /dev/null" % GIB
    with usual_network() as is_apart:
        tables = [bulk(title)]
    if is_apart and congestion_control() != USUAL:
        tables.append(bulk(title + ", with this machine's TCP"))
    return [*tables, start_to_exit()]


PARTS = {"netcat": netcat}
