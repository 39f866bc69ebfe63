# One thread.
"""Trying again: when, how often, and from where on."""

import re
import socket
import threading
import time

import pytest

from conftest import TIMEOUT, wait_until
from hcurl_lab import RANGED, RESET, TAG, Web, response

BROKEN = 1000  # bytes that come before the connection ends


def failing(times, code=503, *fields):
    """Answers with a status so many times, and then well."""

    def answer(web, request, rest):
        if web.count("failing") < times:
            return response(code, b"not now\n", *fields, reason="No")
        return response(200, b"well\n")

    return answer


def breaking(ranges=True, validator=f"ETag: {TAG}", changes=False):
    """The first response breaks off; what is asked for then is a range of it."""

    def answer(web, request, rest):
        turn = web.count("breaking")
        wanted = re.match(r"bytes=(\d+)-$", request.field("Range") or "")
        if turn == 0:
            head = [validator] if validator else []
            whole = response(200, RANGED, *head, "Accept-Ranges: bytes", "Connection: close")
            return whole[: len(whole) - len(RANGED) + BROKEN]
        if changes or not wanted or not ranges:
            return response(200, b"another one\n" if changes else RANGED)
        start = int(wanted.group(1))
        where = f"Content-Range: bytes {start}-{len(RANGED) - 1}/{len(RANGED)}"
        return response(206, RANGED[start:], where, reason="Part")

    return answer


@pytest.fixture
def web():
    webs = []

    def make(route):
        webs.append(Web({"it": route}))
        return webs[-1]

    yield make
    for web in webs:
        web.close()


def hcurl(lab, *args):
    return lab.run("hcurl", "-q", "--retry-delay", "0.01", *args)


def targets(web):
    return [(r.target, r.field("Range"), r.field("If-Range")) for r in web.requests]


def test_a_transient_status_is_tried_again(lab, web):
    w = web(failing(2))
    done = hcurl(lab, "-f", "--retry", "3", "-sS", "-o", lab.path("out"), f"{w.url}/it")
    assert (done.wait(), open(lab.path("out"), "rb").read()) == (0, b"well\n")
    assert len(w.requests) == 3


def test_what_came_with_a_status_that_is_tried_again_is_thrown_away(lab, web):
    w = web(failing(2))
    hcurl(lab, "--retry", "3", "-s", "-o", lab.path("out"), f"{w.url}/it")
    assert open(lab.path("out"), "rb").read() == b"well\n"


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 522, 524])
def test_these_statuses_are_transient(lab, web, code):
    w = web(failing(1, code))
    assert hcurl(lab, "-f", "-s", "--retry", "1", f"{w.url}/it").out() == b"well\n"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 501, 505])
def test_these_are_not(lab, web, code):
    w = web(failing(1, code))
    assert hcurl(lab, "-f", "-s", "--retry", "1", f"{w.url}/it").wait() == 22
    assert len(w.requests) == 1


def test_the_tries_end(lab, web):
    w = web(failing(100))
    done = hcurl(lab, "-f", "--retry", "3", "-w", "%{num_retries}", f"{w.url}/it")
    assert (done.wait(), done.out(), len(w.requests)) == (22, b"3", 4)
    assert "retr" in done.err()


def test_each_retry_is_told(lab, web):
    w = web(failing(2))
    done = hcurl(lab, "-f", "--retry", "3", "-o", lab.path("out"), f"{w.url}/it")
    assert "3 retries left" in done.err() and "2 retries left" in done.err()
    assert "1 retry left" not in done.err()


def test_an_error_is_told_once(lab, web):
    """That of the last try; those before it are the reasons that the warnings give."""
    w = web(failing(100, 404))
    for args in (["-f", "-sS"], ["-f", "-#"]):
        done = hcurl(lab, *args, "--robust", "--retry", "2", "-o", lab.path("out"), f"{w.url}/it")
        assert done.wait() == 22
        errors = [line for line in done.err().splitlines() if line.startswith("hcurl: (22)")]
        assert errors == ["hcurl: (22) The requested URL returned error: 404"]
    assert "2 retries left: The requested URL returned error: 404" in " ".join(
        done.err().replace("\nWarning:", "").split())


