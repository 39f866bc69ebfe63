# One thread.
"""What hcurl says beside the data: heads and traces as curl writes them, errors and warnings."""

import os
import re
import select
import socket

import pytest

from hcurl_lab import PLAIN, Web, hcurl, shown


@pytest.fixture
def web():
    web = Web()
    yield web
    web.close()


def of_both(lab, web, *args):
    """hcurl and curl after the same words; the server counts anew for each."""
    runs = []
    for name in ("hcurl", "curl"):
        web.forget()
        runs.append(lab.run(name, "-q", "-s", "-A", "x", *args, env=PLAIN))
    return runs


def head_lines(text):
    return [line for line in text.split("\n") if line[:2] in ("> ", "< ")]


REQUESTS = {
    "get": ["/hello"],
    "post": ["/echo", "-d", "a=b"],
    "head": ["-I", "/hello"],
    "chunked": ["/chunked"],
    "follow": ["-L", "/redirect/302/hello"],
    "basic": ["-u", "u:p", "/basic"],
    "nothing": ["/status/204"],
    "upload": ["-T", "-", "-H", "Expect:", "/echo"],
    "fields": ["/echo", "-H", "X-A: b", "-H", "Accept:", "-e", "http://a/", "-b", "a=b"],
}


def with_url(web, args):
    return [web.url + arg if arg.startswith("/") else arg for arg in args]


@pytest.mark.parametrize("what", REQUESTS)
def test_heads_are_shown_byte_for_byte(lab, web, what):
    ours, theirs = of_both(lab, web, "-v", *with_url(web, REQUESTS[what]))
    assert head_lines(ours.err()) == head_lines(theirs.err()) != []
    assert ours.out() == theirs.out()
    assert all(line[:2] in ("> ", "< ", "* ", "{ ", "} ") for line in ours.err().splitlines())


def test_interim_heads_have_an_end(lab, web):
    """As the newest curl shows it; Debian's leaves the empty line out."""
    lines = head_lines(hcurl(lab, "-sv", web.url + "/informed").err())
    start = lines.index("< HTTP/1.1 103 Early Hints")
    assert lines[start + 1 : start + 4] == ["< Link: </a>", "< ", "< HTTP/1.1 200 OK"]


def test_a_kept_connection_shows_its_requests(lab, web):
    lines = head_lines(hcurl(lab, "-sv", web.url + "/hello", web.url + "/echo").err())
    assert web.connections == 1
    assert [line for line in lines if line.startswith("> GET")] == ["> GET /hello HTTP/1.1",
                                                                    "> GET /echo HTTP/1.1"]


def dumped(text):
    """A trace without what is only said for people."""
    return [line for line in text.splitlines() if not line.startswith(("== Info", "* "))]


@pytest.mark.parametrize("option", ["--trace", "--trace-ascii"])
@pytest.mark.parametrize("what", ["get", "post", "head", "follow", "basic", "fields"])
def test_dumps_are_the_same(lab, web, option, what):
    ours, theirs = of_both(lab, web, option, "%", *with_url(web, REQUESTS[what]))
    assert dumped(ours.err()) == dumped(theirs.err()) != []


def test_the_dump_of_many_bytes_is_whole(lab, web):
    run = hcurl(lab, "-s", "-o", lab.path("got"), "--trace", lab.path("trace"), web.url + "/big/100000")
    assert run.wait() == 0
    sizes = re.findall(r"<= Recv data, (\d+) bytes", open(lab.path("trace")).read())
    assert sum(map(int, sizes)) == 100000


def test_data_is_announced_once(lab, web):
    run = hcurl(lab, "-sv", "-o", os.devnull, "-d", "abc", web.url + "/big/3000000")
    assert re.findall(r"^[{}] \[(\d+) bytes data\]$", run.err(), re.M)[0] == "3"
    assert len(re.findall(r"^} \[", run.err(), re.M)) == 1
    assert len(re.findall(r"^{ \[", run.err(), re.M)) == 1


def test_data_that_is_seen_is_not_announced(lab, web):
    lines, raw = shown(lab, "-v", web.url + "/hello")
    assert "hello" in lines
    assert b"bytes data]" not in raw
    assert b"< HTTP/1.1 200 OK" in raw


