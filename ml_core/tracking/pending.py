"""Runs that no tracker has taken yet: kept under .mlcore/pending, sent by the next log or by `mlcore log`."""

import json
import os
import shutil
import time
from pathlib import Path

from ml_core.tracking import bundle, lineage
from ml_core.tracking.run import Run, RunRefused, TrackerDown


def deliver(tracking, run: Run) -> tuple[str | None, str]:
    """Hand ``run`` to the tracker, then what waits. The run's id or None, and words for the person."""
    try:
        run_id = tracking.record(run)
    except TrackerDown as down:
        keep(run)
        return None, f"{down}: the run is kept in .mlcore/pending; `mlcore log` sends it"
    _note(run.receipt, run_id, tracking)
    try:
        sent = send_pending(tracking)
    except TrackerDown as down:
        return (
            run_id,
            f"{down}: {len(waiting())} earlier runs stay in .mlcore/pending; `mlcore log` sends them",
        )
    return run_id, f"{len(sent)} runs kept while the tracker was away are recorded now" if sent else ""


def send_pending(tracking) -> list[str]:
    """Record every run that waits, oldest first; their ids. A bundle goes only after its run is recorded.

    TrackerDown ends it at once; a run that is refused (RunRefused) waits on while the others have their turn.
    """
    sent, refused = [], None
    for folder in waiting():
        try:
            run = bundle.read(folder)
            run_id = tracking.record(run)
        except RunRefused as no:
            refused = no
            continue
        except FileNotFoundError:  # another process was quicker
            continue
        _note(run.receipt, run_id, tracking)
        shutil.rmtree(folder, ignore_errors=True)
        sent.append(run_id)
    if refused is not None:
        raise refused
    return sent


def waiting() -> list[Path]:
    """Folders of the runs that wait, oldest first."""
    found = [path for path in _place().glob("*/run.json") if not path.parent.name.startswith(".")]
    return [path.parent for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))]


def keep(run: Run) -> Path:
    """Bundle ``run`` for later; the same receipt replaces what waits under it."""
    return bundle.write(run, _place() / run.receipt)


def recorded(receipt: str) -> str | None:
    """The id under which the run with this receipt was last recorded from this checkout."""
    path = lineage.home() / ".mlcore" / "runs.jsonl"
    found = None
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except ValueError:  # a line cut short by a full disk
            continue
        found = entry["run_id"] if entry.get("receipt") == receipt else found
    return found


def _place():
    return lineage.home() / ".mlcore" / "pending"


def _note(receipt, run_id, tracking):
    """Receipt -> run id, a line a recording; written at once, so that lines of two processes never mix."""
    if recorded(receipt) == run_id:
        return
    path = lineage.home() / ".mlcore" / "runs.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {
        "receipt": receipt,
        "run_id": run_id,
        "tracker": type(tracking).__name__,
        "at": round(time.time(), 3),
    }
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, json.dumps(entry).encode() + b"\n")
    finally:
        os.close(handle)
