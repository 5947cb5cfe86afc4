"""Lasso and elastic net of many columns: a working set of them, and their Gram matrix, grow until no other
is missed.

Letters: n rows, d columns, s (n,) weights, m (d,) means (zero without intercept), y (n,) centred target. X
is dense and taken to be centred and scaled by sqrt(s) already (then s = 1, m = 0), or CSC, where both are
applied on the way. Massias, Gramfort and Salmon 2018 ("celer") prune and extrapolate; here exact solutions
on the set do without.
"""

import numpy as np
from scipy.sparse import csc_array, issparse

from ml_core.kernels import descent, gram, workers

WHOLE = 2000  # columns up to which the whole Gram matrix is made; twice as many where rows abound
FIRST = 50  # columns a working set starts with; it doubles at most
BLOCK = 1000  # columns whose squares are summed while they are in the cache
SOME = 0.2  # share of the columns to ask one by one; more are asked all at once


class Working:
    """X' S X on the columns that ever mattered, kept along a path of penalties."""

    def __init__(self, X, s, m, y):
        self.X, self.s, self.m = X, s, m
        self.total = s.sum()
        self.y, self.yy = y, s @ y**2
        self.q = self.correlate(y)
        self.columns = np.empty(0, np.int64)
        self.G = np.empty((0, 0))
        self.picked = X[:, self.columns]
        self.last = np.zeros(len(self.q)), self.q  # an answer and its slopes, from where a path goes on
        self.asked = y, self.q  # a residual and the slopes of all columns there
        self.lengths = None

    @property
    def finite(self):
        """Whether no sum has overflown."""
        return bool(np.isfinite(self.q).all() and np.isfinite(self.yy))

    def slopes(self, r, l1):
        """X' S r (d,) wherever it may reach l1; elsewhere what it was at an earlier residual, below l1 too.

        By Cauchy and Schwarz no slope moves by more than its column's length times what the residual moved
        (El Ghaoui, Viallon and Rabbani 2012 screen so before a fit; here it spares the check after it).
        """
        before, known = self.asked
        if self.lengths is None:
            self.lengths = self._lengths()
        moved = np.sqrt(self.s @ (r - before) ** 2)
        doubt = np.flatnonzero(np.abs(known) + self.lengths * moved > (1 - 1e-6) * l1)
        if len(doubt) > SOME * len(known):
            self.asked = r, self.correlate(r)
            return self.asked[1]
        h, v = known.copy(), self.s * r
        h[doubt] = self.X[:, doubt].T @ v
        if issparse(self.X):
            h[doubt] -= self.m[doubt] * v.sum()
        return h

    def _lengths(self):
        """Of the columns (d,), centred and weighted; a millionth too long, for what rounding takes."""
        if not issparse(self.X):
            return np.linalg.norm(self.X, axis=0) * (1 + 1e-6)
        square, edges = np.zeros(self.X.shape[1]), self.X.indptr
        even = bool((self.s == 1).all())
        for cut in workers.slices(len(square), BLOCK):
            inside = slice(edges[cut.start], edges[cut.stop])
            part = self.X.data[inside] ** 2
            if not even:
                part *= self.s[self.X.indices[inside]]
            starts = edges[cut.start : cut.stop + 1] - inside.start
            some = np.flatnonzero(np.diff(starts))
            if len(some):
                square[cut.start + some] = np.add.reduceat(part, starts[some])
        return np.sqrt(np.maximum(square - self.m**2 * self.total, 1e-9 * square)) * (1 + 1e-6)

    def correlate(self, r):
        """X' S r (d,), columns centred."""
        v = self.s * r
        if issparse(self.X):
            return self.X.T @ v - self.m * v.sum()
        parts = workers.each(
            lambda cut: self.X[:, cut].T @ v, workers.slices(self.X.shape[1], 512), workers.count()
        )
        return np.concatenate(parts)

    def add(self, new):
        """Take columns into the set."""
        A = self.X[:, new]
        if issparse(self.X):
            weighted = A.multiply(self.s[:, None]).tocsc()
            sums = np.asarray(weighted.sum(axis=0)).ravel()  # of the new ones: total times their means
            cross = (self.picked.T @ weighted).toarray() - np.outer(self.m[self.columns], sums)
            own = (A.T @ weighted).toarray() - np.outer(self.m[new], sums)
            own = (own + own.T) / 2
            from scipy.sparse import hstack

            self.picked = hstack([self.picked, A], format="csc")
        else:
            cross, own = self.picked.T @ A, A.T @ A
            self.picked = np.asfortranarray(np.hstack([self.picked, A]))
        self.G = np.block([[self.G, cross], [cross.T, own]])
        self.columns = np.append(self.columns, new)

    def residual(self, w):
        """y - X w (n,) for w (columns,)."""
        live = np.flatnonzero(w)
        return self.y - self.picked[:, live] @ w[live] + self.m[self.columns[live]] @ w[live]

    def solve(self, start, penalty, tol, most):
        """From start (d,) -> w (d,), gap, sweeps."""
        self._want(np.flatnonzero(start))
        sweeps = 0
        known = np.array_equal(start, self.last[0])
        h = self.last[1] if known else self.slopes(self.residual(start[self.columns]), penalty.l1)
        while True:
            excess = penalty.excess(h)
            missed = np.flatnonzero(excess > 1e-9 * penalty.l1)
            missed = missed[~np.isin(missed, self.columns)]
            if sweeps and (not len(missed) or sweeps >= most):
                break
            most_new = max(FIRST, len(self.columns))
            if len(missed) > most_new:
                missed = missed[np.argsort(-excess[missed], kind="stable")[:most_new]]
            self._want(missed)
            of = self.columns
            w, _, _, taken = descent.solve(
                self.G, self.q[of], self.yy, start[of], penalty, tol, max(most - sweeps, 1)
            )
            start = np.zeros(len(start))
            start[of] = w
            sweeps += taken
            h = self.slopes(self.residual(w), penalty.l1)
        self.last = start.copy(), h
        return start, max(descent.gap(self.yy, self.q, h, start, penalty), 0.0), sweeps

    def _want(self, columns):
        """Take those columns that are not in the set yet."""
        new = columns[~np.isin(columns, self.columns)]
        if len(new):
            self.add(new)


