"""hhttpd --demo: the API of libhv's example, asked by curl as its tutorial does, and with what it must refuse."""

import json
import socket
import subprocess
import time
import urllib.parse

import pytest

from conftest import TIMEOUT, wait_until
from hhttpd_lab import as_root, hhttpd, www  # noqa: F401

JSON = {"Content-Type": "application/json"}
KV = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def server(hhttpd, www):
    server = hhttpd("--demo", www, "0")
    yield server
    server.stop()


@pytest.fixture
def curl(lab, server):
    """What curl prints for a path and arguments: (status, body)."""
    program = lab.program("curl")

    def run(path, *args):
        done = subprocess.run(
            [program, "-sS", "-g", "--max-time", str(TIMEOUT), "-w", "\n%{http_code}", *args,
             server.urls[0] + path.lstrip("/")], capture_output=True, timeout=TIMEOUT + 10, check=True)
        body, _, status = done.stdout.rpartition(b"\n")
        return int(status), body

    return run


def form(*parts, boundary="XbX"):
    """A body of multipart/form-data and its field; parts are (disposition, content)."""
    body = b"".join(b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (boundary.encode(), d.encode(), c)
                    for d, c in parts) + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


# ---- about the request and the server ----


def test_what_the_tutorial_asks(curl):
    assert curl("/ping") == (200, b"pong")
    assert curl("/data") == (200, b"0123456789")
    assert curl("/echo", "-d", "hello,world!") == (200, b"hello,world!")
    assert json.loads(curl("/query?page_no=1&page_size=10")[1]) == {"page_no": "1", "page_size": "10"}
    assert curl("/kv", "-H", "Content-Type:application/x-www-form-urlencoded", "-d", "user=admin&pswd=123456") == (
        200, b"user=admin&pswd=123456")
    text = '{"user":"admin","pswd":"123456"}'
    assert curl("/json", "-H", "Content-Type:application/json", "-d", text) == (200, text.encode())
    status, body = curl("/form", "-F", "user=admin pswd=123456")
    assert json.loads(body)["form"] == {"user": "admin pswd=123456"}
    wanted = {"bool": True, "int": 123, "float": 3.14, "string": "hello", "code": 0, "message": "OK"}
    assert json.loads(curl("/test", "-d", "bool=1&int=123&float=3.14&string=hello")[1]) == wanted
    text = '{"bool":true,"int":123,"float":3.14,"string":"hello"}'
    assert json.loads(curl("/test", "-H", "Content-Type:application/json", "-d", text)[1]) == wanted
    parts = [word for name in ("bool=1", "int=123", "float=3.14", "string=hello") for word in ("-F", name)]
    assert json.loads(curl("/test", *parts)[1]) == wanted
    assert json.loads(curl("/group/test/user/123", "-X", "DELETE")[1]) == {
        "group_name": "test", "user_id": "123", "code": 0, "message": "OK"}
    assert curl("/wildcard/x") == (200, b"/wildcard/x matches /wildcard*\n")
    assert curl("/async")[0] == 200


def test_the_request_is_told(server):
    answer = json.loads(server.get("/get?a=1&a=2&b=%C3%BC+x&c", X_Own="one", Host="name:80").text)
    assert answer["url"] == "http://name:80/get?a=1&a=2&b=%C3%BC+x&c"
    assert answer["args"] == {"a": ["1", "2"], "b": "ü x", "c": ""}
    assert answer["headers"]["X-Own"] == "one"
    assert answer["origin"] == "127.0.0.1" and answer["client"].startswith("127.0.0.1:")
    assert answer["method"] == "GET" and answer["version"] == 1.1
    raw = server.raw(b"GET /get HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: \xff\r\nx: \"3\r\nConnection: close\r\n\r\n")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["headers"]["X"] == ["1", "�"]
    assert server.get("/get?%zz=1").status == 400
    assert server.get("/query?a=%00").text == '{"a":"\\u0000"}\n'
    assert server.get("/query?%00=a").status == 400
    assert server.get("/query?" + "a&" * 257).status == 413


def test_the_server_is_told(server, www):
    paths = json.loads(server.get("/paths").text)
    assert {"/ping", "/sse", "/upload/:filename", "/group/:group_name/user/:user_id"} <= set(paths)
    assert len(paths) == len(set(paths))
    assert json.loads(server.get("/service").text)["base_url"] == "/"
    assert server.get("/").text == "<h1>home</h1>\n"  # files are there all the same


