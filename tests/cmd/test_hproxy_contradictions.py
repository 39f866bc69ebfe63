"""hproxy: options that contradict each other or would say nothing are told, not ignored."""

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
    ([TARGET, "-t", "-s", "reload"], "-t and -s: choose one"),
    (["--socks", "--balance=source-hash"], "balance, retries, eject-failures and eject-time: there are no targets"),
    (["--socks", "--retries=0"], "balance, retries, eject-failures and eject-time: there are no targets"),
    (["--http", "--eject-failures=0"], "balance, retries, eject-failures and eject-time: there are no targets"),
    (["--http", "--eject-time=1"], "balance, retries, eject-failures and eject-time: there are no targets"),
    (["--socks", "--auth=:secret"], "auth: a user without a name"),
])
def test_contradictions(lab, args, expected):
    process = lab.run("hproxy", "0", *args)
    assert process.wait() == 2 and process.out() == b""
    assert process.err().startswith("hproxy: " + expected), process.err()
    assert process.err().count("\n") == 1, process.err()
