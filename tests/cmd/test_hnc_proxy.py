# One thread.
"""hnc through proxies that are other people's programs: microsocks, tinyproxy, ncat."""

import os
import socket
import subprocess
import threading

import pytest

from conftest import wait_until
from pki import Pki
from ssh_server import sshd

HOST = "127.0.0.1"


def echo_peer(lab):
    """A server that sends back what it gets until the end, then closes."""
    port = lab.port()
    lab.spawn("hecho", f"{HOST}:{port}")
    lab.wait_bound(port)
    return port


def microsocks(lab, *args):
    port = lab.port()
    lab.spawn("microsocks", "-i", HOST, "-p", port, *args)
    lab.wait_bound(port)
    return port


def tinyproxy(lab, *lines):
    port = lab.port()
    conf = lab.folder / "tinyproxy.conf"
    conf.write_text(
        f"Port {port}\nListen {HOST}\nTimeout 60\nMaxClients 10\nAllow {HOST}\n"
        + "".join(f"{line}\n" for line in lines)
    )
    lab.spawn("tinyproxy", "-d", "-c", conf)
    lab.wait_bound(port)
    return port


def ncat_proxy(lab, *args):
    port = lab.port()
    lab.spawn("ncat", "-lk", "--proxy-type", "http", *args, HOST, port)
    lab.wait_bound(port)
    return port


def assert_echo(lab, args, data=b"hello\n", **options):
    """The target sends everything back. The sending side stays open: microsocks and tinyproxy drop
    the reply of a client that ends it."""
    hnc = lab.spawn("hnc", *args, stdin=subprocess.PIPE, **options)
    hnc.send(data)
    wait_until(lambda: len(hnc.out()) >= len(data) or not hnc.running(), "the echo")
    assert hnc.out() == data, hnc.err()
    hnc.stop()


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def tls_proxy(lab, pki):
    cert, key = pki.issue("proxy")
    return ncat_proxy(lab, "--ssl", "--ssl-cert", cert, "--ssl-key", key)


def test_an_https_proxy_has_trust_of_its_own(lab, pki):
    to = ["-4", "--proxy", f"https://localhost:{tls_proxy(lab, pki)}", "--proxy-ssl-trustfile", pki.ca]
    assert_echo(lab, [*to, f"{HOST}:{echo_peer(lab)}"])


def test_the_trust_of_the_host_is_not_that_of_its_https_proxy(lab, pki, tmp_path_factory):
    other = Pki(tmp_path_factory.mktemp("other"), "Other-CA")
    cert, key = other.issue("server")
    port = lab.port()
    lab.spawn("hnc", "-lk", "-c", "cat", "--ssl-cert", cert, "--ssl-key", key, f"{HOST}:{port}")
    lab.wait_bound(port)
    to = ["-4", "--proxy", f"https://localhost:{tls_proxy(lab, pki)}", "--proxy-ssl-trustfile"]
    assert_echo(lab, [*to, pki.ca, "--ssl-trustfile", other.ca, f"tls://{HOST}:{port}"])
    done = lab.run("hnc", *to, other.ca, "--ssl-trustfile", other.ca, f"tls://{HOST}:{port}")
    assert done.wait() == 1 and "TLS with localhost: certificate's issuer is not trusted: CN=Test-CA" in done.err()


@pytest.mark.parametrize(
    "args, status, named",
    [
        ("--proxy-ssl-trustfile /nonexistent/ca 127.0.0.1:9", 1, "/nonexistent/ca"),
        ("-l --proxy-type http --proxy-ssl-trustfile /nonexistent/ca 0", 2, "-l"),
    ],
)
def test_trust_for_proxies_that_is_of_no_use_is_named(lab, args, status, named):
    done = lab.run("hnc", *args.split())
    assert done.wait() == status and named in done.err() and done.err().count("\n") == 1


class Scripted:
    """A proxy that answers with fixed bytes, whatever it is asked, and keeps what it read."""

    def __init__(self, answer, close=True):
        self.answer, self.close, self.read = answer, close, b""
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                self.read += peer.recv(65536)
                peer.sendall(self.answer)
                if self.close:
                    peer.close()
        except OSError:
            pass


@pytest.mark.parametrize("option", [["-x"], ["-X", "5", "-x"], ["--proxy-type", "socks5", "--proxy"]])
def test_socks5_through_microsocks(lab, option):
    assert_echo(lab, [*option, f"{HOST}:{microsocks(lab)}", HOST, echo_peer(lab)])


def test_socks5_with_a_name_that_the_proxy_looks_up(lab):
    first = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)[0]
    target = lab.port()
    host = first[4][0]
    lab.spawn("hecho", f"[{host}]:{target}" if ":" in host else f"{host}:{target}")
    lab.wait_bound(target)
    assert_echo(lab, ["-x", f"{HOST}:{microsocks(lab)}", "localhost", target])


