# One thread.
"""What hnmap says of what it cannot do: one line that names the place and the reason, and a status
that tells faults of the command line (2) from those of the system (1). Nothing is sent or written."""

import os

import pytest

HERE = "127.0.0.1"
PLAIN = ["--unprivileged", "-n", "-p1"]

# arguments, status, pieces of the message
MISUSED = [
    ([], ["no target"]),
    (["-sL", "-sT", HERE], ["-sL"]),
    (["-sn", "-sT", HERE], ["-sn"]),
    (["-sT", "-sS", HERE], ["one way"]),
    (["-Pn", "-PS", HERE], ["-Pn"]),
    (["-F", "-p1", HERE], ["-F"]),
    (["-F", "--top-ports", "5", HERE], ["-F"]),
    (["--min-parallelism", "9", "--max-parallelism", "3", HERE], ["--min-parallelism"]),
    (["--min-rate", "9", "--max-rate", "3", HERE], ["--min-rate"]),
    (["--max-rate", "0", HERE], ["--max-rate", "'0'"]),
    (["--max-rtt-timeout", "2h", HERE], ["hour"]),
    (["--min-rtt-timeout", "2s", "--max-rtt-timeout", "1s", HERE], ["--min-rtt-timeout"]),
    (["--initial-rtt-timeout", "2s", "--max-rtt-timeout", "1s", HERE], ["--initial-rtt-timeout"]),
    (["--initial-rtt-timeout", "1s", "--min-rtt-timeout", "2s", HERE], ["--initial-rtt-timeout"]),
    (["--scan-delay", "2s", "--max-scan-delay", "1s", HERE], ["--scan-delay"]),
    (["--scanflags", "SYN", "-sT", HERE], ["--scanflags"]),
    (["--max-retries", "64", HERE], ["--max-retries", "64"]),
    (["-T6", HERE], ["'6'"]),
    (["-T", "slow", HERE], ["'slow'"]),
    (["-v11", HERE], ["'11'"]),
    (["-sC", HERE], ["-sC", "scripts"]),
    (["-sQ", HERE], ["-sQ"]),
    (["-PY", HERE], ["-PY"]),
    (["-Pq", HERE], ["-Pq"]),
    (["--script", "x", HERE], ["--script"]),
    (["-D", "192.0.2.1", HERE], ["-D"]),
    (["-g", "0", HERE], ["0"]),
    (["-g", "65536", HERE], ["65536"]),
    (["--nosuch", HERE], ["--nosuch"]),
    (["--seed", "x", HERE], ["--seed"]),
    (["--shard", "3/2", HERE], ["--shard", "1/4"]),
    (["-p", "0-70000", HERE], ["-p", "70000"]),
    (["-p", "nosuchservice", HERE], ["-p", "nosuchservice"]),
    (["-p1", "--exclude-ports", "1", HERE], ["ports"]),
    (["-S", "nonsense", HERE], ["-S", "'nonsense'"]),
    (["-S", "::1", HERE], ["-S", "'::1'", "-6"]),
    (["--dns-servers", "192.0.2.1,garbage", HERE], ["--dns-servers", "'garbage'"]),
    (["--dns-servers", "192.0.2.1,", HERE], ["--dns-servers", "''"]),
    (["--dns-servers", "192.0.2.1:0", HERE], ["--dns-servers", "'192.0.2.1:0'"]),
    (["--dns-servers", "[::1]x", HERE], ["--dns-servers", "'[::1]x'"]),
    (["-6", "-S", HERE, "::1"], ["-S", HERE]),
    (["-sS", HERE], ["CAP_NET_RAW", "-sT"]),
    (["-sU", HERE], ["-sU", "CAP_NET_RAW"]),
    (["-PP", HERE], ["CAP_NET_RAW", "-PS"]),
    (["--scanflags", "SYN", HERE], ["--scanflags", "CAP_NET_RAW"]),
    (["10.0.0.256"], ["10.0.0.256"]),
    (["10.0.0.0/33"], ["/33"]),
    (["10.5-3.0.1"], ["5-3"]),
    (["-iL", "/nosuch/file"], ["/nosuch/file"]),
    ([HERE, "--exclude", "1.2.3.4/40"], ["/40"]),
    ([HERE, "--excludefile", "/nosuch/file"], ["/nosuch/file"]),
    (["-6", "fe80::1%nosuch0"], ["nosuch0"]),
]
IMPOSSIBLE = [
    (["-e", "nosuch0", HERE], ["-e", "'nosuch0'"]),
    (["-S", "192.0.2.9", HERE], ["-S", "'192.0.2.9'"]),
    (["-oX", "/nosuch/folder/file", HERE], ["/nosuch/folder/file"]),
]


