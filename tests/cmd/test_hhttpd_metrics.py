"""hhttpd --metrics: Prometheus' text format, and counters of all workers and generations together."""

import os
import re
import signal
import time

import pytest

from conftest import wait_until
from hhttpd_lab import Answer, hhttpd, www  # noqa: F401

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(\{{{NAME}="(?:[^"\\\n]|\\[\\n"])*"(?:,{NAME}="(?:[^"\\\n]|\\[\\n"])*")*\}})? (\S+)')
TYPES = {"counter", "gauge", "histogram"}


def family_of(name, types):
    """The metric that a sample belongs to."""
    base = re.sub("_(bucket|sum|count)$", "", name)
    return base if types.get(base) == "histogram" else name


def parse(text, histograms=("hhttpd_request_duration_seconds",)):
    """A strict reader of version 0.0.4: each family once, HELP and TYPE before its samples, none twice."""
    assert text.endswith("\n") and "\n\n" not in text
    helps, types, samples, families = {}, {}, {}, []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert name not in helps and words
            helps[name] = words
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helps and name not in types and kind in TYPES
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            family = family_of(name, types)
            assert family in types, line
            if not families or families[-1] != family:
                assert family not in families, f"{family} is not in one piece"
                families.append(family)
            key = name + (labels or "")
            assert key not in samples, line
            samples[key] = float(value)
            assert types[family] == "gauge" or samples[key] >= 0
            assert types[family] != "counter" or name.endswith("_total")
    assert set(families) == set(types) == set(helps)
    for name in histograms:
        check_histogram(samples, name)
    return samples


def check_histogram(samples, name):
    """One without other labels adds up; of one with some each sample was looked at."""
    if name + "_count" not in samples:
        return
    buckets = [(float(re.search('le="(.*?)"', k)[1]), v) for k, v in samples.items() if k.startswith(name + "_bucket")]
    assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets)
    assert buckets[-1] == (float("inf"), samples[name + "_count"])


def requests(samples):
    return {k.split('"')[1][0]: v for k, v in samples.items() if k.startswith("hhttpd_requests_total")}


def scrape(server, path="/metrics", connection=None):
    """The samples. Who asks again and again does so over one connection: each one counts, and for a moment
    after its end, too."""
    if connection:
        connection.request("GET", path)
        answer = Answer(connection.getresponse())
    else:
        answer = server.get(path)
    assert answer.status == 200 and answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


def test_what_is_counted(hhttpd, www):
    server = hhttpd("--metrics", "--redirect", "/old=/new", www, "0")
    first = scrape(server)
    assert requests(first) == {"1": 0, "2": 0, "3": 0, "4": 0, "5": 0}
    for path in ("/a.txt", "/a.txt", "/none", "/old"):
        server.get(path)
    server.raw(b"nonsense\r\n\r\n")
    second = scrape(server)
    assert requests(second) == {"1": 0, "2": 3, "3": 1, "4": 2, "5": 0}
    assert second["hhttpd_request_duration_seconds_count"] == 6
    assert second["hhttpd_connections_accepted_total"] == 7 and second["hhttpd_connections_refused_total"] == 0
    assert second["hhttpd_connections_open"] == second["hhttpd_requests_active"] == 1
    assert second["hhttpd_sent_bytes_total"] > first["hhttpd_sent_bytes_total"] + 1000
    assert second["hhttpd_received_bytes_total"] > first["hhttpd_received_bytes_total"] + 200
    assert second["process_start_time_seconds"] == first["process_start_time_seconds"] > 1.7e9
    assert any(re.fullmatch(r'hhttpd_build_info\{version="[0-9.]+"\}', key) for key in second)
    server.stop()


def test_another_path_and_a_method_that_is_none(hhttpd, www):
    server = hhttpd("--metrics=/internal/counters", "--base-url", "/b", www, "0")
    scrape(server, "/b/internal/counters")
    assert server.get("/b/metrics").status == 404
    assert server.request("POST", "/b/internal/counters").status == 405
    server.stop()
    server = hhttpd(www, "0")
    assert server.get("/metrics").status == 404
    server.stop()