@pytest.mark.parametrize("how", ["url", "option", "environment"])
def test_socks5_with_user_and_password(lab, how):
    proxy = microsocks(lab, "-u", "joe", "-P", "se:cret")
    target = echo_peer(lab)
    env = dict(os.environ)
    if how == "url":
        args = ["-x", f"socks5://joe:se%3acret@{HOST}:{proxy}"]
    elif how == "option":
        args = ["-x", f"{HOST}:{proxy}", "--proxy-auth", "joe:se:cret"]
    else:
        args = ["-x", f"{HOST}:{proxy}"]
        env["NCAT_PROXY_AUTH"] = "joe:se:cret"
    assert_echo(lab, [*args, HOST, target], env=env)


def test_a_wrong_password_is_told(lab):
    proxy = microsocks(lab, "-u", "joe", "-P", "secret")
    done = lab.run("hnc", "-x", f"socks5://joe:wrong@{HOST}:{proxy}", HOST, 9)
    assert done.wait() == 1
    assert f"proxy {HOST}:{proxy}" in done.err() and "wrong" not in done.err()
    assert len(done.err().splitlines()) == 1


@pytest.mark.parametrize("option", [["--proxy"], ["-X", "connect", "-x"]])
def test_http_connect_through_tinyproxy(lab, option):
    proxy = tinyproxy(lab)
    assert_echo(lab, [*option, f"{HOST}:{proxy}", HOST, echo_peer(lab)])


def test_http_connect_with_basic_authentication(lab):
    proxy = tinyproxy(lab, "BasicAuth joe secret")
    target = echo_peer(lab)
    args = ["--proxy", f"{HOST}:{proxy}", "--proxy-auth", "joe:secret", HOST, target]
    assert_echo(lab, args)
    refused = lab.run("hnc", "--proxy", f"{HOST}:{proxy}", HOST, target)
    assert refused.wait() == 1 and " 407 " in refused.err()


def test_http_connect_with_digest_authentication(lab):
    proxy = ncat_proxy(lab, "--proxy-auth", "joe:secret")
    args = ["--proxy", f"{HOST}:{proxy}", "--proxy-auth", "joe:secret", HOST, echo_peer(lab)]
    assert_echo(lab, args)


def test_a_chain_of_three_proxies(lab):
    chain = []
    for url in (f"socks5://{HOST}:{microsocks(lab)}", f"http://{HOST}:{tinyproxy(lab)}",
                f"socks5h://{HOST}:{microsocks(lab)}"):
        chain += ["--proxy", url]
    assert_echo(lab, [*chain, HOST, echo_peer(lab)])


def test_a_big_transfer_through_a_proxy_is_whole(lab):
    data = os.urandom(3 << 20)
    assert_echo(lab, ["-x", f"{HOST}:{microsocks(lab)}", HOST, echo_peer(lab)], data=data)


def test_all_proxy_and_no_proxy_are_heeded(lab):
    target = echo_peer(lab)
    dead = lab.port()
    env = {**os.environ, "ALL_PROXY": f"socks5h://{HOST}:{microsocks(lab)}"}
    assert_echo(lab, [HOST, target], env=env)
    env["ALL_PROXY"] = f"socks5h://{HOST}:{dead}"
    done = lab.run("hnc", HOST, target, env=env)
    assert done.wait() == 1 and str(dead) in done.err()
    assert_echo(lab, ["--proxy", "none", HOST, target], env=env)
    env["NO_PROXY"] = "example.com,127.0.0.0/8"
    assert_echo(lab, [HOST, target], env=env)


@pytest.mark.parametrize(
    "how, asked",
    [
        ("remote", b"CONNECT localhost:9 "),
        ("local", f"CONNECT {HOST}:9 ".encode()),
        ("both", f"CONNECT {HOST}:9 ".encode()),
    ],
)
def test_proxy_dns_says_who_looks_the_name_up(lab, how, asked):
    proxy = Scripted(b"HTTP/1.1 200 OK\r\n\r\n")
    args = ["-4", "--proxy", f"{HOST}:{proxy.port}", f"--proxy-dns={how}", "localhost", 9]
    assert lab.run("hnc", *args).wait() == 0
    assert proxy.read.startswith(asked)


def test_proxy_dns_both_leaves_an_unknown_name_to_the_proxy(lab):
    proxy = Scripted(b"HTTP/1.1 200 OK\r\n\r\n")
    name = "not..a.name"
    args = ["--proxy", f"{HOST}:{proxy.port}", "--proxy-dns=both", name, 9]
    assert lab.run("hnc", *args).wait() == 0
    assert proxy.read.startswith(f"CONNECT {name}:9 ".encode())
    local = lab.run("hnc", "--proxy", f"{HOST}:{proxy.port}", "--proxy-dns=local", name, 9)
    assert local.wait() == 1 and name in local.err()


