# One thread.
"""--split: one file over several connections."""

import hashlib
import os
import random
import re
import signal
import threading

import pytest
from conftest import wait_until
from hcurl_lab import Web, response

MIB = 1 << 20
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


class Store:
    """A file at /file, with ranges; behaviour may be changed by the test."""

    def __init__(self, size=4 * MIB, seed=1, tag='"v1"', date=DATE):
        self.data = random.Random(seed).randbytes(size)
        self.tag, self.date = tag, date
        self.ranges = True
        self.hook = None  # function(range's start, the answer) that may return another answer
        self.asked = []
        self.web = Web({"file": self.answer})
        self.url = self.web.url + "/file"

    def fields(self):
        fields = ["Accept-Ranges: bytes"] if self.ranges else []
        fields += [f"ETag: {self.tag}"] if self.tag else []
        return fields + ([f"Last-Modified: {self.date}"] if self.date else [])

    def usual(self, request):
        wanted = re.match(r"bytes=(\d+)-(\d*)$", request.field("Range") or "")
        condition = request.field("If-Range")
        if not wanted or not self.ranges or condition not in (None, self.tag, self.date):
            return 0, response(200, self.data, *self.fields())
        first = int(wanted.group(1))
        last = min(int(wanted.group(2) or len(self.data)), len(self.data) - 1)
        if first >= len(self.data):
            return first, response(416, b"", f"Content-Range: bytes */{len(self.data)}")
        where = f"Content-Range: bytes {first}-{last}/{len(self.data)}"
        return first, response(206, self.data[first : last + 1], *self.fields(), where)

    def answer(self, web, request, rest):
        first, answer = self.usual(request)
        self.asked.append(request)
        return self.hook(first, answer) if self.hook else answer


@pytest.fixture
def store():
    store = Store()
    yield store
    store.web.close()


def split(lab, store, *args, parts=4, name="out"):
    return lab.run("hcurl", "-q", "-sS", "--split", parts, "-o", lab.path(name), *args, store.url)


def assert_whole(lab, process, store, name="out"):
    assert process.popen.returncode == 0, process
    with open(lab.path(name), "rb") as file:
        assert file.read() == store.data
    assert_tidy(lab)


def assert_tidy(lab):
    assert not [name for name in os.listdir(lab.folder) if ".part" in name]


def starts(store):
    return sorted(int(re.match(r"bytes=(\d+)", r.field("Range")).group(1)) for r in store.asked)


def test_each_connection_brings_its_range(lab, store):
    assert_whole(lab, split(lab, store), store)
    assert starts(store) == [0, MIB, 2 * MIB, 3 * MIB]
    assert store.web.connections == 4
    first, others = store.asked[0], store.asked[1:]
    assert first.field("Range") == "bytes=0-" and first.field("If-Range") is None
    assert all(request.field("If-Range") == store.tag for request in others)


def test_odd_sizes(lab):
    for size in (1, 100, 256 * 1024 - 1, 512 * 1024 + 1, 3 * MIB + 7):
        store = Store(size)
        assert_whole(lab, split(lab, store, parts=3), store)
        store.web.close()


def test_an_empty_file(lab):
    store = Store(0)
    assert_whole(lab, split(lab, store), store)
    store.web.close()


def test_a_server_without_ranges_sends_it_all_at_once(lab, store):
    store.ranges = False
    assert_whole(lab, split(lab, store), store)
    assert len(store.asked) == 1


def test_a_server_that_sends_it_all_but_has_ranges(lab, store):
    """A range of all bytes is none to some servers."""
    store.hook = lambda first, answer: answer if first > 0 else response(200, store.data,
                                                                        *store.fields())
    assert_whole(lab, split(lab, store), store)
    assert len(store.asked) == 4


def test_a_server_that_only_says_that_it_has_ranges(lab, store):
    store.hook = lambda first, answer: response(200, store.data, *store.fields())
    process = split(lab, store)
    assert_whole(lab, process, store)
    assert None in [request.field("Range") for request in store.asked]
    assert "changed" not in process.err()


def test_traces_of_all_connections(lab, store):
    process = split(lab, store, "-v")
    assert_whole(lab, process, store)
    assert process.err().count("< HTTP/1.1 206") == 4
    assert process.err().count("> GET /file HTTP/1.1") == 4


def test_a_body_of_unknown_length(lab, store):
    store.hook = lambda first, answer: response(200, store.data, "Connection: close", length=False)
    assert_whole(lab, split(lab, store), store)


def test_more_parts_than_the_file_is_worth(lab):
    store = Store(600 * 1024)
    assert_whole(lab, split(lab, store, parts=64), store)
    assert len(store.asked) == 2
    store.web.close()


