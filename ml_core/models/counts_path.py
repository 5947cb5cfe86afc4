"""All alphas and folds of naive Bayes of counts and of categories from one pass of counts.

Letters: n rows, d columns, q classes, s alphas.
"""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_array

from ml_core.kernels import categories, counts, threads
from ml_core.kernels.parts import fold_sums
from ml_core.models import discrete, scoring
from ml_core.models.bayes_categories import check_known, n_categories, starts, widened
from ml_core.models.labels import encoded

MEMORY = 2.5e8  # bytes of sums, and of a table, held at once
COLUMNS = 256  # columns of scores made at once


@threads.single
def score_counts(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds) of a model of ``discrete``."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    read, labels = _whole(model, X), np.asarray(y)
    plan = scoring.groups(model, candidates, "alpha", _allowed)
    if read is None or labels.ndim != 1 or labels.dtype.kind not in "biuOSU" or not plan:
        return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)
    classes, codes = encoded(labels)
    accurate = scoring.name_of(scorer, "accuracy") == "accuracy"
    trains = [train for train, _ in folds]
    for threshold in {getattr(trial, "binarize", None) for trial, _, _ in plan}:
        entries = [entry for entry in plan if getattr(entry[0], "binarize", None) == threshold]
        counted = _categories if _categorical(model) else _counts
        for j, sums in enumerate(counted(read, codes, len(classes), trains, threshold)):
            if sums[0].min() == 0:
                continue  # a class without a training row is no class of that fit
            held = scoring.Held(X, y, folds[j][1], scorer)
            rows = (read[held.rows], codes[held.rows]) if accurate else None
            for trial, indices, alphas in entries:
                scores[indices, j] = _scored(trial, alphas, (read, classes, sums), rows, held)
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


def _categorical(model):
    return model.__sklearn_tags__().input_tags.categorical


def _whole(model, X):
    """Checked X; None where some cell would be refused."""
    tags = model.__sklearn_tags__().input_tags
    dtype = "int" if tags.categorical else "numeric"
    try:
        X = check_array(X, accept_sparse="csr" if tags.sparse else False, dtype=dtype)
    except ValueError:
        return None
    smallest = (X.data if issparse(X) else X).min(initial=0)
    return None if tags.positive_only and smallest < 0 else X


def _allowed(trial):
    return isinstance(trial.alpha, Real) and (trial.force_alpha or trial.alpha >= discrete.LEAST)


def _counts(X, codes, q, trains, threshold):
    """Yield class counts (q,) and sums of cells (q, d) of each fold's training rows."""

    def add(rows):
        return counts.class_counts(X[rows], codes[rows], q, None, threshold)[:2]

    return fold_sums(add, len(codes), trains, MEMORY // (8 * q * (X.shape[1] + 1)))


def _categories(X, codes, q, trains, _):
    """Yield class counts (q,) and counts of categories, a (q, categories) for each column."""
    sizes = X.max(axis=0) + 1
    first, m = starts(sizes), int(sizes.sum())

    def add(rows):
        found = categories.category_counts(X[rows], codes[rows], None, first, (m, q))
        return np.bincount(codes[rows], minlength=q).astype(float), found

    for rows, found in fold_sums(add, len(codes), trains, MEMORY // (8 * q * (m + 1))):
        columns = np.split(found, first[1:])
        seen = [int(np.flatnonzero(column.any(axis=1))[-1]) + 1 for column in columns]
        yield rows, [column[:size].T for column, size in zip(columns, seen, strict=True)]


def _scored(trial, alphas, learned, rows, held):
    """Scores (s,) of one fold; nan for what one fit at a time must tell. ``rows`` (cells, codes) or None."""
    X, classes, sums = learned
    scores = np.full(len(alphas), np.nan)
    try:
        prior = discrete.log_prior(trial, sums[0])
        sums = _widened(trial, sums)
        if rows is not None and _categorical(trial):
            check_known(rows[0], [count.shape[1] for count in sums[1]])
    except (ValueError, IndexError):
        return scores
    weights = [trial._weights(sums, alpha) for alpha in alphas]
    if rows is None:
        trial.classes_ = classes
        trial._set(sums)
        shared = {name: value for name, value in vars(trial).items() if name.endswith("_")}
        for i, (alpha, log_prob) in enumerate(zip(alphas, weights, strict=True)):
            more = shared | {"feature_log_prob_": log_prob, "class_log_prior_": prior}
            scores[i] = held.score(scoring.dressed(trial, {"alpha": alpha}, X, more))
        return scores
    terms = [trial._terms(log_prob, prior) for log_prob in weights]
    m, q = terms[0][0].shape
    step = max(1, int(min(COLUMNS, MEMORY // (8 * m))) // q)
    for start in range(0, len(alphas), step):
        some = terms[start : start + step]
        joint = trial._product(rows[0], np.hstack([table for table, _ in some]), weights[0])
        joint += np.concatenate([constant for _, constant in some])
        label = discrete.largest(joint.reshape(len(joint), -1, q))
        scores[start : start + step] = (label == rows[1][:, None]).mean(axis=0)
    return scores


def _widened(trial, sums):
    """Sums as the trial's min_categories wants them."""
    if getattr(trial, "min_categories", None) is None:
        return sums
    sizes = n_categories(np.array([count.shape[1] for count in sums[1]]), trial.min_categories)
    return sums[0], [widened(count, size) for count, size in zip(sums[1], sizes, strict=True)]
