"""What boosting's parameters may be, and the constraints among columns as arrays."""

from numbers import Integral, Real

import numpy as np

from ml_core.models.binning import columns_named

# name -> (least, most, whether least itself is allowed, whole number, None allowed)
RANGES = {
    "learning_rate": (0, np.inf, False, False, False),
    "max_iter": (1, np.inf, True, True, False),
    "max_leaf_nodes": (2, np.inf, True, True, True),
    "max_depth": (1, np.inf, True, True, True),
    "min_samples_leaf": (1, np.inf, True, True, False),
    "l1_regularization": (0, np.inf, True, False, False),
    "l2_regularization": (0, np.inf, True, False, False),
    "min_gain": (0, np.inf, True, False, False),
    "min_hessian": (0, np.inf, True, False, False),
    "max_features": (0, 1, False, False, False),
    "subsample": (0, 1, False, False, False),
    "max_bins": (2, 255, True, True, False),
    "cat_smooth": (0, np.inf, True, False, False),
    "cat_l2": (0, np.inf, True, False, False),
    "max_cat_threshold": (1, np.inf, True, True, False),
    "n_iter_no_change": (1, np.inf, True, True, False),
    "tol": (0, np.inf, True, False, False),
}


def check(model, ranges=RANGES):
    """Refuse parameters outside their ranges, naming parameter, value and what is allowed."""
    for name, (least, most, closed, whole, optional) in ranges.items():
        value = getattr(model, name)
        if value is None and optional:
            continue
        kind = Integral if whole else Real
        fits = isinstance(value, kind) and not isinstance(value, bool | np.bool_)
        if not fits or not (value >= least if closed else value > least) or not value <= most:
            what = "a whole number" if whole else "a number"
            top = f" and <= {most}" if most < np.inf else ""
            rest = " or None" if optional else ""
            raise ValueError(
                f"{name} must be {what} {'>=' if closed else '>'} {least}{top}{rest}, got {value!r}"
            )


def check_stopping(model):
    """Refuse what early stopping cannot use."""
    if model.early_stopping not in ("auto", True, False):
        raise ValueError(f"early_stopping must be 'auto', True or False, got {model.early_stopping!r}")
    share = model.validation_fraction
    whole = isinstance(share, Integral) and not isinstance(share, bool) and share >= 1
    if share is not None and not whole and not (isinstance(share, Real) and 0 < share < 1):
        raise ValueError(
            f"validation_fraction must be None, a share in (0, 1) or a number of rows >= 1, got {share!r}"
        )


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
    """interaction_cst as (d, w) uint64: bit g of a column is set where it is in group g; w = 0 without
    constraints.
    """
    given = model.interaction_cst
    if given is None:
        return np.zeros((d, 0), np.uint64)
    if isinstance(given, str):
        if given == "no_interactions":
            given = [{j} for j in range(d)]
        elif given == "pairwise":
            given = [{i, j} for i in range(d) for j in range(i)] or [{0}]
        else:
            raise ValueError(
                f"interaction_cst must be 'pairwise', 'no_interactions' or sets of columns, got {given!r}"
            )
    groups = [sorted(columns_named(model, "interaction_cst", group)) for group in given]
    rest = sorted(set(range(d)) - {j for group in groups for j in group})
    groups += [rest] if rest else []
    masks = np.zeros((d, (len(groups) + 63) // 64), np.uint64)
    for g, group in enumerate(groups):
        masks[group, g // 64] |= np.uint64(1 << (g % 64))
    return masks
