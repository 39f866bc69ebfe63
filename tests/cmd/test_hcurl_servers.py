# No sanitizer: what it asks hcurl for is asked with them in test_hcurl_like_curl.py.
"""hcurl and Debian's curl against nginx, lighttpd, Apache, Python's http.server and our own hhttpd: the same
bytes out, the same files, the same exit statuses."""

import functools
import hashlib
import http.server
import os
import random
import re
import shlex
import shutil
import ssl
import subprocess
import threading

import pytest

from conftest import Lab
from pki import Pki

CURL = "/usr/bin/curl"
MODULES = "/usr/lib/apache2/modules"
FILES = 20


# ---- the servers ---------------------------------------------------------------------------------


def furnish(www):
    """What all of them serve."""
    chance = random.Random(1)
    files = {"small.txt": b"small\n", "empty.txt": b"", "data.bin": chance.randbytes(300_000),
             "text.txt": b"".join(b"line %d of a text\n" % i for i in range(8000)), "folder/index.html": b"<p>index\n",
             "closed/small.txt": b"for members\n", "digest/small.txt": b"for others\n",
             **{f"n/{i}.txt": b"file %d\n" % i * i for i in range(1, FILES + 1)}}  # fmt: skip
    for name, content in files.items():
        (www / name).parent.mkdir(parents=True, exist_ok=True)
        (www / name).write_bytes(content)
        os.utime(www / name, (1_500_000_000, 1_500_000_000))
    (www / "in").mkdir()


class Site:
    """A folder, a certificate and passwords; the servers that know them, each with a port for http and one for
    https."""

    def __init__(self, lab):
        self.lab, self.www = lab, lab.folder / "www"
        self.www.mkdir()
        furnish(self.www)
        self.pki = Pki(lab.folder)
        self.cert, self.key = self.pki.issue("server")
        self.both = lab.folder / "both.pem"
        self.both.write_text(open(self.cert).read() + open(self.key).read())
        self.users = lab.folder / "users"
        self.users.write_text("u:{SHA}" + "UWulHymS5LhpN9k1Z5bbxQZIZsg=\n")  # u:p
        digest = hashlib.md5(b"u:lab:p").hexdigest()
        self.digests = lab.folder / "digests"
        self.digests.write_text(f"u:lab:{digest}\n")
        self.plain = lab.folder / "plain"
        self.plain.write_text("u:p\n")

    def configure(self, name, text):
        folder = self.lab.folder / name
        folder.mkdir()
        folder.chmod(0o777)
        self.www.chmod(0o777)
        (self.www / "in").chmod(0o777)
        ports = [self.lab.port(), self.lab.port()]
        values = {"folder": folder, "www": self.www, "http": ports[0], "https": ports[1], "cert": self.cert, "key": self.key,
                  "both": self.both, "users": self.users, "digests": self.digests, "plain": self.plain,
                  "modules": MODULES}  # fmt: skip
        (folder / "conf").write_text(re.sub(r"@(\w+)@", lambda m: str(values[m[1]]), text))
        return folder / "conf", ports

    def start(self, name, text, *argv):
        conf, ports = self.configure(name, text)
        self.lab.spawn(*[conf if a == "CONF" else a for a in argv])
        for port in ports:
            self.lab.wait_bound(port)
        return ports


NGINX = """daemon off; master_process off; pid @folder@/pid; error_log stderr;
events { }
http { client_body_temp_path @folder@/body; proxy_temp_path @folder@/proxy; fastcgi_temp_path @folder@/fcgi;
  uwsgi_temp_path @folder@/uwsgi; scgi_temp_path @folder@/scgi;
  access_log off; gzip on; gzip_types text/plain; types { text/plain txt; text/html html; }
  server { listen 127.0.0.1:@http@; listen 127.0.0.1:@https@ ssl; ssl_certificate @cert@; ssl_certificate_key @key@;
    root @www@; client_max_body_size 10m; absolute_redirect on;
    location /in/ { dav_methods PUT DELETE; }
    location /closed/ { auth_basic "lab"; auth_basic_user_file @users@; }
    location /moved/ { return 302 /small.txt; }
    location /off/ { rewrite ^/off/(.*)$ http://127.0.0.1:@http@/$1 permanent; } } }
"""

