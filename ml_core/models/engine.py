"""Which kernels trees run on: compiled ones, or NumPy where starting the compiler would take longer."""

import sys
from contextlib import contextmanager
from importlib import import_module

PATIENCE = 3.0  # seconds NumPy may take before the compiler (its import, and its cache or 20 s) pays
COMPILED, PLAIN = "ml_core.kernels.compiled", "ml_core.kernels.plain"


@contextmanager
def kernels_for(seconds, most=None):
    """(module, threads) for work that takes NumPy so many seconds; both modules give the same bits.

    Once the compiled ones are loaded they are used always. ``most``: threads at most, None for all we may
    use.
    """
    module = import_module(COMPILED if COMPILED in sys.modules or seconds > PATIENCE else PLAIN)
    with module.threads(most) as threads:
        yield module, threads
