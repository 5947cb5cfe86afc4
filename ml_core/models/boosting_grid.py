"""Scores of many boosting candidates: what a fold's candidates share is made once.

All candidates of a fold use one binning of its training rows (never of its test rows, so that scores equal
those of one fit at a time to the bit), and those that differ only in ``max_iter``, or in ``tol`` and
``n_iter_no_change``, are prefixes of one fit: it goes on until each of them would have stopped, and when one
does cannot depend on how long others go on. The fits are shared out among the threads, each on one of its
own.
"""

import copy

import numpy as np

from ml_core.kernels.workers import each
from ml_core.models.boosting_fit import Shared, fit, raw_after, seconds
from ml_core.models.boosting_watch import Rule
from ml_core.models.engine import kernels_for
from ml_core.models.scoring import judge, rows_of, score_rest
from ml_core.models.twin import twin

ENDS = ("max_iter", "tol", "n_iter_no_change")


def alike(model, candidates):
    """Candidates that differ in ENDS only -> [(model with the most rounds, [index], [Rule])]."""
    found, names = {}, [name for name in model.get_params(deep=False) if name not in ENDS]
    for i, candidate in enumerate(candidates):
        try:
            trial = twin(model, candidate)
            trial._validate_params()
            if trial.warm_start:
                continue
        except (ValueError, TypeError):
            continue
        rest = repr([getattr(trial, name) for name in names])
        group = found.setdefault(rest, [trial, [], []])
        group[0] = trial if trial.max_iter >= group[0].max_iter else group[0]
        group[1].append(i)
        group[2].append(Rule.of(trial))
    return list(found.values())


def score_rounds(trial, test, wanted, score):
    """Score a fitted trial after each of the wanted numbers of rounds, or where it stopped -> [score]."""
    X, y = test
    wanted = [min(number, trial.n_iter_) for number in wanted]
    found, seen = {}, copy.copy(trial)
    for number, raw in raw_after(trial, X, sorted(set(wanted))):
        seen._raw = raw
        found[number] = score(seen, X, y)
    return [found[number] for number in wanted]


def score_fold(groups, parts, scorer, engine):
    """groups as ``alike``, parts (own, held) each (X, y) -> {index: score}; what raises has none."""
    (own, held), shared = parts, Shared(threads=1 if engine[1] > 1 else None)

    def one(group):
        trial, indices, rules = group
        try:
            fit(trial, trial._problem(*own), shared, rules)
            rounds = [rule.rounds(trial._scores) if trial._scores else rule.most for rule in rules]
            found = score_rounds(trial, held, rounds, judge(trial, scorer))
        except Exception:  # one fit at a time will raise it again, and say so
            return []
        return zip(indices, found, strict=True)

    return {i: score for found in each(one, groups, engine[1]) for i, score in found}


def score_grid(model, data, candidates, folds, scorer):
    """data (X, y) -> scores (candidates, folds); nan where a fit raises."""
    X, y = data
    scores = np.full((len(candidates), len(folds)), np.nan)
    for j, (train, test) in enumerate(folds):
        groups = alike(model, candidates)
        if not groups:
            continue
        parts = [(rows_of(X, rows), rows_of(y, rows)) for rows in (train, test)]
        d = np.shape(X)[1]
        asked = sum(seconds(trial, len(train), d, 1) for trial, _, _ in groups) * (len(folds) - j)
        with kernels_for(asked, kernel="grow.grow") as (kernels, threads):
            found = score_fold(groups, parts, scorer, (kernels, threads if kernels.together() else 1))
        for i, score in found.items():
            scores[i, j] = score
    return score_rest(model, data, (candidates, folds), scorer, scores)