class Whole:
    """The same interface where the Gram matrix of all columns is at hand: G (d, d), q (d,), yy."""

    def __init__(self, G, q, yy, total):
        self.G, self.q, self.yy, self.total = G, q, yy, total
        self.last = np.zeros(len(q)), q  # an answer and its slopes, from where a path goes on

    @property
    def finite(self):
        """Whether no sum has overflown."""
        return bool(np.isfinite(self.G).all() and np.isfinite(self.q).all() and np.isfinite(self.yy))

    def solve(self, start, penalty, tol, most):
        """From start (d,) -> w (d,), gap, sweeps."""
        h = self.last[1] if np.array_equal(start, self.last[0]) else None
        w, h, gap, sweeps = descent.solve(self.G, self.q, self.yy, start, penalty, tol, most, h)
        self.last = w, h
        return w, gap, sweeps


def wide(n, d):
    """Whether only those of d columns of n rows are taken that come to matter."""
    return d > 2 * WHOLE or (d > WHOLE and n < d)


def sources(X, Y, weight, fit_intercept):
    """-> [a source of least squares per target, with ``solve`` and ``q``], offset (d + t,)."""
    n, d = X.shape
    if not wide(n, d):
        offset, G = gram.moments(X, Y, weight, fit_intercept)
        return wholes(G, d, n if weight is None else weight.sum()), offset
    gram.refuse(X, X.sum())
    s = np.ones(n) if weight is None else weight
    offset = np.zeros(d + Y.shape[1])
    if fit_intercept:
        offset[:d] = np.asarray(X.T @ s).ravel() / s.sum()
        offset[d:] = s @ Y / s.sum()
    if issparse(X):
        columns = csc_array(X, dtype=np.float64)
        return [Working(columns, s, offset[:d], y) for y in (Y - offset[d:]).T], offset
    root = np.sqrt(s)[:, None]
    columns = np.asfortranarray((X - offset[:d]) * root)
    one, zero = np.ones(n), np.zeros(d)
    found = [Working(columns, one, zero, y) for y in ((Y - offset[d:]) * root).T]
    for source in found:
        source.total = s.sum()
    return found, offset


def wholes(G, d, total):
    """Sources from a Gram matrix of [X, Y] about its offset."""
    inner = np.ascontiguousarray(G[:d, :d])
    return [Whole(inner, G[:d, j].copy(), G[j, j], total) for j in range(d, len(G))]
