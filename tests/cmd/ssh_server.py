"""An sshd of our own."""

import os
import subprocess

HOST = "127.0.0.1"


def sshd(lab):
    """A server of our own for this user: (port, options with which ssh logs in)."""
    key, host_key = lab.path("key"), lab.path("host_key")
    for path in (key, host_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    config = lab.folder / "sshd_config"
    config.write_text(
        f"HostKey {host_key}\nAuthorizedKeysFile {key}.pub\nStrictModes no\nUsePAM no\n"
        f"PidFile none\nListenAddress {HOST}\nPermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # it insists
    port = lab.port()
    lab.spawn("/usr/sbin/sshd", "-D", "-f", config, "-p", port)
    lab.wait_bound(port)
    options = [
        "-F", "none", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
        "-o", f"UserKnownHostsFile={lab.path('known_hosts')}", "-o", "LogLevel=ERROR",
    ]
    return port, options
