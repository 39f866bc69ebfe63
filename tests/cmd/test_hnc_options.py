# One thread.
"""hnc's options, and what it says when it cannot do what was asked: one line on stderr that names
the fault, exit status 2 for a wrong command line and 1 for what cannot be done, nothing on stdout,
nothing half done."""

import os
import re
import resource
import socket
import subprocess
import time

import pytest
from conftest import TIMEOUT, served

HOST = "127.0.0.1"
MIB = 1 << 20
FAILED, USAGE = 1, 2  # as ncat has it; nc says 1 to both


def receive_all(peer):
    data = b""
    while piece := peer.recv(MIB):
        data += piece
    return data


def fails(lab, args, *named, status=FAILED, **options):
    hnc = lab.run("hnc", *args, **options)
    line = hnc.err()
    assert hnc.wait() == status, line
    assert hnc.out() == b""
    assert line.startswith("hnc: ") and line.count("\n") == 1 and line.endswith("\n")
    for word in named:
        assert word in line


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, named",
    [
        ("", "host"),
        ("127.0.0.1", "port"),
        ("-l", "port"),
        ("-U", "path"),
        ("-lU", "path"),
        ("-y", "-y"),
        ("-vy", "-y"),
        ("--nonsense 127.0.0.1 1", "--nonsense"),
        ("-p", "-p"),
        ("127.0.0.1 abc", "abc"),
        ("127.0.0.1 0", "0"),
        ("127.0.0.1 70000", "70000"),
        ("127.0.0.1 -- -1", "-1"),
        ("-z 127.0.0.1 1 70000", "70000"),
        ("-z 127.0.0.1 1-70000", "1-70000"),
        ("-z 127.0.0.1 1-x", "1-x"),
        ("-z 127.0.0.1 20-10", "20-10"),
        ("-l 70000", "70000"),
        ("-l abc", "abc"),
        ("-l 1-3", "1-3"),
        ("-l 127.0.0.1 1 2", "operands"),
        ("-l -p 1 2", "operands"),
        ("-l -s 127.0.0.1 127.0.0.1 2", "operands"),
        ("-U a b", "-U"),
        ("-lz 1", "-z and -l"),
        ("-k 127.0.0.1 1", "-k"),
        ("--send-only --recv-only 127.0.0.1 1", "--recv-only"),
        ("--append-output 127.0.0.1 1", "--append-output"),
        ("--recv-only -c cat 127.0.0.1 1", "--recv-only"),
        ("--send-only -l -e /bin/cat 127.0.0.1 0", "--send-only"),
        ("-e /bin/cat -c cat 127.0.0.1 1", "-e and -c"),
        ("-z -c cat 127.0.0.1 1", "-z"),
        ("-m 1 127.0.0.1 1", "-m"),
        ("-l -m x 0", "'x'"),
        ("--allow 127.0.0.1 127.0.0.1 1", "-l"),
        ("-luk --deny 127.0.0.1 0", "-k and -u"),
        ("-lu -m 1 0", "-m and -u"),
        ("-luC -c cat 0", "-C and -u"),
        ("--rate 1k -c cat 127.0.0.1 1", "--rate"),
        ("--rate=0 127.0.0.1 1", "'0' is less than"),
        ("--preamble a -F 127.0.0.1 1", "--preamble"),
        ("-l --allow 1.2.3.4/33 127.0.0.1 0", "1.2.3.4/33"),
        ("-l --deny 1.2.3.256 127.0.0.1 0", "1.2.3.256"),
        ("-l -m -1 0", "'-1'"),
        ("--broker -u 0", "-u"),
        ("--chat -c cat 0", "-c"),
        ("--talk -c cat 0", "--chat"),
        ("--broker -t 0", "-t"),
        ("-N --no-shutdown 127.0.0.1 1", "--no-shutdown"),
        ("-lF -k 0", "-k"),
        ("-lF -c cat 0", "-c"),
        ("-t -u 127.0.0.1 1", "-t"),
        ("-W 0 127.0.0.1 1", "'0'"),
        ("--ssl -u 127.0.0.1 1", "-u"),
        ("--ssl-key k 127.0.0.1 1", "--ssl-cert"),
        ("--tls-self-signed 127.0.0.1 1", "-l"),
        ("-l --tls-self-signed --ssl-cert c 0", "--ssl-cert"),
        ("-l --ssl-servername a 0", "--ssl-servername"),
        ("-l --insecure 0", "--insecure"),
        ("-l --ssl-trustfile f 0", "--ssl-verify"),
        ("-l --ssl-ciphers nonsense 0", "nonsense"),
        ("-l --ssl-alpn , 0", "ALPN"),
        ("--tls-min 1.1 127.0.0.1 1", "'1.1'"),
        ("--tls-min 1.3 --tls-max 1.2 127.0.0.1 1", "--tls-min"),
        ("-W 1 -c cat 127.0.0.1 1", "-W"),
        ("-M 256 127.0.0.1 1", "'256'"),
        ("-M 0 127.0.0.1 1", "'0'"),
        ("--min-ttl x 127.0.0.1 1", "'x'"),
        ("-l --proxy-type nonsense 0", "nonsense"),
        ("-l --proxy-type socks4 --proxy-auth u:p 0", "SOCKS4"),
        ("-l --proxy-type http -c cat 0", "-c"),
        ("-l --proxy-type http --broker 0", "--broker"),
        ("-l --proxy-auth u:p 0", "--proxy-type"),
        ("-l -x 127.0.0.1 0", "-x"),
        ("--vsock nohost 1", "nohost"),
        ("--vsock 4294967296 1", "4294967296"),
        ("-l --vsock -u 1", "--vsock"),
        ("--vsock -4 2 1", "-4"),
        ("--broker -W 1 0", "-W"),
        ("--broker --rate 1k 0", "--rate"),
        ("-l -c cat --rate 1k 0", "--rate"),
        ("-l --proxy-type http --rate 1k 0", "--rate"),
        ("-l --proxy-type http --json 0", "--json"),
        ("--min-ttl 9 -u 127.0.0.1 1", "-u"),
        ("--congestion nonsense 127.0.0.1 1", "'nonsense'"),
        ("--congestion reno -u 127.0.0.1 1", "-u"),
        ("-T fast 127.0.0.1 1", "'fast'"),
        ("-T 256 127.0.0.1 1", "'256'"),
        ("-T 0x 127.0.0.1 1", "'0x'"),
        ("-T 0x100 127.0.0.1 1", "'0x100'"),
        ("--idle-timeout x 127.0.0.1 1", "'x'"),
        ("--idle-timeout 1 -c cat 127.0.0.1 1", "--idle-timeout"),
        ("-c cat -o dump 127.0.0.1 1", "-o"),
        ("-w x 127.0.0.1 1", "'x'"),
        ("-w -1 127.0.0.1 1", "'-1'"),
        ("-i x 127.0.0.1 1", "'x'"),
        ("-q x 127.0.0.1 1", "'x'"),
        ("-I x 127.0.0.1 1", "'x'"),
        ("-O 0 127.0.0.1 1", "'0'"),
        ("-p x 127.0.0.1 1", "x"),
        ("-p 99999 127.0.0.1 1", "99999"),
    ],
)
def test_a_wrong_command_line_is_named_in_one_line(lab, args, named):
    fails(lab, args.split(), named, status=USAGE)


