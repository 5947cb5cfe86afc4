"""Several of the trials as one model: their answers averaged, with weights that held-out rows chose.

Caruana et al. 2004, "Ensemble selection from libraries of models": begin with the best, then add, again and
again, the one that raises the score most; how often each was added is its weight. Each fold is scored with
weights that its own rows did not choose, so that the blend's score may stand beside those of the trials.

Letters: f folds, m members, q classes; rows are those held out of a fold.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier

from ml_core.models.scoring import judge
from ml_core.models.twin import twin
from ml_core.progress import track
from ml_core.search.judge import scorers
from ml_core.search.parts import rows_of, some, words
from ml_core.search.problem import Unit, estimator_of, resolved
from ml_core.search.subject import held, one_job
from ml_core.search.vote import NAME

STEPS = 20  # members of a blend, most of them several times
ROWS = 20_000  # rows of a fold that choose weights; all are scored


@dataclass(frozen=True)
class Blend:
    """What came of it.

    Attributes
    ----------
    params : {"blend": [{"weight": ..., "params": a candidate}, ...]}, the heaviest first; None for no two
    scores : (f,) of each fold, with weights that the others chose
    alone : the mean score of the best member
    more : {further metric: mean}
    left : [why a candidate could take no part]
    """

    params: dict | None = None
    scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    alone: float = np.nan
    more: dict = field(default_factory=dict)
    left: list = field(default_factory=list)

    @property
    def better(self):
        """Whether it beats the best of its members."""
        return self.params is not None and self.scores.mean() > self.alone


def blended(problem, trials, most: int) -> Blend:
    """The blend of up to ``most`` of the trials, each fitted once more on every fold."""
    known, left = [], []
    for candidate in track(library(trials, most), NAME):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the search has heard them
                known.append((candidate, answers(problem, candidate)))
        except Exception as error:
            left.append(f"{candidate}: {words(error)}")
    if len(known) < 2:
        return Blend(left=left)
    scorer, *further = scorers(problem)
    folds = [Fold(problem, j, [one[j] for _, one in known]) for j in range(len(problem.folds))]
    weights, start = chosen(folds, scorer)
    if np.count_nonzero(weights) < 2:
        return Blend(left=left)
    honest = []
    for fold in folds:
        others = [other for other in folds if not np.isin(other.held, fold.held).any()]
        honest.append(chosen(others, scorer)[0] if others else weights)

    def judged(other):
        return np.array([one.whole(found, other) for one, found in zip(folds, honest, strict=True)])

    order = [i for i in np.argsort(-weights, kind="stable") if weights[i]]
    return Blend(
        {NAME: [{"weight": float(weights[i]), "params": known[i][0]} for i in order]},
        judged(scorer),
        float(np.mean([one.whole(np.eye(len(known))[start], scorer) for one in folds])),
        {name: float(judged(other).mean()) for name, other in zip(problem.more, further, strict=True)},
        left,
    )


def library(trials, most):
    """Up to ``most`` candidates: each family's best on whatever share of the rows, then the next best."""
    mean, shares = trials.mean, trials.shares
    able = np.flatnonzero(np.isfinite(mean))
    first, rest = {}, {}
    for i in able[np.lexsort((-mean[able], -shares[able]))]:
        candidate = trials.candidates[i]
        first.setdefault(candidate.get("family"), candidate)
        rest.setdefault(repr(candidate), candidate)
    heads = {repr(candidate): candidate for candidate in first.values()}
    return list((heads | rest).values())[:most]


def answers(problem, candidate):
    """[(rows, q) probabilities, or (rows,) numbers, of each fold's rows] of models fitted without them.

    Classes are fitted as their numbers, as the blend itself will do it.
    """
    family, setting, params = resolved(problem, candidate)
    estimator, found = estimator_of(problem, family), []
    classes = np.unique(problem.y) if is_classifier(estimator) else None
    for j in range(len(problem.folds)):
        unit = Unit(family, setting, 1.0, (0,), (candidate,), (params,), (j,), False)
        part, _ = problem.kept.get(problem, unit)
        if part.error:
            raise ValueError(part.error)
        train, test = part.folds[j]
        y = rows_of(part.y, train)
        model = one_job(twin(estimator, params))
        with held(model):
            model.fit(rows_of(part.X, train), y if classes is None else np.searchsorted(classes, y))
            found.append(_said(model, rows_of(part.X, test), classes))
        if not np.isfinite(found[-1]).all():
            raise ValueError(f"its answers about fold {j} are not all numbers")
    return found


def _said(model, X, classes):
    if classes is None:
        return np.asarray(model.predict(X), float)
    if not hasattr(model, "predict_proba"):
        raise ValueError(f"{type(model).__name__} gives no probabilities")
    whole = np.zeros((X.shape[0], len(classes)))
    whole[:, model.classes_] = model.predict_proba(X)
    return whole


def chosen(folds, scorer):
    """(weights (m,) of the best of STEPS blends, each the last and the member that helps most; the first)."""
    each = np.eye(len(folds[0].answers))

    def mean(counts):
        return float(np.mean([one.few(counts / counts.sum(), scorer) for one in folds]))

    means = [mean(one) for one in each]
    start = int(np.argmax(means))
    counts, best, weights = each[start], means[start], each[start]
    for _ in range(STEPS - 1):
        tried = counts + each
        means = [mean(one) for one in tried]
        counts = tried[int(np.argmax(means))]
        if max(means) > best:
            best, weights = max(means), counts
    return weights / weights.sum(), start


class Fold:
    """The members' answers about one fold's rows, and how a blend of them scores."""

    def __init__(self, problem, j, answers):
        self.held = problem.folds[j][1]
        self.answers, self.y = answers, rows_of(problem.y, self.held)
        self.classes = None if answers[0].ndim == 1 else np.unique(problem.y)
        self.rows = some(np.arange(len(self.y)), ROWS / len(self.y))
        self.part = [one[self.rows] for one in answers], self.y[self.rows]

    def few(self, weights, scorer):
        """The score on as many rows as choose weights."""
        return self._score(*self.part, weights, scorer)

    def whole(self, weights, scorer):
        """The score on all rows."""
        return self._score(self.answers, self.y, weights, scorer)

    def _score(self, answers, y, weights, scorer):
        said = sum(weight * one for weight, one in zip(weights, answers, strict=True) if weight)
        model = Numbers(said) if self.classes is None else Classes(said, self.classes)
        return float(judge(model, scorer)(model, np.arange(len(y)), y))


class Numbers(RegressorMixin, BaseEstimator):
    """A model whose answers (rows,) are known: a scorer asks for rows by their number."""

    def __init__(self, said=None):
        self.said = said

    def fit(self, X, y=None):
        """Nothing is learned."""
        return self

    def predict(self, X):
        """The answers about rows X."""
        return self.said[X]


class Classes(ClassifierMixin, BaseEstimator):
    """The same of probabilities (rows, q)."""

    def __init__(self, said=None, classes=()):
        self.said, self.classes = said, classes
        self.classes_ = classes

    def fit(self, X, y=None):
        """Nothing is learned."""
        return self

    def predict_proba(self, X):
        """The probabilities of rows X."""
        return self.said[X]

    def predict(self, X):
        """The likeliest classes of rows X."""
        return self.classes_[np.argmax(self.said[X], axis=1)]
