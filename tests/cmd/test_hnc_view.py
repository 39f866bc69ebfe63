# One thread.
"""The forms in which hnc shows data: --hex, --json, --timestamps, and the files of -o and --hex-dump."""

import base64
import datetime
import json
import os
import re
import select
import socket

import pytest

from conftest import TIMEOUT, wait_until
from terminal import Terminal

HOST = "127.0.0.1"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} "


@pytest.fixture
def server():
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(TIMEOUT)
        yield listener


def talk(lab, server, *args, sent=b"", received=(), **options):
    """hnc sends `sent`, and then receives these chunks one by one; returns the process, ended."""
    hnc = lab.spawn("hnc", *args, HOST, server.getsockname()[1], stdin=lab.file(sent), **options)
    peer, _ = server.accept()
    peer.settimeout(TIMEOUT)
    got = b""
    while len(got) < len(sent):
        got += peer.recv(65536)
    assert got == sent
    shown = [sent] if sent else []
    for chunk in received:
        peer.sendall(chunk)
        shown.append(chunk)
        if "--json" in args:
            wait_until(lambda: hnc.out().count(b"\n") == len(shown), f"{shown} on stdout of {hnc}")
    peer.close()
    assert hnc.wait() == 0
    return hnc


def test_hex_shows_both_directions_with_offsets(lab, server):
    hnc = talk(lab, server, "--hex", sent=b"hello\n" * 3, received=[bytes(range(20))])
    assert hnc.out().decode().splitlines() == [
        "> 00000000  68 65 6c 6c 6f 0a 68 65 6c 6c 6f 0a 68 65 6c 6c  |hello.hello.hell|",
        "> 00000010  6f 0a                                            |o.|",
        "< 00000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  |................|",
        "< 00000010  10 11 12 13                                      |....|",
    ]


def test_hex_on_stdout_is_what_hex_dump_writes(lab, server):
    path = lab.path("dump")
    hnc = talk(lab, server, "--hex", "--hex-dump", path, sent=bytes(range(256)) * 5,
               received=[b"x" * 100000])
    with open(path, "rb") as file:
        assert file.read() == hnc.out()
    shown = [line.split(b"  |", 1)[1][:-1] for line in hnc.out().splitlines()]
    assert sum(map(len, shown)) == 256 * 5 + 100000


def test_hex_with_timestamps(lab, server):
    path = lab.path("dump")
    hnc = talk(lab, server, "--hex", "--timestamps", "--hex-dump", path, sent=b"a", received=[b"b"])
    for text in (hnc.out().decode(), open(path).read()):
        assert re.fullmatch(f"{TIME}> 00000000  61 .*\n{TIME}< 00000000  62 .*\n", text)


@pytest.mark.parametrize("no_color", [None, "1"])
def test_hex_is_coloured_on_a_terminal_unless_no_color(lab, server, no_color):
    t = Terminal([lab.program("hnc"), "--hex", "--no-editing", HOST, server.getsockname()[1]],
                 NO_COLOR=no_color)
    try:
        peer, _ = server.accept()
        t.type("hi\r")
        assert peer.recv(100) == b"hi\n"
        peer.sendall(b"yo")
        t.wait(lambda: len(t.lines()) == 3 and t.last().endswith("|yo|"), "the line, and two of hex")
        assert t.lines()[1].startswith("> 00000000  68 69 0a ")
        assert t.lines()[2].startswith("< 00000000  79 6f ")
        colours = [t.screen.buffer[row][0].fg for row in (0, 1, 2)]
        if no_color:
            assert colours == ["default"] * 3
        else:
            assert colours[0] == "default"
            assert len(set(colours)) == 3
        peer.close()
        assert t.wait_exit() == 0
    finally:
        t.close()


def test_hex_is_never_coloured_in_a_file(lab, server):
    hnc = talk(lab, server, "--hex", sent=b"x")
    assert b"\033" not in hnc.out()


def test_json_has_one_object_a_chunk(lab, server):
    chunks = ["grüße\n".encode(), b"\xff\x00\x01", b'"\\\n\t\x00']
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
    hnc = talk(lab, server, "--json", sent=b"sent", received=chunks)
    objects = [json.loads(line) for line in hnc.out().splitlines()]
    assert [o["direction"] for o in objects] == ["sent"] + ["received"] * 3
    assert [o["length"] for o in objects] == [4, 8, 3, 5]
    assert [list(o) for o in objects[:2]] == [["time", "direction", "length", "data"]] * 2
    assert objects[0]["data"] == "sent"
    assert objects[1]["data"] == "grüße\n"
    assert objects[2]["encoding"] == "base64"
    assert base64.b64decode(objects[2]["data"]) == chunks[1]
    assert objects[3]["data"].encode() == chunks[2]
    for o in objects:
        time = datetime.datetime.fromisoformat(o["time"].replace("Z", "+00:00"))
        assert before <= time <= datetime.datetime.now(datetime.timezone.utc)


