"""What the data gate knows of a table: two passes, memory for one batch, a sample and 8 to 16 bytes a row."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ml_core.data import rows
from ml_core.data.table import Table
from ml_core.kernels import rowhash
from ml_core.progress import track

SAMPLE_ROWS, SAMPLE_CELLS = 20_000, 20_000_000
DRAWN = 4096  # sampled rows of a batch at most, several times what a large table needs
SALT = 0x5A3B1E  # so that the sample is no part of any split


class Distinct:
    """How many different values a column has: exact up to SIZE, then within some 3 % (the SIZE-th smallest
    hash).

    Bar-Yossef et al. 2002, "Counting distinct elements in a data stream".
    """

    SIZE = 1024

    def __init__(self):
        self.smallest = np.empty(0, np.uint64)

    def add(self, hashes: np.ndarray) -> None:
        """Take a batch's hashes (n,) into account."""
        if len(self.smallest) == self.SIZE:
            hashes = hashes[hashes < self.smallest[-1]]
        if len(hashes):
            fresh = pl.Series(hashes).unique().to_numpy()
            self.smallest = np.unique(np.concatenate([self.smallest, fresh]))[: self.SIZE]

    @property
    def count(self) -> int:
        """The number of different values, a missing one included."""
        if len(self.smallest) < self.SIZE:
            return len(self.smallest)
        return int((self.SIZE - 1) / (float(self.smallest[-1]) * 2.0**-64))


@dataclass
class Facts:
    """The table in figures.

    Attributes
    ----------
    columns : column -> {missing, infinite, distinct, min, max}
    hashes : uint64 (n,), the rows' names, in the frame's order
    copies : rows that repeat an earlier row; with a key, rows that repeat an earlier key
    classes : class -> rows
    sample : about SAMPLE_ROWS rows drawn by their hash, features and target
    sample_half : bool (sample rows,), a fair coin a row
    """

    rows: int
    columns: dict[str, dict]
    hashes: np.ndarray
    copies: int = 0
    classes: dict = field(default_factory=dict)
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)
    sample_half: np.ndarray = field(default_factory=lambda: np.empty(0, bool))


def survey(table: Table) -> Facts:
    """Look at all of the table."""
    facts = _figures(table)
    named = table.key or table.features
    wanted = list(dict.fromkeys([*named, *table.features, *([table.target] if table.target else [])]))
    quota = min(SAMPLE_ROWS, max(1000, SAMPLE_CELLS // len(wanted))) / max(facts.rows, 1)
    distinct = {name: Distinct() for name in wanted}
    # without a key the whole row, target included, tells whether it is a copy
    contents = None if table.key else np.empty(facts.rows, np.uint64)
    sample, halves, start = [], [], 0
    batches = rows.batches(table.frame.select(wanted))
    for batch in track(batches, "prepare: rows", total=1 + facts.rows // rows.BATCH):
        hashed = {name: rows.values(batch[name]) for name in wanted}
        for name, values in hashed.items():
            distinct[name].add(values)
        names = rowhash.combine([(name, hashed[name]) for name in named], len(batch))
        facts.hashes[start : start + len(batch)] = names
        if contents is not None:
            target = hashed.get(table.target, np.zeros(1, np.uint64))
            contents[start : start + len(batch)] = rowhash.splitmix(names ^ rowhash.splitmix(target))
        # equal rows are drawn together: a row that fills half the table must not fill the memory
        drawn = np.flatnonzero(rowhash.shares(names, SALT) < quota)[:DRAWN]
        sample.append(_alone(batch[drawn]))
        halves.append(rowhash.shares(names[drawn], SALT + 1) < 0.5)
        start += len(batch)
    facts.copies = _copies(facts.hashes.copy() if contents is None else contents)
    if sample:
        facts.sample, facts.sample_half = pl.concat(sample), np.concatenate(halves)
    for name, counter in distinct.items():
        facts.columns[name]["distinct"] = counter.count - (facts.columns[name]["missing"] > 0)
    return facts


def _alone(frame):
    """A few rows of a batch on their own: else their texts would keep those of the whole batch alive."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    return frame.with_columns(pl.Series(name, frame[name].to_list(), pl.String) for name in texts)


def _figures(table):
    """Counts and ranges of all columns by one streaming query."""
    schema = table.frame.collect_schema()
    asked = {"missing": pl.Expr.null_count, "min": pl.Expr.min, "max": pl.Expr.max}
    queries = [ask(pl.col(name)).alias(f"{what} {name}") for name in schema for what, ask in asked.items()]
    floats = [name for name, dtype in schema.items() if dtype.is_float()]
    queries += [pl.col(name).is_infinite().sum().alias(f"infinite {name}") for name in floats]
    found = table.frame.select(pl.len().alias("rows"), *queries).collect(engine="streaming").to_dicts()[0]
    columns = {
        name: {
            "missing": found[f"missing {name}"],
            "infinite": found.get(f"infinite {name}") or 0,
            "min": found[f"min {name}"],
            "max": found[f"max {name}"],
        }
        for name in schema
    }
    return Facts(found["rows"], columns, np.empty(found["rows"], np.uint64), classes=_classes(table))


def _classes(table):
    if table.task != "classification":
        return {}
    counts = table.frame.group_by(table.target).len().collect(engine="streaming")
    return dict(sorted(counts.iter_rows()))


def _copies(hashes):
    hashes.sort()
    return int(np.count_nonzero(hashes[1:] == hashes[:-1]))


def repeats(hashes: np.ndarray, most: int) -> list[int]:
    """Places of the first ``most`` rows whose hash stood in an earlier row."""
    order = np.argsort(hashes, kind="stable")
    again = order[1:][hashes[order[1:]] == hashes[order[:-1]]]
    return sorted(again.tolist())[:most]
