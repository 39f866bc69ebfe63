"""What the tests of hnmap share: the LAN as a fixture, and scans of it."""

import os
import shutil
import tempfile

import pytest

import hnmap_lan

SYN_PORTS = f"-p1-{hnmap_lan.PORT_MAX}"
IPV4, ARP = 0x0800, 0x0806


@pytest.fixture(scope="session")
def lan():
    reason = hnmap_lan.missing()
    if reason:
        pytest.skip(reason)
    lan = hnmap_lan.Lan()
    yield lan
    lan.close()


@pytest.fixture(scope="session")
def wire(lan, tmp_path_factory):
    """The program of a long cable; only where there is a LAN."""
    if not shutil.which(os.environ.get("CC", "cc")):
        pytest.skip("no compiler")
    return hnmap_lan.build_wire(tmp_path_factory.mktemp("wire"))


@pytest.fixture
def public_hnmap(lab):
    """A copy of the program that everybody can run, wherever it was built."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield shutil.copy(lab.program("hnmap"), folder)


def become_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def run(lab, lan, *args, name="hnmap", **options):
    """The program in the scanner's place; -n, for there is no name server."""
    with lan.scanner.inside():
        return lab.run(name, "-n", *args, **options)


def scan(lab, lan, *args, **options):
    """{address: Found}."""
    process = run(lab, lan, *args, "-oX", "-", **options)
    assert process.popen.returncode == 0, process
    return hnmap_lan.read_report(process.out())


def faults(found, host, ports):
    """[(port, what -sS reports, what is true)] of one host."""
    said = {port: found.ports.get(port) for port in ports}
    true = {port: (host.state(port), host.reason(port)) for port in ports}
    return [(port, said[port], true[port]) for port in ports if said[port] != true[port]]


def connect_faults(found, host, ports):
    """The same of -sT, without reasons."""
    said = {port: found.ports.get(port, [None])[0] for port in ports}
    true = {port: host.connect_state(port) for port in ports}
    return [(port, said[port], true[port]) for port in ports if said[port] != true[port]]
