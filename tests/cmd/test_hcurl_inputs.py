# One thread.
"""The files that hcurl is pointed to, when they are not what they should be: an error of one line that
names the file and the reason, the right exit status, little memory, an end; and nothing is sent. What
scripts do with pipes and FIFOs works."""

import os
import random
import resource
import subprocess
import threading

import pytest

from conftest import BIN, TIMEOUT
from hcurl_lab import Web
from pki import Pki

SANITIZED = BIN.parent.name != "build"
MEMORY = 400 << 20  # bytes of addresses, libraries and all
SPARSE = 8 << 30
BOM = b"\xef\xbb\xbf"
URL, TLS_URL = "URL", "TLS"

CONTENTS = {
    "random": random.Random(1).randbytes(5000),
    "nul": b"a: b\0c\n",
    "empty": b"",
    "long": b"a" * 3_000_000,
    "lines": b"a\n" * 300_000,
}
DEVICES = {"zero": "/dev/zero", "null": "/dev/null", "full": "/dev/full"}


@pytest.fixture(scope="module")
def web():
    web = Web()
    yield web
    web.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def make(folder, kind):
    """The path of a file of this kind."""
    if kind in DEVICES:
        return DEVICES[kind]
    path = folder / "file"
    if kind == "sparse":
        path.touch()
        os.truncate(path, SPARSE)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to("file")
    elif kind == "unreadable":
        path.touch(0)
    elif kind == "nowhere":
        path = folder / "no" / "file"
    elif kind in CONTENTS:
        path.write_bytes(CONTENTS[kind])
    return str(path)


def limit_memory():
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def hcurl(folder, *args, data=b"", silent=True):
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "79"}
    flags = ["-sS"] if silent else ["--no-progress-meter"]
    return subprocess.run([BIN / "hcurl", *flags, *args], input=data, capture_output=True, timeout=TIMEOUT,
                          cwd=folder, env=env, preexec_fn=limit_memory)  # fmt: skip


# ---- what is not taken ---------------------------------------------------------------------------

GONE = {"missing": "No such file or directory", "nowhere": "No such file or directory",
        "loop": "Too many levels of symbolic links", "unreadable": "Permission denied",
        "folder": "Is a directory"}  # fmt: skip
FEW = {kind: GONE[kind] for kind in ("missing", "folder")}
NO_TEXT = {kind: "it is no text" for kind in ("zero", "random", "nul")}

