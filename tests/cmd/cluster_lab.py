"""Runs scripts/cluster, which shows a set-up of several hosts and says whether it works."""

import pytest

from conftest import BIN, ROOT

NOT_POSSIBLE = 77


def shown(lab, what):
    """The lines that it says. Skipped where namespaces cannot be made, or a program is missing."""
    script = lab.run(ROOT / "scripts" / "cluster", what, env={"HNET_BIN": str(BIN), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    if script.wait() == NOT_POSSIBLE:
        pytest.skip(script.err().strip())
    lines = script.out().decode().splitlines()
    assert script.wait() == 0, "\n".join([*lines, script.err()])
    return lines
