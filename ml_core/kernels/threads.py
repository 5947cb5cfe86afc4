"""The same bits at any number of threads.

BLAS splits a product differently for one thread and for two, and the sums then differ in their last digits.
So BLAS works alone here, on blocks whose bounds depend on the data's shape only; our own threads share the
blocks out, and what they return is taken in order.
"""

import functools
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

import numpy as np

BLOCK = 1 << 17  # numbers in a block: 1 MB, so that a block stays in the second-level cache
NAMES = "blas", "mkl", "blis"  # in the path of every library that threadpoolctl knows as a BLAS
SLABS = 64  # jobs at most: partial sums in memory, and the least any thread waits for

_lock = threading.Lock()
_inside = {"depth": 0, "threads": 1, "limit": None}


@functools.cache
def _blas():
    import scipy.linalg.blas  # noqa: F401  the pool of a library not yet loaded could not be limited
    from threadpoolctl import ThreadpoolController

    class Named(ThreadpoolController):
        """Looks closer at the libraries with a BLAS' name only: 8 of the 10 ms that all two hundred take."""

        def _make_controller_from_path(self, filepath):
            if any(name in filepath.lower() for name in NAMES):
                super()._make_controller_from_path(filepath)

    return Named().select(user_api="blas")


@contextmanager
def alone():
    """Hold every BLAS at one thread; yields how many it had, which the caller may use instead."""
    with _lock:
        if _inside["depth"] == 0:
            pools = _blas()
            _inside["threads"] = max([pool["num_threads"] for pool in pools.info()], default=1)
            _inside["limit"] = pools.limit(limits=1)
        _inside["depth"] += 1
    try:
        yield _inside["threads"]
    finally:
        with _lock:
            _inside["depth"] -= 1
            if _inside["depth"] == 0:
                _inside["limit"].restore_original_limits()


def single(function):
    """Decorate a function so that all of it runs inside ``alone``."""

    @functools.wraps(function)
    def held(*args, **kwargs):
        with alone():
            return function(*args, **kwargs)

    return held


def slabs(n_rows, width, least=512):
    """Cut n_rows into slabs of whole blocks -> [[slice]], by the shape only; SLABS of them at most."""
    rows = max(least, BLOCK // max(width, 1))
    starts = range(0, n_rows, rows)
    each = max(
        1, -(-len(starts) // SLABS), -(-4 * width // rows)
    )  # adding a (width, width) sum must stay a trifle
    cuts = [slice(start, min(start + rows, n_rows)) for start in starts]
    return [cuts[i : i + each] for i in range(0, len(cuts), each)]


def in_order(work, jobs):
    """Yield work(job) in the order of jobs, computed by as many threads as BLAS had before ``alone``."""
    with alone() as threads:
        threads = min(threads, len(jobs))
        if threads < 2:
            yield from map(work, jobs)
            return
        with ThreadPoolExecutor(threads) as pool:
            rest = iter(jobs)
            waiting = deque(pool.submit(work, job) for job in islice(rest, 2 * threads))
            while waiting:  # what is ready must not pile up: a job starts when a result is taken
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, job) for job in islice(rest, 1))


def total(work, jobs):
    """Sum of work(job), an array or a tuple of arrays, added in the order of jobs."""
    whole, own = None, False
    for part in in_order(work, jobs):
        if whole is None:
            whole = part
        elif isinstance(part, tuple):
            whole = tuple(_plus(a, b, own) for a, b in zip(whole, part, strict=True))
            own = True
        else:
            whole, own = _plus(whole, part, own), True
    return whole


def _plus(a, b, own):
    """a + b; into a where that is our own to change."""
    return np.add(a, b, out=a) if own and isinstance(a, np.ndarray) else a + b