LIGHTTPD = """server.document-root = "@www@"
server.port = @http@
server.bind = "127.0.0.1"
server.errorlog = "@folder@/log"
server.pid-file = "@folder@/pid"
server.modules = ("mod_auth", "mod_authn_file", "mod_openssl", "mod_redirect", "mod_deflate", "mod_webdav")
server.feature-flags = ("server.h2proto" => "disable")
index-file.names = ("index.html")
mimetype.assign = (".txt" => "text/plain", ".html" => "text/html", "" => "application/octet-stream")
deflate.mimetypes = ("text/plain")
deflate.allowed-encodings = ("gzip", "deflate")
url.redirect = ("^/moved/" => "/small.txt")
url.redirect-code = 302
auth.backend = "plain"
auth.backend.plain.userfile = "@plain@"
auth.require = ("/closed/" => ("method" => "basic", "realm" => "lab", "require" => "valid-user"),
                "/digest/" => ("method" => "digest", "realm" => "lab", "require" => "valid-user"))
$HTTP["url"] =~ "^/in/" { webdav.activate = "enable" }
$SERVER["socket"] == "127.0.0.1:@https@" { ssl.engine = "enable" ssl.pemfile = "@both@" }
"""

APACHE = """ServerName localhost
ServerRoot @folder@
PidFile @folder@/pid
ErrorLog @folder@/log
Mutex file:@folder@
Listen 127.0.0.1:@http@
Listen 127.0.0.1:@https@
LoadModule mpm_event_module @modules@/mod_mpm_event.so
LoadModule authn_core_module @modules@/mod_authn_core.so
LoadModule authz_core_module @modules@/mod_authz_core.so
LoadModule authz_user_module @modules@/mod_authz_user.so
LoadModule authn_file_module @modules@/mod_authn_file.so
LoadModule auth_basic_module @modules@/mod_auth_basic.so
LoadModule auth_digest_module @modules@/mod_auth_digest.so
LoadModule alias_module @modules@/mod_alias.so
LoadModule dir_module @modules@/mod_dir.so
LoadModule filter_module @modules@/mod_filter.so
LoadModule deflate_module @modules@/mod_deflate.so
LoadModule dav_module @modules@/mod_dav.so
LoadModule dav_fs_module @modules@/mod_dav_fs.so
LoadModule ssl_module @modules@/mod_ssl.so
LoadModule mime_module @modules@/mod_mime.so
TypesConfig /dev/null
AddType text/plain .txt
AddOutputFilterByType DEFLATE text/plain
DavLockDB @folder@/lock
DocumentRoot @www@
Redirect 302 /moved/ /small.txt
<Location /in/>
Dav on
</Location>
<Location /closed/>
AuthType Basic
AuthName lab
AuthUserFile @users@
Require valid-user
</Location>
<Location /digest/>
AuthType Digest
AuthName lab
AuthUserFile @digests@
Require valid-user
</Location>
<VirtualHost 127.0.0.1:@https@>
SSLEngine on
SSLCertificateFile @cert@
SSLCertificateKeyFile @key@
</VirtualHost>
"""


def nginx(site):
    return site.start("nginx", NGINX, "nginx", "-c", "CONF", "-e", "stderr")


def lighttpd(site):
    return site.start("lighttpd", LIGHTTPD, "lighttpd", "-D", "-f", "CONF")


def apache(site):
    if not os.path.exists(f"{MODULES}/mod_dav_fs.so"):
        pytest.skip("Apache is not installed")
    return site.start("apache", APACHE, "apache2", "-X", "-f", "CONF")


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass


def python(site):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.cert, site.key)
    ports = []
    for secure in False, True:
        handler = functools.partial(Handler, directory=site.www)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if secure:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports.append(server.server_address[1])
    return ports


def hhttpd(site):
    ports = [site.lab.port(), site.lab.port()]
    site.lab.spawn("hhttpd", site.www, f"127.0.0.1:{ports[0]}", f"tls://127.0.0.1:{ports[1]}", "--tls-cert", site.cert,
                   "--tls-key", site.key, "--auth=/closed/=u:p", "--redirect=/moved/=302 /small.txt", "--upload=/in",
                   "--upload-replace", "--upload-delete")  # fmt: skip
    for port in ports:
        site.lab.wait_bound(port)
    return ports


SERVERS = {"nginx": nginx, "lighttpd": lighttpd, "apache": apache, "python": python, "hhttpd": hhttpd}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if not os.path.exists(CURL):
        pytest.skip("curl is not installed")
    lab = Lab(tmp_path_factory.mktemp("servers"))
    for folder in lab.folder, *lab.folder.parents[:2]:  # servers that stop being root
        folder.chmod(0o755)
    yield Site(lab)
    lab.close()