def test_retry_after_is_obeyed(lab, web):
    w = web(failing(1, 503, "Retry-After: 1"))
    begin = time.monotonic()
    assert hcurl(lab, "-f", "-s", "--retry", "1", f"{w.url}/it").out() == b"well\n"
    assert time.monotonic() - begin >= 1


def test_a_wish_beyond_the_time_that_is_left_ends_it(lab, web):
    w = web(failing(1, 503, "Retry-After: 100"))
    done = hcurl(lab, "-f", "--retry", "1", "--retry-max-time", "10", f"{w.url}/it")
    assert (done.wait(), len(w.requests)) == (22, 1)
    assert "Retry-After" in done.err()


def test_the_time_for_retries_runs_out(lab, web):
    w = web(failing(1000))

    def again():
        w.forget()
        done = lab.run("hcurl", "-qfs", "--retry", "1000", "--retry-delay", "0.05", "--retry-max-time", "0.3",
                       f"{w.url}/it")
        assert done.wait() == 22
        assert 1 <= len(w.requests) <= 8
        return len(w.requests) > 1

    wait_until(again, "another try, unless this machine takes all the time for the first")


def test_a_refused_connection_is_no_reason(lab):
    done = hcurl(lab, "--retry", "2", f"http://127.0.0.1:{lab.port()}/")
    assert done.wait() == 7
    assert "left" not in done.err()


def test_unless_it_is_made_one(lab):
    done = hcurl(lab, "--retry", "2", "--retry-connrefused", f"http://127.0.0.1:{lab.port()}/")
    assert done.wait() == 7
    assert "1 retry left" in done.err()


def test_the_words_of_an_error_decide_nothing(lab):
    done = hcurl(lab, "--retry", "2", "--retry-connrefused", "--unix-socket", "Connection refused", "http://a/")
    assert done.wait() == 7
    assert "No such file" in done.err() and "left" not in done.err()


def test_it_is_there_at_last(lab, web):
    """A server that begins to listen while it is tried."""
    port = lab.port()
    done = lab.spawn("hcurl", "-q", "--retry", "100000", "--retry-delay", "0.02", "--retry-connrefused",
                     f"http://127.0.0.1:{port}/")
    done.wait_err("left")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        connection, _ = s.accept()
        connection.recv(65536)
        connection.sendall(response(200, b"there\n", "Connection: close"))
        connection.close()
        assert done.wait() == 0
    assert done.out() == b"there\n"


@pytest.mark.parametrize("bad", [None, RESET])
def test_other_errors_need_to_be_asked_for(lab, web, bad):
    w = web(lambda web, request, rest: bad if web.count("it") == 0 else response(200, b"well\n"))
    assert hcurl(lab, "-s", "--retry", "1", f"{w.url}/it").wait() in (52, 56)
    w.forget()
    assert hcurl(lab, "-s", "--retry", "1", "--retry-all-errors", f"{w.url}/it").out() == b"well\n"


def test_a_timeout_is_tried_again(lab, web):
    over = threading.Event()

    def slow(web, request, rest):
        if web.count("slow") == 0:
            over.wait(TIMEOUT)
        return response(200, b"well\n")

    w = web(slow)
    done = hcurl(lab, "-s", "--retry", "100", "-m", "0.5", f"{w.url}/it")
    over.set()
    assert (done.wait(), done.out()) == (0, b"well\n")
    assert w.count("slow") > 1


def test_what_is_sent_is_sent_again(lab, web):
    w = web(failing(1))
    hcurl(lab, "-s", "--retry", "1", "-d", "some data", f"{w.url}/it")
    assert [r.body for r in w.requests] == [b"some data"] * 2


