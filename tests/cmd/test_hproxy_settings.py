# One thread
"""hproxy: options and the configuration file; mistakes are told with their line."""

import os
import re
import resource
import signal
import socket
import stat

import pytest

from conftest import wait_until
from hproxy_lab import conf, hproxy, target  # noqa: F401

GOOD = """
[listen web]
listen = 127.0.0.1:0
target = 127.0.0.1:80
"""


@pytest.fixture
def check(lab):
    """check(text, arguments): the lines that -t writes about a configuration, without its name; [] if it is good."""

    def run(text, *args, status=2):
        path = lab.folder / "x.conf"
        path.write_text(text)
        process = lab.run("hproxy", "-t", "-c", path, *args)
        lines = [line.replace(f"hproxy: {path}:", "") for line in process.err().splitlines()]
        if lines:
            assert process.wait() == status and process.out() == b""
        else:
            assert process.wait() == 0 and process.out() == b"hproxy: the configuration is good\n"
        return lines

    return run


def test_every_option_but_those_of_the_command_alone_is_a_key(check, lab, tmp_path):
    """Each with a value that fits, one or two in a file: all of them together would contradict each other."""
    text = lab.run("hproxy", "--help").out().decode().split("\nEnvironment:")[0]
    names = set(re.findall(r"--([a-z][a-z-]+)", text))
    names -= {"config", "test", "verbose", "signal", "stop-timeout", "help", "version"}
    names -= {"deny", "allow"}  # stand in texts, too
    (tmp_path / "users").write_text("joe:{PLAIN}x\n")
    (tmp_path / "list").write_text("10.0.0.0/8\n")
    (tmp_path / "own.pem").write_text("no certificate\n")
    values = {
        "flag": "yes", "listen": "127.0.0.1:0", "target": "127.0.0.1:80", "balance": "source-hash", "check": "http",
        "source": "127.0.0.1", "send-proxy": "v1", "check-send": "a\\n", "check-expect": "b", "check-path": "/x",
        "check-host": "x", "check-status": "2xx", "accept-proxy-from": "10.0.0.1", "allow-file": tmp_path / "list",
        "deny-file": tmp_path / "list", "auth": "joe:x", "auth-file": tmp_path / "users", "via": "socks5://127.0.0.1:1",
        "destination": "allow .example.com:443", "dns": "127.0.0.1", "log-file": tmp_path / "log", "log-level": "warn",
        "access-log": tmp_path / "access", "log-format": "json", "status": "127.0.0.1:0", "pid-file": tmp_path / "pid",
        "user": "root", "group": "root", "limit-rate": "1M", "limit-rate-total": "1M", "tls-alpn": "h2",
        "target-alpn": "h2", "target-name": "x", "unix-mode": "660",
    }
    flags = {"accept-proxy", "socks", "http", "tls-self-signed", "target-insecure", "no-sandbox", "daemon"}
    common = {"workers", "drain-timeout", "stop-time", "dns", "dns-min", "dns-max", "no-sandbox", "log-file", "log-level",
              "access-log", "log-format", "log-filesize", "log-remain-days", "status", "daemon", "pid-file", "user", "group"}
    assert len(names) > 60
    lines = {True: [], False: []}
    for name in sorted(names):
        lines[name in common].append(f"{name} = {values.get(name, 'yes' if name in flags else '2')}")
    (path := tmp_path / "all.conf").write_text("\n".join([*lines[True], "[listen all]", *lines[False]]) + "\n")
    process = lab.run("hproxy", "-t", "-c", path)
    assert process.wait() == 2
    assert "unknown key" not in process.err() and "it takes" not in process.err(), process.err()
    assert "clients of a forward proxy" in process.err()  # they were read, and then compared


