"""Names: what they cost beside numbers, and a thousand of them at once."""

import os

from figures import Rounds, Table, progress, verdict
from processes import BENCH, QUICK, output

ROWS = {"resolve": "the answer alone: ns", "dial": "a connection, from dial to close: CPU us"}
COLUMNS = ["number", "hosts", "cache"]
NOISE = 1.02  # what two runs of the same dial differ by


def cheap_ones(rounds):
    table = Table("Names: their cost beside a number's",
                  "In turns within one process that has resolved each once. The listener and the "
                  "name server are another process. \"No more\" is told apart from more by the "
                  "noise of the measurement, %g." % NOISE, ["name", *COLUMNS, "target"])
    for what, row in ROWS.items():
        cells = ["%.1f" % rounds.median(row, column) for column in COLUMNS]
        verdicts = [verdict(rounds.ratio(row, name, "number"), NOISE, "%s to number" % name)
                    for name in COLUMNS[1:]] if what == "dial" else []
        table.add(row, *cells, "; ".join(verdicts))
    return table


def thousand(rounds):
    row = "1,000 names, both families: ms"
    table = Table("Names: a thousand at once",
                  "The name server gives each answer 100 ms after its question; what all of them "
                  "take together, less those 100 ms.", ["names", "hnet", "target"])
    value = rounds.median(row, "hnet")
    table.add(row, "%.1f" % value, verdict(value, 20, "ms above the slowest answer"))
    return table


def names():
    rounds = Rounds()
    for i in range(3 if QUICK else 9):
        progress("names, round %d" % (i + 1))
        for line in output([os.path.join(BENCH, "bench_names_hnet")]).splitlines():
            what, *values = line.split()
            if what == "thousand":
                rounds.add("1,000 names, both families: ms", "hnet", float(values[0]))
            else:
                for column, value in zip(COLUMNS, values):
                    rounds.add(ROWS[what], column, float(value))
    return [cheap_ones(rounds), thousand(rounds)]


PARTS = {"names": names}
