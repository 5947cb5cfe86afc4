"""Which kernels trees run on: compiled ones, or NumPy where starting the compiler would take longer."""

import sys
import time
from contextlib import contextmanager
from importlib import import_module

PATIENCE = 3.0  # seconds NumPy may take before the compiler (its import, and its cache or 20 s) pays
ALONE = (
    1 << 18
)  # numbers to work on below which a second thread costs more than it brings, and on a busy machine
# far more: it spins until it gets a core
COMPILED, PLAIN = "ml_core.kernels.compiled", "ml_core.kernels.plain"

_spent = {
    "seconds": 0.0
}  # in NumPy by this process: like skis, a compiler is bought when rent has cost as much


@contextmanager
def kernels_for(seconds, most=None):
    """(module, threads) for work that takes NumPy so many seconds; both modules give the same bits.

    Once the compiled ones are loaded they are used always. ``most``: threads at most, None for all we may
    use.
    """
    compiled = COMPILED in sys.modules or seconds + _spent["seconds"] > PATIENCE
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
