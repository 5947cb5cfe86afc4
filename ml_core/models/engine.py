"""Which kernels trees run on: compiled ones, or NumPy where starting the compiler would take longer."""

import sys
import time
from contextlib import contextmanager
from importlib import import_module

from ml_core.kernels import kept

WARM = 1.2  # seconds NumPy may take before code kept from before, and Numba's import, pay
COLD = 10.0  # the same before compiling pays: 16 s for forests and 24 s for boosting, but for all later runs
# numbers to work on below which a second thread costs more than it brings, and on a busy machine far more: it
# spins until it gets a core
ALONE = 1 << 18
COMPILED, PLAIN = "ml_core.kernels.compiled", "ml_core.kernels.plain"

# in NumPy by this process: like skis, a compiler is bought when rent has cost as much
_spent = {"seconds": 0.0}


def patience(kernel):
    """Seconds NumPy may take in this process before ``module.function`` compiled pays."""
    return WARM if kept.holds(kernel) else COLD


@contextmanager
def kernels_for(seconds, most=None, kernel="walk.add_values"):
    """(module, threads) for work that takes NumPy so many seconds; both modules give the same bits.

    Once the compiled ones are loaded they are used always. ``most``: threads at most, None for all we may
    use; ``kernel``: the compiled function that tells whether the others are there.
    """
    wanted = seconds + _spent["seconds"]
    # to ask what is kept reads all kernels' sources
    compiled = COMPILED in sys.modules or (wanted > min(WARM, COLD) and wanted > patience(kernel))
    module = import_module(COMPILED if compiled else PLAIN)
    start = time.thread_time()
    try:
        with module.threads(most) as threads:
            yield module, threads
    finally:
        if not compiled:
            _spent["seconds"] += time.thread_time() - start


def threads_for(n_numbers):
    """Threads at most for work on so many numbers at a time: one, or None for all we may use."""
    return 1 if n_numbers < ALONE else None


def loaded():
    """The compiled kernels if they are there already, else None; for work too short to ask about threads."""
    return sys.modules.get(COMPILED)
