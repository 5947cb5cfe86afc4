"""Ask every gate: a gate is a callable ``gate(duel) -> Verdict``, named by its key in conf/gate."""

from collections.abc import Callable
from dataclasses import replace

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import Verdict
from ml_core.kernels.threads import alone
from ml_core.outcome import CheckFailed
from ml_core.progress import track

Gate = Callable[[Duel], Verdict]


def judge(duel: Duel, gates: dict[str, Gate]) -> list[Verdict]:
    """All verdicts in the gates' order; one that refuses to judge (CheckFailed) has said no."""
    with alone():
        return [_asked(name, gate, duel) for name, gate in track(gates.items(), "gates", total=len(gates))]


def passed(verdicts: list[Verdict]) -> bool:
    """Whether the candidate becomes champion: every gate says yes, and there is one."""
    return bool(verdicts) and all(verdict.passed for verdict in verdicts)


def named(built: object) -> dict[str, Gate]:
    """The section ``gate`` of params.yaml, built -> {name: gate}: one, or several by name; null is left out.

    ValueError for anything else.
    """
    if callable(built):
        return {type(built).__name__.lower(): built}
    if not isinstance(built, dict):
        raise ValueError(f"gate: got {built!r}, allowed is one gate or gates by name; see conf/gate")
    chosen = {name: gate for name, gate in built.items() if gate is not None}
    for name, gate in chosen.items():
        if not callable(gate):
            raise ValueError(f"gate.{name}: got {gate!r}, allowed is a node with _target_; see conf/gate")
    if not chosen:
        raise ValueError("gate: no gate is left, so anything would pass; run `mlcore compose gate=default`")
    return chosen


def _asked(name, gate, duel):
    try:
        return replace(gate(duel), gate=name)
    except CheckFailed as refusal:
        return Verdict(name, False, f"cannot judge: {refusal}")
