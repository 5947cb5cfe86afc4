"""How boosting is fitted and asked: which kernels, the rounds, when to stop.

Letters: n rows, d columns, q columns of raw.
"""

import threading
from dataclasses import dataclass, field

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import plain_sorted
from ml_core.kernels.trees import empty, join, part
from ml_core.models import binning
from ml_core.models.boosting_loss import Loss
from ml_core.models.boosting_rounds import Rounds
from ml_core.models.boosting_rules import groups_of, monotone_of, most_leaves
from ml_core.models.boosting_table import Table
from ml_core.models.boosting_watch import Rule, Watch, split_off, stops
from ml_core.models.engine import kernels_for, threads_for
from ml_core.models.ensemble import FEW, Ensemble
from ml_core.models.names import categorical_mask, read

# seconds NumPy takes, on one core: for a node, and one of a small tree; for a bin of a node's column; for a
# value of one row
NODE, SMALL, BIN, CELL = 2e-4, 5e-5, 2e-8, 3e-8
NODES = 1 << 14  # of trees, made into flat arrays at once


@dataclass
class Problem:
    """X (n, d), y (n,) float64, weights (n,) or empty, the loss; given: rows to stop by as (X, y,
    weights).
    """

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    loss: Loss
    given: tuple | None = None

    def weighing(self):
        """The problem without rows of no weight: they must not count in min_samples_leaf either."""
        if not len(self.weights) or self.weights.all():
            return self
        keep = self.weights > 0
        return Problem(self.X[keep], self.y[keep], self.weights[keep], self.loss, self.given)

    def targets(self, rows):
        """(y, weights) of some rows; of all for None."""
        if rows is None:
            return self.y, self.weights
        return self.y[rows], self.weights[rows] if len(self.weights) else self.weights


@dataclass
class Shared:
    """What fits on the same rows share: bins and codes by how they are made; and the threads each may use."""

    made: dict = field(default_factory=dict)
    threads: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


def encoded(model, problem, train, kernels, shared):
    """Bins by the model's parameters, learned from the rows ``train`` (all for None), all rows' codes, and
    the Table of ``train``; made once for all fits that share.
    """
    categorical, rng = categorical_mask(model), np.random.default_rng(model._seeds[2])
    rows = np.arange(len(problem.X)) if train is None else train
    drawn = len(rows) > binning.SAMPLE
    split = None if train is None else (model._seeds[0], model.validation_fraction)
    key = (int(model.max_bins), categorical.tobytes(), split, model._seeds[2] if drawn else None)
    with shared.lock:  # the others wait for what they need too
        if key not in shared.made:
            if drawn:
                rows = np.sort(rng.choice(rows, binning.SAMPLE, replace=False))
            weights = problem.weights[rows] if len(problem.weights) else None
            whole = len(rows) == len(problem.X) and isinstance(problem.X, np.ndarray)
            X = problem.X if whole else problem.X[rows]
            bins = binning.Bins.learn(X, weights, int(model.max_bins), categorical, rng)
            codes = bins.codes(problem.X, kernels)
            table = Table.of(codes if train is None else codes[train], bins, kernels)
            shared.made[key] = bins, codes, table
        return shared.made[key]


def seconds(model, n, d, q):
    """What NumPy takes about for a fit."""
    leaves = most_leaves(model, n)
    small = model.max_leaf_nodes and n <= plain_sorted.MOST  # no histograms then, most often
    node = SMALL if small else NODE + d * model.max_bins * BIN
    cells = n * d * (1 + np.log2(leaves)) / 2
    return model.max_iter * q * (cells * CELL + leaves * node)


def fit(model, problem, shared=None, rules=None):
    """Fit, and set what a fitted model has; early, it stops when all ``rules`` (its own for None) are met."""
    shared, train, test = shared or Shared(), None, None
    going_on = model.warm_start and hasattr(model, "_ensemble")
    if not going_on:
        rng = check_random_state(model.random_state)
        # of the validation rows, of the trees, of the sample that edges are found from
        model._seeds = [int(seed) for seed in rng.randint(2**31 - 1, size=3)]
    problem.loss.check(problem.y)
    if problem.given is not None:
        problem.loss.check(problem.given[1], "y_val")
    model.do_early_stopping_ = bool(stops(model, len(problem.y), problem.given is not None))
    problem = problem.weighing()
    if model.do_early_stopping_ and problem.given is None:
        train, test = split_off(model, problem.y)
    threads = shared.threads or threads_for(problem.X.size)
    with kernels_for(seconds(model, *problem.X.shape, problem.loss.q), threads, "grow.grow") as engine:
        if going_on:
            bins = model._ensemble.bins
            codes = bins.codes(problem.X, engine[0])
            table = Table.of(codes if train is None else codes[train], bins, engine[0])
        else:
            bins, codes, table = encoded(model, problem, train, engine[0], shared)
            begin(model, bins, problem.loss, problem.targets(train))
        limits = bins, monotone_of(model, bins.categorical), groups_of(model, len(bins.edges)), problem.loss
        rounds = Rounds(model, (table, *problem.targets(train)), limits, engine)
        run(model, rounds, watch_of(model, problem, (codes, test), engine[0], rules))
    return model


