# No sanitizer.
"""hnmap's targets beside nmap's: what a list of words stands for (-sL -n), files, what is left out.
Nothing is sent. Where the two differ it is on purpose, and the difference is shown here."""

import re
import shlex

import pytest

NMAP = "nmap"


def listed(lab, name, words):
    """What -sL lists: "10.0.0.1", "localhost (127.0.0.1)"."""
    process = lab.run(name, "-sL", "-n", *words)
    assert process.popen.returncode == 0, process
    return re.findall(r"map scan report for (.*)", process.out().decode())


def without_zone(lines):
    """nmap does not print the zone of an address."""
    return [re.sub(r"%\w+", "", line) for line in lines]


SAME = """
10.0.0.1
10.0.0.1 10.0.0.1
10.0.0.1,1
10.0.0.1-3,2
10.0.0.9,1
10.0.3-4,7.1-2
10.0.0.254-
10.0.0.-2
10.0.0.-
10.0.0.*
10.0.*.1
10.-3.0.1,2
0-.0.0.1
255.255.255.254-
10.0.0.01
010.0.0.1
10.0.0.0-255,1
1,2.3,4.5,6.7,8
10.0.0.1/30
10.0.0.5/31
10.0.0.5/32
10.0.0.1/024
10.0.0.1/20
10.0.0-1.0/30
10.0.0.5-7/30
10.1,3,5.7-9.0/31
1.2.3.4,5-6/31
10.0.0.2 10.0.0.1
10.0.0.0/30 10.0.0.2/31 10.0.0.1
10.0.0
10
127.1
1.2.3
1.2.65535
1.16777215
4294967295
0xffffffff
0x7f.1
10.0.0.0x1
1.2.3.0377
127.1/30
localhost
localhost localhost
localhost/30
-6 ::1
-6 ::1 ::1
-6 fe80::1%lo
-6 fe80::1%1
-6 ::/126
-6 fe80::%lo/126
-6 2001:db8::ff/120
-6 ::ffff:1.2.3.4
10.0.0.0/29 --exclude 10.0.0.1-3,10.0.0.5
10.0.0.0/30 --exclude ''
10.0.0.0/30 --exclude 10.0.0.0/8
10.0.0.0/24 --exclude 10.0.0.0/25
10.0.0.1/29 --exclude 10.0.0.0/30
10.0.1,3.1 --exclude 10.0.3.0/24
10.0.0-3.0/30 --exclude 10.0.*.1-2
127.0.0.0/30 --exclude localhost
127.0.0.0/30 --exclude localhost/31
127.0.0.0/30 --exclude ::1
-6 ::/126 --exclude ::1
"""


@pytest.mark.parametrize("words", SAME.strip().splitlines())
def test_the_same_list_as_nmap(lab, words):
    words = shlex.split(words)
    theirs = without_zone(listed(lab, NMAP, words))
    ours = without_zone(listed(lab, "hnmap", words))
    assert theirs or words[-1] == "10.0.0.0/8"
    assert ours == theirs


REFUSED = """
10.0.0.256                      octet 4
10.0.0.1000                     octet 4
10.0.0.1-300                    octet 4
10.0.0.3-1                      1-3 is meant?
10.0.0.                         octet 4 lacks a number
.10.0.0.1                       5 octets
10..0.1                         octet 2 lacks a number
10.0.0.1.5                      5 octets
10.0.0.1,                       behind its comma
10.0.0.,1                       octet 4 lacks a number
10.0.0.1,,2                     behind its comma
10.0.0.1--3                     "1--3" in octet 4
10.0.0.1-2-3                    "1-2-3" in octet 4
10.0.0.*,1                      "*" in octet 4
10.0.0.1*                       "1*" in octet 4
10.0.0.1/                       /0 to /32
10.0.0.1/x                      /0 to /32
10.0.0.1/-1                     /0 to /32
10.0.0.1/30/3                   more than one /
4294967296                      1 octet
::1                             -6
[::1]                           without brackets
http://localhost/               a URL is no target
localhost:80                    a port is no part of a target
10.0.0.1:80                     a port is no part of a target
-6 [::1]                        without brackets
-6 127.0.0.1                    an IPv4 address
-6 10.0.0.1/8                   an IPv4 address
-6 2001:db8::1-5                no lists, ranges
-6 2001:db8::*                  no lists, ranges
-6 fe80::/126%lo                /0 to /128
-6 fe80::1%nosuch               there is no interface
-6 ::1%                         an interface is missing
"""


@pytest.mark.parametrize("line", REFUSED.strip().splitlines())
def test_what_nmap_lists_nothing_for_is_refused_with_its_part(lab, line):
    words, message = re.split(r"  +", line)
    words = words.split()
    assert listed(lab, NMAP, words) == []
    process = lab.run("hnmap", "-sL", "-n", *words)
    assert process.popen.returncode == 2, process
    assert f'"{words[-1]}": ' in process.err() and message in process.err(), process
    assert "scan report" not in process.out().decode()


