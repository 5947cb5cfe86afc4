"""Logistic regression with an l1 or elastic-net penalty: Newton steps, each an exact lasso.

Letters: n rows, d columns, q lines (1 for two classes), W (q, d), b (q,), scores F (q, n), weight (n,) of
sum 1. The objective is mean of losses + l1 |W|_1 + l2 / 2 |W|^2. About F the loss of a line is weighted least
squares of a working response, the lasso of which ``kernels.working`` solves to rounding (Friedman, Hastie and
Tibshirani 2010); lines of many classes take turns, and then step together on the coefficients that live. A
line search on the true objective makes every step go down.
"""

import numpy as np
from scipy.sparse import csc_array, issparse
from scipy.special import expit, log_expit, log_softmax
from scipy.special import softmax as normal

from ml_core.kernels import gram, softmax
from ml_core.kernels.descent import Penalty
from ml_core.kernels.working import sources, wide

CURVE = 1e-5  # least curvature of a row: a row that is sure but wrong would ask for an endless step
SAMPLE = 16  # a first answer comes from one row in so many,
ENOUGH = 2000  # provided that leaves so many rows, and SAMPLE rows a column
JOINT = 2000  # coefficients up to which lines of many classes also step together
INNER = 1e-10, 10_000  # tolerance and sweeps of a step's lasso


class Lines:
    """The problem on its rows, and where it stands."""

    def __init__(self, X, codes, weight, q, fit_intercept):
        self.X, self.codes, self.weight = X, codes, weight / weight.sum()
        self.q, self.fit_intercept = q, fit_intercept
        n, d = X.shape
        self.columns = csc_array(X, dtype=np.float64) if wide(n, d) and issparse(X) else X
        self.W, self.b = np.zeros((q, d)), np.zeros(q)
        if fit_intercept:
            odds = np.bincount(codes, self.weight, max(q, 2))
            self.b = np.log(odds) - np.log(odds).mean() if q > 1 else np.log(odds[1:] / odds[:1])
        self.member = np.equal.outer(np.arange(q), codes) if q > 1 else (codes == 1)[None]

    def begin(self, W, b):
        """Start from lines W (q, d), b (q,)."""
        self.W, self.b = W.copy(), b.copy()
        return self

    def scores(self):
        """F (q, n)."""
        return np.ascontiguousarray(gram.times(self.X, self.W.T).T) + self.b[:, None]

    def loss(self, F):
        """Weighted mean loss at scores F (q, n)."""
        if self.q == 1:
            return -self.weight @ log_expit(np.where(self.member[0], F[0], -F[0]))
        return -self.weight @ log_softmax(F, axis=0)[self.codes, np.arange(len(self.codes))]

    def sure(self, F):
        """Probabilities (q, n)."""
        return expit(F) if self.q == 1 else normal(F, axis=0)


def solve(lines, penalty, tol, max_iter):
    """Move lines to their minimum under ``penalty`` -> steps, whether it converged.

    Ends once the slopes miss the optimality conditions by less than tol, and a round of steps has moved the
    scores' spread by less than tol / 1000 of the largest.
    """
    F, last = lines.scores(), np.inf
    for n_iter in range(1, max_iter + 1):
        moved = [_step(lines, F, k, penalty) for k in range(lines.q)]
        size, missed = np.max(moved, axis=0)
        left = size / max(1 - size / last, 1e-3) if last > 0 else size  # of steps that shrink as this one did
        if lines.q > 1 and np.count_nonzero(lines.W) <= JOINT:
            F = _together(lines, F, penalty)
        if left <= 1e-3 * tol and missed <= tol:
            return n_iter, True
        last = size
    return max_iter, False


def _together(lines, F, penalty):
    """One Newton step of all lines on the coefficients that live, none of which changes its sign -> F.

    Lines in turn alone come near slowly, since each moves what the others are best at.
    """
    P, d = lines.sure(F), lines.W.shape[1]
    live = [np.flatnonzero(w) for w in lines.W]
    own = [k * d + columns for k, columns in enumerate(live)]
    places = np.concatenate(own)
    error = lines.weight * (P - lines.member)
    w, slope = lines.W.ravel()[places], (error @ lines.X).ravel()[places]
    signs = np.sign(w)
    slope = np.append(slope + penalty.l1 * signs + penalty.l2 * w, error.sum(axis=1))
    curve = softmax.curvature(lines.X, P, lines.weight, live)
    inner = np.arange(len(w))
    curve[inner, inner] += penalty.l2 + 1e-12 * np.trace(curve)
    if not lines.fit_intercept:
        slope[len(w) :] = curve[len(w) :] = curve[:, len(w) :] = 0
    # one number on all intercepts moves no probability; any curvature there makes the rest solvable
    curve[len(w) :, len(w) :] += 1 / lines.q if lines.fit_intercept else np.eye(lines.q)
    try:
        step = -np.linalg.solve(curve, slope)
    except np.linalg.LinAlgError:
        return F
    before, share = lines.loss(F) + _size(lines.W.ravel(), penalty), 1.0
    old_W, old_b = lines.W, lines.b
    while share > 1e-3:
        new = w + share * step[: len(w)]
        lines.W = old_W.copy()
        lines.W.flat[places] = np.where(new * signs > 0, new, 0.0)
        lines.b = old_b + share * step[len(w) :]
        tried = lines.scores()
        if lines.loss(tried) + _size(lines.W.ravel(), penalty) <= before * (1 + 1e-14):
            return tried
        share /= 4
    lines.W, lines.b = old_W, old_b
    return F


