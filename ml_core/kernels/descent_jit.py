"""``descent.sweep`` compiled, step for step the same."""

from ml_core.kernels import descent
from ml_core.kernels.jit import jit

sweep = jit()(descent.sweep)