def test_an_address_is_told_before_it_answers(lab):
    """Where nothing comes back, this is all there is to see."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        peers = []
        port = server.getsockname()[1]
        while fills(server, peers):
            pass
        run = lab.spawn("hcurl", "-qsv", f"http://127.0.0.1:{port}/", env=PLAIN)
        run.wait_err(f"*   Trying 127.0.0.1:{port}...\n")
        assert run.running()
        for peer in peers:
            peer.close()


def fills(server, peers):
    """Whether a further connection still fits into the backlog of a server that accepts none."""
    peer = socket.socket()
    peers.append(peer)
    peer.setblocking(False)
    peer.connect_ex(server.getsockname())
    return select.select([], [peer], [], 0.2)[1]


def test_lines_have_a_time_and_numbers(lab, web):
    run = hcurl(lab, "-sv", "--trace-time", "--trace-ids", web.url + "/hello", web.url + "/hello")
    line = re.compile(r"\d\d:\d\d:\d\d\.\d{6} \[(\d+)-(x|\d+)\] [*<>{}] ")
    numbers = [line.match(text) for text in run.err().splitlines()]
    assert all(numbers)
    assert {found.group(1) for found in numbers} == {"0", "1"}
    assert run.out() == b"hello\nhello\n"


def test_each_further_v_of_a_word_tells_more(lab, web):
    def first(*words):
        return hcurl(lab, "-s", *words, web.url + "/hello").err().splitlines()[0]

    when = r"\d\d:\d\d:\d\d\.\d{6} \[0-\S+\] "
    assert first("-v").startswith("* ")
    assert first("-v", "-v").startswith("* ")
    assert re.match(when, first("-vv"))
    assert first("-vv", "-v").startswith("* ")
    assert re.match(when.replace(r" \[0-\S+\]", ""), first("--trace-time", "-v"))
    assert first("-v", "--trace-config", "ids").startswith("[0-")
    assert "<= Recv data, 6 bytes (0x6)" in hcurl(lab, "-svvv", web.url + "/hello").err()
    assert hcurl(lab, "-sv", "--no-verbose", web.url + "/hello").err() == ""


def test_the_last_trace_counts_and_says_so(lab, web):
    run = hcurl(lab, "-v", "--trace-ascii", lab.path("trace"), web.url + "/hello")
    assert run.err().startswith("Warning: ") and "earlier trace option" in run.err()
    assert "=> Send header" in open(lab.path("trace")).read()
    assert "=> Send header" not in run.err()


def test_a_trace_goes_to_stdout_too(lab, web):
    run = hcurl(lab, "-s", "--trace-ascii", "-", web.url + "/hello")
    assert b"<= Recv data, 6 bytes (0x6)\n0000: hello" in run.out()
    assert run.err() == ""


def test_a_trace_that_cannot_be_written_is_a_warning(lab, web):
    run = hcurl(lab, "--trace", lab.path("no/such/file"), web.url + "/hello")
    assert run.wait() == 0 and run.out() == b"hello\n"
    assert run.err().startswith("Warning: ") and "No such file" in run.err().replace("\nWarning: ", "")


def test_the_peer_of_tls_is_named_once(lab):
    port = lab.port()
    lab.spawn("hhttpd", "--tls-self-signed", "-p", str(port), str(lab.folder))
    lab.wait_bound(port)
    url = f"https://localhost:{port}/0.out"
    run = hcurl(lab, "-svk", url, url)
    told = [line for line in run.err().splitlines() if line.startswith("* ")]
    assert sum(line.startswith("* SSL connection using TLSv1.3 / TLS_") for line in told) == 1
    assert "* Server certificate:" in told and "*   It was NOT verified." in told
    assert any(re.fullmatch(r"\*   expire date: \w+, .* GMT", line) for line in told)
    assert "* ALPN: server accepted http/1.1" in told
    run = hcurl(lab, "-sv", url)
    assert run.wait() == 60
    assert "certificate is self-signed" in run.err() and run.err().startswith("* ")


def test_a_trace_tells_which_address_did_not_answer(lab, web):
    name = f"x.example:{web.port}"
    run = hcurl(lab, "-sv", "--resolve", f"{name}:127.0.0.9,127.0.0.1", f"http://{name}/hello")
    assert run.out() == b"hello\n"
    assert f"* connect to 127.0.0.9:{web.port} failed: Connection refused" in run.err().splitlines()


def test_a_trace_tells_what_went_wrong(lab):
    """-s keeps all other messages."""
    run = hcurl(lab, "-sv", f"http://127.0.0.1:{lab.port()}/")
    assert run.wait() == 7
    assert re.search(r"^\* .*Connection refused", run.err(), re.M)


# ---- errors and warnings -------------------------------------------------------------------------


def test_errors_name_the_status_and_what_failed(lab):
    port = lab.port()
    run = hcurl(lab, "--no-progress-meter", f"http://127.0.0.1:{port}/")
    assert run.wait() == 7
    assert re.fullmatch(rf"hcurl: \(7\) .*127\.0\.0\.1.*{port}.*Connection refused.*\n", run.err())


def test_called_curl_it_speaks_as_curl(lab):
    """For scripts that look at messages."""
    (lab.folder / "curl").symlink_to(lab.program("hcurl"))
    url = f"http://127.0.0.1:{lab.port()}/"
    assert lab.run(lab.path("curl"), "-q", "-sS", url).err().startswith("curl: (7) ")
    assert lab.run(lab.path("curl"), "-q", "--no-such").err().endswith(
        "\ncurl: try 'curl --help' or 'curl --manual' for more information\n")


@pytest.mark.parametrize("words, told", [([], True), (["-s"], False), (["-sS"], True), (["-S"], True),
                                         (["-s", "--no-silent"], True),
                                         (["-sS", "--no-show-error"], False)])
def test_silence_is_kept(lab, words, told):
    run = hcurl(lab, *words, f"http://127.0.0.1:{lab.port()}/")
    assert run.wait() == 7
    assert ("hcurl: (7)" in run.err()) == told


def test_a_mistake_is_told_in_spite_of_silence(lab):
    run = hcurl(lab, "-s", "--no-such-option", "x")
    assert run.wait() == 2
    assert "--no-such-option" in run.err() and "hcurl --help" in run.err()


def test_warnings_fit_the_terminal(lab, web):
    run = hcurl(lab, "-o", lab.path("a"), "-o", lab.path("b"), "--no-progress-meter",
                "--trace", lab.path("no/such/file/anywhere"), web.url + "/hello", COLUMNS="40")
    lines = run.err().splitlines()
    assert len(lines) > 2
    assert all(line.startswith("Warning: ") and len(line.rstrip()) <= 40 for line in lines)


def test_stderr_goes_elsewhere(lab, web):
    run = hcurl(lab, "-v", "--stderr", lab.path("said"), f"http://127.0.0.1:{lab.port()}/")
    assert run.wait() == 7 and run.err() == "" and run.out() == b""
    assert "hcurl: (7)" in open(lab.path("said")).read()
    run = hcurl(lab, "-sv", "--stderr", "-", web.url + "/hello")
    assert run.err() == "" and b"< HTTP/1.1 200 OK" in run.out()
    run = hcurl(lab, "--stderr", lab.path("no/such/file"), web.url + "/hello")
    assert run.wait() == 0 and run.out() == b"hello\n" and run.err().startswith("Warning: ")


def test_what_a_server_says_commands_no_terminal(lab, web):
    """Only in messages: what is asked for is shown as it is."""
    web.routes["evil"] = lambda w, r, rest: b"HTTP/1.1 200 \x1b[31mOK\r\nBad Name\x1b[5m: x\r\n\r\n"
    run = hcurl(lab, "--no-progress-meter", web.url + "/evil")
    assert "\x1b" not in run.err()


# ---- the waterfall -------------------------------------------------------------------------------


def test_a_waterfall_has_a_bar_for_each_phase(lab, web):
    run = hcurl(lab, "-sL", "--waterfall", web.url + "/redirect/302/hello", COLUMNS="60")
    assert run.out() == b"hello\n"
    lines = run.err().splitlines()
    assert lines[0] == web.url + "/hello"
    assert re.fullmatch(r"1\. 302, \d+\.\d ms", lines[1])
    assert re.fullmatch(r"2\. 200, \d+\.\d ms(, on a connection that was there)?",
                        next(line for line in lines if line.startswith("2.")))
    assert re.fullmatch(r"total \d+\.\d ms", lines[-1])
    phases = [line for line in lines if line.startswith("  ")]
    assert {"connect", "request", "wait", "receive"} <= {line.split()[0] for line in phases}
    assert all(re.fullmatch(r"  \w+ +\d+\.\d ms +#+", line) for line in phases)
    assert all(len(line) <= 60 for line in lines)


def test_a_waterfall_of_what_failed(lab):
    run = hcurl(lab, "--no-progress-meter", "--waterfall", f"http://127.0.0.1:{lab.port()}/")
    assert run.wait() == 7
    assert "1. no answer" in run.err() and "hcurl: (7)" in run.err()
