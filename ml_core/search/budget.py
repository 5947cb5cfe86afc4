"""When a search ends before its strategy does, and a candidate before its last fold."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Budget:
    """The end of a search: whichever comes first, None for no such end.

    Parameters
    ----------
    trials : int
        Candidates judged, on whatever share of the rows.
    seconds : float
        Time spent, that before a kill included. Fits on their way are finished or dropped; a trial that is
        kept has the scores it would have without a budget, but how many there are depends on the machine.
    patience : int
        Candidates on the largest share of rows seen so far, one after the other, without a better mean.
    race : float
        A candidate is judged fold by fold, and no further where the chance that it still becomes the best is
        below this, such as 1e-4: ``models.racing.hopeless``.
    """

    trials: int | None = None
    seconds: float | None = None
    patience: int | None = None
    race: float | None = None

    def __post_init__(self):
        for name in ("trials", "patience"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (whole and value >= 1):
                raise ValueError(f"search.budget.{name}: got {value!r}, must be a whole number of 1 or more")
        if self.race is not None and not 0 < float(self.race) < 0.5:
            raise ValueError(
                f"search.budget.race: got {self.race!r}, must be a chance above 0 and below 0.5, or null"
            )
        if self.seconds is not None and not 0 < float(self.seconds) < math.inf:
            raise ValueError(f"search.budget.seconds: got {self.seconds!r}, must be above 0, or null")

    def lasts(self, means, shares):
        """How many of the trials with these means (k,) on these shares (k,) the patience allows; None: all.

        A larger share starts anew: means on few rows and on many are not compared.
        """
        best, idle, largest = -np.inf, 0, 0.0
        for i, (mean, share) in enumerate(zip(means, shares, strict=True)):
            if share > largest:
                best, idle, largest = -np.inf, 0, share
            if share == largest:
                better = mean > best  # nan is not
                best, idle = (mean, 0) if better else (best, idle + 1)
            if self.patience is not None and idle >= self.patience:
                return i + 1
        return None
