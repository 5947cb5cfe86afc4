"""No part of the rows loses what the whole gains."""

from dataclasses import dataclass

import numpy as np

from ml_core.gates.duel import Duel
from ml_core.gates.pairs import metric_for, too_few
from ml_core.gates.verdict import Verdict, shown
from ml_core.measure import slices as parts
from ml_core.measure.families import holm
from ml_core.measure.paired import compare_parts
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class NoSliceWorse:
    """Fail where the candidate is surely worse than the champion in some slice, by more than ``margin``.

    Surely: over all slices together a fair candidate is refused with probability 1 - ``confidence`` at most
    (Holm). Slices are the levels of ``columns``, else of the duel's, else of columns that are found.
    """

    columns: list | None = None
    metric: str | None = None
    margin: float = 0.0
    confidence: float = 0.95
    min_rows: int = 30
    min_class_rows: int = 8
    resamples: int = 200

    def __post_init__(self):
        if not self.margin >= 0:
            raise ValueError(f"slices.margin: got {self.margin!r}, allowed is 0 or more")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"slices.confidence: got {self.confidence!r}, allowed is 0.5 to below 1")

    def __call__(self, duel: Duel) -> Verdict:
        """Compare both models in every slice of enough fair rows."""
        metric = metric_for(duel, self.metric)
        if duel.champion is None:
            return Verdict("slices", True, "no champion yet: nothing to lose in a slice", judged=False)
        new, old = duel.paired
        cut = self._cut(duel)
        why = [too_few(new.take(s.rows), metric, self.min_rows, self.min_class_rows) for s in cut]
        places = {k: np.flatnonzero(s.rows) for k, s in enumerate(cut) if not why[k]}
        if not places:
            reason = f"0 of {len(cut)} slices have rows enough to be judged ({self.min_rows})"
            return Verdict("slices", True, reason, judged=False, rows=self._rows(cut, why, {}, {}))
        pairs = compare_parts(new, old, places, metric, self.resamples, duel.seed)
        p = dict(zip(pairs, holm([pair.below(-self.margin) for pair in pairs.values()]), strict=True))
        return self._verdict(cut, why, pairs, p)

    def _cut(self, duel):
        columns = self.columns if self.columns is not None else duel.slices
        try:
            return parts.cut(duel.frame[duel.fair], columns, duel.kinds)
        except KeyError as error:
            raise CheckFailed(error.args[0]) from None

    def _verdict(self, cut, why, pairs, p):
        worst = min(pairs, key=lambda k: (p[k] if p[k] == p[k] else 1.0, pairs[k].gain))
        lost = [k for k in pairs if p[k] < 1 - self.confidence]
        pair = pairs[worst]
        slice_of = f"{cut[worst].column} = {cut[worst].level}"
        told = f"{len(lost)} of {len(pairs)} slices are surely worse"
        pair_told = f"{pair.metric} {shown(pair.new)} against {shown(pair.old)} (Holm's p {p[worst]:.3g})"
        reason = (
            f"{told} than the champion by more than {shown(self.margin)}; the weakest, {slice_of} with "
            f"{pair.n} rows: {pair_told}"
        )
        numbers = {"slices": len(pairs), "lost": len(lost), "p": p[worst], "margin": self.margin}
        rows = self._rows(cut, why, pairs, p)
        return Verdict("slices", not lost, reason, pair.new, pair.old, True, numbers, rows)

    def _rows(self, cut, why, pairs, p):
        rows = []
        for k, one in enumerate(cut):
            row = {"column": one.column, "level": one.level, "n": int(one.rows.sum())}
            if k in pairs:
                low, high = pairs[k].interval(self.confidence)
                row |= {"candidate": pairs[k].new, "champion": pairs[k].old, "gain": pairs[k].gain}
                row |= {"low": low, "high": high, "p": p[k], "passed": not p[k] < 1 - self.confidence}
            rows.append(row | ({"note": why[k]} if why[k] else {}))
        return rows