@pytest.mark.parametrize(
    "args, named",
    [
        ("-l --allowfile /nonexistent/f 127.0.0.1 0", "/nonexistent/f"),
        ("-l --denyfile /nonexistent/f 127.0.0.1 0", "/nonexistent/f"),
        ("-l --ssl-cert /nonexistent/c 0", "/nonexistent/c"),
        ("-l --ssl-verify --ssl-trustfile /nonexistent/t 0", "/nonexistent/t"),
        ("-n nosuch 1", "nosuch"),
        ("-ln nosuch 1", "nosuch"),
        ("-n -s nosuch 127.0.0.1 1", "nosuch"),
        ("-s 192.0.2.1 127.0.0.1 1", "192.0.2.1"),
        ("-l 192.0.2.1 4000", "192.0.2.1"),
        ("-4 ::1 1", "::1"),
        ("-U " + 200 * "x", 200 * "x"),
        ("-lU " + 200 * "x", 200 * "x"),
        ("-U /nonexistent/s", "/nonexistent/s"),
        ("-lU /nonexistent/s", "/nonexistent/s"),
        ("-lU /", "/"),
        ("-o /nonexistent/dump -l 127.0.0.1 0", "/nonexistent/dump"),
        ("--hex-dump /nonexistent/dump -l 127.0.0.1 0", "/nonexistent/dump"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(lab, args, named):
    fails(lab, args.split(), named)


@pytest.mark.parametrize(
    "args, named",
    [
        (["-lv", "", "0"], "host"),
        (["-N", "", "1"], "host"),
        (["-zv", "", "1"], "host"),
        (["-u", "", "1"], "host"),
        (["-U", ""], "path"),
        (["-lU", ""], "path"),
        (["-s", "", HOST, "1"], "-s"),
        (["-l", "-s", "", "0"], "-s"),
        (["-uU", "-s", "", "/nonexistent/s"], "-s"),
        (["-o", "", HOST, "1"], "-o"),
        (["--hex-dump", "", HOST, "1"], "--hex-dump"),
        (["-e", "", HOST, "1"], "-e"),
        ([HOST, ""], "port"),
        (["-l", ""], "port"),
        (["-p", "", HOST, "1"], "port"),
    ],
)
def test_what_is_empty_is_refused_and_does_not_mean_any(lab, args, named):
    fails(lab, args, "empty", named, status=USAGE)


@pytest.mark.parametrize(
    "args",
    [
        ["-n", "a\x1b[2J\nb", "1"],
        ["-ln", "a\x1b[2J\nb", "1"],
        ["-n", "-s", "a\x1b[2J\nb", HOST, "1"],
        ["-U", "/nonexistent/a\x1b[2J\nb"],
        ["-lU", "/nonexistent/a\x1b[2J\nb"],
        ["-o", "/nonexistent/a\x1b[2J\nb", "-l", HOST, "0"],
    ],
)
def test_control_characters_do_not_reach_the_terminal(lab, args):
    fails(lab, args, r"a\x1b[2J\nb")


def test_nor_do_those_of_a_wrong_command_line(lab):
    fails(lab, [HOST, "a\x1b[2J\nb"], r"a\x1b[2J\nb", status=USAGE)


@pytest.mark.parametrize(
    "args, message",
    [
        ([HOST, "0"], 'port out of range: "0"'),
        (["-z", HOST, "0-5"], 'port out of range: "0-5"'),
        ([HOST, "70000"], 'port out of range: "70000"'),
        (["-l", "1-3"], 'not a single port: "1-3"'),
        (["-p", "1-3", HOST, "1"], 'not a single port: "1-3"'),
    ],
)
def test_ports_are_refused_in_the_same_words(lab, args, message):
    fails(lab, args, f"hnc: {message}\n", status=USAGE)


@pytest.mark.parametrize(
    "option",
    "-D -S -Z -g1 -G4 --lua-exec=f --nsock-engine=e --sctp".split(),
)
def test_an_option_of_nc_or_ncat_that_is_missing_is_refused_by_name(lab, option):
    name = option.split("=")[0] if option.startswith("--") else option[:2]
    fails(lab, [option, HOST, "1"], name, status=USAGE)


@pytest.mark.parametrize("program, question", [("nc.openbsd", "-h"), ("ncat", "--help")])
def test_no_option_of_nc_or_ncat_is_unknown(lab, program, question):
    """By what they say of themselves: hnc has each of them, or refuses it by name."""
    asked = lab.run(program, question)
    lines = re.findall(r"^\s+(-.*?)(?:\t|   |$)", asked.err() + asked.out().decode(), re.M)
    options = {o for line in lines for o in re.findall(r"(?<![\w-])--?[\w-]+", line)}
    assert len(options) > 30
    for option in sorted(options):
        hnc = lab.run("hnc", f"{option}=" if option.startswith("--") else option)
        assert "unknown option" not in hnc.err()


def test_an_address_in_use(lab):
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        fails(lab, ["-l", HOST, port], HOST, str(port), "in use")


def test_a_source_port_in_use(lab):
    with socket.create_server((HOST, 0)) as server, socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        fails(lab, ["-s", HOST, "-p", port, HOST, server.getsockname()[1]], str(port), "in use")


def fails_without_rights(lab, args, *named):
    """As fails, without what lets root do everything."""
    if os.geteuid() != 0:
        return fails(lab, args, *named)
    hnc = lab.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", lab.program("hnc"), *args)
    assert (hnc.wait(), hnc.out(), hnc.err().count("\n")) == (1, b"", 1)
    for word in named:
        assert word in hnc.err()
    return None


def test_a_privileged_port(lab):
    if int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) <= 1:
        pytest.skip("no port is privileged here")
    fails_without_rights(lab, ["-l", HOST, "1"], HOST, "port 1 ", "Permission denied")


@pytest.mark.parametrize("options", ["-U", "-lU", "-luU"])
def test_a_path_without_permission(lab, options):
    os.mkdir(lab.path("locked"), 0o000)
    path = lab.path("locked/s")
    fails_without_rights(lab, [options, path], path, "Permission denied")
    os.chmod(lab.path("locked"), 0o700)


@pytest.mark.parametrize("what", ["a file", "a folder", "a live socket"])
@pytest.mark.parametrize("options", ["-lU", "-luU"])
def test_a_path_that_is_there_is_left_alone(lab, options, what):
    path = lab.path("there")
    kind = socket.SOCK_DGRAM if "u" in options else socket.SOCK_STREAM
    live = socket.socket(socket.AF_UNIX, kind)
    if what == "a file":
        open(path, "w").write("content")
    elif what == "a folder":
        os.mkdir(path)
    else:
        live.bind(path)
        if "u" not in options:
            live.listen()
    before = os.lstat(path)
    fails(lab, [options, path], path, "in use")
    after = os.lstat(path)
    live.close()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("args", [["-z", HOST, "1"], ["-l", HOST, "0"], ["-u", HOST, "1"]])
def test_too_many_open_files(lab, args):
    def no_more_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))

    fails(lab, [*args, "-v"], "Too many open files", preexec_fn=no_more_files)


