"""Each row judged by the trees that never saw it.

Letters: n rows, t trees, q numbers of a leaf.
"""

import warnings

import numpy as np

from ml_core.kernels.trees import part
from ml_core.models.engine import kernels_for
from ml_core.models.ensemble import Ensemble


def out_of_bag(model, codes, draw, seeds):
    """Sum over the trees that did not see a row of their values (n, q), and how many they are (n,)."""
    *_, (_, total, seen_by) = after_each(model._ensemble, codes, draw, seeds)
    return total, seen_by


def after_each(ensemble, codes, draw, seeds):
    """Yield (t, ``out_of_bag`` after the first t trees), t = 1 ...; the arrays are changed on the way."""
    total, seen_by = np.zeros((len(codes), ensemble.width)), np.zeros(len(codes), np.int64)
    for t, (sums, times) in enumerate(each_tree(ensemble, codes, draw, seeds), 1):
        total += sums
        seen_by += times
        yield t, total, seen_by


def each_tree(ensemble, codes, draw, seeds):
    """Yield, tree after tree, its values (n, q), 0 where it saw a row, and where it did not (n,) bool."""
    with kernels_for(ensemble.seconds(len(codes))) as (kernels, _):
        for tree, seed in enumerate(seeds):
            own = Ensemble(ensemble.bins, part(ensemble.trees, tree, tree + 1), ensemble.width)
            left_out = drawn(draw, seed) == 0
            raw = np.zeros((len(codes), ensemble.width))
            some = np.zeros((int(left_out.sum()), ensemble.width))
            own.add_coded(codes[left_out], some, kernels)
            raw[left_out] = some
            yield raw, left_out


def bagged_mean(t, total, seen_by):
    """Mean (n, q) over the trees that did not see a row, of what ``after_each`` tells.

    ValueError where there are rows that all of them saw.
    """
    none = np.count_nonzero(seen_by == 0)
    if none:
        raise ValueError(
            f"{none} of {len(total)} rows were drawn by all n_estimators={t} trees, so nobody can judge them "
            "out of bag; set n_estimators higher or max_samples lower, or score on folds"
        )
    return total / seen_by[:, None]


def drawn(draw, seed):
    """How often the tree of this seed drew each row (n,)."""
    plain = type(draw)(draw.n, draw.weight, draw.counted, draw.count)
    return plain.of(seed, None)


def set_oob(model, codes, y, draw, seeds):
    """oob_score_, and oob_decision_function_ (n, q) or oob_prediction_ (n,)."""
    total, count = out_of_bag(model, codes, draw, seeds)
    if (count == 0).any():
        warnings.warn(
            f"{np.count_nonzero(count == 0)} rows were seen by all {len(seeds)} trees and have no out-of-bag "
            "prediction; more trees give them one",
            stacklevel=4,
        )
    mean = total / np.maximum(count, 1)[:, None]
    known = count > 0
    if hasattr(model, "classes_"):
        mean[~known] = np.nan
        model.oob_decision_function_ = mean
        truth, guess = model.classes_[y], model.classes_[np.nan_to_num(mean).argmax(axis=1)]
        if callable(model.oob_score):
            model.oob_score_ = float(model.oob_score(truth, guess))
        else:
            model.oob_score_ = float((truth == guess)[known].mean()) if known.any() else np.nan
        return
    from sklearn.metrics import r2_score

    mean[~known] = np.nan
    model.oob_prediction_ = mean[:, 0]
    scored = model.oob_score if callable(model.oob_score) else r2_score
    model.oob_score_ = float(scored(y[known], mean[known, 0])) if known.sum() > 1 else np.nan