def test_a_good_file(check):
    assert check("""
workers = 2
drain-timeout = 5m
log-level = warn
[listen web]
listen = 127.0.0.1:0
listen = unix:@hproxy-test
target = 127.0.0.1:80,weight=3
target = 127.0.0.1:81,backup
target = _http._tcp.example.com
balance = least-connections
check = http
check-path = /health
check-status = 200-299
allow = 10.0.0.0/8, 127.0.0.1
allow = 192.0.2.1
send-proxy = 2
[listen dns]
listen = udp://127.0.0.1:0
target = udp://127.0.0.1:53
[listen forward]
listen = 127.0.0.1:0
socks = yes
http = yes
auth = joe:secret
auth = ann:secret
destination = deny 10.0.0.0/8
destination = allow *
""") == []


@pytest.mark.parametrize("text,expected", [
    ("nonsense\n", ["1: "]),
    ("blance = x\n", ["1: unknown key 'blance'"]),
    ("check = http\n", ["1: unknown key 'check' (it belongs into a section [listen NAME])"]),
    ("[listn web]\n", ["1: unknown section [listn web]"]),
    ("[listen web]\nlisten = 0\nlsten = 1\ntarget = 1\n", ["3: unknown key 'lsten' in [listen] (did you mean listen?)"]),
    ("workers = 1000\n" + GOOD, ["1: workers: '1000': it takes a number from 1 to 64, or auto"]),
    ("workers = 1\nworkers = 2\n" + GOOD, ["2: duplicate key 'workers': it is on line 1 too"]),
    ("[listen web]\nlisten = 127.0.0.1:70000\n", ['2: listen: port out of range: "70000"']),
    ("[listen web]\nlisten = 1\ntarget = a:80,weight=0\n", ["3: target: "]),
    ("[listen]\n", ["1: [listen]: it needs a name: [listen web]"]),
    ("[listen a b]\n", ["1: [listen]: 'a b': a name has letters, digits and . _ : -"]),
    ("[listen " + 64 * "x" + "]\n", ["1: [listen]: a name has at most 63 characters"]),
    (GOOD + "[listen web]\n", ["5: [listen]: 'web' is there twice"]),
    ("[listen web]\ntarget = 80\n", ["1: [listen web]: it listens nowhere: listen = PORT"]),
    ("[listen web]\nlisten = 1\n", ["2: [listen web]: '1' leads nowhere: it needs a target, or socks or http"]),
    ("[listen web]\nlisten = 1\nsocks = yes\ntarget = 80\n", ["4: [listen web]: '80': clients of a forward proxy"]),
    ("[listen web]\nlisten = 1\nlisten = udp://1\ntarget = 2\n", ["3: [listen web]: '1' and 'udp://1': connections and"]),
    ("[listen web]\nlisten = udp://1\nhttp = yes\n", ["2: [listen web]: 'udp://1': a forward proxy takes connections"]),
    ("[listen a]\nlisten = 9\ntarget = 1\n[listen b]\nlisten = 9\ntarget = 1\n", ["5: [listen b]: '9' is listened on twice"]),
    ("status = 9\n[listen a]\nlisten = 9\ntarget = 1\n", ["3: [listen a]: '9' is the status listener's"]),
    ("status = udp://9\n" + GOOD, ["1: status: 'udp://9': it is served by plain HTTP alone"]),
    ("[listen a]\nlisten = tls://1\ntarget = 1\n", ["2: [listen a]: 'tls://1' needs a certificate: tls-cert or tls-self"]),
    (GOOD + "unix-mode = 660\n", ["5: [listen web]: unix-mode: no end point is a UNIX socket"]),
    (GOOD + "tls-cert = /x\n", ["5: [listen web]: tls-cert, tls-key, tls-ca, tls-alpn: no end point speaks TLS"]),
    (GOOD + "tls-self-signed = yes\n", ["2: [listen web]: tls-self-signed: no end point speaks TLS: listen on tls://PORT"]),
    (GOOD + "listen = tls://0\ntls-self-signed = yes\ntls-cert = /x\n", ["7: [listen web]: tls-cert and tls-self-signed: choose"]),
    (GOOD + "listen = tls://0\ntls-self-signed = yes\ntls-key = /x\n", ["7: [listen web]: tls-key: a key without a certificate"]),
    (GOOD + "target-name = x\n", ["5: [listen web]: target-cert, target-key, target-ca, target-name, target-alpn: no"]),
    (GOOD + "target = tls://a:1\ntarget-insecure = yes\ntarget-ca = /x\n", ["7: [listen web]: target-insecure takes any"]),
    (GOOD + "auth = a:b\n", ["5: [listen web]: auth goes with a forward proxy: socks or http"]),
    (GOOD + "via = http://a:1\n", ["5: [listen web]: via goes with a forward proxy: socks or http"]),
    (GOOD + "accept-proxy-from = 10.0.0.1\n", ["5: [listen web]: accept-proxy-from goes with accept-proxy"]),
    (GOOD + "accept-proxy = yes\naccept-proxy-from = 10.0.0.1/99\n", ['6: [listen web]: bits of the block out of range']),
    ("[listen a]\nlisten = udp://1\ntarget = udp://2\nsend-proxy = 1\n", ["3: [listen a]: 'udp://2': send-proxy: a PROXY header"]),
    ("[listen a]\nlisten = udp://1\ntarget = 2\naccept-proxy = yes\n", ["1: [listen a]: accept-proxy: a PROXY header comes"]),
    (GOOD + "check-path = /\n", ["5: [listen web]: check-path, check-host and check-status go with check = http"]),
    (GOOD + "check = http\ncheck-send = x\n", ["2: [listen web]: check-send and check-expect go with check = talk"]),
    (GOOD + "check-interval = 1s\n", ["2: [listen web]: check-interval, check-timeout, check-rise, check-fall"]),
    (GOOD + "check = talk\ncheck-send = a\\q\n", ["6: check-send: 'a\\q': behind a backslash stands"]),
    (GOOD + "check = htp\n", ["5: check: "]),
    (GOOD + "check-status = 99\n", ["5: check-status: '99': it takes 200, 2xx or 200-399"]),
    ("[listen a]\nlisten = udp://1\ntarget = udp://2\ncheck = http\n", ["3: [listen a]: 'udp://2': check = http asks by a"]),
    ("[listen a]\nlisten = 1\ntarget = 2\ntarget = unixgram:/x\ncheck = tls\n", ["4: [listen a]: 'unixgram:/x': check = tls asks"]),
    (GOOD + "send-proxy = 3\n", ["5: send-proxy: '3': it takes 1 or 2"]),
    (GOOD + "eject-failures = x\n", ["5: eject-failures: 'x': it takes a number up to 32767"]),
    (GOOD + "source = nowhere\n", ["5: [listen web]: source: 'nowhere' is no address"]),
    (GOOD + "allow = 1.2.3.4/99\n", ["5: [listen web]: bits of the block out of range"]),
    (GOOD + "deny-file = /nosuch\n", ["5: [listen web]: /nosuch: No such file or directory"]),
    ("[listen f]\nlisten = 1\nsocks = yes\nauth = joe\n", ["4: [listen f]: auth: it takes NAME:PASSWORD"]),
    ("[listen f]\nlisten = 1\nsocks = yes\nauth-file = /nosuch\n", ["4: [listen f]: "]),
    ("[listen f]\nlisten = 1\nsocks = yes\ndestination = perhaps x\n", ["4: [listen f]: destination: neither allow nor deny"]),
    ("[listen f]\nlisten = 1\nsocks = yes\nvia = ftp://x\n", ["4: [listen f]: via: "]),
    ("[listen f]\nlisten = 1\nsocks = yes\nsend-proxy = 1\n", ["1: [listen f]: send-proxy: a forward proxy tells nobody"]),
    ("log-level = loud\n" + GOOD, ["1: log-level: 'loud': it takes debug, info, warn, error or silent"]),
    ("log-format = xml\n" + GOOD, ["1: log-format: 'xml': it takes text or json"]),
    ("workers = 2\n", [" nothing to do: hproxy LISTEN TARGET, or a section [listen NAME] in a file (-c)"]),
])
def test_mistakes_are_told_with_their_line(check, text, expected):
    lines = check(text)
    assert len(lines) == len(expected), lines
    for line, start in zip(lines, expected):
        assert line.startswith(start), (line, start)


