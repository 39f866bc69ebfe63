# One thread.
"""Large bodies of hcurl: those that come fast are read in large pieces, and end all the same."""

import os
import socket
import subprocess
import threading

import pytest

from conftest import BIN

SIZE = 12 * 2**20
FAST = 11 * 2**20 + 4097  # the rest comes in small pieces


def serve(listener, body, requests, cut):
    conn, _ = listener.accept()
    with conn:
        for _ in range(requests):
            while not conn.recv(65536).endswith(b"\r\n\r\n"):
                pass
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            conn.sendall(body[:FAST])
            if cut:
                return
            for at in range(FAST, len(body), 10007):
                conn.sendall(body[at:at + 10007])


@pytest.mark.parametrize("requests, cut", [(1, False), (3, False), (1, True)])
def test_a_fast_body_is_whole_to_its_last_byte(tmp_path, requests, cut):
    body = os.urandom(SIZE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, body, requests, cut), daemon=True)
        thread.start()
        url = "http://127.0.0.1:%d/" % listener.getsockname()[1]
        names = ["got%d" % i for i in range(requests)]
        command = [str(BIN / "hcurl"), "-q", "-s", "-m", "60"]
        for name in names:
            command += ["-o", str(tmp_path / name), url]
        done = subprocess.run(command, timeout=90)
        thread.join(10)
    assert done.returncode == (18 if cut else 0)
    for name in names:
        assert (tmp_path / name).read_bytes() == (body[:FAST] if cut else body)
