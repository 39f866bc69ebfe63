# No sanitizer.
"""hnmap's -p, --exclude-ports, -F and --top-ports beside nmap's: which ports are asked, as -oX tells
them. Which ports have a name, and which are popular, are each one's own matter."""

import re

import pytest

HOST = "127.0.0.1"


def run_both(lab, args):
    return [lab.run(name, "-sT", "-Pn", "-n", "-oX", "-", *args, HOST) for name in ("nmap", "hnmap")]


def asked(process):
    """(number, ranges) of the TCP ports that a report says were asked."""
    assert process.popen.returncode == 0, process
    found = re.search(
        r'<scaninfo type="connect" protocol="tcp" numservices="(\d+)" services="([^"]*)"/>',
        process.out().decode(),
    )
    assert found, process
    return int(found[1]), found[2]


@pytest.mark.parametrize(
    "ports",
    [
        "1",
        "1-5",
        "1,2,3",
        "3,2,1",
        "22,80-90,443",
        "1-3,2",
        "1,1",
        "-5",
        "65530-",
        "-",
        "0-",
        "0",
        "0-3",
        "080",
        "5-5",
        "65535",
        "1,",
        "1, 2",
        "1 ",
        " 1",
        "1,5-7,6-9,100",
        "T:1",
        "T:1,",
        "T: 80",
        "1,T:2",
        "T:21-25,80",
        "[1]",
        "[1,22]",
        "[1,22],7",
        "T:[22]",
        "[20-25]",
        "ssh",
        "ssh,telnet",
        "ssh,1",
        "1,ssh,",
        "T:ssh",
        "[ssh]",
        "tel?et",
    ],
)
def test_the_same_ports_as_nmap(lab, ports):
    theirs, ours = run_both(lab, ["-p", ports])
    assert asked(ours) == asked(theirs)
    # both warn of a port that is named twice
    assert ("Duplicate" in theirs.err()) == ("named twice" in ours.err())


@pytest.mark.parametrize(
    "ports, excluded",
    [
        ("1-10", "2,3"),
        ("1-10", "T:2,U:3"),
        ("20-30", "ssh"),
        ("-", "10-65535"),
        ("1-10", "-5"),
        ("22", "23"),
    ],
)
def test_the_same_ports_are_left_out(lab, ports, excluded):
    theirs, ours = run_both(lab, ["-p", ports, "--exclude-ports", excluded])
    assert asked(ours) == asked(theirs)


@pytest.mark.parametrize(
    "ports, message",
    [
        ("", "no port is given"),
        (",", 'in front of ","'),
        (",1", 'in front of ",1"'),
        ("1,,2", 'in front of ",2"'),
        ("1 2", '"2" follows without a comma'),
        ("1- 3", '"3" follows without a comma'),
        ("1-2-3", '"-3" follows without a comma'),
        ("-1-5", '"-5" follows without a comma'),
        ("1--5", '"-5" follows without a comma'),
        ("70000", "the highest port is 65535"),
        ("-65536", "the highest port is 65535"),
        ("99999999999", "the highest port is 65535"),
        ("5-3", "3-5 is meant?"),
        ("nosuch", '"nosuch" is the name of no TCP service'),
        ("http-https", '"http-https" is the name'),
        ("http-", '"http-" is the name'),
        ("0x50", '"0x50" is the name'),
        ("h[t]tp", '"h" is the name'),
        ("T:", "no port is given"),
        ("[]", "no port is given"),
        ("1-30]", '"]" without a "["'),
        ("t:80", '"t:" is no protocol'),
        ("X:1", '"X:" is no protocol'),
        ("T:80U:53", '"80U" is the name'),
        ("+1", "no TCP service"),
    ],
)
def test_what_nmap_refuses_is_refused_with_its_part(lab, ports, message):
    theirs, ours = run_both(lab, ["-p", ports])
    assert theirs.popen.returncode != 0, theirs
    assert ours.popen.returncode == 2, ours
    assert message in ours.err(), ours


@pytest.mark.parametrize(
    "ports, message",
    [
        ("S:1", '"S:": SCTP is not scanned'),
        ("P:1", '"P:": IP protocols are not scanned'),
        ("[1-30", '"[" without a "]"'),
    ],
)
def test_what_nmap_warns_of_is_refused(lab, ports, message):
    ours = run_both(lab, ["-p", ports])[1]
    assert ours.popen.returncode == 2, ours
    assert message in ours.err(), ours


@pytest.mark.parametrize(
    "args, number",
    [
        ([], 1000),
        (["-F"], 100),
        (["--top-ports", "1"], 1),
        (["--top-ports", "7"], 7),
        (["--top-ports", "3", "--exclude-ports", "80"], 3),
        (["-F", "--exclude-ports", "1-1000"], 100),
    ],
)
def test_as_many_popular_ports_as_nmap(lab, args, number):
    theirs, ours = run_both(lab, args)
    assert asked(theirs)[0] == asked(ours)[0] == number
