"""hecho before it serves: what it refuses, in which words, and what it tells before it runs."""

import re

import pytest

ESCAPE = "\x1b[31m"
SHOWN = "\\x1b[31m"


def says(lab, *args, status=1, **options):
    """One line on stderr, which is returned without the program's name."""
    result = lab.run("hecho", *args, **options)
    assert result.wait() == status, result
    assert re.fullmatch(r"hecho: [^\n]+\n", result.err()), result
    return result.err()[len("hecho: ") : -1]


# ---- what is not fit for a terminal ----

RAW = {
    "a path": [f"unix:/nonexistent/{ESCAPE}"],
    "a datagram path": [f"unixgram:/nonexistent/{ESCAPE}"],
    "a log file": ["--log-file", f"/nonexistent/{ESCAPE}", "0"],
    "a pid file": ["--pid-file", f"/nonexistent/{ESCAPE}", "0"],
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
