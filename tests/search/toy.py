"""A space with a judge whose best is known, and a strategy driven over it."""

import numpy as np
import pytest

from ml_core.search.space import parse

SPACE = parse(
    {"a": {"low": -2, "high": 2}, "b": {"low": 1, "high": 64, "log": True, "int": True}, "c": ["x", "y"]}
)


def run(strategy, space, judge, seed=0):
    """All (candidates, share, scores) of a strategy."""
    batches, scores, seen = strategy.batches(space, np.random.default_rng(seed)), None, []
    while len(seen) < 1000:
        try:
            candidates, share = batches.send(scores)
        except StopIteration:
            return seen
        scores = np.array([judge(candidate) for candidate in candidates])
        seen.append((candidates, share, scores))
    pytest.fail("the strategy does not stop")


def toy(candidate):
    if not candidate:
        return -10.0
    return -((candidate["a"] - 1) ** 2) - abs(np.log2(candidate["b"]) - 3) + (candidate["c"] == "y")
