"""Many tests at once: what each p-value is worth when any of them may be the smallest by chance."""

import numpy as np


def holm(p):
    """p-values (t,) -> adjusted ones (t,): those below alpha are wrong anywhere with probability < alpha.

    Holm 1979; never weaker than Bonferroni. nan counts as a test that was not made and stays nan.
    """
    p = np.asarray(p, dtype=float)
    adjusted, made = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    steps = (len(order) - np.arange(len(order))) * p[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted
