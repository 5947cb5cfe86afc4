"""What a gate says: yes or no, and why, in numbers."""

import json
import math
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Verdict:
    """One gate's judgement of one candidate.

    Attributes
    ----------
    gate : name of the gate, as in conf/gate
    passed : whether it lets the candidate through
    reason : one sentence for people; holds ``value`` and ``against`` as ``shown`` writes them
    value : the candidate's number; None where there is none (a model that gives no answer)
    against : what it was held against, the champion's number or the limit; None where there was nothing
    judged : False where the gate had nothing to judge and passes as such: no champion yet, not asked for
    numbers : what else was found, flat: interval, p-value, detectable effect, seconds
    rows : one dict of cells for each slice, group or measurement, for a table of the report
    """

    gate: str
    passed: bool
    reason: str
    value: float | None = None
    against: float | None = None
    judged: bool = True
    numbers: dict[str, float] = field(default_factory=dict)
    rows: list[dict] = field(default_factory=list)

    def __post_init__(self):
        for number in (self.value, self.against):
            if number is not None and shown(number) not in self.reason:
                raise ValueError(f"{self.gate}: the reason must hold {shown(number)}, got {self.reason!r}")

    def to_json(self) -> str:
        """One JSON document; a number that is none (nan, infinity) becomes null."""
        return json.dumps(_plain(asdict(self)), indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Verdict:
    """``to_json`` undone."""
    return Verdict(**json.loads(text))


def shown(number: float) -> str:
    """A number as reasons write it: whole ones whole, others with five significant digits."""
    if not math.isfinite(number):
        return str(number)
    return f"{int(number)}" if float(number).is_integer() and abs(number) < 1e15 else f"{number:.5g}"


def _plain(known):
    """Python's own numbers all the way down: NumPy's have no JSON."""
    if isinstance(known, dict):
        return {str(name): _plain(value) for name, value in known.items()}
    if isinstance(known, list | tuple):
        return [_plain(value) for value in known]
    known = known.item() if hasattr(known, "item") else known
    return None if isinstance(known, float) and not math.isfinite(known) else known
