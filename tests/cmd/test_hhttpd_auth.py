"""hhttpd --auth: who may see what; and what guessing gets."""

import base64
import concurrent.futures
import os
import subprocess
import time

import pytest

from conftest import wait_until
from hhttpd_lab import Server, hhttpd, www  # noqa: F401


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def together(calls):
    """The results of calls that each wait a second."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def statuses(server, cases):
    """The statuses of [(path, user and password or None)], asked for at the same time."""
    return together([lambda path=path, who=who: server.request("GET", path, None, basic(*who) if who else {}).status
                     for path, who in cases])


def output(*argv, data=None):
    return subprocess.run(argv, input=data, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def htpasswd(lab):
    """htpasswd(lines): the path of a file with these."""

    def write(*lines):
        path = lab.folder / "passwords"
        path.write_text("".join(line + "\n" for line in lines))
        return path

    return write


@pytest.fixture
def hashed(lab):
    """hashed(kind, password): a hash by the tools that people use."""

    def make(kind, password):
        if kind in ("-apr1", "-6", "-5", "-1"):
            return output(lab.program("openssl"), "passwd", kind, password)
        return output(lab.program("htpasswd"), "-nb" + kind, *([] if kind != "B" else ["-C", "5"]), "x", password)[2:]

    return make


# ---- a name and a password ----


def test_a_password_on_the_command_line(hhttpd, www, lab):
    server = hhttpd("--auth", "me:se:cret", "-v", www, "0")
    answer = server.get("/a.txt")
    assert answer.status == 401
    assert answer["WWW-Authenticate"] == 'Basic realm="hhttpd", charset="UTF-8"'
    assert b"some text" not in answer.body
    curl = lab.run("curl", "-sS", "-u", "me:se:cret", server.urls[0] + "a.txt")
    assert curl.wait() == 0 and curl.out() == b"some text\n"
    assert statuses(server, [
        ("/a.txt", ("me", "se:cret")), ("/a.txt", ("me", "se")), ("/a.txt", ("me", "")), ("/a.txt", ("", "")),
        ("/a.txt", ("me", "se:cret2")), ("/a.txt", ("you", "se:cret")), ("/none", ("me", "x")), ("/none", ("me", "se:cret")),
    ]) == [200, 401, 401, 401, 401, 401, 401, 404]
    for value in ("", "Basic", "Basic !", "Basic bWU=", "Bearer x", "Digest username=\"me\"", "Basic " + "A" * 5000):
        assert server.get("/a.txt", Authorization=value).status == 401, value
    wait_until(lambda: ' - me [' in server.process.err(), "the name in the log")
    server.stop()


def test_several_users(hhttpd, www, htpasswd):
    server = hhttpd("--auth", "a:1", "--auth", "b:2", "--auth", htpasswd("c:{PLAIN}3"), www, "0")
    assert statuses(server, [("/", ("a", "1")), ("/", ("b", "2")), ("/", ("c", "3")), ("/", ("a", "2")), ("/", ("c", ""))]) \
        == [200, 200, 200, 401, 401]
    server.stop()


@pytest.mark.parametrize("kind", ["B", "m", "-apr1", "-6", "-5", "-1"])
def test_hashes(hhttpd, www, htpasswd, hashed, kind):
    password = "corréct horse : battery"
    server = hhttpd("--auth", htpasswd("# ours", "", "me:" + hashed(kind, password) + ":a note"), www, "0")
    assert statuses(server, [("/", ("me", password)), ("/", ("me", password + "x")), ("/", ("you", password)), ("/", None)]) \
        == [200, 401, 401, 401]
    server.stop()


def test_apr1_for_passwords_of_any_length(hhttpd, www, htpasswd, lab):
    passwords = ["x" * n for n in (*range(1, 36), 47, 63, 64, 65, 100, 128, 200, 250)]
    hashes = output(lab.program("openssl"), "passwd", "-apr1", "-stdin", data="\n".join(passwords)).splitlines()
    short = output(lab.program("openssl"), "passwd", "-apr1", "-salt", "ab", "x")
    server = hhttpd("--auth", htpasswd(*[f"u{i}:{h}" for i, h in enumerate(hashes)], f"short:{short}"), www, "0")
    for i, password in enumerate(passwords):
        assert server.request("GET", "/", None, basic(f"u{i}", password)).status == 200, len(password)
    assert server.request("GET", "/", None, basic("short", "x")).status == 200
    server.stop()


@pytest.mark.parametrize("line, why", [
    ("me:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "{SHA} has no salt"),
    ("me:{SSHA}x", "a hash of a kind that is not known here"),
    ("me:secret", "no hash: htpasswd -B makes one; a password as it is has {PLAIN} in front"),
    ("me:rl.3StKT.4T8M", "no hash"),
    ("me:$99$x$y", "a hash of a kind that crypt(3) does not know here"),
    ("me", "it takes NAME:HASH"),
    (":{PLAIN}x", "a user without a name"),
])
def test_lines_that_are_refused(lab, www, htpasswd, line, why):
    path = htpasswd("# a note", line)
    for argv in (["--auth", path], ["--auth", f"/sub/={path}"]):
        process = lab.run("hhttpd", "-t", *argv, www)
        assert process.wait() != 0
        assert f"{path}:2: {why}" in process.err()


def test_files_that_are_refused(lab, www, htpasswd):
    for path, why in [(lab.folder / "none", "No such file"), (www, "directory"), (htpasswd("# nobody"), "nobody is in it")]:
        process = lab.run("hhttpd", "-t", "--auth", path, www)
        assert process.wait() != 0 and why in process.err(), process


# ---- paths ----


def test_the_longest_path_counts(hhttpd, www, lab):
    for name in ("x", "y"):
        (www / "sub" / name).mkdir()
        (www / "sub" / name / "f").write_text(name)
    (www / "subway").write_text("open")
    server = hhttpd("--auth", "/sub=a:1", "--auth", "/sub/x/=b:2", www, "0")
    a, b = ("a", "1"), ("b", "2")
    assert statuses(server, [
        ("/", None), ("/subway", None), ("/sub", None), ("/sub/", None), ("/sub/b.txt", None), ("/sub/b.txt", a),
        ("/sub/b.txt", b), ("/sub/x", None), ("/sub/x/f", a), ("/sub/x/f", b), ("/sub/y/f", a), ("/sub/none", None),
    ]) == [200, 200, 401, 401, 401, 200, 401, 401, 401, 200, 200, 401]
    assert server.get("/sub/x/f")["WWW-Authenticate"] == 'Basic realm="hhttpd/sub/x", charset="UTF-8"'
    for path in ("//sub/b.txt", "/%73ub/b.txt", "/x/../sub/b.txt", "/./sub//b.txt", "/sub%2fb.txt", "/sub/./b.txt", "/sub?x"):
        assert server.raw(b"GET %s HTTP/1.0\r\n\r\n" % path.encode()).startswith(b"HTTP/1.1 401 "), path
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        assert server.request(method, "/sub/b.txt").status == 401, method
    server.stop()


def test_a_rewrite_is_no_way_around(hhttpd, www):
    server = hhttpd("--auth", "/sub/=a:1", "--rewrite", "/v1/=/sub/", "--rewrite", "/short=/sub/b.txt", www, "0")
    assert statuses(server, [("/v1/b.txt", None), ("/short", None), ("/v1/b.txt", ("a", "1")), ("/short", ("a", "1"))]) \
        == [401, 401, 200, 200]
    server.stop()


def test_an_archive_has_nothing_of_others(hhttpd, www):
    server = hhttpd("--auth", "/sub=a:1", "--archive", www, "0")
    (www / "other").mkdir()
    assert server.get("/?archive=tar").status == 403
    assert server.get("/other/?archive=tar").status == 200
    assert server.get("/sub/?archive=tar").status == 401
    assert server.request("GET", "/sub/?archive=tar", None, basic("a", "1")).status == 200
    server.stop()


def test_hosts_have_their_own(hhttpd, www, lab):
    conf = lab.folder / "x.conf"
    conf.write_text(f"listen = 127.0.0.1:0\ndocument_root = {www}\n[auth]\n/ => a:1\n"
                    f"[host other]\ndocument_root = {www}\n[host third]\ndocument_root = {www}\n[auth third]\n/ => c:3\n")
    server = hhttpd("-c", conf)
    for host, who, status in [("x", None, 401), ("x", ("a", "1"), 200), ("other", None, 200), ("third", ("c", "3"), 200),
                              ("third", ("a", "1"), 401)]:
        assert server.request("GET", "/a.txt", None, {"Host": host, **(basic(*who) if who else {})}).status == status
    server.stop()


def test_below_a_base_url(hhttpd, www):
    server = hhttpd("--auth", "/sub/=a:1", "--base-url", "/files", www, "0")
    assert statuses(server, [("/files/a.txt", None), ("/files/sub/b.txt", None), ("/files/sub/b.txt", ("a", "1"))]) \
        == [200, 401, 200]
    server.stop()


def test_a_proxy_asks_as_proxies_do(hhttpd, www, lab):
    conf = lab.folder / "x.conf"
    conf.write_text(f"listen = 127.0.0.1:0\ndocument_root = {www}\n[auth]\n/ => a:1\n[proxy]\nforward_proxy = yes\n")
    server, target = hhttpd("-c", conf), hhttpd(www, "0")
    url = target.urls[0] + "a.txt"
    answer = server.raw(b"GET %s HTTP/1.0\r\nAuthorization: %s\r\n\r\n"
                        % (url.encode(), basic("a", "1")["Authorization"].encode()))
    assert answer.startswith(b"HTTP/1.1 407 ") and b"Proxy-Authenticate: Basic realm=" in answer
    for tunnel in ([], ["-p"]):
        for who, status in [("a:1", "200"), (":", "407")]:
            curl = lab.run("curl", "-s", "-x", server.urls[0], "-U", who, *tunnel, "-o", os.devnull,
                           "-w", "%{http_connect} %{http_code}", url)
            assert status in curl.out().decode().split(), (tunnel, who)
    server.stop()
    target.stop()


# ---- guesses ----


def test_a_wrong_guess_is_answered_late_and_others_at_once(hhttpd, www):
    server = hhttpd("--auth", "me:secret", www, "0")
    with server.connect() as guess:
        begin = time.monotonic()
        wrong = basic("me", "wrong")["Authorization"]
        guess.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {wrong}\r\n\r\n".encode())
        assert server.request("GET", "/", None, basic("me", "secret")).status == 200
        assert guess.recv(100).startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - begin > 0.9
    server.stop()


def test_a_guess_that_does_not_wait_for_its_answer(hhttpd, www):
    server = hhttpd("--auth", "me:secret", www, "0")
    workers = server.workers()
    wrong = basic("me", "wrong")["Authorization"]
    for _ in range(20):
        with server.connect() as guess:
            guess.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {wrong}\r\n\r\n".encode())
    assert statuses(server, [("/", ("me", "wrong")), ("/", ("me", "secret"))]) == [401, 200]
    assert server.workers() == workers
    with server.connect() as guess:  # and one that waits while the server ends
        guess.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {wrong}\r\n\r\n".encode())
        server.stop()


def test_many_guesses_at_a_time(hhttpd, www):
    server = hhttpd("--auth", "me:secret", www, "0")
    wrong = basic("me", "wrong")["Authorization"]
    socks = [server.connect() for _ in range(300)]
    for _ in range(2):
        for sock in socks:
            sock.sendall(f"HEAD / HTTP/1.1\r\nHost: x\r\nAuthorization: {wrong}\r\n\r\n".encode())
        assert server.request("GET", "/", None, basic("me", "secret")).status == 200
        assert {sock.recv(1 << 16).split()[1] for sock in socks} == {b"401"}
    for sock in socks:
        sock.close()
    server.stop()


def test_the_body_of_a_wrong_guess_is_not_taken(hhttpd, www):
    server = hhttpd("--auth", "me:secret", "--upload", www, "0")
    wrong = basic("me", "wrong")["Authorization"]
    head = "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
    for field in (f"Authorization: {wrong}\r\n", ""):
        assert server.first(f"{head}{field}Expect: 100-continue\r\n\r\n".encode()).startswith(b"HTTP/1.1 401 ")
        assert server.first(f"{head}{field}\r\nbody".encode()).startswith(b"HTTP/1.1 401 ")
    assert not (www / "x").exists()
    assert server.request("PUT", "/x", b"body", basic("me", "secret")).status == 201
    server.stop()


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_hash_is_paid_for_once(hhttpd, www, htpasswd, lab):
    line = output(lab.program("htpasswd"), "-nbBC", "12", "me", "secret")
    server = hhttpd("--auth", htpasswd(line), www, "0")
    (worker,) = server.workers()
    begin = cpu_ticks(worker)
    assert server.request("GET", "/", None, basic("me", "secret")).status == 200
    once = cpu_ticks(worker) - begin
    for _ in range(20):
        assert server.request("GET", "/", None, basic("me", "secret")).status == 200
    assert cpu_ticks(worker) - begin < 5 * once
    server.stop()


def test_guessing_leaves_time_for_others(hhttpd, www, htpasswd, lab):
    """Slow hashes that are asked for all at once: what is past the budget is put off, by 503."""
    line = output(lab.program("htpasswd"), "-nbBC", "12", "me", "secret")
    server = hhttpd("--auth", htpasswd(line), "--auth", "/sub=other:1", www, "0")
    assert server.request("GET", "/", None, basic("me", "secret")).status == 200
    answers = statuses(server, [("/", ("me", f"guess {i}")) for i in range(40)])
    assert 503 in answers and set(answers) <= {401, 503}
    assert server.request("GET", "/", None, basic("me", "secret")).status == 200  # it is remembered
    assert server.request("GET", "/sub/b.txt", None, basic("other", "1")).status == 200
    wait_until(lambda: server.request("GET", "/", None, basic("me", "guess")).status == 401, "time for a guess")
    server.stop()


# ---- the server ----


def test_a_reload_reads_the_file_again(hhttpd, www, htpasswd, lab):
    conf = lab.folder / "x.conf"
    path = htpasswd("a:{PLAIN}1")
    conf.write_text(f"listen = 127.0.0.1:0\ndocument_root = {www}\n[auth]\n/ => {path}\n")
    server = hhttpd("-c", conf)
    assert server.request("GET", "/", None, basic("a", "1")).status == 200
    htpasswd("a:{PLAIN}2")
    assert "reloaded" in server.reload()
    # The old worker may still accept for a moment.
    wait_until(lambda: server.request("GET", "/", None, basic("a", "2")).status == 200, "the new password")
    wait_until(lambda: server.request("GET", "/", None, basic("a", "1")).status == 401, "the end of the old one")
    htpasswd("a:3")
    assert f"x.conf:4: /: {path}:1: no hash" in server.reload()
    assert server.request("GET", "/", None, basic("a", "2")).status == 200
    server.stop()


def test_a_file_that_only_the_first_process_may_read(hhttpd, www, htpasswd, hashed, lab):
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    for folder in (www, *www.parents):
        if not folder.stat().st_mode & 1:
            folder.chmod(folder.stat().st_mode | 0o55)
    path = htpasswd("a:" + hashed("B", "1"), "b:" + hashed("m", "2"))
    path.chmod(0o600)
    server = hhttpd("--user", "nobody", "--auth", path, www, "0")
    assert statuses(server, [("/", ("a", "1")), ("/", ("b", "2")), ("/", ("b", "1"))]) == [200, 200, 401]
    server.stop()
    server = hhttpd("--user", "nobody", "--chroot", www, "--auth", path, www, "0")
    assert statuses(server, [("/", ("a", "1")), ("/", ("b", "2")), ("/", ("b", "1"))]) == [200, 200, 401]
    server.stop()


@pytest.mark.parametrize("argv, warned", [
    (["0"], False),
    (["--host", "*", "0"], True),
    (["--host", "*", "--tls-self-signed", "0"], False),
    (["unix:@hhttpd-auth-test-%d" % os.getpid()], False),
])
def test_a_warning_where_passwords_can_be_read(hhttpd, www, argv, warned):
    server = hhttpd("--auth", "/sub=me:secret", www, *argv)
    assert ("there is no TLS" in server.process.err()) == warned
    server.stop()
