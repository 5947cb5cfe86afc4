"""All C and folds of a logistic regression together: columns of one product.

Letters: n rows, d columns, c strengths, f folds, k = c f problems.
"""

from dataclasses import replace

import numpy as np

from ml_core.kernels import gram, newton, softmax, threads
from ml_core.models import scoring
from ml_core.models.line import read_whole
from ml_core.models.logistic import by_newton, descend, size_of
from ml_core.models.weights import balanced_weights

AT_ONCE = 128  # problems in one product: their scores stay in the cache beside a block of rows
ROWS = 400  # rows a column for a C's first answer
APART = (
    4.0  # times that two neighbouring C of those solved first may differ: all between them are interpolated
)
PATIENT = 50  # max_iter from which every way to the minimum gets there, so that all give the same scores


@threads.single
def score_logistic(model, X, y, candidates, folds, scorer):
    """Scores (candidates, folds) of LogisticRegression."""
    scores = np.full((len(candidates), len(folds)), np.nan)
    name = scoring.name_of(scorer, "accuracy")
    read, labels = read_whole(X), np.asarray(y)
    if read is not None and labels.ndim == 1 and not _missing(labels):
        classes, codes = np.unique(labels, return_inverse=True)
        for trial, indices, strengths in scoring.groups(model, candidates, "C", _known):
            weights = [_weights(trial, labels, train) for train, _ in folds]
            whole = [j for j, weight in enumerate(weights) if np.bincount(codes, weight).min() > 0]
            if len(classes) < 2 or not whole:
                continue
            grid = np.array(strengths), [weights[j] for j in whole]
            for j, lines in _solved(trial, read, codes, grid):
                held = scoring.Held(X, y, folds[whole[j]][1], scorer)
                right = codes[held.rows] if name == "accuracy" else None
                known = [{"C": strength} for strength in grid[0][lines[2]]], classes
                scores[np.array(indices)[lines[2]], whole[j]] = _scored(
                    trial, read, known, lines, (held, right)
                )
    return scoring.score_rest(model, (X, y), (candidates, folds), scorer, scores)


def _missing(labels):
    return labels.dtype.kind == "f" and not np.isfinite(labels).all()


def _known(trial):
    size_of(trial)
    # without a penalty separable classes have no minimum, and where one stops depends on where one began
    return trial.max_iter >= PATIENT and trial.penalty == "deprecated" and np.isfinite(trial.C)


def _solved(trial, X, codes, grid):
    """Yield (fold, (W (c, q, d), b (c, q), trusted (c,))) for (strengths, weights (n,) of each fold)."""
    strengths, weights = grid
    if trial.l1_ratio:
        from ml_core.models.logistic_sparse import path

        for j, weight in enumerate(weights):
            train = np.flatnonzero(weight)
            yield j, path(trial, (X[train], codes[train], weight[train]), strengths, trial.l1_ratio)
        return
    if by_newton(X, int(codes.max()) + 1, min(np.count_nonzero(weight) for weight in weights)):
        yield from _columns(trial, X, codes, strengths, weights)
        return
    for j, weight in enumerate(weights):
        train = np.flatnonzero(weight)
        yield j, _path(trial, X[train], codes[train], weight[train], strengths)


def _weights(trial, labels, train):
    """(n,): how often a fold trains on a row, times the weight of its class."""
    times = np.bincount(train, minlength=len(labels)).astype(np.float64)
    if trial.class_weight is not None:
        rows = np.flatnonzero(times)
        times[rows] = balanced_weights(trial.class_weight, times[rows], labels[rows])
    return times