@pytest.mark.parametrize("text,expected", [
    (GOOD + "listen = tls://0\ntls-cert = /nosuch\n", "6: TLS: /nosuch: No such file or directory"),
    (GOOD + "target = tls://a:1\ntarget-ca = /nosuch\n", "6: TLS: /nosuch: No such file or directory"),
    ("log-file = /nosuch/a\n" + GOOD, "1: cannot open /nosuch/a: No such file or directory"),
    ("user = nosuchuser\n" + GOOD, "1: unknown user 'nosuchuser'"),
])
def test_what_would_hinder_a_start_is_told_with_its_line(check, text, expected):
    (line,) = check(text, status=1)
    assert line.startswith(expected), line


def test_all_mistakes_of_a_file_are_told_at_once(check):
    lines = check("workers = x\n[listen a]\nlisten = :x\ntarget = a:1\n[listen a]\n")
    assert [line.split(":")[0] for line in lines] == ["1", "3", "5"]


@pytest.mark.parametrize("args,expected", [
    ([], "nothing to do: hproxy LISTEN TARGET, or a section [listen NAME] in a file (-c)"),
    (["0"], "'0' leads nowhere: it needs a target, or socks or http"),
    (["x:y:z", "80"], "LISTEN 'x:y:z': "),
    (["0", "a:99999"], "TARGET 'a:99999': port out of range: \"99999\""),
    (["--allow", "10.0.0.1"], "options of a service, but nothing that it listens on: they are for LISTEN"),
    (["--blance=x", "0", "1"], "unknown option --blance (did you mean --balance?)"),
    (["-b", "x", "0", "1"], "option -b: "),
    (["0", "--socks", "127.0.0.1:80"], "'127.0.0.1:80': clients of a forward proxy (socks, http) say themselves"),
    (["-c", "/nosuch.conf"], "/nosuch.conf: No such file or directory"),
])
def test_bad_usage_is_told(lab, args, expected):
    process = lab.run("hproxy", *args)
    assert process.wait() == 2
    assert process.err().startswith("hproxy: " + expected), process.err()


