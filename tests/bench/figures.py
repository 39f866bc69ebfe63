"""Values of several rounds, and the tables they end in."""

import statistics
import sys


class Rounds:
    """Values by row and column, one for each round."""

    def __init__(self):
        self.values = {}

    def add(self, row, column, value):
        self.values.setdefault(row, {}).setdefault(column, []).append(value)

    def median(self, row, column):
        return statistics.median(self.values[row][column])

    def ratio(self, row, column, to):
        pairs = zip(self.values[row][column], self.values[row][to])
        return statistics.median(a / b for a, b in pairs)

    def difference(self, row, column, to):
        pairs = zip(self.values[row][column], self.values[row][to])
        return statistics.median(a - b for a, b in pairs)


class Table:
    def __init__(self, title, note, columns):
        self.title, self.note, self.columns, self.rows = title, note, columns, []

    def add(self, *cells):
        self.rows.append(list(cells))

    def add_rounds(self, rounds, row, digits, *targets):
        """A row with the median of each column, and a target for each (column, factor): the first
        column's value is to be at most factor times that column's."""
        first = self.columns[1]
        cells = [show(rounds, row, column, digits) for column in self.columns[1:-1]]
        verdicts = [verdict(rounds.ratio(row, first, peer), factor, "of " + peer)
                    for peer, factor in targets]
        self.add(row, *cells, "; ".join(verdicts))

    def text(self):
        lines = ["## " + self.title, "", self.note, ""]
        rows = [self.columns, None] + self.rows
        widths = [max(len(row[i]) for row in rows if row) for i in range(len(self.columns))]
        for row in rows:
            if row is None:
                lines.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
            else:
                cells = (cell.ljust(width) for cell, width in zip(row, widths))
                lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def show(rounds, row, column, digits):
    if column not in rounds.values[row]:
        return "-"
    return "%.*f" % (digits, rounds.median(row, column))


def verdict(value, limit, what):
    return "%.3f %s, target %.3g: %s" % (value, what, limit,
                                         "met" if value <= limit else "missed")


def progress(text):
    if sys.stderr.isatty():
        print("... " + text, file=sys.stderr)
