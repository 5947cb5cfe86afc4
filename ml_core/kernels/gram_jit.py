"""The Gram matrix of tall rows in registers: twice as fast as BLAS below some hundred columns, since nothing
is packed.

Letters: m rows of P (m, d), tail (m, e); G (w, w) and H (e, w) with w = ``padded(d)``, of which the first d
columns count. A tile of G (TALL, VECTORS * LANES) stays in registers while the rows go by (Goto and van de
Geijn 2008). Lanes beyond column d read the row below, and what they add up is never looked at; the last row
has none below and is added by itself.
"""

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from ml_core.kernels.jit import jit

WIDE = binding.get_host_cpu_features().get("avx512f", False)
LANES = 8 if WIDE else 4  # numbers in a register, or in two of them
TALL = 8 if WIDE else 4  # rows of a tile: with VECTORS it fills the registers
VECTORS = 3
ROWS = 128  # rows that the columns of a tile pass at once, so that they stay in the first-level cache
LEAST = LANES  # columns from which a row has one row below at most


def padded(d):
    """Columns rounded up to whole registers."""
    return -(-d // LANES) * LANES


@intrinsic
def _at(typing, array, place):
    """Pointer to the number at flat ``place`` of a C array."""
    if not isinstance(array, types.Array):
        raise TypingError(f"_at takes an array, got {array}")

    def code(context, builder, signature, given):
        data = make_array(signature.args[0])(context, builder, given[0]).data
        return builder.gep(data, [given[1]])

    return types.CPointer(array.dtype)(array, types.intp), code


def _vector(builder, pointer, kind):
    """LANES numbers from pointer on as float64."""
    narrow = ir.VectorType(pointer.type.pointee, LANES)
    size = 4 if isinstance(pointer.type.pointee, ir.FloatType) else 8
    loaded = builder.load(builder.bitcast(pointer, narrow.as_pointer()), align=size)
    return loaded if size == 8 else builder.fpext(loaded, kind)


def _spread(builder, pointer, kind):
    """The one number at pointer in all lanes."""
    one = builder.load(pointer)
    if isinstance(one.type, ir.FloatType):
        one = builder.fpext(one, ir.DoubleType())
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, one, ir.IntType(32)(0))
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    )


def _accumulate(builder, given, tall, vectors):
    """The loop over the rows -> sums [tall][vectors] as they leave it."""
    a, a_step, b, b_step, rows = given
    whole, kind = ir.IntType(64), ir.VectorType(ir.DoubleType(), LANES)
    signature = ir.FunctionType(kind, [kind] * 3)
    fused = cgutils.get_or_insert_function(builder.module, signature, f"llvm.fma.v{LANES}f64")
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    row = builder.phi(whole)
    row.add_incoming(whole(0), before)
    sums = [[builder.phi(kind) for _ in range(vectors)] for _ in range(tall)]
    left, right = builder.gep(a, [builder.mul(row, a_step)]), builder.gep(b, [builder.mul(row, b_step)])
    columns = [_vector(builder, builder.gep(right, [whole(LANES * v)]), kind) for v in range(vectors)]
    grown = []
    for i in range(tall):
        factor = _spread(builder, builder.gep(left, [whole(i)]), kind)
        grown.append([builder.call(fused, [factor, columns[v], sums[i][v]]) for v in range(vectors)])
    following = builder.add(row, whole(1))
    row.add_incoming(following, loop)
    for i in range(tall):
        for v in range(vectors):
            sums[i][v].add_incoming(ir.Constant(kind, [0.0] * LANES), before)
            sums[i][v].add_incoming(grown[i][v], loop)
    builder.cbranch(builder.icmp_signed("<", following, rows), loop, after)
    builder.position_at_end(after)
    return grown


def _tile(tall, vectors):
    """Intrinsic: C[:tall, :vectors * LANES] += A[:rows, :tall]' B[:rows, :vectors * LANES], rows > 0."""

    @intrinsic
    def tile(typing, a, a_step, b, b_step, rows, c, c_step):  # noqa: PLR0913
        def code(context, builder, signature, given):
            *factors, c, c_step = given
            grown = _accumulate(builder, factors, tall, vectors)
            kind, whole = ir.VectorType(ir.DoubleType(), LANES), ir.IntType(64)
            for i in range(tall):
                for v in range(vectors):
                    place = builder.add(builder.mul(whole(i), c_step), whole(LANES * v))
                    target = builder.bitcast(builder.gep(c, [place]), kind.as_pointer())
                    builder.store(builder.fadd(builder.load(target, align=8), grown[i][v]), target, align=8)
            return context.get_dummy_value()

        step = types.intp
        return types.void(a, step, b, step, step, c, step), code

    return tile


_three, _two, _one = (_tile(TALL, vectors) for vectors in (VECTORS, 2, 1))
_pair = _tile(2, VECTORS)
_pair_one = _tile(2, 1)


@jit()
def _square(P, first, rows, width, G):
    """G += P'P on and above the diagonal, for rows [first, first + rows) of P."""
    step, to = P.shape[1], G.shape[1]
    for i in range(0, width, TALL):
        left = _at(P, first * step + i)
        j = i
        while j < width:
            right, target = _at(P, first * step + j), _at(G, i * to + j)
            ahead = (width - j) // LANES
            if ahead >= 3:
                _three(left, step, right, step, rows, target, to)
                j += 3 * LANES
            elif ahead == 2:
                _two(left, step, right, step, rows, target, to)
                j += 2 * LANES
            else:
                _one(left, step, right, step, rows, target, to)
                j += LANES


@jit()
def _cross(P, tail, first, rows, width, H):
    """H += tail'P, for rows [first, first + rows)."""
    step, e, to = P.shape[1], tail.shape[1], H.shape[1]
    for i in range(0, e, 2):
        left = _at(tail, first * e + i)
        j = 0
        while j < width:
            right, target = _at(P, first * step + j), _at(H, i * to + j)
            if (width - j) // LANES >= 3:
                _pair(left, e, right, step, rows, target, to)
                j += 3 * LANES
            else:
                _pair_one(left, e, right, step, rows, target, to)
                j += LANES


@jit()
def add(P, tail, G, H):
    """G += P'P on and above the diagonal, H += tail'P; P (m, d) and tail (m, e) C arrays, e even, d >= LEAST.

    G (w, w) and H (e, w) float64, w = ``padded(d)``.
    """
    m, d = P.shape
    for first in range(0, m - 1, ROWS):
        rows = min(ROWS, m - 1 - first)
        _square(P, first, rows, G.shape[1], G)
        _cross(P, tail, first, rows, G.shape[1], H)
    for i in range(d):
        for j in range(i, d):
            G[i, j] += np.float64(P[m - 1, i]) * P[m - 1, j]
    for i in range(tail.shape[1]):
        for j in range(d):
            H[i, j] += tail[m - 1, i] * P[m - 1, j]
