"""Draws from a space."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Random:
    """``tries`` different candidates, drawn alike; all of them where a space has no more than that.

    Bergstra and Bengio 2012, "Random search for hyper-parameter optimization".
    """

    tries: int = 60
    seed: int = 0

    def __post_init__(self):
        if self.tries < 1:
            raise ValueError(f"search.strategy.tries: got {self.tries}, must be 1 or more")

    def batches(self, space, rng):
        """Yield (candidates, share of rows) once; be sent their mean scores."""
        if space.size() <= self.tries:
            yield space.grid(points=self.tries), 1.0
            return
        found = {}
        for _ in range(100 * self.tries):  # a small space repeats itself; the grid above took the smallest
            candidate = space.draw(rng)
            found.setdefault(repr(candidate), candidate)
            if len(found) == self.tries:
                break
        yield list(found.values()), 1.0
