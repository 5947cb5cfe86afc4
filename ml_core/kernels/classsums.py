"""Class-wise sums: the only pass naive Bayes makes over the rows, and sums of disjoint rows add up.

Letters: n rows, d columns, q classes; codes (n,) in 0..q-1, weight (n,) or None.
Sums are about ``centre``, (d,) or (q, d): E[x^2] - E[x]^2 loses every digit when means dwarf spreads.
NumPy alone does it up to LARGE numbers, ``classpass`` beyond: the size alone decides, since the two differ in
their last bits.
"""

import numpy as np

from ml_core.kernels import threads
from ml_core.kernels.gram import block

# squared distance of a class mean from the centre, in variances, up to which products keep ten digits
SURE = 1e5
LARGE = 2e7  # numbers; importing Numba takes as long as NumPy takes for some ten times as many
TALL = 1 << 14  # rows of a compiled pass, so that rounding errors of its sums stay small


def class_sums(X, codes, q, weight, centre, rows=None):
    """X (n, d) -> weights (q,), sums (q, d), squares (q, d) of the rows (index array, or None for all)."""
    n, d = len(codes) if rows is None else len(rows), X.shape[1]
    if n == 0:
        return np.zeros(q), np.zeros((q, d)), np.zeros((q, d))
    if n * d >= LARGE:
        return _compiled_sums(X, (codes, q, weight), centre, rows)
    names = np.arange(q)

    @np.errstate(over="ignore", invalid="ignore")
    def work(cuts):
        found = np.zeros(q), np.zeros((q, d)), np.zeros((q, d))
        for cut in cuts:
            where = cut if rows is None else rows[cut]
            code = codes[where]
            member = np.equal.outer(names, code).astype(np.float64)
            if weight is not None:
                member *= weight[where]
            B = block(X, where) - (centre if centre.ndim == 1 else centre[code])
            found[0][:] += member.sum(axis=1)
            found[1][:] += member @ B
            found[2][:] += member @ np.multiply(B, B, out=B)
        return found

    return threads.total(work, threads.slabs(n, max(d, q)))


def _compiled_sums(X, members, centre, rows):
    from ml_core.kernels import classpass

    codes, q, weight = members
    n, d = len(codes) if rows is None else len(rows), X.shape[1]
    centres = np.broadcast_to(centre, (q, d)).copy()

    def work(cuts):
        whole = np.zeros(q), np.zeros((q, d)), np.zeros((q, d))
        for cut in _tall(cuts):
            where = cut if rows is None else rows[cut]
            found = np.zeros(q), np.zeros((q, d)), np.zeros((q, d))
            weights = None if weight is None else weight[where]
            classpass.moments(_laid(X, where), np.require(codes[where], None, "CA"), weights, centres, found)
            for mine, more in zip(whole, found, strict=True):
                mine += more
        return whole

    return threads.total(work, threads.slabs(n, max(d, q)))


def _tall(cuts):
    """The rows of a slab as slices of TALL rows."""
    first, last = cuts[0].start, cuts[-1].stop
    return [slice(start, min(start + TALL, last)) for start in range(first, last, TALL)]


def _laid(X, rows):
    """Rows of X as compiled code wants them: aligned and in C order."""
    return np.require(X[rows], None, "CA")


