"""hhttpd: options and the configuration file; mistakes are told with their line."""

import re

import pytest

from conftest import ROOT

from hhttpd_lab import hhttpd, www  # noqa: F401


@pytest.fixture
def check(lab, www):
    """check(text, arguments): the lines that -t writes about a configuration, without its name; [] if it is good."""

    def run(text, *args, status=2):
        path = lab.folder / "x.conf"
        path.write_text(text.replace("WWW", str(www)))
        process = lab.run("hhttpd", "-t", "-c", path, *args)
        lines = [line.replace(f"hhttpd: {path}:", "") for line in process.err().splitlines()]
        if lines:
            assert process.wait() == status and process.out() == b""
        else:
            assert process.wait() == 0 and process.out() == b"hhttpd: the configuration is good\n"
        return lines

    return run


def test_every_key_of_libhv_is_known(check, lab, www, pki_pair):
    cert, key = pki_pair
    (www / "error.html").write_text("no")
    assert (
        check(f"""
# as libhv's httpd.conf
logfile = {lab.path("httpd.log")}
loglevel = WARN
log_remain_days = 3
log_filesize = 64M
log_fsync = true
worker_processes = 2
worker_threads = auto
worker_connections = 1024
http_port = 0
https_port = 0
base_url = /v1/api
document_root = WWW
home_page = index.html
error_page = error.html
index_of = /downloads/
keepalive_timeout = 75000 ; ms
limit_rate = 500
access_log = off
cors = true
ssl_certificate = {cert}
ssl_privatekey = {key}
ssl_ca_certificate = {cert}

[proxy]
proxy_connect_timeout = 10000
proxy_read_timeout = 60000
proxy_write_timeout = 60000
forward_proxy = true
trust_proxies = httpbin.org;*httpbin.org
no_proxies = *
/httpbin/ => http://httpbin.org/
""")
        == []
    )


@pytest.fixture
def pki_pair(lab):
    """A certificate and its key."""
    cert, key = lab.path("cert.pem"), lab.path("key.pem")
    lab.run(
        *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(),
        *("-keyout", key, "-out", cert),
    )
    return cert, key


def test_our_own_keys_and_sections_are_known(check, www):
    (www / "404.html").write_text("no")
    assert (
        check("""
listen = 127.0.0.1:0 unix:/tmp/none.sock
host = 127.0.0.1
document_root = WWW
spa = yes
hidden = yes
archive = yes
follow_links = all
access_log = -
access_log_format = json
tls_self_signed = yes
[redirect]
/old/ => /new/
/tmp => 302 https://example.com/x?y=z
[rewrite]
/v1/ => /v2/
[auth]
/admin/ => me:secret
[error_page]
404 => /404.html
[host example.com, *.example.com]
document_root = WWW/sub
[redirect example.com]
/ => https://example.org/
""")
        == []
    )


@pytest.mark.parametrize(
    "text, line",
    [
        ("prot = 80", "1: unknown key 'prot' (did you mean port?)"),
        ("port = 70000", '1: port: port out of range: "70000"'),
        ("\nport = udp://:80", "2: port: 'udp://:80': HTTP is spoken over TCP, TLS or a UNIX stream socket"),
        ("document_root = /nosuch", "1: document_root: '/nosuch': No such file or directory"),
        ("document_root = WWW/a.txt", "1: document_root: 'WWW/a.txt': Not a directory"),
        ("ssl_certificate = /nosuch", "1: ssl_certificate: '/nosuch': No such file or directory"),
        ("worker_processes = many", "1: worker_processes: 'many': it takes auto or a number from 0 to 1024"),
        ("loglevel = loud", "1: loglevel: 'loud': it takes VERBOSE, DEBUG, INFO, WARN, ERROR, FATAL or SILENT"),
        ("access_log_format = x", "1: access_log_format: 'x': it takes common, combined or json"),
        ("cors = perhaps", "1: cors: 'perhaps' is neither yes nor no"),
        ("base_url = api", "1: base_url: 'api': a path begins with a slash"),
        ("home_page = a/b", "1: home_page: 'a/b': a name without a slash"),
        ("error_page = ../x", "1: error_page: '../x': a file below the document root"),
        ("port = 1\nlimit_rate = 4\nlimit_rate = 4", "3: duplicate key 'limit_rate': it is on line 2 too"),
        ("[redirect]\n/a => b", "2: /a: 'b': neither a path nor a URL"),
        ("[redirect]\n/a => 404 /b", "2: /a: '404 /b': a redirect is 301, 302, 303, 307 or 308"),
        ("[redirect]\n/a => /b\n/a => /c", "3: /a: it is there twice"),
        ("[redirect]\n/a =", "2: /a: nothing behind the arrow"),
        ("[proxy]\n/a => ftp://x/", "2: /a: 'ftp://x/': it takes http://HOST[:PORT]/..., https:// or unix:PATH"),
        ("[error_page]\n200 => /x", "2: 200: not a status from 400 to 599"),
        ("[auth]\nadmin => a:b", "2: admin: 'admin': a path begins with a slash"),
        ("[host]", "1: [host]: which one? [host www.example.com]"),
        ("[host a]\n[host b A]", "2: [host]: 'A' is there twice"),
        ("[host a*]", "1: [host]: 'a*' is no name: www.example.com or *.example.com"),
        ("cache_control = a\x01b", "1: cache_control: a control character in 'a\\x01b'"),
        ("base_url = /a\x7fb", "1: base_url: a control character in '/a\\x7fb'"),
        ("[proxy b]\n/a => http://x/", "1: [proxy]: there is no [host b] before it"),
        ("nonsense", "1: neither a [section] nor KEY = VALUE"),
    ],
)
def test_a_mistake_is_told_with_its_line(check, www, text, line):
    assert check(text) == [line.replace("WWW", str(www))]


