# One thread.
"""Many transfers: one after another, at once, at a rate; and how they end."""

import os
import signal
import threading
import time

import pytest

from conftest import wait_until
from hcurl_lab import Web, response


@pytest.fixture
def web():
    webs = []

    def make(**routes):
        webs.append(Web(routes))
        return webs[-1]

    yield make
    for web in webs:
        web.close()


class Gate:
    """Holds requests until so many are there."""

    def __init__(self, size):
        self.size, self.waiting, self.most = size, 0, 0
        self.condition = threading.Condition()

    def __call__(self, web, request, rest):
        with self.condition:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self.condition.notify_all()
            self.condition.wait_for(lambda: self.most >= self.size, 100)
            self.waiting -= 1
        return response(200, b"passed\n")


class Hold:
    """Answers once it is told to."""

    def __init__(self):
        self.event, self.came = threading.Event(), 0

    def __call__(self, web, request, rest):
        self.came += 1
        self.event.wait(100)
        return response(200, b"held\n")


def hcurl(lab, *args):
    return lab.run("hcurl", "-q", *args)


def test_one_after_another_over_one_connection(lab, web):
    w = web()
    done = hcurl(lab, "-s", f"{w.url}/[1-20]")
    assert (done.wait(), done.out(), w.connections) == (0, b"hello\n" * 20, 1)


def test_operations_with_the_same_settings_share_connections(lab, web):
    w = web()
    hcurl(lab, "-s", f"{w.url}/1", "--next", "-s", "-d", "a", f"{w.url}/2")
    assert w.connections == 1


def test_those_with_others_do_not(lab, web):
    w = web()
    hcurl(lab, "-s", f"{w.url}/1", "--next", "--interface", "127.0.0.1", f"{w.url}/2")
    assert w.connections == 2


def test_all_at_once(lab, web):
    gate = Gate(10)
    w = web(gate=gate)
    done = hcurl(lab, "-sZ", f"{w.url}/gate/[1-10]")
    assert (done.wait(), done.out(), gate.most) == (0, b"passed\n" * 10, 10)


def test_no_more_than_allowed_at_once(lab, web):
    gate = Gate(3)
    w = web(gate=gate)
    done = hcurl(lab, "-sZ", "--parallel-max", "3", f"{w.url}/gate/[1-30]")
    assert (done.wait(), done.out().count(b"passed"), gate.most) == (0, 30, 3)
    assert w.connections == 3


def test_no_more_connections_to_one_server_than_allowed(lab, web):
    w = web()
    done = hcurl(lab, "-sZ", "--parallel-max-host", "2", f"{w.url}/[1-30]")
    assert (done.wait(), done.out()) == (0, b"hello\n" * 30)
    assert w.connections <= 2


def test_each_connection_takes_a_port_of_the_range(lab, web):
    gate = Gate(3)
    w = web(one=gate)
    first = lab.port()
    last = min(first + 100, 65535)
    done = hcurl(lab, "-sSZ", "--local-port", f"{first}-{last}", "-w", "%{local_port}\n", *[f"{w.url}/one"] * 3)
    assert done.wait() == 0, done
    ports = {int(line) for line in done.out().split() if line != b"passed"}
    assert len(ports) == 3 and min(ports) >= first and max(ports) <= last


def test_files_of_their_own(lab, web):
    w = web()
    assert hcurl(lab, "-sZ", f"{w.url}/echo/[1-50]", "-o", lab.path("#1.txt")).wait() == 0
    for i in range(1, 51):
        with open(lab.path(f"{i}.txt"), "rb") as f:
            assert f.read().startswith(f"GET /echo/{i} ".encode())


def test_the_last_status_counts(lab, web):
    w = web()
    assert hcurl(lab, "-s", f"{w.url}/nothing", f"{w.url}/hello").wait() == 0
    assert hcurl(lab, "-s", f"{w.url}/hello", f"{w.url}/nothing").wait() == 52


def test_at_once_the_first_failure_counts(lab, web):
    w = web()
    assert hcurl(lab, "-sZ", f"{w.url}/nothing", f"{w.url}/hello").wait() == 52


def test_fail_early_ends_with_the_first_failure(lab, web):
    w = web()
    done = hcurl(lab, "-s", "--fail-early", f"{w.url}/nothing", f"{w.url}/hello")
    assert (done.wait(), done.out(), len(w.requests)) == (52, b"", 1)


def test_fail_early_ends_those_that_run(lab, web):
    hold = Hold()
    w = web(hold=hold, late=lambda *_: wait_until(lambda: hold.came == 2, "both are there") and None)
    done = hcurl(lab, "-sSZ", "--fail-early", f"{w.url}/hold/1", f"{w.url}/hold/2", f"{w.url}/late")
    hold.event.set()
    assert done.wait() == 52
    assert done.out() == b""


def test_a_malformed_url_does_not_end_the_others(lab, web):
    w = web()
    done = hcurl(lab, "-sS", "http://127.0.0.1:99999/", f"{w.url}/hello")
    assert (done.wait(), done.out()) == (0, b"hello\n")
    assert "(3)" in done.err()


def test_a_glob_that_is_none_ends_all(lab, web):
    w = web()
    assert hcurl(lab, "-s", f"{w.url}/hello", f"{w.url}/[1-", f"{w.url}/hello").wait() == 3
    assert len(w.requests) == 1


def test_a_rate(lab, web):
    w = web()
    begin = time.monotonic()
    assert hcurl(lab, "-s", "--rate", "10/s", f"{w.url}/[1-5]").wait() == 0
    assert time.monotonic() - begin >= 0.4


def test_count_makes_each_transfer_so_often(lab, web):
    w = web()
    done = hcurl(lab, "-s", "--count", "5", f"{w.url}/hello")
    assert (done.wait(), done.out(), w.connections) == (0, b"hello\n" * 5, 1)


def test_what_exists_is_skipped(lab, web):
    w = web()
    with open(lab.path("1"), "wb") as f:
        f.write(b"old")
    done = hcurl(lab, "-s", "--skip-existing", f"{w.url}/[1-2]", "-o", lab.path("#1"))
    assert (done.wait(), len(w.requests)) == (0, 1)
    assert open(lab.path("1"), "rb").read() == b"old"
    assert open(lab.path("2"), "rb").read() == b"hello\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_it_ends_curl(lab, web, number):
    hold = Hold()
    w = web(hold=hold)
    done = lab.spawn("hcurl", "-q", "-c", lab.path("jar"), f"{w.url}/cookie", f"{w.url}/hold")
    wait_until(lambda: hold.came, "it waits")
    done.signal(number)
    assert done.wait() == -number
    hold.event.set()
    assert "\ta\t1" in open(lab.path("jar")).read()


def test_a_signal_leaves_no_half_of_a_file_that_is_to_be_removed(lab, web):
    hold = Hold()
    w = web(hold=hold)
    done = lab.spawn("hcurl", "-qs", "--remove-on-error", "-o", lab.path("out"), f"{w.url}/hold")
    wait_until(lambda: hold.came, "it waits")
    done.signal(signal.SIGTERM)
    assert done.wait() == -signal.SIGTERM
    hold.event.set()
    assert not os.path.exists(lab.path("out"))


def test_thousands_of_urls_over_one_connection(lab, web):
    w = web()
    done = hcurl(lab, "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{w.url}/[1-3000]")
    assert (done.wait(), done.out(), w.connections) == (0, b"200" * 3000, 1)
