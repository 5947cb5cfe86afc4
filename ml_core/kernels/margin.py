"""Squared hinge and squared insensitive losses in the primal: on its active rows each is plain least squares.

Letters: n rows, d columns, k = d + 1 with the bias, w (k,) weights, f (n,) = [X, bias] w, c (n,) costs,
t (n,) targets. min 1/2 w'w + sum of c (t - f)^2 over active rows. A row of s = -1, +1 is active where
s f < 1, with t = s; a row of number y is active where |y - f| > width, with t = y -/+ width. Keerthi and
DeCoste 2005 ("A modified finite Newton method"); for wide or sparse X with conjugate gradients.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, lstsq, solve
from scipy.sparse import issparse

from ml_core.kernels import threads, workers

SHARE = 16  # the first guess comes from every sixteenth row
ENOUGH = 20_000  # rows from which that pays


@dataclass
class Design:
    """[X, bias]: X (n, d) dense or CSR beside a constant column, which is there only where bias > 0."""

    X: object
    bias: float

    @property
    def width(self):
        """Columns k."""
        return self.X.shape[1] + (self.bias > 0)

    def times(self, w):
        """[X, bias] w (n,)."""
        d = self.X.shape[1]
        if issparse(self.X):
            f = self.X @ w[:d]
        else:
            jobs = workers.slices(len(self.X), max(512, threads.BLOCK // max(1, d)))
            parts = workers.each(lambda rows: self.X[rows] @ w[:d], jobs, workers.count())
            f = np.concatenate(parts)
        if self.bias > 0:
            f += self.bias * w[d]
        return f

    def back(self, v):
        """[X, bias]' v (k,)."""
        if issparse(self.X):
            g = self.X.T @ v
        else:
            jobs = threads.slabs(*self.X.shape)
            parts = workers.each(
                lambda cuts: sum(v[rows] @ self.X[rows] for rows in cuts), jobs, workers.count()
            )
            g = sum(parts)
        return np.append(g, self.bias * v.sum()) if self.bias > 0 else g

    def part(self, rows):
        """The same of some rows."""
        return Design(self.X[rows], self.bias)

    def gram(self, weight, target, rows):
        """Sums over ``rows`` (m,) of weight x x' (k, k) and of weight target x (k,), weight and target (m,).

        For dense X only.
        """
        d, k = self.X.shape[1], self.width
        negative = weight.min(initial=0) < 0

        def work(cuts):
            G, h = np.zeros((k, k)), np.zeros(k)
            for cut in cuts:
                block = np.empty((cut.stop - cut.start, k))
                block[:, :d] = self.X[rows[cut]]
                block[:, d:] = self.bias
                h += (weight[cut] * target[cut]) @ block
                if negative:
                    G += block.T @ (block * weight[cut, None])
                else:
                    block *= np.sqrt(weight[cut])[:, None]
                    G += block.T @ block
            return G, h

        parts = workers.each(work, threads.slabs(len(rows), k), workers.count())
        return sum((G for G, _ in parts), np.zeros((k, k))), sum((h for _, h in parts), np.zeros(k))


@dataclass
class Loss:
    """Hinge where ``y`` holds signs, which a width below zero says, else insensitive of that width.

    ``a`` (n,) are the rows' weights, C their common factor: Newton keeps its sums before C.
    """

    a: np.ndarray
    y: np.ndarray
    width: float = -1.0
    C: float = 1.0

    @property
    def costs(self):
        """c (n,)."""
        return self.C * self.a

    def targets(self, f):
        """What active rows pull f to (n,); a row is active where this is not f."""
        if self.width < 0:
            return np.where(self.y * f < 1, self.y, f)
        gap = self.y - f
        return np.where(np.abs(gap) > self.width, self.y - np.copysign(self.width, gap), f)

    def value(self, f):
        """Sum of c times the squared loss."""
        return self.costs @ (self.targets(f) - f) ** 2

    def part(self, rows, times=1.0):
        """The same of some rows, each counted so many times."""
        return Loss(times * self.a[rows], self.y[rows], self.width, self.C)


@dataclass
class Stand:
    """Where Newton stands, good to start from for another C: w (k,), f (n,), and sums before C.

    G (k, k) and h (k,) are the sums of the rows of weights (n,) > 0, pulled to targets (n,).
    """

    w: np.ndarray
    f: np.ndarray
    G: np.ndarray
    h: np.ndarray
    weight: np.ndarray
    target: np.ndarray

    def refresh(self, design, weight, target):
        """Bring the sums to new weights and targets (n,), through the fewer rows."""
        changed = np.flatnonzero((weight != self.weight) | ((weight > 0) & (target != self.target)))
        alive = np.flatnonzero(weight)
        if 2 * len(changed) >= len(alive):
            self.G, self.h = design.gram(weight[alive], target[alive], alive)
        else:
            came, went = changed[weight[changed] > 0], changed[self.weight[changed] > 0]
            came_G, came_h = design.gram(weight[came], target[came], came)
            went_G, went_h = design.gram(self.weight[went], self.target[went], went)
            self.G, self.h = self.G + came_G - went_G, self.h + came_h - went_h
        self.weight, self.target = weight, target