def test_all_mistakes_are_told_at_once(check):
    assert len(check("a = 1\nb = 2\n[c]\nport = x\n")) == 3


@pytest.mark.parametrize(
    "text, line",
    [
        ("\nhttps_port = 8443", "2: TLS needs a certificate: ssl_certificate, --tls-cert or --tls-self-signed"),
        ("port = 1\nlisten = :1 tls://:2", "2: TLS needs a certificate: ssl_certificate, --tls-cert or --tls-self-signed"),
        ("ssl_privatekey = WWW/a.txt", "1: a private key without a certificate"),
        ("host = a:b:c.", None),
        ("document_root = WWW\nerror_page = none.html", "2: error_page: WWW/none.html: No such file or directory"),
        ("document_root = WWW\nspa = sub", "2: spa: WWW/sub: Is a directory"),
        ("document_root = WWW\nspa = a.txt", ""),
        ("document_root = WWW/sub\nspa = yes", " spa: WWW/sub/index.html: No such file or directory"),
        (
            "[host a]\ndocument_root = WWW\n[error_page a]\n404 => none",
            "4: [host a]: error_page: WWW/none: No such file or directory",
        ),
        ("chroot = WWW/sub\ndocument_root = WWW", "1: WWW is not below the new root WWW/sub"),
        ("document_root = WWW\n\nupload = /none", "3: upload: /none in WWW: No such file or directory"),
        ("[proxy]\n/a => http://b/\n/a => http://", '3: proxy /a: not an http or https URL: "http://"'),
        ("logfile = /nosuch/a", "1: cannot open /nosuch/a: No such file or directory"),
        ("\naccess_log = /nosuch/a", "2: cannot open /nosuch/a: No such file or directory"),
        ("user = nosuchuser\ngroup = root", "1: unknown user 'nosuchuser'"),
        ("user = root\ngroup = nosuchgroup", "2: unknown group 'nosuchgroup'"),
        (
            "port = 0\n[host a]\nssl_certificate = WWW/a.txt\n[host b]\n",
            "3: [host a]: a certificate, but TLS is not spoken anywhere",
        ),
        ("upload_max = 1G", " upload_max, --upload-max: nothing is stored without upload, --upload"),
        ("upload_replace = yes", " upload_replace, --upload-replace: nothing is stored without upload, --upload"),
        ("upload_delete = yes", " upload_delete, --upload-delete: nothing is stored without upload, --upload"),
        ("upload_delete = yes\nupload_max = 1M\nupload = no", ""),
    ],
)
def test_what_only_the_whole_can_tell(check, www, text, line):
    lines = check(text)
    if line is not None:
        assert lines == ([line.replace("WWW", str(www))] if line else [])


def test_a_certificate_that_is_none_is_refused(check, www, pki_pair):
    cert, key = pki_pair
    assert re.fullmatch("1: TLS: .*/a.txt: .*", *check("ssl_certificate = WWW/a.txt\nport = tls://127.0.0.1:0"))
    lines = check(f"ssl_certificate = {cert}\nssl_privatekey = {key}\n[host a]\nssl_certificate = WWW/a.txt\n")
    assert re.fullmatch("4: TLS: .*/a.txt: .*", *lines)


def test_what_the_command_line_says_is_no_mistake_of_the_file(check):
    assert check("port = 0\n", "--log-file=/nosuch/a") == ["hhttpd: cannot open /nosuch/a: No such file or directory"]


def test_a_file_that_is_not_there(lab):
    process = lab.run("hhttpd", "-t", "-c", "/nosuch.conf")
    assert process.wait() == 2
    assert process.err() == "hhttpd: /nosuch.conf: No such file or directory\n"