@pytest.mark.parametrize("args", [["nosuch"], ["-l", "70000"], [HOST, "20-10"]])
def test_a_mistake_leaves_no_dump_behind(lab, args):
    fails(lab, ["-n", "-o", lab.path("dump"), *args], status=USAGE)
    assert not os.path.exists(lab.path("dump"))


# ---- data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nb\r\n"),
        (b"\n\n\r\n", b"\r\n\r\n\r\n"),
        (b"\r", b"\r"),
        (b"no end", b"no end"),
        (b"\n" * 3 * MIB, b"\r\n" * 3 * MIB),
        (b"x" * (MIB - 1) + b"\r\n\n", b"x" * (MIB - 1) + b"\r\n\r\n"),  # between two reads
    ],
    ids=["LF", "CRLF stays", "empty lines", "CR alone", "no line", "long", "split"],
)
def test_lf_becomes_crlf(lab, data, expected):
    hnc, peer = served(lab, "-CN", stdin=lab.file(data))
    assert receive_all(peer) == expected
    peer.close()
    assert hnc.wait() == 0


def test_lines_are_sent_one_by_one_with_an_interval(lab):
    start = time.monotonic()
    hnc, peer = served(lab, "-N", "-i", "200ms", stdin=lab.file(b"a\nb\nc\nlast"))
    assert receive_all(peer) == b"a\nb\nc\nlast"
    assert time.monotonic() - start >= 0.6
    peer.close()
    assert hnc.wait() == 0


