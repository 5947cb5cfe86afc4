"""Bounds of k-means in float32 stay bounds, however many small steps they are moved by."""

from collections import namedtuple

import numpy as np
import pytest

from ml_core.kernels.stale import widen

State = namedtuple("State", "label upper lower")
Centers = namedtuple("Centers", "shift drop apart")


@pytest.mark.parametrize("step", [1e-9, 1e-8, 1e-6, 1e-3])
def test_many_small_moves_never_pass_their_exact_sum(step):
    n, moves, rng = 50, 200, np.random.default_rng(0)
    start = rng.uniform(1, 2, n).astype(np.float32)
    state = State(np.zeros(n, np.int32), start.copy(), start.copy())
    steps = (step * rng.uniform(0.5, 1, moves)).astype(np.float32)
    todo = np.empty(n, np.uint32)
    for one in steps:
        moved = np.array([one], np.float32)
        widen(state, Centers(moved, moved, np.zeros(1, np.float32)), 0, n, todo)
    total = steps.astype(np.float64).sum()
    assert (state.upper.astype(np.float64) >= start + total).all()
    assert (state.lower.astype(np.float64) <= start - total).all()
    assert (state.lower > start - 1.1 * total - 1e-3).all(), "a bound that gives up tells nothing"
