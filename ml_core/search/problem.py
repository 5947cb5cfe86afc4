"""What is searched: the rows and folds, who learns from them, how it is judged; and the pieces of that work.

Letters: n rows, k candidates, f folds.
"""

from dataclasses import dataclass, field

from ml_core.search.parts import Parts


@dataclass(frozen=True)
class Problem:
    """What stays the same for all candidates.

    Attributes
    ----------
    X : frame or array of n rows; y : (n,) or None
    features : scikit-learn's kind, not fitted; only clones of it are. Several settings: {name: transformer}
    estimator : the same. Several families: {family: estimator}
        A candidate then says which it is: {"family": ..., "features": ..., "FAMILY.parameter": value}.
    folds : [(train rows, held-out rows)], f of them; held-out None: out of bag
    scorer : a scikit-learn scorer, or its name: the metric that decides
    more : {name: scorer} of further metrics, which decide nothing
    together : whether an estimator's ``score_many`` may be asked
    kept : the features of each fold, fitted once
    """

    X: object
    y: object
    features: object
    estimator: object
    folds: list
    scorer: object
    more: dict = field(default_factory=dict)
    together: bool = True
    kept: Parts = field(default_factory=Parts, compare=False, repr=False)


@dataclass(frozen=True)
class Unit:
    """What one worker does at one go: candidates of one family and features setting, on some of the folds.

    Attributes
    ----------
    places : of the candidates in their batch
    candidates : as the strategy gave them
    params : what of each is the estimator's own
    folds : numbers of the folds
    together : whether ``score_many`` is asked, and all stand or fall together
    """

    family: str | None
    features: str | None
    share: float
    places: tuple
    candidates: tuple
    params: tuple
    folds: tuple
    together: bool


@dataclass(frozen=True)
class Result:
    """One candidate on one fold: score (nan when it failed, and then why), seconds, the further scores."""

    candidate: int
    fold: int
    score: float
    seconds: float = 0.0
    error: str | None = None
    more: tuple = ()


def estimator_of(problem, family):
    """The estimator of a family; the only one where there are no families."""
    return problem.estimator if family is None else problem.estimator[family]


def resolved(problem, candidate):
    """candidate -> (family or None, features setting or None, the estimator's own parameters)."""
    family, setting = None, None
    own = dict(candidate)
    if isinstance(problem.features, dict):
        setting = _chosen(own, "features", problem.features)
    if isinstance(problem.estimator, dict):
        family = _chosen(own, "family", problem.estimator)
        strange = next((name for name in own if not name.startswith(f"{family}.")), None)
        if strange is not None:
            raise ValueError(f"candidate {candidate}: {strange!r} is no parameter of family {family!r}")
        own = {name[len(family) + 1 :]: value for name, value in own.items()}
    return family, setting, own


def _chosen(own, axis, known):
    if axis not in own and len(known) == 1:
        return next(iter(known))
    name = own.pop(axis, None)
    if name not in known:
        raise ValueError(f"a candidate's {axis} is {name!r}, must be one of {', '.join(known)}")
    return name
