"""Every example of hcurl's manual and of the README's part about it, run as it is printed; and the
variables of -w that the manual has."""

import os
import re

import pytest

import examples
from conftest import ROOT
from hcurl_lab import Web

PAGE = "hcurl https://example.com/"
FILE = "hcurl -LO https://example.com/file.tar.gz"
RESUME = "hcurl -C - -O https://example.com/big.iso"
JSON = "hcurl --json '{\"name\": \"me\"}' http://localhost:8080/users"
FORM = "hcurl -F picture=@me.png -F 'title=My face' https://example.com/upload"
LOGIN = "hcurl -u me -I https://example.com/private"
MANY = "hcurl -Z -O 'https://example.com/part[1-20].zip'"
TIMES = "hcurl -sSf -o /dev/null -w '%{http_code} %{time_total}\\n' https://example.com/"
NEXT = "hcurl -d a=1 http://localhost:8080/one --next http://localhost:8080/two"
VARIABLE = "hcurl --variable %USER --expand-url 'http://localhost:8080/{{USER:url}}'"
SPLIT = "hcurl --split 8 -LO https://example.com/big.iso"
BENCH = "hcurl --bench --concurrency 100 http://localhost:8080/"

# Around them: the site that they ask, with a certificate that hcurl trusts.
TLS_SITE = "--tls-cert c --tls-key k --redirect=/file.tar.gz=/there/file.tar.gz --auth=/private=me:secret"
PLAIN_SITE = "--demo --proxy=/users=http://localhost:8080/echo --proxy=/one=http://localhost:8080/echo"
PREPARE = f"""export HOME=/tmp USER='a b' no_proxy='*'
mkdir site site/there site/upload here && echo secret >site/private
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c \\
    -subj /CN=x -addext subjectAltName=DNS:example.com
export CURL_CA_BUNDLE=/tmp/c
echo page >site/index.html
echo two >site/two
echo spaced >'site/a b'
seq 100000 >site/big.iso
seq 1000 >site/there/file.tar.gz
for i in $(seq 20); do echo $i >site/part$i.zip; done
hhttpd --no-sandbox {TLS_SITE} --upload=/upload --demo site tls://example.com:443 &
hhttpd --no-sandbox {PLAIN_SITE} -p 8080 site &
hnc -z --wait 60s localhost 8080 && hnc -z --wait 60s example.com 443
cd here
"""
# What each of them is run with, and what that prints.
CASES = {
    PAGE: (PAGE, r"page\n"),
    FILE: (f"{FILE} && cmp file.tar.gz ../site/there/file.tar.gz && echo same", r"same\n"),
    RESUME: (
        f"""head -c 100000 ../site/big.iso >big.iso
        {RESUME} && cmp big.iso ../site/big.iso && echo same""",
        r"same\n",
    ),
    JSON: (JSON, r'{"name": "me"}'),
    FORM: (
        f"""seq 9 >me.png
        {FORM} >/dev/null && cmp me.png ../site/upload/me.png && echo same""",
        r"same\n",
    ),
    LOGIN: (f"echo secret | setsid -w {LOGIN}", r"HTTP/1\.1 200 OK\r\n(?s:.*)Content-Length: 7\r\n(?s:.*)"),
    MANY: (f"{MANY} && for i in $(seq 20); do cmp part$i.zip ../site/part$i.zip; done; ls | wc -l", r"20\n"),
    TIMES: (TIMES, r"200 \d+\.\d{6}\n"),
    NEXT: (NEXT, r"a=1two\n"),
    VARIABLE: (VARIABLE, r"spaced\n"),
    SPLIT: (f"{SPLIT} && cmp big.iso ../site/big.iso && ls", r"big\.iso\n"),
    BENCH: (
        f"""echo 'count = 1000' >/tmp/.hcurlrc
        {BENCH}""",
        r"GET http://localhost:8080/\n100 connections, 1 thread, (?s:.*)\n  Statuses +[\d,]+ +200\n(?s:.*)",
    ),
}  # fmt: skip


def test_no_example_is_left_out(lab):
    assert sorted(examples.lines(lab, "hcurl", "all")) == sorted(CASES)


