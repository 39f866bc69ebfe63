# One thread.
"""hnmap -sV and --banner: what answers on open ports, by servers of Debian, by ours, by some that only say
their lines, and by those that mean no good."""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from conftest import wait_until
from hnmap_services import answers, is_tls, read, says, scan, script, serve, service, tls, tls_files  # noqa: F401
from pki import Pki


# ---- what answers --------------------------------------------------------------------------------

LINES = [
    (says(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
     ("ssh", "OpenSSH", "9.2p1 Debian 2+deb12u3", "protocol 2.0")),
    (says(b"220 (vsFTPd 3.0.3)\r\n"), ("ftp", "vsftpd", "3.0.3", None)),
    (says(b"220 mx.example ESMTP Postfix\r\n"), ("smtp", "Postfix smtpd", None, None)),
    (says(b"+OK Dovecot ready.\r\n"), ("pop3", "Dovecot pop3d", None, None)),
    (says(b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n"), ("imap", "Dovecot imapd", None, None)),
    (says(b"RFB 003.008\n"), ("vnc", "VNC", None, "protocol 3.8")),
    (says(b"\x5b\0\0\0\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0" + b"x" * 57),
     ("mysql", "MariaDB", "10.11.6-MariaDB-0+deb12u1", None)),
    (answers(b"version\r\n", b"VERSION 1.6.18\r\n"), ("memcached", "Memcached", "1.6.18", None)),
    (answers(b"INFO server\r\n", b"-NOAUTH Authentication required.\r\n"),
     ("redis", "Redis key-value store", None, "authentication required")),
    (answers(b"\x10", b" \x02\0\0" b"\x30\x2d\0\x13$SYS/broker/versionmosquitto version 2.0.11"),
     ("mqtt", "Mosquitto", "2.0.11", None)),
    (answers(b"\0\0\0\x29\0\x03", b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
     ("postgresql", "PostgreSQL DB", None, None)),
    (answers(b"\x03\0\0\x13\x0e\xe0", b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x0f\x08\0\x02\0\0\0"),
     ("ms-wbt-server", None, None, "CredSSP")),
    (answers(b"GET /", b"HTTP/1.1 200 OK\r\nServer: Mystery/2.1\r\n\r\n"), ("http", "Mystery", "2.1", None)),
]


def test_services_are_named_in_one_or_two_waits(lab, serve):
    servers = [serve(talk) for talk, _ in LINES]

    def seconds():
        begin = time.monotonic()
        found = scan(lab, servers)
        elapsed = time.monotonic() - begin
        for server, (_, expected) in zip(servers, LINES):
            assert service(found[server.port]) == expected
        return elapsed

    # One by one it would be a wait for each of them.
    wait_until(lambda: seconds() < 15, "an end in time, unless this machine is busy")


def test_versions_go_on_a_table_with_the_machine_below(lab, serve):
    server = serve(says(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"))
    text = lab.run("hnmap", "-Pn", "-n", "-sTV", f"-p{server.port}", "127.0.0.1").out().decode()
    assert "PORT      STATE SERVICE VERSION\n" in text
    assert f"{server.port}/tcp open  ssh     OpenSSH 9.2p1 Debian 2+deb12u3 (protocol 2.0)\n" in text
    assert "\nService Info: OS: Linux; CPE: cpe:/o:linux:linux_kernel\n" in text


def test_json_and_cpe(lab, serve):
    server = serve(says(b"SSH-2.0-OpenSSH_9.6\r\n"))
    out = lab.run("hnmap", "-Pn", "-n", "-sT", "-sV", f"-p{server.port}", "--json", "-", "127.0.0.1").out()
    assert b"cpe:/a:openbsd:openssh:9.6" in out
    assert all(json.loads(line) for line in out.splitlines())


def test_tls_and_what_is_within(lab, serve, tls):
    web = serve(answers(b"GET /", b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n"), tls=tls)
    mail = serve(says(b"220 mx.example ESMTP Postfix\r\n", b"502 5.5.2 Error\r\n"), tls=tls)
    silent = serve(lambda server, sock: sock.recv(1), tls=tls)
    found = scan(lab, [web, mail, silent], "--version-intensity", "2")
    assert service(found[web.port])[:3] == ("http", "nginx", "1.22.1") and is_tls(found[web.port])
    assert service(found[mail.port])[:2] == ("smtp", "Postfix smtpd") and is_tls(found[mail.port])
    assert is_tls(found[silent.port])
    for server in (web, mail, silent):
        told = script(found[server.port], "tls")
        assert "TLSv1.3" in told and "CN=test.example" in told and "www.example" in told
        assert "valid until 20" in told


def test_a_server_of_one_connection_at_a_time(lab, serve):
    server = serve(answers(b"GET /", b"HTTP/1.1 200 OK\r\nServer: Mystery/2.1\r\n\r\n"), one_by_one=True)
    assert service(scan(lab, [server])[server.port])[:3] == ("http", "Mystery", "2.1")


def test_ipv6_and_names(lab, serve):
    server = serve(answers(b"GET /", b"HTTP/1.1 200 OK\r\nServer: Mystery/2.1\r\n\r\n"), host="::1")
    assert service(scan(lab, [server], "-6", host="::1")[server.port])[1] == "Mystery"
    assert any(b"\r\nHost: [::1]\r\n" in heard for heard in server.heard)


def test_http_without_a_name_is_asked_again(lab, serve):
    def talk(server, sock):
        path = sock.recv(4096).split(b" ")[1:2]
        body = b'{"etcdserver":"3.5.9","etcdcluster":"3.5.0"}' if path == [b"/version"] else b"404\n"
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                     % len(body) + body)

    server = serve(talk)
    assert service(scan(lab, [server])[server.port])[:3] == ("http", "etcd", "3.5.9")


def test_intensity(lab, serve):
    talk = answers(b"version\r\n", b"VERSION 1.6.18\r\n")
    servers = [serve(talk) for _ in range(3)]
    assert service(scan(lab, servers[:1], "--version-light")[servers[0].port])[0] != "memcached"
    assert service(scan(lab, servers[1:2], "--version-intensity", "4")[servers[1].port])[0] == "memcached"
    assert service(scan(lab, servers[2:], "--version-all")[servers[2].port])[0] == "memcached"
    assert all(not heard.startswith(b"version") for heard in servers[0].heard)


# ---- banners -------------------------------------------------------------------------------------


def test_banner_alone_says_nothing(lab, serve):
    speaker, listener = serve(says(b"hello \x1b[2J\xff\r\nmore\r\n")), serve(says())
    process = lab.run("hnmap", "-Pn", "-n", "-sT", "--banner", f"-p{speaker.port},{listener.port}",
                      "-oX", "-", "127.0.0.1")
    found = read(process.out())
    assert script(found[speaker.port], "banner").startswith("hello \\x1b[2J\\xff\\r\\nmore")
    assert script(found[listener.port], "banner") is None
    assert speaker.heard == [] and listener.heard == []


def test_banner_beside_versions(lab, serve):
    server = serve(says(b"SSH-2.0-OpenSSH_9.6\r\n"))
    found = scan(lab, [server], "--banner")
    assert service(found[server.port])[0] == "ssh"
    assert script(found[server.port], "banner") == "SSH-2.0-OpenSSH_9.6"


# ---- those who mean no good ----------------------------------------------------------------------


def endless(server, sock):
    while True:
        sock.sendall(b"x" * 65536)


def slow(server, sock):
    while not server.ending.is_set():
        sock.sendall(b"y")
        if server.ending.wait(1):
            return


def garbage(server, sock):
    sock.sendall(os.urandom(3000))


def resets(server, sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_hostile_servers(lab, serve):
    servers = [serve(t) for t in (endless, slow, garbage, resets, lambda server, sock: None, says())]
    good = serve(says(b"SSH-2.0-OpenSSH_9.6\r\n"))
    found = scan(lab, [*servers, good])
    assert service(found[good.port])[0] == "ssh"
    for server in servers:
        assert found[server.port].find("state").get("state") == "open"


def test_tcpwrapped(lab, serve):
    """Who ends a connection within the half second that is listened for; where the machine is so slow that it
    takes longer, it is tried again."""
    for talk in (resets, lambda server, sock: None):
        server = serve(talk)
        names = (service(scan(lab, [server], "--version-light")[server.port])[0] for _ in range(5))
        assert "tcpwrapped" in names


def test_a_huge_certificate(lab, serve, tmp_path):
    names = ",".join(f"DNS:host-number-{i}.a-rather-long-domain.example" for i in range(1500))
    cert, key = Pki(tmp_path).issue("huge.example", names=names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = serve(answers(b"GET /", b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n"), tls=context)
    found = scan(lab, [server])
    assert service(found[server.port])[:2] == ("http", "nginx") and is_tls(found[server.port])
    assert len(script(found[server.port], "tls")) < 2000


def test_what_is_not_known_keeps_its_usual_name_with_a_mark(lab, serve):
    server = serve(says(), port=0)
    text = lab.run("hnmap", "-Pn", "-n", "-sT", "-sV", "--version-light", f"-p{server.port}",
                   "127.0.0.1").out().decode()
    assert f"{server.port}/tcp open  unknown" in text


def test_printers_are_left_alone(lab, serve):
    for port in range(9100, 9108):
        with contextlib.suppress(OSError):
            server = serve(says(), port=port)
            break
    else:
        pytest.skip("all ports of printers are taken")
    scan(lab, [server])
    assert server.heard == [] and server.count <= 1


# ---- ends ----------------------------------------------------------------------------------------


def test_ctrl_c_reports_what_was_found(lab, serve):
    known, silent = serve(says(b"SSH-2.0-OpenSSH_9.6\r\n")), serve(says())
    process = lab.spawn("hnmap", "-Pn", "-n", "-sT", "-sV", f"-p{known.port},{silent.port}",
                        "-oX", "-", "127.0.0.1")
    # What the known one has said is taken when the connection that was made for it has ended, the second.
    wait_until(lambda: silent.heard and known.ended > 1, "a probe")
    process.signal(signal.SIGINT)
    assert process.wait() == 130
    found = read(process.out())
    assert service(found[known.port])[0] == "ssh"
    assert found[silent.port].find("state").get("state") == "open"


def test_host_timeout(lab, serve):
    server = serve(says())
    args = ["-Pn", "-n", "-sT", "-sV", "--host-timeout", "600ms", f"-p{server.port}"]
    process = lab.run("hnmap", *args, "127.0.0.1")
    assert process.popen.returncode == 0
    assert b"due to host timeout" in process.out()
    assert read(lab.run("hnmap", *args, "-oX", "-", "127.0.0.1").out()) == {}


def test_few_descriptors(lab, serve):
    servers = [serve(says(b"SSH-2.0-OpenSSH_9.6\r\n")) for _ in range(24)]
    ports = ",".join(str(s.port) for s in servers)
    process = lab.run("sh", "-c", f"ulimit -n 40; exec {lab.program('hnmap')} -Pn -n -sT -sV -p{ports} -oX - 127.0.0.1")
    found = read(process.out())
    assert [service(found[s.port])[0] for s in servers] == ["ssh"] * len(servers)


# ---- real servers --------------------------------------------------------------------------------


def test_beside_nmap(lab, tls_files, tmp_path):
    """nginx with and without TLS, sshd and Python's server: the same names and products as nmap's."""
    if not all(shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin") for p in ("nmap", "nginx", "sshd")):
        pytest.skip("nmap, nginx or sshd is missing")
    plain, secure, ssh, web = (lab.port() for _ in range(4))
    temp = "".join(f"{k}_temp_path {tmp_path}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error; events {{}}\n"
        f"http {{ access_log off; {temp} server {{ listen 127.0.0.1:{plain}; }}\n"
        f"server {{ listen 127.0.0.1:{secure} ssl; ssl_certificate {tls_files[0]};"
        f" ssl_certificate_key {tls_files[1]}; }} }}\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "host"], check=True, timeout=100)
    lab.spawn("/usr/sbin/nginx", "-e", f"{tmp_path}/error", "-c", f"{tmp_path}/nginx.conf")
    lab.spawn("/usr/sbin/sshd", "-D", "-p", str(ssh), "-o", "ListenAddress=127.0.0.1", "-h", str(tmp_path / "host"),
              "-o", "PidFile=none", "-f", "/dev/null")
    lab.spawn("python3", "-m", "http.server", str(web), "--bind", "127.0.0.1")
    ports = [plain, secure, ssh, web]
    for port in ports:
        lab.wait_bound(port)
    text = ",".join(map(str, ports))
    args = ["-Pn", "-n", "-sT", "-sV", f"-p{text}", "-oX", "-", "127.0.0.1"]
    ours, theirs = (read(lab.run(name, *args).out()) for name in ("hnmap", "nmap"))
    for port in ports:
        assert service(ours[port]) == service(theirs[port])
        assert is_tls(ours[port]) == is_tls(theirs[port])
        assert [c.text for c in ours[port].iter("cpe")] == [c.text for c in theirs[port].iter("cpe")]


def test_our_own_servers(lab, tls_files):
    hhttpd, ssl_hnc = lab.port(), lab.port()
    folder = lab.path("site")
    os.mkdir(folder)
    lab.spawn("hhttpd", "-p", str(hhttpd), str(folder))
    lab.wait_bound(hhttpd)
    lab.spawn("hnc", "-lk", "--ssl", "--ssl-cert", tls_files[0], "--ssl-key", tls_files[1], "-e", "/bin/cat",
              "127.0.0.1", str(ssl_hnc))
    lab.wait_bound(ssl_hnc)
    found = scan(lab, [hhttpd, ssl_hnc])
    assert service(found[hhttpd])[0] == "http"
    assert service(found[ssl_hnc])[0] == "echo" and is_tls(found[ssl_hnc])
