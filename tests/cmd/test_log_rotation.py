# One thread.
"""hhttpd and hproxy: log files that somebody moves away, by hand or with logrotate, are opened anew."""

import contextlib
import os
import re
import resource
import signal
import socket
import time
import urllib.request

import pytest

from conftest import BIN, ROOT, TIMEOUT, wait_until
from hhttpd_lab import hhttpd, www  # noqa: F401
from hproxy_lab import children, hproxy, target  # noqa: F401


def connections_of(pid):
    """How many TCP connections this process has."""
    sockets = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return len(sockets.intersection(f"socket:[{row[9]}]" for row in rows if row[3] != "0A"))


def has(path, text):
    return path.exists() and text in path.read_text()


def test_a_worker_of_an_earlier_generation_goes_on_in_the_new_file(lab, hproxy, target):
    access, moved, pid_file = lab.folder / "access", lab.folder / "moved", lab.path("pid")
    proxy = hproxy("0", target().address, f"--access-log={access}", "--pid-file", pid_file)
    with proxy.connect() as client:
        client.sendall(b"x")
        assert client.recv(100) == b"target:x"
        proxy.reload()
        access.rename(moved)
        assert lab.run("hproxy", "-s", "reopen", "--pid-file", pid_file).wait() == 0
        wait_until(lambda: "log files opened anew" in proxy.process.err(), "the new file")
        assert proxy.ask(b"y") == b"target:y"
        wait_until(lambda: access.read_text().count("\n") == 1, "the line of the new worker")
    wait_until(lambda: access.read_text().count("\n") == 2, "the line of the old one")
    assert moved.read_text() == ""
    proxy.stop()


def test_requests_and_messages_of_hhttpd(lab, hhttpd, www):
    log, access = lab.folder / "log", lab.folder / "access"
    process = lab.spawn("hhttpd", "--threads", "2", "--log-file", log, f"--access-log={access}", www, "0")
    url = wait_until(lambda: log.exists() and re.search(r"on (http://\S+)", log.read_text()), "the server")[1]
    urllib.request.urlopen(url + "a.txt").read()
    wait_until(lambda: has(access, "a.txt"), "the first request")
    for path in log, access:
        path.rename(f"{path}.1")
    process.signal(signal.SIGUSR1)
    wait_until(lambda: has(log, "log files opened anew"), "the new file")

    def is_told_anew():  # the one of the two threads that answers need not be the one that hears of it
        urllib.request.urlopen(url + "a.txt?2").read()
        return has(access, "a.txt?2")

    wait_until(is_told_anew, "a request in the new file")
    urllib.request.urlopen(url + "a.txt?3").read()
    wait_until(lambda: has(access, "a.txt?3"), "the next one")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_a_file_that_cannot_be_opened_is_told_and_the_old_one_stays(lab, hproxy, target):
    folder = lab.folder / "logs"
    folder.mkdir()
    proxy = hproxy("0", target().address, f"--access-log={folder}/access")
    folder.rename(lab.folder / "gone")
    proxy.process.signal(signal.SIGUSR1)
    wait_until(lambda: f"cannot open {folder}/access: No such file" in proxy.process.err(), "the message")
    assert proxy.ask(b"y") == b"target:y"
    wait_until(lambda: has(lab.folder / "gone" / "access", "done"), "the line")
    proxy.stop()


