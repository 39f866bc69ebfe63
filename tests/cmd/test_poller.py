"""HNET_POLLER, which chooses how the commands wait for events: a wrong value is told so that it can
be put right."""

import os
import re

import pytest

COMMANDS = {
    "hnc": ["-z", "127.0.0.1", "9"],
    "hnc -l": ["-l", "127.0.0.1", "0"],
    "hchat": ["0"],
    "hecho": ["0"],
    "hecho --workers": ["--workers", "2", "0"],
}
EACH = pytest.mark.parametrize("what", COMMANDS)


def refused(lab, what, value):
    """The one line on stderr, without the command's name."""
    name = what.split()[0]
    result = lab.run(name, *COMMANDS[what], data=b"", env={**os.environ, "HNET_POLLER": value})
    assert (result.wait(), result.out()) == (1, b""), result
    assert re.fullmatch(rf"{name}: [^\n]+\n", result.err()), result
    return result.err()[len(name) + 2 : -1]


@EACH
def test_an_unknown_poller_is_named_with_those_that_are_known(lab, what):
    text = refused(lab, what, "telepathy")
    assert re.fullmatch(
        r"cannot open the event loop: HNET_POLLER=telepathy: "
        r"no such poller in this build, which has epoll, poll, select(, io_uring)?",
        text,
    )


@EACH
def test_what_is_no_text_does_not_reach_the_terminal(lab, what):
    text = refused(lab, what, "\x1b[31m" + "x" * 1000)
    assert "\x1b" not in text and r"HNET_POLLER=\x1b[31m" in text and "epoll, poll" in text


@pytest.mark.parametrize("value", ["", "epoll", "poll", "select"])
def test_a_known_poller_serves(lab, value):
    env = {**os.environ, "HNET_POLLER": value}
    server = lab.spawn("hecho", "0", env=env)
    server.wait_err("listening on ")
    port = re.search(r"listening on \S*:(\d+)", server.err()).group(1)
    client = lab.run("hnc", "-N", "127.0.0.1", port, data=b"hi", env=env)
    assert (client.wait(), client.out()) == (0, b"hi")
