# One thread.
"""hcurl through proxies: our own (hnc -l --proxy-type), squid, tinyproxy, microsocks and ncat, and to haproxy with a
PROXY header; beside Debian's curl where both have to say the same."""

import hashlib
import os
import ssl
import subprocess
import threading

import pytest

from conftest import Lab
from hcurl_lab import Web, response
from pki import Pki

CURL = "/usr/bin/curl"
HELPERS = "/usr/lib/squid"
HOST = "127.0.0.1"
TIMEOUT = 100
VARIABLES = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What all of them need: a lab, servers for http and https, certificates."""
    lab = Lab(tmp_path_factory.mktemp("place"))
    lab.pki = Pki(lab.folder)
    lab.web = Web()
    lab.secure = SecureWeb(*lab.pki.issue("server"))
    yield lab
    lab.secure.close()
    lab.web.close()
    lab.close()


class SecureWeb(Web):
    def __init__(self, cert, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        super().__init__()
        self.url = f"https://{HOST}:{self.port}"

    def talk(self, connection):
        try:
            super().talk(self.context.wrap_socket(connection, server_side=True))
        except OSError:
            connection.close()


# ---- the proxies ---------------------------------------------------------------------------------


def hnc(lab, kind, *args):
    port = lab.port()
    lab.spawn("hnc", "-lk", "--proxy-type", kind, *args, HOST, str(port))
    lab.wait_bound(port)
    return port


def microsocks(lab, *args):
    port = lab.port()
    lab.spawn("microsocks", "-i", HOST, "-p", str(port), *args)
    lab.wait_bound(port)
    return port


def tinyproxy(lab, *lines):
    port = lab.port()
    conf = lab.folder / f"tinyproxy{port}.conf"
    conf.write_text(f"Port {port}\nListen {HOST}\nTimeout 60\nAllow {HOST}\n" + "".join(f"{x}\n" for x in lines))
    lab.spawn("tinyproxy", "-d", "-c", conf)
    lab.wait_bound(port)
    return port


SQUID = """http_port 127.0.0.1:@port@
pid_filename @folder@/pid@port@
cache_log @folder@/log@port@
access_log none
cache deny all
cache_mem 8 MB
max_filedescriptors 1024
shutdown_lifetime 0 seconds
pinger_enable off
netdb_filename none
logfile_rotate 0
coredump_dir @folder@
visible_hostname lab
@rules@
http_access deny all
"""

SQUID_RULES = {
    "open": "acl here src 127.0.0.1\nhttp_access allow here",
    "basic": f"auth_param basic program {HELPERS}/basic_ncsa_auth @folder@/users\nauth_param basic children 1\n"
             "auth_param basic realm lab\nacl known proxy_auth REQUIRED\nhttp_access allow known",
    "digest": f"auth_param digest program {HELPERS}/digest_file_auth -c @folder@/digests\n"
              "auth_param digest children 1\nauth_param digest realm lab\nacl known proxy_auth REQUIRED\n"
              "http_access allow known",
}  # fmt: skip


def squid(lab, kind):
    if not os.path.exists("/usr/sbin/squid"):
        pytest.skip("squid is not installed")
    os.chmod(lab.folder, 0o777)
    folder = lab.folder
    while str(folder) != "/" and os.getuid() == 0:  # it runs as somebody else then
        os.chmod(folder, os.stat(folder).st_mode | 0o011)
        folder = folder.parent
    secret = subprocess.run(["openssl", "passwd", "-apr1", "p"], check=True, capture_output=True, text=True).stdout
    (lab.folder / "users").write_text(f"u:{secret}")
    (lab.folder / "digests").write_text(f"u:lab:{hashlib.md5(b'u:lab:p').hexdigest()}\n")
    port = lab.port()
    conf = lab.folder / f"squid{port}.conf"
    text = SQUID.replace("@rules@", SQUID_RULES[kind])
    conf.write_text(text.replace("@port@", str(port)).replace("@folder@", str(lab.folder)))
    lab.spawn("/usr/sbin/squid", "-N", "-f", conf)
    lab.wait_bound(port)
    return port


PROXIES = {
    "hnc-http": lambda lab: ["-x", f"http://{HOST}:{hnc(lab, 'http')}"],
    "hnc-http-login": lambda lab: ["-x", f"{HOST}:{hnc(lab, 'http', '--proxy-auth', 'u:p')}", "-U", "u:p", "--proxy-anyauth"],
    "hnc-socks5": lambda lab: ["--socks5", f"{HOST}:{hnc(lab, 'socks5')}"],
    "hnc-socks5h-login": lambda lab: ["-x", f"socks5h://u:p@{HOST}:{hnc(lab, 'socks5', '--proxy-auth', 'u:p')}"],
    "hnc-socks4": lambda lab: ["--socks4", f"{HOST}:{hnc(lab, 'socks4')}"],
    "hnc-socks4a": lambda lab: ["--socks4a", f"{HOST}:{hnc(lab, 'socks4')}"],
    "microsocks": lambda lab: ["--socks5-hostname", f"{HOST}:{microsocks(lab)}"],
    "microsocks-login": lambda lab: ["--socks5", f"{HOST}:{microsocks(lab, '-u', 'u', '-P', 'p')}", "-U", "u:p"],
    "tinyproxy": lambda lab: ["-x", f"{HOST}:{tinyproxy(lab)}"],
    "tinyproxy-basic": lambda lab: ["-x", f"http://u:p@{HOST}:{tinyproxy(lab, 'BasicAuth u p')}"],
    "squid": lambda lab: ["-x", f"http://{HOST}:{squid(lab, 'open')}"],
    "squid-basic": lambda lab: ["-x", f"{HOST}:{squid(lab, 'basic')}", "-U", "u:p"],
    "squid-digest": lambda lab: ["-x", f"{HOST}:{squid(lab, 'digest')}", "-U", "u:p", "--proxy-digest"],
    "squid-any": lambda lab: ["-x", f"{HOST}:{squid(lab, 'digest')}", "-U", "u:p", "--proxy-anyauth"],
}  # fmt: skip


@pytest.fixture(scope="module", params=PROXIES)
def through(request, place):
    return PROXIES[request.param](place)


# ---- the same through each -----------------------------------------------------------------------


def run(program, args, env=None, folder=None):
    clean = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    done = subprocess.run([program, "-q", "-sS", *map(str, args)], capture_output=True, timeout=TIMEOUT, cwd=folder,
                          stdin=subprocess.DEVNULL, env={**clean, **(env or {})})  # fmt: skip
    return done.returncode, done.stdout, done.stderr.decode()


USES = {
    "get": lambda p: [f"{p.web.url}/hello"],
    "twice": lambda p: [f"{p.web.url}/hello"] * 2,
    "post": lambda p: ["-d", "a=b", f"{p.web.url}/status/200"],
    "tunnel": lambda p: ["-p", f"{p.web.url}/hello"],
    "https": lambda p: ["--cacert", p.pki.ca, f"{p.secure.url}/hello"],
    "redirect": lambda p: ["-L", f"{p.web.url}/redirect/302/hello"],
    "name": lambda p: [f"http://localhost:{p.web.port}/hello"],
    "status": lambda p: ["-f", f"{p.web.url}/status/404"],
}


@pytest.mark.parametrize("use", USES)
def test_it_comes_through_as_with_curl(place, through, use):
    args = [*through, "-4", *USES[use](place)]
    ours = run(place.program("hcurl"), args)
    assert ours[0] == (22 if use == "status" else 0), ours
    if os.path.exists(CURL):
        assert ours[:2] == run(CURL, args)[:2]


# ---- what goes wrong -----------------------------------------------------------------------------


def test_a_login_that_is_refused(place):
    port = hnc(place, "http", "--proxy-auth", "u:p")
    hcurl = place.program("hcurl")
    status, out, err = run(hcurl, ["-x", f"{HOST}:{port}", "-w", "%{http_code}", f"{place.web.url}/hello"])
    assert status == 0 and out.endswith(b"407")
    for login in ([], ["-U", "u:no"], ["-U", "u:no", "--proxy-digest"]):
        args = ["-x", f"{HOST}:{port}", "-p", *login, "-w", "%{http_connect}", f"{place.web.url}/hello"]
        status, out, err = run(hcurl, args)
        assert (status, out) == (7, b"407") and "CONNECT tunnel failed, response 407" in err, err


def test_a_socks_proxy_that_refuses(place):
    port = microsocks(place, "-u", "u", "-P", "p")
    hcurl = place.program("hcurl")
    assert run(hcurl, ["--socks5", f"{HOST}:{port}", f"{place.web.url}/hello"])[0] == 97
    assert run(hcurl, ["--socks5", f"{HOST}:{port}", "-U", "u:no", f"{place.web.url}/hello"])[0] == 97
    long = "x" * 300
    assert run(hcurl, ["--socks5", f"{HOST}:{port}", "-U", f"u:{long}", f"{place.web.url}/hello"])[0] == 97


@pytest.mark.parametrize(
    "args, status",
    [
        (["-x", "@nobody"], 7),
        (["--socks5", "@nobody"], 7),
        (["-x", "http://host:70000"], 5),
        (["-x", "http://bad..name:1"], 5),
        (["-x", ":80"], 5),
        (["--preproxy", "http://127.0.0.1:1"], 5),
        (["--preproxy", "socks4://127.0.0.1:1", "-x", "socks5://127.0.0.1:2"], 5),
    ],
)
def test_proxies_that_cannot_be_used(place, args, status):
    args = [a.replace("@nobody", f"{HOST}:{place.port()}") for a in args]
    assert run(place.program("hcurl"), [*args, f"{place.web.url}/hello"])[0] == status


# ---- which, and when -----------------------------------------------------------------------------


def test_the_environment_names_proxies(place):
    port, hcurl = tinyproxy(place), place.program("hcurl")
    nobody = f"http://{HOST}:{place.port()}"
    here = f"http://{HOST}:{port}"
    http, https = [f"{place.web.url}/hello"], ["--cacert", place.pki.ca, f"{place.secure.url}/hello"]
    rows = [
        ({"http_proxy": here}, http, 0),
        ({"http_proxy": nobody}, http, 7),
        ({"HTTP_PROXY": nobody}, http, 0),
        ({"https_proxy": nobody}, http, 0),
        ({"https_proxy": here}, https, 0),
        ({"https_proxy": nobody}, https, 7),
        ({"HTTPS_PROXY": nobody}, https, 7),
        ({"ALL_PROXY": nobody}, http, 7),
        ({"all_proxy": here}, https, 0),
        ({"http_proxy": nobody, "no_proxy": "example.com,127.0.0.1"}, http, 0),
        ({"http_proxy": nobody, "NO_PROXY": "*"}, http, 0),
        ({"http_proxy": nobody, "NO_PROXY": "127.0.0.0/8"}, http, 0),
        ({"http_proxy": nobody, "NO_PROXY": "*"}, ["--noproxy", "", *http], 7),
        ({"http_proxy": nobody}, ["--noproxy", "127.0.0.1", *http], 0),
        ({"http_proxy": nobody}, ["-x", "", *http], 0),
        ({"http_proxy": nobody}, ["-x", here, *http], 0),
        ({"http_proxy": nobody, "no_proxy": "127.0.0.1"}, ["-x", nobody, *http], 0),
    ]
    for env, args, status in rows:
        assert run(hcurl, args, env)[0] == status, (env, args)
        if os.path.exists(CURL):
            assert run(CURL, args, env)[0] == status, (env, args)


def test_a_proxy_without_a_port_is_at_1080(place):
    for env, args in (({"http_proxy": "http://127.0.0.2"}, []), ({}, ["-x", "127.0.0.2"])):
        status, _, err = run(place.program("hcurl"), [*args, f"{place.web.url}/hello"], env)
        assert status == 7 and "1080" in err, err


def wire_of(place, program, args, answers):
    """What a proxy gets that says these answers, one after another, whatever it is asked."""
    heads = []

    def answer(web, request, rest):
        heads.append(request.head)
        return answers[min(len(heads), len(answers)) - 1]

    fake = Web()
    fake.routes = type("Any", (dict,), {"get": lambda self, *_: answer})()
    try:
        run(program, ["-A", "x", "-x", f"{HOST}:{fake.port}", *args])
    finally:
        fake.close()
    return heads


REFUSAL = response(407, b"no\n", 'Proxy-Authenticate: Digest realm="lab", nonce="n"', 'Proxy-Authenticate: Basic realm="lab"')
WIRES = [
    (["http://example.com/a?b"], [response(200, b"ok\n")]),
    (["http://example.com/a", "--proxy-header", "X-P: 1", "-H", "X-S: 2"], [response(200, b"ok\n")]),
    (["-p", "http://example.com/a", "--proxy-header", "X-P: 1", "-H", "X-S: 2"], [response(403, b"no\n")]),
    (["-p", "http://example.com/a", "--proxy-header", "User-Agent: mine"], [response(403, b"no\n")]),
    (["-p", "-U", "u:p", "https://example.com/a"], [response(403, b"no\n")]),
    (["-p", "--proxy-digest", "-U", "u:p", "http://example.com:81/a"], [REFUSAL, response(403, b"no\n")]),
    (["--proxy-digest", "-U", "u:p", "http://example.com/a?b"], [REFUSAL, response(200, b"ok\n")]),
    (["--proxy-anyauth", "-U", "u:p", "http://example.com/a"], [REFUSAL, response(200, b"ok\n")]),
    (["-U", "u:p", "-u", "a:b", "http://example.com/"], [response(200, b"ok\n")]),
    (["--connect-to", "::other:99", "http://example.com/"], [response(403, b"no\n")]),
    (["-p", "http://[::1]:81/"], [response(403, b"no\n")]),
]


@pytest.mark.parametrize("args, answers", WIRES, ids=lambda x: " ".join(x) if isinstance(x[0], str) else "")
def test_the_proxy_gets_the_same_bytes_as_from_curl(place, args, answers):
    if not os.path.exists(CURL):
        pytest.skip("curl is not installed")
    assert wire_of(place, place.program("hcurl"), args, answers) == wire_of(place, CURL, args, answers)


def test_a_request_to_a_proxy_of_old(place):
    heads = wire_of(place, place.program("hcurl"), ["-p", "http://example.com/", "--proxy1.0", "@"], [])
    assert heads == []  # that is no proxy
    fake = Web()
    run(place.program("hcurl"), ["--proxy1.0", f"{HOST}:{fake.port}", "-p", "http://example.com/"])
    fake.close()
    assert fake.requests[0].head.startswith(b"CONNECT example.com:80 HTTP/1.0\r\nHost: example.com:80\r\n")


def test_a_proxy_behind_a_socks_proxy(place):
    socks, http = microsocks(place), tinyproxy(place)
    args = ["--preproxy", f"socks5h://{HOST}:{socks}", "-x", f"http://{HOST}:{http}"]
    for more in ([f"{place.web.url}/hello"], ["--cacert", place.pki.ca, f"{place.secure.url}/hello"]):
        assert run(place.program("hcurl"), [*args, *more])[:2] == (0, b"hello\n")


def test_an_https_proxy_has_its_own_trust(place, tmp_path):
    cert, key = place.pki.issue("proxy")
    port = place.port()
    place.spawn("ncat", "-lk", "--proxy-type", "http", "--ssl", "--ssl-cert", cert, "--ssl-key", key, HOST, str(port))
    place.wait_bound(port)
    hcurl, proxy = place.program("hcurl"), ["-x", f"https://localhost:{port}", "-4"]
    https = ["--cacert", place.pki.ca, f"{place.secure.url}/hello"]
    other = Pki(tmp_path, "Other-CA")
    assert run(hcurl, [*proxy, "--proxy-cacert", place.pki.ca, *https])[:2] == (0, b"hello\n")
    assert run(hcurl, [*proxy, "--proxy-insecure", *https])[:2] == (0, b"hello\n")
    assert run(hcurl, [*proxy, "--proxy-cacert", other.ca, *https])[0] == 60
    assert run(hcurl, [*proxy, *https])[0] == 60


def test_haproxy_takes_the_proxy_header(place):
    port, back = place.port(), place.web.port
    conf = place.folder / "haproxy.cfg"
    conf.write_text(
        "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n"
        f"frontend f\n bind {HOST}:{port} accept-proxy\n http-request set-header X-Who %[src]\n default_backend b\n"
        f"backend b\n server s {HOST}:{back}\n"
    )
    place.spawn("haproxy", "-db", "-f", conf)
    place.wait_bound(port)
    url, hcurl = f"http://{HOST}:{port}/echo", place.program("hcurl")
    assert b"x-who: 127.0.0.1" in run(hcurl, ["--haproxy-protocol", url])[1].lower()
    args = ["--haproxy-protocol", "--haproxy-clientip", "192.0.2.7", url]
    assert b"x-who: 192.0.2.7" in run(hcurl, args)[1].lower()
    assert run(hcurl, ["--haproxy-clientip", "nobody", url])[0] == 43


def test_given_addresses_count_for_proxies_too(place):
    socks, http, hcurl = microsocks(place), tinyproxy(place), place.program("hcurl")
    name = ["--resolve", f"proxy.test:{http}:{HOST}", "-x", f"proxy.test:{http}", f"{place.web.url}/hello"]
    assert run(hcurl, name)[:2] == (0, b"hello\n")
    url = f"http://site.test:{place.web.port}/hello"
    target = ["--resolve", f"site.test:{place.web.port}:{HOST}", "--socks5", f"{HOST}:{socks}", url]
    assert run(hcurl, target)[:2] == (0, b"hello\n")


def test_many_tunnels_at_once(place):
    port, hcurl = tinyproxy(place), place.program("hcurl")
    done = []
    args = ["-x", f"{HOST}:{port}", "-p", "-Z", *[f"{place.web.url}/hello"] * 8]
    threads = [threading.Thread(target=lambda: done.append(run(hcurl, args)[:2])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [(0, b"hello\n" * 8)] * 2


@pytest.mark.parametrize("second, tunnels", [("X-Key: a", 1), ("X-Key: b", 2)])
def test_a_tunnel_is_for_those_who_ask_for_it_with_the_same_fields(place, second, tunnels):
    url, before = f"{place.web.url}/hello", place.web.connections
    through = ["-x", f"{HOST}:{tinyproxy(place)}", "-p"]
    status, out, _ = run(place.program("hcurl"), [*through, "--proxy-header", "X-Key: a", url, "--next", "-sS",
                                                  *through, "--proxy-header", second, url])
    assert (status, out) == (0, b"hello\n" * 2)
    assert place.web.connections - before == tunnels
