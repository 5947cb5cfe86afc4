"""A tracker that remembers, and one round of the step `log` with it."""

from dataclasses import dataclass, field
from pathlib import Path

from ml_core.steps.log import log
from ml_core.tracking.run import Run, RunRefused, TrackerDown


@dataclass
class Ledger:
    """A tracker that keeps what it is given, or is away, or refuses some."""

    given: list[Run] = field(default_factory=list)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    away: bool = False
    refused: tuple = ()

    def record(self, run):
        if self.away:
            raise TrackerDown("MLflow is unreachable (Connection refused at http://127.0.0.1:9)")
        if run.receipt in self.refused:
            raise RunRefused("MLflow refused (too much)")
        if run.receipt not in self.files:
            self.given.append(run)
            self.files[run.receipt] = {name: path.read_bytes() for name, path in run.artifacts.items()}
        return f"id-{run.receipt[:4]}"


def log_once(tracking):
    out = Path("out/.log")
    out.mkdir(exist_ok=True)
    outcome = log(out, tracking)
    return outcome, (out / "receipt.json").read_bytes()