def _step(lines, F, k, penalty):
    """Newton step of line k; F changes in place -> how far it went, how far from optimal it began."""
    P = lines.sure(F)[k]
    curve = np.maximum(P * (1 - P), CURVE)
    gap = lines.member[k] - P
    wish = (F[k] + gap / curve)[:, None]
    (source,), offset = sources(lines.columns, wish, lines.weight * curve, lines.fit_intercept)
    new, _, _ = source.solve(lines.W[k], penalty, *INNER)
    d = len(new)
    b = offset[d] - offset[:d] @ new if lines.fit_intercept else 0.0
    step, lift = new - lines.W[k], b - lines.b[k]
    change = gram.times(lines.X, step[:, None])[:, 0] + lift if step.any() else np.full(len(P), lift)
    slope = -(lines.weight * gap) @ change
    before, fall = _size(lines.W[k], penalty), slope + _size(new, penalty) - _size(lines.W[k], penalty)
    reach = max(np.abs(F[k] - lines.b[k]).max(initial=0), 1e-2)
    share, loss, tried = 1.0, lines.loss(F), F.copy()
    while fall < 0:
        tried[k] = F[k] + share * change
        after = lines.loss(tried) + _size(lines.W[k] + share * step, penalty)
        if after <= loss + before + 1e-4 * share * fall + 1e-14 * abs(loss):
            lines.W[k] = new if share == 1 else lines.W[k] + share * step
            lines.b[k] += share * lift
            F[k] = tried[k]
            break
        share /= 2
        if share < 1e-9:  # flat to the last digit
            break
    return min(1.0, np.abs(change).max(initial=0) / reach), max(-fall, 0.0)


def _size(w, penalty):
    return penalty.l1 * np.abs(w).sum() + penalty.l2 / 2 * (w @ w)


def first(lines, penalty, tol, max_iter):
    """Begin lines from the answer on a sample of the rows, where there are many."""
    n, d = lines.X.shape
    step = min(SAMPLE, n // max(ENOUGH, SAMPLE * d))
    if step < 2 or len(np.unique(lines.codes[::step][lines.weight[::step] > 0])) < max(lines.q, 2):
        return lines
    some = Lines(lines.X[::step], lines.codes[::step], lines.weight[::step], lines.q, lines.fit_intercept)
    solve(first(some, penalty, tol, max_iter), penalty, 10 * tol, max_iter)
    return lines.begin(some.W, some.b)


def fit_sparse(model, rows, size, start):
    """One fit -> W (q, d), b (q,), steps, converged.

    ``rows`` is (X, codes, weight), ``size`` (C, l1_ratio), ``start`` (q, d + 1) or None.
    """
    X, codes, weight = rows
    q = int(codes.max()) + 1
    lines = Lines(X, codes, weight, 1 if q == 2 else q, model.fit_intercept)
    strength, ratio = 1 / (size[0] * weight.sum()), size[1]
    penalty = Penalty(strength * ratio, strength * (1 - ratio))
    if start is None:
        first(lines, penalty, model.tol, model.max_iter)
    else:
        lines.begin(start[:, :-1], start[:, -1])
    steps, converged = solve(lines, penalty, model.tol, model.max_iter)
    if lines.q > 1:
        lines.b -= lines.b.mean()  # one number on all intercepts moves no probability
    return lines.W, lines.b, max(steps, 1), converged


def path(model, rows, strengths, ratio):
    """Each C from the one before -> W (c, q, d), b (c, q), trusted (c,); rows as for ``fit_sparse``."""
    found, start = [None] * len(strengths), None
    for i in np.argsort(strengths):
        W, b, _, trusted = fit_sparse(model, rows, (strengths[i], ratio), start)
        found[i], start = (W, b, trusted), np.column_stack([W, b])
    return tuple(np.array(part) for part in zip(*found, strict=True))
