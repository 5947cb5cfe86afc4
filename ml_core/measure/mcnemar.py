"""McNemar's tests of two models' hits on the same rows, and an interval of the difference of their shares.

Only the rows that one got right and the other did not say which is better. Letters: n rows, of which ``won``
only the new model got right and ``lost`` only the old one.
"""

import numpy as np
from scipy.special import bdtrc, ndtr, ndtri


def discordant(new, old):
    """Hits bool (n,) of two models -> won, lost."""
    return int((new & ~old).sum()), int((old & ~new).sum())


def exact(won, lost):
    """P(at least ``won`` of the discordant rows) where each is a fair coin: one-sided, for new > old."""
    return float(bdtrc(won - 1, won + lost, 0.5))


def mid(won, lost):
    """The same with half of the weight of what was seen.

    Its size is near the nominal one, where the exact test is far below it (Fagerland, Lydersen, Laake 2013).
    """
    return float((bdtrc(won - 1, won + lost, 0.5) + bdtrc(won, won + lost, 0.5)) / 2)


def score(won, lost, n, difference):
    """Tango's (1998) statistic for "the shares differ by ``difference``": about normal if they do.

    Array ``difference`` in [-1, 1] -> array; nan where it says 0 of 0.
    """
    difference = np.asarray(difference, dtype=float)
    # the likeliest share of lost rows, given the difference: the root of a square
    a = 2.0 * n
    b = -won - lost + (2.0 * n - won + lost) * difference
    c = -lost * difference * (1.0 - difference)
    share = (np.sqrt(np.maximum(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * share + difference * (1.0 - difference))
    above = won - lost - n * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 1e-12, above / np.sqrt(variance), np.sign(above) * np.inf)


def above(won, lost, n, margin=0.0):
    """One-sided p-value for "new is better by more than ``margin``"; mid-p at 0, else Tango's."""
    if margin == 0.0:
        return mid(won, lost)
    return float(ndtr(-score(won, lost, n, margin)))


def interval(won, lost, n, confidence=0.95):
    """Two-sided interval of the difference of the shares, new - old (Tango 1998); by halving, to 1e-12."""
    z = ndtri((1 + confidence) / 2)
    seen = (won - lost) / n
    ends = []
    for end, sign in ((-1.0, 1.0), (1.0, -1.0)):
        inside, outside = seen, end
        for _ in range(60):
            middle = (inside + outside) / 2
            if sign * score(won, lost, n, middle) > z:
                outside = middle
            else:
                inside = middle
        ends.append(inside)
    return float(ends[0]), float(ends[1])
