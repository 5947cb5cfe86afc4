"""The candidate's probabilities mean what they say, and no less than the champion's."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import Verdict, shown
from ml_core.measure.calibrated import calibration_error, compare_errors, spiegelhalter
from ml_core.measure.score import sample
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class Calibrated:
    """Fail on a calibration error above ``most``, or surely above the champion's by more than ``margin``.

    The error is how far predictions are from what came, in ``bins``, mean over rows: of probabilities for
    classes, of values in units of the truth's spread. ``rows``: of more, so many are drawn.
    """

    most: float | None = 0.15
    margin: float = 0.01
    confidence: float = 0.95
    bins: int = 10
    resamples: int = 200
    rows: int = 20_000

    def __post_init__(self):
        if not self.margin >= 0:
            raise ValueError(f"calibration.margin: got {self.margin!r}, allowed is 0 or more")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"calibration.confidence: got {self.confidence!r}, allowed is 0.5 to below 1")

    def __call__(self, duel: Duel) -> Verdict:
        """Judge on the fair rows: against the limit, then against the champion where it can be."""
        if duel.task == "clustering":
            return Verdict("calibration", True, "clusters have no probabilities", judged=False)
        p, old = self._sides(duel)
        if not _says(p):
            if old is not None and _says(old):
                raise CheckFailed("the champion gives probabilities, and the candidate does not")
            return Verdict("calibration", True, "the model gives no probabilities", judged=False)
        if not len(p):
            raise CheckFailed("0 test rows are left to judge on, at least 1 is needed")
        parts = {k: float(v[0]) for k, v in calibration_error(p, self.bins)(np.ones((1, len(p)))).items()}
        numbers = parts | {"rows": len(p)} | ({"p": spiegelhalter(p)} if duel.task != "regression" else {})
        error = parts["error"]
        if self.most is not None and not error <= self.most:
            reason = f"calibration error {shown(error)} on {len(p)} rows, allowed is {shown(self.most)}"
            return Verdict("calibration", False, reason, error, self.most, True, numbers)
        if old is None or not _says(old):
            against = "no limit" if self.most is None else f"allowed is {shown(self.most)}"
            lacking = "no champion yet" if duel.champion is None else "the champion gives no probabilities"
            reason = f"calibration error {shown(error)} on {len(p)} rows, {against}; {lacking}"
            return Verdict("calibration", True, reason, error, self.most, self.most is not None, numbers)
        return self._against(p, old, duel.seed, numbers)

    def _sides(self, duel):
        """Candidate and champion or None, on at most ``rows`` fair rows."""
        some = duel.fair[sample(len(duel.fair), self.rows, duel.seed)]
        old = None if duel.champion is None else duel.champion.answers.take(some)
        return duel.candidate.answers.take(some), old

    def _against(self, new, old, seed, numbers):
        error, before, drawn = compare_errors(new, old, self.bins, self.resamples, seed)
        spread = float(np.std(drawn, ddof=1))
        rise = error - before - self.margin
        p = float(ndtr(-rise / spread)) if spread > 0 else float(rise <= 0)
        worse = not p >= 1 - self.confidence
        reason = (
            f"calibration error {shown(error)} against {shown(before)} of the champion on {len(new)} rows: "
            f"{'surely' if worse else 'not surely'} above it by more than {shown(self.margin)} (p {p:.3g})"
        )
        numbers = numbers | {"champion": before, "p.worse": p, "margin": self.margin}
        return Verdict("calibration", not worse, reason, error, before, True, numbers)


def _says(p):
    return p.task == "regression" or p.probability is not None
