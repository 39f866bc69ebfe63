# One thread.
"""hnmap --then: a command for each host that is reported."""

import contextlib
import os
import resource
import signal
import socket
import xml.etree.ElementTree

import pytest

from conftest import wait_until

HOSTS = ["127.0.0.2", "127.0.0.3", "127.0.0.10"]


@pytest.fixture
def network(lab):
    """(port, addresses): the port is open on the first and the last of HOSTS."""
    port = lab.port()
    with contextlib.ExitStack() as stack:
        for host in (HOSTS[0], HOSTS[2]):
            stack.enter_context(socket.create_server((host, port)))
        yield port


def then(lab, *args, status=0, **options):
    process = lab.run("hnmap", "-n", *args, **options)
    assert process.popen.returncode == status, process
    return process.out().decode().splitlines()


def is_alive(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return ") Z" not in file.read()
    return False


def test_each_host_with_an_open_port_is_handed_on(lab, network):
    closed = lab.port()
    out = then(lab, "-sT", "-p", f"{network},{closed}", *HOSTS, "--then", "echo got {ip} {ports} [{name}] '{mac}'")
    assert sorted(line for line in out if line.startswith("got")) == sorted(
        f"got {host} {network} [{host}] " for host in (HOSTS[0], HOSTS[2]))
    assert out[-1] == "hnmap: 2 commands run, 0 failed"


def test_without_ports_all_that_are_up_are_handed_on(lab):
    out = then(lab, "-sn", *HOSTS, "--then", "echo got {ip}[{ports}]")
    assert sorted(line for line in out if line.startswith("got")) == sorted(f"got {host}[]" for host in HOSTS)


def test_a_command_for_each_port(lab, network):
    out = then(lab, "-sT", "-p", network, *HOSTS, "--then", "echo got {ip}:{port}/{protocol} ${HOME} {{ip}}")
    assert sorted(line for line in out if line.startswith("got")) == sorted(
        f"got {host}:{network}/tcp {os.environ['HOME']} {{ip}}" for host in (HOSTS[0], HOSTS[2]))


def test_many_hosts_wait_their_turn(lab):
    out = then(lab, "-sn", "127.0.1.0/24", "--then", "echo got {ip}", "--then-jobs", "2")
    got = [line for line in out if line.startswith("got")]
    assert len(got) == len(set(got)) == 256
    assert out[-1] == "hnmap: 256 commands run, 0 failed"


def test_a_command_that_fails_is_told(lab):
    process = lab.run("hnmap", "-n", "-sn", *HOSTS, "--then", "test {ip} != 127.0.0.3")
    assert process.popen.returncode == 1
    assert "the command for 127.0.0.3: exit status 1" in process.err()
    assert process.out().endswith(b"hnmap: 3 commands run, 1 failed\n")


def test_another_report_on_standard_output_stays_whole(lab):
    process = lab.run("hnmap", "-n", "-sn", *HOSTS, "-oX", "-", "--then", "echo got {ip}")
    assert len(xml.etree.ElementTree.fromstring(process.out()).findall("host")) == 3
    assert process.err().count("got 127.0.0.") == 3
    assert process.err().endswith("hnmap: 3 commands run, 0 failed\n")


def test_targets_are_not_what_a_command_reads(lab):
    out = then(lab, "-sn", "-iL", "-", "--then", "cat; echo got {ip}", data="\n".join(HOSTS).encode())
    assert sum(line.startswith("got") for line in out) == 3


def test_commands_have_no_descriptors_of_ours(lab):
    path = lab.folder / "open"
    then(lab, "-sn", HOSTS[0], "-oX", lab.folder / "xml", "--then", f"ls -l /proc/$$/fd > {path}", close_fds=True)
    links = [line.split(" -> ") for line in path.read_text().splitlines() if " -> " in line]
    assert not any("socket" in to or "anon_inode" in to or "/xml" in to for _, to in links), links


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_commands_and_scan(lab, number):
    pid = lab.folder / "pid"
    process = lab.spawn("hnmap", "-n", "-sn", "--max-rate", "1", *HOSTS, "127.0.0.20-200", "--then-jobs", "1",
                        "--then", f"sleep 300 & echo $! > {pid}.new; mv {pid}.new {pid}; wait")
    wait_until(pid.exists, "a command runs")
    process.signal(number)
    assert process.wait() == 128 + number
    wait_until(lambda: not is_alive(int(pid.read_text())), "what the command has started has ended")
    assert b"hnmap: 1 command run, 0 failed" in process.out()


def test_a_scan_that_takes_all_descriptors_leaves_some(lab, network):
    out = then(lab, "-sT", "-p1-2000,%d" % network, *HOSTS, "--then", "echo got {ip}",
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90)))
    assert sum(line.startswith("got") for line in out) == 2


@pytest.mark.parametrize("args,what", [
    (["--then", "x {host}"], "'{host}' is no placeholder"),
    (["--then", "x {}"], "{{}} is {} itself"),
    (["--then", "x {protocol}"], "'{protocol}'"),
    (["--then", " "], "there is no command"),
    (["-sL", "--then", "x"], "-sL"),
    (["--then", "x", "--then-jobs", "0"], "--then-jobs"),
])
def test_bad_usage(lab, args, what):
    process = lab.run("hnmap", "-n", "127.0.0.2", *args)
    assert process.popen.returncode == 2
    assert what in process.err(), process
