# One thread.
"""hchat as people use it: with sockets, nc, ncat, socat, telnet and openssl s_client; rooms, names,
history, who is there; and how the server is started, told things and stopped."""

import json
import re
import signal
import socket
import subprocess

import pytest

from conftest import BIN, TIMEOUT, wait_until
from hchat_lab import hchat  # noqa: F401 (a fixture)
from pki import Pki

SANITIZED = "address" in str(BIN) or "thread" in str(BIN)

# ---- people and rooms --------------------------------------------------------------------------


def test_people_hear_each_other_and_not_themselves(hchat):
    server = hchat("0")
    bob, alice = server.join("bob"), server.join("alice")
    bob.hears("* guest2 has joined lobby\n", "* guest2 is now alice\n")
    bob.say("hello")
    assert alice.hears("hello\n") == b"<bob> hello\n"
    alice.say("hi", "/me waves")
    assert bob.hears("*waves*\n") == b"<alice> hi\n<alice> *waves*\n"
    assert alice.hears("*waves*\n") == b"<alice> *waves*\n"


def test_a_newcomer_is_greeted_and_shown_what_was_said(hchat):
    server = hchat("0", "--history", "3")
    bob = server.join("bob")
    bob.say("one", "two", "/me sings", "four", "/topic cats", "/help")
    bob.hears('says "/text"')
    alice = server.connect()
    greeting = alice.hears("* the topic: cats\n").decode()
    stamp = r"\[\d\d:\d\d\] "
    assert re.fullmatch(r"\* welcome to hchat: /help tells what there is\n"
                        rf"{stamp}<bob> two\n{stamp}<bob> \*sings\*\n{stamp}<bob> four\n"
                        r"\* you are guest2 in lobby, with bob\n\* the topic: cats\n", greeting)


def test_rooms_are_apart(hchat):
    server = hchat("0", "--room", "Foyer")
    bob, alice = server.join("bob"), server.join("alice")
    bob.say("/join kitchen")
    bob.hears("* you are bob in kitchen, alone\n")
    alice.hears("* bob has left Foyer\n")
    alice.say("anybody?", "/rooms")
    alice.hears("* Foyer: 1\n* kitchen: 1\n")
    alice.say("/join KITCHEN")
    alice.hears("* you are alice in kitchen, with bob\n")
    assert bob.hears("alice has joined kitchen\n") == b"* alice has joined kitchen\n"
    bob.say("/who", "/who foyer", "/leave", "/leave")
    bob.hears("* in kitchen (2): bob, alice\n", "* nobody is there\n", "<alice> anybody?\n",
              "* you are bob in Foyer, alone\n", "* you are there\n")


def test_names_are_unique_and_harmless(hchat):
    server = hchat("0")
    bob, alice = server.join("Zoë"), server.join("alice")
    alice.say("/nick ZOë", "/nick two words", "/nick a*b", "/nick", "/nick bob\u202e", "/nick Ольга")
    alice.hears("* somebody else is called so\n", "* that is no name: letters, digits", "* that is no name",
                "* how it is used: /nick NAME\n", "* that is no name", "* alice is now Ольга\n")
    bob.hears("* alice is now Ольга\n")


def test_nobody_is_called_what_looks_like_another_name(hchat):
    server = hchat("0")
    bob, alice = server.join("Zoë"), server.join("alice")
    bob.say("/nick \u0430lice", "/nick \u0391lice", "/nick ZOË", "/nick Zo\u0451")  # in Cyrillic, in Greek
    bob.hears("somebody else has a name that looks like that\n", "looks like that\n",
              "* Zoë is now ZOË\n", "* ZOË is now Zo\u0451\n")
    alice.hears("is now Zo\u0451\n")


def test_a_name_is_one_word(hchat):
    server = hchat("0")
    alice = server.join("alice")
    alice.say("/nick bob jones", "/join cats and dogs", "/who")
    alice.hears("* that is no name: ", "* that is no name: ", "* in lobby (1): alice\n")