@pytest.fixture(scope="module", params=SERVERS)
def server(request, site):
    return request.param, SERVERS[request.param](site)


# ---- what is asked -------------------------------------------------------------------------------

# @ is the server, @S the same over TLS. In front: which servers can do it; none: all.
LINES = r"""
@/small.txt
-i @/small.txt
-I @/data.bin
-i @/empty.txt
@/missing
-f @/missing
-i @/missing
--fail-with-body @/missing
@/data.bin -o out
@/data.bin -O -R
@/data.bin @/small.txt -o one -o two
--remote-name-all @/small.txt @/data.bin @/text.txt
-D heads -o out @/text.txt
@/n/[1-20].txt -o got#1
@/n/{1,7,20}.txt -o got_#1.txt
@/n/[1-20].txt -w "%{num_connects}\n"
-Z @/n/[1-20].txt -o got#1
-Z --parallel-max 3 @/n/[1-20].txt @/data.bin -o got#1 -o data
@/small.txt --next @/small.txt -I --next -f @/missing
-w "%{http_code} %{size_download} %{content_type} %{num_headers} %{num_redirects} %{method}\n" @/small.txt
-w "%{header_json}" -o out @/small.txt
-w "%header{content-length} %header{last-modified}\n" @/small.txt
--http1.0 @/small.txt
--http1.0 -i @/text.txt -o out
-H "Connection: close" @/small.txt @/small.txt -w "%{num_connects}\n"
-A "" -H "Accept:" @/small.txt
-X OPTIONS -o out @/small.txt
-X DELETE -o out @/small.txt -w "%{http_code}"
-d a=b -o out @/small.txt -w "%{http_code}"
-z "Tue, 01 Jan 2030 00:00:00 GMT" -w "%{http_code}" @/small.txt
-z "Tue, 01 Jan 2008 00:00:00 GMT" -w "%{http_code}" @/small.txt
-z reference -w "%{http_code}" @/small.txt
-L @/folder
-i @/folder -o out -w "%{redirect_url}"
-L --max-redirs 0 @/folder
-m 30 --connect-timeout 10 @/small.txt
--limit-rate 10M @/data.bin -o out
--max-filesize 1000 @/data.bin -o out
--compressed @/text.txt
--compressed -o out -w "%{http_code}" @/small.txt
--compressed @/data.bin -o out
-k @S/small.txt
@S/small.txt
--cacert CA @S/small.txt @S/data.bin @S/text.txt
--cacert CA -I @S/data.bin
--cacert CA --compressed @S/text.txt
--cacert CA -L @S/folder
--cacert CA -Z @S/n/[1-20].txt -o got#1
--cacert CA --tlsv1.3 @S/small.txt
--cacert CA --tls-max 1.2 @S/small.txt
@/closed/../small.txt
--path-as-is @/n/../small.txt
@/small.txt?query=1 @/small.txt#fragment
@/sm%61ll.txt
-G -d a=b --data-urlencode "c=d e" @/small.txt
-r 0-99 -i @/data.bin -o out : nginx lighttpd apache hhttpd
-r 100-199 @/data.bin -o out : nginx lighttpd apache hhttpd
-r -100 @/data.bin -o out : nginx lighttpd apache hhttpd
-r 299999- @/data.bin -o out : nginx lighttpd apache hhttpd
-r 300000- -w "%{http_code}" @/data.bin -o out : nginx lighttpd apache hhttpd
-C 1000 @/data.bin -o out : nginx lighttpd apache hhttpd
-C - @/data.bin -o part : nginx lighttpd apache hhttpd
-C - @/data.bin -o whole
-C - @/data.bin -o whole -w "%{http_code}"
-C - @/data.bin -o new
-C 1000 @/data.bin -o out : python
--etag-save tag @/small.txt : nginx lighttpd apache hhttpd
--etag-save tag -o out @/small.txt --next --etag-compare tag -w "%{http_code}" @/small.txt : nginx lighttpd apache hhttpd
-L @/moved/ : nginx lighttpd apache hhttpd
-i -L @/moved/ : nginx lighttpd apache hhttpd
-L @S/off/small.txt --cacert CA : nginx
-L @S/off/small.txt --cacert CA --proto-redir =https : nginx
-u u:p @/closed/small.txt : nginx lighttpd apache hhttpd
-u u:wrong -f @/closed/small.txt : nginx lighttpd apache hhttpd
-f @/closed/small.txt : nginx lighttpd apache hhttpd
--anyauth -u u:p @/closed/small.txt @/closed/small.txt : nginx lighttpd apache hhttpd
--basic -u u:p @/closed/small.txt : nginx lighttpd apache hhttpd
--digest -u u:p @/digest/small.txt : lighttpd apache
--digest -u u:p @/digest/small.txt @/digest/small.txt : lighttpd apache
--digest -u u:wrong -f @/digest/small.txt : lighttpd apache
--anyauth -u u:p @/digest/small.txt : lighttpd apache
--digest -u u:p -d body=1 -o out -w "%{http_code}" @/digest/small.txt : apache
-u u:p --cacert CA @S/closed/small.txt : nginx lighttpd apache hhttpd
-T upload.bin @/in/one.bin -w "%{http_code} %{size_upload}" -o out : nginx lighttpd apache hhttpd
-T upload.bin @/in/ -o out -w "%{http_code}" : nginx lighttpd apache hhttpd
-T - @/in/stdin.bin -o out -w "%{http_code}" : nginx lighttpd apache hhttpd
-T upload.bin -H "Expect: 100-continue" @/in/e.bin -o out -w "%{http_code}" : nginx lighttpd apache hhttpd
-T upload.bin -H "Transfer-Encoding: chunked" @/in/c.bin -o out -w "%{http_code}" : nginx lighttpd apache hhttpd
-T {upload.bin,reference} @/in/ -o out -w "%{http_code}\n" : nginx lighttpd apache hhttpd
--cacert CA -T upload.bin @S/in/tls.bin -o out -w "%{http_code}" : nginx lighttpd apache hhttpd
-X DELETE @/in/one.bin -o out -w "%{http_code}" : nginx lighttpd apache hhttpd
-T upload.bin @/small.txt/no -o out -w "%{http_code}" : nginx lighttpd apache hhttpd
-T upload.bin @/small.txt/no -f -o out : nginx lighttpd apache hhttpd
"""


