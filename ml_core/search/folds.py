"""Folds: which rows train and which are held out, the same in every run; or, for forests, out of bag."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

METHODS = ("auto", "kfold", "stratified", "group", "time", "oob")


@dataclass(frozen=True)
class Folds:
    """How rows are split for judging candidates.

    Parameters
    ----------
    method : "auto", "kfold", "stratified", "group", "time" or "oob"
        auto: stratified for classification, else kfold. group: rows of one value of ``by`` stay together.
        time: each fold is later, by column ``by``, than the rows it trains on.
        oob: no folds, one fit on all rows; each is judged by the trees of a forest that did not draw it.
    n : int
    by : str or None
        Column of the table, which need not be a feature.
    seed : int
        Of the shuffle; group and time do not shuffle.
    repeats : int
        So many times, each with other folds; groups are then shuffled, time cannot be.
    """

    method: str = "auto"
    n: int = 5
    by: str | None = None
    seed: int = 0
    repeats: int = 1

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"search.folds.method: got {self.method!r}, allowed are {', '.join(METHODS)}")
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 2:
            raise ValueError(f"search.folds.n: got {self.n!r}, must be a whole number of 2 or more")
        if isinstance(self.repeats, bool) or not isinstance(self.repeats, int) or self.repeats < 1:
            raise ValueError(
                f"search.folds.repeats: got {self.repeats!r}, must be a whole number of 1 or more"
            )
        if self.method == "time" and self.repeats > 1:
            raise ValueError("search.folds.repeats: time folds come in one order; set search.folds.repeats=1")
        if self.method == "oob" and self.repeats > 1:
            raise ValueError("search.folds.repeats: out of bag is one fit; set search.folds.repeats=1")
        if self.method == "oob" and self.by:
            raise ValueError(
                f"search.folds.by: got {self.by!r}, but trees draw rows, not groups, and know no time; set "
                "search.folds.by=null, or search.folds.method=group or time"
            )
        if self.method in ("group", "time") and not self.by:
            raise ValueError(f"search.folds.method={self.method} needs a column: set search.folds.by=COLUMN")

    def pairs(self, n_rows, y=None, task="regression", by=None):
        """-> [(train rows, held-out rows)], sorted indices into the table; ``n`` of each repeat in turn.

        Out of bag it is one pair, its held-out rows None: those that each tree left out.
        ``y`` (n_rows,) is needed where classes are kept in proportion, ``by`` (n_rows,) for group and time.
        """
        if self.method == "oob":
            return [(np.arange(n_rows), None)]
        if self.n > n_rows:
            raise ValueError(f"search.folds.n: got {self.n}, but there are {n_rows} rows")
        method = self.method
        if method == "auto":
            method = "stratified" if task == "classification" else "kfold"
        if method == "stratified" and task != "classification":
            raise ValueError(
                f"search.folds.method=stratified needs classes, but the task is {task}; use kfold"
            )
        found = [
            pair
            for i in range(self.repeats)
            for pair in getattr(replace(self, seed=self.seed + i), f"_{method}")(n_rows, y, by)
        ]
        return [(np.sort(train), np.sort(test)) for train, test in found]

    def _kfold(self, n_rows, y, by):
        from sklearn.model_selection import KFold

        return KFold(self.n, shuffle=True, random_state=self.seed).split(np.zeros(n_rows))

    def _stratified(self, n_rows, y, by):
        from sklearn.model_selection import StratifiedKFold

        name, rows = min(Counter(np.asarray(y).tolist()).items(), key=lambda pair: (pair[1], str(pair[0])))
        if rows < self.n:
            raise ValueError(
                f"search.folds.n: got {self.n}, but class {name!r} has {rows} rows for training; "
                f"set search.folds.n={max(rows, 2)} or search.folds.method=kfold, or drop the class"
            )
        return StratifiedKFold(self.n, shuffle=True, random_state=self.seed).split(np.zeros(n_rows), y)

    def _group(self, n_rows, y, by):
        from sklearn.model_selection import GroupKFold

        groups = np.unique(_known(by, self), return_inverse=True)[1]
        if groups.max() + 1 < self.n:
            raise ValueError(
                f"search.folds.n: got {self.n}, but column {self.by!r} has {groups.max() + 1} values; "
                f"set search.folds.n lower or another search.folds.by"
            )
        shuffled = {"shuffle": True, "random_state": self.seed} if self.repeats > 1 else {}
        return GroupKFold(self.n, **shuffled).split(np.zeros(n_rows), groups=groups)

    def _time(self, n_rows, y, by):
        from sklearn.model_selection import TimeSeriesSplit

        if n_rows <= self.n:
            raise ValueError(
                f"search.folds.n: got {self.n}, time needs more rows than that, there are {n_rows}"
            )
        by = _known(by, self)
        if (moments := len(np.unique(by))) <= self.n:
            raise ValueError(
                f"search.folds.n: got {self.n}, but column {self.by!r} has {moments} values, and there "
                "must be more of them; set search.folds.n lower or another search.folds.by"
            )
        order = np.argsort(by, kind="stable")
        return [(order[train], order[test]) for train, test in TimeSeriesSplit(self.n).split(order)]


def _known(by, folds):
    """Values of the column, which may have no gaps."""
    if by is None:
        raise ValueError(f"search.folds.method={folds.method} needs the values of column {folds.by!r}")
    by = np.asarray(by)
    gaps = np.not_equal(by, by)  # nan and NaT are not equal to themselves
    if by.dtype == object:
        gaps = np.array([value is None or value != value for value in by.tolist()])
    if gaps.any():
        raise ValueError(
            f"search.folds.by: column {folds.by!r} is null in {gaps.sum()} rows, the first is row "
            f"{gaps.argmax()}; fill them or choose another column"
        )
    return by.astype(str) if by.dtype == object else by
