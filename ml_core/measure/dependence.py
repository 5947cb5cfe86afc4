"""Partial dependence: the mean answer with one raw column at a value in every row; and single rows' answers.

Friedman 2001, "Greedy function approximation"; single rows: Goldstein et al. 2015.

Letters: m rows, g values of a column, k numbers said of a row.
"""

import numpy as np
import polars as pl

from ml_core.measure.asking import replaced
from ml_core.measure.slices import MISSING

SINGLE = 12  # rows with a line of their own


def grid_of(values, kind, most):
    """Series of a column -> Series of at most ``most`` of its values to try; None where nothing can be seen.

    Numbers and dates: their quantiles from 2 to 98 %, in order. Levels: the most frequent first.
    """
    known = values.drop_nulls()
    if known.dtype.is_float():
        known = known.filter(known.is_finite())
    if kind == "text" or known.n_unique() < 2:
        return None
    if kind in ("numeric", "date") and (known.dtype.is_numeric() or known.dtype.is_temporal()):
        ordered = known.unique().sort()
        if len(ordered) > most:
            ranked = known.sort()
            at = np.round(np.linspace(0.02, 0.98, most) * (len(ranked) - 1)).astype(int)
            ordered = ranked.gather(np.unique(at)).unique().sort()
        return ordered.alias(values.name)
    levels = known.to_frame("level").group_by("level").len().sort(["len", "level"], descending=[True, False])
    return levels["level"].head(most).cast(values.dtype).alias(values.name)


def dependence(asked, kinds, columns, most, seed):
    """Asked, kinds, the columns wanted, values a column -> {column: values (g,), mean (g, k), single}."""
    grids = {name: grid_of(asked.X[name], kinds.get(name), most) for name in columns}
    grids = {name: values for name, values in grids.items() if values is not None}
    m = len(asked.X)
    rows = np.sort(np.random.default_rng(seed).choice(m, min(SINGLE, m), replace=False))
    found = {
        name: {"values": values, "mean": np.empty((len(values), len(asked.names))), "single": []}
        for name, values in grids.items()
    }
    for name, values in grids.items():
        found[name]["single"] = np.empty((len(values), len(rows), len(asked.names)))
    for name, i, said in replaced(asked, grids):
        found[name]["mean"][i] = said.mean(axis=0)
        found[name]["single"][i] = said[rows]
    return found


def numbers(values):
    """Series of a grid -> what a chart can place: floats, seconds since 1970, or texts for levels."""
    if values.dtype.is_temporal():
        return [moment / 1e6 for moment in values.cast(pl.Datetime("us")).to_physical().to_list()]
    if values.dtype.is_numeric():
        return [float(value) for value in values.to_list()]
    return values.cast(pl.String).fill_null(MISSING).to_list()