def test_proxy_dns_none_takes_addresses_only(lab):
    proxy = Scripted(b"HTTP/1.1 200 OK\r\n\r\n")
    args = ["--proxy", f"{HOST}:{proxy.port}", "--proxy-dns=none"]
    refused = lab.run("hnc", *args, "localhost", 9)
    assert refused.wait() == 2 and "localhost" in refused.err()
    assert lab.run("hnc", *args, HOST, 9).wait() == 0


@pytest.mark.parametrize(
    "answer, named",
    [
        (b"", "closed"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
        (b"HTTP/1.1 200", "closed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ""),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200000, ""),
        (b"HTTP/1.1 502 \xc2\x9b2Jbad\r\n\r\n", "502"),
        (b"\x00" * 64, ""),
    ],
    ids=["nothing", "forbidden", "half a line", "ssh", "a megabyte", "control characters", "NUL"],
)
def test_nonsense_of_an_http_proxy_is_told_in_one_line(lab, answer, named):
    proxy = Scripted(answer)
    done = lab.run("hnc", "--proxy", f"{HOST}:{proxy.port}", HOST, 9)
    assert done.wait() == 1
    assert f"proxy {HOST}:{proxy.port}" in done.err() and named in done.err()
    assert len(done.err().splitlines()) == 1 and "\x9b" not in done.err()


@pytest.mark.parametrize("answer", [b"", b"\x05", b"\x05\xff", b"\x04\x00", b"HTTP/1.1 400 Bad\r\n\r\n"])
def test_nonsense_of_a_socks_proxy_is_told_in_one_line(lab, answer):
    proxy = Scripted(answer)
    done = lab.run("hnc", "-x", f"{HOST}:{proxy.port}", HOST, 9)
    assert done.wait() == 1
    assert f"proxy {HOST}:{proxy.port}" in done.err()
    assert len(done.err().splitlines()) == 1


def test_a_proxy_that_promises_to_stay_and_leaves_is_asked_on_a_new_connection(lab):
    proxy = Scripted(
        b'HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    )
    done = lab.run("hnc", "--proxy", f"joe:secret@{HOST}:{proxy.port}", HOST, 9)
    assert done.wait() == 1 and " 407 " in done.err()
    assert proxy.read.count(b"CONNECT") == 2 and b"Basic am9lOnNlY3JldA==" in proxy.read


def test_what_the_target_says_right_behind_the_answer_is_not_lost(lab):
    proxy = Scripted(b"HTTP/1.1 200 OK\r\n\r\nbanner\n")
    done = lab.run("hnc", "--proxy", f"{HOST}:{proxy.port}", HOST, 9)
    assert done.wait() == 0 and done.out() == b"banner\n"
    wait_until(lambda: proxy.read, "the request")
    assert proxy.read.startswith(f"CONNECT {HOST}:9 HTTP/1.".encode())
    proxy = Scripted(b"\x05\x00" + b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x09" + b"banner\n")
    done = lab.run("hnc", "-x", f"{HOST}:{proxy.port}", HOST, 9)
    assert done.wait() == 0 and done.out() == b"banner\n"


@pytest.mark.parametrize(
    "args",
    [
        ["-x", "nonsense://h:1"],
        ["-x", "h:70000"],
        ["-x", ""],
        ["-X", "7", "-x", "h:1"],
        ["-u", "-x", "h:1"],
        [a for _ in range(9) for a in ("-x", "h:1")],
    ],
)
def test_a_bad_proxy_is_refused(lab, args):
    done = lab.run("hnc", *args, HOST, 9)
    assert done.wait() == 2 and len(done.err().splitlines()) == 1


@pytest.mark.parametrize("option", ["-X", "--proxy-type"])
def test_an_unknown_kind_is_refused_even_without_a_proxy(lab, option):
    done = lab.run("hnc", option, "ftp", HOST, 9)
    assert done.wait() == 2 and done.err().startswith('hnc: unknown kind of proxy: "ftp"')


@pytest.mark.parametrize("fdpass", ["no", "yes"])
def test_ssh_goes_through_hnc_as_its_proxy_command(lab, fdpass):
    lab.program("ssh")
    port, options = sshd(lab)
    flag = "-F " if fdpass == "yes" else ""
    command = f"{lab.program('hnc')} {flag}-X 5 -x {HOST}:{microsocks(lab)} %h %p"
    done = lab.run(
        "ssh", *options, "-o", f"ProxyCommand={command}", "-o", f"ProxyUseFdpass={fdpass}",
        "-p", port, HOST, "cat", data=b"through two programs\n",
    )
    assert done.wait() == 0 and done.out() == b"through two programs\n", done
