# One thread.
"""hchat --broker: several servers, one set of rooms, and a Redis server between them that may be away,
slow to come, protected, or full of rubbish."""

import json
import re
import signal
import socket

import pytest

from conftest import TIMEOUT, wait_until
from pki import Pki
from redis_lab import Redis

HOST = "127.0.0.1"


class Server:
    """hchat, which may be stopped."""

    def __init__(self, lab, broker, *args, linked=True):
        self.process = lab.spawn("hchat", "-v", "--broker", broker, "--rate", "0", *args, f"{HOST}:0")
        self.port = self.line(r"listening on .*:(\d+)$")
        if linked:
            self.name = self.line(r"this is server (\S+)$")

    def line(self, pattern):
        return wait_until(lambda: re.search(pattern, self.process.err(), re.M), f"{pattern}: {self.process}")[1]

    def knows(self, other):
        self.process.wait_err(f"server {other.name} has come")


class Person:
    def __init__(self, lab, server, name=None):
        self.heard = ""
        self.socket = socket.create_connection((HOST, server.port), TIMEOUT)
        lab.held.append(self.socket)
        self.hears(r"^\* you are ")
        if name:
            self.says(f"/nick {name}")
            self.hears(rf"^\* (you are|\S+ is) now {name}$")

    def says(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def read(self):
        self.socket.setblocking(False)
        try:
            data = self.socket.recv(65536)
            assert data, self.heard
            self.heard += data.decode()
        except BlockingIOError:
            pass
        return self.heard

    def hears(self, pattern, n=1):
        wait_until(lambda: len(re.findall(pattern, self.read(), re.M)) >= n, f"{pattern} in {self.heard!r}")

    def who(self):
        """The names in the room."""
        before = len(self.read())
        self.says("/who")
        found = wait_until(lambda: re.search(r"^\* in \w+ \(\d+\): (.*)$", self.read()[before:], re.M), "/who")
        return sorted(re.findall(r"[\w-]+", found[1]))


@pytest.fixture(autouse=True)
def broker_is_built_in(lab, request):
    if b"hiredis" not in lab.run("hchat", "--version").out() and "wrong_use" not in request.node.name:
        pytest.skip("hchat is built without hiredis or jansson")


@pytest.fixture
def redis(lab):
    return Redis(lab)


def two_servers(lab, redis, *args):
    a, b = (Server(lab, redis.url, "--server-name", name, *args) for name in "ab")
    a.knows(b)
    b.knows(a)
    return a, b


@pytest.fixture
def pair(lab, redis):
    return two_servers(lab, redis)


@pytest.fixture
def hasty(lab, redis):
    """A pair that does not wait for long for each other."""
    return two_servers(lab, redis, "--broker-timeout", "2")


def event(kind, server="zz-1", **members):
    return json.dumps({"kind": kind, "server": server, "time": 1795330000123, **members}).encode()


# ---- rooms that are shared -----------------------------------------------------------------------


def test_what_is_said_here_is_heard_there(lab, pair):
    alice, bob = Person(lab, pair[0], "alice"), Person(lab, pair[1], "bob")
    alice.hears("bob$")
    alice.says("hello ünd <b>\x07")
    bob.hears(r"^<alice> hello ünd <b>\\x07$")
    bob.says("/me waves")
    alice.hears(r"^<bob> \*waves\*$")
    bob.says("/msg alice psst")
    alice.hears(r"^<bob -> alice> psst$")
    bob.says("/nick bobby")
    alice.hears(r"^\* bob is now bobby$")
    bob.says("/topic cats")
    alice.hears(r"^\* bobby sets the topic: cats$")
    bob.says("/join dogs")
    alice.hears(r"^\* bobby has left lobby")
    alice.says("/join dogs")
    bob.hears(r"^\* alice has joined dogs$")
    assert alice.who() == bob.who() == ["alice", "bobby"]
    bob.says("/quit")
    alice.hears(r"^\* bobby has left dogs")


def test_a_name_that_is_in_use_elsewhere_is_refused(lab, pair):
    alice, bob = Person(lab, pair[0], "alice"), Person(lab, pair[1], "bob")
    alice.hears("bob$")
    alice.says("/nick bob")
    alice.hears("somebody else is called so")
    assert "bob" in alice.who() and "alice" in bob.who()


def test_who_comes_later_learns_who_is_there(lab, redis, pair):
    alice, bob = Person(lab, pair[0], "alice"), Person(lab, pair[1], "bob")
    bob.says("/join cats")
    bob.says("/topic tails")
    alice.hears(r"^\* bob has left lobby")
    c = Server(lab, redis.url)
    c.knows(pair[0])
    c.knows(pair[1])
    carol = Person(lab, c, "carol")
    wait_until(lambda: carol.who() == ["alice", "carol"], "carol knows alice")
    carol.says("/join cats")
    carol.hears(r"^\* you are carol in cats")
    carol.hears(r"^\* the topic: tails$")
    assert carol.who() == ["bob", "carol"]
    c.process.signal(signal.SIGTERM)
    bob.hears(r"^\* carol has left cats")
    assert bob.who() == ["bob"]


def test_a_killed_server_takes_its_people_with_it(lab, hasty):
    alice, bob = Person(lab, hasty[0], "alice"), Person(lab, hasty[1], "bob")
    alice.hears("bob$")
    hasty[1].process.signal(signal.SIGKILL)
    alice.hears(r"^\* bob has left lobby \(the server is gone\)$")
    hasty[0].process.wait_err(f"server {hasty[1].name} is silent: it is gone")
    wait_until(lambda: alice.who() == ["alice"], "bob has left")
    alice.says("/nick bob")
    alice.hears("now bob$")


def test_one_that_was_taken_for_gone_comes_back_with_all(lab, hasty):
    alice, bob = Person(lab, hasty[0], "alice"), Person(lab, hasty[1], "bob")
    alice.hears("bob$")
    hasty[1].process.pause()
    alice.hears(r"^\* bob has left lobby")
    alice.says("anybody?")
    hasty[1].process.resume()
    alice.hears(r"^\* bob has joined lobby$")
    wait_until(lambda: alice.who() == ["alice", "bob"], "bob is back")
    wait_until(lambda: bob.who() == ["alice", "bob"], "alice is back")
    bob.says("here")
    alice.hears("^<bob> here$")


def test_of_two_with_one_name_one_keeps_it(lab, redis, hasty):
    """They took it while the broker was away."""
    alice, bob = Person(lab, hasty[0], "alice"), Person(lab, hasty[1], "bob")
    redis.kill()
    for person in alice, bob:
        person.hears(r"^\* other servers cannot be reached$")
        person.says("/join elsewhere")
        person.hears("in elsewhere")
    alice.says("/nick sam")
    alice.hears("now sam$")
    bob.says("/nick bill")
    bob.hears("now bill$")
    wait_until(lambda: "silent" in hasty[1].process.err() and "silent" in hasty[0].process.err(), "gone")
    bob.says("/nick sam")
    bob.hears("now sam$")
    redis.start()
    for person in alice, bob:
        person.hears(r"^\* other servers can be reached again$")
    bob.hears(r"^\* somebody at another server was called sam before$")  # server a comes first
    wait_until(lambda: alice.who() == bob.who() and len(alice.who()) == 2, "both know each other")
    assert "sam" in alice.who()
    alice.says("mine")
    bob.hears("^<sam> mine$")


def test_prefixes_are_apart(lab, redis, pair):
    c = Server(lab, redis.url, "--broker-prefix", "other")
    wait_until(lambda: redis.listeners("other") == 1, "it listens to its own channel")
    alice, carol = Person(lab, pair[0], "alice"), Person(lab, c, "alice")
    alice.says("hello")
    carol.says("/who")
    carol.hears(r"\(1\): alice$")
    assert "hello" not in carol.heard


# ---- the broker ----------------------------------------------------------------------------------


def test_without_the_broker_the_rooms_here_work_on(lab, redis, pair):
    alice, anna, bob = (Person(lab, s, n) for s, n in zip((pair[0], pair[0], pair[1]), ("alice", "anna", "bob")))
    alice.hears("bob$")
    redis.kill()
    for person in alice, anna, bob:
        person.hears(r"^\* other servers cannot be reached$")
    alice.says("still here")
    anna.hears("^<alice> still here$")
    Person(lab, pair[0], "late").hears(r"^\* other servers cannot be reached$")
    redis.start()
    for person in alice, anna, bob:
        person.hears(r"^\* other servers can be reached again$")
    alice.says("all again")
    bob.hears("^<alice> all again$")
    for person in alice, anna, bob:
        assert person.heard.count("cannot be reached") == 1
    wait_until(lambda: alice.who() == bob.who() == ["alice", "anna", "bob", "late"],
               "all know each other")
    assert "the server is gone" not in alice.heard, "it was away for a moment only"


def test_who_left_meanwhile_is_not_there_after_it(lab, redis, pair):
    alice, bob = Person(lab, pair[0], "alice"), Person(lab, pair[1], "bob")
    alice.hears("bob$")
    redis.kill()
    alice.hears("cannot be reached$")
    bob.hears("cannot be reached$")
    bob.socket.close()
    pair[1].process.wait_err("(bob) closed")
    redis.start()
    alice.hears(r"^\* other servers can be reached again$")
    wait_until(lambda: alice.who() == ["alice"], "bob has left")


def test_a_broker_that_is_stuck_takes_nobody_away(lab, redis, hasty):
    alice, bob = Person(lab, hasty[0], "alice"), Person(lab, hasty[1], "bob")
    alice.hears("bob$")
    redis.process.pause()
    alice.hears(r"^\* other servers cannot be reached$")
    redis.process.resume()
    alice.hears(r"^\* other servers can be reached again$")
    bob.says("/nick bill")
    alice.hears(r"^\* bob is now bill$")
    wait_until(lambda: alice.who() == bob.who() == ["alice", "bill"], "both are there")
    assert "the server is gone" not in alice.heard + bob.heard


def test_a_server_starts_without_the_broker_and_finds_it_later(lab):
    port = lab.port()
    a = Server(lab, f"redis://{HOST}:{port}/", linked=False)
    a.process.wait_err(f"hchat: broker: redis://{HOST}:{port}: connect to {HOST} port {port}: Connection refused")
    alice = Person(lab, a, "alice")
    redis = Redis(lab, port=port)
    a.name = a.line(r"this is server (\S+)$")
    b = Server(lab, redis.url)
    a.knows(b)
    bob = Person(lab, b, "bob")
    bob.says("found you")
    alice.hears("^<bob> found you$")
    assert a.process.err().count("Connection refused") == 1, "the same reason is told once"


def test_a_password_is_used_and_never_told(lab, tmp_path):
    redis = Redis(lab, "--requirepass", "topsecret", port=lab.port())
    host = f"{HOST}:{redis.port}"
    for given, words in (("", "a password is needed (NOAUTH)"),
                         ("wr0ng@", "the user or the password is wrong (WRONGPASS)"),
                         ("nobody:wr0ng@", "the user or the password is wrong (WRONGPASS)")):
        a = Server(lab, f"redis://{given}{host}", linked=False)
        a.process.wait_err(f"hchat: broker: redis://{host}: {words}")
        assert "wr0ng" not in a.process.err()
        a.process.stop()
    (tmp_path / "secret").write_text("topsecret\n")
    a = Server(lab, f"redis://:topsecret@{host}")
    b = Server(lab, f"redis://default:topsecret@{host}")
    c = Server(lab, f"redis://{host}", "--broker-password", f"file:{tmp_path}/secret")
    d = Server(lab, f"redis://default@{host}", "--broker-password", f"file:{tmp_path}/secret")
    for other in b, c, d:
        a.knows(other)
    assert "topsecret" not in a.process.err()


def test_redis_over_tls(lab, tmp_path):
    pki = Pki(tmp_path)
    cert, key = pki.issue("localhost")
    port = lab.port()
    redis = Redis(lab, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file",
                  pki.ca, "--tls-auth-clients", "no")
    a = Server(lab, f"rediss://localhost:{port}", "--broker-ca", pki.ca)
    b = Server(lab, f"rediss://{HOST}:{port}", "--broker-insecure")
    a.knows(b)
    c = Server(lab, f"rediss://{HOST}:{port}", linked=False)
    c.process.wait_err(f"broker: rediss://{HOST}:{port}: ")
    assert "certificate" in c.process.err()
    assert redis.listeners("hchat") == 2


# ---- what else is in the channel -----------------------------------------------------------------


def test_rubbish_in_the_channel_hurts_nobody(lab, redis, pair):
    alice = Person(lab, pair[0], "alice")
    rubbish = [b"", b"x", b"{}", b"[" * 1000, b"\x00\xff" * 100, b'{"kind":"say"}', b"x" * 500000,
               event("say", room="lobby", name="eve", text=1), event("nothing"), event("hello", server="a b"),
               event("say", room="lobby", name="e ve", text="x"), event("say", room="", name="eve", text="x"),
               event("say", room="lobby", name="\x1b[2J", text="x")]
    for message in rubbish:
        assert redis.publish("hchat", message) == 2
    assert redis.publish("hchat", event("say", room="lobby", name="eve", text="\x1b[2J\nred\u202e")) == 2
    alice.hears(r"^<eve> \\x1b\[2J\\nred\\xe2\\x80\\xae$")
    pair[0].process.wait_err("messages that are no events, or too many")
    alice.says("/nick eve")
    alice.hears("somebody else is called so")
    assert redis.publish("hchat", event("bye")) == 2
    wait_until(lambda: alice.who() == ["alice"], "eve has left")


def test_servers_that_are_made_up_are_bounded_and_go_by_themselves(lab, redis, hasty):
    alice = Person(lab, hasty[0], "alice")

    def are_there():  # told again, for they are forgotten soon
        redis.cli(data=b"".join(b"publish hchat '%s'\n" % event("here", f"s{i}", room="lobby", name=f"n{i}")
                                for i in range(100)))
        return len(alice.who()) > 60

    wait_until(are_there, "they are there")
    assert len(alice.who()) <= 65
    wait_until(lambda: alice.who() == ["alice"], "they are gone")


def test_our_own_words_are_not_heard_twice(lab, pair):
    alice, anna = Person(lab, pair[0], "alice"), Person(lab, pair[0], "anna")
    bob = Person(lab, pair[1], "bob")
    alice.says("once")
    bob.hears("^<alice> once$")
    bob.says("over")
    anna.hears("^<bob> over$")
    assert anna.heard.count("<alice> once") == 1
    assert "<alice>" not in alice.read()


@pytest.mark.parametrize("args, words", [
    (["--broker", "http://127.0.0.1/"], "redis://"),
    (["--broker", "redis://topsecret@h:70000"], "port"),
    (["--broker", "redis://h/x"], "database"),
    (["--broker", ""], "--broker"),
    (["--broker-prefix", "x"], "need --broker"),
    (["--broker-password", "env:X"], "need --broker"),
    (["--broker", "redis://h", "--broker-ca", "x"], "rediss://"),
    (["--broker", "redis://h", "--server-name", "a/b"], "--server-name"),
    (["--broker", "redis://h", "--broker-timeout", "1ms"], "--broker-timeout"),
    (["--broker", "redis://h", "--broker-prefix", "x" * 300], "--broker-prefix"),
])
def test_wrong_use_is_one_line(lab, args, words):
    hchat = lab.run("hchat", *args, f"{HOST}:0")
    assert hchat.wait() == 2, hchat
    assert words in hchat.err() and hchat.err().count("\n") == 1, hchat
    assert "topsecret" not in hchat.err()