@pytest.mark.parametrize(
    "args, text",
    [
        (["-p", "x"], 'option -p: no port: "x"'),
        (["/nosuch"], "'/nosuch': No such file or directory"),
        (["/", "/"], None),
        (["/", "/tmp"], "'/tmp': one folder is enough"),
        (["--auth", "/x=", "/"], "option --auth: USER:PASSWORD or a file is missing"),
        (["--redirect", "x"], "option --redirect: it takes FROM=TO, with a path as FROM"),
        (["--nonsense"], "unknown option --nonsense"),
        (["--workers", "2000"], "option --workers: '2000': it takes auto or a number from 1 to 1024"),
        (["--workers=0"], "option --workers: '0': it takes auto or a number from 1 to 1024"),
        (["--threads=0"], "option --threads: '0': it takes auto or a number from 1 to"),
        (["--cache-control=a\r\n\r\nx"], "option --cache-control: a control character in 'a\\r\\n\\r\\nx'"),
        (["--redirect=/a=/b\r\nx"], "option --redirect: '/b\\r\\nx': a blank in a URL"),
        (["--base-url=/a\nb"], "option --base-url: a control character in '/a\\nb'"),
        (["--error-page=none", "/"], "error_page: /none: No such file or directory"),
        (["--upload-delete", "/"], "upload_delete, --upload-delete: nothing is stored without upload, --upload"),
    ],
)
def test_a_mistake_on_the_command_line(lab, args, text):
    process = lab.run("hhttpd", "-t", *args)
    if text:
        assert process.wait() == 2
        assert process.err().startswith(f"hhttpd: {text}")
        assert process.err().count("\n") == 1


def test_the_command_line_has_the_last_word(hhttpd, lab, www):
    conf = lab.folder / "x.conf"
    conf.write_text(f"port = 1\ndocument_root = {www}\nspa = yes\n")
    (www / "sub" / "index.html").write_text("sub")
    server = hhttpd("-c", conf, "-p", "0", www / "sub")
    assert len(server.urls) == 1 and server.port != 1
    assert server.get("/b.txt").text == "below\n"
    server.stop()


def test_an_operand_is_a_folder_or_an_end_point(hhttpd, lab, www):
    (www / "8000").mkdir()
    (www / "8000" / "x").write_text("x")
    server = hhttpd("./8000", "0", "unix:s", "tcp://[::1]:0", listeners=3, cwd=www)
    assert server.urls[1] == f"unix:s" and server.urls[2].startswith("http://[::1]:")
    assert [server.get("/x", index=i).text for i in (0, 2)] == ["x", "x"]
    server.stop()
    assert not (www / "s").exists()


def test_a_port_that_is_taken_is_told_with_a_way_out(hhttpd, lab, www):
    first = hhttpd(www, "0")
    process = lab.run("hhttpd", www, str(first.port))
    assert process.wait() == 1
    assert process.err() == (
        f"hhttpd: cannot listen on 127.0.0.1:{first.port}: Address already in use; choose another port with "
        f"-p {first.port + 1}, or see who has it: ss -ltnp 'sport = :{first.port}'\n"
    )
    first.stop()


def test_an_address_that_is_not_ours(lab, www):
    process = lab.run("hhttpd", www, "192.0.2.1:8080")
    assert process.wait() == 1
    assert process.err() == (
        "hhttpd: cannot listen on 192.0.2.1:8080: Cannot assign requested address; no network interface has this "
        "address\n"
    )


def test_a_server_on_every_address_says_one_that_can_be_reached(hhttpd, www):
    server = hhttpd(www, "--host", "*", "-p", "0")
    assert "0.0.0.0" not in server.urls[0] and "[::]" not in server.urls[0]
    assert server.get("/a.txt").text == "some text\n"
    server.stop()


def test_the_example_has_every_key_and_is_good(lab, www):
    """cmd/hhttpd/hhttpd.conf, as it is and with each of its comments that is a key or a rule."""
    example = ROOT / "cmd" / "hhttpd" / "hhttpd.conf"
    for name in ("error.html", "404.html"):
        (www / name).write_text("no")
    process = lab.run("hhttpd", "-t", "-c", example, cwd=www)
    assert process.wait() == 0, process
    keys = {match[1] for match in re.finditer(r"^(?:# )?(\w+) = ", example.read_text(), re.M)}
    known = set(re.findall(r'HOPT_\w+\(0, "(\w+)"', (ROOT / "cmd" / "hhttpd" / "conf.c").read_text()))
    assert keys == known
    for line in re.findall(r"^# (\w+ = .*|/.* => .*|404 => .*)$", example.read_text(), re.M):
        if re.search("/etc/ssl|/srv|/var/log|https_port|www-data", line):
            continue
        section = "[error_page]\n" if line.startswith("4") else "[redirect]\n" if line.startswith("/") else ""
        section = "[auth]\n" if "secret" in line else "[proxy]\n" if re.match("proxy_.*out|trust|no_prox|forw", line) else section
        section = "upload = yes\n" if line.startswith("upload_") else section
        (lab.folder / "line.conf").write_text(section + line + "\n")
        process = lab.run("hhttpd", "-t", "-c", lab.folder / "line.conf", cwd=www)
        assert process.wait() == 0, (line, process.err())
