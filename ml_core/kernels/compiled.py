"""The tree kernels compiled, under their twins' names in ``plain``. Importing it starts the compiler."""

import os
from contextlib import contextmanager

import numba
import numpy as np

from ml_core.kernels.bundle import bundle
from ml_core.kernels.encode import encode, turn
from ml_core.kernels.grow import grow
from ml_core.kernels.losses import mass, pack, pack_roughly, settle_leaves, slopes, softmax_slopes
from ml_core.kernels.partition import restore
from ml_core.kernels.walk import add_few_values, add_leaves, add_raw_values, add_values, leaves

__all__ = [
    "add_few_values", "add_leaves", "add_raw_values", "add_values", "bundle", "encode", "grow", "grower",
    "leaves", "mass", "pack", "pack_roughly", "restore", "settle_leaves", "slopes", "softmax_slopes",
    "threads", "together", "turn",
]  # fmt: skip


@contextmanager
def threads(most=None):
    """Hold Numba at as many threads as OMP_NUM_THREADS, too, allows, ``most`` at most; yields how many."""
    before = numba.get_num_threads()
    allowed = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    count = min(before, int(allowed)) if allowed.isdigit() and int(allowed) > 0 else before
    count = min(count, most or count)
    numba.set_num_threads(count)
    try:
        yield count
    finally:
        numba.set_num_threads(before)


def grower(job):
    """``grow`` for many trees on the columns of a job."""
    return grow


def together():
    """Whether several threads may call these kernels at a time: not where Numba has but its own work
    queue.
    """
    turn(np.empty((0, 1), np.uint8), np.empty((1, 0), np.uint8))
    return numba.threading_layer() != "workqueue"
