"""Enough good data, and test rows that nobody has learned from."""

from dataclasses import dataclass

import numpy as np

from ml_core.gates.duel import Duel
from ml_core.gates.pairs import smallest_class
from ml_core.gates.verdict import Verdict, shown
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class EnoughData:
    """Fail on a data report that is missing or broken, too few rows, or rows on both sides.

    Attributes
    ----------
    min_train, min_test : rows
    min_class_rows : test rows of the rarest class
    report : whether prepare's report must be there; false for models from elsewhere
    overlap : test rows that the candidate may have learned from, golden ones included
    leak : rows it may have learned from that the champion was tested on
    in_time : where rows are split by time, whether every test row must be as late as the last training row
    """

    min_train: int = 50
    min_test: int = 50
    min_class_rows: int = 8
    report: bool = True
    overlap: int = 0
    leak: int = 0
    in_time: bool = True

    def __call__(self, duel: Duel) -> Verdict:
        """Every check is made; the verdict names the first that failed, or else the one of test rows."""
        rows = [row for row in self._checks(duel) if row is not None]
        failed = [row for row in rows if not row["passed"]]
        told = (failed or [row for row in rows if row["check"] == "test rows"])[0]
        reason = f"{told['check']}: {shown(told['value'])}, allowed {told['allowed']} {shown(told['limit'])}"
        if failed:
            reason = f"{len(failed)} of {len(rows)} checks failed; {reason}{told.get('note', '')}"
        return Verdict("data", not failed, reason, told["value"], told["limit"], True, {}, rows)

    def _checks(self, duel):
        yield self._report(duel.quality)
        learned = duel.candidate.trained_on
        if learned is not None:
            yield _at_least("training rows", len(learned), self.min_train)
        yield _at_least("test rows", len(duel.row), self.min_test)
        if duel.task in ("binary", "multiclass"):
            rarest = smallest_class(duel.candidate.answers)
            yield _at_least("test rows of the rarest class", rarest, self.min_class_rows)
        if learned is None:
            yield _at_most("runs that do not say what they learned from", 1, 0)
        else:
            shared = _shared(duel.row, learned)
            yield _at_most("test rows that the candidate learned from", shared, self.overlap)
        if learned is not None and duel.golden is not None:
            shared = _shared(duel.golden.row, learned)
            yield _at_most("golden rows that the candidate learned from", shared, self.overlap)
        tested = None if duel.champion is None else duel.champion.tested_on
        if learned is not None and tested is not None:
            shared = _shared(tested, learned)
            yield _at_most("the champion's test rows that the candidate learned from", shared, self.leak)
        if duel.time is not None and self.in_time:
            yield _at_most("test rows before the last training row", _early(duel), 0)

    def _report(self, quality):
        if not quality:
            return _at_most("runs without a report of prepare", 1, 0) if self.report else None
        broken = quality.get("broken", [])
        row = _at_most("broken rules in the report of prepare", len(broken), 0)
        note = "; ".join(str(finding.get("says", finding.get("rule", ""))) for finding in broken[:3])
        return row | ({"note": f" ({note})"} if note else {})


def _at_least(check, value, limit):
    return _check(check, value, limit, "at least", value >= limit)


def _at_most(check, value, limit):
    return _check(check, value, limit, "at most", value <= limit)


def _check(check, value, limit, allowed, passed):
    return {"check": check, "value": int(value), "allowed": allowed, "limit": limit, "passed": bool(passed)}


def _shared(rows, others):
    """How many of ``rows`` are among ``others``."""
    return int(np.isin(rows, others).sum())


def _early(duel):
    """Test rows whose time lies before the latest training row's."""
    if duel.training is None:
        raise CheckFailed(f"rows are split by {duel.time!r}, but the candidate's training rows are gone")
    frame = duel.training()[0]
    for part in (frame, duel.frame):
        if duel.time not in part.columns:
            raise CheckFailed(f"rows are split by {duel.time!r}, but they have no such column")
    return int((duel.frame[duel.time] < frame[duel.time].max()).sum())