def test_a_worker_without_descriptors_has_its_new_files(lab, hproxy, target):
    log, access = lab.folder / "log", lab.folder / "access"
    process = lab.spawn("hproxy", "0", target().address, "--log-file", log, f"--access-log={access}")
    port = int(wait_until(lambda: log.exists() and re.search(r"serving \S+:(\d+)", log.read_text()), "the proxy")[1])

    def ask(data):
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
            client.sendall(data)
            assert client.recv(100) == b"target:" + data

    def reopen():
        log.unlink()
        access.unlink()
        process.signal(signal.SIGUSR1)
        wait_until(lambda: has(log, "log files opened anew"), "the new file")

    def is_anew():
        names = []
        for fd in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # it is just being changed
                names.append(os.readlink(f"{folder}/{fd}"))
        return str(log) in names and str(access) in names and not any("deleted" in name for name in names)

    ask(b"x")  # it is there, and has its limit
    worker, = children(process.pid)
    folder = f"/proc/{worker}/fd"
    wait_until(lambda: has(access, "done"), "the line")
    wait_until(lambda: connections_of(worker) == 0, "the end of its connections")
    before = os.listdir(folder)
    _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    free = min(set(range(len(before) + 1)) - {int(fd) for fd in before})
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (free, hard))
    for _ in range(3):
        reopen()
        wait_until(is_anew, "the worker's new files")
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
    ask(b"x")
    wait_until(access.read_text, "a line in the new file")
    wait_until(lambda: len(os.listdir(folder)) == len(before), "as many descriptors as there were")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_without_files_the_signal_does_nothing(hproxy, target):
    proxy = hproxy("0", target().address)
    proxy.process.signal(signal.SIGUSR1)
    assert proxy.ask(b"y") == b"target:y"
    proxy.stop()


def test_others_have_no_such_action(lab):
    process = lab.run("hecho", "-s", "reopen")
    assert process.wait() == 2 and "it takes start, stop, restart, status or reload" in process.err()


def example(command):
    """What the manual says that logrotate is told."""
    section = (ROOT / "man" / f"{command}.1").read_text().split(".Sh LOG ROTATION\n")[1]
    return re.search(r"\.Bd -literal.*?\n(.*?)\.Ed\n", section, re.S)[1].replace("\\-", "-")


@pytest.mark.parametrize("command", ["hhttpd", "hproxy"])
def test_the_manuals_example_for_logrotate(lab, www, target, command):
    access, conf, rotate = lab.folder / "access.log", lab.folder / "x.conf", lab.folder / "logrotate.conf"
    if command == "hhttpd":
        conf.write_text(f"listen = 127.0.0.1:0\npid_file = {lab.path('pid')}\naccess_log = {access}\n"
                        f"document_root = {www}\n")
    else:
        conf.write_text(f"pid-file = {lab.path('pid')}\naccess-log = {access}\n"
                        f"[listen x]\nlisten = 127.0.0.1:0\ntarget = {target().address}\n")
    rotate.write_text(example(command).replace(f"/var/log/{command}/", f"{lab.folder}/")
                      .replace(f"{command} -c /etc/{command}.conf", f"{BIN}/{command} -c {conf}"))
    assert str(lab.folder) in rotate.read_text() and str(BIN) in rotate.read_text()
    os.chmod(rotate, 0o600)
    process = lab.spawn(command, "-c", conf)
    wait_until(lambda: "serving" in process.err(), "the server")
    access.write_text("before\n")
    done = lab.run("logrotate", "-f", "-s", lab.path("state"), rotate)
    assert done.wait() == 0, done.err()
    assert has(lab.folder / "access.log.1", "before")
    wait_until(lambda: "log files opened anew" in process.err(), "the new file")
    assert access.exists()
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def rotated(path):
    """The files that were moved away from it."""
    return [other for other in path.parent.iterdir() if re.fullmatch(re.escape(path.name) + r"\.\d{8}-\d{6}", other.name)]


@pytest.mark.parametrize("command", ["hhttpd", "hproxy"])
def test_large_and_old_files_are_moved(lab, command):
    log, access = lab.folder / "log", lab.folder / "access"
    log.write_text("x" * 1024 + "\n")
    access.write_text("small, and of yesterday\n")
    (lab.folder / "access.20000101-000000").write_text("old\n")
    for name, days in ("access", 1), ("access.20000101-000000", 4):
        os.utime(lab.folder / name, (time.time() - days * 24 * 3600,) * 2)
    args = ("0", "--socks") if command == "hproxy" else (".", "0")
    process = lab.spawn(command, *args, f"--log-file={log}", f"--access-log={access}", "--log-filesize=1k",
                        "--log-remain-days=3", cwd=lab.folder)
    wait_until(lambda: has(log, "serving"), "the server")
    assert "xxx" not in log.read_text() and access.read_text() == ""
    assert ["x" * 1024 + "\n"] == [path.read_text() for path in rotated(log)]
    assert ["small, and of yesterday\n"] == [path.read_text() for path in rotated(access)]
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
