# One thread.
"""-w of hcurl: every variable, beside curl's where that knows it, byte for byte."""

import json
import os
import re
import ssl
import time

import pytest
from hcurl_lab import Web, response


def many(web, request, rest):
    """Fields that come more than once, in two cases."""
    return response(200, b"many\n", "X-Twice: one", "Set-Cookie: a=1", "x-twice: two",
                    'X-Quote: "a\\b"\t', "Set-Cookie: b=2", "X-Empty:")  # fmt: skip


def first(web, request, rest):
    return response(302, b"", "Location: /many", "X-Twice: zero", reason="Moved")


@pytest.fixture
def web():
    web = Web({"many": many, "first": first})
    yield web
    web.close()


def run(lab, web, name, *args, **options):
    web.forget()
    argv = [a.replace("@", web.url + "/") if a.startswith("@") else a for a in args]
    process = lab.run(name, "-q", "-sS", *argv, **options)
    return process.popen.returncode, process.out().decode("latin-1"), process.err()


def both(lab, web, text, *args):
    theirs = run(lab, web, "curl", "-o", "/dev/null", "-w", text, *args)
    ours = run(lab, web, "hcurl", "-o", "/dev/null", "-w", text, *args)
    assert ours[:2] == theirs[:2], ours[2]
    return ours[1]


SAME = [
    "content_type", "exitcode", "filename_effective", "ftp_entry_path", "http_code",
    "http_connect", "http_version", "local_ip", "method", "num_connects", "num_headers",
    "num_redirects", "proxy_ssl_verify_result", "redirect_url", "referer", "remote_ip",
    "remote_port", "response_code", "size_download", "size_header", "size_upload",
    "ssl_verify_result", "url", "urlnum", "url_effective",
]  # fmt: skip

WAYS = [
    ["@hello"], ["@status/404"], ["@status/404", "-f"], ["@first"], ["@first", "-L"],
    ["@hello", "-I"], ["@hello", "-d", "some data"], ["@hello", "-T", "/etc/hostname", "-H", "Expect:"],
    ["@hello", "-e", "http://there/"], ["@hello", "-e", "http://there/;auto", "@first", "-L"],
    ["@hello", "@many"], ["@hello", "-0"], ["@close"], ["@nothing"], ["@short"], ["@chunked"],
    ["@informed"], ["@coded/gzip", "--compressed"], ["@basic", "-u", "u:p", "--anyauth"],
    ["@digest", "-u", "u:p", "--digest"], ["@loop", "-L", "--max-redirs", "3"], ["@big/70000"],
    ["@hello?a=b&c#part"], ["@status/204"], ["@ranged", "-r", "1-2"], ["@redirect/307/hello", "-L"],
    ["@elsewhere/hello"], ["@hello{1,2}"], ["@hello", "-X", "ODD"],
]  # fmt: skip


@pytest.mark.parametrize("args", WAYS, ids=" ".join)
def test_variables_are_as_curls(lab, web, args):
    text = "".join(f"{name}=%{{{name}}}\\n" for name in SAME)
    both(lab, web, text, *args)


def test_where_nobody_listens(lab, web):
    url = f"http://127.0.0.1:{lab.port()}/x"
    text = "".join(f"{n}=%{{{n}}}\\n" for n in SAME if n not in ("local_ip", "remote_ip",
                                                               "remote_port", "num_connects"))
    both(lab, web, text, url)


TIMES = ["appconnect", "connect", "namelookup", "pretransfer", "redirect", "starttransfer", "total"]


def test_times_have_six_decimals_and_an_order(lab, web):
    names = [f"time_{n}" for n in TIMES + ["posttransfer", "queue"]]
    _, out, _ = run(lab, web, "hcurl", "-L", "@first", "-o", "/dev/null", "-w",
                    "".join(f"%{{{n}}} " for n in names))  # fmt: skip
    values = out.split()
    assert len(values) == len(names) and all(re.fullmatch(r"\d+\.\d{6}", v) for v in values)
    t = dict(zip(names, map(float, values)))
    assert t["time_appconnect"] == 0 and t["time_redirect"] > 0
    assert t["time_namelookup"] <= t["time_connect"] <= t["time_pretransfer"]
    assert t["time_pretransfer"] <= t["time_starttransfer"] <= t["time_total"]


def test_speeds_are_bytes_a_second(lab, web):
    _, out, _ = run(lab, web, "hcurl", "@big/70000", "-o", "/dev/null", "-w",
                    "%{speed_download} %{speed_upload} %{time_total}")  # fmt: skip
    down, up, total = out.split()
    assert int(up) == 0 and abs(int(down) - 70000 / float(total)) <= int(down) / 100 + 1


