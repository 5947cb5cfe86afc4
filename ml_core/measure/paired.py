"""Is the new model better than the old one, on the same rows: DeLong for the AUC, McNemar for accuracy, the
paired bootstrap for any other metric.

Letters: n rows, b resamples.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ml_core.measure import mcnemar
from ml_core.measure.bootstrap import resample
from ml_core.measure.delong import delong
from ml_core.measure.score import LOWER_IS_BETTER, metrics_of

WORK = 200_000_000  # rows drawn in all, a few seconds: of very many rows, fewer resamples are drawn
LEAST = 100  # resamples drawn at least


@dataclass(frozen=True, eq=False)
class Pair:
    """Two models' values of one metric on the same n rows; a gain is positive where the new one is better.

    Attributes
    ----------
    metric, method : its name; DeLong, McNemar or bootstrap
    new, old : the values themselves; ``gain`` is new - old, or old - new where lower is better
    error : standard error of the gain; nan where the rows are too few to say
    drawn : (b,) resampled gains, whose spread is ``error``; None for the other methods
    discordant : (won, lost) rows, accuracy only
    """

    metric: str
    method: str
    new: float
    old: float
    error: float
    n: int
    drawn: np.ndarray | None = None
    discordant: tuple[int, int] | None = None

    @property
    def gain(self):
        """How much better the new model is."""
        return self.old - self.new if self.metric in LOWER_IS_BETTER else self.new - self.old

    def interval(self, confidence=0.95):
        """Two-sided interval of the gain; nan, nan where there is none."""
        if self.discordant:
            return mcnemar.interval(*self.discordant, self.n, confidence)
        half = norm.isf((1 - confidence) / 2) * self.error
        return self.gain - half, self.gain + half

    def above(self, margin=0.0):
        """One-sided p-value for "the gain is more than ``margin``": small where it surely is."""
        if self.discordant:
            return mcnemar.above(*self.discordant, self.n, margin)
        if self.error > 0:
            return float(norm.sf((self.gain - margin) / self.error))
        return float("nan") if np.isnan(self.error) else float(self.gain <= margin)

    def below(self, margin=0.0):
        """One-sided p-value for "the gain is less than ``margin``"."""
        if self.discordant:
            return mcnemar.above(*self.discordant[::-1], self.n, -margin)
        if self.error > 0:
            return float(norm.cdf((self.gain - margin) / self.error))
        return float("nan") if np.isnan(self.error) else float(self.gain >= margin)

    def detectable(self, confidence=0.95, power=0.8):
        """The true gain beyond the margin that a test on these rows finds with this power."""
        return float((norm.ppf(confidence) + norm.ppf(power)) * self.error)

    def rows_for(self, gain, confidence=0.95, power=0.8):
        """Rows that would find a true ``gain`` beyond the margin with this power; error falls as n^-1/2."""
        return int(np.ceil(self.n * (self.detectable(confidence, power) / gain) ** 2))


def compare(new, old, metric, resamples=1000, seed=0):
    """Predictions of two models on the same n rows -> Pair; see ``compare_parts``."""
    return compare_parts(new, old, {None: np.arange(len(new))}, metric, resamples, seed)[None]


def compare_parts(new, old, parts, metric, resamples=1000, seed=0):
    """Predictions of two models on the same n rows, {name: places of some rows} -> {name: Pair}.

    The parts are resampled together, as parts of the whole. KeyError where one of the models has no such
    metric, ValueError where the two have not the same rows and classes.
    """
    _check(new, old)
    sides = {name: (new.take(rows), old.take(rows)) for name, rows in parts.items()}
    ranked = metric == "auc" and new.task == "binary" and new.score is not None and old.score is not None
    if ranked:
        return {name: _by_delong(*pair) for name, pair in sides.items()}
    if metric == "accuracy":
        return {name: _by_mcnemar(*pair) for name, pair in sides.items()}
    return _by_bootstrap(sides, parts, metric, len(new), (resamples, seed))


def _check(new, old):
    if (new.task, list(new.classes)) != (old.task, list(old.classes)) or len(new) != len(old):
        raise ValueError(
            f"two models are compared on the same rows; got {new.task} of {len(new)} rows with classes "
            f"{new.classes} and {old.task} of {len(old)} with {old.classes}"
        )
    if new.truth is None or new.task == "clustering" or not np.array_equal(new.truth, old.truth):
        raise ValueError("two models are compared on the same rows with one known truth; theirs differ")


def _by_delong(new, old):
    positive = new.truth == new.positive
    if not 0 < positive.sum() < len(new):
        raise KeyError(f"no auc of {len(new)} rows of one class")
    values = delong(positive, new.score[:, new.positive], old.score[:, old.positive])
    return Pair("auc", "DeLong", *values, len(new))


def _by_mcnemar(new, old):
    right, n = [p.answer == p.truth for p in (new, old)], len(new)
    won, lost = mcnemar.discordant(*right)
    error = max(won + lost - (won - lost) ** 2 / n, 0.0) ** 0.5 / n
    values = [float(one.mean()) for one in right]
    return Pair("accuracy", "McNemar", *values, error, n, discordant=(won, lost))


def _by_bootstrap(sides, parts, metric, n, draws):
    resamples, seed = draws
    rows = {name: None if len(part) == n else part for name, part in parts.items()}
    most = WORK // max(sum(len(part) for part in parts.values()), 1)
    scorers = {
        (name, k): _only(metrics_of(p), metric, rows[name])
        for name, pair in sides.items()
        for k, p in enumerate(pair)
    }
    drawn = resample(scorers, n, max(min(resamples, LEAST), min(resamples, most)), seed)
    pairs = {}
    for name, (new, _) in sides.items():
        values = [float(scorers[name, k](np.ones((1, n)))[metric][0]) for k in (0, 1)]
        gains = drawn[name, 0][metric] - drawn[name, 1][metric]
        gains = -gains if metric in LOWER_IS_BETTER else gains
        good = gains[~np.isnan(gains)]
        error = float(np.std(good, ddof=1)) if len(good) > 1 else float("nan")
        pairs[name] = Pair(metric, "bootstrap", *values, error, len(new), gains)
    return pairs


def _only(of, metric, rows):
    """One metric of some rows, from the counts of all."""

    def one(W):
        values = of(W if rows is None else W.take(rows, axis=1))
        if metric not in values:
            raise KeyError(f"no {metric} here; there are {', '.join(values)}")
        return {metric: values[metric]}

    return one