def rows():
    for line in LINES.strip().split("\n"):
        words, _, names = line.partition(" : ")
        yield words, names.split() or list(SERVERS)


def blur(data):
    """Without what the clock decides, and what a server draws by chance."""
    data = re.sub(rb"(?im)^(date|expires|set-cookie): [^\r\n]*", rb"\1:", data)
    data = re.sub(rb'(?i)("date":\[")[^"]*', rb"\1", data)
    return re.sub(rb'nonce="[^"]*"', b"nonce", data)


def outcome(program, line, ports, site, folder):
    folder.mkdir()
    (folder / "upload.bin").write_bytes(random.Random(2).randbytes(200_000))
    (folder / "part").write_bytes((site.www / "data.bin").read_bytes()[:1234])
    (folder / "whole").write_bytes((site.www / "data.bin").read_bytes())
    (folder / "reference").write_bytes(b"a file to compare times with\n")
    os.utime(folder / "reference", (1_600_000_000, 1_600_000_000))
    for path in (site.www / "in").iterdir():
        path.unlink()
    (site.www / "in" / "one.bin").write_bytes(b"before")
    words = [w.replace("@S/", f"https://127.0.0.1:{ports[1]}/").replace("@/", f"http://127.0.0.1:{ports[0]}/")
             .replace("CA", site.pki.ca) for w in shlex.split(line)]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}
    run = subprocess.run([program, "-q", "-s", *words], input=b"from stdin\n" * 1000, cwd=folder, env=environment,
                         capture_output=True, timeout=100)  # fmt: skip
    files = {path.name: blur(path.read_bytes()) for path in sorted(folder.iterdir())}
    if "-R" in words:
        files["time"] = int((folder / "data.bin").stat().st_mtime)
    stored = {path.name: path.read_bytes() for path in sorted((site.www / "in").iterdir()) if path.is_file()}
    shutil.rmtree(folder)
    return {"status": run.returncode, "out": blur(run.stdout), "files": files, "stored": stored}


@pytest.mark.parametrize("line, names", rows(), ids=[line for line, _ in rows()])
def test_does_with_real_servers_what_curl_does(site, server, tmp_path, line, names):
    name, ports = server
    if name not in names:
        pytest.skip(f"{name} does not do that")
    expected = outcome(CURL, line, ports, site, tmp_path / "work")
    ours = outcome(site.lab.program("hcurl"), line, ports, site, tmp_path / "work")
    assert ours == expected
