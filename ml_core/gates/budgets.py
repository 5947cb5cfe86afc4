"""What the model costs: time for one row and for many, bytes on disk, memory while it answers."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import Verdict, shown
from ml_core.outcome import CheckFailed

MB = 1e6
REPEATS = 3  # of the many rows, the fastest counts: what else the machine does is not the model's cost


@dataclass(frozen=True)
class WithinBudget:
    """Fail on any cost above its budget; a budget of null is measured and not judged.

    Attributes
    ----------
    p99_ms : milliseconds within which 99 of 100 single rows are answered on one thread, frame in, answer out
    rows_per_second : at least so many, asked ``batch`` rows at once
    disk_mb : the model's file
    memory_mb : what the process needs beyond what it holds, while it answers ``batch`` rows (Linux only)
    calls, batch : single rows asked, rows asked at once
    """

    p99_ms: float | None = 100.0
    rows_per_second: float | None = 1000.0
    disk_mb: float | None = 500.0
    memory_mb: float | None = None
    calls: int = 100
    batch: int = 10_000

    def __post_init__(self):
        for name in ("calls", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"budgets.{name}: got {getattr(self, name)!r}, allowed is 1 or more")

    def __call__(self, duel: Duel) -> Verdict:
        """Measure all costs on this machine, now; the one nearest to its budget is the reason."""
        rows = [row for row in self._costs(duel) if row is not None]
        judged = [row for row in rows if row["limit"] is not None]
        if not judged:
            return Verdict("budgets", True, "no budget is set", judged=False, rows=rows)
        over = [row for row in judged if not row["passed"]]
        worst = max(judged, key=lambda row: row["share"])
        reason = (
            f"{len(over)} of {len(judged)} budgets are exceeded; nearest to its limit: {worst['cost']} "
            f"{shown(worst['value'])}, allowed is at {worst['bound']} {shown(worst['limit'])}"
        )
        return Verdict("budgets", not over, reason, worst["value"], worst["limit"], True, {}, rows)

    def _costs(self, duel):
        model, X = duel.candidate.model, duel.frame.select(list(duel.kinds))
        if not len(X):
            raise CheckFailed("there are 0 test rows to ask about, at least 1 is needed")
        ask = getattr(model, "predict_proba", None) or model.predict
        with threadpool_limits(1):
            p99 = self._single(ask, X, duel.seed)
        yield _at_most("p99 of one row, ms", p99, self.p99_ms)
        places = np.arange(self.batch) % len(X)
        many = X[places]
        seconds = min(_seconds(ask, many) for _ in range(REPEATS))
        yield _at_least("rows a second", len(many) / max(seconds, 1e-9), self.rows_per_second)
        yield self._disk(duel.candidate.path)
        yield self._memory(ask, many)

    def _single(self, ask, X, seed):
        """The 99th percentile of ``calls`` single rows, ms, on one thread: a server has other callers.

        The first call, which imports, is not one. A row over the budget is asked again, and its fastest call
        counts: it may have waited for another process, and that is not the model's cost.
        """
        ask(X[:1])
        took = []
        for i in np.random.default_rng(seed).integers(len(X), size=self.calls):
            row = X[int(i) : int(i) + 1]
            took.append(1000 * _seconds(ask, row))
            for _ in range(REPEATS - 1):
                if self.p99_ms is not None and took[-1] > self.p99_ms:
                    took[-1] = min(took[-1], 1000 * _seconds(ask, row))
        return float(np.quantile(took, 0.99))

    def _disk(self, path):
        if path is None:
            if self.disk_mb is not None:
                raise CheckFailed(f"there is no model file here to hold against {shown(self.disk_mb)} MB")
            return None
        return _at_most("size on disk, MB", Path(path).stat().st_size / MB, self.disk_mb)

    def _memory(self, ask, many):
        before = _peak(reset=True)
        if before is None:
            if self.memory_mb is not None:
                raise CheckFailed("peak memory is known on Linux only; set gate.budgets.memory_mb=null")
            return None
        ask(many)
        return _at_most("memory while answering, MB", max(_peak() - before, 0) / MB, self.memory_mb)


def _seconds(ask, X):
    began = time.perf_counter()
    ask(X)
    return time.perf_counter() - began


def _peak(reset=False):
    """Most bytes this process has held, since the last reset; after one, what it holds now; None: unknown."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        known = Path("/proc/self/status").read_text()
    except OSError:
        return None
    line = next((line for line in known.splitlines() if line.startswith("VmHWM")), None)
    return None if line is None else 1024 * int(line.split()[1])


def _at_most(cost, value, limit):
    return _cost(cost, value, limit, "most", 0.0 if limit is None else value / max(limit, 1e-12))


def _at_least(cost, value, limit):
    return _cost(cost, value, limit, "least", 0.0 if limit is None else limit / max(value, 1e-12))


def _cost(cost, value, limit, bound, share):
    return {
        "cost": cost,
        "value": float(value),
        "bound": bound,
        "limit": limit,
        "share": share,
        "passed": share <= 1.0,
    }
