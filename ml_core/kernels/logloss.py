"""Loss, slope and Hessian of two-class logistic regression, many problems as columns of one product.

Letters: n rows, d columns, k problems, f folds; ``rows`` is a ``newton.Rows``. A margin is cut where its
exponential would leave the numbers.
"""

import numpy as np

from ml_core.kernels import gram, threads
from ml_core.kernels.gram import dense

FAR = -500.0  # margins are cut here: exp(500) is still a number
MANY = 8  # problems from which a signed copy of a block of rows pays


def evaluate(rows, W, b, wanted=(), kind=np.float64):
    """W (k, d), b (k,) about the centre -> loss (k,), slope (k, d + 1), Hessians (wanted, d + 1, d + 1).

    ``kind`` is the precision of the products of many problems; sums over blocks are float64 always.
    """
    k, d = W.shape
    if k >= MANY:
        from ml_core.kernels.logcolumns import evaluate_columns

        return evaluate_columns(rows, W, b, wanted, kind)
    if rows.compiled:
        return _evaluate_compiled(rows, W, b, wanted)
    lift = b - W @ rows.centre

    def work(cuts):
        loss, slope, curves = np.zeros(k), np.zeros((k, d + 1)), np.zeros((len(wanted), d + 1, d + 1))
        for cut in cuts:
            Xb, sign = np.ascontiguousarray(dense(rows.X, cut)), rows.sign[cut]
            share = rows.weight[rows.of, cut]
            T = W @ Xb.T
            T += lift[:, None]
            T *= sign
            np.maximum(T, FAR, out=T)
            E = np.exp(np.negative(T, out=T))
            np.reciprocal(np.add(E, 1, out=T), out=T)  # probability of the right label
            E *= T  # and of the wrong one
            loss -= (np.log(T) * share).sum(axis=1)
            E *= share
            for j, column in enumerate(wanted):
                curves[j] += _curve(Xb - rows.centre, np.sqrt(E[column] * T[column]))
            E *= sign
            slope[:, :d] -= E @ Xb
            slope[:, d] -= E.sum(axis=1)
        return loss, slope, curves

    # the widest array of a block is either its rows of X or its products
    loss, slope, curves = threads.total(work, threads.slabs(len(rows.sign), max(d, k)))
    slope[:, :d] -= slope[:, d:] * rows.centre
    sums = rows.sums
    return loss / sums, slope / sums[:, None], curves / sums[list(wanted), None, None]


def _evaluate_compiled(rows, W, b, wanted):
    """``evaluate`` for a few problems, each in one pass over a block of rows while it is in the cache.

    A cell of a dense X that is nan or infinite raises FloatingPointError.
    """
    from ml_core.kernels import gram_jit, logpass

    (k, d), n = W.shape, len(rows.sign)
    lines, lift = np.zeros((k, gram_jit.padded(d))), b - W @ rows.centre
    lines[:, :d] = W
    bends = {column: np.empty(n) for column in wanted}

    def work(cuts):
        loss, slope = np.zeros(k), np.zeros((k, lines.shape[1] + 1))
        for cut in cuts:
            block, sign = np.ascontiguousarray(dense(rows.X, cut)), rows.sign[cut]
            for j, of in enumerate(rows.of):
                bend = bends[j][cut] if j in bends else sign[:0]
                known = sign, rows.weight[of, cut]
                loss[j] += logpass.add(block, known, (lines[j], lift[j]), (slope[j], bend))
        return loss, slope

    loss, slope = threads.total(work, threads.slabs(n, d))
    gram.refuse(rows.X, slope[:, :d])
    slope = np.column_stack([slope[:, :d] - slope[:, -1:] * rows.centre, slope[:, -1]])
    none = np.empty((n, 0))
    curves = [gram.share(rows.X, none, bends[column], rows.centre, least=0) for column in wanted]
    sums = rows.sums
    curves = np.reshape(curves, (len(wanted), d + 1, d + 1)) / sums[list(wanted), None, None]
    return loss / sums, slope / sums[:, None], curves


def _curve(X, root):
    B = np.empty((len(X), X.shape[1] + 1))
    np.multiply(X, root[:, None], out=B[:, :-1])
    B[:, -1] = root
    return B.T @ B