def test_a_long_list_takes_no_long_time(lab):
    """40,000 lines were more than a minute."""
    path = lab.folder / "x.conf"
    path.write_text(GOOD + "".join(f"allow = 10.{n * 7919 % 251}.{n >> 8}.{n & 255}\n" for n in range(40000)))
    process = lab.run("hproxy", "-t", "-c", path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 20)))
    assert process.wait() == 0 and process.err() == "", process.err()


def test_too_many_are_told_with_their_line(check):
    """And by -t already, not by what opens them."""
    listens = "".join(f"listen = 127.0.0.1:{port}\n" for port in range(1000, 1032))
    services = "".join(f"[listen {n}]\n{listens.replace('.1:', f'.{n}:')}target = 127.0.0.1:9\n" for n in range(1, 17))
    assert check(services) == []
    assert check(f"{services}[listen x]\nlisten = 999\ntarget = 127.0.0.1:9\n") == [
        "546: [listen x]: more than 512 end points to listen on"]
    assert check(f"status = 127.0.0.1:998\n{services}") == ["544: [listen 16]: more than 512 end points to listen on"]
    users = "".join(f"auth = u{n}:p\n" for n in range(10001))
    assert check(f"[listen x]\nlisten = 0\nsocks = yes\n{users}") == ["10004: [listen x]: auth: more than 10000 users"]


def test_control_characters_are_escaped(lab):
    process = lab.run("hproxy", "0", "\x1b[31mx:1:2")
    assert process.wait() == 2 and "\x1b" not in process.err() and "\\x1b[31m" in process.err()


