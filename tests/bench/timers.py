"""Adding, cancelling, firing and re-arming a million timers."""

import os

from figures import Rounds, Table, progress, show, verdict
from processes import BENCH, QUICK, output


def timers_once(rounds, name):
    for line in output([os.path.join(BENCH, "bench_timers_" + name)], 1).splitlines():
        what, *values = line.split()
        if what.startswith("reset-"):
            row = "re-arm for later, %s timer%s" % (what[6:], "" if what == "reset-1" else "s")
            rounds.add(row, name, float(values[0]))
        elif what == "first":
            rounds.add("add 1 M, new memory", name, float(values[0]))
        elif what == "in-order":
            rounds.add("cancel half, in order", name, float(values[1]))
        else:
            add, cancel, fire = map(float, values)
            rounds.add("add 1 M", name, add)
            rounds.add("cancel half, random order", name, cancel)
            rounds.add("fire half", name, fire)


def timers():
    rounds = Rounds()
    peers = ["libev", "libuv", "libevent"]
    for i in range(3 if QUICK else 7):
        progress("timers, round %d" % (i + 1))
        for name in ["hnet", *peers, "raw"]:
            timers_once(rounds, name)
    table = Table("Timers: ns of CPU time each", "Random time-outs of 1 to 200 ms, all added in one callback. "
                  "A round of the same work goes before, so that memory is there; its adding is "
                  "told as \"new memory\". libcore allocates its timers; the peers' lie in an "
                  "array.",
                  ["timers", "hnet", *peers, "plain store", "target"])
    table.add_rounds(rounds, "add 1 M, new memory", 1)
    for row in ("add 1 M", "cancel half, in order", "cancel half, random order", "fire half"):
        table.add_rounds(rounds, row, 1, ("libev", 1 / 3), ("libuv", 1 / 8), ("libevent", 1 / 8))
    for row in [row for row in rounds.values if row.startswith("re-arm")]:
        above = rounds.difference(row, "hnet", "raw")
        cells = [show(rounds, row, column, 2) for column in ["hnet", *peers, "raw"]]
        table.add(row, *cells, verdict(above, 1.5, "ns above a store"))
    return [table]


PARTS = {"timers": timers}