DIFFERENT = [
    # nmap takes /33 as /32, with a warning
    ("10.0.0.1/33", '"/33" is more than /32'),
    ("-6 ::/129", '"/129" is more than /128'),
    # nmap begins to list 2^65 addresses
    ("-6 2001:db8::/63", "from /64 on"),
    # nmap leaves out 10.0.0.1 and 0.0.0.2, and scans 10.0.0.2
    ("10.0.0.0/28 --exclude 10.0.0.1,2", "four octets"),
    ("10.0.0.1 --exclude 127.1", "four octets"),
]


@pytest.mark.parametrize("words, message", DIFFERENT)
def test_what_nmap_takes_for_something_else_is_refused(lab, words, message):
    process = lab.run("hnmap", "-sL", "-n", *words.split())
    assert process.popen.returncode == 2, process
    assert message in process.err()


def test_words_of_a_file(lab):
    path = lab.folder / "list"
    path.write_bytes(
        b"10.0.0.1#c 10.0.0.2\n# 10.0.0.3\n10.0.0.4\t10.0.0.5 # x\n  10.0.0.6,7\r\nlocalhost"
    )
    theirs = listed(lab, NMAP, ["-iL", str(path)])
    assert len(theirs) == 6
    assert listed(lab, "hnmap", ["-iL", str(path)]) == theirs
    excluded = ["10.0.0.0/24", "--excludefile", str(path)]
    theirs = listed(lab, NMAP, excluded)
    assert len(theirs) == 251
    assert listed(lab, "hnmap", excluded) == theirs


def test_words_of_standard_input(lab):
    data = b"10.0.0.1 10.0.0.4-5\n"
    for name in NMAP, "hnmap":
        process = lab.run(name, "-sL", "-n", "-iL", "-", data=data)
        assert re.findall(r"for (10.*)", process.out().decode()) == [
            "10.0.0.1",
            "10.0.0.4",
            "10.0.0.5",
        ]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"10.0.0.1\n10.0.0.300\n", ':2: "10.0.0.300": "300" in octet 4'),
        (b"10.0.0.1\n\n10.0\0.0.2\n", ":3: "),
        (b"a" * 5000, ":1: "),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(lab, data, message):
    path = lab.folder / "list"
    path.write_bytes(data)
    for option in "-iL", "--excludefile":
        words = [option, str(path)] + (["10.0.0.1"] if option == "--excludefile" else [])
        process = lab.run("hnmap", "-sL", "-n", *words)
        assert process.popen.returncode == 2, process
        assert str(path) + message in process.err(), process


def test_a_file_adds_to_the_words_of_the_command_line(lab):
    """nmap scans the file alone, and says nothing of the words."""
    path = lab.folder / "list"
    path.write_bytes(b"10.0.0.1")
    words = ["10.0.0.9", "-iL", str(path)]
    assert listed(lab, NMAP, words) == ["10.0.0.1"]
    assert sorted(listed(lab, "hnmap", words)) == ["10.0.0.1", "10.0.0.9"]


def test_a_name_that_is_to_be_left_out_must_have_an_address(lab):
    for name in NMAP, "hnmap":
        process = lab.run(name, "-sL", "-n", "10.0.0.0/30", "--exclude", "nosuch.invalid")
        assert process.popen.returncode != 0, process
        assert "nosuch.invalid" in process.err()
        assert "scan report" not in process.out().decode()


def test_a_name_without_an_address_is_told_and_the_others_are_scanned(lab):
    for name in NMAP, "hnmap":
        process = lab.run(name, "-sL", "-n", "nosuch.invalid", "10.0.0.1")
        assert process.popen.returncode == 0, process
        assert 'ailed to resolve "nosuch.invalid"' in process.err()
        assert "scan report for 10.0.0.1" in process.out().decode()


def test_a_file_that_is_not_there(lab):
    process = lab.run("hnmap", "-sL", "-n", "-iL", "/nonexistent/list")
    assert process.popen.returncode != 0
    assert "/nonexistent/list: No such file or directory" in process.err()


def test_the_parts_of_a_list_are_the_whole(lab):
    words = ["10.0.0-3.0/26", "10.9.0.1", "--exclude", "10.0.1.7,10.0.2.0/28"]
    whole = listed(lab, "hnmap", words)
    assert len(whole) == 256 + 1 - 1 - 16
    for options in [], ["--randomize-hosts"]:
        parts = [
            listed(lab, "hnmap", [*words, *options, "--shard", f"{i}/5", "--seed", str(i)])
            for i in range(1, 6)
        ]
        assert sorted(sum(parts, [])) == sorted(whole)
        assert max(map(len, parts)) - min(map(len, parts)) < 20
