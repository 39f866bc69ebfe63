# One thread.
"""The PROXY header that hnc sends and the one that it expects, with haproxy and nginx at the other
end."""

import os
import subprocess

import pytest

HOST = "127.0.0.1"


def haproxy(lab, bind_options, server_options, target):
    """haproxy in front of a port: its own port."""
    port = lab.port()
    conf = lab.folder / f"haproxy-{port}.cfg"
    conf.write_text(
        "defaults\n mode tcp\n timeout connect 60s\n timeout client 60s\n timeout server 60s\n"
        f"listen l\n bind {HOST}:{port} {bind_options}\n server s {HOST}:{target} {server_options}\n"
    )
    lab.spawn("haproxy", "-f", conf)
    lab.wait_bound(port)
    return port


def nginx(lab, listen_options, settings, target):
    """The same with nginx's stream module."""
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    if not os.path.exists(module):
        pytest.skip("nginx has no stream module here")
    port = lab.port()
    folder = lab.folder / f"nginx-{port}"
    folder.mkdir()
    conf = folder / "nginx.conf"
    conf.write_text(
        f"load_module {module};\ndaemon off;\nmaster_process off;\npid {folder}/pid;\n"
        f"error_log {folder}/error.log;\nevents {{}}\nstream {{ server {{\n"
        f"listen {HOST}:{port} {listen_options};\nproxy_pass {HOST}:{target};\n{settings}\n}} }}\n"
    )
    lab.spawn("nginx", "-p", folder, "-c", conf)
    lab.wait_bound(port)
    return port


def expecting(lab):
    """hnc -l that wants a header, and shows from whom the connection comes: (process, port)."""
    port = lab.port()
    hnc = lab.spawn("hnc", "-lvn", "--proxy-protocol", HOST, port)
    lab.wait_bound(port)
    return hnc, port


def send(lab, source, *args):
    """A line from this source port, which is what the header has to tell."""
    done = lab.run("hnc", "-N", "-p", source, *args, data=b"a line\n")
    assert done.wait() == 0, done


def assert_told(hnc, source):
    hnc.wait_out(b"a line\n")
    assert hnc.wait() == 0
    assert f", {HOST}:{source} to {HOST}:" in hnc.err()


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_haproxy_sends_the_header(lab, option):
    hnc, port = expecting(lab)
    source = lab.port()
    send(lab, source, HOST, haproxy(lab, "", option, port))
    assert_told(hnc, source)


@pytest.mark.parametrize("version", ["1", "2"])
def test_haproxy_takes_the_header(lab, version):
    hnc, port = expecting(lab)
    source = lab.port()
    send(lab, source, f"--proxy-protocol={version}", HOST, haproxy(lab, "accept-proxy", "send-proxy", port))
    assert_told(hnc, source)


def test_nginx_sends_the_header(lab):
    hnc, port = expecting(lab)
    source = lab.port()
    send(lab, source, HOST, nginx(lab, "", "proxy_protocol on;", port))
    assert_told(hnc, source)


@pytest.mark.parametrize("version", ["1", "2"])
def test_nginx_takes_the_header(lab, version):
    hnc, port = expecting(lab)
    source = lab.port()
    settings = f"set_real_ip_from {HOST};\nproxy_protocol on;"
    send(lab, source, f"--proxy-protocol={version}", HOST, nginx(lab, "proxy_protocol", settings, port))
    assert_told(hnc, source)


def test_a_peer_that_sends_no_header_is_turned_away(lab):
    hnc, port = expecting(lab)
    refused = lab.spawn("hnc", HOST, port, stdin=subprocess.PIPE)
    refused.send(b"GET / HTTP/1.0\r\n\r\n")
    assert refused.wait() in (0, 1)
    hnc.wait_err("PROXY")
    assert b"GET" not in hnc.out()
