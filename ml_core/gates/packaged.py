"""The model that will be served says what was judged: the same bits, and no to rows it cannot take."""

from dataclasses import dataclass, field

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import Verdict
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class Served:
    """What the registered model said of n rows in a fresh process, beside what was said offline.

    Attributes
    ----------
    n : rows asked about
    differing : rows with another answer, or another bit in a probability or score
    largest : the largest difference of a number; 0.0 where all are equal
    first : the first such row, and what both said; "" where there is none
    taken : what the signature should have refused and did not: missing or wrongly typed -> column
    """

    n: int
    differing: int = 0
    largest: float = 0.0
    first: str = ""
    taken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Packaged:
    """Fail where more than ``differing`` rows get another answer, or a bad row gets one at all."""

    differing: int = 0

    def __call__(self, duel: Duel) -> Verdict:
        """Ask ``duel.evidence["packaged"]``: name of a set of rows -> Served."""
        if "packaged" not in duel.evidence:
            raise CheckFailed("nobody loaded the packaged model in a process of its own")
        found = duel.evidence["packaged"]()
        n, differing = (sum(getattr(one, part) for one in found.values()) for part in ("n", "differing"))
        reason = (
            f"{differing} of {n} rows are answered otherwise by the registered model in a fresh process, "
            f"allowed {self.differing}"
        )
        first = next((one.first for one in found.values() if one.first), "")
        taken = {what: column for one in found.values() for what, column in one.taken.items()}
        reason += f"; {first}" if first else ""
        reason += "".join(
            f"; the signature lets a {what} column pass ({column})" for what, column in taken.items()
        )
        rows = [
            {"rows": name, "n": one.n, "differing": one.differing, "largest": one.largest}
            for name, one in found.items()
        ]
        passed = differing <= self.differing and not taken
        return Verdict("packaged", passed, reason, differing, self.differing, True, {"rows": n}, rows)