# option: (words, with @ for the file; {kinds: what is said, and another status than 26})
REFUSED = {
    "config": (["-K", "@"], {**GONE, "sparse": "larger than 64 MB"}),
    "config-text": (["-K", "@"], {kind: (2, text) for kind, text in NO_TEXT.items()}),
    "config-lines": (["-K", "@"], {"long": (2, ":1: option --aaaa"), "lines": (2, ":1: option --a: is unk")}),
    "url": (["--url", "@@"], {**GONE, "sparse": "larger than 64 MB"}),
    "url-text": (["--url", "@@"], {kind: (2, text) for kind, text in NO_TEXT.items()}),
    "header": (["-H", "@@", URL], {**GONE, "sparse": "larger than 16 MB"}),
    "header-text": (["-H", "@@", URL], {kind: (2, text) for kind, text in NO_TEXT.items()}),
    "proxy-header": (["--proxy-header", "@@", URL], {**FEW, "sparse": "larger than 16 MB"}),
    "netrc": (["--netrc-file", "@", URL], {**NO_TEXT, "sparse": "larger than 128 KB", "lines": "larger than",
              "folder": "Is a directory", "missing": (2, "does not exist")}),
    "write-out": (["-w", "@@", URL], {**GONE, "zero": "larger than 1 MB", "sparse": "larger than 1 MB",
                  "long": "larger than 1 MB"}),
    "data": (["-d", "@@", URL], {**GONE, "sparse": "-T FILE sends any size"}),
    "data-binary": (["--data-binary", "@@", URL], {**FEW, "sparse": "-T FILE sends any size"}),
    "json": (["--json", "@@", URL], {**FEW, "sparse": "larger than 1024 MB"}),
    "urlencode": (["--data-urlencode", "@@", URL], {**GONE, "zero": "larger than 100 MB",
                  "sparse": "larger than 100 MB"}),
    "urlencode-name": (["--data-urlencode", "n@@", URL], {**FEW, "sparse": "larger than 100 MB"}),
    "url-query": (["--url-query", "n@@", URL], {**GONE, "zero": "larger than 97 KB", "long": "larger than"}),
    "variable": (["--variable", "v@@", URL], {**GONE, "zero": "File too large", "sparse": "File too large"}),
    "form": (["-F", "a=@@", URL], GONE),
    "form-text": (["-F", "a=<@", URL], FEW),
    "form-headers": (["-F", "a=b;headers=@@", URL], {"folder": "Is a directory", "sparse": "larger than 1 MB",
                     "zero": (2, "it is no text"), "random": (2, "it is no text")}),
    "upload": (["-T", "@", URL], GONE),
    "etag-compare": (["--etag-compare", "@", URL], {"zero": "larger than 64 KB", "sparse": "larger than 64 KB",
                     "folder": "Is a directory", "lines": "larger than 64 KB"}),
    "etag-save": (["--etag-save", "@", URL], {"folder": "Is a directory", "nowhere": "No such file"}),
    "cacert": (["--cacert", "@", TLS_URL], {kind: (77, text) for kind, text in {
               "zero": "no certificates in PEM", "random": "no certificates in PEM", "sparse": "File too large",
               "empty": "no certificates in PEM", "folder": "Is a directory"}.items()}),
    "crlfile": (["-k", "--crlfile", "@", TLS_URL], {"missing": (2, "does not exist")}),
    "cert": (["--cert", "@", TLS_URL], {kind: (58, text) for kind, text in {
             **GONE, "zero": "no certificate in it", "random": "no certificate in it",
             "sparse": "File too large", "empty": "no certificate in it"}.items()}),
    "cert-der": (["--cert-type", "DER", "--cert", "@", TLS_URL], {kind: (58, text) for kind, text in {
                 **FEW, "zero": "no certificate in it", "empty": "no certificate in it",
                 "random": "no certificate in it"}.items()}),
    "cert-p12": (["--cert-type", "P12", "--cert", "@", TLS_URL], {kind: (58, text) for kind, text in {
                 **FEW, "zero": "no certificate with a key", "empty": "no certificate with a key",
                 "random": "no certificate with a key"}.items()}),
    "pinned": (["--pinnedpubkey", "@", TLS_URL], {kind: (90, text) for kind, text in {
               **GONE, "zero": "not a public key", "random": "not a public key", "sparse": "File too large",
               "long": "not a public key"}.items()}),
    "output": (["-o", "@", URL], {kind: (23, text) for kind, text in {
               "folder": "Is a directory", "nowhere": "No such file", "loop": "Too many levels",
               "full": "No space left"}.items()}),
    "heads": (["-o", "body", "-D", "@", URL], {kind: (23, text) for kind, text in {
              "folder": "Is a directory", "nowhere": "No such file", "full": "No space left"}.items()}),
}  # fmt: skip
ANSWERED = {"output", "heads"}  # it is asked before that is known


@pytest.mark.parametrize("option, kind", [(option, kind) for option, row in REFUSED.items() for kind in row[1]])
def test_a_file_that_cannot_be_is_told_in_a_line(tmp_path, web, option, kind):
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    words, said = REFUSED[option][0], REFUSED[option][1][kind]
    status, text = said if isinstance(said, tuple) else (26, said)
    path = make(tmp_path, kind)
    web.forget()
    urls = {URL: web.url + "/hello", TLS_URL: "https" + web.url[4:]}
    run = hcurl(tmp_path, *(urls.get(w) or (w[:-1] + path if w.endswith("@") else w) for w in words))
    lines = run.stderr.decode().splitlines()
    assert (run.returncode, text in run.stderr.decode()) == (status, True), run
    assert text.startswith(":1:") or path in lines[0]
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hcurl: try ")), lines
    assert len(run.stderr) < 1500
    assert option in ANSWERED or web.requests == []


# ---- what is taken for nothing, as curl does -----------------------------------------------------

SILENT = {
    "cookie": ["-b", "@"],
    "hsts": ["--hsts", "@"],
    "alt-svc": ["--alt-svc", "@"],
    "time-cond": ["-z", "@"],
}
ANY = ["zero", "sparse", "folder", "missing", "random", "nul", "long", "lines", "null"]


