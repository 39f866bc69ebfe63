# One thread.
"""hcurl's command line, its config files and variables: mistakes, and, beside curl itself, what is
made of the words that both understand."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from conftest import BIN, TIMEOUT
from hcurl_lab import Web, response

HINT = "hcurl: try 'hcurl --help' or 'hcurl --manual' for more information\n"


@pytest.fixture
def web():
    web = Web()
    yield web
    web.close()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def run(home, *args, program="hcurl", data=None, env=None):
    """In a home of its own, without what the environment says about proxies and config files."""
    clean = {k: v for k, v in os.environ.items() if not re.search(r"(?i)proxy|curl|xdg", k)}
    path = str(BIN / "hcurl") if program == "hcurl" else str(program)
    return subprocess.run(
        [path, *map(str, args)],
        input=data if data is not None else b"",
        capture_output=True,
        timeout=TIMEOUT,
        cwd=home,
        env={**clean, "HOME": str(home), **(env or {})},
    )


def need_curl():
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")


def usage_of_any(home, *args):
    """One that may also read or write files."""
    done = run(home, *args)
    assert done.returncode in (1, 2, 26, 53), done
    return done.stderr.decode()


def usage(home, *args, status=2, **options):
    done = run(home, *args, **options)
    assert (done.returncode, done.stdout) == (status, b"")
    text = done.stderr.decode()
    assert text.endswith(HINT), text
    return text.removesuffix(HINT)


# ---- mistakes -----------------------------------------------------------------------------------


def test_nothing_is_no_request(home):
    assert usage(home) == ""
    assert usage(home, "-s") == "hcurl: no URL specified\n"


@pytest.mark.parametrize(
    "words, said",
    [
        (["--foo"], "option --foo: is unknown"),
        (["--heder", "a"], "option --heder: is unknown (did you mean --header?)"),
        (["-s\x01"], "option -\\x01: is unknown in '-s\\x01'"),
        (["-"], "option -: is unknown"),
        (["-o"], "option -o needs a value"),
        (["--output"], "option --output needs a value"),
        (["--silent=1"], "option --silent takes no value"),
        (["--no-output", "x"], "option --no-output: is unknown (did you mean --output?)"),
        (["--expand-output"], "option --output needs a value"),
        (["--expand-silent", "x"], "option --silent takes no value that could be expanded"),
        (["--expand-data", "{{a:b}}"], "unknown function 'b': there are trim, json, url, b64 and 64dec"),
        (["--variable", "%NOT_THERE"], "option --variable: there is no NOT_THERE in the environment"),
        (["--variable", "a[3-1]=x"], "option --variable: a range of bytes is [FIRST-LAST] or [FIRST-]"),
        (["--next"], "option --next: there is no URL before it"),
        (["--libcurl", "f"], "option --libcurl is not supported: hcurl does not have it"),
        (["-P", "-"], "option -P is not supported: there is no FTP in hcurl"),
        (["-C1", "-r1-2", "x"], "--continue-at and --range exclude each other"),
        (["-C1", "--remove-on-error", "x"], "--continue-at and --remove-on-error exclude each other"),
        (["-C1", "--no-clobber", "x"], "--continue-at and --no-clobber exclude each other"),
        (["-OJC-", "x"], "--continue-at - and --remote-header-name exclude each other"),
        (["-C1", "-dx", "x"], "--continue-at and --data exclude each other"),
        (["-C1", "-Fa=b", "x"], "--continue-at and --form exclude each other"),
        (["--etag-save", "f", "x", "y"], "--etag-save and --etag-compare take a single URL"),
    ],
)
def test_a_mistake_is_named(home, words, said):
    assert usage(home, *words).endswith(f": {said}\n") or usage(home, *words) == f"hcurl: {said}\n"


def test_a_file_that_cannot_be_read_is_26(home):
    said = usage(home, "-K", "none", "x", status=26)
    assert said == "hcurl: option -K: cannot read 'none': No such file or directory\n"
    said = usage(home, "--variable", "a@none", "x", status=26)
    assert said == "hcurl: option --variable: cannot read 'none': No such file or directory\n"


def test_mistakes_are_told_even_if_silence_was_asked_for(home):
    assert "option --foo: is unknown" in usage(home, "-s", "--foo")


# ---- mistakes that both know --------------------------------------------------------------------

# By the exit status; URL is one that answers.
MISTAKES = {
    1: """
        --proto =https URL
        --proto-default x URL
        foo://x/
    """,
    2: """
        - URL
        --= URL
        --connect-timeout x URL
        --create-file-mode 999 URL
        --create-file-mode x URL
        --expect100-timeout x URL
        --happy-eyeballs-timeout-ms x URL
        --ip-tos 256 URL
        --ip-tos x URL
        --keepalive-time x URL
        --limit-rate -1 URL
        --limit-rate 1x URL
        --limit-rate 99999999999999999999 URL
        --limit-rate x URL
        --local-port 1-0 URL
        --local-port 70000 URL
        --local-port x URL
        --max-filesize x URL
        --max-redirs -2 URL
        --max-redirs x URL
        --no-data x URL
        --no-foo URL
        --output= URL
        --parallel-max x URL
        --rate 1/0s URL
        --rate x URL
        --retry -1 URL
        --retry 1.5 URL
        --retry x URL
        --retry-delay x URL
        --tls-max "" URL
        --tls-max 9 URL
        -C "" URL
        -C x URL
        -F "" URL
        -F x URL
        -I -T dat URL
        -I -d x URL
        -J -O -C - URL
        -Y x URL
        -d x -F a=b URL
        -d x -T dat URL
        -m "" URL
        -m -1 URL
        -o "" URL
        -o x
        -sd
        -so
    """,
    3: """
        "URL[1-"
        "URL[1-3"
        "URL{a,b"
        "http://a b/"
        http://127.0.0.1:99999/
        http://127.0.0.1:x/
        http://[::1
        http://user@:80/
    """,
    7: """
        --abstract-unix-socket nix URL
        --unix-socket /nonexistent URL
        -x 127.0.0.1:1 URL
    """,
    23: """
        --output-dir nix -o x URL
        -O --output-dir nix URL
        -o "a/b" URL
        -o /nonexistent/x URL
    """,
    26: """
        -F a=<nix URL
        -F a=@nix URL
        -K "" URL
        -K nix URL
        -T nix URL
    """,
    45: """
        --interface nix0 URL
    """,
    49: """
        --resolve x URL
    """,
    63: """
        --max-filesize 1 URL
    """,
    67: """
        --disallow-username-in-url http://a:b@127.0.0.1:1/
    """,
}


@pytest.mark.parametrize("status", MISTAKES)
def test_mistakes_have_the_status_of_curl(web, home, status):
    need_curl()
    wrong = []
    for line in filter(None, map(str.strip, MISTAKES[status].splitlines())):
        words = ["-s", *(w.replace("URL", f"{web.url}/file") for w in shlex.split(line))]
        for program in ("hcurl", "curl"):
            (home / "dat").write_text("data\n")
            done = run(home, *words, program=program)
            if done.returncode != status:
                wrong.append((program, line, done.returncode, done.stderr))
    assert wrong == []


# ---- every option of the original ---------------------------------------------------------------


def curl_options():
    text = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True).stdout
    found = re.findall(r"^ *(?:-(\S), )?(--\S+)( <)?", text, re.M)
    return [pair for short, name, value in found for pair in ((f"-{short}" if short else None, value), (name, value))]


def test_every_option_of_curl_is_known(home):
    need_curl()
    options = [(name, value) for name, value in curl_options() if name]
    assert len(options) > 240
    unknown = []
    for name, value in options:
        if name in ("-h", "--help", "-V", "--version", "-M", "--manual"):
            continue
        # The second option is unknown for certain, so that nothing is asked for.
        said = usage_of_any(home, name, *(["1"] if value else []), "--nonsense")
        if "--nonsense" not in said and ("unknown" in said or "takes no value" in said):
            unknown.append(name)
    assert unknown == []


# ---- help ---------------------------------------------------------------------------------------


def shown(home, *args):
    done = run(home, *args)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().replace("[no-]", "")


def test_help_is_about_what_was_asked_for(home):
    usual, every = shown(home, "--help"), shown(home, "--help", "all")
    assert "--location" in usual and "--haproxy-protocol" not in usual
    assert "--haproxy-protocol" in every and len(every) > 5 * len(usual)
    assert "--output" in shown(home, "-h", "--output")
    assert "--insecure" in shown(home, "--help=-k")
    assert "--no-buffer" in shown(home, "--help", "--no-buffer")
    assert "--proxy-header" in shown(home, "--help", "proxy")
    assert "--location" in shown(home, "--help", "redirects")
    assert "\n The command line\n" in "\n" + shown(home, "--help", "category")
    done = run(home, "--help", "nonsense")
    assert done.returncode == 2 and b"nonsense" in done.stderr


def test_the_manual_is_text(home):
    text = shown(home, "--manual")
    assert "\nExit status:\n" in text and "~/.hcurlrc" in text and "--haproxy-protocol" in text


# ---- the same words, the same requests ----------------------------------------------------------


def normal(wire):
    return re.sub(rb"(?m)^User-Agent: h?curl/\S+", b"User-Agent: curl/x", wire)


def both(web, home, *args, status=0, files=(), data=None, env=None):
    """Runs hcurl and curl with the same words: the same requests, output and files."""
    seen = []
    for program in ("hcurl", "curl"):
        web.forget()
        folder = home / program
        folder.mkdir(exist_ok=True)
        for name, text in dict(files).items():
            (folder / name).write_bytes(text.encode().replace(b"{url}", web.url.encode()))
        words = [str(a).replace("{url}", web.url) for a in args]
        done = run(folder, *words, program=program, data=data, env=env)
        assert done.returncode == status, done
        made = {p.name: p.read_bytes() for p in folder.iterdir() if p.name not in dict(files)}
        seen.append((normal(web.wire()), done.stdout, made))
    assert seen[0] == seen[1]
    return seen[0]


@pytest.mark.parametrize(
    "words",
    [
        ["{url}/a", "-sS"],
        ["-sSfL", "{url}/a"],
        ["-sXPOST", "{url}/a"],
        ["-s", "-dx=1", "{url}/a", "-d", "y"],
        ["-s", "{url}/a", "-oone", "{url}/b", "-o", "two"],
        ["-s", "-o", "one", "-o", "two", "{url}/a", "{url}/b"],
        ["-s", "--url", "{url}/a", "{url}/b", "--url", "{url}/c"],
        ["-s", "-HA: b", "-H", "C: d", "{url}/a", "--header", "Accept:"],
        ["-s", "-i", "--no-include", "{url}/a"],
        ["-s", "{url}/a", "--", "{url}/-b"],
        ["-s", "{url}/a", "-dx", "--next", "{url}/b", "-HA: b", "-:", "{url}/c"],
        ["-s", "-d", "1", "{url}/a", "--next", "-sd2", "{url}/b"],
        ["-sA", "one", "{url}/a", "-A", "two"],
        ["-s", "--globoff", "{url}/a[1-2]", "--no-globoff", "{url}/b{1,2}"],
        ["-s", "-q", "{url}/a"],
        ["-sN", "--buffer", "{url}/a"],
    ],
    ids=lambda words: " ".join(words).replace("{url}", ""),
)
def test_words_make_the_same_requests(web, home, words):
    need_curl()
    wire, _, _ = both(web, home, *words)
    assert wire.count(b"HTTP/1.1\r\n") >= 1


@pytest.mark.parametrize(
    "text",
    [
        'url = "{url}/a"\nsilent\n',
        "silent\nurl {url}/a\nurl: {url}/b\n-d 1\n",
        '-s\n# comment\n\n   # another\nuser-agent "a \\"b\\"\\tc"\nurl={url}/a # here\n',
        "silent\r\nurl = {url}/a\r\nheader = \"X: y\"\r\n",
        "url = {url}/a\nnext\nurl = {url}/b\n-sd 2\n",
        'silent\nurl {url}/a\noutput = "name with blank"\n',
        "-sS\n-XPUT\n--url {url}/a\n",
        'silent\nurl {url}/a\ndata ""\n',
    ],
)
def test_a_config_file_makes_the_same_requests(web, home, text):
    need_curl()
    wire, _, _ = both(web, home, "-K", "config", files={"config": text})
    assert wire.count(b"HTTP/1.1\r\n") >= 1


def test_a_config_file_comes_from_stdin(web, home):
    need_curl()
    wire, _, _ = both(web, home, "-K-", "-s", data=f"url = {web.url}/a\nrequest = PUT\n".encode())
    assert wire.startswith(b"PUT /a ")


def test_config_files_stand_within_one_another(web, home):
    files = {"one": "K two\ndata = 1\n", "two": "-K three\n", "three": "url = {url}/a\nsilent\n"}
    for name, text in files.items():
        (home / name).write_text(text.replace("{url}", web.url))
    assert run(home, "-K", "one").returncode == 2  # "K" is no long name
    (home / "one").write_text("config two\ndata = 1\n")
    done = run(home, "-K", "one")
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert web.requests[0].method == "POST"
    (home / "self").write_text("config = self\n")
    assert "more than 5 config files within one another" in usage(home, "-K", "self")


def test_a_mistake_in_a_config_file_has_its_line(home):
    (home / "bad").write_text("silent\n\n# x\nbogus = 1\n")
    assert usage(home, "-K", "bad") == "hcurl: option -K: bad:4: option --bogus: is unknown\n"
    (home / "bad").write_text("silent = yes\n")
    assert usage(home, "-K", "bad") == "hcurl: option -K: bad:1: option --silent takes no value\n"
    (home / "bad").write_text("\nurl\n")
    assert usage(home, "-K", "bad") == "hcurl: option -K: bad:2: option --url needs a value\n"
    (home / "bad").write_bytes(b"url = a\0b\n")
    assert usage(home, "-K", "bad") == "hcurl: option -K: cannot read 'bad': it is no text\n"


def test_what_looks_like_a_mistake_in_a_config_file_is_warned_of(web, home):
    (home / "odd").write_text(f"silent\nno-silent\nurl {web.url}/a b\nuser-agent 'x y'\n")
    done = run(home, "-K", "odd", "-s")
    assert done.returncode == 0
    text = " ".join(done.stderr.decode().replace("\nWarning: ", " ").split())
    assert "odd:3: option 'url': what follows the blank is left out" in text
    assert "odd:4: option 'user-agent'" in text


def test_the_config_file_that_nobody_names(web, home):
    (home / ".hcurlrc").write_text('user-agent = "from home"\n')
    (home / "config").mkdir()
    (home / "config" / "hcurlrc").write_text('user-agent = "from config"\n')
    for options, env, agent in [
        ([], {}, "from home"),
        (["-q"], {}, None),
        (["-qs"], {}, None),
        (["--disable"], {}, None),
        (["-s", "-q"], {}, "from home"),
        ([], {"XDG_CONFIG_HOME": str(home / "config")}, "from config"),
        (["-Amine"], {}, "mine"),
    ]:
        web.forget()
        assert run(home, *options, "-sS", web.url, env=env).returncode == 0
        seen = web.requests[0].field("User-Agent")
        assert seen == agent or (agent is None and seen.startswith("hcurl/"))


def test_a_mistake_in_that_file_stops_nothing(web, home):
    (home / ".hcurlrc").write_text("bogus\n")
    done = run(home, web.url, "-s")
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert b"option --bogus: is unknown" in b" ".join(done.stderr.split())
    assert run(home, "--version").returncode == 0


def test_by_the_name_of_curl_it_reads_curls_file_and_speaks_as_curl(web, home):
    (home / "curl").symlink_to(BIN / "hcurl")
    (home / ".curlrc").write_text('user-agent = "from curlrc"\n')
    (home / ".hcurlrc").write_text('user-agent = "from hcurlrc"\n')
    assert run(home, "-s", web.url, program=home / "curl").returncode == 0
    assert web.requests[0].field("User-Agent") == "from curlrc"
    assert run(home, "-q", "--foo", program=home / "curl").stderr == (
        b"curl: option --foo: is unknown\n"
        b"curl: try 'curl --help' or 'curl --manual' for more information\n"
    )


# ---- variables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, body",
    [
        (["--variable", "a=1 2", "--expand-data", "<{{a}}>"], b"<1 2>"),
        (["--variable", "a= 1 2 ", "--expand-data", "{{a:trim:url}}"], b"1%202"),
        (["--variable", 'a="\n', "--expand-data", "{{a:json}}"], b'\\"\\n'),
        (["--variable", "a=xyz", "--expand-data={{a:b64}}{{a:b64:64dec}}"], b"eHl6xyz"),
        (["--variable", "%V", "--expand-data", "{{V}}"], b"from env"),
        (["--variable", "%W=default", "--expand-data", "{{W}}"], b"default"),
        (["--variable", "a@file", "--expand-data", "{{a:trim}}"], b"content"),
        (["--variable", "a[1-3]@file", "--expand-data", "{{a}}"], b"ont"),
        (["--variable", "a=1", "--expand-data", "\\{{a}}{{b}}{{not.one}}{{a}}"], b"{{a}}{{not.one}}1"),
    ],
)
def test_an_option_is_expanded(web, home, words, body):
    (home / "file").write_text("content\n")
    done = run(home, "-s", web.url, *words, env={"V": "from env"})
    assert done.returncode == 0, done
    assert web.requests[0].body == body


def test_a_variable_outlives_next_and_any_option_is_expanded(web, home):
    (home / "config").write_text("variable n=name\nexpand-output = {{n}}.1\nnext\nexpand-output {{n}}.2\n")
    done = run(home, "-s", "--variable", f"host={web.port}", "--expand-url", "127.0.0.1:{{host}}/a", "-K", "config",
               "--expand-url=127.0.0.1:{{host}}/b", "-s")
    assert done.returncode == 0, done
    assert [r.target for r in web.requests] == ["/a", "/b"]
    assert (home / "name.1").read_bytes() == (home / "name.2").read_bytes() == b"hello\n"


def test_what_is_no_variable_is_warned_of(web, home):
    done = run(home, web.url, "--variable", "a.b=1", "--expand-data", "{{x y}}")
    text = " ".join(done.stderr.decode().replace("\nWarning: ", " ").split())
    assert "option --variable: it is left out" in text and "what is no variable's name stays as it is" in text
    assert web.requests[0].body == b"{{x y}}"


# ---- fields ----------------------------------------------------------------------------------


def test_chunks_that_are_promised_have_an_end(web, home):
    """Without a body, too; the server would wait for it. The newest curl does so, Debian's does not."""
    done = run(home, "-s", "-HTransfer-Encoding: chunked", f"{web.url}/echo", f"{web.url}/echo")
    assert done.stdout.count(b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 2
    assert web.connections == 1


# ---- next ---------------------------------------------------------------------------------------


def test_a_long_option_may_have_its_value_behind_an_equals_sign(web, home):
    """As the newest curl has it, too."""
    done = run(home, "-s", f"--url={web.url}/a=b", "--data=x=y", "--header=A: b")
    assert done.returncode == 0
    assert (web.requests[0].target, web.requests[0].body) == ("/a=b", b"x=y")


def test_next_forgets_all_but_what_counts_for_the_run(web, home):
    done = run(home, "-s", "-dx", "-HA: b", "-Aone", f"{web.url}/a", "--next", f"{web.url}/b")
    assert done.returncode == 0 and done.stderr == b""
    first, second = web.requests
    assert (first.method, first.field("A"), first.field("User-Agent")) == ("POST", "b", "one")
    assert (second.method, second.field("A")) == ("GET", None)
    assert second.field("User-Agent").startswith("hcurl/")


def test_a_next_without_a_url_is_told_at_the_end(web, home):
    for program in ("hcurl", "curl") if shutil.which("curl") else ("hcurl",):
        done = run(home, "-s", f"{web.url}/a", "--next", "-I", program=program)
        assert (done.returncode, done.stdout) == (2, b"hello\n")
        assert b"no URL specified" in done.stderr


def test_a_secret_is_not_seen_by_others(home):
    """What ps shows, looked at when the request has come."""
    seen = []

    def look(web, request, rest):
        with open(f"/proc/{process.pid}/cmdline", "rb") as words:
            seen.append(words.read())
        return response(200, b"done")

    web = Web({"look": look})
    process = subprocess.Popen(
        [str(BIN / "hcurl"), "-su", "me:geheim", "-K", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"HOME": str(home)},
    )
    out, _ = process.communicate(f"url = {web.url}/look\n".encode(), TIMEOUT)
    web.close()
    assert out == b"done"
    assert web.requests[0].field("Authorization") == "Basic bWU6Z2VoZWlt"
    assert b"-su" in seen[0] and b"geheim" not in seen[0]
