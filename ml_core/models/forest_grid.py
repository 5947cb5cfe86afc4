"""A whole grid of trees or forests: rows are binned once, and a tree is grown once for all that share it.

Letters: n rows, q numbers of a leaf.

Trees of a forest do not depend on how many there are, so the largest forest holds all smaller ones. A limit
that only stops a branch earlier (max_depth, min_samples_split, min_impurity_decrease, ccp_alpha) leaves the
splits above it alone, so one tree of the loosest limits, cut back, is each of the others. A larger
min_samples_leaf forbids cuts: a tree takes those it may from the one of the next smaller limit, and looks for
others only below the first that it may not.
"""

import copy
import warnings

import numpy as np
from sklearn.base import clone

from ml_core.models import forest_fit, forest_job, scoring, tree_prune
from ml_core.models.ensemble import Ensemble
from ml_core.models.forest_methods import least_rows

STOPS = ("max_depth", "min_samples_split", "min_impurity_decrease", "ccp_alpha")
LOOSE = {"max_depth": None, "min_samples_split": 2, "min_impurity_decrease": 0.0, "ccp_alpha": 0.0}
DRAWS = ("random_state", "bootstrap", "max_samples", "class_weight", "criterion")  # what a tree begins with
APART = ("warm_start", "oob_score", "keep_targets")  # each fit for itself


