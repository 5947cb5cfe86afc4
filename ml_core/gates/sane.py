"""The candidate answers, and not the same to everybody."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import Verdict
from ml_core.outcome import CheckFailed

SLACK = 1e-6  # probabilities of a row may miss 1 by so much: some models give float32


@dataclass(frozen=True)
class Sane:
    """Fail on no answers, nan, infinity, probabilities that are none, fewer than ``distinct`` answers."""

    distinct: int = 2

    def __call__(self, duel: Duel) -> Verdict:
        """Look at every answer; rows of one class may be answered with it alone."""
        p = duel.candidate.says or duel.candidate.answers
        if not len(p):
            raise CheckFailed("there are 0 test rows to look at, at least 1 is needed")
        for what in ("answer", "probability", "score"):
            values = getattr(p, what)
            if values is not None and not np.isfinite(values).all():
                bad = int((~np.isfinite(values.reshape(len(p), -1)).all(axis=1)).sum())
                reason = f"{what} is nan or infinite in {bad} of {len(p)} rows, allowed are 0"
                return Verdict("sane", False, reason, bad, 0)
        if p.probability is not None:
            wrong = np.abs(p.probability.sum(axis=1) - 1) > SLACK
            wrong |= (p.probability < -SLACK).any(axis=1) | (p.probability > 1 + SLACK).any(axis=1)
            if wrong.any():
                bad = int(wrong.sum())
                reason = f"probabilities do not sum to 1 in {bad} of {len(p)} rows, allowed are 0"
                return Verdict("sane", False, reason, bad, 0)
        said = p.answer if p.score is None else p.score
        distinct = pl.from_numpy(np.ascontiguousarray(said)).n_unique()
        truths = self.distinct if p.truth is None else len(np.unique(p.truth))
        wanted = min(self.distinct, truths, len(p))
        passed = distinct >= wanted
        reason = f"{distinct} different answers in {len(p)} rows, at least {wanted} expected"
        return Verdict("sane", bool(passed), reason, distinct, wanted)
