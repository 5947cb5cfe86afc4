"""Gates that wait to be asked: a rerun that must give the same bits, and a person who says yes."""

from dataclasses import dataclass

from ml_core.gates.duel import Duel
from ml_core.gates.verdict import Verdict
from ml_core.outcome import CheckFailed


@dataclass(frozen=True)
class Reproducible:
    """Fail where the run, made again from its commit and data, differs; asked ``always``, or by a flag."""

    always: bool = False

    def __call__(self, duel: Duel) -> Verdict:
        """Ask ``duel.evidence["reproduced"]``: "" or the first difference."""
        if not self.always:
            return Verdict("reproducible", True, "not asked for (--reproduce)", judged=False)
        if "reproduced" not in duel.evidence:
            raise CheckFailed("nobody ran it again")
        difference = duel.evidence["reproduced"]()
        said = f"the first: {difference}" if difference else "every output came again bit for bit"
        reason = f"{int(bool(difference))} differences found in a rerun, allowed 0; {said}"
        return Verdict("reproducible", not difference, reason, int(bool(difference)), 0)


@dataclass(frozen=True)
class Approved:
    """Fail where a person's yes is ``needed`` and missing; a name given (--approve-by) is told either way."""

    needed: bool = False

    def __call__(self, duel: Duel) -> Verdict:
        """Ask ``duel.evidence["approval"]``: the name of who said yes, or ""."""
        name = duel.evidence["approval"]() if "approval" in duel.evidence else ""
        if not name and not self.needed:
            return Verdict("approved", True, "no person's approval is asked for", judged=False)
        said = f"approved by {name}" if name else "--approve-by NAME"
        reason = f"{int(bool(name))} persons said yes, {int(self.needed)} needed: {said}"
        return Verdict("approved", bool(name), reason, int(bool(name)), int(self.needed))
