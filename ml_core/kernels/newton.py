"""Two-class logistic regression by Newton steps, many penalties and folds at once as columns of one product.

Letters: n rows, d columns, k problems ("columns" of the product), f folds; X (n, d) dense or CSR.
A problem minimises mean(log(1 + exp(-sign (X w + b)))) + penalty / 2 |w|^2 over the weighted rows of its
fold. Hessians are used stale while they still shrink the error well: a product costs n d, a Hessian n d^2.
"""

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from ml_core.kernels import threads
from ml_core.kernels.gram import dense, shift_of
from ml_core.kernels.leastsquares import Factor
from ml_core.kernels.logcolumns import signed
from ml_core.kernels.logloss import MANY, evaluate
from ml_core.kernels.secant import direction

SAMPLE = 16  # a first answer comes from one row in so many,
ENOUGH = 2000  # provided that leaves so many rows, and SAMPLE rows a column
ROUGH = 1e-4  # steps down to which slopes in float32 are good enough, where many problems share a product
MEMORY = 8  # steps remembered between Hessians
COMPILED = 1 << 23  # cells of X from which a compiled pass is worth numba's import
HELD = 1 << 27  # cells of X up to which a float32 copy is held for the passes of a solution
SINGULAR = 1e-13  # reciprocal condition below which a step is taken in the well-determined directions only


@dataclass(frozen=True)
class Rows:
    """The data of all problems; ``of`` (k,) says which row of ``weight`` (f, n) a problem uses.

    ``compiled`` says whether a few problems take compiled passes, as samples of many rows then do too.
    ``signed`` (n, d + 1) float32 or None: what ``logcolumns`` would make of X and sign at each pass.
    """

    X: object
    sign: np.ndarray
    weight: np.ndarray
    of: np.ndarray
    centre: np.ndarray
    fit_intercept: bool = True
    compiled: bool = False
    signed: np.ndarray = None

    @property
    def sums(self):
        """Total weight of each problem (k,)."""
        return self.weight.sum(axis=1)[self.of]

    def some(self, step):
        """Every ``step``-th row."""
        X = self.X[::step]
        X = np.ascontiguousarray(X) if isinstance(X, np.ndarray) else X
        sign, weight = (np.ascontiguousarray(part[..., ::step]) for part in (self.sign, self.weight))
        return replace(self, X=X, sign=sign, weight=weight, signed=None)

    def rounded(self):
        """The same rows with ``signed``, where X is dense and half as much more is little."""
        if not isinstance(self.X, np.ndarray) or self.X.size > HELD:
            return self
        found = np.empty((self.X.shape[0], self.X.shape[1] + 1), np.float32)
        for cut in (cut for slab in threads.slabs(*self.X.shape) for cut in slab):
            signed(self.X, self.sign, cut, found[cut])
        return replace(self, signed=found)

    def only(self, problems):
        """The same rows for some of the problems."""
        return replace(self, of=self.of[problems])


@dataclass
class Lines:
    """Where k problems stand: W (k, d), b, n_iter, converged (k,), and the Hessian each one steps by.

    ``near`` says that it is so near a minimum that slopes in float32 would lead away from it.
    """

    W: np.ndarray
    b: np.ndarray
    n_iter: np.ndarray = None
    converged: np.ndarray = None
    hessian: list = field(default_factory=list)
    near: bool = False


def large(X):
    """Whether passes over X are compiled: these see by themselves where a cell is no number."""
    return X.shape[0] * X.shape[1] >= COMPILED


