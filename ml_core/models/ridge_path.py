"""All penalties and folds of the ridge family at the price of one pass over the rows.

Letters: n rows, d columns, t targets, a penalties, p = d + t + 1; shares (p, p), shift as in
``kernels.gram``. A fold's training share is the sum of the shares of its parts: nothing is subtracted, so
nothing cancels.
"""

import numpy as np
from sklearn.utils.validation import check_array

from ml_core.kernels import gram, threads
from ml_core.kernels.leastsquares import PLAIN, Factor, Spectrum
from ml_core.kernels.parts import parts_of
from ml_core.models import scoring
from ml_core.models.line import read_whole, set_classes, set_line, signs
from ml_core.models.weights import class_weights

SPECTRUM = 1e-7  # reciprocal condition from which eigenvectors keep the first nine digits of a score
MANY = 24  # penalties from which one eigendecomposition beats as many Cholesky factors
MEMORY = 2.5e8  # bytes of shares held at once
COLUMNS = 256  # columns of predictions made at once


@threads.single
def score_regressors(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds) of LinearRegression or Ridge."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    read, targets = read_whole(X), _numbers(y)
    plan = _plan(model, candidates) if read is not None and targets is not None else []
    if not plan:
        return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)
    name, Y = scoring.name_of(scorer, "r2"), targets.reshape(len(targets), -1)
    shift = gram.anchor(read, Y)
    for j, (train, test) in enumerate(fold_shares(read, Y, None, shift, folds)):
        if len(folds[j][0]) < read.shape[1]:
            continue  # wide: the (n, n) system of one fit is smaller
        held = scoring.Held(X, y, folds[j][1], scorer)
        for trial, indices, alphas in plan:
            lines = path(trial, train, shift, alphas, read.shape[1])
            found = quadratic(test, shift, lines, name)
            for k in np.flatnonzero(np.isnan(found) & lines[2]):
                fitted = scoring.dressed(model, candidates[indices[k]], read, {"n_iter_": None})
                found[k] = held.score(
                    set_line(fitted, lines[0][k], lines[1][k], targets.ndim == 1, read.dtype)
                )
            scores[indices, j] = found
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


@threads.single
def score_classifiers(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds) of RidgeClassifier."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    read, labels = read_whole(X), np.asarray(y)
    known = _classes(labels) if read is not None else None
    for trial, indices, alphas in _plan(model, candidates) if known else ():
        classes, Y = known
        codes, shift = np.searchsorted(classes, labels), gram.anchor(read, Y)
        weights = _fold_weights(trial.class_weight, labels, folds)
        for j, (train, _) in enumerate(fold_shares(read, Y, weights, shift, folds)):
            rows = folds[j][0]
            if len(rows) < read.shape[1] or len(np.unique(codes[rows])) < len(classes):
                continue
            lines = path(trial, train, shift, alphas, read.shape[1])
            held = scoring.Held(X, y, folds[j][1], scorer)
            if scoring.name_of(scorer, "accuracy") == "accuracy":
                found = _accuracies(read[held.rows], codes[held.rows], lines)
            else:
                dress = [scoring.dressed(model, candidates[i], read, {}) for i in indices[lines[2]]]
                found = [held.score(fitted) for fitted in _classifiers(dress, classes, lines, read.dtype)]
            scores[indices[lines[2]], j] = found
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


def _numbers(y):
    """Targets as floats; None where one is missing: one fit at a time says on which fold."""
    try:
        return check_array(y, ensure_2d=False, dtype=np.float64)
    except ValueError:
        return None


def _classes(labels):
    """Classes and targets of -1 and 1, or None for labels that no share can be taken of as a whole."""
    try:
        return signs(labels) if labels.ndim == 1 else None
    except ValueError:
        return None


def _classifiers(dressed, classes, lines, dtype):
    """Give each dressed classifier its line."""
    for k, fitted in zip(np.flatnonzero(lines[2]), dressed, strict=True):
        fitted.classes_, fitted.n_iter_, fitted._multilabel = classes, None, False
        yield set_classes(fitted, lines[0][k], lines[1][k], dtype)


def _plan(model, candidates):
    def known(trial):
        direct = not trial.positive and getattr(trial, "solver", "auto") in ("auto", "cholesky", "svd")
        return direct and np.ndim(getattr(trial, "alpha", 0.0)) == 0

    fast = "alpha" if hasattr(model, "alpha") else None
    found = scoring.groups(model, candidates, fast, known)
    return [
        (trial, np.array(indices), np.array([a or 0.0 for a in alphas])) for trial, indices, alphas in found
    ]


def _fold_weights(class_weight, labels, folds):
    """None, or a weight (n,) a fold: balance depends on the training rows."""
    if class_weight is None:
        return None
    weights = np.zeros((len(folds), len(labels)))
    for weight, (train, _) in zip(weights, folds, strict=True):
        weight[train] = class_weights(class_weight, None, labels[train])
    return weights