def score_grid(self, X, y, candidates, folds, scorer=None):
    """Scores (candidates, folds), equal to one fit at a time; see ``models.scoring`` for the words."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    groups = _groups(_trials(self, candidates)[0])
    for j, (train, test) in enumerate(folds if groups else []):
        parts = [scoring.rows_of(part, rows) for rows in (train, test) for part in (X, y)]
        drawn = {}
        for group in groups:
            try:
                _score_fold(group, parts, scorer, (scores[:, j], drawn))
            except (ValueError, TypeError):
                continue  # one fit at a time says why
    return scoring.score_rest(self, (X, y), (candidates, folds), scorer, scores)


def score_out_of_bag(self, X, y, candidates, scorer=None):
    """Scores (candidates,) without folds: each row is judged by the trees that did not draw it.

    A forest is grown once on all rows for all that share it. Scores equal those of one fit at a time with
    ``oob_score=True``, the scorer asked about ``oob_decision_function_`` or ``oob_prediction_``. nan, and a
    warning, where a candidate fails, has no bootstrap, or has rows that all its trees drew; where all
    candidates do, what the first one raised is raised.
    """
    scores = np.full(len(candidates), np.nan)
    trials, failed = _trials(self, candidates)
    for i, trial in list(trials.items()):
        if not trial.bootstrap:
            failed[i] = ValueError(
                f"{type(trial).__name__}(bootstrap=False) has no out-of-bag rows, every tree sees every row; "
                "set bootstrap=True, or score on folds"
            )
            del trials[i]
    drawn = {}
    for group in _groups(trials, apart=("warm_start",)):
        try:
            for i, trial, told in _bagged(group, X, y, drawn):
                scores[i], error = _score_bag(trial, told, (X, y), scorer)
                failed |= {i: error} if error else {}
        except Exception as error:
            failed |= dict.fromkeys((i for i, _ in group), error)
    if failed and len(failed) == len(candidates):
        raise failed[min(failed)]
    for i, error in sorted(failed.items()):
        warnings.warn(f"{candidates[i]} got no out-of-bag score: {error}", stacklevel=2)
    return scores


def _trials(model, candidates):
    """({index: model with a candidate's parameters}, {index: error of those refused})."""
    found, failed = {}, {}
    for i, candidate in enumerate(candidates):
        try:
            trial = clone(model).set_params(**candidate)
            trial._validate_params()
            found[i] = trial
        except (ValueError, TypeError) as error:
            failed[i] = error
    return found, failed


def _groups(trials, apart=None):
    """[[(index, trial)]] that can share their trees, in the order of ``trials`` {index: trial}.

    Those with a parameter named in ``apart``, or drawing by chance, are left out where it is None, for one
    fit at a time to judge; else each is a group of its own.
    """
    found = {}
    for i, trial in trials.items():
        params = trial.get_params()
        alone = any(params.get(name) for name in apart or APART) or not _seeded(trial)
        if alone and apart is None:
            continue
        # best first, a stop frees leaves elsewhere
        stops = () if trial.max_leaf_nodes is not None else (*STOPS, "min_samples_leaf")
        rest = {k: v for k, v in params.items() if k != "n_estimators" and k not in stops}
        key = i if alone else repr(sorted(rest.items(), key=lambda item: item[0]))
        found.setdefault(key, []).append((i, trial))
    return list(found.values())


def _seeded(trial):
    """Whether two fits draw alike."""
    return isinstance(trial.random_state, int | np.integer)


def _score_fold(group, parts, scorer, found):
    """Scores of a group on one fold; parts: X, y to fit on, X, y held out.

    found: (scores (candidates,), to be filled where the group's are; {draws: what trees began with}).
    """
    (X, y, held, truth), (scores, drawn) = parts, found
    for members, loose, trees_facts, _ in _shared(group, X, y, drawn):
        for i, trial in members:
            scores[i] = _score(_dressed(trial, loose, trees_facts), held, truth, scorer)


def _bagged(group, X, y, drawn):
    """Yield (index, trial as if fitted, ``bagged_mean``'s arguments) of a group, on rows out of bag."""
    from ml_core.models.forest_oob import after_each

    for members, loose, trees_facts, ground in _shared(group, X, y, drawn):
        codes = np.ascontiguousarray(ground.columns.T)
        most = max((trial for _, trial in members), key=lambda trial: trial.n_estimators)
        whole, own = _dressed(most, loose, trees_facts)._ensemble, loose._seeds[: most.n_estimators]
        for told in after_each(whole, codes, ground.draw, own):
            for i, trial in filter(lambda member: member[1].n_estimators == told[0], members):
                yield i, _dressed(trial, loose, trees_facts), told


def _score_bag(trial, told, data, scorer):
    """(score of a trial, None), or (nan, what it raised); data: X, y."""
    from ml_core.models.forest_oob import bagged_mean

    try:
        trial._raw = bagged_mean(*told)
        return scoring.judge(trial, scorer)(trial, *data), None
    except Exception as error:
        return np.nan, error


def _shared(group, X, y, drawn):
    """Yield ([(index, trial)] of the same limits, a fitted model of looser ones, (trees, facts) cut back to
    theirs, the Ground they grew on), the smallest min_samples_leaf first.

    drawn: {draws: what trees began with}, of other groups on the same rows.
    """
    same, grown = {}, ()
    for i, trial in group:
        same.setdefault(least_rows(trial, len(X)), []).append((i, trial))
    for leaf in sorted(same):
        # as deep as any that its trees will guide
        rest = [member for other in same if other >= leaf for member in same[other]]
        loose = _loosest(same[leaf], rest)
        draws = repr([getattr(loose, name, None) for name in DRAWS])
        loose._keep_grown, loose._drawn, loose._guides = True, drawn.setdefault(draws, {}), grown
        loose.fit(X, y)
        grown, ground = loose.__dict__.pop("_grown")
        for members, trees_facts in _shapes(same[leaf], loose, grown, ground):
            yield members, loose, trees_facts, ground
        del loose, trees_facts  # before the next are made


def _loosest(members, rest):
    """An unfitted model of the loosest limits and the most trees of members; as deep as any of rest."""
    first = members[0][1]
    loose = clone(first)
    if first.max_leaf_nodes is None:
        loose.set_params(**LOOSE | _loosest_depth(rest))
    if hasattr(first, "n_estimators"):
        loose.set_params(n_estimators=max(trial.n_estimators for _, trial in members), oob_score=False)
    return loose


def _shapes(group, loose, grown, ground):
    """Yield ([(index, trial)] of the same limits, (trees, facts) cut back to them)."""
    found = {}
    for i, trial in group:
        found.setdefault(tuple(getattr(trial, name) for name in STOPS), []).append((i, trial))
    as_grown = tuple(getattr(loose, name) for name in STOPS)
    for key, members in found.items():
        trial = members[0][1]
        if trial.max_leaf_nodes is not None or key == as_grown:
            yield members, (loose._ensemble.trees, loose._facts)
            continue
        own = [_cut(one, ground, trial) for one in grown]
        yield members, forest_fit.trees_of(own, ground, loose._ensemble.bins)


def _loosest_depth(group):
    """max_depth, where all of the group have one."""
    depths = [trial.max_depth for _, trial in group]
    return {} if None in depths else {"max_depth": max(depths)}


def _cut(grown, ground, trial):
    """A tree as the trial's stricter limits leave it."""
    from ml_core.models.forest_learn import prune
    from ml_core.models.forest_methods import limits_of

    own = copy.copy(ground)
    own.limits = limits_of(trial, ground.draw.n, len(ground.columns), ground.limits.random)
    target, mask = ground.target, (np.int64(1) << np.int64(grown.shift)) - 1
    total = int((grown.sums[0] if target.q else grown.sums[0, 1:]).sum() & mask)
    rules = forest_job.rules_of(own.limits, target, grown.shift, total)
    cut = tree_prune.stopped(grown, own.limits, rules["min_gain"])
    return prune(cut, own, trial.ccp_alpha) if trial.ccp_alpha > 0 else cut


def _dressed(trial, loose, trees_facts):
    """A copy of the trial as if fitted, with the first n_estimators of the trees."""
    from ml_core.kernels.trees import part

    trial = copy.copy(trial)
    trees, facts = trees_facts
    t = getattr(trial, "n_estimators", 1)
    for name in (
        "classes_",
        "n_classes_",
        "n_outputs_",
        "n_features_in_",
        "feature_names_in_",
        "max_features_",
    ):
        if hasattr(loose, name):
            setattr(trial, name, getattr(loose, name))
    own = part(trees, 0, t)
    if getattr(trial, "n_classes_", 0) == 1:
        own = own._replace(value=np.ones((len(own.value), 1)))
    if getattr(trial, "voting", "soft") == "hard":
        own = own._replace(value=np.eye(own.value.shape[1])[own.value.argmax(axis=1)])
    trial._ensemble = Ensemble(loose._ensemble.bins, own, own.value.shape[1])
    trial._facts = {name: fact[: len(own.left)] for name, fact in facts.items()}
    return trial


def _score(fitted, X, y, scorer):
    try:
        return float(scoring.judge(fitted, scorer)(fitted, X, y))
    except Exception:  # one fit at a time will raise it again, and say so
        return np.nan
