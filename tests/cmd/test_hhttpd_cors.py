"""hhttpd --cors: what a browser is told about pages of other origins."""

import pytest

from hhttpd_lab import hhttpd, www  # noqa: F401

ALLOW = "Access-Control-Allow-Origin"


def preflight(server, path="/", method="GET", **headers):
    fields = {"Origin": "https://page.example", "Access-Control-Request-Method": method}
    return server.request("OPTIONS", path, None, {**fields, **{k.replace("_", "-"): v for k, v in headers.items()}})


def test_every_answer_may_be_read(hhttpd, www):
    server = hhttpd("--cors", "--auth", "/sub/=a:1", "--redirect", "/old=/new", www, "0")
    for path, status in [("/", 200), ("/a.txt", 200), ("/none", 404), ("/sub/b.txt", 401), ("/old", 301)]:
        for headers in ({}, {"Origin": "https://page.example"}):
            answer = server.request("GET", path, None, headers)
            assert (answer.status, answer.headers.get_all(ALLOW)) == (status, ["*"]), path
            assert answer["Access-Control-Expose-Headers"] == "*"
            assert answer["Access-Control-Allow-Credentials"] is None
    assert server.request("POST", "/a.txt")[ALLOW] == "*"
    not_modified = server.get("/a.txt", If_None_Match=server.get("/a.txt")["ETag"])
    assert (not_modified.status, not_modified[ALLOW]) == (304, "*")
    server.stop()


def test_a_preflight(hhttpd, www):
    server = hhttpd("--cors", "--auth", "a:1", www, "0")  # it comes without a password
    answer = preflight(server, "/none", "PUT", Access_Control_Request_Headers="authorization, x-own")
    assert (answer.status, answer.body, answer[ALLOW]) == (204, b"", "*")
    assert "PUT" in answer["Access-Control-Allow-Methods"].split(", ")
    assert answer["Access-Control-Allow-Headers"] == "authorization, x-own"
    assert int(answer["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Request-Headers" in answer["Vary"]
    assert answer["Access-Control-Allow-Private-Network"] is None
    server.stop()


def test_a_private_network(hhttpd, www):
    server = hhttpd("--cors", www, "0")
    answer = preflight(server, Access_Control_Request_Private_Network="true")
    assert answer["Access-Control-Allow-Private-Network"] == "true"
    server.stop()


def test_what_is_no_preflight(hhttpd, www):
    server = hhttpd("--cors", www, "0")
    answer = server.request("OPTIONS", "/a.txt", None, {"Origin": "https://page.example"})
    assert answer["Allow"] == "GET, HEAD, OPTIONS" and answer["Access-Control-Allow-Methods"] is None
    answer = preflight(server, Access_Control_Request_Headers="a b, c")
    assert answer.status == 204 and answer["Access-Control-Allow-Headers"] is None
    server.stop()


@pytest.mark.parametrize("cors", ["yes", "no"])
def test_hosts_have_their_own(hhttpd, www, lab, cors):
    conf = lab.folder / "x.conf"
    conf.write_text(f"listen = 127.0.0.1:0\ndocument_root = {www}\n[host other]\ndocument_root = {www}\ncors = {cors}\n")
    server = hhttpd("-c", conf)
    assert server.get("/a.txt")[ALLOW] is None
    assert server.get("/a.txt", Host="other")[ALLOW] == ("*" if cors == "yes" else None)
    assert preflight(server).status == 204 and preflight(server)[ALLOW] is None
    server.stop()


def test_what_a_server_behind_says_goes_first(hhttpd, www, lab):
    behind = hhttpd("--cors", www, "0")
    front = hhttpd("--cors", "--proxy", f"/=http://127.0.0.1:{behind.port}/", www, "0")
    assert front.get("/a.txt").headers.get_all(ALLOW) == ["*"]
    front.stop()
    behind.stop()
