"""A whole grid of trees or forests: rows are binned once, and a tree is grown once for all that share it.

Letters: n rows, q numbers of a leaf.

Trees of a forest do not depend on how many there are, so the largest forest holds all smaller ones. A limit
that only stops a branch earlier (max_depth, min_samples_split, min_impurity_decrease, ccp_alpha) leaves the
splits above it alone, so one tree of the loosest limits, cut back, is each of the others.
"""

import copy

import numpy as np
from sklearn.base import clone

from ml_core.models import forest_fit, forest_job, scoring, tree_prune
from ml_core.models.ensemble import Ensemble

STOPS = ("max_depth", "min_samples_split", "min_impurity_decrease", "ccp_alpha")
LOOSE = {"max_depth": None, "min_samples_split": 2, "min_impurity_decrease": 0.0, "ccp_alpha": 0.0}
DRAWS = ("random_state", "bootstrap", "max_samples", "class_weight", "criterion")  # what a tree begins with
APART = ("warm_start", "oob_score", "keep_targets")  # each fit for itself


def score_grid(self, X, y, candidates, folds, scorer=None):
    """Scores (candidates, folds), equal to one fit at a time; see ``models.scoring`` for the words."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    groups = _groups(self, candidates)
    for j, (train, test) in enumerate(folds if groups else []):
        parts = [scoring.rows_of(part, rows) for rows in (train, test) for part in (X, y)]
        drawn = {}
        for group in groups:
            try:
                _score_fold(group, parts, scorer, (scores[:, j], drawn))
            except (ValueError, TypeError):
                continue  # one fit at a time says why
    return scoring.score_rest(self, (X, y), (candidates, folds), scorer, scores)


def _groups(model, candidates):
    """[[(index, trial)]] of candidates that can share their trees, in the order of candidates."""
    found = {}
    for i, candidate in enumerate(candidates):
        try:
            trial = clone(model).set_params(**candidate)
            trial._validate_params()
        except (ValueError, TypeError):
            continue
        params = trial.get_params()
        if any(params.get(name) for name in APART) or not _seeded(trial):
            continue
        stops = () if trial.max_leaf_nodes is not None else STOPS  # best first, a stop frees leaves elsewhere
        rest = {k: v for k, v in params.items() if k != "n_estimators" and k not in stops}
        found.setdefault(repr(sorted(rest.items(), key=lambda item: item[0])), []).append((i, trial))
    return list(found.values())


def _seeded(trial):
    """Whether two fits draw alike."""
    return isinstance(trial.random_state, int | np.integer)


def _score_fold(group, parts, scorer, found):
    """Scores of a group on one fold; parts: X, y to fit on, X, y held out.

    found: (scores (candidates,), to be filled where the group's are; {draws: what trees began with}).
    """
    (X, y, held, truth), (scores, drawn), first = parts, found, group[0][1]
    loose = clone(first)
    if first.max_leaf_nodes is None:
        loose.set_params(**LOOSE | _loosest_depth(group))
    if hasattr(first, "n_estimators"):
        loose.set_params(n_estimators=max(trial.n_estimators for _, trial in group))
    loose._keep_grown = True
    draws = repr([getattr(first, name, None) for name in DRAWS])
    loose._drawn = drawn.setdefault(draws, {})
    loose.fit(X, y)
    grown, ground = loose.__dict__.pop("_grown")
    as_grown = tuple(getattr(loose, name) for name in STOPS)
    kept = {as_grown: (loose._ensemble.trees, loose._facts)}
    for i, trial in group:
        key = tuple(getattr(trial, name) for name in STOPS)
        if trial.max_leaf_nodes is not None:
            key = as_grown
        elif key not in kept:
            own = [_cut(one, ground, trial) for one in grown]
            kept[key] = forest_fit.trees_of(own, ground, loose._ensemble.bins)
        scores[i] = _score(_dressed(trial, loose, kept[key]), held, truth, scorer)


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
    """The trial as if fitted, with the first n_estimators of the trees."""
    from ml_core.kernels.trees import part

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
