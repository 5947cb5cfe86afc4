"""Logistic regression of many classes, or of many columns: L-BFGS in the eigenvectors of a near Hessian.

Letters: n rows, d columns, q classes (1 for two labels: a score is then the log odds of the second).
X (n, d) dense or CSR, W (q, d + 1) with the intercepts last, scores Z (q, b) of a block of b rows.
The Hessian is near S x G, the classes' mean covariance (q, q) times the Gram of X (d, d): in the
eigenvectors of both it is diagonal whatever the penalty, so one decomposition serves a whole path. Wide X:
G's diagonal only. Where scores vary, along the span of W, a sample of the rows corrects it (``span``).
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from ml_core.kernels import gram, span, threads
from ml_core.kernels.gram import dense
from ml_core.kernels.leastsquares import Factor
from ml_core.kernels.secant import direction

EIGEN = 512  # columns up to which G is decomposed
MEMORY = 20  # steps that L-BFGS remembers
EXACT = 2500  # unknowns up to which the whole Hessian may be taken
LEAST = 10  # steps before it is worth taking
SPAN = 2, 4, 7  # steps before which the near Hessian is corrected along the span of W,
WIDTH = 300  # in that many unknowns at most,
ROWS = 64  # from so many rows for each of them


@dataclass(frozen=True)
class Problem:
    """Rows, codes (n,) in 0..q-1 (0 and 1 when q is 1), weights (n,) of sum 1, and what preconditions them.

    ``basis`` (d, d) are eigenvectors of the centred Gram, None for unit vectors; ``values`` (d,) its
    eigenvalues.
    """

    X: object
    codes: np.ndarray
    weight: np.ndarray
    q: int
    centre: np.ndarray
    values: np.ndarray
    basis: np.ndarray | None
    fit_intercept: bool


@threads.single
def problem(X, codes, weight, q, fit_intercept):
    """Build the Problem of rows X; weight (n,) of any sum -> Problem, how far its X was moved (d,)."""
    n, d = X.shape
    weight, none = weight / weight.sum(), np.zeros((n, 0))
    centre, basis = np.zeros(d), None
    if d <= EIGEN:
        centre, G = gram.moments(X, none, weight, fit_intercept)
        values, basis = np.linalg.eigh(G)
    else:
        if fit_intercept and isinstance(X, np.ndarray):
            centre = gram.shift_of(X, none)
        values = _squares(X, weight, centre)
    moved = np.zeros(d)
    if isinstance(X, np.ndarray):
        few = X[:: max(1, n // 1024)]
        if (np.abs(centre) > 1e3 * few.std(axis=0) + 1e-300).any():
            X, moved, centre = X - centre, centre, moved
    return Problem(X, codes, weight, q, centre, np.maximum(values, 0), basis, fit_intercept), moved


def _squares(X, weight, centre):
    """Weighted mean squares of the columns about the centre (d,)."""
    if not isinstance(X, np.ndarray):
        return X.multiply(X).T @ weight
    slabs = threads.slabs(len(weight), X.shape[1])
    return threads.total(lambda cuts: sum(weight[cut] @ (X[cut] - centre) ** 2 for cut in cuts), slabs)


def evaluate(p, W):
    """W (q, d + 1), intercepts at the centre -> loss, slope (q, d + 1), classes' mean covariance (q, q)."""
    d = p.X.shape[1]
    lift = (W[:, -1] - W[:, :-1] @ p.centre)[:, None]

    def work(cuts):
        loss, slope, spread = 0.0, np.zeros_like(W), np.zeros((p.q, p.q))
        for cut in cuts:
            Xb, codes, weight = gram.block(p.X, cut), p.codes[cut], p.weight[cut]
            Z = np.ascontiguousarray((Xb @ W[:, :-1].T).T)
            Z += lift
            part, P = _share(Z, codes, weight)
            loss += part
            weighted = P * weight
            if p.q == 1:
                spread += (weighted * (1 - P)).sum()
                P[0] -= codes
            else:
                spread += np.diag(weighted.sum(axis=1)) - weighted @ P.T
                P[codes, np.arange(len(codes))] -= 1
            P *= weight
            slope[:, :d] += P @ Xb
            slope[:, d] += P.sum(axis=1)
        return np.array(loss), slope, spread

    loss, slope, spread = threads.total(work, threads.slabs(len(p.codes), max(d, p.q)))
    slope[:, :-1] -= slope[:, -1:] * p.centre
    if not p.fit_intercept:
        slope[:, -1] = 0
    return float(loss), slope, spread


