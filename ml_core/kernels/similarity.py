"""Kernel matrices in blocks: the same bits whatever the number of threads.

Letters: n rows of B (training points), m rows of A, d columns, K (m, n) values of the kernel, D (m, n)
squared distances. A and B are dense float64 or CSR. One product with BLAS (held at one thread) gives a
block; our own threads share blocks whose bounds depend on the shape only.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from ml_core.kernels import workers
from ml_core.kernels.workers import slices

COLUMNS = 1024  # of a block: 256 rows of it in float64 are 2 MB and stay in cache


def each(work, jobs):
    """Call work(job) for jobs that write to places of their own."""
    workers.each(work, jobs, workers.count())


def squares(X):
    """X (n, d) -> (n,) squared lengths."""
    if issparse(X):
        return np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64).ravel()
    return np.einsum("ij,ij->i", X, X)


def products(A, B):
    """A (m, d), B (n, d) -> A B' (m, n), dense float64."""
    P = A @ B.T
    return P.toarray() if issparse(P) else np.asarray(P)


def distances(A, B, a2, b2):
    """Squared distances (m, n); a2 and b2 are ``squares``. Centre dense points first: lengths cost digits."""
    D = products(A, B)
    D *= -2
    D += a2[:, None]
    D += b2
    return np.maximum(D, 0, out=D)


@dataclass(frozen=True)
class Kernel:
    """What libsvm calls a kernel: linear, poly, rbf or sigmoid, with its constants."""

    name: str
    gamma: float = 1.0
    degree: int = 3
    coef0: float = 0.0

    def finish(self, P):
        """Turn P, products or (rbf) squared distances, into kernel values, in place."""
        if self.name == "linear":
            return P
        P *= -self.gamma if self.name == "rbf" else self.gamma
        if self.name == "rbf":
            return np.exp(P, out=P)
        P += self.coef0
        return np.tanh(P, out=P) if self.name == "sigmoid" else np.power(P, self.degree, out=P)

    def block(self, A, B, a2, b2, out):
        """Kernel values of a few rows A with B into out (m, n); the last step runs in out's precision."""
        if self.name == "rbf" and not issparse(A):
            # the exponent -gamma |a - b|^2 as one product: three passes over the block fewer
            g = self.gamma
            left = np.column_stack([2 * g * A, -g * a2, np.ones(len(a2))])
            right = np.column_stack([B, np.ones(len(b2)), -g * b2])
            with np.errstate(over="ignore", invalid="ignore"):
                np.exp(np.minimum(left @ right.T, 0, out=out, casting="same_kind"), out=out)
        else:
            out[:] = self.finish(distances(A, B, a2, b2) if self.name == "rbf" else products(A, B))

    def diagonal(self, X):
        """K(x, x) for every row of X."""
        if self.name == "rbf":
            return np.ones(X.shape[0])
        return self.finish(squares(X))


def matrix(kernel, A, B, dtype=np.float64, distance=False):
    """All of K (m, n), or of D with ``distance``."""
    a2, b2 = squares(A), squares(B)
    K = np.empty((A.shape[0], B.shape[0]), dtype)

    def work(job):
        rows, columns = job
        if distance:
            K[rows, columns] = distances(A[rows], B[columns], a2[rows], b2[columns])
        else:
            kernel.block(A[rows], B[columns], a2[rows], b2[columns], K[rows, columns])

    each(work, [(rows, columns) for rows in slices(len(K), 512) for columns in slices(K.shape[1], COLUMNS)])
    return K


