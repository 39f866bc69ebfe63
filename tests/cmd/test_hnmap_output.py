# One thread.
"""hnmap's reports as JSON, CSV and HTML of real scans; the page in a real browser."""

import base64
import contextlib
import csv
import hashlib
import html.parser
import json
import os
import re
import signal
import socket
import threading
import time
import xml.etree.ElementTree

import pytest

from browser import browser  # noqa: F401
from conftest import wait_until

HOSTS = ["127.0.0.2", "127.0.0.3", "127.0.0.10"]


@pytest.fixture
def network(lab):
    """What is open, {address: ports}, of three ports: nothing, two, one."""
    network = {host: set() for host in HOSTS}
    with contextlib.ExitStack() as stack:
        for host in (HOSTS[1], HOSTS[1], HOSTS[2]):
            port = lab.port()
            stack.enter_context(socket.create_server((host, port)))
            network[host].add(port)
        yield network


def scan(lab, network, *args):
    """A scan by connect of all the ports on all the hosts."""
    ports = ",".join(str(port) for some in network.values() for port in some)
    process = lab.run("hnmap", "-sT", "-n", "-p", ports, *args, *network)
    assert process.popen.returncode == 0, process
    return process


def open_ports(rows, host, port, state):
    """{address: ports} of dictionaries with these keys."""
    found = {}
    for row in rows:
        found.setdefault(row[host], set())
        if row[state] == "open":
            found[row[host]].add(int(row[port]))
    return found


def lines_of(data):
    return [json.loads(line) for line in data.decode().splitlines()]


# ---- what goes on inside ----


def test_debugging_tells_what_was_sent(lab, network):
    text = scan(lab, network, "-d").out().decode()
    assert "Discovered open port" in text and "syn-ack" in text and "REASON" in text, text
    (answers,) = re.findall(r"^TCP ports: \d+ probes sent, \d+ of them again; (\d+) have", text, re.M)
    assert answers == "9", text
    assert "probes sent" not in scan(lab, network, "-v").out().decode()
    root = xml.etree.ElementTree.fromstring(scan(lab, network, "-d2", "-oX", "-").out())
    assert root.find("verbose").get("level") == root.find("debugging").get("level") == "2"


# ---- JSON ----


def test_json_has_a_line_for_each_host(lab, network):
    first, *hosts, last = lines_of(scan(lab, network, "--json", "-").out())
    assert first["type"] == "scan" and first["scanner"] == "hnmap"
    assert first["scans"][0]["type"] == "connect" and first["scans"][0]["count"] == 3
    assert [host["ip"] for host in hosts] == HOSTS
    rows = [{"ip": host["ip"], **port} for host in hosts for port in host["ports"]]
    assert open_ports(rows, "ip", "port", "state") == network
    assert all(len(host["ports"]) == 3 and host["not_shown"] == [] for host in hosts)
    assert {key: last[key] for key in ("type", "up", "down", "total", "exit")} == {
        "type": "done", "up": 3, "down": 0, "total": 3, "exit": "success"}


def test_json_tells_the_ports_that_are_not_shown(lab, network):
    hosts = lines_of(scan(lab, network, "--open", "--json", "-").out())[1:-1]
    assert [host["ip"] for host in hosts] == HOSTS[1:]
    assert [(g["state"], g["count"]) for g in hosts[0]["not_shown"]] == [("closed", 1)]


def test_a_scan_that_is_interrupted_leaves_whole_files(lab):
    files = {kind: lab.folder / kind for kind in ("json", "csv", "html", "xml")}
    process = lab.spawn("hnmap", "-sT", "-n", "-p-", "--max-rate", "20", "127.0.0.2", "-oX", files["xml"],
                        *(word for kind in ("json", "csv", "html") for word in (f"--{kind}", files[kind])))
    wait_until(lambda: files["json"].exists() and files["json"].read_bytes(), "the scan has begun")
    process.signal(signal.SIGINT)
    assert process.wait() == 130
    first, *_, last = lines_of(files["json"].read_bytes())
    assert (first["type"], last["type"], last["exit"]) == ("scan", "done", "error")
    assert last["error"] in files["html"].read_text()
    assert files["html"].read_text().endswith("</html>\n")
    assert list(csv.reader(files["csv"].open(newline="")))[0][0] == "ip"
    xml.etree.ElementTree.parse(files["xml"])


