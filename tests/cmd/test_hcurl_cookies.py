# One thread.
"""Cookies, HSTS and Alt-Svc of hcurl: the same sequences of responses to Debian's curl and to hcurl make
the same requests and the same jars, and each reads what the other has written."""

import re
import ssl
import subprocess

import pytest

from hcurl_lab import Web, response
from pki import Pki

CURL = "/usr/bin/curl"
HOSTS = ["a.ex.test", "b.a.ex.test", "ex.test", "other.test", "bad..name"]
LATER = "Wed, 01 Jan 2025 00:00:00 GMT"  # which has passed
PAST = "Thu, 01 Jan 1970 00:00:00 GMT"


def answer(web, request, rest):
    """What the script has at the number of the query."""
    number = request.target.partition("?")[2]
    status, fields = web.script[int(number)] if number else (200, [])
    return response(status, b"body\n", *fields)


@pytest.fixture(scope="module")
def web():
    web = Web(dict.fromkeys(["step", "x", "a"], answer))
    yield web
    web.close()


def resolve(web, hosts=HOSTS):
    """The options that make these hosts this server's."""
    return [word for host in hosts for word in ("--resolve", f"{host}:{web.port}:127.0.0.1")]


class Client:
    """curl or hcurl, in a folder of its own."""

    def __init__(self, lab, program, web):
        self.program = lab.program(program) if program == "hcurl" else CURL
        self.folder = lab.folder / program
        self.folder.mkdir()
        self.web = web
        self.jar = self.folder / "jar"

    def run(self, *args, status=0, stdin=None):
        """What it printed, and the Cookie fields that were sent."""
        self.web.forget()
        run = subprocess.run([self.program, "-q", "-s", *resolve(self.web), *map(str, args)], input=stdin,
                             capture_output=True, timeout=100, cwd=self.folder)
        assert run.returncode == status, run
        return run, [r.field("Cookie") for r in self.web.requests]


