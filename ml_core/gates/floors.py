"""Absolute limits, whatever the champion is."""

from dataclasses import dataclass

from ml_core.gates.duel import Duel
from ml_core.gates.pairs import alone
from ml_core.gates.verdict import Verdict, shown
from ml_core.measure.score import LOWER_IS_BETTER, METRICS
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class AboveFloors:
    """Pass when every metric in ``limits`` is at least so large, or at most where lower is better."""

    limits: dict | None = None

    def __post_init__(self):
        for name, limit in (self.limits or {}).items():
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                raise ValueError(f"floors.limits.{name}: got {limit!r}, allowed is a number")

    def __call__(self, duel: Duel) -> Verdict:
        """Hold the metrics on the test rows against the limits; those of clusters are the run's own."""
        if not self.limits:
            reason = "no floor is set; gate.floors.limits={auc: 0.8} sets one"
            return Verdict("floors", True, reason, judged=False)
        rows = [self._row(duel, name, limit) for name, limit in self.limits.items()]
        below = [row for row in rows if not row["passed"]]
        worst = (below or rows)[0]
        told = f"{len(below)} of {len(rows)} floors are missed"
        reason = f"{told}: {worst['metric']} {shown(worst['value'])} against {shown(worst['limit'])}"
        return Verdict("floors", not below, reason, worst["value"], worst["limit"], True, {}, rows)

    def _row(self, duel, name, limit):
        if name not in METRICS[duel.task]:
            known = ", ".join(METRICS[duel.task])
            raise CheckFailed(f"no metric {name!r} of a {duel.task} model; there are {known}")
        if duel.task == "clustering":
            value = duel.candidate.metrics.get(f"evaluate/{name}", float("nan"))
        else:
            value = alone(duel.candidate.answers, name)
        if value != value:
            raise CheckFailed(f"the candidate has no {name}, which must be {shown(limit)}")
        passed = value <= limit if name in LOWER_IS_BETTER else value >= limit
        return {"metric": name, "value": value, "limit": float(limit), "passed": bool(passed)}