# ---- CSV ----


def test_csv_has_a_line_for_each_port(lab, network):
    path = lab.folder / "ports.csv"
    path.write_text("what was there\n" * 10000)
    scan(lab, network, "--csv", path)
    assert path.read_bytes().endswith(b"\r\n")
    rows = list(csv.DictReader(path.open(newline=""), strict=True))
    assert len(rows) == 9 and all(None not in row and None not in row.values() for row in rows)
    assert open_ports(rows, "ip", "port", "state") == network
    assert {(row["protocol"], row["host_state"]) for row in rows} == {("tcp", "up")}


def test_a_host_without_ports_has_a_line_of_csv(lab):
    process = lab.run("hnmap", "-sn", "-n", "127.0.0.2", "--csv", "-")
    (row,) = csv.DictReader(process.out().decode().splitlines())
    assert (row["ip"], row["host_state"], row["port"]) == ("127.0.0.2", "up", "")


# ---- files ----


def test_appending_is_each_formats_own_matter(lab, network):
    paths = {kind: lab.folder / kind for kind in ("json", "csv", "html")}
    for _ in range(2):
        scan(lab, network, "--append-output", "--json", paths["json"], "--csv", paths["csv"])
    assert [line["type"] for line in lines_of(paths["json"].read_bytes())].count("scan") == 2
    rows = list(csv.reader(paths["csv"].open(newline="")))
    assert len(rows) == 1 + 2 * 9 and [row[0] for row in rows].count("ip") == 1
    paths["html"].write_text("what was there")
    process = lab.run("hnmap", "-sT", "-n", "--append-output", "--html", paths["html"], "127.0.0.2")
    assert process.popen.returncode == 1 and "cannot append to" in process.err()
    assert paths["html"].read_text() == "what was there"


def test_names_of_files_have_the_day_and_the_time_in_them(lab):
    before = time.strftime("%Y %m%d%y %H%M")
    folder = lab.folder / "made"
    folder.mkdir()
    lab.run("hnmap", "-sL", "-n", "127.0.0.2", "-oA", folder / "%Y %D %R", "--csv",
            folder / "%y%m%d-%H%M%S", "--json", folder / "%T%%%q%")
    after = time.strftime("%Y %m%d%y %H%M")
    names = {path.name for path in folder.iterdir()}
    base = {name[:-4] for name in names if name.endswith(".xml")}
    assert len(names) == 5 and base <= {before, after} and base, names
    assert any(re.fullmatch(r"\d{6}-\d{6}", name) for name in names), names
    assert any(re.fullmatch(r"\d{6}%q%", name) for name in names), names


def test_a_file_that_cannot_be_written_stops_the_scan_before_it_begins(lab):
    kept = lab.folder / "kept"
    kept.write_text("what was there")
    process = lab.run("hnmap", "-sL", "-n", "127.0.0.2", "--json", kept, "--csv", "/nonexistent/a.csv")
    assert process.popen.returncode == 1 and "/nonexistent/a.csv" in process.err()
    assert kept.read_text() == "what was there"


def test_a_disk_that_is_full_does_not_end_the_scan_for_others(lab):
    kept = lab.folder / "kept"
    process = lab.run("hnmap", "-sn", "-n", "127.0.0.2-4", "-oG", "/dev/full", "--json", kept)
    assert process.popen.returncode == 1
    assert process.err().count("/dev/full") == 1
    assert process.out().count(b"Host is up") == 3
    lines = lines_of(kept.read_bytes())
    assert len(lines) == 5 and lines[-1]["exit"] == "success"


