"""Draws from a space."""

from dataclasses import dataclass

from ml_core.search.space import sample


@dataclass(frozen=True)
class Random:
    """``tries`` different candidates, drawn alike; all of them where a space has no more than that.

    Bergstra and Bengio 2012, "Random search for hyper-parameter optimization".
    """

    tries: int = 60
    seed: int = 0

    once = True  # one batch is all there is

    def __post_init__(self):
        if self.tries < 1:
            raise ValueError(f"search.strategy.tries: got {self.tries}, must be 1 or more")

    def batches(self, space, rng):
        """Yield (candidates, share of rows) once; be sent their mean scores."""
        yield sample(space, self.tries, rng), 1.0
