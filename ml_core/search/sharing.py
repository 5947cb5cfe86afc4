"""How a search of scikit-learn's kind lets its candidates share their work through ``score_many``."""

import inspect
import time
import warnings
from collections import defaultdict

import numpy as np
from sklearn import get_config
from sklearn.base import ClassifierMixin, RegressorMixin, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import _num_samples, indexable

from ml_core.search.parts import Parts
from ml_core.search.problem import Problem


class Unshared(Exception):
    """Candidates that cannot share their work: scikit-learn's own code judges them."""


def fitted(search, alone, X, y, params):
    """``search``, fitted: by shared work where that can be, else by ``alone``, scikit-learn's own fit."""
    if not _can_share(search, y, params):
        return alone(X, y, **params)
    search._validate_params()
    scorers, metric = search._get_scorers()
    X, y = indexable(X, y)
    search._n_samples_orig = _num_samples(X)
    split = {"groups": params.get("groups")}
    search._checked_cv_orig = check_cv(search.cv, y, classifier=is_classifier(search.estimator))
    search._check_input_parameters(X=X, y=y, split_params=split)
    search.n_splits_ = search._checked_cv_orig.get_n_splits(X, y, **split)
    judged = Judged(search, X, y, split)
    try:
        known = inspect.signature(search._run_search).parameters
        search._run_search(judged.evaluate, **({"callback_ctx": Nobody()} if "callback_ctx" in known else {}))
    except Unshared:
        return alone(X, y, **params)
    search.cv_results_, search.multimetric_ = judged.results, judged.several
    search.scorer_ = getattr(scorers, "_scorers", scorers)
    _choose(search, metric, judged.results)
    if search.refit:
        started = time.time()
        search.best_estimator_ = clone(search.estimator).set_params(**clone(search.best_params_, safe=False))
        search.best_estimator_.fit(X, *([] if y is None else [y]))
        search.refit_time_ = time.time() - started
        if hasattr(search.best_estimator_, "feature_names_in_"):
            search.feature_names_in_ = search.best_estimator_.feature_names_in_
    return search


def _choose(search, metric, results):
    """best_index_, best_params_ and best_score_, as scikit-learn sets them."""
    if not (search.refit or not isinstance(search.scoring, list | tuple | dict)):
        return
    search.best_index_ = search._select_best_index(search.refit, metric, results)
    if not callable(search.refit):
        search.best_score_ = results[f"mean_test_{metric}"][search.best_index_]
    search.best_params_ = results["params"][search.best_index_]


def _can_share(search, y, params):
    """Whether all that is asked for is what ``score_many`` gives."""
    last = search.estimator.steps[-1][1] if isinstance(search.estimator, Pipeline) else search.estimator
    plain = not (search.return_train_score or search.verbose or getattr(search, "_skl_callbacks", None))
    known = params.keys() <= {"groups"} and y is not None and not get_config()["enable_metadata_routing"]
    return plain and known and hasattr(last, "score_many") and bool(_scorers(search, last))


def _scorers(search, last):
    """{name: scorer that score_many takes}; {} where scikit-learn must judge."""
    given = search.scoring
    if isinstance(given, list | tuple):
        given = dict(zip(map(str, given), given, strict=True))
    found = dict(given) if isinstance(given, dict) else {"score": given}
    own = {ClassifierMixin.score: "accuracy", RegressorMixin.score: "r2"}.get(
        getattr(type(last), "score", None)
    )
    found = {name: own if scorer is None else scorer for name, scorer in found.items()}
    able = all(isinstance(scorer, str) or hasattr(scorer, "_score_func") for scorer in found.values())
    return found if able else {}


class Judged:
    """Scores of all candidates so far, in the form of scikit-learn's ``evaluate_candidates``."""

    def __init__(self, search, X, y, split):
        self.search, self.split = search, split
        self.X, self.y = (np.asarray(part) if isinstance(part, list) else part for part in (X, y))
        self.several = isinstance(search.scoring, list | tuple | dict)
        self.results, self._candidates, self._out, self._more = {}, [], [], defaultdict(list)

    def evaluate(self, candidate_params, cv=None, more_results=None, callback_ctx=None):
        """Results of these candidates and all before, as ``cv_results_`` holds them."""
        candidates, splits = list(candidate_params), self.search.n_splits_
        folds = list((cv or self.search._checked_cv_orig).split(self.X, self.y, **self.split))
        if len(folds) != splits:
            raise ValueError(
                f"cv.split and cv.get_n_splits return inconsistent results. Expected {splits} splits, got "
                f"{len(folds)}"
            )
        if not candidates:
            raise ValueError("No fits were performed. Was the CV iterator empty? Were there no candidates?")
        told = [[None] * splits for _ in candidates]
        for outer, members in _grouped(self.search.estimator, candidates):
            self._judge(outer, members, folds, told)
        self._candidates += candidates
        self._out += [self._row(one) for row in told for one in row]
        for name, values in (more_results or {}).items():
            self._more[name] += values
        self.results = self.search._format_results(self._candidates, splits, self._out, self._more)
        return self.results

    def _judge(self, outer, members, folds, told):
        """Fill ``told`` [candidate][fold] for candidates that differ in the last step's parameters alone."""
        from ml_core.search.local import Local
        from ml_core.search.units import planned

        whole = clone(self.search.estimator).set_params(**clone(outer, safe=False))
        steps = whole.steps if isinstance(whole, Pipeline) else [("model", whole)]
        before, last = steps[:-1], steps[-1][1]
        scorers = _scorers(self.search, last) if hasattr(last, "score_many") else {}
        if not scorers:
            raise Unshared
        (first, scorer), *more = scorers.items()
        features = Pipeline(before) if before else FunctionTransformer()
        kept = Parts(once=True)
        problem = Problem(self.X, self.y, features, last, folds, scorer, dict(more), kept=kept)
        units = planned(problem, [own for _, own in members], 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [one for _, results in Local()(problem, units) for one in results]
        for one in found:
            scores = [one.score, *one.more]
            if not np.isfinite(scores).all():
                raise Unshared  # scikit-learn warns, raises or fills in, as error_score says
            told[members[one.candidate][0]][one.fold] = dict(zip(scorers, scores, strict=True)), one.seconds

    def _row(self, one):
        scores, seconds = one
        scores = scores if self.several else scores["score"]
        return {"test_scores": scores, "fit_time": seconds, "score_time": 0.0}


class Nobody:
    """Stands where scikit-learn keeps its callbacks; there are none."""

    def subcontext(self, **more):
        """Itself."""
        return self

    def call_on_fit_task_begin(self, **more):
        """Itself."""
        return self

    def call_on_fit_task_end(self, **more):
        """Nothing."""


def _grouped(estimator, candidates):
    """[(parameters of the steps before the last, [(place, the last step's own)])], in order of appearance."""
    prefix = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
    groups = {}
    for place, candidate in enumerate(candidates):
        own = {n[len(prefix) :]: value for n, value in candidate.items() if n.startswith(prefix)}
        outer = {name: value for name, value in candidate.items() if not name.startswith(prefix)}
        key = tuple(
            (n, repr(v) if isinstance(v, str | int | float | None) else id(v)) for n, v in outer.items()
        )
        groups.setdefault(key, (outer, []))[1].append((place, own))
    return list(groups.values())
