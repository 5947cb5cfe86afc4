"""All var_smoothing and folds of Gaussian naive Bayes from one pass of class sums.

Letters: n rows, d columns, q classes, s smoothings.
"""

import numpy as np

from ml_core.kernels import classsums, threads
from ml_core.kernels.parts import fold_sums
from ml_core.models import scoring
from ml_core.models.bayes import constants
from ml_core.models.labels import encoded
from ml_core.models.line import read_whole

MEMORY = 2.5e8  # bytes of class sums held at once
SMALL = 1e-8  # error of a log likelihood that a score from sums may have
COLUMNS = 256  # columns of likelihoods made at once


@threads.single
def score_bayes(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds) of GaussianNB."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    name = scoring.name_of(scorer, "accuracy")
    read, labels = read_whole(X), np.asarray(y)
    plan = scoring.groups(model, candidates, "var_smoothing", lambda trial: True)
    usable = isinstance(read, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "biuOSU" and plan
    if not usable:
        return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)
    classes, codes = encoded(labels)
    centre = classsums.centres_of(read, codes, len(classes))
    q = len(classes)

    def add(rows):
        return classsums.class_sums(read, codes, q, None, centre, rows)

    most = MEMORY // (16 * q * read.shape[1])
    for j, sums in enumerate(fold_sums(add, len(codes), [train for train, _ in folds], most)):
        if sums[0].min() == 0:
            continue  # a class without a training row is no class of that fit
        held = scoring.Held(X, y, folds[j][1], scorer)
        right = codes[held.rows] if name == "accuracy" else None
        for trial, indices, smoothings in plan:
            known = _models(trial, sums, centre, np.array(smoothings))
            if known is not None:
                chosen = np.array(indices)[known["sure"]]
                scores[chosen, j] = _scored(trial, read, classes, known, (held, right))
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


def _models(trial, sums, centre, smoothings):
    """Everything learned for each smoothing, stacked; None where the priors are refused."""
    try:
        prior = trial._prior(len(sums[0]))
    except ValueError:
        return None
    mean, var, error = classsums.spreads(sums, centre)
    epsilon = smoothings * classsums.pooled(sums[0], mean, var).max()
    every = var + epsilon[:, None, None]
    # an error of a variance weighs as much as the farthest row lies away, in variances
    reach = sums[2].sum(axis=0) + (np.ptp(centre, axis=0) ** 2 if centre.ndim > 1 else 0.0)
    sure = ((error * reach <= SMALL * every**2) & (every > 0)).all(axis=(1, 2))
    share = sums[0] / sums[0].sum() if prior is None else prior
    return {
        "sure": sure,
        "smoothing": smoothings[sure],
        "count": sums[0],
        "prior": share,
        "mean": mean,
        "var": every[sure],
        "epsilon": epsilon[sure],
    }


def _scored(trial, X, classes, known, held):
    """Scores of the sure smoothings; ``held`` is (rows, right codes or None)."""
    held, right = held
    values = []
    if right is not None:
        q, d = known["mean"].shape
        step = max(1, COLUMNS // q)
        rows = X[held.rows]
        for first in range(0, len(known["var"]), step):
            var = known["var"][first : first + step]
            mean = np.tile(known["mean"], (len(var), 1))
            score = classsums.likelihoods(
                rows, constants(known["prior"], var).ravel(), mean, var.reshape(-1, d)
            )
            label = score.reshape(len(rows), len(var), q).argmax(axis=2)
            values.extend((label == right[:, None]).mean(axis=0))
        return values
    shared = {
        "classes_": classes,
        "class_prior_": known["prior"],
        "class_count_": known["count"],
        "theta_": known["mean"],
    }
    for smoothing, var, epsilon in zip(known["smoothing"], known["var"], known["epsilon"], strict=True):
        learned = shared | {"var_": var, "epsilon_": epsilon}
        values.append(held.score(scoring.dressed(trial, {"var_smoothing": smoothing}, X, learned)))
    return values
