"""A real browser for the tests: Chromium without a window, driven through the DevTools protocol over two
pipes (its descriptors 3 and 4; messages are JSON with a NUL behind). It reaches nothing but loopback."""

import base64
import collections
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time

import pytest

from conftest import TIMEOUT, wait_until

ARGUMENTS = [
    "--headless",
    "--no-sandbox",  # which needs rights that a test may not have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1000,700",
    "--remote-debugging-pipe",
]


class Browser:
    """One browser with one page. Waits for conditions, each with a limit."""

    def __init__(self, program, folder):
        to_us, from_us = os.pipe(), os.pipe()
        # Out of the way of 3 and 4, which the browser gets.
        read_end, write_end = (fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (from_us[0], to_us[1]))

        def place():
            os.dup2(read_end, 3)
            os.dup2(write_end, 4)

        with open(folder / "chromium.log", "wb") as log:
            self.process = subprocess.Popen(
                [program, *ARGUMENTS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(3, 4), preexec_fn=place,
                start_new_session=True, env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder)})
        for fd in (read_end, write_end, from_us[0], to_us[1]):
            os.close(fd)
        self.reader, self.writer = to_us[0], from_us[1]
        self.received, self.number, self.session = b"", 0, None
        self.events = collections.deque(maxlen=1000)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.call(f"{domain}.enable")

    # ---- the protocol ----

    def _receive(self, deadline):
        """The next message, or None when none came in time."""
        while b"\0" not in self.received:
            ready = select.select([self.reader], [], [], max(0, deadline - time.monotonic()))[0]
            if not ready:
                return None
            piece = os.read(self.reader, 1 << 16)
            assert piece, "the browser has gone"
            self.received += piece
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        """The result of a method."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._receive(deadline)
            assert answer is not None, f"no answer to {method}"
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def said(self, method):
        """The parameters of the events of this kind that have come."""
        self.evaluate("0")  # whatever comes before its answer has been read
        return [event["params"] for event in self.events if event["method"] == method]

    # ---- the page ----

    def evaluate(self, expression):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression, what=None):
        """The first true value of an expression; a page that is being left has none."""

        def value():
            try:
                return self.evaluate(expression)
            except AssertionError as error:
                if "context" in str(error) or "navigat" in str(error) or "TypeError" in str(error):
                    return None
                raise

        return wait_until(value, what or expression)

    def open(self, url):
        """Goes there; returns when all of it is loaded."""
        self.evaluate("window.leaving = true")
        answer = self.call("Page.navigate", url=url)
        assert not answer.get("errorText"), answer
        self.wait_loaded()

    def wait_loaded(self):
        """Until another page than the one that open() or mark() saw is loaded."""
        self.wait_for("!window.leaving && document.readyState === 'complete'", "the page is loaded")

    def mark(self):
        """The next wait_loaded() is about another page than this one."""
        self.evaluate("window.leaving = true")

    def click(self, selector):
        """A click with the mouse in the middle of an element."""
        place = self.evaluate(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            f"return [r.x + r.width / 2, r.y + r.height / 2] }})(document.querySelector({json.dumps(selector)}))")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def choose_files(self, selector, *paths):
        """What a person does in the dialog of <input type=file>."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"no element {selector}"
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def scripts(self, on):
        """Whether pages may run scripts; ours (evaluate) may in any case."""
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def dark(self, on):
        value = "dark" if on else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def complaints(self):
        """What it has written to its console: violations of a policy, errors of scripts."""
        logged = [e["entry"] for e in self.said("Log.entryAdded")]
        return [e["text"] for e in logged if e["level"] == "error"] + [
            str(e["exceptionDetails"]) for e in self.said("Runtime.exceptionThrown")]

    def close(self):
        """Ends it, and the processes that it has started: they are its own group."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            os.write(self.writer, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def browser(tmp_path_factory):
    """A browser with a page and a profile of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no chromium")
    folder = tmp_path_factory.mktemp("browser")
    browser = Browser(program, folder)
    yield browser
    browser.close()
    shutil.rmtree(folder, ignore_errors=True)
