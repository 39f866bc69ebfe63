# One thread.
"""How far a transfer is: the table, the bar of -#, the line of -Z, and when none of them is shown."""

import os
import re
import socket
import threading

import pytest

from hcurl_lab import PLAIN, Web, hcurl, response, shown

HEADING = (
    "  % Total    % Received % Xferd  Average Speed  Time    Time    Time   Current\n"
    "                                 Dload  Upload  Total   Spent   Left   Speed\n"
)
SIZE = r"[ \d.]{5,6}[kMGT]?"
ROW = re.compile(rf"\r([ \d]{{3}}) {SIZE} ([ \d]{{3}}) {SIZE} ([ \d]{{3}}) {SIZE} {SIZE} {SIZE} "
                 rf".{{7}} .{{7}} .{{7}} {SIZE}")


@pytest.fixture
def web():
    web = Web()
    yield web
    web.close()


def raw_err(run):
    return run.stderr_path.read_bytes().decode()


def percents(text):
    return [[int(n) for n in found.groups()] for found in ROW.finditer(text)]


# ---- the table -----------------------------------------------------------------------------------


def test_the_table_ends_with_all_of_it(lab, web):
    run = hcurl(lab, "-o", lab.path("got"), web.url + "/big/300000")
    text = raw_err(run)
    assert text.startswith(HEADING) and text.endswith("\n")
    assert percents(text)[0] == [0, 0, 0] and percents(text)[-1] == [100, 100, 0]
    assert text.splitlines()[-1].startswith("100 292.9k 100 292.9k   0      0 ")


def test_the_table_is_78_columns_wide(lab, web):
    run = hcurl(lab, "-o", lab.path("got"), web.url + "/big/300000")
    assert {len(line) for line in raw_err(run).replace("\r", "\n").splitlines()[3:]} == {77}


def test_what_is_sent_counts_too(lab, web):
    (lab.folder / "up").write_bytes(b"x" * 200000)
    web.routes["take"] = lambda w, r, rest: response(200, b"ok")
    run = hcurl(lab, "-o", lab.path("got"), "-T", lab.path("up"), web.url + "/take")
    assert percents(raw_err(run))[-1] == [100, 100, 100]
    assert "195.3k" in raw_err(run)


def test_each_url_has_its_table(lab, web):
    run = hcurl(lab, "-o", lab.path("a"), web.url + "/hello", "-o", lab.path("b"), web.url + "/hello")
    assert raw_err(run).count(HEADING) == 2


def test_a_size_nobody_told_is_never_a_percentage(lab, web):
    run = hcurl(lab, "-o", lab.path("got"), web.url + "/close")
    assert all(row[1:] == [0, 0] for row in percents(raw_err(run)))


def test_a_resumed_table_says_so(lab, web):
    (lab.folder / "got").write_bytes(b"x" * 1000)
    run = hcurl(lab, "-C", "-", "-o", lab.path("got"), web.url + "/ranged")
    assert raw_err(run).startswith("** Resuming transfer from byte position 1000\n" + HEADING)
    assert percents(raw_err(run))[-1] == [100, 100, 0]


def test_another_try_begins_anew(lab, web):
    """Nothing below 0, nothing past 100, and one heading."""
    tries = []

    def breaks_off(w, request, rest):
        tries.append(request)
        whole = response(200, b"r" * 50000)
        return whole if len(tries) > 2 else response(503, b"x" * 3000, "Retry-After: 0")

    web.routes["often"] = breaks_off
    run = hcurl(lab, "--retry", "3", "--retry-delay", "1", "-o", lab.path("got"), web.url + "/often")
    assert run.wait() == 0 and (lab.folder / "got").read_bytes() == b"r" * 50000
    text = raw_err(run)
    assert text.count(HEADING) == 1
    assert all(0 <= n <= 100 for row in percents(text) for n in row)
    assert text.count("Warning: ") == 2


def test_the_table_goes_on_while_nothing_comes(lab):
    """Once a second, as long as the server keeps it waiting."""
    listener = socket.create_server(("127.0.0.1", 0))
    run = lab.spawn("hcurl", "-q", "-o", lab.path("got"), f"http://127.0.0.1:{listener.getsockname()[1]}/",
                    env=PLAIN)
    connection = listener.accept()[0]
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 25)
    run.wait_err(" 25    100  25     25")
    connection.sendall(b"x" * 75)
    assert run.wait() == 0
    assert percents(raw_err(run))[-1] == [100, 100, 0]
    connection.close()
    listener.close()


# ---- when there is none --------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["-s"], ["--no-progress-meter"], ["-sS"], ["-s", "-#"]])
def test_no_progress_when_it_is_not_wanted(lab, web, words):
    run = hcurl(lab, *words, "-o", lab.path("got"), web.url + "/hello")
    assert raw_err(run) == ""


def test_progress_beside_a_pipe(lab, web):
    """stdout is a file here: the data is there, the table on stderr."""
    run = hcurl(lab, web.url + "/hello")
    assert run.out() == b"hello\n" and raw_err(run).startswith(HEADING)


