# No sanitizer: what the browser asks for is asked with them in test_hhttpd_upload, _reload, _demo and _site.
"""hhttpd in a real browser: listings, uploads, live reload, server-sent events."""

import http.client
import os

import pytest

from browser import browser  # noqa: F401
from conftest import wait_until
from hhttpd_lab import hhttpd, www  # noqa: F401

NAMES = "[...document.querySelectorAll('tr:not(.parent) td.name a')].map(a => a.textContent.trim())"


def listen(server, path="/.hhttpd/events"):
    """A connection whose stream of events has begun, and the response."""
    connection = server.connection()
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 200
    return connection, response


def read_event(response):
    """The next event: its lines, without comments."""
    lines = []
    while True:
        line = response.readline().decode()
        if line == "\n" and lines:
            return lines
        if line == "":
            return None
        if not line.startswith(":") and line != "\n":
            lines.append(line.rstrip("\n"))


# ---- what a browser sees ----


def test_a_listing_is_sorted_without_scripts(hhttpd, browser, tmp_path):
    folder = tmp_path / "files"
    (folder / "folder").mkdir(parents=True)
    for name, size in [("b.txt", 30), ("a.txt", 2000), ("c & <i>.txt", 5), ("ü.png", 100)]:
        (folder / name).write_bytes(b"x" * size)
        os.utime(folder / name, (1e9 + size, 1e9 + size))
    server = hhttpd(folder, "0")
    browser.scripts(False)
    browser.open(server.urls[0])
    browser.screenshot(tmp_path / "listing.png")
    assert browser.evaluate(NAMES) == ["folder/", "a.txt", "b.txt", "c & <i>.txt", "ü.png"]
    browser.mark()
    browser.click("th.size a")
    browser.wait_loaded()
    once = browser.evaluate(NAMES)
    browser.mark()
    browser.click("th.size a")
    browser.wait_loaded()
    twice = browser.evaluate(NAMES)
    by_size = ["c & <i>.txt", "b.txt", "ü.png", "a.txt"]
    assert sorted([once[1:], twice[1:]]) == sorted([by_size, by_size[::-1]])
    assert once[0] == twice[0] == "folder/"
    browser.dark(True)
    browser.screenshot(tmp_path / "dark.png")
    browser.mark()
    browser.click("td.name a[href*=folder]")
    browser.wait_loaded()
    assert browser.evaluate("location.pathname") == "/folder/"
    browser.screenshot(tmp_path / "empty.png")
    assert browser.complaints() == []
    server.stop()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_form_uploads(hhttpd, browser, tmp_path, scripts):
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name in ("one.txt", "zwei ü.bin"):
        (tmp_path / name).write_bytes(name.encode() * 5000)
    server = hhttpd("--upload", folder, "0")
    browser.scripts(scripts)
    browser.open(server.urls[0])
    browser.choose_files("input[type=file]", tmp_path / "one.txt", tmp_path / "zwei ü.bin")
    browser.screenshot(tmp_path / "form.png")
    browser.mark()
    browser.click(".upload button")
    wait_until(lambda: len(os.listdir(folder)) == 2, "two files are there")
    browser.wait_loaded()
    browser.wait_for(f"({NAMES}).length === 2")
    for name in ("one.txt", "zwei ü.bin"):
        assert (folder / name).read_bytes() == name.encode() * 5000
    assert sorted(browser.evaluate(NAMES)) == ["one.txt", "zwei ü.bin"]
    browser.screenshot(tmp_path / "uploaded.png")
    assert browser.complaints() == []
    server.stop()


def until_listening(browser, times=1):
    """Until a page has begun to listen so many times: what changes before is not told."""

    def listens():
        answers = [e["response"] for e in browser.said("Network.responseReceived")]
        return len([a for a in answers if a["url"].endswith("/.hhttpd/events") and a["status"] == 200]) >= times

    wait_until(listens, "the page listens")