def _share(Z, codes, weight):
    """Scores Z (q, b), overwritten -> weighted loss, probabilities (q, b); of label 1 when q is 1."""
    if len(Z) == 1:
        margin = np.where(codes == 1, Z[0], -Z[0])
        E = np.exp(-np.abs(Z))
        return weight @ (np.log1p(E[0]) + np.maximum(-margin, 0)), np.where(Z >= 0, 1, E) / (1 + E)
    Z -= Z.max(axis=0)
    right = Z[codes, np.arange(len(codes))]
    P = np.exp(Z, out=Z)
    total = P.sum(axis=0)
    loss = weight @ (np.log(total) - right)
    P /= total
    return loss, P


def _near_inverse(p, spread, penalty):
    """Function (q, d + 1) -> (q, d + 1): the inverse of S x G + penalty."""
    spread, classes = np.linalg.eigh(spread)
    spread = np.maximum(spread, 0)
    floor = 1e-12 * spread[-1] * p.values.max(initial=0)
    weights = np.outer(spread, p.values) + penalty
    weights = np.divide(1, weights, out=np.zeros_like(weights), where=weights > floor)
    # the sum of all intercepts moves no probability: that direction keeps its start
    ones = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-12 * spread[-1])[:, None]

    def apply(R):
        R = classes.T @ R
        inner = R[:, :-1] if p.basis is None else R[:, :-1] @ p.basis
        inner = inner * weights
        inner = inner if p.basis is None else inner @ p.basis.T
        return classes @ np.hstack([inner, R[:, -1:] * ones])

    return apply


