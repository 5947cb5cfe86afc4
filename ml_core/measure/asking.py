"""Asking a fitted pipeline about many changed copies of the same rows at once.

Importance and dependence change one column at a time. A copy is seldom worth making the features again, which
are made of each row alone: where a raw column decides some of them by itself (nearly always), its change only
moves those.

Letters: m rows, d raw columns, p features, k numbers said of a row.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ml_core.measure.predictions import halves
from ml_core.progress import track

CELLS = 8_000_000  # numbers held at once: 64 MB
WORK = 2e9  # numbers made in all: about half a minute
LEAST = 100  # rows kept before the repeats are lowered
ROWS = 100_000  # rows of frames held at once


@dataclass(frozen=True)
class Asked:
    """A pipeline and the rows it is asked about.

    Attributes
    ----------
    X : polars frame (m, d)
    Z : its features (m, p), or None where only whole frames can be asked
    own : raw column -> the columns of Z that it alone decides; None where others have a say
    features, says : frame -> features; features -> (m, k)
    names : what each of the k numbers is; ``truth`` codes refer to them for classes
    """

    X: pl.DataFrame
    Z: np.ndarray | None
    own: dict
    features: object
    says: object
    names: list

    def base(self):
        """What it says of the rows as they are, (m, k)."""
        return self.says(self.features(self.X) if self.Z is None else self.Z)

    def some(self, rows):
        """The same about fewer rows."""
        Z = None if self.Z is None else self.Z[rows]
        return Asked(self.X[rows], Z, self.own, self.features, self.says, self.names)


def affordable(model, X, rows, repeats):
    """rows, repeats, lowered where a wide table would take more than WORK numbers: first rows to LEAST."""
    features, _ = halves(model)
    a_row = len(X.columns) * features(X[:2]).shape[1]
    rows = max(min(rows, LEAST), min(rows, int(WORK / (a_row * repeats))))
    return rows, max(1, min(repeats, int(WORK / (a_row * rows))))


def asked(model, X, task, classes=()):
    """Fitted pipeline, X polars (m, d), task, all classes -> Asked."""
    features, estimator = halves(model)
    Z = features(X)
    dense = isinstance(Z, np.ndarray) and Z.ndim == 2
    own = _own_columns(features, X, Z) if dense and len(X) > 1 else dict.fromkeys(X.columns)
    names, says = _voice(estimator, task, list(classes))
    return Asked(X, Z if dense else None, own, features, says, names)


def _own_columns(features, X, Z):
    """Which features each raw column alone decides, or None, from 2 log2(d) copies instead of d.

    In a copy half of the columns, those with a certain bit in their number, are moved down by one row; in its
    twin the other half is. A feature of one column moves with exactly one of each such pair, exactly as its
    rows do, and which ones spells the column's number. A column that is not constant differs from itself
    moved by one, so no feature that it decides stays still.
    """
    m, d = len(X), len(X.columns)
    bits = max(1, (d - 1).bit_length())
    moved, number = np.roll(np.arange(m), 1), np.arange(d)
    follows, stays = np.empty((2, bits, 2, Z.shape[1]), dtype=bool)
    copies = [(b, side) for b in range(bits) for side in (0, 1)]
    at_once = max(1, min(ROWS, CELLS // max(Z.shape[1], 1)) // m)
    for some in track(_groups(copies, at_once), "features"):
        made = features(pl.concat([_moved(X, (number >> b & 1) == side, moved) for b, side in some]))
        for k, (b, side) in enumerate(some):
            copy = made[k * m : (k + 1) * m]
            follows[b, side], stays[b, side] = _same(copy, Z[moved]).all(axis=0), _same(copy, Z).all(axis=0)
    return _owners(X.columns, follows, ~stays)


def _owners(names, follows, goes):
    """follows, goes (bits, 2, p): did a feature move just as its rows did, did it change at all."""
    own = {name: [] for name in names}
    alone = (goes.sum(axis=1) == 1).all(axis=0) & (follows | ~goes).all(axis=(0, 1))
    spelled = (goes[:, 1] << np.arange(len(goes))[:, None]).sum(axis=0)
    for feature in np.flatnonzero(alone):
        own[names[spelled[feature]]].append(feature)
    number, bits = np.arange(len(names)), np.arange(len(goes))
    for feature in np.flatnonzero(~alone & goes.any(axis=(0, 1))):
        # of every column that could have a say: for each bit, its side was seen to change the feature
        heard = goes[bits[:, None], number >> bits[:, None] & 1, feature].all(axis=0)
        own |= dict.fromkeys([names[j] for j in np.flatnonzero(heard)])
    return {name: None if some is None else np.array(some, dtype=int) for name, some in own.items()}


def _moved(X, which, order):
    names = [name for name, moves in zip(X.columns, which, strict=True) if moves]
    return X.with_columns(X.select(names)[order]) if names else X


def _same(A, B):
    return (A == B) | (np.isnan(A) & np.isnan(B))


def _groups(things, size):
    return [things[start : start + size] for start in range(0, len(things), size)]


def _voice(estimator, task, classes):
    """Names of the k numbers, and the function that gives them."""
    if task == "regression":
        return ["prediction"], lambda Z: np.asarray(estimator.predict(Z), dtype=float).reshape(-1, 1)
    if task == "clustering":
        known = np.unique(
            getattr(estimator, "labels_", np.arange(getattr(estimator, "n_clusters", 2)))
        ).tolist()
        return known, lambda Z: np.equal.outer(np.asarray(estimator.predict(Z)), known).astype(float)
    learned = np.asarray(getattr(estimator, "classes_", classes)).tolist()
    names = classes + sorted(set(learned) - set(classes), key=str)
    place = [names.index(label) for label in learned]

    def says(Z):
        score = _scores(estimator, Z, learned)
        spread = np.zeros((len(score), len(names)))
        spread[:, place] = score
        return spread

    return names, says


def _scores(estimator, Z, learned):
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(Z), dtype=float)
    if hasattr(estimator, "decision_function"):
        score = np.asarray(estimator.decision_function(Z), dtype=float)
        if score.ndim == 1:
            return np.column_stack([-score, score])
        if score.shape[1] == len(learned):
            return score
    said = np.asarray(estimator.predict(Z)).tolist()
    return np.array([[float(label == known) for known in learned] for label in said])


def permuted(asked, columns, orders):
    """Yield (column, r, said (m, k)) with ``column`` in the order orders[r] (m,), many columns a call."""
    jobs = [(name, r) for name in columns for r in range(len(orders))]
    alone = [job for job in jobs if asked.Z is not None and asked.own[job[0]] is not None]
    m = len(asked.X)
    for some in track(_groups(alone, _at_once(asked)), "shuffles"):
        Z = np.tile(asked.Z, (len(some), 1))
        for k, (name, r) in enumerate(some):
            own = asked.own[name]
            Z[k * m : (k + 1) * m, own] = asked.Z[np.ix_(orders[r], own)]
        yield from _cut(asked.says(Z), some, m)
    together = [job for job in jobs if job not in set(alone)]
    for some in _groups(together, max(1, ROWS // m)):
        frames = [asked.X.with_columns(asked.X[name].gather(orders[r])) for name, r in some]
        yield from _cut(asked.says(asked.features(pl.concat(frames))), some, m)


def replaced(asked, grids):
    """{column: Series} -> yield (column, i, said (m, k)) with the column at its i-th value in all rows."""
    jobs = [(name, i) for name, values in grids.items() for i in range(len(values))]
    alone = [job for job in jobs if asked.Z is not None and asked.own[job[0]] is not None]
    m = len(asked.X)
    if alone:
        # the other columns do not matter here, so one row a value shows what the features become
        first = asked.X[:1]
        frames = [_with(first, grids[name][i : i + 1]) for name, i in alone]
        become = asked.features(pl.concat(frames))
    for some in _groups(list(enumerate(alone)), _at_once(asked)):
        Z = np.tile(asked.Z, (len(some), 1))
        for k, (place, (name, _)) in enumerate(some):
            own = asked.own[name]
            Z[k * m : (k + 1) * m, own] = become[place, own]
        yield from _cut(asked.says(Z), [job for _, job in some], m)
    together = [job for job in jobs if job not in set(alone)]
    for some in _groups(together, max(1, ROWS // m)):
        frames = [_with(asked.X, grids[name][i : i + 1]) for name, i in some]
        yield from _cut(asked.says(asked.features(pl.concat(frames))), some, m)


def _with(frame, value):
    return frame.with_columns(value.gather(np.zeros(len(frame), dtype=int)))


def _at_once(asked):
    return max(1, CELLS // max(1, asked.Z.size)) if asked.Z is not None else 1


def _cut(said, jobs, m):
    for k, (name, at) in enumerate(jobs):
        yield name, at, said[k * m : (k + 1) * m]
