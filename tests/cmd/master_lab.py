"""What the tests of servers with a master and workers (app/hmaster) share."""

import signal

from conftest import wait_until


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Master:
    """A command with these arguments; whoever starts it waits until it serves."""

    def __init__(self, lab, *command, **options):
        self.process = lab.spawn(*command, **options)
        self.pid = self.process.pid

    def told(self):
        """Its messages, in whole lines: what is read while it is written may end anywhere."""
        text = self.process.err()
        return text[: text.rfind("\n") + 1]

    def serves(self, is_ready):
        wait_until(lambda: is_ready() or not self.process.running(), f"serving: {self.process}")
        assert is_ready(), self.process

    def workers(self, count=1):
        """The numbers of the worker processes, once there are so many."""
        wait_until(lambda: len(children(self.pid)) == count, f"{count} workers")
        return children(self.pid)

    def reload(self):
        """SIGHUP, and what the log says about it."""
        before = len(self.told())
        self.process.signal(signal.SIGHUP)

        def said():
            text = self.told()[before:]
            return text if "reloaded: " in text or "the old one stays" in text else ""

        return wait_until(said, "the end of the reload").rstrip("\n")

    def stop(self, number=signal.SIGTERM):
        self.process.signal(number)
        assert self.process.wait() == 0, self.process
        assert "Sanitizer: " not in self.process.err(), self.process.err()
