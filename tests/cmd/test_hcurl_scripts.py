"""What shell scripts and tutorials do with curl, with hcurl under that name: the same output, the same
files, the same exit status, the same requests."""

import os
import re
import subprocess
import threading

import pytest

from conftest import TIMEOUT
from hcurl_lab import Web, response

CURL = "/usr/bin/curl"

# $W is the server; $PIPESTATUS and the rest are bash's.
SCRIPTS = r"""
curl -sSfL $W/redirect/302/install | sh -s -- --yes
sh -c "$(curl -fsSL $W/install)" x a b
bash <(curl -s $W/install) a
curl -o /dev/null -s -w "%{http_code}\n" $W/hello
curl -o /dev/null -s -w "%{http_code}" $W/status/404; echo " $?"
[ "$(curl -w %{http_code} --silent --output /dev/null $W/status/503)" = 200 ] || echo bad
r=$(curl -s -w '\n%{http_code}' $W/hello); echo "${r##*$'\n'} ${r%$'\n'*}"
if curl -o /dev/null --silent --head --fail $W/hello; then echo there; fi
for s in 500 404 200; do curl -sf $W/status/$s && break || echo "$s: $?"; done
until curl -sf $W/seldom; do echo again; done
curl -sI $W/hello | grep -i content-length
curl -s -D- -o /dev/null $W/hello | tr -d '\r' | awk -F': ' '/^Content-Length/ { print $2 }'
curl -sLI $W/redirect/302/hello | grep HTTP
curl -sv $W/hello 2>&1 >/dev/null | grep -i '^< content-type'
curl -s $W/json | python3 -c 'import json, sys; print(json.load(sys.stdin)["list"][1])'
curl -s -d @- $W/echo <<<"a=b"
printf 'one\ntwo\n' | curl -s --data-binary @- $W/echo
curl -s --json "{\"a\": $(echo 1)}" $W/echo
seq 1000 | gzip -n | curl -s -T - $W/echo -o /dev/null -w '%{http_code}\n'
curl -s $W/hello | curl -s --data-binary @- $W/echo
find here -name '*.txt' -exec curl -s -H Expect: -T {} $W/echo/ \;
curl -s -c jar $W/cookie -o /dev/null; curl -s -b jar $W/cookie; grep -v '^#' jar
curl -s -c jar -b jar -d 'user=a&pass=b' -L $W/redirect/302/cookie; curl -s -b jar $W/echo | grep Cookie
curl -s -c - $W/cookie -o /dev/null | grep -v '^#'
printf 'url = "%s/hello"\noutput = "out"\nsilent\n' $W >c; curl -K c; cat out
printf 'url=%s/echo\nuser-agent = "x y"\n-s\n' $W | curl -K -
curl -s -K <(echo "url=$W/hello")
printf 'silent\nuser-agent = rc\n' >.curlrc; curl $W/echo; curl -q -s -A x $W/echo
printf 'machine 127.0.0.1 login u password p' >.netrc; curl -s -n $W/basic
curl -s -H "Authorization: Basic $(printf u:p | base64)" $W/basic
seq 1 5 | xargs -P 3 -I{} curl -s -o p{} $W/big/{}; cat p?
printf '%s\n' $W/one $W/two | xargs -n1 curl -sO; ls
while read -r u; do curl -s "$u"; done <<<"$W/hello"
curl -s $W/hello --next -s -d x=1 $W/echo
curl -s $W/hello -o a --next -s -o b $W/echo; cat a b
curl -sZ "$W/big/[1-5]" -o 'z#1' --no-progress-meter; cat z?
diff <(curl -s $W/hello) <(curl -s $W/echo) >/dev/null || echo different
http_proxy=$W curl -s http://elsewhere.invalid/echo; http_proxy=http://127.0.0.1:1 no_proxy=127.0.0.1 curl -s $W/hello
HTTP_PROXY=http://127.0.0.1:1 curl -s $W/hello; NO_PROXY=127.0.0.0/8 ALL_PROXY=http://127.0.0.1:1 curl -s $W/hello
curl -s --resolve name.invalid:$P:127.0.0.1 http://name.invalid:$P/hello
curl -s $W/big/9000000 | head -c 3; echo "${PIPESTATUS[@]}"
curl -sN $W/ticks | head -n 1; echo "${PIPESTATUS[@]}"
curl -sN $W/ticks | grep -m 1 3; echo "${PIPESTATUS[@]}"
curl -s $W/hello >/dev/full; echo $?
curl -s $W/hello >&-; echo $?
curl -s $W/big/100000 | tee copy | cksum
curl -s -o >(cat >copy) $W/hello; until grep -qs hello copy; do :; done
exec 3>copy; curl -s -o /dev/fd/3 $W/hello; cat copy
{ curl -s $W/hello; curl -s $W/echo; } >both; cat both
head -c 1000 <(curl -s $W/ranged) >part; curl -s -C - -o part $W/ranged; echo $?; cksum part
curl -s -r 0-9 $W/ranged; curl -s -r -9 $W/ranged; curl -s -r 2990- $W/ranged; curl -s -r 4000- -i $W/ranged
curl -s --etag-save e $W/etag -o o; curl -s --etag-compare e $W/etag -w '%{http_code}\n'
curl -s -H 'Accept-Encoding: gzip' $W/coded/gzip | gunzip | head -c 10
curl -s --max-time 0.2 $W/never; echo $?
curl -s -w '%{json}' -o /dev/null $W/hello | python3 -c 'import json, sys; print(json.load(sys.stdin)["http_code"])'
curl -s $W/hello & wait $!; echo $?
bash -c 'exec curl -s $W/signal/$$/2'; echo $?
bash -c 'exec curl -s $W/signal/$$/15'; echo $?
"""


