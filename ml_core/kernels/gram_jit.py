"""The Gram matrix of tall rows in registers: faster than BLAS below some hundred columns.

Letters: m rows of P (m, d), tail (m, e); G (w, w) and H (e, w) with w = ``padded(d)``, of which the first d
columns count. ROWS rows at a time are copied as float64 into panels of PANEL columns, each of them one
stretch of memory; a tile of G (TALL, PANEL) stays in registers while their rows go by (Goto and van de Geijn
2008). Lanes beyond column d hold what the row below begins with, and what they add up is never looked at.
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
PANEL = VECTORS * LANES
ROWS = 128  # rows of a panel, so that it stays in the first-level cache
LEAST = LANES  # columns from which a row has one row below at most


def padded(d):
    """Columns rounded up to whole registers."""
    return -(-d // LANES) * LANES


@intrinsic
def at(typing, array, place):
    """Pointer to the number at flat ``place`` of a C array."""
    if not isinstance(array, types.Array):
        raise TypingError(f"at takes an array, got {array}")

    def code(context, builder, signature, given):
        data = make_array(signature.args[0])(context, builder, given[0]).data
        return builder.gep(data, [given[1]])

    return types.CPointer(array.dtype)(array, types.intp), code


def vector(builder, pointer, kind):
    """LANES numbers from pointer on as float64."""
    narrow = ir.VectorType(pointer.type.pointee, LANES)
    size = 4 if isinstance(pointer.type.pointee, ir.FloatType) else 8
    loaded = builder.load(builder.bitcast(pointer, narrow.as_pointer()), align=size)
    return loaded if size == 8 else builder.fpext(loaded, kind)


def spread(builder, pointer, kind):
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
    columns = [vector(builder, builder.gep(right, [whole(LANES * v)]), kind) for v in range(vectors)]
    grown = []
    for i in range(tall):
        factor = spread(builder, builder.gep(left, [whole(i)]), kind)
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


def _move(vectors):
    """Intrinsic: copy that many registers of numbers to an aligned place, as float64."""

    @intrinsic
    def move(typing, source, target):
        def code(context, builder, signature, given):
            kind, whole = ir.VectorType(ir.DoubleType(), LANES), ir.IntType(64)
            for v in range(vectors):
                read = vector(builder, builder.gep(given[0], [whole(LANES * v)]), kind)
                place = builder.bitcast(builder.gep(given[1], [whole(LANES * v)]), kind.as_pointer())
                builder.store(read, place, align=8 * LANES)
            return context.get_dummy_value()

        return types.void(source, target), code

    return move


_three, _two, _one = (_tile(TALL, vectors) for vectors in (VECTORS, 2, 1))
_pair = _tile(2, VECTORS)
_pair_one = _tile(2, 1)
_whole, _single = _move(VECTORS), _move(1)


@jit()
def _pack(P, first, rows, panels):
    """Copy rows [first, first + rows) of P into panels: column c of row r stands at
    (c // PANEL * ROWS + r) * PANEL + c % PANEL.
    """
    m, d = P.shape
    full = d // PANEL
    for p in range(full):
        for r in range(rows):
            _whole(at(P, (first + r) * d + p * PANEL), at(panels, (p * ROWS + r) * PANEL))
    below = min(rows, m - 1 - first)  # rows with one below them, which a register may read into
    for c in range(full * PANEL, d, LANES):
        start = full * ROWS * PANEL + c - full * PANEL
        for r in range(below):
            _single(at(P, (first + r) * d + c), at(panels, start + r * PANEL))
        if below < rows:
            for lane in range(LANES):
                panels[start + below * PANEL + lane] = P[m - 1, c + lane] if c + lane < d else 0.0


@jit()
def _square(panels, rows, width, G):
    """G += P'P on and above the diagonal, for packed rows of P."""
    to = G.shape[1]
    for first in range(0, width, PANEL):
        end = min(first + PANEL, width)
        for i in range(0, end, TALL):
            left = at(panels, i // PANEL * ROWS * PANEL + i % PANEL)
            j = max(first, i // LANES * LANES)
            right, target = at(panels, first * ROWS + j - first), at(G, i * to + j)
            if end - j == VECTORS * LANES:
                _three(left, PANEL, right, PANEL, rows, target, to)
            elif end - j == 2 * LANES:
                _two(left, PANEL, right, PANEL, rows, target, to)
            else:
                _one(left, PANEL, right, PANEL, rows, target, to)


@jit()
def _cross(panels, tail, first, rows, H):
    """H += tail'P, for rows [first, first + rows) of the tail and those rows of P packed."""
    e, width = tail.shape[1], H.shape[1]
    for i in range(0, e, 2):
        left = at(tail, first * e + i)
        j = 0
        while j < width:
            right, target = at(panels, j // PANEL * ROWS * PANEL + j % PANEL), at(H, i * width + j)
            if j % PANEL == 0 and width - j >= PANEL:
                _pair(left, e, right, PANEL, rows, target, width)
                j += PANEL
            else:
                _pair_one(left, e, right, PANEL, rows, target, width)
                j += LANES


def room(width):
    """Empty panels for ``add``, aligned to registers: (PANEL * ROWS * panels,)."""
    numbers = np.empty(-(-width // PANEL) * ROWS * PANEL + LANES)
    return numbers[(-numbers.ctypes.data % (8 * LANES)) // 8 :]


@jit()
def add(P, tail, G, H, panels):
    """G += P'P on and above the diagonal, H += tail'P; P (m, d) and tail (m, e) C arrays, e even, d >= LEAST.

    G (w, w) and H (e, w) float64, w = ``padded(d)``; panels is ``room(w)``, overwritten.
    """
    for first in range(0, len(P), ROWS):
        rows = min(ROWS, len(P) - first)
        _pack(P, first, rows, panels)
        _square(panels, rows, G.shape[1], G)
        _cross(panels, tail, first, rows, H)
