# One thread.
"""hproxy --status: /metrics as Prometheus' own tool wants it, /status for programs and people, /healthz."""

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import TIMEOUT, wait_until
from hproxy_lab import children, conf, hproxy, target  # noqa: F401
from test_hhttpd_metrics import parse


def get(proxy, path, accept="*/*"):
    request = urllib.request.Request(f"http://{proxy.status}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def samples(proxy):
    """All samples, by name and labels; the text is what promtool and a strict reader take."""
    status, headers, text = get(proxy, "/metrics")
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    tool = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=TIMEOUT)
    assert (tool.returncode, tool.stdout, tool.stderr) == (0, "", ""), tool
    return parse(text, histograms=["hproxy_connection_duration_seconds", "hproxy_connect_duration_seconds"])


def sample(proxy, name, **labels):
    """The sum of those that have these labels."""
    found = [v for k, v in samples(proxy).items()
             if k.split("{")[0] == name and all(f'{label}="{value}"' in k for label, value in labels.items())]
    assert found, name
    return sum(found)


def is_sample(proxy, value, name, **labels):
    wait_until(lambda: sample(proxy, name, **labels) == value, f"{name} {labels} {value}")


def test_what_is_counted(hproxy, target, conf):
    one, two = target("one"), target("two")
    proxy = hproxy("-c", conf(f"status = 127.0.0.1:0\n[listen web]\nlisten = 127.0.0.1:0\n"
                              f"target = {one.address}\ntarget = {two.address}\n"))
    for _ in range(4):
        assert proxy.ask(b"hello").endswith(b":hello")
    is_sample(proxy, 4, "hproxy_connections_ended_total", listener="web", end="done")
    assert sample(proxy, "hproxy_connections_total", listener="web") == 4
    assert sample(proxy, "hproxy_bytes_total", listener="web", direction="to_target") == 20
    assert sample(proxy, "hproxy_bytes_total", listener="web", direction="to_client") == 36
    assert sample(proxy, "hproxy_connection_duration_seconds_count", listener="web") == 4
    assert sample(proxy, "hproxy_connect_duration_seconds_count", listener="web") == 4
    for one_of_two in (one, two):
        assert sample(proxy, "hproxy_target_connections_total", address=one_of_two.address) == 2
        assert sample(proxy, "hproxy_target_up", address=one_of_two.address) == 1
        assert sample(proxy, "hproxy_target_received_bytes_total", address=one_of_two.address) == 18
    with proxy.connect() as client:
        client.sendall(b"x")
        client.recv(10)
        assert sample(proxy, "hproxy_connections_open", listener="web") == 1
    is_sample(proxy, 0, "hproxy_connections_open", listener="web")


@pytest.mark.parametrize("workers", [1, 2])
def test_bytes_are_counted_before_the_end(hproxy, target, workers):
    server = target()
    proxy = hproxy("0", server.address, "--status=0", f"--workers={workers}")
    with proxy.connect() as client:
        for total in (5, 10):
            client.sendall(b"hello")
            client.recv(100)
            is_sample(proxy, total, "hproxy_bytes_total", direction="to_target")
            is_sample(proxy, total, "hproxy_target_sent_bytes_total", address=server.address)
        assert sample(proxy, "hproxy_connections_open") == 1
    is_sample(proxy, 1, "hproxy_connections_ended_total", end="done")
    is_sample(proxy, 10, "hproxy_bytes_total", direction="to_target")
    is_sample(proxy, 10, "hproxy_target_sent_bytes_total", address=server.address)


def test_a_dead_target_is_told(hproxy, target):
    dead = target()
    dead.close()
    proxy = hproxy("0", dead.address, "--status=0", "--eject-failures=1", "--eject-time=1h")
    assert proxy.ask() == b""
    is_sample(proxy, 0, "hproxy_target_up", address=dead.address)
    assert sample(proxy, "hproxy_target_failures_total", target=dead.address) == 1
    assert sample(proxy, "hproxy_connections_ended_total", end="connect_failed") == 1
    listener, = json.loads(get(proxy, "/status")[2])["listeners"]
    assert listener["ended"] == {"connect_failed": 1}
    assert listener["targets"][0]["state"] == "ejected"
    assert listener["targets"][0]["last_failure"] == "Connection refused"


def test_counters_only_grow(hproxy, target, conf):
    """Over a crash and a reload; what a worker that was killed had open is open no more."""
    server = target()
    text = f"status = 127.0.0.1:0\nworkers = 2\n[listen web]\nlisten = 127.0.0.1:0\ntarget = {server.address}\n"
    proxy = hproxy("-c", conf(text))
    for _ in range(6):
        proxy.ask()
    is_sample(proxy, 6, "hproxy_connections_ended_total", listener="web", end="done")
    clients = [proxy.connect() for _ in range(8)]
    for client in clients:
        client.sendall(b"x")
        client.recv(10)
    is_sample(proxy, 8, "hproxy_connections_open", listener="web")
    before = proxy.workers(2)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(set(children(proxy.pid)) - set(before)) == 2, "new workers")
    is_sample(proxy, 0, "hproxy_connections_open", listener="web")
    assert sample(proxy, "hproxy_connections_total", listener="web") == 14
    assert "reloaded: " in proxy.reload()
    proxy.ask()
    is_sample(proxy, 7, "hproxy_connections_ended_total", listener="web", end="done")
    is_sample(proxy, 2, "hproxy_generation")
    for client in clients:
        client.close()


def test_names_of_listeners_are_labels(hproxy, target, lab):
    """Whatever they are called."""
    proxy = hproxy(f'unix:{lab.folder}/a"b\\c', target().address, "--status=0")
    proxy.ask(endpoint=f'unix:{lab.folder}/a"b\\c')
    name = f"unix:{lab.folder}/a" + r'\"b\\c'
    assert sample(proxy, "hproxy_connections_total", listener=name) == 1


def test_the_page_is_for_who_wants_it(hproxy, target):
    server = target()
    proxy = hproxy("0", server.address, "--status=0")
    for accept in ["*/*", "application/json"]:
        status, headers, text = get(proxy, "/status", accept)
        assert status == 200 and headers["Content-Type"] == "application/json" and headers["Vary"] == "Accept"
        assert json.loads(text)["listeners"][0]["targets"][0]["address"] == server.address
    status, headers, text = get(proxy, "/", "text/html,application/xhtml+xml,*/*;q=0.8")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert re.search(f"<td>{server.address}<td class=\"up\">up", text)


def test_health_is_that_of_the_targets(hproxy, target):
    server = target()
    proxy = hproxy("0", server.address, "--status=0", "--check=connect", "--check-interval=50ms", "--check-fall=1",
                   "--check-rise=1")
    wait_until(lambda: get(proxy, "/healthz")[0] == 200, "health")
    assert get(proxy, "/healthz")[2] == "ok\n"
    server.close()
    wait_until(lambda: get(proxy, "/healthz")[0] == 503, "illness")
    assert re.fullmatch(r"127.0.0.1:\d+: no target\n|0: no target\n", get(proxy, "/healthz")[2])
    server.open()
    wait_until(lambda: get(proxy, "/healthz")[0] == 200, "health")


def test_who_asks_for_something_else(hproxy, target):
    proxy = hproxy("0", target().address, "--status=0")
    assert get(proxy, "/nothing")[0] == 404
    request = urllib.request.Request(f"http://{proxy.status}/metrics", data=b"x")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=TIMEOUT)
    assert error.value.code == 405