URL = "http://us%20er:pa%3Ass@127.0.0.1:{port}/a/./b?q=1&r#frag"
PARTS = {
    "scheme": "http", "user": "us%20er", "password": "pa%3Ass", "options": "",
    "host": "127.0.0.1", "path": "/a/b", "query": "q=1&r", "fragment": "frag", "zoneid": "",
}  # fmt: skip


def test_parts_of_the_url(lab, web):
    for family in ("url", "urle"):
        text = " ".join(f"{p}=%{{{family}.{p}}}" for p in PARTS)
        _, out, err = run(lab, web, "hcurl", URL.format(port=web.port), "-o", "/dev/null", "-w", text)
        assert out == " ".join(f"{k}={v}" for k, v in PARTS.items()), err
    _, out, _ = run(lab, web, "hcurl", "-L", "@elsewhere/hello", "-o", "/dev/null", "-w",
                    "%{url.host} %{urle.host} %{urle.path} %{url.port}")  # fmt: skip
    assert out == f"127.0.0.1 localhost /hello {web.port}"


def test_ports_and_hosts_that_are_not_written(lab, web):
    text = "%{url.port} %{url.host} %{url.path}\n"
    for url, expected in [("http://[::1]/x", "80 [::1] /x"), ("https://127.0.0.1", "443 127.0.0.1 /")]:
        _, out, _ = run(lab, web, "hcurl", "-m", "0.001", url, "-w", text)
        assert out == expected + "\n"


@pytest.mark.parametrize("args", [["h55p://u:p@there:1/x?q"], ["http://a b/"],
                                  ["@hello", "--etag-save", "/no/such/dir/f"]])  # fmt: skip
def test_of_a_transfer_that_was_not_begun(lab, web, args):
    """No head, no connection: all there is to tell is told."""
    text = "%{json}\n%{header_json}\n%header{x}%header{x:all:,}%{url_effective}"
    code, out, _ = run(lab, web, "hcurl", *args, "-w", text)
    if code != 1 and not out:
        return  # nothing is printed of what stops all
    told, heads, rest = out.split("\n", 1)[0], out.split("\n")[1:3], out.split("\n")[3]
    told = json.loads(told)
    assert told["exitcode"] == code and told["local_ip"] == "" and told["http_code"] == 0
    assert heads == ["{", "}"] and rest == told["url"]


# ---- JSON ---------------------------------------------------------------------------------------

VOLATILE = ("time_", "speed_", "local_port", "size_request", "curl_version", "size_header")


def test_json_has_curls_keys_in_its_order(lab, web):
    """Those of Debian's curl, and what came since."""
    theirs = run(lab, web, "curl", "@first", "-L", "-o", "/dev/null", "-w", "%{json}")[1]
    ours = run(lab, web, "hcurl", "@first", "-L", "-o", "/dev/null", "-w", "%{json}")[1]
    theirs, ours = json.loads(theirs), json.loads(ours)
    assert [k for k in ours if k in theirs] == list(theirs)
    assert list(ours)[:-1] == sorted(ours.keys() - {"curl_version"})
    assert list(ours)[-1] == "curl_version"
    for key, value in theirs.items():
        if key not in ("scheme", "certs") and not key.startswith(VOLATILE):
            assert ours[key] == value, key


def test_json_is_in_curls_form(lab, web):
    code, out, _ = run(lab, web, "hcurl", "@hello", "-o", "/dev/null", "-w", "%{json}")
    assert re.match(r'\{"certs":"","conn_id":0,"content_type":"text/plain","errormsg":null,'
                    r'"exitcode":0,"filename_effective":"/dev/null","ftp_entry_path":null,', out)
    assert re.search(r'"time_total":\d+\.\d{6},"tls_earlydata":0,"url":"http://', out)
    assert re.search(r'"url_effective":"[^"]*","urle.fragment":null,', out)
    assert re.search(r'"xfer_id":0,"curl_version":"[^"]+"\}$', out)


def test_json_of_an_error(lab, web):
    _, out, err = run(lab, web, "hcurl", "@nothing", "-w", "%{json}")
    told = json.loads(out)
    assert told["exitcode"] == 52 and err == f"hcurl: (52) {told['errormsg']}\n"


@pytest.mark.parametrize("args", [["@hello"], ["@first"], ["@informed"], ["@nothing"], ["@cookie"]])  # fmt: skip
def test_header_json(lab, web, args):
    both(lab, web, "%{header_json}|", *args)


