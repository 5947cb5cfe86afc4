"""The model as its yaml sets it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Single:
    """One candidate, a family, without parameters: no search, only its score over the folds."""

    once = True  # one batch is all there is

    def batches(self, space, rng):
        """Yield (candidates, share of rows) once; be sent their mean scores."""
        yield space.plain(), 1.0