def test_an_interval_loses_nothing_that_arrives(lab):
    hnc, peer = served(lab, "-N", "-i", "5ms", stdin=lab.file(b"x\n" * 10))
    data = os.urandom(3 * MIB)
    peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
    assert receive_all(peer) == b"x\n" * 10
    assert hnc.wait() == 0
    assert hnc.out() == data


def test_dumps(lab):
    files = ["-o", lab.path("raw"), "--hex-dump", lab.path("hex")]
    hnc, peer = served(lab, "-N", *files, stdin=lab.file(b"request\n"))
    assert receive_all(peer) == b"request\n"
    peer.sendall(bytes(range(18)))
    peer.close()
    assert hnc.wait() == 0
    assert open(lab.path("raw"), "rb").read() == b"request\n" + bytes(range(18))
    assert open(lab.path("hex")).read().splitlines() == [
        "> 00000000  72 65 71 75 65 73 74 0a                          |request.|",
        "< 00000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  |................|",
        "< 00000010  10 11                                            |..|",
    ]


def test_a_dump_that_cannot_be_written_is_reported_and_the_data_still_flows(lab):
    hnc, peer = served(lab, "-N", "-o", "/dev/full", stdin=lab.file(b"request"))
    assert receive_all(peer) == b"request"
    peer.sendall(b"reply")
    peer.close()
    assert hnc.wait() == 1
    assert hnc.out() == b"reply"
    assert hnc.err() == "hnc: /dev/full: No space left on device\n"


