"""Fit trees and forests: rows to bins and whole numbers, trees grown, what is learned put on the model.

Letters: n rows, d columns, t trees, q classes.
"""

import warnings
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ml_core.kernels import workers
from ml_core.kernels.trees import join
from ml_core.models import forest_fit, forest_job, tree_prune
from ml_core.models.binning import Bins
from ml_core.models.engine import kernels_for
from ml_core.models.ensemble import Ensemble
from ml_core.models.forest_fit import Draw, Ground
from ml_core.models.forest_job import Target
from ml_core.models.forest_methods import limits_of, monotone_of, read, refuse_criterion
from ml_core.models.labels import encoded
from ml_core.models.weights import row_weights, times, weights_of_classes

SECONDS = 4e-7  # NumPy takes for a row, a column looked at and a level of a tree


def read_classes(model, X, y, sample_weight, known):
    """Checked X (n, d), y as codes (n,), weights (n,) or None; sets classes_ and n_classes_."""
    refuse_criterion(model, known)
    going_on = getattr(model, "warm_start", False) and hasattr(model, "_ensemble")
    X, y = read(model, X, y, reset=not going_on)
    y = column_or_1d(y, warn=True)
    classes, codes = encoded(y)
    if going_on and not np.array_equal(classes, model.classes_):
        raise ValueError(
            f"warm_start: y has the classes {classes}, but the trees there are know {model.classes_}"
        )
    if len(classes) < 2 and len(y) == 0:
        raise ValueError("y is empty")
    model.classes_, model.n_classes_, model.n_outputs_ = classes, len(classes), 1
    return X, np.asarray(codes, np.int64), row_weights(sample_weight, X)


def read_values(model, X, y, sample_weight, known):
    """Checked X (n, d), y (n,) float64, weights (n,) or None."""
    refuse_criterion(model, known)
    going_on = getattr(model, "warm_start", False) and hasattr(model, "_ensemble")
    X, y = read(model, X, y, reset=not going_on)
    y = column_or_1d(y, warn=True).astype(np.float64)
    if not np.isfinite(y).all():
        raise ValueError("y must hold finite numbers, it holds nan or infinity")
    if model.criterion == "poisson" and ((y < 0).any() or y.sum() <= 0):
        raise ValueError(
            "criterion='poisson' needs y >= 0 with a sum > 0; take 'squared_error' for other numbers"
        )
    model.n_outputs_ = 1
    return X, y, row_weights(sample_weight, X)


def by_class(model, codes, weight):
    """Row weights (n,), or None, times the weight of the row's class, codes (n,)."""
    given = model.class_weight
    if given is None or given == "balanced_subsample":
        return weight
    return times(weight, weights_of_classes(given, model.classes_, model.classes_[codes])[codes])


def draws_of(model, n, weight):
    """Rows a bootstrapped tree draws."""
    total = n if weight is None else weight.sum()
    if model.max_samples is None:
        return n
    if isinstance(model.max_samples, Integral):
        if model.max_samples > n:
            raise ValueError(f"max_samples must be in 1..{n}, the number of rows, got {model.max_samples}")
        return int(model.max_samples)
    return max(1, round(total * model.max_samples))


def bins_of(model, X, weight, seed):
    """Bins of the columns, as they were where trees are added to those there are."""
    if getattr(model, "warm_start", False) and hasattr(model, "_ensemble"):
        return model._ensemble.bins
    rng = np.random.default_rng(int(seed))
    return Bins.learn(X, weight, model.max_bins, np.zeros(X.shape[1], bool), rng)


def ground_of(model, data, draw, q, random):
    """The ``Ground`` of a fit, and the codes (n, d); data: (X, y, bins, kernels)."""
    X, y, bins, kernels = data
    n, d = X.shape
    codes = bins.codes(X, kernels)
    columns = np.empty((d, n), np.uint8)
    kernels.turn(codes, columns)
    if q:
        target = Target(y, max(q, 2))
    else:
        target = Target.of_values(y, draw.weight, model.criterion, draw.count if draw.counted else None)
    monotone = monotone_of(model, d, q)
    limits = limits_of(model, n, d, random)
    return Ground(columns, bins.counts.astype(np.uint8), monotone, target, limits, draw), codes


def growth(kernels):
    """The function that grows a tree beside these kernels; None for NumPy."""
    if kernels.__name__.endswith("plain"):
        return None
    from ml_core.kernels.forest_grow import grow

    return grow


def seconds(model, n, d, random):
    """What NumPy takes about to grow the trees; inf where it cannot."""
    limits = limits_of(model, n, d, random)
    if (
        model.criterion not in ("gini", "squared_error")
        or model.max_leaf_nodes
        or model.monotonic_cst is not None
    ):
        return np.inf
    levels = min(limits.depth or np.inf, 2 * np.log2(max(2, n / limits.leaf)))
    return SECONDS * n * limits.columns * levels * getattr(model, "n_estimators", 1)


