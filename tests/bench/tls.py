"""Bulk data through TLS, beside ncat and socat, with one certificate for all."""

import os
import socket
import subprocess
import sys
import tempfile

from figures import Rounds, Table, progress
from processes import BIN, QUICK, WAIT_S, free_port, wait_listening
from transfer import check_all_whole, filled, take_turn, zeros

CIPHERS = {0x1301: "AES-128-GCM", 0x1302: "AES-256-GCM", 0x1303: "ChaCha20-Poly1305"}

# Its sender closes with the server's session tickets unread, and the reset that follows may cost
# its receiver the last bytes.
LOSSY = ("ncat",)


def make_certificate(folder):
    """A P-256 key and its self-signed certificate; key.pem, cert.pem and both in one."""
    paths = [os.path.join(folder, name) for name in ("key.pem", "cert.pem", "both.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", paths[0], "-out",
                    paths[1]], check=True, stderr=subprocess.DEVNULL, timeout=WAIT_S)
    with open(paths[2], "wb") as both:
        for path in paths[:2]:
            with open(path, "rb") as file:
                both.write(file.read())
    return paths


def tools(key, cert, both):
    """Name, listening command, sending command; PORT is put in."""
    hnc = os.path.join(BIN, "hnc")
    ours = ["--ssl-cert", cert, "--ssl-key", key]
    return [("hnc", [hnc, "-l", "-d", "--ssl", *ours, "127.0.0.1", "PORT"],
             [hnc, "-N", "--ssl-trustfile", cert, "127.0.0.1", "PORT"]),
            ("ncat", ["ncat", "-l", "--recv-only", "--ssl", *ours, "127.0.0.1", "PORT"],
             ["ncat", "--send-only", "--ssl", "127.0.0.1", "PORT"]),
            ("socat -b64K",
             ["socat", "-u", "-b65536", "OPENSSL-LISTEN:PORT,bind=127.0.0.1,verify=0,cert=" + both,
              "STDOUT"],
             ["socat", "-u", "-b65536", "STDIN", "OPENSSL:127.0.0.1:PORT,cafile=" + cert])]


def receive_exactly(sock, count):
    data = sock.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        sys.exit("no TLS hello came")
    return data


def chosen_cipher(listen, send):
    """The pair's cipher: the client's hello is passed on, and the server's (RFC 8446 section
    4.1.3) has it."""
    port = free_port()
    server = subprocess.Popen(filled(listen, port), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_listening(port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT_S)
        client = subprocess.Popen(filled(send, listener.getsockname()[1]), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        near = listener.accept()[0]
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        head = receive_exactly(near, 5)
        far.sendall(head + receive_exactly(near, int.from_bytes(head[3:], "big")))
        hello = receive_exactly(far, 5 + 4 + 2 + 32 + 1)
        hello += receive_exactly(far, hello[43] + 2)
    for process in (client, server):
        process.kill()
        process.wait()
    number = int.from_bytes(hello[-2:], "big")
    return CIPHERS.get(number, "%04x" % number)


def tls():
    rounds = Rounds()
    gib = 1
    fd = zeros(gib * 2**30)
    with tempfile.TemporaryDirectory() as folder:
        pairs = tools(*make_certificate(folder))
        check_all_whole([pair for pair in pairs if pair[0] not in LOSSY])
        ciphers = ["%s %s" % (name, chosen_cipher(listen, send)) for name, listen, send in pairs]
        for i in range(3 if QUICK else 9):
            progress("tls, round %d" % (i + 1))
            take_turn(rounds, pairs, fd, "file", LOSSY)
    os.close(fd)
    table = Table("TLS: %d GiB over loopback to /dev/null" % gib,
                  "Sender and receiver of the same tool, one processor each; the same P-256 "
                  "certificate, which ncat does not check. Ciphers, as each pair agrees: %s."
                  % ", ".join(ciphers), ["transfer", *(name for name, _, _ in pairs), "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 3, ("ncat", 1 if row.startswith("wall") else 0.5))
    return [table]


PARTS = {"tls": tls}
