"""Gram shares: all that least squares needs of the rows, in one pass; shares of disjoint rows add up.

Letters: n rows, d columns, t targets, p = d + t + 1.
A share is (p, p): the weighted Gram matrix of [X, Y, 1] about a fixed ``shift`` (d + t,). The shift is near
the means, so that large means cost no digits; the column of ones carries the sums that move it to the exact
means. ``rows`` is an index array, or None for all rows; ``weight`` is (n,) or None; X is dense or CSR.
"""

import numpy as np
from scipy.linalg import blas
from scipy.sparse import diags_array, issparse

from ml_core.kernels import threads

LOST = 1e3  # a Gram this much larger about the shift than about the mean is taken again, about the mean
NEAR = 5.0  # spreads from zero: means up to there let rows be summed as they stand, which spares a copy
COMPILED = 1e9  # products from which compiled tiles are worth numba's import,
FEW = 1 << 18  # cells of the rows that a first guess of the means looks at
TILED = 8, 600  # and the columns between which they beat BLAS


def _some(X):
    """Slice of some hundred evenly spread rows; a thousand where they are short."""
    return slice(None, None, max(1, X.shape[0] // min(1024, max(128, FEW // max(X.shape[1], 1)))))


def shift_of(X, Y):
    """X (n, d), Y (n, t) -> (d + t,): the mean of some hundred evenly spread rows; 0 for a thin sparse X.

    Taken about the first row, so that a constant column is hit exactly and its Gram is exactly zero.
    """
    some = _some(X)
    few = Y[some].astype(np.float64)
    if not _thin(X):
        few = np.hstack([dense(X, some), few])
    few = np.ascontiguousarray(few)
    with np.errstate(over="ignore", invalid="ignore"):
        shift = few[0] + (few - few[0]).mean(axis=0)
    shift = np.where(np.isfinite(shift), shift, few[0])
    return np.concatenate([np.zeros(X.shape[1] + Y.shape[1] - len(shift)), shift])


def anchor(X, Y):
    """``shift_of``, but 0 for X where the means are so near that sums about zero keep their digits."""
    shift, d = shift_of(X, Y), X.shape[1]
    if not shift[:d].any():
        return shift
    few = dense(X, _some(X))
    with np.errstate(over="ignore", invalid="ignore"):
        spread = few.std(axis=0, dtype=np.float64)
    if (np.isfinite(spread) & (np.abs(shift[:d]) <= NEAR * spread)).all():
        shift[:d] = 0
    return shift


def _thin(X):
    """Whether a sparse product beats dense blocks: it does below an eighth of the cells filled."""
    return issparse(X) and 8 * X.nnz < X.shape[0] * X.shape[1]


def dense(X, rows):
    """Rows of X as a dense array (a view where X is dense and rows a slice)."""
    part = X[rows]
    return part.toarray() if issparse(part) else part


def block(X, rows):
    """Rows of X in C order (CSR stays CSR): the last bits of a product depend on its factors' layout."""
    part = X[rows]
    return part if issparse(part) else np.ascontiguousarray(part)


def _centred(buffer, X, Y, shift, rows):
    """Fill buffer (b, p) with [X, Y, 1] - [shift, 0] of the given rows."""
    d = X.shape[1]
    block = buffer[: len(Y[rows])]
    np.subtract(dense(X, rows), shift[:d], out=block[:, :d])
    np.subtract(Y[rows], shift[d:], out=block[:, d:-1])
    block[:, -1] = 1
    return block


def _blocks(X, Y, weight, shift, cuts, rows):
    """Yield centred blocks [X, Y, 1] times the root of their weights."""
    buffer = np.empty((max(cut.stop - cut.start for cut in cuts), X.shape[1] + Y.shape[1] + 1))
    for cut in cuts:
        where = cut if rows is None else rows[cut]
        block = _centred(buffer, X, Y, shift, where)
        if weight is not None:
            block *= np.sqrt(weight[where])[:, None]
        yield block


def share(X, Y, weight, shift, rows=None, least=COMPILED):
    """Share (p, p) of the rows; overflow shows as inf. From ``least`` products on, tiles are compiled."""
    n = len(Y) if rows is None else len(rows)
    width, d = len(shift) + 1, X.shape[1]
    if n == 0:
        return np.zeros((width, width))
    about_zero = not shift[:d].any()
    if _thin(X) and about_zero:
        return _sparse_share(X, Y, weight, shift, rows)
    plain = about_zero and weight is None
    inner = d if plain else width
    sums = _by_tiles if n * inner**2 >= least and TILED[0] <= inner <= TILED[1] else _by_blas

    def work(cuts):
        with np.errstate(over="ignore", invalid="ignore"):
            if plain:
                whole = [slice(cuts[0].start, cuts[-1].stop)] if sums is _by_blas else cuts
                return sums(_plain_blocks(X, Y, shift, whole, rows), inner, width - inner)
            blocks = _blocks(X, Y, weight, shift, cuts, rows)
            return sums(((block, block[:, :0]) for block in blocks), inner, 0)

    G, H, K = threads.total(work, threads.slabs(n, width))
    G = np.triu(G) + np.triu(G, 1).T
    return np.block([[G, H.T], [H, K]])


def _plain_blocks(X, Y, shift, cuts, rows):
    """Yield blocks of X as they stand, in C order, with their tails [Y - shift, 1]."""
    for cut in cuts:
        where = cut if rows is None else rows[cut]
        tail = np.ones((len(Y[where]), len(shift) - X.shape[1] + 1))
        np.subtract(Y[where], shift[X.shape[1] :], out=tail[:, :-1])
        yield np.ascontiguousarray(dense(X, where)), tail


def _by_blas(blocks, d, e):
    """Blocks P (b, d), tail (b, e) -> sums of P'P (upper triangle), tail'P and tail'tail."""
    G, H, K = np.zeros((d, d), order="F"), np.zeros((e, d)), np.zeros((e, e))
    for P, tail in blocks:
        G = blas.dsyrk(1.0, P.T, beta=1.0, c=G, overwrite_c=1)
        H += tail.T @ P
        K += tail.T @ tail
    return G, H, K


def _by_tiles(blocks, d, e):
    """``_by_blas`` compiled, for many rows of few columns."""
    from ml_core.kernels import gram_jit

    width, even = gram_jit.padded(d), e + e % 2
    G, H, K = np.zeros((width, width)), np.zeros((even, width)), np.zeros((e, e))
    panels = gram_jit.room(width)
    for P, tail in blocks:
        K += tail.T @ tail
        if e < even:
            tail = np.hstack([tail, np.zeros((len(tail), 1))])
        gram_jit.add(P, np.ascontiguousarray(tail), G, H, panels)
    return G[:d, :d], H[:e, :d], K


def _sparse_share(X, Y, weight, shift, rows):
    if rows is not None:
        X, Y, weight = X[rows], Y[rows], None if weight is None else weight[rows]
    tail = np.hstack([Y - shift[X.shape[1] :], np.ones((len(Y), 1))])
    if weight is not None:
        root = np.sqrt(weight)
        X, tail = diags_array(root).tocsr() @ X, tail * root[:, None]
    with threads.alone():
        cross = X.T @ tail
        return np.block([[(X.T @ X).toarray(), cross], [cross.T, tail.T @ tail]])


def centre(share):
    """Share (p, p) -> mean (d + t,) less the shift, Gram (d + t, d + t) about the mean, and ``lost``.

    ``lost`` is how many times larger the Gram was about the shift: so much precision is gone.
    """
    n, sums, about = share[-1, -1], share[-1, :-1], share[:-1, :-1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean = sums / n
        gram = about - np.outer(sums, mean)
        before, after = np.diag(about), np.diag(gram)
        lost = np.where(before > 0, before / np.maximum(after, 0), 1.0).max(initial=1)
    return mean, gram, lost


def about(share, shift, fit_intercept):
    """Share (p, p) about shift (d + t,) -> offset (d + t,), Gram (d + t, d + t) about it, ``lost``.

    As ``moments``, where the rows are gone: the offset is the mean, or zero without an intercept.
    """
    if fit_intercept:
        mean, gram, lost = centre(share)
        silence(gram, shift + mean, share[-1, -1])
        return shift + mean, gram, lost
    sums, n = share[-1, :-1], share[-1, -1]
    gram = share[:-1, :-1] + np.outer(shift, sums)
    gram += np.outer(sums, shift) + n * np.outer(shift, shift)
    return np.zeros(len(shift)), gram, 1.0


def moments(X, Y, weight, fit_intercept=True):
    """X (n, d), Y (n, t) -> offset (d + t,) weighted means, Gram (d + t, d + t) of [X, Y] about it.

    Without an intercept the offset is zero. A column whose spread is but rounding of its mean comes out as
    zeros. A cell that is nan or infinite raises FloatingPointError.
    """
    if not fit_intercept:
        offset = np.zeros(X.shape[1] + Y.shape[1])
        gram = share(X, Y, weight, offset)[:-1, :-1]
        refuse(X, gram)
        return offset, gram
    shift = anchor(X, Y)
    whole = share(X, Y, weight, shift)
    refuse(X, whole)
    mean, gram, lost = centre(whole)
    if not lost < LOST and np.isfinite(mean).all():
        shift = shift + mean  # the sampled rows misled: weights of zero, or a period in the order of the rows
        whole = share(X, Y, weight, shift)
        mean, gram, _ = centre(whole)
    offset = shift + mean
    silence(gram, offset, whole[-1, -1])
    return offset, gram


def refuse(X, sums):
    """FloatingPointError where sums are not finite and a cell of a dense X is why: no overflow."""
    if not np.isfinite(sums).all() and isinstance(X, np.ndarray) and not np.isfinite(X).all():
        raise FloatingPointError("X holds a cell that is nan or infinite")


def silence(gram, offset, n):
    """Set to zero, in place, rows and columns of gram that hold nothing but rounding of the mean."""
    with np.errstate(over="ignore"):
        rounding = (2 * np.finfo(float).eps * np.abs(offset)) ** 2 * n
    dead = np.diag(gram) <= rounding
    gram[dead] = 0
    gram[:, dead] = 0


def triangle(X, Y, weight, shift):
    """R (min(n, p - 1), p - 1), upper: the QR factor of centred, weighted [X, Y], as LAPACK's."""
    width = len(shift)

    def work(cuts):
        R = np.empty((0, width))
        for block in _blocks(X, Y, weight, shift, cuts, None):
            R = np.linalg.qr(np.vstack([R, block[:, :-1]]), mode="r")
        return R

    whole = np.empty((0, width))
    for R in threads.in_order(work, threads.slabs(len(Y), width, least=4 * width)):
        whole = np.linalg.qr(np.vstack([whole, R]), mode="r")
    return whole


def residual_products(X, Y, weight, shift, W):
    """(d, t): weighted centred X' (Y - X W) from the rows themselves, for refinement of W (d, t)."""
    d = X.shape[1]

    def work(cuts):
        part = np.zeros(W.shape)
        for block in _blocks(X, Y, weight, shift, cuts, None):
            part += block[:, :d].T @ (block[:, d:-1] - block[:, :d] @ W)
        return part

    return threads.total(work, threads.slabs(len(Y), len(shift) + 1))


def times(X, W):
    """X (n, d) times W (d, t) -> (n, t), the same bits at any number of threads."""
    cuts = [cut for slab in threads.slabs(X.shape[0], X.shape[1], least=2048) for cut in slab]
    parts = list(threads.in_order(lambda cut: block(X, cut) @ W, cuts))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
