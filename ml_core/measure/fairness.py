"""How differently a classifier treats groups of rows: differences of rates, with intervals.

Letters: n rows, g groups, k classes looked at (the positive one of two, else all), b resamples.
"""

import numpy as np

from ml_core.measure.bootstrap import interval, resample
from ml_core.measure.ranking import ratio


def rates(p, groups):
    """Predictions, group masks bool (g, n) -> a function of W (b, n): rates (b, g, k), nan where undefined.

    selected: said to be of the class; found: those of the class that are; accused: the others that are.
    """
    classes = [p.positive] if p.task == "binary" else list(range(len(p.classes)))
    said, true = (np.equal.outer(codes, classes) for codes in (p.answer, p.truth))
    cells = np.stack([np.ones_like(said), said, true, said & true])
    by_row = cells.transpose(1, 0, 2).reshape(len(p), -1)  # (n, 4 k)
    columns = np.hstack([by_row * mask[:, None] for mask in groups]).astype(float)

    def of(W):
        sums = (W @ columns).reshape(len(W), len(groups), 4, len(classes))
        rows, said, true, both = sums.transpose(2, 0, 1, 3)
        return {
            "selected": ratio(said, rows),
            "found": ratio(both, true),
            "accused": ratio(said - both, rows - true),
        }

    return of


def differences(p, groups):
    """Predictions, groups (g, n) -> a function of W (b, n): demographic_parity and equalized_odds, (b,).

    The first is the largest difference between two groups in how many are selected, the second the larger one
    of those in how many are found and accused; over all classes looked at (Hardt, Price, Srebro 2016).
    """
    of = rates(p, groups)

    def values(W):
        found = of(W)
        return {
            "demographic_parity": _widest(found["selected"]),
            "equalized_odds": np.fmax(_widest(found["found"]), _widest(found["accused"])),
        }

    return values


def _widest(rate):
    """(b, g, k) -> (b,): max - min over groups that have a rate, of the worst class; nan without two."""
    known = ~np.isnan(rate)
    top = np.where(known, rate, -np.inf).max(axis=1)
    low = np.where(known, rate, np.inf).min(axis=1)
    gap = np.where(known.sum(axis=1) > 1, top - low, -np.inf).max(axis=1)
    return np.where(np.isfinite(gap), gap, np.nan)


def measured(p, groups, resamples=1000, seed=0, confidence=0.95):
    """Predictions, groups (g, n) -> {difference: (value, low, high)}; ends None where they are undefined."""
    of = differences(p, groups)
    plain = {name: float(value[0]) for name, value in of(np.ones((1, len(p)))).items()}
    drawn = resample({None: of}, len(p), resamples, seed)[None]
    return {name: (value, *interval(drawn[name], confidence)) for name, value in plain.items()}