def test_a_page_comes_anew_when_a_file_changes(hhttpd, browser, www, tmp_path):
    server = hhttpd("--live-reload", www, "0")
    page = www / "index.html"
    page.write_text("<!doctype html><link rel=stylesheet href=sub/x.css><h1>first</h1>")
    browser.open(server.urls[0])
    assert browser.evaluate("document.querySelector('h1').textContent") == "first"
    until_listening(browser)
    page.write_text("<!doctype html><link rel=stylesheet href=sub/x.css><h1>second</h1>")
    browser.wait_for("document.querySelector('h1').textContent === 'second'")
    until_listening(browser, 2)
    (www / "sub" / "x.css").write_text("h1 { color: rgb(1, 2, 3) }")
    browser.wait_for("getComputedStyle(document.querySelector('h1')).color === 'rgb(1, 2, 3)'")
    until_listening(browser, 3)
    (www / "new").mkdir()
    (www / "new" / "deep.txt").write_text("x")
    browser.mark()
    (www / "new" / "deep.txt").write_text("y")
    browser.wait_loaded()
    browser.screenshot(tmp_path / "live.png")
    server.stop()


def test_a_listing_comes_anew_too(hhttpd, browser, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    server = hhttpd("--live-reload", "--base-url", "/some/where", folder, "0")
    browser.open(server.urls[0])
    assert browser.evaluate(NAMES) == []
    until_listening(browser)
    (folder / "new.txt").write_text("x")
    browser.wait_for(f"({NAMES}).includes('new.txt')")
    assert browser.complaints() == []
    server.stop()


def test_a_page_comes_anew_when_the_server_is_back(hhttpd, browser, www, tmp_path):
    (tmp_path / "empty.conf").write_text("")
    server = hhttpd("--live-reload", "-c", tmp_path / "empty.conf", www, "0")
    (www / "index.html").write_text("<!doctype html><h1>first</h1>")
    browser.open(server.urls[0])
    until_listening(browser)
    browser.mark()
    assert "reloaded: " in server.reload()  # the old worker's streams end, and pages come to the new one
    browser.wait_loaded()
    until_listening(browser, 2)
    server.stop()


def test_events_of_the_demo_arrive(hhttpd, browser, www):
    server = hhttpd("--demo", www, "0")
    browser.open(server.urls[0] + "ping")
    events = browser.evaluate("""new Promise(done => {
        const source = new EventSource('/sse?n=3&t=20'), all = [];
        source.onmessage = event => {
            all.push(event.lastEventId + (isNaN(Date.parse(event.data)) ? ' no time' : ''));
        };
        source.onerror = () => { if (source.readyState === EventSource.CLOSED) done(all) };
    })""")
    assert events == ["1", "2", "3"]  # then it came back with Last-Event-ID, and was told that this was all
    server.stop()


# ---- what the browser does not show ----


def test_a_change_is_told_to_everybody(hhttpd, www):
    server = hhttpd("--live-reload", www, "0")
    listeners = [listen(server) for _ in range(5)]
    for _, response in listeners:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert read_event(response) == ["retry: 500"]
    (www / "new.txt").write_text("x")
    for _, response in listeners:
        assert read_event(response) == ["event: reload", "data: "]
    server.stop()  # at once, although they listen
    for connection, response in listeners:
        while read_event(response):
            pass
        connection.close()


def test_only_pages_get_the_script(hhttpd, www):
    server = hhttpd("--live-reload", "--base-url", "/base", www, "0")
    assert server.get("/base/").text.count('data-events="/base/.hhttpd/events"') == 1
    assert "events" not in server.get("/base/sub/", Accept="application/json").text
    assert server.get("/base/sub/", Accept="text/html").text.count('data-events="/base/.hhttpd/events"') == 1
    assert server.get("/base/a.txt").text == "some text\n"
    assert server.request("HEAD", "/base/.hhttpd/events")["Content-Type"] == "text/event-stream"
    assert server.request("POST", "/base/.hhttpd/events").status == 405
    server.stop()
    server = hhttpd(www, "0")
    assert server.get("/").text == "<h1>home</h1>\n"
    assert server.get("/.hhttpd/events").status == 404
    server.stop()
