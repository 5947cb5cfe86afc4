"""Begin with what was best in an older run."""

from dataclasses import dataclass

from ml_core.search.space import Range

FIRST = 10  # candidates of the old run that are tried before the strategy starts


@dataclass(frozen=True)
class Warm:
    """``strategy``, after one batch of ``candidates``; those outside today's space are left out.

    They are judged anew, on today's rows and folds: old scores are of other data.
    """

    strategy: object
    candidates: list
    run: str = ""

    @property
    def seed(self):
        """The strategy's own."""
        return getattr(self.strategy, "seed", 0)

    def fitting(self, rows):
        """The same around the strategy for folds of so many training rows."""
        inner = self.strategy.fitting(rows) if hasattr(self.strategy, "fitting") else self.strategy
        return Warm(inner, self.candidates, self.run)

    def batches(self, space, rng):
        """Yield (candidates, share of rows); be sent their mean scores."""
        known = [candidate for candidate in self.candidates if lies_in(candidate, space)]
        if not known:
            raise ValueError(
                f"search.warm_start: no candidate of run {self.run} lies in today's space; choose "
                "another run, or set search.warm_start=null"
            )
        yield known, 1.0
        yield from self.strategy.batches(space, rng)


def lies_in(candidate, space):
    """Whether each value is one that the space may give; a plain space needs a value for every axis."""
    family = f"{candidate.get('family')}."
    asked = [name for name in space.axes if "." not in name or name.startswith(family)]
    joint = "family" in space.axes
    asked = asked if joint else list(space.axes)
    return set(candidate) == set(asked) and all(_on(space.axes[name], candidate[name]) for name in asked)


def _on(axis, value):
    if isinstance(axis, Range):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and axis.low <= value <= axis.high and (not axis.whole or value == int(value))
    return value in axis.values


def best_of(document, run):
    """The FIRST best candidates of a trials.json, on most rows, without repeats."""
    trials = [trial for trial in document["trials"] if trial["mean"] is not None]
    if not trials:
        raise ValueError(f"search.warm_start: run {run} has no finished trial")
    most = max(trial["share"] for trial in trials)
    trials = sorted((t for t in trials if t["share"] == most), key=lambda trial: -trial["mean"])
    found = {repr(trial["params"]): trial["params"] for trial in trials}
    return list(found.values())[:FIRST]