def test_header_json_of_fields_that_come_twice(lab, web):
    """Debian's curl has mistakes here."""
    expected = ('{"server":["lab"],\n"x-twice":["one","two"],\n"set-cookie":["a=1","b=2"],\n'
                '"x-quote":["\\"a\\\\b\\""],\n"x-empty":[""],\n"content-length":["5"]\n}')
    for args in (["@many"], ["@first", "-L"]):
        out = run(lab, web, "hcurl", *args, "-o", "/dev/null", "-w", "%{header_json}")[1]
        assert out == expected


# ---- %header ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "%header{x-twice}", "%header{X-TWICE}|%header{set-cookie}", "%header{x-missing}|",
    "%header{x-quote}|", "%header{", "%header{x-twice", "%header{}|",
    "%header{location}|", "%{header{x}}",
])  # fmt: skip
def test_header(lab, web, text):
    for args in (["@many"], ["@first", "-L"], ["@nothing"]):
        both(lab, web, text, *args)


@pytest.mark.parametrize("text,expected", [
    ("%header{x-twice:all:}", "zeroonetwo"),
    ("%header{x-twice:all:, }", "zero, one, two"),
    ("%header{x-twice:all:\\n}", "zero\none\ntwo"),
    ("%header{X-Twice:all:\\}}|", "zero}one}two|"),
    ("%header{x-twice:all:\\t\\r\\x}", "zero\t\r\\xone\t\r\\xtwo"),
    ("%header{set-cookie:all:;}", "a=1;b=2"),
    ("%header{x-missing:all:;}|", "|"),
    ("%header{x-twice:one}|", "|"),
])  # fmt: skip
def test_all_headers(lab, web, text, expected):
    assert run(lab, web, "hcurl", "-L", "@first", "-o", "/dev/null", "-w", text)[1] == expected


# ---- the text -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "", "plain", "%%", "%", "100%", "%x%y", "%{", "%{http_code", "%{http_code}%", "\\n\\r\\t",
    "\\", "\\\\", "\\x\\{", "a\\", "%{http_code}%{http_code}", "%{onerror}only on error", "%}",
    "%{stdout}a%{stdout}b", "{http_code}", "%{}", "%{ http_code}", "\u20ac",
])  # fmt: skip
def test_text_is_as_curls(lab, web, text):
    both(lab, web, text, "@hello")
    both(lab, web, text, "@nothing")


def test_the_text_follows_the_body(lab, web):
    assert run(lab, web, "hcurl", "@hello", "-w", "%{http_code}\\n")[1] == "hello\n200\n"
    assert run(lab, web, "hcurl", "@hello", "@hello", "-w", "%{urlnum};")[1] == "hello\n0;hello\n1;"


def test_it_goes_to_stderr(lab, web):
    text = "out %{stderr}err %{stdout}out again %{stderr}%{http_code}"
    assert run(lab, web, "hcurl", "@hello", "-o", "/dev/null", "-w", text) == (
        0, "out out again ", "err 200")  # fmt: skip


def test_an_unknown_variable(lab, web):
    code, out, err = run(lab, web, "hcurl", "@hello", "-o", "/dev/null", "-w", "a%{no_such}b")
    assert (code, out, err) == (0, "ab", "hcurl: unknown --write-out variable: 'no_such'\n")


def test_only_on_error(lab, web):
    text = "%{http_code}%{onerror} %{exitcode} %{errormsg}"
    assert run(lab, web, "hcurl", "@hello", "-o", "/dev/null", "-w", text)[1] == "200"
    _, out, err = run(lab, web, "hcurl", "@nothing", "-w", text)
    assert out.startswith("000 52 ") and err == f"hcurl: (52) {out[7:]}\n"


def test_a_text_of_a_file(lab, web):
    path = lab.folder / "format"
    path.write_bytes(b"%{http_code}\r\n|%{method}\n")
    for name in ("curl", "hcurl"):
        process = lab.run(name, "-sS", web.url + "/hello", "-o", "/dev/null", "-w", f"@{path}")
        assert process.out() == b"200|GET"
        process = lab.run(name, "-sS", web.url + "/hello", "-o", "/dev/null", "-w", "@-",
                          data=b"%{http_code}\n")
        assert process.out() == b"200"


def test_a_file_that_is_missing(lab, web):
    process = lab.run("hcurl", "-sS", web.url + "/hello", "-w", "@" + lab.path("none"))
    assert process.popen.returncode == 26 and "none" in process.err() and web.requests == []


