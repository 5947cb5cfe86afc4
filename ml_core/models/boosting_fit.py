"""How boosting is fitted and asked: which kernels, the rounds, when to stop.

Letters: n rows, d columns, q columns of raw.
"""

import copy
import sys
from contextlib import contextmanager
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from ml_core.models import binning
from ml_core.models.boosting_checks import check, check_stopping, groups_of, monotone_of
from ml_core.models.boosting_rounds import Rounds, Trees
from ml_core.models.boosting_state import forest_of

PATIENCE = 3.0  # seconds NumPy may take before starting the compiler (its import, and its cache or 30 s) pays
NODE, CELL = (
    5e-4,
    3e-8,
)  # seconds NumPy takes for a node, and for one value of one row a level, measured on one core


@contextmanager
def kernels_for(n_values, n_nodes):
    """The kernels to use for so many values of rows and so many nodes, and with how many threads: (module,
    threads).

    Both kinds give the same bits. Once the compiled ones are loaded they are used always.
    """
    loaded = "ml_core.kernels.compiled" in sys.modules
    if not loaded and n_nodes * NODE + n_values * CELL < PATIENCE:
        from ml_core.kernels import plain

        yield plain, 1
        return
    from ml_core.kernels import compiled

    with compiled.threads() as threads:
        yield compiled, threads


def weights_of(sample_weight, n):
    """Checked weights (n,), or an empty array where there are none."""
    if sample_weight is None:
        return np.empty(0)
    weights = np.asarray(sample_weight, np.float64)
    if weights.ndim == 0:
        weights = np.full(n, float(weights))
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape}, but must have shape ({n},)")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"sample_weight must be finite and >= 0, got a minimum of {weights.min():g}")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row: at least one must be > 0")
    return weights


def weighing(data):
    """data (X, y, weights) without rows of no weight: they must not count in min_samples_leaf either."""
    X, y, weights = data
    if not len(weights) or weights.all():
        return data
    keep = weights > 0
    return X[keep], y[keep], weights[keep]


def split_off(model, data, seed):
    """data (X, y, weights) -> the same without the validation rows, and those; None where training rows are
    scored.
    """
    from sklearn.model_selection import train_test_split

    X, y, weights = data
    if model.validation_fraction is None:
        return data, None
    share = model.validation_fraction
    stratify = y if hasattr(model, "classes_") else None
    share = int(share) if isinstance(share, Integral) else float(share)
    rows = np.arange(len(y))
    train, test = train_test_split(rows, test_size=share, stratify=stratify, random_state=seed)
    parts = [(X[some], y[some], weights[some] if len(weights) else weights) for some in (train, test)]
    return parts[0], parts[1]


def stops(model, n, given):
    """Whether this fit watches its score."""
    if model.early_stopping == "auto":
        return given or n > 10_000
    return bool(model.early_stopping)


class Watch:
    """Scores of the rounds, and whether they have stopped rising."""

    def __init__(self, model, loss, data, scores):
        """data: (X, y, weights) to score on; scores so far."""
        self.model, self.loss, self.data, self.scores = model, loss, data, list(scores)

    def tell(self, raw):
        """Score raw (n, q) -> whether to stop."""
        X, y, weights = self.data
        if self.model.scoring in ("loss", None):
            self.scores.append(-self.loss.value(y, raw, weights))
        else:
            from sklearn.metrics import check_scoring

            seen = copy.copy(self.model)
            seen.__dict__["_raw"] = raw
            y = self.model.classes_[y.astype(int)] if hasattr(self.model, "classes_") else y
            extra = {"sample_weight": weights} if len(weights) else {}
            self.scores.append(check_scoring(seen, self.model.scoring)(seen, X, y, **extra))
        span = self.model.n_iter_no_change + 1
        if len(self.scores) < span:
            return False
        bar = self.scores[-span] + self.model.tol
        return not any(score > bar for score in self.scores[-span + 1 :])


def learn_bins(model, X, weights, memo):
    """Bins of X by the model's parameters, from the memo of a grid if it has them -> key in the memo."""
    categorical = binning.categorical_mask(model)
    seed = model._seeds[2] if len(X) > binning.SAMPLE else None
    key = (int(model.max_bins), categorical.tobytes(), seed)
    if key not in memo:
        rng, weights = np.random.default_rng(model._seeds[2]), weights if len(weights) else None
        memo[key] = [binning.Bins.learn(X, weights, int(model.max_bins), categorical, rng), None]
    return key


