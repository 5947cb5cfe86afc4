"""Columns that are never away from their common code in the same row, in one byte together.

One-hot columns are such: a histogram then takes an addition for all levels of a category, not one a level
(Ke et al. 2017, "LightGBM", section 4). Sums stay exact: what a column's common code sums up to is what its
others leave of the whole. Letters: n rows, d columns, g bundles.
"""

import numpy as np

from ml_core.kernels.records import lay_out, shift_of

SAMPLE = 4096  # rows that tell which columns may be worth a try
SHARE = 0.05  # of the rows that a column's common code must have
MOST, TRIES = 256, 64  # codes of a bundle; bundles a column is tried with


def common_codes(columns, bins):
    """The code each column of columns (d, k) is to leave out (d,): its most frequent one, 0 of two; and that
    code's share of rows.
    """
    codes = [
        0 if b <= 2 else int(np.bincount(column).argmax()) for column, b in zip(columns, bins, strict=True)
    ]
    codes = np.array(codes, np.int64)
    return codes, (columns == codes[:, None]).mean(axis=1)


def exclusive(columns, bins):
    """columns (d, n) uint8 -> each column's common code (d,), and bundles as lists of two columns or more."""
    n = columns.shape[1]
    few = columns[:, :: max(1, n // SAMPLE)]
    common, share = common_codes(few, bins)
    bundles = []  # [columns, codes, rows of the sample away from the common code, and of all, as bits]
    for j in np.flatnonzero(share >= SHARE):
        near = np.packbits(few[j] != common[j])
        size, bits = int(bins[j]), None
        for bundle in bundles[-TRIES:]:
            if bundle[1] + size > MOST or (bundle[2] & near).any():
                continue
            bits = np.packbits(columns[j] != common[j]) if bits is None else bits
            if not (bundle[3] & bits).any():
                bundle[0].append(int(j))
                bundle[1] += size
                bundle[2] |= near
                bundle[3] |= bits
                break
        else:
            bits = np.packbits(columns[j] != common[j]) if bits is None else bits
            bundles.append([[int(j)], 1 + size, near, bits])
    return common, [bundle[0] for bundle in bundles if len(bundle[0]) > 1]


def bundle(codes, columns, found):
    """Lay out histograms for codes (n, d), columns (d, n) of the found (d,) -> (codes (n, g), shift).

    Fills in found's first, codes and common. Without bundles the codes stay as they are.
    """
    shift = lay_out(found)
    common, bundles = exclusive(columns, found["bins"])
    if not bundles:
        return codes, shift
    bundled = {j for own in bundles for j in own}
    groups = sorted(bundles + [[j] for j in range(len(found)) if j not in bundled])
    made, sizes = np.zeros((len(codes), len(groups)), np.uint8), []
    for g, own in enumerate(groups):
        size = 1
        for j in own if len(own) > 1 else ():
            away = np.flatnonzero(columns[j] != common[j])
            code, last = columns[j, away], found["bins"][j]
            found["common"][j], found["first"][j] = common[j], size
            found["codes"][j] = last + (common[j] == last or (code == last).any())
            made[away, g] = size + code - (code > common[j])
            size += int(found["codes"][j]) - 1
        if len(own) == 1:
            made[:, g], size, found["first"][own[0]] = columns[own[0]], int(found["bins"][own[0]]) + 1, 0
        sizes.append(size - 1)
    shift = max(shift, shift_of(np.array(sizes)))
    for g, own in enumerate(groups):
        found["first"][own] += g << shift
    return made, shift