# ---- the socket ----------------------------------------------------------------------------------


def test_source_address_and_port(lab):
    port = lab.port()
    hnc, peer = served(lab, "-N", "-s", "127.0.0.2", "-p", port)
    with peer:
        assert peer.getpeername() == ("127.0.0.2", port)
    assert hnc.wait() == 0


def test_the_port_alone(lab):
    port = lab.port()
    hnc, peer = served(lab, "-N", "-p", port)
    with peer:
        assert peer.getpeername()[1] == port
    assert hnc.wait() == 0


def test_a_unix_datagram_client_receives_at_the_path_of_s_and_removes_it(lab):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(lab.path("server"))
        args = ["-uUv", "-W", "1", "-s", lab.path("mine"), lab.path("server")]
        hnc = lab.spawn("hnc", *args, stdin=lab.file(b"hello"))
        data, sender = server.recvfrom(100)
        assert (data, sender) == (b"hello", lab.path("mine"))
        server.sendto(b"reply", sender)
    assert hnc.wait() == 0
    assert hnc.out() == b"reply"
    assert hnc.err() == f"Bound on {lab.path('mine')}\n"
    assert not os.path.exists(lab.path("mine"))


@pytest.mark.parametrize("options", [[], ["-l"]])
def test_buffer_sizes(lab, options):
    """Asked of the kernel through the socket that a program gets."""
    ask = (
        "exec python3 -c 'import socket; s = socket.socket(fileno=0);"
        " sizes = [s.getsockopt(socket.SOL_SOCKET, o)"
        " for o in (socket.SO_RCVBUF, socket.SO_SNDBUF)];"
        " print(*sizes, file=open(1, \"w\"))'"
    )
    args = ["-I", "20000", "-O", "30000", "-c", ask]
    if options:
        port = lab.port()
        lab.spawn("hnc", *options, *args, HOST, port)
        lab.wait_bound(port)
        peer = socket.create_connection((HOST, port))
    else:
        _, peer = served(lab, *args)
    with peer:
        assert receive_all(peer).split() == [b"40000", b"60000"]  # the kernel doubles them


@pytest.mark.parametrize("options", ["-v", "-zv"])
def test_a_connection_to_itself_counts_as_refused(lab, options):
    """Which TCP makes when source and destination are the same: here both are asked for."""
    port = str(lab.port())
    fails(lab, [options, "-s", HOST, "-p", port, HOST, port], HOST, f"port {port} ", "refused")
    with socket.create_server((HOST, int(port)), reuse_port=False):
        pass  # and nothing of it is left on the port


