"""Every combination of a space."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """All combinations; a range becomes ``points`` points, ends included. More than ``most`` are refused."""

    points: int = 9
    most: int = 2000

    once = True  # one batch is all there is

    def __post_init__(self):
        if self.points < 1 or self.most < 1:
            raise ValueError(f"search.strategy: points={self.points} and most={self.most} must be 1 or more")

    def batches(self, space, rng):
        """Yield (candidates, share of rows) once; be sent their mean scores."""
        size = space.grid_size(self.points)
        if size > self.most:
            raise ValueError(
                f"search.strategy: the grid has {size} candidates, the most allowed are {self.most}; set "
                "search.strategy.points lower, search.strategy.most higher, or search=random"
            )
        yield space.grid(self.points), 1.0
