# One thread.
"""Every example of hchat's manual, run as it is printed."""

import re

import pytest

import examples

SERVE, TALK = "hchat 6667", "nc localhost 6667"
PUBLIC = "hchat -v --motd rules.txt --max-per-address 5 :6667 tls://:6697 --tls-cert chat.pem"
SECRET = "hchat --password file:secret --allow 192.0.2.0/24 :6667"
DAEMON = "hchat -d --pid-file /run/hchat.pid --log-file /run/hchat.log --json -vv :6667"

# What runs around them: a shell script, in which they stand as they are, and what it prints when they
# work.
PREPARE = """listens() { until hnc -z 127.0.0.1 "$1" 2>/dev/null; do sleep 0.02; done; }
"""
CASES = {
    (SERVE, TALK): (
        f"""{SERVE} 2>/dev/null &
        listens 6667
        printf '/nick bob\\n/who\\n/quit\\n' | {TALK} | tail -n 2
        printf '/nick al\\n/who\\n/quit\\n' | hchat localhost 6667 | tail -n 2""",
        r"\* in lobby \(1\): bob\n\* good bye\n\* in lobby \(1\): al\n\* good bye\n",
    ),
    (PUBLIC,): (
        f"""openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -subj /CN=x 2>/dev/null
        cat k c >chat.pem
        echo 'be nice' >rules.txt
        {PUBLIC} 2>/dev/null &
        listens 6697
        (echo /quit; cat) </dev/null | hnc --ssl --no-ssl-verify 127.0.0.1 6697 2>/dev/null | grep nice""",
        r"\* be nice\n",
    ),
    (SECRET,): (
        f"""ip addr add 192.0.2.1/32 dev lo
        echo sesame >secret
        {SECRET} 2>/dev/null &
        listens 6667
        printf 'sesame\\n/quit\\n' | hnc -N -s 192.0.2.1 192.0.2.1 6667 | grep alone
        hnc -d 127.0.0.1 6667""",
        r"password: \* welcome.*|\* you are guest1 in lobby, alone\n",
    ),
    (DAEMON,): (
        f"""{DAEMON} && echo started
        printf '/quit\\n' | hnc -N 127.0.0.1 6667 | tail -n 1
        hchat -s stop --pid-file /run/hchat.pid
        grep -c '"event":"join"' /run/hchat.log""",
        r"started\n\* good bye\nhchat stop/waiting\n1\n",
    ),
}


def test_no_example_is_left_out(lab):
    assert sorted(examples.lines(lab, "hchat")) == sorted(line for lines in CASES for line in lines)


@pytest.mark.parametrize("lines", CASES, ids=lambda lines: lines[-1])
def test_an_example_works_as_printed(lab, lines):
    script, output = CASES[lines]
    process = examples.script(lab, PREPARE + script)
    assert re.fullmatch(output, process.out().decode()), process
