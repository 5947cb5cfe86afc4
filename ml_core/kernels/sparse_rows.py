"""The rows of k-means as they come in a CSR matrix too large to fill in.

Letters: n rows, d columns, k centers. Distances are by products alone, in float64: of centers equally
near but for rounding any may be the nearest. The methods are those of ``lloyd.Held``.
"""

import numpy as np
from scipy.sparse import csr_array

from ml_core.kernels.seeding import draw
from ml_core.kernels.workers import slices

CELLS = 1 << 22  # scores at once


class SparseRows:
    """Rows X (n, d) of a CSR matrix, weight (n,)."""

    def __init__(self, X, weight):
        self.X, self.weight = X, weight
        self.wide = csr_array(X, dtype=np.float64)
        self.centre = np.zeros(X.shape[1])
        self.square = self.wide.multiply(self.wide).sum(axis=1)

    def sweep(self, runs):
        """Label the rows for each run -> [(sums (k, d), mass (k,), labels changed)]."""
        found = []
        for run in runs:
            before, run.label = run.label, self.assign(run.centers)
            changed = len(run.label) if before is None else np.count_nonzero(before != run.label)
            found.append((*self.tally(run.label, True, len(run.centers)), changed))
        return found

    walk = sweep

    def assign(self, centers):
        """Label (n,) of the nearest of centers (k, d)."""
        half, label = 0.5 * np.einsum("kd,kd->k", centers, centers), np.empty(len(self.weight), np.int32)
        across = np.ascontiguousarray(centers.T)
        for cut in slices(len(label), max(1, CELLS // len(centers))):
            label[cut] = (half - self.wide[cut] @ across).argmin(axis=1)
        return label

    def own_distance(self, label, centers):
        """Squared distance (n,) of each row to its center."""
        row = np.repeat(np.arange(len(label)), np.diff(self.wide.indptr))
        product = np.bincount(
            row, self.wide.data * centers[label[row], self.wide.indices], minlength=len(label)
        )
        far = self.square - 2 * product + np.einsum("kd,kd->k", centers, centers)[label]
        return np.maximum(far, 0)

    def tally(self, label, keep, k):
        """Sums (k, d) and mass (k,) of the kept rows."""
        weight, n = np.where(keep, self.weight, 0), len(label)
        member = csr_array((weight, (label, np.arange(n))), shape=(k, n))
        return (member @ self.wide).toarray(), np.bincount(label, weight, k)

    def dense(self, rows):
        """Some rows, filled in."""
        return self.X[rows].toarray()

    def closer(self, asked):
        """See ``lloyd.Held.closer``."""
        found = []
        for closest, points in asked:
            far = self.wide @ self.wide[points].toarray().T
            far *= -2
            far += self.square[:, None] + self.square[points]
            nearer = np.minimum(np.maximum(far.T, 0), closest)
            found.append((nearer, (nearer @ self.weight)[:, None]))
        return found

    def draw(self, far, shares, places):
        """Rows at ``places`` (t,) in 0..1 along the cumulated weight times far (n,)."""
        return draw(self.weight * far, places)

    def across(self, centers):
        """Distances (n, k) to centers (k, d)."""
        far = self.wide @ centers.T
        far *= -2
        far += self.square[:, None] + np.einsum("kd,kd->k", centers, centers)
        return np.sqrt(np.maximum(far, 0, out=far), out=far)