def fold_shares(X, Y, weights, shift, folds):
    """Yield (training share, held-out share) a fold; weights of training rows (folds, n), or None."""
    size = 8 * (len(shift) + 1) ** 2
    cut = None
    if weights is None:
        cut = parts_of(folds, len(Y), most=int(min(16 + 4 * len(folds), MEMORY // size)))
    if cut is None:
        for j, (train, test) in enumerate(folds):
            weight = None if weights is None else weights[j]
            yield gram.share(X, Y, weight, shift, train), gram.share(X, Y, None, shift, test)
        return
    parts, trains, tests = cut
    shares = [gram.share(X, Y, None, shift, rows) for rows in parts]
    nothing = np.zeros((len(shift) + 1,) * 2)
    for train, test in zip(trains, tests, strict=True):
        yield sum((shares[k] for k in train), nothing), sum((shares[k] for k in test), nothing)


def path(trial, train, shift, alphas, d):
    """Training share -> W (a, d, t), offset (a, d + t), trusted (a,): which ones the share gives well."""
    offset, G, lost = gram.about(train, shift, trial.fit_intercept)
    C, b = G[:d, :d], G[:d, d:]
    W = np.zeros((len(alphas), d, b.shape[1]))
    trusted = np.zeros(len(alphas), bool)
    if lost < 1 / SPECTRUM and np.isfinite(G).all() and _full_rank(trial, C):
        if len(alphas) >= MANY and alphas.any():
            spectrum = Spectrum(C, b)
            trusted = np.array([spectrum.rcond(alpha) >= SPECTRUM for alpha in alphas])
            W[trusted] = spectrum.solve(alphas[trusted])
        for k in np.flatnonzero(~trusted):
            factor = Factor(C, alphas[k])
            if factor.rcond >= PLAIN:
                W[k], trusted[k] = factor.solve(b), True
    return W, np.broadcast_to(offset, (len(alphas), len(offset))), trusted


def _full_rank(trial, C):
    """LinearRegression drops singular values below tol: where there are any, the rows must be factored."""
    if hasattr(trial, "alpha"):
        return True
    values = np.linalg.eigvalsh(C)
    return values[0] > max(1e-10, (2 * trial.tol) ** 2) * values[-1]


def quadratic(test, shift, lines, name):
    """Held-out share, lines -> scores (a,); nan where the share cannot tell or the score is not quadratic."""
    W, offset, trusted = lines
    scores = np.full(len(W), np.nan)
    d, n = W.shape[1], test[-1, -1]
    if name is None or name == "accuracy" or not n or not np.isfinite(test).all():
        return scores
    XX, XY, YY = test[:d, :d], test[:d, d:-1], np.diag(test)[d:-1]
    x, y = test[:d, -1:], test[d:-1, -1]
    local = offset - shift
    b = local[:, d:] - np.einsum("ad,adt->at", local[:, :d], W)
    terms = [
        YY,
        (W * (XX @ W)).sum(axis=1),
        n * b**2,
        -2 * (W * XY).sum(axis=1),
        2 * b * (W * x).sum(axis=1),
        -2 * b * y,
    ]
    error = sum(terms)
    size = sum(np.abs(term) for term in terms)
    spread = YY - y**2 / n
    if name == "r2":
        if n < 2 or (spread <= 1e-5 * YY).any():
            return scores
        sure = trusted & (size <= 1e5 * spread).all(axis=1)
        values = (1 - error / spread).mean(axis=1)
    else:
        sure = trusted & (error > 1e-6 * size).all(axis=1)
        error = np.where(sure[:, None], error, 0) / n
        values = -(np.sqrt(error) if name.startswith("neg_root") else error).mean(axis=1)
    scores[sure] = values[sure]
    return scores


def _accuracies(X, codes, lines):
    """Share of right labels (trusted,) on the held-out rows."""
    W, offset, trusted = lines[0][lines[2]], lines[1][lines[2]], lines[2]
    d, t = W.shape[1:]
    right = []
    step = max(1, COLUMNS // t)
    for first in range(0, int(trusted.sum()), step):
        some = W[first : first + step]
        lift = offset[first : first + step]
        intercept = lift[:, d:] - np.einsum("ad,adt->at", lift[:, :d], some)
        score = (
            gram.times(X, np.ascontiguousarray(some.transpose(1, 0, 2).reshape(d, -1))) + intercept.ravel()
        )
        score = score.reshape(len(codes), len(some), t)
        label = score[:, :, 0] > 0 if t == 1 else score.argmax(axis=2)
        right.append((label == codes[:, None]).mean(axis=0))
    return np.concatenate(right) if right else np.zeros(0)