def learn(model, data, draw, seeds, random):
    """Grow a tree a seed; sets _ensemble and _facts. data: (X, y); -> (codes (n, d) for oob_score, ground).

    The rows are seen as codes only from here on.
    """
    X, y = data
    q = getattr(model, "n_classes_", 0)
    first = int(np.random.default_rng(int(seeds[0]) if len(seeds) else 0).integers(2**62))
    with kernels_for(seconds(model, *X.shape, random), kernel="forest_grow.grow") as (kernels, _):
        bins = bins_of(model, X, draw.weight, first)
        ground, codes = ground_of(model, (X, y, bins, kernels), draw, q, random)
        codes = codes if getattr(model, "oob_score", False) else None
        threads, guides = workers.count(getattr(model, "n_jobs", None)), model.__dict__.pop("_guides", ())
        grown = forest_fit.grow_all(ground, seeds, threads, growth(kernels), guides)
    if model.__dict__.pop("_keep_grown", False):
        model._grown = (grown, ground)
    if model.ccp_alpha > 0:
        grown = [prune(one, ground, model.ccp_alpha) for one in grown]
    trees, facts = forest_fit.trees_of(grown, ground, bins)
    if q == 1:  # one class: a column of its own, of ones
        trees = trees._replace(value=np.ones((len(trees.value), 1)))
    if not hasattr(model, "n_estimators"):
        facts["impurity"] = forest_job.impurity(grown[0], ground.target, model.criterion)
    if getattr(model, "voting", "soft") == "hard":
        trees = trees._replace(value=np.eye(trees.value.shape[1])[trees.value.argmax(axis=1)])
    if getattr(model, "warm_start", False) and hasattr(model, "_ensemble"):
        trees = join([model._ensemble.trees, trees], trees.value.shape[1])
        facts = {name: np.concatenate([model._facts[name], own]) for name, own in facts.items()}
    model._ensemble, model._facts = Ensemble(bins, trees, trees.value.shape[1]), facts
    return codes, ground


def prune(grown, ground, alpha):
    """A tree pruned by cost-complexity."""
    _, weight, gain = forest_job.described(grown, ground.target, ground.limits.criterion)
    return tree_prune.pruned(grown, gain / weight[0], alpha)


def learn_forest(model, data, random):
    """Grow a forest's trees, or those that a larger n_estimators asks for; sets oob_score_ on request.

    data: (X (n, d), codes or values (n,), weights (n,) or None).
    """
    from ml_core.models.forest_methods import seeds_of
    from ml_core.models.forest_oob import set_oob

    X, y, weight = data
    done = 0
    if model.warm_start and hasattr(model, "_ensemble"):
        done = len(model._ensemble.trees.output)
        if model.n_estimators < done:
            raise ValueError(
                f"warm_start: n_estimators={model.n_estimators} is less than the {done} trees there are"
            )
        if model.n_estimators == done:
            warnings.warn("warm_start without a larger n_estimators grows no trees", stacklevel=3)
            return model
    if model.oob_score and not model.bootstrap:
        raise ValueError("oob_score needs bootstrap=True: without, every tree sees every row")
    if model.max_samples is not None and not model.bootstrap:
        raise ValueError("max_samples needs bootstrap=True; without, every tree takes all rows")
    balance = getattr(model, "class_weight", None) == "balanced_subsample"
    kept = model.__dict__.pop("_drawn", None)
    draw = Draw(len(X), weight, model.bootstrap, draws_of(model, len(X), weight), balance, kept)
    seeds = seeds_of(model.random_state, model.n_estimators, done)
    # what is no number draws others the next time: who asks what a tree drew must be told these
    model._seeds = np.concatenate([model._seeds[:done], seeds]) if done else seeds
    codes, ground = learn(model, (X, y), draw, seeds, random)
    model.max_features_ = ground.limits.columns
    if model.oob_score:
        set_oob(model, codes, y, draw, model._seeds)
    return model


def path_of(model):
    """Alphas and impurities of a fitted tree's pruning path; see ``cost_complexity_pruning_path``."""
    check_is_fitted(model, "_ensemble")
    trees, facts = model._ensemble.trees, model._facts
    m = len(trees.left)
    left = np.where(trees.left == np.arange(m), -1, trees.left)
    _, alphas, lost = tree_prune.weakest_links(left, facts["gain"] / facts["weight"][0])
    leaf = left < 0
    whole = float((facts["impurity"] * facts["weight"])[leaf].sum() / facts["weight"][0])
    return alphas, whole + lost