def _columns(trial, X, codes, strengths, weights):
    """Two classes: Newton for as many folds at once as AT_ONCE allows."""
    used = np.max(weights, axis=0) > 0
    if not used.all():
        end = np.count_nonzero(used)
        some = slice(end) if used[:end].all() else used  # a view where the rows that train come first
        X, codes, weights = X[some], codes[some], [weight[some] for weight in weights]
    total = np.mean([weight.sum() for weight in weights])
    base, moved = newton.rows_for(X, codes == 1, weights[0][None], np.zeros(1, int), trial.fit_intercept)
    whole = replace(base, weight=np.max(weights, axis=0)[None])
    begin = _first(whole, 1 / (strengths * total), trial, len(weights) == 1)
    step = max(1, AT_ONCE // len(strengths))
    for first in range(0, len(weights), step):
        some = np.array(weights[first : first + step])
        of = np.repeat(np.arange(len(some)), len(strengths))
        rows = replace(base, weight=some, of=of)
        penalty = 1 / (np.tile(strengths, len(some)) * some.sum(axis=1)[of])
        start = newton.Lines(
            np.tile(begin.W, (len(some), 1)),
            np.tile(begin.b, len(some)),
            hessian=begin.hessian * len(some),
            near=begin.near,
        )
        found = newton.solve(rows, penalty, start, trial.tol, trial.max_iter, stale=0.5)
        b = found.b - found.W @ (rows.centre + moved)
        for j in range(len(some)):
            mine = slice(j * len(strengths), (j + 1) * len(strengths))
            yield first + j, (found.W[mine, None], b[mine, None], found.converged[mine])


def _first(rows, penalties, trial, alone):
    """A rough answer and a Hessian for each strength, from a sample of all rows: those APART one after the
    other, those between them by interpolation.

    ``alone``: the rows are those of one fold, so that without a sample the answers are all but final.
    """
    n, d = rows.X.shape
    step = n // max(ROWS * d, newton.ENOUGH)
    some = rows.some(step) if step > 1 and newton.usable(rows.some(step), 0) else rows
    near = alone and some is rows
    tol = (10 if near else 1000) * trial.tol
    order = np.argsort(-penalties, kind="stable")
    knots = order[_apart(-np.log(penalties[order]), np.log(APART))]
    lines, hessians = np.zeros((len(knots), d + 1)), []
    last = newton.first_answer(some, penalties[knots[:1]], trial.tol, trial.max_iter)
    for i, knot in enumerate(knots):
        last = newton.solve(some, penalties[knot : knot + 1], last, tol, trial.max_iter)
        lines[i, :d], lines[i, d] = last.W[0], last.b[0]
        hessians.append(last.hessian[0])
    places = -np.log(penalties[knots])
    lines = np.array([_between(places, lines, place) for place in -np.log(penalties)])
    nearest = np.abs(np.log(penalties)[:, None] + places).argmin(axis=1)
    return newton.Lines(lines[:, :d], lines[:, d], hessian=[hessians[i] for i in nearest], near=near)


def _apart(places, most):
    """Which of rising places to solve first: both ends, and no more than ``most`` between two."""
    found = [0]
    for i in range(1, len(places)):
        last = i == len(places) - 1 or places[i + 1] - places[found[-1]] > most
        if last and places[i] > places[found[-1]]:
            found.append(i)
    return found


def _between(places, lines, place):
    """The line at ``place``: Lagrange's cubic through the nearest four of lines (m, d + 1), places rising."""
    first = int(np.clip(np.searchsorted(places, place) - 2, 0, max(len(places) - 4, 0)))
    near = places[first : first + 4]
    share = [np.prod([(place - other) / (one - other) for other in near if other != one]) for one in near]
    return np.array(share) @ lines[first : first + 4]


def _path(trial, X, codes, weight, strengths):
    """Many classes or columns: one fold, each strength from the one before, all by one preconditioner."""
    q = int(codes.max()) + 1
    q = 1 if q == 2 else q
    problem, moved = softmax.problem(X, codes, weight, q, trial.fit_intercept)
    W, b = np.zeros((len(strengths), q, X.shape[1])), np.zeros((len(strengths), q))
    trusted = np.zeros(len(strengths), bool)
    start = np.zeros((q, X.shape[1] + 1))
    for i in np.argsort(strengths):
        penalty = 1 / (strengths[i] * weight.sum())
        W[i], b[i], _, trusted[i] = descend(problem, moved, penalty, start.copy(), trial)
        start = np.column_stack([W[i], b[i]])
    return W, b, trusted


def _scored(trial, X, known, lines, held):
    """Scores of the trusted lines; known = (parameters, classes), held = (rows, right codes or None)."""
    W, b = lines[0][lines[2]], lines[1][lines[2]]
    held, right = held
    if right is not None and len(W):
        score = gram.times(X[held.rows], W.reshape(-1, W.shape[2]).T) + b.ravel()
        score = score.reshape(len(right), *b.shape)
        label = score[:, :, 0] > 0 if b.shape[1] == 1 else score.argmax(axis=2)
        return (label == right[:, None]).mean(axis=0)
    steps = np.ones(1, np.int32)
    learned = [
        {"classes_": known[1], "coef_": w, "intercept_": i, "n_iter_": steps}
        for w, i in zip(W, b, strict=True)
    ]
    return [held.score(scoring.dressed(trial, c, X, line)) for c, line in zip(known[0], learned, strict=True)]
