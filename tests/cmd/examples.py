"""The examples of the manual, run as they are printed: each in a network, a /tmp and a /run of its
own, because their ports and paths are fixed, with the hosts that they name on loopback."""

import re
import shlex

import pytest

from conftest import BIN

# The commands are seen at /mnt: where they are may be below the /tmp that is hidden.
PREPARE = f"""set -e
mount --bind {shlex.quote(str(BIN))} /mnt
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
printf '127.0.0.1 localhost host example.com\\n' >/tmp/hosts
mount --bind /tmp/hosts /etc/hosts
ip link set lo up
cd /tmp
PATH=/mnt:$PATH
set +e
"""


def namespace(*argv):
    """The arguments of unshare that run this."""
    return ["-r", "-n", "-m", "sh", "-c", PREPARE + 'exec "$@"', "sh", *argv]


def need_namespaces(lab):
    if lab.run("unshare", *namespace("true")).wait() != 0:
        pytest.skip("no namespaces here")


def script(lab, text):
    """Runs a shell script there, to its end; with its process namespace ends whatever it has started."""
    need_namespaces(lab)
    own_processes = ["-p", "-f", "--kill-child", "-r", "-m", "sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh"]
    return lab.run("unshare", *own_processes, "unshare", *namespace("sh", "-c", text))


def lines(lab, command, *topic):
    """The command lines under "Examples:" of the help (about this topic)."""
    text = lab.run(command, "--help", *topic).out().decode().split("\nExamples:\n")[1]
    return re.findall(r"^  (\S.*)$", text.split("\n\n")[0], re.M)