def test_it_goes_to_files(lab, web):
    text = "a%output{one}b%{http_code}%output{>>two}c%{stdout}d%output{>>two}e%output{no/such}f"
    for _ in range(2):
        process = lab.run("hcurl", "-sS", web.url + "/hello", "-o", "/dev/null", "-w", text,
                          cwd=lab.folder)  # fmt: skip
        assert process.out() == b"ad", process.err()
    assert (lab.folder / "one").read_bytes() == b"b200"
    assert (lab.folder / "two").read_bytes() == b"cefcef"


def test_the_time(lab, web):
    before = int(time.time())
    text = "%time{%s|%Y-%m-%dT%H:%M:%S|%f|%Z%z|%%|plain}%time{}%time{%Y"
    env = {**os.environ, "TZ": "Asia/Tokyo"}
    _, out, _ = run(lab, web, "hcurl", "@hello", "-o", "/dev/null", "-w", text, env=env)
    seconds, civil, micros, zone, percent, rest = out.split("|")
    assert before <= int(seconds) <= time.time()
    assert civil == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(seconds)))
    assert re.fullmatch(r"\d{6}", micros) and zone == "UTC+0000"
    assert percent == "%" and rest == "plain%time{%Y"


def test_what_cannot_be_written(lab, web):
    with open("/dev/full", "wb") as full:
        process = lab.run("hcurl", "-sS", web.url + "/hello", "-o", "/dev/null", "-w", "x",
                          stdout=full)  # fmt: skip
    assert process.popen.returncode in (0, 23)


def test_sizes(lab, web):
    args = ["@coded/gzip", "--compressed", "-i", "-o", lab.path("file"), "-w",
            "%{size_delivered} %{size_download} %{size_header} %{size_request}"]  # fmt: skip
    _, out, _ = run(lab, web, "hcurl", *args)
    delivered, downloaded, head, request = map(int, out.split())
    assert delivered == len(b"plain text " * 100) and 0 < downloaded < delivered
    assert request == len(web.requests[0].head)
    head_bytes = (lab.folder / "file").read_bytes().split(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert head == len(head_bytes)


def test_identifiers(lab, web):
    _, out, _ = run(lab, web, "hcurl", "@hello", "@hello", "@close", "@hello", "-o", "/dev/null",
                    "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", "-w",
                    "%{xfer_id}/%{conn_id} ")  # fmt: skip
    assert out == "0/0 1/0 2/0 3/1 "


def test_retries_and_the_proxy(lab, web):
    _, out, _ = run(lab, web, "hcurl", "@status/503", "--retry", "2", "--retry-delay", "0.01", "-o",
                    "/dev/null", "-w", "%{num_retries} %{proxy_used}")  # fmt: skip
    assert out == "2 0"
    _, out, _ = run(lab, web, "hcurl", "-x", web.url, "http://nowhere.example/hello", "-o",
                    "/dev/null", "-w", "%{num_retries} %{proxy_used}")  # fmt: skip
    assert out == "0 1"


# ---- TLS ----------------------------------------------------------------------------------------


@pytest.fixture
def secure(lab):
    made = lab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-keyout", lab.path("key"), "-out",
                   lab.path("cert"), "-subj", "/CN=localhost", "-addext",
                   "subjectAltName=DNS:localhost,IP:127.0.0.1")  # fmt: skip
    assert made.popen.returncode == 0, made.err()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.path("cert"), lab.path("key"))
    web = TlsWeb(context)
    yield web
    web.close()


class TlsWeb(Web):
    def __init__(self, context):
        self.context = context
        super().__init__()

    def talk(self, connection):
        try:
            super().talk(self.context.wrap_socket(connection, server_side=True))
        except OSError:
            connection.close()

    @property
    def secure_url(self):
        return self.url.replace("http:", "https:")


@pytest.mark.parametrize("trust", [["-k"], ["--cacert"]], ids=" ".join)
def test_what_verifying_came_to(lab, secure, trust):
    trust = trust + [lab.path("cert")] if trust[-1] == "--cacert" else trust
    text = "%{ssl_verify_result} %{proxy_ssl_verify_result} %{num_certs} %{http_code} %{exitcode}"
    both(lab, secure, text, secure.secure_url + "/hello", *trust)


def test_with_k_it_is_told_what_would_have_come_of_it(lab, secure):
    _, out, _ = run(lab, secure, "hcurl", "-k", "--cacert", lab.path("cert"), secure.secure_url,
                    "-o", "/dev/null", "-w", "%{ssl_verify_result}")  # fmt: skip
    assert out == "0"


def test_a_refused_certificate_has_a_result(lab, secure):
    code, out, _ = run(lab, secure, "hcurl", secure.secure_url, "-w", "%{ssl_verify_result}")
    assert code == 60 and int(out) != 0