def assert_refused(lab, args, status, pieces):
    result = lab.run("hnmap", "--unprivileged", "-n", *args)
    assert result.wait() == status, result
    assert result.out() == b"", result
    lines = [line for line in result.err().splitlines() if "try 'hnmap --help'" not in line]
    assert len(lines) == 1 and lines[0].startswith("hnmap: "), result
    for piece in pieces:
        assert piece in lines[0], (piece, result)


@pytest.mark.parametrize("args,pieces", MISUSED, ids=[" ".join(a) for a, _ in MISUSED])
def test_misused(lab, args, pieces):
    assert_refused(lab, args, 2, pieces)


@pytest.mark.parametrize("args,pieces", IMPOSSIBLE, ids=[" ".join(a) for a, _ in IMPOSSIBLE])
def test_impossible(lab, args, pieces):
    assert_refused(lab, args, 1, pieces)


def test_what_is_refused_leaves_files_alone(lab):
    for args in (["-e", "nosuch0"], ["-p", "x-y"], ["--shard", "9/1"]):
        report = lab.path("report")
        with open(report, "w") as file:
            file.write("of last week\n")
        assert lab.run("hnmap", *PLAIN, *args, "-oX", report, HERE).wait() in (1, 2)
        with open(report) as file:
            assert file.read() == "of last week\n"


@pytest.mark.parametrize("args", [["-iL", "/dev/null"], ["-sL", HERE, "--exclude", HERE], ["-iL", "-"]])
def test_no_target_is_left(lab, args):
    """As with nmap that is no fault, but it is told."""
    result = lab.run("hnmap", *PLAIN[:2], *args, "-oX", lab.path("x"))
    assert result.wait() == 0, result
    assert "no target is left" in result.err()
    assert b"0 IP addresses" in result.out()
    with open(lab.path("x")) as file:
        assert file.read().endswith("</nmaprun>\n")


@pytest.mark.parametrize("args", [["-sL"], ["-sn", "-Pn"]])
def test_a_reader_that_leaves(lab, args):
    """hnmap ... | head -1: it ends. Where there is a file, too, it goes on for that: test_hnmap_output.py."""
    read, write = os.pipe()
    process = lab.spawn("hnmap", *PLAIN[:2], *args, "10.0.0.0/8", stdout=write)
    os.close(write)
    assert os.read(read, 1)
    os.close(read)
    assert process.wait() == 1
    assert "standard output" in process.err()


@pytest.mark.parametrize("args", [["--diff"], ["-sV", "--probes"]])
def test_what_is_no_file_is_told_as_that(lab, args):
    path = lab.path("fifo")
    os.mkfifo(path)
    result = lab.run("hnmap", *PLAIN, *args, path, HERE)
    assert result.wait() == 1
    assert f"{path}" in result.err() and "it is no plain file" in result.err(), result


@pytest.mark.parametrize("options", [["-oX", "x", "--json", "x"], ["-oA", "a", "-oG", "a.gnmap"]])
def test_two_reports_in_one_file_are_refused(lab, options):
    """The file that is there stays as it is."""
    path = lab.path(options[-1])
    with open(path, "w") as file:
        file.write("mine")
    result = lab.run("hnmap", "-sL", HERE, *[o if o.startswith("-") else lab.path(o) for o in options])
    assert result.wait() == 1
    assert result.err() == f"hnmap: two reports go to '{path}': give each a file of its own\n"
    with open(path) as file:
        assert file.read() == "mine"


def test_given_times_go_with_every_template(lab):
    for template in range(6):
        for args in (["--scan-delay", "2ms"], ["--max-scan-delay", "1ms"], ["--max-rtt-timeout", "50ms"],
                     ["--min-rtt-timeout", "2s"], ["--initial-rtt-timeout", "20s"],
                     ["--min-parallelism", "5"]):
            result = lab.run("hnmap", *PLAIN, f"-T{template}", *args, "-Pn", HERE)
            assert result.wait() == 0, result