def centres_of(X, codes, q):
    """Mean (q, d) of some rows of each class, about the first: exact for a column constant in a class."""
    centres = np.zeros((q, X.shape[1]))
    for k in range(q):
        rows = np.flatnonzero(codes == k)
        if len(rows):
            some = X[rows[:: max(1, len(rows) // 128)]].astype(np.float64, order="C")
            centres[k] = some[0] + (some - some[0]).mean(axis=0)
    return centres


def spreads(sums, centre):
    """Class sums about centre -> means (q, d), variances (q, d), and the rounding error these may hold.

    A class without weight gets the mean of the centre and no variance.
    """
    weights, first, second = sums
    weights = np.maximum(weights, np.finfo(float).tiny)[:, None]
    mean, square = first / weights, second / weights
    error = np.finfo(float).eps * square
    var = square - mean**2
    return centre + mean, np.where(var > 8 * error, var, 0.0), error


def pooled(weights, mean, var):
    """Variance of all rows (d,) from class weights (q,), means and variances (q, d)."""
    share = weights / weights.sum()
    middle = share @ mean
    return share @ (var + (mean - middle) ** 2)


def merge(old, new):
    """Two lots of (weights, means, variances) as one, by Chan, Golub and LeVeque 1979."""
    n = old[0] + new[0]
    share = np.divide(new[0], n, out=np.zeros_like(n), where=n > 0)[:, None]
    gap = new[1] - old[1]
    var = (1 - share) * old[2] + share * new[2] + share * (1 - share) * gap**2
    return n, old[1] + share * gap, var


def likelihoods(X, constant, mean, var):
    """X (n, d), constant (k,), mean and var (k, d) -> constant - |x - mean|^2 / (2 var) (n, k)."""
    return (_products if X.size < LARGE else _compiled)(X, constant, mean, var)


def _compiled(X, constant, mean, var):
    from ml_core.kernels import classpass

    out = np.empty((len(X), len(mean)))
    tables = _tables(mean, var)

    def work(cuts):
        for cut in _tall(cuts):
            classpass.distances(_laid(X, cut), *tables, out[cut])
            np.subtract(constant, out[cut], out=out[cut])

    list(threads.in_order(work, threads.slabs(len(X), X.shape[1])))
    return out


def _tables(mean, var):
    with np.errstate(divide="ignore", over="ignore"):
        return np.ascontiguousarray(mean), np.ascontiguousarray(0.5 / var)


def likeliest(X, likely, names):
    """X (n, d) -> the one of names (q,) with the largest likelihood (n,), the first of equals.

    ``likely`` is (constant (q,), mean (q, d), var (q, d)). None where not all likelihoods are finite.
    """
    curves = _curves(*likely) if X.size >= LARGE else None
    if curves is None:
        found = likelihoods(X, *likely)
        return names[found.argmax(axis=1)] if np.isfinite(found).all() else None
    from ml_core.kernels import classpass

    labels, first = np.empty(len(X), names.dtype), len(names) - len(curves[1])

    def work(cuts):
        total = 0.0
        for cut in _tall(cuts):
            codes = np.empty(cut.stop - cut.start, np.uint8 if len(names) <= 256 else np.intp)
            total += classpass.best(_laid(X, cut), curves, first, codes)
            names.take(codes, out=labels[cut], mode="clip")
        return total

    return labels if np.isfinite(sum(threads.in_order(work, threads.slabs(*X.shape)))) else None


def _curves(constant, mean, var):
    """``classpass.best``'s tables; of two classes the second's likelihood less the first's alone.

    None where a mean is too far off for them, or a table is not finite.
    """
    centre = mean.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        away = mean - centre
        sure = (away**2 <= SURE * var).all()
        tables = constant - 0.5 * (away**2 / var).sum(axis=1), -0.5 / var, away / var
        if len(constant) == 2 and (var[0] != var[1]).all():  # else a square too large would not show
            tables = [part[1:] - part[:1] for part in tables]
    if not sure or not np.isfinite(constant).all() or not all(np.isfinite(part).all() for part in tables):
        return None
    return centre, *map(np.ascontiguousarray, tables)


def _products(X, constant, mean, var):
    """Two products; where a mean is too far off for them, differences a class at a time."""
    centre = mean.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        away = mean - centre
        sure = (away**2 <= SURE * var).all()
        inverse = 1 / var
    cuts = [cut for slab in threads.slabs(len(X), max(X.shape[1], len(mean))) for cut in slab]
    if sure:
        linear = np.ascontiguousarray((away * inverse).T)
        square = np.ascontiguousarray(-0.5 * inverse.T)
        constant = constant - 0.5 * (away**2 * inverse).sum(axis=1)

    @np.errstate(over="ignore", invalid="ignore")
    def products(cut):
        B = block(X, cut) - centre
        part = B @ linear
        part += np.multiply(B, B, out=B) @ square
        part += constant
        return part

    def differences(cut):
        rows = block(X, cut)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return constant - 0.5 * np.column_stack(
                [((rows - m) ** 2 * i).sum(axis=1) for m, i in zip(mean, inverse, strict=True)]
            )

    parts = list(threads.in_order(products if sure else differences, cuts))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