def test_a_password_is_not_told(lab):
    process = lab.run("hproxy", "0", "127.0.0.1:1", "--auth", "joe:secret")
    assert process.wait() == 2 and "secret" not in process.err()


@pytest.mark.parametrize("args", [
    ["tls://127.0.0.1:0", "--tls-cert", "/nosuch.pem"], ["127.0.0.1:0", "--user", "nosuchuser"],
    ["127.0.0.1:0", "--log-file", "/nosuch/log"]])
def test_a_trial_ends_like_a_start(lab, args):
    """With 1, as the manual has it: nothing is wrong with the usage."""
    start, trial = lab.run("hproxy", *args, "127.0.0.1:1"), lab.run("hproxy", "-t", *args, "127.0.0.1:1")
    assert (start.wait(), trial.wait()) == (1, 1)
    assert start.err() == trial.err() != ""


def test_end_points_of_the_command_line_are_one_more_service(hproxy, conf, target):  # noqa: F811
    a, b = target("A"), target("B")
    path = conf(f"[listen web]\nlisten = 127.0.0.1:0\ntarget = {a.address}\n")
    proxy = hproxy("-c", path, "127.0.0.1:0", b.address, listeners=2)
    assert proxy.ask(endpoint=proxy.named("web")) == b"A:ping"
    assert proxy.ask(endpoint=proxy.serving[0]) == b"B:ping"
    proxy.stop()


def test_a_port_in_use_is_told_with_its_line(lab, conf, target):  # noqa: F811
    taken = target()
    path = conf(f"[listen web]\nlisten = {taken.address}\ntarget = 1\n")
    process = lab.run("hproxy", "-c", path)
    assert process.wait() == 1
    assert process.err() == (f"hproxy: {path}:2: cannot listen on {taken.address}: Address already in use; choose another "
                             f"port, or see who has it: ss -ltnp 'sport = :{taken.port}'\n")


def test_a_unix_socket_has_the_rights_it_is_given(lab, hproxy, target):  # noqa: F811
    path = lab.path("s")
    proxy = hproxy("--unix-mode", "622", f"unix:{path}", target("A").address, umask=0o077)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o622
    assert proxy.ask() == b"A:ping"
    for value in ("8", "66", "0000", "1777", "x"):
        assert lab.run("hproxy", "--unix-mode", value, f"unix:{path}", "1", "-t").wait() == 2


def test_a_terminal_that_hangs_up_ends_a_proxy_that_nobody_would_find(hproxy, target):  # noqa: F811
    proxy = hproxy("127.0.0.1:0", target().address)
    proxy.stop(signal.SIGHUP)


def test_service_actions(lab, conf, target):  # noqa: F811
    """start in the background, status, reload, stop; a broken file hinders no stop."""
    one, pid_file = target("A"), lab.path("hproxy.pid")
    port = lab.port()
    path = conf(f"pid-file = {pid_file}\nlog-file = {lab.path('log')}\n"
                f"[listen web]\nlisten = 127.0.0.1:{port}\ntarget = {one.address}\n")
    do = lambda *args: lab.run("hproxy", "-c", path, *args)  # noqa: E731
    assert do("-s", "status").wait() == 3
    started = do("-s", "start", "-d")
    assert started.wait() == 0 and b"start/running" in started.out(), started
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"x")
        assert sock.recv(9) == b"A:x"
    assert do("-s", "start", "-d").wait() == 1
    assert do("-s", "reload").wait() == 0
    conf(f"pid-file = {pid_file}\n[listen web]\nnonsense = 1\n")  # which leaves where to find it
    refused = do("-s", "reload")
    assert refused.wait() == 2 and f"{path}:3: " in refused.err(), refused
    assert lab.run("hproxy", "--pid-file", pid_file, "-s", "reload").wait() == 0  # it tells its log
    wait_until(lambda: "the old one stays" in (lab.folder / "log").read_text(), "the server's own words")
    assert do("-s", "status").wait() == 0
    assert do("-s", "stop").wait() == 0
    assert do("-s", "status").wait() == 3