def weighted(kernel, A, B, W):
    """K(A, B) W (m, p) for W (n, p), a block of K at a time, so that memory does not grow with m times n."""
    a2, b2 = squares(A), squares(B)
    out = np.empty((A.shape[0], W.shape[1]))

    def work(rows):
        K = np.empty((rows.stop - rows.start, B.shape[0]))
        kernel.block(A[rows], B, a2[rows], b2, K)
        out[rows] = K @ W

    each(work, slices(len(out), max(1, min(512, (1 << 20) // max(1, B.shape[0])))))
    return out


class Rows:
    """Rows of the kernel matrix of X with itself, computed when first asked for, kept in ``capacity`` slots.

    ``table`` (slots, n) is float32, as libsvm's cache. When all slots are taken the longest unused go.
    """

    def __init__(self, kernel, X, capacity):
        self.kernel, self.X, self.lengths = kernel, X, squares(X)
        n = X.shape[0]
        self.diagonal = kernel.diagonal(X)
        self.table = np.empty((min(capacity, n), n), np.float32)
        self.slot = np.full(n, -1)
        self.owner = np.full(len(self.table), -1)
        self.used = np.zeros(len(self.table), np.int64)
        self.clock = 0

    def need(self, rows):
        """rows (m,), m <= slots -> the slots (m,) where they lie now."""
        self.clock += 1
        held = self.slot[rows]
        self.used[held[held >= 0]] = self.clock
        missing = rows[held < 0]
        if len(missing):
            free = np.sort(np.argsort(self.used, kind="stable")[: len(missing)])
            self.slot[self.owner[free[self.owner[free] >= 0]]] = -1
            self.owner[free], self.slot[missing], self.used[free] = missing, free, self.clock
            self._fill(missing, free)
        return self.slot[rows]

    def whole(self):
        """All of K (n, n) in float64; needs as many slots as points."""
        return self.cells().astype(np.float64)

    def cells(self):
        """The same as it is held."""
        return self.table[self.need(np.arange(len(self.slot)))]

    def _fill(self, rows, free):
        A, a2 = self.X[rows], self.lengths[rows]

        whole = free[-1] - free[0] + 1 == len(free)  # a run of slots, as always before the table is full

        def work(columns):
            B, b2 = self.X[columns], self.lengths[columns]
            if whole:
                self.kernel.block(A, B, a2, b2, self.table[free[0] : free[-1] + 1, columns])
                return
            part = np.empty((len(rows), len(b2)), np.float32)
            self.kernel.block(A, B, a2, b2, part)
            self.table[free, columns] = part

        each(work, slices(self.X.shape[0], COLUMNS))

    def part(self, members):
        """The same for some of the points, itself for all of them."""
        if np.array_equal(members, np.arange(len(self.slot))):
            return self
        return Rows(self.kernel, self.X[members], min(len(members), len(self.table)))

    def sums(self, at, of, b):
        """Sum of b (m,) times the kernel between points ``at`` and points ``of`` (m,) -> (len(at),)."""
        return weighted(self.kernel, self.X[at], self.X[of], b[:, None])[:, 0]


class Given:
    """A kernel matrix K (n, n) that is there already; ``members`` (n',) are the rows and columns in play.

    With ``keep`` its copies, in either precision and of parts, stay for the machines that follow; ``single``
    says that all values are float32's, whatever holds them.
    """

    def __init__(self, K, members=None, keep=False, single=False):
        self.kept, self.single = {} if keep else None, single
        self.table = K if members is None else np.take(np.take(K, members, axis=0), members, axis=1)
        if self.table.dtype not in (np.float32, np.float64):
            self.table = self.table.astype(np.float64)
        self.diagonal = self.table.diagonal().astype(np.float64)

    def need(self, rows):
        """Slots of the rows: themselves."""
        return rows

    def whole(self):
        """All of K (n, n) in float64."""
        return self._once("whole", lambda: np.ascontiguousarray(self.table, dtype=np.float64))

    def cells(self):
        """The same in the narrowest type that holds it: half as much to read."""
        if not self.single:
            return self.whole()
        return self._once("cells", lambda: np.ascontiguousarray(self.table, dtype=np.float32))

    def part(self, members):
        """The same for some of the points, itself for all of them."""
        if np.array_equal(members, np.arange(len(self.table))):
            return self
        return self._once(
            members.tobytes(), lambda: Given(self.table, members, self.kept is not None, self.single)
        )

    def _once(self, key, make):
        if self.kept is None:
            return make()
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def sums(self, at, of, b):
        """Sum of b (m,) times the kernel between points ``at`` and points ``of`` (m,) -> (len(at),)."""
        return self.table[np.ix_(at, of)] @ b
