"""scikit-learn's searches, and one by Bayes, whose candidates share their work where the estimator can.

Drop-ins: scikit-learn's own classes with their parameters, attributes and results. Where the estimator, or
the last step of a pipeline, has ``score_many``, all candidates of a fold are scored at about the price of one
fit and the steps before are fitted once a fold; everything else is scikit-learn's own code, unchanged.
"""

import numpy as np
from sklearn import model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state

from ml_core.search import sharing
from ml_core.search.bayes import Bayes
from ml_core.search.space import Range, Space, Values, parse


class GridSearchCV(model_selection.GridSearchCV):
    """Every combination of ``param_grid``; parameters and attributes as in scikit-learn's GridSearchCV."""

    def fit(self, X, y=None, **params):
        """Search, then fit the best on all rows."""
        return sharing.fitted(self, super().fit, X, y, params)


class RandomizedSearchCV(model_selection.RandomizedSearchCV):
    """Draws from ``param_distributions``; as scikit-learn's RandomizedSearchCV."""

    def fit(self, X, y=None, **params):
        """Search, then fit the best on all rows."""
        return sharing.fitted(self, super().fit, X, y, params)


class HalvingGridSearchCV(model_selection.HalvingGridSearchCV):
    """Successive halving over ``param_grid``; as scikit-learn's HalvingGridSearchCV.

    Work is shared where ``return_train_score=False``, which is not the default here.
    """

    def fit(self, X, y=None, **params):
        """Search, then fit the best on all rows."""
        return sharing.fitted(self, super().fit, X, y, params)


class HalvingRandomSearchCV(model_selection.HalvingRandomSearchCV):
    """Successive halving over draws; as scikit-learn's HalvingRandomSearchCV.

    Work is shared where ``return_train_score=False``, which is not the default here.
    """

    def fit(self, X, y=None, **params):
        """Search, then fit the best on all rows."""
        return sharing.fitted(self, super().fit, X, y, params)


class BayesSearchCV(BaseSearchCV):
    """Candidates where a model of the scores so far promises most; otherwise as RandomizedSearchCV.

    Parameters
    ----------
    search_spaces : {parameter: list, {low, high, log, int}, or scipy's uniform, loguniform or randint}
    n_iter : int
        Candidates.
    n_points : int
        How many are asked for at once.
    sampler : "gp" or "tpe"
        As in ``ml_core.search.bayes.Bayes``.
    """

    def __init__(  # noqa: PLR0913  as many as scikit-learn's have
        self,
        estimator,
        search_spaces,
        *,
        n_iter=50,
        n_points=4,
        sampler="gp",
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
    ):
        self.search_spaces = search_spaces
        self.n_iter = n_iter
        self.n_points = n_points
        self.sampler = sampler
        self.random_state = random_state
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def fit(self, X, y=None, **params):
        """Search, then fit the best on all rows."""
        return sharing.fitted(self, super().fit, X, y, params)

    def _run_search(self, evaluate_candidates):
        strategy = Bayes(self.n_iter, self.n_points, sampler=self.sampler)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        batches = strategy.batches(space_of(self.search_spaces), np.random.default_rng(seed))
        candidates, told = next(batches)[0], 0
        while candidates:
            results = evaluate_candidates(candidates)
            scores = results[self._metric(results)][told:]
            told += len(candidates)
            try:
                candidates, _ = batches.send(scores)
            except StopIteration:
                return

    def _metric(self, results):
        """The mean that decides: that of ``refit`` where there are several."""
        known = [name for name in results if name.startswith("mean_test_")]
        wanted = f"mean_test_{self.refit}"
        return wanted if wanted in known else known[0]


def space_of(given):
    """{parameter: list, {low, high, ...} or scipy's distribution} -> Space."""
    axes = {}
    for name, axis in given.items():
        if hasattr(axis, "rvs"):
            axes[name] = _range(axis, name)
        elif isinstance(axis, dict):
            axes |= parse({name: axis}, "search_spaces").axes
        else:
            if isinstance(axis, str | tuple) or not hasattr(axis, "__len__"):  # a tuple is a range elsewhere
                raise ValueError(
                    f"search_spaces.{name}: got {axis!r}, must be a list of values, {{low, high, log, int}}, "
                    "or scipy's uniform, loguniform or randint"
                )
            if not len(axis):
                raise ValueError(f"search_spaces.{name}: the list is empty; give values, or remove {name}")
            axes[name] = Values(tuple(axis))
    return Space(axes)


def _range(axis, name):
    low, high = axis.support()
    kind = getattr(axis.dist, "name", "") if hasattr(axis, "dist") else ""
    if kind not in ("uniform", "loguniform", "reciprocal", "randint"):
        raise ValueError(
            f"search_spaces.{name}: got scipy's {kind or type(axis).__name__}, allowed are uniform, "
            "loguniform, randint, a list, or {low, high, log, int}"
        )
    if kind == "randint":
        return Range(int(low), int(high), whole=True)
    return Range(float(low), float(high), log=kind != "uniform")
