"""Everything the steps before it left, as one run in the tracker's ledger."""

import contextlib
import json
import tempfile
from collections.abc import Generator
from pathlib import Path

from ml_core.outcome import Outcome
from ml_core.tracking import gather, pending
from ml_core.tracking.lineage import home
from ml_core.tracking.run import TrackerDown


def log(out: Path, tracking) -> Outcome:
    """Record the run of which ``out`` is the last step's folder; a tracker that is away gets it later.

    Leaves receipt.json: what was recorded, by digest. Where it was recorded differs between machines and
    goes into .mlcore/runs.jsonl and the notes.
    """
    with _scratch() as place:
        run, contents = gather.finished(out.parent, place)
        known = {"receipt": run.receipt, "contents": contents}
        (out / "receipt.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        run_id, message = pending.deliver(tracking, run)
    return Outcome({}, ["receipt.json"], {"run_id": run_id, "message": message})


def failed(tracking, step: str, message: str, status: str = "FAILED") -> str | None:
    """Record that ``step`` ended with ``message``; its id, None if the tracker gets it later. No raise."""
    with contextlib.suppress(Exception), _scratch() as place:
        run = gather.failed(step, message, status, place)
        try:
            return tracking.record(run)
        except TrackerDown:
            pending.keep(run)
    return None


@contextlib.contextmanager
def _scratch() -> Generator[Path, None, None]:
    """A folder for files made for the occasion, beside what they are made from."""
    (home() / ".mlcore").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="log-", dir=home() / ".mlcore") as folder:
        yield Path(folder)
