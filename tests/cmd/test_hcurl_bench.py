"""--bench: the load run of hcurl, and --count."""

import json
import signal
import subprocess
import threading

import pytest
from conftest import wait_until
from hcurl_lab import Web, response
from hhttpd_lab import Server
from pki import Pki


@pytest.fixture
def web():
    web = Web()
    yield web
    web.close()


def bench(lab, *args, status=0):
    """The figures of a run."""
    process = lab.run("hcurl", "-q", "--bench-json", *args)
    assert process.popen.returncode == status, process
    return json.loads(process.out())


def test_each_request_is_counted_and_sent_as_any_other(lab, web):
    figures = bench(lab, "--count", "20", "--concurrency", "3", "-X", "PUT", "-H", "X-Mine: 1",
                    "-d", "body", "-u", "u:p", web.url + "/echo")
    assert figures["requests"] == 20
    assert figures["statuses"] == {"200": 20}
    assert figures["method"] == "PUT"
    assert figures["connections"] == 3 and figures["connects"] == 3
    assert not any(figures["errors"].values())
    assert len(web.requests) == 21  # one goes ahead
    assert len({request.bytes for request in web.requests}) == 1
    assert web.requests[0].body == b"body"
    assert web.requests[0].field("Authorization") == "Basic dTpw"
    assert web.requests[0].field("X-Mine") == "1"
    size = len(web.requests[0].bytes)
    assert figures["bytes_sent"] == 20 * size
    assert figures["body_bytes"] == {"min": size, "max": size}


def test_the_latencies_are_in_order(lab, web):
    latency = bench(lab, "--count", "50", web.url)["latency_us"]
    names = ["min", "p50", "p75", "p90", "p99", "p99.9", "max"]
    values = [latency[name] for name in names]
    assert values == sorted(values) and values[0] > 0
    assert latency["min"] <= latency["mean"] <= latency["max"]


def test_the_text_says_the_same(lab, web):
    process = lab.run("hcurl", "-q", "--bench", "--count", "10", web.url + "/status/404")
    assert process.popen.returncode == 0, process
    text = process.out().decode()
    assert text.startswith(f"GET {web.url}/status/404\n10 connections, 1 thread, ")
    words = text.split()
    assert words[words.index("Responses") + 1] == "10"
    assert words[words.index("Statuses") + 1 : words.index("Statuses") + 3] == ["10", "404"]
    assert "99.9%" in words and "|#####" in text and "Errors" not in words


def test_a_time_ends_it(lab, web):
    def has_answers():
        figures = bench(lab, "--duration", "200ms", "--concurrency", "2", web.url)
        assert figures["duration_s"] >= 0.2
        return figures["requests"] > 0

    wait_until(has_answers, "answers, unless this machine has none within the time")


def test_several_threads_share_the_work(lab, web):
    figures = bench(lab, "--count", "101", "--concurrency", "5", "--threads", "3", web.url)
    assert figures["requests"] == 101
    assert figures["threads"] == 3 and figures["connects"] == 5
    assert len(web.requests) == 102


def test_head_has_no_body(lab, web):
    figures = bench(lab, "-I", "--count", "10", web.url + "/big/1000")
    assert figures["requests"] == 10 and figures["method"] == "HEAD"
    assert figures["body_bytes"] == {"min": 0, "max": 0}


def test_chunks_and_bodies_up_to_the_end(lab, web):
    figures = bench(lab, "--count", "10", "--concurrency", "1", web.url + "/chunked")
    assert figures["requests"] == 10 and figures["connects"] == 1
    assert figures["body_bytes"] == {"min": 12, "max": 12}
    figures = bench(lab, "--count", "10", "--concurrency", "2", web.url + "/close")
    assert figures["requests"] == 10 and figures["connects"] == 10
    assert figures["body_bytes"] == {"min": 11, "max": 11}
    assert not any(figures["errors"].values())


def test_a_connection_for_each_request(lab, web):
    figures = bench(lab, "--count", "10", "-H", "Connection: close", web.url + "/until/close")
    assert figures["requests"] == 10
    assert web.requests[0].field("Connection") == "close"


def test_interim_responses_are_no_responses(lab, web):
    figures = bench(lab, "--count", "10", web.url + "/informed")
    assert figures["statuses"] == {"200": 10}


