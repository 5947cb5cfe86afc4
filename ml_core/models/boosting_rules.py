"""What boosting's parameters may be, and what they say as the records and arrays that kernels take.

Letters: n rows, d columns, w words of 64 interaction groups.
"""

from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from ml_core.kernels import records
from ml_core.models.names import columns_named


def _at_least(least, kind=Real, most=None):
    return Interval(kind, least, most, closed="both" if most is not None else "left")


CONSTRAINTS = {
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_iter": [_at_least(1, Integral)],
    "max_leaf_nodes": [_at_least(2, Integral), None],
    "max_depth": [_at_least(1, Integral), None],
    "min_samples_leaf": [_at_least(1, Integral)],
    "l2_regularization": [_at_least(0)],
    "l1_regularization": [_at_least(0)],
    "min_gain": [_at_least(0)],
    "min_hessian": [_at_least(0)],
    "max_features": [Interval(Real, 0, 1, closed="right")],
    "subsample": [Interval(Real, 0, 1, closed="right")],
    "quantized_levels": [_at_least(1, Integral, 1024), None],
    "max_bins": [_at_least(2, Integral, 255)],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "cat_smooth": [_at_least(0)],
    "cat_l2": [_at_least(0)],
    "max_cat_threshold": [_at_least(1, Integral)],
    "min_data_per_group": [_at_least(1, Integral)],
    "monotonic_cst": ["array-like", dict, None],
    "interaction_cst": [list, tuple, StrOptions({"pairwise", "no_interactions"}), None],
    "warm_start": ["boolean"],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "scoring": [str, callable, None],
    "validation_fraction": [
        Interval(Real, 0, 1, closed="neither"),
        Interval(Integral, 1, None, closed="left"),
        None,
    ],
    "n_iter_no_change": [_at_least(1, Integral)],
    "tol": [_at_least(0)],
    "random_state": ["random_state"],
}


def monotone_of(model, categorical):
    """monotonic_cst, None, (d,) or name -> sign, as (d,) int8."""
    signs, given = np.zeros(len(categorical), np.int8), model.monotonic_cst
    if given is None:
        return signs
    if isinstance(given, dict):
        places = list(columns_named(model, "monotonic_cst", given))
        values = np.array(list(given.values()))
    else:
        values = np.asarray(given)
        if values.shape != signs.shape:
            raise ValueError(f"monotonic_cst has shape {values.shape}, but must have shape {signs.shape}")
        places = np.arange(len(signs))
    if not np.isin(values, (-1, 0, 1)).all():
        raise ValueError(f"monotonic_cst must hold -1, 0 or 1 only, got {sorted(set(values.tolist()))}")
    signs[places] = values
    if (signs[categorical] != 0).any():
        raise ValueError("monotonic_cst must be 0 for categorical columns: their values have no order")
    return signs


def groups_of(model, d):
    """interaction_cst as (d, w) uint64: bit g of a column is set where it is in group g; w = 0
    without any.
    """
    given = model.interaction_cst
    if given is None:
        return np.zeros((d, 0), np.uint64)
    if given == "no_interactions":
        given = [{j} for j in range(d)]
    elif given == "pairwise":
        given = [{i, j} for i in range(d) for j in range(i)] or [{0}]
    if not all(isinstance(group, Iterable) and not isinstance(group, str) for group in given):
        raise ValueError(f"interaction_cst must hold sets of columns, as [{{0, 1}}, {{2}}], got {given!r}")
    groups = [sorted(columns_named(model, "interaction_cst", group)) for group in given]
    rest = sorted(set(range(d)) - {j for group in groups for j in group})
    groups += [rest] if rest else []
    masks = np.zeros((d, (len(groups) + 63) // 64), np.uint64)
    for g, group in enumerate(groups):
        masks[group, g // 64] |= np.uint64(1 << (g % 64))
    return masks


def rules_of(model, d, shift):
    """An estimator's parameters as the kernels' record (1,); shift: of histograms."""
    rules = np.zeros(1, records.RULES)
    chosen = {
        "l1": model.l1_regularization,
        "l2": model.l2_regularization,
        "min_gain": model.min_gain,
        "min_hessian": model.min_hessian,
        "cat_smooth": model.cat_smooth,
        "cat_l2": model.cat_l2,
        "cat_rows": model.min_data_per_group,
        "max_leaves": model.max_leaf_nodes or 0,
        "max_depth": model.max_depth or 0,
        "min_rows": model.min_samples_leaf,
        "max_columns": max(1, int(model.max_features * d)),
        "max_categories": model.max_cat_threshold,
        "shift": shift,
    }
    for name, value in chosen.items():
        rules[name] = value
    return rules


def most_leaves(model, n):
    """Leaves a tree of n rows can have at most."""
    leaves = max(1, n // model.min_samples_leaf)
    if model.max_leaf_nodes:
        leaves = min(leaves, model.max_leaf_nodes)
    if model.max_depth:
        leaves = min(leaves, 2 ** min(model.max_depth, 40))
    return leaves