def test_the_manual_page_has_the_same_examples():
    page = (ROOT / "man" / "hcurl.1").read_text().split("\n.Sh EXAMPLES\n")[1]
    found = re.findall(r"^\.Bd -literal.*\n(.*)\n\.Ed$", page, re.M)
    signs = {r"\-": "-", r"\(aq": "'", r"\(dq": '"', r"\e": "\\", r"\&": ""}
    plain = [re.sub(r"\\(\(..|.)", lambda sign: signs[sign.group()], line) for line in found]
    assert sorted(plain) == sorted(CASES)


@pytest.mark.parametrize("line", CASES)
def test_an_example_works_as_printed(lab, line):
    script, output = CASES[line]
    process = examples.script(lab, PREPARE + script)
    assert process.wait() == 0, str(process)
    assert re.fullmatch(output, process.out().decode()), str(process)


# ---- what the manual lists ----------------------------------------------------------------------

PARTS = re.compile(r"\b(scheme|user|password|options|host|port|path|query|fragment|zoneid)\b")


def variables(lab):
    """Those of -w in the manual, and what they mean."""
    text = lab.run("hcurl", "--manual").out().decode().split("\nWrite-out:\n")[1].split("\nEnvironment:")[0]
    return re.findall(r"(?m)^  (\S.*?)  +(\S.*)", re.sub(r"\n   +", "  ", text))


@pytest.fixture
def web():
    web = Web()
    yield web
    web.close()


def test_every_variable_of_the_manual_can_be_written(lab, web):
    names = []
    for term, meaning in variables(lab):
        for name in term.split(", "):
            whole = [name.replace("PART", part) for part in PARTS.findall(meaning)] if "PART" in name else [name]
            names += [n if n[0] == "%" else f"%{{{n}}}" for n in whole]
    assert len(names) > 60 and "%{urle.query}" in names and "%header{NAME}" in names
    run = lab.run("hcurl", "-qs", "-o", "body", "-w", "".join(names), web.url, cwd=lab.folder)
    assert (run.wait(), run.err()) == (0, "")


@pytest.mark.parametrize("topic, option", [("include", "show-headers"), ("split", "--split"), ("post", "--data")])
def test_help_is_found_by_the_words_that_users_know(lab, topic, option):
    assert option in lab.run("hcurl", "--help", topic).out().decode()


# ---- the README ---------------------------------------------------------------------------------

README = (ROOT / "README.md").read_text()


def part_about_hcurl():
    """Its command lines, and what is printed below each: from the server that hcurl asks on."""
    block = README[README.index("    $ hhttpd -p 8080 www &") :]
    block = re.split(r"^    \$ (?!hhttpd|hcurl)", block, flags=re.M)[0]
    return [part.split("\n", 1) for part in re.sub("^    ", "", block, flags=re.M)[2:].split("\n$ ")]


def pattern_of(printed):
    """A regular expression: times are never the same, nor the bars that are drawn of them."""
    known = re.escape(printed.replace("/home/me/www", "/tmp/www").strip("\n"))
    known = re.sub(r"(?:\\ )+\d+\\\.\d\\ ms", r" +[0-9.]+ ms", known)
    return re.sub(r" ms(?:\\ )+(?:\\#)+", r" ms *#*", known)


def test_the_readme_shows_what_is_printed(lab):
    """All of its lines in one shell; what one of them prints ends with the number of the next."""
    (server, said), *asked = part_about_hcurl()
    script = "".join(f"{{ {line.split('  #')[0]}\n}}; printf '\\n=%d=\\n' $?\n" for line, _ in asked)
    process = examples.script(
        lab,
        f"""exec 2>&1
            mkdir -p www/docs && echo 'hello, world' >www/hello.txt && echo '<p>' >www/docs/index.html
            export no_proxy='*'
            {server.split('  #')[0].replace('hhttpd', 'hhttpd --no-sandbox')}
            hnc -z --wait 60s 127.0.0.1 8080
            echo =0=
            {script}""",
    )
    printed = re.split(r"\n=0=\n", process.out().decode())
    for (line, expected), output in zip([(server, said), *asked], printed):
        assert re.fullmatch(pattern_of(expected), output.strip("\n")), (line, output)
    assert len(printed) == len(asked) + 2
