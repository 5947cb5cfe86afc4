"""Chance by counting: a node's draws depend on its place in the tree alone, so no order of work shows.

Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ml_core.kernels.jit import jit


@jit(_nrt=False)
def mix(key, step):
    """uint64 key, uint64 step -> the step-th number of the key, uint64."""
    z = key + (step + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit(_nrt=False)
def below(number, n):
    """uint64 number, n > 0 -> a whole number in 0 .. n - 1, each as likely but for 2**-32."""
    return np.int64(((number >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@intrinsic
def lowest_bit(typing, word):
    """Place of the lowest set bit of a uint64; 64 of none."""

    def build(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build
