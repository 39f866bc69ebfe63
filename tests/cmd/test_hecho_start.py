"""hecho before it serves: what it refuses, in which words, and what it tells before it runs."""

import os
import re
import resource
import signal

import pytest

from conftest import wait_until
from hecho_lab import Server, as_root, become_nobody, public_folder, public_hecho  # noqa: F401

ESCAPE = "\x1b[31m"
SHOWN = "\\x1b[31m"


def says(lab, *args, status=1, program="hecho", **options):
    """One line on stderr, which is returned without the program's name."""
    result = lab.run(program, *args, **options)
    assert result.wait() == status, result
    assert re.fullmatch(r"hecho: [^\n]+\n", result.err()), result
    return result.err()[len("hecho: ") : -1]


# ---- what is not fit for a terminal ----

RAW = {
    "a path": [f"unix:/dev/null/{ESCAPE}"],
    "a datagram path": [f"unixgram:/dev/null/{ESCAPE}"],
    "a log file": ["--log-file", f"/dev/null/{ESCAPE}", "0"],
    "a pid file": ["--pid-file", f"/dev/null/{ESCAPE}", "0"],
    "a pid file of -s": ["-s", "stop", "--pid-file", f"/dev/null/{ESCAPE}/pid"],
    "a user": ["--user", f"nobody{ESCAPE}", "0"],
    "a group": ["--group", f"nobody{ESCAPE}", "0"],
}


@pytest.mark.parametrize("what", RAW)
def test_control_characters_in_names_do_not_reach_the_terminal(lab, what):
    text = says(lab, *RAW[what])
    assert SHOWN in text and "\x1b" not in text


def test_a_tls_end_point_is_named_without_control_characters(lab):
    text = says(lab, f"tls://x{ESCAPE}:7", status=2)
    assert "\x1b" not in text


def test_control_characters_in_addresses_do_not_reach_the_terminal(lab):
    path = lab.path(f"s{ESCAPE}")
    process = lab.spawn("hecho", f"unix:{path}")
    process.wait_err("listening on ")
    assert "[31m" in process.err() and "\x1b" not in process.err()


# ---- nothing is announced that does not come ----


@pytest.mark.parametrize("kind", ["user", "group"])
@pytest.mark.parametrize("more", [[], ["-d"], ["-s", "restart"]])
def test_an_unknown_name_is_told_before_anything_is_opened(lab, kind, more):
    log, path = lab.path("log"), lab.path("s")
    args = [*more, "--pid-file", lab.path("pid"), "--log-file", log, f"--{kind}", "no-such-name", f"unix:{path}"]
    assert says(lab, *args) == f"unknown {kind} 'no-such-name'"
    assert not os.path.exists(log) and not os.path.exists(path)


@as_root
def test_a_user_that_nobody_can_become_is_told_instead_of_the_addresses(lab, public_hecho):
    text = says(lab, "--user", "0", "0", program=public_hecho, preexec_fn=become_nobody)
    assert re.fullmatch(r"cannot become 0: Operation not permitted", text)


@pytest.mark.parametrize("limit", range(4, 10))
@pytest.mark.parametrize("args", [[], ["--workers", "1"]])
def test_out_of_descriptors_it_serves_or_says_in_one_line_what_failed(lab, limit, args):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    process = lab.spawn("hecho", *args, "0", preexec_fn=few_files)
    wait_until(lambda: not process.running() or "listening on " in process.err(), "the start or the end")
    if "listening on " in process.err():
        process.signal(signal.SIGTERM)
        assert process.wait() == 0, process
        assert limit > 5
    else:
        assert process.wait() == 1
        assert re.fullmatch(r"hecho: cannot [a-z][^\n]*: Too many open files\n", process.err()), process


# ---- ways to answer ----

MODES = [["--rot13"], ["--chargen"], ["--discard"], ["--prefix", "x"]]


@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
def test_two_ways_to_answer_are_refused(lab, first, second):
    if first == second:
        server = Server(lab, *first, *second, "0")
        server.stop()
        return
    text = says(lab, *first, *second, "0", status=2)
    assert all(mode[0] in text for mode in (first, second))


def test_an_empty_prefix_is_refused(lab):
    assert says(lab, "--prefix", "", "0", status=2) == "option --prefix: the text is empty"


# ---- pid files ----


@pytest.mark.parametrize("action", ["stop", "status", "reload", "restart"])
def test_something_else_than_a_pid_file_is_an_error(lab, action):
    path = lab.path("other")
    for content in (b"precious\n", b"1" * 100, b"12 34\n", b"\x1b[31m"):
        with open(path, "wb") as file:
            file.write(content)
        text = says(lab, "-s", action, "--pid-file", path, "0")
        assert text == f"{path}: there is something else than a pid file"
        with open(path, "rb") as file:
            assert file.read() == content
    for other in (lab.path("."), "/dev/null"):
        text = says(lab, "-s", action, "--pid-file", other, "0")
        assert text == f"{other}: there is something else than a pid file"


def test_a_pid_file_that_is_a_link_is_an_error(lab):
    path = lab.path("link")
    os.symlink(lab.path("pid"), path)
    assert says(lab, "-s", "stop", "--pid-file", path) == f"{path}: there is something else than a pid file"


@pytest.mark.parametrize("action", ["stop", "status", "reload", "restart"])
def test_a_pid_file_in_a_folder_that_does_not_exist_is_an_error(lab, action):
    path = lab.path("missing/pid")
    assert says(lab, "-s", action, "--pid-file", path, "0") == f"{path}: No such file or directory"


@pytest.mark.parametrize("content", [None, b"", b"123456\n"])
def test_no_pid_file_or_a_stale_one_is_a_server_that_does_not_run(lab, content):
    path = lab.path("pid")
    if content is not None:
        with open(path, "wb") as file:
            file.write(content)
    for pid_file, folder in ((path, None), ("pid", os.path.dirname(path))):
        result = lab.run("hecho", "-s", "stop", "--pid-file", pid_file, cwd=folder)
        assert (result.wait(), result.out(), result.err()) == (0, b"hecho stop/waiting\n", "")
        assert lab.run("hecho", "-s", "status", "--pid-file", pid_file, cwd=folder).wait() == 3


def test_a_daemon_that_is_reported_ready_can_be_stopped_at_once(lab):
    path, pid_file = lab.path("s"), lab.path("pid")
    for _ in range(10):
        assert lab.run("hecho", "-d", "--pid-file", pid_file, f"unix:{path}").wait() == 0
        assert lab.run("hecho", "-s", "stop", "--pid-file", pid_file).wait() == 0
        assert not os.path.exists(path) and not os.path.exists(pid_file)


# ---- words ----


@pytest.mark.parametrize("scheme, wanted", [("udp", "unixgram:/tmp/x"), ("tcp", "unix:/tmp/x")])
def test_a_unix_path_behind_another_scheme_is_pointed_to_the_right_one(lab, scheme, wanted):
    text = says(lab, f"{scheme}://unix:/tmp/x", status=2)
    assert wanted in text


def test_the_manual_tells_what_stays_behind_with_another_user(lab):
    manual = " ".join(lab.run("hecho", "--help-man").out().decode().split())
    assert re.search(r"user.*UNIX.*pid file.*stay behind", manual)
