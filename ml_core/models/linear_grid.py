"""All C and folds of a linear machine with a squared loss: Newton walks along C on one matrix for all folds.

A fold is a weighting of the same rows, how often it trains on each. From one C to the next few rows come or
go, and the sums of the others stay. Other losses, and very wide rows, are fitted one at a time.
"""

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import check_array

from ml_core.kernels import threads
from ml_core.models import linear_machine, scoring


@threads.single
def score_many(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds), nan where one fit raises."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    labels, quick = np.asarray(y), is_classifier(model) and scoring.name_of(scorer, "accuracy") == "accuracy"
    try:
        values = check_array(X, accept_sparse="csr", dtype=np.float64, order="C")
    except ValueError:
        values = None  # some folds may still be sound: one fit at a time will tell
    whole = values is not None and labels.ndim == 1
    for trial, indices, strengths in scoring.groups(model, candidates, "C", _known) if whole else []:
        ready = linear_machine.prepare(values, trial)
        for j, (train, test) in enumerate(folds if ready.method == "newton" else []):
            held = None if quick else scoring.Held(X, y, test, scorer)
            for i, fitted, f in _path(trial, ready, labels, train, strengths):
                score = held.score(fitted) if held else np.mean(fitted._labels(f[test]) == labels[test])
                scores[indices[i], j] = score
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


def _known(trial):
    trial._check()
    return trial.loss.startswith("squared")


def _path(trial, ready, labels, train, strengths):
    """Yield (index, fitted model, f (n, problems)) for each C whose machines converge, the smallest first."""
    try:
        learned, losses = trial._of_fold(labels, train)
    except ValueError:
        return  # one fit at a time says why
    stands = [None] * len(losses)
    width = ready.design.X.shape[1] if ready.back is None else len(ready.back) - bool(trial.fit_intercept)
    for i in np.argsort(strengths, kind="stable"):
        for loss in losses:
            loss.C = float(strengths[i])
        found = [
            linear_machine.best(ready, loss, trial, stand) for loss, stand in zip(losses, stands, strict=True)
        ]
        stands = [each.stand for each in found]
        if not all(each.converged and np.isfinite(each.w).all() for each in found):
            return
        fitted = clone(trial).set_params(C=strengths[i])
        vars(fitted).update(learned, n_features_in_=width)
        fitted._store(found)
        yield i, fitted, np.column_stack([stand.f for stand in stands])