@pytest.fixture
def both(lab, web):
    try:
        subprocess.run([CURL, "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("curl is not installed")
    return [Client(lab, "curl", web), Client(lab, "hcurl", web)]


def lines_of(jar):
    """The cookies of a file, each as its fields; how long they last is told to ten minutes. Debian's curl
    leaves quotes and slashes around paths, and capitals in domains, which newer ones do not."""
    found = []
    for line in jar.read_bytes().splitlines():
        if not line or (line.startswith(b"#") and not line.startswith(b"#HttpOnly_")):
            continue
        fields = line.split(b"\t")
        fields[0], fields[2] = fields[0].lower(), fields[2].strip(b'"').rstrip(b"/") or b"/"
        fields[4] = int(fields[4]) // 600
        found.append(fields)
    return found


# Each is a sequence of (host and path, fields of the response, its status). The cookies that go to PLACES afterwards are compared, too.
SEQUENCES = {
    "one": [("a.ex.test/step", ["Set-Cookie: a=b"])],
    "paths": [("a.ex.test/x/y/step", ["Set-Cookie: a=b", "Set-Cookie: c=d; path=/", "Set-Cookie: e=f; path=/x",
                                      "Set-Cookie: i=j; path=/other",
                                      'Set-Cookie: q=r; path="/other/"'])],
    "domains": [("a.ex.test/step", ["Set-Cookie: a=1; domain=ex.test", "Set-Cookie: b=2; domain=.ex.test",
                                    "Set-Cookie: c=3; domain=a.ex.test", "Set-Cookie: d=4; domain=b.a.ex.test",
                                    "Set-Cookie: e=5; domain=other.test", "Set-Cookie: f=6; domain=test",
                                    "Set-Cookie: g=7; domain=", "Set-Cookie: h=8; domain=EX.Test",
                                    "Set-Cookie: i=9; domain=x.test"])],
    "address": [("127.0.0.1/step", ["Set-Cookie: a=1", "Set-Cookie: b=2; domain=127.0.0.1",
                                    "Set-Cookie: c=3; domain=.0.0.1"])],
    "names": [("a.ex.test/step", ["Set-Cookie: a = b ; path=/", "Set-Cookie: name with space=v w",
                                  "Set-Cookie: noequals", "Set-Cookie: =nameless", "Set-Cookie: empty=",
                                  "Set-Cookie:", "Set-Cookie: ;", 'Set-Cookie: quoted="a;b"',
                                  "Set-Cookie: equals=a=b=c", "Set-Cookie: tab=a\tb", "Set-Cookie: end=v\t",
                                  "Set-Cookie: UPPER=x", "set-cookie:lower=z",
                                  "Set-Cookie: domain=value", "Set-Cookie: \xc3\xb6=\xe4"])],
    "ends": [("a.ex.test/step", ["Set-Cookie: a=1; max-age=5000", "Set-Cookie: b=2; max-age=0",
                                 "Set-Cookie: c=3; max-age=-1", "Set-Cookie: d=4; expires=" + LATER,
                                 "Set-Cookie: e=5; expires=" + PAST, "Set-Cookie: f=6; expires=never",
                                 'Set-Cookie: g=7; Max-Age="0"; expires=' + PAST,
                                 "Set-Cookie: h=8; max-age=5000; expires=" + PAST])],
    "replaced": [("a.ex.test/step", ["Set-Cookie: a=1", "Set-Cookie: b=1; domain=ex.test", "Set-Cookie: c=1"]),
                 ("a.ex.test/step", ["Set-Cookie: a=2", "Set-Cookie: b=2", "Set-Cookie: c=2; path=/deep"]),
                 ("a.ex.test/step", ["Set-Cookie: a=; max-age=0", "Set-Cookie: b=3; domain=ex.test"])],
    "flags": [("a.ex.test/step", ["Set-Cookie: a=1; HttpOnly", "Set-Cookie: b=2; secure", "Set-Cookie: c=3;secure ",
                                  "Set-Cookie: d=4; SameSite=None", "Set-Cookie: __Secure-e=5",
                                  "Set-Cookie: __Host-f=6; path=/", "Set-Cookie: g=7; HttpOnly; unknown=x"])],
    "localhost": [("localhost/step", ["Set-Cookie: a=1; secure", "Set-Cookie: b=2; secure; HttpOnly; path=/"])],
    "hidden": [("localhost/a/b/step", ["Set-Cookie: s=1; secure; path=/a", "Set-Cookie: t=1; secure"]),
               ("localhost/a/b/step", ["Set-Cookie: s=2; path=/a/b", "Set-Cookie: t=2"])],
    "many": [("a.ex.test/step", [f"Set-Cookie: c{i}=v" for i in range(60)])],
    "long": [("a.ex.test/step", ["Set-Cookie: " + "n" * 4000 + "=" + "v" * 96, "Set-Cookie: " + "m" * 4000 + "=" + "v" * 97,
                                 "Set-Cookie: x=y" + "; a" * 1700])],
    "order": [("a.ex.test/x/y/step", ["Set-Cookie: a=1; path=/", "Set-Cookie: bb=2; path=/", "Set-Cookie: c=3; path=/x",
                                      "Set-Cookie: d=4; path=/; domain=ex.test", "Set-Cookie: e=5; path=/x; domain=ex.test",
                                      "Set-Cookie: f=6; path=/x/y", "Set-Cookie: a=7; path=/"])],
    "redirects": [("a.ex.test/step", ["Set-Cookie: a=1; path=/", "Set-Cookie: d=2; domain=ex.test; path=/",
                                      "Location: http://ex.test:PORT/step?1"], 302),
                  ("ex.test/step", ["Set-Cookie: e=3", "Location: http://other.test:PORT/step?2"], 301),
                  ("other.test/step", ["Set-Cookie: o=4", "Set-Cookie: wrong=5; domain=ex.test",
                                       "Location: http://b.a.ex.test:PORT/step?3"], 303),
                  ("b.a.ex.test/step", ["Set-Cookie: last=6"], 200)],
}  # fmt: skip

PLACES = ["a.ex.test/", "a.ex.test/x", "a.ex.test/x/y/z", "a.ex.test/xy", "b.a.ex.test/", "ex.test/", "other.test/",
          "127.0.0.1/", "localhost/a/b", "a.ex.test/step", "a.ex.test/deep/er"]  # fmt: skip


def prepare(web, sequence):
    """The script; and the URLs to ask for, all or the one from which the others follow."""
    web.script = []
    urls = []
    for number, (place, fields, *status) in enumerate(sequence):
        status = status[0] if status else 200
        web.script.append((status, [field.replace("PORT", str(web.port)) for field in fields]))
        host, path = place.split("/", 1)
        urls.append(f"http://{host}:{web.port}/{path}?{number}")
    return urls[:1] if any("Location" in field for field in sequence[0][1]) else urls


def visits(web):
    return [f"http://{place.split('/', 1)[0]}:{web.port}/{place.split('/', 1)[1]}" for place in PLACES]


@pytest.mark.parametrize("name", SEQUENCES)
def test_cookies_are_kept_and_sent_as_curl_does(both, web, name):
    urls = prepare(web, SEQUENCES[name])
    seen = []
    for client in both:
        seen.append(client.run("-L", "-c", client.jar, *urls)[1])
    assert seen[1] == seen[0]
    curl, hcurl = both
    assert lines_of(hcurl.jar) == lines_of(curl.jar)
    # Each reads the jar of the other: what is sent then depends on the jar alone.
    for jar in curl.jar, hcurl.jar:
        sent = [client.run("-b", jar, *visits(web))[1] for client in both]
        assert sent[1] == sent[0]


# What -b and -c make of files and strings: the arguments, and what stands in the file `in`.
FILE = b"""# Netscape HTTP Cookie File
#HttpOnly_.ex.test\tTRUE\t/\tFALSE\t1900000000\tonly\t1
a.ex.test\tFALSE\t/\tFALSE\t0\tsession\t2
.ex.test\tTRUE\tFALSE\t1900000000\tnopath\t3
a.ex.test\tFALSE\t/x/\tFALSE\t1900000000\tslash\t4
a.ex.test\tFALSE\t/\tTRUE\t1900000000\tsecure\t5
a.ex.test\tFALSE\t/\tFALSE\t1000000000\tgone\t6
a.ex.test\tFALSE\t/\tFALSE\t1900000000\tempty
a.ex.test\tFALSE\t/\tFALSE\t1900000000\tblank\t
a.ex.test FALSE / FALSE 0 spaces 7
A.EX.TEST\tFALSE\t/\tFALSE\t0\tUPPER\t8
.127.0.0.1\tTRUE\t/\tFALSE\t0\taddress\t9
bad..name\tFALSE\t/\tFALSE\t0\tdots\t10
a.ex.test\tfalse\t/\tfalse\t1900000000\tlower\t11
a.ex.test\tFALSE\t/\tFALSE\t1900000000\tcr\t12\r
a.ex.test\tFALSE\t/\tFALSE\t1900000000\tlast\t13"""

HEADS = b"""HTTP/1.1 200 OK\r
Set-Cookie: a=1; domain=ex.test; path=/\r
set-cookie:b=2; domain=a.ex.test\r
Set-Cookie: c=3; domain=127.0.0.1; path="/x/"\r
Set-Cookie: d=4; domain=ex.test; secure\r
Set-Cookie: e=5; domain=ex.test; max-age=0\r
X-Set-Cookie: f=6; domain=ex.test\r
\r
"""

USES = [
    (FILE, ["-b", "in"]),
    (FILE, ["-b", "in", "-j"]),
    (FILE, ["-j", "-b", "in", "--no-junk-session-cookies"]),
    (FILE, ["-b", "nowhere", "-b", "in"]),
    (FILE, ["-b", ".", "-b", "in"]),
    (FILE, ["-b", ""]),
    (FILE, ["-b", "-"]),
    (FILE, ["-b", "in", "-b", "x=y; z=w"]),
    (HEADS, ["-b", "in"]),
    (HEADS, ["-b", "in", "-j"]),
    (b"", ["-b", "in"]),
    (b"\n\n\n#\n", ["-b", "in"]),
    (FILE, ["-b", "a=1", "-b", "b=2"]),
    (FILE, ["-b", "a=1", "-b", " b=2", "-b", "c=3;d"]),
    (FILE, ["-b", "a=1", "-H", "Cookie: own=1"]),
    (FILE, ["-b", "in", "-H", "Host: a.ex.test"]),
    (FILE, ["-b", "in", "-H", "Host: a.ex.test:99", "-b", "own=1"]),
    (FILE, ["-b", "="]),
    (b"#HttpOnly_.ex.test\tTRUE\t/\tFALSE\t1900000000\tonly\t1\n", ["-c", "-", "-b", "in"]),
]


@pytest.mark.parametrize("content, args", USES, ids=[" ".join(args) or "none" for _, args in USES])
def test_b_and_c_do_what_those_of_curl_do(both, web, content, args):
    web.script = [(200, ["Set-Cookie: new=1", "Set-Cookie: more=2; domain=ex.test"])]
    seen = []
    for client in both:
        (client.folder / "in").write_bytes(content)
        run, sent = client.run(*args, *visits(web), f"http://a.ex.test:{web.port}/step?0", visits(web)[0], stdin=content)
        sent = [cookies and cookies.replace("; ", ";") for cookies in sent]  # Debian's joins those of -b without a space
        seen.append((sent, re.sub(rb"(?m)^# .*\n|(?<=\t)\d{10}(?=\t)", b"", run.stdout)))
    assert seen[1] == seen[0]


def test_operations_share_what_is_kept_and_only_those_that_ask_get_it(both, web):
    web.script = [(200, ["Set-Cookie: n=1"])]
    first, second = (f"http://a.ex.test:{web.port}/step{query}" for query in ("?0", ""))
    rest = ["--next", "-s", *resolve(web)]
    seen = [client.run("-b", "", first, *rest, second, *rest, "-c", "jar", second)[1] for client in both]
    assert seen[1] == seen[0] == [None, None, "n=1"]
    assert lines_of(both[1].jar) == lines_of(both[0].jar)


def test_a_jar_that_cannot_be_written_is_a_warning(both, web):
    web.script = [(200, ["Set-Cookie: n=1"])]
    hcurl = both[1]
    run, _ = hcurl.run("-S", "-c", "nowhere/jar", f"http://a.ex.test:{web.port}/step?0")
    assert run.stdout == b"body\n"
    run = subprocess.run([hcurl.program, "-q", "-c", "nowhere/jar", f"{web.url}/step?0"], capture_output=True,
                         timeout=100, cwd=hcurl.folder)  # fmt: skip
    assert run.returncode == 0
    told = re.sub(rb"\nWarning: ", b"", run.stderr)  # lines are as wide as a terminal
    assert b"the cookies in 'nowhere/jar' cannot be written: No such file or directory" in told


def test_a_jar_is_replaced_as_a_whole_and_keeps_its_rights(both, web):
    web.script = [(200, ["Set-Cookie: n=1"])]
    hcurl = both[1]
    hcurl.jar.write_text("old\n")
    hcurl.jar.chmod(0o604)
    (hcurl.folder / "link").symlink_to("jar")
    hcurl.run("-c", "link", f"http://a.ex.test:{web.port}/step?0")
    assert (hcurl.folder / "link").is_symlink()
    assert hcurl.jar.stat().st_mode & 0o777 == 0o604
    assert lines_of(hcurl.jar)[0][5:] == [b"n", b"1"]
    assert sorted(path.name for path in hcurl.folder.iterdir()) == ["jar", "link"]


# ---- over TLS ------------------------------------------------------------------------------------


class SecureWeb(Web):
    """The same behind TLS; a certificate for all the hosts."""

    def __init__(self, routes, pki):
        names = ",".join(f"DNS:{host}" for host in HOSTS if ".." not in host)
        cert, key = pki.issue("server", names + ",DNS:localhost,DNS:*.ex.test")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        super().__init__(routes)

    def talk(self, connection):
        try:
            connection = self.context.wrap_socket(connection, server_side=True)
        except OSError:
            return
        super().talk(connection)


@pytest.fixture
def secure(lab):
    pki = Pki(lab.folder)
    web = SecureWeb({"step": answer}, pki)
    web.ca = pki.ca
    yield web
    web.close()


def hsts_of(path):
    """(host, whether an end is told) of each line."""
    found = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            host, end = re.fullmatch(r'(\S+) "(.*)"', line).groups()
            found.append((host, end if end == "unlimited" else end[:8]))
    return found


STS = {
    "plain": ["Strict-Transport-Security: max-age=31536000"],
    "subdomains": ["Strict-Transport-Security: max-age=31536000; includeSubDomains"],
    "quoted": ['strict-transport-security: includesubdomains ; MAX-AGE="31536000" ; preload'],
    "removed": ["Strict-Transport-Security: max-age=0"],
    "twice": ["Strict-Transport-Security: max-age=31536000; max-age=1"],
    "no age": ["Strict-Transport-Security: includeSubDomains"],
    "two fields": ["Strict-Transport-Security: max-age=31536000", "Strict-Transport-Security: max-age=0"],
}


@pytest.mark.parametrize("name", STS)
def test_hosts_that_ask_for_https_are_asked_over_https(both, secure, name):
    """http to the port of a server that speaks TLS only works if it became https."""
    secure.script = [(200, STS[name])]
    seen = []
    for client in both:
        client.web = secure
        (client.folder / "hsts").write_text('# mine\n.old.test "20401120 12:00:00"\na.ex.test "20401120 12:00:00"\n')
        args = ["--cacert", secure.ca, "--hsts", "hsts"]
        client.run(*args, f"https://a.ex.test:{secure.port}/step?0")
        works = []
        for host in "a.ex.test", "b.a.ex.test", "ex.test":
            run = subprocess.run([client.program, "-q", "-s", *args, *resolve(secure),
                                  f"http://{host}:{secure.port}/step", "-w", "%{url_effective}"],
                                 capture_output=True, timeout=100, cwd=client.folder)  # fmt: skip
            works.append((run.returncode == 0, run.stdout))
        seen.append((works, hsts_of(client.folder / "hsts")))
    assert seen[1] == seen[0]
    # And each with the file of the other.
    for reader, writer in both, both[::-1]:
        _, sent = reader.run("--cacert", secure.ca, "--hsts", writer.folder / "hsts", "-o", "out",
                             f"https://a.ex.test:{secure.port}/step")  # fmt: skip
        assert len(sent) == 1


def test_hsts_is_kept_in_memory_and_in_the_last_file(both, secure):
    secure.script = [(200, STS["plain"])]
    seen = []
    for client in both[1:]:
        client.web = secure
        (client.folder / "first").write_text('ex.test "20401120 12:00:00"\n')
        _, sent = client.run("--cacert", secure.ca, "--hsts", "first", "--hsts", "last",
                             f"https://a.ex.test:{secure.port}/step?0", f"http://ex.test:{secure.port}/step")  # fmt: skip
        seen.append((len(sent), [host for host, _ in hsts_of(client.folder / "last")]))
        assert hsts_of(client.folder / "first") == [("ex.test", "20401120")]
        assert client.run("--cacert", secure.ca, "--hsts", "", f"https://a.ex.test:{secure.port}/step?0",
                          f"http://a.ex.test:{secure.port}/step", "-o", "out")[1] == [None, None]  # fmt: skip
    assert seen == [(2, ["ex.test", "a.ex.test"])]


ALT_SVC = {
    "one": ['Alt-Svc: h2="other.test:443"; ma=120'],
    "own host": ['Alt-Svc: h3=":443"'],
    "more": ['Alt-Svc: h3=":443"; ma=180; persist=1, h2="more.test:444", h9=":1"'],
    "fields": ['Alt-Svc: h1="nowhere.test:-1"', 'Alt-Svc: h1="nowhere.test:81", un-kno22!wn=":82"',
               'Alt-Svc: h1="nowhere.test:70000"'],
    "clear": ["Alt-Svc: clear"],
}  # fmt: skip


@pytest.mark.parametrize("name", ALT_SVC)
def test_alternatives_are_kept_as_curl_keeps_them(both, secure, name):
    secure.script = [(200, ALT_SVC[name])]
    seen = []
    for client in both:
        client.web = secure
        (client.folder / "svc").write_text('h1 old.test 443 h3 new.test 8443 "20401231 00:00:00" 0 0\n')
        client.run("--cacert", secure.ca, "--alt-svc", "svc", "--http1.1", f"https://a.ex.test:{secure.port}/step?0")
        text = (client.folder / "svc").read_text()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        seen.append([re.sub(r'"(\d{8}) (\d\d):.*?"', r"\1", line) for line in lines])
    assert seen[1] == seen[0]


def test_secure_cookies_are_for_https_and_are_not_hidden(both, web, secure):
    web.script = [(200, ["Set-Cookie: s=hacked; domain=a.ex.test", "Set-Cookie: t=hacked; path=/step/deep",
                         "Set-Cookie: u=new; secure", "Set-Cookie: free=1"])]  # fmt: skip
    secure.script = [(200, ["Set-Cookie: s=1; secure; path=/", "Set-Cookie: t=2; secure; path=/step",
                            "Set-Cookie: __Secure-a=3; secure", "Set-Cookie: __Host-b=4; secure; path=/",
                            "Set-Cookie: __Host-c=5; secure; path=/; domain=ex.test"])]  # fmt: skip
    seen = []
    for client in both:
        secure.forget()
        _, plain = client.run(*resolve(secure), "--cacert", secure.ca, "-c", "jar",
                              f"https://a.ex.test:{secure.port}/step?0", f"http://a.ex.test:{web.port}/step?0",
                              f"https://a.ex.test:{secure.port}/step", f"http://a.ex.test:{web.port}/step")  # fmt: skip
        seen.append((plain, [r.field("Cookie") for r in secure.requests], lines_of(client.jar)))
    assert seen[1] == seen[0]
