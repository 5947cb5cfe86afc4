"""The tree kernels compiled, under their twins' names in ``plain``. Importing it starts the compiler."""

import os
from contextlib import contextmanager

import numba

from ml_core.kernels.encode import encode, turn
from ml_core.kernels.walk import add_raw_values, add_values, leaves

__all__ = ["add_raw_values", "add_values", "encode", "leaves", "threads", "turn"]


@contextmanager
def threads():
    """Hold Numba at as many threads as OMP_NUM_THREADS, too, allows; yields how many."""
    before = numba.get_num_threads()
    allowed = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    count = min(before, int(allowed)) if allowed.isdigit() and int(allowed) > 0 else before
    numba.set_num_threads(count)
    try:
        yield count
    finally:
        numba.set_num_threads(before)