def test_the_run_begins_where_a_redirect_leads(lab, web):
    figures = bench(lab, "-L", "--count", "5", web.url + "/redirect/302/hello")
    assert figures["url"] == web.url + "/hello"
    assert figures["statuses"] == {"200": 5}
    assert [request.target for request in web.requests].count("/redirect/302/hello") == 1


def test_a_redirect_may_have_dropped_the_body(lab, web):
    figures = bench(lab, "-L", "-d", "body", "--count", "5", web.url + "/redirect/303/hello")
    assert figures["method"] == "GET" and figures["statuses"] == {"200": 5}
    assert len(web.requests) == 7
    assert all(request.body == b"" for request in web.requests[1:])


def test_chunks_and_tunnels_are_refused(lab, web):
    process = lab.run("hcurl", "-q", "--bench", "-H", "Transfer-Encoding: chunked", "-d", "x",
                      web.url)
    assert process.popen.returncode == 2 and "chunks" in process.err()
    process = lab.run("hcurl", "-q", "--bench", "-p", "-x", web.url, web.url)
    assert process.popen.returncode != 0 and process.out() == b""


def test_through_a_proxy(lab, web):
    figures = bench(lab, "-x", web.url, "--count", "5", "http://example.com/hello")
    assert figures["statuses"] == {"200": 5}
    assert {request.target for request in web.requests} == {"http://example.com/hello"}


def test_unequal_responses_are_told(lab):
    def grow(web, request, rest):
        return response(200 if web.count("grow") % 2 else 503, b"x" * web.count("length"))

    web = Web({"grow": grow})
    figures = bench(lab, "--count", "10", "--concurrency", "1", web.url + "/grow")
    assert figures["statuses"] == {"200": 5, "503": 5}
    assert figures["body_bytes"] == {"min": 1, "max": 10}
    web.close()


def after_first(answer):
    """A route that does well once, for the request that goes ahead."""

    def route(web, request, rest):
        return response(200, b"fine\n") if web.count("first") == 0 else answer

    return route


@pytest.mark.parametrize(
    "kind, answer, status",
    [
        ("empty", None, 52),
        ("partial", response(200, b"x" * 100, "Connection: close")[:-1], 18),
        ("partial", b"HTTP/1.1 200 OK\r\nConnection: close\r\n", 18),
        ("reply", b"this is no HTTP\r\n\r\n", 8),
    ],
)
def test_what_fails_is_counted_by_its_kind(lab, kind, answer, status):
    web = Web({"x": after_first(answer)})
    figures = bench(lab, "--count", "7", "--concurrency", "2", web.url + "/x", status=status)
    assert figures["requests"] == 0
    assert figures["errors"][kind] == sum(figures["errors"].values()) == 7
    web.close()


def test_some_failures_among_many_responses(lab):
    def third(web, request, rest):
        good = response(200, b"fine\n", "Connection: close")
        return None if web.count("third") % 3 == 2 else good

    web = Web({"third": third})
    figures = bench(lab, "--count", "30", "--concurrency", "1", web.url + "/third", status=52)
    assert figures["requests"] == 20 and figures["errors"]["empty"] == 10
    web.close()


def test_a_kept_connection_that_was_closed_is_no_failure(lab):
    """The server closes without a word after each response."""

    def once(web, request, rest):
        connection = threading.current_thread()
        used, connection.used = getattr(connection, "used", False), True
        return None if used else response(200, b"fine\n")

    web = Web({"once": once})
    figures = bench(lab, "--count", "20", "--concurrency", "2", web.url + "/once")
    assert figures["requests"] == 20 and not any(figures["errors"].values())
    web.close()


def test_a_silent_server_costs_the_time_limit(lab):
    release = threading.Event()

    def silent(web, request, rest):
        if web.count("silent") == 0:
            return response(200, b"fine\n")
        release.wait(100)
        return None

    def report():
        web.forget()
        process = lab.run("hcurl", "-q", "--bench-json", "--count", "4", "--concurrency", "2", "-m", "0.3",
                          web.url + "/silent")
        assert process.popen.returncode == 28, process
        return process.out()

    web = Web({"silent": silent})
    figures = json.loads(wait_until(report, "figures, unless the first answer took this machine too long"))
    release.set()
    assert figures["errors"]["timeout"] == 4
    web.close()