def test_a_message_is_for_one(hchat):
    server = hchat("0", "-vv")
    bob, alice, eve = server.join("bob"), server.join("alice"), server.join("eve")
    bob.say("/msg ALICE psst", "/msg nobody hm", "/msg alice", "/msg", "end")
    bob.hears("* nobody is called so\n", "* how it is used: /msg NAME TEXT\n", "* how it is used: /msg")
    assert b"<bob -> alice> psst\n<bob> end\n" in alice.hears("end\n")
    assert b"psst" not in eve.hears("<bob> end\n")
    assert "psst" not in server.process.err()


def test_slashes(hchat):
    server = hchat("0")
    bob, alice = server.join("bob"), server.join("alice")
    bob.say("//join is how", "/dance \x1b[31m", "/foo\x1b[31m x", "")
    alice.hears("<bob> /join is how\n")
    bob.hears("* there is no command /dance: /help tells which\n", "no command /foo\\x1b[31m: ")


def test_who_leaves_says_why(hchat):
    server = hchat("0")
    bob, alice, eve = server.join("bob"), server.join("alice"), server.join("eve")
    alice.say("/quit good night")
    assert alice.hears_end().endswith(b"* good bye\n")
    bob.hears("* alice has left lobby (good night)\n")
    eve.close()
    bob.hears("* eve has left lobby")


def test_time_stamps(hchat):
    server = hchat("0", "--timestamps")
    bob, alice = server.join("bob"), server.join("alice")
    bob.say("hello")
    assert re.search(rb"\n\[\d\d:\d\d\] <bob> hello\n$", b"\n" + alice.hears("hello\n"))


def test_the_message_of_the_day_is_read_again(hchat, lab):
    motd = lab.folder / "motd"
    motd.write_bytes(b"Be nice\r\n\x1b[5mblink\n")
    server = hchat("0", "--motd", motd)
    server.connect().hears("* Be nice\n* \\x1b[5mblink\n* you are guest1")
    motd.write_bytes(b"Be kind")
    server.process.signal(signal.SIGHUP)
    server.process.wait_err("reloaded")
    server.connect().hears("* Be kind\n* you are guest2")
    motd.unlink()
    server.process.signal(signal.SIGHUP)
    server.process.wait_err(f"cannot read {motd}: No such file or directory; the old one stays\n")
    server.connect().hears("* Be kind\n")
    assert server.process.err().count("reloaded") == 1, "the first time"


def test_a_crowd_in_one_room(hchat):
    """Each hears what each other one says, in the same order."""
    server, n = hchat("0", "--history", "0"), 100
    people = [server.join() for _ in range(n)]
    for i, person in enumerate(people):
        person.say(f"line {i}.")
    heard = []
    for i, person in enumerate(people):
        wanted = {f"<guest{k + 1}> line {k}." for k in range(n) if k != i}
        while len(wanted.intersection(person.heard.decode().splitlines())) < n - 1:
            person.heard += person.sock.recv(65536)
        heard.append([line for line in person.heard.decode().splitlines() if line in wanted])
    assert all(len(lines) == n - 1 for lines in heard)
    order = heard[0]
    for i, lines in enumerate(heard[1:], 1):
        assert [x for x in lines if x in order] == [x for x in order if x in lines]
    assert server.stop()["lines"] == n


def test_several_end_points_are_one_house(hchat, lab):
    path = lab.path("chat.sock")
    server = hchat("0", f"unix:{path}", listeners=2)
    bob, alice = server.join("bob"), server.join("alice", index=1)
    alice.say("from near")
    bob.hears("<alice> from near\n")


# ---- the clients that people have ------------------------------------------------------------------


