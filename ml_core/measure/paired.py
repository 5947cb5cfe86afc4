"""Is the new model better than the old one, on the same rows: DeLong for the AUC, McNemar for accuracy, the
paired bootstrap for any other metric.

Letters: n rows, b resamples.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from ml_core.measure import mcnemar
from ml_core.measure.bootstrap import resample
from ml_core.measure.delong import delong
from ml_core.measure.score import LOWER_IS_BETTER, METRICS, metrics_of

WORK = 30_000_000  # rows drawn in all, seconds: of many rows, fewer resamples are drawn
LEAST = 100  # resamples drawn at least
MANY, BLOCKS = 100_000, 100  # beyond so many rows, these blocks take the place of resamples
NONE = (float("nan"),)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two models' values of one metric on the same n rows; a gain is positive where the new one is better.

    Attributes
    ----------
    metric, method : its name; DeLong, McNemar, bootstrap, or blocks for very many rows
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
        half = ndtri((1 + confidence) / 2) * self.error
        return self.gain - half, self.gain + half

    def above(self, margin=0.0):
        """One-sided p-value for "the gain is more than ``margin``": small where it surely is."""
        if self.discordant:
            return mcnemar.above(*self.discordant, self.n, margin)
        if self.error > 0:
            return float(ndtr((margin - self.gain) / self.error))
        return float("nan") if np.isnan(self.error) else float(self.gain <= margin)

    def below(self, margin=0.0):
        """One-sided p-value for "the gain is less than ``margin``"."""
        if self.discordant:
            return mcnemar.above(*self.discordant[::-1], self.n, -margin)
        if self.error > 0:
            return float(ndtr((self.gain - margin) / self.error))
        return float("nan") if np.isnan(self.error) else float(self.gain >= margin)

    def detectable(self, confidence=0.95, power=0.8):
        """The true gain beyond the margin that a test on these rows finds with this power."""
        return float((ndtri(confidence) + ndtri(power)) * self.error)

    def rows_for(self, gain, confidence=0.95, power=0.8):
        """Rows that would find a true ``gain`` beyond the margin with this power; error falls as n^-1/2."""
        return int(np.ceil(self.n * (self.detectable(confidence, power) / gain) ** 2))


def compare(new, old, metric, resamples=1000, seed=0):
    """Predictions of two models on the same n rows -> Pair; see ``compare_parts``."""
    return compare_parts(new, old, {None: np.arange(len(new))}, metric, resamples, seed)[None]


def compare_all(new, old, resamples=1000, seed=0):
    """The same for every metric that both models have: [Pair], in the order of ``METRICS``."""
    _check(new, old)
    known = [set(metrics_of(p)(np.ones((1, len(p))))) for p in (new, old)]
    names = [name for name in METRICS[new.task] if name in known[0] & known[1]]
    return [
        pairs[None] for pairs in _compared(new, old, {None: np.arange(len(new))}, names, (resamples, seed))
    ]


def compare_parts(new, old, parts, metric, resamples=1000, seed=0):
    """Predictions of two models on the same n rows, {name: places of some rows} -> {name: Pair}.

    The parts are resampled together, as parts of the whole. KeyError where one of the models has no such
    metric, ValueError where the two have not the same rows and classes.
    """
    _check(new, old)
    return _compared(new, old, parts, [metric], (resamples, seed))[0]


def _check(new, old):
    if (new.task, list(new.classes)) != (old.task, list(old.classes)) or len(new) != len(old):
        raise ValueError(
            f"two models are compared on the same rows; got {new.task} of {len(new)} rows with classes "
            f"{new.classes} and {old.task} of {len(old)} with {old.classes}"
        )
    if new.truth is None or new.task == "clustering" or not np.array_equal(new.truth, old.truth):
        raise ValueError("two models are compared on the same rows with one known truth; theirs differ")


def _compared(new, old, parts, metrics, draws):
    """[{name: Pair}], one a metric; what needs resamples shares them."""
    sides = {name: (new.take(rows), old.take(rows)) for name, rows in parts.items()}
    ranked = new.task == "binary" and new.score is not None and old.score is not None
    short = {"accuracy": _by_mcnemar} | ({"auc": _by_delong} if ranked else {})
    found = {
        metric: {name: short[metric](*pair) for name, pair in sides.items()}
        for metric in metrics
        if metric in short
    }
    rest = [metric for metric in metrics if metric not in short]
    small = {name: rows for name, rows in parts.items() if len(rows) <= MANY}
    for name in sides if rest else []:
        if name not in small:
            _merge(found, _by_blocks(name, sides[name], rest, draws[1]))
        elif len(new) > MANY:  # draws of all rows would cost more than those of the part
            own = {name: np.arange(len(parts[name]))}
            fewer = max(min(draws[0], LEAST), min(draws[0], WORK // sum(map(len, small.values()))))
            _merge(found, _by_bootstrap({name: sides[name]}, own, rest, len(parts[name]), (fewer, draws[1])))
    if rest and len(new) <= MANY:
        _merge(found, _by_bootstrap(sides, parts, rest, len(new), draws))
    return [found[metric] for metric in metrics]


def _merge(found, more):
    for metric, pairs in more.items():
        found.setdefault(metric, {}).update(pairs)


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


def _by_blocks(name, sides, metrics, seed):
    """Very many rows: the gain of each of BLOCKS random parts, whose spread is that of the whole times 10.

    Costs one pass over the rows, and holds for what is nearly a mean over rows ("sectioning", Asmussen and
    Glynn 2007, Stochastic Simulation, III.4).
    """
    new, old = sides
    order = np.random.default_rng(seed).permutation(len(new))
    whole = [metrics_of(p)(np.ones((1, len(p)))) for p in sides]
    gains = {metric: [] for metric in metrics}
    for block in np.array_split(order, BLOCKS):
        ones = np.ones((1, len(block)))
        values = [metrics_of(p.take(block))(ones) for p in sides]
        for metric in metrics:
            gains[metric].append(values[0].get(metric, NONE)[0] - values[1].get(metric, NONE)[0])
    pairs = {}
    for metric in metrics:
        if lacking := [p for p in whole if metric not in p]:
            raise KeyError(f"no {metric} here; there are {', '.join(lacking[0])}")
        error = _spread(np.array(gains[metric])) / BLOCKS**0.5
        values = [float(p[metric][0]) for p in whole]
        pairs[metric] = {name: Pair(metric, "blocks", *values, error, len(new))}
    return pairs


def _spread(gains):
    """Standard deviation of those that are defined; nan when under half of them are."""
    good = gains[~np.isnan(gains)]
    return float(np.std(good, ddof=1)) if 2 * len(good) > max(len(gains), 2) else float("nan")


def _by_bootstrap(sides, parts, metrics, n, draws):
    resamples, seed = draws
    most = WORK // max(sum(len(part) for part in parts.values()), 1)
    scorers = {
        (name, k): _some(metrics_of(p), metrics, None if len(p) == n and name is None else parts[name])
        for name, pair in sides.items()
        for k, p in enumerate(pair)
    }
    drawn = resample(scorers, n, max(min(resamples, LEAST), min(resamples, most)), seed)
    plain = {key: of(np.ones((1, n))) for key, of in scorers.items()}
    pairs = {metric: {} for metric in metrics}
    for name, (new, _) in sides.items():
        for metric in metrics:
            gains = drawn[name, 0][metric] - drawn[name, 1][metric]
            gains = -gains if metric in LOWER_IS_BETTER else gains
            values = [float(plain[name, k][metric][0]) for k in (0, 1)]
            pairs[metric][name] = Pair(metric, "bootstrap", *values, _spread(gains), len(new), gains)
    return pairs


def _some(of, metrics, rows):
    """Some metrics of some rows, from the counts of all."""

    def some(W):
        values = of(W if rows is None else W.take(rows, axis=1))
        if lacking := [metric for metric in metrics if metric not in values]:
            raise KeyError(f"no {lacking[0]} here; there are {', '.join(values)}")
        return {metric: values[metric] for metric in metrics}

    return some