def test_a_reader_that_is_gone_does_not_end_the_scan_for_others(lab):
    kept = lab.folder / "kept"
    read, write = os.pipe()
    os.close(read)
    process = lab.run("hnmap", "-sn", "-n", "127.0.0.2-4", "--json", kept, stdout=write)
    os.close(write)
    assert process.popen.returncode == 1
    assert process.err().count("standard output") == 1
    assert len(lines_of(kept.read_bytes())) == 5


def test_a_scan_that_nobody_hears_of_ends(lab):
    process = lab.run("hnmap", "-sn", "-n", "--max-rate", "0.01", "127.0.0.0/8", "-oG", "/dev/full",
                      "-oN", "/dev/full", "-oX", "/dev/full", "--json", "-", stdout=open("/dev/full", "wb"))
    assert process.popen.returncode == 1
    assert process.err().count("cannot write") == 4


# ---- HTML ----


class Page(html.parser.HTMLParser):
    """Checks that elements are closed in their order, and that nothing is loaded."""

    VOID = {"meta", "wbr", "link", "input", "br", "rect", "path", "use", "circle"}

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        for name in ("src", "href", "action", "data", "srcset"):
            assert (attrs.get(name) or "data:").startswith("data:"), (tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def page(lab, network):
    path = lab.folder / "report.html"
    scan(lab, network, "--html", path)
    return path


def test_the_page_is_whole_and_loads_nothing(page, network):
    text = page.read_text()
    parsed = Page(text)
    assert all(host in parsed.text for host in network)
    assert not re.search(r"@import|url\((?!data:)", text)


def test_the_policy_names_the_script(page):
    text = page.read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    right = "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src '{right}'" in text, f"SCRIPT_HASH of output_html_page.c should be {right}"


ADDRESSES = "[...document.querySelectorAll('.host:not([hidden]) .ip')].map(e => e.textContent)"
SEEN = "[...document.querySelectorAll('.ports')].map(e => e.checkVisibility({contentVisibilityAuto: true}))"


def top(browser, selector):
    return browser.evaluate(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().top")


def test_the_page_is_sorted_filtered_and_expanded(browser, page, network, tmp_path):  # noqa: F811
    browser.open(page.as_uri())
    browser.screenshot(tmp_path / "light.png")
    assert browser.evaluate(ADDRESSES) == HOSTS
    assert top(browser, ".intro") < top(browser, ".summary") < top(browser, ".host")
    assert not browser.evaluate("document.querySelector('.going').checkVisibility()")
    browser.click("[data-sort=open]")
    by_open = sorted(network, key=lambda host: -len(network[host]))
    assert browser.evaluate(ADDRESSES) == by_open
    browser.click("[data-sort=open]")
    assert browser.evaluate(ADDRESSES) == by_open[::-1]
    browser.click("[data-sort=ip]")
    assert browser.evaluate(ADDRESSES) == HOSTS  # by number: .10 is behind .3
    browser.click("[data-sort=ip]")
    assert browser.evaluate(ADDRESSES) == HOSTS[::-1]
    browser.click("[data-expand]")
    assert browser.evaluate("document.querySelectorAll('.host[open]').length") == 3
    browser.click("[data-expand]")
    assert browser.evaluate("document.querySelectorAll('.host[open]').length") == 0
    browser.click(".find input")
    browser.call("Input.insertText", text="0.0.10")
    assert browser.evaluate(ADDRESSES) == ["127.0.0.10"]
    browser.dark(True)
    browser.screenshot(tmp_path / "dark.png")
    assert browser.complaints() == []


def test_the_page_is_read_without_scripts_and_printed(browser, page):  # noqa: F811
    browser.scripts(False)
    browser.open(page.as_uri())
    assert not browser.evaluate("document.querySelector('.find').checkVisibility()")
    assert browser.evaluate(SEEN) == [False, False, False]
    browser.click(".host > summary")
    assert browser.evaluate(SEEN) == [True, False, False]
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.evaluate(SEEN) == [True, True, True]


def test_a_page_that_was_cut_off_is_read(browser, page):  # noqa: F811
    data = page.read_bytes()
    page.write_bytes(data[: data.index(b"</details>") + len("</details>")])
    browser.open(page.as_uri())
    assert browser.evaluate(ADDRESSES) == HOSTS[:1]
    assert browser.evaluate("document.querySelector('.going').checkVisibility()")
    browser.click(".host > summary")
    assert browser.evaluate(SEEN) == [True]
    assert browser.complaints() == []


# ---- what has changed ----


@pytest.mark.parametrize("name, option", [("hnmap", "-oX"), ("hnmap", "--json"), ("nmap", "-oX")])
def test_changes_since_a_scan_are_told(lab, name, option):
    old = lab.folder / "old"
    ports = [lab.port() for _ in range(3)]
    scanned = ["-sT", "-n", "-p", ",".join(map(str, ports)), "127.0.0.2-3"]
    with contextlib.ExitStack() as servers:
        for port in ports[:2]:
            servers.enter_context(socket.create_server(("127.0.0.2", port)))
        lab.run(name, *scanned, option, old)
        same = lab.run("hnmap", *scanned, "--diff", old)
        assert same.popen.returncode == 0 and f"Nothing has changed since {old}" in same.out().decode()
    with socket.create_server(("127.0.0.2", ports[1])), socket.create_server(("127.0.0.3", ports[2])):
        # The file may be the one that is written anew.
        changed = lab.run("hnmap", *scanned, "127.0.0.4", "--diff", old, option, old)
        assert changed.popen.returncode == 1, changed
        assert changed.out().decode().splitlines()[-4:] == [
            f"127.0.0.2: {ports[0]}/tcp closed, was open",
            f"127.0.0.3: {ports[2]}/tcp open, was closed",
            "127.0.0.4: host is up, was not told of",
            f"3 changes since {old}",
        ]
        again = lab.run("hnmap", *scanned, "127.0.0.4", "--diff", old, "--csv", "-")
        assert again.popen.returncode == 0 and "Nothing has changed" in again.err()


def test_a_report_that_cannot_be_compared_with_stops_the_scan(lab):
    old, kept = lab.folder / "old", lab.folder / "kept"
    old.write_text("<nmaprun>\n<host>")
    kept.write_text("what was there")
    process = lab.run("hnmap", "-sT", "-n", "127.0.0.2", "--diff", old, "--json", kept)
    assert process.popen.returncode == 1 and "line 2: it ends early" in process.err()
    assert process.out() == b"" and kept.read_text() == "what was there"
    process = lab.run("hnmap", "-sL", "127.0.0.2", "--diff", old)
    assert process.popen.returncode == 2 and "-sL" in process.err()


# ---- what strangers say ----

SAID = "=1+1,\"<img src=x onerror=alert(1)>"


@pytest.fixture
def stranger(lab):
    """The port of a service that says this to everybody, and hangs up."""
    with socket.create_server(("127.0.0.2", lab.port())) as server:

        def serve():
            with contextlib.suppress(OSError):  # closed at the end
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(SAID.encode() + b"\r\n")
                        connection.shutdown(socket.SHUT_WR)
                        connection.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_what_a_service_says_is_text_everywhere(browser, lab, stranger):  # noqa: F811
    paths = {kind: lab.folder / kind for kind in ("json", "csv", "html")}
    words = [word for kind, path in paths.items() for word in (f"--{kind}", path)]
    process = lab.run("hnmap", "-sT", "--banner", "-n", "-p", str(stranger), "127.0.0.2", *words)
    assert process.popen.returncode == 0, process
    host = lines_of(paths["json"].read_bytes())[1]
    assert SAID in host["ports"][0]["banner"]
    (row,) = csv.DictReader(paths["csv"].open(newline=""), strict=True)
    assert row["banner"] == "'" + host["ports"][0]["banner"]
    Page(paths["html"].read_text())
    page = paths["html"].rename(lab.folder / "said.html")
    browser.open(page.as_uri())
    assert SAID in browser.evaluate("document.querySelector('.ports').textContent")
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert browser.complaints() == []
