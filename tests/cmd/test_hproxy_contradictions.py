"""hproxy: options that contradict each other or would say nothing are told, not ignored."""

import os

import pytest

TARGET = "127.0.0.1:9"


@pytest.mark.parametrize("args,expected", [
    ([TARGET, "--check=http", "--check-path=here"], "check-path: it takes a path that can be asked for"),
    ([TARGET, "--check=http", "--check-path=/a\r\nb: c"], "check-path: it takes a path that can be asked for"),
    ([TARGET, "--check=http", "--check-host=a b"], "check-host: it takes a name"),
    ([TARGET, "--check=talk"], "check = talk needs check-send, check-expect or both"),
    (["127.0.0.1:0"], "'127.0.0.1:0': nobody can be reached at port 0"),
    ([TARGET, "--max-flows=9"], "max-flows is about clients of datagrams"),
    ([TARGET, "--dns-min=10", "--dns-max=5"], "dns-min is more than dns-max"),
    ([TARGET, "--dns-min=10m"], "dns-min is more than dns-max (5m if it is not given)"),
    ([TARGET, "--log-format=json"], "log-format = json goes with access-log"),
    ([TARGET, "--log-filesize=1M"], "log-filesize and log-remain-days go with log-file or access-log"),
    ([TARGET, "--log-remain-days=1", "--access-log=-"], "log-filesize and log-remain-days go with log-file or access-log"),
    ([TARGET, "-t", "-s", "reload"], "-t and -s: choose one"),
    (["--socks", "--balance=source-hash"], "balance, retries, eject-failures and eject-time: there are no targets"),
    (["--socks", "--retries=0"], "balance, retries, eject-failures and eject-time: there are no targets"),
    (["--http", "--eject-failures=0"], "balance, retries, eject-failures and eject-time: there are no targets"),
    (["--http", "--eject-time=1"], "balance, retries, eject-failures and eject-time: there are no targets"),
    ([TARGET, "--dns=[::1]:53,ns.example"], "dns: 'ns.example' is no address of a server"),
    ([TARGET, "--dns=192.0.2.1:99999"], "dns: '192.0.2.1:99999' is no address of a server"),
    (["--socks", "--auth=:secret"], "auth: a user without a name"),
])
def test_contradictions(lab, args, expected):
    process = lab.run("hproxy", "0", *args)
    assert process.wait() == 2 and process.out() == b""
    assert process.err().startswith("hproxy: " + expected), process.err()
    assert process.err().count("\n") == 1, process.err()


@pytest.mark.parametrize("option", ["connect-timeout", "eject-time", "check-interval", "check-timeout", "handshake-timeout",
                                    "idle-timeout", "drain-timeout", "stop-time", "dns-min", "dns-max"])
def test_no_time_is_not_taken_for_the_usual_one(lab, option):
    process = lab.run("hproxy", "0", TARGET, f"--{option}=0")
    assert process.wait() == 2
    assert process.err() == f"hproxy: option --{option}: '0' is too short a time\n"


@pytest.mark.parametrize("args", [
    ["127.0.0.1:0", TARGET, "--allow-file"],
    ["127.0.0.1:0", TARGET, "--deny-file"],
    ["tls://127.0.0.1:0", TARGET, "--tls-cert"],
    ["127.0.0.1:0", "tls://" + TARGET, "--target-ca"],
    ["127.0.0.1:0", TARGET, "--access-log"],
    ["127.0.0.1:0", TARGET, "--log-file"],
])
def test_a_pipe_is_not_waited_for(lab, args):
    """Nor by a master whose configuration is read again."""
    os.mkfifo(path := lab.path("pipe"))
    process = lab.run("hproxy", "-t", f"{args[2]}={path}", *args[:2])
    assert process.wait() == (1 if "log" in args[2] else 2)
    assert path in process.err() and process.err().count("\n") == 1, process.err()


@pytest.mark.parametrize("path", ["/dev/zero", "/dev"])
def test_what_is_no_file_is_not_read(lab, path):
    process = lab.run("hproxy", "-t", f"--allow-file={path}", "127.0.0.1:0", TARGET)
    assert process.wait() == 2 and process.err() == f"hproxy: '{path}': not a plain file\n"
