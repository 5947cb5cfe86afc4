"""Histograms: per column and bin the sum of (gradient, hessian), both in one 64-bit add.

Letters: n rows, d columns, s slots of a histogram (the columns' bins, each with one more for missing, end to
end).

A row's packed number is ``(gradient << 32) + hessian``, both rounded to whole units. Sums of whole numbers do
not depend on their order, so any number of threads gives the same bits, and parent = left + right holds
exactly.
"""

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from ml_core.kernels.jit import jit

AHEAD = (
    24  # rows; halves the time where rows are a tenth of all (a leaf), and costs nothing where they are all
)
SERIAL = 1 << 15  # additions below which starting threads costs more than they bring


@intrinsic
def prefetch(typing, array, index):
    """Ask for array.flat[index] to be brought into the cache; touches nothing."""

    def build(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte = ir.IntType(8).as_pointer()
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte] + [ir.IntType(32)] * 3)
        name = "llvm.prefetch.p0"
        call = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        builder.call(call, [address] + [ir.Constant(ir.IntType(32), flag) for flag in (0, 3, 1)])
        return context.get_dummy_value()

    return types.void(array, index), build


@jit()
def add_rows(hist, codes, offsets, packed, rows):
    """hist (s,) += packed (n,) of the given rows, at offsets (d + 1,) + codes (n, d)."""
    d = np.uint64(codes.shape[1])
    flat = codes.reshape(codes.size)
    last = len(rows) - 1
    for i in range(len(rows)):
        following = np.int64(rows[min(i + AHEAD, last)])
        prefetch(flat, following * np.int64(d))
        prefetch(flat, following * np.int64(d) + np.int64(d) - 1)
        prefetch(packed, following)
        value = packed[rows[i]]
        start = np.uint64(rows[i]) * d
        for j in range(d):
            hist[offsets[j] + np.uint64(flat[start + j])] += value


@jit(parallel=True)
def add_rows_together(parts, codes, offsets, packed, rows):
    """parts (threads, s): part t becomes the histogram of the t-th share of rows."""
    n_parts = len(parts)
    for t in prange(n_parts):
        parts[t] = 0
        first, last = t * len(rows) // n_parts, (t + 1) * len(rows) // n_parts
        add_rows(parts[t], codes, offsets, packed, rows[first:last])


@jit()
def count_rows(counts, codes, offsets, rows):
    """counts (s,) int64 = rows per column and bin."""
    counts[:] = 0
    for i in range(len(rows)):
        for j in range(codes.shape[1]):
            counts[offsets[j] + np.uint64(codes[rows[i], j])] += 1


@jit()
def gather(hist, parts):
    """hist (s,) = sum of parts (threads, s)."""
    hist[:] = parts[0]
    for t in range(1, len(parts)):
        for i in range(len(hist)):
            hist[i] += parts[t, i]


@jit()
def subtract(parent, child):
    """parent (s,) -= child (s,): what remains is the other child."""
    for i in range(len(parent)):
        parent[i] -= child[i]