def test_a_redirect_is_followed_by_each_connection(lab, store):
    store.web.routes["there"] = lambda web, request, rest: response(302, b"", "Location: /file")
    process = lab.run("hcurl", "-q", "-sS", "-L", "--split", 4, "-o", lab.path("out"),
                      store.web.url + "/there")
    assert_whole(lab, process, store)
    assert len(store.asked) == 4


def test_credentials_and_fields_go_with_each(lab, store):
    assert_whole(lab, split(lab, store, "-u", "u:p", "-H", "X-Mine: 1"), store)
    assert all(request.field("Authorization") == "Basic dTpw" for request in store.asked)
    assert all(request.field("X-Mine") == "1" for request in store.asked)


def test_a_failed_segment_ends_it_and_what_came_stays(lab, store):
    store.hook = lambda first, answer: None if first == 2 * MIB else answer
    process = split(lab, store)
    assert process.popen.returncode == 52, process
    assert not os.path.exists(lab.path("out"))
    assert os.path.getsize(lab.path("out.part")) == len(store.data)
    store.hook = None
    store.asked = []
    assert_whole(lab, split(lab, store), store)
    assert store.asked and all(r.field("If-Range") == store.tag for r in store.asked)
    assert 2 * MIB in starts(store)


def test_a_range_that_ends_early_is_tried_again_from_there(lab, store):
    once = threading.Event()

    def cut(first, answer):
        if first != MIB or once.is_set():
            return answer
        once.set()
        cut_short = answer[: -MIB // 2]
        return cut_short.replace(b"HTTP/1.1 206 OK", b"HTTP/1.1 206 OK\r\nConnection: close")

    store.hook = cut
    process = split(lab, store, "--retry", "2", "--retry-all-errors", "--retry-delay", "1")
    assert_whole(lab, process, store)
    assert len(store.asked) == 5
    assert "1 retr" in process.err() or "ending" in process.err() or process.err() == ""


def test_without_ranges_a_retry_begins_anew(lab, store):
    store.ranges = False
    once = threading.Event()

    def cut(first, answer):
        if once.is_set():
            return answer
        once.set()
        return response(200, store.data, *store.fields(), "Connection: close")[: -MIB]

    store.hook = cut
    assert_whole(lab, split(lab, store, "--retry", "1", "--retry-all-errors", "--retry-delay", "1"),
                 store)
    assert len(store.asked) == 2


def test_without_ranges_and_retries_nothing_is_left(lab, store):
    store.ranges = False
    store.hook = lambda first, answer: response(200, store.data, "Connection: close")[: -MIB]
    process = split(lab, store)
    assert process.popen.returncode == 18, process
    assert not os.path.exists(lab.path("out"))
    assert_tidy(lab)


def test_a_busy_server_is_asked_again(lab, store):
    once = threading.Event()

    def busy(first, answer):
        if first != 3 * MIB or once.is_set():
            return answer
        once.set()
        return response(503, b"busy", reason="Busy")

    store.hook = busy
    assert_whole(lab, split(lab, store, "--retry", "1", "--retry-delay", "1"), store)


def test_a_file_that_changes_meanwhile_is_fetched_from_its_start(lab, store):
    """The ranges behind the first are of another version."""
    once = threading.Event()

    def change(first, answer):
        if first == 0 and not once.is_set():
            once.set()
            store.data, store.tag = random.Random(2).randbytes(3 * MIB), '"v2"'
        return answer

    store.hook = change
    process = split(lab, store)
    assert_whole(lab, process, store)
    assert '"v2"' in [request.field("If-Range") for request in store.asked]


def test_a_server_that_ignores_if_range_is_not_believed(lab, store):
    """It sends parts of the new file; their tag tells."""
    once = threading.Event()

    def usual(request):
        store.asked.append(request)
        first = int(re.match(r"bytes=(\d+)", request.field("Range")).group(1))
        part = store.data[first : first + MIB]
        where = f"Content-Range: bytes {first}-{first + len(part) - 1}/{len(store.data)}"
        answer = response(206, part, *store.fields(), where)
        if not once.is_set():
            once.set()
            store.data, store.tag = random.Random(2).randbytes(4 * MIB), '"v2"'
        return answer

    store.web.routes["file"] = lambda web, request, rest: usual(request)
    assert_whole(lab, split(lab, store), store)


def test_another_range_than_was_asked_for_is_not_taken(lab, store):
    def other(first, answer):
        if first == 0:
            return answer
        where = f"Content-Range: bytes 0-{MIB - 1}/{len(store.data)}"
        return response(206, store.data[:MIB], *store.fields(), where)

    store.hook = other
    process = split(lab, store)
    assert process.popen.returncode == 33, process
    assert not os.path.exists(lab.path("out"))


def test_a_file_that_always_changes_is_given_up(lab, store):
    def change(first, answer):
        store.tag = f'"{store.web.count("tag")}"'
        return answer

    store.hook = change
    process = split(lab, store)
    assert process.popen.returncode == 33, process
    assert "changes" in process.err()
    assert not os.path.exists(lab.path("out"))


def test_a_file_that_became_shorter(lab, store):
    once = threading.Event()

    def change(first, answer):
        if not once.is_set():
            once.set()
            store.data, store.tag = store.data[:MIB], '"v2"'
        return answer

    store.hook = change
    assert_whole(lab, split(lab, store), store)


def test_what_was_resumed_is_of_the_same_file(lab, store):
    """The file has changed since the first run."""
    store.hook = lambda first, answer: None if first == 2 * MIB else answer
    assert split(lab, store).popen.returncode == 52
    store.hook = None
    store.data, store.tag = random.Random(3).randbytes(4 * MIB), '"v3"'
    assert_whole(lab, split(lab, store), store)


def test_notes_that_make_no_sense_are_not_used(lab, store):
    for text in (b"", b"hcurl-split 1\n", b"\0" * 1000, b"x" * 500000):
        with open(lab.path("out.part.ranges"), "wb") as file:
            file.write(text)
        with open(lab.path("out.part"), "wb") as file:
            file.write(b"something else")
        assert_whole(lab, split(lab, store), store)


def leave_whole(lab, store, url):
    """As if a run had ended just before the file got its name."""
    with open(lab.path("out.part"), "wb") as file:
        file.write(store.data)
    with open(lab.path("out.part.ranges"), "w") as file:
        file.write(f"hcurl-split 1\nurl {url}\nsize {len(store.data)}\netag {store.tag}\n"
                   f"range 0 {len(store.data)} {len(store.data)}\n")


def test_a_file_that_is_there_is_only_asked_about(lab, store):
    leave_whole(lab, store, store.url)
    assert_whole(lab, split(lab, store), store)
    assert [r.field("Range") for r in store.asked] == [f"bytes={4 * MIB - 1}-{4 * MIB - 1}"]


def test_a_file_that_was_there_may_have_changed(lab, store):
    leave_whole(lab, store, store.url)
    store.data, store.tag = random.Random(3).randbytes(4 * MIB), '"v3"'
    assert_whole(lab, split(lab, store), store)


def test_what_is_left_of_another_url_is_not_used(lab, store):
    leave_whole(lab, Store(seed=9), store.url + "/other")
    assert_whole(lab, split(lab, store), store)
    assert len(store.asked) == 4


def test_a_file_without_validators_is_not_resumed(lab):
    store = Store(tag=None, date=None)
    store.hook = lambda first, answer: None if first == 2 * MIB else answer
    assert split(lab, store).popen.returncode == 52
    assert_tidy(lab)
    store.hook = None
    assert_whole(lab, split(lab, store), store)
    store.web.close()


def test_an_interrupted_download_goes_on(lab, store):
    release = threading.Event()

    def hold(first, answer):
        if first >= MIB:
            release.wait(100)
            return None
        return answer

    store.hook = hold
    second = ["-o", lab.path("second"), store.url]
    process = lab.spawn("hcurl", "-q", "-sS", "--split", 4, "-o", lab.path("out"), store.url, *second)
    wait_until(lambda: len(store.asked) == 4, "four ranges are asked for")
    process.signal(signal.SIGINT)
    assert process.wait() == -signal.SIGINT, "so that a shell ends a loop, too"
    assert len(store.asked) == 4
    assert "goes on" in process.err()
    release.set()
    store.hook = None
    before = len(store.asked)
    assert_whole(lab, split(lab, store), store)
    assert len(store.asked) > before


def test_two_at_once_do_not_mix(lab, store):
    release = threading.Event()

    def hold(first, answer):
        release.wait(100)
        return answer

    store.hook = hold
    process = lab.spawn("hcurl", "-q", "-sS", "--split", 4, "-o", lab.path("out"), store.url)
    wait_until(lambda: store.asked, "the first has asked")
    other = split(lab, store)
    assert other.popen.returncode == 23 and "another process" in other.err()
    release.set()
    process.wait()
    assert_whole(lab, process, store)


def test_the_checksum_is_that_of_the_file(lab, store):
    right = hashlib.sha256(store.data).hexdigest()
    assert_whole(lab, split(lab, store, "--checksum", f"sha256={right}"), store)
    os.unlink(lab.path("out"))
    wrong = hashlib.sha256(b"").hexdigest()
    process = split(lab, store, "--checksum", f"sha256={wrong}")
    assert process.popen.returncode != 0 and "sha256" in process.err()
    assert not os.path.exists(lab.path("out"))
    assert_tidy(lab)


def test_the_file_has_the_servers_time(lab, store):
    assert_whole(lab, split(lab, store, "-R"), store)
    assert int(os.stat(lab.path("out")).st_mtime) == 784111777


def test_an_error_page_is_no_file(lab, store):
    store.url = store.web.url + "/status/404"
    process = split(lab, store)
    assert process.popen.returncode == 22 and "404" in process.err()
    assert not os.path.exists(lab.path("out"))
    assert_tidy(lab)


def test_a_file_that_cannot_be_written(lab, store):
    process = split(lab, store, name="no/such/folder/out")
    assert process.popen.returncode == 23, process
    assert store.asked == []


def test_a_target_that_was_there_stays_until_the_new_one_is_whole(lab, store):
    with open(lab.path("out"), "w") as file:
        file.write("old")
    store.hook = lambda first, answer: None if first == MIB else answer
    assert split(lab, store).popen.returncode == 52
    with open(lab.path("out")) as file:
        assert file.read() == "old"
    store.hook = None
    assert_whole(lab, split(lab, store), store)


def test_a_part_that_is_a_link_is_not_followed(lab, store):
    with open(lab.path("victim"), "w") as file:
        file.write("precious")
    os.symlink("victim", lab.path("out.part"))
    assert split(lab, store).popen.returncode == 23
    with open(lab.path("victim")) as file:
        assert file.read() == "precious"


@pytest.mark.parametrize("name", ["out", "out.part.ranges"])
@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_what_is_no_plain_file_is_not_replaced(lab, store, name, kind):
    """Or the null device would be a file from then on, for who may do that."""
    path = lab.folder / name
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(lab.folder / "fifo" if kind == "link" else path)
    if kind == "link":
        path.symlink_to("fifo")
    process = split(lab, store)
    assert process.wait() == 23
    assert f"{'fifo' if (name, kind) == ('out', 'link') else name} is there, and no plain file" in process.err()
    assert (path.is_fifo(), path.is_symlink(), path.is_dir()) == (kind != "folder", kind == "link", kind == "folder")
    assert not (lab.folder / "out.part").exists() and store.asked == []


def test_a_target_that_is_a_link_stays_one(lab, store):
    (lab.folder / "place").mkdir()
    (lab.folder / "place" / "real").write_bytes(b"old")
    (lab.folder / "out").symlink_to("place/real")
    assert_whole(lab, split(lab, store), store)
    assert (lab.folder / "out").is_symlink()
    assert [path.name for path in (lab.folder / "place").iterdir()] == ["real"]


def test_a_part_of_somebody_else_is_left_alone(lab, store):
    with open(lab.path("out.part"), "w") as file:
        file.write("precious")
    process = split(lab, store)
    assert process.popen.returncode == 23 and "out.part" in process.err()
    with open(lab.path("out.part")) as file:
        assert file.read() == "precious"
    assert store.asked == [] and not os.path.exists(lab.path("out"))


def test_what_is_left_of_another_url_stays_until_something_comes(lab, store):
    leave_whole(lab, store, store.url + "/other")
    store.web.routes["missing"] = lambda web, request, rest: response(404, b"")
    process = lab.run("hcurl", "-q", "-sS", "--split", 4, "-o", lab.path("out"), store.web.url + "/missing")
    assert process.popen.returncode == 22, process
    assert os.path.getsize(lab.path("out.part")) == len(store.data)
    assert os.path.exists(lab.path("out.part.ranges"))


def test_a_run_that_was_killed_leaves_its_notes_in_any_case(lab):
    """The server says nothing by which a file could be known again."""
    store = Store(tag=None, date=None)
    asked, over = threading.Event(), threading.Event()

    def hold(first, answer):
        if first == 0:
            return answer
        asked.set()
        over.wait(100)
        return answer

    store.hook = hold
    process = lab.spawn("hcurl", "-q", "-sS", "--split", 4, "-o", lab.path("out"), store.url)
    assert asked.wait(100)
    process.popen.kill()
    process.popen.wait()
    over.set()
    store.hook = None
    assert os.path.getsize(lab.path("out.part")) > 0
    assert_whole(lab, split(lab, store), store)


def test_what_does_not_go_with_it_is_refused(lab, store):
    for args in (["-d", "x"], ["-I"], ["-r", "0-5"], ["-X", "DELETE"], ["-i"], ["-D", "-"]):
        process = split(lab, store, *args)
        assert process.popen.returncode == 2, process
    process = lab.run("hcurl", "-q", "--split", 2, store.url)
    assert process.popen.returncode == 2 and "-o" in process.err()
    assert store.asked == []
