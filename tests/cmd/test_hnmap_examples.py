# No sanitizer.
"""The examples of hnmap's manual and of the README, run as they are printed, in a network in which
every address of 10.0.0.0/8 and 192.168.1.0/24 is this machine's."""

import re
from pathlib import Path

import examples
import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

PREPARE = """ip route add local 10.0.0.0/8 dev lo
ip route add local 192.168.1.0/24 dev lo
hecho 0.0.0.0:80 udp://0.0.0.0:161 2>/dev/null &
hnc -z --wait 60s 127.0.0.1 80
printf '10.0.0.7 # one\\n10.0.0.8\\n' >hosts.txt
printf 'Probe TCP Who q|who|\\nrarity 1\\nmatch mine m|^who| p/Mine/\\n' >my-probes
"""
DONE = r"hnmap done: \d+ IP address(es)? \(\d+ hosts? up\) scanned in [0-9.]+ seconds\n"
PORTS = r"PORT +STATE +SERVICE\n80/tcp open +http\n"

# What each has to print, among other lines; the largest scan is ended early.
CASES = {
    "hnmap 192.168.1.0/24": r"report for 192\.168\.1\.255\n(?s:.*)" + PORTS,
    "hnmap -sn -n 10.0.0.0/24": r"(?s:.*)\(256 hosts up\)",
    "hnmap -sL 10.0.0.0/30": r"(?s:.*)report for 10\.0\.0\.3\n(?s:.*)\(0 hosts up\)",
    "hnmap -p- --open example.com": r"example\.com \(127\.0\.0\.1\)\n(?s:.*)" + PORTS,
    "hnmap -sSU -p T:22,80,U:53,161 10.0.0.1": r"(?s:.*)\n161/udp open ",
    "hnmap -Pn -F -oA today -iL hosts.txt": PORTS,
    "hnmap -sV --banner 10.0.0.1": r"(?s:.*)\n80/tcp open +echo",
    "hnmap -sV --probes my-probes 10.0.0.1": r"(?s:.*)\n80/tcp open +mine +Mine",
    "hnmap -A 10.0.0.1": r"(?s:.*)\n80/tcp open +echo(?s:.*)Network Distance: 0 hops",
    "hnmap -sV --html report.html 10.0.0.0/24": r"(?s:.*)\n80/tcp open +echo",
    "hnmap -F --json new.json 10.0.0.0/24; hnmap -F --diff new.json 10.0.0.0/24":
        r"Nothing has changed",
    "hnmap -n -oG - 10.0.0.0/24 | grep /open/": r"Host: 10\.0\.0\.255 \(\)\tPorts: 80/open/tcp//http///",
    "hnmap -n -sn --watch 5m --json hosts.json 192.168.1.0/24": r"(?s:.*)\(256 hosts up\)",
    "hnmap -p 22 --then 'ssh-keyscan {ip} >>known_hosts' 10.0.0.0/24": r"hnmap: 0 commands run, 0 failed",
    "hnmap --resume scan.state -oA scan 10.0.0.0/24": PORTS,
    "hnmap --shard 1/4 --seed 7 --randomize-hosts 10.0.0.0/8 -p 443": r"\(interrupted\)\n",
}


def run(lab, line):
    process = examples.script(lab, PREPARE + f"{{ {line}\n}} 2>&1")
    status = process.wait()
    return status, process.out().decode()


def needs(lab):
    examples.need_namespaces(lab)


def test_every_example_of_the_manual_is_here(lab):
    assert set(CASES) == set(examples.lines(lab, "hnmap"))


@pytest.mark.parametrize("line", CASES)
def test_an_example_of_the_manual(lab, line):
    needs(lab)
    is_endless = "/8 " in line or "--watch" in line
    status, out = run(lab, f"timeout -s INT 2 {line}" if is_endless else line)
    assert re.search(CASES[line], out), out
    if "grep" not in line:
        assert re.search(DONE if not is_endless else DONE[:-2], out), out
    assert status == (124 if is_endless else 0)


def test_the_readme_shows_what_is_printed(lab):
    needs(lab)
    block = README[README.index("    $ hnmap ") :].split("    $ ")[1]
    line, printed = re.sub("^    ", "", block, flags=re.M).split("\n", 1)
    status, out = run(lab, f"hecho 7007 2>/dev/null & hnc -z --wait 60s 127.0.0.1 7007\n{line}\nkill $!")
    expected = re.escape(printed.strip("\n"))
    expected = re.sub(r"\d{4}\\-\d\d\\-\d\d\\ \d\d:\d\d", r"\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d", expected)
    expected = re.sub(r"\(\d\S*\\ latency", r"(\\S+ latency", expected)
    expected = re.sub(r"in\\ [0-9.\\]+\\ seconds", r"in\\ [0-9.]+\\ seconds", expected)
    assert re.fullmatch(expected, out.strip("\n")), (expected, out)