@pytest.mark.parametrize("option", SILENT)
@pytest.mark.parametrize("kind", ANY)
def test_what_holds_nothing_of_use_is_passed_over(tmp_path, web, option, kind):
    web.forget()
    run = hcurl(tmp_path, *SILENT[option][:-1], make(tmp_path, kind), web.url + "/hello")
    assert (run.returncode, run.stdout, run.stderr, len(web.requests)) == (0, b"hello\n", b"", 1)


@pytest.mark.parametrize("option, words, size", [
    ("cookies", ["-b", "file", "-c", "file"], 65 << 20),
    ("hosts of --hsts", ["--hsts", "file"], 17 << 20),
    ("servers of --alt-svc", ["--alt-svc", "file"], 17 << 20),
])  # fmt: skip
def test_what_could_not_be_read_is_not_written_over(tmp_path, web, option, words, size):
    (tmp_path / "file").write_bytes(b"# mine\n")
    os.truncate(tmp_path / "file", size)
    run = hcurl(tmp_path, *words, web.url + "/hello", silent=False)
    assert (run.returncode, run.stdout) == (0, b"hello\n")
    told = " ".join(run.stderr.decode().replace("\nWarning:", "").split())
    assert f"the {option} in 'file' cannot be read: File too large" in told
    assert (tmp_path / "file").stat().st_size == size
    assert (tmp_path / "file").read_bytes()[:7] == b"# mine\n"


def test_a_trace_that_cannot_be_written_is_told_once(tmp_path, web):
    run = hcurl(tmp_path, "--trace", "/dev/full", web.url + "/hello", silent=False)
    assert (run.returncode, run.stdout) == (0, b"hello\n")
    assert run.stderr == b"Warning: the trace's file /dev/full: No space left on device\n"


def test_a_file_of_write_out_that_cannot_be_is_told(tmp_path, web):
    run = hcurl(tmp_path, "-w", "%output{no/file}x", web.url + "/hello")
    assert (run.returncode, run.stdout) == (0, b"hello\nx")  # it goes where it went, as in curl
    assert run.stderr == b"hcurl: --write-out: cannot open 'no/file': No such file or directory\n"


# ---- text as it comes ----------------------------------------------------------------------------

TEXTS = {  # words; the text, whose url is %s; what is asked
    "config": (["-K", "@"], 'url = "%s/a"\n-A x\n'),
    "url": (["--url", "@@", "--out-null"], "%s/a\n\n# no\n"),
    "header": (["-H", "@@", "%s/a"], "X-A: b\nX-C: d\n"),
    "netrc": (["--netrc-file", "@", "%s/a"], "machine 127.0.0.1 login a password b\n"),
    "data": (["-d", "@@", "%s/a"], "x=y\nz\n"),
    "write-out": (["-w", "@@", "%s/a"], "%{response_code}\n"),
}
SENT = {
    "config": lambda r: r.field("User-Agent") == "x",
    "url": lambda r: r.target == "/a",
    "header": lambda r: (r.field("X-A"), r.field("X-C")) == ("b", "d"),
    "netrc": lambda r: r.field("Authorization") == "Basic YTpi",
    "data": lambda r: r.body == b"x=yz",
    "write-out": lambda r: True,
}


def text_for(option, web):
    words, text = TEXTS[option]
    return [word.replace("%s", web.url) for word in words], text.replace("%s", web.url).encode()


def check_sent(option, run, web):
    assert (run.returncode, run.stderr, len(web.requests)) == (0, b"", 1), run
    assert SENT[option](web.requests[0]), web.requests[0].bytes
    assert option != "write-out" or run.stdout == b"hello\n200"


@pytest.mark.parametrize("form", ["plain", "crlf", "no-end", "mark"])
@pytest.mark.parametrize("option", TEXTS)
def test_line_ends_and_marks_of_other_systems_are_no_content(tmp_path, web, option, form):
    if form == "mark" and option in ("data", "write-out"):
        pytest.skip("these are bytes")
    words, text = text_for(option, web)
    text = {"plain": text, "crlf": text.replace(b"\n", b"\r\n"), "no-end": text.rstrip(b"\n"),
            "mark": BOM + text}[form]  # fmt: skip
    (tmp_path / "file").write_bytes(text)
    web.forget()
    check_sent(option, hcurl(tmp_path, *(w[:-1] + "file" if w.endswith("@") else w for w in words)), web)


