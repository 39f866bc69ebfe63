# One thread.
"""Every example of hnc's manual, run as it is printed."""

import re

import pytest

import examples

RECEIVE, SEND = "hnc -l 1234 >file", "hnc -N host 1234 <file"
WEB = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | hnc example.com 80"
SCAN = "hnc -zv -w 2 host 20-30"
SERVE = "hnc -lk -c 'date' 127.0.0.1 1300"
UNIX = "hnc -U /run/app.sock"
TLS = "hnc tls://example.com:443"

# What runs around them: a shell script, in which they stand as they are, and what it prints when they
# work.
CASES = {
    (RECEIVE, SEND): (
        f"""mkdir there here && seq 100000 >here/file
        (cd there && {RECEIVE}) &
        cd here
        until {SEND} 2>/dev/null; do sleep 0.02; done
        wait
        cmp file ../there/file && echo whole""",
        r"whole\n",
    ),
    (WEB,): (
        f"""hnc -l -c 'read line; printf "HTTP/1.0 200 OK\r\n\r\n%s" "$line"' example.com 80 &
        until grep -q ':0050 ' /proc/net/tcp; do sleep 0.02; done
        {WEB}""",
        r"HTTP/1.0 200 OK\r\n\r\nGET / HTTP/1.0\r",
    ),
    (SCAN,): (
        f"""hnc -lk host 22 &
        until hnc -z host 22; do sleep 0.02; done
        {SCAN} 2>&1 | grep succeeded""",
        r"Connection to host \(127.0.0.1\) 22 port \[tcp/.*\] succeeded!\n",
    ),
    (SERVE,): (
        f"""{SERVE} &
        until hnc -z 127.0.0.1 1300; do sleep 0.02; done
        for i in 1 2 3; do LC_ALL=C hnc -d 127.0.0.1 1300; done""",
        r"(.*[0-9]+:[0-9]+:[0-9]+.*\n){3}",
    ),
    (UNIX,): (
        f"""hnc -l -U -c 'read line; echo "you said $line"' /run/app.sock &
        until grep -q '00010000 .*/run/app.sock' /proc/net/unix; do sleep 0.02; done
        echo hello | {UNIX}""",
        r"you said hello\n",
    ),
    (TLS,): (
        f"""openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c \\
            -subj /CN=x -addext subjectAltName=DNS:example.com 2>/dev/null
        hnc -l --ssl-cert c --ssl-key k -c 'read line; echo "you said $line"' tls://example.com:443 &
        until grep -q ':01BB ' /proc/net/tcp; do sleep 0.02; done
        echo hello | SSL_CERT_FILE=c {TLS}""",
        r"you said hello\n",
    ),
}


def test_no_example_is_left_out(lab):
    assert sorted(examples.lines(lab, "hnc")) == sorted(line for lines in CASES for line in lines)


@pytest.mark.parametrize("lines", CASES, ids=lambda lines: lines[-1])
def test_an_example_works_as_printed(lab, lines):
    script, output = CASES[lines]
    process = examples.script(lab, script)
    assert re.fullmatch(output, process.out().decode()), process