@pytest.mark.parametrize("client", [
    ["nc", "-N", "127.0.0.1", "PORT"],
    ["nc", "-q", "1", "127.0.0.1", "PORT"],
    ["ncat", "127.0.0.1", "PORT"],
    ["socat", "-", "TCP:127.0.0.1:PORT"],
    ["hnc", "-N", "127.0.0.1", "PORT"],
], ids=lambda c: " ".join(c[:2]))
def test_a_pipe_into_a_plain_client(hchat, lab, client):
    """All its lines are said, the last one needs no end, and its answers come."""
    server = hchat("0")
    bob = server.join("bob")
    argv = [word.replace("PORT", str(server.port)) for word in client]
    process = lab.spawn(*argv, stdin=subprocess.PIPE)
    process.send(b"/nick piper\nhello\r\n/who\nbye")
    process.wait_out(b"* in lobby (2): bob, piper\n")  # some of them do not wait for long when their input has ended
    process.end_input()
    process.wait()
    bob.hears("<piper> hello\n<piper> bye\n* piper has left lobby")


def test_nc_at_a_terminal(hchat, lab):
    terminal = pytest.importorskip("terminal")
    server = hchat("0")
    bob = server.join("bob")
    screen = terminal.Terminal([lab.program("nc"), "127.0.0.1", server.port])
    try:
        screen.wait(lambda: "* you are guest2 in lobby, with bob" in screen.lines(), "the greeting")
        screen.type("hello from nc\n")
        bob.hears("<guest2> hello from nc\n")
        bob.say("hello to nc")
        screen.wait(lambda: screen.last() == "<bob> hello to nc", "what bob says")
        screen.type(terminal.CTRL_C)
        bob.hears("* guest2 has left lobby")
    finally:
        screen.close()


def test_telnet_at_a_terminal(hchat, lab):
    terminal = pytest.importorskip("terminal")
    server = hchat("0")
    bob = server.join("bob")
    screen = terminal.Terminal([lab.program("telnet"), "127.0.0.1", server.port])
    try:
        screen.wait(lambda: "* you are guest2 in lobby, with bob" in screen.lines(), "the greeting")
        screen.type("/nick tel\n")
        bob.hears("* guest2 is now tel\n")
        screen.type("hello from telnet\n")
        assert bob.hears("telnet\n") == b"<tel> hello from telnet\n"
        bob.say("hello to telnet")
        screen.wait(lambda: screen.last() == "<bob> hello to telnet", "what bob says")
        screen.type("\x1d")
        screen.wait(lambda: "telnet>" in screen.last(), "telnet's own prompt")
        screen.type("send ayt\nmode char\n")
        screen.wait(lambda: not screen.last().startswith("telnet>"), "telnet goes on")
        screen.type("x\n")
        bob.hears("<tel> x\n")
    finally:
        screen.close()


def test_nc_telnet_and_its_own_client_talk_at_terminals(hchat, lab):
    terminal = pytest.importorskip("terminal")
    server = hchat("0")
    screens = {}
    try:
        for name in ("nc", "telnet", "hchat"):
            words = [lab.program(name), "127.0.0.1", server.port]
            screens[name] = screen = terminal.Terminal(words, XDG_STATE_HOME=lab.path("state"))
            screen.wait(lambda: any(line.startswith("* you are ") for line in screen.lines()), "the greeting")
            screen.type(f"/nick {name}-user\n")
            screen.wait(lambda: f"{name}-user" in screen.last(), "the name is taken")
        for name, screen in screens.items():
            screen.type(f"hello from {name}\n")
            for other in screens.keys() - {name}:
                said = f"<{name}-user> hello from {name}"
                screens[other].wait(lambda: said in screens[other].lines(), f"{name} at {other}")
        screens["hchat"].type("/quit off\n")
        assert screens["hchat"].wait_exit() == 0 and screens["hchat"].is_restored()
        screens["nc"].wait(lambda: screens["nc"].last() == "* hchat-user has left lobby (off)", "who has left")
    finally:
        for screen in screens.values():
            screen.close()


def test_telnet_commands_are_taken_out_and_refused(hchat):
    server = hchat("0")
    bob, tel = server.join("bob"), server.join("tel")
    tel.send(b"a\xff\xfd\x01b\xff\xfa\x18\x00xterm\xff\xf0c\xff\xf1d\r\0e\r\n")
    tel.hears(b"\xff\xfc\x01")
    bob.hears("<tel> abcd\n<tel> e\n")