def rows_for(X, positive, weight, of, fit_intercept):
    """Build Rows -> Rows, how far X was moved (d,): means that dwarf the spread would cost digits."""
    centre, moved = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    if fit_intercept:
        none = np.zeros((X.shape[0], 0))
        centre = shift_of(X, none)
        few = dense(X, slice(None, None, max(1, X.shape[0] // 1024)))
        with np.errstate(over="ignore", invalid="ignore"):
            spread = few.std(axis=0)
        if (np.abs(centre) > 1e3 * spread).any() and (np.abs(centre) > 1e-300).any():
            X = dense(X, slice(None)) - centre
            centre, moved = moved, centre
    return Rows(X, np.where(positive, 1.0, -1.0), weight, of, centre, fit_intercept, large(X)), moved


class _Step:
    """Newton steps by one Hessian (d + 1, d + 1) and penalty; ``scale`` (d,) turns w into its spread."""

    def __init__(self, hessian, penalty, fit_intercept):
        size = len(hessian) if fit_intercept else len(hessian) - 1
        curve = hessian[:size, :size].copy()
        curve[np.arange(len(hessian) - 1), np.arange(len(hessian) - 1)] += penalty
        self.scale = np.sqrt(np.maximum(np.diag(hessian)[:-1], 0) + penalty)
        self.factor = Factor(curve)
        self.size = size
        self.inverse = None
        if self.factor.rcond < SINGULAR:
            root = np.where(self.factor.alive, self.factor.scale, 0.0)
            values, vectors = np.linalg.eigh(curve * root * root[:, None])
            keep = values > 1e-12 * max(values[-1], 0)
            vectors = vectors[:, keep] * root[:, None]
            self.inverse = (vectors / values[keep]) @ vectors.T

    def __call__(self, slope):
        step = np.zeros(len(slope))
        part = slope[: self.size]
        step[: self.size] = self.factor.solve(part) if self.inverse is None else self.inverse @ part
        return step


@threads.single
def solve(rows, penalty, start, tol, max_iter, stale=0.2):
    """Newton from ``start`` (Lines) -> Lines at the minimum of each of the k problems, penalty (k,).

    A problem whose last step shrank to no less than ``stale`` of the one before gets a Hessian of its own.
    """
    state = _State(rows, penalty, start, tol)
    if len(penalty) >= MANY and not start.near:
        rows = rows.rounded()
    for round_ in range(1, max_iter + 1):
        active = np.flatnonzero(~state.done)
        if not len(active):
            break
        wanted = [i for i, k in enumerate(active) if state.stale[k]]
        W, b = state.W + state.scaled(slice(0, -1)), state.b + state.scaled(-1)
        many = len(active) >= MANY and not start.near
        state.rough = many and np.median(state.last[active]) > ROUGH
        kind = np.float32 if state.rough else np.float64
        found = evaluate(rows.only(active), W[active], b[active], wanted, kind)
        for i, column in enumerate(wanted):
            k = active[column]
            state.hessian[k], state.stale[k], state.fresh[k] = found[2][i], False, True
        for i, k in enumerate(active):
            state.n_iter[k] = round_
            state.advance(k, found[0][i], found[1][i], stale)
    return Lines(state.W, state.b, np.maximum(state.n_iter, 1), state.done, state.hessian)


class _State:
    """Where each problem stands between two products: the point accepted, and the step being tried."""

    def __init__(self, rows, penalty, start, tol):
        k, d = start.W.shape
        self.W, self.b = start.W.copy(), start.b.copy()
        self.penalty, self.tol, self.fit_intercept = penalty, tol, rows.fit_intercept
        self.hessian = list(start.hessian) or [None] * k
        self.stale = np.array([hessian is None for hessian in self.hessian])
        self.fresh = np.ones(k, bool)
        self.loss, self.slope = np.full(k, np.inf), np.zeros(k)
        self.step, self.share = np.zeros((k, d + 1)), np.ones(k)
        self.last, self.rate = np.full(k, np.inf), np.ones(k)
        self.gradient = np.zeros((k, d + 1))
        self.pairs = [deque(maxlen=MEMORY) for _ in range(k)]
        self.n_iter, self.done = np.zeros(k, int), np.zeros(k, bool)
        self.cache, self.rough, self.slack = {}, False, np.full(k, 1e-13)

    def scaled(self, part):
        """The steps being tried, (k, d) or (k,)."""
        return self.step[:, part] * (self.share[:, None] if isinstance(part, slice) else self.share)

    def advance(self, k, loss, gradient, stale):
        """Take problem k's tried step if it went down, else a quarter of it; then set the next step."""
        w = self.W[k] + self.share[k] * self.step[k, :-1]
        loss = loss + self.penalty[k] / 2 * (w @ w)
        before, self.slack[k] = self.slack[k], 1e-5 if self.rough else 1e-13
        slack = max(before, self.slack[k]) * abs(loss)  # a loss in float32 tells no less from more
        if loss > self.loss[k] + 1e-4 * self.share[k] * self.slope[k] + slack:
            self.share[k] /= 4
            self.done[k] = self.share[k] < 1e-9  # flat to the last digit
            if self.done[k]:
                return
            self.stale[k] |= self.share[k] < 1e-2
            return
        self.W[k], self.b[k] = w, self.b[k] + self.share[k] * self.step[k, -1]
        gradient[:-1] += self.penalty[k] * w
        if not self.fit_intercept:
            gradient[-1] = 0
        newton = self._newton(k)
        self._learn(k, gradient)
        self.loss[k], self.share[k], self.step[k] = loss, 1.0, direction(gradient, self.pairs[k], newton)
        self.slope[k] = gradient @ self.step[k]
        self._judge(k, gradient, newton.scale, stale)

    def _learn(self, k, gradient):
        """Remember what the step just taken taught about the Hessian, unless the Hessian is new."""
        step, change = self.share[k] * self.step[k], gradient - self.gradient[k]
        if self.fresh[k]:
            self.pairs[k].clear()
        elif step @ change > 0:
            self.pairs[k].append((step, change))
        self.gradient[k], self.fresh[k] = gradient, False

    def _newton(self, k):
        key = id(self.hessian[k]), self.penalty[k]
        if key not in self.cache:
            self.cache[key] = _Step(self.hessian[k], self.penalty[k], self.fit_intercept), self.hessian[k]
        return self.cache[key][0]

    def _judge(self, k, gradient, scale, stale):
        """Finish problem k when what the next step leaves is below tol / 1000 of the coefficients."""
        step = np.abs(self.step[k, :-1] * scale).max(initial=0)
        reach = np.abs(self.W[k] * scale).max(initial=0) + 1e-12
        # never above one: from w = 0 a step is infinitely long, and the next would look like a fast descent
        size = min(1.0, max(step / reach, abs(self.step[k, -1]) / max(1.0, abs(self.b[k]))))
        if self.last[k] < np.inf:
            self.rate[k] = min(1.0, size / self.last[k]) if self.last[k] > 0 else 0.0
            self.stale[k] = self.rate[k] > stale
        self.last[k] = size
        near = size * self.rate[k] <= 1e-3 * self.tol
        flat = -self.slope[k] <= 1e-17 * abs(self.loss[k])
        # without a penalty separable classes have no minimum: w grows for ever while the loss goes to zero
        apart = self.penalty[k] == 0 and self.loss[k] <= self.tol
        if not self.rough and np.abs(gradient).max() <= self.tol and (near or flat or apart):
            self.W[k], self.b[k] = self.W[k] + self.step[k, :-1], self.b[k] + self.step[k, -1]
            self.done[k] = True


def first_answer(rows, penalty, tol, max_iter):
    """Lines (k) from zero, or from a sample of the rows where there are many; penalties in path order."""
    k, (n, d) = len(penalty), rows.X.shape
    step = min(SAMPLE, n // max(ENOUGH, SAMPLE * d))
    if step > 1:
        some = rows.some(step)
        if all(usable(some, fold) for fold in np.unique(rows.of)):
            begin = first_answer(some, penalty, tol, max_iter)
            return solve(some, penalty, begin, 10 * tol, max_iter)
    odds = ((rows.sign > 0) * rows.weight).sum(axis=1) / rows.weight.sum(axis=1)
    b = np.log(odds / (1 - odds))[rows.of] if rows.fit_intercept else np.zeros(k)
    return Lines(np.zeros((k, d)), b, hessian=[None] * k)


def usable(rows, fold):
    """Whether both labels weigh something in a fold."""
    weight = rows.weight[fold]
    return min(weight[rows.sign > 0].sum(), weight[rows.sign < 0].sum()) > 0