@pytest.mark.parametrize("words", [[], ["-#"], ["-Z"]])
def test_no_progress_where_the_data_is_shown(lab, web, words):
    lines, raw = shown(lab, *words, web.url + "/hello")
    assert lines == ["hello"]


def test_progress_on_a_terminal_when_the_data_goes_to_a_file(lab, web):
    lines, raw = shown(lab, "-o", lab.path("got"), web.url + "/big/1000")
    assert len(lines) == 3 and lines[2].startswith("100   1000 100   1000")


def test_traces_do_not_stand_in_the_table(lab, web):
    run = hcurl(lab, "-v", "-o", lab.path("got"), web.url + "/hello")
    lines = raw_err(run).replace("\r\n", "\n").split("\n")
    assert "> GET /hello HTTP/1.1" in lines and "< HTTP/1.1 200 OK" in lines
    assert all(ROW.fullmatch(line) for line in lines if line.startswith("\r"))


def test_an_error_has_its_own_line(lab):
    run = hcurl(lab, "-o", lab.path("got"), f"http://127.0.0.1:{lab.port()}/")
    assert run.wait() == 7
    assert raw_err(run).splitlines()[-1].startswith("hcurl: (7) ")


# ---- the bar -------------------------------------------------------------------------------------


def test_the_bar_is_as_wide_as_the_terminal(lab, web):
    run = hcurl(lab, "-#", "-o", lab.path("got"), web.url + "/big/60")
    assert raw_err(run).endswith("\r" + "#" * 72 + " 100.0%\n")
    run = hcurl(lab, "-#", "-o", lab.path("got"), web.url + "/big/60", COLUMNS="40")
    assert raw_err(run).endswith("\r" + "#" * 33 + " 100.0%\n")
    lines, raw = shown(lab, "-#", "-o", lab.path("got"), web.url + "/big/60", columns=50)
    assert lines == ["#" * 43 + " 100.0%"]


def test_the_bar_is_that_of_curl(lab, web):
    texts = []
    for name in ("hcurl", "curl"):
        run = lab.run(name, "-q", "-#", "-o", lab.path("got"), web.url + "/big/60", env=PLAIN)
        texts.append(raw_err(run).split("\r")[-1])
    assert texts[0] == texts[1]


def test_a_bar_of_unknown_size_flies(lab, web):
    run = hcurl(lab, "-#", "-o", lab.path("got"), web.url + "/close")
    assert "#" in raw_err(run) and "%" not in raw_err(run) and raw_err(run).endswith("\n")


def test_no_bar_is_past_its_end(lab, web):
    """More than was announced, of a coding for which the length is that of what is sent."""
    run = hcurl(lab, "-#", "--compressed", "-o", lab.path("got"), web.url + "/coded/gzip")
    assert raw_err(run).endswith(" 100.0%\n")
    assert all(float(n) <= 100 for n in re.findall(r"([\d.]+)%", raw_err(run)))


# ---- all at once ---------------------------------------------------------------------------------

ALL = "DL% UL%  Dled  Uled  Xfers  Live Total     Current  Left    Speed\n"


def test_one_line_for_all(lab, web):
    urls = [word for i in range(5) for word in ("-o", lab.path(f"got{i}"), web.url + "/big/20000")]
    run = hcurl(lab, "-Z", *urls)
    text = raw_err(run)
    assert run.wait() == 0 and text.count(ALL) == 1 and text.startswith(ALL) and text.endswith("\n")
    assert re.search(r"\r100 --  97\.6k     0     5     0  .* \n$", text)
    assert all(len(line) in (0, 71) for line in text[len(ALL):].strip("\n").split("\r"))


def test_errors_do_not_stand_in_the_line_for_all(lab, web):
    bad = f"http://127.0.0.1:{lab.port()}/"
    run = hcurl(lab, "-Z", "-o", lab.path("a"), bad, "-o", lab.path("b"), web.url + "/hello")
    assert run.wait() == 7
    assert any(line.startswith("hcurl: (7) ") for line in raw_err(run).split("\n"))


def test_the_line_for_all_waits_for_the_last(lab):
    """It is drawn while transfers run, and says how many."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    run = lab.spawn("hcurl", "-q", "-Z", "-o", lab.path("a"), url, "-o", lab.path("b"), url, env=PLAIN)
    connections = [listener.accept()[0] for _ in range(2)]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    connections[0].sendall(head + b"0123456789")
    connections[1].sendall(head + b"01234")
    run.wait_err(" 75 --     15     0     2     1 ")
    connections[1].sendall(b"56789")
    assert run.wait() == 0
    assert "\r100 --     20     0     2     0 " in raw_err(run)
    for connection in connections:
        connection.close()
    listener.close()


def test_progress_never_reaches_the_data(lab, web):
    """stdout and stderr of the same pipe would mix; the data's own descriptor has only the data."""
    read, write = os.pipe()
    got = []
    reader = threading.Thread(target=lambda: got.append(open(read, "rb").read()))
    reader.start()
    run = lab.spawn("hcurl", "-q", "-#", web.url + "/big/500000", stdout=write, env=PLAIN)
    os.close(write)
    assert run.wait() == 0
    reader.join()
    assert got == [b"b" * 500000]
