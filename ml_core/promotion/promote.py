"""Judge a candidate against the champion, and move the alias if every gate says yes."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ml_core.gates.duel import Duel
from ml_core.gates.judge import Gate, judge, passed
from ml_core.gates.verdict import Verdict
from ml_core.outcome import CheckFailed
from ml_core.promotion import contenders, evidence, history
from ml_core.promotion.comparable import comparable
from ml_core.promotion.contenders import Recorded
from ml_core.promotion.policy import Policy
from ml_core.tracking.run import Run

ROUNDS = 50  # so many champions may come between before we give up


@dataclass(frozen=True)
class Asked:
    """What one call of promote is about.

    Attributes
    ----------
    run : the candidate's
    gates : name -> gate
    policy : promote's section of params.yaml
    who : the person or machine that asks
    fresh : the process that loads models as they are served
    reproduce : () -> "" or the first difference of a rerun
    approved_by : name of the person who said yes, or ""
    dry_run : judge, and change nothing
    tell : takes a line for the person who waits
    """

    run: Run
    gates: dict[str, Gate]
    policy: Policy
    who: str
    fresh: object
    reproduce: Callable[[], str]
    approved_by: str = ""
    dry_run: bool = False
    tell: Callable[[str], None] = print


@dataclass(frozen=True)
class Decision:
    """What came of it: promoted, refused, would be promoted, or champion already."""

    what: str
    run_id: str
    version: str | None
    champion: str | None
    verdicts: list[Verdict]
    folder: Path | None = None
    duel: Duel | None = None

    @property
    def good(self) -> bool:
        """Whether the candidate is champion now, or would be."""
        return self.what != "refused"


def promote(asked: Asked, tracking, registry, place: Path) -> Decision:
    """Judge, and commit; judge again where another candidate was quicker. Files go under ``place``."""
    candidate = Recorded("candidate", contenders.fit(asked.run), tracking, place / "candidate")
    asking = cache(lambda: _asking(asked, candidate))
    again = cache(lambda: _served(asked, candidate, asking()))  # asked once, however often it is judged
    reproduced = cache(asked.reproduce)
    asks = {"packaged": again, "reproduced": reproduced, "approval": lambda: asked.approved_by}
    for turn in range(ROUNDS):
        known = _settled(asked, registry)
        head = known.head
        if head is not None and head.run_id == asked.run.run_id:
            return Decision("champion already", head.run_id, head.version, head.version, [])
        if not asked.dry_run:
            candidate.version = registry.register(asked.run.run_id, evidence.origin(asked.run)).version
        against = _against(head, tracking, registry, place / f"{turn}")
        duel, verdicts = _judged(asked, candidate, against, asks, asking)
        good = passed(verdicts)
        decision = Decision(
            "would be promoted" if good and asked.dry_run else "promoted" if good else "refused",
            asked.run.run_id, candidate.version, head and head.version, verdicts,
            place / f"judged{turn}", duel,
        )  # fmt: skip
        if asked.dry_run:
            evidence.write(decision)
            return decision
        if _committed(asked, decision, known, registry, candidate):
            return decision
        moved = history.read(registry).head
        asked.tell(f"version {moved.version} became champion meanwhile, by {moved.by}; judging against it")
    raise CheckFailed(f"{ROUNDS} other candidates became champion while this one was judged; try again")


def _settled(asked, registry):
    """The history; a dry run looks, and mends nothing."""
    if asked.dry_run:
        return history.read(registry)
    with registry.held():
        return history.settle(registry, asked.who)


def _against(head, tracking, registry, place):
    """The champion to beat, None before the first; or the Verdict that there is one, but no longer whole."""
    if head is None:
        return None
    lost, way = "", "go back to a version that is whole: mlcore rollback --to VERSION --reason ..."
    if head.version not in {one.version for one in registry.versions()}:
        lost = f"version {head.version} of {registry.name}, the champion, was deleted from the registry"
    else:
        try:
            run = tracking.read(head.run_id)
        except KeyError:
            lost = f"run {head.run_id or '?'} of the champion, version {head.version}, is gone"
    if lost:
        return Verdict("comparable", False, f"{lost}; {way}")
    return Recorded("champion", run, tracking, place, head.version, head.evidence.get("sha256", ""))


def _judged(asked, candidate, champion, asks, asking):
    """The duel (None where the two cannot be compared at all), and all verdicts."""
    if isinstance(champion, Verdict):
        return None, [champion]
    first = comparable(candidate, champion, asked.policy.new_features)
    if not first.passed:
        return None, [first]
    if "packaged" in asked.gates:
        asking()  # the fresh process answers while the champion is asked here
    golden = _golden(asked, candidate)
    duel = contenders.duel(candidate, champion, asked.policy.metric, asks, golden)
    return duel, [first, *judge(duel, asked.gates)]


def _golden(asked, candidate):
    """The golden rows; None where none are given."""
    path = asked.policy.golden
    return contenders.golden_rows(path, candidate) if path else None


def _asking(asked, candidate):
    """The question about the test rows, on its way to the fresh process; a future."""
    table, (says, _) = candidate.part("test"), candidate.answers
    file = candidate.folder / "rows" / "prepare" / "test.parquet"
    words = candidate.served, file, table.features, says, lambda: candidate.model
    helper = ThreadPoolExecutor(1)
    try:
        return helper.submit(copy_context().run, asked.fresh.compare, *words)  # trusts what we trust
    finally:
        helper.shutdown(wait=False)


def _served(asked, candidate, first):
    """What the registered model says in a fresh process; ``first`` is its answer about the test rows."""
    table, (says, _) = candidate.part("test"), candidate.answers
    model = lambda: candidate.model  # noqa: E731  needed only where a class was never learned
    found = {"test": first.result()}
    golden = _golden(asked, candidate)
    if golden is not None:
        X, y, _ = contenders.features_and_target(golden)
        file = candidate.folder / "golden.parquet"
        X.write_parquet(file)
        offline = candidate.golden_answers(X, y, golden, says)
        found["golden"] = asked.fresh.compare(candidate.served, file, table.features, offline, model)
    return found


def _committed(asked, decision, known, registry, candidate):
    """Send the evidence, then move; False where the champion is no longer the one judged against."""
    if len(history.read(registry).entries) != len(known.entries):
        return False  # no report about a champion of yesterday
    evidence.write(decision)
    where = evidence.send(decision, registry, asked)
    with registry.held():
        now = history.settle(registry, asked.who)
        if len(now.entries) != len(known.entries):
            return False
        if not decision.good:
            registry.point(history.CHALLENGER, decision.version)
            return True
        about = evidence.about(asked, decision, candidate, where)
        entry = history.next_entry(
            now, history.PROMOTED, decision.version, decision.run_id, by=asked.who,
            why=evidence.summary(decision), evidence=about, mark=secrets.token_hex(8),
        )  # fmt: skip
        return history.commit(registry, entry, asked.who)
