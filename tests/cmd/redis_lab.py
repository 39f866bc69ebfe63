"""A Redis server of Debian for the tests, on a UNIX socket, a port, or both; it can be killed and
comes back at the same place."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import wait_until


class Redis:
    def __init__(self, lab, *args, port=0):
        if not shutil.which("redis-server"):
            pytest.skip("redis-server is not installed")
        self.lab, self.args, self.port = lab, args, port
        self.path = lab.path(f"redis{len(lab.processes)}.sock")
        self.url = f"redis://127.0.0.1:{port}/" if port else f"unix:{self.path}"
        self.process = None
        self.start()

    def start(self):
        """Until it answers."""
        if os.path.exists(self.path):
            os.unlink(self.path)  # a killed one leaves it
        self.process = self.lab.spawn(
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.path, "--save", "",
            "--appendonly", "no", "--dir", self.lab.folder, "--daemonize", "no", *self.args)
        wait_until(self.answers, f"{self.process} answers")

    def answers(self):
        assert self.process.running(), self.process.out()
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.path)
                s.sendall(b"PING\r\n")
                return s.recv(64)[:1] in (b"+", b"-")  # it may want a password
        except OSError:
            return False

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    def cli(self, *words, data=None):
        return subprocess.run(["redis-cli", "-s", self.path, *words], input=data, check=True, timeout=60,
                              capture_output=True).stdout

    def publish(self, channel, message):
        """How many have got it."""
        return int(self.cli("-x", "publish", channel, data=message))

    def listeners(self, channel):
        return int(self.cli("pubsub", "numsub", channel).split()[1])
