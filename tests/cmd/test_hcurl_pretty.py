# One thread.
"""JSON and heads as they are shown on a terminal, and that nothing is touched elsewhere."""

import json
import os

import pytest

from hcurl_lab import Web, response
from terminal import Terminal

VALUE = {"name": "Zoë", "list": [1, -2.5e3, True, None, [], {}], "nested": {"a": "x\"y"}}
TEXT = json.dumps(VALUE, ensure_ascii=False, separators=(",", ":")).encode()
INDENTED = """{
  "name": "Zoë",
  "list": [
    1,
    -2500.0,
    true,
    null,
    [],
    {}
  ],
  "nested": {
    "a": "x\\"y"
  }
}"""


@pytest.fixture
def web():
    def typed(kind, body):
        return lambda w, r, rest: response(200, body, f"Content-Type: {kind}")

    def piecewise(w, r, rest):
        chunks = b"".join(b"1\r\n%c\r\n" % c for c in TEXT)
        return response(200, b"", "Content-Type: application/json",
                        "Transfer-Encoding: chunked", length=False) + chunks + b"0\r\n\r\n"

    web = Web({
        "json": typed("application/json; charset=utf-8", TEXT),
        "problem": typed("application/problem+json", b'{"status":404}'),
        "lines": typed("application/x-ndjson", b'{"a":1}\n{"a":2}\n'),
        "text": typed("text/plain", b'{"a":1}'),
        "liar": typed("application/json", b"<html>  not found</html>"),
        "broken": typed("application/json", b'{"a": [1,  oops  ]'),
        "empty": typed("application/json", b""),
        "pieces": piecewise,
    })
    yield web
    web.close()


def shown(lab, *args, **environment):
    """What is on the screen, and the bytes that drew it."""
    run = Terminal([lab.program("hcurl"), "-q", *args], rows=60, **{"NO_COLOR": None, **environment})
    status, lines = run.wait_exit(), run.lines()
    run.close()
    assert status == 0, lines
    return lines, run.raw.replace(b"\r\n", b"\n")


def test_json_is_indented_and_coloured_on_a_terminal(lab, web):
    lines, raw = shown(lab, web.url + "/json")
    assert lines == INDENTED.split("\n")
    assert b"\033[34m\"name\"\033[0m: \033[32m" in raw


def test_it_does_not_matter_how_it_comes(lab, web):
    assert shown(lab, web.url + "/pieces")[0] == INDENTED.split("\n")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour_it_is_only_indented(lab, web, environment):
    lines, raw = shown(lab, "--no-styled-output", web.url + "/json", **environment)
    assert lines == INDENTED.split("\n")
    assert b"\033" not in raw


def test_kinds_of_json(lab, web):
    assert shown(lab, web.url + "/problem")[0] == ["{", '  "status": 404', "}"]
    assert shown(lab, web.url + "/lines")[0] == ["{", '  "a": 1', "}", "{", '  "a": 2', "}"]
    assert shown(lab, web.url + "/empty")[0] == []


def test_what_is_no_json_passes(lab, web):
    assert shown(lab, web.url + "/text")[0] == ['{"a":1}']
    assert shown(lab, web.url + "/liar")[0] == ["<html>  not found</html>"]
    assert shown(lab, web.url + "/broken")[0] == ["{", '  "a": [', "    1,", "    oops  ]"]


def test_it_can_be_switched_off(lab, web):
    lines, raw = shown(lab, "--no-pretty", web.url + "/json")
    assert raw == TEXT


@pytest.mark.parametrize("words", [[], ["--pretty"]])
def test_files_are_never_touched(lab, web, words):
    run = lab.run("hcurl", "-q", "-s", *words, "-o", lab.path("got"), web.url + "/json")
    assert run.wait() == 0 and (lab.folder / "got").read_bytes() == TEXT
    lines, raw = shown(lab, *words, "-s", "-o", lab.path("got"), web.url + "/json")
    assert raw == b"" and (lab.folder / "got").read_bytes() == TEXT


def test_pipes_are_touched_only_if_asked_for(lab, web):
    assert lab.run("hcurl", "-q", "-s", web.url + "/json").out() == TEXT
    assert lab.run("hcurl", "-q", "-s", "-i", web.url + "/json").out().endswith(b"\r\n\r\n" + TEXT)
    asked = lab.run("hcurl", "-q", "-s", "--pretty", web.url + "/json").out()
    assert asked.decode() == INDENTED + "\n" and b"\033" not in asked


def test_binary_passes_byte_for_byte(lab, web):
    data = bytes(range(256)) * 40
    web.routes["bytes"] = lambda w, r, rest: response(200, data, "Content-Type: application/json")
    assert lab.run("hcurl", "-q", "-s", web.url + "/bytes").out() == data


# ---- heads ---------------------------------------------------------------------------------------


def test_heads_are_coloured(lab, web):
    lines, raw = shown(lab, "-i", web.url + "/text")
    assert lines[0] == "HTTP/1.1 200 OK" and "Content-Type: text/plain" in lines
    assert raw.startswith(b"\033[32mHTTP/1.1 200 OK\033[0m\r\n")
    assert b"\033[1m\033[36mServer\033[0m: lab\r\n" in raw


def test_without_pretty_names_are_bold_as_in_curl(lab, web):
    raws = []
    for name, words in (("hcurl", ["--no-pretty"]), ("curl", [])):
        run = Terminal([lab.program(name), "-q", "-i", *words, web.url + "/text"], NO_COLOR=None)
        assert run.wait_exit() == 0
        run.close()
        raws.append(run.raw.replace(b"\r\n", b"\n").replace(b"\033[22m", b"\033[0m"))
    assert raws[0] == raws[1]
    assert b"\033[1mServer\033[0m: lab\r\n" in raws[0]


def test_styles_can_be_switched_off(lab, web):
    lines, raw = shown(lab, "-i", "--no-pretty", "--no-styled-output", web.url + "/text")
    assert b"\033" not in raw


def test_heads_in_a_pipe_are_as_they_came(lab, web):
    run = lab.run("hcurl", "-q", "-s", "-i", "--pretty", web.url + "/text")
    assert b"\033" not in run.out() and run.out().startswith(b"HTTP/1.1 200 OK\r\nServer: lab\r\n")