def test_methods_and_base_url(hhttpd, www):
    server = hhttpd("--demo", "--base-url", "/api", www, "0")
    assert server.get("/api/ping").text == "pong"
    assert server.get("/ping").status == 404
    answer = server.request("POST", "/api/ping")
    assert answer.status == 405 and "GET" in answer["Allow"]
    assert server.request("HEAD", "/api/ping")["Content-Length"] == "4"
    assert "/api/ping" in json.loads(server.get("/api/paths").text)
    server.stop()
    server = hhttpd(www, "0")
    assert server.get("/ping").status == 404
    server.stop()


def test_a_path_that_another_feature_has(lab, www):
    process = lab.run("hhttpd", "-t", "--demo", "--metrics=/ping", www, "0")
    assert process.wait() == 2 and "demo: another feature has a path of the demo" in process.err()


@as_root
def test_json_is_read_behind_a_new_root(hhttpd, www, tmp_path):
    conf = tmp_path / "x.conf"
    conf.write_text(f"listen = 127.0.0.1:0\ndocument_root = {www}\nchroot = {www}\n"
                    f"[host other]\ndocument_root = {www}\ndemo = yes\n")
    server = hhttpd("-c", conf)
    assert server.request("POST", "/json", "[1]", {**JSON, "Host": "other"}).text == "[1]"
    assert server.request("POST", "/json", "[1]", JSON).status in (404, 405)
    server.stop()


def test_www_sends_the_client_itself(server):
    answer = server.get("/www.example.com/a%20b/%3F?x=%20")
    assert (answer.status, answer["Location"]) == (307, "http://www.example.com/a%20b/%3F?x=%20")
    assert server.get("/www.example.com")["Location"] == "http://www.example.com"
    for bad in ("/www.", "/www.a@b/", "/www.a:80/", "/www.a%00/", "/www.a%0d%0ab/", "/www.a%5c/"):
        answer = server.get(bad)
        assert answer.status == 400 and answer["Location"] is None, bad


# ---- bodies ----


