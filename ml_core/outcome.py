"""What a step leaves behind."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """Numbers for the tracker and DVC, files (names inside the step's folder) for the tracker.

    ``metrics`` holds nothing that differs between two runs of the same commit, data and params. What does
    (seconds, addresses, a ``message`` for the person at the terminal) goes into ``notes``, which the door
    writes to its journal and nowhere else.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)


class CheckFailed(Exception):
    """A check or gate said no: the door prints the message and ends with exit code 1."""