def test_what_fails_at_once_has_the_usual_status_and_no_figures(lab):
    process = lab.run("hcurl", "-q", "--bench", f"http://127.0.0.1:{lab.port()}/")
    assert process.popen.returncode == 7
    assert process.out() == b"" and process.err().startswith("hcurl: (7) ")


def test_a_server_that_goes_away_ends_the_run(lab):
    """Nobody listens any more after the first request, and its connection is closed."""

    def vanish(web, request, rest):
        web.close()
        return response(200, b"bye\n", "Connection: close")

    process = lab.run("hcurl", "-q", "--bench-json", "--count", "5", "--concurrency", "5",
                      Web({"vanish": vanish}).url + "/vanish")
    assert process.popen.returncode in (7, 56, 52), process
    figures = json.loads(process.out())
    assert figures["requests"] == 0 and sum(figures["errors"].values()) == 5


def test_a_signal_ends_it_with_a_report(lab, web):
    process = lab.spawn("hcurl", "-q", "--bench-json", "--duration", "100", web.url)
    while len(web.requests) < 100:
        assert process.running(), process
    process.signal(signal.SIGINT)
    assert process.wait() == 0, process
    assert json.loads(process.out())["requests"] > 0


def test_nothing_is_printed_behind_the_report(lab, web):
    process = lab.run("hcurl", "-q", "--bench-json", "--count", "5", "-w", "%{http_code}", web.url)
    assert json.loads(process.out())["requests"] == 5


def test_it_does_not_split(lab, web):
    process = lab.run("hcurl", "-q", "--bench", "--split", "2", "--count", "5", web.url)
    assert process.popen.returncode == 0, process
    assert process.err() == "Warning: --bench takes no notice of --split\n"


def test_over_tls_and_a_unix_socket(lab, tmp_path):
    pki = Pki(tmp_path)
    cert, key = pki.issue("site")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.txt").write_text("hello")
    path = lab.path("sock")
    server = Server(lab, "--tls-cert", cert, "--tls-key", key, lab.path("www"),
                    "tls://127.0.0.1:0")
    url = f"https://127.0.0.1:{server.port}/a.txt"
    figures = bench(lab, "--cacert", pki.path("ca.pem"), "--count", "50", url)
    assert figures["statuses"] == {"200": 50}
    process = lab.run("hcurl", "-q", "--bench-json", "--count", "5", url)
    assert process.popen.returncode == 60 and process.out() == b""
    lab.spawn("hhttpd", lab.path("www"), f"unix:{path}")
    lab.wait_path(path)
    figures = bench(lab, "--unix-socket", path, "--count", "50", "http://somewhere/a.txt")
    assert figures["statuses"] == {"200": 50}


def test_a_body_from_a_pipe_is_refused(lab, web):
    process = lab.spawn("hcurl", "-q", "--bench", "-T", "-", web.url, stdin=subprocess.PIPE)
    assert process.wait() == 2, process
    assert "pipe" in process.err()


def test_digest_is_refused_for_it_changes_with_each_request(lab, web):
    process = lab.run("hcurl", "-q", "--bench", "--digest", "-u", "u:p", web.url + "/digest")
    assert process.popen.returncode == 2, process
    assert "challenge" in process.err()


def test_a_large_body(lab, web):
    (lab.folder / "large").write_bytes(b"z" * 3_000_000)
    figures = bench(lab, "--count", "4", "--concurrency", "2", "--data-binary",
                    "@" + lab.path("large"), web.url)
    assert figures["statuses"] == {"200": 4}
    assert all(len(request.body) == 3_000_000 for request in web.requests)


def test_only_one_url_is_measured(lab, web):
    process = lab.run("hcurl", "-q", "--bench-json", "--count", "3", web.url + "/[1-2]")
    assert process.popen.returncode == 0 and "first URL" in process.err()
    assert {request.target for request in web.requests} == {"/1"}


def test_count_without_a_load_run_repeats_the_transfer(lab, web):
    process = lab.run("hcurl", "-q", "-s", "--count", "3", web.url, web.url + "/status/404")
    assert process.popen.returncode == 0
    assert [request.target for request in web.requests] == ["/", "/status/404"] * 3
    assert process.out() == b"hello\nstatus 404\n" * 3
    assert web.connections == 1
