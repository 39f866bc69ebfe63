"""One room with many people, beside a bare epoll loop and netcat's chats."""

import contextlib
import os
import socket
import subprocess

from figures import Rounds, Table, progress, verdict
from processes import (BENCH, BIN, QUICK, free_port, in_turns, numbers, output, pinned, proc_field,
                       wait_listening)

ROUNDS = 1 if QUICK else 3
DEAF = 100  # of those who never read
LOAD_S = 120


class Chat:
    """A chat server; "with" ends it."""

    COMMANDS = {
        "hchat": [os.path.join(BIN, "hchat"), "--rate", "0", "--history", "0", "PORT"],
        "raw": [os.path.join(BENCH, "bench_chat_raw")],
        "hnc --chat": [os.path.join(BIN, "hnc"), "-l", "-k", "--chat", "PORT"],
        "ncat --chat": ["ncat", "-l", "-k", "--chat", "-m", "1000", "PORT"],
    }

    def __init__(self, name):
        port = free_port()
        argv = [word.replace("PORT", str(port)) for word in self.COMMANDS[name]]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, preexec_fn=pinned(0))
        self.pid = self.process.pid
        self.port = int(self.process.stdout.readline()) if name == "raw" else port
        wait_listening(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def command(self, members, rate, lines):
        return [os.path.join(BENCH, "bench_chat_load"), str(self.port), str(self.pid), str(members), str(rate),
                str(lines)]

    def load(self, *args):
        """CPU ns a delivered line, median and 99th percentile of the time it takes (us), the part delivered."""
        return numbers(output(self.command(*args), 1, LOAD_S))


def crowd(rows, columns):
    cpu, late, came = Rounds(), Rounds(), Rounds()
    for name, *load in rows:
        for i in range(ROUNDS):
            for server in in_turns(columns[name], i):
                progress("chat, %s, %s, round %d" % (name, server, i + 1))
                with Chat(server) as chat:
                    ns, _, p99_us, part = chat.load(*load)
                cpu.add(name, server, ns / 1000)
                late.add(name, server, p99_us / 1000)
                came.add(name, server, part)
    return cpu, late, came


SMALL, LARGE = "100 members, 100 lines/s", "1,000 members, 1,000 lines/s"


def talk():
    rows = [(SMALL, 100, 100, 200 if QUICK else 500), (LARGE, 1000, 1000, 1000)]
    columns = {SMALL: list(Chat.COMMANDS), LARGE: ["hchat", "raw", "hnc --chat"]}
    cpu, late, came = crowd(rows, columns)
    table = Table("Chat: server CPU, us a line that is delivered",
                  "Everybody in one room; the members speak in turns, 64 bytes a line, and each line goes to all the "
                  "others. hchat sends a large room its lines together, every 20 us a member.",
                  ["room", *Chat.COMMANDS, "target"])
    table.add_rounds(cpu, SMALL, 2, ("raw", 1.1))
    table.add_rounds(cpu, LARGE, 2, ("raw", 0.2))
    latency = Table("Chat: the 99th percentile of a line's way, ms", "The same run.",
                    ["room", *Chat.COMMANDS, "target"])
    for row in (SMALL, LARGE):
        cells = ["%.1f" % late.median(row, c) if c in columns[row] else "-" for c in Chat.COMMANDS]
        latency.add(row, *cells, "each member got each line: %s"
                    % ("met" if min(came.values[row]["hchat"]) == 1 else "missed"))
    return [table, latency]


def memory():
    """The deaf join first; the others talk until all of the deaf have been dropped, or longer."""
    table = Table("Chat: memory while %d of 1,000 do not read, MiB" % DEAF,
                  "Of the process, beside what it needs for as many who read; 5,000 lines.",
                  ["server", "more than with readers", "the others got", "target"])
    peaks = {}
    for deaf in (0, DEAF):
        progress("chat, memory, %d deaf" % deaf)
        with Chat("hchat") as chat, contextlib.ExitStack() as stack:
            for _ in range(deaf):
                stack.enter_context(socket.create_connection(("127.0.0.1", chat.port)))
            part = chat.load(1000 - deaf, 1000, 5000)[3]
            peaks[deaf] = proc_field(chat.pid, "status", "VmHWM") / 1024
    more = peaks[DEAF] - peaks[0]
    table.add("hchat", "%.1f" % more, "%.0f %%" % (100 * part), verdict(more / DEAF, 1, "MiB for each of the deaf"))
    return [table]


PARTS = {"chat-room": talk, "chat-memory": memory}