def begin(model, bins, loss, targets):
    """No trees yet, only a constant."""
    model._ensemble = Ensemble(bins, empty(), loss.q)
    model._gain, model._rows, model._scores = np.empty(0), np.empty(0, np.int64), []
    model._start = loss.start(*targets)
    model.is_categorical_ = bins.categorical if bins.categorical.any() else None


def watch_of(model, problem, coded, kernels, rules):
    """The Watch of a fit, None where it does not stop early; coded: (codes of all rows, those held out)."""
    (codes, test), bins = coded, model._ensemble.bins
    if not model.do_early_stopping_:
        return None
    if problem.given is not None:
        rows, codes = problem.given, bins.codes(problem.given[0], kernels)
    elif test is None:
        rows, codes = (problem.X, problem.y, problem.weights), None
    else:
        X = None if model.scoring in ("loss", None) else problem.X[test]
        rows, codes = (X, *problem.targets(test)), codes[test]
    return Watch(model, problem.loss, rows, codes, list(model._scores), rules or [Rule.of(model)])


def run(model, rounds, watch):
    """Add rounds up to max_iter, or until the watch says stop."""
    q, kernels, old = rounds.loss.q, rounds.kernels, model._ensemble
    done, grown, flat, size = len(old.trees.output) // q, [], [], 0
    if model.max_iter < done:
        raise ValueError(f"max_iter={model.max_iter} must be >= the {done} rounds a warm start goes on from")
    rounds.raw[:] = model._start
    old.add_coded(rounds.codes, rounds.raw, kernels)
    seen = rounds.raw
    if watch and watch.codes is not None:
        seen = np.tile(model._start, (len(watch.codes), 1))
        old.add_coded(watch.codes, seen, kernels)
    if watch and not watch.scores:
        watch.tell(seen)
    for number in range(done, model.max_iter):
        new = rounds.step(number)
        grown += new
        size += sum(len(one.nodes) for one in new)
        if watch and watch.codes is not None:
            Ensemble(old.bins, rounds.trees(new)[0], q).add_coded(watch.codes, seen, kernels)
        stop = watch and watch.tell(seen)
        if stop or number == model.max_iter - 1 or size >= NODES:
            flat.append(rounds.trees(grown))
            grown, size = [], 0
        if stop:
            break
    trees = join([old.trees, *(own for own, _, _ in flat)])
    model._ensemble = Ensemble(old.bins, trees, q)
    model._gain = np.concatenate([model._gain, *(gain for _, gain, _ in flat)])
    model._rows = np.concatenate([model._rows, *(rows for _, _, rows in flat)])
    model._scores = watch.scores if watch else []
    held = watch is not None and watch.codes is not None
    model.validation_score_ = np.array(model._scores if held else [])
    model.train_score_ = np.array([] if held else model._scores)
    model.n_iter_, model.n_trees_per_iteration_ = len(trees.output) // q, q


def ready(model, X):
    """Whether X is a few rows of a plain array that needs no conversion: a service asks so, and checking them
    the long way costs far more than walking the trees.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float64, np.float32)
        and X.ndim == 2
        and 0 < len(X) <= FEW
        and X.shape[1] == model.n_features_in_
        and "feature_names_in_" not in model.__dict__
        and not np.isinf(X).any()
    )


def raw_of(model, X):
    """Raw predictions (n, q) of X, checked."""
    if "_raw" in model.__dict__:
        return model._raw
    if "_ensemble" not in model.__dict__:
        check_is_fitted(model)  # says so
    if not ready(model, X):
        X = read(model, X, reset=False)
    raw = np.empty((len(X), len(model._start)))
    raw[:] = model._start
    model._ensemble.add(X, raw)
    return raw


def raw_after(model, X, numbers):
    """Yield (number, raw predictions (n, q) after so many rounds), one array that changes; numbers rise."""
    check_is_fitted(model)
    X, ensemble, q, done = read(model, X, reset=False), model._ensemble, len(model._start), 0
    raw = np.tile(model._start, (len(X), 1))
    with ensemble.kernels(len(X)) as (kernels, _):
        codes = ensemble.bins.codes(X, kernels)
        for number in numbers:
            own = part(ensemble.trees, done * q, number * q)
            Ensemble(ensemble.bins, own, q).add_coded(codes, raw, kernels)
            done = number
            yield number, raw


def stages(model, X):
    """Raw predictions (n, q) after each round, one array that changes."""
    check_is_fitted(model)
    return (raw for _, raw in raw_after(model, X, range(1, model.n_iter_ + 1)))