def test_a_file_is_uploaded_again(lab, web):
    w = web(failing(1))
    with open(lab.path("data"), "wb") as f:
        f.write(b"d" * 5000)
    assert hcurl(lab, "-s", "--retry", "1", "-T", lab.path("data"), f"{w.url}/it").wait() == 0
    assert [r.body for r in w.requests] == [b"d" * 5000] * 2


# ---- a download that broke off ------------------------------------------------------------------


def download(lab, w, *args):
    done = hcurl(lab, "-s", "--retry", "2", "--retry-all-errors", "-o", lab.path("out"), *args, f"{w.url}/it")
    with open(lab.path("out"), "rb") as f:
        return done.wait(), f.read()


def test_it_goes_on_where_it_broke_off(lab, web):
    w = web(breaking())
    assert download(lab, w) == (0, RANGED)
    assert targets(w) == [("/it", None, None), ("/it", f"bytes={BROKEN}-", TAG)]


def test_a_date_tells_as_well_whether_it_is_the_same(lab, web):
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    w = web(breaking(validator=f"Last-Modified: {date}"))
    assert download(lab, w) == (0, RANGED)
    assert targets(w)[1] == ("/it", f"bytes={BROKEN}-", date)


@pytest.mark.parametrize("validator", [None, f"ETag: W/{TAG}"])
def test_without_a_way_to_tell_it_begins_anew(lab, web, validator):
    w = web(breaking(validator=validator))
    assert download(lab, w) == (0, RANGED)
    assert targets(w) == [("/it", None, None)] * 2


def test_a_file_that_has_changed_is_taken_as_it_is_now(lab, web):
    w = web(breaking(changes=True))
    assert download(lab, w) == (0, b"another one\n")


def test_a_server_without_ranges_sends_all_of_it(lab, web):
    w = web(breaking(ranges=False))
    assert download(lab, w) == (0, RANGED)


def test_it_goes_on_behind_what_was_there(lab, web):
    """With -C - the file's own bytes count, too."""
    with open(lab.path("out"), "wb") as f:
        f.write(RANGED[:100])

    def answer(web, request, rest):
        start = int(re.match(r"bytes=(\d+)-$", request.field("Range")).group(1))
        where = f"Content-Range: bytes {start}-{len(RANGED) - 1}/{len(RANGED)}"
        whole = response(206, RANGED[start:], where, f"ETag: {TAG}", "Connection: close", reason="Part")
        return whole if web.count("answer") else whole[: -(len(RANGED) - start) + 500]

    w = web(answer)
    assert download(lab, w, "-C", "-") == (0, RANGED)
    assert [t[1] for t in targets(w)] == ["bytes=100-", "bytes=600-"]


def test_standard_output_cannot_be_taken_back(lab, web):
    w = web(breaking(validator=None))
    done = hcurl(lab, "-s", "--retry", "1", "--retry-all-errors", f"{w.url}/it")
    assert done.out() == RANGED[:BROKEN] + RANGED


# ---- presets ------------------------------------------------------------------------------------


def test_robust_tries_again_without_being_told_more(lab, web):
    w = web(breaking())
    done = lab.run("hcurl", "-qs", "--robust", "--retry-delay", "0.01", "-o", lab.path("out"), f"{w.url}/it")
    assert (done.wait(), open(lab.path("out"), "rb").read()) == (0, RANGED)


def test_robust_keeps_the_old_file_until_the_new_one_is_whole(lab, web):
    with open(lab.path("out"), "wb") as f:
        f.write(b"old")
    w = web(lambda web, request, rest: response(200, RANGED, "Connection: close")[:-10])
    done = lab.run("hcurl", "-qs", "--robust", "--retry", "2", "--retry-delay", "0.01", "-o",
                   lab.path("out"), f"{w.url}/it")
    assert (done.wait(), open(lab.path("out"), "rb").read()) == (18, b"old")
    assert len(w.requests) == 3