def install(web, request, rest):
    return response(200, b'echo "installed $*"\n')


def seldom(web, request, rest):
    return response(200 if web.count("seldom") == 2 else 503, b"at last\n")


def data(web, request, rest):
    return response(200, b'{"list": [1, 2, 3]}\n', "Content-Type: application/json")


def ticks(web, request, rest):
    return response(200, b"".join(b"%d\n" % i for i in range(1000000)), "Connection: close", length=False)


def never(web, request, rest):
    web.over.wait(TIMEOUT)


def send_signal(web, request, rest):
    """To who asks: its number is in the path, which it has from the shell whose place it took."""
    os.kill(int(rest[0]), int(rest[1]))
    web.over.wait(TIMEOUT)


ROUTES = {"install": install, "seldom": seldom, "json": data, "ticks": ticks, "never": never, "signal": send_signal}


@pytest.fixture(scope="module")
def web():
    web = Web(ROUTES)
    web.over = threading.Event()
    yield web
    web.over.set()
    web.close()


def blur(data):
    """Without what has to differ: names, versions, process numbers, and comments in files of cookies."""
    data = re.sub(rb"h?curl/[\d.]+|(?<=/signal/)\d+", b"", data)
    return re.sub(rb"(?m)^# .*\n", b"", data)


def outcome(program, script, web, folder):
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "curl").symlink_to(program)
    home = folder / "home"
    (home / "here").mkdir(parents=True)
    (home / "here" / "file.txt").write_text("a file\n")
    web.forget()
    env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C",
           "W": web.url, "P": str(web.port)}  # fmt: skip
    done = subprocess.run(["bash", "-c", script], cwd=home, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIMEOUT)  # fmt: skip
    files = {str(f.relative_to(home)): blur(f.read_bytes()) for f in home.rglob("*") if f.is_file()}
    requests = [blur(r.bytes) for r in web.requests]
    if re.search(r"-P|-s?Z|<\(.*<\(", script):  # several at once
        requests.sort()
    return {"status": done.returncode, "out": blur(done.stdout), "err": done.stderr, "files": files,
            "wire": requests}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS.strip().split("\n"))
def test_a_script_need_not_know_which_of_the_two_it_runs(lab, web, script):
    if not os.path.exists(CURL):
        pytest.skip("curl is not installed")
    theirs = outcome(CURL, script, web, lab.folder / "curl")
    assert outcome(lab.program("hcurl"), script, web, lab.folder / "hcurl") == theirs
