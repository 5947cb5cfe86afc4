"""The candidate beats the champion, pair by pair, on rows that are new to both."""

from dataclasses import dataclass

from ml_core.gates.duel import Duel
from ml_core.gates.pairs import alone, metric_for, pair_of, percent, too_few
from ml_core.gates.verdict import Verdict, shown
from ml_core.outcome import CheckFailed

TESTS = ("superior", "noninferior")


@dataclass(frozen=True)
class Better:
    """Pass when the gain is surely above a bound: ``effect``, or minus ``margin``.

    Attributes
    ----------
    test : superior (the gain is above ``effect``: an equal model is refused) or noninferior (above
        -``margin``: an equal model passes, once there are rows enough to say so)
    metric : null for the task's main one; DeLong for auc, McNemar for accuracy, else the paired bootstrap
    effect, margin : least gain, most loss, in the metric's own unit, both >= 0
    confidence : 1 - the chance that a model exactly at the bound passes
    power : the detectable gain is the one found with this chance
    detectable : refuse to judge where only gains above this are found; null: any test set will do
    min_rows, min_class_rows : refuse to judge below so many rows, or rows of a class where ranks are compared
    resamples : of the bootstrap
    golden_margin : most loss on the golden rows, where there are some
    """

    test: str = "superior"
    metric: str | None = None
    effect: float = 0.0
    margin: float = 0.0
    confidence: float = 0.95
    power: float = 0.8
    detectable: float | None = None
    min_rows: int = 50
    min_class_rows: int = 8
    resamples: int = 1000
    golden_margin: float = 0.0

    def __post_init__(self):
        if self.test not in TESTS:
            raise ValueError(f"better.test: got {self.test!r}, allowed are {', '.join(TESTS)}")
        for name in ("effect", "margin", "golden_margin"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"better.{name}: got {getattr(self, name)!r}, allowed is 0 or more")
        for name in ("confidence", "power"):
            if not 0.5 <= getattr(self, name) < 1:
                raise ValueError(f"better.{name}: got {getattr(self, name)!r}, allowed is 0.5 to below 1")

    def __call__(self, duel: Duel) -> Verdict:
        """Compare on all fair rows; then, on golden ones, ask that nothing is surely lost."""
        metric = metric_for(duel, self.metric)
        if duel.champion is None:
            value = alone(duel.candidate.answers, metric)
            if value != value:
                raise CheckFailed(f"the candidate has no {metric} on these {len(duel.row)} rows")
            reason = f"no champion yet: the first one's {metric} is {shown(value)}"
            return Verdict("better", True, reason, value, None, judged=False)
        new, old = duel.paired
        if few := too_few(new, metric, self.min_rows, self.min_class_rows):
            raise CheckFailed(few)
        pair = pair_of(new, old, metric, self.resamples, duel.seed)
        if self.detectable is not None and not self._detectable(pair) <= self.detectable:
            raise CheckFailed(
                f"these {pair.n} rows find a gain of {shown(self._detectable(pair))}, and the test set must "
                f"find one of {shown(self.detectable)}: about "
                f"{pair.rows_for(self.detectable, self.confidence, self.power)} rows"
            )
        return self._verdict(duel, pair)

    def _verdict(self, duel, pair):
        bound = self.effect if self.test == "superior" else -self.margin
        p = pair.above(bound)
        passed = p < 1 - self.confidence
        rows = [self._row("test rows", pair, bound)]
        reason = (
            f"{pair.metric} {shown(pair.new)} against {shown(pair.old)} of the champion on {pair.n} rows: "
            f"a gain of {shown(pair.gain)} is {'surely' if passed else 'not surely'} above {shown(bound)} "
            f"({pair.method}, p {p:.3g}); so many rows show a true gain of "
            f"{shown(bound + self._detectable(pair))} with power {percent(self.power)}"
        )
        if duel.golden is not None:
            golden, lost = self._golden(duel.golden, pair.metric)
            rows.append(golden)
            passed = passed and not lost
            reason += f"; on {golden['n']} golden rows {shown(golden['candidate'])} against "
            reason += f"{shown(golden['champion'])}" + (", surely a loss" if lost else "")
        numbers = {
            "gain": pair.gain,
            "bound": bound,
            "low": rows[0]["low"],
            "high": rows[0]["high"],
            "p": p,
            "error": pair.error,
            "detectable": bound + self._detectable(pair),
            "rows": pair.n,
            "rows.left.out": len(duel.row) - pair.n,
            "confidence": self.confidence,
        }
        return Verdict("better", bool(passed), reason, pair.new, pair.old, True, numbers, rows)

    def _golden(self, duel, metric):
        """The row of the golden set, and whether something is surely lost there."""
        pair = pair_of(*duel.paired, metric, self.resamples, duel.seed)
        p = pair.below(-self.golden_margin)
        return self._row("golden rows", pair, -self.golden_margin), p < 1 - self.confidence

    def _row(self, name, pair, bound):
        # the ends of the one-sided tests: each is beyond the truth with probability 1 - confidence
        low, high = pair.interval(2 * self.confidence - 1)
        return {
            "rows": name,
            "n": pair.n,
            "candidate": pair.new,
            "champion": pair.old,
            "gain": pair.gain,
            "low": low,
            "high": high,
            "bound": bound,
            "method": pair.method,
        }

    def _detectable(self, pair):
        return pair.detectable(self.confidence, self.power)
