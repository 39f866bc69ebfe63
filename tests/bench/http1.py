"""Heads of requests, parsed."""

import os

from figures import Rounds, Table, progress
from processes import BENCH, QUICK, output


def http1():
    rounds, columns = Rounds(), ["hnet", "libhttp_parser"]
    for i in range(3 if QUICK else 7):
        progress("http1, round %d" % (i + 1))
        for name in columns:
            for line in output([os.path.join(BENCH, "bench_http1_" + name)], 1).splitlines():
                client, ns = line.split()
                rounds.add("a request of " + client, name, float(ns))
    table = Table("HTTP/1 parser: CPU, ns a request",
                  "The same heads again and again on one connection that is kept alive; both keep "
                  "the place of the target and of each field. hnet also checks Host and the "
                  "target, and finds out which fields are known.", ["parser", *columns, "target"])
    for row in rounds.values:
        table.add_rounds(rounds, row, 1, ("libhttp_parser", 0.5))
    return [table]


PARTS = {"http1": http1}
