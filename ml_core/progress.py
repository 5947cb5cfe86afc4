"""Progress for the person waiting: a bar once something takes two seconds, nothing when nobody watches."""

import sys
import time
from collections.abc import Iterable, Iterator

PATIENCE = 2.0  # seconds before a bar is worth showing


def track(things: Iterable, what: str, total: int | None = None) -> Iterator:
    """Yield ``things`` and show elapsed and remaining time on a terminal's stderr after PATIENCE seconds."""
    if not sys.stderr.isatty():
        yield from things
        return
    start, bar, task = time.monotonic(), None, None
    if total is None:
        total = len(things) if hasattr(things, "__len__") else None
    try:
        for done, thing in enumerate(things):
            if bar is None and time.monotonic() - start > PATIENCE:
                bar = _bar()
                task = bar.add_task(what, total=total)
                bar.start()
            if bar is not None:
                bar.update(task, completed=done)
            yield thing
    finally:
        if bar is not None:
            bar.stop()


def _bar():
    from rich import progress
    from rich.console import Console

    parts = [progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn()]
    parts += [progress.TimeElapsedColumn(), progress.TimeRemainingColumn()]
    return progress.Progress(*parts, console=Console(stderr=True), transient=True)
