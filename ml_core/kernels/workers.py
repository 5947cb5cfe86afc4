"""Our own threads over jobs that each write to a place of their own: any number of them gives the same bits.

BLAS is held at one thread meanwhile; the command line pins it there anyway, so it cannot say how many to use.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from ml_core.kernels.threads import alone


def count(n_jobs=None):
    """Threads for n_jobs: None or -1 for all we may use, -2 for all but one, as joblib counts.

    All: the least of NUMBA_NUM_THREADS, OMP_NUM_THREADS and the cores of this process.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = [os.environ.get(name, "") for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")]
    most = max(1, min([cores, *(int(text) for text in asked if text.isdigit())]))
    if n_jobs is None:
        return most
    return max(1, most + 1 + n_jobs) if n_jobs < 0 else n_jobs


def each(work, jobs, n_threads):
    """[work(job) for job in jobs], in the order of jobs, on n_threads threads; a failure ends it."""
    jobs = list(jobs)
    n_threads = min(n_threads, len(jobs))
    if n_threads < 2:
        with alone():
            return [work(job) for job in jobs]
    with alone(), ThreadPoolExecutor(n_threads) as pool:
        waiting = [pool.submit(work, job) for job in jobs]
        try:
            return [future.result() for future in waiting]
        finally:
            for future in waiting:
                future.cancel()


def slices(n, size):
    """Slices of ``size`` that cover range(n)."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
