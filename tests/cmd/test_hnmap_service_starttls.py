# One thread.
"""hnmap -sV on protocols that go over to TLS when they are asked to: its details are told as for a TLS port."""

import json

from hnmap_services import is_tls, scan, script, serve, service, tls, tls_files  # noqa: F401

MYSQL = (b"\x5b\0\0\0\x0a8.0.36\0" + b"\x01\0\0\0" + b"saltsalt\0" + b"\xff\xff\xff\x02\0\xff\xc7\x15"
         + b"\0" * 10 + b"moresaltmore\0mysql_native\0")
FEATURES = (b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream="
            b"'http://etherx.jabber.org/streams' version='1.0'><stream:features>"
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>")

# A service: what it says first, what is asked of it, and what it says to that. None: TLS begins.
DIALOGUES = {
    "smtp": [b"220-mx.example\r\n220 mx.example ESMTP Postfix\r\n", (b"EHLO ", b"250-mx.example\r\n250 STARTTLS\r\n"),
             (b"STARTTLS\r\n", b"220 go\r\n"), None],
    "imap": [b"* OK IMAP4rev1 Dovecot ready.\r\n", (b"a STARTTLS\r\n", b"* 1 EXISTS\r\na OK begin\r\n"), None],
    "pop3": [b"+OK Dovecot ready.\r\n", (b"STLS\r\n", b"+OK begin\r\n"), None],
    "ftp": [b"220 (vsFTPd 3.0.3)\r\n", (b"AUTH TLS\r\n", b"234 go\r\n"), None],
    "ldap": [b"", (b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
                   b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0"), None],
    "postgresql": [b"", (b"\0\0\0\x08\x04\xd2\x16\x2f", b"S"), None],
    "mysql": [MYSQL, (b"\x20\0\0\x01\x05\x8a\0\0\0\0\0\x01\x21" + b"\0" * 23, b""), None],
    "xmpp": [b"", (b"<?xml", FEATURES), (b"<starttls ", b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), None],
}
# To what is asked in the open, of those that do not speak first.
OPEN = {
    "ldap": (b"0j\x02\x01\x01c", b"0\x0c\x02\x01\x01e\x07\x0a\x01\x20\x04\0\x04\0"),
    "postgresql": (b"\0\0\0\x29\0\x03", b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
}


def speaks(name, context):
    def talk(server, sock):
        greeting, *steps = DIALOGUES[name]
        sock.sendall(greeting)
        for step in steps:
            if step is None:
                context.wrap_socket(sock, server_side=True).recv(1)
                server.heard.append(b"TLS")
                return
            data = sock.recv(len(step[0]) if name == "mysql" else 4096)  # there TLS follows at once
            question, answer = OPEN.get(name, step)
            if name in OPEN and data.startswith(question):
                sock.sendall(answer)
                return
            if not data.startswith(step[0]):
                return
            sock.sendall(step[1])

    return talk


def read_text(lab, name):
    with open(lab.path(name), encoding="utf-8") as file:
        return file.read()


def test_all_of_them(lab, serve, tls):  # noqa: F811
    servers = {name: serve(speaks(name, tls)) for name in DIALOGUES}
    found = scan(lab, servers.values())
    for name, server in servers.items():
        port = found[server.port]
        assert service(port)[0] == name
        assert not is_tls(port)  # the service itself was spoken to in the open
        told = script(port, "tls") or ""
        assert told.startswith("STARTTLS, TLSv1.3, "), name
        assert "CN=test.example" in told and "valid until 20" in told and "www.example" in told


def test_in_every_report(lab, serve, tls):  # noqa: F811
    server = serve(speaks("smtp", tls))
    args = ["hnmap", "-Pn", "-n", "-sT", "-sV", f"-p{server.port}", "127.0.0.1"]
    text = lab.run(*args, "--csv", lab.path("csv"), "--html", lab.path("html"), "--json",
                   lab.path("json")).out().decode()
    assert "| tls: STARTTLS, TLSv1.3" in text or "|_tls: STARTTLS, TLSv1.3" in text
    csv = read_text(lab, "csv")
    assert csv.splitlines()[0].endswith(",tls_details")
    assert "STARTTLS, TLSv1.3" in csv and "CN=test.example" in csv
    assert "STARTTLS, TLSv1.3" in read_text(lab, "html")
    objects = [json.loads(line) for line in read_text(lab, "json").splitlines()]
    ports = [p for o in objects for p in o.get("ports", [])]
    assert any(p.get("tls_details", "").startswith("STARTTLS, TLSv1.3") for p in ports)


def test_who_refuses(lab, serve):  # noqa: F811
    def talk(server, sock):
        sock.sendall(b"220 mx.example ESMTP Postfix\r\n")
        while data := sock.recv(4096):
            server.heard.append(data)
            sock.sendall(b"250 mx.example\r\n" if data.startswith(b"EHLO") else b"502 no\r\n")

    server = serve(talk)
    found = scan(lab, [server])
    assert service(found[server.port])[:2] == ("smtp", "Postfix smtpd")
    assert script(found[server.port], "tls") is None
    assert b"STARTTLS\r\n" in server.heard


def test_who_breaks_off(lab, serve):  # noqa: F811
    def talk(server, sock):
        sock.sendall(b"220 mx.example ESMTP Postfix\r\n")
        while data := sock.recv(4096):
            sock.sendall(b"250 mx.example\r\n" if data.startswith(b"EHLO") else b"220 go\r\n")
            if data.startswith(b"STARTTLS"):
                sock.sendall(b"this is no TLS\r\n" * 100)
                return

    server = serve(talk)
    found = scan(lab, [server])
    assert service(found[server.port])[:2] == ("smtp", "Postfix smtpd")
    assert script(found[server.port], "tls") is None
