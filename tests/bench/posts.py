"""Numbers sent to a loop by another thread."""

import os

from figures import Rounds, Table, progress, show, verdict
from processes import BENCH, QUICK, numbers, output

NOISE = 1.02  # of the measurement


def posts():
    rounds = Rounds()
    columns = ["hnet", "libev", "libuv", "libevent"]
    for i in range(5 if QUICK else 11):
        progress("posts, round %d" % (i + 1))
        for name in columns:
            program = os.path.join(BENCH, "bench_posts_" + name)
            rounds.add("posts with data", name, 1000 / numbers(output([program]))[0])
            rounds.add("wake-ups and a shared counter", name,
                       1000 / numbers(output([program, "counter"]))[0])
    table = Table("Posts from another thread: millions a second",
                  "5 M numbers, all received and added up. libcore's posts carry them, one callback "
                  "each; for the others a mutex and an array do. Second row: the numbers are counted "
                  "in one shared variable, and a wake-up is asked for whenever it was 0: the same "
                  "work for all, told apart by no more than the noise, %.2f." % NOISE,
                  ["posts", *columns, "target"])
    for row in rounds.values:
        ratio = 1 / rounds.ratio(row, "hnet", "libuv")
        cells = [show(rounds, row, column, 1) for column in columns]
        target = 1 if row == "posts with data" else NOISE
        table.add(row, *cells, verdict(ratio, target, "libuv's rate to ours"))
    return [table]


PARTS = {"posts": posts}