def test_random_order_tries_every_port(lab):
    ports = [str(lab.port()) for _ in range(30)]
    hnc = lab.run("hnc", "-zvr", HOST, *ports)
    tried = [line.split(" port ")[1].split()[0] for line in hnc.err().splitlines()]
    assert sorted(tried) == sorted(ports)
    assert tried != ports  # one time in 30! they are the same


def test_ports_without_z_are_talked_to_in_turn(lab):
    servers = [socket.create_server((HOST, 0)) for _ in range(2)]
    hnc = lab.spawn("hnc", "-d", HOST, *(s.getsockname()[1] for s in servers))
    for i, server in enumerate(servers):
        server.settimeout(TIMEOUT)
        peer, _ = server.accept()
        peer.sendall(b"from %d\n" % i)
        peer.close()
        server.close()
    assert hnc.wait() == 0
    assert hnc.out() == b"from 0\nfrom 1\n"


# ---- programs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, sent, expected",
    [
        (["-e", "/bin/cat"], b"data", b"data"),
        (["-e", "/bin/echo  a 'b  c' \"d e\" f\\ g"], b"", b"a b  c d e f g\n"),
        (["-c", "read x; echo $x | tr a-z A-Z"], b"word\n", b"WORD\n"),
        (["--exec", "/bin/cat"], b"x" * 3 * MIB, b"x" * 3 * MIB),
        (
            ["--sh-exec", "echo $NCAT_PROTO $NCAT_REMOTE_ADDR $NCAT_LOCAL_ADDR"],
            b"",
            b"TCP 127.0.0.1 127.0.0.1\n",
        ),
    ],
    ids=["program", "words", "shell", "bulk", "environment"],
)
@pytest.mark.parametrize("role", ["connects", "listens", "listens for many"])
def test_a_program_talks_to_the_peer(lab, role, args, sent, expected):
    if role == "connects":
        hnc, peer = served(lab, *args)
    else:
        port = lab.port()
        hnc = lab.spawn("hnc", "-lk" if role.endswith("many") else "-l", *args, HOST, port)
        lab.wait_bound(port)
        peer = socket.create_connection((HOST, port))
    client = subprocess.Popen(
        ["cat"], stdin=lab.file(sent), stdout=peer.fileno()
    )  # a process: both directions at once
    got = b""
    while len(got) < len(expected):
        got += peer.recv(MIB) or pytest.fail(f"got {got[:100]!r}")
    assert client.wait() == 0
    peer.shutdown(socket.SHUT_WR)
    assert (got + receive_all(peer)) == expected
    if role != "listens for many":
        assert hnc.wait() == 0


@pytest.mark.parametrize("args, status", [(["-c", "exit 7"], 7), (["-e", "/bin/false"], 1)])
def test_the_exit_status_is_the_program_s(lab, args, status):
    hnc, peer = served(lab, *args)
    with peer:
        assert hnc.wait() == status


@pytest.mark.parametrize("role", ["connects", "listens"])
def test_a_program_gets_no_descriptor_but_0_1_and_2(lab, role):
    args = ["-c", "exec ls /proc/self/fd"]
    if role == "connects":
        _, peer = served(lab, *args)
    else:
        port = lab.port()
        lab.spawn("hnc", "-l", *args, HOST, port)
        lab.wait_bound(port)
        peer = socket.create_connection((HOST, port))
    with peer:
        assert receive_all(peer).split() == [b"0", b"1", b"2", b"3"]  # 3: the listing itself


def test_a_program_that_is_not_there(lab):
    hnc, peer = served(lab, "-e", "/nonexistent/program")
    with peer:
        assert receive_all(peer) == b""
    assert hnc.wait() == 1
    assert hnc.err() == "hnc: /nonexistent/program: No such file or directory\n"


def test_a_program_gets_the_first_datagram_too(lab):
    port = lab.port(kind=socket.SOCK_DGRAM)
    lab.spawn("hnc", "-lu", "-c", "exec tr a-z A-Z", HOST, port)
    lab.wait_bound(port, "udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(TIMEOUT)
        s.connect((HOST, port))
        s.send(b"first")
        s.send(b"")  # tr takes it for the end, and writes
        assert s.recv(100) == b"FIRST"