def size(model, n, d, q):
    """(values a fit looks at, nodes it makes), about."""
    leaves = min(
        model.max_leaf_nodes or n, 2 ** min(model.max_depth or 60, 60), max(1, n // model.min_samples_leaf)
    )
    rounds = model.max_iter * q
    return n * d * rounds * (1 + np.log2(max(leaves, 1))) / 2, rounds * leaves * 2


def fit(model, data, loss, given=None, memo=None):
    """Fit on data (X, y, weights), watching the score of ``given`` rows if any; sets what a fitted model has.

    memo: a dict in which fits on the same X find each other's bins and codes.
    """
    check(model)
    check_stopping(model)
    going_on, memo = model.warm_start and hasattr(model, "_trees"), {} if memo is None else memo
    if not going_on:
        rng = check_random_state(model.random_state)
        model._seeds = [
            int(seed) for seed in rng.randint(2**31 - 1, size=3)
        ]  # validation, trees, edges' sample
    watching = stops(model, len(data[1]), given is not None)
    data = weighing(data)
    if watching and given is None:
        data, given = split_off(model, data, model._seeds[0])
    X, y, weights = data
    loss.check(y)
    with kernels_for(*size(model, *X.shape, loss.q)) as (kernels, threads):
        if going_on:
            codes = model._bins.encode(X, kernels)
        else:
            kept = memo[learn_bins(model, X, weights, memo)]
            if kept[1] is None:
                kept[1] = kept[0].encode(X, kernels)
            model._bins, codes = kept
            model._trees, model._scores, model._start = Trees(), [], loss.start(y, weights)
        categorical = model._bins.categorical
        limits = (model._bins, monotone_of(model, categorical), groups_of(model, len(categorical)), loss)
        rounds = Rounds(model, (*codes, y, weights), limits, kernels, threads)
        run(model, rounds, Watch(model, loss, given or data, model._scores) if watching else None, given)
    model._forest = model._trees.forest(loss.q)
    model.n_iter_ = len(model._trees.grown) // loss.q
    return model


def run(model, rounds, watch, given):
    """Add rounds up to max_iter, or until the watch says stop."""
    trees, q, kernels = model._trees, rounds.loss.q, rounds.kernels
    done = len(trees.grown) // q
    if model.max_iter < done:
        raise ValueError(f"max_iter={model.max_iter} must be >= the {done} rounds a warm start goes on from")
    rounds.raw[:] = model._start
    seen = rounds.raw
    if watch and given is not None:
        codes = model._bins.encode(given[0], kernels)[0]
        seen = np.tile(model._start, (len(codes), 1))
    if done:
        kernels.add_values(trees.forest(q), rounds.codes, rounds.raw)
        if seen is not rounds.raw:
            kernels.add_values(trees.forest(q), codes, seen)
    if watch and not watch.scores:
        watch.tell(seen)
    for number in range(done, model.max_iter):
        trees.grown += rounds.step(number)
        if watch:
            if seen is not rounds.raw:
                kernels.add_values(trees.forest(q, number * q), codes, seen)
            if watch.tell(seen):
                break
    model._scores = watch.scores if watch else []


def raw_of(model, X):
    """Raw predictions (n, q) of X, checked."""
    if "_raw" in model.__dict__:
        return model._raw
    X, forest = binning.read(model, X, reset=False), forest_of(model)
    raw = np.tile(model._start, (len(X), 1))
    with kernels_for(X.size + len(X) * len(model._trees.grown) * 20, 0) as (kernels, _):
        kernels.add_values(forest, model._bins.encode(X, kernels)[0], raw)
    return raw


def stages(model, X):
    """Raw predictions (n, q) after each round, one array that changes."""
    X, _ = binning.read(model, X, reset=False), forest_of(model)
    raw, q = np.tile(model._start, (len(X), 1)), len(model._start)
    with kernels_for(X.size + len(X) * len(model._trees.grown) * 20, 0) as (kernels, _):
        codes = model._bins.encode(X, kernels)[0]
    for number in range(model.n_iter_):
        with kernels_for(codes.size, 0) as (kernels, _):
            kernels.add_values(model._trees.forest(q, number * q, number * q + q), codes, raw)
        yield raw
