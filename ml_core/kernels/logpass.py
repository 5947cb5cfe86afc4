"""Loss, slope and curvature of one two-class logistic regression in one pass over the rows, in registers.

Letters: m rows of P (m, d), width w = ``gram_jit.padded(d)``; line (w,) with zeros from column d on. ROWS
rows at a time give their margins, then what they add to the slope, while they are in the first-level cache.
Lanes beyond column d hold what the row below begins with: times zero they count for nothing in a margin,
unless it is no number, and what they add to the slope is never looked at.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ml_core.kernels.gram_jit import LANES, at, spread, vector
from ml_core.kernels.jit import jit

ROWS = 64
EIGHT = 8  # rows at once: a register of the line, or of the slope, is then read once for all of them
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
FAR = 700.0  # beyond it exp(-x) counts as exp(-700), which is nothing beside 1


def _loop(builder, width, starts, body):
    """Run body(place, values) -> values for place = 0, LANES, ... below width > 0 -> the last values."""
    whole = ir.IntType(64)
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    place = builder.phi(whole)
    place.add_incoming(whole(0), before)
    values = [builder.phi(start.type) for start in starts]
    grown = body(place, values)
    following = builder.add(place, whole(LANES))
    place.add_incoming(following, loop)
    for value, start, new in zip(values, starts, grown, strict=True):
        value.add_incoming(start, before)
        value.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, width), loop, after)
    builder.position_at_end(after)
    return grown


def _fused(builder, kind):
    return cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{LANES}f64"
    )


def _products(rows):
    """Intrinsic: out[:rows] = A[:rows, :width] line."""

    @intrinsic
    def products(typing, a, step, line, width, out):
        def code(context, builder, signature, given):
            a, step, line, width, out = given
            whole, kind = ir.IntType(64), ir.VectorType(ir.DoubleType(), LANES)
            fused = _fused(builder, kind)

            def body(place, sums):
                factor = vector(builder, builder.gep(line, [place]), kind)
                grown = []
                for i, total in enumerate(sums):
                    where = builder.add(place, builder.mul(whole(i), step))
                    row = vector(builder, builder.gep(a, [where]), kind)
                    grown.append(builder.call(fused, [row, factor, total]))
                return grown

            sums = _loop(builder, width, [ir.Constant(kind, [0.0] * LANES)] * rows, body)
            reduce = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.DoubleType(), [ir.DoubleType(), kind]),
                f"llvm.vector.reduce.fadd.v{LANES}f64",
            )
            for i, total in enumerate(sums):
                one = builder.call(reduce, [ir.DoubleType()(0.0), total], fastmath=("reassoc",))
                builder.store(one, builder.gep(out, [whole(i)]))
            return context.get_dummy_value()

        return types.void(a, types.intp, line, types.intp, out), code

    return products


def _mixture(rows):
    """Intrinsic: sums[:width] += factors[:rows] A[:rows, :width]."""

    @intrinsic
    def mixture(typing, a, step, factors, width, sums):
        def code(context, builder, signature, given):
            a, step, factors, width, sums = given
            whole, kind = ir.IntType(64), ir.VectorType(ir.DoubleType(), LANES)
            fused = _fused(builder, kind)
            each = [spread(builder, builder.gep(factors, [whole(i)]), kind) for i in range(rows)]

            def body(place, _):
                target = builder.bitcast(builder.gep(sums, [place]), kind.as_pointer())
                total = builder.load(target, align=8)
                for i, factor in enumerate(each):
                    where = builder.add(place, builder.mul(whole(i), step))
                    total = builder.call(
                        fused, [factor, vector(builder, builder.gep(a, [where]), kind), total]
                    )
                builder.store(total, target, align=8)
                return []

            _loop(builder, width, [], body)
            return context.get_dummy_value()

        return types.void(a, types.intp, factors, types.intp, sums), code

    return mixture


_eight, _one = _products(EIGHT), _products(1)
_mix_eight, _mix_one = _mixture(EIGHT), _mixture(1)


@jit(fastmath={"contract", "reassoc"})
def _losses(z, sign, share, lift, room):
    """Scores z (r,) less lift -> summed loss; z becomes the slopes by the score, room[1] the curvatures.

    With u = exp(-|margin|) nothing overflows: the loss is max(-margin, 0) + log(1 + u).
    """
    bits, bend = room
    power = bits.view(np.float64)
    for i in range(len(z)):
        margin = sign[i] * (z[i] + lift)
        z[i] = margin
        k = np.floor(np.minimum(np.abs(margin), FAR) * -1.4426950408889634 + 0.5)
        bits[i] = (np.int64(k) + 1023) << 52
    total = 0.0
    for i in range(len(z)):
        margin = z[i]
        x = -np.minimum(np.abs(margin), FAR)
        k = np.floor(x * 1.4426950408889634 + 0.5)
        r = (x - k * LN2_HIGH) - k * LN2_LOW
        p = 1.6059043836821613e-10
        p = p * r + 2.08767569878681e-09
        p = p * r + 2.505210838544172e-08
        p = p * r + 2.755731922398589e-07
        p = p * r + 2.7557319223985893e-06
        p = p * r + 2.48015873015873e-05
        p = p * r + 0.0001984126984126984
        p = p * r + 0.001388888888888889
        p = p * r + 0.008333333333333333
        p = p * r + 0.041666666666666664
        p = p * r + 0.16666666666666666
        p = p * r + 0.5
        p = p * r + 1.0
        u = (p * r + 1.0) * power[i]
        s = u / (2 + u)
        q = s * s
        # log(1 + u) = 2 atanh(s), s at most a third
        a = 1 / 33
        a = a * q + 1 / 31
        a = a * q + 1 / 29
        a = a * q + 1 / 27
        a = a * q + 1 / 25
        a = a * q + 1 / 23
        a = a * q + 1 / 21
        a = a * q + 1 / 19
        a = a * q + 1 / 17
        a = a * q + 1 / 15
        a = a * q + 1 / 13
        a = a * q + 1 / 11
        a = a * q + 1 / 9
        a = a * q + 1 / 7
        a = a * q + 1 / 5
        a = a * q + 1 / 3
        total += share[i] * (np.maximum(-margin, 0.0) + 2 * (s + s * q * a))
        small = u / (1 + u)
        wrong = small if margin >= 0 else 1 - small
        z[i] = -sign[i] * share[i] * wrong
        bend[i] = share[i] * small * (1 - small)
    return total


@jit()
def add(P, rows, line, found):
    """Add the rows of P (m, d) to found = (slope (w + 1,), curvature (m,) or (0,)) -> their loss.

    rows = (sign (m,), share (m,)); line = (w (w,), lift). slope[w] is the intercept's.
    """
    (m, d), (sign, share), (w, lift), (slope, curvature) = P.shape, rows, line, found
    width = len(w)
    inside = (m * d - width) // d + 1 if m * d >= width else 0  # rows whose registers end inside P
    rest = np.zeros((m - inside, width), P.dtype)
    rest[:, :d] = P[inside:]
    z, room = np.empty(ROWS), (np.empty(ROWS, np.int64), np.empty(ROWS))
    total = 0.0
    for first in range(0, m, ROWS):
        end = min(first + ROWS, m)
        eights = max(0, min(end, inside) - first) // EIGHT * EIGHT
        for i in range(0, eights, EIGHT):
            _eight(at(P, (first + i) * d), d, at(w, 0), width, at(z, i))
        for i in range(first + eights, end):
            if i < inside:
                _one(at(P, i * d), d, at(w, 0), width, at(z, i - first))
            else:
                _one(at(rest, (i - inside) * width), width, at(w, 0), width, at(z, i - first))
        total += _losses(z[: end - first], sign[first:end], share[first:end], lift, room)
        for i in range(0, eights, EIGHT):
            _mix_eight(at(P, (first + i) * d), d, at(z, i), width, at(slope, 0))
        for i in range(first + eights, end):
            if i < inside:
                _mix_one(at(P, i * d), d, at(z, i - first), width, at(slope, 0))
            else:
                _mix_one(at(rest, (i - inside) * width), width, at(z, i - first), width, at(slope, 0))
        slope[width] += z[: end - first].sum()
        if len(curvature):
            curvature[first:end] = room[1][: end - first]
    return total