def _along(p, W, spread, penalty):
    """``_near_inverse``, exact along the span of W as far as a sample tells; None if that costs too much."""
    n, d = p.X.shape
    inner = W[:, :-1]
    most = WIDTH // p.q - 1
    if most < 1 or not inner.any():
        return None
    U = span.directions(inner, spread, (p.values, p.basis), min(most, d, p.q))
    size = p.q * (U.shape[1] + 1)
    step = max(1, n // (ROWS * size))
    cells = n * d if isinstance(p.X, np.ndarray) else p.X.nnz
    if (n // step) * size**2 + 20 * size**3 > 2 * cells * p.q:
        return None
    X, weight = gram.block(p.X, slice(None, None, step)), p.weight[::step]
    if weight.sum() == 0:
        return None
    lift = (W[:, -1] - inner @ p.centre)[:, None]
    weight = weight / weight.sum()
    P = _share(np.ascontiguousarray((X @ inner.T).T) + lift, p.codes[::step], weight)[1]
    T, ridge = X @ U - p.centre @ U, penalty * (U.T @ U)
    if p.fit_intercept:
        T, ridge = np.hstack([T, np.ones((len(T), 1))]), np.pad(ridge, (0, 1))
    K = span.correction(span.curvature(T, P, weight), spread, ridge)
    near = _near_inverse(p, spread, penalty)

    def apply(R):
        found, part = near(R), R[:, :-1] @ U
        part = np.hstack([part, R[:, -1:]]) if p.fit_intercept else part
        part = (K @ part.ravel()).reshape(part.shape)
        found[:, :-1] += part[:, : U.shape[1]] @ U.T
        if p.fit_intercept:
            found[:, -1] += part[:, -1]
        return found

    return apply


def _price(p):
    """How many products the exact Hessian costs, thin ones at a quarter of its speed; inf if too large."""
    n, d = p.X.shape
    size = p.q * (d + 1)
    if size > EXACT:
        return np.inf
    return max(LEAST, (n * size**2 + size**3 / 3) / (16 * n * size + 1e6))


def _exact_inverse(p, W, penalty):
    """The inverse Hessian at W, a function like ``_near_inverse``; None where it is close to singular."""
    d, q = p.X.shape[1], p.q
    size = q * (d + 1)
    lift = (W[:, -1] - W[:, :-1] @ p.centre)[:, None]

    def work(cuts):
        curve, alone = np.zeros((size, size)), np.zeros((q, d + 1, d + 1))
        for cut in cuts:
            weight = p.weight[cut]
            ones = np.hstack([dense(p.X, cut) - p.centre, np.ones((len(weight), 1))])
            P = _share(
                np.ascontiguousarray((gram.block(p.X, cut) @ W[:, :-1].T).T) + lift, p.codes[cut], weight
            )[1]
            if q == 1:
                P = np.sqrt(P * (1 - P) * weight)
                curve += (M := ones * P[0][:, None]).T @ M
                continue
            M = ((P * np.sqrt(weight)).T[:, :, None] * ones[:, None, :]).reshape(len(weight), size)
            curve -= M.T @ M
            for k in range(q):
                alone[k] += (M := ones * np.sqrt(P[k] * weight)[:, None]).T @ M
        return curve, alone

    curve, alone = threads.total(work, threads.slabs(len(p.codes), size))
    blocks = curve.reshape(q, d + 1, q, d + 1)
    blocks[np.arange(q), :, np.arange(q), :] += alone
    free = np.full(d + 1, penalty == 0)
    free[-1] = q > 1
    # moving all classes alike changes no probability; any curvature there makes the rest solvable
    for j in np.flatnonzero(free) if q > 1 else ():
        blocks[:, j, :, j] += np.diag(alone.sum(axis=0))[j] / q
    inner = np.arange(size).reshape(q, d + 1)[:, :-1].ravel()
    curve[inner, inner] += penalty
    if not p.fit_intercept:
        last = np.arange(size).reshape(q, d + 1)[:, -1]
        curve[last], curve[:, last] = 0, 0
    factor = Factor(curve)
    if factor.rcond < 1e-13:
        return None
    return lambda R: factor.solve(R.ravel()).reshape(R.shape)


@threads.single
def curvature(X, P, weight, live):
    """Hessian of the mean loss in the coefficients ``live`` (q lists of columns) and the q intercepts.

    P (q, n) probabilities, weight (n,) of sum 1 -> (sizes + q,)^2: line after line, intercepts last.
    """
    q = len(P)
    starts = np.cumsum([0, *map(len, live)])
    width = starts[-1] + q

    def work(cuts):
        total = np.zeros((width, width))
        for cut in cuts:
            Xb, M = dense(X, cut), np.empty((len(weight[cut]), width))
            for k, columns in enumerate(live):
                mine = np.append(np.arange(starts[k], starts[k + 1]), starts[-1] + k)
                one = np.hstack([Xb[:, columns], np.ones((len(M), 1))])
                M[:, mine] = one * (P[k, cut] * np.sqrt(weight[cut]))[:, None]
                one *= np.sqrt(P[k, cut] * weight[cut])[:, None]
                total[np.ix_(mine, mine)] += one.T @ one
            total -= M.T @ M
        return total

    return threads.total(work, threads.slabs(len(weight), max(X.shape[1], width)))


@threads.single
def descend(p, penalty, W, tol, max_iter):
    """From W (q, d + 1), intercepts at the centre -> W at the minimum, steps taken, whether it converged."""

    def value(W):
        loss, slope, spread = evaluate(p, W)
        slope[:, :-1] += penalty * W[:, :-1]
        return loss + penalty / 2 * (W[:, :-1] ** 2).sum(), slope, spread

    scale = np.append(np.sqrt(p.values if p.basis is None else p.basis**2 @ p.values), 1.0)
    loss, slope, spread = value(W)
    pairs, small, spent, exact, along = deque(maxlen=MEMORY), 0, 0, None, None
    price = _price(p)
    for n_iter in range(1, max_iter + 1):
        if spent >= price:  # as much went into products as the Hessian costs: now it pays
            exact, spent = _exact_inverse(p, W, penalty), 0
            pairs.clear()
        spent += 1
        if n_iter in SPAN and not exact:
            along = _along(p, W, spread, penalty)
        step = direction(slope, pairs, exact or along or _near_inverse(p, spread, penalty))
        fall, share = (slope * step).sum(), 1.0
        while True:
            new, new_slope, spread = value(W + share * step)
            flat = share < 1e-9 or -fall <= 1e-17 * abs(loss)
            if flat or new <= loss + 1e-4 * share * fall + 1e-14 * abs(loss):
                break
            share /= 4
        W, change = W + share * step, new_slope - slope
        if (share * step * change).sum() > 0:
            pairs.append((share * step, change))
        loss, slope = new, new_slope
        size = np.abs(share * step * scale).max() / (np.abs(W * scale).max() + 1e-12)
        small = small + 1 if size <= 1e-3 * tol else 0  # twice, since a single short step may be luck
        apart = penalty == 0 and loss <= tol  # separable classes without a penalty have no minimum
        if np.abs(slope).max() <= tol and (small > 1 or flat or apart):
            return W, n_iter, True
    return W, max_iter, False
