"""Which rows are tested on: a function of each row alone, so that no other row can move it.

The stability law: adding or removing rows never moves another row between train and test. A rule that keeps
it for all tables at once must decide each row as if it were the only one; so no rule of this kind can promise
exact shares. What it gives is the share in expectation: of n rows, the test part is off by sqrt(share (1 -
share) / n), or .4 % of 10,000 rows. Equal rows lie on one side.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ml_core.data import rows
from ml_core.data.table import Table
from ml_core.kernels import rowhash

METHODS = ("random", "stratified", "group", "time")
SEEDS = 1000  # seeds tried before giving up on one that puts every class on both sides


@dataclass(frozen=True)
class Split:
    """Share ``test`` of the rows, by ``method``; another ``seed`` gives another split.

    Methods ------- random : by the row's hash. stratified : the same rows as random, and an error, with a
    seed to set instead, where a class is missing on one side. More would break the law: to hold a class's
    share exactly, its rows would have to know of each other. And to draw each class by a hash of its own
    would let equal features with two labels lie on both sides. A regression or clustering has no classes:
    then it is random. group : by the hash of column (or columns) ``by``; a row without a group counts as a
    group of its own. time : rows whose column ``by`` (date or number) is ``cutoff`` or later.
    """

    method: str = "random"
    test: float = 0.2
    seed: int = 0
    by: str | list | None = None
    cutoff: str | float | int | None = None

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"split.method: got {self.method!r}, allowed are {', '.join(METHODS)}")
        if not 0 < self.test < 1:
            raise ValueError(
                f"split.test: got {self.test!r}, allowed is a share between 0 and 1, such as 0.2"
            )
        if self.method in ("group", "time") and not self.by:
            raise ValueError(f"split.by: {self.method} needs a column; set split.by=...")
        if self.method == "time" and not isinstance(self.by, str):
            raise ValueError(f"split.by: time takes one column, got {self.by!r}")

    @property
    def columns(self) -> list[str]:
        """The columns in ``by``."""
        return [self.by] if isinstance(self.by, str) else list(self.by or [])

    @property
    def aside(self) -> list[str]:
        """Columns that are no features under this split: a group's name says nothing of a new group."""
        return self.columns if self.method == "group" else []

    def check(self, table: Table) -> None:
        """KeyError or ValueError unless the table has what the split needs."""
        names = table.frame.collect_schema().names()
        for name in self.columns if self.method in ("group", "time") else []:
            if name not in names:
                raise KeyError(f"split.by: no column {name!r}; the table has {', '.join(names[:20])}")
            if name == table.target:
                raise ValueError(f"split.by: {name!r} is the target; name another column")

    def sides(self, table: Table, hashes: np.ndarray) -> np.ndarray:
        """Whether each row is tested on, bool (n,); ``hashes`` (n,) are the rows' names, in the frame's "
        "order."""
        self.check(table)
        tested = {"group": self._by_group, "time": self._by_time}.get(self.method, self._by_row)(
            table, hashes
        )
        if self.method == "stratified" and table.task == "classification":
            self._check_classes(table, hashes, tested)
        if tested.all() or not tested.any():
            side = "train" if tested.all() else "test"
            raise ValueError(
                f"split: no row is left to {side} on ({len(tested)} rows, split.method={self.method}); "
                "set split.test, split.seed or split.cutoff"
            )
        return tested

    def _by_row(self, _table, hashes):
        return rowhash.shares(hashes, self.seed) < self.test

    def _by_group(self, table, hashes):
        tested = []
        for batch, part in _along(table.frame.select(self.columns), hashes):
            groups = rows.hashes(batch, self.columns)
            alone = batch.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
            tested.append(rowhash.shares(np.where(alone, part, groups), self.seed) < self.test)
        return np.concatenate(tested)

    def _by_time(self, table, _hashes):
        dtype = table.frame.collect_schema()[self.by]
        if not (dtype.is_temporal() or dtype.is_numeric()):
            raise ValueError(
                f"split.by: {self.by!r} holds {dtype}, allowed are dates and numbers; set "
                f"+data.types.{self.by}=date"
            )
        column = pl.col(self.by)
        empty = table.frame.select(column.null_count()).collect(engine="streaming").item()
        if empty:
            raise ValueError(
                f"split.by: {self.by!r} is missing in {empty} rows, so nobody knows their time; "
                "fill it in, or leave them out of the file"
            )
        if self.cutoff is None:
            raise ValueError(
                f"split.cutoff: time needs the first {'date' if dtype.is_temporal() else 'number'} of the "
                "test rows; "
                f"split.cutoff={self._proposed(table, dtype)} tests on about {self.test:.0%} of them"
            )
        late = table.frame.select(column >= self._cutoff(dtype))
        return np.concatenate([batch.to_series().to_numpy() for batch in rows.batches(late)])

    def _cutoff(self, dtype):
        if not dtype.is_temporal():
            if isinstance(self.cutoff, int | float):
                return self.cutoff
            raise ValueError(
                f"split.cutoff: got {self.cutoff!r}, but {self.by!r} holds numbers; set a number"
            )
        text = str(self.cutoff).replace("T", " ")
        for pattern in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f"):
            moment = pl.Series([text]).str.to_datetime(pattern, time_unit="us", strict=False)[0]
            if moment is not None:
                return moment
        raise ValueError(f"split.cutoff: got {self.cutoff!r}, allowed is a date such as 2024-03-01")

    def _proposed(self, table, dtype):
        """The value from which on about ``test`` of the rows lie; a whole day where that keeps both sides."""
        column = pl.col(self.by)
        at = table.frame.select(column.quantile(1 - self.test, "nearest")).collect(engine="streaming").item()
        if not dtype.is_temporal():
            return int(at) if dtype.is_integer() else at
        return at.isoformat()[:10] if at.isoformat()[11:19] in ("", "00:00:00") else f"'{at:%Y-%m-%d %H:%M}'"

    def _check_classes(self, table, hashes, tested):
        codes = _codes(table)
        lacking = _lacking(codes, tested, len(table.classes))
        if lacking is None:
            return
        i, side = lacking
        count = int((codes == i).sum())
        for seed in range(SEEDS):
            if _lacking(codes, rowhash.shares(hashes, seed) < self.test, len(table.classes)) is None:
                move = f"set split.seed={seed}, with which every class lies on both sides, or split=random"
                break
        else:
            move = "add rows of this class, leave it out, or set split=random"
        raise ValueError(
            f"split: class {table.classes[i]!r} ({count} rows) has none to {side} on with "
            f"split.seed={self.seed}; {move}"
        )


def _along(frame: pl.LazyFrame, hashes: np.ndarray) -> Iterable[tuple[pl.DataFrame, np.ndarray]]:
    start = 0
    for batch in rows.batches(frame):
        yield batch, hashes[start : start + len(batch)]
        start += len(batch)


def _codes(table):
    """Each row's place among table.classes, int32 (n,)."""
    codes = {value: i for i, value in enumerate(table.classes)}
    batches = rows.batches(table.frame.select(table.target))
    columns = (batch.to_series().replace_strict(codes, return_dtype=pl.Int32) for batch in batches)
    return np.concatenate([column.to_numpy() for column in columns])


def _lacking(codes, tested, n_classes):
    """(class, side) of the first class without rows on a side; None where every class has both."""
    for side, mask in (("test", tested), ("train", ~tested)):
        counts = np.bincount(codes[mask], minlength=n_classes)
        if not counts.all():
            return int(np.argmin(counts)), side
    return None
