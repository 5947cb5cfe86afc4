"""The rows boosting learns from, in the forms its kernels read: by rows, by columns, in bundles.

Letters: n rows, d columns, g bundles.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import records


@dataclass
class Table:
    """codes (n, d) uint8, columns (d, n) the same turned, bundled (n, g) what histograms add up; found (d,):
    the columns' records, shift: of histograms. Fits only read it.
    """

    codes: np.ndarray
    columns: np.ndarray
    bundled: np.ndarray
    found: np.ndarray
    shift: int

    @classmethod
    def of(cls, codes, bins, kernels):
        """From codes (n, d) by bins."""
        columns, found = np.empty(codes.shape[::-1], np.uint8), np.zeros(codes.shape[1], records.FOUND)
        kernels.turn(codes, columns)
        found["bins"], found["categorical"] = bins.counts, bins.categorical
        bundled, shift = kernels.bundle(codes, columns, found)
        return cls(codes, columns, bundled, found, shift)
