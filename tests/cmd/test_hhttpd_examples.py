"""Every example of hhttpd's manual, run as it is printed."""

import re

import pytest

import examples

HERE = "hhttpd"
NETWORK = "hhttpd -v ~/music :8000 --qr"
SPA = "hhttpd --spa dist --live-reload"
UPLOAD = "hhttpd --tls-self-signed --auth me:secret --upload inbox :8443"
CHECK = "hhttpd -c /etc/hhttpd.conf -t"
DAEMON = "hhttpd -c /etc/hhttpd.conf -d"
RELOAD = "hhttpd -c /etc/hhttpd.conf -s reload"

# What runs around them: a shell script, in which they stand as they are, and what it prints when they
# work.
PREPARE = """export HOME=/tmp
ask() { curl -sk --retry 200 --retry-delay 0 --retry-connrefused "$@"; }
"""
CASES = {
    (HERE,): (
        f"""echo hello >file
        {HERE} 2>/dev/null &
        ask http://127.0.0.1:8080/file""",
        r"hello\n",
    ),
    (NETWORK,): (
        f"""mkdir music && echo la >music/song
        {NETWORK} 2>said &
        ask http://host:8000/song
        until grep -q 'GET /song' said; do sleep 0.02; done; echo told
        grep -q '\u2588' said && echo code""",
        r"la\ntold\ncode\n",
    ),
    (SPA,): (
        f"""mkdir dist && echo '<p>app</p>' >dist/index.html
        {SPA} 2>/dev/null &
        ask -H 'Accept: text/html' http://127.0.0.1:8080/deep/page | head -n 1
        ask -N http://127.0.0.1:8080/.hhttpd/events >events &
        until grep -q . events; do sleep 0.02; done
        until grep -q reload events; do date >dist/now; sleep 0.2; done; echo reloaded""",
        r"<p>app</p>\nreloaded\n",
    ),
    (UPLOAD,): (
        f"""mkdir inbox && seq 1000 >file
        {UPLOAD} 2>/dev/null &
        ask -o /dev/null -w '%{{http_code}}\\n' -T file https://127.0.0.1:8443/
        ask -o /dev/null -w '%{{http_code}}\\n' -u me:secret -T file https://127.0.0.1:8443/
        cmp file inbox/file && echo whole""",
        r"401\n201\nwhole\n",
    ),
    (CHECK, DAEMON, RELOAD): (
        f"""mkdir etc www && echo one >www/file
        cp /etc/hosts /etc/passwd /etc/group /etc/nsswitch.conf etc
        printf 'document_root = /tmp/www\\n' >etc/hhttpd.conf
        mount --bind etc /etc
        {CHECK} && echo good
        {DAEMON}
        ask http://127.0.0.1:8080/file
        mkdir new && echo two >new/file
        printf 'document_root = /tmp/new\\n' >/etc/hhttpd.conf
        {RELOAD}
        until ask http://127.0.0.1:8080/file | grep two; do sleep 0.02; done
        hhttpd -c /etc/hhttpd.conf -s stop""",
        r"hhttpd: the configuration is good\ngood\none\nhhttpd start/running, pid=\d+\ntwo\nhhttpd stop/waiting\n",
    ),
}


def test_no_example_is_left_out(lab):
    assert sorted(examples.lines(lab, "hhttpd")) == sorted(line for lines in CASES for line in lines)


@pytest.mark.parametrize("lines", CASES, ids=lambda lines: lines[-1])
def test_an_example_works_as_printed(lab, lines):
    script, output = CASES[lines]
    process = examples.script(lab, PREPARE + script)
    assert re.fullmatch(output, process.out().decode()), process