def test_json_of_a_datagram_each(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        server.settimeout(TIMEOUT)
        hnc = lab.spawn("hnc", "-u", "--json", HOST, server.getsockname()[1], stdin=lab.file(b"x"))
        _, address = server.recvfrom(100)
        for text in (b"one", b"two", b"three"):
            server.sendto(text, address)
        hnc.wait_out(b"three")
        objects = [json.loads(line) for line in hnc.out().splitlines()]
        assert [o["data"] for o in objects] == ["x", "one", "two", "three"]


def test_json_of_a_stream_of_any_bytes_is_whole(lab, server):
    data = bytes(i * 7 & 255 for i in range(3_000_000))
    hnc = lab.spawn("hnc", "--json", HOST, server.getsockname()[1])
    peer, _ = server.accept()
    peer.sendall(data)
    peer.close()
    assert hnc.wait() == 0
    got = b""
    for line in hnc.out().splitlines():
        o = json.loads(line)
        part = base64.b64decode(o["data"]) if "encoding" in o else o["data"].encode()
        assert len(part) == o["length"]
        got += part
    assert got == data


def test_timestamps_stand_in_front_of_each_line(lab, server):
    hnc = talk(lab, server, "--timestamps", received=[b"one\ntwo\nthr", b"ee\nfour"])
    lines = hnc.out().decode().splitlines(keepends=True)
    assert [re.sub("^" + TIME, "@", line) for line in lines] == ["@one\n", "@two\n", "@three\n",
                                                                "@four"]


def test_timestamps_stand_in_front_of_each_datagram(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))
        server.settimeout(TIMEOUT)
        hnc = lab.spawn("hnc", "-u", "--timestamps", HOST, server.getsockname()[1],
                        stdin=lab.file(b"x"))
        _, address = server.recvfrom(100)
        for text in (b"one", b"two\n", b"three"):
            server.sendto(text, address)
        hnc.wait_out(b"three")
        assert re.sub(TIME, "@", hnc.out().decode()) == "@one\n@two\n@three"


def test_what_is_written_as_it_is_has_no_times(lab, server):
    path = lab.path("raw")
    hnc = talk(lab, server, "--timestamps", "-o", path, sent=b"sent\n", received=[b"received\n"])
    assert re.fullmatch(f"{TIME}received\n", hnc.out().decode())
    with open(path, "rb") as file:
        assert file.read() == b"sent\nreceived\n"


@pytest.mark.parametrize("append", [False, True])
def test_files_are_replaced_or_appended_to(lab, server, append):
    raw, dump = lab.path("raw"), lab.path("dump")
    for path in (raw, dump):
        with open(path, "w") as file:
            file.write("old\n")
    talk(lab, server, "-o", raw, "--hex-dump", dump, *["--append-output"] * append, sent=b"new\n")
    old = "old\n" if append else ""
    assert open(raw).read() == old + "new\n"
    assert open(dump).read().startswith(old + "> 00000000  6e 65 77 0a ")


def test_a_reader_that_is_slow_holds_both_directions_up(lab, server):
    """What is shown of the data sent is bounded, too: stdin waits."""
    size = 50_000_000
    with open(lab.path("big"), "wb") as file:
        file.truncate(size)
    with open(lab.path("big"), "rb") as stdin:
        hnc = lab.spawn("hnc", "-N", "--hex", HOST, server.getsockname()[1], stdin=stdin,
                        stdout=-1)
        peer, _ = server.accept()
        peer.settimeout(TIMEOUT)
        with peer:
            peer.recv(1)
            with open(f"/proc/{hnc.pid}/status") as status:
                memory = int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
            assert memory < 200_000  # KiB; all of it in hex are 250 MB
            lines, left = 0, size - 1
            while left or lines < size // 16:
                wanted = [hnc.popen.stdout] + [peer] * (left > 0)
                ready = select.select(wanted, [], [], TIMEOUT)[0]
                assert ready
                if peer in ready:
                    left -= len(peer.recv(1 << 20))
                if hnc.popen.stdout in ready:
                    lines += os.read(hnc.popen.stdout.fileno(), 1 << 20).count(b"\n")
        assert (lines, left) == (size // 16, 0)
        assert hnc.wait() == 0


@pytest.mark.parametrize("args", [
    ["--hex", "--json", HOST, "1"],
    ["--hex", "-e", "/bin/true", HOST, "1"],
    ["--timestamps", "-c", "true", "-l", "1"],
])
def test_what_does_not_go_together_is_refused(lab, args):
    hnc = lab.run("hnc", *args)
    assert hnc.wait() == 2
    assert "cannot use" in hnc.err()