def along(loss, w, f, step, df):
    """Best length of a step: the objective's slope along it is increasing, so bisect.

    1 where that is as good.
    """

    costs = loss.costs

    def slope(size):
        now = f + size * df
        return (w + size * step) @ step - 2 * (costs * (loss.targets(now) - now)) @ df

    if slope(1.0) <= 1e-9 * abs(slope(0.0)):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def begin(design, loss, most):
    """A Stand to start Newton from: where a sample of the rows is enough for a first guess, that guess."""
    n, k = design.X.shape[0], design.width
    w, f = np.zeros(k), np.zeros(n)
    if n >= ENOUGH and n >= SHARE * 4 * k:
        few = slice(None, None, SHARE)
        w = newton(design.part(few), loss.part(few, SHARE), 0.1, most)[0].w
        f = design.times(w)
    return Stand(w, f, np.zeros((k, k)), np.zeros(k), np.zeros(n), np.zeros(n))


def newton(design, loss, tol, most, stand=None):
    """Finite Newton on the Gram matrix of the active rows, dense X -> the Stand, iterations, converged.

    Between iterations, and from the ``stand`` of another C, only rows that came or went are summed.
    """
    stand = begin(design, loss, most) if stand is None else stand
    C, unit = loss.C, np.eye(design.width)
    for iteration in range(1, most + 1):
        wanted = loss.targets(stand.f)
        stand.refresh(design, np.where(wanted != stand.f, loss.a, 0), wanted)
        gradient = stand.w + 2 * C * (stand.G @ stand.w - stand.h)
        if np.abs(gradient).max() <= tol * 1e-6 * max(1.0, 2 * C * np.abs(stand.h).max()):
            return stand, iteration, True
        step = _solve(2 * C * stand.G + unit, -gradient)
        df = design.times(step)
        size = along(loss, stand.w, stand.f, step, df)
        stand.w, stand.f = stand.w + size * step, stand.f + size * df
    return stand, most, False


def _solve(H, b):
    """H^-1 b for a positive definite H, by least squares where rounding says it is not."""
    try:
        return solve(H, b, assume_a="pos")
    except (LinAlgError, ValueError):
        return lstsq(H, b)[0] if np.isfinite(H).all() else np.full(len(b), np.nan)


def conjugate(design, loss, tol, most):
    """Newton with conjugate gradients, for wide or sparse X -> w (k,), iterations, converged.

    Stops where the gradient has shrunk by tol times the share of the smaller class, as liblinear does.
    """
    n, k = design.X.shape[0], design.width
    w, f = np.zeros(k), np.zeros(n)
    first, costs = None, loss.costs
    if loss.width < 0:
        tol = tol * max(min((loss.y > 0).sum(), (loss.y < 0).sum()), 1) / n
    for iteration in range(1, most + 1):
        wanted = loss.targets(f)
        active = np.flatnonzero(wanted != f)
        part, c = design.part(active), costs[active]
        gradient = w - 2 * part.back(c * (wanted[active] - f[active]))
        size = np.linalg.norm(gradient)
        first = size if first is None else first
        if size <= tol * first:
            return w, iteration, True
        if not np.isfinite(size):
            break
        step = _conjugate(part, c, gradient, min(0.1, np.sqrt(size / first)) * size)
        df = design.times(step)
        length = along(loss, w, f, step, df)
        w, f = w + length * step, f + length * df
    return w, iteration, False


def _conjugate(part, c, gradient, tol):
    """Solve (1 + 2 X' c X) step = -gradient up to a residual of tol, scaled by the diagonal."""
    X = part.X
    squares = X.multiply(X) if issparse(X) else X * X
    scale = 1 + 2 * np.asarray(squares.T @ c).ravel()
    scale = np.append(scale, 1 + 2 * part.bias**2 * c.sum()) if part.bias > 0 else scale
    step, rest = np.zeros(len(gradient)), -gradient
    z = rest / scale
    direction, old = z.copy(), rest @ z
    for _ in range(min(len(gradient), 300)):
        curved = direction + 2 * part.back(c * part.times(direction))
        size = old / (direction @ curved)
        step += size * direction
        rest = rest - size * curved
        if np.linalg.norm(rest) <= tol:
            break
        z = rest / scale
        new = rest @ z
        direction, old = z + new / old * direction, new
    return step