def test_echo_gives_back_any_bytes_and_their_type(server):
    body = bytes(range(256)) * 100
    answer = server.request("POST", "/echo", body, {"Content-Type": "image/x-own; a=b"})
    assert answer.body == body and answer["Content-Type"] == "image/x-own; a=b"
    assert answer["Content-Security-Policy"] == "sandbox" and answer["X-Content-Type-Options"] == "nosniff"
    chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert server.raw(chunked + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").endswith(b"\r\n\r\nabcde")
    assert server.request("POST", "/echo", b"").body == b""


@pytest.mark.parametrize("text, good", [
    ('{"a":[1,2.50,null,true,"\\u00fc"]}', True),
    (' [ ] ', True),
    ('"x"', True),
    ('12', True),
    ('', False),
    ('{"a":1,}', False),
    ('{"a":1,"a":2}', False),
    ('{a:1}', False),
    ("{'a':1}", False),
    ('[1] x', False),
    ('[01]', False),
    ('[NaN]', False),
    ('["\t"]', False),
    ('[' * 100000, False),
    ('[' * 3000 + ']' * 3000, False),
    ('[123456789012345678901234567890]', False),
])
def test_json_is_strict(server, text, good):
    answer = server.request("POST", "/json", text, JSON)
    assert answer.status == (200 if good else 400), answer.text
    assert answer.text == text if good else "Not JSON: line 1" in answer.text


def test_json_that_is_not_utf8(server):
    assert server.request("POST", "/json", b'["\xff"]', JSON).status == 400
    assert server.request("POST", "/json", b"{}", {"Content-Type": "Application/JSON ; charset=utf-8"}).status == 200


def test_forms_become_json(server):
    body, head = form(('form-data; name="a"', b"1"), ('form-data; name="a"', b"2"),
                      ('form-data; name="f"; filename="x \xfc.bin"', bytes(range(256))))
    assert json.loads(server.request("POST", "/form", body, head).text)["form"] == {
        "a": ["1", "2"], "f": {"filename": "x ü.bin", "type": "application/octet-stream", "size": 256}}
    for cut in range(len(body) - 4):
        if cut % 37 == 0:
            assert server.request("POST", "/form", body[:cut], head).status == 400, cut
    assert server.request("POST", "/form", body, {"Content-Type": "multipart/form-data"}).status == 400
    nameless, head = form(("form-data", b"1"))
    assert server.request("POST", "/form", nameless, head).status == 400
    many, head = form(*[('form-data; name="a"', b"")] * 257)
    assert server.request("POST", "/form", many, head).status == 413


def test_bodies_that_are_too_large(curl, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 2000000)
    for path in ("/echo", "/upload/x"):
        assert curl(path, "--data-binary", f"@{tmp_path / 'big'}")[0] == 413
        assert curl(path, "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{tmp_path / 'big'}")[0] == 413


def test_kv(server):
    answer = server.request("POST", "/kv", "a=1&b=%C3%BC+x&&c", KV)
    assert urllib.parse.parse_qsl(answer.text, True) == [("a", "1"), ("b", "ü x"), ("c", "")]
    assert answer["Content-Type"] == KV["Content-Type"]
    assert server.request("POST", "/kv", "a=%", KV).status == 400


def test_what_is_of_another_type_is_refused(server):
    for path in ("/kv", "/json", "/form", "/test", "/login"):
        for head in ({}, {"Content-Type": "text/plain"}, {"Content-Type": ""}):
            answer = server.request("POST", path, b"x", head)
            assert answer.status == 415 and "Content-Type has to be" in answer.text, path
    assert server.request("POST", "/grpc", b"").status == 415
    answer = server.request("POST", "/grpc", b"", {"Content-Type": "application/grpc"})
    assert answer.status == 501 and "HTTP/2" in answer.text


def test_values_that_are_none(server):
    for text in ("bool=maybe", "int=1.5", "int=99999999999999999999", "int=", "float=x", "float=inf", "float=1e300"):
        assert server.request("POST", "/test", text, KV).status == 400, text
    assert server.request("POST", "/test", "[1]", JSON).status == 400
    answer = json.loads(server.request("POST", "/test", '{"int":-7,"float":-0.5,"string":"\\"<"}', JSON).text)
    assert (answer["int"], answer["float"], answer["string"], answer["bool"]) == (-7, -0.5, '"<', False)


def test_login(server):
    def login(text):
        answer = server.request("POST", "/login", text, JSON)
        return answer.status, json.loads(answer.text)

    status, answer = login('{"username":"admin","password":"123456"}')
    assert status == 200 and answer["code"] == 0 and len(answer["token"]) == 32
    assert login('{"username":"admin","password":"123456"}')[1]["token"] != answer["token"]
    assert login('{"username":"admin","password":"x"}') == (401, {"code": 10003, "message": "wrong password"})
    assert login('{"username":"x","password":"123456"}')[1]["code"] == 10002
    assert login('{"username":"admin"}') == (400, {"code": 10001, "message": "username and password are needed"})


# ---- files ----


def test_uploads_are_counted_where_none_are_kept(server, curl, www):
    before = sorted(www.rglob("*"))
    status, body = curl("/upload", "-F", f"file=@{www / 'a.txt'}")
    assert status == 200 and json.loads(body)["form"]["file"]["size"] == 10 and not json.loads(body)["stored"]
    answer = json.loads(server.request("POST", "/upload/x.bin", b"x" * 70000).text)
    assert (answer["filename"], answer["size"], answer["stored"]) == ("x.bin", 70000, False)
    answer = json.loads(server.request("POST", "/upload?filename=..%2Fy", b"").text)
    assert (answer["filename"], answer["size"]) == ("y", 0)
    assert server.request("POST", "/upload/" + "x" * 2000, b"").status in (200, 400)
    assert server.request("POST", "/upload/..%2f", b"").status in (400, 404, 405)
    assert sorted(www.rglob("*")) == before


# ---- time ----


def test_who_sleeps_holds_nobody_up(server):
    connection = server.connection()
    connection.request("GET", "/sleep?t=60000")
    for path in ("/sleep?t=20", "/setTimeout?t=20", "/sleep?t=0"):
        answer = json.loads(server.get(path).text)
        assert answer["code"] == 0 and answer["end_ms"] >= answer["start_ms"]
    connection.sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        connection.sock.recv(1)
    connection.close()
    for bad in ("60001", "-1", "x", "", "1%00", "99999999999999999999999999999999999999"):
        assert server.get("/sleep?t=" + bad).status == 400, bad


def test_clients_that_leave_while_they_sleep(server):
    for _ in range(50):
        with server.connect() as sock:
            sock.sendall(b"GET /sleep?t=50 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert server.get("/ping").text == "pong"


def read_ids(server, path, **head):
    return [line[4:] for line in server.get(path, **head).text.splitlines() if line.startswith("id: ")]


def test_events(server):
    answer = server.get("/sse?n=3&t=10")
    assert answer["Content-Type"] == "text/event-stream" and answer["X-Accel-Buffering"] == "no"
    assert answer.text.startswith("retry: 3000\n\nid: 1\ndata: 20")
    assert read_ids(server, "/sse?n=3&t=10") == ["1", "2", "3"]
    assert read_ids(server, "/sse?n=3&t=10", Last_Event_ID="1") == ["2", "3"]
    assert server.get("/sse?n=3&t=10", Last_Event_ID="3").status == 204
    assert read_ids(server, "/sse?n=1&t=10", Last_Event_ID="x\xff") == ["1"]
    for bad in ("n=0", "t=9", "t=60001", "n=x", "n=99999999"):
        assert server.get("/sse?" + bad).status == 400, bad


def test_endless_events_end_with_the_server(hhttpd, www):
    server = hhttpd("--demo", www, "0")
    connection = server.connection()
    connection.request("GET", "/sse?t=10")
    response = connection.getresponse()
    while not response.readline().startswith(b"id: 5"):
        pass
    began = time.monotonic()
    server.stop()
    assert b"\n\n" in response.read()  # the whole end: no chunk is cut
    assert time.monotonic() - began < TIMEOUT
    connection.close()


def test_one_who_does_not_read_holds_nobody_up(server):
    with socket.socket() as sock:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect(server.address()[1])
        sock.sendall(b"GET /sse?t=10 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: sock.recv(100, socket.MSG_PEEK), "events come")
        assert server.get("/ping").text == "pong"


def test_uploads_are_stored_where_they_may_be(hhttpd, www, lab):
    server = hhttpd("--demo", "--upload=/sub", "--base-url", "/api", "--auth", "/sub=me:secret", www, "0")
    body, head = form(('form-data; name="f"; filename="../ü.bin"', b"12345"))
    json_head = {**head, "Accept": "application/json", "Authorization": "Basic bWU6c2VjcmV0"}
    assert server.request("POST", "/api/upload", body, head).status == 401  # the folder's password counts here, too
    assert server.request("POST", "/api/upload", body, {**json_head, "Sec-Fetch-Site": "cross-site"}).status == 403
    answer = server.request("POST", "/api/upload", body, json_head)
    assert answer.status == 201
    assert json.loads(answer.text)["files"] == [{"name": "ü.bin", "size": 5, "href": "/api/sub/%C3%BC.bin"}]
    assert (www / "sub" / "ü.bin").read_bytes() == b"12345"
    assert server.get("/api/sub/%C3%BC.bin", Authorization="Basic bWU6c2VjcmV0").body == b"12345"
    assert server.request("POST", "/api/upload", body, json_head).status == 409  # it is there
    del json_head["Accept"], json_head["Content-Type"]
    answer = server.request("POST", "/api/upload/x%20y", b"abc", json_head)
    assert (answer.status, answer["Location"]) == (201, "/api/sub/x%20y")
    assert server.request("POST", "/api/upload?filename=z", b"abc", json_head).status == 201
    assert server.request("POST", "/api/upload/.hidden", b"abc", json_head).status == 201
    assert sorted(p.name for p in (www / "sub").iterdir()) == ["_hidden", "b.txt", "x y", "z", "ü.bin"]
    assert server.request("POST", "/api/upload", *form(("form-data; name=a", b""))[:1],
                          {**json_head, "Content-Type": "multipart/form-data; boundary=XbX"}).status == 400
    server.stop()
    server = hhttpd("--demo", "--upload", www, "0")
    answer = server.request("POST", "/upload", body, head)
    assert (answer.status, answer["Location"]) == (303, "/")
    assert (www / "ü.bin").exists()
    server.stop()
