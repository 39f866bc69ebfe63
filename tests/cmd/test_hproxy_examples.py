# One thread
"""Every example of hproxy's manual, run as it is printed."""

import re

import pytest

import examples

PLAIN = "hproxy 8080 example.com:80"
TLS = "hproxy tls://:8443 127.0.0.1:8080 --tls-self-signed"
BACKUP = "hproxy 5432 10.0.0.1:5432 10.0.0.2:5432,backup --check connect"
UDP = "hproxy udp://53 udp://9.9.9.9:53"
FORWARD = "hproxy 1080 --socks --http --auth me:secret"
LOCAL = "hproxy unix:/tmp/db.sock db.example.com:5432"
CHECK = "hproxy -c /etc/hproxy.conf -t"
DAEMON = "hproxy -c /etc/hproxy.conf -d"
RELOAD = "hproxy -c /etc/hproxy.conf -s reload"

# What runs around them: a shell script, in which they stand as they are, and what it prints when they
# work.
PREPARE = """export HOME=/tmp
echo '127.0.0.1 db.example.com' >>/tmp/hosts
for address in 10.0.0.1 10.0.0.2 9.9.9.9; do ip addr add $address/32 dev lo; done
listens() { until hnc -z "$@" 2>/dev/null; do sleep 0.02; done; }
says() { until grep -q "$1" said; do sleep 0.02; done; }
"""
CASES = {
    (PLAIN,): (
        f"""hecho --prefix 'A ' 127.0.0.1:80 2>/dev/null &
        listens 127.0.0.1 80
        {PLAIN} 2>/dev/null &
        listens 127.0.0.1 8080
        echo hello | hnc -N 127.0.0.1 8080""",
        r"A hello\n",
    ),
    (TLS,): (
        f"""hecho --prefix 'A ' 8080 2>/dev/null &
        listens 127.0.0.1 8080
        {TLS} 2>said &
        says serving
        echo hello | hnc -N --ssl --no-ssl-verify 127.0.0.1 8443""",
        r"A hello\n",
    ),
    (BACKUP,): (
        f"""hecho --prefix 'A ' 10.0.0.1:5432 2>/dev/null &
        first=$!
        hecho --prefix 'B ' 10.0.0.2:5432 2>/dev/null &
        listens 10.0.0.1 5432 && listens 10.0.0.2 5432
        {BACKUP} 2>said &
        says serving
        echo hello | hnc -N 127.0.0.1 5432
        kill $first; wait $first
        echo hello | hnc -N 127.0.0.1 5432""",
        r"A hello\nB hello\n",
    ),
    (UDP,): (
        f"""hecho --prefix 'A ' udp://9.9.9.9:53 2>said &
        says listening
        {UDP} 2>>said &
        says serving
        echo hello | timeout 60 hnc -u -W 1 127.0.0.1 53""",
        r"A hello\n",
    ),
    (FORWARD,): (
        f"""mkdir www && echo hello >www/file
        hhttpd www 80 2>/dev/null &
        {FORWARD} 2>said &
        says serving
        listens 127.0.0.1 80
        curl -s -x socks5h://me:secret@127.0.0.1:1080 http://example.com/file
        curl -s -x http://me:secret@127.0.0.1:1080 http://example.com/file
        curl -s -x socks5h://127.0.0.1:1080 http://example.com/file || echo refused""",
        r"hello\nhello\nrefused\n",
    ),
    (LOCAL,): (
        f"""hecho --prefix 'A ' 5432 2>/dev/null &
        listens 127.0.0.1 5432
        {LOCAL} 2>said &
        says serving
        echo hello | hnc -N -U /tmp/db.sock""",
        r"A hello\n",
    ),
    (CHECK, DAEMON, RELOAD): (
        f"""mkdir etc
        cp /etc/hosts /etc/passwd /etc/group /etc/nsswitch.conf etc
        hecho --prefix 'A ' 81 2>/dev/null &
        hecho --prefix 'B ' 82 2>/dev/null &
        listens 127.0.0.1 81 && listens 127.0.0.1 82
        printf '[listen web]\\nlisten = 8080\\ntarget = 127.0.0.1:81\\n' >etc/hproxy.conf
        mount --bind etc /etc
        {CHECK} && echo good
        {DAEMON} 2>said
        echo hello | hnc -N 127.0.0.1 8080
        sed -i s/81/82/ /tmp/etc/hproxy.conf
        {RELOAD}
        until echo hello | hnc -N 127.0.0.1 8080 | grep B; do sleep 0.02; done
        hproxy -c /etc/hproxy.conf -s stop""",
        r"hproxy: the configuration is good\ngood\nA hello\nhproxy start/running, pid=\d+\nB hello\nhproxy stop/waiting\n",
    ),
}


def test_no_example_is_left_out(lab):
    assert sorted(examples.lines(lab, "hproxy")) == sorted(line for lines in CASES for line in lines)


@pytest.mark.parametrize("lines", CASES, ids=lambda lines: lines[-1])
def test_an_example_works_as_printed(lab, lines):
    script, output = CASES[lines]
    process = examples.script(lab, PREPARE + script)
    assert re.fullmatch(output, process.out().decode()), process


def test_the_configuration_of_the_manual_is_good(lab, tmp_path):
    """Put together from its lines."""
    text = lab.run("hproxy", "--help-man").out().decode()
    section = text.split(".Sh CONFIGURATION FILE\n")[1].split("\n.Sh ")[0].replace("\\-", "-").replace("\\&", "")
    lines = re.findall(r'^\.It Li "(.*)"$', section, re.M)
    assert len(lines) == 12, section
    path = tmp_path / "x.conf"
    path.write_text("\n".join(lines).replace("tls-cert = /etc/hproxy/web.pem", "tls-self-signed = yes") + "\n")
    process = lab.run("hproxy", "-t", "-c", path)
    assert process.wait() == 0, process