def test_openssl_s_client(hchat, lab):
    server = hchat("tls://127.0.0.1:0", "0", "--tls-self-signed", listeners=2)
    bob = server.join("bob", index=1)
    client = lab.spawn("openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{server.port}",
                       stdin=subprocess.PIPE)
    client.wait_out(b"* you are guest2 in lobby, with bob\n")
    client.send(b"hello through TLS\n")
    bob.hears("<guest2> hello through TLS\n")
    bob.say("/msg guest2 safe")
    client.wait_out(b"<bob -> guest2> safe\n")
    client.send(b"/quit\n")
    client.wait_out(b"* good bye\n")
    assert client.wait() == 0


def test_certificates_are_read_again(hchat, lab):
    pki = Pki(lab.folder)
    cert, key = lab.path("cert.pem"), lab.path("key.pem")
    first, second = pki.issue("first"), pki.issue("second")

    def use(pair):
        for source, target in zip(pair, (cert, key)):
            with open(source, "rb") as a, open(target, "wb") as b:
                b.write(a.read())

    def subject():
        done = subprocess.run([lab.program("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
        return re.search(rb"subject=.*?CN *= *(\w+)", done.stdout)[1]

    use(first)
    server = hchat("tls://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
    assert subject() == b"first"
    use(second)
    server.process.signal(signal.SIGHUP)
    server.process.wait_err("hchat: reloaded\n")
    assert subject() == b"second"
    with open(cert, "wb") as f:
        f.write(b"rubbish")
    server.process.signal(signal.SIGHUP)
    server.process.wait_err("the old certificate stays")
    assert subject() == b"second"


# ---- who may come ------------------------------------------------------------------------------


def test_a_password_is_asked_for(hchat, lab):
    (lab.folder / "secret").write_text("open sesame\n")
    server = hchat("0", "-v", "--password", f"file:{lab.folder}/secret")
    bob = server.connect()
    bob.hears("password: ")
    bob.say("open", "/who", "open sesame")
    heard = bob.hears("* you are guest1 in lobby, alone\n")
    assert heard.startswith(b"* wrong password\npassword: * wrong password\npassword: * welcome")
    eve = server.connect()
    eve.say("a", "b", "c", "open sesame", "hello")
    assert eve.hears_end().endswith(b"* wrong password: good bye\n")
    server.process.wait_err("closed: wrong password")
    assert server.process.err().count("gave a wrong password") == 5
    bob.say("/who")
    assert bob.hears("(1): guest1\n") == b"* in lobby (1): guest1\n"


def test_addresses_are_allowed_and_denied(hchat, lab):
    server = hchat("0", "-v", "--deny", "127.0.0.0/8")
    assert server.connect().hears_end() == b""
    server.process.wait_err("refused: not allowed")
    (lab.folder / "rules").write_text("192.0.2.0/24 127.0.0.1 # us\n")
    hchat("0", "--allow-file", lab.folder / "rules").join()


def test_no_more_clients_than_allowed(hchat):
    server = hchat("0", "--max-clients", "2")
    bob, _ = server.join("bob"), server.join()
    assert server.connect().hears_end() == b"* the server is full: try again later\n"
    bob.say("/quit")
    bob.hears_end()
    wait_until(lambda: server.ask_summary()["open"] == 1, "bob is gone")
    server.join()
    assert server.stop()["refused"] == 1


def test_no_more_from_one_address_than_allowed(hchat, lab):
    server = hchat("0", f"unix:{lab.path('s')}", "--max-per-address", "1", listeners=2)
    server.join()
    assert b"too many connections from your address" in server.connect().hears_end()
    server.join(index=1)


def test_an_address_is_the_same_on_a_socket_for_both_families(hchat):
    server = hchat("0", ":0", "-v", "--max-per-address", "1", listeners=2)
    server.join()
    with socket.create_connection(("127.0.0.1", int(server.urls[1].rpartition(":")[2]))) as sock:
        sock.settimeout(TIMEOUT)
        assert b"too many connections from your address" in sock.recv(999)
    server.process.wait_err(r"hchat: 127.0.0.1:")
    assert "::ffff:" not in server.process.err()


def test_behind_a_proxy_its_header_tells_who_comes(hchat):
    server = hchat("0", "-v", "--accept-proxy", "--deny", "192.0.2.9", "--max-per-address", "1")
    bob, eve, again, liar, itself = (server.connect() for _ in range(5))
    bob.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 1234 6667\r\n/nick bob\n")
    bob.hears("* guest1 is now bob\n")
    server.process.wait_err("hchat: 192.0.2.7:1234 connected to ")
    eve.send(b"PROXY TCP4 192.0.2.9 198.51.100.1 1234 6667\r\n")
    assert eve.hears_end() == b""
    server.process.wait_err("192.0.2.9:1234 refused: not allowed")
    again.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 1235 6667\r\n")
    assert b"too many connections from your address" in again.hears_end()
    liar.send(b"/nick liar and no header\n")
    assert liar.hears_end() == b""
    itself.send(b"PROXY UNKNOWN\r\n")
    itself.hears("* you are guest2 in lobby, with bob\n")
    bob.close()
    server.process.wait_err("hchat: 192.0.2.7:1234 (bob) closed")
    assert server.stop()["refused"] == 3


def test_a_proxy_header_counts_only_from_those_who_may_speak_for_others(hchat):
    server = hchat(":0", "-v", "--accept-proxy", "--accept-proxy-from", "127.0.0.2,192.0.2.0/24")
    port = int(server.urls[0].rpartition(":")[2])
    balancer, liar = (socket.create_connection(("127.0.0.1", port), TIMEOUT, (source, 0))
                      for source in ("127.0.0.2", "127.0.0.1"))
    with balancer, liar:
        balancer.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 1234 6667\r\n")
        server.process.wait_err("hchat: 192.0.2.7:1234 connected to ")
        liar.sendall(b"PROXY TCP4 192.0.2.8 198.51.100.1 1234 6667\r\n/quit\n")
        said = b"".join(iter(lambda: liar.recv(1 << 16), b""))
        assert b"good bye" in said
        server.process.wait_err("hchat: 127.0.0.1:")
        assert "192.0.2.8" not in server.process.err()


def test_behind_a_load_balancer_members_keep_their_addresses(hchat, lab):
    server = hchat("0", "-v", "--accept-proxy", "--accept-proxy-from", "127.0.0.1")
    balancer = lab.spawn("hproxy", "0", server.urls[0], "--send-proxy")
    front = wait_until(lambda: re.search(r"serving 127.0.0.1:(\d+)", balancer.err()), "the balancer")[1]
    with socket.create_connection(("127.0.0.1", int(front)), TIMEOUT, ("127.0.0.3", 0)) as client:
        server.process.wait_err("hchat: 127.0.0.3:%d connected to " % client.getsockname()[1])


def test_who_may_send_a_header_is_not_said_without_headers(lab):
    process = lab.run("hchat", "0", "--accept-proxy-from", "127.0.0.1")
    assert process.wait() == 2 and "--accept-proxy-from goes with --accept-proxy" in process.err()
    process = lab.run("hchat", "0", "--accept-proxy", "--accept-proxy-from", "10.0.0.0/99")
    assert process.wait() == 2 and "10.0.0.0/99" in process.err()


# ---- the server --------------------------------------------------------------------------------


def test_stopping_is_told(hchat):
    server = hchat("0")
    bob, alice = server.join("bob"), server.join("alice")
    alice.say("one", "/join kitchen")
    alice.hears("in kitchen, alone")
    assert server.stop() == {"connections": 2, "open": 0, "refused": 0, "dropped": 0, "shed": 0, "rooms": 1,
                             "lines": 1}
    for person in (bob, alice):
        assert person.hears_end().endswith(b"* server is shutting down\n")


def test_the_log_is_for_machines_too(hchat, lab):
    log = lab.folder / "log"
    server = lab.spawn("hchat", "0", "-vv", "--json", "--log-file", log)
    wait_until(lambda: log.exists() and b"listening" in log.read_bytes(), "it listens")
    port = int(re.search(r":(\d+)\"", log.read_text())[1])
    lab.run("nc", "-N", "127.0.0.1", port, data=b"/nick bob\nhello \x1b\n")
    wait_until(lambda: b'"close"' in log.read_bytes(), "the client's end")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["event"] for e in events] == ["listening", "connect", "join", "nick", "say", "leave", "close", "summary"]
    assert events[4]["name"] == "bob" and events[4]["text"] == "hello \\x1b" and events[4]["room"] == "lobby"
    assert events[6]["cause"] == "end of data" and events[6]["lines"] == 2
    assert events[7]["connections"] == 1


def test_comings_and_goings_are_logged(hchat):
    server = hchat("0", "-v")
    server.join("bob").close()
    server.process.wait_err("closed: end of data, 1 lines, 10 bytes in")
    assert re.search(r"^hchat: 127.0.0.1:\d+ connected to 127.0.0.1:\d+$", server.process.err(), re.M)
    assert re.search(r"^hchat: 127.0.0.1:\d+ \(bob\) closed", server.process.err(), re.M)


@pytest.mark.parametrize("args,status,text", [
    ([], 2, "no end point: try hchat 6667"),
    (["udp://:0"], 2, "udp://:0: chat needs connections, not datagrams"),
    (["0", "--room", "a b"], 2, "option --room: a room's name"),
    (["tls://:0"], 2, "a tls:// end point needs --tls-cert or --tls-self-signed"),
    (["0", "--tls-self-signed"], 2, "a certificate is for tls:// end points, and there is none"),
    (["0", "--tls-key", "x"], 2, "--tls-key needs --tls-cert"),
    (["tls://:0", "--tls-cert", "/nonexistent"], 1, "/nonexistent"),
    (["0", "--password", "secret"], 2, "file:PATH or env:NAME, not itself"),
    (["0", "--password", "file:/nonexistent"], 1, "option --password: file:/nonexistent: No such"),
    (["0", "--motd", "/nonexistent"], 1, "cannot read /nonexistent: No such file"),
    (["0", "--allow", "300.0.0.1"], 2, "300.0.0.1"),
    (["0", "--allow-file", "/nonexistent"], 1, "/nonexistent"),
    (["0", "--log-file", "/nonexistent/x"], 1, "cannot open /nonexistent/x: No such file"),
    (["0", "--line-max", "1"], 2, "line-max"),
    (["0", "--slow-timeout", "0"], 2, "a time limit"),
    (["unix:/nonexistent/x"], 1, "cannot listen on unix:/nonexistent/x: No such file"),
    (["--connect", "127.0.0.1:1", "7007"], 2, "7007 is too much"),
    (["0", "--tls"], 2, "--tls is for a client"),
    (["0", "--nick", "bob"], 2, "--nick is for a client"),
    (["0", "--color", "never"], 2, "--color is for a client"),
    (["127.0.0.1", "1", "--motd", "x"], 2, "--motd is for a server"),
    (["127.0.0.1", "1", "--allow", "::1"], 2, "--allow is for a server"),
    (["127.0.0.1", "1", "--max-clients", "1", "--nick", "bob"], 2, "--max-clients is for a server"),
    (["--connect", "127.0.0.1:1", "-d"], 2, "--daemon is for a server"),
    (["--connect", "127.0.0.1:1", "--broker", "redis://h"], 2, "--broker is for a server"),
    (["127.0.0.1", "1", "-s", "stop"], 2, "-s is for a server"),
    (["0", "--motd", ""], 2, "--motd"),
    (["0", "--log-file", ""], 2, "--log-file"),
    (["0", "--queue-max", "255k"], 2, "--queue-max"),
])
def test_bad_usage(lab, args, status, text):
    process = lab.run("hchat", *args)
    assert process.wait() == status
    assert text in process.err() and process.err().startswith("hchat: ")
    assert process.err().count("\n") == 1
