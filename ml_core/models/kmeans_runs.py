"""Fitting k-means: where runs start, and which of them is kept.

Letters: X (n, d), k centers.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ml_core.kernels import lloyd, seeding, workers
from ml_core.kernels.extent import extent

HUGE = 1e150  # squares of larger differences overflow
CONSTRAINTS = {
    "n_clusters": [Interval(Integral, 1, None, closed="left")],
    "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
    "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}


def starts_of(model, default=10):
    """How many starts a model asks for; ``default`` where they are random or made by a function."""
    given = not isinstance(model.init, str) and not callable(model.init)
    if given and model.n_init not in ("auto", 1):
        warnings.warn(
            "Explicit initial center position passed: performing only one init in "
            f"{type(model).__name__} instead of n_init={model.n_init}.",
            RuntimeWarning,
            stacklevel=4,
        )
    if given:
        return 1
    if model.n_init != "auto":
        return model.n_init
    if not _plus_plus(model):
        return default
    return 5 if trim_of(model) > 0 else 1


def trim_of(model):
    """Share of the rows that a model leaves out."""
    return getattr(model, "trim", 0.0)


def _plus_plus(model):
    return isinstance(model.init, str) and model.init == "k-means++"


def checked_extent(models, X):
    """Extent of X; refuses rows that no run could start from."""
    for model in models:
        if X.shape[0] < model.n_clusters:
            raise ValueError(f"n_samples={X.shape[0]} should be >= n_clusters={model.n_clusters}.")
    found = extent(X, workers.count())
    if not found.reach <= HUGE:
        most = float(abs(X).max())
        raise ValueError(f"X holds values as large as {most:g}, whose squares overflow: scale the columns")
    return found


def fit_together(models, X, weight, chains=None):
    """Fit several unfitted models on the same rows (n, d), weight (n,) or None; each as if alone.

    ``chains``, a dict, holds first centers from one call on these rows to the next. Passes give the same bits
    on either holder, so that those of all models decide which is worth it; seeds do not, so that a model's
    own work decides.
    """
    found = checked_extent(models, X)
    weight = np.ones(X.shape[0]) if weight is None else weight
    counts = [starts_of(model) for model in models]
    works = [X.shape[0] * model.n_clusters * count for model, count in zip(models, counts, strict=True)]
    large, passes = [work > lloyd.LARGE for work in works], sum(works) > lloyd.LARGE
    holders = {size: lloyd.hold(X, weight, found, size, workers.count()) for size in {*large, passes}}
    starts, chains = [None] * len(models), {} if chains is None else chains
    for size in sorted(set(large)):
        some = [i for i in range(len(models)) if large[i] == size]
        made = _starts(
            [models[i] for i in some], [counts[i] for i in some], holders[size], chains.setdefault(size, {})
        )
        for i, centers in zip(some, made, strict=True):
            starts[i] = centers
    _run(models, starts, holders[passes], found.variance.mean())


def _run(models, starts, rows, spread):
    """Run all starts together, equal ones once; keep the best of each model."""
    runs, known = [], {}
    for model, own in zip(models, starts, strict=True):
        limits = model.max_iter, float(model.tol * spread), trim_of(model)
        keys = [(start.tobytes(), len(start), *limits) for start in own]
        for key, start in zip(keys, own, strict=True):
            known.setdefault(key, lloyd.Run(start.astype(np.float64), *limits))
        runs.append([known[key] for key in keys])
    lloyd.lloyd(rows, list(known.values()))
    for model, made in zip(models, runs, strict=True):
        kept = [_inertia(rows, run) for run in made]
        best = int(np.argmin([inertia for inertia, _ in kept]))
        _tell(model, made[best], rows.X.dtype, kept[best])


def _inertia(rows, run):
    """Weighted sum of squared distances of the rows that count, and the mask of those that do not."""
    if run.trim == 0:
        return float(run.far @ rows.weight), np.zeros(len(run.far), bool)
    out = lloyd.farthest(run.far, rows.weight, run.trim)
    return float(run.far[~out] @ rows.weight[~out]), out


def _tell(model, run, dtype, kept):
    """Write what a run has learned into its model."""
    model.cluster_centers_ = run.centers.astype(dtype)
    model.labels_ = run.label
    model.inertia_, outliers = kept
    model.n_iter_ = run.n_iter
    if hasattr(model, "trim"):
        model.outliers_ = outliers
        model.offset_ = -float(np.sqrt(run.far[~outliers].max()))
    distinct = len(np.unique(run.label))
    if distinct < len(run.centers):
        warnings.warn(
            f"Number of distinct clusters ({distinct}) found smaller than n_clusters ({len(run.centers)}). "
            "Possibly due to duplicate points in X: lower n_clusters.",
            ConvergenceWarning,
            stacklevel=5,
        )


def _starts(models, counts, rows, chains):
    """First centers (k, d) of every start of every model; ``chains`` of seeds are shared by equal seeds."""
    seeds = [
        check_random_state(model.random_state).randint(np.iinfo(np.int32).max, size=count).tolist()
        for model, count in zip(models, counts, strict=True)
    ]
    _lengthen(chains, models, seeds, rows)
    return [_start(model, own, chains, rows) for model, own in zip(models, seeds, strict=True)]


def _start(model, seeds, chains, rows):
    """First centers of every start of a model."""
    X, k = rows.X, model.n_clusters
    if _plus_plus(model):
        return [rows.dense(chains[trim_of(model), seed][:k]) for seed in seeds]
    if callable(model.init):
        return [_given(model.init(X, k, random_state=np.random.RandomState(seed)), k, X) for seed in seeds]
    if not isinstance(model.init, str):
        return [_given(model.init, k, X)]
    positive = np.count_nonzero(rows.weight)
    if positive < k:
        raise ValueError(f"only {positive} rows weigh more than 0, too few for n_clusters={k}")
    share = rows.weight / rows.weight.sum()
    rngs = [np.random.default_rng(seed) for seed in seeds]
    return [rows.dense(rng.choice(X.shape[0], k, replace=False, p=share)) for rng in rngs]


def first_centers(model, X, weight, seed):
    """One start (k, d) of a model without ``trim``, in NumPy alone."""
    rows = lloyd.hold(X, weight, checked_extent([model], X), False, 1)
    chain = {}
    if _plus_plus(model):
        chain = {(0.0, seed): seeding.chains(rows, model.n_clusters, [np.random.default_rng(seed)])[0]}
    return _start(model, [seed], chain, rows)[0]


def _lengthen(chains, models, seeds, rows):
    """See that chains {(trim, seed): indices (k,)} holds all that the models start from."""
    longest = {}
    for model, own in zip(models, seeds, strict=True):
        for seed in own if _plus_plus(model) else []:
            key = trim_of(model), seed
            if model.n_clusters > max(longest.get(key, 0), len(chains.get(key, ()))):
                longest[key] = model.n_clusters
    for trim in sorted({trim for trim, _ in longest}):
        keys = [key for key in longest if key[0] == trim]
        rngs = [np.random.default_rng(seed) for _, seed in keys]
        made = seeding.chains(rows, max(longest[key] for key in keys), rngs, trim)
        chains.update(zip(keys, made, strict=True))


def _given(centers, k, X):
    """Centers from outside, checked."""
    centers = check_array(centers, dtype=X.dtype, copy=True, order="C")
    if centers.shape != (k, X.shape[1]):
        raise ValueError(
            f"The shape of the initial centers {centers.shape} does not match the number of clusters {k} "
            f"and of columns {X.shape[1]}"
        )
    return centers
