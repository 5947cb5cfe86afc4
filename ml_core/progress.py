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


class Board:
    """A search on its way: a bar with the best so far and how it rose; nothing when nobody watches."""

    def __init__(self, what: str):
        self.what, self.live = what, sys.stderr.isatty()
        self.began, self.drawn, self.bar, self.task = time.monotonic(), 0.0, None, None

    def show(self, done: int, total: int, bests: list[float]) -> None:
        """``done`` of ``total`` trials; ``bests`` are the best scores so far, trial by trial."""
        now = time.monotonic()
        if not self.live or now - self.began < PATIENCE or now - self.drawn < 0.2:
            return
        if self.bar is None:
            self.bar = _bar()
            self.task = self.bar.add_task(self.what, total=total)
            self.bar.start()
        best = f"  best {bests[-1]:.4g} {spark(bests)}" if bests else ""
        self.bar.update(self.task, completed=done, total=total, description=self.what + best)
        self.drawn = now

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def spark(values: list[float], width: int = 20) -> str:
    """Values as a line of blocks, the last of each stretch where there are more than ``width``."""
    known = [v for v in values if v - v == 0]
    if not known:
        return ""
    steps = min(width, len(known))
    ends = [known[(i + 1) * len(known) // steps - 1] for i in range(steps)]
    low, high = min(ends), max(ends)
    blocks = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
    return "".join(blocks[int(7 * (v - low) / (high - low)) if high > low else 0] for v in ends)


def _bar():
    from rich import progress
    from rich.console import Console

    parts = [progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn()]
    parts += [progress.TimeElapsedColumn(), progress.TimeRemainingColumn()]
    return progress.Progress(*parts, console=Console(stderr=True), transient=True)
