"""Groups of rows are not treated too differently."""

from dataclasses import dataclass

import numpy as np

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import Verdict, shown
from ml_core.measure import fairness
from ml_core.measure import slices as parts
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class Fair:
    """Fail where two groups of one of ``columns`` differ by more than a limit.

    Attributes
    ----------
    columns : whose levels are the groups; null: nobody asks, and the gate passes as such
    demographic_parity : largest allowed difference in how many are said to be of a class; null: not judged
    equalized_odds : the same for how many of the class are found, and how many others are accused
    min_rows : smaller groups are not judged
    """

    columns: list | None = None
    demographic_parity: float | None = 0.1
    equalized_odds: float | None = 0.1
    min_rows: int = 30
    confidence: float = 0.95
    resamples: int = 1000

    def __call__(self, duel: Duel) -> Verdict:
        """Measure every difference of every column on the fair rows; the worst one is the reason."""
        if not self.columns:
            reason = "no column is named; gate.fairness.columns=[sex] names one"
            return Verdict("fairness", True, reason, judged=False)
        if duel.task not in ("binary", "multiclass"):
            raise CheckFailed(f"fairness is measured in classes, and the task is {duel.task}")
        p = duel.candidate.answers.take(duel.fair)
        rows = [row for name in self.columns for row in self._column(duel, p, name)]
        if not rows:
            reason = f"no column has two groups of at least {self.min_rows} rows"
            return Verdict("fairness", False, f"cannot judge: {reason}, of {len(p)}")
        worst = max(rows, key=lambda row: row["value"] - row["limit"])
        far = [row for row in rows if not row["passed"]]
        reason = (
            f"{len(far)} of {len(rows)} differences are too large; the worst, {worst['difference']} of "
            f"{worst['column']}: {shown(worst['value'])}, allowed is {shown(worst['limit'])}"
        )
        return Verdict("fairness", not far, reason, worst["value"], worst["limit"], True, {}, rows)

    def _column(self, duel, p, name):
        try:
            cut = parts.cut(duel.frame[duel.fair], [name], duel.kinds)
        except KeyError as error:
            raise CheckFailed(error.args[0].replace("evaluate.slices", "gate.fairness.columns")) from None
        groups = [one for one in cut if one.rows.sum() >= self.min_rows]
        if len(groups) < 2:
            return
        masks = np.array([one.rows for one in groups])
        found = fairness.measured(p, masks, self.resamples, duel.seed, self.confidence)
        for difference, (value, low, high) in found.items():
            limit = getattr(self, difference)
            if limit is not None and value == value:
                row = {"column": name, "difference": difference.replace("_", " "), "groups": len(groups)}
                row |= {"value": value, "low": low, "high": high, "limit": limit}
                yield row | {"passed": bool(value <= limit)}
