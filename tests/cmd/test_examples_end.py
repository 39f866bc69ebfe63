# One thread.
"""What the script of an example starts ends with it."""

import pathlib
import uuid

import examples


def runs(word):
    """Whether a process has this in its command line."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                return True
        except OSError:
            pass
    return False


def test_nothing_is_left(lab):
    word = uuid.uuid4().hex
    process = examples.script(lab, f"setsid sh -c 'sleep 100 # {word}' & sh -c 'sleep 100 # {word}' & echo said")
    assert process.wait() == 0 and process.out() == b"said\n"
    assert not runs(word)