def test_certificates_are_shown(lab, secure):
    _, out, _ = run(lab, secure, "hcurl", "-k", secure.secure_url, "-o", "/dev/null", "-w",
                    "%{certs}|%{num_certs}|%{scheme}|%{time_appconnect}")  # fmt: skip
    certs, count, scheme, seconds = out.split("|")
    assert (lab.folder / "cert").read_text() in certs and "Subject:CN = localhost\n" in certs
    assert (count, scheme) == ("1", "https") and float(seconds) > 0


EXTENSIONS = """[ca]
basicConstraints=critical,CA:TRUE,pathlen:3
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid,issuer
[leaf]
subjectAltName=DNS:localhost,IP:127.0.0.1,URI:http://x/,email:a@b
extendedKeyUsage=serverAuth,clientAuth
certificatePolicies=1.2.3.4,1.3.6.1.4.1.1
crlDistributionPoints=URI:http://c/x.crl
authorityInfoAccess=OCSP;URI:http://o/,caIssuers;URI:http://i/
nameConstraints=permitted;DNS:a.b,excluded;DNS:c.d
nsComment=a comment
1.2.3.4.5=ASN1:UTF8String:of nobody
"""

# Name, algorithm, subject, issuer and its arguments.
CHAIN = [
    ("root", "ed25519", "/C=DE/O=R\u00f6t, \"Inc\"+OU=two/CN=root", "root", "-set_serial 0x80ff"),
    ("between", "ec -pkeyopt ec_paramgen_curve:P-384", "/CN=between/emailAddress=a@b.c", "root",
     "-set_serial 0 -extensions ca"),
    ("leaf", "rsa -pkeyopt rsa_keygen_bits:2048", "/CN=localhost/O= x ", "between",
     "-set_serial 5 -extensions leaf"),
    ("pss", "rsa-pss -pkeyopt rsa_keygen_bits:2048", "/CN=pss", "between", "-set_serial -77"),
    ("dh", "dh -pkeyopt group:ffdhe2048", "/CN=dh", "root", "-set_serial 7 -extensions leaf"),
]  # fmt: skip


@pytest.fixture
def chained(lab):
    """A chain of every kind of key; what does not belong to it shows all the same."""
    (lab.folder / "extensions").write_text(EXTENSIONS)

    def openssl(command, *args):
        made = lab.run("openssl", *command.split(), *args, cwd=lab.folder)
        assert made.popen.returncode == 0, made.err()

    for name, algorithm, subject, issuer, more in CHAIN:
        openssl(f"genpkey -out {name}.key -algorithm {algorithm}")
        openssl(f"pkey -in {name}.key -pubout -out {name}.pub")
        by = f"-CA {issuer}.pem -CAkey {issuer}.key -force_pubkey {name}.pub"
        if issuer == name:
            by = f"-signkey {name}.key"
        signer = "root" if name == "dh" else name  # that one cannot sign
        openssl(f"req -new -key {signer}.key -utf8 -out {name}.csr -subj", subject)
        openssl(f"x509 -req -in {name}.csr -days 9999 -out {name}.pem -extfile extensions "
                f"{by} {more}")  # fmt: skip
    chain = "".join((lab.folder / f"{name}.pem").read_text()
                    for name in ("leaf", "between", "root", "pss", "dh"))  # fmt: skip
    (lab.folder / "chain").write_text(chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.path("chain"), lab.path("leaf.key"))
    web = TlsWeb(context)
    yield web
    web.close()


@pytest.mark.parametrize("text", ["%{certs}|%{num_certs}", "%{num_certs}"])
def test_certificates_are_shown_as_by_curl(lab, chained, text):
    shown = both(lab, chained, text, "-k", chained.secure_url + "/hello")
    assert shown.endswith(str(len(CHAIN)))


def test_what_a_certificate_says_is_harmless(lab):
    """A comment with ESC, CR and BEL: curl hands them to the terminal, here they are dots."""
    made = lab.run("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout",
                   lab.path("key"), "-out", lab.path("cert"), "-subj", "/CN=localhost", "-addext",
                   "nsComment=DER:16:06:61:1b:0d:07:62:0a")  # fmt: skip
    assert made.popen.returncode == 0, made.err()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.path("cert"), lab.path("key"))
    web = TlsWeb(context)
    try:
        _, out, _ = run(lab, web, "hcurl", "-k", web.secure_url, "-o", "/dev/null",
                        "-w", "%{certs}")  # fmt: skip
    finally:
        web.close()
    assert "\nNetscape Comment:a...b\n" in out