@pytest.mark.parametrize("way", ["-", "/dev/stdin", "fifo"])
@pytest.mark.parametrize("option", TEXTS)
def test_a_pipe_is_as_good_as_a_file(tmp_path, web, option, way):
    words, text = text_for(option, web)
    web.forget()
    words = [word[:-1] + way if word.endswith("@") else word for word in words]
    if way == "fifo":
        if option == "netrc":
            words[1] = "./fifo"
        with_writer(tmp_path / "fifo", text)
    elif (option, way) == ("netrc", "-"):
        pytest.skip("a name for curl, too, only elsewhere")
    check_sent(option, hcurl(tmp_path, *words, data=b"" if way == "fifo" else text), web)


def with_writer(path, data):
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(data,), daemon=True).start()


@pytest.mark.parametrize("option", ["--cacert", "--pinnedpubkey", "--crlfile"])
def test_a_certificate_may_come_by_a_fifo(tmp_path, lab, authority, option):
    """What is read is taken, so that the connection is what fails; its writer is not cut off before."""
    data = open(authority.ca, "rb").read()
    if option == "--pinnedpubkey":
        data = subprocess.run(["openssl", "x509", "-in", authority.ca, "-noout", "-pubkey"], check=True,
                              capture_output=True, timeout=TIMEOUT).stdout  # fmt: skip
    elif option == "--crlfile":
        data = open(authority.revoke(), "rb").read()
    with_writer(tmp_path / "fifo", data)
    run = hcurl(tmp_path, option, "fifo", f"https://127.0.0.1:{lab.port()}/")
    assert run.returncode == 7, run


# ---- long ones -----------------------------------------------------------------------------------


def test_long_lines_and_many(tmp_path, web):
    (tmp_path / "many").write_bytes(b"# a\n" * 300_000 + f"url = {web.url}/hello".encode())
    assert hcurl(tmp_path, "-K", "many").stdout == b"hello\n"
    (tmp_path / "long").write_bytes(b"data = " + b"a" * 3_000_000 + f"\nurl = {web.url}/hello".encode())
    web.forget()
    assert hcurl(tmp_path, "-K", "long").stdout == b"hello\n"
    assert web.requests[0].body == b"a" * 3_000_000
    (tmp_path / "headers").write_bytes(b"a: b\n" * 300_000)
    run = hcurl(tmp_path, "-H", "@headers", web.url)
    assert (run.returncode, b"there are more than 10000 headers" in run.stderr) == (2, True)


def test_what_is_encoded_takes_no_longer_than_its_length(tmp_path, web):
    (tmp_path / "blanks").write_bytes(b" " * 3_000_000)
    web.forget()
    assert hcurl(tmp_path, "--data-urlencode", "@blanks", web.url + "/hello").returncode == 0
    assert web.requests[0].body == b"+" * 3_000_000
    (tmp_path / "folds").write_bytes(b"a: b\n" + b" c\n" * 330_000)
    run = hcurl(tmp_path, "-F", "a=b;headers=@folds", web.url)
    assert (run.returncode, b"a header in 'folds' is longer than 100000 bytes" in run.stderr) == (2, True)


# ---- the environment -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["/dev/zero", "/nonexistent", "/dev/null", "", "x" * 5000])
def test_a_store_of_certificates_that_is_none_trusts_nobody(tmp_path, lab, name, value):
    """That is told when a certificate has to be judged, not before."""
    run = hcurl(tmp_path, f"https://127.0.0.1:{lab.port()}/")
    assert run.returncode == 7
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), name: value}
    run = subprocess.run([BIN / "hcurl", "-sS", f"https://127.0.0.1:{lab.port()}/"], capture_output=True,
                         timeout=TIMEOUT, env=env, preexec_fn=limit_memory)  # fmt: skip
    assert run.returncode in (7, 77), run


@pytest.mark.parametrize("value", ["http://", ":::", "http://[::1", "socks9://a:1", "a:99999", " ", "x" * 100_000])
@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_a_proxy_that_can_be_none_is_told(tmp_path, web, name, value):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), name: value}
    run = subprocess.run([BIN / "hcurl", "-sS", web.url], capture_output=True, timeout=TIMEOUT, env=env)
    status = 7 if value.startswith("socks9") else 5  # as curl's
    assert (run.returncode, run.stderr.count(b"\n"), run.stdout) == (status, 1, b""), run