def test_a_password_keeps_them_in(hhttpd, www):
    server = hhttpd("--metrics", "--auth", "/metrics=me:secret", www, "0")
    assert server.get("/metrics").status == 401
    assert server.get("/metrics", Authorization="Basic bWU6c2VjcmV0").status == 200
    assert server.get("/a.txt").status == 200
    server.stop()


@pytest.mark.parametrize("workers, threads", [(3, 1), (1, 3), (2, 2)])
def test_all_workers_are_one(hhttpd, www, workers, threads):
    server = hhttpd("--metrics", "--workers", str(workers), "--threads", str(threads), www, "0")
    held = [server.connection() for _ in range(20)]
    for connection in held:
        connection.request("GET", "/a.txt")
        assert connection.getresponse().read() == b"some text\n"
    for _ in range(20):
        server.get("/none")

    # Each loop tells what it has within a second: also that the last question is over, which
    # questions that follow closely would never see.
    def whole():
        time.sleep(1.2)
        samples = scrape(server)
        return (requests(samples)["4"] == 20 and samples["hhttpd_connections_open"] == 21 and
                samples["hhttpd_loops"] == workers * threads)

    wait_until(whole, "all have told")
    for connection in held:
        connection.close()
    wait_until(lambda: time.sleep(1.2) or scrape(server)["hhttpd_connections_open"] == 1, "all are closed")
    server.stop()


def test_counters_outlive_workers(hhttpd, www, tmp_path):
    (tmp_path / "empty.conf").write_text("")
    server = hhttpd("--metrics", "-c", tmp_path / "empty.conf", www, "0")
    for _ in range(5):
        server.get("/none")
    held = server.connection()
    held.request("GET", "/a.txt")
    held.getresponse().read()
    before = scrape(server)
    assert before["hhttpd_connections_open"] == 2
    assert "reloaded: " in server.reload()
    wait_until(lambda: scrape(server)["hhttpd_generation"] == 2, "new workers serve")
    held.close()
    wait_until(lambda: scrape(server)["hhttpd_loops"] == 1, "old workers have gone")
    wait_until(lambda: scrape(server)["hhttpd_connections_open"] == 1, "the questions before are over")
    after = scrape(server)
    assert requests(after)["4"] == 5 and requests(after)["2"] >= requests(before)["2"] + 1
    assert after["process_start_time_seconds"] == before["process_start_time_seconds"]
    server.stop()


def test_a_crash_leaves_no_connections_open(hhttpd, www):
    server = hhttpd("--metrics", www, "0")
    worker = server.workers()[0]
    held = [server.connection() for _ in range(3)]
    for connection in held:
        connection.request("GET", "/none")
        connection.getresponse().read()
    before = scrape(server)
    assert before["hhttpd_connections_open"] == 4
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: server.workers() != [worker], "a new worker")
    after = scrape(server)
    assert after["hhttpd_connections_open"] == after["hhttpd_loops"] == 1
    assert requests(after)["4"] == 3
    for connection in held:
        connection.close()
    server.stop()


def test_time_limits(hhttpd, www, tmp_path):
    (tmp_path / "x.conf").write_text("head_timeout = 1000\n")  # which holds for those who ask, too
    server = hhttpd("--metrics", "-c", tmp_path / "x.conf", www, "0")
    with server.connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert b"408" in slow.recv(4096)
    assert scrape(server)["hhttpd_timeouts_total"] == 1
    server.stop()


def test_connections_that_are_too_many(hhttpd, www):
    server = hhttpd("--metrics", "--max-conns", "2", www, "0")
    ours = server.connection()
    assert scrape(server, connection=ours)["hhttpd_connections_refused_total"] == 0
    with server.connect() as held:
        held.sendall(b"G")
        wait_until(lambda: scrape(server, connection=ours)["hhttpd_connections_open"] == 2, "it is full")
        assert server.raw(b"G") == b""  # and closes at once
        assert scrape(server, connection=ours)["hhttpd_connections_refused_total"] == 1
    ours.close()
    server.stop()
