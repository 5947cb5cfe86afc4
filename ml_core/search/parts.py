"""The features of each fold: fitted once for a fold, a features setting and a share of the rows, then shared.

Letters: n rows, f folds.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from ml_core.search.subject import held

MOST = 2**31  # bytes of features kept for the batches to come; the longest unused go first


@dataclass(frozen=True)
class Part:
    """Features of all rows of a fold, or of several; ``folds`` says which rows train; or why there are none.

    Attributes
    ----------
    folds : {number: (train, held-out)}, indices into X; held-out None: out of bag
    X : (rows, p) dense or CSR; y : (rows,) or None
    seconds : that making it took
    """

    folds: dict
    X: object = None
    y: object = None
    seconds: float = 0.0
    error: str | None = None


@dataclass
class Parts:
    """What was made so far; any number of threads may ask.

    ``once``: no unit of ``score_many`` is followed by another on the same features, which are then not kept:
    those of a fold weigh as much as the table.
    """

    most: int = MOST
    once: bool = False
    made: OrderedDict = field(default_factory=OrderedDict)
    locks: dict = field(default_factory=dict)
    learning: dict = field(default_factory=dict)
    door: object = field(default_factory=threading.Lock)

    def get(self, problem, unit):
        """(the Part that holds the unit's folds, seconds that making it took just now)."""
        whole = not self.learns(problem, unit.features)
        key = unit.features, unit.share, None if whole else unit.folds[0]
        with self.door:
            lock = self.locks.setdefault(key, threading.Lock())
        with lock:  # who comes second waits for the first instead of fitting again
            with self.door:
                if key in self.made:
                    self.made.move_to_end(key)
                    return self.made[key], 0.0
            part = _whole(problem, unit) if whole else _fitted(problem, unit)
            if self.once and unit.together:
                return part, part.seconds
            with self.door:
                self.made[key] = part
                self._forget()
            return part, part.seconds

    def learns(self, problem, setting):
        """Whether these features are fitted to rows, so that each fold needs its own."""
        if setting not in self.learning:
            from sklearn.utils import get_tags

            self.learning[setting] = get_tags(features_of(problem, setting)).requires_fit
        return self.learning[setting]

    def keeps(self, part):
        """Whether a Part may be asked for again without being made anew."""
        with self.door:
            return any(part is one for one in self.made.values())

    def _forget(self):
        sizes = {key: weight(part.X) for key, part in self.made.items()}
        while sum(sizes.values()) > self.most and len(sizes) > 1:
            sizes.pop(self.made.popitem(last=False)[0])


def weight(X):
    """Bytes of a matrix, dense or sparse; 0 for none."""
    return 0 if X is None else getattr(getattr(X, "data", X), "nbytes", 0)


def features_of(problem, setting):
    """The transformer of a setting; the only one where there are no settings."""
    return problem.features if setting is None else problem.features[setting]


def some(train, share):
    """A share of the training rows: the same ones whenever the share is the same."""
    if share >= 1:
        return train
    keep = max(2, round(share * len(train)))
    return np.sort(np.random.default_rng(len(train)).permutation(train)[:keep])


def rows_of(X, rows):
    """Rows of a frame, an array or a CSR matrix, copied; None stays None."""
    if X is None:
        return None
    if isinstance(X, np.ndarray) or hasattr(X, "tocsr"):
        return X[rows]  # scikit-learn's own way costs 0.2 ms, four times a fit
    from sklearn.utils import _safe_indexing

    return _safe_indexing(X, rows)


def _whole(problem, unit):
    """One Part for all folds: the features learn nothing from the rows."""
    from sklearn.base import clone

    started = time.perf_counter()
    features = features_of(problem, unit.features)
    folds = {j: (some(train, unit.share), test) for j, (train, test) in enumerate(problem.folds)}
    try:
        with held(features):
            X = clone(features).fit_transform(problem.X)
    except Exception as error:
        return Part(folds, error=words(error))
    return Part(folds, X, problem.y, time.perf_counter() - started)


def _fitted(problem, unit):
    """The Part of one fold: features fitted on its training rows."""
    from sklearn.base import clone

    started, j, y = time.perf_counter(), unit.folds[0], problem.y
    train, test = some(problem.folds[j][0], unit.share), problem.folds[j][1]
    features = features_of(problem, unit.features)
    try:
        with held(features):
            features = clone(features)
            if test is None:  # they are fitted on the rows that are judged, and must not know the target
                first, here = features.fit_transform(rows_of(problem.X, train)), (np.arange(len(train)), None)
                return Part({j: here}, first, rows_of(y, train), time.perf_counter() - started)
            first = features.fit_transform(rows_of(problem.X, train), rows_of(y, train))
            second = features.transform(rows_of(problem.X, test))
    except Exception as error:
        hint = "" if test is not None else " (features are not told the target out of bag)"
        return Part({j: (train, test)}, error=words(error) + hint)
    here = (np.arange(len(train)), np.arange(len(train), len(train) + len(test)))
    both = rows_of(y, np.concatenate([train, test]))
    return Part({j: here}, _stacked(first, second), both, time.perf_counter() - started)


def _stacked(first, second):
    if hasattr(first, "tocsr"):
        from scipy import sparse

        return sparse.vstack([first, second], format="csr")
    return np.concatenate([first, second])


def words(error):
    """The first line of what went wrong."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
